"""Clouds that are probed: the fake one, driven in this process."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest

from tests.apps.clouds.conftest import control, fresh_pool, make_cloud, paris, state  # noqa: F401

if TYPE_CHECKING:
    from apps.labels.models import Label, Run

FAST = {
    "lease_s": 5.0,
    "heartbeat_s": 1.0,
    "glance_s": 0.1,
    "poll_min_s": 0.01,
    "backoff_base_s": 0.01,
    "progress_s": 0.0,
    "threads": 2,
}
STATEMENT = "We have looked at the evidence and vouch for it."


@pytest.fixture(autouse=True)
def _fast(settings: Any) -> None:
    settings.OPERATIONS = dict(FAST)


def drive_to_the_end(operation: Any, timeout_s: float = 60) -> Any:
    """Drive an operation as workers that are poked again and again do."""
    from apps.operations import states
    from apps.operations.runner import drive

    until = time.monotonic() + timeout_s
    while time.monotonic() < until:
        report = drive(operation.pk, "tester", budget_s=5)
        operation.refresh_from_db()
        if operation.state in states.OPERATION_ENDS:
            return operation
        if not report.claimed:
            time.sleep(0.01)
    raise AssertionError(f"not ended in {timeout_s} s: {operation.state}")


def end_of(run: Run) -> Run:
    """Drive a run to its end and return it as it then is."""
    from apps.labels.models import Run

    assert run.operation is not None
    drive_to_the_end(run.operation)
    return Run.objects.select_related("cloud__organization", "operation", "organization").get(pk=run.pk)


@pytest.fixture
def probe() -> Callable[..., Run]:
    """Run all probes on a cloud, and return the run that has ended."""

    def run_it(who: Any, cloud: Any, cause: str = "manual") -> Run:
        from apps.labels import running

        return end_of(running.start(who.principal if hasattr(who, "principal") else who, cloud, cause))

    return run_it


@pytest.fixture
def signed(probe: Callable[..., Run]) -> Callable[..., Label]:
    """Label a cloud: run, and sign what was earned."""

    def label_it(who: Any, cloud: Any, **more: Any) -> Label:
        from apps.labels import issuing
        from apps.labels.models import Label

        run = probe(who, cloud)
        candidate = Label.objects.get(run=run)
        return issuing.sign(who.principal, candidate, STATEMENT, **more)

    return label_it


def verdicts(run: Run) -> dict[str, str]:
    """Return the verdict of each probe."""
    return {row.probe: row.verdict for row in run.evidence.all()}
