package vcenter

import (
	"fmt"
	"log"
	"runtime/debug"
	"strings"
	"sync"
	"time"

	"github.com/vmware/govmomi/simulator"
	"github.com/vmware/govmomi/vim25/mo"
	"github.com/vmware/govmomi/vim25/soap"
	"github.com/vmware/govmomi/vim25/types"
	vimxml "github.com/vmware/govmomi/vim25/xml"
)

// work is what a job does. It runs without any lock; what changes the inventory goes through job.commit.
type work func(j *job, m *simulator.Method) (types.AnyType, types.BaseMethodFault)

// job is a task as clients see it: it takes its configured time, shows progress, and can be cancelled.
type job struct {
	vc     *VCenter
	ctx    *simulator.Context
	task   *simulator.Task
	method *simulator.Method
	cancel chan struct{}
	once   sync.Once
}

// jobs are the tasks under way, by reference.
type jobs struct {
	vc      *VCenter
	mu      sync.Mutex
	running map[types.ManagedObjectReference]*job
}

func newJobs(vc *VCenter) *jobs {
	return &jobs{vc: vc, running: map[types.ManagedObjectReference]*job{}}
}

// taskResponse answers any method that returns a task: the element's name follows the method.
type taskResponse struct {
	method    string
	Returnval types.ManagedObjectReference
}

// MarshalXML writes <METHODResponse><returnval type="Task">task-1</returnval></METHODResponse>.
func (r *taskResponse) MarshalXML(e *vimxml.Encoder, start vimxml.StartElement) error {
	start.Name.Local = r.method + "Response"
	if err := e.EncodeToken(start); err != nil {
		return err
	}
	if err := e.EncodeElement(r.Returnval, vimxml.StartElement{Name: vimxml.Name{Local: "returnval"}}); err != nil {
		return err
	}
	return e.EncodeToken(start.End())
}

type taskBody struct {
	Res    *taskResponse
	Fault_ *soap.Fault
}

func (b *taskBody) Fault() *soap.Fault { return b.Fault_ }

// start puts a task into the inventory and runs the work in the background.
func (js *jobs) start(ctx *simulator.Context, m *simulator.Method, w work) *taskBody {
	j := &job{vc: js.vc, ctx: fork(ctx), method: m, cancel: make(chan struct{})}
	entity := js.entity(m)
	task := &simulator.Task{}
	now := time.Now()
	task.Info = types.TaskInfo{
		Name: m.Name, DescriptionId: descriptionID(entity.Type, m.Name),
		Entity: &entity, EntityName: js.vc.nameOf(entity), State: types.TaskInfoStateRunning, Cancelable: true,
		Reason: &types.TaskReasonUser{UserName: ctx.Session.UserName}, QueueTime: now, StartTime: &now,
		EventChainId: js.vc.announce(ctx, m),
	}
	js.mu.Lock()
	js.vc.registry.Put(task) // chooses the reference
	task.Info.Key, task.Info.Task = task.Self.Value, task.Self
	js.running[task.Self] = j
	js.mu.Unlock()
	j.task = task
	go j.run(w)
	return &taskBody{Res: &taskResponse{method: m.Name, Returnval: task.Self}}
}

// entity is what the task is about. Managers are no inventory objects, and clients fail to parse such a task:
// theirs are about the datacenter.
func (js *jobs) entity(m *simulator.Method) types.ManagedObjectReference {
	if _, ok := js.vc.registry.Get(m.This).(mo.Entity); ok {
		return m.This
	}
	return js.vc.datacenter().Self
}

func descriptionID(kind, method string) string {
	name := strings.TrimSuffix(method, "_Task")
	if kind == "VirtualMachine" {
		name = strings.TrimSuffix(name, "VM")
	}
	return kind + "." + strings.ToLower(name[:1]) + name[1:]
}

func (vc *VCenter) nameOf(ref types.ManagedObjectReference) string {
	e, ok := vc.registry.Get(ref).(mo.Entity)
	if !ok {
		return ref.Value
	}
	if name := e.Entity().Name; name != "" {
		return name
	}
	return ref.Value
}

// run passes the job's time, then does the work, and ends the task.
func (j *job) run(w work) {
	result, fault := j.perform(w)
	j.vc.jobs.mu.Lock()
	delete(j.vc.jobs.running, j.task.Self)
	j.vc.jobs.mu.Unlock()
	j.vc.stirred(j.method, result)
	j.finish(result, fault)
	j.vc.journal.touch()
}

