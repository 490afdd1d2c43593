package vcenter

import (
	"time"

	"github.com/vmware/govmomi/simulator"
	"github.com/vmware/govmomi/vim25/methods"
	"github.com/vmware/govmomi/vim25/soap"
	"github.com/vmware/govmomi/vim25/types"
)

// answerRefresh follows Datastore.RefreshDatastore; the library's sets the capacity to a tebibyte a host.
func (vc *VCenter) answerRefresh(_ *simulator.Context, m *simulator.Method) soap.HasFault {
	if ds, ok := vc.registry.Get(m.This).(*simulator.Datastore); ok {
		vc.storage.recount(ds)
	}
	if m.Name == "RefreshDatastoreStorageInfo" {
		return &methods.RefreshDatastoreStorageInfoBody{Res: &types.RefreshDatastoreStorageInfoResponse{}}
	}
	return &methods.RefreshDatastoreBody{Res: &types.RefreshDatastoreResponse{}}
}

// answerTime follows ServiceInstance.CurrentTime, by a clock that may be wrong.
func (vc *VCenter) answerTime(*simulator.Context, *simulator.Method) soap.HasFault {
	now := time.Now().UTC().Add(time.Duration(vc.skew.Load()) * time.Millisecond)
	return &methods.CurrentTimeBody{Res: &types.CurrentTimeResponse{Returnval: now}}
}

// answerMarkTemplate follows VirtualMachine.MarkAsTemplate, and announces the change, which the library does not.
func (vc *VCenter) answerMarkTemplate(ctx *simulator.Context, m *simulator.Method) soap.HasFault {
	vc.writer.Lock()
	defer vc.writer.Unlock()
	vm, ok := vc.registry.Get(m.This).(*simulator.VirtualMachine)
	switch {
	case !ok:
		return refuse(&types.ManagedObjectNotFound{Obj: m.This}, "")
	case vm.Config.Template:
		return refuse(&types.NotSupported{}, "")
	case vm.Runtime.PowerState != types.VirtualMachinePowerStatePoweredOff:
		return refuse(&types.InvalidPowerState{RequestedState: types.VirtualMachinePowerStatePoweredOff, ExistingState: vm.Runtime.PowerState}, "")
	}
	vc.markTemplate(ctx, vm)
	vc.journal.touch()
	return &methods.MarkAsTemplateBody{Res: &types.MarkAsTemplateResponse{}}
}

// answerMarkMachine follows VirtualMachine.MarkAsVirtualMachine: the machine enters the pool, and a host of it.
func (vc *VCenter) answerMarkMachine(ctx *simulator.Context, m *simulator.Method) soap.HasFault {
	req := m.Body.(*types.MarkAsVirtualMachine)
	vc.writer.Lock()
	defer vc.writer.Unlock()
	vm, ok := vc.registry.Get(m.This).(*simulator.VirtualMachine)
	if !ok {
		return refuse(&types.ManagedObjectNotFound{Obj: m.This}, "")
	}
	if !vm.Config.Template {
		return refuse(&types.NotSupported{}, "")
	}
	place, fault := vc.place(req.Pool, req.Host, vc.homeDatastore(vm))
	if fault != nil {
		return refuse(fault, "")
	}
	vc.moveTo(ctx, vm, place)
	ctx.WithLock(vm, func() {
		ctx.Update(vm, []types.PropertyChange{{Name: "config.template", Val: false}, {Name: "summary.config.template", Val: false}})
	})
	vc.journal.touch()
	return &methods.MarkAsVirtualMachineBody{Res: &types.MarkAsVirtualMachineResponse{}}
}

// moveTo puts a machine into a pool and on a host, in all the lists; the caller holds vc.writer.
func (vc *VCenter) moveTo(ctx *simulator.Context, vm *simulator.VirtualMachine, place placement) {
	if vm.Runtime.Host != nil {
		if host, ok := vc.registry.Get(*vm.Runtime.Host).(*simulator.HostSystem); ok {
			ctx.Map.RemoveReference(ctx, host, &host.Vm, vm.Self)
		}
	}
	if vm.ResourcePool != nil {
		if pool, ok := vc.registry.Get(*vm.ResourcePool).(*simulator.ResourcePool); ok {
			ctx.Map.RemoveReference(ctx, pool, &pool.Vm, vm.Self)
		}
	}
	ctx.Map.AddReference(ctx, place.host, &place.host.Vm, vm.Self)
	if pool, ok := vc.registry.Get(place.pool).(*simulator.ResourcePool); ok {
		ctx.Map.AddReference(ctx, pool, &pool.Vm, vm.Self)
	}
	pool, host := place.pool, place.host.Self
	ctx.WithLock(vm, func() {
		ctx.Update(vm, []types.PropertyChange{
			{Name: "resourcePool", Val: &pool}, {Name: "runtime.host", Val: &host}, {Name: "summary.runtime.host", Val: &host},
		})
	})
}
