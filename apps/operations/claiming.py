"""Choose what a driver takes on: steps of lost workers, waiting ones that were given back, and ready ones."""

from __future__ import annotations

import json
import logging
import uuid
from collections.abc import Mapping
from typing import Any

from django.db import connection, transaction

from apps.operations import states, transitions
from apps.operations.clock import now
from apps.operations.deciding import Held
from apps.operations.journal import Turn
from apps.operations.leases import Leases
from apps.operations.registry import Link, StepContext, call_key, find_handler
from apps.operations.results import Results
from apps.operations.transitions import StepRow
from apps.operations.tuning import Tuning

log = logging.getLogger(__name__)

_NO_PAYLOAD: Mapping[str, Any] = {}


class Claims:
    """Claim steps of one operation for one driver, within the limits of its threads and of each cloud.

    After ``take``: ``more`` says that there are further steps to claim at once, ``crowded`` that there may be some
    whose cloud is full or that wait for another one's turn.
    """

    def __init__(self, operation_id: uuid.UUID, worker: str, figures: Tuning) -> None:
        self._id, self._worker, self._figures = operation_id, worker, figures
        self.inline: list[str] = []
        self.pooled: list[str] = []
        self._clouds: list[uuid.UUID | None] = []
        self._serial = False
        self.results = Results(operation_id)
        self.more = True
        self.crowded = False
        self.adopting = True  # look for steps of lost workers in the next turn

    def prepare(self, cursor: Any) -> None:
        """Learn which handlers and clouds the operation uses."""
        cursor.execute(
            "SELECT handler, cloud_id, bool_or(serial <> '') FROM operations_step WHERE operation_id = %s"
            " GROUP BY handler, cloud_id",
            [self._id],
        )
        uses = cursor.fetchall()
        names = sorted({name for name, _, _ in uses})
        known = {name: handler for name in names if (handler := find_handler(name)) is not None}
        self.inline = [name for name, handler in known.items() if getattr(handler, "inline", False)]
        self.pooled = [name for name in known if name not in self.inline]
        self._clouds = sorted({cloud for _, cloud, _ in uses}, key=lambda cloud: (cloud is not None, str(cloud)))
        self._serial = any(serial for _, _, serial in uses)
        self.results.wanted = any(getattr(handler, "needs_results", True) for handler in known.values())
        unknown = [name for name in names if name not in known]
        if unknown:
            self._put_off(unknown)

    def take(self, turn: Turn, leases: Leases, answered: set[int]) -> list[StepRow]:
        """Claim within a turn; ``answered`` are owned steps that this very turn has moved on."""
        self.more = self.crowded = False
        row = turn.row
        if row.state not in states.OPERATION_DRIVEN or any(held.alone for held in leases):
            return []
        rows: list[StepRow] = []
        if self.adopting:
            rows = self._adopt(turn.cursor, leases)
            self.adopting = False
            if any(adopted.takeovers >= self._figures.suspect_after for adopted in rows):
                self._tell(turn, rows)
                return rows
        if row.state != states.CANCELLING:
            rows += self._claim(turn, leases, answered)
        self._tell(turn, rows)
        return rows

    def _adopt(self, cursor: Any, leases: Leases) -> list[StepRow]:
        common: dict[str, Any] = {
            "worker": self._worker,
            "lease_s": self._figures.lease_s,
            "handlers": self.inline + self.pooled,
            "suspect_after": self._figures.suspect_after,
        }
        if not len(leases):
            # What several workers were lost over is worked on alone, so that it takes nothing else along.
            suspects = transitions.adopt(cursor, self._id, limit=1, suspects=True, **common)
            if suspects:
                return suspects
        return transitions.adopt(cursor, self._id, limit=10_000, suspects=False, **common)

    def _claim(self, turn: Turn, leases: Leases, answered: set[int]) -> list[StepRow]:
        rows: list[StepRow] = []
        held_back = self._serial
        running = sum(1 for held in leases if held.state == states.RUNNING and held.context.step_id not in answered)
        free = max(0, self._figures.threads * 2 - running)
        for cloud in self._clouds:
            room = 1_000_000
            if cloud is not None:
                ceiling = turn.row.concurrency or self._figures.cloud_concurrency
                room = max(0, ceiling - transitions.lock_cloud(turn.cursor, cloud))
            for handlers, inline in ((self.inline, True), (self.pooled, False)):
                if not handlers:
                    continue
                limit = min(self._figures.claim_batch if inline else free, room)
                if limit <= 0:
                    held_back = True
                    continue
                taken = transitions.claim(
                    turn.cursor,
                    self._id,
                    worker=self._worker,
                    lease_s=self._figures.lease_s,
                    handlers=handlers,
                    cloud_id=cloud,
                    limit=limit,
                )
                rows += taken
                room -= len(taken)
                if not inline:
                    free -= len(taken)
                held_back = held_back or len(taken) == limit
                self.more = self.more or (inline and len(taken) == limit)
        self.crowded = held_back and not self.more and transitions.has_ready(turn.cursor, self._id)
        return rows

    def _tell(self, turn: Turn, rows: list[StepRow]) -> None:
        if not rows:
            return
        if turn.row.state == states.QUEUED:
            turn.row.started = True
            turn.move(states.RUNNING)
        for row in rows:
            if row.lost:
                turn.event("step.log", row.key, line="The worker was lost; another one has taken the step over.")
            elif row.state == states.RUNNING:
                turn.event("step.state", row.key, state=states.RUNNING, attempt=row.attempt)
        if self.results.wanted:
            self.results.refresh(turn.cursor, turn.row.steps_done)
        undone = [row.undoes_id for row in rows if row.undoes_id is not None]
        if undone:
            self.results.load_undone(turn.cursor, undone)

    def held(self, row: StepRow, sent_at: float, link: Link) -> Held:
        """Return a claimed step as the driver holds it; ``sent_at``: local time before the claim was sent."""
        context = StepContext(
            operation_id=self._id,
            step_id=row.id,
            key=call_key(self._id, row.key),
            step_key=row.key,
            title=row.title,
            group=row.group,
            verb=row.verb,
            change=row.change,
            cloud_id=row.cloud_id,
            payload=_NO_PAYLOAD if row.payload == "{}" else json.loads(row.payload),
            attempt=row.attempt,
            fence=row.fence,
            handle=row.handle,
            results=self.results.by_group,
            undoes=self.results.undone.get(row.undoes_id) if row.undoes_id is not None else None,
            link=link,
        )
        return Held(
            context=context,
            state=row.state,
            handler=row.handler,
            max_attempts=row.max_attempts,
            undoes_id=row.undoes_id,
            lease_ends=sent_at + self._figures.lease_s,
            begun=now() - (row.age_s or 0.0),
            takeovers=row.takeovers,
            alone=row.takeovers >= self._figures.suspect_after,
            trouble_since=None if row.trouble_s is None else now() - row.trouble_s,
        )

    def _put_off(self, names: list[str]) -> None:
        """Look again later for steps whose handler only another release of the portal knows."""
        log.error("operation %s has steps of unknown handlers: %s", self._id, ", ".join(names))
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(
                "UPDATE operations_step SET due_at = clock_timestamp() + interval '15 seconds',"
                " message = 'This worker does not know how to do it; one of another release is waited for.'"
                " WHERE operation_id = %s AND state = 'ready' AND handler = ANY(%s)",
                [self._id, names],
            )
