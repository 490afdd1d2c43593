package vcenter

import (
	"github.com/vmware/govmomi/object"
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
	needs, fault := vc.completeDevices(j.ctx, vm, spec.DeviceChange)
	if fault != nil {
		return nil, fault
	}
	for ds, bytes := range needs {
		release, fault := vc.storage.promise(ds, bytes)
		if fault != nil {
			return nil, fault
		}
		defer release()
	}
	result, fault := j.commit(func() (types.AnyType, types.BaseMethodFault) {
		vc.assignMACs(spec.DeviceChange)
		return vc.invoke(j.ctx, &simulator.Method{Name: "ReconfigVM_Task", This: vm.Self,
			Body: &types.ReconfigVM_Task{This: vm.Self, Spec: *spec}})
	})
	if fault != nil {
		return nil, fault
	}
	return result, vc.settleDisks(j.ctx, vm)
}

// settleDisks gives all disks of a machine their bytes and shows the datastores' new free space.
func (vc *VCenter) settleDisks(ctx *simulator.Context, vm *simulator.VirtualMachine) types.BaseMethodFault {
	config := vc.configOf(ctx, vm)
	for _, disk := range disksOf(config.Hardware.Device) {
		if fault := vc.materialise(ctx, disk); fault != nil {
			return fault
		}
	}
	vc.storage.refreshAll()
	return nil
}

// completeDevices fills in what a device change leaves to the server, and sums the bytes that it needs on each datastore.
func (vc *VCenter) completeDevices(ctx *simulator.Context, vm *simulator.VirtualMachine, changes []types.BaseVirtualDeviceConfigSpec) (map[*simulator.Datastore]int64, types.BaseMethodFault) {
	needs := map[*simulator.Datastore]int64{}
	current := object.VirtualDeviceList(vc.configOf(ctx, vm).Hardware.Device)
	for i, change := range changes {
		spec := change.GetVirtualDeviceConfigSpec()
		if spec.Device == nil {
			return nil, &types.InvalidDeviceSpec{DeviceIndex: int32(i)}
		}
		old := current.FindByKey(spec.Device.GetVirtualDevice().Key)
		if spec.Operation == types.VirtualDeviceConfigSpecOperationEdit && old != nil {
			keepUnset(spec.Device, old)
		}
		disk, ok := spec.Device.(*types.VirtualDisk)
		if !ok {
			continue
		}
		ds, bytes, fault := vc.completeDisk(ctx, vm, spec, disk, old)
		if fault != nil {
			return nil, fault
		}
		if bytes > 0 && ds != nil {
			needs[ds] += bytes
		}
	}
	return needs, nil
}

// keepUnset keeps of an edited device what the caller did not give, as vCenter does.
func keepUnset(device, old types.BaseVirtualDevice) {
	d, o := device.GetVirtualDevice(), old.GetVirtualDevice()
	if d.ControllerKey == 0 {
		d.ControllerKey = o.ControllerKey
	}
	if d.UnitNumber == nil {
		d.UnitNumber = o.UnitNumber
	}
	if d.Connectable == nil {
		d.Connectable = o.Connectable
	}
	if d.Backing == nil {
		d.Backing = o.Backing
	}
	if card, ok := device.(types.BaseVirtualEthernetCard); ok {
		if previous, ok := old.(types.BaseVirtualEthernetCard); ok && card.GetVirtualEthernetCard().MacAddress == "" {
			card.GetVirtualEthernetCard().MacAddress = previous.GetVirtualEthernetCard().MacAddress
			card.GetVirtualEthernetCard().AddressType = previous.GetVirtualEthernetCard().AddressType
		}
	}
}

// completeDisk resolves a disk's datastore and size; the bytes are what the change adds there.
func (vc *VCenter) completeDisk(ctx *simulator.Context, vm *simulator.VirtualMachine, spec *types.VirtualDeviceConfigSpec,
	disk *types.VirtualDisk, old types.BaseVirtualDevice) (*simulator.Datastore, int64, types.BaseMethodFault) {
	backing, ok := disk.Backing.(*types.VirtualDiskFlatVer2BackingInfo)
	if !ok {
		return nil, 0, nil
	}
	home := vc.homeDatastore(vm)
	var path object.DatastorePath
	path.FromString(backing.FileName)
	if path.Datastore == "" && backing.Datastore != nil {
		if ds, ok := vc.registry.Get(*backing.Datastore).(*simulator.Datastore); ok {
			path.Datastore = ds.Name
		}
	}
	ds := home
	if path.Datastore != "" {
		ds = vc.datastoreNamed(path.Datastore)
	}
	if ds == nil {
		return nil, 0, &types.InvalidDatastore{Name: path.Datastore}
	}
	switch spec.Operation {
	case types.VirtualDeviceConfigSpecOperationAdd:
		if spec.FileOperation == "" {
			return ds, 0, vc.attachExisting(ctx, disk, backing.FileName)
		}
		if path.Path == "" { // the library looks for the machine's own folder only when the name is empty
			backing.FileName = ""
			if ds != home {
				backing.FileName = "[" + ds.Name + "]"
			}
		}
		return ds, capacityOf(disk), nil
	case types.VirtualDeviceConfigSpecOperationEdit:
		if previous, ok := old.(*types.VirtualDisk); ok {
			return ds, capacityOf(disk) - capacityOf(previous), nil
		}
	}
	return ds, 0, nil
}

// attachExisting takes the capacity of a disk that is attached by its path from its descriptor.
func (vc *VCenter) attachExisting(ctx *simulator.Context, disk *types.VirtualDisk, name string) types.BaseMethodFault {
	file, fault := vc.openDisk(ctx, name)
	if fault != nil {
		return fault
	}
	disk.CapacityInBytes, disk.CapacityInKB = file.capacity(), file.capacity()/1024
	return nil
}
