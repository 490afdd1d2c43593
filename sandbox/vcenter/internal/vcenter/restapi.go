package vcenter

import (
	"bytes"
	"encoding/json"
	"io"
	"maps"
	"net/http"
	"net/url"
	"strings"
)

// apiPath is where the vSphere Automation API 7.0 and newer begins; the library has the older /rest.
const apiPath = "/api/"

// captured holds an answer back, to be put into another form.
type captured struct {
	header http.Header
	status int
	body   bytes.Buffer
}

func (c *captured) Header() http.Header         { return c.header }
func (c *captured) WriteHeader(status int)      { c.status = status }
func (c *captured) Write(p []byte) (int, error) { return c.body.Write(p) }

// olderForm translates /api/session and /api/cis/tagging/… into calls of /rest; false for other paths.
func olderForm(r *http.Request) (path string, query url.Values, body []byte, ok bool) {
	parts := strings.SplitN(strings.TrimPrefix(r.URL.Path, apiPath), "/", 4)
	query = url.Values{}
	action := r.URL.Query().Get("action")
	if action != "" {
		query.Set("~action", action)
	}
	body, _ = io.ReadAll(r.Body)
	switch {
	case len(parts) == 1 && parts[0] == "session":
		return "/rest/com/vmware/cis/session", query, nil, true
	case len(parts) < 3 || parts[0] != "cis" || parts[1] != "tagging":
		return "", nil, body, false
	}
	path = "/rest/com/vmware/cis/tagging/" + parts[2]
	switch {
	case len(parts) == 4:
		path += "/id:" + parts[3]
	case action == "list-tags-for-category":
		path += "/id:" + r.URL.Query().Get("category_id")
	}
	wrapper := ""
	switch {
	case r.Method == http.MethodPost && action == "":
		wrapper = "create_spec"
	case r.Method == http.MethodPatch:
		wrapper = "update_spec"
	}
	if wrapper != "" {
		body = append(append([]byte(`{"`+wrapper+`":`), body...), '}')
	}
	return path, query, body, true
}

// serveAPI answers the newer paths through the older ones: results without a wrapper, 201 for what was made, 204
// without a result, and the newer form of errors.
func (vc *VCenter) serveAPI(w http.ResponseWriter, r *http.Request, next http.Handler) {
	path, query, body, ok := olderForm(r)
	if !ok {
		r.Body = io.NopCloser(bytes.NewReader(body))
		next.ServeHTTP(w, r)
		return
	}
	older := r.Clone(r.Context())
	older.URL.Path, older.URL.RawPath, older.URL.RawQuery = path, "", query.Encode()
	older.Body, older.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
	answer := &captured{header: http.Header{}, status: http.StatusOK}
	next.ServeHTTP(answer, older)
	maps.Copy(w.Header(), answer.header)
	w.Header().Set("Content-Type", "application/json")
	w.Header().Del("Content-Length")
	if answer.status >= http.StatusBadRequest {
		kind := map[int]string{http.StatusUnauthorized: "UNAUTHENTICATED", http.StatusNotFound: "NOT_FOUND", http.StatusForbidden: "UNAUTHORIZED"}[answer.status]
		if kind == "" {
			kind = "INVALID_ARGUMENT"
		}
		w.WriteHeader(answer.status)
		_ = json.NewEncoder(w).Encode(map[string]any{"error_type": kind, "messages": []any{}})
		return
	}
	var wrapped struct {
		Value json.RawMessage `json:"value"`
	}
	if json.Unmarshal(answer.body.Bytes(), &wrapped) != nil || len(wrapped.Value) == 0 || r.Method == http.MethodDelete {
		w.WriteHeader(http.StatusNoContent)
		return
	}
	if r.Method == http.MethodPost && query.Get("~action") == "" {
		w.WriteHeader(http.StatusCreated)
	}
	_, _ = w.Write(wrapped.Value)
}
