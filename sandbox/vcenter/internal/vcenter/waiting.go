package vcenter

import (
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/vmware/govmomi/simulator"
	"github.com/vmware/govmomi/vim25/methods"
	"github.com/vmware/govmomi/vim25/mo"
	"github.com/vmware/govmomi/vim25/soap"
	"github.com/vmware/govmomi/vim25/types"
)

// collectors are the property collectors in use, by session and reference: the one of the service content is another
// for each session.
type collectors struct {
	vc  *VCenter
	mu  sync.Mutex
	all map[collectorKey]*collector
}

type collectorKey struct {
	session string
	ref     types.ManagedObjectReference
}

// notices are what a collector has yet to look at. Its lock is the last that anybody takes: objects are locked while
// the observer is told of them.
type notices struct {
	mu       sync.Mutex
	touched  map[types.ManagedObjectReference]struct{}
	reshaped bool // objects came, went or moved: filters must look for their objects again
	silent   bool // objects other than machines may have changed without the observer's being told
}

func (n *notices) take() (touched map[types.ManagedObjectReference]struct{}, reshaped, silent bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	touched, reshaped, silent = n.touched, n.reshaped, n.silent
	n.touched, n.reshaped, n.silent = nil, false, false
	return touched, reshaped, silent
}

func newCollectors(vc *VCenter) *collectors {
	return &collectors{vc: vc, all: map[collectorKey]*collector{}}
}

// tell notes something for every collector, and wakes those that wait.
func (cs *collectors) tell(change func(*notices)) {
	cs.mu.Lock()
	defer cs.mu.Unlock()
	for _, c := range cs.all {
		c.noticed.mu.Lock()
		change(&c.noticed)
		c.noticed.mu.Unlock()
		select {
		case c.wake <- struct{}{}:
		default:
		}
	}
}

// touch says that an object may have changed.
func (cs *collectors) touch(refs ...types.ManagedObjectReference) {
	cs.vc.journal.stale(refs)
	cs.tell(func(n *notices) {
		if n.touched == nil {
			n.touched = map[types.ManagedObjectReference]struct{}{}
		}
		for _, ref := range refs {
			n.touched[ref] = struct{}{}
		}
	})
}

// reshape says that objects came, went or moved.
func (cs *collectors) reshape() { cs.tell(func(n *notices) { n.reshaped, n.silent = true, true }) }

// stir says that a call has changed an object, and perhaps what stands beside it: the library changes lists of hosts,
// pools, datastores and networks without announcing it.
func (cs *collectors) stir(refs ...types.ManagedObjectReference) {
	cs.touch(refs...)
	cs.reshape()
}

func (cs *collectors) of(ctx *simulator.Context, ref types.ManagedObjectReference) *collector {
	cs.mu.Lock()
	defer cs.mu.Unlock()
	key := collectorKey{ctx.Session.Key, ref}
	c := cs.all[key]
	if c == nil {
		c = &collector{vc: cs.vc, ref: ref, session: ctx.Session.Key, wake: make(chan struct{}, 1),
			stop: make(chan types.BaseMethodFault, 1)}
		cs.all[key] = c
	}
	return c
}

// endSession ends the collectors of a session; calls that wait fail as any other call without a session.
func (cs *collectors) endSession(key string) {
	cs.mu.Lock()
	defer cs.mu.Unlock()
	for k, c := range cs.all {
		if k.session == key {
			delete(cs.all, k)
			c.end(&types.NotAuthenticated{NoPermission: types.NoPermission{Object: &c.ref, PrivilegeId: "System.View"}})
		}
	}
}

// forgetAll makes every version unknown, as a vCenter does that was short of memory; it tells how many collectors.
func (cs *collectors) forgetAll() int {
	cs.mu.Lock()
	all := slices.Collect(maps.Values(cs.all))
	cs.mu.Unlock()
	for _, c := range all { // not under the lock of all: a collector's own is held while objects are read
		c.mu.Lock()
		c.log, c.newest = nil, c.newest+1
		c.forgotten = c.newest
		c.mu.Unlock()
	}
	return len(all)
}

func (c *collector) end(fault types.BaseMethodFault) {
	select {
	case c.stop <- fault:
	default:
	}
}

// answerCreateFilter follows PropertyCollector.CreateFilter.
func (vc *VCenter) answerCreateFilter(ctx *simulator.Context, m *simulator.Method) soap.HasFault {
	req := m.Body.(*types.CreateFilter)
	if _, fault := vc.choose(ctx, []types.PropertyFilterSpec{req.Spec}); fault != nil {
		return refuse(fault, "")
	}
	object := &filterObject{mo.PropertyFilter{Spec: req.Spec, PartialUpdates: req.PartialUpdates}}
	object.Self = types.ManagedObjectReference{Type: "PropertyFilter", Value: "session[" + ctx.Session.Key + "]" + newDiskUUID()}
	ctx.Session.Registry.Put(object)
	c := vc.collectors.of(ctx, m.This)
	c.mu.Lock()
	c.filters = append(c.filters, &filter{ref: object.Self, spec: req.Spec, plans: plans{}, fresh: true,
		members: map[types.ManagedObjectReference]*member{}})
	c.mu.Unlock()
	select {
	case c.wake <- struct{}{}:
	default:
	}
	return &methods.CreateFilterBody{Res: &types.CreateFilterResponse{Returnval: object.Self}}
}

