"""What a driver owns: steps under a fence, each until its lease runs out."""

from __future__ import annotations

import logging
import uuid
from collections.abc import Iterator

from django.db import DatabaseError, connection

from apps.operations import states, transitions
from apps.operations.clock import now
from apps.operations.deciding import Held
from apps.operations.tuning import Tuning

log = logging.getLogger(__name__)


class Leases:
    """The steps of one driver. ``still_mine`` may be called from any thread, the rest from the driver's own."""

    def __init__(self, operation_id: uuid.UUID, figures: Tuning) -> None:
        self._operation_id, self._figures = operation_id, figures
        self._held: dict[int, Held] = {}

    def __iter__(self) -> Iterator[Held]:
        return iter(list(self._held.values()))

    def __len__(self) -> int:
        return len(self._held)

    def get(self, step_id: int) -> Held | None:
        """Return a step that is owned now, or None."""
        return self._held.get(step_id)

    def owns(self, held: Held) -> bool:
        """Tell whether this very claim of the step is still owned, as far as is known here."""
        return self._held.get(held.context.step_id) is held

    def add(self, held: Held) -> None:
        """Own a step."""
        self._held[held.context.step_id] = held

    def drop(self, held: Held) -> None:
        """Own it no longer."""
        if self.owns(held):
            del self._held[held.context.step_id]

    def clear(self) -> None:
        """Own nothing any more."""
        self._held.clear()

    @property
    def last_end(self) -> float | None:
        """Return when the last of the leases runs out, or None without any."""
        return max((held.lease_ends for held in self._held.values()), default=None)

    def calling(self) -> int:
        """Return how many calls to handlers are under way."""
        return sum(1 for held in self._held.values() if held.called_at is not None)

    def expired(self, *, give_up_calls: bool = False) -> list[Held]:
        """Return the steps whose lease may have run out: suspended too long, or a call that never came back.

        With ``give_up_calls`` also those whose call has taken so long that their lease is no longer prolonged.
        """
        at = now()
        longest_s = self._figures.call_timeout_s if give_up_calls else float("inf")
        return [
            held
            for held in self._held.values()
            if at >= held.lease_ends or (held.called_at is not None and at - held.called_at > longest_s)
        ]

    def renew(self) -> list[Held]:
        """Prolong all leases in one statement, and return the steps that belong to somebody else by now.

        A call that has been under way for too long is not prolonged: its lease runs out, and others take over.
        """
        sent_at = now()
        owned = {
            step_id: held
            for step_id, held in self._held.items()
            if held.called_at is None or sent_at - held.called_at < self._figures.call_timeout_s
        }
        lease_s = self._figures.lease_s
        with connection.cursor() as cursor:
            cursor.execute(
                "UPDATE operations_operation SET due_at = clock_timestamp() + %s * interval '1 second'"
                " WHERE id = %s AND due_at IS NOT NULL",
                [lease_s, self._operation_id],
            )
            pairs = [(step_id, held.context.fence) for step_id, held in owned.items()]
            renewed = transitions.renew(cursor, pairs, lease_s) if pairs else set()
        for step_id in renewed:
            owned[step_id].lease_ends = sent_at + lease_s
        return [held for step_id, held in owned.items() if step_id not in renewed]

    def still_mine(self, step_id: int, fence: int) -> bool:
        """Ask the database whether the fence still stands; False when it cannot be asked."""
        held = self._held.get(step_id)
        if held is None or held.context.fence != fence or now() >= held.lease_ends:
            return False
        try:
            with connection.cursor() as cursor:
                cursor.execute(
                    "SELECT lease_until > clock_timestamp() FROM operations_step WHERE id = %s AND fence = %s"
                    " AND state = ANY(%s)",
                    [step_id, fence, list(states.STEP_IN_FLIGHT)],
                )
                row = cursor.fetchone()
        except DatabaseError:
            return False
        return bool(row and row[0]) and now() < held.lease_ends
