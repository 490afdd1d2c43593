"""The journal's figures, each with its default; `settings.OPERATIONS` may override any of them by name."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any

from django.conf import settings


@dataclass(frozen=True, slots=True)
class Tuning:
    """Durations in seconds unless the name says otherwise. Leases count on the database's clock."""

    lease_s: float = 30.0  # a worker that is gone for this long has lost its steps
    heartbeat_s: float = 10.0  # how often a worker renews its leases
    budget_s: float = 50.0  # how long one poke may drive an operation when no other one waits for a worker
    slice_s: float = 2.0  # how long it may do so while other operations wait for a worker
    glance_s: float = 1.0  # how often an idle driver looks for a cancel request
    call_timeout_s: float = 45.0  # a call to a handler that takes longer is given up; its lease runs out
    threads: int = 16  # calls to handlers at the same time, per driver
    claim_batch: int = 250  # steps of inline handlers per transaction
    cloud_concurrency: int = 16  # open tasks per cloud, over all operations
    poll_min_s: float = 0.1
    poll_max_s: float = 5.0
    poll_fraction: float = 0.05  # the pause between polls, as a part of a task's age or usual duration
    backoff_base_s: float = 1.0
    backoff_max_s: float = 60.0
    unreachable_s: float = 86_400.0  # a step whose cloud could not be asked for this long is given up
    unreachable_cancelling_s: float = 60.0
    max_takeovers: int = 5  # workers lost over one step before it is parked as poison
    suspect_after: int = 2  # takeovers after which a step is worked on alone, so that it takes no other one along
    progress_s: float = 1.0  # at least this long between two progress events of a step
    log_lines: int = 500  # per step
    session_idle_s: float = 10.0  # the database ends a transaction that its worker has left open for this long
    lock_wait_s: float = 15.0
    repoke_s: float = 5.0  # a poke that nobody has answered after this long is sent again
    relay_tick_s: float = 0.2
    sweep_s: float = 5.0
    beat_s: float = 10.0
    deaf_s: float = 180.0  # a worker that has consumed nothing of its own for this long ends itself


def tuning() -> Tuning:
    """Return the figures in force; TypeError for a name that does not exist, so that a typo is not ignored."""
    overrides: dict[str, Any] = dict(getattr(settings, "OPERATIONS", {}))
    known = {item.name for item in fields(Tuning)}
    unknown = set(overrides) - known
    if unknown:
        raise TypeError(f"settings.OPERATIONS has unknown names: {', '.join(sorted(unknown))}")
    return Tuning(**overrides)
