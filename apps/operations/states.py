"""The whitelist of transitions: what is not listed here cannot happen to an operation or a step.

The database side is in ``transitions``: each change is one UPDATE filtered on the old state and, for a step that
somebody works on, on the fence. Zero rows mean that somebody else was faster: stop.
"""

from __future__ import annotations

from typing import Final

# Operations ---------------------------------------------------------------------------------------------------

PLANNING: Final = "planning"
AWAITING_APPROVAL: Final = "awaiting_approval"
QUEUED: Final = "queued"
RUNNING: Final = "running"
CANCELLING: Final = "cancelling"
REVERTING: Final = "reverting"
SUCCEEDED: Final = "succeeded"
FAILED: Final = "failed"
CANCELLED: Final = "cancelled"
REVERTED: Final = "reverted"
REVERT_FAILED: Final = "revert_failed"

OPERATION_TRANSITIONS: Final[dict[str, frozenset[str]]] = {
    PLANNING: frozenset({AWAITING_APPROVAL, QUEUED, CANCELLED, FAILED}),
    AWAITING_APPROVAL: frozenset({QUEUED, CANCELLED, FAILED}),
    QUEUED: frozenset({RUNNING, CANCELLING, CANCELLED, SUCCEEDED, FAILED}),
    RUNNING: frozenset({SUCCEEDED, FAILED, CANCELLING}),
    CANCELLING: frozenset({CANCELLED, SUCCEEDED, REVERTING}),
    REVERTING: frozenset({REVERTED, REVERT_FAILED}),
    # From here on only a person's decision leads out: retry or roll back.
    FAILED: frozenset({QUEUED, REVERTING}),
    CANCELLED: frozenset({QUEUED, REVERTING}),
    REVERT_FAILED: frozenset({REVERTING}),
    SUCCEEDED: frozenset(),
    REVERTED: frozenset(),
}
OPERATION_STATES: Final = tuple(OPERATION_TRANSITIONS)
OPERATION_ENDS: Final = frozenset({SUCCEEDED, FAILED, CANCELLED, REVERTED, REVERT_FAILED})
OPERATION_DRIVEN: Final = frozenset({QUEUED, RUNNING, CANCELLING, REVERTING})
"""States in which workers have something to do."""

# Steps --------------------------------------------------------------------------------------------------------

PENDING: Final = "pending"
READY: Final = "ready"
WAITING: Final = "waiting"
SKIPPED: Final = "skipped"
BLOCKED: Final = "blocked"
PARKED: Final = "parked"

STEP_TRANSITIONS: Final[dict[str, frozenset[str]]] = {
    PENDING: frozenset({READY, BLOCKED, SKIPPED}),
    READY: frozenset({RUNNING, SKIPPED}),
    # running -> running and waiting -> waiting are takeovers: the same state under a new fence.
    RUNNING: frozenset({RUNNING, WAITING, SUCCEEDED, FAILED, PARKED, READY, SKIPPED}),
    WAITING: frozenset({WAITING, SUCCEEDED, FAILED, PARKED, READY, SKIPPED}),
    # Out of an end only by a retry (to pending or ready) or a rollback (to reverting).
    SUCCEEDED: frozenset({REVERTING}),
    FAILED: frozenset({PENDING, READY, REVERTING}),
    PARKED: frozenset({PENDING, READY, REVERTING}),
    SKIPPED: frozenset({PENDING, READY, REVERTING}),
    BLOCKED: frozenset({PENDING, READY}),
    REVERTING: frozenset({REVERTED, REVERT_FAILED}),
    REVERT_FAILED: frozenset({REVERTING}),
    REVERTED: frozenset(),
}
STEP_STATES: Final = tuple(STEP_TRANSITIONS)
STEP_OPEN: Final = frozenset({PENDING, READY, RUNNING, WAITING})
"""States of a step that still has something before it."""
STEP_IN_FLIGHT: Final = frozenset({RUNNING, WAITING})
"""States in which a cloud may be working for the step."""


def operation_may(old: str, new: str) -> bool:
    """Tell whether an operation may go from one state to the other."""
    return new in OPERATION_TRANSITIONS[old]


def step_may(old: str, new: str) -> bool:
    """Tell whether a step may go from one state to the other."""
    return new in STEP_TRANSITIONS[old]


def sources_of(new: str) -> tuple[str, ...]:
    """Return the states from which a step may go to this one, for the filter of an UPDATE."""
    return tuple(old for old, allowed in STEP_TRANSITIONS.items() if new in allowed)


class ForbiddenTransition(AssertionError):  # noqa: N818 - names what it forbids
    """A transition that the whitelist does not hold was asked for: a defect of ours, never a user's fault."""

    def __init__(self, thing: str, old: str, new: str) -> None:
        super().__init__(f"a {thing} cannot go from {old} to {new}")


def check_operation(old: str, new: str) -> None:
    """Raise ForbiddenTransition unless an operation may go from one state to the other."""
    if not operation_may(old, new):
        raise ForbiddenTransition("operation", old, new)


def check_step(old: str, new: str) -> None:
    """Raise ForbiddenTransition unless a step may go from one state to the other."""
    if not step_may(old, new):
        raise ForbiddenTransition("step", old, new)
