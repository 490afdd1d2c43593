"""Drift is what the cloud has otherwise than it was deployed; looking at it keeps and changes nothing."""

from __future__ import annotations

from typing import Any

import pytest

from tests.apps.deployments.conftest import SHOP
from tests.people import Person

pytestmark = pytest.mark.django_db(transaction=True)


def drift(person: Person, deployment: Any) -> Any:
    return person.api.get(f"/api/v1/deployments/{deployment['id']}/drift/")


def machine_of(control: Any, service: str, running: Any) -> str:
    """Return the cloud's id of the machine that a service is on."""
    found = (r for r in running["resources"] if service in {w["service"] for w in r["workloads"]})
    return str(next(found)["external_id"])


def test_what_was_just_deployed_has_not_drifted(bob: Person, running: Any, control: Any) -> None:
    things = control.things()
    body = drift(bob, running).json()
    assert (body["drifted"], body["changes"], body["findings"]) == (False, [], [])
    assert {told["state"] for told in body["services"].values()} == {"running"}
    assert all(machine["addresses"] and not machine["differences"] for machine in body["machines"])
    assert body["version"] == 1
    assert body["checked_at"]
    assert control.things() == things


def test_a_machine_that_somebody_deleted_is_missing(bob: Person, running: Any, control: Any) -> None:
    control.delete(machine_of(control, "web", running))
    body = drift(bob, running).json()
    assert body["drifted"] is True
    assert body["services"]["web"]["state"] == "missing"
    assert body["services"]["web"]["change"] == "create"
    (change,) = (one for one in body["changes"] if one["kind"] == "machine")
    assert (change["change"], "web" in change["services"]) == ("create", True)


def test_a_machine_that_somebody_switched_off_or_resized_is_told(bob: Person, running: Any, control: Any) -> None:
    control.change(machine_of(control, "web", running), power="off", cpus=7)
    body = drift(bob, running).json()
    assert body["drifted"] is True
    assert body["services"]["web"]["state"] == "stopped"
    assert {finding["code"] for finding in body["findings"]} == {"plan.drift_kept"}
    (found,) = (machine for machine in body["machines"] if machine["differences"])
    told = {one["what"]: (one["applied"], one["found"]) for one in found["differences"]}
    assert told["power"] == ("on", "off")
    assert told["cpus"][1] == "7"


def test_nothing_is_kept_of_a_look(bob: Person, running: Any, control: Any) -> None:
    from apps.audit.models import Entry
    from apps.deployments.models import Plan, Resource

    control.change(machine_of(control, "web", running), power="off")
    seen = lambda: (  # noqa: E731
        Plan.objects.count(),
        Entry.objects.count(),
        list(Resource.objects.order_by("key").values("key", "state", "spec", "facts")),
    )
    before = seen()
    assert drift(bob, running).status_code == 200
    assert seen() == before


def test_drift_is_told_against_what_runs_and_not_against_the_newest_drawing(bob: Person, running: Any) -> None:
    path = f"/api/v1/blueprints/{running['blueprint']['id']}/versions/"
    assert bob.api.post(path, {"compose": SHOP.replace("1.27", "1.28")}).status_code == 201
    assert drift(bob, running).json()["drifted"] is False


def test_a_cloud_that_is_down_is_said_so(bob: Person, running: Any, control: Any) -> None:
    control.fault("observe", "refuse", code="cloud.unreachable", times=20)
    answer = drift(bob, running)
    assert (answer.status_code, answer.json()["code"]) == (503, "cloud.not_ready")
    assert answer["Content-Type"].startswith("application/problem+json")


def test_while_an_operation_is_at_work_nobody_can_tell(bob: Person, running: Any, drive: Any) -> None:
    started = bob.api.delete(f"/api/v1/deployments/{running['id']}/").json()
    answer = drift(bob, running)
    assert (answer.status_code, answer.json()["code"]) == (409, "deployment.changing")
    assert answer.json()["operation"] == started["operation"]
    drive(started["operation"])
    gone = drift(bob, running)
    assert (gone.status_code, gone.json()["code"]) == (409, "deployment.destroyed")


def test_a_viewer_sends_nobody_to_a_cloud_and_a_stranger_finds_nothing(
    viewer: Person, charlie: Person, running: Any
) -> None:
    assert drift(viewer, running).status_code == 403
    assert drift(charlie, running).status_code == 404
