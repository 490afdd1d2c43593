"""Simulated vCenters for the connector's tests, one a module."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from sandbox.aws.process import Aws
from sandbox.simulator import Simulator
from tests.connectors.aws_bench import AwsBench
from tests.connectors.bench import Site
from tests.connectors.breaker import Breaker
from tests.connectors.vsphere_bench import VsphereBench


def benches(folder: Path, *, strict: bool) -> Iterator[VsphereBench]:
    with (
        Simulator("paris", ephemeral=True, strict=strict, guest_delay_ms=10) as simulator,
        Breaker(simulator.port, folder) as breaker,
    ):
        bench = VsphereBench(simulator, breaker)
        yield bench
        bench.close()


@pytest.fixture(scope="module")
def lax(tmp_path_factory: pytest.TempPathFactory) -> Iterator[VsphereBench]:
    yield from benches(tmp_path_factory.mktemp("breaker"), strict=False)


@pytest.fixture(scope="module")
def strict(tmp_path_factory: pytest.TempPathFactory) -> Iterator[VsphereBench]:
    yield from benches(tmp_path_factory.mktemp("breaker"), strict=True)


@pytest.fixture(scope="session")
def aws() -> Iterator[AwsBench]:
    with Aws(delays={"instance": 20, "volume": 10, "subnet": 10, "vpc": 10, "status": 10}) as simulated:
        yield AwsBench(simulated)


def as_it_was(bench: VsphereBench) -> Iterator[VsphereBench]:
    """Lend a bench to one test, and take back what the test did to it."""
    free = {datastore.name: datastore.summary.freeSpace for datastore in bench.datastores()}
    yield bench
    bench.simulator.reset()
    bench.breaker.disarm()
    for name, size in free.items():
        bench.simulator.set_free(name, size)


@pytest.fixture
def vcenter(lax: VsphereBench) -> Iterator[VsphereBench]:
    """A vCenter as the module's tests leave it: clean."""
    yield from as_it_was(lax)


@pytest.fixture
def site(vcenter: VsphereBench) -> Iterator[Site]:
    connector = vcenter.connect()
    yield Site(vcenter, connector)
    connector.close()
