package vcenter

import (
	"bytes"
	"crypto/rand"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"strings"

	"github.com/google/uuid"
	"github.com/vmware/govmomi/object"
	"github.com/vmware/govmomi/simulator"
	"github.com/vmware/govmomi/vim25/types"
)

// deepCopy copies a vSphere data object by way of its JSON form, which keeps the concrete types.
func deepCopy[T any](value T) T {
	var buffer bytes.Buffer
	var result T
	if err := types.NewJSONEncoder(&buffer).Encode(value); err != nil {
		panic(err)
	}
	if err := types.NewJSONDecoder(&buffer).Decode(&result); err != nil {
		panic(err)
	}
	return result
}

// configOf reads a machine's configuration under its lock.
func (vc *VCenter) configOf(ctx *simulator.Context, vm *simulator.VirtualMachine) *types.VirtualMachineConfigInfo {
	var config *types.VirtualMachineConfigInfo
	ctx.WithLock(vm, func() { config = deepCopy(vm.Config) })
	return config
}

// attached is what the files need to know of a machine's disk.
type attached struct {
	file     string // datastore path of the descriptor
	capacity int64  // bytes
	uuid     string
}

// disksOf reads a machine's disks under its lock, in the order of its devices.
func (vc *VCenter) disksOf(ctx *simulator.Context, vm *simulator.VirtualMachine) []attached {
	var disks []attached
	ctx.WithLock(vm, func() { disks = disksAmong(vm.Config.Hardware.Device) })
	return disks
}

func disksAmong(devices []types.BaseVirtualDevice) []attached {
	var disks []attached
	for _, d := range devices {
		disk, ok := d.(*types.VirtualDisk)
		if !ok {
			continue
		}
		a := attached{file: backingFile(disk), capacity: capacityOf(disk)}
		if backing, ok := disk.Backing.(*types.VirtualDiskFlatVer2BackingInfo); ok {
			a.uuid = backing.Uuid
		}
		disks = append(disks, a)
	}
	return disks
}

func capacityOf(disk *types.VirtualDisk) int64 {
	if disk.CapacityInBytes > 0 {
		return disk.CapacityInBytes
	}
	return disk.CapacityInKB * 1024
}

// homeDatastore is where a machine's configuration file lies.
func (vc *VCenter) homeDatastore(vm *simulator.VirtualMachine) *simulator.Datastore {
	return vc.datastoreOf(vm.Config.Files.VmPathName)
}

// datastoreOf is the datastore of a path such as "[nvme-a] web/web.vmx".
func (vc *VCenter) datastoreOf(name string) *simulator.Datastore {
	var p object.DatastorePath
	p.FromString(name)
	return vc.datastoreNamed(p.Datastore)
}

// createMachine follows Folder.CreateVM_Task. The library's own picks any host, may shuffle the cluster's list of hosts
// while it does, derives UUIDs from the path, and does not look at the space.
func createMachine(j *job, m *simulator.Method) (types.AnyType, types.BaseMethodFault) {
	vc, req := j.vc, m.Body.(*types.CreateVM_Task)
	folder, ok := vc.registry.Get(req.This).(*simulator.Folder)
	if !ok {
		return nil, &types.ManagedObjectNotFound{Obj: req.This}
	}
	spec := &req.Config
	if spec.Files == nil || vc.datastoreOf(spec.Files.VmPathName) == nil {
		return nil, &types.InvalidVmConfig{Property: "configSpec.files.vmPathName"}
	}
	if leadsOut(spec.Files.VmPathName) {
		return nil, &types.InvalidDatastorePath{DatastorePath: spec.Files.VmPathName}
	}
	home := vc.datastoreOf(spec.Files.VmPathName)
	if _, fault := vc.place(req.Pool, req.Host, home); fault != nil {
		return nil, fault
	}
	needs, fault := vc.completeDevices(j.ctx, home, nil, spec.DeviceChange)
	if fault != nil {
		return nil, fault
	}
	release, fault := vc.promiseAll(needs)
	if fault != nil {
		return nil, fault
	}
	defer release()
	if spec.Uuid == "" {
		spec.Uuid = uuid.NewString()
	}
	if spec.InstanceUuid == "" {
		spec.InstanceUuid = uuid.NewString()
	}
	if home.Summary.Type == "vsan" { // its folders are objects with a UUID, which the server names
		spec.Files.VmPathName = "[" + home.Name + "] " + plain(spec.Name)
	}
	result, fault := j.commit(func() (types.AnyType, types.BaseMethodFault) {
		// once more, now that nobody else places: so that machines made at once are spread
		place, fault := vc.place(req.Pool, req.Host, home)
		if fault != nil {
			return nil, fault
		}
		req.Host = &place.host.Self
		vc.assignMACs(spec.DeviceChange)
		return vc.createNamed(j.ctx, folder, req)
	})
	if fault != nil {
		return nil, fault
	}
	ref := result.(types.ManagedObjectReference)
	defer vc.journal.complete(ref)
	if fault := vc.settle(j.ctx, vc.registry.Get(ref).(*simulator.VirtualMachine)); fault != nil {
		vc.discard(j.ctx, ref)
		return nil, fault
	}
	return ref, nil
}

