package vcenter

import (
	"os"

	"github.com/vmware/govmomi/simulator"
	"github.com/vmware/govmomi/vim25/methods"
	"github.com/vmware/govmomi/vim25/soap"
	"github.com/vmware/govmomi/vim25/types"
)

// The shims of this file follow VirtualDiskManager of the vSphere Web Services API: the library's disks have no bytes,
// take no space, and change their UUID with their path.

func createDisk(j *job, m *simulator.Method) (types.AnyType, types.BaseMethodFault) {
	vc, req := j.vc, m.Body.(*types.CreateVirtualDisk_Task)
	ds := vc.datastoreOf(req.Name)
	if ds == nil {
		return nil, &types.InvalidDatastorePath{DatastorePath: req.Name}
	}
	capacity := int64(0)
	if spec, ok := req.Spec.(types.BaseFileBackedVirtualDiskSpec); ok {
		capacity = spec.GetFileBackedVirtualDiskSpec().CapacityKb * 1024
	}
	if capacity <= 0 {
		return nil, &types.InvalidArgument{InvalidProperty: "spec.capacityKb"}
	}
	release, fault := vc.storage.promise(ds, capacity)
	if fault != nil {
		return nil, fault
	}
	defer release()
	return j.commit(func() (types.AnyType, types.BaseMethodFault) {
		if _, fault := vc.invoke(j.ctx, m); fault != nil {
			return nil, fault
		}
		file, fault := vc.openDisk(j.ctx, req.Name)
		if fault == nil {
			fault = vc.write(j.ctx, file, capacity, newDiskUUID())
		}
		return req.Name, fault
	})
}

// deleteDisk refuses a disk that a running machine uses, as ESXi's lock on the file does.
func deleteDisk(j *job, m *simulator.Method) (types.AnyType, types.BaseMethodFault) {
	vc, req := j.vc, m.Body.(*types.DeleteVirtualDisk_Task)
	return j.commit(func() (types.AnyType, types.BaseMethodFault) {
		if vc.runs(req.Name) {
			return nil, &types.FileLocked{FileFault: types.FileFault{File: req.Name}}
		}
		file, fault := vc.openDisk(j.ctx, req.Name)
		if fault != nil {
			return nil, fault
		}
		for _, path := range []string{file.flat, file.descriptor} {
			if err := os.Remove(path); err != nil && !os.IsNotExist(err) {
				return nil, &types.CannotDeleteFile{FileFault: types.FileFault{File: req.Name}}
			}
		}
		vc.storage.recount(vc.datastoreOf(req.Name))
		return nil, nil
	})
}

// runs tells whether a powered-on machine has the disk attached.
func (vc *VCenter) runs(name string) bool {
	for _, e := range vc.registry.All("VirtualMachine") {
		vm := e.(*simulator.VirtualMachine)
		if vm.Runtime.PowerState != types.VirtualMachinePowerStatePoweredOn {
			continue
		}
		for _, disk := range disksAmong(vm.Config.Hardware.Device) {
			if disk.file == name {
				return true
			}
		}
	}
	return false
}

func extendDisk(j *job, m *simulator.Method) (types.AnyType, types.BaseMethodFault) {
	vc, req := j.vc, m.Body.(*types.ExtendVirtualDisk_Task)
	file, fault := vc.openDisk(j.ctx, req.Name)
	if fault != nil {
		return nil, fault
	}
	capacity := req.NewCapacityKb * 1024
	if capacity < file.capacity() {
		return nil, &types.InvalidArgument{InvalidProperty: "newCapacityKb"}
	}
	ds := vc.datastoreOf(req.Name)
	release, fault := vc.storage.promise(ds, capacity-file.capacity())
	if fault != nil {
		return nil, fault
	}
	defer release()
	return j.commit(func() (types.AnyType, types.BaseMethodFault) {
		return nil, vc.write(j.ctx, file, capacity, "")
	})
}

