"""Let all processes see which clouds one of them does not ask for the moment: for eyes, never to decide by.

Breakers live in the process that makes the calls (`connections.Breaker`); pages are served by others. What is told here
lies in the cache, ends by itself, and may be lost.
"""

from __future__ import annotations

import logging
import uuid
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

from django.core.cache import cache

log = logging.getLogger(__name__)

CLOSED: dict[str, Any] = {"state": "closed", "asked_again_at": None}
GRACE_S = 45.0
"""How long an open circuit is shown after its time: as half open, until the one call that is let through has ended."""


def tell(cloud_id: uuid.UUID, open_for_s: float) -> None:
    """Note that a process asks a cloud no more for so long; 0: that it does again."""
    try:
        if open_for_s <= 0:
            cache.delete(_key(cloud_id))
            return
        again = datetime.now(UTC) + timedelta(seconds=open_for_s)
        cache.set(_key(cloud_id), again.isoformat(), open_for_s + GRACE_S)
    except Exception as error:  # the cache may be away: then nobody sees it, and nothing else changes
        log.info("The state of a circuit was not told: %s", type(error).__name__)


def read(cloud_ids: Iterable[uuid.UUID]) -> dict[uuid.UUID, dict[str, Any]]:
    """Return {state: closed, open or half_open; asked_again_at} by cloud."""
    ids = list(cloud_ids)
    try:
        found: dict[str, Any] = cache.get_many([_key(cloud_id) for cloud_id in ids])
    except Exception:
        found = {}
    return {cloud_id: _shown(found.get(_key(cloud_id))) for cloud_id in ids}


def _shown(again: Any) -> dict[str, Any]:
    if not again:
        return dict(CLOSED)
    moment = datetime.fromisoformat(str(again))
    return {"state": "open" if moment > datetime.now(UTC) else "half_open", "asked_again_at": moment}


def _key(cloud_id: uuid.UUID) -> str:
    return f"clouds:circuit:{cloud_id}"
