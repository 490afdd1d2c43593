"""One turn of an operation: a transaction in which its steps change, its events are numbered, and it may end."""

from __future__ import annotations

import json
import logging
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from django.db import connection, transaction

from apps.operations import failpoints, states, transitions, wake
from apps.operations.graph import Graph
from apps.operations.models import Operation
from apps.operations.registry import Kind, StepReport, call_key, find_kind
from apps.operations.texts import tidy
from apps.operations.transitions import OperationRow, Write

log = logging.getLogger(__name__)

ENDS = frozenset({states.SUCCEEDED, states.FAILED, states.PARKED, states.SKIPPED})


class OperationGone(Exception):  # noqa: N818 - a fact, not a fault
    """There is no such operation (any more)."""


class Turn:
    """Change one locked operation; everything commits together, with its events, or not at all."""

    def __init__(self, cursor: Any, row: OperationRow) -> None:
        self.cursor, self.row = cursor, row
        self._graph: Graph | None = None
        self._old_state = row.state
        self._old_seq = row.last_seq
        self._dirty = False
        self._events: list[tuple[str, str, str]] = []
        self._poke = False
        self.due_in_s: float | None = None
        self.released = 0  # steps that became ready

    # What changes ---------------------------------------------------------------------------------------------

    @property
    def kind(self) -> Kind:
        """Return the kind's callbacks; none when this process does not know it."""
        return find_kind(self.row.kind) or Kind(self.row.kind)

    @property
    def graph(self) -> Graph:
        """Return the operation's edges, loaded at first use."""
        if self._graph is None:
            self._graph = Graph.load(self.cursor, self.row.id)
        return self._graph

    @graph.setter
    def graph(self, graph: Graph) -> None:
        self._graph = graph

    @property
    def loaded_graph(self) -> Graph | None:
        """Return the edges if they have been loaded in this turn."""
        return self._graph

    @property
    def ended(self) -> bool:
        """Tell whether the operation is in a final state."""
        return self.row.state in states.OPERATION_ENDS

    def event(self, type_: str, step_key: str = "", **data: Any) -> None:
        """Append an event; it gets its number when the turn closes."""
        self._events.append((type_, step_key, json.dumps(tidy(data))))

    def poke(self) -> None:
        """Have workers poked when the turn commits."""
        self._poke = True

    def move(self, new: str, **data: Any) -> None:
        """Bring the operation to another state."""
        states.check_operation(self.row.state, new)
        self.row.state = new
        self._dirty = True
        self.event("operation.state", state=new, **data)

    def amend(self, **columns: Any) -> None:
        """Set columns of the operation."""
        for name, value in columns.items():
            setattr(self.row, name, value)
        self._dirty = True

    # Steps ----------------------------------------------------------------------------------------------------

    def write(self, writes: Sequence[Write], lease_s: float) -> set[int]:
        """Apply transitions of owned steps with all that follows from them; returns the ids that were stale."""
        if not writes:
            return set()
        stale: set[int] = set()
        final = list(writes)
        if self._records(writes):
            current = transitions.mine(self.cursor, writes)
            stale = {w.id for w in writes if w.id not in current}
            final = self._record([w for w in writes if w.id in current])
        applied = transitions.write(self.cursor, final, lease_s) if final else set()
        stale |= {w.id for w in final if w.id not in applied}
        done = [w for w in final if w.id in applied]
        self._announce(done)
        self._follow([w for w in done if w.new in ENDS])
        if any(w.new in ENDS for w in done):
            failpoints.hit("in_finish")
        return stale

    def _announce(self, writes: Sequence[Write]) -> None:
        for w in writes:
            if w.quiet:
                continue
            if w.new == w.old:
                self.event("step.progress", w.key, progress=w.progress, message=w.message, **w.extra)
                continue
            data: dict[str, Any] = {"state": w.new}
            if w.message:
                data["message"] = w.message
            if w.error is not None:
                data["error"] = w.error
            if w.progress is not None and w.new == states.WAITING:
                data["progress"] = w.progress
            self.event("step.state", w.key, **data, **w.extra)

    def _follow(self, ended: Sequence[Write]) -> None:
        """Do what the ends of steps bring about: dependants become ready or blocked, compensated steps follow."""
        done = [w for w in ended if w.new == states.SUCCEEDED]
        failed = [w for w in ended if w.new in (states.FAILED, states.PARKED)]
        if done:
            undone = [w.undoes_id for w in done if w.undoes_id is not None]
            self.row.undo_done += len(undone)
            self.row.steps_done += len(done) - len(undone)
            if undone:
                self._follow_undone(undone, states.REVERTED)
            counts = self.graph.waiting_on(w.key for w in done)
            if counts:
                self.released += transitions.release_dependants(self.cursor, counts)
        if failed:
            broken = [w.undoes_id for w in failed if w.undoes_id is not None]
            blocked = self._block(failed)
            broken += [undoes for _, _, undoes in blocked if undoes is not None]
            if broken:
                self._follow_undone(broken, states.REVERT_FAILED)

    def _block(self, failed: Sequence[Write]) -> list[tuple[int, str, int | None]]:
        blocked: list[tuple[int, str, int | None]] = []
        for w in failed:
            ids = self.graph.downstream([w.key])
            if not ids:
                continue
            rows = transitions.block(self.cursor, ids, "An earlier step has failed.")
            for _, key, _ in rows:
                self.event("step.state", key, state=states.BLOCKED, because=w.key)
            blocked += rows
        return blocked

    def _follow_undone(self, ids: Sequence[int], new: str) -> None:
        for key in transitions.follow_undone(self.cursor, ids, new):
            self.event("step.state", key, state=new)

    def _records(self, writes: Sequence[Write]) -> bool:
        kind = self.kind
        return bool(kind.on_steps_done or kind.on_steps_reverted) and any(w.new == states.SUCCEEDED for w in writes)

    def _record(self, writes: list[Write]) -> list[Write]:
        """Let the kind record what has succeeded; what it cannot record is parked with its result."""
        kind = self.kind
        done = [w for w in writes if w.new == states.SUCCEEDED]
        defects: dict[int, Exception] = {}
        forward = [w for w in done if w.undoes_id is None]
        backward = [w for w in done if w.undoes_id is not None]
        if forward and kind.on_steps_done:
            defects |= self._call_isolated(kind.on_steps_done, forward, states.SUCCEEDED)
        if backward and kind.on_steps_reverted:
            defects |= self._call_isolated(kind.on_steps_reverted, backward, states.REVERTED)
        if not defects:
            return writes
        return [_parked(w, defects[w.id]) if w.id in defects else w for w in writes]

    def _call_isolated(
        self, callback: Callable[[Operation, list[StepReport]], None], writes: list[Write], state: str
    ) -> dict[int, Exception]:
        reports = self._reports(writes, state)
        operation = self.model()
        try:
            with transaction.atomic():
                callback(operation, [reports[w.id] for w in writes if w.id in reports])
            return {}
        except Exception as defect:
            log.exception("operation %s: recording finished steps failed; one by one now", self.row.id)
            if len(writes) == 1:
                return {writes[0].id: defect}
        defects: dict[int, Exception] = {}
        for w in writes:
            try:
                with transaction.atomic():
                    callback(operation, [reports[w.id]])
            except Exception as defect:
                log.exception("operation %s: step %s cannot be recorded", self.row.id, w.key)
                defects[w.id] = defect
        return defects

    def _reports(self, writes: Sequence[Write], state: str) -> dict[int, StepReport]:
        """Return what callbacks see, by the id of the write; for compensations it is the step taken back."""
        results = {w.id: w.result for w in writes}
        self.cursor.execute(
            'SELECT w.id, s.id, s.key, s.title, s."group", s.verb, s.change, s.payload::text, s.result::text'
            " FROM operations_step w JOIN operations_step s ON s.id = coalesce(w.undoes_id, w.id)"
            " WHERE w.id = ANY(%s) ORDER BY s.position",
            [list(results)],
        )
        reports: dict[int, StepReport] = {}
        for write_id, step_id, key, title, group, verb, change, payload, result in self.cursor.fetchall():
            own = results[write_id] if state == states.SUCCEEDED else None
            reports[write_id] = StepReport(
                id=step_id,
                key=key,
                title=title,
                group=group,
                verb=verb,
                change=change,
                state=state,
                payload=json.loads(payload),
                result=json.loads(own or result),
                call_key=call_key(self.row.id, key),
            )
        return reports

    def model(self) -> Operation:
        """Return the operation as an unsaved model instance in the state that this turn gives it."""
        operation = Operation.objects.get(pk=self.row.id)
        operation.state, operation.error = self.row.state, self.row.error
        operation.steps_done, operation.cancel_mode = self.row.steps_done, self.row.cancel_mode
        return operation

    # The end --------------------------------------------------------------------------------------------------

    def settle(self) -> None:
        """End the operation, or send it into its rollback, when none of its steps is open any more."""
        row = self.row
        if row.state not in states.OPERATION_DRIVEN:
            return
        if transitions.has_open_steps(self.cursor, row.id):
            return
        cause = transitions.root_cause(self.cursor, row.id, of_undo=row.state == states.REVERTING)
        complete = row.steps_done >= row.steps_total
        if row.state == states.REVERTING:
            self.end(states.REVERTED if cause is None else states.REVERT_FAILED, cause)
        elif row.state == states.CANCELLING and row.cancel_mode == "revert":
            self.begin_rollback()
            self.settle()
        elif row.state == states.CANCELLING:
            self.end(states.SUCCEEDED if complete else states.CANCELLED, cause)
        else:
            self.end(states.SUCCEEDED if complete and cause is None else states.FAILED, cause)

    def begin_rollback(self, actor: str = "") -> None:
        """Enter the rollback: a compensation for everything that was started, in the reverse order."""
        from apps.operations.rollback import add_compensations

        self.move(states.REVERTING, **({"actor": actor} if actor else {}))
        added = add_compensations(self)
        self.amend(undo_total=added, undo_done=0)
        self._graph = None  # the compensations' edges are new

    def end(self, new: str, cause: tuple[str, str, Any] | None = None) -> None:
        """Bring the operation to a final state, let its kind record that, and release its claims."""
        row = self.row
        if new == states.SUCCEEDED:
            row.error = None
        elif cause is not None:
            row.error = _error_of(cause)
        defect = self._finished(new)
        if defect is not None and new == states.SUCCEEDED and states.operation_may(row.state, states.FAILED):
            new = states.FAILED
            row.error = {
                "code": "operation.internal",
                "message": "Every step was done, but the result could not be recorded - a defect of the portal - "
                "retry, and report the operation's id if it happens again.",
                "step": "",
                "hint": "",
            }
            self._finished(new)
        self.move(new, **({"error": row.error} if row.error else {}))
        self.cursor.execute("DELETE FROM operations_claim WHERE operation_id = %s", [row.id])

    def _finished(self, new: str) -> Exception | None:
        callback = self.kind.on_finished
        if callback is None:
            return None
        operation = self.model()
        operation.state = new
        try:
            with transaction.atomic():
                callback(operation)
        except Exception as defect:
            log.exception("operation %s: on_finished(%s) failed", self.row.id, new)
            return defect
        return None

    def close(self) -> None:
        """Write the events and the operation itself; the last thing before the commit."""
        row = self.row
        if self._events:
            transitions.append_events(self.cursor, row, self._events)
        if self._dirty:
            transitions.save_operation(self.cursor, row, self._old_state, self.due_in_s, poked=self._poke)
        elif self._events or self.due_in_s is not None:
            transitions.touch_operation(self.cursor, row, self.due_in_s, poked=self._poke)
        if self._poke and not self.ended:
            transitions.add_poke(self.cursor, row.id)
        if row.last_seq > self._old_seq:
            wake.after_commit(row.id, row.last_seq)


