"""Lend one world to the matrices, and the fixtures of the deployments' tests to the canaries."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.api.world import World, build, clients, undone
from tests.apps.deployments.conftest import blueprint, control, drive, state

__all__ = ["blueprint", "control", "drive", "state"]


@pytest.fixture(scope="module")
def built(django_db_setup, django_db_blocker) -> Iterator[tuple[World, dict[str, Any]]]:
    """One world for the whole matrix, in a transaction that is never committed: making it takes longest."""
    with django_db_blocker.unblock(), undone():
        world = build()
        yield world, clients(world)


@pytest.fixture
def world(built) -> World:
    return built[0]


@pytest.fixture
def callers(built) -> dict[str, Any]:
    return built[1]
