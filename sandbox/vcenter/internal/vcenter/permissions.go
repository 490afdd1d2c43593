package vcenter

import (
	"cmp"
	"crypto/subtle"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"github.com/vmware/govmomi/object"
	"github.com/vmware/govmomi/simulator"
	"github.com/vmware/govmomi/simulator/esx"
	"github.com/vmware/govmomi/vim25/methods"
	"github.com/vmware/govmomi/vim25/mo"
	"github.com/vmware/govmomi/vim25/soap"
	"github.com/vmware/govmomi/vim25/types"
)

// readerAccount is the second account, which may only look.
const readerAccount = "reader@vsphere.local"

// Account is one user with its role: everything, or Only these, always without Missing.
type Account struct {
	Password string   `json:"password,omitempty"`
	Only     []string `json:"only,omitempty"`
	Missing  []string `json:"missing"`
}

// permissions knows who may do what; see privileges.go for what each call needs.
type permissions struct {
	vc       *VCenter
	mu       sync.Mutex
	accounts map[string]*Account
}

func newPermissions(vc *VCenter) *permissions {
	return &permissions{vc: vc, accounts: map[string]*Account{
		vc.settings.Username: {Password: vc.settings.Password, Missing: vc.settings.RoleMissing},
	}}
}

// addReader makes the second account, with a password that is kept as the first one's is.
func (p *permissions) addReader() error {
	path := filepath.Join(p.vc.settings.Home, "reader-credentials")
	data, err := os.ReadFile(path)
	_, password, found := strings.Cut(strings.TrimSpace(string(data)), "\n")
	if err != nil || !found {
		password = randomPassword()
		if err := os.WriteFile(path, []byte(readerAccount+"\n"+password+"\n"), 0o600); err != nil {
			return err
		}
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.accounts[readerAccount] == nil {
		p.accounts[readerAccount] = &Account{Password: password, Only: []string{}, Missing: []string{}}
	}
	return nil
}

// set changes or makes an account: what is nil stays. It tells whether there is one now.
func (p *permissions) set(name, password string, only, missing *[]string) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	a := p.accounts[name]
	if a == nil {
		if password == "" {
			return false
		}
		a = &Account{}
		p.accounts[name] = a
	}
	a.Password = cmp.Or(password, a.Password)
	if only != nil {
		a.Only = *only
	}
	if missing != nil {
		a.Missing = *missing
	}
	return true
}

// show lists the accounts without their passwords.
func (p *permissions) show() map[string]Account {
	p.mu.Lock()
	defer p.mu.Unlock()
	shown := map[string]Account{}
	for name, a := range p.accounts {
		shown[name] = Account{Only: a.Only, Missing: append([]string{}, a.Missing...)}
	}
	return shown
}

func (p *permissions) validLogin(user, password string) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	a := p.accounts[user]
	if a == nil {
		a = &Account{Password: randomPassword()} // so that an unknown name takes as long
	}
	return subtle.ConstantTimeCompare([]byte(password), []byte(a.Password)) == 1
}

// allowed tells whether a user has a privilege on an object.
func (p *permissions) allowed(user string, on types.ManagedObjectReference, privilege string) bool {
	switch privilege {
	case "System.Anonymous", "System.View", "System.Read", "":
		return true
	}
	p.mu.Lock()
	a := p.accounts[user]
	var denied bool
	if a != nil {
		denied = a.Only != nil && !slices.Contains(a.Only, privilege) || slices.Contains(a.Missing, privilege)
	}
	p.mu.Unlock()
	if a == nil {
		return true // the library's own sessions
	}
	if denied {
		return false
	}
	return user != p.vc.settings.Username || !p.barred(on)
}

// barred tells whether the provider keeps an object for itself: the flavour names folders and pools.
func (p *permissions) barred(ref types.ManagedObjectReference) bool {
	names := p.vc.settings.Flavour.Barred
	if len(names) == 0 {
		return false
	}
	queue := []types.ManagedObjectReference{ref}
	if vm, ok := p.vc.registry.Get(ref).(*simulator.VirtualMachine); ok && vm.ResourcePool != nil {
		queue = append(queue, *vm.ResourcePool)
	}
	for _, next := range queue {
		for at := &next; at != nil; {
			e, ok := p.vc.registry.Get(*at).(mo.Entity)
			if !ok {
				break
			}
			if slices.Contains(names, p.vc.nameOf(*at)) {
				return true
			}
			at = e.Entity().Parent
		}
	}
	return false
}

