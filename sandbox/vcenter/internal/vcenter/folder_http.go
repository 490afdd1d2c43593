package vcenter

import (
	"net/http"

	"github.com/vmware/govmomi/vim25/soap"
)

const folderPath = "/folder/"

// serveFolder guards the datastores' files: the library serves them to anybody.
func (vc *VCenter) serveFolder(w http.ResponseWriter, r *http.Request, next http.Handler) {
	if !vc.mayReadFiles(r) {
		w.Header().Set("WWW-Authenticate", `Basic realm="VMware HTTP server"`)
		http.Error(w, "not authenticated", http.StatusUnauthorized)
		return
	}
	next.ServeHTTP(w, r)
	if r.Method == http.MethodPut || r.Method == http.MethodPost {
		vc.storage.refreshAll()
	}
}

// mayReadFiles accepts the session's cookie or the account's password.
func (vc *VCenter) mayReadFiles(r *http.Request) bool {
	if user, password, ok := r.BasicAuth(); ok {
		return vc.validLogin(loginOf(user, password))
	}
	cookie, err := r.Cookie(soap.SessionCookieName)
	if err != nil {
		return false
	}
	for _, s := range vc.sessions() {
		if s.Key == cookie.Value {
			return true
		}
	}
	return false
}
