package vcenter

import (
	"net/http"
	"os"
	"strings"

	"github.com/vmware/govmomi/vim25/soap"
	"github.com/vmware/govmomi/vim25/types"
)

const folderPath = "/folder/"

// serveFolder guards the datastores' files: the library serves them to anybody, and knows no full datastore.
func (vc *VCenter) serveFolder(w http.ResponseWriter, r *http.Request, next http.Handler) {
	if !vc.mayReadFiles(r) {
		w.Header().Set("WWW-Authenticate", `Basic realm="VMware HTTP server"`)
		http.Error(w, "not authenticated", http.StatusUnauthorized)
		return
	}
	if r.Method != http.MethodPut && r.Method != http.MethodPost {
		next.ServeHTTP(w, r)
		return
	}
	if ds := vc.datastoreNamed(r.URL.Query().Get("dsName")); ds != nil {
		local := vc.localPath(ds, strings.TrimPrefix(r.URL.Path, folderPath))
		release, fault := vc.storage.promise(ds, r.ContentLength-lengthOf(local))
		if fault != nil {
			http.Error(w, faultMessage(fault), http.StatusInsufficientStorage)
			return
		}
		defer release()
	}
	next.ServeHTTP(w, r)
	vc.storage.recountSoon()
}

// lengthOf is what an overwritten file gives back.
func lengthOf(path string) int64 {
	info, err := os.Stat(path)
	if err != nil {
		return 0
	}
	return info.Size()
}

// mayReadFiles accepts the session's cookie or the account's password.
func (vc *VCenter) mayReadFiles(r *http.Request) bool {
	if user, password, ok := r.BasicAuth(); ok {
		return vc.validLogin(&types.Login{UserName: user, Password: password})
	}
	cookie, err := r.Cookie(soap.SessionCookieName)
	if err != nil {
		return false
	}
	for _, s := range vc.sessions.list() {
		if s.Key == strings.Trim(cookie.Value, `"`) {
			return true
		}
	}
	return false
}
