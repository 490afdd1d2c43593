package vcenter

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/vmware/govmomi/simulator"
	"github.com/vmware/govmomi/vim25/mo"
	"github.com/vmware/govmomi/vim25/types"
)

// journal saves what lives in the estate, so that the next start shows the same machines, folders and port groups
// with the same references and UUIDs. The estate itself is raised anew each time.
type journal struct {
	vc     *VCenter
	path   string
	estate map[types.ManagedObjectReference]bool // objects that raiseEstate made: not saved

	dirty   chan struct{}
	ending  chan struct{}
	ended   chan struct{}
	saving  sync.Mutex
	mu      sync.Mutex
	highest int                                   // the highest number of any reference yet: never given again
	making  map[types.ManagedObjectReference]bool // machines that are not complete: not saved

	textsMu sync.Mutex                                       // the last lock that anybody takes
	texts   map[types.ManagedObjectReference]json.RawMessage // machines as they were saved, until they change
}

// inventory is the saved form. The objects are vSphere's own JSON.
type inventory struct {
	Version    int               `json:"version"`
	Highest    int               `json:"highest_number"`
	Fields     json.RawMessage   `json:"custom_fields"`
	Folders    []json.RawMessage `json:"folders"`
	Pools      []json.RawMessage `json:"pools"`
	Portgroups []json.RawMessage `json:"portgroups"`
	Machines   []json.RawMessage `json:"machines"`

	FriendlyNames map[string]map[string]string `json:"vsan_names"` // by datastore: UUIDs of folders by name
}

const inventoryVersion = 1

// settleTime collects the changes of a busy moment into one save.
const settleTime = 300 * time.Millisecond

func newJournal(vc *VCenter) *journal {
	return &journal{vc: vc, path: filepath.Join(vc.settings.Home, "inventory.json"), dirty: make(chan struct{}, 1),
		ending: make(chan struct{}), ended: make(chan struct{}), making: map[types.ManagedObjectReference]bool{},
		texts: map[types.ManagedObjectReference]json.RawMessage{}}
}

// begin keeps a machine out of what is saved until it is complete.
func (j *journal) begin(ref types.ManagedObjectReference) {
	j.mu.Lock()
	j.making[ref] = true
	j.mu.Unlock()
}

// complete lets a machine be saved.
func (j *journal) complete(ref types.ManagedObjectReference) {
	j.mu.Lock()
	delete(j.making, ref)
	j.mu.Unlock()
	j.touch()
}

// touch notes a change; the save follows within a second.
func (j *journal) touch() {
	select {
	case j.dirty <- struct{}{}:
	default:
	}
}

// seen keeps the highest number, because a client may still hold a task's reference after a restart.
func (j *journal) seen(ref types.ManagedObjectReference) {
	n := numberOf(ref)
	j.mu.Lock()
	j.highest = max(j.highest, n)
	j.mu.Unlock()
}

// numberOf is the number at the end of a reference's value, 0 without one.
func numberOf(ref types.ManagedObjectReference) int {
	n, err := strconv.Atoi(ref.Value[strings.LastIndexAny(ref.Value, "-pvcs")+1:])
	if err != nil || n > 1e9 {
		return 0
	}
	return n
}

func (j *journal) start() {
	if j.vc.settings.Ephemeral {
		close(j.ended)
		return
	}
	go func() {
		defer close(j.ended)
		for {
			select {
			case <-j.ending:
				return
			case <-j.dirty:
			}
			select {
			case <-j.ending:
				return
			case <-time.After(settleTime):
			}
			began := time.Now()
			if err := j.save(); err != nil {
				log.Printf("the inventory was not saved: %v", err)
			}
			time.Sleep(5 * time.Since(began)) // a large inventory is saved less often
		}
	}()
}

// stop saves for the last time.
func (j *journal) stop() error {
	close(j.ending)
	<-j.ended
	if j.vc.settings.Ephemeral {
		return nil
	}
	return j.save()
}

