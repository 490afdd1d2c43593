"""What people and the apps above ask of the journal: submit, cancel, retry, roll back. One transaction each."""

from __future__ import annotations

import json
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from django.db import connection, transaction

from apps.audit.services import record
from apps.operations import states, transitions
from apps.operations.graph import ranks
from apps.operations.journal import Turn, turn
from apps.operations.models import Claim, Operation
from apps.operations.registry import handler_named, kind_named
from apps.operations.rollback import reopen
from apps.operations.texts import tidy
from apps.tenancy.access import Actor
from apps.tenancy.faults import fault
from apps.tenancy.models import Organization, Project, User

__all__ = ["CancelMode", "ClaimSpec", "StepSpec", "cancel", "later_operation", "retry", "rollback", "submit"]

CancelMode = Literal["stop", "revert"]


@dataclass(frozen=True, slots=True)
class StepSpec:
    """One call on a handler. ``key`` is unique in the operation; ``depends_on`` holds keys.

    ``group`` is the resource it works on, ``services`` what of the drawing stands on that; ``serial``: steps of one
    cloud with the same text never run side by side; ``expected_s`` weighs the critical path, that is what starts
    first. ``payload`` is plain JSON without secrets.
    """

    key: str
    title: str
    handler: str
    payload: Mapping[str, Any] = field(default_factory=dict)
    depends_on: Sequence[str] = ()
    group: str = ""
    verb: str = ""
    change: str = ""
    cloud_id: uuid.UUID | None = None
    serial: str = ""
    max_attempts: int = 5
    expected_s: float = 1.0
    services: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class ClaimSpec:
    """A hold on something, as "deployment:<id>"; an exclusive one excludes all others, a shared one only those."""

    target: str
    exclusive: bool = True


def submit(
    *,
    kind: str,
    title: str,
    organization: Organization,
    project: Project | None,
    actor: str,
    created_by: User | None,
    steps: Sequence[StepSpec],
    claims: Sequence[ClaimSpec] = (),
    subject: tuple[str, uuid.UUID] | None = None,
    cloud_id: uuid.UUID | None = None,
    data: Mapping[str, Any] | None = None,
    concurrency: int | None = None,
) -> Operation:
    """Write an operation down with everything it needs, and have it poked when the transaction commits.

    May be called inside a transaction of the caller, so that what the operation is about commits with it. An
    operation without steps has succeeded on return. ``concurrency``: how many tasks may be open on a cloud when this
    operation starts another one (default: the setting). Fault ``operation.conflict`` names the operation that holds
    one of the claims. ValueError for steps that make no sense (unknown dependency, cycle, duplicate key) and
    KeyError for a handler or kind that nobody registered: defects of the caller.
    """
    kind_named(kind)
    order = _checked(steps)
    holds = _merged(claims)
    with transaction.atomic():
        operation = Operation(
            kind=kind,
            title=title[:200],
            organization=organization,
            project=project,
            actor=actor[:160],
            created_by=created_by,
            subject_type=subject[0] if subject else "",
            subject_id=subject[1] if subject else None,
            cloud_id=cloud_id,
            data=dict(data or {}),
            holds=[{"target": target, "exclusive": exclusive} for target, exclusive in holds.items()],
            concurrency=concurrency,
            steps_total=len(steps),
        )
        _take_claims(operation)
        operation.save(force_insert=True)
        _insert_claims(operation)
        _insert_steps(operation.pk, steps, order)
        with turn(operation.pk) as current:
            current.event("operation.state", state=states.QUEUED)
            current.due_in_s = 0.0
            current.settle()
            current.poke()
    operation.refresh_from_db()
    return operation


