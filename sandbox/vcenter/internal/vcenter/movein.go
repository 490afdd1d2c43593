package vcenter

import (
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"

	"github.com/google/uuid"
	"github.com/vmware/govmomi/object"
	"github.com/vmware/govmomi/simulator"
	"github.com/vmware/govmomi/vim25/types"
)

// moveIn creates the flavour's folders, templates and machines; only the first start does it.
func (vc *VCenter) moveIn() error {
	b := &builder{vc: vc, ctx: vc.context(), dc: vc.datacenter()}
	folders := map[string]*simulator.Folder{"": vc.registry.Get(b.dc.VmFolder).(*simulator.Folder)}
	for _, name := range vc.settings.Flavour.Folders {
		above, last := folderOfPath(name)
		parent := folders[above]
		if parent == nil {
			return fmt.Errorf("folder %q stands before the one that it lies in", name)
		}
		ref := b.must(parent.CreateFolder(b.ctx, &types.CreateFolder{This: parent.Self, Name: last}))
		if b.err != nil {
			return b.err
		}
		folders[name] = vc.registry.Get(ref).(*simulator.Folder)
	}
	for _, plan := range vc.settings.Flavour.Templates {
		if vm := b.machine(folders, plan); vm != nil {
			vc.markTemplate(b.ctx, vm)
		}
	}
	for _, plan := range vc.settings.Flavour.Machines {
		vm := b.machine(folders, plan)
		if vm == nil || plan.Off {
			continue
		}
		b.must(vm.PowerOnVMTask(b.ctx, &types.PowerOnVM_Task{This: vm.Self}))
	}
	b.crowds(folders)
	return b.err
}

// machine creates one planned machine, powered off.
func (b *builder) machine(folders map[string]*simulator.Folder, plan MachinePlan) *simulator.VirtualMachine {
	folder := folders[plan.Folder]
	if b.err == nil && folder == nil {
		b.err = fmt.Errorf("%s: the flavour has no folder %q", plan.Name, plan.Folder)
	}
	cluster := b.cluster(plan.Cluster)
	if b.err != nil {
		return nil
	}
	ds := b.vc.datastoreNamed(plan.Datastore)
	place, fault := b.vc.place(b.pool(cluster, plan.Pool), nil, ds)
	if fault != nil {
		b.err = fmt.Errorf("%s: %T", plan.Name, fault)
		return nil
	}
	seed := b.vc.uuid + plan.Name
	spec := types.VirtualMachineConfigSpec{
		Name: plan.Name, GuestId: plan.Guest, Annotation: plan.Annotation, NumCPUs: plan.CPUs, MemoryMB: plan.MemoryMiB,
		Version: "vmx-19", Firmware: string(types.GuestOsDescriptorFirmwareTypeEfi),
		Uuid:         uuid.NewSHA1(uuid.NameSpaceURL, []byte("bios"+seed)).String(),
		InstanceUuid: uuid.NewSHA1(uuid.NameSpaceURL, []byte("instance"+seed)).String(),
		Files:        &types.VirtualMachineFileInfo{VmPathName: "[" + plan.Datastore + "] " + plan.Name},
		DeviceChange: b.devices(plan),
	}
	for _, key := range slices.Sorted(maps.Keys(plan.Guestinfo)) {
		spec.ExtraConfig = append(spec.ExtraConfig, &types.OptionValue{Key: key, Value: plan.Guestinfo[key]})
	}
	if _, fault := b.vc.completeDevices(b.ctx, ds, nil, spec.DeviceChange); fault != nil {
		b.err = fmt.Errorf("%s: %T", plan.Name, fault)
		return nil
	}
	b.vc.assignMACs(spec.DeviceChange)
	ref := b.must(folder.CreateVMTask(b.ctx, &types.CreateVM_Task{This: folder.Self, Config: spec, Pool: place.pool, Host: &place.host.Self}))
	if b.err != nil {
		return nil
	}
	vm := b.vc.registry.Get(ref).(*simulator.VirtualMachine)
	b.fill(vm, plan)
	return vm
}

// devices are a paravirtual SCSI controller, the disks and one VMXNET3 card.
func (b *builder) devices(plan MachinePlan) []types.BaseVirtualDeviceConfigSpec {
	var list object.VirtualDeviceList
	controller, err := list.CreateSCSIController("pvscsi")
	if err != nil {
		b.err = err
		return nil
	}
	list = append(list, controller)
	for _, size := range plan.DisksGiB {
		disk := list.CreateDisk(controller.(types.BaseVirtualController), types.ManagedObjectReference{}, "")
		disk.CapacityInKB = size << 20
		backing := disk.Backing.(*types.VirtualDiskFlatVer2BackingInfo)
		backing.Datastore, backing.ThinProvisioned = nil, types.NewBool(true)
		list = append(list, disk)
	}
	list = append(list, &types.VirtualVmxnet3{VirtualVmxnet: types.VirtualVmxnet{VirtualEthernetCard: types.VirtualEthernetCard{
		VirtualDevice: types.VirtualDevice{Key: -100, Backing: b.card(plan.Network)},
	}}})
	changes, err := list.ConfigSpec(types.VirtualDeviceConfigSpecOperationAdd)
	if err != nil {
		b.err = err
	}
	return changes
}

// card connects to a distributed port group or a standard network by name.
func (b *builder) card(network string) types.BaseVirtualDeviceBackingInfo {
	switch net := b.vc.registry.FindByName(network, b.dc.Network).(type) {
	case *simulator.DistributedVirtualPortgroup:
		dvs := b.vc.registry.Get(*net.Config.DistributedVirtualSwitch).(*simulator.DistributedVirtualSwitch)
		return &types.VirtualEthernetCardDistributedVirtualPortBackingInfo{
			Port: types.DistributedVirtualSwitchPortConnection{PortgroupKey: net.Key, SwitchUuid: dvs.Uuid}}
	default:
		return &types.VirtualEthernetCardNetworkBackingInfo{
			VirtualDeviceDeviceBackingInfo: types.VirtualDeviceDeviceBackingInfo{DeviceName: network}}
	}
}

func (b *builder) pool(cluster *simulator.ClusterComputeResource, name string) types.ManagedObjectReference {
	root := b.vc.registry.Get(*cluster.ResourcePool).(*simulator.ResourcePool)
	if pool := b.vc.registry.FindByName(name, root.ResourcePool.ResourcePool); name != "" && pool != nil {
		return pool.Reference()
	}
	return root.Self
}

// fill writes a recognisable first sector, so that a copied disk can be told from an empty one.
func (b *builder) fill(vm *simulator.VirtualMachine, plan MachinePlan) {
	for i, disk := range b.vc.disksOf(b.ctx, vm) {
		if fault := b.vc.materialise(b.ctx, disk); fault != nil {
			b.err = fmt.Errorf("%s: %T", plan.Name, fault)
			return
		}
		file, fault := b.vc.openDisk(b.ctx, disk.file)
		if fault != nil {
			b.err = fmt.Errorf("%s: %T", plan.Name, fault)
			return
		}
		label := fmt.Sprintf("ESCALE-SANDBOX %s disk %d\n", plan.Name, i)
		sector := label + strings.Repeat("\x00", 510-len(label)) + "\x55\xaa"
		if err := writeAt(file.flat, sector); err != nil {
			b.err = err
		}
	}
}

func writeAt(path, text string) error {
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	defer f.Close()
	_, err = f.WriteAt([]byte(text), 0)
	return err
}
