import threading
import time
import uuid

import pytest
from django.db import connection, connections

from apps.operations import runner, states, transitions
from apps.operations.journal import turn
from apps.operations.models import Operation, Step
from apps.operations.registry import NotMine
from apps.operations.runner import drive
from apps.operations.services import cancel
from apps.operations.transitions import Write
from apps.operations.tuning import tuning
from apps.tenancy.faults import Fault
from connectors.base import Outcome
from tests.apps.operations.looking import events_of, step_of, steps_of

pytestmark = pytest.mark.django_db(transaction=True)


def claim_all(operation, worker="lost", handlers=("test", "test.inline")):
    """Claim as a worker does that is then lost."""
    with turn(operation.pk) as current:
        return transitions.claim(
            current.cursor, operation.pk, worker=worker, lease_s=30, handlers=handlers, cloud_id=None, limit=100
        )


def let_leases_run_out(operation):
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE operations_step SET lease_until = clock_timestamp() - interval '1 second'"
            " WHERE operation_id = %s AND lease_until IS NOT NULL",
            [operation.pk],
        )


# Claims on subjects ---------------------------------------------------------------------------------------------


def test_two_operations_on_one_deployment_are_kept_apart(start, finish):
    first = start({"a": {"task_s": 60}}, claims=("deployment:1", "cloud:1"))
    with pytest.raises(Fault) as caught:
        start({"a": {}}, claims=("deployment:1",))
    fault = caught.value
    assert (fault.code, fault.status) == ("operation.conflict", 409)
    assert fault.extra["operation"] == str(first.pk)
    assert first.title in fault.detail
    assert Operation.objects.count() == 1
    cancel(first)
    finish(first)
    assert start({"a": {}}, claims=("deployment:1",)).state == "queued"


def test_shared_claims_exclude_only_exclusive_ones(acme, shop, start):
    from apps.operations.services import ClaimSpec, StepSpec, submit

    def take(exclusive):
        return submit(
            kind="test", title="t", organization=acme, project=shop, actor="a", created_by=None,
            steps=[StepSpec("a", "a", "test")], claims=[ClaimSpec("cloud:1", exclusive)],
        )  # fmt: skip

    take(False)
    take(False)
    with pytest.raises(Fault):
        take(True)


