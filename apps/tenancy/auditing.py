"""Let this app's writes be audited although the audit log lies above it: the audit app registers itself here."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from typing import Any

from apps.tenancy.access import Actor
from apps.tenancy.faults import Defect

Recorder = Callable[[Actor, str, str, object, str, Mapping[str, Any]], Any]

_recorder: Recorder | None = None
_gathered: Callable[[], AbstractContextManager[None]] = nullcontext


def register_recorder(recorder: Recorder, gathered: Callable[[], AbstractContextManager[None]]) -> None:
    """Set what appends to the audit log; see `record` and `gathered` of `apps.audit.services`."""
    global _recorder, _gathered
    _recorder, _gathered = recorder, gathered


def gathered() -> AbstractContextManager[None]:
    """Append what is recorded within at its end, so that slow work does not keep the log locked."""
    return _gathered()


def record(who: Actor, action: str, object_type: str, object_id: object, name: str, data: Mapping[str, Any]) -> None:
    """Append to the audit log; Defect when there is none: what cannot be recorded must not be done."""
    if _recorder is None:
        raise Defect("no audit log is registered")
    _recorder(who, action, object_type, object_id, name, data)
