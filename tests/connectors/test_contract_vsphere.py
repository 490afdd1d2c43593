"""The contract suite on simulated vCenters: one that takes the same name twice, and one that refuses it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.connectors.conftest import as_it_was
from tests.connectors.contract import ConnectorContract
from tests.connectors.vsphere_bench import VsphereBench

pytestmark = pytest.mark.slow


class TestLaxVcenter(ConnectorContract):
    @pytest.fixture
    def bench(self, lax: VsphereBench) -> Iterator[VsphereBench]:
        yield from as_it_was(lax)


class TestStrictVcenter(ConnectorContract):
    @pytest.fixture
    def bench(self, strict: VsphereBench) -> Iterator[VsphereBench]:
        yield from as_it_was(strict)
