import uuid
from dataclasses import replace

import pytest

from apps.clouds import handler
from apps.operations.registry import NotMine, StepContext, Undone, find_handler
from apps.tenancy.faults import fault
from connectors.base import ConnectorError
from engine.plan import Action
from engine.resources import Owner


class Link:
    mine = True

    def still_mine(self, step_id, fence):
        return self.mine

    def log(self, step_id, line):
        pass

    def cancelled(self):
        return False


@pytest.fixture
def action(acme, shop):
    owner = Owner(str(acme.pk), "acme", str(shop.pk), "shop", str(uuid.uuid4()), "web")
    return Action(
        key="folder:deployment/folder.create",
        verb="folder.create",
        resource="folder:deployment",
        change="create",
        title="Create the folder",
        cause="new",
        owner=owner,
        spec={"kind": "folder", "key": "folder:deployment", "path": ["escale", "acme", "shop", "web"]},
    )


@pytest.fixture
def step(paris, action):
    return StepContext(
        operation_id=uuid.uuid4(),
        step_id=1,
        key=str(uuid.uuid4()),
        step_key=action.key,
        title=action.title,
        group=action.resource,
        verb=action.verb,
        change=action.change,
        cloud_id=paris.pk,
        payload=action.to_json(),
        attempt=1,
        fence=1,
        handle="",
        results={},
        undoes=None,
        link=Link(),
    )


def settle(step):
    """Start a step and poll it to its end."""
    outcome = handler.CLOUD.start(step)
    while outcome.state == "running":
        waiting = replace(step, handle=outcome.handle)
        outcome = handler.CLOUD.poll([waiting]).get(1, outcome)
    return outcome


def test_the_journal_knows_the_handler():
    assert find_handler("cloud") is handler.CLOUD


def test_a_step_is_done_on_its_cloud_and_undone_again(step, control):
    outcome = settle(step)
    assert outcome.state == "done", outcome
    assert [thing["kind"] for thing in control.things()] == ["folder"]
    undone = Undone(key=step.key, step_key=step.step_key, result=dict(outcome.result), handle="", error=None)
    back = replace(step, step_id=2, key=str(uuid.uuid4()), undoes=undone)
    outcome = handler.CLOUD.undo(back)
    while outcome.state == "running":
        outcome = handler.CLOUD.poll([replace(back, handle=outcome.handle)]).get(2, outcome)
    assert control.things() == []


def test_a_repeated_start_by_the_same_key_makes_nothing_twice(step, control):
    settle(step)
    settle(step)
    assert len(control.things()) == 1


def test_preparers_change_the_action_right_before_the_call(step, monkeypatch):
    seen = []
    monkeypatch.setattr(handler, "_preparers", [])
    handler.register_preparer("*", lambda step, action: seen.append(action.inputs) or replace(action, title="first"))
    handler.register_preparer("folder.create", lambda step, action: seen.append(action.title) or action)
    handler.register_preparer("machine.create", lambda step, action: seen.append("never") or action)
    settle(replace(step, results={"folder:x": {"external_id": "1"}}))
    assert seen == [{"folder:x": {"external_id": "1"}}, "first"]


def test_a_worker_that_lost_its_step_touches_no_cloud(step, control):
    link = Link()
    link.mine = False
    with pytest.raises(NotMine):
        handler.CLOUD.start(replace(step, link=link))
    assert control.counters().get("call:folder.create") is None


def test_many_handles_of_a_cloud_are_asked_for_in_one_call(step, monkeypatch):
    asked = []

    class Connector:
        def poll(self, handles):
            asked.append(list(handles))
            return {handles[0]: "first"}

    monkeypatch.setattr(handler, "connect_by_id", lambda cloud_id: Connector())
    steps = [replace(step, step_id=number, handle=f"task {number}") for number in (1, 2, 3)]
    assert handler.CLOUD.poll(steps) == {1: "first"}
    assert asked == [["task 1", "task 2", "task 3"]]


def test_a_fault_of_the_catalogue_becomes_an_error_of_the_step(step, monkeypatch):
    def refuses(step, action):
        raise fault("not_found")

    monkeypatch.setattr(handler, "_preparers", [("*", refuses)])
    with pytest.raises(ConnectorError) as caught:
        handler.CLOUD.start(step)
    assert (caught.value.code, caught.value.permanent) == ("not_found", True)


def test_a_defect_passes_as_it_is_so_that_the_journal_parks_the_step(step, monkeypatch):
    monkeypatch.setattr(handler, "_preparers", [("*", lambda step, action: 1 / 0)])
    with pytest.raises(ZeroDivisionError):
        handler.CLOUD.start(step)


def test_a_step_without_a_cloud_fails_for_good(step):
    with pytest.raises(ConnectorError) as caught:
        handler.CLOUD.start(replace(step, cloud_id=None))
    assert caught.value.permanent
