"""Let this app's writes be audited although the audit log lies above it: the audit app registers itself here."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from apps.tenancy.access import Actor
from apps.tenancy.faults import Defect

Recorder = Callable[[Actor, str, str, object, str, Mapping[str, Any]], Any]

_recorder: Recorder | None = None


def register_recorder(recorder: Recorder) -> None:
    """Set the function that appends to the audit log; see `apps.audit.services.record`."""
    global _recorder
    _recorder = recorder


def record(who: Actor, action: str, object_type: str, object_id: object, name: str, data: Mapping[str, Any]) -> None:
    """Append to the audit log; Defect when there is none: what cannot be recorded must not be done."""
    if _recorder is None:
        raise Defect("no audit log is registered")
    _recorder(who, action, object_type, object_id, name, data)
