package vcenter

import (
	"fmt"
	"math/rand/v2"
	"reflect"
	"strings"
	"time"

	"github.com/vmware/govmomi/simulator"
	"github.com/vmware/govmomi/vim25/types"
)

// Rule makes a method fail: the call itself, or (InTask) the task that it started.
type Rule struct {
	ID          string         `json:"id"`
	Method      string         `json:"method"` // e.g. CloneVM_Task; "*" for all
	Fault       string         `json:"fault"`  // name of a vim25 fault type, e.g. NoDiskSpace
	Properties  map[string]any `json:"properties,omitempty"`
	Message     string         `json:"message,omitempty"`
	Probability float64        `json:"probability"`     // 0 means 1
	Count       int            `json:"count,omitempty"` // how often it strikes; 0 means for ever
	Skip        int            `json:"skip,omitempty"`  // how many matching calls pass first
	Match       string         `json:"match,omitempty"` // only when the object's or the new object's name contains this
	InTask      bool           `json:"in_task,omitempty"`
	AfterMS     int            `json:"after_ms,omitempty"`     // in a task: fail when it has run this long
	AfterEffect bool           `json:"after_effect,omitempty"` // in a task: do the work, then report failure
	Hits        int            `json:"hits"`
}

func (r *Rule) after() time.Duration { return time.Duration(r.AfterMS) * time.Millisecond }

// fault makes the fault; check has proved that the name is one.
func (r *Rule) fault(about types.ManagedObjectReference) types.BaseMethodFault {
	fault, err := faultNamed(r.Fault, r.Properties)
	if err != nil {
		return &types.SystemError{Reason: err.Error()}
	}
	pointAt(fault, about)
	return fault
}

// pointAt fills references that the fault must have (the object of a DuplicateName, the task of a TaskInProgress):
// clients do not parse an empty one.
func pointAt(fault types.BaseMethodFault, about types.ManagedObjectReference) {
	target := reflect.ValueOf(fault).Elem()
	for i := range target.NumField() {
		field := target.Field(i)
		ref, ok := field.Interface().(types.ManagedObjectReference)
		if !ok || ref.Value != "" {
			continue
		}
		ref = about
		if target.Type().Field(i).Name == "Task" {
			ref = types.ManagedObjectReference{Type: "Task", Value: "task-0"}
		}
		field.Set(reflect.ValueOf(ref))
	}
}

func (r *Rule) check() error {
	if r.Method == "" {
		return fmt.Errorf("method is missing")
	}
	if r.Probability < 0 || r.Probability > 1 {
		return fmt.Errorf("probability %v is not between 0 and 1", r.Probability)
	}
	if r.InTask && r.Method != "*" && !isTask(r.Method) {
		return fmt.Errorf("%s does not start a task: its name does not end in _Task", r.Method)
	}
	_, err := faultNamed(r.Fault, r.Properties)
	return err
}

// faultNamed makes a fault from the name of its vSphere type.
func faultNamed(name string, properties map[string]any) (types.BaseMethodFault, error) {
	kind, ok := types.TypeFunc()(name)
	if !ok {
		return nil, fmt.Errorf("there is no vSphere type %q", name)
	}
	fault, ok := reflect.New(kind).Interface().(types.BaseMethodFault)
	if !ok {
		return nil, fmt.Errorf("%s is not a fault", name)
	}
	return fault, setProperties(fault, properties)
}

// setProperties sets scalar fields by their vSphere names.
func setProperties(fault types.BaseMethodFault, properties map[string]any) error {
	target := reflect.ValueOf(fault).Elem()
	for name, value := range properties {
		field := target.FieldByName(strings.ToUpper(name[:1]) + name[1:])
		given := reflect.ValueOf(value)
		if !field.IsValid() || !given.CanConvert(field.Type()) {
			return fmt.Errorf("%s has no property %s that takes %v", target.Type().Name(), name, value)
		}
		field.Set(given.Convert(field.Type()))
	}
	return nil
}

func faultMessage(fault types.BaseMethodFault) string {
	switch f := fault.(type) {
	case *types.RequestCanceled:
		return "The task was canceled by a user."
	case *types.NoPermission:
		return "Permission to perform this operation was denied."
	case *types.NotAuthenticated:
		return "The session is not authenticated."
	case *types.NoDiskSpace:
		return fmt.Sprintf("There is not enough space on datastore '%s'.", f.Datastore)
	case *types.DuplicateName:
		return fmt.Sprintf("The name '%s' already exists.", f.Name)
	case *types.ResourceInUse:
		return fmt.Sprintf("The resource '%s' is in use.", f.Name)
	case *types.SystemError:
		return f.Reason
	}
	return strings.TrimSuffix(reflect.TypeOf(fault).Elem().Name(), "Fault")
}

// callRule finds the rule that makes this call fail, and counts the hit.
func (g *gate) callRule(m *simulator.Method) *Rule { return g.strike(m, false) }

// taskRule finds the rule that makes this call's task fail.
func (g *gate) taskRule(m *simulator.Method) *Rule { return g.strike(m, true) }

func (g *gate) strike(m *simulator.Method, inTask bool) *Rule {
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, r := range g.rules {
		if r.InTask != inTask || r.Method != "*" && r.Method != m.Name || (r.Count > 0 && r.Hits >= r.Count) {
			continue
		}
		if r.Match != "" && !strings.Contains(g.vc.subject(m), r.Match) {
			continue
		}
		if r.Skip > 0 {
			r.Skip--
			continue
		}
		if r.Probability > 0 && rand.Float64() >= r.Probability {
			continue
		}
		r.Hits++
		struck := *r
		return &struck
	}
	return nil
}

// subject names what a call is about: the object's name and, when it makes something, the new name.
func (vc *VCenter) subject(m *simulator.Method) string {
	return vc.nameOf(m.This) + " " + newName(m.Body)
}

// newName digs out the name that a request gives to something new.
func newName(body types.AnyType) string {
	v := reflect.Indirect(reflect.ValueOf(body))
	if v.Kind() != reflect.Struct {
		return ""
	}
	if name := v.FieldByName("Name"); name.IsValid() && name.Kind() == reflect.String {
		return name.String()
	}
	if config := v.FieldByName("Config"); config.IsValid() {
		return newName(config.Interface())
	}
	return ""
}