def test_of_fifty_submissions_at_once_one_gets_the_deployment(start):
    outcomes = []

    def attempt():
        try:
            outcomes.append(start({"a": {}}, claims=("deployment:1",)).pk)
        except Fault as fault:
            outcomes.append(fault.code)
        finally:
            connections.close_all()

    threads = [threading.Thread(target=attempt) for _ in range(50)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert outcomes.count("operation.conflict") == 49
    assert Operation.objects.count() == 1


# Fences ---------------------------------------------------------------------------------------------------------


def test_a_worker_that_was_replaced_cannot_write(start):
    operation = start({"a": {}})
    (old,) = claim_all(operation)
    let_leases_run_out(operation)
    with turn(operation.pk) as current:
        (new,) = transitions.adopt(
            current.cursor, operation.pk, worker="new", lease_s=30, handlers=["test"], limit=9, suspects=False,
            suspect_after=2,
        )  # fmt: skip
    assert new.fence == old.fence + 1
    with turn(operation.pk) as current:
        stale = current.write([Write(old.id, old.fence, "running", "succeeded", "a")], 30)
    assert stale == {old.id}
    assert steps_of(operation) == {"a": "running"}
    with turn(operation.pk) as current:
        assert not current.write([Write(new.id, new.fence, "running", "succeeded", "a")], 30)


def test_a_stale_write_leaves_no_trace(start):
    operation = start({"a": {}, "b": {}}, after={"b": ["a"]}, kind="test.recorded")
    (old,) = claim_all(operation)
    before = events_of(operation)
    with turn(operation.pk) as current:
        stale = current.write([Write(old.id, old.fence - 1, "running", "succeeded", "a")], 30)
    assert stale == {old.id}
    assert events_of(operation) == before
    assert steps_of(operation)["b"] == "pending"


def test_a_worker_cannot_renew_what_it_has_lost(start):
    operation = start({"a": {}})
    (old,) = claim_all(operation)
    let_leases_run_out(operation)
    with connection.cursor() as cursor:
        assert transitions.renew(cursor, [(old.id, old.fence)], 30) == {old.id}  # nobody has taken it yet
    let_leases_run_out(operation)
    with turn(operation.pk) as current:
        transitions.adopt(
            current.cursor, operation.pk, worker="new", lease_s=30, handlers=["test"], limit=9, suspects=False,
            suspect_after=2,
        )  # fmt: skip
    with connection.cursor() as cursor:
        assert transitions.renew(cursor, [(old.id, old.fence)], 30) == set()


def test_a_live_lease_is_left_alone(start, script):
    operation = start({"a": {}})
    claim_all(operation)
    assert drive(operation.pk, budget_s=0.5).claimed == 0
    assert script.calls == []


# Takeover -------------------------------------------------------------------------------------------------------


def test_a_lost_step_without_a_handle_is_started_again_under_its_key(start, finish, script):
    operation = start({"a": {"task_s": 0.05}})
    claim_all(operation)
    let_leases_run_out(operation)
    operation = finish(operation)
    assert operation.state == "succeeded"
    step = step_of(operation, "a")
    assert (step.attempt, step.takeovers, step.fence) == (1, 1, 2)
    assert script.contexts[0].attempt == 1


def test_a_lost_step_with_a_handle_is_polled_on_and_not_started_again(start, finish, script):
    operation = start({"a": {"task_s": 0.6}})
    drive(operation.pk, budget_s=0.3)
    with connection.cursor() as cursor:  # as if the driver had been lost while it held the step
        cursor.execute("UPDATE operations_step SET lease_until = clock_timestamp() - interval '1 second'")
    assert finish(operation).state == "succeeded"
    assert script.called("start") == ["a"]
    assert step_of(operation, "a").takeovers == 1


def test_the_intent_is_written_before_the_call(start, script):
    seen = []

    def on_start(step):
        row = Step.objects.get(pk=step.step_id)
        seen.append((row.state, row.fence, len(row.intent_hash), row.lease_until is not None))
        connections.close_all()

    script.on_start = on_start
    operation = start({"a": {"x": 1}})
    assert step_of(operation, "a").intent_hash == ""
    drive(operation.pk, budget_s=1)
    assert seen == [("running", 1, 64, True)]


def test_a_handler_can_tell_that_it_was_replaced_and_its_answer_is_dropped(start, finish, script):
    """The zombie: its lease ran out while it slept inside the call, and somebody else has the step."""
    created = []

    def on_start(step):
        if step.fence == 1:
            with connection.cursor() as cursor:
                cursor.execute("UPDATE operations_step SET fence = fence + 1, worker = 'other' WHERE id = %s",
                               [step.step_id])  # fmt: skip
            connections.close_all()
        if not step.still_mine():
            raise NotMine("gone")
        created.append(step.key)
        return Outcome.done()

    script.on_start = on_start
    operation = start({"a": {}})
    report = drive(operation.pk, budget_s=0.5)
    assert report.finished == 0
    assert created == []
    assert steps_of(operation) == {"a": "running"}
    let_leases_run_out(operation)
    assert finish(operation).state == "succeeded"
    assert len(created) == 1


def test_a_call_that_never_returns_loses_its_lease_and_is_taken_over(start, finish, script, tune):
    tune(call_timeout_s=0.3, lease_s=0.6, heartbeat_s=0.1)
    release = threading.Event()

    def on_start(step):
        if step.fence == 1:
            release.wait(20)
        return Outcome.done(fence=step.fence)

    script.on_start = on_start
    operation = start({"a": {}})
    try:
        operation = finish(operation)
    finally:
        release.set()
    assert operation.state == "succeeded"
    assert step_of(operation, "a").result == {"fence": 2}


def test_leases_are_renewed_while_a_slow_call_is_under_way(start, finish, script, tune):
    tune(lease_s=0.6, heartbeat_s=0.1)
    script.on_start = lambda step: (time.sleep(1.5), Outcome.done())[1]
    operation = start({"a": {}})

    def rival():
        time.sleep(1.0)
        drive(operation.pk, budget_s=0.1)
        connections.close_all()

    other = threading.Thread(target=rival)
    other.start()
    operation = finish(operation)
    other.join()
    assert operation.state == "succeeded"
    assert step_of(operation, "a").fence == 1


def test_the_database_clock_decides_and_not_the_worker(start, script, monkeypatch):
    operation = start({"a": {}})
    claim_all(operation)
    monkeypatch.setattr(time, "time", lambda: 4_000_000_000.0)
    assert drive(operation.pk, budget_s=0.2).claimed == 0


# Poison ---------------------------------------------------------------------------------------------------------


def test_a_step_over_which_workers_keep_dying_is_parked_and_takes_nothing_along(start, finish, script, tune):
    """The worker is lost each time that "bad" is started: what was held beside it must not pay for it."""
    tune(max_takeovers=4, lease_s=0.3, heartbeat_s=0.1)

    def on_start(step):
        if step.step_key == "bad":
            raise KeyboardInterrupt  # leaves the driver as a kill does: nothing is written, nothing is given back
        return Outcome.done()

    script.on_start = on_start
    operation = start({**{f"good{n}": {} for n in range(3)}, "bad": {}}, handler="test.inline")
    lost = 0
    for _ in range(40):
        try:
            drive(operation.pk, budget_s=1)
        except KeyboardInterrupt:
            lost += 1
        operation.refresh_from_db()
        if operation.state in states.OPERATION_ENDS:
            break
        time.sleep(0.32)
    assert operation.state == "failed"
    assert steps_of(operation) == {"good0": "succeeded", "good1": "succeeded", "good2": "succeeded", "bad": "parked"}
    assert operation.error["code"] == "operation.poison"
    assert lost == 5


# Many drivers ---------------------------------------------------------------------------------------------------


def test_many_drivers_on_one_operation_call_each_step_once(start, script):
    steps = {f"s{number}": {"task_s": 0.01} for number in range(60)}
    after = {f"s{number}": [f"s{number - 5}"] for number in range(5, 60)}
    operation = start(steps, after=after)

    def work():
        until = time.monotonic() + 20
        while time.monotonic() < until:
            drive(operation.pk, budget_s=0.3)
            if Operation.objects.get(pk=operation.pk).state in states.OPERATION_ENDS:
                break
            time.sleep(0.01)
        connections.close_all()

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    operation.refresh_from_db()
    assert operation.state == "succeeded"
    assert sorted(script.called("start")) == sorted(steps)
    events_of(operation)


def test_an_idle_driver_makes_way_for_an_operation_that_nobody_drives(start, script):
    waiting = start({"a": {"task_s": 60}})
    drive(waiting.pk, budget_s=0.2)
    starving = start({"a": {}})
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE operations_operation SET due_at = clock_timestamp() - interval '2 seconds' WHERE id = %s",
            [starving.pk],
        )
    began = time.monotonic()
    drive(waiting.pk, budget_s=10)
    assert time.monotonic() - began < 3
    assert step_of(waiting, "a").lease_until is None
    assert step_of(waiting, "a").due_at is not None


