package vcenter

import (
	"encoding/base64"
	"testing"

	"github.com/vmware/govmomi/vim25/types"
)

func options(pairs ...string) []types.BaseOptionValue {
	var list []types.BaseOptionValue
	for i := 0; i < len(pairs); i += 2 {
		list = append(list, &types.OptionValue{Key: pairs[i], Value: pairs[i+1]})
	}
	return list
}

func TestMetadataGivesStaticAddresses(t *testing.T) {
	text := `
local-hostname: web-1
network:
  version: 2
  ethernets:
    b: {match: {macaddress: "00:50:56:AA:BB:CC"}, addresses: [10.0.0.5/24, "2001:db8::5/64"]}
    a: {dhcp4: true}
`
	encoded := base64.StdEncoding.EncodeToString([]byte(text))
	m, err := readMetadata(options("guestinfo.metadata", encoded, "guestinfo.metadata.encoding", "base64"))
	if err != nil {
		t.Fatal(err)
	}
	if m.hostname != "web-1" || len(m.interfaces) != 2 {
		t.Fatalf("got %+v", m)
	}
	parts := m.assign([]string{"00:50:56:00:00:00", "00:50:56:aa:bb:cc", "00:50:56:00:00:01"})
	if n := parts[1]; n == nil || n.addresses[1].String() != "2001:db8::5/64" {
		t.Errorf("the card with the MAC address got %+v", n)
	}
	if n := parts[0]; n == nil || !n.dhcp {
		t.Errorf("the other card got %+v", n)
	}
	if n := parts[2]; n != nil {
		t.Errorf("a third card got %+v", n)
	}
}

func TestMetadataThatIsWrongIsAnError(t *testing.T) {
	for _, pairs := range [][]string{
		{"guestinfo.metadata", "]: {"},
		{"guestinfo.metadata", "%%%", "guestinfo.metadata.encoding", "base64"},
		{"guestinfo.metadata", "x", "guestinfo.metadata.encoding", "rot13"},
		{"guestinfo.metadata", "network: {version: 2, ethernets: {a: {addresses: [not-an-address]}}}"},
	} {
		if m, err := readMetadata(options(pairs...)); err == nil {
			t.Errorf("%v gave %+v", pairs, m)
		}
	}
}

func TestNoMetadataIsNoError(t *testing.T) {
	if m, err := readMetadata(nil); err != nil || m.hostname != "" {
		t.Errorf("got %+v, %v", m, err)
	}
}
