"""Labels on the sandbox: earned by real runs, also past a killed worker; checked from a file, demanded by a policy."""

from __future__ import annotations

import json
import subprocess
import time
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.journeys.stack import Stack
from tests.journeys.test_recovery import Control, kill_workers

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900), pytest.mark.xdist_group("journeys")]

VCENTERS = ("paris", "roubaix", "frankfurt", "oregon")
SHOP = "services:\n  web:\n    image: nginx:1.27\n"


def label_of(client: httpx.Client, cloud: str) -> dict[str, Any]:
    rows = client.get("/api/v1/labels/", params={"cloud": cloud}).json()["results"]
    return next(row for row in rows if row["standing"] in ("valid", "candidate"))


def ended_run(client: httpx.Client, run: str, timeout_s: float = 300) -> dict[str, Any]:
    deadline = time.monotonic() + timeout_s
    while True:
        found = client.get(f"/api/v1/conformance/{run}/").json()
        if found["state"] != "running":
            return dict(found)
        assert time.monotonic() < deadline, found
        time.sleep(0.5)


def test_the_four_vcenters_carry_labels_earned_by_real_runs(stack: Stack) -> None:
    stack.wait_for_labels()
    with stack.client() as client:
        for cloud in VCENTERS:
            label = label_of(client, cloud)
            assert (label["standing"], label["name"]) == ("valid", "escale:mobility"), cloud
            assert label["signer"] == "admin"
            assert "simulated" in label["statement"]
            run = client.get(f"/api/v1/conformance/{label['run']}/").json()
            assert run["cleaned_at"] is not None
            probes = {probe["probe"]: probe for probe in run["probes"]}
            assert probes["canary.clone"]["internals"]["moref"].startswith("vm-")
            assert probes["api"]["facts"]["version"]
            assert "canary" not in str(stack.vcenter(cloud).listing())


def test_a_run_survives_killed_workers_with_one_canary_and_leaves_nothing(stack: Stack) -> None:
    stack.wait_for_labels()
    control, roubaix = Control(stack, "roubaix"), stack.vcenter("roubaix")
    before, cloned = roubaix.listing(), control.calls("CloneVM_Task")
    control.delay("CloneVM_Task", 8_000)
    try:
        with stack.client() as client:
            started = client.post("/api/v1/clouds/roubaix/conformance/")
            assert started.status_code == 202, started.text
            deadline = time.monotonic() + 90
            while control.calls("CloneVM_Task") == cloned:
                assert time.monotonic() < deadline
                time.sleep(0.1)
            assert kill_workers(stack)
            run = ended_run(client, started.json()["id"])
    finally:
        control.delay("CloneVM_Task", 0)
    assert (run["state"], run["level"]) == ("passed", "mobility"), run
    assert control.calls("CloneVM_Task") == cloned + 1
    assert roubaix.listing() == before


def test_the_terminal_shows_exports_and_checks_a_label(stack: Stack, tmp_path: Path) -> None:
    stack.wait_for_labels()

    def escale(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [stack.program("escale"), "labels", *arguments],
            env=stack.cli_environment(tmp_path), capture_output=True, text=True, timeout=120, check=False,
        )  # fmt: skip

    shown = escale("show", "frankfurt")
    assert shown.returncode == 0, shown.stderr
    assert "escale:mobility: valid" in shown.stdout
    file = tmp_path / "report.json"
    file.write_text(escale("show", "frankfurt", "--report", "partner").stdout)
    address = stack.clouds["frankfurt"]["address"].removeprefix("https://").partition("/")[0]
    assert address not in file.read_text()
    assert stack.clouds["frankfurt"]["username"] not in file.read_text()
    checked = escale("verify", str(file))
    assert (checked.returncode, "valid now" in checked.stdout) == (0, True), checked.stdout + checked.stderr
    forged = json.loads(file.read_text())
    forged["signed"]["probes"][0]["facts"]["version"] = "9.9.9"
    file.write_text(json.dumps(forged))
    refused = escale("verify", str(file))
    assert (refused.returncode, "FORGED" in refused.stdout) == (1, True)


def test_a_policy_that_demands_a_label_refuses_a_cloud_without_one(stack: Stack) -> None:
    stack.wait_for_labels()
    with stack.client() as client:
        body = {"slug": "guarded", "name": "Guarded", "policy": {"require_label": True}}
        project = client.post("/api/v1/projects/", json=body).json()["id"]
        blueprint = client.post("/api/v1/blueprints/", json={"project": project, "name": "guarded", "compose": SHOP})
        wanted = {"blueprint": blueprint.json()["id"], "cloud": "oregon", "name": "guarded"}
        assert findings(client, wanted) == []
        label = label_of(client, "oregon")
        gone = client.post(f"/api/v1/labels/{label['id']}/withdraw/", json={"reason": "The test is over."})
        assert gone.status_code == 200, gone.text
        assert "placement.label_missing" in findings(client, wanted)


def findings(client: httpx.Client, wanted: dict[str, Any]) -> list[str]:
    plan = client.post("/api/v1/plans/", json=wanted)
    assert plan.status_code in (200, 201), plan.text
    body = plan.json()
    return [found["code"] for found in body["findings"] if found["severity"] == "error"]
