package vcenter

import (
	"fmt"
	"math/rand/v2"
	"strings"
)

// CrowdPlan asks for ordinary machines of others in a folder: see crowd.go.
type CrowdPlan struct {
	Folder string
	Count  int
}

// machinesPerCluster is how many further machines get a cluster, datastores and networks of their own.
const machinesPerCluster = 1000

// grown is the flavour with room for n further machines: clusters, datastores, networks and folders.
func (f Flavour) grown(n int) Flavour {
	if n == 0 {
		return f
	}
	f.Clusters, f.Datastores = append([]ClusterPlan{}, f.Clusters...), append([]DatastorePlan{}, f.Datastores...)
	f.Portgroups, f.Folders = append([]PortgroupPlan{}, f.Portgroups...), append([]string{}, f.Folders...)
	f.Crowd = append([]CrowdPlan{}, f.Crowd...)
	clusters := (n + machinesPerCluster - 1) / machinesPerCluster
	for i := 1; i <= clusters; i++ {
		name := fmt.Sprintf("Estate-%02d", i)
		f.Clusters = append(f.Clusters, ClusterPlan{
			Name: name, Hosts: numbered(strings.ToLower(name)+"-esx%02d.example", 8), CPUModel: "AMD EPYC 9654 96-Core Processor",
			Sockets: 2, Cores: 192, MHz: 2400, MemoryGiB: 3072, Pools: []string{"Gold", "Silver", "Bronze"}})
		f.Datastores = append(f.Datastores,
			DatastorePlan{Name: fmt.Sprintf("estate-%02d-vmfs", i), Type: "VMFS", CapacityGiB: 256 << 10, ForeignGiB: 512, Clusters: []string{name}},
			DatastorePlan{Name: fmt.Sprintf("estate-%02d-nfs", i), Type: "NFS", CapacityGiB: 256 << 10, ForeignGiB: 1024, Clusters: []string{name}})
		f.Portgroups = append(f.Portgroups,
			PortgroupPlan{Name: fmt.Sprintf("estate-%02d-app", i), VLAN: int32(1000 + 2*i), Subnet: fmt.Sprintf("10.224.%d.0/22", 8*i%256)},
			PortgroupPlan{Name: fmt.Sprintf("estate-%02d-data", i), VLAN: int32(1001 + 2*i), Subnet: fmt.Sprintf("10.224.%d.0/22", (8*i+4)%256)})
	}
	left, parts := n, 0
	for _, department := range departments {
		f.Folders = append(f.Folders, "Estate "+department.name)
		for _, stage := range stages {
			f.Folders = append(f.Folders, "Estate "+department.name+"/"+stage)
			parts++
		}
	}
	for _, department := range departments {
		for _, stage := range stages {
			share := left / parts
			f.Crowd = append(f.Crowd, CrowdPlan{Folder: "Estate " + department.name + "/" + stage, Count: share})
			left, parts = left-share, parts-1
		}
	}
	return f
}

var departments = []struct{ name, short, owner string }{
	{"Finance", "fin", "accounting"}, {"Logistics", "log", "warehouse"}, {"Research", "rnd", "laboratory"},
	{"Web", "web", "webmaster"}, {"Human Resources", "hr", "people"},
}

var stages = []string{"prod", "test", "attic"}

var roles = []string{"app", "db", "file", "mail", "proxy", "batch", "report", "build", "wiki", "print"}

// guestKind is an operating system as vSphere names it.
type guestKind struct{ id, name, family string }

