package vcenter

import (
	"testing"

	"github.com/vmware/govmomi/vim25/types"
)

func TestFaultsAreMadeByName(t *testing.T) {
	fault, err := faultNamed("NoDiskSpace", map[string]any{"datastore": "nvme-a"})
	if err != nil {
		t.Fatal(err)
	}
	if f, ok := fault.(*types.NoDiskSpace); !ok || f.Datastore != "nvme-a" {
		t.Errorf("got %#v", fault)
	}
}

func TestRulesThatMakeNoSenseAreRefused(t *testing.T) {
	for _, rule := range []Rule{
		{Fault: "NoDiskSpace"},
		{Method: "CloneVM_Task"},
		{Method: "CloneVM_Task", Fault: "NoSuchThing"},
		{Method: "CloneVM_Task", Fault: "OptionValue"},
		{Method: "CreateFolder", Fault: "NoDiskSpace", InTask: true},
		{Method: "CloneVM_Task", Fault: "NoDiskSpace", Probability: 2},
		{Method: "CloneVM_Task", Fault: "NoDiskSpace", Properties: map[string]any{"datastore": []int{1}}},
	} {
		if rule.check() == nil {
			t.Errorf("%+v was taken", rule)
		}
	}
}

func TestFaultsHaveTheReferencesThatClientsNeed(t *testing.T) {
	about := types.ManagedObjectReference{Type: "Folder", Value: "group-1"}
	duplicate := (&Rule{Fault: "DuplicateName"}).fault(about).(*types.DuplicateName)
	if duplicate.Object != about {
		t.Errorf("got %v", duplicate.Object)
	}
	busy := (&Rule{Fault: "TaskInProgress"}).fault(about).(*types.TaskInProgress)
	if busy.Task.Type != "Task" {
		t.Errorf("got %v", busy.Task)
	}
}

func TestNumbersOfReferences(t *testing.T) {
	for value, want := range map[string]int{"vm-12": 12, "domain-c7": 7, "group-v3": 3, "session[x]y": 0, "": 0, "ha-host": 0} {
		if got := numberOf(types.ManagedObjectReference{Value: value}); got != want {
			t.Errorf("%q: %d", value, got)
		}
	}
}
