package vcenter

import (
	"testing"
	"time"
)

func TestTheJournalLeavesOutMachinesInTheMaking(t *testing.T) {
	flavour, err := FlavourNamed("ovh")
	if err != nil {
		t.Fatal(err)
	}
	vc, err := Start(Settings{Name: "roubaix", Flavour: flavour, Listen: "127.0.0.1:0", ControlListen: "127.0.0.1:0",
		Home: t.TempDir(), Username: "alice", Password: "secret", GuestDelay: time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := vc.Stop(); err != nil {
			t.Error(err)
		}
	}()
	count := func() int {
		saved, err := vc.journal.collect()
		if err != nil {
			t.Fatal(err)
		}
		return len(saved.Machines)
	}
	all := count()
	ref := vc.registry.Any("VirtualMachine").Reference()
	vc.journal.begin(ref)
	if got := count(); got != all-1 {
		t.Errorf("%d of %d machines are saved while one is being made", got, all)
	}
	vc.journal.complete(ref)
	if got := count(); got != all {
		t.Errorf("%d of %d machines are saved when it is complete", got, all)
	}
}
