package vcenter

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"github.com/vmware/govmomi/simulator"
	"github.com/vmware/govmomi/vim25/types"
)

func TestCopyBytesKeepsHoles(t *testing.T) {
	from, to := filepath.Join(t.TempDir(), "from"), filepath.Join(t.TempDir(), "to")
	const size = int64(1) << 30
	for _, path := range []string{from, to} {
		f, err := os.Create(path)
		if err != nil {
			t.Fatal(err)
		}
		if err := f.Truncate(size); err != nil {
			t.Fatal(err)
		}
		_ = f.Close()
	}
	for _, at := range []int64{0, 512 << 20, size - 5} {
		f, _ := os.OpenFile(from, os.O_WRONLY, 0)
		if _, err := f.WriteAt([]byte("bytes"), at); err != nil {
			t.Fatal(err)
		}
		_ = f.Close()
	}
	if fault := copyBytes(&job{cancel: make(chan struct{})}, from, to); fault != nil {
		t.Fatalf("%T", fault)
	}
	f, _ := os.Open(to)
	defer f.Close()
	for _, at := range []int64{0, 512 << 20, size - 5} {
		got := make([]byte, 5)
		if _, err := f.ReadAt(got, at); err != nil || !bytes.Equal(got, []byte("bytes")) {
			t.Errorf("at %d: %q, %v", at, got, err)
		}
	}
	if taken := allocated(to); taken > 1<<20 {
		t.Errorf("the copy takes %d bytes", taken)
	}
}

func TestCopyBytesStopsWhenCancelled(t *testing.T) {
	path := filepath.Join(t.TempDir(), "from")
	if err := os.WriteFile(path, []byte("bytes"), 0o600); err != nil {
		t.Fatal(err)
	}
	j := &job{cancel: make(chan struct{})}
	close(j.cancel)
	if _, ok := copyBytes(j, path, path).(*types.RequestCanceled); !ok {
		t.Error("it went on")
	}
}

func TestDiskUUIDsHaveTwoForms(t *testing.T) {
	const shown = "60 00 C2 9a 1b 2c 3d 4e-5f 60 71 82 93 a4 b5 c6"
	const stored = "6000C29a-1b2c-3d4e-5f60-718293a4b5c6"
	if hexPairs(stored) != shown || dashed(shown) != stored {
		t.Errorf("got %q and %q", hexPairs(stored), dashed(shown))
	}
}

func TestPathsThatLeadOutAreFound(t *testing.T) {
	for name, want := range map[string]bool{
		"[ds] folder/disk.vmdk": false, "[ds] a..b/c": false, "[ds] ": true, "[ds]": true, "[ds] .": true,
		"[ds] ../x": true, "[ds] a/../../x": true, "[ds] a/..": true,
	} {
		m := &simulator.Method{This: types.ManagedObjectReference{Type: "FileManager"}, Name: "DeleteDatastoreFile_Task",
			Body: &types.DeleteDatastoreFile_Task{Name: name}}
		if got := strayPath(m) != ""; got != want {
			t.Errorf("%q: %v", name, got)
		}
	}
}

func TestNewDevicesGetTheKeysOfVCenter(t *testing.T) {
	unit := int32(0)
	controller := &types.ParaVirtualSCSIController{}
	controller.Key = -100
	disk := &types.VirtualDisk{VirtualDevice: types.VirtualDevice{Key: -101, ControllerKey: -100, UnitNumber: &unit}}
	card := &types.VirtualVmxnet3{}
	var changes []types.BaseVirtualDeviceConfigSpec
	for _, d := range []types.BaseVirtualDevice{controller, disk, card} {
		changes = append(changes, &types.VirtualDeviceConfigSpec{Operation: types.VirtualDeviceConfigSpecOperationAdd, Device: d})
	}
	numberDevices(nil, changes)
	if controller.Key != 1000 || disk.Key != 2000 || card.Key != 4000 {
		t.Errorf("got %d, %d, %d", controller.Key, disk.Key, card.Key)
	}
	if disk.ControllerKey != 1000 {
		t.Errorf("the disk lost its controller: %d", disk.ControllerKey)
	}
	if label := disk.DeviceInfo.GetDescription().Label; label != "Hard disk 1" {
		t.Errorf("got %q", label)
	}
}
