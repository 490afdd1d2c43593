package vcenter

import (
	"bytes"
	"strconv"
	"sync"
	"time"

	"github.com/vmware/govmomi/simulator"
	"github.com/vmware/govmomi/vim25/mo"
	"github.com/vmware/govmomi/vim25/types"
)

// collector follows PropertyCollector's incremental half: filters, versions and WaitForUpdatesEx. It keeps a log of
// which objects entered, changed or left; a version is a place in the log, so that an old version can be asked again
// and gives the same changes, until the log has been cut below it. What it costs follows from what changed: the
// observer names the objects, and only their properties are read and compared.
type collector struct {
	vc      *VCenter
	ref     types.ManagedObjectReference
	session string

	mu        sync.Mutex // of all below; held while reading objects, never while waiting
	filters   []*filter
	log       []entry
	newest    int64 // the number of the last entry
	forgotten int64 // versions below it are no longer known

	noticed notices
	wake    chan struct{}
	stop    chan types.BaseMethodFault // ends the waiting call with a fault
}

// filter is a PropertyFilter with what it has told.
type filter struct {
	ref     types.ManagedObjectReference
	spec    types.PropertyFilterSpec
	plans   plans
	fresh   bool // its objects have not been listed yet
	members map[types.ManagedObjectReference]*member
}

// member is an object of a filter, with the fingerprints of the values that were told; none before the first telling.
type member struct{ prints []uint64 }

// entry is one line of a collector's log.
type entry struct {
	filter *filter
	obj    types.ManagedObjectReference
	kind   types.ObjectUpdateKind
	paths  []int // of a change: which properties of the object's plan
}

// filterObject is what the session sees of a filter.
type filterObject struct{ mo.PropertyFilter }

// Limits of one collector.
const (
	defaultUpdates = 100             // objects in one answer when the client does not say, as vCenter's default
	spareEntries   = 20_000          // log entries beyond twice the number of objects
	longestWait    = 5 * time.Minute // a call without maxWaitSeconds whose client is gone must not wait for ever
	gathering      = 5 * time.Millisecond
)

// version parses a version; false when it is none of this collector's or forgotten.
func (c *collector) version(text string) (int64, bool) {
	n, err := strconv.ParseInt(text, 10, 64)
	return n, err == nil && n >= c.forgotten && n <= c.newest
}

// restart begins anew, as the empty version asks: every object enters.
func (c *collector) restart() {
	c.log, c.forgotten = nil, c.newest
	for _, f := range c.filters {
		f.fresh, f.members = true, map[types.ManagedObjectReference]*member{}
	}
}

// append writes to the log, and cuts its beginning when it has grown too long.
func (c *collector) append(e entry) {
	c.log = append(c.log, e)
	c.newest++
	limit := spareEntries
	for _, f := range c.filters {
		limit += 2 * len(f.members)
	}
	if len(c.log) > limit {
		cut := len(c.log) / 4
		c.log = append([]entry(nil), c.log[cut:]...)
		c.forgotten = c.newest - int64(len(c.log))
	}
}

// refresh brings the log up to date with what the observer has noticed.
func (c *collector) refresh(ctx *simulator.Context) {
	touched, reshaped, silent := c.noticed.take()
	for _, f := range c.filters {
		if f.fresh || reshaped {
			c.reselect(ctx, f)
		}
		if silent {
			for ref, m := range f.members {
				if ref.Type != "VirtualMachine" && ref.Type != "Task" {
					c.compare(ctx, f, ref, m)
				}
			}
		}
		for ref := range touched {
			if m := f.members[ref]; m != nil {
				c.compare(ctx, f, ref, m)
			}
		}
	}
}

// reselect does a filter's traversals again, and logs who entered and who left.
func (c *collector) reselect(ctx *simulator.Context, f *filter) {
	f.fresh = false
	found, _ := c.vc.choose(ctx, []types.PropertyFilterSpec{f.spec}) // a root that is gone leads to nobody
	now := make(map[types.ManagedObjectReference]bool, len(found))
	for _, ref := range found {
		now[ref] = true
		if f.members[ref] != nil || !c.wants(ctx, f, ref) {
			continue
		}
		f.members[ref] = &member{}
		c.append(entry{filter: f, obj: ref, kind: types.ObjectUpdateKindEnter})
	}
	for ref := range f.members {
		if !now[ref] {
			delete(f.members, ref)
			c.append(entry{filter: f, obj: ref, kind: types.ObjectUpdateKindLeave})
		}
	}
}

// wants tells whether a filter has properties for an object.
func (c *collector) wants(ctx *simulator.Context, f *filter, ref types.ManagedObjectReference) bool {
	obj := c.vc.object(ctx, ref)
	if obj == nil {
		return false
	}
	v := managed(obj)
	return v.IsValid() && f.plans.of(f.spec.PropSet, ref, v.Type()) != nil
}

