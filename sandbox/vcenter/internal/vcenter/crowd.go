package vcenter

import (
	"fmt"
	"hash/fnv"
	"os"
	"path"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/vmware/govmomi/object"
	"github.com/vmware/govmomi/simulator"
	"github.com/vmware/govmomi/vim25/types"
)

// crowd puts ordinary machines of others into the inventory: not through the API's calls, which take milliseconds each
// and write files, but as finished objects. Their disks get files when something first opens them (unwritten.go).
type crowd struct {
	*builder
	pattern *simulator.VirtualMachine // gives what all machines have alike
	devices []types.BaseVirtualDevice // the controllers of every machine
	options types.VirtualMachineConfigInfo
	sites   []crowdSite
	placed  int
	born    time.Time
}

// crowdMark is an ordinary option that only machines of a crowd have here.
const crowdMark = "migrate.hostLogState"

// crowdSite is where a crowd may live: a cluster with what belongs to it.
type crowdSite struct {
	cluster    *simulator.ClusterComputeResource
	hosts      []*simulator.HostSystem
	pools      []*simulator.ResourcePool
	datastores []*simulator.Datastore
}

// crowds creates the flavour's ordinary machines, and those of --machines.
func (b *builder) crowds(folders map[string]*simulator.Folder) {
	plan := b.vc.settings.Flavour
	if b.err != nil || len(plan.Crowd) == 0 {
		return
	}
	c := b.newCrowd(folders[plan.Templates[0].Folder])
	if b.err != nil {
		return
	}
	hash := fnv.New64a()
	_, _ = hash.Write([]byte(plan.Name))
	seed, first := hash.Sum64(), 1
	for _, part := range plan.Crowd {
		folder := folders[part.Folder]
		if folder == nil {
			b.err = fmt.Errorf("the flavour has no folder %q", part.Folder)
			return
		}
		own := strings.HasPrefix(part.Folder, "Estate ")
		sites, networks := c.sites, c.networks(plan, own)
		if own {
			sites = slices.DeleteFunc(slices.Clone(sites), func(s crowdSite) bool { return !strings.HasPrefix(s.cluster.Name, "Estate-") })
		} else {
			sites = slices.DeleteFunc(slices.Clone(sites), func(s crowdSite) bool { return strings.HasPrefix(s.cluster.Name, "Estate-") })
		}
		for _, p := range individuals(seed+uint64(first), first, part.Count, part.Folder, own) {
			c.add(p, folder, sites, networks)
		}
		first += part.Count
	}
	b.vc.showNetworkUsers(b.ctx)
}

func (b *builder) newCrowd(templates *simulator.Folder) *crowd {
	c := &crowd{builder: b, born: time.Now().Add(-400 * 24 * time.Hour)}
	for _, ref := range templates.ChildEntity {
		if vm, ok := b.vc.registry.Get(ref).(*simulator.VirtualMachine); ok {
			c.pattern = vm
			break
		}
	}
	if c.pattern == nil {
		b.err = fmt.Errorf("no template to take as the pattern of other machines")
		return nil
	}
	c.options = *c.pattern.Config
	for _, device := range c.pattern.Config.Hardware.Device {
		switch device.(type) {
		case *types.VirtualDisk, types.BaseVirtualEthernetCard:
		default:
			c.devices = append(c.devices, device)
		}
	}
	for _, cluster := range b.vc.clusters() {
		site := crowdSite{cluster: cluster}
		for _, ref := range cluster.Host {
			site.hosts = append(site.hosts, b.vc.registry.Get(ref).(*simulator.HostSystem))
		}
		root := b.vc.registry.Get(*cluster.ResourcePool).(*simulator.ResourcePool)
		site.pools = append(site.pools, root)
		for _, ref := range root.ResourcePool.ResourcePool {
			if pool, ok := b.vc.registry.Get(ref).(*simulator.ResourcePool); ok {
				site.pools = append(site.pools, pool)
			}
		}
		for _, ds := range b.vc.datastores() {
			if ds.Summary.Type != "OTHER" && slices.Contains(site.hosts[0].Datastore, ds.Self) { // the host's own disk is no place for machines
				site.datastores = append(site.datastores, ds)
			}
		}
		slices.SortFunc(site.datastores, func(x, y *simulator.Datastore) int { return compareRefs(x.Self, y.Self) })
		c.sites = append(c.sites, site)
	}
	slices.SortFunc(c.sites, func(x, y crowdSite) int { return compareRefs(x.cluster.Self, y.cluster.Self) })
	return c
}

