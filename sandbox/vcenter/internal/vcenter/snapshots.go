package vcenter

import (
	"os"
	"slices"

	"github.com/vmware/govmomi/simulator"
	"github.com/vmware/govmomi/vim25/types"
)

// removeSnapshot follows VirtualMachineSnapshot.RemoveSnapshot_Task: children go with it or move up to its parent. The
// library panics when the current snapshot is a root with children.
func removeSnapshot(j *job, m *simulator.Method) (types.AnyType, types.BaseMethodFault) {
	req := m.Body.(*types.RemoveSnapshot_Task)
	vm, fault := j.vc.machineOf(req.This)
	if fault != nil {
		return nil, fault
	}
	return j.commit(func() (types.AnyType, types.BaseMethodFault) {
		gone := j.vc.cutSnapshot(j.ctx, vm, req.This, req.RemoveChildren)
		j.vc.dropSnapshots(j.ctx, vm, gone)
		return nil, nil
	})
}

// removeAllSnapshots follows VirtualMachine.RemoveAllSnapshots_Task.
func removeAllSnapshots(j *job, m *simulator.Method) (types.AnyType, types.BaseMethodFault) {
	vm, ok := j.vc.registry.Get(m.This).(*simulator.VirtualMachine)
	if !ok {
		return nil, &types.ManagedObjectNotFound{Obj: m.This}
	}
	return j.commit(func() (types.AnyType, types.BaseMethodFault) {
		var gone []types.ManagedObjectReference
		j.ctx.WithLock(vm, func() {
			if vm.Snapshot != nil {
				gone = snapshotsIn(vm.Snapshot.RootSnapshotList)
			}
			showSnapshots(j.ctx, vm, nil, nil)
		})
		j.vc.dropSnapshots(j.ctx, vm, gone)
		return nil, nil
	})
}

// revertToSnapshot follows VirtualMachineSnapshot.RevertToSnapshot_Task: the machine has the configuration that it had
// and is off, because no snapshot here holds memory. The bytes of its disks stay.
func revertToSnapshot(j *job, m *simulator.Method) (types.AnyType, types.BaseMethodFault) {
	vm, fault := j.vc.machineOf(m.This)
	if fault != nil {
		return nil, fault
	}
	return j.vc.revert(j, vm, m.This)
}

// revertToCurrent follows VirtualMachine.RevertToCurrentSnapshot_Task.
func revertToCurrent(j *job, m *simulator.Method) (types.AnyType, types.BaseMethodFault) {
	vm, ok := j.vc.registry.Get(m.This).(*simulator.VirtualMachine)
	if !ok {
		return nil, &types.ManagedObjectNotFound{Obj: m.This}
	}
	if vm.Snapshot == nil || vm.Snapshot.CurrentSnapshot == nil {
		return nil, &types.NotFound{}
	}
	return j.vc.revert(j, vm, *vm.Snapshot.CurrentSnapshot)
}

func (vc *VCenter) machineOf(snapshot types.ManagedObjectReference) (*simulator.VirtualMachine, types.BaseMethodFault) {
	s, ok := vc.registry.Get(snapshot).(*simulator.VirtualMachineSnapshot)
	if !ok {
		return nil, &types.ManagedObjectNotFound{Obj: snapshot}
	}
	vm, ok := vc.registry.Get(s.Vm).(*simulator.VirtualMachine)
	if !ok {
		return nil, &types.ManagedObjectNotFound{Obj: s.Vm}
	}
	return vm, nil
}

func (vc *VCenter) revert(j *job, vm *simulator.VirtualMachine, ref types.ManagedObjectReference) (types.AnyType, types.BaseMethodFault) {
	s, ok := vc.registry.Get(ref).(*simulator.VirtualMachineSnapshot)
	if !ok {
		return nil, &types.ManagedObjectNotFound{Obj: ref}
	}
	return j.commit(func() (types.AnyType, types.BaseMethodFault) {
		if vm.Runtime.PowerState == types.VirtualMachinePowerStatePoweredOn {
			if _, fault := vc.invoke(j.ctx, &simulator.Method{Name: "PowerOffVM_Task", This: vm.Self, Body: &types.PowerOffVM_Task{This: vm.Self}}); fault != nil {
				return nil, fault
			}
		}
		was := deepCopy(s.Config)
		j.ctx.WithLock(vm, func() {
			config := *vm.Config
			config.Annotation, config.GuestId, config.GuestFullName, config.ExtraConfig = was.Annotation, was.GuestId, was.GuestFullName, was.ExtraConfig
			config.Hardware.NumCPU, config.Hardware.MemoryMB, config.Hardware.NumCoresPerSocket = was.Hardware.NumCPU, was.Hardware.MemoryMB, was.Hardware.NumCoresPerSocket
			j.ctx.Update(vm, []types.PropertyChange{
				{Name: "config", Val: &config},
				{Name: "summary.config.annotation", Val: config.Annotation},
				{Name: "summary.config.numCpu", Val: config.Hardware.NumCPU},
				{Name: "summary.config.memorySizeMB", Val: config.Hardware.MemoryMB},
			})
			if vm.Snapshot != nil {
				showSnapshots(j.ctx, vm, vm.Snapshot.RootSnapshotList, &ref)
			}
		})
		return nil, nil
	})
}

