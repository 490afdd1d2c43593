"""Lend one simulated private vCenter to each module of tests, and forget its faults and delays after each test."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from sandbox.simulator import Simulator
from tests.sandbox.vsphere import VSphere, session


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if "tests/sandbox" in item.path.as_posix():
            item.add_marker(pytest.mark.slow)


@pytest.fixture(scope="module")
def paris(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Simulator]:
    with Simulator("paris", home=tmp_path_factory.mktemp("paris"), ephemeral=True, guest_delay_ms=30) as simulator:
        yield simulator


@pytest.fixture
def vc(paris: Simulator) -> Iterator[VSphere]:
    with session(paris) as client:
        yield client
    paris.reset()
