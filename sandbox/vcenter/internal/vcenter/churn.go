package vcenter

import (
	"fmt"
	"math/rand/v2"
	"slices"

	"github.com/vmware/govmomi/simulator"
	"github.com/vmware/govmomi/vim25/types"
)

// churn changes memory, power, annotation or host of machines of the crowd, chosen by a seed; it names their references.
// They are announced as any change is, without tasks.
func (vc *VCenter) churn(seed uint64, count int) []string {
	vc.writer.Lock()
	defer vc.writer.Unlock()
	ctx := vc.context()
	random := rand.New(rand.NewPCG(seed, 8))
	var machines []*simulator.VirtualMachine
	for _, e := range vc.registry.All("VirtualMachine") {
		if vm := e.(*simulator.VirtualMachine); option(vm.Config.ExtraConfig, crowdMark) != "" {
			machines = append(machines, vm)
		}
	}
	slices.SortFunc(machines, func(a, b *simulator.VirtualMachine) int { return compareRefs(a.Self, b.Self) })
	random.Shuffle(len(machines), func(i, j int) { machines[i], machines[j] = machines[j], machines[i] })
	changed := []string{}
	for _, vm := range machines[:min(count, len(machines))] {
		changed = append(changed, vm.Self.Value)
		switch random.IntN(4) {
		case 0:
			vc.grow(ctx, vm)
		case 1:
			text := fmt.Sprintf("reviewed, number %d", random.IntN(1_000_000))
			ctx.WithLock(vm, func() {
				ctx.Update(vm, []types.PropertyChange{{Name: "config.annotation", Val: text}, {Name: "summary.config.annotation", Val: text}})
			})
		case 2:
			if !vc.wander(ctx, vm) {
				vc.grow(ctx, vm)
			}
		default:
			vc.grow(ctx, vm)
		}
	}
	vc.journal.touch()
	return changed
}

func (vc *VCenter) grow(ctx *simulator.Context, vm *simulator.VirtualMachine) {
	ctx.WithLock(vm, func() {
		memory := vm.Config.Hardware.MemoryMB + 256
		ctx.Update(vm, []types.PropertyChange{{Name: "config.hardware.memoryMB", Val: memory}, {Name: "summary.config.memorySizeMB", Val: memory}})
	})
}

// wander moves a machine to another host of its cluster, as DRS does.
func (vc *VCenter) wander(ctx *simulator.Context, vm *simulator.VirtualMachine) bool {
	hosts, _ := vc.hostsOf(*vm.ResourcePool)
	i := slices.Index(hosts, *vm.Runtime.Host)
	if i < 0 || len(hosts) < 2 {
		return false
	}
	host, ok := vc.registry.Get(hosts[(i+1)%len(hosts)]).(*simulator.HostSystem)
	if !ok {
		return false
	}
	vc.moveTo(ctx, vm, placement{pool: *vm.ResourcePool, host: host})
	return true
}
