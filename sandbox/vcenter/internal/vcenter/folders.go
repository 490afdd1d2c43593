package vcenter

import (
	"github.com/vmware/govmomi/simulator"
	"github.com/vmware/govmomi/vim25/types"
)

// destroyFolder follows Folder.Destroy_Task: all or nothing, refused when a machine below runs. The library deletes
// what it comes to first and leaves the machines, because it looks for another form of their method.
func destroyFolder(j *job, m *simulator.Method) (types.AnyType, types.BaseMethodFault) {
	vc := j.vc
	folder, ok := vc.registry.Get(m.This).(*simulator.Folder)
	if !ok {
		return nil, &types.ManagedObjectNotFound{Obj: m.This}
	}
	if folder.Parent == nil || folder.Parent.Type != "Folder" {
		return nil, &types.NotSupported{}
	}
	_, fault := j.commit(func() (types.AnyType, types.BaseMethodFault) {
		machines, folders := vc.below(folder)
		for _, vm := range machines {
			if vm.Runtime.PowerState != types.VirtualMachinePowerStatePoweredOff {
				return nil, &types.InvalidPowerState{RequestedState: types.VirtualMachinePowerStatePoweredOff, ExistingState: vm.Runtime.PowerState}
			}
		}
		for _, vm := range machines {
			if fault := vc.destroy(j.ctx, vm); fault != nil {
				return nil, fault
			}
		}
		for i := len(folders) - 1; i >= 0; i-- {
			ref := folders[i].Self
			if _, fault := vc.invoke(j.ctx, &simulator.Method{Name: "Destroy_Task", This: ref, Body: &types.Destroy_Task{This: ref}}); fault != nil {
				return nil, fault
			}
		}
		return nil, nil
	})
	if fault == nil {
		vc.storage.recountAll()
		vc.showEffects(j.ctx)
	}
	return nil, fault
}

// below lists the machines and folders of a folder, the folder itself first, parents before children.
func (vc *VCenter) below(folder *simulator.Folder) (machines []*simulator.VirtualMachine, folders []*simulator.Folder) {
	folders = append(folders, folder)
	for _, ref := range folder.ChildEntity {
		switch child := vc.registry.Get(ref).(type) {
		case *simulator.VirtualMachine:
			machines = append(machines, child)
		case *simulator.Folder:
			m, f := vc.below(child)
			machines, folders = append(machines, m...), append(folders, f...)
		}
	}
	return machines, folders
}
