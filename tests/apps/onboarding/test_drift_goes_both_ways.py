"""Drift is seen after a sync, kept and shown, and goes away both ways: into the drawing, or back on the cloud."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.apps.deployments.conftest import blueprint, running
from tests.people import Person

pytestmark = pytest.mark.django_db(transaction=True)
__all__ = ["blueprint", "running"]


def report(person: Person, deployment: Any) -> Any:
    answer = person.api.get(f"/api/v1/deployments/{deployment['id']}/drift/report/")
    assert answer.status_code == 200, answer.content
    return answer.json()


def ask(person: Person, deployment: Any, what: str, **body: Any) -> Any:
    return person.api.post(f"/api/v1/deployments/{deployment['id']}/drift/{what}/", body, format="json")


def start(person: Person, plan: Any, drive: Callable[[Any], Any]) -> None:
    started = person.api.post("/api/v1/deployments/", {"plan": plan["id"]}, format="json")
    assert started.status_code == 202, started.content
    operation = drive(started.json()["operation"])
    assert operation.state == "succeeded", operation.error


@pytest.fixture
def legacy(estate: list[str], adopt: Callable[..., Any]) -> Any:
    return adopt(estate)


def machine(control: Any, identity: str) -> Any:
    return next(thing["data"] for thing in control.things("machine") if thing["id"] == identity)


def test_nobody_has_looked_yet(viewer: Person, legacy: Any) -> None:
    assert report(viewer, legacy) == {
        "state": "unchecked",
        "reason": "",
        "checked_at": None,
        "due": False,
        "drift": None,
    }


def test_a_look_is_kept(bob: Person, viewer: Person, legacy: Any, estate: list[str], control: Any) -> None:
    assert ask(bob, legacy, "check").json()["state"] == "clean"
    control.change(estate[0], cpus=6)
    kept = ask(bob, legacy, "check").json()
    assert kept["state"] == "drifted"
    assert report(viewer, legacy) == kept
    (value,) = kept["drift"]["differences"]
    assert (value["resource"], value["what"], value["drawn"], value["found"], value["writable"]) == (
        "machine:web-01",
        "cpus",
        "1 CPU",
        "6 CPUs",
        True,
    )


def test_a_sync_that_sees_a_machine_change_has_its_deployment_looked_at(
    bob: Person, legacy: Any, estate: list[str], control: Any, paris: Any
) -> None:
    from apps.deployments import tasks
    from apps.inventory import registry

    registry.tell(paris, {("machine", "somebody-else-s")})
    assert tasks.check_drift(legacy["id"]) == "not due"
    control.change(estate[0], cpus=6)
    registry.tell(paris, {("machine", estate[0]), ("network", "network-1")})
    assert report(bob, legacy)["due"] is True
    assert tasks.check_drift(legacy["id"]) == "drifted"
    assert tasks.check_drift(legacy["id"]) == "not due"
    assert report(bob, legacy)["state"] == "drifted"
    assert report(bob, legacy)["due"] is False


def test_a_message_that_was_lost_is_sent_again(legacy: Any, estate: list[str], paris: Any) -> None:
    from apps.deployments import watching

    watching.on_synced(paris, {("machine", estate[0])})
    assert [str(found) for found in watching.overdue()] == [legacy["id"]]
    assert watching.look_at_due(legacy["id"]) == "clean"
    assert watching.overdue() == []


def test_a_cloud_that_does_not_answer_leaves_what_was_known(
    bob: Person, legacy: Any, estate: list[str], control: Any
) -> None:
    control.change(estate[0], cpus=6)
    ask(bob, legacy, "check")
    control.fault("describe", "refuse", code="cloud.unreachable", message="gone - it is away - wait")
    kept = ask(bob, legacy, "check").json()
    assert kept["state"] == "unknown"
    assert "gone" in kept["reason"]
    assert kept["drift"]["differences"][0]["found"] == "6 CPUs"


def test_writing_back_makes_a_version_that_says_what_is_on_the_cloud(
    bob: Person, legacy: Any, estate: list[str], control: Any, drive: Callable[[Any], Any]
) -> None:
    from apps.blueprints.models import BlueprintVersion

    control.change(estate[0], cpus=6, memory_mib=3072)
    things = control.things()
    preview = ask(bob, legacy, "write-back", preview=True).json()
    assert [one["what"] for one in preview["written"]] == ["cpus", "memory"]
    assert "+      cpus: 6" in preview["diff"].splitlines()
    assert "+      memory: 3GiB" in preview["diff"].splitlines()
    assert preview["version"] is None
    assert BlueprintVersion.objects.count() == 1
    kept = ask(bob, legacy, "write-back", base_version=1).json()
    assert kept["version"] == 2
    assert BlueprintVersion.objects.get(number=2).text == preview["compose"]
    assert control.things() == things
    plan = bob.api.post(
        "/api/v1/plans/", {"deployment": legacy["id"], "blueprint": legacy["blueprint"]["id"]}, format="json"
    ).json()
    assert [action["verb"] for action in plan["actions"]] == ["machine.update"], "only a marker, and no restart"
    start(bob, plan, drive)
    assert machine(control, estate[0])["on_since"] == 0.0
    assert ask(bob, legacy, "check").json()["state"] == "clean"


def test_restoring_puts_the_drawing_back_by_a_plan_that_says_so(
    bob: Person, legacy: Any, estate: list[str], control: Any, drive: Callable[[Any], Any]
) -> None:
    control.change(estate[0], cpus=6)
    control.change(estate[1], power="off")
    plan = ask(bob, legacy, "restore")
    assert plan.status_code == 201, plan.content
    causes = " ".join(change["cause"] for change in plan.json()["changes"])
    assert "the drawing's value is restored" in causes
    assert "started again" in causes
    assert machine(control, estate[0])["cpus"] == 6
    start(bob, plan.json(), drive)
    assert machine(control, estate[0])["cpus"] == 1
    assert machine(control, estate[1])["power"] == "on"
    assert ask(bob, legacy, "check").json()["state"] == "clean"


def test_machines_that_were_made_here_drift_and_are_restored_too(
    bob: Person, running: Any, control: Any, drive: Callable[[Any], Any]
) -> None:
    web = next(one for one in running["resources"] if one["kind"] == "machine")
    was = machine(control, web["external_id"])["cpus"]
    control.change(web["external_id"], cpus=was + 3)
    body = ask(bob, running, "check").json()["drift"]
    assert [(one["what"], one["writable"]) for one in body["differences"]] == [("cpus", False)]
    assert "services" in body["differences"][0]["why_not"]
    answer = ask(bob, running, "write-back")
    assert (answer.status_code, answer.json()["code"]) == (409, "drift.nothing")
    start(bob, ask(bob, running, "restore").json(), drive)
    assert machine(control, web["external_id"])["cpus"] == was
    assert ask(bob, running, "check").json()["state"] == "clean"


def test_what_was_drawn_anew_since_is_not_overwritten(
    bob: Person, legacy: Any, estate: list[str], control: Any
) -> None:
    from apps.blueprints.models import BlueprintVersion

    text = BlueprintVersion.objects.get().text
    first = text.index("    web-01:")
    newer = text[:first] + text[first:].replace("cpus: 1", "cpus: 3", 1)
    saved = bob.api.post(f"/api/v1/blueprints/{legacy['blueprint']['id']}/versions/", {"compose": newer}, format="json")
    assert saved.status_code == 201, saved.content
    control.change(estate[0], cpus=6)
    body = ask(bob, legacy, "write-back", preview=True).json()
    assert body["written"] == []
    assert "changed there since" in body["left"][0]["why_not"]
    assert body["base_version"] == 2


def test_a_version_that_came_between_is_not_lost(bob: Person, legacy: Any, estate: list[str], control: Any) -> None:
    from apps.blueprints.models import BlueprintVersion

    control.change(estate[0], cpus=6)
    assert ask(bob, legacy, "write-back", preview=True).json()["base_version"] == 1
    text = BlueprintVersion.objects.get().text + "# seen\n"
    bob.api.post(f"/api/v1/blueprints/{legacy['blueprint']['id']}/versions/", {"compose": text}, format="json")
    answer = ask(bob, legacy, "write-back", base_version=1)
    assert (answer.status_code, answer.json()["code"]) == (409, "blueprint.version_conflict")


def test_who_may_look_and_who_may_mend(
    bob: Person, viewer: Person, charlie: Person, legacy: Any, estate: list[str], control: Any
) -> None:
    control.change(estate[0], cpus=6)
    for what in ("check", "restore", "write-back"):
        assert ask(viewer, legacy, what).status_code == 403
        assert ask(charlie, legacy, what).status_code == 404
    assert charlie.api.get(f"/api/v1/deployments/{legacy['id']}/drift/report/").status_code == 404
    assert report(viewer, legacy)["state"] == "unchecked"
