package vcenter

import (
	"strings"

	"github.com/vmware/govmomi/simulator"
	"github.com/vmware/govmomi/vim25/types"
)

// escaped is how vSphere stores a name: with %, / and \ as escape sequences (ManagedEntity.name).
func escaped(name string) string {
	return strings.NewReplacer("%", "%25", "/", "%2f", "\\", "%5c").Replace(name)
}

// unescaped is the name that a client gave.
func unescaped(name string) string {
	return strings.NewReplacer("%25", "%", "%2f", "/", "%5c", "\\").Replace(name)
}

// plain is a name that can be a folder's, and that the library creates without escaping it: it spoils the device
// changes when it does.
func plain(name string) string {
	name = strings.NewReplacer("%", "_", "/", "_", "\\", "_").Replace(name)
	if name == "." || name == ".." {
		return "_"
	}
	return name
}

// nameTaken refuses a name that the folder has, with --strict; a real vCenter always does.
func (vc *VCenter) nameTaken(folder *simulator.Folder, name string) types.BaseMethodFault {
	if !vc.settings.Strict {
		return nil
	}
	if taken := vc.registry.FindByName(escaped(name), folder.ChildEntity); taken != nil {
		return &types.DuplicateName{Name: name, Object: taken.Reference()}
	}
	return nil
}

// createNamed lets the library create a machine under its plain name, and names it; the caller holds vc.writer, and
// tells the journal when the machine is complete.
func (vc *VCenter) createNamed(ctx *simulator.Context, folder *simulator.Folder, req *types.CreateVM_Task) (types.AnyType, types.BaseMethodFault) {
	name := req.Config.Name
	if fault := vc.nameTaken(folder, name); fault != nil {
		return nil, fault
	}
	req.Config.Name = plain(name)
	result, fault := vc.invoke(ctx, &simulator.Method{Name: "CreateVM_Task", This: folder.Self, Body: req})
	if fault != nil {
		return nil, fault
	}
	vc.journal.begin(result.(types.ManagedObjectReference))
	if req.Config.Name == name {
		return result, nil
	}
	if vm, ok := vc.registry.Get(result.(types.ManagedObjectReference)).(*simulator.VirtualMachine); ok {
		vc.setName(ctx, vm, name)
	}
	return result, nil
}

func (vc *VCenter) setName(ctx *simulator.Context, vm *simulator.VirtualMachine, name string) {
	ctx.WithLock(vm, func() {
		ctx.Update(vm, []types.PropertyChange{
			{Name: "name", Val: escaped(name)}, {Name: "config.name", Val: escaped(name)}, {Name: "summary.config.name", Val: escaped(name)},
		})
	})
}

// renameEntity follows ManagedEntity.Rename_Task: lax about machines, strict with --strict, as creation is.
func renameEntity(j *job, m *simulator.Method) (types.AnyType, types.BaseMethodFault) {
	vm, ok := j.vc.registry.Get(m.This).(*simulator.VirtualMachine)
	if !ok {
		return passOn(j, m)
	}
	name := m.Body.(*types.Rename_Task).NewName
	return j.commit(func() (types.AnyType, types.BaseMethodFault) {
		if folder, ok := j.vc.registry.Get(*vm.Parent).(*simulator.Folder); ok && escaped(name) != vm.Name {
			if fault := j.vc.nameTaken(folder, name); fault != nil {
				return nil, fault
			}
		}
		j.vc.setName(j.ctx, vm, name)
		return nil, nil
	})
}
