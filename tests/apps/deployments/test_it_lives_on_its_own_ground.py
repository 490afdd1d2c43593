"""A shop with replicas on a cloud like EC2: firewalls, a balancer and sizes, from plan to page to nothing."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from connectors.base import Capability
from tests.apps.deployments.conftest import fake_cloud
from tests.engine.drawings import AWS
from tests.people import Person

pytestmark = pytest.mark.django_db(transaction=True)

SHOP = """\
services:
  web:
    image: nginx:1.27
    ports: ["80:80"]
    deploy: {replicas: 2}
"""


@pytest.fixture
def ireland(alice: Person, state: str) -> Any:
    """A fake cloud that sells sizes, shares no network and shuts machines off."""
    stores = tuple(replace(store, capacity_gib=10_000.0, free_gib=10_000.0) for store in AWS.inventory.datastores)
    inventory = replace(AWS.inventory, datastores=stores).to_json()
    options = {"state": state, "duration_s": 0.01, "inventory": inventory, "capabilities": sorted(Capability)}
    return fake_cloud(alice, "ireland", state, options=options)


@pytest.fixture
def balanced(bob: Person, ireland: Any, blueprint: Any, drive: Any) -> Any:
    """The shop, running on it."""
    body = {"blueprint": blueprint(SHOP)["id"], "cloud": "ireland", "name": "shop"}
    answer = bob.api.post("/api/v1/deployments/", body)
    assert answer.status_code == 202, answer.content
    operation = drive(answer.json()["operation"])
    assert operation.state == "succeeded", operation.error
    return bob.api.get(f"/api/v1/deployments/{answer.json()['id']}/").json()


def kinds(deployment: Any) -> list[str]:
    return sorted(resource["kind"] for resource in deployment["resources"])


def test_it_has_what_lets_people_in_and_needs_nothing_more(bob: Person, balanced: Any, control: Any) -> None:
    assert kinds(balanced) == ["balancer", "firewall", "firewall", "folder", *["machine"] * 2, *["network"] * 2]
    (balancer,) = control.things("balancer")
    assert set(balancer["data"]["machines"]) == {machine["id"] for machine in control.things("machine")}
    planned = bob.api.post("/api/v1/plans/", {"deployment": balanced["id"]}).json()
    assert planned["empty"] is True, planned["changes"]
    page = bob.browser.get(f"/deployments/{balanced['id']}/").content.decode()
    assert f"{balancer['name']}.balancers.fake.example" in page
    assert "80/tcp" in page
    assert "t3.micro" in page


def test_a_port_more_reaches_the_firewalls_and_the_balancer(
    bob: Person, balanced: Any, drive: Any, control: Any
) -> None:
    path = f"/api/v1/blueprints/{balanced['blueprint']['id']}/versions/"
    version = bob.api.post(path, {"compose": SHOP.replace('"80:80"', '"80:80", "443:443"')}).json()
    planned = bob.api.post("/api/v1/plans/", {"version": version["id"], "deployment": balanced["id"]}).json()
    answer = bob.api.post("/api/v1/deployments/", {"plan": planned["id"]}).json()
    assert drive(answer["operation"]).state == "succeeded"
    for firewall in control.things("firewall"):
        assert {rule["first"] for rule in firewall["data"]["rules"]} == {80, 443}
    (balancer,) = control.things("balancer")
    assert {each["port"] for each in balancer["data"]["listeners"]} == {80, 443}
    assert bob.api.post("/api/v1/plans/", {"deployment": balanced["id"]}).json()["empty"] is True


def test_a_machine_that_vanished_is_made_again_and_balanced(
    bob: Person, balanced: Any, drive: Any, control: Any
) -> None:
    control.delete(control.things("machine")[0]["id"])
    planned = bob.api.post("/api/v1/plans/", {"deployment": balanced["id"]}).json()
    assert {change["change"] for change in planned["changes"] if change["kind"] == "balancer"} == {"update"}
    answer = bob.api.post("/api/v1/deployments/", {"plan": planned["id"]}).json()
    assert drive(answer["operation"]).state == "succeeded"
    (balancer,) = control.things("balancer")
    assert set(balancer["data"]["machines"]) == {machine["id"] for machine in control.things("machine")}


def test_nothing_of_it_is_left(bob: Person, balanced: Any, drive: Any, control: Any) -> None:
    answer = bob.api.delete(f"/api/v1/deployments/{balanced['id']}/")
    assert drive(answer.json()["operation"]).state == "succeeded"
    assert control.things() == []


def test_a_quota_that_would_be_exceeded_blocks_the_plan(bob: Person, ireland: Any, blueprint: Any) -> None:
    made = blueprint(SHOP.replace("replicas: 2", "replicas: 31"))
    planned = bob.api.post("/api/v1/plans/", {"blueprint": made["id"], "cloud": "ireland", "name": "shop"}).json()
    (finding,) = [finding for finding in planned["findings"] if finding["code"] == "placement.quota"]
    assert "allows 64 CPUs" in finding["message"]
    refused = bob.api.post("/api/v1/deployments/", {"plan": planned["id"]})
    assert (refused.status_code, refused.json()["code"]) == (422, "plan.blocked")


@pytest.mark.parametrize(
    ("given", "accepted"),
    [
        ({"spot": True, "open_to": ["203.0.113.0/24"]}, True),
        ({"spot": "yes"}, False),
        ({"open_to": []}, False),
        ({"open_to": ["203.0.113.7/24"]}, False),
        ({"open_to": ["::/0"]}, False),
        ({"open_to": "0.0.0.0/0"}, False),
    ],
)
def test_an_admin_says_who_reaches_ports_and_whether_machines_are_spot(
    alice: Person, ireland: Any, given: dict[str, Any], accepted: bool
) -> None:
    answer = alice.api.patch(f"/api/v1/clouds/{ireland.id}/", {"defaults": given})
    assert (answer.status_code == 200) is accepted, answer.content
