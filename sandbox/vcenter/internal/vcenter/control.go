package vcenter

import (
	"cmp"
	"crypto/subtle"
	"encoding/json"
	"fmt"
	"maps"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"time"
)

// tokenHeader carries the secret of HOME/control-token.
const tokenHeader = "X-Control-Token"

// controlServer is the tests' way to break this vCenter; README.md lists the calls.
type controlServer struct {
	vc        *VCenter
	url       string
	token     string
	tokenFile string
	listener  net.Listener
}

func startControl(vc *VCenter) (*controlServer, error) {
	c := &controlServer{vc: vc, token: randomPassword(), tokenFile: filepath.Join(vc.settings.Home, "control-token")}
	if err := os.WriteFile(c.tokenFile, []byte(c.token), 0o600); err != nil {
		return nil, err
	}
	listener, err := net.Listen("tcp", vc.settings.ControlListen)
	if err != nil {
		return nil, err
	}
	c.listener = listener
	c.url = "http://" + listener.Addr().String()
	go func() { _ = http.Serve(listener, c.handler()) }()
	return c, nil
}

func (c *controlServer) close() { _ = c.listener.Close() }

func (c *controlServer) handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /calls", c.calls)
	mux.HandleFunc("POST /reset", c.reset)
	mux.HandleFunc("GET /delays", c.delays)
	mux.HandleFunc("PUT /delays/{method}", c.setDelay)
	mux.HandleFunc("GET /faults", c.faults)
	mux.HandleFunc("POST /faults", c.addFault)
	mux.HandleFunc("DELETE /faults", c.clearFaults)
	mux.HandleFunc("GET /sessions", c.sessions)
	mux.HandleFunc("DELETE /sessions", c.expireSessions)
	mux.HandleFunc("PUT /sessions/idle", c.setIdle)
	mux.HandleFunc("PUT /clock", c.setClock)
	mux.HandleFunc("POST /collectors/forget", c.forget)
	mux.HandleFunc("POST /churn", c.churn)
	mux.HandleFunc("GET /accounts", c.accounts)
	mux.HandleFunc("PUT /accounts/{name}", c.setAccount)
	mux.HandleFunc("PUT /datastores/{name}/free", c.setFree)
	mux.HandleFunc("PUT /hang", c.hang)
	mux.HandleFunc("DELETE /hang", c.unhang)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if subtle.ConstantTimeCompare([]byte(r.Header.Get(tokenHeader)), []byte(c.token)) != 1 {
			http.Error(w, "wrong or missing "+tokenHeader, http.StatusForbidden)
			return
		}
		mux.ServeHTTP(w, r)
	})
}

func reply(w http.ResponseWriter, value any) {
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(value)
}

func (c *controlServer) calls(w http.ResponseWriter, _ *http.Request) {
	g := c.vc.gate
	g.mu.Lock()
	calls := maps.Clone(g.calls)
	g.mu.Unlock()
	reply(w, calls)
}

// reset forgets counters, faults, run-time delays and hangs.
func (c *controlServer) reset(w http.ResponseWriter, r *http.Request) {
	g := c.vc.gate
	g.mu.Lock()
	g.calls, g.rules, g.delays = map[string]int{}, nil, maps.Clone(c.vc.settings.MethodDelays)
	g.mu.Unlock()
	c.vc.sessions.setIdle(idleTimeout)
	c.vc.skew.Store(c.vc.settings.ClockOffset.Milliseconds())
	c.unhang(w, r)
}

func (c *controlServer) delays(w http.ResponseWriter, _ *http.Request) {
	g := c.vc.gate
	g.mu.Lock()
	defer g.mu.Unlock()
	shown := map[string]int64{}
	for method, d := range g.delays {
		shown[method] = d.Milliseconds()
	}
	reply(w, shown)
}

func (c *controlServer) setDelay(w http.ResponseWriter, r *http.Request) {
	ms, err := strconv.Atoi(r.URL.Query().Get("ms"))
	if err != nil || ms < 0 {
		http.Error(w, "ms must be a number of milliseconds", http.StatusBadRequest)
		return
	}
	g := c.vc.gate
	g.mu.Lock()
	g.delays[r.PathValue("method")] = time.Duration(ms) * time.Millisecond
	g.mu.Unlock()
	reply(w, map[string]int{"ms": ms})
}

func (c *controlServer) faults(w http.ResponseWriter, _ *http.Request) {
	g := c.vc.gate
	g.mu.Lock()
	defer g.mu.Unlock()
	reply(w, append([]*Rule{}, g.rules...))
}

