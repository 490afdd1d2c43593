"""A fake cloud that outlives the process, and somebody who drives operations to their end."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.people import Person

SHOP = """\
services:
  web:
    image: nginx:1.27
    ports: ["80:80"]
    depends_on: [db]
  db:
    image: postgres:17
    expose: ["5432"]
    volumes: [db-data:/var/lib/postgresql/data]
volumes:
  db-data:
"""


@pytest.fixture
def state(tmp_path: Path) -> str:
    return str(tmp_path / "cloud.sqlite")


@pytest.fixture
def control(state: str) -> Any:
    from connectors.fake.control import Control

    control = Control(state)
    yield control
    control.close()


def fake_cloud(person: Person, name: str, state: str, **changes: Any) -> Any:
    """Register a fake cloud, whose things stand in a file, for somebody's organization; read its inventory."""
    from apps.clouds import services

    facts: dict[str, Any] = {
        "kind": "fake",
        "flavour": "private",
        "address": "fake.example",
        "username": "escale",
        "password": "canary-cloud-password",
        "options": {"state": state, "duration_s": 0.01},
    }
    cloud = services.register_cloud(person.principal, person.organization, name=name, **{**facts, **changes})
    services.refresh(cloud)
    cloud.refresh_from_db()
    return cloud


@pytest.fixture
def paris(alice: Person, state: str) -> Any:
    """A cloud of acme's whose inventory is known."""
    return fake_cloud(alice, "paris", state)


@pytest.fixture
def roubaix(alice: Person, tmp_path: Path) -> Any:
    """Another one of acme's."""
    return fake_cloud(alice, "roubaix", str(tmp_path / "roubaix.sqlite"), flavour="ovh", address="far.example")


@pytest.fixture
def drive() -> Callable[[Any], Any]:
    """Return a function that works on an operation until it has ended, as a worker would."""
    from apps.operations.models import Operation
    from apps.operations.runner import drive as work

    def until_it_ends(operation_id: Any, timeout_s: float = 60) -> Operation:
        deadline = time.monotonic() + timeout_s
        while time.monotonic() < deadline:
            operation = Operation.objects.get(pk=operation_id)
            if operation.state in ("succeeded", "failed", "cancelled", "reverted", "revert_failed"):
                return operation
            work(uuid.UUID(str(operation_id)), "tests", budget_s=5)
        raise AssertionError(f"the operation has not ended: {operation.state}")

    return until_it_ends


@pytest.fixture
def blueprint(bob: Person) -> Any:
    def make(text: str = SHOP, name: str = "shop", **extra: Any) -> Any:
        answer = bob.api.post("/api/v1/blueprints/", {"project": "shop", "name": name, "compose": text, **extra})
        assert answer.status_code == 201, answer.content
        return answer.json()

    return make


@pytest.fixture
def running(bob: Person, paris: Any, blueprint: Any, drive: Any) -> Any:
    """A deployment of the shop that runs."""
    made = blueprint()
    answer = bob.api.post("/api/v1/deployments/", {"blueprint": made["id"], "cloud": "paris", "name": "shop"})
    assert answer.status_code == 202, answer.content
    assert answer.headers["Location"] == f"/api/v1/operations/{answer.json()['operation']}/"
    operation = drive(answer.json()["operation"])
    assert operation.state == "succeeded", operation.error
    return bob.api.get(f"/api/v1/deployments/{answer.json()['id']}/").json()
