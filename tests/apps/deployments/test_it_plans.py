"""A plan says what would be done and why, and touches nothing."""

from __future__ import annotations

from typing import Any

import pytest

from tests.apps.deployments.conftest import SHOP
from tests.people import Person

pytestmark = pytest.mark.django_db(transaction=True)


def plan(person: Person, **body: Any) -> Any:
    return person.api.post("/api/v1/plans/", {"cloud": "paris", **body})


def test_it_creates_what_the_drawing_needs_and_touches_nothing(
    bob: Person, paris: Any, control: Any, blueprint: Any
) -> None:
    before = control.things()
    answer = plan(bob, blueprint=blueprint()["id"])
    assert answer.status_code == 201, answer.content
    body = answer.json()
    assert {change["change"] for change in body["changes"]} == {"create", "keep"}
    assert {change["kind"] for change in body["changes"] if change["change"] == "keep"} == {"network"}
    assert {change["kind"] for change in body["changes"]} >= {"folder", "volume", "machine"}
    assert all(change["cause"] for change in body["changes"])
    assert body["requirements"]["machines"] >= 1
    assert body["deployment"] is None
    assert control.things() == before


def test_it_shows_how_each_line_fares(bob: Person, paris: Any, blueprint: Any) -> None:
    body = plan(bob, blueprint=blueprint()["id"]).json()
    verdicts = {entry["verdict"] for entry in body["ledger"]}
    assert "honoured" in verdicts
    lines = SHOP.splitlines()
    for entry in body["ledger"]:
        assert entry["reason"]
        if entry["line"] is not None and len(entry["path"]) == 3:
            assert str(entry["path"][-1]) in lines[entry["line"] - 1]


def test_a_service_that_only_builds_needs_an_image_and_takes_one(bob: Person, paris: Any, blueprint: Any) -> None:
    made = blueprint("services:\n  app:\n    build: .\n", name="app")
    blocked = plan(bob, blueprint=made["id"]).json()
    assert blocked["blocked"] is True
    refused = bob.api.post("/api/v1/deployments/", {"plan": blocked["id"]})
    assert (refused.status_code, refused.json()["code"]) == (422, "plan.blocked")
    assert plan(bob, blueprint=made["id"], images={"app": "example/app:1"}).json()["blocked"] is False


def test_an_unknown_cloud_and_a_foreign_blueprint_are_not_found(
    bob: Person, charlie: Person, paris: Any, blueprint: Any
) -> None:
    made = blueprint()
    assert plan(bob, blueprint=made["id"], cloud="atlantis").status_code == 404
    assert plan(charlie, blueprint=made["id"]).status_code == 404


def test_what_is_missing_is_named(bob: Person, paris: Any) -> None:
    answer = bob.api.post("/api/v1/plans/", {})
    assert answer.status_code == 400
    assert {param["name"] for param in answer.json()["params"]} == {"blueprint", "cloud"}


def test_a_viewer_reads_plans_and_makes_none(bob: Person, viewer: Person, paris: Any, blueprint: Any) -> None:
    made = blueprint()
    stored = plan(bob, blueprint=made["id"]).json()
    assert viewer.api.get(f"/api/v1/plans/{stored['id']}/").json()["hash"] == stored["hash"]
    assert plan(viewer, blueprint=made["id"]).status_code == 403


def test_a_cloud_that_is_down_is_said_so(bob: Person, paris: Any, control: Any, blueprint: Any, drive: Any) -> None:
    made = blueprint()
    started = bob.api.post("/api/v1/deployments/", {"blueprint": made["id"], "cloud": "paris", "name": "shop"}).json()
    drive(started["operation"])
    control.fault("observe", "refuse", code="cloud.unreachable", times=20)
    answer = plan(bob, blueprint=made["id"], deployment=started["id"])
    assert (answer.status_code, answer.json()["code"]) == (503, "cloud.not_ready")