func (c *controlServer) addFault(w http.ResponseWriter, r *http.Request) {
	var rule Rule
	decoder := json.NewDecoder(r.Body)
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&rule); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	if err := rule.check(); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	g := c.vc.gate
	g.mu.Lock()
	rule.Hits = 0
	rule.ID = fmt.Sprintf("rule-%d", len(g.rules)+1)
	g.rules = append(g.rules, &rule)
	g.mu.Unlock()
	reply(w, rule)
}

func (c *controlServer) clearFaults(w http.ResponseWriter, _ *http.Request) {
	c.vc.gate.mu.Lock()
	c.vc.gate.rules = nil
	c.vc.gate.mu.Unlock()
	reply(w, []string{})
}

func (c *controlServer) sessions(w http.ResponseWriter, _ *http.Request) {
	reply(w, map[string]int{"sessions": len(c.vc.sessions.list())})
}

func (c *controlServer) expireSessions(w http.ResponseWriter, _ *http.Request) {
	reply(w, map[string]int{"expired": c.vc.sessions.expireAll()})
}

// setIdle changes how long a session may call nothing before it ends.
func (c *controlServer) setIdle(w http.ResponseWriter, r *http.Request) {
	ms, err := strconv.Atoi(r.URL.Query().Get("ms"))
	if err != nil || ms < 1 {
		http.Error(w, "ms must be a number of milliseconds", http.StatusBadRequest)
		return
	}
	c.vc.sessions.setIdle(time.Duration(ms) * time.Millisecond)
	reply(w, map[string]int{"ms": ms})
}

// setClock puts the vCenter's clock forward or, below zero, back.
func (c *controlServer) setClock(w http.ResponseWriter, r *http.Request) {
	ms, err := strconv.ParseInt(r.URL.Query().Get("offset_ms"), 10, 64)
	if err != nil {
		http.Error(w, "offset_ms must be a number of milliseconds", http.StatusBadRequest)
		return
	}
	c.vc.skew.Store(ms)
	reply(w, map[string]int64{"offset_ms": ms})
}

func (c *controlServer) forget(w http.ResponseWriter, _ *http.Request) {
	reply(w, map[string]int{"collectors": c.vc.collectors.forgetAll()})
}

func (c *controlServer) accounts(w http.ResponseWriter, _ *http.Request) {
	reply(w, c.vc.permissions.show())
}

// setAccount changes the password or the role of an account, or makes one.
func (c *controlServer) setAccount(w http.ResponseWriter, r *http.Request) {
	var body struct {
		Password string    `json:"password"`
		Only     *[]string `json:"only"`
		Missing  *[]string `json:"missing"`
	}
	decoder := json.NewDecoder(r.Body)
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&body); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	if !c.vc.permissions.set(r.PathValue("name"), body.Password, body.Only, body.Missing) {
		http.Error(w, "a new account needs a password", http.StatusBadRequest)
		return
	}
	reply(w, c.vc.permissions.show()[r.PathValue("name")])
}

// churn changes ordinary machines of others, as a busy estate does, and names them.
func (c *controlServer) churn(w http.ResponseWriter, r *http.Request) {
	count, err := strconv.Atoi(r.URL.Query().Get("count"))
	seed, bad := strconv.ParseUint(cmp.Or(r.URL.Query().Get("seed"), "1"), 10, 64)
	if err != nil || bad != nil || count < 0 {
		http.Error(w, "count and seed must be numbers", http.StatusBadRequest)
		return
	}
	reply(w, c.vc.churn(seed, count))
}

func (c *controlServer) setFree(w http.ResponseWriter, r *http.Request) {
	bytes, err := strconv.ParseInt(r.URL.Query().Get("bytes"), 10, 64)
	ds := c.vc.datastoreNamed(r.PathValue("name"))
	if err != nil || bytes < 0 || ds == nil {
		http.Error(w, "there must be a datastore of this name, and bytes must be a number", http.StatusBadRequest)
		return
	}
	c.vc.storage.setFree(ds, bytes)
	reply(w, map[string]int64{"free": c.vc.storage.freeOf(ds)})
}

// hang accepts connections and answers nothing until it is taken back.
func (c *controlServer) hang(w http.ResponseWriter, _ *http.Request) {
	g := c.vc.gate
	g.mu.Lock()
	if g.hang == nil {
		g.hang = make(chan struct{})
	}
	g.mu.Unlock()
	reply(w, map[string]bool{"hang": true})
}

func (c *controlServer) unhang(w http.ResponseWriter, _ *http.Request) {
	g := c.vc.gate
	g.mu.Lock()
	if g.hang != nil {
		close(g.hang)
		g.hang = nil
	}
	g.mu.Unlock()
	reply(w, map[string]bool{"hang": false})
}
