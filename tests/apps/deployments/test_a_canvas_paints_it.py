"""A canvas gets all it needs to paint a deployment in one answer, before, during and after an operation."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from tests.apps.deployments.conftest import SHOP
from tests.people import Person

pytestmark = pytest.mark.django_db(transaction=True)

APART = SHOP.replace("services:\n", "x-escale: {isolation: machine}\nservices:\n")


def canvas(person: Person, deployment: Any) -> dict[str, Any]:
    answer = person.api.get(f"/api/v1/deployments/{deployment['id']}/canvas/")
    assert answer.status_code == 200, answer.content
    shown: dict[str, Any] = answer.json()
    return shown


def states_of(shown: dict[str, Any]) -> dict[str, str]:
    return {name: told["state"] for name, told in shown["services"].items()}


@pytest.fixture
def started(bob: Person, paris: Any, blueprint: Any) -> Any:
    """A deployment that has begun, each service on a machine of its own; nobody has worked on it yet."""
    made = blueprint(APART)
    answer = bob.api.post("/api/v1/deployments/", {"blueprint": made["id"], "cloud": "paris", "name": "shop"})
    assert answer.status_code == 202, answer.content
    return answer.json()


def test_before_anybody_works_on_it_all_is_pending(bob: Person, started: Any) -> None:
    shown = canvas(bob, started)
    assert states_of(shown) == {"web": "pending", "db": "pending"}
    assert shown["operation"]["id"] == started["operation"]
    assert shown["operation"]["percent"] == 0
    assert all(machine["name"] for machine in shown["machines"])
    assert shown["services"]["web"]["ports"] == [{"published": "80", "target": 80, "protocol": "tcp"}]


def test_while_it_works_each_service_tells_how_far_it_is(bob: Person, started: Any) -> None:
    from apps.operations.models import Step

    web = next(told for told in canvas(bob, started)["services"]["web"]["machines"])["key"]
    Step.objects.filter(group=web, verb="machine.create").update(state="waiting")
    assert states_of(canvas(bob, started)) == {"web": "working", "db": "pending"}
    Step.objects.filter(group=web, verb="machine.create").update(state="succeeded")
    assert states_of(canvas(bob, started)) == {"web": "working", "db": "pending"}
    Step.objects.filter(group="volume:db-data").update(state="waiting")
    assert states_of(canvas(bob, started)) == {"web": "working", "db": "working"}
    Step.objects.filter(group="volume:db-data").update(state="failed")
    assert states_of(canvas(bob, started)) == {"web": "working", "db": "failed"}


def test_when_it_has_succeeded_all_runs_and_nothing_is_under_way(bob: Person, viewer: Person, running: Any) -> None:
    shown = canvas(viewer, running)
    assert states_of(shown) == {"web": "running", "db": "running"}
    assert shown["operation"] is None
    deployment = shown["deployment"]
    assert (deployment["name"], deployment["state"], deployment["version"]) == ("shop", "running", 1)
    assert deployment["cloud"]["name"] == "paris"
    for told in shown["services"].values():
        assert all(machine["addresses"] and machine["state"] == "running" for machine in told["machines"])


def test_a_failure_is_painted_on_what_failed_and_the_rest_is_missing(
    bob: Person, started: Any, drive: Any, control: Any
) -> None:
    control.fault("machine.create", "fail", times=-1)
    operation = drive(started["operation"])
    assert operation.state == "failed"
    shown = canvas(bob, started)
    assert set(states_of(shown).values()) <= {"failed", "missing"}
    assert "failed" in states_of(shown).values()
    assert (shown["operation"]["state"], bool(shown["operation"]["error"])) == ("failed", True)


def test_what_was_taken_back_is_wanted_no_more(bob: Person, started: Any, drive: Any, control: Any) -> None:
    control.fault("machine.start", "fail", times=-1)
    assert drive(started["operation"]).state == "failed"
    assert bob.api.post(f"/api/v1/operations/{started['operation']}/rollback/").status_code == 202
    assert drive(started["operation"]).state == "reverted"
    shown = canvas(bob, started)
    assert shown["services"] == {}
    assert shown["deployment"]["state"] == "destroyed"


def test_a_service_that_an_update_removes_disappears_with_its_machine(bob: Person, started: Any, drive: Any) -> None:
    assert drive(started["operation"]).state == "succeeded"
    text = APART.replace("    depends_on: [db]\n", "").split("  db:")[0]
    path = f"/api/v1/blueprints/{started['blueprint']['id']}/versions/"
    version = bob.api.post(path, {"compose": text}).json()
    body = {"version": version["id"], "deployment": started["id"], "accept_data_loss": True}
    update = bob.api.post("/api/v1/deployments/", body)
    assert update.status_code == 202, update.content
    assert states_of(canvas(bob, started))["db"] == "pending"
    assert drive(update.json()["operation"]).state == "succeeded"
    assert states_of(canvas(bob, started)) == {"web": "running"}


def test_steps_name_their_resource_and_the_services_on_it(bob: Person, started: Any, drive: Any) -> None:
    path = f"/api/v1/operations/{started['operation']}/steps/?limit=100"
    steps = bob.api.get(path).json()["results"]
    on = {step["resource"]: step["services"] for step in steps}
    assert on["volume:db-data"] == ["db"]
    assert on["folder:deployment"] == []
    shown = canvas(bob, started)
    for name, told in shown["services"].items():
        for machine in told["machines"]:
            assert on[machine["key"]] == [name]
    drive(started["operation"])
    gone = bob.api.delete(f"/api/v1/deployments/{started['id']}/").json()
    steps = bob.api.get(f"/api/v1/operations/{gone['operation']}/steps/?limit=100").json()["results"]
    deleted = {step["resource"]: step["services"] for step in steps if step["verb"].endswith(".delete")}
    assert deleted["volume:db-data"] == ["db"]
    assert sorted(names for key, names in deleted.items() if key.startswith("machine:")) == [["db"], ["web"]]


def test_a_rollback_s_steps_name_them_too(bob: Person, started: Any, drive: Any, control: Any) -> None:
    control.fault("machine.start", "fail", times=-1)
    drive(started["operation"])
    bob.api.post(f"/api/v1/operations/{started['operation']}/rollback/")
    steps = bob.api.get(f"/api/v1/operations/{started['operation']}/steps/?limit=100").json()["results"]
    undone = {step["resource"]: step["services"] for step in steps if step["undoes"]}
    assert undone["volume:db-data"] == ["db"]


def test_it_is_cheap_enough_to_be_asked_often(bob: Person, running: Any) -> None:
    canvas(bob, running)
    with CaptureQueriesContext(connection) as queries:
        canvas(bob, running)
    assert len(queries) <= 10, [query["sql"][:120] for query in queries]
    assert not any('"spec",' in query["sql"] or '"body",' in query["sql"] for query in queries)


def test_a_stranger_finds_nothing(charlie: Person, running: Any) -> None:
    assert charlie.api.get(f"/api/v1/deployments/{running['id']}/canvas/").status_code == 404


def test_the_deployments_of_a_drawing_are_found(bob: Person, charlie: Person, running: Any, blueprint: Any) -> None:
    other = blueprint(name="other")
    names = lambda reference: [  # noqa: E731
        row["name"] for row in bob.api.get(f"/api/v1/deployments/?blueprint={reference}").json()["results"]
    ]
    assert names(running["blueprint"]["id"]) == ["shop"]
    assert names(other["id"]) == []
    assert charlie.api.get(f"/api/v1/deployments/?blueprint={other['id']}").status_code == 404


def test_one_deployment_is_shown_without_reading_its_resources_twice(bob: Person, running: Any) -> None:
    with CaptureQueriesContext(connection) as queries:
        assert bob.api.get(f"/api/v1/deployments/{running['id']}/").json()["resources"]
    assert sum('FROM "deployments_resource"' in query["sql"] for query in queries) == 1