// networks are the names of what a crowd's cards may be connected to.
func (c *crowd) networks(plan Flavour, own bool) []string {
	var names []string
	for _, pg := range plan.Portgroups {
		if strings.HasPrefix(pg.Name, "estate-") == own {
			names = append(names, pg.Name)
		}
	}
	return append(names, "VM Network")
}

// add makes one machine and enters it everywhere.
func (c *crowd) add(p individual, folder *simulator.Folder, sites []crowdSite, networks []string) {
	site := sites[c.placed%len(sites)]
	round := c.placed / len(sites)
	c.placed++
	host, pool := site.hosts[round%len(site.hosts)], site.pools[round%len(site.pools)]
	ds := site.datastores[round%len(site.datastores)]
	vm := &simulator.VirtualMachine{VirtualMachine: c.pattern.VirtualMachine, DataSets: map[string]*simulator.DataSet{}}
	vm.Self = types.ManagedObjectReference{}
	vm.Parent, vm.Name, vm.ResourcePool = &folder.Self, escaped(p.name), &pool.Self
	vm.Datastore, vm.Network, vm.Tag, vm.CustomValue, vm.Value = []types.ManagedObjectReference{ds.Self}, nil, nil, nil, nil
	vm.RecentTask, vm.Snapshot, vm.RootSnapshot = nil, nil, nil
	if browser := site.cluster.EnvironmentBrowser; browser != nil {
		vm.EnvironmentBrowser = *browser
	}
	c.configure(vm, p, ds, networks)
	c.run(vm, p, host)
	vm.Summary.Vm = &vm.Self
	folder.ChildEntity = append(folder.ChildEntity, c.vc.registry.NewEntity(vm).Reference())
	c.vc.registry.PutEntity(folder, vm)
	host.Vm, pool.Vm, ds.Vm = append(host.Vm, vm.Self), append(pool.Vm, vm.Self), append(ds.Vm, vm.Self)
	c.snapshots(vm, p)
}

