"""Measure how long a deployment of 300 resources takes on a simulated vCenter against its lower bound.

The whole portal runs as `make run` starts it; the vCenter's tasks last as long as set here. The lower bound is the
larger one of two: the critical path (folder, disk, clone, power on, address), and all task time divided by the
tasks that may be open on a cloud at once. What the portal adds is polling, journalling and calling. Goal: <= 1.10.
The simulator says nothing of how fast a real vCenter clones.

    python -m benchmarks.makespan_vsphere [machines]
"""

from __future__ import annotations

import json
import sys
import tempfile
import time
from datetime import datetime
from pathlib import Path

import httpx

from tests.journeys.stack import Stack

DELAYS_MS = {"CreateVirtualDisk_Task": 2_000, "CloneVM_Task": 8_000, "PowerOnVM_Task": 2_000}
FINAL = {"succeeded", "failed", "cancelled", "reverted", "revert_failed"}


def main() -> None:
    """Start a portal, deploy, print the ratio, destroy, stop."""
    machines = int(sys.argv[1]) if len(sys.argv) > 1 else 150
    with tempfile.TemporaryDirectory() as folder:
        stack = Stack(Path(folder))
        try:
            measure(stack, machines)
        finally:
            stack.stop()


def measure(stack: Stack, machines: int) -> None:
    """Deploy a drawing with a machine and (but for one) a disk for each service, and compare with the lower bound."""
    ready = json.loads((stack.home / "clouds" / "paris" / "ready.json").read_text())
    token = Path(ready["control_token_file"]).read_text().strip()
    for method, delay_ms in DELAYS_MS.items():
        httpx.put(
            f"{ready['control_url']}/delays/{method}?ms={delay_ms}", headers={"X-Control-Token": token}
        ).raise_for_status()
    with stack.client() as client:
        project = client.get("/api/v1/projects/").json()["results"][0]["id"]
        body = {"project": project, "name": "makespan", "compose": drawing(machines)}
        blueprint = client.post("/api/v1/blueprints/", json=body).raise_for_status().json()["id"]
        plan = client.post("/api/v1/plans/", json={"blueprint": blueprint, "cloud": "paris"}).raise_for_status().json()
        started = client.post("/api/v1/deployments/", json={"plan": plan["id"]}).raise_for_status()
        operation = ended(client, started.headers["Location"])
        taken_s = seconds(operation["finished_at"]) - seconds(operation["started_at"])
        verbs = [action["verb"] for action in plan["actions"]]
        report(verbs, taken_s, operation["state"])
        gone = client.delete(f"/api/v1/deployments/{started.json()['id']}/").raise_for_status()
        print("destroyed:", ended(client, gone.headers["Location"])["state"])


def drawing(machines: int) -> str:
    """Return a Compose file whose services each want a machine of their own and, but for the first, a disk."""
    lines = ["services:"]
    for number in range(machines):
        lines += [f"  s{number}:", "    image: nginx:1.27", "    x-escale: {isolation: machine}"]
        if number:
            lines.append(f"    volumes: ['d{number}:/data']")
    return "\n".join([*lines, "volumes:", *(f"  d{number}: {{}}" for number in range(1, machines))]) + "\n"


def report(verbs: list[str], taken_s: float, state: str) -> None:
    """Print the makespan, both bounds, and the ratio to the larger one."""
    from apps.operations.tuning import Tuning

    slots = Tuning().cloud_concurrency
    cost_s = {
        "volume.create": DELAYS_MS["CreateVirtualDisk_Task"] / 1000,
        "machine.create": DELAYS_MS["CloneVM_Task"] / 1000,
        "machine.start": DELAYS_MS["PowerOnVM_Task"] / 1000,
    }
    work_s = sum(cost_s.get(verb, 0.0) for verb in verbs)
    bounds = {"critical path": sum(cost_s.values()), f"work on {slots} slots": work_s / slots}
    name, bound_s = max(bounds.items(), key=lambda item: item[1])
    resources = sum(verb.endswith(".create") for verb in verbs)
    print(
        f"{resources} resources, {len(verbs)} steps: {state} in {taken_s:.1f} s; lower bound {bound_s:.1f} s ({name}); "
        f"ratio {taken_s / bound_s:.3f} (goal <= 1.10)"
    )


def ended(client: httpx.Client, location: str) -> dict[str, str]:
    """Return the operation when it has ended."""
    while True:
        operation: dict[str, str] = client.get(location).raise_for_status().json()
        if operation["state"] in FINAL:
            return operation
        time.sleep(0.5)


def seconds(moment: str) -> float:
    """Return a moment of the API as seconds."""
    return datetime.fromisoformat(moment).timestamp()


if __name__ == "__main__":
    main()
