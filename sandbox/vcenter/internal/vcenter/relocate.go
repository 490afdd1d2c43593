package vcenter

import (
	"fmt"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/google/uuid"
	"github.com/vmware/govmomi/object"
	"github.com/vmware/govmomi/simulator"
	"github.com/vmware/govmomi/vim25/soap"
	"github.com/vmware/govmomi/vim25/types"
)

// relocateMachine follows VirtualMachine.RelocateVM_Task within one vCenter: host, pool, folder and datastores. The
// library's changes a few properties and leaves files, lists and paths as they were.
func relocateMachine(j *job, m *simulator.Method) (types.AnyType, types.BaseMethodFault) {
	vm, ok := j.vc.registry.Get(m.This).(*simulator.VirtualMachine)
	if !ok {
		return nil, &types.ManagedObjectNotFound{Obj: m.This}
	}
	return j.vc.relocate(j, vm, &m.Body.(*types.RelocateVM_Task).Spec)
}

// migrateMachine follows VirtualMachine.MigrateVM_Task, the older call for host and pool.
func migrateMachine(j *job, m *simulator.Method) (types.AnyType, types.BaseMethodFault) {
	req := m.Body.(*types.MigrateVM_Task)
	vm, ok := j.vc.registry.Get(m.This).(*simulator.VirtualMachine)
	if !ok {
		return nil, &types.ManagedObjectNotFound{Obj: m.This}
	}
	if req.State != "" && req.State != vm.Runtime.PowerState {
		return nil, &types.InvalidPowerState{RequestedState: req.State, ExistingState: vm.Runtime.PowerState}
	}
	return j.vc.relocate(j, vm, &types.VirtualMachineRelocateSpec{Pool: req.Pool, Host: req.Host})
}

// relocation is a machine on its way.
type relocation struct {
	vm     *simulator.VirtualMachine
	place  placement
	home   string // the new folder as a datastore path, empty when the configuration stays
	vmx    string
	moves  []diskMove
	folder *simulator.Folder
}

// diskMove is one disk that goes to another datastore.
type diskMove struct {
	key      int32
	from, to string // datastore paths of the descriptors
	ds       *simulator.Datastore
	capacity int64
}

func (vc *VCenter) relocate(j *job, vm *simulator.VirtualMachine, spec *types.VirtualMachineRelocateSpec) (types.AnyType, types.BaseMethodFault) {
	if spec.Service != nil {
		return nil, &types.NotSupported{} // another vCenter
	}
	r, fault := vc.planRelocation(j.ctx, vm, spec)
	if fault != nil {
		return nil, fault
	}
	needs := map[*simulator.Datastore]int64{}
	for _, move := range r.moves {
		needs[move.ds] += move.capacity
	}
	release, fault := vc.promiseAll(needs)
	if fault != nil {
		return nil, fault
	}
	defer release()
	for i, move := range r.moves {
		if fault := vc.copyDisk(j, move); fault != nil {
			vc.abandon(r.moves[:i+1])
			return nil, fault
		}
	}
	from := vc.whereabouts(vm)
	_, fault = j.commit(func() (types.AnyType, types.BaseMethodFault) { return nil, vc.arrive(j.ctx, r) })
	if fault != nil {
		vc.abandon(r.moves)
		return nil, fault
	}
	if len(spec.DeviceChange) > 0 {
		if _, fault := vc.reconfigure(j, vm, &types.VirtualMachineConfigSpec{DeviceChange: spec.DeviceChange}); fault != nil {
			return nil, fault
		}
	}
	if len(r.moves) > 0 {
		vc.storage.recountAll()
	}
	vc.showEffects(j.ctx)
	vc.refreshHostUsage()
	vc.announceRelocation(j.ctx, vm, from, len(r.moves) > 0 || r.home != "")
	return nil, nil
}