def test_what_a_driver_gives_back_has_a_time_at_which_somebody_looks_again(start):
    operation = start({"a": {"task_s": 60}})
    drive(operation.pk, budget_s=0.2)
    operation.refresh_from_db()
    assert operation.due_at is not None
    step = step_of(operation, "a")
    assert (step.state, step.lease_until) == ("waiting", None)


def test_a_call_that_hangs_does_not_keep_what_waits_from_being_polled_by_others(start, script):
    release, entered = threading.Event(), threading.Event()

    def on_start(step):
        if step.step_key == "hangs":
            entered.set()
            release.wait(20)
            return Outcome.done()
        return None

    script.on_start = on_start
    operation = start({"hangs": {}, "waits": {"task_s": 60}})
    driver = threading.Thread(target=lambda: (drive(operation.pk, budget_s=0.5), connections.close_all()))
    driver.start()
    try:
        assert entered.wait(5)
        until = time.monotonic() + 5
        while step_of(operation, "waits").lease_until is not None or steps_of(operation)["waits"] != "waiting":
            assert time.monotonic() < until
            time.sleep(0.05)
        assert driver.is_alive()
        assert steps_of(operation)["hangs"] == "running"
    finally:
        release.set()
        driver.join(10)
    assert steps_of(operation)["hangs"] == "succeeded"


