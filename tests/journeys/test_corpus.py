"""The main job, whole: every Compose file of the corpus runs on every cloud and goes again without a trace."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
import time
from collections.abc import Collection
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from tests.journeys.stack import Stack
from tests.journeys.vcenter import compose_of

CORPUS = sorted((Path(__file__).parent.parent / "corpus" / "awesome-compose").glob("*/compose.y*ml"))
FINAL = {"succeeded", "failed", "cancelled", "reverted", "revert_failed"}

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1200), pytest.mark.xdist_group("journeys")]


def images_for(text: str) -> dict[str, str]:
    """Return an image for each service that only says how to build."""
    services = yaml.safe_load(text)["services"]
    return {name: f"registry.example/{name}:1.0" for name, service in services.items() if "image" not in service}


def ended(client: httpx.Client, location: str, timeout_s: float = 300) -> dict[str, Any]:
    deadline = time.monotonic() + timeout_s
    while time.monotonic() < deadline:
        operation = client.get(location).raise_for_status().json()
        if operation["state"] in FINAL:
            return dict(operation)
        time.sleep(0.5)
    raise AssertionError(f"{location} has not ended: {client.get(location).json()}")


def accepted(answer: httpx.Response) -> tuple[dict[str, Any], str]:
    assert answer.status_code == 202, answer.text
    assert answer.headers["Location"].startswith("/api/v1/operations/")
    return answer.json(), answer.headers["Location"]


def test_the_corpus_is_all_there() -> None:
    assert len(CORPUS) == 20


def all_ended(client: httpx.Client, locations: Collection[str], timeout_s: float = 900) -> dict[str, str]:
    """Return the final state of each operation; asks for those that are not known yet alone."""
    states: dict[str, str] = {}
    deadline = time.monotonic() + timeout_s
    while len(states) < len(locations):
        for location in locations:
            if location not in states:
                state = client.get(location).raise_for_status().json()["state"]
                if state not in FINAL:
                    break  # they are worked on in their order, more or less
                states[location] = state
        else:
            continue
        assert time.monotonic() < deadline, f"{location} is {state} still"
        time.sleep(0.5)
    return states


def test_every_file_of_the_corpus_deploys_to_every_cloud_and_leaves_nothing_behind(stack: Stack) -> None:
    assert {cloud["kind"] for cloud in stack.clouds.values()} == {"vsphere", "aws"}
    assert len(stack.clouds) == 5
    stack.wait_for_labels()
    eyes = {name: stack.look_at(name) for name in stack.clouds}
    before = {name: eye.listing() for name, eye in eyes.items()}
    wanted = {path: set(yaml.safe_load(path.read_text())["services"]) for path in CORPUS}
    with stack.client() as client, ThreadPoolExecutor(len(eyes)) as pool:
        project = client.get("/api/v1/projects/").json()["results"][0]["id"]

        def draw(path: Path) -> tuple[Path, str]:
            body = {"project": project, "name": path.parent.name.lower(), "compose": path.read_text()}
            blueprint = client.post("/api/v1/blueprints/", json=body)
            assert blueprint.status_code == 201, blueprint.text
            return path, blueprint.json()["id"]

        drawn = dict(pool.map(draw, CORPUS))

        def deploy(cloud: str) -> dict[str, tuple[Path, str]]:
            """Start all of them on one cloud; returns deployment -> (file, operation)."""
            started = {}
            for path, blueprint in drawn.items():
                body = {
                    "blueprint": blueprint, "cloud": cloud, "name": f"{path.parent.name.lower()}-{cloud}",
                    "images": images_for(path.read_text()),
                }  # fmt: skip
                deployment, location = accepted(client.post("/api/v1/deployments/", json=body))
                started[deployment["id"]] = path, location
            return started

        def check(cloud: str) -> None:
            found = eyes[cloud].configs(started[cloud])
            for deployment, machines in found.items():
                path = started[cloud][deployment][0]
                assert machines, f"{path} made no machine on {cloud}"
                held: set[str] = set()
                for name, cloud_config in machines.items():
                    stack.check_cloud_config(cloud_config, f"{path} on {name} of {cloud}")
                    held |= set(compose_of(cloud_config)["services"])
                assert held == wanted[path], f"{path} on {cloud}"

        def destroy(cloud: str) -> list[str]:
            return [accepted(client.delete(f"/api/v1/deployments/{one}/"))[1] for one in started[cloud]]

        started = dict(zip(eyes, pool.map(deploy, eyes), strict=True))
        locations = {location: (cloud, path) for cloud, of in started.items() for path, location in of.values()}
        assert len(locations) == len(CORPUS) * len(eyes)
        failed = {locations[at]: state for at, state in all_ended(client, locations).items() if state != "succeeded"}
        assert not failed
        list(pool.map(check, eyes))
        ends = [location for of_cloud in pool.map(destroy, eyes) for location in of_cloud]
        assert set(all_ended(client, ends).values()) == {"succeeded"}
    for name, eye in eyes.items():
        assert eye.listing() == before[name], name
        eye.close()


def test_the_command_line_deploys_waits_and_destroys(stack: Stack) -> None:
    paris = stack.vcenter("paris")
    before = paris.listing()
    with tempfile.TemporaryDirectory() as folder:
        shop = Path(folder) / "shop"
        shutil.copytree(next(path.parent for path in CORPUS if path.parent.name == "wordpress-mysql"), shop)

        def escale(*arguments: str) -> subprocess.CompletedProcess[str]:
            return subprocess.run(
                [stack.program("escale"), *arguments],
                env=stack.cli_environment(Path(folder)),
                cwd=shop,
                capture_output=True,
                text=True,
                timeout=300,
                check=False,
            )

        planned = escale("plan", "compose.yaml", "--to", "paris", "--name", "shop")
        assert planned.returncode == 0, planned.stderr
        assert "create" in planned.stdout
        deployed = escale("deploy", "compose.yaml", "--to", "paris", "--name", "shop", "--wait")
        assert deployed.returncode == 0, deployed.stderr + deployed.stdout
        assert "running" in escale("status", "shop").stdout
        again = escale("plan", "compose.yaml", "--to", "paris", "--name", "shop")
        assert "Nothing to do" in again.stdout, again.stdout
        assert escale("destroy", "shop", "--wait").returncode == 0
        assert escale("status", "shop").returncode == 3
        unknown = escale("plan", "compose.yaml", "--to", "atlantis", "--name", "shop")
        assert unknown.returncode == 3
        assert "atlantis" in unknown.stderr
    assert paris.listing() == before
    paris.close()