// check refuses a call for which the user lacks a privilege, as NoPermission with the object and the privilege's name.
func (p *permissions) check(ctx *simulator.Context, m *simulator.Method) types.BaseMethodFault {
	if ctx.Session == nil || p.everything(ctx.Session.UserName) {
		return nil
	}
	var missing []types.NoPermissionEntityPrivileges
	for _, need := range p.vc.needs(ctx, m) {
		if p.allowed(ctx.Session.UserName, need.on, need.privilege) {
			continue
		}
		missing = append(missing, types.NoPermissionEntityPrivileges{Entity: need.on, PrivilegeIds: []string{need.privilege}})
	}
	if len(missing) == 0 {
		return nil
	}
	return &types.NoPermission{Object: &missing[0].Entity, PrivilegeId: missing[0].PrivilegeIds[0], MissingPrivileges: missing}
}

// everything tells accounts without any limit, for which nothing needs to be looked up.
func (p *permissions) everything(user string) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	a := p.accounts[user]
	return a == nil || a.Only == nil && len(a.Missing) == 0 && len(p.vc.settings.Flavour.Barred) == 0
}

// userOf is whose session a key is.
func (p *permissions) userOf(key string) (string, bool) {
	for _, s := range p.vc.sessions.list() {
		if s.Key == key {
			return s.UserName, true
		}
	}
	return "", false
}

// held sorts out which of some privileges a user has on objects.
func (p *permissions) held(user string, entities []types.ManagedObjectReference, names []string) []types.EntityPrivilege {
	var result []types.EntityPrivilege
	for _, entity := range entities {
		row := types.EntityPrivilege{Entity: entity}
		for _, name := range names {
			row.PrivAvailability = append(row.PrivAvailability, types.PrivilegeAvailability{PrivId: name, IsGranted: p.allowed(user, entity, name)})
		}
		result = append(result, row)
	}
	return result
}

// answerPrivileges follows AuthorizationManager: HasPrivilegeOnEntity, HasPrivilegeOnEntities, HasUserPrivilegeOnEntities
// and FetchUserPrivilegeOnEntities, in agreement with what calls are refused.
func (vc *VCenter) answerPrivileges(ctx *simulator.Context, m *simulator.Method) soap.HasFault {
	p := vc.permissions
	var entities []types.ManagedObjectReference
	var user, session string
	switch req := m.Body.(type) {
	case *types.HasPrivilegeOnEntity:
		entities, session = []types.ManagedObjectReference{req.Entity}, req.SessionId
	case *types.HasPrivilegeOnEntities:
		entities, session = req.Entity, req.SessionId
	case *types.HasUserPrivilegeOnEntities:
		entities, user = req.Entities, req.UserName
	case *types.FetchUserPrivilegeOnEntities:
		entities, user = req.Entities, req.UserName
	}
	for _, entity := range entities {
		if vc.registry.Get(entity) == nil {
			return refuse(&types.ManagedObjectNotFound{Obj: entity}, "The object has already been deleted or has not been completely created")
		}
	}
	if session != "" {
		found := false
		if user, found = p.userOf(session); !found {
			return refuse(&types.InvalidArgument{InvalidProperty: "sessionId"}, "")
		}
	}
	switch req := m.Body.(type) {
	case *types.HasPrivilegeOnEntity:
		res := &rawResponse{method: m.Name} // the library's type leaves out what is false
		for _, name := range req.PrivId {
			res.inner = fmt.Appendf(res.inner, "<returnval>%t</returnval>", p.allowed(user, req.Entity, name))
		}
		return &rawBody{Res: res}
	case *types.HasPrivilegeOnEntities:
		return &methods.HasPrivilegeOnEntitiesBody{Res: &types.HasPrivilegeOnEntitiesResponse{Returnval: p.held(user, entities, req.PrivId)}}
	case *types.HasUserPrivilegeOnEntities:
		return &methods.HasUserPrivilegeOnEntitiesBody{Res: &types.HasUserPrivilegeOnEntitiesResponse{Returnval: p.held(user, entities, req.PrivId)}}
	}
	res := &types.FetchUserPrivilegeOnEntitiesResponse{}
	for _, entity := range entities {
		row := types.UserPrivilegeResult{Entity: entity}
		for _, name := range everyPrivilege() {
			if p.allowed(user, entity, name) {
				row.Privileges = append(row.Privileges, name)
			}
		}
		res.Returnval = append(res.Returnval, row)
	}
	return &methods.FetchUserPrivilegeOnEntitiesBody{Res: res}
}

// everyPrivilege are the names that there are: the library's, and those that our calls need.
func everyPrivilege() []string {
	names := map[string]bool{}
	for _, name := range object.AuthorizationRoleList(esx.RoleList).ByName("Admin").Privilege {
		names[name] = true
	}
	for _, name := range knownPrivileges {
		names[name] = true
	}
	return slices.Sorted(maps.Keys(names))
}
