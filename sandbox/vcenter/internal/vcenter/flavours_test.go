package vcenter

import (
	"net/netip"
	"slices"
	"testing"
)

// A flavour is data: what its parts name must be there.
func TestFlavoursNameOnlyWhatTheyHave(t *testing.T) {
	for _, f := range flavours {
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