@contextmanager
def turn(operation_id: uuid.UUID) -> Iterator[Turn]:
    """Open a turn: the operation is locked inside, and everything commits at the end; OperationGone when missing."""
    with transaction.atomic(), connection.cursor() as cursor:
        row = transitions.lock(cursor, operation_id)
        if row is None:
            raise OperationGone(str(operation_id))
        current = Turn(cursor, row)
        yield current
        current.close()


def _parked(write: Write, defect: Exception) -> Write:
    return Write(
        id=write.id,
        fence=write.fence,
        old=write.old,
        new=states.PARKED,
        key=write.key,
        undoes_id=write.undoes_id,
        result=write.result,
        message="It was done, but could not be recorded.",
        error={
            "code": "operation.internal",
            "message": f"The step was done, but its result could not be recorded - a defect of the portal "
            f"({type(defect).__name__}) - retry, and report the operation's id if it happens again.",
            "permanent": True,
            "detail": "",
        },
    )


def _error_of(cause: tuple[str, str, Any]) -> dict[str, Any]:
    key, title, error = cause
    error = error or {}
    return {
        "code": error.get("code", "operation.failed"),
        "message": error.get("message", ""),
        "detail": error.get("detail", ""),
        "step": key,
        "title": title,
        "hint": error.get("hint", ""),
    }
