package vcenter

import (
	"fmt"
	"strings"

	"github.com/google/uuid"
	"github.com/vmware/govmomi/object"
	"github.com/vmware/govmomi/simulator"
	"github.com/vmware/govmomi/vim25/types"
)

// completeDevices fills in what a device change leaves to the server, and sums the bytes that it needs on each datastore.
// home is the datastore of the machine's configuration file.
func (vc *VCenter) completeDevices(ctx *simulator.Context, home *simulator.Datastore, existing []types.BaseVirtualDevice,
	changes []types.BaseVirtualDeviceConfigSpec) (map[*simulator.Datastore]int64, types.BaseMethodFault) {
	needs := map[*simulator.Datastore]int64{}
	current := object.VirtualDeviceList(existing)
	for i, change := range changes {
		spec := change.GetVirtualDeviceConfigSpec()
		if spec.Device == nil {
			return nil, &types.InvalidDeviceSpec{DeviceIndex: int32(i)}
		}
		old := current.FindByKey(spec.Device.GetVirtualDevice().Key)
		if spec.Operation != types.VirtualDeviceConfigSpecOperationAdd && old == nil {
			return nil, &types.InvalidDeviceSpec{InvalidVmConfig: types.InvalidVmConfig{Property: "virtualDeviceSpec.device.key"}, DeviceIndex: int32(i)}
		}
		if spec.Operation == types.VirtualDeviceConfigSpecOperationEdit {
			keepUnset(spec.Device, old)
		}
		disk, ok := spec.Device.(*types.VirtualDisk)
		if !ok {
			continue
		}
		ds, bytes, fault := vc.completeDisk(ctx, home, spec, disk, old)
		if fault != nil {
			return nil, fault
		}
		if bytes > 0 {
			needs[ds] += bytes
		}
	}
	numberDevices(current, changes)
	return needs, nil
}

// keepUnset keeps of an edited device what the caller did not give, as vCenter does.
func keepUnset(device, old types.BaseVirtualDevice) {
	d, o := device.GetVirtualDevice(), old.GetVirtualDevice()
	if d.ControllerKey == 0 {
		d.ControllerKey = o.ControllerKey
	}
	if d.UnitNumber == nil {
		d.UnitNumber = o.UnitNumber
	}
	if d.Connectable == nil {
		d.Connectable = o.Connectable
	}
	if d.Backing == nil {
		d.Backing = o.Backing
	}
	if d.DeviceInfo == nil {
		d.DeviceInfo = o.DeviceInfo
	}
	if card, ok := device.(types.BaseVirtualEthernetCard); ok {
		if previous, ok := old.(types.BaseVirtualEthernetCard); ok && card.GetVirtualEthernetCard().MacAddress == "" {
			card.GetVirtualEthernetCard().MacAddress = previous.GetVirtualEthernetCard().MacAddress
			card.GetVirtualEthernetCard().AddressType = previous.GetVirtualEthernetCard().AddressType
		}
	}
}

// completeDisk resolves a disk's datastore and size; the bytes are what the change adds there.
func (vc *VCenter) completeDisk(ctx *simulator.Context, home *simulator.Datastore, spec *types.VirtualDeviceConfigSpec,
	disk *types.VirtualDisk, old types.BaseVirtualDevice) (*simulator.Datastore, int64, types.BaseMethodFault) {
	backing, ok := disk.Backing.(*types.VirtualDiskFlatVer2BackingInfo)
	if !ok {
		return home, 0, nil
	}
	var path object.DatastorePath
	path.FromString(backing.FileName)
	if leadsOut(path.Path) {
		return nil, 0, &types.InvalidDatastorePath{DatastorePath: backing.FileName}
	}
	if path.Datastore == "" && backing.Datastore != nil {
		if ds, ok := vc.registry.Get(*backing.Datastore).(*simulator.Datastore); ok {
			path.Datastore = ds.Name
		}
	}
	ds := home
	if path.Datastore != "" {
		ds = vc.datastoreNamed(path.Datastore)
	}
	if ds == nil {
		return nil, 0, &types.InvalidDatastore{Name: path.Datastore}
	}
	switch spec.Operation {
	case types.VirtualDeviceConfigSpecOperationAdd:
		if spec.FileOperation == "" {
			return ds, 0, vc.attachExisting(ctx, disk, backing)
		}
		if path.Path == "" { // the library looks for the machine's own folder only when the name is empty
			backing.FileName = ""
			if ds != home {
				backing.FileName = "[" + ds.Name + "]"
			}
		}
		if backing.Uuid == "" {
			backing.Uuid = newDiskUUID()
		}
		return ds, capacityOf(disk), nil
	case types.VirtualDeviceConfigSpecOperationEdit:
		previous, ok := old.(*types.VirtualDisk)
		if !ok {
			return nil, 0, &types.InvalidDeviceSpec{InvalidVmConfig: types.InvalidVmConfig{Property: "virtualDeviceSpec.device"}}
		}
		if was, ok := previous.Backing.(*types.VirtualDiskFlatVer2BackingInfo); ok {
			// while cloning, the caller edits what it read of the source: the file is the clone's all the same
			backing.FileName, backing.Uuid, backing.Datastore = was.FileName, was.Uuid, was.Datastore
			ds = vc.datastoreOf(was.FileName)
		}
		return ds, capacityOf(disk) - capacityOf(previous), nil
	}
	return ds, 0, nil
}

