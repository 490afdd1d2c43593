"""Turn what a handler answered into the step's next transition; decides, and touches nothing."""

from __future__ import annotations

import logging
import random
import traceback
from dataclasses import dataclass
from typing import Any

from apps.operations import states
from apps.operations.clock import now
from apps.operations.registry import NotMine, StepContext
from apps.operations.texts import Unfit, handle_text, result_text, tidy_text
from apps.operations.transitions import Write
from apps.operations.tuning import Tuning
from connectors.base import ConnectorError, Outcome

log = logging.getLogger(__name__)

CANCELLED_BY_CLOUD = "cloud.cancelled"
# What tends to pass quickly, and what rather takes a while.
WAITED_OUT = frozenset({"cloud.unreachable", "cloud.not_authenticated"})
"""What says nothing about the step: the cloud is away, or its password was changed. It waits, and uses up no try."""

BACKOFF_FACTORS = {"cloud.busy": 1.0, "cloud.fault": 1.0, "cloud.unreachable": 2.0, "cloud.not_authenticated": 2.0}


@dataclass(slots=True)
class Held:
    """A step that this driver owns under a fence, until its lease runs out."""

    context: StepContext
    state: str
    handler: str
    max_attempts: int
    undoes_id: int | None
    lease_ends: float  # local clock; never later than the database thinks
    begun: float  # local clock: when its task began
    takeovers: int = 0
    alone: bool = False
    called_at: float | None = None
    progress: int | None = None
    message: str = ""
    progress_at: float = 0.0
    trouble_since: float | None = None
    cancel_tries: int = 0
    cancel_asked: bool = False

    def write(self, new: str, **columns: Any) -> Write:
        """Return a transition of this step under its fence."""
        return Write(
            id=self.context.step_id,
            fence=self.context.fence,
            old=self.state,
            new=new,
            key=self.context.step_key,
            undoes_id=self.undoes_id,
            proven=self.alone,
            **columns,
        )


def backoff_s(attempt: int, code: str, tuning: Tuning) -> float:
    """Return how long to wait before the next attempt: exponential by attempt, with full jitter."""
    ceiling = tuning.backoff_base_s * BACKOFF_FACTORS.get(code, 1.0) * 2 ** min(attempt - 1, 10)
    return random.uniform(0, min(ceiling, tuning.backoff_max_s))  # noqa: S311


def patience_s(away_s: float, tuning: Tuning) -> float:
    """Return how long to wait for a cloud that has been away for so long: a quarter of that, with jitter."""
    ceiling = min(max(tuning.backoff_base_s, away_s / 4), tuning.backoff_max_s)
    return random.uniform(ceiling / 2, ceiling)  # noqa: S311


def decide(held: Held, answer: Outcome | BaseException, operation_state: str, tuning: Tuning) -> Write | None:
    """Return the transition for an answer to ``start``, ``undo`` or ``poll``; None when there is nothing to write.

    Transient errors are tried again with back-off until the attempts are used up; permanent ones fail at once. A cloud
    that is away is waited for (``unreachable_s``), which uses up no attempt. What is no ConnectorError is our own
    defect, and parks the step in the end. While an operation is being cancelled nothing is tried again.
    """
    if isinstance(answer, NotMine):
        return None
    try:
        if isinstance(answer, BaseException):
            return _failed(held, _as_error(held, answer), answer, operation_state, tuning)
        if answer.state == "failed":
            error = answer.error or ConnectorError("cloud.fault", answer.message or "The cloud gave no reason.")
            return _failed(held, error, None, operation_state, tuning)
        if answer.state == "running":
            return _running(held, answer)
        return held.write(
            states.SUCCEEDED, progress=100, message=tidy_text(answer.message), result=result_text(answer.result)
        )
    except Unfit as defect:
        return _failed(held, _as_error(held, defect), defect, operation_state, tuning)


