package vcenter

// The estates. Names follow what the providers deliver: see README.md, "Flavours".

var privateFlavour = Flavour{
	Name: "private", Account: "administrator@vsphere.local", Version: "8.0.3", Build: "24322831",
	Datacenter: "Paris",
	Clusters: []ClusterPlan{
		{Name: "Compute-A", Hosts: numbered("esx-a%02d.paris.example", 4), CPUModel: "AMD EPYC 9354 32-Core Processor",
			Sockets: 2, Cores: 64, MHz: 3250, MemoryGiB: 768, Pools: []string{"Production", "Development"}},
		{Name: "Compute-B", Hosts: numbered("esx-b%02d.paris.example", 3), Model: "PowerEdge R650", ESXi: "7.0.2",
			CPUModel: "Intel(R) Xeon(R) Gold 6338 CPU @ 2.00GHz",
			Sockets:  2, Cores: 64, MHz: 2000, MemoryGiB: 512, Pools: []string{"Laboratory"}},
	},
	Datastores: []DatastorePlan{
		{Name: "nvme-a", Type: "VMFS", CapacityGiB: 20480, ForeignGiB: 2048, Clusters: []string{"Compute-A"}},
		{Name: "san-gold", Type: "VMFS", CapacityGiB: 40960, ForeignGiB: 10240, Clusters: []string{"Compute-A", "Compute-B"}},
		{Name: "nfs-archive", Type: "NFS", CapacityGiB: 30720, ForeignGiB: 9000, Clusters: []string{"Compute-A", "Compute-B"}},
		{Name: "vsan-b", Type: "vsan", CapacityGiB: 15360, ForeignGiB: 1500, Clusters: []string{"Compute-B"}},
		{Name: "local-scratch", Type: "OTHER", CapacityGiB: 480, ForeignGiB: 20, Clusters: []string{"Compute-A"}},
	},
	Switch: "dvs-paris",
	Portgroups: []PortgroupPlan{
		{Name: "frontend", VLAN: 110, Subnet: "10.11.0.0/22"},
		{Name: "backend", VLAN: 120, Subnet: "10.12.0.0/22"},
		{Name: "management", VLAN: 10, Subnet: "10.10.0.0/24"},
	},
	Folders:   []string{"Templates", "Infrastructure", "Legacy", "Legacy/Finance", "Legacy/Web"},
	Crowd:     []CrowdPlan{{"Legacy", 14}, {"Legacy/Finance", 24}, {"Legacy/Web", 18}, {"Infrastructure", 10}},
	Templates: containerHosts("Templates", "Compute-A", "san-gold", "frontend"),
	Machines: []MachinePlan{
		{Name: "dc01", Folder: "Infrastructure", Cluster: "Compute-A", Datastore: "nvme-a", Network: "management",
			Guest: "windows2019srvNext_64Guest", CPUs: 4, MemoryMiB: 8192, DisksGiB: []int64{80}, Annotation: "Domain controller. Not to be touched."},
		{Name: "erp-db", Folder: "Legacy", Cluster: "Compute-A", Pool: "Production", Datastore: "san-gold", Network: "backend",
			Guest: "oracleLinux8_64Guest", CPUs: 16, MemoryMiB: 131072, DisksGiB: []int64{60, 800}, Annotation: "ERP database"},
		{Name: "erp-app", Folder: "Legacy", Cluster: "Compute-A", Pool: "Production", Datastore: "san-gold", Network: "frontend",
			Guest: "rhel9_64Guest", CPUs: 8, MemoryMiB: 32768, DisksGiB: []int64{100}},
		{Name: "old-wiki", Folder: "Legacy", Cluster: "Compute-B", Datastore: "nfs-archive", Network: "VM Network",
			Guest: "debian10_64Guest", CPUs: 1, MemoryMiB: 1024, DisksGiB: []int64{20}, Off: true},
	},
}

