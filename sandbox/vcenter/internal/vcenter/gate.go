package vcenter

import (
	"maps"
	"net/http"
	"reflect"
	"strings"
	"sync"
	"time"

	"github.com/vmware/govmomi/simulator"
	"github.com/vmware/govmomi/vim25/mo"
	"github.com/vmware/govmomi/vim25/soap"
	"github.com/vmware/govmomi/vim25/types"
)

// gate sees every call first: it counts, refuses, slows and routes.
type gate struct {
	vc       *VCenter
	director *director

	mu     sync.Mutex
	calls  map[string]int
	delays map[string]time.Duration
	rules  []*Rule
	hang   chan struct{} // not nil while no call is answered; closed when that ends
}

func newGate(vc *VCenter) *gate {
	g := &gate{vc: vc, calls: map[string]int{}, delays: maps.Clone(vc.settings.MethodDelays)}
	g.director = &director{mo.ResourcePlanningManager{Self: types.ManagedObjectReference{Type: "EscaleDirector", Value: "director"}}}
	vc.registry.Put(g.director)
	return g
}

// handle is the library's hook: it runs before a method is looked up and may change which object gets which call.
func (g *gate) handle(ctx *simulator.Context, m *simulator.Method) (mo.Reference, types.BaseMethodFault) {
	if ctx.Session != nil && ctx.Session.UserName == "" {
		return nil, nil // the library's own calls, in process
	}
	g.count(m.Name)
	if ctx.Session != nil && !g.vc.sessions.note(ctx.Session) {
		return nil, &types.NotAuthenticated{NoPermission: types.NoPermission{Object: &m.This, PrivilegeId: "System.View"}}
	}
	if fault := admit(ctx, m); fault != nil {
		return nil, fault
	}
	if !isTask(m.Name) {
		time.Sleep(g.delay(m.Name)) // a task-returning call answers at once; its delay is the task's
	}
	if rule := g.callRule(m); rule != nil {
		about := m.This
		if ctx.Session == nil {
			return nil, rule.fault(about)
		}
		return g.redirect(m, func(*simulator.Context) soap.HasFault { return refuse(rule.fault(about), rule.Message) })
	}
	if ctx.Session == nil {
		return nil, nil // the library lets only the anonymous calls pass, and knows them by their names
	}
	if fault := g.vc.permissions.check(ctx, m); fault != nil {
		return g.redirect(m, func(*simulator.Context) soap.HasFault { return refuse(fault, "") })
	}
	answer, original := g.vc.route(m), *m
	return g.redirect(m, func(ctx *simulator.Context) soap.HasFault { return answer(ctx, &original) })
}

func isTask(name string) bool { return strings.HasSuffix(name, "_Task") }

// redirect sends a call to the director. The library looks an object up in the session after this hook,
// so that only another reference, not another object, has an effect.
func (g *gate) redirect(m *simulator.Method, answer answer) (mo.Reference, types.BaseMethodFault) {
	m.This, m.Name, m.Body = g.director.Self, "Perform", &call{answer: answer}
	return nil, nil
}

type answer = func(*simulator.Context) soap.HasFault

type call struct{ answer answer }

// director is the object that answers what is not left to the library, which wants every object to begin with a type
// of package mo: this one has nothing but a reference.
type director struct{ mo.ResourcePlanningManager }

// Lock does nothing: calls to the director must not wait for each other.
func (d *director) Lock() {}

// Unlock does nothing.
func (d *director) Unlock() {}

// Perform answers a redirected call.
func (d *director) Perform(ctx *simulator.Context, c *call) soap.HasFault { return c.answer(ctx) }

type faultBody struct {
	Fault_ *soap.Fault
}

func (b *faultBody) Fault() *soap.Fault { return b.Fault_ }

func refuse(fault types.BaseMethodFault, message string) soap.HasFault {
	if message == "" {
		message = faultMessage(fault)
	}
	return &faultBody{Fault_: simulator.Fault(message, fault)}
}

