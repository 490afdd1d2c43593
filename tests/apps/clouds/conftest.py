"""Clouds of the tests: the fake one, in a file that outlives the process."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.people import Person

PASSWORD = "canary-cloud-password-7Qx"


@pytest.fixture(autouse=True)
def fresh_pool() -> Iterator[None]:
    from apps.clouds import connections

    connections.close_all()
    yield
    connections.close_all()


@pytest.fixture
def state(tmp_path: Path) -> str:
    return str(tmp_path / "cloud.sqlite")


@pytest.fixture
def control(state: str) -> Iterator[Any]:
    from connectors.fake.control import Control

    control = Control(state)
    yield control
    control.close()


@pytest.fixture
def make_cloud(state: str) -> Callable[..., Any]:
    from apps.clouds import services

    def make(person: Person, name: str = "paris", **changes: Any) -> Any:
        facts = {
            "kind": "fake",
            "address": "fake.example",
            "username": "escale@vsphere.local",
            "password": PASSWORD,
            "title": name.title(),
            "region": "Paris, FR",
            "options": {
                "state": state,
                "duration_s": 0.01,
                "password_sha256": hashlib.sha256(PASSWORD.encode()).hexdigest(),
            },
        }
        return services.register_cloud(person.principal, person.organization, name=name, **{**facts, **changes})

    return make


@pytest.fixture
def paris(alice: Person, make_cloud: Callable[..., Any]) -> Any:
    return make_cloud(alice)
