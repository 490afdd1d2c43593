import pytest

from apps.operations.models import Claim
from apps.operations.runner import drive
from connectors.base import ConnectorError, Outcome
from tests.apps.operations.looking import events_of, step_of, steps_of
from tests.apps.operations.scripted import Recorder

pytestmark = pytest.mark.django_db(transaction=True)

DENIED = {"permanent": True, "code": "cloud.permission", "message": "Denied - no right - ask the owner."}


def test_a_failed_prerequisite_never_starts_its_dependants(start, finish, script):
    steps = {"a": {"fail": DENIED}, "b": {}, "c": {}, "other": {"task_s": 0.2}, "after other": {}}
    operation = finish(start(steps, after={"b": ["a"], "c": ["b"], "after other": ["other"]}))
    assert operation.state == "failed"
    assert steps_of(operation) == {
        "a": "failed", "b": "blocked", "c": "blocked", "other": "succeeded", "after other": "succeeded",
    }  # fmt: skip
    assert "b" not in script.called("start")
    assert "c" not in script.called("start")


def test_it_reports_the_root_cause_only(start, finish):
    operation = finish(start({"a": {"fail": DENIED}, "b": {}}, after={"b": ["a"]}))
    assert operation.error["step"] == "a"
    assert operation.error["code"] == "cloud.permission"
    assert operation.error["message"] == "Denied - no right - ask the owner."
    assert step_of(operation, "b").error is None
    blocked = [data for type_, key, data in events_of(operation) if key == "b"]
    assert blocked == [{"state": "blocked", "because": "a"}]


def test_a_step_that_needs_two_is_blocked_by_either(start, finish, script):
    operation = finish(start({"good": {}, "bad": {"fail": DENIED}, "end": {}}, after={"end": ["good", "bad"]}))
    assert steps_of(operation)["end"] == "blocked"


def test_it_tries_again_what_may_pass_and_says_so(start, finish):
    operation = finish(start({"a": {"fail": {"code": "cloud.busy"}, "fail_times": 2}}))
    assert operation.state == "succeeded"
    assert step_of(operation, "a").attempt == 3
    assert step_of(operation, "a").error is None
    again = [data for type_, _, data in events_of(operation) if data.get("state") == "ready"]
    assert len(again) == 2
    assert all(data["error"]["code"] == "cloud.busy" for data in again)


def test_it_gives_up_when_the_attempts_are_used_up(start, finish, script):
    operation = finish(start({"a": {"fail": {"code": "cloud.busy"}}}))
    assert operation.state == "failed"
    assert len(script.called("start")) == 3
    assert step_of(operation, "a").error["attempts"] == 3


def test_a_permanent_error_is_not_tried_again(start, finish, script):
    finish(start({"a": {"fail": DENIED}}))
    assert script.called("start") == ["a"]


def test_a_task_that_fails_at_the_cloud_is_started_again_under_the_same_key(start, finish, script):
    outcomes = []

    def on_start(step):
        outcomes.append(step.key)
        script.tasks.pop(step.key, None)

    script.on_start = on_start
    operation = finish(start({"a": {"task_s": 0.02, "task_fail": {"code": "cloud.fault"}}}))
    assert operation.state == "failed"
    assert len(outcomes) == 3
    assert len(set(outcomes)) == 1


def test_it_waits_as_long_as_the_cloud_asks(start, script):
    operation = start({"a": {"fail": {"code": "cloud.busy", "retry_after": 30}}})
    drive(operation.pk, budget_s=1)
    operation.refresh_from_db()
    step = step_of(operation, "a")
    assert step.state == "ready"
    assert 29 < (step.due_at - operation.created_at).total_seconds() < 40
    assert operation.due_at == step.due_at or abs((operation.due_at - step.due_at).total_seconds()) < 0.1


def test_our_own_defect_parks_the_step_and_keeps_its_text_from_users(start, finish):
    operation = finish(start({"a": {"raise": "secret path /srv/x"}}))
    assert operation.state == "failed"
    assert steps_of(operation) == {"a": "parked"}
    assert operation.error["code"] == "operation.internal"
    assert "secret path" not in str(operation.error)
    assert "RuntimeError" in operation.error["message"]


