package vcenter

import (
	"io/fs"
	"path/filepath"
	"sync"

	"github.com/vmware/govmomi/simulator"
	"github.com/vmware/govmomi/vim25/types"
)

// storage keeps the space of datastores honest: every file counts with its full length, as if all disks were thick.
type storage struct {
	vc      *VCenter
	mu      sync.Mutex
	volumes map[types.ManagedObjectReference]*volume
}

// volume is one datastore's space, in bytes.
type volume struct {
	capacity int64
	foreign  int64 // taken by what this vCenter does not show
	promised int64 // of changes under way, whose files are not yet there
}

func newStorage(vc *VCenter) *storage {
	return &storage{vc: vc, volumes: map[types.ManagedObjectReference]*volume{}}
}

func (s *storage) adopt(ds *simulator.Datastore, plan DatastorePlan) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.volumes[ds.Self] = &volume{capacity: plan.CapacityGiB * gib, foreign: plan.ForeignGiB * gib}
}

// used sums the lengths of all files below the datastore's folder.
func used(ds *simulator.Datastore) int64 {
	var total int64
	_ = filepath.WalkDir(ds.Summary.Url, func(_ string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return nil // a file that went away meanwhile takes no space
		}
		if info, err := entry.Info(); err == nil {
			total += info.Size()
		}
		return nil
	})
	return total
}

// free is what a new file may take.
func (s *storage) free(ds *simulator.Datastore) int64 {
	taken := used(ds)
	s.mu.Lock()
	defer s.mu.Unlock()
	v := s.volumes[ds.Self]
	if v == nil {
		return 0
	}
	return max(0, v.capacity-v.foreign-v.promised-taken)
}

// promise sets space aside or answers NoDiskSpace; the returned function gives the promise back.
func (s *storage) promise(ds *simulator.Datastore, bytes int64) (func(), types.BaseMethodFault) {
	if bytes <= 0 {
		return func() {}, nil
	}
	taken := used(ds)
	s.mu.Lock()
	defer s.mu.Unlock()
	v := s.volumes[ds.Self]
	if v != nil && v.capacity-v.foreign-v.promised-taken < bytes {
		return nil, noDiskSpace(ds)
	}
	v.promised += bytes
	return func() {
		s.mu.Lock()
		v.promised -= bytes
		s.mu.Unlock()
	}, nil
}

func noDiskSpace(ds *simulator.Datastore) types.BaseMethodFault {
	return &types.NoDiskSpace{FileFault: types.FileFault{File: "[" + ds.Name + "]"}, Datastore: ds.Name}
}

// setFree makes the free space what a test wants; later disks take from it as from any other.
func (s *storage) setFree(ds *simulator.Datastore, bytes int64) {
	taken := used(ds)
	s.mu.Lock()
	v := s.volumes[ds.Self]
	v.capacity = max(v.capacity, taken+bytes)
	v.foreign = v.capacity - taken - bytes
	s.mu.Unlock()
	s.refresh(ds)
}

// refresh shows the current capacity and free space in the datastore's properties.
func (s *storage) refresh(ds *simulator.Datastore) {
	free := s.free(ds)
	s.mu.Lock()
	v := s.volumes[ds.Self]
	s.mu.Unlock()
	if v == nil {
		return
	}
	ctx := s.vc.context()
	ctx.WithLock(ds, func() {
		info := ds.Info.GetDatastoreInfo()
		info.FreeSpace, info.MaxFileSize, info.MaxMemoryFileSize = free, v.capacity, v.capacity
		ctx.Update(ds, []types.PropertyChange{
			{Name: "summary.capacity", Val: v.capacity},
			{Name: "summary.freeSpace", Val: free},
		})
	})
}

func (s *storage) refreshAll() {
	for _, e := range s.vc.registry.All("Datastore") {
		if ds, ok := e.(*simulator.Datastore); ok {
			s.refresh(ds)
		}
	}
}
