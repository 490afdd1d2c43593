package vcenter

import (
	"strings"

	"github.com/vmware/govmomi/object"
	"github.com/vmware/govmomi/simulator"
	"github.com/vmware/govmomi/vim25/types"
)

// need is a privilege on an object, as the vSphere Web Services API reference names them under each method and, for
// specifications, under each of their properties.
type need struct {
	on        types.ManagedObjectReference
	privilege string
}

// simpleNeeds are the privileges that a call needs on its own object, by type and method.
var simpleNeeds = map[string]string{
	"VirtualMachine.PowerOnVM_Task":                           "VirtualMachine.Interact.PowerOn",
	"VirtualMachine.PowerOffVM_Task":                          "VirtualMachine.Interact.PowerOff",
	"VirtualMachine.SuspendVM_Task":                           "VirtualMachine.Interact.Suspend",
	"VirtualMachine.ResetVM_Task":                             "VirtualMachine.Interact.Reset",
	"VirtualMachine.ShutdownGuest":                            "VirtualMachine.Interact.PowerOff",
	"VirtualMachine.RebootGuest":                              "VirtualMachine.Interact.Reset",
	"VirtualMachine.StandbyGuest":                             "VirtualMachine.Interact.Suspend",
	"VirtualMachine.Destroy_Task":                             "VirtualMachine.Inventory.Delete",
	"VirtualMachine.UnregisterVM":                             "VirtualMachine.Inventory.Unregister",
	"VirtualMachine.Rename_Task":                              "VirtualMachine.Config.Rename",
	"VirtualMachine.MarkAsTemplate":                           "VirtualMachine.Provisioning.MarkAsTemplate",
	"VirtualMachine.MarkAsVirtualMachine":                     "VirtualMachine.Provisioning.MarkAsVM",
	"VirtualMachine.CustomizeVM_Task":                         "VirtualMachine.Provisioning.Customize",
	"VirtualMachine.UpgradeVM_Task":                           "VirtualMachine.Config.UpgradeVirtualHardware",
	"VirtualMachine.CreateSnapshot_Task":                      "VirtualMachine.State.CreateSnapshot",
	"VirtualMachine.CreateSnapshotEx_Task":                    "VirtualMachine.State.CreateSnapshot",
	"VirtualMachine.RemoveAllSnapshots_Task":                  "VirtualMachine.State.RemoveSnapshot",
	"VirtualMachine.RevertToCurrentSnapshot_Task":             "VirtualMachine.State.RevertToSnapshot",
	"VirtualMachineSnapshot.RemoveSnapshot_Task":              "VirtualMachine.State.RemoveSnapshot",
	"VirtualMachineSnapshot.RevertToSnapshot_Task":            "VirtualMachine.State.RevertToSnapshot",
	"VirtualMachineSnapshot.RenameSnapshot":                   "VirtualMachine.State.RenameSnapshot",
	"Folder.CreateFolder":                                     "Folder.Create",
	"Folder.Destroy_Task":                                     "Folder.Delete",
	"Folder.Rename_Task":                                      "Folder.Rename",
	"Folder.CreateClusterEx":                                  "Host.Inventory.CreateCluster",
	"Folder.CreateDVS_Task":                                   "DVSwitch.Create",
	"Folder.CreateDatacenter":                                 "Datacenter.Create",
	"DistributedVirtualPortgroup.Destroy_Task":                "DVPortgroup.Delete",
	"DistributedVirtualPortgroup.ReconfigureDVPortgroup_Task": "DVPortgroup.Modify",
	"DistributedVirtualSwitch.AddDVPortgroup_Task":            "DVPortgroup.Create",
	"DistributedVirtualSwitch.CreateDVPortgroup_Task":         "DVPortgroup.Create",
	"VmwareDistributedVirtualSwitch.AddDVPortgroup_Task":      "DVPortgroup.Create",
	"VmwareDistributedVirtualSwitch.CreateDVPortgroup_Task":   "DVPortgroup.Create",
	"ResourcePool.CreateResourcePool":                         "Resource.CreatePool",
	"ResourcePool.UpdateConfig":                               "Resource.EditPool",
	"ResourcePool.Destroy_Task":                               "Resource.DeletePool",
	"ResourcePool.ImportVApp":                                 "VApp.Import",
	"CustomFieldsManager.AddCustomFieldDef":                   "Global.ManageCustomFields",
	"CustomFieldsManager.RemoveCustomFieldDef":                "Global.ManageCustomFields",
	"CustomFieldsManager.RenameCustomFieldDef":                "Global.ManageCustomFields",
	"EventManager.PostEvent":                                  "Global.LogEvent",
	"EventManager.LogUserEvent":                               "Global.LogEvent",
	"AuthorizationManager.AddAuthorizationRole":               "Authorization.ModifyRoles",
	"AuthorizationManager.UpdateAuthorizationRole":            "Authorization.ModifyRoles",
	"AuthorizationManager.RemoveAuthorizationRole":            "Authorization.ModifyRoles",
	"AuthorizationManager.SetEntityPermissions":               "Authorization.ModifyPermissions",
	"AuthorizationManager.RemoveEntityPermission":             "Authorization.ModifyPermissions",
	"Datastore.Rename_Task":                                   "Datastore.Rename",
	"Datastore.Destroy_Task":                                  "Datastore.Delete",
	"SessionManager.TerminateSession":                         "Sessions.TerminateSession",
	"ServiceInstance.UpdateServiceMessage":                    "Sessions.GlobalMessage",
}