// configure gives a machine its hardware.
func (c *crowd) configure(vm *simulator.VirtualMachine, p individual, ds *simulator.Datastore, networks []string) {
	seed := fmt.Sprintf("%s crowd %d", c.vc.uuid, p.number)
	home := plain(p.name)
	if ds.Summary.Type == "vsan" {
		home = uuid.NewSHA1(uuid.NameSpaceURL, []byte("home"+seed)).String()
	}
	dir := "[" + ds.Name + "] " + home
	if err := os.Mkdir(c.vc.localPath(ds, home), 0o700); err != nil && !os.IsExist(err) { // so that no other machine takes it
		c.err = err
	}
	config := c.options
	config.Name, config.Annotation = vm.Name, p.annotation
	config.GuestId, config.GuestFullName, config.Template = p.guest.id, p.guest.name, false
	config.Uuid = uuid.NewSHA1(uuid.NameSpaceURL, []byte("bios"+seed)).String()
	config.InstanceUuid = uuid.NewSHA1(uuid.NameSpaceURL, []byte("instance"+seed)).String()
	config.Modified, config.CreateDate = c.born, types.NewTime(c.born)
	config.Version = []string{"vmx-21", "vmx-19", "vmx-13", "vmx-10"}[p.number%4]
	config.Firmware = []string{"efi", "bios"}[p.number%2]
	config.Files = types.VirtualMachineFileInfo{VmPathName: dir + "/" + plain(p.name) + ".vmx", SnapshotDirectory: dir, SuspendDirectory: dir, LogDirectory: dir}
	config.DatastoreUrl = []types.VirtualMachineConfigInfoDatastoreUrlPair{{Name: ds.Name, Url: ds.Summary.Url}}
	config.ExtraConfig = []types.BaseOptionValue{&types.OptionValue{Key: crowdMark, Value: strings.ReplaceAll(config.Uuid, "-", " ")}}
	if p.tools == "none" {
		config.ExtraConfig = append(config.ExtraConfig, &types.OptionValue{Key: silentGuest, Value: "silent"})
	}
	config.CpuAllocation, config.MemoryAllocation = shallow(config.CpuAllocation), shallow(config.MemoryAllocation)
	config.Tools, config.BootOptions, config.LatencySensitivity = shallow(config.Tools), shallow(config.BootOptions), shallow(config.LatencySensitivity)
	config.Hardware.NumCPU, config.Hardware.MemoryMB = p.cpus, int32(p.memoryMiB)
	config.Hardware.NumCoresPerSocket = types.NewInt32(1)
	config.Hardware.Device = nil
	for _, device := range c.devices {
		config.Hardware.Device = append(config.Hardware.Device, copyDevice(device))
	}
	scsi := object.VirtualDeviceList(config.Hardware.Device).SelectByType((*types.VirtualSCSIController)(nil))
	var committed, uncommitted int64
	vm.Layout, vm.LayoutEx = &types.VirtualMachineFileLayout{}, &types.VirtualMachineFileLayoutEx{Timestamp: c.born}
	vm.LayoutEx.File = []types.VirtualMachineFileLayoutExFileInfo{{Name: config.Files.VmPathName, Type: "config", Size: 4096}}
	for i, size := range p.disksGiB {
		name := dir + "/" + plain(p.name) + ".vmdk"
		if i > 0 {
			name = fmt.Sprintf("%s/%s_%d.vmdk", dir, plain(p.name), i)
		}
		disk := &types.VirtualDisk{CapacityInKB: size << 20, CapacityInBytes: size * gib}
		disk.Key, disk.ControllerKey, disk.UnitNumber = int32(2000+i), scsi[0].GetVirtualDevice().Key, types.NewInt32(int32(i))
		disk.DeviceInfo = &types.Description{Label: fmt.Sprintf("Hard disk %d", i+1), Summary: fmt.Sprintf("%d KB", size<<20)}
		id := "6000C29" + uuid.NewSHA1(uuid.NameSpaceURL, fmt.Appendf(nil, "disk%d%s", i, seed)).String()[7:]
		disk.Backing = &types.VirtualDiskFlatVer2BackingInfo{
			VirtualDeviceFileBackingInfo: types.VirtualDeviceFileBackingInfo{FileName: name, Datastore: &ds.Self},
			DiskMode:                     "persistent", ThinProvisioned: types.NewBool(p.number%3 > 0), Uuid: id}
		config.Hardware.Device = append(config.Hardware.Device, disk)
		used := c.vc.unwritten.add(ds, attached{file: name, capacity: size * gib, uuid: id}, p.number%3 > 0)
		committed, uncommitted = committed+used, uncommitted+size*gib-used
		vm.Layout.Disk = append(vm.Layout.Disk, types.VirtualMachineFileLayoutDiskLayout{Key: disk.Key, DiskFile: []string{name}})
		vm.LayoutEx.File = append(vm.LayoutEx.File, types.VirtualMachineFileLayoutExFileInfo{Key: int32(i + 1), Name: name, Type: "diskDescriptor", Size: 512})
	}
	for i := range p.cards {
		network := networks[(p.number+i)%len(networks)]
		config.Hardware.Device = append(config.Hardware.Device, c.ethernet(p, i, network))
		ref := c.vc.registry.FindByName(network, c.dc.Network).Reference()
		if !slices.Contains(vm.Network, ref) {
			vm.Network = append(vm.Network, ref)
		}
	}
	vm.Config = &config
	vm.Storage = &types.VirtualMachineStorageInfo{Timestamp: c.born, PerDatastoreUsage: []types.VirtualMachineUsageOnDatastore{
		{Datastore: ds.Self, Committed: committed, Uncommitted: uncommitted, Unshared: committed}}}
	vm.Summary.Config = types.VirtualMachineConfigSummary{
		Name: vm.Name, VmPathName: config.Files.VmPathName, MemorySizeMB: int32(p.memoryMiB), NumCpu: p.cpus,
		NumEthernetCards: int32(p.cards), NumVirtualDisks: int32(len(p.disksGiB)), Uuid: config.Uuid, InstanceUuid: config.InstanceUuid,
		GuestId: p.guest.id, GuestFullName: p.guest.name, Annotation: p.annotation, HwVersion: config.Version}
	vm.Summary.Storage = &types.VirtualMachineStorageSummary{Committed: committed, Uncommitted: uncommitted, Unshared: committed, Timestamp: c.born}
}

