"""Handles: what must be remembered of work under way, so that any process can go on with it."""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from typing import Any

from connectors.base import ConnectorError, Handle, Outcome
from connectors.vsphere.soap import Ref, VimFault
from engine.resources import Owner

_MAX_BYTES = 2048


@dataclass(frozen=True, slots=True)
class Note:
    """One handle, read.

    ``verb`` and ``phase`` say which small state machine it is in and where; ``task`` is the vCenter's task that
    is waited for, ``machine`` the virtual machine that is watched or worked on; ``data`` holds the verb's own.
    ``tries`` counts how often the follow-up of a finished task went wrong.
    """

    verb: str
    phase: str
    key: str
    resource: str
    owner: Owner
    task: Ref | None = None
    machine: Ref | None = None
    data: dict[str, Any] = field(default_factory=dict)
    tries: int = 0

    def dump(self) -> Handle:
        """Return the handle's text."""
        owner = self.owner
        body: dict[str, Any] = {
            "verb": self.verb,
            "phase": self.phase,
            "key": self.key,
            "resource": self.resource,
            "owner": [
                owner.organization_id, owner.organization, owner.project_id, owner.project,
                owner.deployment_id, owner.deployment,
            ],
        }  # fmt: skip
        if self.task is not None:
            body["task"] = str(self.task)
        if self.machine is not None:
            body["machine"] = str(self.machine)
        if self.data:
            body["data"] = self.data
        if self.tries:
            body["tries"] = self.tries
        text = json.dumps(body, separators=(",", ":"), sort_keys=True)
        if len(text.encode()) > _MAX_BYTES:
            raise ConnectorError(
                "cloud.invalid", "A handle grew beyond 2 kB - names are too long - choose shorter ones", permanent=True
            )
        return text

    @classmethod
    def load(cls, handle: Handle) -> Note:
        """Read a handle; ConnectorError when it is none of ours."""
        try:
            body = json.loads(handle)
            return cls(
                verb=body["verb"],
                phase=body["phase"],
                key=body["key"],
                resource=body["resource"],
                owner=Owner(*body["owner"]),
                task=Ref.parse(body["task"]) if "task" in body else None,
                machine=Ref.parse(body["machine"]) if "machine" in body else None,
                data=body.get("data", {}),
                tries=body.get("tries", 0),
            )
        except (ValueError, KeyError, TypeError):
            raise ConnectorError(
                "cloud.invalid",
                "The handle of a step cannot be read - another version wrote it - retry the step",
                permanent=True,
            ) from None

    def on(self, task: Ref | None, phase: str | None = None, **data: Any) -> Note:
        """Return the note of the next thing to wait for."""
        return replace(self, task=task, phase=phase or self.phase, data={**self.data, **data}, tries=0)

    def running(self, progress: int | None = None, message: str = "") -> Outcome:
        """Return the outcome that this note is the handle of."""
        return Outcome.running(self.dump(), progress, message)


@dataclass(frozen=True, slots=True)
class TaskEnd:
    """How a task ended. ``lost``: the vCenter does not know it any more, so that its end is unknown."""

    result: Any = None
    fault: VimFault | None = None
    lost: bool = False