def cancel(operation: Operation, mode: CancelMode = "stop", *, who: Actor | None = None) -> Operation:
    """Stop an operation: nothing more is started, open tasks are cancelled at the cloud, running calls finish.

    ``revert`` then takes back what was done. A second call may turn ``stop`` into ``revert``. With ``who`` it is
    audited. Faults ``operation.ended`` and ``operation.reverting``.
    """
    with turn(operation.pk) as current:
        row = current.row
        if current.ended:
            raise fault("operation.ended", title=operation.title, state=row.state)
        if row.state == states.REVERTING:
            raise fault("operation.reverting", title=operation.title)
        if row.state == states.CANCELLING:
            if mode == "revert" and row.cancel_mode != "revert":
                current.amend(cancel_mode=mode)
                current.event("operation.state", state=row.state, mode=mode, actor=_name(who))
        else:
            for key in transitions.skip_unstarted(current.cursor, row.id, "The operation was cancelled before it."):
                current.event("step.state", key, state=states.SKIPPED)
            current.amend(cancel_mode=mode)
            if row.state in (states.PLANNING, states.AWAITING_APPROVAL):
                current.end(states.CANCELLED)
            else:
                current.move(states.CANCELLING, mode=mode, actor=_name(who))
        _set_off(current)
        _audit(who, operation, "cancel", mode=mode)
    operation.refresh_from_db()
    return operation


def retry(operation: Operation, *, who: Actor | None = None) -> Operation:
    """Go on from what failed or was skipped; what has succeeded is not done again. Takes the claims again.

    A rollback that failed is resumed instead. With ``who`` it is audited. Faults ``operation.not_retryable``,
    ``operation.superseded``, ``operation.conflict``.
    """
    with turn(operation.pk) as current:
        row = current.row
        if row.state == states.REVERT_FAILED:
            _resume_rollback(current, operation, who)
        elif row.state in (states.FAILED, states.CANCELLED):
            _come_back(operation)
            current.cursor.execute(
                "SELECT id, key, state, depends_on::text FROM operations_step"
                " WHERE operation_id = %s AND undoes_id IS NULL ORDER BY position",
                [row.id],
            )
            reopen(current, [(i, k, s, json.loads(d)) for i, k, s, d in current.cursor.fetchall()])
            current.amend(error=None, cancel_mode="")
            current.move(states.QUEUED, actor=_name(who), retry=True)
            _tell_kind(current)
        else:
            raise fault("operation.not_retryable", title=operation.title, state=row.state)
        _set_off(current)
        _audit(who, operation, "retry")
    operation.refresh_from_db()
    return operation


def rollback(operation: Operation, *, who: Actor | None = None) -> Operation:
    """Take back what an operation that failed or was cancelled did, in the reverse order. Takes the claims again.

    With ``who`` it is audited. Faults ``operation.not_reversible``, ``operation.superseded``, ``operation.conflict``.
    """
    with turn(operation.pk) as current:
        if current.row.state not in (states.FAILED, states.CANCELLED, states.REVERT_FAILED):
            raise fault("operation.not_reversible", title=operation.title, state=current.row.state)
        _resume_rollback(current, operation, who)
        _set_off(current)
        _audit(who, operation, "rollback")
    operation.refresh_from_db()
    return operation


def later_operation(operation: Operation) -> Operation | None:
    """Return an operation about the same subject that was submitted after this one, if there is any."""
    if not operation.subject_type or operation.subject_id is None:
        return None
    same = Operation.objects.about(operation.subject_type, operation.subject_id)
    return same.filter(created_at__gt=operation.created_at).exclude(pk=operation.pk).order_by("created_at").first()


# Parts ----------------------------------------------------------------------------------------------------------


def _resume_rollback(current: Turn, operation: Operation, who: Actor | None) -> None:
    _come_back(operation)
    current.begin_rollback(_name(who))
    _tell_kind(current)


def _come_back(operation: Operation) -> None:
    """Take the claims of an operation that had ended again, unless the world has moved on since."""
    later = later_operation(operation)
    if later is not None:
        raise fault("operation.superseded", later=later.title, operation=later.pk, extra={"operation": str(later.pk)})
    _take_claims(operation)
    _insert_claims(operation)


