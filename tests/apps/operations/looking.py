"""Look at what the journal holds."""

from __future__ import annotations

from typing import Any

from apps.operations.models import Operation, Step


def steps_of(operation: Operation) -> dict[str, str]:
    """Return the states of an operation's steps by key."""
    return dict(Step.objects.filter(operation=operation).order_by("position").values_list("key", "state"))


def step_of(operation: Operation, key: str) -> Step:
    """Return one step."""
    return Step.objects.get(operation=operation, key=key)


def events_of(operation: Operation) -> list[tuple[str, str, dict[str, Any]]]:
    """Return (type, step, data) of all events in order, after checking that their numbers have no gap."""
    rows = list(operation.events.order_by("seq").values_list("seq", "type", "step_key", "data"))
    assert [row[0] for row in rows] == list(range(1, len(rows) + 1))
    operation.refresh_from_db()
    assert operation.last_seq == len(rows)
    return [row[1:] for row in rows]
