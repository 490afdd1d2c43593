package vcenter

import (
	"crypto/subtle"

	"github.com/vmware/govmomi/simulator"
	"github.com/vmware/govmomi/vim25/types"
)

// validLogin compares in constant time, as a habit: this is a simulator.
func (vc *VCenter) validLogin(req *types.Login) bool {
	return subtle.ConstantTimeCompare([]byte(req.UserName), []byte(vc.settings.Username))&
		subtle.ConstantTimeCompare([]byte(req.Password), []byte(vc.settings.Password)) == 1
}

// sessions lists the logged-in sessions. The library shows them only to a session, so we look as one.
func (vc *VCenter) sessions() []types.UserSession {
	look := &simulator.Session{Registry: simulator.NewRegistry(), Map: vc.registry}
	manager, ok := look.Get(vc.registry.SessionManager().Self).(*simulator.SessionManager)
	if !ok {
		return nil
	}
	return manager.SessionList
}

// expireSessions ends all sessions, as an idle timeout or a restart of vCenter does; it tells how many.
func (vc *VCenter) expireSessions() int {
	sessions := vc.sessions()
	ctx := vc.context()
	ctx.Session = &simulator.Session{UserSession: types.UserSession{Key: "escale-control"}, Registry: simulator.NewRegistry(), Map: vc.registry}
	for _, s := range sessions {
		vc.registry.SessionManager().TerminateSession(ctx, &types.TerminateSession{SessionId: []string{s.Key}})
	}
	return len(sessions)
}

func loginOf(user, password string) *types.Login {
	return &types.Login{UserName: user, Password: password}
}