var ovhFlavour = Flavour{
	Name: "ovh", Account: "admin@pcc-51-210-114-7", Version: "8.0.3", Build: "24322831",
	Datacenter: "pcc-51-210-114-7_datacenter2187",
	Clusters: []ClusterPlan{
		{Name: "Cluster1", Hosts: numbered("172.17.72.%d", 3), CPUModel: "Intel(R) Xeon(R) Gold 6226R CPU @ 2.90GHz",
			Sockets: 2, Cores: 32, MHz: 2900, MemoryGiB: 384, Pools: []string{"Escale"}},
		{Name: "Cluster2", Hosts: numbered("172.17.73.%d", 2), CPUModel: "Intel(R) Xeon(R) Gold 6226R CPU @ 2.90GHz",
			Sockets: 2, Cores: 32, MHz: 2900, MemoryGiB: 192},
	},
	Datastores: []DatastorePlan{
		{Name: "ssd-021733", Type: "NFS", CapacityGiB: 6144, ForeignGiB: 300, Clusters: []string{"Cluster1", "Cluster2"}},
		{Name: "ssd-021734", Type: "NFS", CapacityGiB: 6144, ForeignGiB: 900, Clusters: []string{"Cluster1", "Cluster2"}},
		{Name: "storageLocal-1", Type: "VMFS", CapacityGiB: 960, ForeignGiB: 10, Clusters: []string{"Cluster1"}},
	},
	Switch: "vrack-pcc-51-210-114-7",
	Portgroups: []PortgroupPlan{
		{Name: "vRack-VLAN10-dVS", VLAN: 10, Subnet: "10.20.0.0/22"},
		{Name: "VLAN11-dVS", VLAN: 11, Subnet: "10.21.0.0/24"},
	},
	Folders:   []string{"Templates", "Customers"},
	Crowd:     []CrowdPlan{{"Customers", 20}},
	Templates: containerHosts("Templates", "Cluster1", "ssd-021733", "vRack-VLAN10-dVS"),
	Machines: []MachinePlan{
		{Name: "vrops-collector", Cluster: "Cluster1", Datastore: "ssd-021734", Network: "VLAN11-dVS",
			Guest: "otherLinux64Guest", CPUs: 2, MemoryMiB: 4096, DisksGiB: []int64{40}, Annotation: "Managed by the provider"},
	},
}

var ibmFlavour = Flavour{
	Name: "ibm", Account: "ic4vroot@vsphere.local", Version: "8.0.2", Build: "22617221",
	Datacenter: "datacenter1",
	Clusters: []ClusterPlan{
		{Name: "cluster1", Hosts: numbered("host%03d.escale-fra02.ibm.example", 4), Vendor: "Supermicro", Model: "SYS-1029U-TRT",
			CPUModel: "Intel(R) Xeon(R) Gold 6248 CPU @ 2.50GHz",
			Sockets:  2, Cores: 40, MHz: 2500, MemoryGiB: 384, Pools: []string{"workload"}},
		{Name: "edge-cluster", Hosts: numbered("edge%03d.escale-fra02.ibm.example", 2), CPUModel: "Intel(R) Xeon(R) Silver 4210 CPU @ 2.20GHz",
			Sockets: 2, Cores: 20, MHz: 2200, MemoryGiB: 192},
	},
	Datastores: []DatastorePlan{
		{Name: "vsanDatastore", Type: "vsan", CapacityGiB: 14336, ForeignGiB: 2048, Clusters: []string{"cluster1"}},
		{Name: "management-share", Type: "NFS", CapacityGiB: 2000, ForeignGiB: 400, Clusters: []string{"cluster1", "edge-cluster"}},
		{Name: "endurance-4iops", Type: "NFS", CapacityGiB: 12000, ForeignGiB: 500, Clusters: []string{"cluster1", "edge-cluster"}},
	},
	Switch: "SDDC-Dswitch-Private",
	Portgroups: []PortgroupPlan{
		{Name: "SDDC-DPortGroup-Mgmt", VLAN: 0, Subnet: "10.135.1.0/26"},
		{Name: "SDDC-DPortGroup-VM", VLAN: 0, Subnet: "10.30.0.0/22"},
	},
	Folders:   []string{"Templates", "Management", "Workloads"},
	Crowd:     []CrowdPlan{{"Workloads", 20}},
	Templates: containerHosts("Templates", "cluster1", "endurance-4iops", "SDDC-DPortGroup-VM"),
	Machines: []MachinePlan{
		{Name: "nsx-manager-1", Folder: "Management", Cluster: "cluster1", Datastore: "vsanDatastore", Network: "SDDC-DPortGroup-Mgmt",
			Guest: "ubuntu64Guest", CPUs: 6, MemoryMiB: 24576, DisksGiB: []int64{300}, Annotation: "Managed by the provider"},
	},
}