// otherwise is what writing calls need that the table does not name, so that nobody who may only look can write.
var otherwise = map[string]string{
	"VirtualMachine": "VirtualMachine.Config.Settings", "VirtualMachineSnapshot": "VirtualMachine.State.RevertToSnapshot",
	"Folder": "Folder.Move", "ResourcePool": "Resource.EditPool", "VirtualApp": "VApp.ApplicationConfig",
	"Datacenter": "Datacenter.Reconfigure", "Datastore": "Datastore.Config", "HostSystem": "Host.Config.Settings",
	"ClusterComputeResource": "Host.Inventory.EditCluster", "ComputeResource": "Host.Inventory.EditCluster",
	"Network": "Network.Config", "DistributedVirtualPortgroup": "DVPortgroup.Modify",
	"VmwareDistributedVirtualSwitch": "DVSwitch.Modify", "DistributedVirtualSwitch": "DVSwitch.Modify",
	"CustomFieldsManager": "Global.ManageCustomFields", "AuthorizationManager": "Authorization.ModifyRoles",
}

// reading are the beginnings of the names of calls that change nothing.
var reading = []string{"Query", "Retrieve", "Fetch", "Has", "Find", "Check", "Validate", "Refresh", "Reload", "Get", "List",
	"Search", "Lookup", "Estimate", "Recommend", "Acquire"}

// knownPrivileges are names that the library's administrator does not have.
var knownPrivileges = []string{"StorageProfile.View", "StorageProfile.Update", "DVPortgroup.Create", "DVPortgroup.Delete", "DVPortgroup.Modify",
	"DVSwitch.Create", "DVSwitch.Modify", "Datastore.FileManagement", "Folder.Create", "Folder.Delete", "VirtualMachine.Config.Annotation",
	"InventoryService.Tagging.AttachTag", "InventoryService.Tagging.CreateTag", "Authorization.ModifyRoles", "Global.LogEvent"}

// needs lists the privileges for a call; calls that only read need none.
func (vc *VCenter) needs(ctx *simulator.Context, m *simulator.Method) []need {
	n := &needing{vc: vc, ctx: ctx, m: m}
	switch req := m.Body.(type) {
	case *types.CloneVM_Task:
		n.clone(req)
	case *types.CreateVM_Task:
		n.create(req)
	case *types.ReconfigVM_Task:
		n.config(m.This, &req.Spec)
	case *types.RelocateVM_Task:
		n.relocate(&req.Spec)
	case *types.MoveIntoFolder_Task:
		for _, ref := range req.List {
			n.add(ref, map[string]string{"VirtualMachine": "VirtualMachine.Inventory.Move", "Folder": "Folder.Move"}[ref.Type])
		}
		n.add(m.This, "Folder.Move")
	case *types.RegisterVM_Task:
		n.add(m.This, "VirtualMachine.Inventory.Register")
		n.pointer(req.Pool, "Resource.AssignVMToPool")
	case *types.MarkAsVirtualMachine:
		n.add(m.This, simpleNeeds["VirtualMachine.MarkAsVirtualMachine"])
		n.add(req.Pool, "Resource.AssignVMToPool")
	case *types.SetField:
		n.add(req.Entity, "Global.SetCustomField")
	case *types.SearchDatastore_Task:
		n.datastore(req.DatastorePath, "Datastore.Browse")
	case *types.SearchDatastoreSubFolders_Task:
		n.datastore(req.DatastorePath, "Datastore.Browse")
	default:
		n.simple()
	}
	return n.list
}

