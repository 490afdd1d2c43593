package vcenter

import (
	"sync"
	"time"

	"github.com/vmware/govmomi/simulator"
	"github.com/vmware/govmomi/vim25/soap"
	"github.com/vmware/govmomi/vim25/types"
)

// idleTimeout is vCenter's default for sessions that call nothing.
const idleTimeout = 30 * time.Minute

// sessions knows what the library keeps for each session: collectors and views that watch the inventory. It lets them
// watch for ever; here they end with their session.
type sessions struct {
	vc   *VCenter
	mu   sync.Mutex
	idle time.Duration     // how long a session may call nothing
	seen map[string]*visit // by the session's key
}

type visit struct {
	objects *simulator.Registry
	last    time.Time
}

func newSessions(vc *VCenter) *sessions {
	return &sessions{vc: vc, idle: idleTimeout, seen: map[string]*visit{}}
}

// note is told of each call with a session, and ends those that have called nothing for too long; false when that is
// this one.
func (s *sessions) note(session *simulator.Session) bool {
	now := time.Now()
	var idle []string
	s.mu.Lock()
	own, known := s.seen[session.Key]
	late := known && now.Sub(own.last) > s.idle
	if !known { // a new session is the moment to look for old ones
		for key, v := range s.seen {
			if now.Sub(v.last) > s.idle {
				idle = append(idle, key)
			}
		}
	}
	if late {
		idle = append(idle, session.Key)
	} else {
		s.seen[session.Key] = &visit{objects: session.Registry, last: now}
	}
	s.mu.Unlock()
	s.end(idle)
	return !late
}

// setIdle changes how long a session may call nothing.
func (s *sessions) setIdle(limit time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.idle = limit
}

// list reads the logged-in sessions. The library shows them only to a session, so we look as one.
func (s *sessions) list() []types.UserSession {
	look := &simulator.Session{Registry: simulator.NewRegistry(), Map: s.vc.registry}
	manager, ok := look.Get(s.vc.registry.SessionManager().Self).(*simulator.SessionManager)
	if !ok {
		return nil
	}
	return manager.SessionList
}

// expireAll ends all sessions, as a restart of vCenter does; it tells how many.
func (s *sessions) expireAll() int {
	var keys []string
	for _, session := range s.list() {
		keys = append(keys, session.Key)
	}
	s.end(keys)
	return len(keys)
}

// end logs sessions out and takes what watched on their behalf out of the registry.
func (s *sessions) end(keys []string) {
	ctx := s.vc.context()
	ctx.Session = &simulator.Session{UserSession: types.UserSession{Key: "escale-control"}, Registry: simulator.NewRegistry(), Map: s.vc.registry}
	for _, key := range keys {
		s.vc.registry.SessionManager().TerminateSession(ctx, &types.TerminateSession{SessionId: []string{key}})
		s.forget(key)
	}
}

// forget takes away what was kept for a session.
func (s *sessions) forget(key string) {
	s.vc.collectors.endSession(key)
	s.vc.retrievals.endSession(key)
	s.mu.Lock()
	v := s.seen[key]
	delete(s.seen, key)
	s.mu.Unlock()
	if v == nil {
		return
	}
	for _, object := range v.objects.AllReference("") {
		if watcher, ok := object.(simulator.RegisterObject); ok {
			s.vc.registry.RemoveHandler(watcher)
		}
	}
}

// answerLogout follows SessionManager.Logout, and forgets what the session had open.
func (vc *VCenter) answerLogout(ctx *simulator.Context, m *simulator.Method) soap.HasFault {
	key := ctx.Session.Key
	body := vc.answerLibrary(ctx, m)
	vc.sessions.forget(key)
	return body
}

// validLogin asks the accounts.
func (vc *VCenter) validLogin(req *types.Login) bool {
	return vc.permissions.validLogin(req.UserName, req.Password)
}
