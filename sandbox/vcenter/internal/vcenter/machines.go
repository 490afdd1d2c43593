package vcenter

import (
	"bytes"
	"crypto/rand"
	"fmt"
	"strings"

	"github.com/vmware/govmomi/object"
	"github.com/vmware/govmomi/simulator"
	"github.com/vmware/govmomi/vim25/mo"
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

func disksOf(devices []types.BaseVirtualDevice) []*types.VirtualDisk {
	var disks []*types.VirtualDisk
	for _, d := range devices {
		if disk, ok := d.(*types.VirtualDisk); ok {
			disks = append(disks, disk)
		}
	}
	return disks
}

func diskBytes(devices []types.BaseVirtualDevice) int64 {
	var total int64
	for _, disk := range disksOf(devices) {
		total += capacityOf(disk)
	}
	return total
}

func capacityOf(disk *types.VirtualDisk) int64 {
	if disk.CapacityInBytes > 0 {
		return disk.CapacityInBytes
	}
	return disk.CapacityInKB * 1024
}

// homeDatastore is where a machine's configuration file lies.
func (vc *VCenter) homeDatastore(vm *simulator.VirtualMachine) *simulator.Datastore {
	var path object.DatastorePath
	path.FromString(vm.Config.Files.VmPathName)
	return vc.datastoreNamed(path.Datastore)
}

// nameTaken refuses a name that the folder has, with --strict; a real vCenter always does.
func (vc *VCenter) nameTaken(folder *simulator.Folder, name string) types.BaseMethodFault {
	if !vc.settings.Strict {
		return nil
	}
	if taken := vc.registry.FindByName(name, folder.ChildEntity); taken != nil {
		return &types.DuplicateName{Name: name, Object: taken.Reference()}
	}
	return nil
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
	if vm.Runtime.PowerState != types.VirtualMachinePowerStatePoweredOff {
		_, _ = vc.invoke(ctx, &simulator.Method{Name: "PowerOffVM_Task", This: ref, Body: &types.PowerOffVM_Task{This: ref}})
	}
	_, _ = vc.destroy(ctx, vm)
}

// destroy removes a machine with its files.
func (vc *VCenter) destroy(ctx *simulator.Context, vm *simulator.VirtualMachine) (types.AnyType, types.BaseMethodFault) {
	ref := vm.Self
	return vc.invoke(ctx, &simulator.Method{Name: "Destroy_Task", This: ref, Body: &types.Destroy_Task{This: ref}})
}

// markTemplate also takes the machine out of its pool, which the library forgets.
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

var _ mo.Reference
