"""Who waits for whom inside one operation, held in memory: the edges never change once a step exists."""

from __future__ import annotations

import json
import uuid
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any


class Graph:
    """The dependants of each step, by key; loaded once per drive."""

    def __init__(self, steps: Iterable[tuple[int, str, Sequence[str]]]) -> None:
        self.id_of: dict[str, int] = {}
        self._key_of: dict[int, str] = {}
        self._dependants: dict[str, list[int]] = {}
        for step_id, key, prerequisites in steps:
            self.id_of[key], self._key_of[step_id] = step_id, key
            for prerequisite in set(prerequisites):
                self._dependants.setdefault(prerequisite, []).append(step_id)

    @classmethod
    def load(cls, cursor: Any, operation_id: uuid.UUID) -> Graph:
        """Read the edges of an operation, compensations included."""
        cursor.execute(
            "SELECT id, key, depends_on::text FROM operations_step WHERE operation_id = %s ORDER BY position",
            [operation_id],
        )
        return cls((step_id, key, json.loads(text) if text != "[]" else ()) for step_id, key, text in cursor.fetchall())

    def waiting_on(self, keys: Iterable[str]) -> dict[int, int]:
        """Return for each dependant of these steps how many of them it waits for."""
        return dict(Counter(step for key in keys for step in self._dependants.get(key, ())))

    def downstream(self, keys: Iterable[str]) -> set[int]:
        """Return the ids of all steps that these ones come before, directly or not."""
        found: set[int] = set()
        edge = list(keys)
        while edge:
            for step in self._dependants.get(edge.pop(), ()):
                if step not in found:
                    found.add(step)
                    edge.append(self._key_of[step])
        return found


def ranks(durations: Mapping[str, float], prerequisites: Mapping[str, Sequence[str]]) -> dict[str, float]:
    """Return the longest way from each step to the end, itself included, in the unit of the durations.

    Starting the steps with the longest way first keeps the whole short (list scheduling by critical path).
    ValueError names an unknown prerequisite or the steps of a cycle.
    """
    dependants: dict[str, list[str]] = {key: [] for key in durations}
    missing: dict[str, int] = {}
    for key, needed in prerequisites.items():
        for prerequisite in set(needed):
            if prerequisite not in dependants:
                raise ValueError(f"step {key!r} depends on {prerequisite!r}, which does not exist")
            dependants[prerequisite].append(key)
    for key in durations:
        missing[key] = len(dependants[key])
    result: dict[str, float] = {}
    ready = [key for key, count in missing.items() if not count]
    while ready:
        key = ready.pop()
        result[key] = durations[key] + max((result[after] for after in dependants[key]), default=0.0)
        for prerequisite in set(prerequisites.get(key, ())):
            missing[prerequisite] -= 1
            if not missing[prerequisite]:
                ready.append(prerequisite)
    if len(result) < len(durations):
        cycle = ", ".join(sorted(set(durations) - set(result))[:5])
        raise ValueError(f"these steps wait for each other: {cycle}")
    return result