// cutSnapshot takes a snapshot out of a machine's tree; it tells which are gone.
func (vc *VCenter) cutSnapshot(ctx *simulator.Context, vm *simulator.VirtualMachine, ref types.ManagedObjectReference, children bool) []types.ManagedObjectReference {
	gone := []types.ManagedObjectReference{ref}
	ctx.WithLock(vm, func() {
		if vm.Snapshot == nil {
			return
		}
		tree, cut, above := without(vm.Snapshot.RootSnapshotList, ref, children, nil)
		if cut != nil && children {
			gone = append(gone, snapshotsIn(cut.ChildSnapshotList)...)
		}
		current := vm.Snapshot.CurrentSnapshot
		if current != nil && slices.Contains(gone, *current) {
			current = above
		}
		showSnapshots(ctx, vm, tree, current)
	})
	return gone
}

// without copies a tree without one snapshot, and gives that and its parent.
func without(tree []types.VirtualMachineSnapshotTree, ref types.ManagedObjectReference, children bool, above *types.ManagedObjectReference) (
	kept []types.VirtualMachineSnapshotTree, cut *types.VirtualMachineSnapshotTree, parent *types.ManagedObjectReference) {
	for _, node := range tree {
		if node.Snapshot == ref {
			if !children {
				kept = append(kept, node.ChildSnapshotList...)
			}
			cut, parent = &node, above
			continue
		}
		list, c, p := without(node.ChildSnapshotList, ref, children, &node.Snapshot)
		node.ChildSnapshotList = list
		if c != nil {
			cut, parent = c, p
		}
		kept = append(kept, node)
	}
	return kept, cut, parent
}

func snapshotsIn(tree []types.VirtualMachineSnapshotTree) (refs []types.ManagedObjectReference) {
	for _, node := range tree {
		refs = append(append(refs, node.Snapshot), snapshotsIn(node.ChildSnapshotList)...)
	}
	return refs
}

// showSnapshots sets a machine's tree; the caller has locked the machine.
func showSnapshots(ctx *simulator.Context, vm *simulator.VirtualMachine, tree []types.VirtualMachineSnapshotTree, current *types.ManagedObjectReference) {
	var roots []types.ManagedObjectReference
	for _, node := range tree {
		roots = append(roots, node.Snapshot)
	}
	if len(tree) == 0 {
		vm.Snapshot = nil
		ctx.Update(vm, []types.PropertyChange{{Name: "rootSnapshot", Val: nil}})
		return
	}
	vm.Snapshot = &types.VirtualMachineSnapshotInfo{RootSnapshotList: tree, CurrentSnapshot: current}
	ctx.Update(vm, []types.PropertyChange{{Name: "rootSnapshot", Val: roots}})
}

// dropSnapshots removes snapshots with their files; their children's lists are corrected.
func (vc *VCenter) dropSnapshots(ctx *simulator.Context, vm *simulator.VirtualMachine, gone []types.ManagedObjectReference) {
	ctx.WithLock(vm, func() {
		if vm.Layout != nil {
			vm.Layout.Snapshot = slices.DeleteFunc(slices.Clone(vm.Layout.Snapshot), func(s types.VirtualMachineFileLayoutSnapshotLayout) bool {
				return slices.Contains(gone, s.Key)
			})
		}
		if vm.LayoutEx == nil {
			return
		}
		for _, layout := range vm.LayoutEx.Snapshot {
			if !slices.Contains(gone, layout.Key) {
				continue
			}
			for _, file := range vm.LayoutEx.File {
				if file.Key == layout.DataKey && vc.datastoreOf(file.Name) != nil {
					_ = os.Remove(vc.local(file.Name))
				}
			}
		}
		vm.LayoutEx.Snapshot = slices.DeleteFunc(slices.Clone(vm.LayoutEx.Snapshot), func(s types.VirtualMachineFileLayoutExSnapshotLayout) bool {
			return slices.Contains(gone, s.Key)
		})
	})
	for _, ref := range gone {
		vc.registry.Remove(ctx, ref)
	}
	for _, object := range vc.registry.AllReference("VirtualMachineSnapshot") {
		if s, ok := object.(*simulator.VirtualMachineSnapshot); ok && s.Vm == vm.Self {
			ctx.WithLock(s, func() {
				s.ChildSnapshot = slices.DeleteFunc(slices.Clone(s.ChildSnapshot), func(r types.ManagedObjectReference) bool { return slices.Contains(gone, r) })
			})
		}
	}
}