var guestKinds = []guestKind{
	{"ubuntu64Guest", "Ubuntu Linux (64-bit)", "linuxGuest"},
	{"debian12_64Guest", "Debian GNU/Linux 12 (64-bit)", "linuxGuest"},
	{"rhel9_64Guest", "Red Hat Enterprise Linux 9 (64-bit)", "linuxGuest"},
	{"rhel7_64Guest", "Red Hat Enterprise Linux 7 (64-bit)", "linuxGuest"},
	{"sles15_64Guest", "SUSE Linux Enterprise 15 (64-bit)", "linuxGuest"},
	{"windows2022srvNext_64Guest", "Microsoft Windows Server 2025 (64-bit)", "windowsGuest"},
	{"windows2019srv_64Guest", "Microsoft Windows Server 2019 (64-bit)", "windowsGuest"},
	{"windows9_64Guest", "Microsoft Windows 10 (64-bit)", "windowsGuest"},
	{"freebsd13_64Guest", "FreeBSD 13 or later versions (64-bit)", "otherGuestFamily"},
	{"otherLinux64Guest", "Other Linux (64-bit)", "linuxGuest"},
}

// troubleNames are names that people give, or that somebody gives to hurt: every page, file and shell must bear them.
var troubleNames = []string{
	"<script>alert(%d)</script>", `"quoted" & 'half-%d'`, "数据库-%d", "a/b\\c-%d", "100%%25-%d", "=1+1|cmd-%d", "\u202egnp.exe-%d",
	"café ☕ %d", "  spaces %d", "'; DROP TABLE machines; --%d", "${jndi:ldap://x/%d}", "-rf %d", "../../etc/passwd-%d",
	"{{ 7*7 }}-%d", "a very long name that fills all of the eighty characters that vSphere allows %04d",
}

// individual is one machine of a crowd, as data.
type individual struct {
	number     int
	name       string
	annotation string
	guest      guestKind
	cpus       int32
	memoryMiB  int64
	disksGiB   []int64
	cards      int
	power      string // poweredOn, poweredOff or suspended
	tools      string // ok, old or none
	snapshots  int
}

// individuals makes n machines from a seed: always the same.
func individuals(seed uint64, first, n int, folder string, trouble bool) []individual {
	random := rand.New(rand.NewPCG(seed, 4))
	people := make([]individual, n)
	for i := range people {
		number := first + i
		department := departments[number%len(departments)]
		for _, d := range departments {
			if strings.Contains(folder, d.name) {
				department = d
			}
		}
		role := roles[random.IntN(len(roles))]
		p := individual{
			number: number, name: fmt.Sprintf("%s-%s-%03d", department.short, role, number),
			guest: guestKinds[random.IntN(len(guestKinds))],
			cpus:  []int32{1, 2, 2, 4, 4, 8}[random.IntN(6)], cards: []int{1, 1, 1, 1, 2, 3}[random.IntN(6)],
			disksGiB: []int64{[]int64{10, 16, 20, 40, 60}[random.IntN(5)]},
			power:    "poweredOn", tools: "ok",
		}
		p.memoryMiB = int64(p.cpus) * []int64{512, 1024, 2048}[random.IntN(3)]
		for range []int{0, 0, 0, 1, 1, 2}[random.IntN(6)] {
			p.disksGiB = append(p.disksGiB, []int64{5, 20, 50, 100}[random.IntN(4)])
		}
		switch draw := random.IntN(20); {
		case draw < 4:
			p.power = "poweredOff"
		case draw == 4:
			p.power = "suspended"
		}
		switch draw := random.IntN(20); {
		case draw < 2:
			p.tools = "none"
		case draw < 5:
			p.tools = "old"
		}
		if random.IntN(12) == 0 {
			p.snapshots = 1 + random.IntN(3)
		}
		if random.IntN(3) > 0 {
			p.annotation = fmt.Sprintf("%s of %s.\nOwner: %s@example.com", strings.ToUpper(role[:1])+role[1:], department.name, department.owner)
		}
		if trouble && i%25 == 7 {
			p.name = fmt.Sprintf(troubleNames[(number/25)%len(troubleNames)], number)
			p.annotation = `</textarea><img src=x onerror=alert(1)> "note" 'of' ` + p.name
		}
		people[i] = p
	}
	return people
}
