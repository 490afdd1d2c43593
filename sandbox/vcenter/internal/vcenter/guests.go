package vcenter

import (
	"cmp"
	"hash/fnv"
	"log"
	"net/netip"
	"strconv"
	"sync"
	"time"

	"github.com/vmware/govmomi/simulator"
	"github.com/vmware/govmomi/vim25/mo"
	"github.com/vmware/govmomi/vim25/types"
)

// silentGuest is an extra-configuration key: with the value "silent" a machine's tools never report, as in a guest
// without VMware Tools or one that does not boot.
const silentGuest = "escale.sandbox.guest"

// guests plays the operating systems: some time after power-on the tools run and addresses appear.
type guests struct {
	vc *VCenter

	mu      sync.Mutex
	subnets map[string]netip.Prefix // by name of network
	leases  map[netip.Addr]types.ManagedObjectReference
	boots   map[types.ManagedObjectReference]*time.Timer
}

func newGuests(vc *VCenter) *guests {
	return &guests{vc: vc, subnets: map[string]netip.Prefix{}, leases: map[netip.Addr]types.ManagedObjectReference{},
		boots: map[types.ManagedObjectReference]*time.Timer{}}
}

func (g *guests) setSubnet(network, subnet string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.subnets[network] = netip.MustParsePrefix(subnet)
}

// subnet is the network's own, or one in 10.64.0.0/10 that follows from its name.
func (g *guests) subnet(network string) netip.Prefix {
	if p, ok := g.subnets[network]; ok {
		return p
	}
	h := fnv.New32a()
	_, _ = h.Write([]byte(network))
	n := h.Sum32()
	return netip.PrefixFrom(netip.AddrFrom4([4]byte{10, byte(64 + n%64), byte(n>>8) &^ 3, 0}), 22)
}

// powerChanged is called with the machine locked by ctx, while the change is being announced.
func (g *guests) powerChanged(ctx *simulator.Context, vm *mo.VirtualMachine) {
	ref := vm.Self
	g.mu.Lock()
	if timer := g.boots[ref]; timer != nil {
		timer.Stop()
		delete(g.boots, ref)
	}
	if vm.Runtime.PowerState == types.VirtualMachinePowerStatePoweredOn {
		g.boots[ref] = time.AfterFunc(g.vc.settings.GuestDelay, func() { g.boot(ref) })
	}
	g.mu.Unlock()
	if vm.Runtime.PowerState != types.VirtualMachinePowerStatePoweredOn {
		g.release(ref)
		ctx.Update(vm, asleep(vm))
	}
	go g.vc.refreshHostUsage()
}

// removed gives back what a machine that is gone had leased.
func (g *guests) removed(ref types.ManagedObjectReference) {
	g.mu.Lock()
	if timer := g.boots[ref]; timer != nil {
		timer.Stop()
		delete(g.boots, ref)
	}
	g.mu.Unlock()
	g.release(ref)
}

func (g *guests) release(ref types.ManagedObjectReference) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for address, holder := range g.leases {
		if holder == ref {
			delete(g.leases, address)
		}
	}
}

// lease gives the lowest free address of a network, above its first nine.
func (g *guests) lease(network string, ref types.ManagedObjectReference) netip.Prefix {
	g.mu.Lock()
	defer g.mu.Unlock()
	subnet := g.subnet(network)
	address := subnet.Addr()
	for range 10 {
		address = address.Next()
	}
	for ; subnet.Contains(address); address = address.Next() {
		if _, taken := g.leases[address]; !taken {
			g.leases[address] = ref
			return netip.PrefixFrom(address, subnet.Bits())
		}
	}
	return netip.Prefix{} // the pool is exhausted: the machine gets no address
}

// boot lets a guest report: tools, host name and addresses.
func (g *guests) boot(ref types.ManagedObjectReference) {
	vm, ok := g.vc.registry.Get(ref).(*simulator.VirtualMachine)
	if !ok {
		return
	}
	g.vc.writer.Lock()
	defer g.vc.writer.Unlock()
	ctx := g.vc.context()
	ctx.WithLock(vm, func() {
		if vm.Runtime.PowerState != types.VirtualMachinePowerStatePoweredOn || option(vm.Config.ExtraConfig, silentGuest) == "silent" {
			return
		}
		ctx.Update(vm, g.awake(&vm.VirtualMachine))
	})
}

