package vcenter

import (
	"bytes"
	"sync"

	"github.com/google/uuid"
	"github.com/vmware/govmomi/simulator"
	"github.com/vmware/govmomi/vim25/soap"
	"github.com/vmware/govmomi/vim25/types"
)

// retrieval is PropertyCollector.RetrievePropertiesEx under way: what the next pages are about. Their properties are
// read when they are asked for.
type retrieval struct {
	session string
	specs   []types.PropertySpec
	left    []types.ManagedObjectReference
	size    int
	plans   plans
}

// retrievals are those that have pages left, by token.
type retrievals struct {
	mu   sync.Mutex
	open map[string]*retrieval
}

// answerRetrieve follows PropertyCollector.RetrievePropertiesEx and RetrieveProperties.
func (vc *VCenter) answerRetrieve(ctx *simulator.Context, m *simulator.Method) soap.HasFault {
	r := &retrieval{session: ctx.Session.Key, plans: plans{}}
	var specs []types.PropertyFilterSpec
	switch req := m.Body.(type) {
	case *types.RetrievePropertiesEx:
		specs, r.size = req.SpecSet, int(req.Options.MaxObjects)
	case *types.RetrieveProperties:
		specs = req.SpecSet
	}
	for _, spec := range specs {
		r.specs = append(r.specs, spec.PropSet...)
	}
	found, fault := vc.choose(ctx, specs)
	if fault != nil {
		return refuse(fault, "The object has already been deleted or has not been completely created")
	}
	r.left = found
	return vc.nextPage(ctx, m, r)
}

// answerNextPage follows PropertyCollector.ContinueRetrievePropertiesEx.
func (vc *VCenter) answerNextPage(ctx *simulator.Context, m *simulator.Method) soap.HasFault {
	r := vc.takeRetrieval(ctx, m.Body.(*types.ContinueRetrievePropertiesEx).Token)
	if r == nil {
		return refuse(&types.InvalidProperty{Name: "token"}, "")
	}
	return vc.nextPage(ctx, m, r)
}

// answerCancelRetrieve follows PropertyCollector.CancelRetrievePropertiesEx.
func (vc *VCenter) answerCancelRetrieve(ctx *simulator.Context, m *simulator.Method) soap.HasFault {
	if vc.takeRetrieval(ctx, m.Body.(*types.CancelRetrievePropertiesEx).Token) == nil {
		return refuse(&types.InvalidProperty{Name: "token"}, "")
	}
	return &rawBody{Res: &rawResponse{method: m.Name}}
}

func (vc *VCenter) takeRetrieval(ctx *simulator.Context, token string) *retrieval {
	vc.retrievals.mu.Lock()
	defer vc.retrievals.mu.Unlock()
	r := vc.retrievals.open[token]
	if r == nil || r.session != ctx.Session.Key {
		return nil
	}
	delete(vc.retrievals.open, token)
	return r
}

// nextPage reads as many objects as the client wants in one answer, and keeps the others for later.
func (vc *VCenter) nextPage(ctx *simulator.Context, m *simulator.Method, r *retrieval) soap.HasFault {
	var objects bytes.Buffer
	element := "objects"
	if m.Name == "RetrieveProperties" {
		element = "returnval"
	}
	written := 0
	for len(r.left) > 0 && (r.size <= 0 || written < r.size) {
		ref := r.left[0]
		r.left = r.left[1:]
		if vc.writeObject(ctx, &objects, element, ref, r) {
			written++
		}
	}
	response := &rawResponse{method: m.Name}
	switch {
	case m.Name == "RetrieveProperties":
		response.inner = objects.Bytes()
	case written > 0:
		var page bytes.Buffer
		page.Grow(objects.Len() + 100)
		page.WriteString("<returnval>")
		if len(r.left) > 0 {
			token := uuid.NewString()
			vc.retrievals.mu.Lock()
			vc.retrievals.open[token] = r
			vc.retrievals.mu.Unlock()
			page.WriteString("<token>" + token + "</token>")
		}
		page.Write(objects.Bytes())
		page.WriteString("</returnval>")
		response.inner = page.Bytes()
	case m.Name == "ContinueRetrievePropertiesEx":
		response.inner = []byte("<returnval></returnval>")
	}
	return &rawBody{Res: response}
}

func (vc *VCenter) writeObject(ctx *simulator.Context, out *bytes.Buffer, element string, ref types.ManagedObjectReference, r *retrieval) bool {
	p, values, ok := vc.read(ctx, ref, r.plans, r.specs)
	if !ok {
		return false
	}
	out.WriteString("<" + element + ">")
	writeRef(out, "obj", ref)
	for i, value := range values {
		if value == nil {
			continue
		}
		out.WriteString("<propSet><name>")
		writeText(out, p.properties[i].path)
		out.WriteString("</name>")
		out.Write(value)
		out.WriteString("</propSet>")
	}
	for _, property := range p.properties {
		if property.invalid {
			writeMissing(out, property.path)
		}
	}
	out.WriteString("</" + element + ">")
	return true
}

// endSession forgets what a session has not fetched.
func (rs *retrievals) endSession(key string) {
	rs.mu.Lock()
	defer rs.mu.Unlock()
	for token, r := range rs.open {
		if r.session == key {
			delete(rs.open, token)
		}
	}
}
