package vcenter

import (
	"io/fs"
	"path/filepath"
	"sync"
	"time"

	"github.com/vmware/govmomi/simulator"
	"github.com/vmware/govmomi/vim25/types"
)

// storage keeps the space of datastores honest: every file counts with its full length, as if all disks were thick.
// Counting files takes milliseconds, so that between two counts it adds and subtracts what the jobs did.
type storage struct {
	vc        *VCenter
	mu        sync.Mutex
	volumes   map[types.ManagedObjectReference]*volume
	recounter *time.Timer // not nil while a count is due
}

// volume is one datastore's space, in bytes.
type volume struct {
	ds       *simulator.Datastore
	capacity int64
	foreign  int64 // taken by what this vCenter does not show
	taken    int64 // by files: the last count, corrected by what was done since
	promised int64 // of changes under way
	thin     int64 // what thin disks may still come to take
	counts   int   // how often the files were counted
}

func (v *volume) free() int64 { return v.capacity - v.foreign - v.promised - v.taken }

// recountDelay is how long additions and subtractions are trusted.
const recountDelay = 150 * time.Millisecond

func newStorage(vc *VCenter) *storage {
	return &storage{vc: vc, volumes: map[types.ManagedObjectReference]*volume{}}
}

func (s *storage) adopt(ds *simulator.Datastore, plan DatastorePlan) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.volumes[ds.Self] = &volume{ds: ds, capacity: plan.CapacityGiB * gib, foreign: plan.ForeignGiB * gib}
}

// reserve counts bytes that no file shows, and those that thin disks may still come to take.
func (s *storage) reserve(ds *simulator.Datastore, bytes, thin int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if v := s.volumes[ds.Self]; v != nil {
		v.foreign += bytes
		v.thin += thin
	}
}

// count sums the lengths of all files below the datastore's folder.
func count(ds *simulator.Datastore) int64 {
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

// promise sets space aside or answers NoDiskSpace; the returned function ends the promise, when the files are there
// or will never be.
func (s *storage) promise(ds *simulator.Datastore, bytes int64) (func(), types.BaseMethodFault) {
	if bytes <= 0 {
		return func() {}, nil
	}
	s.mu.Lock()
	v := s.volumes[ds.Self]
	scarce := v == nil || v.free() < bytes
	s.mu.Unlock()
	if scarce {
		s.recount(ds)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if v == nil || v.free() < bytes {
		return nil, noDiskSpace(ds)
	}
	v.promised += bytes
	counts := v.counts
	return func() { s.redeem(v, bytes, counts) }, nil
}

// redeem ends a promise. A count since then may have met some of its files, so that only a new one is right.
func (s *storage) redeem(v *volume, bytes int64, counts int) {
	s.mu.Lock()
	v.promised -= bytes
	recounted := v.counts != counts
	if !recounted {
		v.taken += bytes
	}
	s.mu.Unlock()
	if recounted {
		s.recount(v.ds)
		return
	}
	s.show(v)
	s.recountSoon()
}

func noDiskSpace(ds *simulator.Datastore) types.BaseMethodFault {
	return &types.NoDiskSpace{FileFault: types.FileFault{File: "[" + ds.Name + "]"}, Datastore: ds.Name}
}

// setFree makes the free space what a test wants; later disks take from it as from any other.
func (s *storage) setFree(ds *simulator.Datastore, bytes int64) {
	s.recount(ds)
	s.mu.Lock()
	v := s.volumes[ds.Self]
	v.capacity = max(v.capacity, v.taken+v.promised+bytes)
	v.foreign = v.capacity - v.taken - v.promised - bytes
	s.mu.Unlock()
	s.show(v)
}

// freeOf is what a new file may take.
func (s *storage) freeOf(ds *simulator.Datastore) int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	if v := s.volumes[ds.Self]; v != nil {
		return max(0, v.free())
	}
	return 0
}

// recount counts a datastore's files now.
func (s *storage) recount(ds *simulator.Datastore) {
	taken := count(ds)
	s.mu.Lock()
	v := s.volumes[ds.Self]
	if v != nil {
		v.taken = taken
		v.counts++
	}
	s.mu.Unlock()
	if v != nil {
		s.show(v)
	}
}

func (s *storage) recountAll() {
	s.mu.Lock()
	var all []*simulator.Datastore
	for _, v := range s.volumes {
		all = append(all, v.ds)
	}
	s.mu.Unlock()
	for _, ds := range all {
		s.recount(ds)
	}
}

// recountSoon counts once for all that happens in the next moment.
func (s *storage) recountSoon() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.recounter == nil {
		s.recounter = time.AfterFunc(recountDelay, func() {
			s.mu.Lock()
			s.recounter = nil
			s.mu.Unlock()
			s.recountAll()
		})
	}
}

// show puts capacity and free space into the datastore's properties.
func (s *storage) show(v *volume) {
	ctx := s.vc.context()
	ctx.WithLock(v.ds, func() {
		s.mu.Lock()
		capacity, free, thin := v.capacity, max(0, v.free()), v.thin
		s.mu.Unlock()
		if v.ds.Summary.Capacity == capacity && v.ds.Summary.FreeSpace == free && v.ds.Summary.Uncommitted == thin {
			return
		}
		info := v.ds.Info.GetDatastoreInfo()
		info.FreeSpace, info.MaxFileSize, info.MaxMemoryFileSize = free, capacity, capacity
		ctx.Update(v.ds, []types.PropertyChange{
			{Name: "summary.capacity", Val: capacity},
			{Name: "summary.freeSpace", Val: free},
			{Name: "summary.uncommitted", Val: thin},
		})
	})
}

// showAll corrects what the library wrote into the properties while it worked.
func (s *storage) showAll() {
	s.mu.Lock()
	var all []*volume
	for _, v := range s.volumes {
		all = append(all, v)
	}
	s.mu.Unlock()
	for _, v := range all {
		s.show(v)
	}
}
