"""Make what is withheld unguessable from its digest."""

from __future__ import annotations

import secrets
from typing import Any


def salted(internals: dict[str, Any]) -> dict[str, Any]:
    """Return internals with a random text among them: addresses are few, and could be tried one after the other."""
    return {**internals, "salt": secrets.token_hex(16)}