def test_what_cannot_be_recorded_is_parked_with_its_result_and_its_neighbours_go_on(start, finish):
    def refuse(what, value):
        if what == "done" and any(key == "b" for key, _, _ in value):
            raise ValueError("no such row")

    Recorder.refuse = refuse
    steps = {"a": {}, "b": {"result": {"external_id": "vm-1"}}, "c": {}, "after b": {}}
    operation = finish(start(steps, after={"after b": ["b"]}, kind="test.recorded", handler="test.inline"))
    assert operation.state == "failed"
    assert steps_of(operation) == {"a": "succeeded", "b": "parked", "c": "succeeded", "after b": "blocked"}
    assert step_of(operation, "b").result == {"external_id": "vm-1"}
    done = [key for what, value in Recorder.events if what == "done" and len(value) == 1 for key, _, _ in value]
    assert {"a", "c"} <= set(done)


def test_an_end_that_cannot_be_recorded_is_a_failure_and_frees_the_claims(start, finish):
    def refuse(what, value):
        if (what, value) == ("finished", "succeeded"):
            raise ValueError("no")

    Recorder.refuse = refuse
    operation = finish(start({"a": {}}, kind="test.recorded", claims=("deployment:1",)))
    assert operation.state == "failed"
    assert operation.error["code"] == "operation.internal"
    assert not Claim.objects.exists()
    assert Recorder.events[-1] == ("finished", "failed")


def test_a_cloud_that_cannot_be_asked_delays_and_does_not_fail(start, finish, script):
    script.poll_error = ConnectorError("cloud.unreachable", "No route.")
    operation = start({"a": {"task_s": 0.01}})
    drive(operation.pk, budget_s=0.3)
    step = step_of(operation, "a")
    assert step.state == "waiting"
    assert step.trouble_since is not None
    assert "No route." in step.message
    script.poll_error = None
    operation = finish(operation)
    assert operation.state == "succeeded"
    assert step_of(operation, "a").trouble_since is None
    assert script.called("start") == ["a"]


def test_a_cloud_that_stays_away_for_too_long_is_given_up_and_said_so(start, finish, script, tune):
    tune(unreachable_s=0.3)
    script.poll_error = ConnectorError("cloud.unreachable", "No route.")
    operation = finish(start({"a": {"task_s": 0.01}}))
    assert operation.state == "failed"
    assert operation.error["code"] == "cloud.unreachable"
    assert "may still be running" in operation.error["message"]


def test_a_handle_that_cannot_be_kept_parks_the_step(start, finish, script):
    script.on_start = lambda step: Outcome.running("x" * 3000)
    operation = finish(start({"a": {}}, max_attempts=1))
    assert steps_of(operation) == {"a": "parked"}


def test_an_operation_of_a_kind_that_nobody_knows_is_not_begun(start, finish):
    """A worker of an older release would do the steps, and nobody would record what they made."""
    from apps.operations import registry

    operation = start({"a": {}}, kind="test.recorded")
    known = registry._kinds.pop("test.recorded")
    try:
        drive(operation.pk, budget_s=1)
        operation.refresh_from_db()
        assert operation.state == "queued"
        assert operation.due_at is not None
        assert steps_of(operation) == {"a": "ready"}
    finally:
        registry._kinds["test.recorded"] = known
    assert finish(operation).state == "succeeded"


def test_a_step_whose_handler_nobody_knows_waits_for_a_release_that_does(start, script):
    from apps.operations import registry

    operation = start({"a": {}})
    known = registry._handlers.pop("test")
    try:
        drive(operation.pk, budget_s=1)
        step = step_of(operation, "a")
        assert step.state == "ready"
        assert "another release" in step.message
        assert step.due_at is not None
    finally:
        registry._handlers["test"] = known


@pytest.mark.parametrize("code", ["cloud.unreachable", "cloud.not_authenticated"])
def test_a_cloud_that_is_away_is_waited_for_and_uses_up_no_try(start, finish, script, code):
    operation = finish(start({"a": {"fail": {"code": code}, "fail_times": 6}}))
    assert operation.state == "succeeded"
    assert len(script.called("start")) == 7
    assert (step_of(operation, "a").attempt, step_of(operation, "a").trouble_since) == (1, None)


def test_a_cloud_that_never_comes_back_is_given_up_in_the_end(start, finish, script, tune):
    tune(unreachable_s=0.3)
    operation = finish(start({"a": {"fail": {"code": "cloud.unreachable"}}}))
    assert operation.state == "failed"
    assert operation.error["code"] == "cloud.unreachable"
    assert len(script.called("start")) >= 2