def _tell_kind(current: Turn) -> None:
    if current.kind.on_resumed:
        current.kind.on_resumed(current.model())


def _name(who: Actor | None) -> str:
    return who.actor if who is not None else "system"


def _audit(who: Actor | None, operation: Operation, verb: str, **data: Any) -> None:
    if who is not None:
        record(who, f"operation.{verb}", "operation", operation.pk, operation.title, {"kind": operation.kind, **data})


def _set_off(current: Turn) -> None:
    current.settle()
    current.due_in_s = 0.0
    current.poke()


def _checked(steps: Sequence[StepSpec]) -> dict[str, float]:
    """Return the rank of each step by key, after checking that the steps make sense together."""
    keys = [step.key for step in steps]
    if len(set(keys)) < len(keys):
        raise ValueError(f"two steps have the key {next(key for key in keys if keys.count(key) > 1)!r}")
    for step in steps:
        handler_named(step.handler)
        if not 0 < len(step.key) <= 190:
            raise ValueError(f"the key {step.key!r} is empty or longer than 190 characters")
    return ranks(
        {step.key: max(step.expected_s, 0.001) for step in steps}, {step.key: step.depends_on for step in steps}
    )


def _merged(claims: Sequence[ClaimSpec]) -> dict[str, bool]:
    merged: dict[str, bool] = {}
    for claim in claims:
        merged[claim.target] = merged.get(claim.target, False) or claim.exclusive
    return dict(sorted(merged.items()))


def _take_claims(operation: Operation) -> None:
    """Raise ``operation.conflict`` when somebody holds what the operation needs; else nobody can until the commit."""
    holds = {hold["target"]: hold["exclusive"] for hold in operation.holds}
    if not holds:
        return
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT pg_advisory_xact_lock(hashtextextended('escale claim ' || target, 0))"
            " FROM unnest(%s::text[]) AS target ORDER BY target",
            [list(holds)],
        )
    rivals = Claim.objects.filter(target__in=holds).exclude(operation_id=operation.pk).select_related("operation")
    for rival in rivals.order_by("operation__created_at"):
        if rival.exclusive or holds[rival.target]:
            raise fault(
                "operation.conflict",
                holder=rival.operation.title,
                operation=rival.operation_id,
                target=rival.target.partition(":")[0],
                extra={"operation": str(rival.operation_id), "target": rival.target},
            )


def _insert_claims(operation: Operation) -> None:
    Claim.objects.bulk_create(
        Claim(operation=operation, target=hold["target"], exclusive=hold["exclusive"]) for hold in operation.holds
    )


_COLUMNS = (
    'operation_id, position, rank, key, title, "group", verb, change, handler, payload, depends_on, waiting_for, state,'
    " cloud_id, serial, attempt, max_attempts, takeovers, fence, worker, intent_hash, handle, message, result, services"
)


def _insert_steps(operation_id: uuid.UUID, steps: Sequence[StepSpec], rank: Mapping[str, float]) -> None:
    if not steps:
        return
    with (
        connection.cursor() as cursor,
        cursor.copy(f"COPY operations_step ({_COLUMNS}) FROM STDIN") as copy,
    ):
        for position, step in enumerate(steps):
            needed = sorted(set(step.depends_on))
            copy.write_row((
                operation_id, position, min(int(rank[step.key] * 1_000), 2_000_000_000), step.key, step.title[:300],
                step.group[:200], step.verb[:40], step.change[:12], step.handler,
                json.dumps(tidy(dict(step.payload))) if step.payload else "{}",
                json.dumps(needed) if needed else "[]", len(needed), states.PENDING if needed else states.READY,
                step.cloud_id, step.serial[:80], 0, step.max_attempts, 0, 0, "", "", "", "", "{}",
                json.dumps(list(step.services)) if step.services else "[]",
            ))  # fmt: skip
