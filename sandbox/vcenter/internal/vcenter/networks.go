package vcenter

import (
	"slices"

	"github.com/vmware/govmomi/simulator"
	"github.com/vmware/govmomi/vim25/mo"
	"github.com/vmware/govmomi/vim25/types"
)

// networkName is the name of the port group or standard network behind a card.
func (vc *VCenter) networkName(backing types.BaseVirtualDeviceBackingInfo) string {
	switch b := backing.(type) {
	case *types.VirtualEthernetCardNetworkBackingInfo:
		return b.DeviceName
	case *types.VirtualEthernetCardDistributedVirtualPortBackingInfo:
		ref := types.ManagedObjectReference{Type: "DistributedVirtualPortgroup", Value: b.Port.PortgroupKey}
		if pg, ok := vc.registry.Get(ref).(mo.Entity); ok {
			return pg.Entity().Name
		}
	}
	return ""
}

// networkOfCard is the network that a card's backing names, nil when there is none such.
func (vc *VCenter) networkOfCard(backing types.BaseVirtualDeviceBackingInfo) *types.ManagedObjectReference {
	switch b := backing.(type) {
	case *types.VirtualEthernetCardDistributedVirtualPortBackingInfo:
		ref := types.ManagedObjectReference{Type: "DistributedVirtualPortgroup", Value: b.Port.PortgroupKey}
		if vc.registry.Get(ref) != nil {
			return &ref
		}
	case *types.VirtualEthernetCardNetworkBackingInfo:
		if network := vc.registry.FindByName(b.DeviceName, vc.datacenter().Network); network != nil {
			ref := network.Reference()
			return &ref
		}
	}
	return nil
}

// usersOf lists the machines and templates with a card in a network.
func (vc *VCenter) usersOf(network types.ManagedObjectReference) []types.ManagedObjectReference {
	var users []types.ManagedObjectReference
	for _, e := range vc.registry.All("VirtualMachine") {
		if vm := e.(*simulator.VirtualMachine); slices.Contains(vm.Network, network) {
			users = append(users, vm.Self)
		}
	}
	slices.SortFunc(users, func(a, b types.ManagedObjectReference) int { return compareRefs(a, b) })
	return users
}

func compareRefs(a, b types.ManagedObjectReference) int { return numberOf(a) - numberOf(b) }

// showNetworkUsers keeps the property "vm" of networks, which the library leaves empty.
func (vc *VCenter) showNetworkUsers(ctx *simulator.Context) {
	vc.writer.Lock()
	defer vc.writer.Unlock()
	for _, e := range append(vc.registry.All("Network"), vc.registry.All("DistributedVirtualPortgroup")...) {
		users := vc.usersOf(e.Reference())
		ctx.WithLock(e, func() {
			if network := networkOf(e); network != nil && !slices.Equal(network.Vm, users) {
				ctx.Update(e, []types.PropertyChange{{Name: "vm", Val: users}})
			}
		})
	}
}

func networkOf(e mo.Entity) *mo.Network {
	switch n := e.(type) {
	case *mo.Network:
		return n
	case *simulator.DistributedVirtualPortgroup:
		return &n.Network
	}
	return nil
}

// createPortgroup follows DistributedVirtualSwitch.CreateDVPortgroup_Task, which the library lacks; its result is the
// new port group.
func createPortgroup(j *job, m *simulator.Method) (types.AnyType, types.BaseMethodFault) {
	req := m.Body.(*types.CreateDVPortgroup_Task)
	if fault := j.vc.addPortgroups(j, req.This, []types.DVPortgroupConfigSpec{req.Spec}); fault != nil {
		return nil, fault
	}
	dvs := j.vc.registry.Get(req.This).(*simulator.DistributedVirtualSwitch)
	created := j.vc.registry.FindByName(req.Spec.Name, portgroupsOf(j.ctx, dvs))
	if created == nil {
		return nil, &types.SystemError{Reason: "the port group is not there"}
	}
	return created.Reference(), nil
}

// addPortgroupsTask follows DistributedVirtualSwitch.AddDVPortgroup_Task.
func addPortgroupsTask(j *job, m *simulator.Method) (types.AnyType, types.BaseMethodFault) {
	req := m.Body.(*types.AddDVPortgroup_Task)
	return nil, j.vc.addPortgroups(j, req.This, req.Spec)
}