func (c *crowd) ethernet(p individual, i int, network string) types.BaseVirtualDevice {
	n := p.number*4 + i
	card := types.VirtualEthernetCard{AddressType: "assigned", MacAddress: fmt.Sprintf("00:50:56:%02x:%02x:%02x", 0x80|n>>16&0x3f, n>>8&0xff, n&0xff)}
	card.Key, card.ControllerKey, card.UnitNumber = int32(4000+i), 100, types.NewInt32(int32(7+i))
	card.DeviceInfo = &types.Description{Label: fmt.Sprintf("Network adapter %d", i+1), Summary: network}
	card.Connectable = &types.VirtualDeviceConnectInfo{StartConnected: true, Connected: p.power == "poweredOn", AllowGuestControl: true}
	card.Backing = c.card(network)
	if p.number%7 == 0 {
		return &types.VirtualE1000e{VirtualEthernetCard: card}
	}
	return &types.VirtualVmxnet3{VirtualVmxnet: types.VirtualVmxnet{VirtualEthernetCard: card}}
}

// run gives a machine its host, power state and guest.
func (c *crowd) run(vm *simulator.VirtualMachine, p individual, host *simulator.HostSystem) {
	runtime := c.pattern.Runtime
	runtime.Host, runtime.PowerState = &host.Self, types.VirtualMachinePowerState(p.power)
	runtime.ConnectionState = types.VirtualMachineConnectionStateConnected
	on := p.power == "poweredOn"
	runtime.BootTime = nil
	if on {
		runtime.BootTime = types.NewTime(c.born.Add(time.Duration(p.number) * time.Minute))
	}
	guest := &types.GuestInfo{ToolsStatus: types.VirtualMachineToolsStatusToolsNotInstalled, ToolsVersion: "0",
		ToolsVersionStatus2: "guestToolsNotInstalled", ToolsRunningStatus: "guestToolsNotRunning", GuestState: "notRunning"}
	if p.tools != "none" {
		guest.ToolsStatus, guest.ToolsVersion, guest.ToolsVersionStatus2 = types.VirtualMachineToolsStatusToolsNotRunning, "12389", "guestToolsCurrent"
		guest.GuestId, guest.GuestFullName, guest.GuestFamily = p.guest.id, p.guest.name, p.guest.family
		if p.tools == "old" {
			guest.ToolsVersion, guest.ToolsVersionStatus2 = "10246", "guestToolsSupportedOld"
		}
	}
	vm.GuestHeartbeatStatus = types.ManagedEntityStatusGray
	if on && p.tools != "none" {
		guest.ToolsStatus, guest.ToolsRunningStatus, guest.GuestState = types.VirtualMachineToolsStatusToolsOk, "guestToolsRunning", "running"
		if p.tools == "old" {
			guest.ToolsStatus = types.VirtualMachineToolsStatusToolsOld
		}
		guest.HostName = strings.ToLower(fmt.Sprintf("m%05d.corp.example", p.number))
		vm.GuestHeartbeatStatus = types.ManagedEntityStatusGreen
		for _, device := range vm.Config.Hardware.Device {
			card, ok := device.(types.BaseVirtualEthernetCard)
			if !ok {
				continue
			}
			c.address(guest, p, card.GetVirtualEthernetCard())
		}
	}
	vm.Guest, vm.Runtime, vm.Summary.Runtime = guest, runtime, runtime
	vm.Summary.Guest = &types.VirtualMachineGuestSummary{GuestId: guest.GuestId, GuestFullName: guest.GuestFullName, ToolsStatus: guest.ToolsStatus,
		ToolsVersionStatus2: guest.ToolsVersionStatus2, ToolsRunningStatus: guest.ToolsRunningStatus, HostName: guest.HostName, IpAddress: guest.IpAddress}
	vm.Summary.QuickStats = types.VirtualMachineQuickStats{GuestHeartbeatStatus: vm.GuestHeartbeatStatus}
	if on {
		mib := vm.Config.Hardware.MemoryMB
		vm.Summary.QuickStats.HostMemoryUsage, vm.Summary.QuickStats.GuestMemoryUsage = mib, mib*int32(10+p.number%60)/100
		vm.Summary.QuickStats.OverallCpuUsage = p.cpus * int32(20+p.number%300)
		vm.Summary.QuickStats.UptimeSeconds = int32(time.Since(*runtime.BootTime).Seconds())
	}
}