// save writes the inventory beside the old one and puts it in its place, so that a crash leaves one of the two.
func (j *journal) save() error {
	j.saving.Lock()
	defer j.saving.Unlock()
	saved, err := j.collect()
	if err != nil {
		return err
	}
	data, err := json.Marshal(saved)
	if err != nil {
		return err
	}
	fresh := j.path + ".new"
	if err := os.WriteFile(fresh, data, 0o600); err != nil {
		return err
	}
	return os.Rename(fresh, j.path)
}

func (j *journal) collect() (*inventory, error) {
	vc := j.vc
	ctx := vc.context()
	vc.writer.Lock() // so that no half-made machine is saved
	defer vc.writer.Unlock()
	j.mu.Lock()
	saved := &inventory{Version: inventoryVersion, Highest: j.highest, FriendlyNames: map[string]map[string]string{}}
	j.mu.Unlock()
	var err error
	if saved.Fields, err = encode(types.ArrayOfCustomFieldDef{CustomFieldDef: vc.registry.CustomFieldsManager().Field}); err != nil {
		return nil, err
	}
	for _, ds := range vc.datastores() {
		if names := vc.readFriendlyNames(ds); len(names) > 0 {
			saved.FriendlyNames[ds.Name] = names
		}
	}
	for _, part := range []struct {
		kind string
		into *[]json.RawMessage
	}{
		{"Folder", &saved.Folders}, {"ResourcePool", &saved.Pools},
		{"DistributedVirtualPortgroup", &saved.Portgroups}, {"VirtualMachine", &saved.Machines},
	} {
		for _, object := range j.own(part.kind) {
			var text json.RawMessage
			ctx.WithLock(object, func() { text, err = j.text(object) })
			if err != nil {
				return nil, fmt.Errorf("%s: %w", object.Reference(), err)
			}
			*part.into = append(*part.into, text)
		}
	}
	return saved, nil
}

// text is an object's saved form; a machine that has not changed is not written anew. The object is locked.
func (j *journal) text(object mo.Entity) (json.RawMessage, error) {
	ref := object.Reference()
	if ref.Type != "VirtualMachine" {
		return encode(savedForm(object))
	}
	j.textsMu.Lock()
	text := j.texts[ref]
	j.textsMu.Unlock()
	if text != nil {
		return text, nil
	}
	text, err := encode(savedForm(object))
	j.textsMu.Lock()
	j.texts[ref] = text
	j.textsMu.Unlock()
	return text, err
}

// stale says that objects may have changed since they were saved.
func (j *journal) stale(refs []types.ManagedObjectReference) {
	j.textsMu.Lock()
	defer j.textsMu.Unlock()
	for _, ref := range refs {
		delete(j.texts, ref)
	}
}

// own lists the complete objects of a kind that are not the estate's, in the order in which they were made.
func (j *journal) own(kind string) []mo.Entity {
	var objects []mo.Entity
	j.mu.Lock()
	making := maps.Clone(j.making)
	j.mu.Unlock()
	for _, object := range j.vc.registry.All(kind) {
		if !j.estate[object.Reference()] && !making[object.Reference()] {
			objects = append(objects, object)
		}
	}
	slices.SortFunc(objects, func(a, b mo.Entity) int { return compareRefs(a.Reference(), b.Reference()) })
	return objects
}

// savedForm is the vSphere object inside the library's, without what does not outlive the process.
func savedForm(object mo.Entity) any {
	switch o := object.(type) {
	case *simulator.VirtualMachine:
		vm := o.VirtualMachine
		vm.RecentTask, vm.Snapshot, vm.RootSnapshot = nil, nil, nil
		return vm
	case *simulator.Folder:
		folder := o.Folder
		folder.RecentTask = nil
		return folder
	case *simulator.ResourcePool:
		pool := o.ResourcePool
		pool.RecentTask = nil
		return pool
	case *simulator.DistributedVirtualPortgroup:
		pg := o.DistributedVirtualPortgroup
		pg.RecentTask = nil
		return pg
	}
	return object
}

func encode(value any) (json.RawMessage, error) {
	var buffer bytes.Buffer
	err := types.NewJSONEncoder(&buffer).Encode(value)
	return buffer.Bytes(), err
}

func decode(text json.RawMessage, into any) error {
	return types.NewJSONDecoder(bytes.NewReader(text)).Decode(into)
}
