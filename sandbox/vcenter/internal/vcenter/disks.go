package vcenter

import (
	"os"
	"path/filepath"

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

// uuid is the disk's identity, which it keeps when it is detached and attached elsewhere. Like ESXi, we keep it in
// the descriptor's disk data base; the library derives one from the path.
func (d diskFile) uuid() string { return d.content.DDB["uuid"] }

// openDisk resolves a datastore path such as "[nvme-a] web/web.vmdk".
func (vc *VCenter) openDisk(ctx *simulator.Context, name string) (diskFile, types.BaseMethodFault) {
	if leadsOut(name) {
		return diskFile{}, &types.InvalidDatastorePath{DatastorePath: name}
	}
	dc := vc.datacenter().Self
	content, path, fault := vc.registry.FileManager().DiskDescriptor(ctx, &dc, name)
	if fault != nil && vc.unwritten.write(name) {
		content, path, fault = vc.registry.FileManager().DiskDescriptor(ctx, &dc, name)
	}
	if fault != nil {
		return diskFile{}, fault
	}
	return diskFile{descriptor: path, flat: simulator.VirtualDiskBackingFileName(path), content: content}, nil
}

// materialise makes a machine's disk real: see write.
func (vc *VCenter) materialise(ctx *simulator.Context, disk attached) types.BaseMethodFault {
	if disk.file == "" {
		return nil
	}
	file, fault := vc.openDisk(ctx, disk.file)
	if fault != nil {
		return fault
	}
	return vc.write(ctx, file, disk.capacity, disk.uuid)
}

// write makes a disk's flat file as long as its capacity (sparse, never shorter than it was) and keeps capacity and
// UUID in the descriptor: the library leaves the file empty and, after a growth, the descriptor old.
func (vc *VCenter) write(ctx *simulator.Context, file diskFile, capacity int64, id string) types.BaseMethodFault {
	stale := file.capacity() < capacity
	if stale {
		file.content.Extent[0].Size = capacity / vmdk.SectorSize
	}
	if id != "" && file.uuid() != id {
		file.content.DDB["uuid"], stale = id, true
	}
	if extent := filepath.Base(file.flat); file.content.Extent[0].Info != extent {
		file.content.Extent[0].Info, stale = extent, true
	}
	if stale {
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
	from, to := vc.disksOf(j.ctx, source), vc.disksOf(j.ctx, clone)
	for i, disk := range to {
		if fault := vc.materialise(j.ctx, disk); fault != nil {
			return fault
		}
		if i >= len(from) {
			continue
		}
		src, fault := vc.openDisk(j.ctx, from[i].file)
		if fault != nil {
			return fault
		}
		dst, fault := vc.openDisk(j.ctx, disk.file)
		if fault != nil {
			return fault
		}
		if fault := copyBytes(j, src.flat, dst.flat); fault != nil {
			return fault
		}
	}
	return nil
}

// readDisk opens a disk by its local path.
func readDisk(descriptor string) (diskFile, error) {
	f, err := os.Open(descriptor)
	if err != nil {
		return diskFile{}, err
	}
	defer f.Close()
	content, err := vmdk.ParseDescriptor(f)
	if err != nil {
		return diskFile{}, err
	}
	return diskFile{descriptor: descriptor, flat: simulator.VirtualDiskBackingFileName(descriptor), content: content}, nil
}