// awake makes the properties of a running guest.
func (g *guests) awake(vm *mo.VirtualMachine) []types.PropertyChange {
	meta, err := readMetadata(vm.Config.ExtraConfig)
	if err != nil {
		log.Printf("%s: %v: the guest starts without it", vm.Name, err)
	}
	hostname := cmp.Or(meta.hostname, vm.Name)
	var cards []*types.VirtualEthernetCard
	var macs []string
	for _, device := range vm.Config.Hardware.Device {
		if card, ok := device.(types.BaseVirtualEthernetCard); ok {
			cards = append(cards, card.GetVirtualEthernetCard())
			macs = append(macs, card.GetVirtualEthernetCard().MacAddress)
		}
	}
	var nics []types.GuestNicInfo
	for i, config := range meta.assign(macs) {
		nics = append(nics, g.nic(vm.Self, cards[i], config, hostname))
	}
	first := ""
	for _, nic := range nics {
		if len(nic.IpAddress) > 0 {
			first = nic.IpAddress[0]
			break
		}
	}
	running := string(types.VirtualMachineToolsRunningStatusGuestToolsRunning)
	return []types.PropertyChange{
		{Name: "guest.toolsStatus", Val: types.VirtualMachineToolsStatusToolsOk},
		{Name: "guest.toolsRunningStatus", Val: running},
		{Name: "guest.toolsVersionStatus2", Val: string(types.VirtualMachineToolsVersionStatusGuestToolsUnmanaged)},
		{Name: "guest.toolsVersion", Val: "12389"},
		{Name: "guest.guestState", Val: string(types.VirtualMachineGuestStateRunning)},
		{Name: "guest.hostName", Val: hostname},
		{Name: "guest.ipAddress", Val: first},
		{Name: "guest.net", Val: nics},
		{Name: "guest.ipStack", Val: stack(meta)},
		{Name: "guestHeartbeatStatus", Val: types.ManagedEntityStatusGreen},
		{Name: "summary.quickStats.guestHeartbeatStatus", Val: types.ManagedEntityStatusGreen},
		{Name: "summary.guest.toolsStatus", Val: types.VirtualMachineToolsStatusToolsOk},
		{Name: "summary.guest.toolsRunningStatus", Val: running},
		{Name: "summary.guest.hostName", Val: hostname},
		{Name: "summary.guest.ipAddress", Val: first},
	}
}

// nic makes one card's addresses: the static ones of the metadata, else a lease of its network.
func (g *guests) nic(vm types.ManagedObjectReference, card *types.VirtualEthernetCard, config *netInterface, hostname string) types.GuestNicInfo {
	network := g.vc.networkName(card.Backing)
	info := types.GuestNicInfo{Network: network, MacAddress: card.MacAddress, Connected: true, DeviceConfigId: card.Key,
		DnsConfig: &types.NetDnsConfigInfo{HostName: hostname}, IpConfig: &types.NetIpConfigInfo{}}
	var addresses []netip.Prefix
	if config != nil {
		addresses = config.addresses
		info.DnsConfig.IpAddress, info.DnsConfig.SearchDomain = config.dns, config.search
	}
	if config == nil || config.dhcp || len(addresses) == 0 {
		info.DnsConfig.Dhcp = true
		if leased := g.lease(network, vm); leased.IsValid() {
			addresses = append(addresses, leased)
		}
	}
	for _, a := range addresses {
		info.IpAddress = append(info.IpAddress, a.Addr().String())
		info.IpConfig.IpAddress = append(info.IpConfig.IpAddress, types.NetIpConfigInfoIpAddress{
			IpAddress: a.Addr().String(), PrefixLength: int32(a.Bits()), State: string(types.NetIpConfigInfoIpAddressStatusPreferred)})
	}
	return info
}

// stack shows the default route of the metadata.
func stack(meta metadata) []types.GuestStackInfo {
	for i, config := range meta.interfaces {
		if config.gateway != "" {
			return []types.GuestStackInfo{{IpRouteConfig: &types.NetIpRouteConfigInfo{IpRoute: []types.NetIpRouteConfigInfoIpRoute{{
				Network: "0.0.0.0", Gateway: types.NetIpRouteConfigInfoGateway{IpAddress: config.gateway, Device: strconv.Itoa(i)},
			}}}}}
		}
	}
	return nil
}

// asleep makes the properties of a guest that does not run: no tools, no addresses.
func asleep(vm *mo.VirtualMachine) []types.PropertyChange {
	var nics []types.GuestNicInfo
	if vm.Guest != nil {
		for _, nic := range vm.Guest.Net {
			nics = append(nics, types.GuestNicInfo{Network: nic.Network, MacAddress: nic.MacAddress, DeviceConfigId: nic.DeviceConfigId})
		}
	}
	stopped := string(types.VirtualMachineToolsRunningStatusGuestToolsNotRunning)
	return []types.PropertyChange{
		{Name: "guest.toolsStatus", Val: types.VirtualMachineToolsStatusToolsNotRunning},
		{Name: "guest.toolsRunningStatus", Val: stopped},
		{Name: "guest.guestState", Val: string(types.VirtualMachineGuestStateNotRunning)},
		{Name: "guest.hostName", Val: ""},
		{Name: "guest.ipAddress", Val: ""},
		{Name: "guest.net", Val: nics},
		{Name: "guest.ipStack", Val: []types.GuestStackInfo(nil)},
		{Name: "guestHeartbeatStatus", Val: types.ManagedEntityStatusGray},
		{Name: "summary.quickStats.guestHeartbeatStatus", Val: types.ManagedEntityStatusGray},
		{Name: "summary.guest.toolsStatus", Val: types.VirtualMachineToolsStatusToolsNotRunning},
		{Name: "summary.guest.toolsRunningStatus", Val: stopped},
		{Name: "summary.guest.hostName", Val: ""},
		{Name: "summary.guest.ipAddress", Val: ""},
	}
}
