package vcenter

import (
	"cmp"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/vmware/govmomi/simulator"
	"github.com/vmware/govmomi/simulator/vpx"
	"github.com/vmware/govmomi/vim25/soap"
	"github.com/vmware/govmomi/vim25/types"
)

const gib = int64(1) << 30

// esxiVersion is the newest that the library knows; it panics at others.
const esxiVersion = "8.0.2"

// firstOwnNumber leaves room below for the estate, so that objects made through the API keep their references
// over a restart even when a new version of the flavour has a few more hosts.
const firstOwnNumber = 10000

// builder raises an estate by calling the library's methods directly.
type builder struct {
	vc  *VCenter
	ctx *simulator.Context
	dc  *simulator.Datacenter
	err error // the first failure; everything after it is skipped
}

func (b *builder) must(body soap.HasFault) types.ManagedObjectReference {
	if b.err != nil {
		return types.ManagedObjectReference{}
	}
	result, fault := b.vc.outcome(b.ctx, body)
	if fault != nil {
		b.err = fmt.Errorf("%T: %+v", fault, fault)
	}
	ref, _ := result.(types.ManagedObjectReference)
	return ref
}

// raiseEstate builds datacenter, networks, clusters and datastores, in a fixed order so that references are stable.
func (vc *VCenter) raiseEstate() error {
	plan := vc.settings.Flavour
	b := &builder{vc: vc, ctx: vc.context()}
	root := vc.registry.Get(vpx.RootFolder.Self).(*simulator.Folder)
	dc := b.must(root.CreateDatacenter(b.ctx, &types.CreateDatacenter{This: root.Self, Name: plan.Datacenter}))
	if b.err != nil {
		return b.err
	}
	b.dc = vc.registry.Get(dc).(*simulator.Datacenter)
	dvs := b.raiseSwitch(plan)
	for _, cluster := range plan.Clusters {
		b.raiseCluster(cluster, dvs)
	}
	for _, ds := range plan.Datastores {
		b.raiseDatastore(ds)
	}
	b.skipFirstKey()
	if b.err == nil {
		b.err = vc.continueNumbers(firstOwnNumber)
	}
	return b.err
}

// skipFirstKey uses up the key 0 of custom attributes, which a real vCenter never gives.
func (b *builder) skipFirstKey() {
	manager := b.vc.registry.CustomFieldsManager()
	if b.err == nil && len(manager.Field) == 0 {
		b.must(manager.AddCustomFieldDef(b.ctx, &types.AddCustomFieldDef{This: manager.Self, Name: "first"}))
		b.must(manager.RemoveCustomFieldDef(b.ctx, &types.RemoveCustomFieldDef{This: manager.Self, Key: 0}))
	}
}

func (b *builder) raiseSwitch(plan Flavour) *simulator.DistributedVirtualSwitch {
	folder := b.vc.registry.Get(b.dc.NetworkFolder).(*simulator.Folder)
	ref := b.must(folder.CreateDVSTask(b.ctx, &types.CreateDVS_Task{This: folder.Self, Spec: types.DVSCreateSpec{
		ConfigSpec: &types.VMwareDVSConfigSpec{DVSConfigSpec: types.DVSConfigSpec{Name: plan.Switch}, MaxMtu: 9000},
	}}))
	if b.err != nil {
		return nil
	}
	dvs := b.vc.registry.Get(ref).(*simulator.DistributedVirtualSwitch)
	for len(portgroupsOf(b.ctx, dvs)) == 0 { // the library adds the uplink port group in a task that it does not await
		time.Sleep(time.Millisecond)
	}
	for _, pg := range plan.Portgroups {
		b.must(dvs.AddDVPortgroupTask(b.ctx, &types.AddDVPortgroup_Task{This: dvs.Self, Spec: []types.DVPortgroupConfigSpec{{
			Name: pg.Name, NumPorts: 128, Type: string(types.DistributedVirtualPortgroupPortgroupTypeEarlyBinding),
			AutoExpand: types.NewBool(true), DefaultPortConfig: vlan(pg.VLAN),
		}}}))
		b.vc.guests.setSubnet(pg.Name, pg.Subnet)
		if pg.NSX {
			b.asSegment(dvs, pg.Name)
		}
	}
	return dvs
}

// asSegment makes a port group the shadow of an NSX segment: DVPortgroupConfigInfo.backingType and segmentId.
func (b *builder) asSegment(dvs *simulator.DistributedVirtualSwitch, name string) {
	if pg, ok := b.vc.registry.FindByName(name, portgroupsOf(b.ctx, dvs)).(*simulator.DistributedVirtualPortgroup); ok {
		pg.Config.BackingType = "nsx"
		pg.Config.SegmentId = "/infra/tier-1s/cgw/segments/" + name
		pg.Config.LogicalSwitchUuid = uuid.NewSHA1(uuid.NameSpaceURL, []byte(b.vc.uuid+"segment"+name)).String()
		pg.Config.TransportZoneUuid = uuid.NewSHA1(uuid.NameSpaceURL, []byte(b.vc.uuid+"zone")).String()
	}
}

