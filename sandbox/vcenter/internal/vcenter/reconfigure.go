package vcenter

import (
	"slices"

	"github.com/vmware/govmomi/simulator"
	"github.com/vmware/govmomi/vim25/types"
)

// reconfigureMachine follows VirtualMachine.ReconfigVM_Task: see reconfigure.
func reconfigureMachine(j *job, m *simulator.Method) (types.AnyType, types.BaseMethodFault) {
	req := m.Body.(*types.ReconfigVM_Task)
	vm, ok := j.vc.registry.Get(req.This).(*simulator.VirtualMachine)
	if !ok {
		return nil, &types.ManagedObjectNotFound{Obj: req.This}
	}
	return j.vc.reconfigure(j, vm, &req.Spec)
}

// reconfigure completes what clients may leave out, checks the space that new disks need, lets the library apply
// the change, and gives new disks their bytes.
func (vc *VCenter) reconfigure(j *job, vm *simulator.VirtualMachine, spec *types.VirtualMachineConfigSpec) (types.AnyType, types.BaseMethodFault) {
	var existing []types.BaseVirtualDevice
	if len(spec.DeviceChange) > 0 {
		existing = vc.configOf(j.ctx, vm).Hardware.Device
		for _, disk := range disksAmong(existing) { // new disks are named after the files that are there
			vc.unwritten.write(disk.file)
		}
	}
	needs, fault := vc.completeDevices(j.ctx, vc.homeDatastore(vm), existing, spec.DeviceChange)
	if fault != nil {
		return nil, fault
	}
	release, fault := vc.promiseAll(needs)
	if fault != nil {
		return nil, fault
	}
	defer release()
	result, fault := j.commit(func() (types.AnyType, types.BaseMethodFault) {
		// The library keeps the version and compares it with nothing.
		if spec.ChangeVersion != "" && spec.ChangeVersion != vc.configOf(j.ctx, vm).ChangeVersion {
			return nil, &types.ConcurrentAccess{}
		}
		vc.assignMACs(spec.DeviceChange)
		return vc.invoke(j.ctx, &simulator.Method{Name: "ReconfigVM_Task", This: vm.Self,
			Body: &types.ReconfigVM_Task{This: vm.Self, Spec: *spec}})
	})
	if fault != nil {
		return nil, fault
	}
	if len(spec.DeviceChange) == 0 {
		return result, nil
	}
	if deletesFiles(spec.DeviceChange) {
		vc.storage.recountAll()
	}
	return result, vc.settle(j.ctx, vm)
}

func deletesFiles(changes []types.BaseVirtualDeviceConfigSpec) bool {
	return slices.ContainsFunc(changes, func(c types.BaseVirtualDeviceConfigSpec) bool {
		return c.GetVirtualDeviceConfigSpec().FileOperation == types.VirtualDeviceConfigSpecFileOperationDestroy
	})
}

// promiseAll sets space aside on several datastores, or on none.
func (vc *VCenter) promiseAll(needs map[*simulator.Datastore]int64) (func(), types.BaseMethodFault) {
	var releases []func()
	release := func() {
		for _, r := range releases {
			r()
		}
	}
	for ds, bytes := range needs {
		r, fault := vc.storage.promise(ds, bytes)
		if fault != nil {
			release()
			return nil, fault
		}
		releases = append(releases, r)
	}
	return release, nil
}

// settle gives all disks of a machine their bytes, and shows what follows elsewhere: free space, users of networks.
func (vc *VCenter) settle(ctx *simulator.Context, vm *simulator.VirtualMachine) types.BaseMethodFault {
	for _, disk := range vc.disksOf(ctx, vm) {
		if fault := vc.materialise(ctx, disk); fault != nil {
			return fault
		}
	}
	vc.showEffects(ctx)
	return nil
}

// showEffects refreshes properties of other objects that the library does not keep.
func (vc *VCenter) showEffects(ctx *simulator.Context) {
	vc.storage.showAll()
	vc.showNetworkUsers(ctx)
}
