"""Do the one step of a sync: the journal's handler "sync".

The work is cut into slices, each of which ends at a page whose cursor is committed. ``start`` does nothing but say
that it is under way; each look at it (``poll``) does another slice. So a load of everything may last longer than a
call, is seen advancing, and goes on in another worker when this one is lost.
"""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Sequence
from typing import Any

from apps.clouds.models import Cloud
from apps.inventory import registry, syncing
from apps.operations.registry import StepContext
from apps.tenancy.faults import Fault
from connectors.base import ConnectorError, Outcome

log = logging.getLogger(__name__)

SLICE_S = 8.0
_AWAY = frozenset({"cloud.unreachable", "cloud.not_authenticated"})


class SyncHandler:
    """Bring a cloud's rows up to date; keeps no state between calls."""

    needs_results = False

    def start(self, step: StepContext) -> Outcome:
        """Say that the sync is under way; what it does is up to `poll`."""
        return Outcome.running(json.dumps({"scratch": bool(step.payload.get("scratch")), "since": time.time()}))

    def poll(self, steps: Sequence[StepContext]) -> dict[int, Outcome]:
        """Do a slice for each of the steps."""
        return {step.step_id: self._slice(step) for step in steps}

    def cancel(self, step: StepContext) -> None:
        """Stop between two slices: `poll` looks whether the operation is being cancelled."""

    def undo(self, step: StepContext) -> Outcome:
        """Leave the rows as they are: they say what is on the cloud, whoever asked for them."""
        return Outcome.done("nothing to undo")

    def _slice(self, step: StepContext) -> Outcome:
        if step.cancelled:
            error = ConnectorError("cloud.cancelled", "The sync was cancelled; its rows so far stay.", permanent=True)
            return Outcome.failed(error)
        rows = Cloud.objects.present().select_related("organization").defer("inventory", "ca_pem")
        cloud = rows.filter(pk=step.cloud_id).first()
        if cloud is None:
            error = ConnectorError("cloud.unknown", "The cloud was removed from the portal.", permanent=True)
            return Outcome.failed(error)
        note: dict[str, Any] = json.loads(step.handle)
        try:
            done = syncing.follow(cloud, SLICE_S, from_scratch=note.get("scratch", False))
        except syncing.Overtaken:
            return Outcome.running(step.handle, message="Another worker writes the rows; this one looks again.")
        except ConnectorError as error:
            syncing.note_trouble(cloud, error)
            if error.code in _AWAY:
                # Not waited for as other steps do: the next look starts another sync when the cloud is back.
                error = ConnectorError("inventory.away", error.message, permanent=True, detail=error.detail)
            return Outcome.failed(error)
        except Fault as problem:
            return Outcome.failed(ConnectorError(problem.code, problem.message, permanent=problem.status < 500))
        return self._told(cloud, step, note, done)

    def _told(self, cloud: Cloud, step: StepContext, note: dict[str, Any], done: syncing.Slice) -> Outcome:
        written = done.written
        note = {
            "scratch": False,
            "since": note["since"],
            "full": note.get("full", False) or done.full,
            "read": note.get("read", 0) + done.read,
            "written": note.get("written", 0) + len(written.stored),
            "vanished": note.get("vanished", 0) + len(written.vanished),
        }
        if written:
            registry.tell(cloud, written.changed)
        if done.ended:
            result = {name: note[name] for name in ("full", "read", "written", "vanished")}
            result["seconds"] = round(time.time() - note["since"], 1)
            syncing.report(cloud, result)
            return Outcome.done(**result)
        percent, message = syncing.progress(syncing.state_of(cloud), syncing.seen(cloud.pk) or note["read"], done.total)
        return Outcome.running(json.dumps(note), percent, message)


SYNC = SyncHandler()
"""The one that is registered."""