var vmcFlavour = Flavour{
	Name: "vmc", Account: "cloudadmin@vmc.local", Version: "8.0.3", Build: "24201990",
	Datacenter: "SDDC-Datacenter",
	Clusters: []ClusterPlan{
		{Name: "Cluster-1", Hosts: numbered("10.2.32.%d", 3), Vendor: "Amazon EC2", Model: "i3en.metal",
			CPUModel: "Intel(R) Xeon(R) Platinum 8259CL CPU @ 2.50GHz",
			Sockets:  2, Cores: 36, MHz: 2300, MemoryGiB: 512, Pools: []string{"Mgmt-ResourcePool", "Compute-ResourcePool"}},
		{Name: "Cluster-2", Hosts: numbered("10.2.33.%d", 3), Vendor: "Amazon EC2", Model: "i4i.metal",
			CPUModel: "Intel(R) Xeon(R) Platinum 8375C CPU @ 2.90GHz",
			Sockets:  2, Cores: 64, MHz: 3500, MemoryGiB: 1024, Pools: []string{"Compute-ResourcePool"}},
	},
	Datastores: []DatastorePlan{
		{Name: "vsanDatastore", Type: "vsan", CapacityGiB: 30720, ForeignGiB: 6144, Clusters: []string{"Cluster-1"}},
		{Name: "WorkloadDatastore", Type: "vsan", CapacityGiB: 30720, ForeignGiB: 1024, Clusters: []string{"Cluster-1"}},
		{Name: "WorkloadDatastore-2", Type: "vsan", CapacityGiB: 40960, ForeignGiB: 512, Clusters: []string{"Cluster-2"}},
	},
	Switch: "vmc-hostswitch",
	Portgroups: []PortgroupPlan{
		{Name: "sddc-cgw-network-1", VLAN: 0, Subnet: "192.168.1.0/24", NSX: true},
		{Name: "compute-segment", VLAN: 0, Subnet: "10.40.0.0/22", NSX: true},
	},
	Folders:   []string{"Management VMs", "Workloads", "Templates"},
	Barred:    []string{"Management VMs", "Mgmt-ResourcePool"},
	Crowd:     []CrowdPlan{{"Workloads", 20}},
	Templates: containerHosts("Templates", "Cluster-1", "WorkloadDatastore", "compute-segment"),
	Machines: []MachinePlan{
		{Name: "vcenter", Folder: "Management VMs", Cluster: "Cluster-1", Pool: "Mgmt-ResourcePool", Datastore: "vsanDatastore",
			Network: "sddc-cgw-network-1", Guest: "otherLinux64Guest", CPUs: 8, MemoryMiB: 28672, DisksGiB: []int64{120}, Annotation: "Managed by the provider"},
	},
}

var evsFlavour = Flavour{
	Name: "evs", Account: "administrator@vsphere.local", Version: "8.0.3", Build: "24322831",
	Datacenter: "evs-dc01",
	Clusters: []ClusterPlan{
		{Name: "evs-cl01", Hosts: numbered("esxi%02d.evs.example", 4), Vendor: "Amazon EC2", Model: "i4i.metal",
			CPUModel: "Intel(R) Xeon(R) Platinum 8375C CPU @ 2.90GHz", Sockets: 2, Cores: 64, MHz: 2900, MemoryGiB: 1024},
	},
	Datastores: []DatastorePlan{
		{Name: "evs-cl01-ds-vsan01", Type: "vsan", CapacityGiB: 122880, ForeignGiB: 9216, Clusters: []string{"evs-cl01"}},
	},
	Switch: "evs-cl01-vds01",
	Portgroups: []PortgroupPlan{
		{Name: "evs-cl01-vds01-pg-mgmt", VLAN: 20, Subnet: "10.50.20.0/24"},
		{Name: "evs-cl01-vds01-pg-vm", VLAN: 30, Subnet: "10.50.32.0/22"},
		{Name: "evs-app-segment", VLAN: 0, Subnet: "10.51.0.0/22", NSX: true},
	},
	Folders:   []string{"Templates", "Management", "Workloads"},
	Crowd:     []CrowdPlan{{"Workloads", 20}},
	Templates: containerHosts("Templates", "evs-cl01", "evs-cl01-ds-vsan01", "evs-cl01-vds01-pg-vm"),
	Machines: []MachinePlan{
		{Name: "sddc-manager", Folder: "Management", Cluster: "evs-cl01", Datastore: "evs-cl01-ds-vsan01", Network: "evs-cl01-vds01-pg-mgmt",
			Guest: "otherLinux64Guest", CPUs: 4, MemoryMiB: 16384, DisksGiB: []int64{900}, Annotation: "VMware Cloud Foundation"},
		{Name: "nsx-mgr-01", Folder: "Management", Cluster: "evs-cl01", Datastore: "evs-cl01-ds-vsan01", Network: "evs-cl01-vds01-pg-mgmt",
			Guest: "ubuntu64Guest", CPUs: 6, MemoryMiB: 24576, DisksGiB: []int64{300}},
	},
}
