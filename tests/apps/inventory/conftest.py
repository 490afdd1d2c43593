"""Items of listings, and a cloud without any rows."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from connectors.listing import Item
from tests.people import Person


@pytest.fixture(autouse=True)
def fresh_pool() -> Iterator[None]:
    from apps.clouds import connections

    connections.close_all()
    yield
    connections.close_all()


@pytest.fixture
def make_cloud(tmp_path: Any) -> Callable[..., Any]:
    from apps.clouds import services

    def make(person: Person, name: str = "paris", **changes: Any) -> Any:
        facts = {
            "kind": "fake",
            "address": "fake.example",
            "username": "escale@vsphere.local",
            "password": "canary-cloud-password-7Qx",
            "options": {"state": str(tmp_path / f"{name}.sqlite"), "duration_s": 0.01},
        }
        return services.register_cloud(person.principal, person.organization, name=name, **{**facts, **changes})

    return make


@pytest.fixture
def paris(alice: Person, make_cloud: Callable[..., Any]) -> Any:
    return make_cloud(alice)


def machine(number: int, **facts: Any) -> Item:
    """Return a machine as vSphere lists it; its identity and everything else follows from a number."""
    name = facts.pop("name", f"web-{number:05}")
    uid = facts.pop("uid", str(uuid.UUID(int=number + 1)))
    usual = {
        "power": "on" if number % 3 else "off",
        "tools": "running",
        "cpus": 1 + number % 8,
        "memory_mib": 1024 * (1 + number % 16),
        "disk_gib": 10.0 + number % 50,
        "host": f"esx-{number % 20:02}",
        "cluster": f"cluster-{number % 4}",
        "pool": "Production",
        "folder": f"Apps/Team {number % 10}",
        "guest": "Debian GNU/Linux 12 (64-bit)",
        "addresses": [f"10.{number // 65536 % 256}.{number // 256 % 256}.{number % 256}"],
        "networks": [f"net-{number % 5}"],
        "datastores": [f"nvme-{number % 3}"],
        "tags": [f"env-{number % 2}"],
        "snapshots": number % 2,
        "nics": [{"network": f"net-{number % 5}", "mac": "00:50:56:00:00:01", "addresses": []}],
    }
    return Item("machine", uid, facts.pop("ref", f"vm-{number}"), name, {**usual, **facts})


@pytest.fixture
def control(tmp_path: Any) -> Iterator[Any]:
    """The strings of the fake cloud `paris`."""
    from connectors.fake.control import Control

    control = Control(str(tmp_path / "paris.sqlite"))
    yield control
    control.close()


@pytest.fixture
def drive() -> Callable[[Any], Any]:
    """Return a function that works on an operation until it has ended, as a worker would."""
    from apps.operations.models import Operation
    from apps.operations.runner import drive as work

    def until_it_ends(operation: Any, timeout_s: float = 60) -> Operation:
        deadline = time.monotonic() + timeout_s
        while time.monotonic() < deadline:
            row = Operation.objects.get(pk=operation.pk)
            if row.state in ("succeeded", "failed", "cancelled", "reverted", "revert_failed"):
                return row
            work(row.pk, "tests", budget_s=5)
        raise AssertionError(f"the operation has not ended: {row.state}")

    return until_it_ends
