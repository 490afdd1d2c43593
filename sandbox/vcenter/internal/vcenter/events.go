package vcenter

import (
	"github.com/vmware/govmomi/simulator"
	"github.com/vmware/govmomi/vim25/methods"
	"github.com/vmware/govmomi/vim25/types"
)

// announce posts the event with which a vCenter begins a clone, and gives the chain that links it to the task. It is
// how a client tells whose clone a task is: the task itself names only the source. Other calls have no chain.
// VmBeingClonedEvent and TaskInfo.eventChainId, vSphere Web Services API.
func (vc *VCenter) announce(ctx *simulator.Context, m *simulator.Method) int32 {
	req, ok := m.Body.(*types.CloneVM_Task)
	if !ok {
		return 0
	}
	source, ok := vc.registry.Get(req.This).(*simulator.VirtualMachine)
	manager := vc.registry.EventManager()
	if !ok || manager == nil {
		return 0
	}
	event := &types.VmBeingClonedEvent{
		VmCloneEvent: types.VmCloneEvent{VmEvent: types.VmEvent{Event: types.Event{
			Vm: &types.VmEventArgument{Vm: req.This, EntityEventArgument: types.EntityEventArgument{Name: source.Name}},
		}}},
		DestName: req.Name,
		DestFolder: types.FolderEventArgument{Folder: req.Folder,
			EntityEventArgument: types.EntityEventArgument{Name: vc.nameOf(req.Folder)}},
	}
	if host := source.Runtime.Host; host != nil {
		event.DestHost = types.HostEventArgument{Host: *host, EntityEventArgument: types.EntityEventArgument{Name: vc.nameOf(*host)}}
	}
	vc.post(ctx, event)
	return event.ChainId
}

// whereabouts is where a machine is, as its events say.
type whereabouts struct {
	host      types.HostEventArgument
	datastore *types.DatastoreEventArgument
	pool      *types.ManagedObjectReference
	on        bool
}

func (vc *VCenter) whereabouts(vm *simulator.VirtualMachine) whereabouts {
	w := whereabouts{pool: vm.ResourcePool, on: vm.Runtime.PowerState == types.VirtualMachinePowerStatePoweredOn}
	if host := vm.Runtime.Host; host != nil {
		w.host = types.HostEventArgument{Host: *host, EntityEventArgument: types.EntityEventArgument{Name: vc.nameOf(*host)}}
	}
	if ds := vc.homeDatastore(vm); ds != nil {
		w.datastore = &types.DatastoreEventArgument{Datastore: ds.Self, EntityEventArgument: types.EntityEventArgument{Name: ds.Name}}
	}
	return w
}

// announceRelocation posts VmMigratedEvent for a running machine that only changed its host, else VmRelocatedEvent.
func (vc *VCenter) announceRelocation(ctx *simulator.Context, vm *simulator.VirtualMachine, from whereabouts, files bool) {
	about := vc.eventOf(vm)
	if from.on && !files {
		vc.post(ctx, &types.VmMigratedEvent{VmEvent: about, SourceHost: from.host, SourceDatastore: from.datastore})
		return
	}
	vc.post(ctx, &types.VmRelocatedEvent{VmRelocateSpecEvent: types.VmRelocateSpecEvent{VmEvent: about}, SourceHost: from.host, SourceDatastore: from.datastore})
}

// announceClone posts VmClonedEvent, when a clone is complete.
func (vc *VCenter) announceClone(ctx *simulator.Context, source, clone *simulator.VirtualMachine) {
	vc.post(ctx, &types.VmClonedEvent{VmCloneEvent: types.VmCloneEvent{VmEvent: vc.eventOf(clone)},
		SourceVm: types.VmEventArgument{Vm: source.Self, EntityEventArgument: types.EntityEventArgument{Name: source.Name}}})
}

// eventOf fills in what every event of a machine says.
func (vc *VCenter) eventOf(vm *simulator.VirtualMachine) types.VmEvent {
	dc := vc.datacenter()
	event := types.Event{
		Vm:         &types.VmEventArgument{Vm: vm.Self, EntityEventArgument: types.EntityEventArgument{Name: vm.Name}},
		Datacenter: &types.DatacenterEventArgument{Datacenter: dc.Self, EntityEventArgument: types.EntityEventArgument{Name: dc.Name}},
	}
	at := vc.whereabouts(vm)
	event.Host, event.Ds = &at.host, at.datastore
	if host, ok := vc.registry.Get(at.host.Host).(*simulator.HostSystem); ok {
		event.ComputeResource = &types.ComputeResourceEventArgument{ComputeResource: *host.Parent,
			EntityEventArgument: types.EntityEventArgument{Name: vc.nameOf(*host.Parent)}}
	}
	return types.VmEvent{Event: event, Template: vm.Config.Template}
}

// post gives an event to the manager, which shows the newest as latestEvent.
func (vc *VCenter) post(ctx *simulator.Context, event types.BaseEvent) {
	manager := vc.registry.EventManager()
	ctx.WithLock(manager, func() { manager.PostEvent(ctx, &types.PostEvent{EventToPost: event}) })
}

// showLatest keeps EventManager.latestEvent, which the library does not.
func (vc *VCenter) showLatest(ctx *simulator.Context, manager *simulator.EventManager) {
	ctx.WithLock(manager, func() {
		body, ok := manager.QueryEvents(ctx, &types.QueryEvents{Filter: types.EventFilterSpec{MaxCount: 1}}).(*methods.QueryEventsBody)
		if !ok || body.Res == nil {
			return
		}
		if events := body.Res.Returnval; len(events) > 0 {
			manager.LatestEvent = events[0]
		}
	})
}
