package vcenter

import (
	"github.com/vmware/govmomi/simulator"
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
	ctx.WithLock(manager, func() { manager.PostEvent(ctx, &types.PostEvent{EventToPost: event}) })
	return event.ChainId
}
