"""Operations on a scripted cloud, driven in this process."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import pytest

from tests.apps.operations import scripted

# Models are imported inside of the fixtures: this file is loaded before Django is set up.
if TYPE_CHECKING:
    from apps.operations.models import Operation
    from apps.operations.services import StepSpec
    from apps.tenancy.models import Organization, Project

FAST = {
    "lease_s": 2.0,
    "heartbeat_s": 0.5,
    "glance_s": 0.1,
    "poll_min_s": 0.02,
    "backoff_base_s": 0.02,
    "progress_s": 0.0,
    "threads": 4,
}


@pytest.fixture(autouse=True)
def _fast(settings: Any) -> None:
    settings.OPERATIONS = dict(FAST)


@pytest.fixture
def tune(settings: Any) -> Callable[..., None]:
    """Change figures of the journal for one test."""

    def change(**figures: float) -> None:
        settings.OPERATIONS = {**settings.OPERATIONS, **figures}

    return change


@pytest.fixture(autouse=True)
def script() -> Iterator[scripted.Script]:
    """The cloud of the test: a fresh script each time."""
    from apps.operations import failpoints

    scripted.install()
    scripted.Stage.script = scripted.Script()
    scripted.Recorder.events, scripted.Recorder.refuse = [], None
    yield scripted.Stage.script
    failpoints.disarm()


Submit = Callable[..., "Operation"]


@pytest.fixture
def start(acme: Organization, shop: Project) -> Submit:
    """Submit an operation of steps given as {key: payload} or StepSpecs; ``after`` maps a key to its prerequisites."""

    def submit_it(
        steps: dict[str, dict[str, Any]] | list[StepSpec],
        *,
        after: dict[str, list[str]] | None = None,
        handler: str = "test",
        kind: str = "test",
        claims: tuple[str, ...] = (),
        cloud: uuid.UUID | None = None,
        serial: str = "",
        max_attempts: int = 3,
        **more: Any,
    ) -> Operation:
        from apps.operations.services import ClaimSpec, StepSpec, submit

        specs = steps
        if isinstance(steps, dict):
            specs = [
                StepSpec(
                    key=key,
                    title=f"Do {key}",
                    handler=handler,
                    payload=payload,
                    depends_on=tuple((after or {}).get(key, ())),
                    group=f"thing:{key}",
                    cloud_id=cloud,
                    serial=serial,
                    max_attempts=max_attempts,
                )
                for key, payload in steps.items()
            ]
        return submit(
            kind=kind,
            title="A test",
            organization=more.pop("organization", acme),
            project=more.pop("project", shop),
            actor="alice",
            created_by=more.pop("created_by", None),
            steps=specs,
            claims=[ClaimSpec(target) for target in claims],
            **more,
        )

    return submit_it


@pytest.fixture
def finish() -> Callable[[Operation], Operation]:
    """Drive an operation to its end, as workers that are poked again and again do."""

    def run(operation: Operation, timeout_s: float = 20) -> Operation:
        from apps.operations import states
        from apps.operations.runner import drive
        from tests.apps.operations.looking import steps_of

        until = time.monotonic() + timeout_s
        while time.monotonic() < until:
            report = drive(operation.pk, "tester", budget_s=2)
            operation.refresh_from_db()
            if operation.state in states.OPERATION_ENDS:
                return operation
            if not report.claimed:
                time.sleep(0.02)
        raise AssertionError(f"not ended in {timeout_s} s: {operation.state}, {steps_of(operation)}")

    return run
