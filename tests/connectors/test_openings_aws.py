"""Firewalls and balancers on a simulated AWS: security groups and network load balancers."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.connectors.aws_bench import AwsBench
from tests.connectors.openings_contract import OpeningsContract

pytestmark = pytest.mark.slow


class TestAwsOpenings(OpeningsContract):
    @pytest.fixture
    def bench(self, aws: AwsBench) -> Iterator[AwsBench]:
        yield aws
        aws.aws.reset()
