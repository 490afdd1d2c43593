package vcenter

import (
	"github.com/google/uuid"
	"github.com/vmware/govmomi/object"
	"github.com/vmware/govmomi/simulator"
	"github.com/vmware/govmomi/simulator/esx"
	"github.com/vmware/govmomi/vim25/types"
)

// cloneMachine follows VirtualMachine.CloneVM_Task of the vSphere Web Services API. The library's own drops the
// annotation and the source's guestinfo, keeps the source's host whatever the pool, gives every clone the
// source's MAC address, and leaves disks without bytes.
func cloneMachine(j *job, m *simulator.Method) (types.AnyType, types.BaseMethodFault) {
	vc, req := j.vc, m.Body.(*types.CloneVM_Task)
	source, ok := vc.registry.Get(req.This).(*simulator.VirtualMachine)
	if !ok {
		return nil, &types.ManagedObjectNotFound{Obj: req.This}
	}
	folder, ok := vc.registry.Get(req.Folder).(*simulator.Folder)
	if !ok {
		return nil, &types.InvalidArgument{InvalidProperty: "folder"}
	}
	place, fault := vc.placeClone(source, &req.Spec)
	if fault != nil {
		return nil, fault
	}
	original := vc.configOf(j.ctx, source)
	var bytes int64
	for _, disk := range disksAmong(original.Hardware.Device) {
		bytes += disk.capacity
	}
	release, fault := vc.storage.promise(place.datastore, bytes)
	if fault != nil {
		return nil, fault
	}
	defer release()

	ref, fault := vc.createClone(j, folder, place, original, req)
	if fault != nil {
		return nil, fault
	}
	defer vc.journal.complete(ref)
	if fault := vc.completeClone(j, source, ref, req); fault != nil {
		vc.discard(j.ctx, ref)
		return nil, fault
	}
	return ref, nil
}

// createClone makes the machine with the source's hardware, without its bytes.
func (vc *VCenter) createClone(j *job, folder *simulator.Folder, place placement, original *types.VirtualMachineConfigInfo,
	req *types.CloneVM_Task) (types.ManagedObjectReference, types.BaseMethodFault) {
	spec := types.VirtualMachineConfigSpec{
		Name: req.Name, Version: original.Version, GuestId: original.GuestId, Annotation: original.Annotation,
		Firmware: original.Firmware, NumCPUs: original.Hardware.NumCPU, MemoryMB: int64(original.Hardware.MemoryMB),
		NumCoresPerSocket: original.Hardware.NumCoresPerSocket, ExtraConfig: inherited(original.ExtraConfig),
		CpuHotAddEnabled: original.CpuHotAddEnabled, MemoryHotAddEnabled: original.MemoryHotAddEnabled,
		Uuid: uuid.NewString(), InstanceUuid: uuid.NewString(),
		Files: &types.VirtualMachineFileInfo{VmPathName: "[" + place.datastore.Name + "] " + plain(req.Name)},
	}
	if c := req.Spec.Config; c != nil {
		if c.Uuid != "" {
			spec.Uuid = c.Uuid
		}
		if c.InstanceUuid != "" {
			spec.InstanceUuid = c.InstanceUuid
		}
	}
	spec.DeviceChange = asAdditions(original.Hardware.Device)
	result, fault := j.commit(func() (types.AnyType, types.BaseMethodFault) {
		// once more, now that nobody else places: so that clones made at once are spread
		place, fault := vc.place(place.pool, req.Spec.Location.Host, place.datastore)
		if fault != nil {
			return nil, fault
		}
		host := place.host.Self
		vc.assignMACs(spec.DeviceChange)
		return vc.createNamed(j.ctx, folder, &types.CreateVM_Task{This: folder.Self, Config: spec, Pool: place.pool, Host: &host})
	})
	ref, _ := result.(types.ManagedObjectReference)
	return ref, fault
}

// inherited is what a clone takes over of its source's extra configuration.
func inherited(options []types.BaseOptionValue) []types.BaseOptionValue {
	var kept []types.BaseOptionValue
	for _, o := range options {
		if v := o.GetOptionValue(); v.Key != "govcsim" {
			kept = append(kept, &types.OptionValue{Key: v.Key, Value: v.Value})
		}
	}
	return kept
}

// asAdditions turns devices, which it changes, into additions: disks and network cards become new ones.
func asAdditions(devices []types.BaseVirtualDevice) []types.BaseVirtualDeviceConfigSpec {
	standard := object.VirtualDeviceList(esx.VirtualDevice) // what every machine has anyway
	var changes []types.BaseVirtualDeviceConfigSpec
	for _, device := range devices {
		if standard.Find(object.VirtualDeviceList(devices).Name(device)) != nil {
			continue
		}
		change := &types.VirtualDeviceConfigSpec{Operation: types.VirtualDeviceConfigSpecOperationAdd, Device: device}
		switch d := device.(type) {
		case *types.VirtualDisk:
			change.FileOperation = types.VirtualDeviceConfigSpecFileOperationCreate
			if backing, ok := d.Backing.(*types.VirtualDiskFlatVer2BackingInfo); ok {
				backing.FileName, backing.Uuid, backing.Parent, backing.Datastore = "", newDiskUUID(), nil, nil
			}
		case types.BaseVirtualEthernetCard:
			d.GetVirtualEthernetCard().MacAddress = ""
		}
		changes = append(changes, change)
	}
	return changes
}

// completeClone copies the bytes, applies what the caller wants changed, and powers on when asked to.
func (vc *VCenter) completeClone(j *job, source *simulator.VirtualMachine, ref types.ManagedObjectReference, req *types.CloneVM_Task) types.BaseMethodFault {
	clone := vc.registry.Get(ref).(*simulator.VirtualMachine)
	if fault := vc.copyDisks(j, source, clone); fault != nil {
		return fault
	}
	if fault := vc.applyClone(j, clone, req); fault != nil {
		return fault
	}
	_, fault := j.commit(func() (types.AnyType, types.BaseMethodFault) {
		if req.Spec.Template {
			vc.markTemplate(j.ctx, clone)
			return nil, nil
		}
		if req.Spec.Customization != nil {
			if _, fault := vc.invoke(j.ctx, &simulator.Method{Name: "CustomizeVM_Task", This: ref,
				Body: &types.CustomizeVM_Task{This: ref, Spec: *req.Spec.Customization}}); fault != nil {
				return nil, fault
			}
		}
		if req.Spec.PowerOn {
			return vc.invoke(j.ctx, &simulator.Method{Name: "PowerOnVM_Task", This: ref, Body: &types.PowerOnVM_Task{This: ref}})
		}
		return nil, nil
	})
	if fault == nil {
		vc.showEffects(j.ctx)
		vc.announceClone(j.ctx, source, clone)
	}
	return fault
}

// applyClone reconfigures the clone by location.deviceChange, then by the whole of spec.config.
func (vc *VCenter) applyClone(j *job, clone *simulator.VirtualMachine, req *types.CloneVM_Task) types.BaseMethodFault {
	specs := []types.VirtualMachineConfigSpec{{DeviceChange: req.Spec.Location.DeviceChange}}
	if c := req.Spec.Config; c != nil {
		spec := *c
		spec.Name, spec.Uuid, spec.InstanceUuid, spec.Files = "", "", "", nil
		specs = append(specs, spec)
	}
	for i := range specs {
		if i == 0 && len(specs[i].DeviceChange) == 0 {
			continue
		}
		if _, fault := vc.reconfigure(j, clone, &specs[i]); fault != nil {
			return fault
		}
	}
	return nil
}
