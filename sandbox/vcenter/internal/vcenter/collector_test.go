package vcenter

import (
	"net/http/httptest"
	"reflect"
	"strings"
	"testing"

	"github.com/vmware/govmomi/vim25/mo"
	"github.com/vmware/govmomi/vim25/types"
)

func ref(kind, value string) types.ManagedObjectReference {
	return types.ManagedObjectReference{Type: kind, Value: value}
}

func TestVersionsAreKnownUntilTheLogIsCut(t *testing.T) {
	c := &collector{}
	f := &filter{members: map[types.ManagedObjectReference]*member{}}
	for range spareEntries {
		c.append(entry{filter: f, obj: ref("VirtualMachine", "vm-1"), kind: types.ObjectUpdateKindLeave})
	}
	if _, known := c.version("1"); !known {
		t.Error("the first version is forgotten too early")
	}
	c.append(entry{filter: f, obj: ref("VirtualMachine", "vm-1"), kind: types.ObjectUpdateKindLeave})
	if _, known := c.version("1"); known {
		t.Error("the log was not cut")
	}
	if n, known := c.version("20001"); !known || n != c.newest {
		t.Errorf("the newest version is %d", c.newest)
	}
	for _, text := range []string{"", "-", "x", "20002"} {
		if _, known := c.version(text); known {
			t.Errorf("%q is no version", text)
		}
	}
}

func TestAPageHoldsAsManyObjectsAsAskedForAndJoinsTheirChanges(t *testing.T) {
	f := &filter{members: map[types.ManagedObjectReference]*member{}}
	c := &collector{filters: []*filter{f}}
	a, b := ref("VirtualMachine", "vm-1"), ref("VirtualMachine", "vm-2")
	f.members[a], f.members[b] = &member{}, &member{}
	c.append(entry{filter: f, obj: a, kind: types.ObjectUpdateKindModify, paths: []int{0}})
	c.append(entry{filter: f, obj: a, kind: types.ObjectUpdateKindModify, paths: []int{2}})
	c.append(entry{filter: f, obj: b, kind: types.ObjectUpdateKindModify, paths: []int{1}})
	p := c.after(0, 1)
	if !p.truncated || p.version != 2 || !reflect.DeepEqual(p.updates[f][0].paths, map[int]bool{0: true, 2: true}) {
		t.Errorf("%+v", p)
	}
	p = c.after(p.version, 1)
	if p.truncated || p.version != 3 || p.updates[f][0].obj != b {
		t.Errorf("%+v", p)
	}
	delete(f.members, b)
	if p = c.after(2, 1); len(p.updates[f]) != 0 {
		t.Error("an object that is gone is told as changed")
	}
}

func TestPropertiesAreReadByTheirPaths(t *testing.T) {
	vm := mo.VirtualMachine{Config: &types.VirtualMachineConfigInfo{}}
	vm.Name = "web"
	vm.Config.Hardware.MemoryMB = 512
	vm.Config.Hardware.Device = []types.BaseVirtualDevice{&types.VirtualDisk{VirtualDevice: types.VirtualDevice{Key: 2000}, CapacityInKB: 7}}
	v := reflect.ValueOf(&vm).Elem()
	for path, wanted := range map[string]string{
		"name":                     `<val xsi:type="xsd:string">web</val>`,
		"config.hardware.memoryMB": `<val xsi:type="xsd:int">512</val>`,
		"config.hardware.device[2000].capacityInKB": `<val xsi:type="xsd:long">7</val>`,
		"config.annotation":                         "",
		"guest.ipAddress":                           "",
		"snapshot":                                  "",
		"config.hardware.device[9]":                 "",
	} {
		p := prepare(v.Type(), path)
		got := string(valueXML(p.value(v)))
		if p.invalid || got != wanted {
			t.Errorf("%s is %s", path, got)
		}
	}
	for _, path := range []string{"nonsense", "config.nonsense", "name.deeper", "config.hardware.device[", "name["} {
		if p := prepare(v.Type(), path); !p.invalid {
			t.Errorf("%s is taken for a path", path)
		}
	}
}

