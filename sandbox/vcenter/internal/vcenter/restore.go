package vcenter

import (
	"encoding/json"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/vmware/govmomi/simulator"
	"github.com/vmware/govmomi/vim25/mo"
	"github.com/vmware/govmomi/vim25/types"
)

// restore puts the saved objects back; it tells whether there were any. Without, old disks are swept away.
func (j *journal) restore() (bool, error) {
	j.estate = map[types.ManagedObjectReference]bool{}
	for _, object := range j.vc.registry.All("") {
		j.estate[object.Reference()] = true
	}
	data, err := os.ReadFile(j.path)
	if j.vc.settings.Ephemeral || os.IsNotExist(err) {
		return false, j.sweep()
	}
	if err != nil {
		return false, err
	}
	var saved inventory
	if err := json.Unmarshal(data, &saved); err != nil {
		return false, fmt.Errorf("%s is damaged (%w): remove it to start with a fresh inventory", j.path, err)
	}
	if saved.Version != inventoryVersion {
		return false, fmt.Errorf("%s has version %d, this program knows %d: remove it to start with a fresh inventory", j.path, saved.Version, inventoryVersion)
	}
	r := &restorer{vc: j.vc, ctx: j.vc.context()}
	if err := r.all(&saved); err != nil {
		return false, fmt.Errorf("%s: %w: remove it to start with a fresh inventory", j.path, err)
	}
	// a killed process may have given a few numbers more than it saved
	return true, j.vc.continueNumbers(saved.Highest + 1000)
}

// sweep empties the datastores of an inventory that is not kept.
func (j *journal) sweep() error {
	for _, plan := range j.vc.settings.Flavour.Datastores {
		dir := filepath.Join(j.vc.settings.Home, "datastores", plan.Name)
		entries, err := os.ReadDir(dir)
		if err != nil {
			return err
		}
		for _, entry := range entries {
			if err := os.RemoveAll(filepath.Join(dir, entry.Name())); err != nil {
				return err
			}
		}
	}
	return nil
}

// continueNumbers lets the next reference have a number above n.
func (vc *VCenter) continueNumbers(n int) error {
	ref := types.ManagedObjectReference{Type: "EnvironmentBrowser", Value: fmt.Sprintf("envbrowser-%d", n)}
	vc.registry.Put(&mo.EnvironmentBrowser{Self: ref})
	defer vc.registry.Remove(vc.context(), ref)
	return vc.registry.AlignCounter()
}

type restorer struct {
	vc  *VCenter
	ctx *simulator.Context
}

func (r *restorer) all(saved *inventory) error {
	if err := r.fields(saved.Fields); err != nil {
		return err
	}
	for name, names := range saved.FriendlyNames {
		if ds := r.vc.datastoreNamed(name); ds != nil {
			r.vc.writeFriendlyNames(ds, names)
		}
	}
	for _, part := range []struct {
		texts []json.RawMessage
		put   func(json.RawMessage) error
	}{{saved.Folders, r.folder}, {saved.Pools, r.pool}, {saved.Portgroups, r.portgroup}, {saved.Machines, r.machine}} {
		if err := inTurn(part.texts, part.put); err != nil {
			return err
		}
	}
	r.vc.showNetworkUsers(r.ctx)
	return nil
}

// inTurn puts objects, those whose parent comes later after it; it fails when a round puts none.
func inTurn(texts []json.RawMessage, put func(json.RawMessage) error) error {
	for len(texts) > 0 {
		var later []json.RawMessage
		var last error
		for _, text := range texts {
			if err := put(text); err != nil {
				last, later = err, append(later, text)
			}
		}
		if len(later) == len(texts) {
			return last
		}
		texts = later
	}
	return nil
}

// fields re-creates the definitions of custom attributes with their keys: the library counts keys by itself.
func (r *restorer) fields(text json.RawMessage) error {
	var fields types.ArrayOfCustomFieldDef
	if err := decode(text, &fields); err != nil {
		return err
	}
	manager := r.vc.registry.CustomFieldsManager()
	for _, field := range fields.CustomFieldDef {
		if slices.ContainsFunc(manager.Field, func(f types.CustomFieldDef) bool { return f.Key == field.Key }) {
			continue
		}
		for attempt := 0; ; attempt++ { // burn the keys of definitions that were removed
			body := manager.AddCustomFieldDef(r.ctx, &types.AddCustomFieldDef{This: manager.Self, Name: field.Name, MoType: field.ManagedObjectType,
				FieldDefPolicy: field.FieldDefPrivileges, FieldPolicy: field.FieldInstancePrivileges})
			result, fault := r.vc.outcome(r.ctx, body)
			def, ok := result.(types.CustomFieldDef)
			if fault != nil || !ok || attempt > 10000 {
				return fmt.Errorf("custom attribute %q: %T", field.Name, fault)
			}
			if def.Key >= field.Key {
				break
			}
			manager.RemoveCustomFieldDef(r.ctx, &types.RemoveCustomFieldDef{This: manager.Self, Key: def.Key})
		}
	}
	return nil
}

