"""Drive operations: claim steps in batches, start their work, poll it in bulk, and write down what came of it.

One driver serves one operation for one poke. It owns steps by lease and fence; what it learns becomes part of the
journal in *turns* (``journal.Turn``), each of which records ends, releases dependants and claims the next steps in
one commit. Any number of drivers may work on the same operation. The order that all guarantees rest on:

1. the claim commits, and the intent with it; 2. the handler is called; 3. its handle commits; 4. the task is polled;
5. its end commits. A driver that is lost between any two of these is replaced when its lease runs out: with a handle
the next one polls on, without one it calls ``start`` again, which looks the key up first.
"""

from __future__ import annotations

import logging
import os
import queue
import random
import socket
import time
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import structlog
from django.db import DatabaseError, InterfaceError, OperationalError, connection

from apps.operations import failpoints, states, transitions
from apps.operations.calls import Calls
from apps.operations.claiming import Claims
from apps.operations.clock import now
from apps.operations.deciding import Held, decide, given_up, poisoned
from apps.operations.graph import Graph
from apps.operations.journal import OperationGone, Turn, turn
from apps.operations.leases import Leases
from apps.operations.polling import Group, Groups
from apps.operations.registry import Handler, NotMine, find_handler, find_kind
from apps.operations.sessions import Session
from apps.operations.texts import tidy_text
from apps.operations.transitions import StepRow, Write
from apps.operations.tuning import Tuning, tuning

log = logging.getLogger(__name__)

CLAIM_AGAIN_S = 0.25  # how often steps that wait for room on their cloud are tried again
YIELD_LOOK_S = 0.25  # how often an idle driver looks whether another operation waits for a worker
CANCEL_TRIES = 5


@dataclass(slots=True)
class Drive:
    """What came of one drive: the operation's state at its end, and what this driver did."""

    state: str = ""
    turns: int = 0
    claimed: int = 0
    taken_over: int = 0
    finished: int = 0
    stale: int = 0  # steps that belonged to somebody else when this driver wanted to write
    lost: bool = False


class Lost(Exception):  # noqa: N818 - a fact, not a fault
    """The journal could not be reached for as long as a lease lasts: the steps belong to others by now."""


def drive(
    operation_id: uuid.UUID,
    worker: str = "",
    budget_s: float | None = None,
    stop: Callable[[], bool] = lambda: False,
) -> Drive:
    """Drive an operation until it has ended, nothing is left to do now, or the budget is used up.

    ``stop`` is asked now and then; true makes the driver give back what it owns as soon as its calls have returned.
    """
    figures = tuning()
    worker = worker or f"{socket.gethostname()}:{os.getpid()}"
    driver = Driver(operation_id, f"{worker}:{uuid.uuid4().hex[:6]}"[-120:], figures)
    with structlog.contextvars.bound_contextvars(operation=str(operation_id)):
        return driver.run(figures.budget_s if budget_s is None else budget_s, stop)