type needing struct {
	vc   *VCenter
	ctx  *simulator.Context
	m    *simulator.Method
	list []need
}

func (n *needing) add(on types.ManagedObjectReference, privilege string) {
	if privilege != "" {
		n.list = append(n.list, need{on, privilege})
	}
}

func (n *needing) pointer(on *types.ManagedObjectReference, privilege string) {
	if on != nil {
		n.add(*on, privilege)
	}
}

// datastore needs something on the datastore of a path.
func (n *needing) datastore(path, privilege string) {
	if ds := n.vc.datastoreOf(path); ds != nil {
		n.add(ds.Self, privilege)
	} else {
		n.add(n.vc.datacenter().Self, privilege)
	}
}

func (n *needing) simple() {
	this := n.m.This
	on := this
	if s, ok := n.vc.registry.Get(this).(*simulator.VirtualMachineSnapshot); ok {
		on = s.Vm
	}
	switch this.Type {
	case "AuthorizationManager", "CustomFieldsManager", "EventManager", "SessionManager", "ServiceInstance":
		on = n.vc.service.Context.Map.Get(types.ManagedObjectReference{Type: "ServiceInstance", Value: "ServiceInstance"}).(*simulator.ServiceInstance).Content.RootFolder
	case "FileManager", "VirtualDiskManager", "DatastoreNamespaceManager":
		if !reads(n.m.Name) {
			for _, path := range pathsOf(n.m) {
				n.datastore(path, "Datastore.FileManagement")
			}
		}
		return
	}
	if privilege, ok := simpleNeeds[this.Type+"."+n.m.Name]; ok {
		n.add(on, privilege)
		return
	}
	if (isTask(n.m.Name) || changesInventory(n.m)) && !reads(n.m.Name) {
		n.add(on, otherwise[this.Type])
	}
}

func reads(method string) bool {
	for _, prefix := range reading {
		if strings.HasPrefix(method, prefix) {
			return true
		}
	}
	return false
}

func (n *needing) clone(req *types.CloneVM_Task) {
	source, ok := n.vc.registry.Get(req.This).(*simulator.VirtualMachine)
	if !ok {
		return
	}
	template := source.Config.Template
	switch {
	case template && req.Spec.Template:
		n.add(req.This, "VirtualMachine.Provisioning.CloneTemplate")
	case template:
		n.add(req.This, "VirtualMachine.Provisioning.DeployTemplate")
	case req.Spec.Template:
		n.add(req.This, "VirtualMachine.Provisioning.CreateTemplateFromVM")
	default:
		n.add(req.This, "VirtualMachine.Provisioning.Clone")
	}
	n.add(req.Folder, "VirtualMachine.Inventory.CreateFromExisting")
	n.pointer(req.Spec.Location.Pool, "Resource.AssignVMToPool")
	if req.Spec.Location.Datastore != nil {
		n.pointer(req.Spec.Location.Datastore, "Datastore.AllocateSpace")
	} else {
		n.datastore(source.Config.Files.VmPathName, "Datastore.AllocateSpace")
	}
	if req.Spec.Customization != nil {
		n.add(req.This, "VirtualMachine.Provisioning.Customize")
	}
	n.devices(req.Folder, req.Spec.Location.DeviceChange)
	if req.Spec.Config != nil {
		n.config(req.Folder, req.Spec.Config)
	}
	if req.Spec.PowerOn {
		n.add(req.Folder, "VirtualMachine.Interact.PowerOn")
	}
}

func (n *needing) create(req *types.CreateVM_Task) {
	n.add(req.This, "VirtualMachine.Inventory.Create")
	n.add(req.Pool, "Resource.AssignVMToPool")
	if req.Config.Files != nil {
		n.datastore(req.Config.Files.VmPathName, "Datastore.AllocateSpace")
	}
	n.devices(req.This, req.Config.DeviceChange)
}

func (n *needing) relocate(spec *types.VirtualMachineRelocateSpec) {
	vm, ok := n.vc.registry.Get(n.m.This).(*simulator.VirtualMachine)
	if !ok {
		return
	}
	if vm.Runtime.PowerState == types.VirtualMachinePowerStatePoweredOn {
		n.add(n.m.This, "Resource.HotMigrate")
	} else {
		n.add(n.m.This, "Resource.ColdMigrate")
	}
	n.pointer(spec.Pool, "Resource.AssignVMToPool")
	n.pointer(spec.Datastore, "Datastore.AllocateSpace")
	if spec.Folder != nil {
		n.add(n.m.This, "VirtualMachine.Inventory.Move")
		n.pointer(spec.Folder, "VirtualMachine.Inventory.Move")
	}
	n.devices(n.m.This, spec.DeviceChange)
}

