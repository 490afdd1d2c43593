import threading
import time

import pytest

from apps.operations.runner import drive
from apps.operations.services import cancel
from apps.tenancy.faults import Fault
from connectors.base import ConnectorError
from tests.apps.operations.looking import events_of, step_of, steps_of
from tests.apps.operations.scripted import Recorder

pytestmark = pytest.mark.django_db(transaction=True)


def test_an_operation_that_has_not_begun_is_cancelled_at_once(start, bob):
    operation = cancel(start({"a": {}, "b": {}}, after={"b": ["a"]}, kind="test.recorded"), who=bob.principal)
    assert operation.state == "cancelled"
    assert steps_of(operation) == {"a": "skipped", "b": "skipped"}
    assert Recorder.events == [("finished", "cancelled")]
    asked = [data for _, _, data in events_of(operation) if data.get("state") == "cancelling"]
    assert asked == [{"state": "cancelling", "mode": "stop", "actor": "bob"}]


def test_waiting_tasks_are_cancelled_at_the_cloud_and_nothing_more_is_started(start, finish, script):
    operation = start({"done": {}, "long": {"task_s": 60}, "later": {}}, after={"long": ["done"], "later": ["long"]})
    drive(operation.pk, budget_s=0.5)
    assert steps_of(operation)["long"] == "waiting"
    operation = finish(cancel(operation))
    assert operation.state == "cancelled"
    assert steps_of(operation) == {"done": "succeeded", "long": "skipped", "later": "skipped"}
    assert script.called("cancel") == ["long"]
    assert "later" not in script.called("start")


def test_a_driver_that_waits_notices_the_cancel_by_itself(start, script):
    operation = start({"long": {"task_s": 60}})
    driver = threading.Thread(target=drive, args=(operation.pk,), kwargs={"budget_s": 10})
    driver.start()
    try:
        _until(lambda: steps_of(operation)["long"] == "waiting")
        cancel(operation)
        driver.join(5)
        assert not driver.is_alive()
    finally:
        driver.join(12)
    operation.refresh_from_db()
    assert operation.state == "cancelled"


def test_a_call_under_way_finishes_and_its_task_is_then_cancelled(start, script):
    entered, leave = threading.Event(), threading.Event()

    def on_start(step):
        entered.set()
        assert leave.wait(5)

    script.on_start = on_start
    operation = start({"a": {"task_s": 60}})
    driver = threading.Thread(target=drive, args=(operation.pk,), kwargs={"budget_s": 10})
    driver.start()
    try:
        assert entered.wait(5)
        cancel(operation)
        leave.set()
        driver.join(8)
    finally:
        leave.set()
        driver.join(12)
    operation.refresh_from_db()
    assert operation.state == "cancelled"
    assert script.called("cancel") == ["a"]


def test_a_task_that_ends_before_the_cancel_reaches_it_counts_as_done(start, finish, script):
    operation = start({"a": {"task_s": 0.3, "uncancellable": True}, "b": {}}, after={"b": ["a"]})
    drive(operation.pk, budget_s=0.1)
    operation = finish(cancel(operation))
    assert steps_of(operation) == {"a": "succeeded", "b": "skipped"}
    assert operation.state == "cancelled"


def test_a_cancel_that_comes_when_everything_is_done_changes_nothing(start, finish, script):
    operation = start({"a": {"task_s": 0.3, "uncancellable": True}})
    drive(operation.pk, budget_s=0.1)
    assert finish(cancel(operation)).state == "succeeded"


def test_nothing_is_tried_again_while_cancelling(start, finish, script):
    operation = start({"a": {"task_s": 0.3, "uncancellable": True, "task_fail": {"code": "cloud.busy"}}})
    drive(operation.pk, budget_s=0.1)
    operation = finish(cancel(operation))
    assert operation.state == "cancelled"
    assert steps_of(operation) == {"a": "failed"}
    assert operation.error["code"] == "cloud.busy"


def test_a_cloud_that_is_away_does_not_hold_the_cancel_up_for_ever(start, finish, script, tune):
    tune(unreachable_cancelling_s=0.2)
    operation = start({"a": {"task_s": 60}})
    drive(operation.pk, budget_s=0.2)
    script.poll_error = ConnectorError("cloud.unreachable", "No route.")
    operation = finish(cancel(operation))
    assert operation.state == "cancelled"
    assert "may still be running" in operation.error["message"]


def test_cancel_with_revert_takes_back_what_was_done_in_reverse(start, finish, script):
    steps = {"folder": {}, "disk": {}, "vm": {"task_s": 60}, "later": {}}
    operation = start(steps, after={"disk": ["folder"], "vm": ["disk"], "later": ["vm"]}, kind="test.recorded")
    drive(operation.pk, budget_s=0.6)
    assert steps_of(operation)["vm"] == "waiting"
    operation = finish(cancel(operation, "revert"))
    assert operation.state == "reverted"
    # The machine was under way: what it may have left is looked for, too.
    assert script.called("undo") == ["undo:vm", "undo:disk", "undo:folder"]
    states = steps_of(operation)
    assert {key: states[key] for key in steps} == {
        "folder": "reverted", "disk": "reverted", "vm": "reverted", "later": "skipped",
    }  # fmt: skip
    assert [what for what, _ in Recorder.events][-1] == "finished"
    reverted = [key for what, value in Recorder.events if what == "reverted" for key, _ in value]
    assert reverted == ["vm", "disk", "folder"]


def test_a_second_cancel_may_ask_for_more(start, finish, script):
    operation = start({"a": {}, "long": {"task_s": 60}}, after={"long": ["a"]})
    drive(operation.pk, budget_s=0.5)
    cancel(operation)
    assert finish(cancel(operation, "revert")).state == "reverted"
    assert "undo:a" in script.called("undo")


def test_what_has_ended_cannot_be_cancelled(start, finish):
    operation = finish(start({"a": {}}))
    with pytest.raises(Fault) as caught:
        cancel(operation)
    assert (caught.value.code, caught.value.status) == ("operation.ended", 409)


def test_a_rollback_cannot_be_cancelled(start, script):
    operation = start({"a": {"task_s": 60}})
    drive(operation.pk, budget_s=0.3)
    cancel(operation, "revert")
    script.tasks[next(iter(script.tasks))].cancelled = True
    script.on_start = None
    drive(operation.pk, budget_s=0.0)
    operation.refresh_from_db()
    while operation.state == "cancelling":
        drive(operation.pk, budget_s=0.05)
        operation.refresh_from_db()
    if operation.state == "reverting":
        with pytest.raises(Fault) as caught:
            cancel(operation)
        assert caught.value.code == "operation.reverting"


def test_a_cloud_that_refuses_the_cancel_is_asked_again_and_noted(start, finish, script):
    tries = []
    operation = start({"a": {"task_s": 60}})
    drive(operation.pk, budget_s=0.3)
    original = script.cancel

    def refuse_once(step):
        tries.append(step.step_key)
        if len(tries) == 1:
            raise ConnectorError("cloud.busy", "Not now.")
        original(step)

    script.cancel = refuse_once
    operation = finish(cancel(operation))
    assert operation.state == "cancelled"
    assert len(tries) == 2
    assert any("Not now." in str(data) for type_, _, data in events_of(operation) if type_ == "step.log")
    assert step_of(operation, "a").state == "skipped"


def _until(condition, timeout_s=5.0):
    until = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < until, "it did not come about in time"
        time.sleep(0.02)