// planRelocation finds out where everything goes, and refuses what cannot be.
func (vc *VCenter) planRelocation(ctx *simulator.Context, vm *simulator.VirtualMachine, spec *types.VirtualMachineRelocateSpec) (*relocation, types.BaseMethodFault) {
	r := &relocation{vm: vm}
	home := vc.homeDatastore(vm)
	if spec.Datastore != nil {
		given, ok := vc.registry.Get(*spec.Datastore).(*simulator.Datastore)
		if !ok {
			return nil, &types.InvalidArgument{InvalidProperty: "spec.datastore"}
		}
		home = given
	}
	if spec.Folder != nil {
		folder, ok := vc.registry.Get(*spec.Folder).(*simulator.Folder)
		if !ok || !slices.Contains(folder.ChildType, "VirtualMachine") {
			return nil, &types.InvalidArgument{InvalidProperty: "spec.folder"}
		}
		if folder.Self != *vm.Parent {
			r.folder = folder
		}
	}
	pool := spec.Pool
	if pool == nil {
		pool = vm.ResourcePool
	}
	if pool == nil { // a template has none; its host's cluster decides
		if pool = vc.rootPool(vm); spec.Host != nil {
			pool = vc.rootPoolOf(*spec.Host)
		}
	}
	if pool == nil {
		return nil, &types.InvalidArgument{InvalidProperty: "spec.pool"}
	}
	host := spec.Host
	if hosts, ok := vc.hostsOf(*pool); host == nil && ok && slices.Contains(hosts, *vm.Runtime.Host) {
		host = vm.Runtime.Host // nothing asks it to leave
	}
	place, fault := vc.place(*pool, host, home)
	if fault != nil {
		return nil, fault
	}
	r.place = place
	if home != vc.homeDatastore(vm) {
		r.home = vc.freshFolder(home, vm.Name)
		r.vmx = r.home + "/" + path.Base(vm.Config.Files.VmPathName)
	}
	return r, vc.planDisks(ctx, r, spec, home)
}

// planDisks says which disks move: by their locators, else with the machine.
func (vc *VCenter) planDisks(ctx *simulator.Context, r *relocation, spec *types.VirtualMachineRelocateSpec, home *simulator.Datastore) types.BaseMethodFault {
	locators := map[int32]*simulator.Datastore{}
	for _, locator := range spec.Disk {
		ds, ok := vc.registry.Get(locator.Datastore).(*simulator.Datastore)
		if !ok {
			return &types.InvalidArgument{InvalidProperty: "spec.disk.datastore"}
		}
		locators[locator.DiskId] = ds
	}
	folders, taken := map[*simulator.Datastore]string{}, map[string]bool{}
	if r.home != "" {
		folders[home] = r.home
	}
	for _, device := range vc.configOf(ctx, r.vm).Hardware.Device {
		disk, ok := device.(*types.VirtualDisk)
		if !ok {
			continue
		}
		file := backingFile(disk)
		was, to := vc.datastoreOf(file), vc.datastoreOf(file)
		if spec.Datastore != nil {
			to = home
		}
		if ds := locators[disk.Key]; ds != nil {
			to = ds
		}
		delete(locators, disk.Key)
		if !slices.Contains(r.place.host.Datastore, to.Self) {
			return &types.InvalidDatastore{Datastore: &to.Self, Name: to.Name}
		}
		if to == was {
			continue
		}
		if folders[to] == "" {
			folders[to] = vc.freshFolder(to, r.vm.Name)
		}
		name := folders[to] + "/" + path.Base(file)
		for i := 1; taken[name]; i++ {
			name = fmt.Sprintf("%s/%s_%d.vmdk", folders[to], strings.TrimSuffix(path.Base(file), ".vmdk"), i)
		}
		taken[name] = true
		r.moves = append(r.moves, diskMove{key: disk.Key, from: file, to: name, ds: to, capacity: capacityOf(disk)})
	}
	if len(locators) > 0 {
		return &types.InvalidArgument{InvalidProperty: "spec.disk.diskId"}
	}
	return nil
}

