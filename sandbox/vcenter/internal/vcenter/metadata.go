package vcenter

import (
	"bytes"
	"cmp"
	"compress/gzip"
	"encoding/base64"
	"fmt"
	"io"
	"net/netip"
	"slices"
	"strings"

	"github.com/vmware/govmomi/vim25/types"
	"gopkg.in/yaml.v3"
)

// metadata is what cloud-init's VMware datasource would read from guestinfo.metadata.
// https://cloudinit.readthedocs.io/en/latest/reference/datasources/vmware.html
type metadata struct {
	hostname   string
	interfaces []netInterface
}

// netInterface is one ethernet of a network config, version 2.
type netInterface struct {
	mac       string
	addresses []netip.Prefix
	gateway   string
	dns       []string
	search    []string
	dhcp      bool
}

const maxMetadata = 1 << 20

// readMetadata decodes guestinfo.metadata; none is no error.
func readMetadata(options []types.BaseOptionValue) (metadata, error) {
	text, encoding := option(options, "guestinfo.metadata"), option(options, "guestinfo.metadata.encoding")
	if text == "" {
		return metadata{}, nil
	}
	data, err := decodeGuestinfo(text, encoding)
	if err != nil {
		return metadata{}, fmt.Errorf("guestinfo.metadata: %w", err)
	}
	var document struct {
		LocalHostname   string    `yaml:"local-hostname"`
		Hostname        string    `yaml:"hostname"`
		Network         yaml.Node `yaml:"network"`
		NetworkEncoding string    `yaml:"network.encoding"`
	}
	if err := yaml.Unmarshal(data, &document); err != nil {
		return metadata{}, fmt.Errorf("guestinfo.metadata: %w", err)
	}
	m := metadata{hostname: cmp.Or(document.LocalHostname, document.Hostname)}
	m.interfaces, err = readNetwork(document.Network, document.NetworkEncoding)
	return m, err
}

func option(options []types.BaseOptionValue, key string) string {
	for _, o := range options {
		if v := o.GetOptionValue(); v.Key == key {
			return fmt.Sprint(v.Value)
		}
	}
	return ""
}

// decodeGuestinfo undoes the encodings that the datasource knows.
func decodeGuestinfo(text, encoding string) ([]byte, error) {
	switch encoding {
	case "":
		return []byte(text), nil
	case "base64", "b64":
		return base64.StdEncoding.DecodeString(strings.TrimSpace(text))
	case "gzip+base64", "gz+b64":
		packed, err := base64.StdEncoding.DecodeString(strings.TrimSpace(text))
		if err != nil {
			return nil, err
		}
		reader, err := gzip.NewReader(bytes.NewReader(packed))
		if err != nil {
			return nil, err
		}
		return io.ReadAll(io.LimitReader(reader, maxMetadata))
	}
	return nil, fmt.Errorf("unknown encoding %q", encoding)
}

// readNetwork reads a version 2 network config, given as a mapping, below another "network" key, or encoded.
func readNetwork(node yaml.Node, encoding string) ([]netInterface, error) {
	if node.Kind == yaml.ScalarNode && node.Value != "" {
		data, err := decodeGuestinfo(node.Value, encoding)
		if err != nil {
			return nil, fmt.Errorf("network: %w", err)
		}
		if err := yaml.Unmarshal(data, &node); err != nil {
			return nil, fmt.Errorf("network: %w", err)
		}
	}
	type ethernet struct {
		Match       struct{ MACAddress string } `yaml:"match"`
		DHCP4       bool                        `yaml:"dhcp4"`
		Addresses   []string                    `yaml:"addresses"`
		Gateway4    string                      `yaml:"gateway4"`
		Routes      []struct{ To, Via string }  `yaml:"routes"`
		Nameservers struct{ Addresses, Search []string }
	}
	var config struct {
		Network   yaml.Node           `yaml:"network"`
		Ethernets map[string]ethernet `yaml:"ethernets"`
	}
	if node.Kind == 0 {
		return nil, nil
	}
	if err := node.Decode(&config); err != nil {
		return nil, fmt.Errorf("network: %w", err)
	}
	if config.Network.Kind != 0 {
		return readNetwork(config.Network, "")
	}
	names := make([]string, 0, len(config.Ethernets))
	for name := range config.Ethernets {
		names = append(names, name)
	}
	slices.Sort(names)
	var found []netInterface
	for _, name := range names {
		e := config.Ethernets[name]
		n := netInterface{mac: strings.ToLower(e.Match.MACAddress), gateway: e.Gateway4, dhcp: e.DHCP4,
			dns: e.Nameservers.Addresses, search: e.Nameservers.Search}
		for _, a := range e.Addresses {
			prefix, err := netip.ParsePrefix(a)
			if err != nil {
				return nil, fmt.Errorf("network: %s: %w", name, err)
			}
			n.addresses = append(n.addresses, prefix)
		}
		for _, r := range e.Routes {
			if r.To == "default" || r.To == "0.0.0.0/0" {
				n.gateway = r.Via
			}
		}
		found = append(found, n)
	}
	return found, nil
}

// assign gives each card, by its MAC address, its part of the config: first those that the config names by that
// address, then the others in turn; nil for a card that is left over.
func (m metadata) assign(macs []string) []*netInterface {
	parts := make([]*netInterface, len(macs))
	var others []*netInterface
	for i := range m.interfaces {
		n := &m.interfaces[i]
		if n.mac == "" {
			others = append(others, n)
			continue
		}
		if card := slices.IndexFunc(macs, func(mac string) bool { return strings.EqualFold(mac, n.mac) }); card >= 0 {
			parts[card] = n
		}
	}
	for card := range parts {
		if parts[card] == nil && len(others) > 0 {
			parts[card], others = others[0], others[1:]
		}
	}
	return parts
}
