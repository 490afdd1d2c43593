package vcenter

import (
	"reflect"

	"github.com/vmware/govmomi/simulator"
	"github.com/vmware/govmomi/vim25/methods"
	"github.com/vmware/govmomi/vim25/soap"
	"github.com/vmware/govmomi/vim25/types"
)

// shims replace the library's work for a task, by type of object and method; README.md has them as a table.
var shims = map[string]work{
	"VirtualMachine.CloneVM_Task":                             cloneMachine,
	"VirtualMachine.ReconfigVM_Task":                          reconfigureMachine,
	"VirtualMachine.Destroy_Task":                             destroyMachine,
	"VirtualMachine.PowerOnVM_Task":                           powerOn,
	"VirtualMachine.Rename_Task":                              renameEntity,
	"VirtualMachine.RelocateVM_Task":                          relocateMachine,
	"VirtualMachine.MigrateVM_Task":                           migrateMachine,
	"VirtualMachine.RemoveAllSnapshots_Task":                  removeAllSnapshots,
	"VirtualMachine.RevertToCurrentSnapshot_Task":             revertToCurrent,
	"VirtualMachineSnapshot.RemoveSnapshot_Task":              removeSnapshot,
	"VirtualMachineSnapshot.RevertToSnapshot_Task":            revertToSnapshot,
	"Folder.CreateVM_Task":                                    createMachine,
	"Folder.Destroy_Task":                                     destroyFolder,
	"DistributedVirtualPortgroup.Destroy_Task":                destroyPortgroup,
	"DistributedVirtualPortgroup.ReconfigureDVPortgroup_Task": reconfigurePortgroup,
	"DistributedVirtualSwitch.AddDVPortgroup_Task":            addPortgroupsTask,
	"DistributedVirtualSwitch.CreateDVPortgroup_Task":         createPortgroup,
	"VmwareDistributedVirtualSwitch.AddDVPortgroup_Task":      addPortgroupsTask,
	"VmwareDistributedVirtualSwitch.CreateDVPortgroup_Task":   createPortgroup,
	"VirtualDiskManager.CreateVirtualDisk_Task":               createDisk,
	"VirtualDiskManager.DeleteVirtualDisk_Task":               deleteDisk,
	"VirtualDiskManager.ExtendVirtualDisk_Task":               extendDisk,
	"VirtualDiskManager.CopyVirtualDisk_Task":                 copyDisk,
	"VirtualDiskManager.MoveVirtualDisk_Task":                 moveDisk,
	"HostDatastoreBrowser.SearchDatastore_Task":               searchFolder,
	"HostDatastoreBrowser.SearchDatastoreSubFolders_Task":     searchSubFolders,
}

// directs are shims for calls that start no task.
var directs = map[string]func(*VCenter, *simulator.Context, *simulator.Method) soap.HasFault{
	"Task.CancelTask":                                   (*VCenter).answerCancel,
	"Datastore.RefreshDatastore":                        (*VCenter).answerRefresh,
	"Datastore.RefreshDatastoreStorageInfo":             (*VCenter).answerRefresh,
	"VirtualMachine.MarkAsTemplate":                     (*VCenter).answerMarkTemplate,
	"VirtualMachine.MarkAsVirtualMachine":               (*VCenter).answerMarkMachine,
	"VirtualDiskManager.QueryVirtualDiskUuid":           (*VCenter).answerDiskUUID,
	"VirtualDiskManager.SetVirtualDiskUuid":             (*VCenter).answerSetDiskUUID,
	"PropertyCollector.RetrievePropertiesEx":            (*VCenter).answerRetrieve,
	"PropertyCollector.RetrieveProperties":              (*VCenter).answerRetrieve,
	"PropertyCollector.ContinueRetrievePropertiesEx":    (*VCenter).answerNextPage,
	"PropertyCollector.CancelRetrievePropertiesEx":      (*VCenter).answerCancelRetrieve,
	"PropertyCollector.CreateFilter":                    (*VCenter).answerCreateFilter,
	"PropertyCollector.WaitForUpdatesEx":                (*VCenter).answerWait,
	"PropertyCollector.WaitForUpdates":                  (*VCenter).answerWait,
	"PropertyCollector.CheckForUpdates":                 (*VCenter).answerWait,
	"PropertyCollector.CancelWaitForUpdates":            (*VCenter).answerCancelWait,
	"PropertyCollector.DestroyPropertyCollector":        (*VCenter).answerDestroyCollector,
	"PropertyFilter.DestroyPropertyFilter":              (*VCenter).answerDestroyFilter,
	"AuthorizationManager.HasPrivilegeOnEntity":         (*VCenter).answerPrivileges,
	"AuthorizationManager.HasPrivilegeOnEntities":       (*VCenter).answerPrivileges,
	"AuthorizationManager.HasUserPrivilegeOnEntities":   (*VCenter).answerPrivileges,
	"AuthorizationManager.FetchUserPrivilegeOnEntities": (*VCenter).answerPrivileges,
	"ServiceInstance.CurrentTime":                       (*VCenter).answerTime,
	"SessionManager.Logout":                             (*VCenter).answerLogout,
}

