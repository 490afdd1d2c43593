"""From plan to running to changed to gone, with the journal in between."""

from __future__ import annotations

from typing import Any

import pytest

from tests.apps.deployments.conftest import SHOP
from tests.people import Person

pytestmark = pytest.mark.django_db(transaction=True)


def test_it_records_what_exists_with_addresses(running: Any) -> None:
    assert running["state"] == "running"
    machines = [resource for resource in running["resources"] if resource["kind"] == "machine"]
    assert machines
    assert all(machine["state"] == "running" and machine["addresses"] for machine in machines)
    assert {workload["service"] for machine in machines for workload in machine["workloads"]} == {"web", "db"}


def test_the_same_again_is_an_empty_plan_and_succeeds_at_once(bob: Person, running: Any, blueprint: Any) -> None:
    planned = bob.api.post("/api/v1/plans/", {"deployment": running["id"]}).json()
    assert planned["empty"] is True, planned["changes"]
    answer = bob.api.post("/api/v1/deployments/", {"plan": planned["id"]}).json()
    operation = bob.api.get(f"/api/v1/operations/{answer['operation']}/").json()
    assert operation["state"] == "succeeded"


def test_a_new_image_updates_the_machine_and_keeps_the_disk(
    bob: Person, running: Any, drive: Any, control: Any
) -> None:
    disks = {thing["id"] for thing in control.things("volume")}
    path = f"/api/v1/blueprints/{running['blueprint']['id']}/versions/"
    version = bob.api.post(path, {"compose": SHOP.replace("1.27", "1.28")}).json()
    planned = bob.api.post("/api/v1/plans/", {"version": version["id"], "deployment": running["id"]}).json()
    assert planned["counts"]["update"] >= 1
    assert planned["counts"]["delete"] == planned["counts"]["replace"] == 0
    assert any("nginx:1.28" in str(change) for change in planned["changes"])
    answer = bob.api.post("/api/v1/deployments/", {"plan": planned["id"]}).json()
    assert drive(answer["operation"]).state == "succeeded"
    after = bob.api.get(f"/api/v1/deployments/{running['id']}/").json()
    assert after["version"] == 2
    assert {thing["id"] for thing in control.things("volume")} == disks
    assert bob.api.post("/api/v1/plans/", {"deployment": running["id"]}).json()["empty"] is True


def test_a_plan_that_loses_data_needs_a_separate_yes(bob: Person, running: Any, drive: Any, control: Any) -> None:
    path = f"/api/v1/blueprints/{running['blueprint']['id']}/versions/"
    version = bob.api.post(path, {"compose": "services:\n  web:\n    image: nginx:1.27\n    ports: ['80:80']\n"}).json()
    planned = bob.api.post("/api/v1/plans/", {"version": version["id"], "deployment": running["id"]}).json()
    assert planned["data_loss"]
    refused = bob.api.post("/api/v1/deployments/", {"plan": planned["id"]})
    assert (refused.status_code, refused.json()["code"]) == (409, "plan.data_loss")
    answer = bob.api.post("/api/v1/deployments/", {"plan": planned["id"], "accept_data_loss": True})
    assert drive(answer.json()["operation"]).state == "succeeded"
    assert control.things("volume") == []


def test_a_plan_runs_once_and_not_when_it_is_stale(bob: Person, running: Any, drive: Any) -> None:
    path = f"/api/v1/blueprints/{running['blueprint']['id']}/versions/"
    plans = []
    for tag in ("1.28", "1.29"):
        version = bob.api.post(path, {"compose": SHOP.replace("1.27", tag)}).json()
        plans.append(bob.api.post("/api/v1/plans/", {"version": version["id"], "deployment": running["id"]}).json())
    first = bob.api.post("/api/v1/deployments/", {"plan": plans[0]["id"]}).json()
    assert drive(first["operation"]).state == "succeeded"
    again = bob.api.post("/api/v1/deployments/", {"plan": plans[0]["id"]})
    assert (again.status_code, again.json()["code"]) == (409, "plan.already_started")
    stale = bob.api.post("/api/v1/deployments/", {"plan": plans[1]["id"]})
    assert (stale.status_code, stale.json()["code"]) == (409, "plan.stale")


