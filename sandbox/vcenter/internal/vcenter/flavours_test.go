package vcenter

import (
	"net/netip"
	"slices"
	"testing"
)

// A flavour is data: what its parts name must be there.
func TestFlavoursNameOnlyWhatTheyHave(t *testing.T) {
	for _, f := range slices.Concat(flavours, []Flavour{privateFlavour.grown(2500)}) {
		clusters, datastores := map[string][]string{}, map[string][]string{}
		networks := []string{"VM Network"}
		for _, c := range f.Clusters {
			clusters[c.Name] = c.Pools
			if len(c.Hosts) < 2 {
				t.Errorf("%s: cluster %s has %d hosts", f.Name, c.Name, len(c.Hosts))
			}
		}
		for _, d := range f.Datastores {
			datastores[d.Name] = d.Clusters
			for _, c := range d.Clusters {
				if _, ok := clusters[c]; !ok {
					t.Errorf("%s: datastore %s is on cluster %s", f.Name, d.Name, c)
				}
			}
		}
		for _, p := range f.Portgroups {
			networks = append(networks, p.Name)
			if _, err := netip.ParsePrefix(p.Subnet); err != nil {
				t.Errorf("%s: %s: %v", f.Name, p.Name, err)
			}
		}
		for i, folder := range f.Folders {
			if above, _ := folderOfPath(folder); above != "" && !slices.Contains(f.Folders[:i], above) {
				t.Errorf("%s: folder %s stands before the one that it lies in", f.Name, folder)
			}
		}
		for _, c := range f.Crowd {
			if c.Count < 1 || !slices.Contains(f.Folders, c.Folder) {
				t.Errorf("%s: %d machines in folder %s", f.Name, c.Count, c.Folder)
			}
		}
		for _, m := range slices.Concat(f.Templates, f.Machines) {
			switch {
			case m.Folder != "" && !slices.Contains(f.Folders, m.Folder):
				t.Errorf("%s: %s is in folder %s", f.Name, m.Name, m.Folder)
			case !slices.Contains(datastores[m.Datastore], m.Cluster):
				t.Errorf("%s: %s cannot be on %s in %s", f.Name, m.Name, m.Datastore, m.Cluster)
			case m.Pool != "" && !slices.Contains(clusters[m.Cluster], m.Pool):
				t.Errorf("%s: %s is in pool %s", f.Name, m.Name, m.Pool)
			case !slices.Contains(networks, m.Network):
				t.Errorf("%s: %s is in network %s", f.Name, m.Name, m.Network)
			}
		}
	}
}

func TestACrowdIsTheSameEachTimeAndUnlikeItself(t *testing.T) {
	first, again := individuals(1, 1, 200, "Legacy", true), individuals(1, 1, 200, "Legacy", true)
	names := map[string]bool{}
	for i, p := range first {
		if p.name != again[i].name || p.memoryMiB != again[i].memoryMiB || p.power != again[i].power {
			t.Fatalf("%v is not %v", p, again[i])
		}
		if names[p.name] || len([]rune(p.name)) > 80 {
			t.Errorf("the name %q is taken or too long", p.name)
		}
		names[p.name] = true
	}
}

func TestAGrownFlavourHasAsManyMachinesAsAskedFor(t *testing.T) {
	total := 0
	for _, c := range privateFlavour.grown(2501).Crowd[len(privateFlavour.Crowd):] {
		total += c.Count
	}
	if total != 2501 {
		t.Errorf("%d machines", total)
	}
}
