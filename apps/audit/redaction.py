"""Take secrets out of what is about to be written into the audit log, by the names of keys and by known values."""

from __future__ import annotations

import re
from typing import Any

from apps.tenancy.redaction import HIDDEN, redact_text

_NAMES = re.compile(r"passw|secret|token$|^token|credential|private|api_?key|authorization|cookie|digest|sealed", re.I)
_TOKENS = re.compile(r"escale_[a-z0-9]{12}_[A-Za-z0-9]{43}")


def redact(value: Any, name: str = "") -> Any:
    """Return the value without secrets: those under a telling name, API tokens, and all that this process opened."""
    if name and _NAMES.search(name) and not isinstance(value, bool | int | dict | list) and value not in (None, ""):
        return HIDDEN
    if isinstance(value, dict):
        return {key: redact(item, str(key)) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [redact(item, name) for item in value]
    if isinstance(value, str):
        return redact_text(_TOKENS.sub(HIDDEN, value))
    return value