// config needs what the properties of a VirtualMachineConfigSpec that are set say.
func (n *needing) config(on types.ManagedObjectReference, spec *types.VirtualMachineConfigSpec) {
	for _, part := range []struct {
		set       bool
		privilege string
	}{
		{spec.Name != "", "VirtualMachine.Config.Rename"},
		{spec.Annotation != "", "VirtualMachine.Config.Annotation"},
		{spec.NumCPUs != 0 || spec.NumCoresPerSocket != nil, "VirtualMachine.Config.CPUCount"},
		{spec.MemoryMB != 0, "VirtualMachine.Config.Memory"},
		{len(spec.ExtraConfig) > 0, "VirtualMachine.Config.AdvancedConfig"},
		{spec.CpuAllocation != nil || spec.MemoryAllocation != nil, "VirtualMachine.Config.Resource"},
		{spec.ManagedBy != nil, "VirtualMachine.Config.ManagedBy"},
		{spec.ChangeTrackingEnabled != nil, "VirtualMachine.Config.ChangeTracking"},
		{spec.GuestId != "" || spec.Uuid != "" || spec.InstanceUuid != "" || spec.Flags != nil || spec.Tools != nil || spec.BootOptions != nil ||
			spec.PowerOpInfo != nil, "VirtualMachine.Config.Settings"},
	} {
		if part.set {
			n.add(on, part.privilege)
		}
	}
	n.devices(on, spec.DeviceChange)
}

func (n *needing) devices(on types.ManagedObjectReference, changes []types.BaseVirtualDeviceConfigSpec) {
	var existing object.VirtualDeviceList
	if vm, ok := n.vc.registry.Get(n.m.This).(*simulator.VirtualMachine); ok {
		n.ctx.WithLock(vm, func() { existing = append(existing, vm.Config.Hardware.Device...) })
	}
	for _, change := range changes {
		spec := change.GetVirtualDeviceConfigSpec()
		if spec.Device == nil {
			continue
		}
		switch device := spec.Device.(type) {
		case *types.VirtualDisk:
			n.disk(on, spec, device, existing)
		case types.BaseVirtualEthernetCard:
			n.card(on, spec, device)
		default:
			n.device(on, spec.Operation)
		}
	}
}

func (n *needing) device(on types.ManagedObjectReference, operation types.VirtualDeviceConfigSpecOperation) {
	if operation == types.VirtualDeviceConfigSpecOperationEdit {
		n.add(on, "VirtualMachine.Config.EditDevice")
	} else {
		n.add(on, "VirtualMachine.Config.AddRemoveDevice")
	}
}

func (n *needing) disk(on types.ManagedObjectReference, spec *types.VirtualDeviceConfigSpec, disk *types.VirtualDisk, existing object.VirtualDeviceList) {
	switch {
	case spec.Operation == types.VirtualDeviceConfigSpecOperationRemove:
		n.add(on, "VirtualMachine.Config.RemoveDisk")
	case spec.Operation == types.VirtualDeviceConfigSpecOperationEdit:
		old, ok := existing.FindByKey(disk.Key).(*types.VirtualDisk)
		if ok && capacityOf(disk) > capacityOf(old) {
			n.add(on, "VirtualMachine.Config.DiskExtend")
		} else {
			n.add(on, "VirtualMachine.Config.EditDevice")
		}
	case spec.FileOperation == "":
		n.add(on, "VirtualMachine.Config.AddExistingDisk")
	default:
		n.add(on, "VirtualMachine.Config.AddNewDisk")
		if file := backingFile(disk); n.vc.datastoreOf(file) != nil {
			n.datastore(file, "Datastore.AllocateSpace")
		}
	}
}

func (n *needing) card(on types.ManagedObjectReference, spec *types.VirtualDeviceConfigSpec, device types.BaseVirtualEthernetCard) {
	n.device(on, spec.Operation)
	if spec.Operation == types.VirtualDeviceConfigSpecOperationRemove {
		return
	}
	if network := n.vc.networkOfCard(device.GetVirtualEthernetCard().Backing); network != nil {
		n.add(*network, "Network.Assign")
	}
}
