"""A shop with replicas on the simulated AWS: balanced, scaled, and made again after the whole cloud was lost."""

from __future__ import annotations

import json
import os
import signal
import time
from typing import Any

import httpx
import pytest

from tests.journeys.aws import AwsAccount
from tests.journeys.stack import Stack
from tests.journeys.test_corpus import accepted, ended

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600), pytest.mark.xdist_group("journeys")]

SHOP = """
services:
  web:
    image: nginx:1.27
    ports: ["80:80", "127.0.0.1:9000:9000"]
    networks: [front, back]
    deploy: {replicas: 2}
  db:
    image: postgres:16
    expose: [5432]
    networks: [back]
    volumes: ["data:/var/lib/postgresql/data"]
    x-escale: {isolation: machine}
networks: {front: , back: }
volumes: {data: }
"""
THINGS = 12  # a VPC, three subnets, three firewalls, three machines, a volume and a balancer


def account(stack: Stack) -> AwsAccount:
    found = stack.look_at("ireland")
    assert isinstance(found, AwsAccount)
    return found


def plan(client: httpx.Client, deployment: str) -> dict[str, Any]:
    answer = client.post("/api/v1/plans/", json={"deployment": deployment})
    assert answer.status_code == 201, answer.text
    return dict(answer.json())


def lose_everything(stack: Stack) -> None:
    """Kill the simulated AWS, whose estate is in memory, and wait until it was started anew."""
    ready = stack.home / "clouds" / "ireland" / "ready.json"
    pid = json.loads(ready.read_text())["pid"]
    os.kill(pid, signal.SIGKILL)
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        text = ready.read_text()
        if text.endswith("\n") and json.loads(text)["pid"] != pid:
            return
        time.sleep(0.2)
    raise AssertionError("the simulated AWS was not started again")


def test_a_shop_is_balanced_and_made_again_when_the_cloud_has_lost_it(stack: Stack) -> None:
    stack.wait_for_labels()
    with stack.client() as client:
        project = client.get("/api/v1/projects/").json()["results"][0]["id"]
        body = {"project": project, "name": "shop-aws", "compose": SHOP}
        blueprint = client.post("/api/v1/blueprints/", json=body).json()["id"]
        wanted = {"blueprint": blueprint, "cloud": "ireland", "name": "shop-aws"}
        deployment, location = accepted(client.post("/api/v1/deployments/", json=wanted))
        assert ended(client, location)["state"] == "succeeded"
        eyes = account(stack)
        check_shape(eyes, deployment["id"])
        assert plan(client, deployment["id"])["counts"] == kept(THINGS)
        eyes.close()

        lose_everything(stack)
        eyes = account(stack)
        before = eyes.listing()
        missing = plan(client, deployment["id"])
        assert missing["counts"]["create"] == THINGS
        causes = {change["cause"] for change in missing["changes"]}
        assert causes == {"missing on the cloud"}
        assert any(finding["code"] == "plan.volume_missing" for finding in missing["findings"])
        _, location = accepted(client.post("/api/v1/deployments/", json={"plan": missing["id"]}))
        assert ended(client, location)["state"] == "succeeded"
        check_shape(eyes, deployment["id"])
        _, location = accepted(client.delete(f"/api/v1/deployments/{deployment['id']}/"))
        assert ended(client, location)["state"] == "succeeded"
    assert eyes.listing() == before
    eyes.close()


def kept(number: int) -> dict[str, int]:
    return {"create": 0, "update": 0, "replace": 0, "delete": 0, "keep": number}


def check_shape(eyes: AwsAccount, deployment: str) -> None:
    """See that what stands there is what was drawn: who is reached from outside, and by which address."""
    machines = eyes.configs([deployment])[deployment]
    assert len(machines) == 3
    groups = [group for group in eyes.groups() if deployment in group["tags"].values()]
    opened = {
        (rule["IpProtocol"], rule.get("FromPort"), rule.get("ToPort"), source["CidrIp"])
        for group in groups
        for rule in group["IpPermissions"]
        for source in rule.get("IpRanges", ())
        if source["CidrIp"] == "0.0.0.0/0"
    }
    assert opened == {("tcp", 80, 80, "0.0.0.0/0")}
    (balancer,) = eyes.balancers(deployment)
    assert balancer["Scheme"] == "internet-facing"
    assert balancer["ports"] == {80}
    assert len(balancer["targets"]) == 2
