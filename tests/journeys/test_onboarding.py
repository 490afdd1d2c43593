"""Fifty machines that ran on paris before Escale are onboarded, re-apply to an empty plan, drift, and are let go."""

from __future__ import annotations

import time
from typing import Any

import httpx
import pytest
from pyVmomi import vim

from tests.journeys.stack import Stack
from tests.journeys.test_corpus import accepted, ended
from tests.journeys.vcenter import VCenter

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600), pytest.mark.xdist_group("journeys")]

MANY = 50
_LISTED_S = 180.0
_SEEN_S = 240.0


def machines_of_others(client: httpx.Client, *, at_least: int) -> list[dict[str, Any]]:
    """Return machines of paris that belong to nobody, once the inventory has listed them."""
    deadline = time.monotonic() + _LISTED_S
    while True:
        rows = client.get(
            "/api/v1/inventory/machines/", params={"cloud": "paris", "owner": "unmanaged", "limit": 200}
        ).json()["results"]
        if len(rows) >= at_least:
            return list(rows)
        assert time.monotonic() < deadline, f"{len(rows)} machines of others are listed"
        time.sleep(1)


def settings_of(vcenter: VCenter, ids: set[str]) -> dict[str, Any]:
    """Return all that adopting must leave alone, by instance UUID: markers of Escale are among it."""
    paths = (
        "name", "parent", "config.instanceUuid", "config.annotation", "config.extraConfig", "config.hardware.numCPU",
        "config.hardware.memoryMB", "config.uuid", "runtime.powerState", "runtime.host",
    )  # fmt: skip
    found = {}
    for _, facts in vcenter.rows(vim.VirtualMachine, *paths):
        if facts.get("config.instanceUuid") in ids:
            extra = {option.key: option.value for option in facts.pop("config.extraConfig", ())}
            found[facts["config.instanceUuid"]] = {**{name: str(value) for name, value in facts.items()}, **extra}
    return found


def test_fifty_machines_of_paris_are_onboarded_and_re_apply_to_an_empty_plan(stack: Stack) -> None:
    paris = stack.vcenter("paris")
    with stack.client() as client:
        chosen = {row["uid"] for row in machines_of_others(client, at_least=MANY)[:MANY]}
        before = settings_of(paris, chosen)
        assert len(before) == MANY
        project = client.get("/api/v1/projects/").json()["results"][0]["id"]
        body = {"project": project, "cloud": "paris", "name": "estate", "machines": sorted(chosen)}
        made = client.post("/api/v1/onboardings/", json=body)
        assert made.status_code == 201, made.text
        assert made.json()["refused"] == []
        plan = client.post(f"/api/v1/onboardings/{made.json()['id']}/plan/").json()
        assert {action["verb"] for action in plan["actions"]} == {"machine.adopt"}
        assert settings_of(paris, chosen) == before, "a plan touches nothing"
        deployment, location = accepted(client.post("/api/v1/deployments/", json={"plan": plan["id"]}))
        operation = ended(client, location)
        assert operation["state"] == "succeeded", operation

        after = settings_of(paris, chosen)
        for identity, was in before.items():
            is_now = after[identity]
            marks = {key for key in is_now.keys() - was.keys() if key.startswith("escale.")}
            assert {key: value for key, value in is_now.items() if key not in marks} == was
            assert is_now["escale.deployment"] == deployment["id"]

        again = client.post("/api/v1/plans/", json={"deployment": deployment["id"]}).json()
        assert again["empty"], again["changes"]
        assert again["counts"]["keep"] == MANY
        assert again["findings"] == []

        _drifts_and_is_restored(client, paris, deployment["id"], next(iter(sorted(chosen))))

        _, location = accepted(client.delete(f"/api/v1/deployments/{deployment['id']}/"))
        operation = ended(client, location)
        assert operation["state"] == "succeeded", operation
        assert settings_of(paris, chosen) == before, "a release leaves the machines as they were"
    paris.close()


def _drifts_and_is_restored(client: httpx.Client, paris: VCenter, deployment: str, identity: str) -> None:
    """Change one machine behind Escale's back: a sync sees it, the page knows it, a plan takes it back."""
    machine = paris.content.searchIndex.FindByUuid(None, identity, True, True)
    was = machine.config.hardware.memoryMB
    on = machine.runtime.powerState == "poweredOn"
    if on:
        _wait(machine.PowerOffVM_Task())
    _wait(machine.ReconfigVM_Task(spec=vim.vm.ConfigSpec(memoryMB=was + 512)))
    if on:
        _wait(machine.PowerOnVM_Task())
    deadline = time.monotonic() + _SEEN_S
    while (report := client.get(f"/api/v1/deployments/{deployment}/drift/report/").json())["state"] != "drifted":
        assert time.monotonic() < deadline, report
        time.sleep(1)
    assert {one["what"] for one in report["drift"]["differences"]} == {"memory"}
    preview = client.post(f"/api/v1/deployments/{deployment}/drift/write-back/", json={"preview": True}).json()
    assert [one["what"] for one in preview["written"]] == ["memory"]
    plan = client.post(f"/api/v1/deployments/{deployment}/drift/restore/").json()
    _, location = accepted(client.post("/api/v1/deployments/", json={"plan": plan["id"]}))
    operation = ended(client, location)
    assert operation["state"] == "succeeded", operation
    assert machine.config.hardware.memoryMB == was
    assert client.post(f"/api/v1/deployments/{deployment}/drift/check/").json()["state"] == "clean"


def _wait(task: Any) -> None:
    while task.info.state not in ("success", "error"):
        time.sleep(0.05)
    assert task.info.state == "success", task.info.error