// powerOn follows VirtualMachine.PowerOnVM_Task: a disk that another running machine has is locked.
func powerOn(j *job, m *simulator.Method) (types.AnyType, types.BaseMethodFault) {
	vm, ok := j.vc.registry.Get(m.This).(*simulator.VirtualMachine)
	if !ok {
		return nil, &types.ManagedObjectNotFound{Obj: m.This}
	}
	return j.commit(func() (types.AnyType, types.BaseMethodFault) {
		if vm.Runtime.PowerState != types.VirtualMachinePowerStatePoweredOn {
			for _, disk := range j.vc.disksOf(j.ctx, vm) {
				if disk.file != "" && j.vc.runs(disk.file) {
					return nil, &types.FileLocked{FileFault: types.FileFault{File: disk.file}}
				}
			}
		}
		return j.vc.invoke(j.ctx, m)
	})
}

// destroyMachine follows VirtualMachine.Destroy_Task: it deletes the machine's own files, the disks attached to it
// among them, and nothing else that lies in its folder. The library deletes the whole folder, some time later.
func destroyMachine(j *job, m *simulator.Method) (types.AnyType, types.BaseMethodFault) {
	vm, ok := j.vc.registry.Get(m.This).(*simulator.VirtualMachine)
	if !ok {
		return nil, &types.ManagedObjectNotFound{Obj: m.This}
	}
	_, fault := j.commit(func() (types.AnyType, types.BaseMethodFault) { return nil, j.vc.destroy(j.ctx, vm) })
	if fault == nil {
		j.vc.storage.recountAll()
		j.vc.showEffects(j.ctx)
	}
	return nil, fault
}

// destroy removes a machine with its files; the caller holds vc.writer, and counts the free space afterwards.
func (vc *VCenter) destroy(ctx *simulator.Context, vm *simulator.VirtualMachine) types.BaseMethodFault {
	elsewhere := vc.filesOfOthers(vm)
	folder := vc.folderOf(vm.Config.Files.VmPathName)
	var files []diskFile
	for _, disk := range vc.disksOf(ctx, vm) {
		if elsewhere[disk.file] {
			continue
		}
		if _, pending := vc.unwritten.take(disk.file); pending {
			continue // it has no files yet
		}
		if file, fault := vc.openDisk(ctx, disk.file); fault == nil {
			files = append(files, file)
		}
	}
	container := option(vm.Config.ExtraConfig, simulator.ContainerBackingOptionKey) != ""
	if _, fault := vc.invoke(ctx, &simulator.Method{Name: "UnregisterVM", This: vm.Self,
		Body: &types.UnregisterVM{This: vm.Self}}); fault != nil {
		return fault
	}
	if container { // its container goes with the library's own Destroy, which now finds the machine unregistered
		_ = vm.DestroyTask(ctx, &types.Destroy_Task{This: vm.Self})
	}
	for _, file := range files {
		_ = os.Remove(file.flat) // a file that is gone already needs no removal
		_ = os.Remove(file.descriptor)
	}
	removeOwnFiles(folder)
	return nil
}

// filesOfOthers are the disks attached to other machines.
func (vc *VCenter) filesOfOthers(vm *simulator.VirtualMachine) map[string]bool {
	files := map[string]bool{}
	for _, e := range vc.registry.All("VirtualMachine") {
		other := e.(*simulator.VirtualMachine)
		if other.Self == vm.Self {
			continue
		}
		for _, disk := range disksAmong(other.Config.Hardware.Device) {
			files[disk.file] = true
		}
	}
	return files
}