def test_two_operations_on_one_deployment_do_not_meet(bob: Person, running: Any, drive: Any) -> None:
    first = bob.api.delete(f"/api/v1/deployments/{running['id']}/")
    assert first.status_code == 202
    second = bob.api.delete(f"/api/v1/deployments/{running['id']}/")
    assert (second.status_code, second.json()["code"]) == (409, "operation.conflict")
    assert drive(first.json()["operation"]).state == "succeeded"


def test_destroy_takes_everything_of_its_own_and_nothing_else(
    bob: Person, running: Any, drive: Any, control: Any
) -> None:
    control.put_machine("not-ours")
    answer = bob.api.delete(f"/api/v1/deployments/{running['id']}/")
    assert answer.status_code == 202
    assert drive(answer.json()["operation"]).state == "succeeded"
    assert [thing["name"] for thing in control.things() if thing["kind"] in ("machine", "volume")] == ["not-ours"]
    assert bob.api.get(f"/api/v1/deployments/{running['id']}/").json()["state"] == "destroyed"
    assert bob.api.get("/api/v1/deployments/").json()["results"] == []


def test_its_name_is_free_again_only_when_it_is_gone(bob: Person, running: Any, drive: Any) -> None:
    wanted = {"blueprint": running["blueprint"]["id"], "cloud": "paris", "name": "shop"}
    taken = bob.api.post("/api/v1/deployments/", wanted)
    assert (taken.status_code, taken.json()["code"]) == (409, "deployment.name_taken")
    drive(bob.api.delete(f"/api/v1/deployments/{running['id']}/").json()["operation"])
    assert bob.api.post("/api/v1/deployments/", wanted).status_code == 202


def test_an_idempotency_key_starts_one_deployment(bob: Person, paris: Any, blueprint: Any) -> None:
    wanted = {"blueprint": blueprint()["id"], "cloud": "paris", "name": "shop"}
    answers = [bob.api.post("/api/v1/deployments/", wanted, headers={"Idempotency-Key": "once"}) for _ in range(3)]
    assert {answer.status_code for answer in answers} == {202}
    assert len({answer.json()["id"] for answer in answers}) == 1
    assert len({answer.headers["Location"] for answer in answers}) == 1


def test_a_failure_is_shown_with_what_exists_and_can_be_retried(
    bob: Person, paris: Any, blueprint: Any, drive: Any, control: Any
) -> None:
    control.fault("machine.start", "fail", code="cloud.fault", permanent=True)
    answer = bob.api.post(
        "/api/v1/deployments/", {"blueprint": blueprint()["id"], "cloud": "paris", "name": "shop"}
    ).json()
    operation = drive(answer["operation"])
    assert operation.state == "failed"
    assert operation.error["code"] == "cloud.fault"
    half = bob.api.get(f"/api/v1/deployments/{answer['id']}/").json()
    assert half["state"] == "failed"
    assert any(resource["kind"] == "machine" for resource in half["resources"])
    assert bob.api.post(f"/api/v1/operations/{answer['operation']}/retry/").status_code == 202
    assert drive(answer["operation"]).state == "succeeded"
    assert bob.api.get(f"/api/v1/deployments/{answer['id']}/").json()["state"] == "running"


def test_a_failed_deployment_can_be_rolled_back_to_nothing(
    bob: Person, olga: Person, paris: Any, blueprint: Any, drive: Any, control: Any
) -> None:
    before = [thing["name"] for thing in control.things()]
    control.fault("machine.ready", "refuse", code="cloud.fault", permanent=True)
    answer = bob.api.post(
        "/api/v1/deployments/", {"blueprint": blueprint()["id"], "cloud": "paris", "name": "shop"}
    ).json()
    assert drive(answer["operation"]).state == "failed"
    assert bob.api.post(f"/api/v1/operations/{answer['operation']}/rollback/").status_code == 202
    assert drive(answer["operation"]).state == "reverted"
    assert [thing["name"] for thing in control.things()] == before
    assert bob.api.get(f"/api/v1/deployments/{answer['id']}/").json()["state"] == "destroyed"
