"""Calls stay inside EC2's token buckets, and those who are refused together come back apart."""

from __future__ import annotations

import pytest

from connectors.aws import faults, pace
from connectors.aws.faults import Complaint


def test_a_burst_passes_and_what_follows_waits_for_its_tokens() -> None:
    buckets = pace.Buckets()
    waits = [buckets.wait_s("DescribeInstances", now=0.0) for _ in range(120)]
    assert waits[:100] == [0.0] * 100
    assert waits[100] == pytest.approx(1 / 20)
    assert waits[119] == pytest.approx(1.0)  # in the order of their coming, twenty a second
    assert buckets.wait_s("DescribeInstances", now=10.0) == 0.0


def test_each_action_has_a_bucket_of_its_own() -> None:
    buckets = pace.Buckets()
    for _ in range(100):
        buckets.wait_s("DescribeInstances", now=0.0)
    assert buckets.wait_s("DescribeInstances", now=0.0) > 0
    assert buckets.wait_s("DescribeVolumes", now=0.0) == 0


def test_running_instances_is_dearer_than_looking_at_them() -> None:
    buckets = pace.Buckets()
    waits = [buckets.wait_s("RunInstances", now=0.0) for _ in range(7)]
    assert waits[:5] == [0.0] * 5
    assert waits[5:] == [pytest.approx(0.5), pytest.approx(1.0)]


def test_raised_limits_are_used() -> None:
    buckets = pace.Buckets(10.0)
    assert [buckets.wait_s("RunInstances", now=0.0) for _ in range(50)] == [0.0] * 50


def test_stepping_back_grows_and_differs() -> None:
    early = [pace.backoff_s(1) for _ in range(200)]
    late = [pace.backoff_s(20) for _ in range(200)]
    assert max(early) <= 0.1
    assert 2.0 < max(late) <= 4.0
    assert len(set(early)) > 100


@pytest.mark.parametrize(
    ("code", "ours", "permanent"),
    [
        ("InvalidVolume.NotFound", "cloud.not_found", True),
        ("SomethingNewLimitExceeded", "cloud.no_space", True),
        ("InvalidSomethingNew", "cloud.invalid", True),
        ("NeverHeardOf", "cloud.fault", False),
        ("RequestLimitExceeded", "cloud.busy", False),
        ("DependencyViolation", "cloud.busy", False),
        ("UnauthorizedOperation", "cloud.permission", True),
    ],
)
def test_a_complaint_has_a_meaning_also_when_it_is_new(code: str, ours: str, permanent: bool) -> None:
    error = faults.to_error(Complaint(code, "told by\nAWS", "ec2:Something"), "It could not be done")
    assert (error.code, error.permanent) == (ours, permanent)
    assert error.message.count(" - ") >= 2
    assert "\n" not in error.message
