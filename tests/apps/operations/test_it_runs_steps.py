import uuid

import pytest

from apps.operations.models import Claim, Outbox
from apps.operations.services import StepSpec
from connectors.base import Outcome
from tests.apps.operations.looking import events_of, step_of, steps_of
from tests.apps.operations.scripted import Recorder

pytestmark = pytest.mark.django_db(transaction=True)


def test_it_finishes_an_operation_without_steps_at_once(start):
    operation = start({}, kind="test.recorded")
    assert operation.state == "succeeded"
    assert operation.finished_at is not None
    assert operation.due_at is None
    assert Recorder.events == [("finished", "succeeded")]
    assert not Outbox.objects.exists()


def test_it_leaves_a_poke_in_the_outbox_with_the_operation(start):
    operation = start({"a": {}})
    assert operation.state == "queued"
    assert list(Outbox.objects.values_list("operation_id", flat=True)) == [operation.pk]


def test_it_runs_steps_in_the_order_of_their_dependencies(start, finish, script):
    operation = finish(start({"c": {}, "b": {}, "a": {}}, after={"b": ["a"], "c": ["a", "b"]}))
    assert operation.state == "succeeded"
    assert script.called("start") == ["a", "b", "c"]
    assert operation.steps_done == operation.steps_total == 3


@pytest.mark.parametrize("handler", ["test", "test.inline"])
def test_it_runs_many_steps_each_once(start, finish, script, handler):
    steps = {f"s{number}": {} for number in range(300)}
    after = {f"s{number}": [f"s{number - 7}"] for number in range(7, 300)}
    operation = finish(start(steps, after=after, handler=handler))
    assert operation.state == "succeeded"
    assert sorted(script.called("start")) == sorted(steps)


def test_it_polls_tasks_under_way_in_bulk(start, finish, script):
    operation = finish(start({f"s{number}": {"task_s": 0.3, "result": {"n": number}} for number in range(4)}))
    assert operation.state == "succeeded"
    polls = [keys for what, keys in script.calls if what == "poll"]
    assert any(len(keys.split(",")) == 4 for keys in polls)
    assert step_of(operation, "s3").result == {"n": 3}
    assert step_of(operation, "s3").handle.startswith("task:")


def test_it_hands_the_results_of_earlier_steps_to_later_ones(start, finish, script):
    finish(start({"folder": {"result": {"moref": "group-7"}}, "vm": {}}, after={"vm": ["folder"]}))
    context = next(context for context in script.contexts if context.step_key == "vm")
    assert context.results == {"thing:folder": {"moref": "group-7"}}


def test_it_gives_a_step_the_same_key_in_every_attempt(start, finish, script):
    operation = finish(start({"a": {"fail": {}, "fail_times": 2}}))
    assert operation.state == "succeeded"
    assert len({context.key for context in script.contexts}) == 1
    assert [context.attempt for context in script.contexts] == [1, 2, 3]
    assert script.contexts[0].key == str(uuid.uuid5(operation.pk, "a"))


def test_it_numbers_the_events_without_gaps_and_tells_the_whole_story(start, finish):
    operation = finish(start({"a": {"task_s": 0.05, "log": "halfway"}}))
    told = [(type_, data.get("state") or data.get("line") or data.get("progress"))
            for type_, _, data in events_of(operation)]  # fmt: skip
    assert told[0] == ("operation.state", "queued")
    assert ("operation.state", "running") in told
    assert ("step.log", "halfway") in told
    assert ("step.progress", 50) in told
    states = [state for type_, state in told if type_ == "step.state"]
    assert states == ["running", "waiting", "succeeded"]
    assert told[-1] == ("operation.state", "succeeded")


def test_it_calls_the_kind_in_the_transaction_of_the_transition(start, finish):
    operation = finish(start({"a": {"result": {"x": 1}}, "b": {}}, after={"b": ["a"]}, kind="test.recorded"))
    assert operation.state == "succeeded"
    assert Recorder.events == [
        ("done", [("a", "succeeded", {"x": 1})]),
        ("done", [("b", "succeeded", {})]),
        ("finished", "succeeded"),
    ]