class Driver:
    """Own some steps of one operation for a while; see the module. It is the ``Link`` of the steps that it owns."""

    def __init__(self, operation_id: uuid.UUID, worker: str, figures: Tuning) -> None:
        self.id, self.worker, self.tuning = operation_id, worker, figures
        self.report = Drive()
        self.state = ""  # of the operation, at the last turn
        self._leases = Leases(operation_id, figures)
        self._claims = Claims(operation_id, worker, figures)
        self._groups = Groups(figures)
        self._calls = Calls(figures.threads, f"operation-{operation_id}")
        self._session = Session(figures)
        self._graph: tuple[int, Graph] | None = None  # with the number of compensations it was loaded at
        self._answers: list[tuple[Held, Any]] = []  # learnt, not yet written
        self._fresh: list[Held] = []  # claimed, not yet called
        self._lines: list[tuple[str, str]] = []  # of step logs, not yet written
        self._line_counts: dict[int, int] = {}
        self._stopping = False
        self._refusals = 0

    # The loop -------------------------------------------------------------------------------------------------

    def run(self, budget_s: float, stop: Callable[[], bool] = lambda: False) -> Drive:
        """Drive; see the function ``drive``."""
        try:
            if self._begin():
                self._loop(budget_s, stop)
                self._persist(self._give_back)
        except OperationGone:
            log.info("operation %s does not exist any more", self.id)
        except Lost:
            self.report.lost = True
            log.warning("operation %s: leases could not be renewed; its steps are left to others", self.id)
        finally:
            self._leases.clear()
            self._calls.close()
            self._session.reset()
        self.report.state = self.state
        return self.report

    def _begin(self) -> bool:
        self._session.prepare()
        with connection.cursor() as cursor:
            cursor.execute("SELECT state, kind FROM operations_operation WHERE id = %s", [self.id])
            row = cursor.fetchone()
            if row is None:
                raise OperationGone(str(self.id))
            self.state, kind = row
            if self.state not in states.OPERATION_DRIVEN:
                return False
            if find_kind(kind) is None:
                # Without its callbacks, what it did would go unrecorded: a worker of another release knows them.
                log.error("operation %s is of the unknown kind %r; left to other workers", self.id, kind)
                cursor.execute(
                    "UPDATE operations_operation SET due_at = clock_timestamp() + interval '5 seconds' WHERE id = %s",
                    [self.id],
                )
                return False
            self._claims.prepare(cursor)
            for handler, verb, duration_s in transitions.usual_durations(cursor, self.id):
                self._groups.learn(handler, verb, duration_s)
        return True

    def _loop(self, budget_s: float, stop: Callable[[], bool]) -> None:
        started = now()
        turn_at = started
        heartbeat_at = started + self.tuning.heartbeat_s
        yield_at = started + YIELD_LOOK_S
        while True:
            self._forget_expired()
            if self._answers or self._lines or now() >= turn_at or (self._claims.more and not self._stopping):
                self._claims.adopting = now() >= turn_at
                self._persist(self._turn)
                turn_at = now() + (CLAIM_AGAIN_S if self._claims.crowded else self.tuning.glance_s)
                if self.state not in states.OPERATION_DRIVEN:
                    return
            self._call_fresh()
            if not self._answers:
                if self._stopping and not self._leases.calling():
                    return
                if self._stopping:
                    self._persist(self._give_back_waiting)
                if not len(self._leases) and not self._claims.more and not self._lines:
                    return
                self._cancel_open()
                if not self._stopping:
                    self._groups.start_due(self._leases, self._calls, now())
            if now() >= heartbeat_at:
                self._persist(self._renew)
                heartbeat_at = now() + self.tuning.heartbeat_s
            if not self._stopping:
                if now() - started > budget_s or stop():
                    self._stopping = True
                elif now() >= yield_at:
                    self._stopping = self._should_yield(now() - started)
                    yield_at = now() + YIELD_LOOK_S
            if not self._answers and not (self._claims.more and not self._stopping):
                poll_at = turn_at if self._stopping else self._groups.next_at()
                self._wait(min(turn_at, heartbeat_at, poll_at, now() + YIELD_LOOK_S))

    def _wait(self, until: float) -> None:
        """Sleep until a call answers or the time has come; take all answers that are there."""
        try:
            self._take(*self._calls.inbox.get(timeout=max(0.0, until - now())))
            while True:
                self._take(*self._calls.inbox.get_nowait())
        except queue.Empty:
            pass

    def _take(self, tag: tuple[str, Any], answer: Any) -> None:
        what, subject = tag
        if what == "log":
            self._lines.append((subject, answer))
        elif what == "poll":
            self._take_poll(subject, answer)
        elif what == "cancel":
            self._take_cancel(subject, answer)
        elif self._leases.owns(subject):
            subject.called_at = None
            self._answers.append((subject, answer))

    # Turns ----------------------------------------------------------------------------------------------------

    def _turn(self) -> None:
        """Write what was learnt, and claim what can be claimed, in one commit."""
        self._session.prepare()
        answers, self._answers = self._answers, []
        lines, self._lines = self._lines, []
        sent_at = now()
        claimed: list[StepRow] = []
        try:
            with turn(self.id) as current:
                if self._graph is not None and self._graph[0] == current.row.undo_total:
                    current.graph = self._graph[1]
                for step_key, line in lines:
                    current.event("step.log", step_key, line=line)
                writes = self._decide(answers, current.row.state)
                stale = current.write([w for _, w in writes], self.tuning.lease_s)
                if not self._stopping:
                    claimed = self._claims.take(current, self._leases, {w.id for _, w in writes})
                current.settle()
                if writes or claimed or len(self._leases):
                    current.due_in_s = self.tuning.lease_s  # somebody looks after it
                if claimed:
                    failpoints.hit("before_intent")
        except BaseException:
            self._answers[:0], self._lines[:0] = answers, lines
            raise
        self._keep_graph(current)
        self.state = current.row.state
        self.report.turns += 1
        self._settle(answers, writes, stale, sent_at)
        for _, w in writes:
            failpoints.hit("after_handle" if w.new == states.WAITING else "after_finish")
        for row in claimed:
            self._hold(row, sent_at)
        if claimed:
            failpoints.hit("after_intent")

    def _keep_graph(self, current: Turn) -> None:
        graph = current.loaded_graph
        self._graph = (current.row.undo_total, graph) if graph is not None else None

    def _decide(self, answers: Sequence[tuple[Held, Any]], operation_state: str) -> list[tuple[Held, Write]]:
        latest = {held.context.step_id: (held, answer) for held, answer in answers}
        writes: list[tuple[Held, Write]] = []
        for held, answer in latest.values():
            if not self._leases.owns(held):
                continue
            write = answer if isinstance(answer, Write) else decide(held, answer, operation_state, self.tuning)
            if write is not None and not self._too_soon(held, write):
                writes.append((held, write))
                if write.new in (states.SUCCEEDED, states.FAILED):
                    failpoints.hit("before_finish")
        return writes

    def _too_soon(self, held: Held, write: Write) -> bool:
        """Tell whether a mere report of progress may be left out, since another one has just been written."""
        plain = write.new == write.old and write.handle is None and not write.trouble and held.trouble_since is None
        return plain and not held.alone and now() - held.progress_at < self.tuning.progress_s

    def _settle(
        self, answers: Sequence[tuple[Held, Any]], writes: Sequence[tuple[Held, Write]], stale: set[int], sent_at: float
    ) -> None:
        """Bring what this driver holds in line with what has been committed."""
        written = set()
        for held, write in writes:
            written.add(write.id)
            if write.id in stale:
                self.report.stale += 1
                self._drop(held)
            elif write.new == states.WAITING:
                self._keep_waiting(held, write, sent_at)
            else:
                self.report.finished += write.new == states.SUCCEEDED
                if write.old == states.WAITING and write.new == states.SUCCEEDED:
                    self._groups.learn(held.handler, held.context.verb, now() - held.begun)
                self._drop(held)
        for held, _ in answers:
            if held.context.step_id not in written and held.state == states.RUNNING:
                self._drop(held)  # the handler found out that the step belongs to somebody else

    def _keep_waiting(self, held: Held, write: Write, sent_at: float) -> None:
        if held.state == states.RUNNING:
            held.begun = now()
            held.state = states.WAITING
        if write.handle is not None:
            held.context = replace(held.context, handle=write.handle)
        held.lease_ends = sent_at + self.tuning.lease_s
        held.progress, held.message, held.progress_at = write.progress, write.message, now()
        held.trouble_since = (held.trouble_since or now()) if write.trouble else None
        held.alone = False  # it was worked on alone, and nobody was lost
        self._groups.add(held, now())

    def _hold(self, row: StepRow, sent_at: float) -> None:
        self.report.claimed += not row.lost
        self.report.taken_over += row.lost
        held = self._claims.held(row, sent_at, self)
        self._leases.add(held)
        if row.takeovers > self.tuning.max_takeovers:
            self._answers.append((held, poisoned(held)))
        elif row.state == states.WAITING:
            self._groups.add(held, now(), at_once=True)
        else:
            self._fresh.append(held)

    def _drop(self, held: Held) -> None:
        self._leases.drop(held)
        self._groups.discard(held)

    # Calls ----------------------------------------------------------------------------------------------------

    def _call_fresh(self) -> None:
        """Call the handlers of newly claimed steps, each only while its lease certainly holds."""
        fresh, self._fresh = self._fresh, []
        for held in fresh:
            if not self._leases.owns(held) or now() >= held.lease_ends:
                continue
            handler = find_handler(held.handler)
            assert handler is not None  # only steps of known handlers are claimed
            if getattr(handler, "inline", False):
                self._answers.append((held, _call(handler, held)))
            else:
                held.called_at = now()
                self._calls.start(("call", held), _call, handler, held)

    def _take_poll(self, group: Group, answer: Any) -> None:
        outcomes, troubled = self._groups.take(group, answer, self._leases, now())
        self._answers += outcomes
        for held, problem in troubled:
            self._note_trouble(held, problem)

    def _note_trouble(self, held: Held, problem: BaseException) -> None:
        """Count how long a task could not be polled; give it up in the end, and say so."""
        since = held.trouble_since if held.trouble_since is not None else now()
        cancelling = self.state == states.CANCELLING
        limit_s = self.tuning.unreachable_cancelling_s if cancelling else self.tuning.unreachable_s
        if now() - since > limit_s:
            self._answers.append((held, given_up(held, now() - since, problem)))
        elif held.trouble_since is None:
            reason = getattr(problem, "message", type(problem).__name__)
            text = tidy_text(f"The cloud cannot be asked at present: {reason}")
            self._answers.append((held, held.write(states.WAITING, trouble=True, progress=held.progress, message=text)))

    def _cancel_open(self) -> None:
        if self.state != states.CANCELLING:
            return
        for held in self._leases:
            handler = find_handler(held.handler)
            if held.state != states.WAITING or held.cancel_asked or held.cancel_tries >= CANCEL_TRIES:
                continue
            if handler is None or not getattr(handler, "cancels", True):
                continue
            held.cancel_asked = True
            held.cancel_tries += 1
            self._calls.start(("cancel", held), handler.cancel, held.context)

    def _take_cancel(self, held: Held, answer: Any) -> None:
        if isinstance(answer, BaseException):
            log.warning("step %s: the cloud did not take the cancel request: %r", held.context.step_key, answer)
            reason = getattr(answer, "message", type(answer).__name__)
            line = tidy_text(f"The cloud did not take the cancel request: {reason}")
            self._lines.append((held.context.step_key, line))
            held.cancel_asked = False
        if self._leases.owns(held):
            self._groups.hurry(held, now())

    # Leases ---------------------------------------------------------------------------------------------------

    def _renew(self) -> None:
        self._session.prepare()
        for held in self._leases.renew():
            self.report.stale += 1
            self._drop(held)

    def _forget_expired(self) -> None:
        for held in self._leases.expired(give_up_calls=self._stopping):
            log.warning("step %s: its lease has run out or does soon; it is left to others", held.context.step_key)
            self.report.stale += 1
            self._drop(held)

    def still_mine(self, step_id: int, fence: int) -> bool:
        """Be the steps' ``Link``: ask the database whether the fence still stands."""
        return self._leases.still_mine(step_id, fence)

    def log(self, step_id: int, line: str) -> None:
        """Be the steps' ``Link``: take a line; beyond the limit lines are left out, and the last one says so."""
        held = self._leases.get(step_id)
        count = self._line_counts.get(step_id, 0) + 1
        self._line_counts[step_id] = count
        if held is None or count > self.tuning.log_lines:
            return
        text = "More lines were left out." if count == self.tuning.log_lines else tidy_text(line)
        self._calls.put(("log", held.context.step_key), text)

    def cancelled(self) -> bool:
        """Be the steps' ``Link``: tell whether the operation was being cancelled at the last look."""
        return self.state == states.CANCELLING

    # The way out ----------------------------------------------------------------------------------------------

    def _should_yield(self, elapsed_s: float) -> bool:
        """Tell whether another operation waits for a worker while this driver is idle, or has had its slice."""
        idle = not self._answers and not self._leases.calling() and not self._groups.asking()
        if not idle and elapsed_s < self.tuning.slice_s:
            return False
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT EXISTS (SELECT 1 FROM operations_operation WHERE id <> %s"
                " AND due_at < clock_timestamp() - interval '0.5 seconds')",
                [self.id],
            )
            return bool(cursor.fetchone()[0])

    def _give_back_waiting(self) -> None:
        """Let others poll what waits while a call that is still under way keeps this driver."""
        waiting = [held for held in self._leases if held.state == states.WAITING]
        if waiting:
            self._session.prepare()
            with turn(self.id) as current:
                current.write([self._returned(held) for held in waiting], self.tuning.lease_s)
                current.due_in_s = 0.0
                current.poke()
            for held in waiting:
                self._drop(held)

    def _give_back(self) -> None:
        """Give back what is still owned, and note when somebody should look again."""
        if self.state not in states.OPERATION_DRIVEN:
            return
        self._session.prepare()
        with turn(self.id) as current:
            unstarted = [(h.context.step_id, h.context.fence) for h in self._leases if h.state == states.RUNNING]
            if unstarted:
                transitions.unclaim(current.cursor, unstarted)
            current.write([self._returned(h) for h in self._leases if h.state == states.WAITING], self.tuning.lease_s)
            current.settle()
            due_s, driven_by_others = transitions.next_due(current.cursor, self.id, self.worker)
            if not current.ended and not driven_by_others:
                due_s = 1.0 if due_s is None else max(due_s, 0.0)
                if self._claims.crowded and not self._stopping:
                    due_s = max(due_s, random.uniform(0.5, 1.5))  # noqa: S311
                current.due_in_s = due_s
                if not due_s:
                    current.poke()
        self.state = current.row.state
        self._leases.clear()

    def _returned(self, held: Held) -> Write:
        return held.write(
            states.WAITING,
            progress=held.progress,
            message=held.message,
            quiet=True,
            trouble=held.trouble_since is not None,
            delay_s=min(max(0.0, self._groups.due(held) - now()), self.tuning.poll_max_s),
        )

    # The database ---------------------------------------------------------------------------------------------

    def _persist(self, action: Callable[[], None]) -> None:
        """Run a database action again and again while the database is away, as long as the leases last."""
        patience_ends = now() + self.tuning.lease_s
        tries = 0
        while True:
            try:
                action()
                self._refusals = 0
                return
            except (OperationalError, InterfaceError) as error:
                tries += 1
                log.warning("operation %s: the database failed (%s); trying again", self.id, type(error).__name__)
                connection.close()
                if now() >= (self._leases.last_end or patience_ends):
                    raise Lost from error
                time.sleep(random.uniform(0.05, min(0.1 * 2**tries, 2.0)))  # noqa: S311
            except DatabaseError:
                self._refusals += 1
                log.exception("operation %s: the journal refused a turn", self.id)
                if not self._isolate():
                    raise

    def _isolate(self) -> bool:
        """After a refused turn: have the answers written one by one, and drop one that cannot be written at all."""
        if self._refusals == 1:
            return True
        if len(self._answers) > 1:
            later, self._answers = self._answers[1:], self._answers[:1]
            for held, answer in later:
                self._calls.put(("call", held), answer)
            return self._refusals < 50
        if self._answers:
            held, _ = self._answers.pop()
            log.error("step %s: what became of it cannot be written; its lease runs out", held.context.step_key)
            self._drop(held)
            return True
        return self._refusals < 5


def _call(handler: Handler, held: Held) -> Any:
    """Call ``start`` or ``undo`` and return what came of it, also when it is an exception."""
    context = held.context
    if now() >= held.lease_ends:
        return NotMine("the lease ran out before the call")
    with structlog.contextvars.bound_contextvars(operation=str(context.operation_id), step=context.step_key):
        try:
            answer: Any = handler.start(context) if context.undoes is None else handler.undo(context)
        except Exception as error:
            answer = error
    failpoints.hit("after_call")
    return answer
