"""The contract suite on a simulated AWS: moto behind the strict proxy, each a process of its own."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.connectors.aws_bench import AwsBench
from tests.connectors.contract import ConnectorContract

pytestmark = pytest.mark.slow


class TestAws(ConnectorContract):
    @pytest.fixture
    def bench(self, aws: AwsBench) -> Iterator[AwsBench]:
        yield aws
        aws.aws.reset()