// answerDestroyFilter follows PropertyFilter.DestroyPropertyFilter.
func (vc *VCenter) answerDestroyFilter(ctx *simulator.Context, m *simulator.Method) soap.HasFault {
	if vc.object(ctx, m.This) == nil {
		return refuse(&types.ManagedObjectNotFound{Obj: m.This}, "The object has already been deleted or has not been completely created")
	}
	vc.collectors.mu.Lock()
	var own []*collector
	for key, c := range vc.collectors.all {
		if key.session == ctx.Session.Key {
			own = append(own, c)
		}
	}
	vc.collectors.mu.Unlock()
	for _, c := range own {
		c.dropFilter(m.This)
	}
	ctx.Session.Registry.Remove(ctx, m.This)
	return &methods.DestroyPropertyFilterBody{Res: &types.DestroyPropertyFilterResponse{}}
}

func (c *collector) dropFilter(ref types.ManagedObjectReference) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for i, f := range c.filters {
		if f.ref == ref {
			c.filters = append(c.filters[:i:i], c.filters[i+1:]...)
			f.members = nil
			return
		}
	}
}

// answerDestroyCollector follows PropertyCollector.DestroyPropertyCollector.
func (vc *VCenter) answerDestroyCollector(ctx *simulator.Context, m *simulator.Method) soap.HasFault {
	c := vc.collectors.of(ctx, m.This)
	vc.collectors.mu.Lock()
	delete(vc.collectors.all, collectorKey{ctx.Session.Key, m.This})
	vc.collectors.mu.Unlock()
	c.mu.Lock()
	for _, f := range c.filters {
		ctx.Session.Registry.Remove(ctx, f.ref)
	}
	c.mu.Unlock()
	c.end(&types.RequestCanceled{})
	return vc.answerLibrary(ctx, m)
}

// answerCancelWait follows PropertyCollector.CancelWaitForUpdates.
func (vc *VCenter) answerCancelWait(ctx *simulator.Context, m *simulator.Method) soap.HasFault {
	vc.collectors.of(ctx, m.This).end(&types.RequestCanceled{})
	return &methods.CancelWaitForUpdatesBody{Res: &types.CancelWaitForUpdatesResponse{}}
}

// answerWait follows PropertyCollector.WaitForUpdatesEx, WaitForUpdates and CheckForUpdates.
func (vc *VCenter) answerWait(ctx *simulator.Context, m *simulator.Method) soap.HasFault {
	if vc.object(ctx, m.This) == nil {
		return refuse(&types.ManagedObjectNotFound{Obj: m.This}, "The object has already been deleted or has not been completely created")
	}
	most, patience, version := 1<<30, longestWait, ""
	switch req := m.Body.(type) {
	case *types.WaitForUpdatesEx:
		version, most = req.Version, defaultUpdates
		if o := req.Options; o != nil {
			if o.MaxWaitSeconds != nil {
				if *o.MaxWaitSeconds < 0 {
					return refuse(&types.InvalidArgument{InvalidProperty: "options.maxWaitSeconds"}, "")
				}
				patience = min(longestWait, time.Duration(*o.MaxWaitSeconds)*time.Second)
			}
			if o.MaxObjectUpdates > 0 {
				most = int(o.MaxObjectUpdates)
			}
		}
	case *types.WaitForUpdates:
		version = req.Version
	case *types.CheckForUpdates:
		version, patience = req.Version, 0
	}
	inner, fault := vc.collectors.of(ctx, m.This).await(ctx, version, most, patience)
	if fault != nil {
		return refuse(fault, "")
	}
	return &rawBody{Res: &rawResponse{method: m.Name, inner: inner}}
}

// await gives the changes after a version as soon as there are any, and nothing when the patience ends.
func (c *collector) await(ctx *simulator.Context, version string, most int, patience time.Duration) ([]byte, types.BaseMethodFault) {
	select { // a cancel that came when nobody waited was for nobody
	case <-c.stop:
	default:
	}
	deadline := time.After(patience)
	c.mu.Lock()
	if version == "" {
		c.restart()
	}
	from, known := c.version(version)
	if version == "" {
		from, known = c.newest, true
	}
	c.mu.Unlock()
	if !known {
		return nil, &types.InvalidCollectorVersion{}
	}
	for first := true; ; first = false {
		c.mu.Lock()
		if from < c.forgotten {
			c.mu.Unlock()
			return nil, &types.InvalidCollectorVersion{}
		}
		c.refresh(ctx)
		p := c.after(from, most)
		inner, any := c.write(ctx, p)
		c.mu.Unlock()
		if any || version == "" && first { // the first answer comes at once, even if there is no object
			return inner, nil
		}
		from = p.version
		if patience == 0 {
			return nil, nil
		}
		select {
		case <-c.wake:
			time.Sleep(gathering) // what belongs together comes together
		case fault := <-c.stop:
			return nil, fault
		case <-deadline:
			return nil, nil
		}
	}
}