// stirred tells the collectors what a task has changed, and what may have changed without an announcement.
func (vc *VCenter) stirred(m *simulator.Method, result types.AnyType) {
	refs := concerned(m)
	if ref, ok := result.(types.ManagedObjectReference); ok {
		refs = append(refs, ref)
	}
	if s, ok := vc.registry.Get(m.This).(*simulator.VirtualMachineSnapshot); ok {
		refs = append(refs, s.Vm)
	}
	if m.This.Type == "VirtualMachine" && (m.Name == "ReconfigVM_Task" || m.Name == "PowerOnVM_Task" || m.Name == "PowerOffVM_Task") {
		vc.collectors.touch(refs...) // nothing moves
		return
	}
	vc.collectors.stir(refs...)
}

func (j *job) perform(w work) (result types.AnyType, fault types.BaseMethodFault) {
	defer func() {
		if r := recover(); r != nil {
			log.Printf("panic in %s: %v\n%s", j.method.Name, r, debug.Stack())
			result, fault = nil, &types.SystemError{Reason: fmt.Sprintf("simulator: %v", r)}
		}
	}()
	rule := j.vc.gate.taskRule(j.method)
	duration := j.vc.gate.delay(j.method.Name)
	if rule != nil && !rule.AfterEffect {
		if failed := j.pass(min(duration, rule.after()), duration); failed != nil {
			return nil, failed
		}
		if rule.after() > duration {
			if failed := j.pass(rule.after()-duration, duration); failed != nil {
				return nil, failed
			}
		}
		return nil, rule.fault(j.method.This)
	}
	if failed := j.pass(duration, duration); failed != nil {
		return nil, failed
	}
	result, fault = w(j, j.method)
	if fault == nil && rule != nil {
		return nil, rule.fault(j.method.This)
	}
	return result, fault
}

// pass lets time go by with progress, as a share of the whole; it ends at once with RequestCanceled when cancelled.
func (j *job) pass(span, whole time.Duration) types.BaseMethodFault {
	started := time.Now()
	step := max(span/40, 25*time.Millisecond)
	for {
		left := span - time.Since(started)
		if left <= 0 {
			break
		}
		select {
		case <-j.cancel:
			return &types.RequestCanceled{}
		case <-time.After(min(step, left)):
		}
		j.progress(float64(time.Since(started)) / float64(whole))
	}
	return j.cancelled()
}

func (j *job) cancelled() types.BaseMethodFault {
	select {
	case <-j.cancel:
		return &types.RequestCanceled{}
	default:
		return nil
	}
}

// progress shows a share between 0 and 1 as 1 to 99 per cent: 100 belongs to the end.
func (j *job) progress(share float64) {
	percent := int32(min(99, max(1, share*100)))
	j.ctx.WithLock(j.task, func() {
		if j.task.Info.Progress != percent {
			j.ctx.Update(j.task, []types.PropertyChange{{Name: "info.progress", Val: percent}})
		}
	})
}

// commit runs a change of the inventory alone; it refuses once the task was cancelled.
func (j *job) commit(change func() (types.AnyType, types.BaseMethodFault)) (types.AnyType, types.BaseMethodFault) {
	j.vc.writer.Lock()
	defer j.vc.writer.Unlock()
	if fault := j.cancelled(); fault != nil {
		return nil, fault
	}
	return change()
}

func (j *job) finish(result types.AnyType, fault types.BaseMethodFault) {
	now := time.Now()
	changes := []types.PropertyChange{{Name: "info.completeTime", Val: now}, {Name: "info.cancelable", Val: false}}
	if fault != nil {
		changes = append(changes,
			types.PropertyChange{Name: "info.error", Val: types.LocalizedMethodFault{Fault: fault, LocalizedMessage: faultMessage(fault)}},
			types.PropertyChange{Name: "info.cancelled", Val: j.cancelled() != nil},
			types.PropertyChange{Name: "info.state", Val: types.TaskInfoStateError})
	} else {
		changes = append(changes,
			types.PropertyChange{Name: "info.progress", Val: int32(100)},
			types.PropertyChange{Name: "info.result", Val: result},
			types.PropertyChange{Name: "info.state", Val: types.TaskInfoStateSuccess})
	}
	j.ctx.WithLock(j.task, func() { j.ctx.Update(j.task, changes) })
}

// cancelTask ends a running job: Task.CancelTask, vSphere Web Services API.
func (js *jobs) cancelTask(ref types.ManagedObjectReference) types.BaseMethodFault {
	js.mu.Lock()
	j := js.running[ref]
	js.mu.Unlock()
	if j == nil {
		return &types.InvalidState{}
	}
	j.once.Do(func() { close(j.cancel) })
	return nil
}