func TestATypeIsAlsoWhatItIsDerivedFrom(t *testing.T) {
	kind := reflect.TypeOf(mo.DistributedVirtualPortgroup{})
	pg := ref("DistributedVirtualPortgroup", "dvportgroup-1")
	for _, name := range []string{"DistributedVirtualPortgroup", "Network", "ManagedEntity", "ManagedObject"} {
		if !isKind(pg, kind, name) {
			t.Errorf("a port group is no %s", name)
		}
	}
	if isKind(pg, kind, "Datastore") {
		t.Error("a port group is a datastore")
	}
}

func TestATreeWithoutOneSnapshot(t *testing.T) {
	node := func(name string, children ...types.VirtualMachineSnapshotTree) types.VirtualMachineSnapshotTree {
		return types.VirtualMachineSnapshotTree{Snapshot: ref("VirtualMachineSnapshot", name), ChildSnapshotList: children}
	}
	names := func(tree []types.VirtualMachineSnapshotTree) string {
		var list []string
		for _, r := range snapshotsIn(tree) {
			list = append(list, r.Value)
		}
		return strings.Join(list, " ")
	}
	tree := []types.VirtualMachineSnapshotTree{node("a", node("b", node("c")), node("d"))}
	kept, cut, parent := without(tree, ref("VirtualMachineSnapshot", "b"), false, nil)
	if names(kept) != "a c d" || cut == nil || parent == nil || parent.Value != "a" {
		t.Errorf("%s, %v, %v", names(kept), cut, parent)
	}
	if kept, _, _ = without(tree, ref("VirtualMachineSnapshot", "b"), true, nil); names(kept) != "a d" {
		t.Error(names(kept))
	}
	if kept, _, parent = without(tree, ref("VirtualMachineSnapshot", "a"), false, nil); names(kept) != "b c d" || parent != nil {
		t.Error(names(kept))
	}
	if kept, cut, _ = without(tree, ref("VirtualMachineSnapshot", "z"), true, nil); names(kept) != "a b c d" || cut != nil {
		t.Error(names(kept))
	}
	if names(tree) != "a b c d" {
		t.Error("the old tree was changed")
	}
}

func TestNewerPathsBecomeOlderOnes(t *testing.T) {
	for newer, older := range map[string]string{
		"POST /api/session":                                                     "/rest/com/vmware/cis/session?",
		"GET /api/cis/tagging/tag/urn:x":                                        "/rest/com/vmware/cis/tagging/tag/id:urn:x?",
		"POST /api/cis/tagging/tag-association?action=list":                     "/rest/com/vmware/cis/tagging/tag-association?~action=list",
		"POST /api/cis/tagging/tag?action=list-tags-for-category&category_id=7": "/rest/com/vmware/cis/tagging/tag/id:7?~action=list-tags-for-category",
	} {
		method, target, _ := strings.Cut(newer, " ")
		path, query, _, ok := olderForm(httptest.NewRequest(method, target, nil))
		if got := path + "?" + strings.ReplaceAll(query.Encode(), "%7E", "~"); !ok || got != older {
			t.Errorf("%s became %s", newer, got)
		}
	}
	if _, _, _, ok := olderForm(httptest.NewRequest("GET", "/api/vcenter/vm", nil)); ok {
		t.Error("a path that is not translated was")
	}
}

func TestRolesDecideWhatIsAllowed(t *testing.T) {
	vc := &VCenter{settings: Settings{Username: "admin", Password: "secret", RoleMissing: []string{"Folder.Create"}}}
	p := newPermissions(vc)
	root := ref("Folder", "group-d1")
	p.set("reader", "x", &[]string{}, nil)
	for _, c := range []struct {
		user, privilege string
		allowed         bool
	}{
		{"admin", "Folder.Delete", true}, {"admin", "Folder.Create", false}, {"reader", "Folder.Delete", false},
		{"reader", "System.Read", true}, {"reader", "System.View", true},
	} {
		if p.allowed(c.user, root, c.privilege) != c.allowed {
			t.Errorf("%s: %s is not %t", c.user, c.privilege, c.allowed)
		}
	}
	if !p.validLogin("admin", "secret") || p.validLogin("admin", "") || p.validLogin("nobody", "") || p.set("new", "", nil, nil) {
		t.Error("a login was judged wrongly")
	}
}