def _running(held: Held, answer: Outcome) -> Write | None:
    message = tidy_text(answer.message)
    progress = None if answer.progress is None else max(0, min(100, int(answer.progress)))
    if held.state == states.RUNNING:
        return held.write(states.WAITING, handle=handle_text(answer.handle), progress=progress, message=message)
    moved = answer.handle is not None and answer.handle != held.context.handle
    same = not moved and (progress, message) == (held.progress, held.message)
    if same and held.trouble_since is None and not held.alone:
        return None
    return held.write(
        states.WAITING,
        handle=handle_text(answer.handle) if moved else None,
        progress=progress,
        message=message,
    )


def _failed(
    held: Held, error: ConnectorError, defect: BaseException | None, operation_state: str, tuning: Tuning
) -> Write:
    cancelling = operation_state == states.CANCELLING
    if cancelling and error.code == CANCELLED_BY_CLOUD:
        return held.write(states.SKIPPED, message="It was cancelled under way.")
    text = {**error.to_json(), "message": tidy_text(error.message), "detail": tidy_text(error.detail)}
    away_s = 0.0 if held.trouble_since is None else max(0.0, now() - held.trouble_since)
    away = isinstance(defect, ConnectorError | None) and error.code in WAITED_OUT
    exhausted = away_s >= tuning.unreachable_s if away else held.context.attempt >= held.max_attempts
    if error.permanent or exhausted or cancelling:
        ours = defect is not None and not isinstance(defect, ConnectorError)
        return held.write(
            states.PARKED if ours else states.FAILED,
            message=text["message"],
            error={**text, "attempts": held.context.attempt},
        )
    delay_s = patience_s(away_s, tuning) if away else backoff_s(held.context.attempt, error.code, tuning)
    if error.retry_after is not None:
        delay_s += min(error.retry_after, 600.0)
    return held.write(
        states.READY,
        handle="",
        delay_s=delay_s,
        trouble=away,
        message=text["message"],
        error=text,
        extra={"again_in_s": round(delay_s, 1)},
    )


def _as_error(held: Held, answer: BaseException) -> ConnectorError:
    """Return a defect as an error that people may read; the log has the rest."""
    if isinstance(answer, ConnectorError):
        return answer
    log.error("step %s of operation %s met a defect", held.context.step_key, held.context.operation_id, exc_info=answer)
    frames = traceback.extract_tb(answer.__traceback__)
    place = f"{frames[-1].filename.rpartition('/')[2]}:{frames[-1].lineno}" if frames else "unknown place"
    return ConnectorError(
        "operation.internal",
        f"The portal's own code failed ({type(answer).__name__} at {place}) - this is not your fault - "
        "retry, and report the operation's id if it happens again.",
        detail=str(answer) if isinstance(answer, Unfit) else "",
    )


def given_up(held: Held, since_s: float, last: BaseException) -> Write:
    """Return the end of a step whose task could not be polled for too long."""
    reason = last.message if isinstance(last, ConnectorError) else type(last).__name__
    return held.write(
        states.FAILED if isinstance(last, ConnectorError) else states.PARKED,
        message=tidy_text(reason),
        error={
            "code": last.code if isinstance(last, ConnectorError) else "operation.internal",
            "message": tidy_text(
                f"What became of the task is not known: the cloud could not be asked for {since_s / 60:.0f} min "
                f"({reason}) - it may still be running there - retry once the cloud answers again; what exists "
                "is then found and taken up."
            ),
            "permanent": False,
            "detail": "",
        },
    )


def poisoned(held: Held) -> Write:
    """Return the end of a step over which too many workers were lost."""
    return held.write(
        states.PARKED,
        message=f"{held.takeovers} workers were lost while they worked on it.",
        error={
            "code": "operation.poison",
            "message": f"{held.takeovers} workers were lost while they worked on this step - it may be what ends "
            "them - look into the workers' logs, then retry.",
            "permanent": True,
            "detail": "",
        },
    )
