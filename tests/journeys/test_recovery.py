"""Workers that die in the middle of a clone on a vCenter: another one goes on, and no second machine is made."""

from __future__ import annotations

import json
import os
import signal
import time
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest

from tests.journeys.stack import Stack
from tests.journeys.test_corpus import accepted, ended

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600), pytest.mark.xdist_group("journeys")]

SHOP = "services:\n  web:\n    image: nginx:1.27\n"


class Control:
    """The control port of a simulated vCenter that the portal's launcher started."""

    def __init__(self, stack: Stack, name: str) -> None:
        ready = json.loads((stack.home / "clouds" / name / "ready.json").read_text())
        token = Path(ready["control_token_file"]).read_text().strip()
        self._http = httpx.Client(base_url=ready["control_url"], headers={"X-Control-Token": token})

    def delay(self, method: str, ms: int) -> None:
        self._http.put(f"/delays/{method}?ms={ms}").raise_for_status()

    def calls(self, method: str) -> int:
        return int(self._http.get("/calls").raise_for_status().json().get(method, 0))


def test_killed_workers_are_replaced_and_the_clone_is_found_again(stack: Stack) -> None:
    control, paris = Control(stack, "roubaix"), stack.vcenter("roubaix")
    before, cloned = paris.listing(), control.calls("CloneVM_Task")
    control.delay("CloneVM_Task", 8_000)
    try:
        with stack.client() as client:
            project = client.get("/api/v1/projects/").json()["results"][0]["id"]
            body = {"project": project, "name": "phoenix", "compose": SHOP}
            blueprint = client.post("/api/v1/blueprints/", json=body).json()["id"]
            wanted = {"blueprint": blueprint, "cloud": "roubaix", "name": "phoenix"}
            deployment, location = accepted(client.post("/api/v1/deployments/", json=wanted))
            wait_for_clone(client, location, control, cloned)
            killed = kill_workers(stack)
            assert killed, "there was no worker to kill"
            assert ended(client, location)["state"] == "succeeded"
            assert control.calls("CloneVM_Task") == cloned + 1
            assert len(paris.machines_of(deployment["id"])) == 1
            _, location = accepted(client.delete(f"/api/v1/deployments/{deployment['id']}/"))
            assert ended(client, location)["state"] == "succeeded"
    finally:
        control.delay("CloneVM_Task", 0)
    assert paris.listing() == before
    paris.close()


def wait_for_clone(client: httpx.Client, location: str, control: Control, before: int) -> None:
    """Wait until the vCenter clones and the journal knows of the task."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        steps: list[dict[str, Any]] = client.get(f"{location}steps/").json()["results"]
        cloning = [step for step in steps if step["key"].endswith("machine.create") and step["state"] == "waiting"]
        if cloning and control.calls("CloneVM_Task") > before:
            return
        time.sleep(0.1)
    raise AssertionError("the clone did not begin")


def kill_workers(stack: Stack) -> list[int]:
    """Kill every worker of this stack, without warning; the launcher starts new ones."""
    killed = []
    for process in psutil.Process(stack.pid).children(recursive=True):
        try:
            words = process.cmdline()
        except (psutil.ZombieProcess, psutil.NoSuchProcess):
            continue
        if "worker" in words and any(word.endswith("celery") for word in words):
            os.kill(process.pid, signal.SIGKILL)
            killed.append(process.pid)
    return killed
