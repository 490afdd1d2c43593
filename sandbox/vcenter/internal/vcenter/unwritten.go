package vcenter

import (
	"os"
	"path"
	"path/filepath"
	"sync"

	"github.com/vmware/govmomi/object"
	"github.com/vmware/govmomi/simulator"
	"github.com/vmware/govmomi/vim25/types"
	"github.com/vmware/govmomi/vmdk"
)

// unwritten are disks of a crowd that nothing has opened yet: they have no files, so that ten thousand machines start
// in seconds. Their space is counted all the same.
type unwritten struct {
	vc    *VCenter
	mu    sync.Mutex
	disks map[string]pendingDisk // by datastore path of the descriptor
}

type pendingDisk struct {
	attached
	ds   *simulator.Datastore
	used int64 // of its capacity, counted as taken
}

func newUnwritten(vc *VCenter) *unwritten {
	return &unwritten{vc: vc, disks: map[string]pendingDisk{}}
}

// add notes a disk and tells how many of its bytes count as written: all of a thick one's, some of a thin one's.
func (u *unwritten) add(ds *simulator.Datastore, disk attached, thin bool) int64 {
	used := disk.capacity
	if thin {
		used = disk.capacity * 3 / 5
	}
	u.mu.Lock()
	u.disks[disk.file] = pendingDisk{attached: disk, ds: ds, used: used}
	u.mu.Unlock()
	u.vc.storage.reserve(ds, used, disk.capacity-used)
	return used
}

// take forgets a disk, because it is written or deleted.
func (u *unwritten) take(name string) (pendingDisk, bool) {
	u.mu.Lock()
	disk, ok := u.disks[name]
	delete(u.disks, name)
	u.mu.Unlock()
	if ok {
		u.vc.storage.reserve(disk.ds, -disk.used, disk.used-disk.capacity)
	}
	return disk, ok
}

// write gives a disk its files; it tells whether there was one to write.
func (u *unwritten) write(name string) bool {
	disk, ok := u.take(name)
	if !ok {
		return false
	}
	var p object.DatastorePath
	p.FromString(name)
	descriptor := u.vc.localPath(disk.ds, p.Path)
	flat := simulator.VirtualDiskBackingFileName(descriptor)
	content := vmdk.NewDescriptor(vmdk.Extent{Info: filepath.Base(flat), Size: disk.capacity / vmdk.SectorSize})
	content.DDB["uuid"] = disk.uuid
	if os.MkdirAll(filepath.Dir(descriptor), 0o700) != nil {
		return false
	}
	file, err := os.Create(descriptor)
	if err != nil {
		return false
	}
	err = content.Write(file)
	_ = file.Close()
	if err != nil || os.WriteFile(flat, []byte("DISK OF ANOTHER "+path.Base(p.Path)+"\n"), 0o600) != nil {
		return false
	}
	return os.Truncate(flat, disk.capacity) == nil
}

// missing notes the disks of a restored machine that have no files: the last process had not written them.
func (u *unwritten) missing(devices []types.BaseVirtualDevice) {
	for _, disk := range disksAmong(devices) {
		ds := u.vc.datastoreOf(disk.file)
		if ds == nil {
			continue
		}
		var p object.DatastorePath
		p.FromString(disk.file)
		if _, err := os.Stat(u.vc.localPath(ds, p.Path)); os.IsNotExist(err) {
			u.add(ds, disk, true)
		}
	}
}
