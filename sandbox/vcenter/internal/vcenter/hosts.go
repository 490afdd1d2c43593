package vcenter

import (
	"github.com/vmware/govmomi/simulator"
	"github.com/vmware/govmomi/vim25/types"
)

// refreshHostUsage shows on each host what its running machines use: a third of their CPU, all of their memory.
func (vc *VCenter) refreshHostUsage() {
	vc.writer.Lock()
	defer vc.writer.Unlock()
	ctx := vc.context()
	for _, e := range vc.registry.All("HostSystem") {
		host, ok := e.(*simulator.HostSystem)
		if !ok || host.Summary.Hardware == nil {
			continue
		}
		var mhz, mib int32
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