// folderOf is the local folder behind a machine's configuration file.
func (vc *VCenter) folderOf(vmx string) string {
	var p object.DatastorePath
	p.FromString(vmx)
	ds := vc.datastoreNamed(p.Datastore)
	if ds == nil || path.Dir(p.Path) == "." {
		return ""
	}
	return vc.localPath(ds, path.Dir(p.Path))
}

// removeOwnFiles deletes a machine's configuration, logs and swap, and the folder when nothing else is in it.
func removeOwnFiles(folder string) {
	if folder == "" {
		return
	}
	entries, err := os.ReadDir(folder)
	if err != nil {
		return
	}
	for _, entry := range entries {
		switch filepath.Ext(entry.Name()) {
		case ".vmx", ".nvram", ".log", ".vswp", ".vmsd", ".vmsn", ".vmem", ".vmss":
			_ = os.Remove(filepath.Join(folder, entry.Name()))
		}
	}
	_ = os.Remove(folder) // fails, as it should, when something is left
}

// assignMACs gives new network cards an address of the range that vCenter assigns from. The library derives one from
// three hexadecimal digits of the machine's UUID, so that a few hundred machines share addresses.
func (vc *VCenter) assignMACs(changes []types.BaseVirtualDeviceConfigSpec) {
	var taken map[string]bool
	for _, change := range changes {
		spec := change.GetVirtualDeviceConfigSpec()
		card, ok := spec.Device.(types.BaseVirtualEthernetCard)
		if !ok || spec.Operation != types.VirtualDeviceConfigSpecOperationAdd || card.GetVirtualEthernetCard().MacAddress != "" {
			continue
		}
		if taken == nil {
			taken = vc.macs()
		}
		nic := card.GetVirtualEthernetCard()
		nic.AddressType = string(types.VirtualEthernetCardMacTypeAssigned)
		for nic.MacAddress == "" || taken[nic.MacAddress] {
			tail := make([]byte, 3)
			_, _ = rand.Read(tail)
			nic.MacAddress = fmt.Sprintf("00:50:56:%02x:%02x:%02x", 0x80|tail[0]&0x3f, tail[1], tail[2])
		}
		taken[nic.MacAddress] = true
	}
}

func (vc *VCenter) macs() map[string]bool {
	taken := map[string]bool{}
	for _, e := range vc.registry.All("VirtualMachine") {
		vm := e.(*simulator.VirtualMachine)
		for _, d := range vm.Config.Hardware.Device {
			if card, ok := d.(types.BaseVirtualEthernetCard); ok {
				taken[strings.ToLower(card.GetVirtualEthernetCard().MacAddress)] = true
			}
		}
	}
	return taken
}

// discard takes away a machine that was not completed.
func (vc *VCenter) discard(ctx *simulator.Context, ref types.ManagedObjectReference) {
	vc.writer.Lock()
	defer vc.writer.Unlock()
	vm, ok := vc.registry.Get(ref).(*simulator.VirtualMachine)
	if !ok {
		return
	}
	defer vc.storage.recountAll()
	if vm.Runtime.PowerState != types.VirtualMachinePowerStatePoweredOff {
		_, _ = vc.invoke(ctx, &simulator.Method{Name: "PowerOffVM_Task", This: ref, Body: &types.PowerOffVM_Task{This: ref}})
	}
	_ = vc.destroy(ctx, vm)
}

// markTemplate also takes the machine out of its pool, which the library forgets; the caller holds vc.writer.
func (vc *VCenter) markTemplate(ctx *simulator.Context, vm *simulator.VirtualMachine) {
	if vm.ResourcePool != nil {
		if pool, ok := vc.registry.Get(*vm.ResourcePool).(*simulator.ResourcePool); ok {
			ctx.Map.RemoveReference(ctx, pool, &pool.Vm, vm.Self)
		}
	}
	ctx.WithLock(vm, func() {
		ctx.Update(vm, []types.PropertyChange{
			{Name: "config.template", Val: true}, {Name: "summary.config.template", Val: true},
		})
		vm.ResourcePool = nil
	})
}
