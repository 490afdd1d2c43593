"""The plans of a target that sells sizes and shares no network, as text: tests/engine/golden/aws-*.txt."""

from __future__ import annotations

from typing import Any

import pytest

from engine.plan import Plan
from engine.planner import plan_text
from tests.engine.cloud import TinyCloud
from tests.engine.drawings import AWS, draw
from tests.engine.golden import check_golden

SHOP = """
services:
  web:
    image: nginx:1.25
    ports: ["80:80"]
    depends_on: [db]
    networks: [front, back]
    deploy: {replicas: 3}
  db:
    image: postgres:16
    expose: [5432]
    networks: [back]
    volumes: ["data:/var/lib/postgresql/data"]
    x-escale: {isolation: machine}
networks: {front: , back: }
volumes:
  data: {x-escale: {size: 20GiB}}
"""


def running(text: str = SHOP) -> TinyCloud:
    cloud = TinyCloud()
    cloud.deploy(draw(text, on=AWS))
    return cloud


def changed(old: str, new: str, text: str = SHOP) -> str:
    assert old in text, old
    return text.replace(old, new)


def again(cloud: TinyCloud, text: str, **options: Any) -> Plan:
    return cloud.plan(draw(text, on=AWS, prior=cloud.prior, **options))


def check(name: str, cloud: TinyCloud, plan: Plan, text: str) -> None:
    """Compare the plan's text, run it, and see that nothing is left to do after it."""
    check_golden(f"aws-{name}", plan_text(plan))
    assert not plan.blocked
    cloud.execute(plan)
    left = again(cloud, text)
    assert left.empty, plan_text(left)


def test_a_first_deployment_lays_its_ground_and_balances_when_the_machines_are_ready() -> None:
    cloud = TinyCloud()
    check("first", cloud, cloud.plan(draw(SHOP, on=AWS)), SHOP)
    leads_to = cloud.find("balancer:web")["machines"]
    assert leads_to == [cloud.find(f"machine:host-{n}")["id"] for n in (1, 2, 3)]


def test_the_end_takes_the_balancer_first_and_the_ground_last() -> None:
    cloud = running()
    plan = cloud.plan_destroy()
    check_golden("aws-destroy", plan_text(plan))
    cloud.execute(plan)
    assert not cloud.things
    assert plan.actions[0].verb == "balancer.delete"
    assert plan.actions[-1].verb == "folder.delete"


def test_a_port_that_is_published_opens_the_firewalls_and_the_balancer() -> None:
    text = changed('["80:80"]', '["80:80", "443:443"]')
    cloud = running()
    check("port-added", cloud, again(cloud, text), text)
    assert {rule["first"] for rule in cloud.find("firewall:host-2")["rules"]} == {80, 443}


def test_scaling_up_leads_to_the_new_machine_once_it_is_ready() -> None:
    text = changed("replicas: 3", "replicas: 4")
    cloud = running()
    plan = again(cloud, text)
    check("scaled-up", cloud, plan, text)
    update = next(action for action in plan.actions if action.verb == "balancer.update")
    assert "machine:host-4/machine.ready" in update.depends_on


def test_scaling_down_leads_no_more_to_a_machine_before_it_stops() -> None:
    text = changed("replicas: 3", "replicas: 2")
    cloud = running()
    plan = again(cloud, text)
    check("scaled-down", cloud, plan, text)
    order = [action.key for action in plan.actions]
    assert order.index("balancer:web/balancer.update") < order.index("machine:host-3/machine.stop")


def test_one_replica_needs_no_balancer() -> None:
    text = changed("replicas: 3", "replicas: 1")
    cloud = running()
    plan = again(cloud, text)
    check("unbalanced", cloud, plan, text)
    order = [action.key for action in plan.actions]
    assert order.index("balancer:web/balancer.delete") < order.index("machine:host-3/machine.stop")


def test_machines_that_become_spot_are_replaced_and_the_balancer_follows() -> None:
    text = SHOP + "x-escale: {machine: {spot: true}}\n"
    cloud = running()
    check("spot", cloud, again(cloud, text), text)
    leads_to = cloud.find("balancer:web")["machines"]
    assert leads_to == [cloud.find(f"machine:host-{n}")["id"] for n in (1, 2, 3)]


def test_a_machine_that_somebody_terminated_is_made_again_and_balanced() -> None:
    cloud = running()
    cloud.lose("machine:host-2")
    check("machine-lost", cloud, again(cloud, SHOP), SHOP)


def test_a_firewall_that_was_lost_is_put_on_its_machine_again() -> None:
    cloud = running()
    cloud.lose("firewall:db-1")
    plan = again(cloud, SHOP)
    assert {action.verb for action in plan.actions} >= {"firewall.create", "machine.update"}
    cloud.execute(plan)
    assert again(cloud, SHOP).empty


def test_a_service_that_needs_more_gets_the_next_size() -> None:
    text = changed("image: postgres:16", "image: postgres:16\n    mem_reservation: 3g")
    cloud = running()
    check("size-changed", cloud, again(cloud, text), text)
    assert cloud.find("machine:db-1")["size"] == "t3.medium"


def test_a_size_that_somebody_chose_on_the_cloud_is_kept() -> None:
    cloud = running()
    cloud.find("machine:db-1").update(size="t3.large", memory_mib=8192)
    plan = again(cloud, SHOP)
    assert plan.empty, plan_text(plan)
    assert any("t3.large on the cloud" in finding.message for finding in plan.findings)
    text = changed("postgres:16", "postgres:17")
    update = next(action for action in again(cloud, text).actions if action.verb == "machine.update")
    assert (update.spec["size"], update.spec["memory_mib"]) == ("t3.large", 8192)


@pytest.mark.parametrize("kind", ["firewall", "balancer"])
def test_what_somebody_opened_on_the_cloud_is_kept_and_told(kind: str) -> None:
    cloud = running()
    if kind == "firewall":
        rule = {"protocol": "tcp", "first": 22, "last": 22, "source": "198.51.100.7/32"}
        thing = cloud.find("firewall:host-1")
        thing["rules"] = [*thing["rules"], rule]
        said = "22/tcp from 198.51.100.7/32"
    else:
        cloud.find("balancer:web")["machines"].pop()
        said = "without host-3"
    plan = again(cloud, SHOP)
    assert plan.empty
    assert any(finding.code == "plan.drift_kept" and said in finding.message for finding in plan.findings)


def test_a_plan_is_stale_when_a_firewall_changed_and_not_when_its_rules_come_in_another_order() -> None:
    cloud = running(changed('["80:80"]', '["80:80", "443:443"]'))
    before = again(cloud, SHOP).base
    cloud.find("firewall:host-1")["rules"].reverse()
    assert again(cloud, SHOP).base == before
    cloud.find("firewall:host-1")["rules"].pop()
    assert again(cloud, SHOP).base != before


def test_another_subnet_makes_the_network_and_its_machines_anew_and_keeps_the_data() -> None:
    first = changed("back: }", "back: {x-escale: {subnet: 10.100.3.0/24}} }")
    cloud = running(first)
    disk = cloud.find("volume:data")["id"]
    text = first.replace("10.100.3.0/24", "10.100.4.0/24")
    plan = again(cloud, text)
    cloud.execute(plan)
    assert again(cloud, text).empty
    assert cloud.find("volume:data")["id"] == disk
    assert cloud.prior["network:back"]["subnet"] == "10.100.4.0/24"