// attachExisting takes capacity and UUID of a disk that is attached by its path from its descriptor.
func (vc *VCenter) attachExisting(ctx *simulator.Context, disk *types.VirtualDisk, backing *types.VirtualDiskFlatVer2BackingInfo) types.BaseMethodFault {
	file, fault := vc.openDisk(ctx, backing.FileName)
	if fault != nil {
		return fault
	}
	disk.CapacityInBytes, disk.CapacityInKB = file.capacity(), file.capacity()/1024
	backing.Uuid = file.uuid()
	return nil
}

// newDiskUUID has the form of vSphere's disk identifiers, which begin with VMware's registered 6000C29.
func newDiskUUID() string {
	return "6000C29" + uuid.NewString()[7:]
}

// numberDevices gives new devices the keys and labels that vCenter gives: controllers from 1000, disks from 2000,
// network cards from 4000.
func numberDevices(current object.VirtualDeviceList, changes []types.BaseVirtualDeviceConfigSpec) {
	taken := map[int32]bool{}
	for _, d := range current {
		taken[d.GetVirtualDevice().Key] = true
	}
	renumbered := map[int32]int32{}
	for _, change := range changes {
		spec := change.GetVirtualDeviceConfigSpec()
		device := spec.Device.GetVirtualDevice()
		if spec.Operation != types.VirtualDeviceConfigSpecOperationAdd {
			continue
		}
		first, origin, label := numbering(spec.Device)
		if first == 0 {
			continue
		}
		key := device.Key
		if key < first || key >= first+1000 || taken[key] {
			for key = first; taken[key]; key++ {
			}
			if device.Key != 0 {
				renumbered[device.Key] = key
			}
			device.Key = key
		}
		taken[key] = true
		if device.DeviceInfo == nil {
			device.DeviceInfo = &types.Description{Label: fmt.Sprintf(label, key-first+origin)}
		}
	}
	for _, change := range changes {
		spec := change.GetVirtualDeviceConfigSpec()
		device := spec.Device.GetVirtualDevice()
		if key, ok := renumbered[device.ControllerKey]; ok && spec.Operation == types.VirtualDeviceConfigSpecOperationAdd {
			device.ControllerKey = key
		}
	}
}

// numbering tells a kind of device's first key (0 for kinds that the library numbers well), the number that its first
// label has, and the label.
func numbering(device types.BaseVirtualDevice) (first, origin int32, label string) {
	switch device.(type) {
	case types.BaseVirtualSCSIController:
		return 1000, 0, "SCSI controller %d"
	case *types.VirtualDisk:
		return 2000, 1, "Hard disk %d"
	case types.BaseVirtualEthernetCard:
		return 4000, 1, "Network adapter %d"
	case types.BaseVirtualSATAController:
		return 15000, 0, "SATA controller %d"
	case *types.VirtualNVMEController:
		return 31000, 0, "NVME controller %d"
	}
	return 0, 0, ""
}

// hexPairs shows a disk's UUID as VirtualDiskManager does: "60 00 C2 9a 1b 2c 3d 4e-5f 60 ...".
func hexPairs(id string) string {
	digits := strings.ReplaceAll(id, "-", "")
	var pairs []string
	for i := 0; i+1 < len(digits); i += 2 {
		pairs = append(pairs, digits[i:i+2])
	}
	if len(pairs) != 16 {
		return id
	}
	return strings.Join(pairs[:8], " ") + "-" + strings.Join(pairs[8:], " ")
}

// dashed is the inverse of hexPairs: the form that a disk's backing shows.
func dashed(pairs string) string {
	digits := strings.NewReplacer(" ", "", "-", "").Replace(pairs)
	if len(digits) != 32 {
		return pairs
	}
	return digits[:8] + "-" + digits[8:12] + "-" + digits[12:16] + "-" + digits[16:20] + "-" + digits[20:]
}
