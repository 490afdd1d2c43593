package vcenter

import (
	"os"

	"github.com/vmware/govmomi/simulator"
	"github.com/vmware/govmomi/vim25/types"
	"github.com/vmware/govmomi/vmdk"
)

// diskFile is a disk on its datastore: a descriptor and a flat file with the bytes.
type diskFile struct {
	descriptor string
	flat       string
	content    *vmdk.Descriptor
}

func (d diskFile) capacity() int64 { return d.content.Capacity() }

// openDisk resolves a datastore path such as "[nvme-a] web/web.vmdk".
func (vc *VCenter) openDisk(ctx *simulator.Context, name string) (diskFile, types.BaseMethodFault) {
	dc := vc.datacenter().Self
	content, path, fault := vc.registry.FileManager().DiskDescriptor(ctx, &dc, name)
	if fault != nil {
		return diskFile{}, fault
	}
	return diskFile{descriptor: path, flat: simulator.VirtualDiskBackingFileName(path), content: content}, nil
}

// materialise makes a disk's flat file as long as its capacity (sparse, never shorter than it was) and writes
// the capacity into its descriptor: the library leaves the file empty and, after a growth, the descriptor old.
func (vc *VCenter) materialise(ctx *simulator.Context, disk *types.VirtualDisk) types.BaseMethodFault {
	name := backingFile(disk)
	if name == "" {
		return nil
	}
	file, fault := vc.openDisk(ctx, name)
	if fault != nil {
		return fault
	}
	return vc.grow(ctx, file, capacityOf(disk))
}

func (vc *VCenter) grow(ctx *simulator.Context, file diskFile, capacity int64) types.BaseMethodFault {
	if file.capacity() < capacity {
		file.content.Extent[0].Size = capacity / vmdk.SectorSize
		if fault := vc.registry.FileManager().SaveDiskDescriptor(ctx, file.content, file.descriptor); fault != nil {
			return fault
		}
	}
	info, err := os.Stat(file.flat)
	if err == nil && info.Size() >= capacity {
		return nil
	}
	flat, err := os.OpenFile(file.flat, os.O_CREATE|os.O_RDWR, 0o600)
	if err == nil {
		err = flat.Truncate(capacity)
		_ = flat.Close()
	}
	if err != nil {
		return fileFault(file.flat, err)
	}
	return nil
}

func fileFault(name string, err error) types.BaseMethodFault {
	switch {
	case os.IsNotExist(err):
		return &types.FileNotFound{FileFault: types.FileFault{File: name}}
	case os.IsExist(err):
		return &types.FileAlreadyExists{FileFault: types.FileFault{File: name}}
	}
	return &types.CannotAccessFile{FileFault: types.FileFault{File: name}}
}

func backingFile(disk *types.VirtualDisk) string {
	if backing, ok := disk.Backing.(types.BaseVirtualDeviceFileBackingInfo); ok {
		return backing.GetVirtualDeviceFileBackingInfo().FileName
	}
	return ""
}

// copyDisks copies the source's bytes into the clone's disks: the clone has them in the same order.
func (vc *VCenter) copyDisks(j *job, source, clone *simulator.VirtualMachine) types.BaseMethodFault {
	from := disksOf(vc.configOf(j.ctx, source).Hardware.Device)
	to := disksOf(vc.configOf(j.ctx, clone).Hardware.Device)
	for i, disk := range to {
		if fault := vc.materialise(j.ctx, disk); fault != nil {
			return fault
		}
		if i >= len(from) {
			continue
		}
		src, fault := vc.openDisk(j.ctx, backingFile(from[i]))
		if fault != nil {
			return fault
		}
		dst, fault := vc.openDisk(j.ctx, backingFile(disk))
		if fault != nil {
			return fault
		}
		if fault := copyBytes(j, src.flat, dst.flat); fault != nil {
			return fault
		}
	}
	return nil
}
