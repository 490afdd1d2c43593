"""Handles: what must be remembered of work under way, so that any process can go on with it."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass, field, replace
from typing import Any

from connectors.base import ConnectorError, Handle, Outcome
from engine.resources import Owner

_MAX_BYTES = 2048


@dataclass(frozen=True, slots=True)
class Note:
    """One handle, read: ``thing`` is the id of what is watched, ``since`` when work began, ``data`` the verb's own."""

    verb: str
    key: str
    resource: str
    owner: Owner
    thing: str = ""
    since: float = field(default_factory=lambda: round(time.time(), 1))
    data: dict[str, Any] = field(default_factory=dict)

    def dump(self) -> Handle:
        """Return the handle's text; ConnectorError when it grows too large."""
        owner = self.owner
        body = {
            "verb": self.verb,
            "key": self.key,
            "resource": self.resource,
            "owner": [
                owner.organization_id, owner.organization, owner.project_id, owner.project,
                owner.deployment_id, owner.deployment,
            ],
            "thing": self.thing,
            "since": self.since,
            "data": self.data,
        }  # fmt: skip
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
                str(body["verb"]), str(body["key"]), str(body["resource"]), Owner(*body["owner"]),
                str(body["thing"]), float(body["since"]), dict(body["data"]),
            )  # fmt: skip
        except (ValueError, KeyError, TypeError):
            raise ConnectorError(
                "cloud.invalid",
                "The handle of a step cannot be read - another version wrote it - retry the step",
                permanent=True,
            ) from None

    def on(self, thing: str = "", **data: Any) -> Note:
        """Return the note of the next thing to wait for."""
        return replace(self, thing=thing or self.thing, data={**self.data, **data})

    def running(self, message: str = "") -> Outcome:
        """Return the outcome that this note is the handle of."""
        return Outcome.running(self.dump(), None, message)

    @property
    def age_s(self) -> float:
        """Return for how long the work has been under way."""
        return time.time() - self.since