// copyDisk copies descriptor and bytes; the copy has a UUID of its own.
func copyDisk(j *job, m *simulator.Method) (types.AnyType, types.BaseMethodFault) {
	vc, req := j.vc, m.Body.(*types.CopyVirtualDisk_Task)
	source, fault := vc.openDisk(j.ctx, req.SourceName)
	if fault != nil {
		return nil, fault
	}
	ds := vc.datastoreOf(req.DestName)
	if ds == nil {
		return nil, &types.InvalidDatastorePath{DatastorePath: req.DestName}
	}
	_, fault = vc.openDisk(j.ctx, req.DestName)
	exists := fault == nil
	if exists && (req.Force == nil || !*req.Force) {
		return nil, &types.FileAlreadyExists{FileFault: types.FileFault{File: req.DestName}}
	}
	release, fault := vc.storage.promise(ds, source.capacity())
	if fault != nil {
		return nil, fault
	}
	defer release()
	target, fault := vc.makeCopy(j, req, source)
	if fault != nil {
		return nil, fault
	}
	if fault := copyBytes(j, source.flat, target.flat); fault != nil {
		_ = os.Remove(target.flat)
		_ = os.Remove(target.descriptor)
		return nil, fault
	}
	return nil, nil
}

// makeCopy creates the empty destination.
func (vc *VCenter) makeCopy(j *job, req *types.CopyVirtualDisk_Task, source diskFile) (diskFile, types.BaseMethodFault) {
	dc := req.DestDatacenter
	if dc == nil {
		ref := vc.datacenter().Self
		dc = &ref
	}
	create := &types.CreateVirtualDisk_Task{This: req.This, Name: req.DestName, Datacenter: dc,
		Spec: &types.FileBackedVirtualDiskSpec{CapacityKb: source.capacity() / 1024}}
	var target diskFile
	_, fault := j.commit(func() (types.AnyType, types.BaseMethodFault) {
		if old, fault := vc.openDisk(j.ctx, req.DestName); fault == nil {
			_ = os.Remove(old.flat)
			_ = os.Remove(old.descriptor)
		}
		if _, fault := vc.invoke(j.ctx, &simulator.Method{Name: "CreateVirtualDisk_Task", This: req.This, Body: create}); fault != nil {
			return nil, fault
		}
		var fault types.BaseMethodFault
		if target, fault = vc.openDisk(j.ctx, req.DestName); fault != nil {
			return nil, fault
		}
		return nil, vc.write(j.ctx, target, source.capacity(), newDiskUUID())
	})
	return target, fault
}

// moveDisk renames within a vCenter's datastores; the descriptor then names the new flat file.
func moveDisk(j *job, m *simulator.Method) (types.AnyType, types.BaseMethodFault) {
	vc, req := j.vc, m.Body.(*types.MoveVirtualDisk_Task)
	return j.commit(func() (types.AnyType, types.BaseMethodFault) {
		if vc.runs(req.SourceName) {
			return nil, &types.FileLocked{FileFault: types.FileFault{File: req.SourceName}}
		}
		if req.DestDatacenter == nil {
			req.DestDatacenter = req.SourceDatacenter
		}
		if _, fault := vc.invoke(j.ctx, m); fault != nil {
			return nil, fault
		}
		file, fault := vc.openDisk(j.ctx, req.DestName)
		if fault != nil {
			return nil, fault
		}
		fault = vc.write(j.ctx, file, file.capacity(), "")
		vc.storage.recountAll()
		return nil, fault
	})
}

func (vc *VCenter) answerDiskUUID(ctx *simulator.Context, m *simulator.Method) soap.HasFault {
	req := m.Body.(*types.QueryVirtualDiskUuid)
	file, fault := vc.openDisk(ctx, req.Name)
	if fault != nil {
		return refuse(fault, "")
	}
	return &methods.QueryVirtualDiskUuidBody{Res: &types.QueryVirtualDiskUuidResponse{Returnval: hexPairs(file.uuid())}}
}

func (vc *VCenter) answerSetDiskUUID(ctx *simulator.Context, m *simulator.Method) soap.HasFault {
	req := m.Body.(*types.SetVirtualDiskUuid)
	vc.writer.Lock()
	defer vc.writer.Unlock()
	file, fault := vc.openDisk(ctx, req.Name)
	if fault == nil {
		fault = vc.write(ctx, file, file.capacity(), dashed(req.Uuid))
	}
	if fault != nil {
		return refuse(fault, "")
	}
	return &methods.SetVirtualDiskUuidBody{Res: &types.SetVirtualDiskUuidResponse{}}
}
