"""The main job, whole: every Compose file of the corpus runs on a vCenter and goes again without a trace."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from tests.journeys.stack import Stack
from tests.journeys.vcenter import compose_of, user_data

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


def test_every_file_of_the_corpus_deploys_by_rest_and_leaves_nothing_behind(stack: Stack) -> None:
    paris = stack.vcenter("paris")
    before = paris.listing()
    with stack.client() as client, ThreadPoolExecutor(4) as pool:
        project = client.get("/api/v1/projects/").json()["results"][0]["id"]

        def deploy(path: Path) -> tuple[Path, dict[str, Any], dict[str, Any]]:
            text, name = path.read_text(), path.parent.name.lower()
            body = {"project": project, "name": name, "compose": text}
            blueprint = client.post("/api/v1/blueprints/", json=body)
            assert blueprint.status_code == 201, blueprint.text
            wanted = {"blueprint": blueprint.json()["id"], "cloud": "paris", "name": name, "images": images_for(text)}
            deployment, location = accepted(client.post("/api/v1/deployments/", json=wanted))
            return path, deployment, ended(client, location)

        done = list(pool.map(deploy, CORPUS))
        assert {str(path): operation["state"] for path, _, operation in done} == {str(p): "succeeded" for p in CORPUS}

        for path, deployment, _ in done:
            machines = paris.machines_of(deployment["id"])
            assert machines, f"{path} made no machine"
            assert set(paris.powers_of(set(machines)).values()) == {"poweredOn"}
            held: set[str] = set()
            for name, options in machines.items():
                cloud_config = user_data(options)
                stack.check_cloud_config(cloud_config, f"{path} on {name}")
                held |= set(compose_of(cloud_config)["services"])
            assert held == set(yaml.safe_load(path.read_text())["services"]), path

        def destroy(deployment: dict[str, Any]) -> str:
            _, location = accepted(client.delete(f"/api/v1/deployments/{deployment['id']}/"))
            return str(ended(client, location)["state"])

        assert set(pool.map(destroy, [deployment for _, deployment, _ in done])) == {"succeeded"}
    after = paris.listing()
    assert after == before
    paris.close()


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
