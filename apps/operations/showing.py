"""Prepare an operation for the eye: lanes by resource, progress, what is left, what may be done about it."""

from __future__ import annotations

import datetime
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from django.db.models import Count, QuerySet
from django.urls import NoReverseMatch, reverse
from django.utils import timezone

from apps.operations import states
from apps.operations.models import Operation, Step
from apps.tenancy.access import Principal
from apps.tenancy.models import Role

MOST_LANES = 60
ENOUGH_TO_GUESS = 0.08  # below this share of the work a guess of the rest would only jump about

GROUP_ICONS = {
    "machine": "server", "volume": "disc", "network": "network", "folder": "folder", "firewall": "shield-check",
    "balancer": "sitemap",
}  # fmt: skip
FILTERS = {
    "active": (states.RUNNING, states.WAITING, states.REVERTING),
    "failed": (states.FAILED, states.PARKED, states.REVERT_FAILED, states.BLOCKED),
    "done": (states.SUCCEEDED, states.REVERTED, states.SKIPPED),
    "open": (states.PENDING, states.READY),
}


@dataclass(frozen=True, slots=True)
class Lane:
    """Hold one resource's steps in the order of the plan."""

    group: str
    name: str
    icon: str
    steps: list[Step]


@dataclass(frozen=True, slots=True)
class Progress:
    """Hold how far an operation is; times in seconds, None where nothing can be said."""

    percent: int
    done: int
    total: int
    elapsed_s: float | None
    remaining_s: float | None
    undoing: bool


@dataclass(frozen=True, slots=True)
class Abilities:
    """Hold what the reader may do about the operation in its present state."""

    stop: bool = False
    stop_and_undo: bool = False
    retry: bool = False
    undo: bool = False
    resume_undo: bool = False
    needs: str = ""
    """The role that is missing, when something could be done about it by somebody else."""

    @property
    def any(self) -> bool:
        """Tell whether there is any button to show."""
        return self.stop or self.stop_and_undo or self.retry or self.undo or self.resume_undo


@dataclass(slots=True)
class Picture:
    """Hold the operation with everything that its page shows at one moment."""

    operation: Operation
    seq: int
    live: bool
    progress: Progress
    counts: dict[str, int] = field(default_factory=dict)


def picture(operation: Operation) -> Picture:
    """Return how far the operation is; `seq` was read before the steps, so that following events only repeat it."""
    rows = operation.steps.filter(undoes__isnull=True).values_list("state").annotate(number=Count("id")).order_by()
    by_state: dict[str, int] = dict(rows)
    counts = {name: sum(by_state.get(state, 0) for state in wanted) for name, wanted in FILTERS.items()}
    counts["all"] = sum(by_state.values())
    return Picture(
        operation=operation,
        seq=operation.last_seq,
        live=operation.state not in states.OPERATION_ENDS,
        progress=progress(operation),
        counts=counts,
    )


def progress(operation: Operation, now: datetime.datetime | None = None) -> Progress:
    """Return how far the operation is, running steps counted by their own percentages."""
    undoing = operation.state in (states.REVERTING, states.REVERTED, states.REVERT_FAILED) and operation.undo_total > 0
    done, total = (
        (operation.undo_done, operation.undo_total) if undoing else (operation.steps_done, operation.steps_total)
    )
    partly = 0.0
    if operation.state in states.OPERATION_DRIVEN:
        flying = operation.steps.filter(state__in=states.STEP_IN_FLIGHT, undoes__isnull=not undoing)
        partly = sum((value or 0) / 100 for value in flying.values_list("progress", flat=True))
    share = min(1.0, (done + partly) / total) if total else float(operation.state == states.SUCCEEDED)
    if operation.state == states.SUCCEEDED:
        share = 1.0
    now = now or timezone.now()
    end = operation.finished_at or now
    elapsed = (end - operation.started_at).total_seconds() if operation.started_at else None
    remaining = None
    if operation.state == states.RUNNING and elapsed and share >= ENOUGH_TO_GUESS:
        remaining = elapsed * (1 - share) / share
    # Never "100 %" while something is left to do.
    percent = int(share * 100) if share < 1 else 100
    return Progress(percent, done, total, elapsed, remaining, undoing)


def lanes(steps: Iterable[Step]) -> list[Lane]:
    """Return the steps by the resource that they work on, resources in the order of their first step."""
    by_group: dict[str, list[Step]] = {}
    for step in steps:
        by_group.setdefault(step.group or step.key, []).append(step)
    result = []
    for group, members in by_group.items():
        start, _colon, name = group.partition(":")
        part, _slash, kind = start.rpartition("/")  # a part on a further cloud starts the groups of its things
        name = name.removeprefix("@") or kind
        shown = f"{name} · {part}" if part else name
        result.append(Lane(group, shown, GROUP_ICONS.get(kind, "blocks"), members))
    return result


def chosen_steps(operation: Operation, wanted: str) -> QuerySet[Step]:
    """Return the plan's steps that a filter chip names; everything for a name that is none."""
    rows = operation.steps.filter(undoes__isnull=True).order_by("position")
    return rows.filter(state__in=FILTERS[wanted]) if wanted in FILTERS else rows


def prerequisites(operation: Operation, step: Step) -> Sequence[Step]:
    """Return the steps that this one waited for."""
    return list(operation.steps.filter(key__in=step.depends_on).order_by("position"))


def abilities(principal: Principal, operation: Operation) -> Abilities:
    """Return what the reader may do: architects about operations of their projects, operators about all others."""
    state = operation.state
    could = {
        "stop": state in (states.PLANNING, states.AWAITING_APPROVAL, states.QUEUED, states.RUNNING),
        "stop_and_undo": state in (states.QUEUED, states.RUNNING)
        or (state == states.CANCELLING and operation.cancel_mode != "revert"),
        "retry": state in (states.FAILED, states.CANCELLED),
        "undo": state in (states.FAILED, states.CANCELLED),
        "resume_undo": state == states.REVERT_FAILED,
    }
    if not any(could.values()):
        return Abilities()
    needed = role_to_steer(principal, operation)
    if not principal.may(needed, operation.project):
        return Abilities(needs=str(needed.label))
    return Abilities(
        stop=could["stop"],
        stop_and_undo=could["stop_and_undo"],
        retry=could["retry"],
        undo=could["undo"],
        resume_undo=could["resume_undo"],
    )


def role_to_steer(principal: Principal, operation: Operation) -> Role:
    """Return the role that stopping, retrying and undoing this operation needs.

    Whoever may deploy and destroy in a project may also stop what runs there; what belongs to the organization as a
    whole is for operators.
    """
    return Role.ARCHITECT if operation.project_id is not None else Role.OPERATOR


def subject_address(operation: Operation) -> str:
    """Return the address of what the operation is about, or nothing when it has no page."""
    if not operation.subject_type or operation.subject_id is None:
        return ""
    try:
        return reverse(operation.subject_type, args=[operation.subject_id])
    except NoReverseMatch:
        return ""


def explained(error: dict[str, Any] | None) -> dict[str, str]:
    """Split an error's message into what, why and what now."""
    message = str((error or {}).get("message", ""))
    pieces = [piece.strip() for piece in message.split(" - ", 2)]
    what, why, now = (*pieces, "", "")[:3]
    return {"what": what, "why": why, "now": now or str((error or {}).get("hint", ""))}
