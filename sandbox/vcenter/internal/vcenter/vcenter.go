// Package vcenter simulates one vCenter over govmomi's simulator library, and fills the gaps that
// deployments meet (README.md has the table).
//
// Path of a call: HTTP -> govmomi's SOAP decoder -> gate (counts, faults, delays, sessions) -> either the
// library's object as it is, or the director, which gives every task-returning call a job of our own:
// with progress, real cancel and failures in mid-task, and with the shims instead of what the library lacks.
package vcenter

import (
	"crypto/tls"
	"encoding/pem"
	"fmt"
	"log"
	"net/url"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"

	_ "github.com/vmware/govmomi/pbm/simulator" // storage policies at /pbm
	"github.com/vmware/govmomi/simulator"
	"github.com/vmware/govmomi/simulator/vpx"
	_ "github.com/vmware/govmomi/vapi/simulator" // tags at /rest
)

// VCenter is one running simulated vCenter.
type VCenter struct {
	settings Settings
	service  *simulator.Service
	registry *simulator.Registry
	server   *simulator.Server
	control  *controlServer
	cert     tls.Certificate
	uuid     string

	observer    *observer
	gate        *gate
	storage     *storage
	guests      *guests
	jobs        *jobs
	journal     *journal
	sessions    *sessions
	unwritten   *unwritten
	collectors  *collectors
	retrievals  *retrievals
	skew        atomic.Int64 // of the clock, in milliseconds
	permissions *permissions

	// writer admits one change of the inventory at a time: the library locks objects in no fixed order,
	// so that parallel changes can dead-lock. Readers do not take it.
	writer sync.Mutex
}

// Ready is what a launcher needs to know; it is printed as one line of JSON.
type Ready struct {
	Name             string `json:"name"`
	URL              string `json:"url"`
	InstanceUUID     string `json:"instance_uuid"`
	ThumbprintSHA256 string `json:"thumbprint_sha256"`
	ThumbprintSHA1   string `json:"thumbprint_sha1"`
	ControlURL       string `json:"control_url"`
	ControlTokenFile string `json:"control_token_file"`
	CAFile           string `json:"ca_file"`
	Username         string `json:"username"`
	PID              int    `json:"pid"`
}

// Start builds the inventory (or restores the saved one) and serves it.
func Start(s Settings) (*VCenter, error) {
	if err := os.MkdirAll(s.Home, 0o700); err != nil {
		return nil, err
	}
	cert, err := certificate(s.Home, s.Name)
	if err != nil {
		return nil, fmt.Errorf("certificate: %w", err)
	}
	vc := &VCenter{settings: s, cert: cert, uuid: instanceUUID(s)}
	vc.skew.Store(s.ClockOffset.Milliseconds())
	vc.build()
	if err := vc.furnish(); err != nil {
		return nil, fmt.Errorf("inventory: %w", err)
	}
	if err := vc.permissions.addReader(); err != nil {
		return nil, fmt.Errorf("second account: %w", err)
	}
	if err := vc.serve(); err != nil {
		return nil, err
	}
	vc.journal.start()
	return vc, nil
}

// build makes an empty vCenter: the library's service with our parts plugged in.
func (vc *VCenter) build() {
	// Without this the library holds an object's lock for the whole of a task, and readers wait.
	simulator.TaskDelay.MethodDelay = map[string]int{"LockHandoff": 0}
	content := vpx.ServiceContent
	ctx, instance := simulator.NewServiceInstance(simulator.NewContext(), content, vpx.RootFolder)
	about := &instance.Content.About
	about.Name = "VMware vCenter Server"
	about.FullName = fmt.Sprintf("VMware vCenter Server %s build-%s", vc.settings.Flavour.Version, vc.settings.Flavour.Build)
	about.Version, about.Build = vc.settings.Flavour.Version, vc.settings.Flavour.Build
	about.ApiVersion = vc.settings.Flavour.Version + ".0"
	about.InstanceUuid = vc.uuid
	vc.service = simulator.New(ctx, instance)
	vc.registry = ctx.Map
	vc.permissions = newPermissions(vc)
	vc.journal = newJournal(vc)
	vc.collectors = newCollectors(vc)
	vc.retrievals = &retrievals{open: map[string]*retrieval{}}
	vc.observer = observe(vc)
	vc.storage = newStorage(vc)
	vc.guests = newGuests(vc)
	vc.unwritten = newUnwritten(vc)
	vc.jobs = newJobs(vc)
	vc.sessions = newSessions(vc)
	vc.gate = newGate(vc)
}

// furnish raises the flavour's hosts, networks and datastores, then the saved machines or the flavour's own.
func (vc *VCenter) furnish() error {
	if n := vc.settings.Generation; n > 0 {
		if err := vc.continueNumbers(n * 1_000_000); err != nil {
			return err
		}
	}
	if err := vc.raiseEstate(); err != nil {
		return err
	}
	restored, err := vc.journal.restore()
	if err != nil {
		return err
	}
	if !restored {
		if err := vc.moveIn(); err != nil {
			return err
		}
	}
	vc.storage.recountAll()
	vc.refreshHostUsage()
	vc.registry.Handler = vc.gate.handle
	return nil
}

func (vc *VCenter) serve() error {
	s := vc.settings
	vc.service.RegisterEndpoints = true
	vc.service.TLS = &tls.Config{Certificates: []tls.Certificate{vc.cert}, MinVersion: tls.VersionTLS12}
	vc.service.Listen = &url.URL{Host: s.Listen, User: url.UserPassword(s.Username, s.Password)}
	vc.registry.SessionManager().ValidLogin = vc.validLogin
	server, err := listen(vc.service)
	if err != nil {
		return fmt.Errorf("cannot listen on %s: %w", s.Listen, err)
	}
	vc.server = server
	vc.server.Config.Handler = vc.gate.httpHandler(vc.service.ServeMux)
	vc.server.Config.ErrorLog = log.New(quietTLS{}, "", 0)
	if vc.control, err = startControl(vc); err != nil {
		return fmt.Errorf("control API: %w", err)
	}
	public := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: vc.cert.Certificate[0]})
	return os.WriteFile(vc.caFile(), public, 0o644)
}

// listen turns the library's panic about a taken port into an error.
func listen(service *simulator.Service) (server *simulator.Server, err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("%v", r)
		}
	}()
	return service.NewServer(), nil
}

// quietTLS drops the handshake errors that a client with a wrong thumbprint causes.
type quietTLS struct{}

func (quietTLS) Write(p []byte) (int, error) { return len(p), nil }

func (vc *VCenter) caFile() string { return filepath.Join(vc.settings.Home, "ca.pem") }

// Ready describes the running vCenter for its launcher.
func (vc *VCenter) Ready() Ready {
	long, short := thumbprints(vc.cert)
	address := *vc.server.URL
	address.User = nil
	return Ready{
		Name: vc.settings.Name, URL: address.String(), InstanceUUID: vc.uuid,
		ThumbprintSHA256: long, ThumbprintSHA1: short,
		ControlURL: vc.control.url, ControlTokenFile: vc.control.tokenFile,
		CAFile: vc.caFile(), Username: vc.settings.Username, PID: os.Getpid(),
	}
}

// Stop saves the inventory. It does not wait for clients: their connections end with the process.
func (vc *VCenter) Stop() error {
	vc.control.close()
	_ = vc.server.Listener.Close()
	return vc.journal.stop()
}