// freshFolder names a folder on a datastore that is not there yet.
func (vc *VCenter) freshFolder(ds *simulator.Datastore, name string) string {
	if ds.Summary.Type == "vsan" {
		return "[" + ds.Name + "] " + uuid.NewString()
	}
	folder := plain(name)
	for i := 1; ; i++ {
		if _, err := os.Stat(vc.localPath(ds, folder)); os.IsNotExist(err) {
			return "[" + ds.Name + "] " + folder
		}
		folder = fmt.Sprintf("%s_%d", plain(name), i)
	}
}

// local is the file behind a datastore path.
func (vc *VCenter) local(name string) string {
	var p object.DatastorePath
	p.FromString(name)
	return vc.localPath(vc.datastoreNamed(p.Datastore), p.Path)
}

// copyDisk writes the disk anew on its other datastore.
func (vc *VCenter) copyDisk(j *job, move diskMove) types.BaseMethodFault {
	source, fault := vc.openDisk(j.ctx, move.from)
	if fault != nil {
		return fault
	}
	descriptor := vc.local(move.to)
	if err := os.MkdirAll(filepath.Dir(descriptor), 0o700); err != nil {
		return fileFault(move.to, err)
	}
	flat := simulator.VirtualDiskBackingFileName(descriptor)
	content := *source.content
	content.Extent = slices.Clone(content.Extent)
	content.Extent[0].Info = filepath.Base(flat)
	if fault := vc.registry.FileManager().SaveDiskDescriptor(j.ctx, &content, descriptor); fault != nil {
		return fault
	}
	file, err := os.OpenFile(flat, os.O_CREATE|os.O_RDWR, 0o600)
	if err == nil {
		err = file.Truncate(move.capacity)
		_ = file.Close()
	}
	if err != nil {
		return fileFault(move.to, err)
	}
	return copyBytes(j, source.flat, flat)
}

// abandon removes what was written for a relocation that did not happen.
func (vc *VCenter) abandon(moves []diskMove) {
	for _, move := range moves {
		descriptor := vc.local(move.to)
		_ = os.Remove(descriptor)
		_ = os.Remove(simulator.VirtualDiskBackingFileName(descriptor))
		_ = os.Remove(filepath.Dir(descriptor)) // fails, as it should, when something else is in it
	}
}

// arrive shows the machine where it is now; the caller holds vc.writer.
func (vc *VCenter) arrive(ctx *simulator.Context, r *relocation) types.BaseMethodFault {
	vm := r.vm
	if vc.registry.Get(vm.Self) == nil {
		return &types.ManagedObjectNotFound{Obj: vm.Self}
	}
	if r.folder != nil {
		if fault := vc.nameTaken(r.folder, unescaped(vm.Name)); fault != nil {
			return fault
		}
	}
	place, fault := vc.place(r.place.pool, &r.place.host.Self, r.place.datastore) // the host may have gone meanwhile
	if fault != nil {
		return fault
	}
	template := vm.Config.Template
	oldFolder := vc.folderOf(vm.Config.Files.VmPathName)
	vc.moveTo(ctx, vm, place)
	if template { // which is in no pool
		vc.markTemplate(ctx, vm)
	}
	if r.home != "" || len(r.moves) > 0 {
		vc.showFiles(ctx, r)
	}
	for _, move := range r.moves {
		if file, fault := vc.openDisk(ctx, move.from); fault == nil {
			_ = os.Remove(file.flat)
			_ = os.Remove(file.descriptor)
			_ = os.Remove(filepath.Dir(file.descriptor))
		}
	}
	if r.home != "" {
		removeOwnFiles(oldFolder)
	}
	if r.folder != nil {
		if _, fault := vc.invoke(ctx, &simulator.Method{Name: "MoveIntoFolder_Task", This: r.folder.Self,
			Body: &types.MoveIntoFolder_Task{This: r.folder.Self, List: []types.ManagedObjectReference{vm.Self}}}); fault != nil {
			return fault
		}
	}
	return nil
}