func (r *restorer) folder(text json.RawMessage) error {
	folder := &simulator.Folder{}
	if err := decode(text, &folder.Folder); err != nil {
		return err
	}
	folder.ChildEntity = nil // its children enter one by one
	return r.enter(folder, *folder.Parent)
}

// enter puts an object into the registry and into its parent folder.
func (r *restorer) enter(object mo.Entity, parent types.ManagedObjectReference) error {
	folder, ok := r.vc.registry.Get(parent).(*simulator.Folder)
	if !ok {
		return fmt.Errorf("%s lies in %s, which is not there", object.Reference(), parent)
	}
	folder.ChildEntity = append(folder.ChildEntity, object.Reference())
	r.vc.registry.PutEntity(folder, object)
	return nil
}

func (r *restorer) pool(text json.RawMessage) error {
	pool := &simulator.ResourcePool{}
	if err := decode(text, &pool.ResourcePool); err != nil {
		return err
	}
	parent, ok := r.vc.registry.Get(*pool.Parent).(*simulator.ResourcePool)
	if !ok {
		return fmt.Errorf("%s lies in %s, which is not there", pool.Self, pool.Parent)
	}
	pool.ResourcePool.ResourcePool, pool.Vm = nil, nil
	parent.ResourcePool.ResourcePool = append(parent.ResourcePool.ResourcePool, pool.Self)
	r.vc.registry.PutEntity(parent, pool)
	return nil
}

func (r *restorer) portgroup(text json.RawMessage) error {
	pg := &simulator.DistributedVirtualPortgroup{}
	if err := decode(text, &pg.DistributedVirtualPortgroup); err != nil {
		return err
	}
	dvs, ok := r.vc.registry.Get(*pg.Config.DistributedVirtualSwitch).(*simulator.DistributedVirtualSwitch)
	if !ok {
		return fmt.Errorf("port group %s belongs to %s, which is not there", pg.Name, pg.Config.DistributedVirtualSwitch)
	}
	if err := r.enter(pg, *pg.Parent); err != nil {
		return err
	}
	dvs.Portgroup = append(dvs.Portgroup, pg.Self)
	dvs.Summary.PortgroupName = append(dvs.Summary.PortgroupName, pg.Name)
	dc := r.vc.datacenter()
	dc.Network = append(dc.Network, pg.Self)
	for _, host := range r.vc.hosts() {
		if slices.Contains(pg.Host, host.Self) {
			host.Network = append(host.Network, pg.Self)
		}
	}
	for _, cluster := range r.vc.clusters() {
		cluster.Network = append(cluster.Network, pg.Self)
	}
	return nil
}

func (r *restorer) machine(text json.RawMessage) error {
	vm := &simulator.VirtualMachine{DataSets: map[string]*simulator.DataSet{}}
	if err := decode(text, &vm.VirtualMachine); err != nil {
		return err
	}
	vm.Summary.Vm = &vm.Self
	if err := r.enter(vm, *vm.Parent); err != nil {
		return err
	}
	host, ok := r.vc.registry.Get(*vm.Runtime.Host).(*simulator.HostSystem)
	if !ok {
		return fmt.Errorf("machine %s ran on %s, which is not there", vm.Name, vm.Runtime.Host)
	}
	host.Vm = append(host.Vm, vm.Self)
	if vm.ResourcePool != nil {
		pool, ok := r.vc.registry.Get(*vm.ResourcePool).(*simulator.ResourcePool)
		if !ok {
			return fmt.Errorf("machine %s was in %s, which is not there", vm.Name, vm.ResourcePool)
		}
		pool.Vm = append(pool.Vm, vm.Self)
	}
	for _, ref := range vm.Datastore {
		if ds, ok := r.vc.registry.Get(ref).(*simulator.Datastore); ok {
			ds.Vm = append(ds.Vm, vm.Self)
		}
	}
	r.vc.guests.restored(&vm.VirtualMachine)
	r.vc.unwritten.missing(vm.Config.Hardware.Device)
	return nil
}

// restored takes up the leases of a machine that was running, or boots its guest when it had not come that far.
func (g *guests) restored(vm *mo.VirtualMachine) {
	if vm.Runtime.PowerState != types.VirtualMachinePowerStatePoweredOn {
		return
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if vm.Guest == nil || vm.Guest.ToolsRunningStatus != string(types.VirtualMachineToolsRunningStatusGuestToolsRunning) {
		ref := vm.Self
		g.boots[ref] = time.AfterFunc(g.vc.settings.GuestDelay, func() { g.boot(ref) })
		return
	}
	for _, nic := range vm.Guest.Net {
		for _, text := range nic.IpAddress {
			if address, err := netip.ParseAddr(text); err == nil && g.subnet(nic.Network).Contains(address) {
				g.leases[address] = vm.Self
			}
		}
	}
}
