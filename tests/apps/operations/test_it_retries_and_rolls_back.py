import pytest

from apps.operations.models import Claim, Operation
from apps.operations.services import cancel, retry, rollback
from apps.tenancy.faults import Fault
from tests.apps.operations.looking import events_of, step_of, steps_of
from tests.apps.operations.scripted import Recorder

pytestmark = pytest.mark.django_db(transaction=True)

ONCE = {"fail": {"permanent": True}, "fail_times": 1}


def test_a_retry_goes_on_from_what_failed(start, finish, script, bob):
    operation = finish(start({"a": {}, "b": ONCE, "c": {}}, after={"b": ["a"], "c": ["b"]}, kind="test.recorded"))
    assert steps_of(operation) == {"a": "succeeded", "b": "failed", "c": "blocked"}
    operation = finish(retry(operation, who=bob.principal))
    assert operation.state == "succeeded"
    assert operation.error is None
    assert script.called("start") == ["a", "b", "b", "c"]
    assert ("resumed", "queued") in Recorder.events
    assert any(data.get("actor") == "bob" for _, _, data in events_of(operation))
    assert step_of(operation, "c").waiting_for == 0


def test_a_retry_uses_the_same_keys(start, finish, script):
    finish(retry(finish(start({"a": ONCE}))))
    assert len({context.key for context in script.contexts}) == 1


def test_a_cancelled_operation_can_be_taken_up_again(start, finish, script):
    operation = cancel(start({"a": {}, "b": {}}, after={"b": ["a"]}))
    operation = finish(retry(operation))
    assert operation.state == "succeeded"
    assert operation.cancel_mode == ""


def test_a_retry_takes_the_claims_again_or_is_refused(start, finish):
    operation = finish(start({"a": ONCE}, claims=("deployment:1",)))
    assert not Claim.objects.exists()
    rival = start({"a": {"task_s": 60}}, claims=("deployment:1",))
    with pytest.raises(Fault) as caught:
        retry(operation)
    assert caught.value.code == "operation.conflict"
    operation.refresh_from_db()
    assert operation.state == "failed"
    cancel(rival)
    finish(rival)
    assert finish(retry(operation)).state == "succeeded"


def test_an_operation_that_a_later_one_has_overtaken_is_not_taken_up_again(start, finish, shop):
    subject = ("deployment", shop.pk)
    first = finish(start({"a": ONCE}, subject=subject))
    later = finish(start({"b": {}}, subject=subject))
    for attempt in (retry, rollback):
        with pytest.raises(Fault) as caught:
            attempt(first)
        assert caught.value.code == "operation.superseded"
        assert caught.value.extra["operation"] == str(later.pk)


def test_what_succeeded_or_runs_is_neither_retried_nor_rolled_back(start, finish):
    done, running = finish(start({"a": {}})), start({"a": {}})
    for operation in (done, running):
        with pytest.raises(Fault) as caught:
            retry(operation)
        assert caught.value.code == "operation.not_retryable"
        with pytest.raises(Fault) as caught:
            rollback(operation)
        assert caught.value.code == "operation.not_reversible"


def test_a_rollback_takes_back_what_succeeded_and_what_failed_half_way(start, finish, script, bob):
    steps = {"folder": {"result": {"moref": "g-1"}}, "vm": {"fail": {"permanent": True}}, "start": {}, "net": {}}
    operation = finish(start(steps, after={"vm": ["folder"], "start": ["vm"]}, kind="test.recorded"))
    assert operation.state == "failed"
    operation = finish(rollback(operation, who=bob.principal))
    assert operation.state == "reverted"
    undone = script.called("undo")
    assert set(undone) == {"undo:vm", "undo:folder", "undo:net"}
    assert undone.index("undo:vm") < undone.index("undo:folder")
    states = steps_of(operation)
    assert {key: states[key] for key in steps} == {
        "folder": "reverted", "vm": "reverted", "start": "blocked", "net": "reverted",
    }  # fmt: skip
    assert operation.error["step"] == "vm"  # why it was rolled back stays visible
    assert (operation.undo_done, operation.undo_total) == (3, 3)
    assert Recorder.events[-1] == ("finished", "reverted")
    assert ("resumed", "reverting") in Recorder.events


def test_a_compensation_learns_what_the_step_left_behind(start, finish, script):
    finish(rollback(finish(start({"a": {"result": {"external_id": "vm-9"}}, "b": ONCE}, after={"b": ["a"]}))))
    started = next(c for c in script.contexts if c.step_key == "a")
    undone = next(c for c in script.contexts if c.step_key == "undo:a")
    assert undone.undoes.result == {"external_id": "vm-9"}
    assert undone.undoes.key == started.key
    assert undone.undoes.step_key == "a"
    assert undone.key != started.key
    assert undone.payload == started.payload


def test_a_rollback_that_fails_says_so_and_can_be_resumed(start, finish, script):
    steps = {
        "folder": {},
        "vm": {"undo_fail": {"permanent": True, "message": "In use - x - y."}, "undo_fail_times": 1},
        "net": {},
        "bad": ONCE,
    }
    operation = finish(start(steps, after={"vm": ["folder"], "bad": ["vm", "net"]}, kind="test.recorded"))
    operation = finish(rollback(operation))
    assert operation.state == "revert_failed"
    assert operation.error["message"] == "In use - x - y."
    states = steps_of(operation)
    assert (states["vm"], states["folder"], states["net"]) == ("revert_failed", "revert_failed", "reverted")
    assert states["undo:folder"] == "blocked"
    operation = finish(rollback(operation))
    assert operation.state == "reverted"
    assert {steps_of(operation)[key] for key in steps} == {"reverted"}
    assert script.called("undo").count("undo:net") == 1  # done once is done


def test_retry_resumes_a_rollback_that_failed(start, finish, script):
    steps = {"vm": {"undo_fail": {"permanent": True}, "undo_fail_times": 1}, "bad": ONCE}
    operation = finish(rollback(finish(start(steps, after={"bad": ["vm"]}))))
    assert operation.state == "revert_failed"
    assert finish(retry(operation)).state == "reverted"


def test_a_transient_error_of_a_compensation_is_tried_again(start, finish, script):
    steps = {"vm": {"undo_fail": {"code": "cloud.busy"}, "undo_fail_times": 2}, "bad": ONCE}
    assert finish(rollback(finish(start(steps, after={"bad": ["vm"]})))).state == "reverted"


def test_a_rollback_of_nothing_ends_at_once(start):
    operation = rollback(cancel(start({"a": {}})))
    assert operation.state == "reverted"


def test_a_kind_may_refuse_to_resume(start, finish):
    operation = finish(start({"a": ONCE}, kind="test.recorded", claims=("x:1",)))

    def refuse(what, value):
        if what == "resumed":
            raise Fault("conflict", "No", "it is gone", 409)

    Recorder.refuse = refuse
    with pytest.raises(Fault):
        retry(operation)
    assert Operation.objects.get().state == "failed"
    assert not Claim.objects.exists()