// showFiles puts the new paths into the machine's properties, and the machine into its datastores' lists.
func (vc *VCenter) showFiles(ctx *simulator.Context, r *relocation) {
	vm := r.vm
	if r.home != "" {
		local := vc.local(r.vmx)
		if os.MkdirAll(filepath.Dir(local), 0o700) == nil {
			_ = os.WriteFile(local, nil, 0o600)
		}
	}
	old := slices.Clone(vm.Datastore)
	var now []types.ManagedObjectReference
	ctx.WithLock(vm, func() {
		config := *vm.Config
		if r.home != "" {
			config.Files = types.VirtualMachineFileInfo{VmPathName: r.vmx, SnapshotDirectory: r.home, SuspendDirectory: r.home, LogDirectory: r.home}
		}
		home := vc.datastoreOf(config.Files.VmPathName)
		now = append(now, home.Self)
		config.DatastoreUrl = []types.VirtualMachineConfigInfoDatastoreUrlPair{{Name: home.Name, Url: home.Summary.Url}}
		config.Hardware.Device = slices.Clone(config.Hardware.Device)
		for i, device := range config.Hardware.Device {
			disk, ok := device.(*types.VirtualDisk)
			if !ok {
				continue
			}
			if k := slices.IndexFunc(r.moves, func(m diskMove) bool { return m.key == disk.Key }); k >= 0 {
				config.Hardware.Device[i] = rebased(disk, r.moves[k])
			}
			if ds := vc.datastoreOf(backingFile(config.Hardware.Device[i].(*types.VirtualDisk))); ds != nil && !slices.Contains(now, ds.Self) {
				now = append(now, ds.Self)
				config.DatastoreUrl = append(config.DatastoreUrl, types.VirtualMachineConfigInfoDatastoreUrlPair{Name: ds.Name, Url: ds.Summary.Url})
			}
		}
		vm.LayoutEx.File = slices.DeleteFunc(slices.Clone(vm.LayoutEx.File), func(f types.VirtualMachineFileLayoutExFileInfo) bool {
			return strings.HasSuffix(f.Name, ".vmdk") || r.home != ""
		})
		ctx.Update(vm, []types.PropertyChange{
			{Name: "config", Val: &config}, {Name: "summary.config.vmPathName", Val: config.Files.VmPathName}, {Name: "datastore", Val: now},
		})
	})
	for _, ref := range old {
		if ds, ok := vc.registry.Get(ref).(*simulator.Datastore); ok && !slices.Contains(now, ref) {
			ctx.Map.RemoveReference(ctx, ds, &ds.Vm, vm.Self)
		}
	}
	for _, ref := range now {
		if ds, ok := vc.registry.Get(ref).(*simulator.Datastore); ok {
			ctx.Map.AddReference(ctx, ds, &ds.Vm, vm.Self)
		}
	}
	_, _ = vc.protected(ctx, "RefreshStorageInfo", func() (body soap.HasFault) {
		ctx.WithLock(vm, func() { body = vm.RefreshStorageInfo(ctx, &types.RefreshStorageInfo{This: vm.Self}) })
		return body
	})
}

// rebased is a disk with its new file.
func rebased(disk *types.VirtualDisk, move diskMove) *types.VirtualDisk {
	moved := *disk
	if backing, ok := disk.Backing.(*types.VirtualDiskFlatVer2BackingInfo); ok {
		b := *backing
		b.FileName, b.Datastore = move.to, &move.ds.Self
		moved.Backing = &b
	}
	return &moved
}

func (vc *VCenter) rootPoolOf(host types.ManagedObjectReference) *types.ManagedObjectReference {
	h, ok := vc.registry.Get(host).(*simulator.HostSystem)
	if !ok {
		return nil
	}
	if cluster, ok := vc.registry.Get(*h.Parent).(*simulator.ClusterComputeResource); ok {
		return cluster.ResourcePool
	}
	return nil
}
