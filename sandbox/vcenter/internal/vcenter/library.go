package vcenter

import (
	"fmt"
	"log"
	"reflect"
	"runtime/debug"
	"strings"
	"sync"

	"github.com/vmware/govmomi/simulator"
	"github.com/vmware/govmomi/vim25/mo"
	"github.com/vmware/govmomi/vim25/soap"
	"github.com/vmware/govmomi/vim25/types"
)

// context makes a fresh context: the library identifies the holder of a lock by it.
func (vc *VCenter) context() *simulator.Context {
	ctx := *vc.service.Context
	return &ctx
}

// fork gives a job its own context with the caller's session.
func fork(ctx *simulator.Context) *simulator.Context {
	own := *ctx
	return &own
}

// free gives back every lock that a context still holds after a panic in the library, which unlocks without defer.
// Objects with a lock of their own are left alone: the library takes those with defer.
func (vc *VCenter) free(ctx *simulator.Context) {
	for _, object := range vc.registry.AllReference("") {
		if _, ok := object.(sync.Locker); !ok {
			drain(ctx.Map.AcquireLock(ctx, object))
		}
	}
}

// drain releases a counted lock until nothing is held: then the release itself panics.
func drain(release func()) {
	defer func() { _ = recover() }()
	for {
		release()
	}
}

// invoke calls the library's implementation of a method and, when that starts a task, waits for its end.
func (vc *VCenter) invoke(ctx *simulator.Context, m *simulator.Method) (types.AnyType, types.BaseMethodFault) {
	body, fault := vc.invokeBody(ctx, m)
	if fault != nil {
		return nil, fault
	}
	return vc.outcome(ctx, body)
}

func (vc *VCenter) invokeBody(ctx *simulator.Context, m *simulator.Method) (soap.HasFault, types.BaseMethodFault) {
	handler := vc.object(ctx, m.This)
	if handler == nil {
		return nil, &types.ManagedObjectNotFound{Obj: m.This}
	}
	method := methodOf(handler, m.Name)
	if !method.IsValid() {
		return nil, &types.MethodNotFound{Receiver: m.This, Method: m.Name}
	}
	args := []reflect.Value{reflect.ValueOf(m.Body)}
	if method.Type().NumIn() == 2 {
		args = append([]reflect.Value{reflect.ValueOf(ctx)}, args...)
	}
	return vc.protected(ctx, m.Name, func() soap.HasFault {
		var body soap.HasFault
		ctx.WithLock(handler, func() { body = method.Call(args)[0].Interface().(soap.HasFault) })
		return body
	})
}

// protected turns a panic of the library into a SystemError.
func (vc *VCenter) protected(ctx *simulator.Context, name string, call func() soap.HasFault) (body soap.HasFault, fault types.BaseMethodFault) {
	defer func() {
		if r := recover(); r != nil {
			log.Printf("panic in %s: %v\n%s", name, r, debug.Stack())
			vc.free(ctx)
			body, fault = nil, &types.SystemError{Reason: fmt.Sprintf("simulator: %v", r)}
		}
	}()
	return call(), nil
}

// object finds an object, among the session's own first (collectors, views).
func (vc *VCenter) object(ctx *simulator.Context, ref types.ManagedObjectReference) mo.Reference {
	if ctx.Session != nil {
		if obj := ctx.Session.Get(ref); obj != nil {
			return obj
		}
	}
	return vc.registry.Get(ref)
}

// outcome unpacks a response: its fault, its value, or the end of the task that it names.
func (vc *VCenter) outcome(ctx *simulator.Context, body soap.HasFault) (types.AnyType, types.BaseMethodFault) {
	if f := body.Fault(); f != nil {
		return nil, methodFault(f)
	}
	response := reflect.ValueOf(body).Elem().FieldByName("Res")
	if !response.IsValid() || response.IsNil() {
		return nil, &types.SystemError{Reason: "empty response"}
	}
	value := response.Elem().FieldByName("Returnval")
	if !value.IsValid() {
		return nil, nil
	}
	if ref, ok := value.Interface().(types.ManagedObjectReference); ok && ref.Type == "Task" {
		return vc.observer.await(ctx, ref)
	}
	return value.Interface(), nil
}

func methodFault(f *soap.Fault) types.BaseMethodFault {
	if fault, ok := f.VimFault().(types.BaseMethodFault); ok {
		return fault
	}
	return &types.SystemError{Reason: f.String}
}

// implements tells whether an object has a method.
func (vc *VCenter) implements(ctx *simulator.Context, m *simulator.Method) bool {
	return methodOf(vc.object(ctx, m.This), m.Name).IsValid()
}

// methodOf finds the Go method for a vSphere one: CloneVM_Task is CloneVMTask.
func methodOf(handler mo.Reference, name string) reflect.Value {
	name = strings.ToUpper(name[:1]) + name[1:]
	if base, ok := strings.CutSuffix(name, "_Task"); ok {
		name = base + "Task"
	}
	return reflect.ValueOf(handler).MethodByName(name)
}