def test_it_never_runs_more_tasks_on_a_cloud_than_allowed(start, finish, script, tune):
    tune(cloud_concurrency=3, threads=8)
    running, most = set(), []

    def on_start(step):
        running.add(step.key)
        most.append(len([key for key in running if not _over(script, key)]))

    script.on_start = on_start
    operation = finish(start({f"s{n}": {"task_s": 0.05} for n in range(15)}, cloud=uuid.uuid4()))
    assert operation.state == "succeeded"
    assert max(most) <= 3


def _over(script, key):
    import time

    task = script.tasks.get(key)
    return task is not None and task.ends_at <= time.monotonic()


def test_an_operation_may_ask_for_more_room_on_its_cloud(start, finish, script, tune):
    tune(cloud_concurrency=1)
    operation = start({f"s{n}": {"task_s": 0.3} for n in range(6)}, cloud=uuid.uuid4(), concurrency=6)
    finish(operation)
    polls = [len(keys.split(",")) for what, keys in script.calls if what == "poll"]
    assert max(polls) > 1


def test_it_never_runs_serial_steps_of_a_cloud_side_by_side(start, finish, script):
    cloud = uuid.uuid4()
    finish(start({f"s{n}": {"task_s": 0.05} for n in range(4)}, cloud=cloud, serial="folder"))
    polls = [len(keys.split(",")) for what, keys in script.calls if what == "poll"]
    assert max(polls) == 1
    assert sorted(script.called("start")) == ["s0", "s1", "s2", "s3"]


def test_it_starts_the_longest_way_first(start, finish, script, tune):
    tune(cloud_concurrency=1)
    steps = [
        StepSpec(key="short", title="short", handler="test", cloud_id=(cloud := uuid.uuid4())),
        StepSpec(key="long", title="long", handler="test", cloud_id=cloud),
        StepSpec(key="end", title="end", handler="test", cloud_id=cloud, depends_on=("long",), expected_s=60),
    ]
    finish(start(steps))
    assert script.called("start")[0] == "long"


def test_it_refuses_steps_that_make_no_sense(start):
    with pytest.raises(ValueError, match="wait for each other"):
        start({"a": {}, "b": {}}, after={"a": ["b"], "b": ["a"]})
    with pytest.raises(ValueError, match="does not exist"):
        start({"a": {}}, after={"a": ["nothing"]})
    with pytest.raises(KeyError):
        start({"a": {}}, handler="nobody")
    with pytest.raises(KeyError):
        start({"a": {}}, kind="nobody's")


def test_it_takes_nothing_from_a_submission_that_fails(start):
    from apps.operations.models import Operation

    with pytest.raises(ValueError, match="two steps"):
        start([StepSpec("a", "a", "test"), StepSpec("a", "a", "test")], claims=("deployment:1",))
    assert not Operation.objects.exists()
    assert not Claim.objects.exists()


def test_it_parks_a_step_that_leaves_no_plain_data_behind(start, finish, script):
    script.on_start = lambda step: Outcome.done(when=object())
    operation = finish(start({"a": {}}, max_attempts=1))
    assert operation.state == "failed"
    assert steps_of(operation) == {"a": "parked"}
    assert operation.error["code"] == "operation.internal"


def test_texts_of_the_cloud_cannot_break_the_journal(start, finish, script):
    script.on_start = lambda step: Outcome("done", message="a\x00b\ud800", result={"x": "\x00", "y": ["\ud800"]})
    operation = finish(start({"a": {}}))
    assert operation.state == "succeeded"
    assert "\x00" not in step_of(operation, "a").message


def test_secrets_do_not_reach_the_journal(start, finish, script):
    from apps.tenancy.redaction import remember_secret

    remember_secret("hunter2-canary")
    script.on_start = lambda step: (step.log("with hunter2-canary"), None)[1]
    payload = {"result": {"note": "hunter2-canary"}, "task_s": 0.01}
    operation = finish(start({"a": payload, "b": {"fail": {"message": "no hunter2-canary", "permanent": True}}}))
    step = step_of(operation, "a")
    text = f"{events_of(operation)} {step.payload} {step.result} {operation.error} {step_of(operation, 'b').error}"
    assert "hunter2" not in text
    assert "(hidden)" in text