func portgroupsOf(ctx *simulator.Context, dvs *simulator.DistributedVirtualSwitch) (refs []types.ManagedObjectReference) {
	ctx.WithLock(dvs, func() { refs = slices.Clone(dvs.Portgroup) })
	return refs
}

func vlan(id int32) *types.VMwareDVSPortSetting {
	return &types.VMwareDVSPortSetting{Vlan: &types.VmwareDistributedVirtualSwitchVlanIdSpec{VlanId: id}}
}

func (b *builder) raiseCluster(plan ClusterPlan, dvs *simulator.DistributedVirtualSwitch) {
	if b.err != nil {
		return
	}
	folder := b.vc.registry.Get(b.dc.HostFolder).(*simulator.Folder)
	ref := b.must(folder.CreateClusterEx(b.ctx, &types.CreateClusterEx{This: folder.Self, Name: plan.Name}))
	if b.err != nil {
		return
	}
	cluster := b.vc.registry.Get(ref).(*simulator.ClusterComputeResource)
	for _, name := range plan.Hosts {
		host := b.must(cluster.AddHostTask(b.ctx, &types.AddHost_Task{This: ref, AsConnected: true,
			Spec: types.HostConnectSpec{HostName: name}}))
		b.must(dvs.ReconfigureDvsTask(b.ctx, &types.ReconfigureDvs_Task{This: dvs.Self, Spec: &types.DVSConfigSpec{
			Host: []types.DistributedVirtualSwitchHostMemberConfigSpec{{Operation: string(types.ConfigSpecOperationAdd), Host: host}},
		}}))
		if b.err != nil {
			return
		}
		b.equip(b.vc.registry.Get(host).(*simulator.HostSystem), plan)
	}
	sumCluster(cluster, plan)
	for i, pool := range plan.Pools {
		b.raisePool(*cluster.ResourcePool, pool, plan, int64(i))
	}
}

// equip gives a host the hardware of the plan instead of the library's 4 GiB laptop.
func (b *builder) equip(host *simulator.HostSystem, plan ClusterPlan) {
	id := uuid.NewSHA1(uuid.NameSpaceURL, []byte(b.vc.uuid+host.Name)).String()
	memory := plan.MemoryGiB * gib
	summary := host.Summary.Hardware
	summary.Vendor, summary.Model, summary.Uuid = cmp.Or(plan.Vendor, "Dell Inc."), cmp.Or(plan.Model, "PowerEdge R7625"), id
	summary.CpuModel, summary.CpuMhz = plan.CPUModel, plan.MHz
	summary.NumCpuPkgs, summary.NumCpuCores, summary.NumCpuThreads = plan.Sockets, plan.Cores, 2*plan.Cores
	summary.MemorySize = memory
	hardware := *host.Hardware
	hardware.SystemInfo.Vendor, hardware.SystemInfo.Model, hardware.SystemInfo.Uuid = summary.Vendor, summary.Model, id
	hardware.MemorySize = memory
	hardware.CpuInfo = types.HostCpuInfo{NumCpuPackages: plan.Sockets, NumCpuCores: plan.Cores,
		NumCpuThreads: 2 * plan.Cores, Hz: int64(plan.MHz) * 1_000_000}
	host.Hardware = &hardware
	version := cmp.Or(plan.ESXi, esxiVersion)
	build := map[string]string{esxiVersion: "22380479", "7.0.2": "17867351"}[version]
	host.Summary.Config.Product = &types.AboutInfo{Name: "VMware ESXi", FullName: "VMware ESXi " + version + " build-" + build,
		Vendor: "VMware, Inc.", Version: version, Build: build, OsType: "vmnix-x86",
		ProductLineId: "embeddedEsx", ApiType: "HostAgent", ApiVersion: version + ".0"}
	host.Config.Product = *host.Summary.Config.Product
	host.Runtime.ConnectionState = types.HostSystemConnectionStateConnected
	host.Runtime.PowerState = types.HostSystemPowerStatePoweredOn
}

func sumCluster(cluster *simulator.ClusterComputeResource, plan ClusterPlan) {
	n := int32(len(plan.Hosts))
	mhz := int32(plan.Cores) * plan.MHz * n
	memory := plan.MemoryGiB * gib * int64(n)
	s := cluster.Summary.GetComputeResourceSummary()
	s.TotalCpu, s.EffectiveCpu = mhz, mhz*9/10
	s.TotalMemory, s.EffectiveMemory = memory, memory/(1<<20)*95/100 // EffectiveMemory is in MiB, as vSphere has it
	s.NumCpuCores, s.NumCpuThreads = int16(n)*plan.Cores, int16(n)*plan.Cores*2
	s.NumHosts, s.NumEffectiveHosts = n, n
}