// passOn lets the library do the work of a task.
func passOn(j *job, m *simulator.Method) (types.AnyType, types.BaseMethodFault) {
	if m.This.Type == "FileManager" {
		defer j.vc.storage.recountAll()
	}
	return j.commit(func() (types.AnyType, types.BaseMethodFault) { return j.vc.invoke(j.ctx, m) })
}

// route says who answers a call.
func (vc *VCenter) route(m *simulator.Method) func(*simulator.Context, *simulator.Method) soap.HasFault {
	if direct, ok := directs[m.This.Type+"."+m.Name]; ok {
		return func(ctx *simulator.Context, m *simulator.Method) soap.HasFault { return direct(vc, ctx, m) }
	}
	switch {
	case isTask(m.Name):
		return vc.answerTask
	case changesInventory(m):
		return vc.answerChange
	}
	return vc.answerLibrary
}

// answerLibrary leaves a call to the library as it is, but survives its panics.
func (vc *VCenter) answerLibrary(ctx *simulator.Context, m *simulator.Method) soap.HasFault {
	if m.Name == "Fetch" {
		if manager, ok := vc.registry.Get(fetched(m.Body)).(*simulator.EventManager); ok {
			vc.showLatest(ctx, manager)
		}
	}
	body, fault := vc.invokeBody(ctx, m)
	if fault != nil {
		return refuse(fault, "")
	}
	return body
}

// answerTask starts a job, or refuses at once what has no object.
func (vc *VCenter) answerTask(ctx *simulator.Context, m *simulator.Method) soap.HasFault {
	if vc.object(ctx, m.This) == nil {
		return refuse(&types.ManagedObjectNotFound{Obj: m.This}, "The object has already been deleted or has not been completely created")
	}
	if bad := strayPath(m); bad != "" {
		return refuse(&types.InvalidDatastorePath{DatastorePath: bad}, "")
	}
	w, ok := shims[m.This.Type+"."+m.Name]
	if !ok {
		if !vc.implements(ctx, m) {
			return refuse(&types.MethodNotFound{Receiver: m.This, Method: m.Name}, "")
		}
		w = passOn
	}
	return vc.jobs.start(ctx, m, w)
}

// changesInventory tells calls that write without a task; they go one at a time.
func changesInventory(m *simulator.Method) bool {
	switch m.This.Type {
	case "VirtualMachine", "Folder", "ResourcePool", "VirtualApp", "Datacenter", "Datastore", "CustomFieldsManager",
		"ClusterComputeResource", "ComputeResource", "HostSystem", "Network", "DistributedVirtualPortgroup",
		"VmwareDistributedVirtualSwitch", "DistributedVirtualSwitch", "VirtualMachineSnapshot", "AuthorizationManager",
		"FileManager", "VirtualDiskManager", "DatastoreNamespaceManager":
		return true
	}
	return false
}

// answerChange lets the library do a write without a task, alone.
func (vc *VCenter) answerChange(ctx *simulator.Context, m *simulator.Method) soap.HasFault {
	if bad := strayPath(m); bad != "" {
		return refuse(&types.InvalidDatastorePath{DatastorePath: bad}, "")
	}
	vc.writer.Lock()
	defer vc.writer.Unlock()
	body, fault := vc.invokeBody(ctx, m)
	if fault != nil {
		return refuse(fault, "")
	}
	vc.journal.touch()
	vc.collectors.stir(concerned(m)...)
	return body
}

// concerned are the objects that a call changes: its own, and those that it names.
func concerned(m *simulator.Method) []types.ManagedObjectReference {
	refs := []types.ManagedObjectReference{m.This}
	body := reflect.Indirect(reflect.ValueOf(m.Body))
	if body.Kind() != reflect.Struct {
		return refs
	}
	for i := range body.NumField() {
		switch value := body.Field(i).Interface().(type) {
		case types.ManagedObjectReference:
			refs = append(refs, value)
		case *types.ManagedObjectReference:
			if value != nil {
				refs = append(refs, *value)
			}
		case []types.ManagedObjectReference:
			refs = append(refs, value...)
		}
	}
	return refs
}

// answerCancel follows Task.CancelTask of the vSphere Web Services API: only running tasks can be cancelled.
func (vc *VCenter) answerCancel(_ *simulator.Context, m *simulator.Method) soap.HasFault {
	if vc.registry.Get(m.This) == nil {
		return refuse(&types.ManagedObjectNotFound{Obj: m.This}, "")
	}
	if fault := vc.jobs.cancelTask(m.This); fault != nil {
		return refuse(fault, "The task is not running.")
	}
	return &methods.CancelTaskBody{Res: &types.CancelTaskResponse{}}
}
