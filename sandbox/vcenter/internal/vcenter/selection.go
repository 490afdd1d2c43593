package vcenter

import (
	"reflect"
	"slices"

	"github.com/vmware/govmomi/simulator"
	"github.com/vmware/govmomi/vim25/types"
)

// selection finds the objects that a filter is about: PropertyFilterSpec.objectSet, vSphere Web Services API. Unlike
// the library's, it minds the type that a traversal starts from, and visits nothing twice.
type selection struct {
	vc    *VCenter
	ctx   *simulator.Context
	found []types.ManagedObjectReference // in the order of the traversal
	seen  map[types.ManagedObjectReference]bool
	been  map[step]bool
	specs map[string]*types.TraversalSpec
}

// step is a traversal that has been done from an object.
type step struct {
	from types.ManagedObjectReference
	by   *types.TraversalSpec
}

// choose lists the objects of several filter specifications.
func (vc *VCenter) choose(ctx *simulator.Context, specs []types.PropertyFilterSpec) ([]types.ManagedObjectReference, types.BaseMethodFault) {
	s := &selection{vc: vc, ctx: ctx, seen: map[types.ManagedObjectReference]bool{}}
	for _, spec := range specs {
		for _, o := range spec.ObjectSet {
			if vc.object(ctx, o.Obj) == nil {
				if spec.ReportMissingObjectsInResults == nil || !*spec.ReportMissingObjectsInResults {
					return nil, &types.ManagedObjectNotFound{Obj: o.Obj}
				}
				continue
			}
			if len(o.SelectSet) == 0 || o.Skip == nil || !*o.Skip {
				s.add(o.Obj)
			}
			s.been, s.specs = map[step]bool{}, map[string]*types.TraversalSpec{}
			if fault := s.walk(o.Obj, o.SelectSet); fault != nil {
				return nil, fault
			}
		}
	}
	return s.found, nil
}

func (s *selection) add(ref types.ManagedObjectReference) {
	if !s.seen[ref] {
		s.seen[ref] = true
		s.found = append(s.found, ref)
	}
}

// walk does the traversals of a set from an object.
func (s *selection) walk(from types.ManagedObjectReference, set []types.BaseSelectionSpec) types.BaseMethodFault {
	for _, item := range set {
		if ts, ok := item.(*types.TraversalSpec); ok && ts.Name != "" {
			s.specs[ts.Name] = ts
		}
	}
	for _, item := range set {
		ts, ok := item.(*types.TraversalSpec)
		if !ok {
			if ts = s.specs[item.GetSelectionSpec().Name]; ts == nil {
				return &types.InvalidArgument{InvalidProperty: "undefined TraversalSpec name"}
			}
		}
		if s.been[step{from, ts}] {
			continue
		}
		s.been[step{from, ts}] = true
		for _, ref := range s.targets(from, ts) {
			if ts.Skip == nil || !*ts.Skip {
				s.add(ref)
			}
			if len(ts.SelectSet) > 0 {
				if fault := s.walk(ref, ts.SelectSet); fault != nil {
					return fault
				}
			}
		}
	}
	return nil
}

// targets are the objects that a traversal's path leads to.
func (s *selection) targets(from types.ManagedObjectReference, ts *types.TraversalSpec) []types.ManagedObjectReference {
	if from.Type == "VirtualMachine" && (ts.Type == "Folder" || ts.Type == "Datacenter") {
		return nil // most steps of most traversals end here
	}
	obj := s.vc.object(s.ctx, from)
	if obj == nil {
		return nil
	}
	var refs []types.ManagedObjectReference
	s.ctx.WithLock(obj, func() {
		v := managed(obj)
		if !v.IsValid() || !isKind(from, v.Type(), ts.Type) {
			return
		}
		v, ok := follow(v, titles(ts.Path))
		if !ok {
			return
		}
		for v.Kind() == reflect.Pointer {
			v = v.Elem()
		}
		switch value := v.Interface().(type) {
		case types.ManagedObjectReference:
			refs = append(refs, value)
		case []types.ManagedObjectReference:
			refs = slices.Clone(value)
		}
	})
	return refs
}