// raisePool creates one resource pool below parent; the first ones have a share of the cluster reserved.
func (b *builder) raisePool(parent types.ManagedObjectReference, name string, plan ClusterPlan, number int64) {
	if b.err != nil {
		return
	}
	pool := b.vc.registry.Get(parent).(*simulator.ResourcePool)
	spec := types.DefaultResourceConfigSpec()
	if percent := 20 - 10*number; percent > 0 {
		hosts := int64(len(plan.Hosts))
		spec.CpuAllocation.Reservation = types.NewInt64(hosts * int64(plan.Cores) * int64(plan.MHz) * percent / 100)
		spec.MemoryAllocation.Reservation = types.NewInt64(hosts * plan.MemoryGiB * 1024 * percent / 100)
	}
	b.must(pool.CreateResourcePool(b.ctx, &types.CreateResourcePool{This: parent, Name: name, Spec: spec}))
}

// raiseDatastore mounts a folder of HOME/datastores on the hosts of the plan's clusters.
func (b *builder) raiseDatastore(plan DatastorePlan) {
	dir := filepath.Join(b.vc.settings.Home, "datastores", plan.Name)
	if b.err == nil {
		b.err = os.MkdirAll(dir, 0o700)
	}
	for _, name := range plan.Clusters {
		cluster := b.cluster(name)
		if b.err != nil {
			return
		}
		for _, ref := range cluster.Host {
			host := b.vc.registry.Get(ref).(*simulator.HostSystem)
			b.mount(host, plan, dir)
		}
	}
	ds := b.vc.datastoreNamed(plan.Name)
	if b.err != nil || ds == nil {
		return
	}
	b.vc.storage.adopt(ds, plan)
	typeDatastore(ds, plan, b.vc.uuid)
}

func (b *builder) mount(host *simulator.HostSystem, plan DatastorePlan, dir string) {
	system := b.vc.registry.Get(*host.ConfigManager.DatastoreSystem).(*simulator.HostDatastoreSystem)
	if plan.Type == "NFS" {
		b.must(system.CreateNasDatastore(b.ctx, &types.CreateNasDatastore{This: system.Self, Spec: types.HostNasVolumeSpec{
			RemoteHost: "nas.example", RemotePath: path.Join("/export", plan.Name), LocalPath: dir, AccessMode: "readWrite", Type: "NFS",
		}}))
		return
	}
	b.must(system.CreateLocalDatastore(b.ctx, &types.CreateLocalDatastore{This: system.Self, Name: plan.Name, Path: dir}))
}

// typeDatastore makes VMFS and vSAN datastores of local ones: the library cannot create these two.
func typeDatastore(ds *simulator.Datastore, plan DatastorePlan, seed string) {
	info := *ds.Info.GetDatastoreInfo()
	id := uuid.NewSHA1(uuid.NameSpaceURL, []byte(seed+plan.Name)).String()
	switch plan.Type {
	case "VMFS":
		ds.Info = &types.VmfsDatastoreInfo{DatastoreInfo: info, MaxPhysicalRDMFileSize: 64 << 40, MaxVirtualRDMFileSize: 62 << 40,
			Vmfs: &types.HostVmfsVolume{HostFileSystemVolume: types.HostFileSystemVolume{Type: "VMFS", Name: plan.Name, Capacity: plan.CapacityGiB * gib},
				BlockSizeMb: 1, MaxBlocks: 63963136, MajorVersion: 6, Version: "6.82", Uuid: id, VmfsUpgradable: false,
				Extent: []types.HostScsiDiskPartition{{DiskName: "naa." + strings.ReplaceAll(id, "-", ""), Partition: 1}}}}
	case "vsan":
		ds.Info = &types.VsanDatastoreInfo{DatastoreInfo: info, MembershipUuid: id}
		ds.Capability.TopLevelDirectoryCreateSupported = types.NewBool(false)
	default:
		return
	}
	ds.Summary.Type = plan.Type
}

func (b *builder) cluster(name string) *simulator.ClusterComputeResource {
	folder := b.vc.registry.Get(b.dc.HostFolder).(*simulator.Folder)
	cluster, ok := b.vc.registry.FindByName(name, folder.ChildEntity).(*simulator.ClusterComputeResource)
	if !ok && b.err == nil {
		b.err = fmt.Errorf("flavour names cluster %q, which it does not have", name)
	}
	return cluster
}

func (vc *VCenter) datacenter() *simulator.Datacenter {
	return vc.registry.Any("Datacenter").(*simulator.Datacenter)
}

func (vc *VCenter) datastores() []*simulator.Datastore {
	var found []*simulator.Datastore
	for _, e := range vc.registry.All("Datastore") {
		if ds, ok := e.(*simulator.Datastore); ok {
			found = append(found, ds)
		}
	}
	return found
}

func (vc *VCenter) datastoreNamed(name string) *simulator.Datastore {
	for _, ds := range vc.datastores() {
		if ds.Name == name {
			return ds
		}
	}
	return nil
}
