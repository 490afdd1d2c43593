package vcenter

import (
	"fmt"
	"log"
	"runtime/debug"
	"sync"

	"github.com/vmware/govmomi/simulator"
	"github.com/vmware/govmomi/vim25/mo"
	"github.com/vmware/govmomi/vim25/types"
)

// observer sees every object that enters, changes or leaves the registry.
type observer struct {
	vc   *VCenter
	self types.ManagedObjectReference

	mu   sync.Mutex
	done map[types.ManagedObjectReference]chan struct{} // tasks of the library that somebody may wait for
	hurt map[types.ManagedObjectReference]bool          // those of them that ended in a panic
}

func observe(vc *VCenter) *observer {
	o := &observer{
		vc:   vc,
		self: types.ManagedObjectReference{Type: "EscaleObserver", Value: "observer"},
		done: map[types.ManagedObjectReference]chan struct{}{},
		hurt: map[types.ManagedObjectReference]bool{},
	}
	vc.registry.AddHandler(o)
	return o
}

func (o *observer) Reference() types.ManagedObjectReference { return o.self }

// PutObject completes new machines and guards the library's tasks.
func (o *observer) PutObject(_ *simulator.Context, obj mo.Reference) {
	o.vc.journal.seen(obj.Reference())
	if ref := obj.Reference(); ref.Type != "Task" {
		o.vc.collectors.reshape()
	}
	switch obj := obj.(type) {
	case *simulator.VirtualMachine:
		completeRuntime(&obj.VirtualMachine)
	case *simulator.Task:
		if obj.Execute != nil {
			o.guard(obj)
		}
	}
}

// UpdateObject passes on changes of power and the end of tasks.
func (o *observer) UpdateObject(ctx *simulator.Context, obj mo.Reference, changes []types.PropertyChange) {
	switch obj.(type) {
	case *mo.ContainerView, *mo.ListView:
		o.vc.collectors.reshape()
	case *mo.VirtualMachine, *mo.Task:
		o.vc.collectors.touch(obj.Reference())
	default:
		o.vc.collectors.stir(obj.Reference())
	}
	switch obj := obj.(type) {
	case *mo.Task:
		if state := obj.Info.State; state == types.TaskInfoStateSuccess || state == types.TaskInfoStateError {
			o.finished(obj.Self)
		}
	case *mo.VirtualMachine:
		for _, c := range changes {
			if c.Name == "runtime.powerState" {
				o.vc.guests.powerChanged(ctx, obj)
			}
		}
		o.vc.journal.touch()
	}
}

// RemoveObject notes that something is to be saved.
func (o *observer) RemoveObject(_ *simulator.Context, ref types.ManagedObjectReference) {
	if ref.Type == "VirtualMachine" {
		o.vc.guests.removed(ref)
	}
	o.vc.journal.stale([]types.ManagedObjectReference{ref})
	o.vc.collectors.reshape()
	if ref.Type != "Task" {
		o.vc.journal.touch()
	}
}

// completeRuntime sets two enumerations that the library leaves empty: clients that know the enumeration
// (pyVmomi, the Java SDK) refuse to parse an empty value. https://github.com/vmware/govmomi/issues/4084
func completeRuntime(vm *mo.VirtualMachine) {
	for _, runtime := range []*types.VirtualMachineRuntimeInfo{&vm.Runtime, &vm.Summary.Runtime} {
		runtime.FaultToleranceState = types.VirtualMachineFaultToleranceStateNotConfigured
		runtime.RecordReplayState = types.VirtualMachineRecordReplayStateInactive
	}
}

// guard keeps a panic inside a library task from ending the process, and lets us wait for the task's end.
func (o *observer) guard(task *simulator.Task) {
	o.mu.Lock()
	o.done[task.Self] = make(chan struct{})
	o.mu.Unlock()
	execute := task.Execute
	task.Execute = func(t *simulator.Task) (result types.AnyType, fault types.BaseMethodFault) {
		defer func() {
			if r := recover(); r != nil {
				log.Printf("panic in %s: %v\n%s", t.Info.Name, r, debug.Stack())
				o.mu.Lock()
				o.hurt[t.Self] = true
				o.mu.Unlock()
				result, fault = nil, &types.SystemError{Reason: fmt.Sprintf("simulator: %v", r)}
			}
		}()
		return execute(t)
	}
}

func (o *observer) finished(ref types.ManagedObjectReference) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if done, ok := o.done[ref]; ok {
		close(done)
		delete(o.done, ref)
	}
}

// await waits for a library task, takes it out of the inventory (clients see our job instead) and gives its end.
func (o *observer) await(ctx *simulator.Context, ref types.ManagedObjectReference) (types.AnyType, types.BaseMethodFault) {
	task, ok := o.vc.registry.Get(ref).(*simulator.Task)
	if !ok {
		return nil, &types.ManagedObjectNotFound{Obj: ref}
	}
	o.mu.Lock()
	done, running := o.done[ref]
	o.mu.Unlock()
	if running {
		<-done
	}
	o.mu.Lock()
	hurt := o.hurt[ref]
	delete(o.hurt, ref)
	o.mu.Unlock()
	if hurt {
		o.vc.free(ctx)
	}
	var info types.TaskInfo
	ctx.WithLock(task, func() { info = task.Info })
	o.vc.registry.Remove(ctx, ref)
	if info.Error != nil {
		return nil, info.Error.Fault
	}
	return info.Result, nil
}