// address gives a card one IPv4 address outside of what DHCP gives, and every fifth an IPv6 address besides.
func (c *crowd) address(guest *types.GuestInfo, p individual, card *types.VirtualEthernetCard) {
	i := int(card.Key - 4000)
	n := p.number*4 + i
	v4 := fmt.Sprintf("10.%d.%d.%d", 232+n>>16&7, n>>8&0xff, n&0xff)
	nic := types.GuestNicInfo{Network: c.vc.networkName(card.Backing), MacAddress: card.MacAddress, Connected: true, DeviceConfigId: card.Key,
		IpAddress: []string{v4}, IpConfig: &types.NetIpConfigInfo{IpAddress: []types.NetIpConfigInfoIpAddress{{IpAddress: v4, PrefixLength: 16, State: "preferred"}}}}
	if p.number%5 == 0 {
		v6 := fmt.Sprintf("2001:db8:%x::%x", i, p.number)
		nic.IpAddress = append(nic.IpAddress, v6)
		nic.IpConfig.IpAddress = append(nic.IpConfig.IpAddress, types.NetIpConfigInfoIpAddress{IpAddress: v6, PrefixLength: 64, State: "preferred"})
	}
	guest.Net = append(guest.Net, nic)
	if guest.IpAddress == "" {
		guest.IpAddress = v4
	}
}

// snapshots gives a machine a chain of snapshots, the last of them current.
func (c *crowd) snapshots(vm *simulator.VirtualMachine, p individual) {
	var below *[]types.VirtualMachineSnapshotTree
	for i := range p.snapshots {
		s := &simulator.VirtualMachineSnapshot{DataSets: map[string]*simulator.DataSet{}}
		s.Vm, s.Config = vm.Self, *vm.Config
		c.vc.registry.Put(s)
		tree := types.VirtualMachineSnapshotTree{Snapshot: s.Self, Vm: vm.Self, Id: int32(i + 1), Name: fmt.Sprintf("before patch %d", i+1),
			Description: "taken by hand", CreateTime: c.born.Add(time.Duration(i) * 24 * time.Hour), State: types.VirtualMachinePowerStatePoweredOff}
		if below == nil {
			vm.Snapshot = &types.VirtualMachineSnapshotInfo{}
			vm.RootSnapshot = []types.ManagedObjectReference{s.Self}
			below = &vm.Snapshot.RootSnapshotList
		}
		*below = append(*below, tree)
		below = &(*below)[0].ChildSnapshotList
		vm.Snapshot.CurrentSnapshot = &s.Self
	}
}

// shallow copies what a pointer points at.
func shallow[T any](p *T) *T {
	if p == nil {
		return nil
	}
	copied := *p
	return &copied
}

// copyDevice gives each machine devices of its own: the library changes them in place.
func copyDevice(device types.BaseVirtualDevice) types.BaseVirtualDevice {
	v := reflect.New(reflect.TypeOf(device).Elem())
	v.Elem().Set(reflect.ValueOf(device).Elem())
	copied := v.Interface().(types.BaseVirtualDevice)
	if controller, ok := copied.(types.BaseVirtualController); ok {
		c := controller.GetVirtualController()
		c.Device = slices.DeleteFunc(slices.Clone(c.Device), func(key int32) bool { return key >= 2000 && key < 5000 })
	}
	return copied
}

// folderOfPath is the last step of a folder's path, and the path above it.
func folderOfPath(name string) (above, last string) {
	above, last = path.Split(name)
	return strings.TrimSuffix(above, "/"), last
}