// anonymous are the calls that a vCenter answers without a session.
var anonymous = map[string]bool{"RetrieveServiceContent": true, "RetrieveInternalContent": true, "Login": true, "CurrentTime": true,
	"PbmRetrieveServiceContent": true, "RetrieveProductComponents": true}

// admit refuses calls without a session (the library lets reads pass) and logins that would skip the password.
func admit(ctx *simulator.Context, m *simulator.Method) types.BaseMethodFault {
	switch m.Name {
	case "LoginByToken", "LoginExtensionByCertificate", "LoginBySSPI", "ImpersonateUser":
		return &types.InvalidLogin{}
	}
	if ctx.Session != nil || anonymous[m.Name] || readsServiceInstance(m) {
		return nil
	}
	return &types.NotAuthenticated{NoPermission: types.NoPermission{Object: &m.This, PrivilegeId: "System.View"}}
}

// readsServiceInstance allows pyVmomi's si.content before the login.
func readsServiceInstance(m *simulator.Method) bool {
	var specs []types.PropertyFilterSpec
	switch body := m.Body.(type) {
	case *types.RetrieveProperties:
		specs = body.SpecSet
	case *types.RetrievePropertiesEx:
		specs = body.SpecSet
	default:
		return m.Name == "Fetch" && fetched(m.Body).Type == "ServiceInstance"
	}
	for _, spec := range specs {
		for _, object := range spec.ObjectSet {
			if object.Obj.Type != "ServiceInstance" || len(object.SelectSet) > 0 {
				return false
			}
		}
	}
	return len(specs) > 0
}

// fetched is the object that a Fetch reads: the library's type for that call is internal to it.
func fetched(body types.AnyType) types.ManagedObjectReference {
	this := reflect.ValueOf(body).Elem().FieldByName("This")
	if !this.IsValid() {
		return types.ManagedObjectReference{}
	}
	ref, _ := this.Interface().(types.ManagedObjectReference)
	return ref
}

func (g *gate) count(method string) {
	g.mu.Lock()
	g.calls[method]++
	g.mu.Unlock()
}

func (g *gate) delay(method string) time.Duration {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.delays[method]
}

// httpHandler stands before all of the API's paths.
func (g *gate) httpHandler(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		g.mu.Lock()
		hang := g.hang
		g.mu.Unlock()
		if hang != nil {
			select {
			case <-hang:
			case <-r.Context().Done():
				return
			}
		}
		if strings.HasPrefix(r.Header.Get("Authorization"), "SIGN ") { // the library takes any signature for a login
			http.Error(w, "logins by token are not simulated", http.StatusUnauthorized)
			return
		}
		if strings.HasPrefix(r.URL.Path, folderPath) {
			g.vc.serveFolder(w, r, next)
			return
		}
		if r.URL.Path == "/pbm/sdk" { // where vCenter has the policy service; the library has it one step above
			r.URL.Path = "/pbm"
		}
		w = &quotingWriter{ResponseWriter: w}
		if strings.HasPrefix(r.URL.Path, apiPath) {
			g.vc.serveAPI(w, r, next)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// quotingWriter puts the session's cookie into quotation marks, as vCenter does: clients of the policy service cut it
// out between them.
type quotingWriter struct {
	http.ResponseWriter
	begun bool
}

// WriteHeader quotes the cookie before it goes out.
func (w *quotingWriter) WriteHeader(status int) {
	w.quote()
	w.ResponseWriter.WriteHeader(status)
}

func (w *quotingWriter) Write(p []byte) (int, error) {
	w.quote()
	return w.ResponseWriter.Write(p)
}

func (w *quotingWriter) quote() {
	if w.begun {
		return
	}
	w.begun = true
	for i, cookie := range w.Header()["Set-Cookie"] {
		name, rest, _ := strings.Cut(cookie, "=")
		value, attributes, more := strings.Cut(rest, ";")
		if name != soap.SessionCookieName || strings.HasPrefix(value, `"`) {
			continue
		}
		cookie = name + `="` + value + `"`
		if more {
			cookie += ";" + attributes
		}
		w.Header()["Set-Cookie"][i] = cookie
	}
}
