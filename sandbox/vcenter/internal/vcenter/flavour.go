package vcenter

import (
	"fmt"
	"slices"
	"strings"
)

// Flavour is the estate of one kind of vCenter, as plain data. All sizes are in GiB unless named otherwise.
type Flavour struct {
	Name       string
	Account    string
	Version    string
	Build      string
	Datacenter string
	Clusters   []ClusterPlan
	Datastores []DatastorePlan
	Switch     string
	Portgroups []PortgroupPlan
	Folders    []string // machine folders, as paths below the datacenter
	Templates  []MachinePlan
	Machines   []MachinePlan // machines of others, that were there before
	Barred     []string      // folders and pools that the provider keeps for itself: the account may only look
	Crowd      []CrowdPlan   // more of them, as any estate has: see crowd.go
}

// ClusterPlan describes one cluster of equal hosts.
type ClusterPlan struct {
	Name      string
	Hosts     []string
	Vendor    string // of the hosts; Dell's when empty
	Model     string
	ESXi      string // version, the newest that the library knows when empty
	CPUModel  string
	Sockets   int16
	Cores     int16 // a host
	MHz       int32
	MemoryGiB int64
	Pools     []string // resource pools below the root pool
}

// DatastorePlan describes one datastore; Type is VMFS, NFS, vsan or OTHER.
type DatastorePlan struct {
	Name        string
	Type        string
	CapacityGiB int64
	ForeignGiB  int64 // taken by files that this vCenter does not show
	Clusters    []string
}

// PortgroupPlan describes one distributed port group and the addresses that its DHCP gives.
type PortgroupPlan struct {
	Name   string
	VLAN   int32
	Subnet string
	NSX    bool // a segment of NSX, made in NSX
}

// MachinePlan describes a template or a machine that exists from the start.
type MachinePlan struct {
	Name       string
	Folder     string
	Cluster    string
	Pool       string
	Datastore  string
	Network    string
	Guest      string // vSphere guest identifier
	CPUs       int32
	MemoryMiB  int64
	DisksGiB   []int64
	Annotation string
	Guestinfo  map[string]string
	Off        bool
}

var flavours = []Flavour{privateFlavour, ovhFlavour, ibmFlavour, vmcFlavour, evsFlavour}

// FlavourNames lists what --flavour takes.
func FlavourNames() []string {
	names := make([]string, len(flavours))
	for i, f := range flavours {
		names[i] = f.Name
	}
	return names
}

// FlavourNamed finds a flavour or says which there are.
func FlavourNamed(name string) (Flavour, error) {
	i := slices.IndexFunc(flavours, func(f Flavour) bool { return f.Name == name })
	if i < 0 {
		return Flavour{}, fmt.Errorf("unknown flavour %q: choose one of %s", name, strings.Join(FlavourNames(), ", "))
	}
	return flavours[i], nil
}

// numbered makes host names such as esx-01.example to esx-04.example from a pattern.
func numbered(pattern string, count int) []string {
	names := make([]string, count)
	for i := range names {
		names[i] = fmt.Sprintf(pattern, i+1)
	}
	return names
}

// containerHosts are the templates that container machines are cloned from, equal in every flavour.
func containerHosts(folder, cluster, datastore, network string) []MachinePlan {
	template := func(system, guest string) MachinePlan {
		return MachinePlan{
			Name: "escale-container-host-" + system, Folder: folder, Cluster: cluster, Datastore: datastore,
			Network: network, Guest: guest, CPUs: 2, MemoryMiB: 2048, DisksGiB: []int64{16}, Off: true,
			Annotation: "Escale container host, " + system + ": cloud-init, VMware guestinfo datasource, container engine.",
			Guestinfo: map[string]string{
				"guestinfo.escale.template": system,
				"guestinfo.escale.engine":   "docker",
			},
		}
	}
	return []MachinePlan{template("ubuntu-24.04", "ubuntu64Guest"), template("debian-12", "debian12_64Guest")}
}