func (vc *VCenter) addPortgroups(j *job, dvs types.ManagedObjectReference, specs []types.DVPortgroupConfigSpec) types.BaseMethodFault {
	for i := range specs {
		if specs[i].Name == "" {
			return &types.InvalidArgument{InvalidProperty: "spec.name"}
		}
		if specs[i].Type == "" {
			specs[i].Type = string(types.DistributedVirtualPortgroupPortgroupTypeEarlyBinding)
		}
		if specs[i].NumPorts == 0 {
			specs[i].NumPorts = 8
		}
		if specs[i].AutoExpand == nil {
			specs[i].AutoExpand = types.NewBool(true)
		}
	}
	_, fault := j.commit(func() (types.AnyType, types.BaseMethodFault) {
		result, fault := vc.invoke(j.ctx, &simulator.Method{Name: "AddDVPortgroup_Task", This: dvs,
			Body: &types.AddDVPortgroup_Task{This: dvs, Spec: specs}})
		for _, cluster := range vc.clusters() { // the library names a new port group once for each host
			j.ctx.WithLock(cluster, func() { cluster.Network = unique(cluster.Network) })
		}
		return result, fault
	})
	return fault
}

func unique(refs []types.ManagedObjectReference) []types.ManagedObjectReference {
	var kept []types.ManagedObjectReference
	for _, ref := range refs {
		if !slices.Contains(kept, ref) {
			kept = append(kept, ref)
		}
	}
	return kept
}

// reconfigurePortgroup follows DistributedVirtualPortgroup.ReconfigureDVPortgroup_Task: what the spec leaves out stays.
func reconfigurePortgroup(j *job, m *simulator.Method) (types.AnyType, types.BaseMethodFault) {
	req := m.Body.(*types.ReconfigureDVPortgroup_Task)
	pg, ok := j.vc.registry.Get(req.This).(*simulator.DistributedVirtualPortgroup)
	if !ok {
		return nil, &types.ManagedObjectNotFound{Obj: req.This}
	}
	return j.commit(func() (types.AnyType, types.BaseMethodFault) {
		j.ctx.WithLock(pg, func() {
			if s := &req.Spec; s.Name != "" && s.Name != pg.Name {
				pg.Name, pg.Entity().Name, pg.Config.Name = s.Name, s.Name, s.Name
			}
			config := pg.Config
			if req.Spec.Description != "" {
				config.Description = req.Spec.Description
			}
			if req.Spec.NumPorts != 0 {
				config.NumPorts = req.Spec.NumPorts
			}
			if req.Spec.DefaultPortConfig != nil {
				config.DefaultPortConfig = req.Spec.DefaultPortConfig
			}
			if req.Spec.AutoExpand != nil {
				config.AutoExpand = req.Spec.AutoExpand
			}
			j.ctx.Update(pg, []types.PropertyChange{{Name: "config", Val: config}, {Name: "name", Val: pg.Name}})
		})
		return nil, nil
	})
}

// destroyPortgroup follows Destroy_Task of a port group: refused while a machine uses it, else it leaves all hosts.
func destroyPortgroup(j *job, m *simulator.Method) (types.AnyType, types.BaseMethodFault) {
	vc := j.vc
	pg, ok := vc.registry.Get(m.This).(*simulator.DistributedVirtualPortgroup)
	if !ok {
		return nil, &types.ManagedObjectNotFound{Obj: m.This}
	}
	return j.commit(func() (types.AnyType, types.BaseMethodFault) {
		if len(vc.usersOf(pg.Self)) > 0 || vc.isUplink(pg) {
			return nil, &types.ResourceInUse{Type: pg.Self.Type, Name: pg.Name}
		}
		result, fault := vc.invoke(j.ctx, m)
		if fault != nil {
			return nil, fault
		}
		for _, host := range vc.hosts() {
			j.ctx.Map.RemoveReference(j.ctx, host, &host.Network, pg.Self)
		}
		for _, cluster := range vc.clusters() {
			j.ctx.Map.RemoveReference(j.ctx, cluster, &cluster.Network, pg.Self)
		}
		return result, nil
	})
}

// isUplink tells the port group that the switch made for its hosts' network cards.
func (vc *VCenter) isUplink(pg *simulator.DistributedVirtualPortgroup) bool {
	dvs, ok := vc.registry.Get(*pg.Config.DistributedVirtualSwitch).(*simulator.DistributedVirtualSwitch)
	return ok && len(dvs.Portgroup) > 0 && dvs.Portgroup[0] == pg.Self
}
