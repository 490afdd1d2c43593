"""Compare what the cloud holds with what the journal says: nothing lost, nothing twice, nothing forgotten."""

from __future__ import annotations

from apps.operations.models import Event, Operation, Step
from apps.operations.registry import call_key
from tests.chaos.plant import Plant, until


def wait_for_end(plant: Plant, *operations: Operation, timeout_s: float = 60, relay: str | None = None) -> None:
    """Wait until operations have ended; starts the relay again when it has died."""
    ids = [operation.pk for operation in operations]

    def ended() -> bool:
        if relay is not None:
            plant.restart_if_dead(relay)
        return not Operation.objects.live().filter(pk__in=ids).exists()

    until(ended, timeout_s, f"not ended: {state_of(ids)}", plant)


def state_of(ids: list[object]) -> list[object]:
    return list(Step.objects.filter(operation__in=ids).exclude(state="succeeded").values_list("key", "state")[:20])


def check(plant: Plant, *operations: Operation) -> None:
    """Assert that each succeeded step has exactly one thing at the cloud, and each event its number."""
    things, creates = plant.cloud.things(), plant.cloud.calls("create")
    expected = set()
    for operation in operations:
        operation.refresh_from_db()
        assert operation.state == "succeeded", (operation.state, operation.error, plant.logs())
        for step in Step.objects.filter(operation=operation):
            key = call_key(operation.pk, step.key)
            expected.add(key)
            assert step.state == "succeeded"
            assert things.get(key) == 1, f"{step.key}: {things.get(key, 0)} things at the cloud"
            assert step.result["task"] == step.handle
            # The end was written by whoever owned it then, and by nobody else.
            assert step.result["fence"] == step.fence
        numbers = list(Event.objects.filter(operation=operation).order_by("seq").values_list("seq", flat=True))
        assert numbers == list(range(1, operation.last_seq + 1))
        ends = Event.objects.filter(operation=operation, type="step.state", data__state="succeeded")
        assert ends.count() == operation.steps_total == operation.steps_done
    assert set(things) == expected, "the cloud holds things that the journal does not know"
    assert sum(things.values()) == len(expected)
    assert max(creates.values(), default=1) == 1
