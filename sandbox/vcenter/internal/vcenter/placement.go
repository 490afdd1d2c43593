package vcenter

import (
	"slices"

	"github.com/vmware/govmomi/simulator"
	"github.com/vmware/govmomi/vim25/types"
)

// placement is where a machine goes.
type placement struct {
	pool      types.ManagedObjectReference
	host      *simulator.HostSystem
	datastore *simulator.Datastore
}

// placeClone follows VirtualMachineRelocateSpec: a template has no pool to inherit, a machine has;
// the host must belong to the pool's cluster, and must mount the datastore.
func (vc *VCenter) placeClone(source *simulator.VirtualMachine, spec *types.VirtualMachineCloneSpec) (placement, types.BaseMethodFault) {
	pool := spec.Location.Pool
	if pool == nil && !source.Config.Template {
		pool = source.ResourcePool
	}
	if pool == nil && spec.Template {
		pool = vc.rootPool(source)
	}
	if pool == nil {
		return placement{}, &types.InvalidArgument{InvalidProperty: "spec.location.pool"}
	}
	ds := vc.homeDatastore(source)
	if ref := spec.Location.Datastore; ref != nil {
		given, ok := vc.registry.Get(*ref).(*simulator.Datastore)
		if !ok {
			return placement{}, &types.InvalidArgument{InvalidProperty: "spec.location.datastore"}
		}
		ds = given
	}
	return vc.place(*pool, spec.Location.Host, ds)
}

// place chooses the least loaded host of the pool's cluster, unless the caller named one.
func (vc *VCenter) place(pool types.ManagedObjectReference, wanted *types.ManagedObjectReference, ds *simulator.Datastore) (placement, types.BaseMethodFault) {
	hosts, ok := vc.hostsOf(pool)
	if !ok {
		return placement{}, &types.InvalidArgument{InvalidProperty: "pool"}
	}
	if ds == nil {
		return placement{}, &types.InvalidArgument{InvalidProperty: "datastore"}
	}
	if wanted != nil && !slices.Contains(hosts, *wanted) {
		return placement{}, &types.InvalidArgument{InvalidProperty: "host"}
	}
	var best *simulator.HostSystem
	for _, ref := range hosts {
		host, ok := vc.registry.Get(ref).(*simulator.HostSystem)
		if !ok || wanted != nil && ref != *wanted {
			continue
		}
		usable := host.Runtime.ConnectionState == types.HostSystemConnectionStateConnected && !host.Runtime.InMaintenanceMode
		if !usable || !slices.Contains(host.Datastore, ds.Self) {
			continue
		}
		if best == nil || len(host.Vm) < len(best.Vm) {
			best = host
		}
	}
	if best == nil {
		return placement{}, &types.InvalidDatastore{Datastore: &ds.Self, Name: ds.Name}
	}
	return placement{pool: pool, host: best, datastore: ds}, nil
}

// hostsOf lists the hosts of the cluster that owns a pool.
func (vc *VCenter) hostsOf(pool types.ManagedObjectReference) ([]types.ManagedObjectReference, bool) {
	var owner types.ManagedObjectReference
	switch p := vc.registry.Get(pool).(type) {
	case *simulator.ResourcePool:
		owner = p.Owner
	case *simulator.VirtualApp:
		owner = p.Owner
	default:
		return nil, false
	}
	cluster, ok := vc.registry.Get(owner).(*simulator.ClusterComputeResource)
	if !ok {
		return nil, false
	}
	return slices.Clone(cluster.Host), true
}

// rootPool is the root pool of the cluster that a machine's host belongs to.
func (vc *VCenter) rootPool(vm *simulator.VirtualMachine) *types.ManagedObjectReference {
	host, ok := vc.registry.Get(*vm.Runtime.Host).(*simulator.HostSystem)
	if !ok {
		return nil
	}
	cluster, ok := vc.registry.Get(*host.Parent).(*simulator.ClusterComputeResource)
	if !ok {
		return nil
	}
	return cluster.ResourcePool
}
