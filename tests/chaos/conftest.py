"""One plant for all chaos tests: starting processes is what takes the time."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from apps.operations.models import Operation
    from tests.chaos.plant import Plant

FACTOR = float(os.environ.get("CHAOS_FACTOR", "1"))
"""How many times more kills, operations and rounds than in an ordinary run."""


@pytest.fixture(scope="package")  # gone before other tests use the database
def _plant(django_db_setup: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Plant]:
    from django.db import connection

    from tests.chaos.plant import Plant

    plant = Plant(tmp_path_factory.mktemp("plant"), connection.settings_dict)
    try:
        plant.start_redis()
        plant.start_relay()
        plant.start_worker()
        yield plant
    finally:
        plant.close()


@pytest.fixture
def plant(_plant: Plant, transactional_db: None, settings: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[Plant]:
    """A relay and a worker with two processes, over PostgreSQL and a Redis of their own; nothing ordered to fail."""
    from apps.operations.models import Operation
    from apps.operations.registry import Kind, register_handler, register_kind
    from tests.chaos.filecloud import FileCloudHandler
    from tests.chaos.plant import until

    if "chaos" not in _known():
        register_handler("chaos", FileCloudHandler(_plant.cloud))
        register_kind(Kind("chaos"))
    settings.REDIS_URL = _plant.redis.url()
    monkeypatch.setattr("apps.operations.wake._client", None)
    _plant.cloud.clear()
    _plant.workers_ready("worker")
    yield _plant
    _plant.cloud.do("DELETE FROM plan")
    for operation in Operation.objects.live():
        from apps.operations.services import cancel

        cancel(operation)
    until(lambda: not Operation.objects.live().exists(), 20, "operations are left over", _plant)


def _known() -> set[str]:
    from apps.operations import registry

    return set(registry._handlers)


@pytest.fixture
def order(acme: Any, shop: Any) -> Callable[..., Operation]:
    """Submit an operation of steps on the file cloud: ``count`` of them, in ``width`` chains."""
    from apps.operations.services import ClaimSpec, StepSpec, submit

    def submit_it(count: int = 1, *, width: int = 4, task_s: float = 0.1, claims: tuple[str, ...] = ()) -> Operation:
        steps = [
            StepSpec(
                key=f"s{number}",
                title=f"Step {number}",
                handler="chaos",
                payload={"task_s": task_s},
                depends_on=(f"s{number - width}",) if number >= width else (),
            )
            for number in range(count)
        ]
        return submit(
            kind="chaos", title="Chaos", organization=acme, project=shop, actor="alice", created_by=None, steps=steps,
            claims=[ClaimSpec(target) for target in claims],
        )  # fmt: skip

    return submit_it


@pytest.fixture
def factor() -> float:
    """CHAOS_FACTOR: 1 for an ordinary run, 50 for a night."""
    return FACTOR