def test_a_driver_that_is_told_to_stop_gives_back_soon(start):
    operation = start({"a": {"task_s": 60}})
    began = time.monotonic()
    drive(operation.pk, budget_s=30, stop=lambda: time.monotonic() - began > 0.5)
    assert time.monotonic() - began < 3
    assert step_of(operation, "a").lease_until is None


# The database away ----------------------------------------------------------------------------------------------


def test_a_driver_survives_the_loss_of_its_connection(start, finish, script):
    """Another session ends ours, as a restart of PostgreSQL does."""
    killed = []

    def on_start(step):
        if not killed:
            killed.append(True)
            with connection.cursor() as cursor:
                cursor.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                               " WHERE datname = current_database() AND pid <> pg_backend_pid()")  # fmt: skip
            connections.close_all()
        return Outcome.done()

    script.on_start = on_start
    operation = finish(start({"a": {}, "b": {}}, after={"b": ["a"]}))
    assert operation.state == "succeeded"
    assert sorted(script.called("start")) == ["a", "b"]


def test_a_driver_that_cannot_reach_the_journal_for_a_lease_lets_go(start, script, monkeypatch, tune):
    from django.db import OperationalError

    tune(lease_s=0.5, heartbeat_s=0.1)
    operation = start({"a": {"task_s": 60}})
    drive(operation.pk, budget_s=0.2)
    monkeypatch.setattr(runner, "turn", _failing(OperationalError("away")))
    report = drive(operation.pk, budget_s=5)
    assert report.lost


def _failing(error):
    def turn(_operation_id):
        raise error

    return turn


def test_a_turn_that_the_journal_refuses_is_taken_apart(start, finish, script):
    """One answer that PostgreSQL does not take must not keep its neighbours from being written."""
    import apps.operations.deciding as deciding

    genuine = deciding.tidy_text

    def on_start(step):
        return Outcome("done", message="bad\x00text" if step.step_key == "bad" else "good")

    script.on_start = on_start
    deciding.tidy_text = lambda text, longest=0: text
    try:
        operation = start({"good": {}, "bad": {}, "fine": {}}, handler="test.inline")
        drive(operation.pk, budget_s=3)
    finally:
        deciding.tidy_text = genuine
    found = steps_of(operation)
    assert (found["good"], found["fine"], found["bad"]) == ("succeeded", "succeeded", "running")
    let_leases_run_out(operation)
    script.on_start = None
    assert finish(operation).state == "succeeded"


def test_a_suspended_worker_cannot_keep_the_lock_of_an_operation(start, finish, tune):
    """A worker that is stopped inside its transaction is cut off by the database."""
    tune(session_idle_s=0.5)
    operation = start({"a": {}})
    inside, leave = threading.Event(), threading.Event()
    outcome = []

    def stuck():
        from apps.operations.sessions import Session

        Session(tuning()).prepare()
        try:
            with turn(operation.pk):
                inside.set()
                leave.wait(10)
        except Exception as error:
            outcome.append(type(error).__name__)
        finally:
            connections.close_all()

    thread = threading.Thread(target=stuck)
    thread.start()
    assert inside.wait(5)
    began = time.monotonic()
    assert finish(operation).state == "succeeded"
    assert time.monotonic() - began < 6
    leave.set()
    thread.join()
    assert outcome


def test_an_operation_that_does_not_exist_is_nobodys_fault():
    assert drive(uuid.uuid4()).state == ""
