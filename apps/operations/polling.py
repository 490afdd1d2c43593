"""Poll the open tasks of a cloud in one call, as often as it takes to see their ends in time and no more.

The interval is a fraction of how long tasks of the kind have taken here, or of their age while nothing is known. So
what waiting for the next look adds to a task stays in proportion, and a cloud whose clones take minutes is asked
every few seconds.
"""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from apps.operations import states
from apps.operations.calls import Calls
from apps.operations.deciding import Held
from apps.operations.leases import Leases
from apps.operations.registry import find_handler
from apps.operations.tuning import Tuning
from connectors.base import ConnectorError, Outcome

FOREVER = float("inf")
LONGEST_PAUSE_S = 30.0


@dataclass(slots=True)
class Group:
    """The waiting steps of one handler on one cloud."""

    handler: str
    steps: dict[int, Held] = field(default_factory=dict)
    next_at: float = FOREVER
    asking: list[Held] | None = None
    failures: int = 0


class Groups:
    """All that one driver polls; each group has one call under way at most."""

    def __init__(self, figures: Tuning) -> None:
        self._figures = figures
        self._groups: dict[tuple[str, Any], Group] = {}
        self._usual_s: dict[tuple[str, str], float] = {}  # by handler and verb

    def learn(self, handler: str, verb: str, duration_s: float) -> None:
        """Note how long a task has taken; later ones weigh more."""
        known = self._usual_s.get((handler, verb), duration_s)
        self._usual_s[handler, verb] = 0.7 * known + 0.3 * duration_s

    def add(self, held: Held, at: float, *, at_once: bool = False) -> None:
        """Poll a step from now on."""
        group = self._of(held)
        group.steps[held.context.step_id] = held
        group.next_at = min(group.next_at, at if at_once else at + self._pause(held, at))

    def discard(self, held: Held) -> None:
        """Poll a step no longer."""
        group = self._groups.get((held.handler, held.context.cloud_id))
        if group is not None and group.steps.get(held.context.step_id) is held:
            del group.steps[held.context.step_id]
            if not group.steps:
                group.next_at = FOREVER

    def hurry(self, held: Held, at: float) -> None:
        """Poll the group of a step soon."""
        group = self._of(held)
        group.next_at = min(group.next_at, at + self._figures.poll_min_s)

    def due(self, held: Held) -> float:
        """Return when a step is to be polled next."""
        return self._of(held).next_at

    def next_at(self) -> float:
        """Return when the next call is to be made."""
        return min((group.next_at for group in self._groups.values() if group.asking is None), default=FOREVER)

    def asking(self) -> bool:
        """Tell whether any call is under way."""
        return any(group.asking is not None for group in self._groups.values())

    def start_due(self, leases: Leases, calls: Calls, at: float) -> None:
        """Make the calls that are due."""
        for group in self._groups.values():
            if group.asking is not None or group.next_at > at:
                continue
            asked = [held for held in group.steps.values() if held.state == states.WAITING and leases.owns(held)]
            handler = find_handler(group.handler)
            if not asked or handler is None:
                group.next_at = FOREVER
                continue
            group.asking = asked
            calls.start(("poll", group), handler.poll, [held.context for held in asked])

    def take(
        self, group: Group, answer: Any, leases: Leases, at: float
    ) -> tuple[list[tuple[Held, Outcome | BaseException]], list[tuple[Held, BaseException]]]:
        """Take the answer of a call: what became of which step, and the steps about which nothing could be learnt."""
        asked, group.asking = group.asking or [], None
        asked = [held for held in asked if leases.owns(held)]
        if isinstance(answer, BaseException):
            group.failures += 1
            pause_s = min(self._figures.backoff_base_s * 2 ** min(group.failures, 10), LONGEST_PAUSE_S)
            if isinstance(answer, ConnectorError) and answer.retry_after is not None:
                pause_s = max(pause_s, min(answer.retry_after, 300.0))
            group.next_at = at + random.uniform(pause_s / 2, pause_s)  # noqa: S311
            return [], [(held, answer) for held in asked]
        group.failures = 0
        outcomes: list[tuple[Held, Outcome | BaseException]] = []
        if isinstance(answer, Mapping):
            outcomes = [(held, answer[held.context.step_id]) for held in asked if held.context.step_id in answer]
        group.next_at = at + self._interval(group, at) if group.steps else FOREVER
        return outcomes, []

    def _interval(self, group: Group, at: float) -> float:
        """Return the pause until the next call: that of the task which needs the shortest one."""
        pause_s = min((self._pause(held, at) for held in group.steps.values()), default=0.0)
        return pause_s * random.uniform(0.9, 1.1)  # noqa: S311

    def _pause(self, held: Held, at: float) -> float:
        # Half of the usual duration: a task that is much faster than usual is still seen in good time.
        usual_s = self._usual_s.get((held.handler, held.context.verb), 0.0) / 2
        figures = self._figures
        return max(figures.poll_min_s, min(max(at - held.begun, usual_s) * figures.poll_fraction, figures.poll_max_s))

    def _of(self, held: Held) -> Group:
        key = (held.handler, held.context.cloud_id)
        if key not in self._groups:
            self._groups[key] = Group(held.handler)
        return self._groups[key]