// compare logs which properties of an object are not what was told. Before the first telling there is nothing to
// compare: that will tell what is true then.
func (c *collector) compare(ctx *simulator.Context, f *filter, ref types.ManagedObjectReference, m *member) {
	if m.prints == nil {
		return
	}
	_, values, ok := c.vc.read(ctx, ref, f.plans, f.spec.PropSet)
	if !ok {
		return
	}
	var changed []int
	for i, value := range values {
		if print := fingerprint(value); m.prints[i] != print {
			m.prints[i] = print
			changed = append(changed, i)
		}
	}
	if changed != nil {
		c.append(entry{filter: f, obj: ref, kind: types.ObjectUpdateKindModify, paths: changed})
	}
}

// page is one answer: the changes after a version, at most so many objects.
type page struct {
	version   int64
	truncated bool
	filters   []*filter
	updates   map[*filter][]*update
}

// update is what a page says of one object; several log entries about it become one.
type update struct {
	obj   types.ManagedObjectReference
	kind  types.ObjectUpdateKind
	paths map[int]bool
}

// after collects the page that follows a version.
func (c *collector) after(version int64, most int) *page {
	p := &page{version: version, updates: map[*filter][]*update{}}
	type about struct {
		f   *filter
		ref types.ManagedObjectReference
	}
	told, count := map[about]*update{}, 0
	for i := version - (c.newest - int64(len(c.log))); i < int64(len(c.log)); i++ {
		e := c.log[i]
		key := about{e.filter, e.obj}
		u := told[key]
		there := e.filter.members[e.obj] != nil
		switch {
		case e.filter.members == nil, e.kind != types.ObjectUpdateKindLeave && !there: // destroyed filters, short lives
		case u != nil && e.kind == types.ObjectUpdateKindModify:
			if u.kind == types.ObjectUpdateKindModify {
				for _, path := range e.paths {
					u.paths[path] = true
				}
			}
		case count == most:
			p.truncated = true
			return p
		default:
			u = &update{obj: e.obj, kind: e.kind, paths: map[int]bool{}}
			for _, path := range e.paths {
				u.paths[path] = true
			}
			if len(p.updates[e.filter]) == 0 {
				p.filters = append(p.filters, e.filter)
			}
			p.updates[e.filter], told[key] = append(p.updates[e.filter], u), u
			count++
		}
		p.version++
	}
	return p
}

// write makes the page an UpdateSet; false when nothing is left to tell.
func (c *collector) write(ctx *simulator.Context, p *page) ([]byte, bool) {
	var out bytes.Buffer
	out.WriteString("<returnval><version>" + strconv.FormatInt(p.version, 10) + "</version>")
	any := false
	for _, f := range p.filters {
		var objects bytes.Buffer
		for _, u := range p.updates[f] {
			c.writeUpdate(ctx, &objects, f, u)
		}
		if objects.Len() == 0 {
			continue
		}
		any = true
		out.WriteString("<filterSet>")
		writeRef(&out, "filter", f.ref)
		out.Write(objects.Bytes())
		out.WriteString("</filterSet>")
	}
	if p.truncated {
		out.WriteString("<truncated>true</truncated>")
	}
	out.WriteString("</returnval>")
	return out.Bytes(), any || p.truncated
}

func (c *collector) writeUpdate(ctx *simulator.Context, out *bytes.Buffer, f *filter, u *update) {
	var p *plan
	var values [][]byte
	if u.kind != types.ObjectUpdateKindLeave {
		var ok bool
		if p, values, ok = c.vc.read(ctx, u.obj, f.plans, f.spec.PropSet); !ok {
			return // it left meanwhile, which the next refresh will tell
		}
	}
	if m := f.members[u.obj]; u.kind == types.ObjectUpdateKindEnter && m != nil {
		m.prints = make([]uint64, len(values))
		for i, value := range values {
			m.prints[i] = fingerprint(value)
		}
	}
	out.WriteString("<objectSet><kind>" + string(u.kind) + "</kind>")
	writeRef(out, "obj", u.obj)
	for i, value := range values {
		if u.kind == types.ObjectUpdateKindEnter && value == nil || u.kind == types.ObjectUpdateKindModify && !u.paths[i] {
			continue
		}
		out.WriteString("<changeSet><name>")
		writeText(out, p.properties[i].path)
		out.WriteString("</name><op>assign</op>")
		out.Write(value)
		out.WriteString("</changeSet>")
	}
	if u.kind == types.ObjectUpdateKindEnter {
		for _, property := range p.properties {
			if property.invalid {
				writeMissing(out, property.path)
			}
		}
	}
	out.WriteString("</objectSet>")
}
