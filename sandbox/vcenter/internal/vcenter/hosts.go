package vcenter

import (
	"github.com/vmware/govmomi/simulator"
	"github.com/vmware/govmomi/vim25/types"
)

// What ESXi takes for itself.
const (
	hypervisorMHz = 600
	hypervisorMiB = 6144
)

// refreshHostUsage shows on each host what its running machines use: a third of their CPU, all of their memory.
func (vc *VCenter) refreshHostUsage() {
	vc.writer.Lock()
	defer vc.writer.Unlock()
	ctx := vc.context()
	for _, host := range vc.hosts() {
		mhz, mib := int32(hypervisorMHz), int32(hypervisorMiB)
		for _, ref := range host.Vm {
			vm, ok := vc.registry.Get(ref).(*simulator.VirtualMachine)
			if ok && vm.Runtime.PowerState == types.VirtualMachinePowerStatePoweredOn {
				mhz += vm.Config.Hardware.NumCPU * host.Summary.Hardware.CpuMhz / 3
				mib += vm.Config.Hardware.MemoryMB
			}
		}
		stats := &host.Summary.QuickStats
		if stats.OverallCpuUsage == mhz && stats.OverallMemoryUsage == mib {
			continue
		}
		ctx.WithLock(host, func() {
			ctx.Update(host, []types.PropertyChange{
				{Name: "summary.quickStats.overallCpuUsage", Val: mhz},
				{Name: "summary.quickStats.overallMemoryUsage", Val: mib},
			})
		})
	}
}

func (vc *VCenter) clusters() []*simulator.ClusterComputeResource {
	var found []*simulator.ClusterComputeResource
	for _, e := range vc.registry.All("ClusterComputeResource") {
		if cluster, ok := e.(*simulator.ClusterComputeResource); ok {
			found = append(found, cluster)
		}
	}
	return found
}

func (vc *VCenter) hosts() []*simulator.HostSystem {
	var found []*simulator.HostSystem
	for _, e := range vc.registry.All("HostSystem") {
		if host, ok := e.(*simulator.HostSystem); ok {
			found = append(found, host)
		}
	}
	return found
}
