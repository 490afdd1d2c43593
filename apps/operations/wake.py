"""Wake those who wait for an operation's events, by Redis; a lost wake-up only costs them their next look."""

from __future__ import annotations

import logging
import threading
import time
import uuid

import redis
from django.conf import settings
from django.db import transaction
from redis.backoff import NoBackoff
from redis.retry import Retry

log = logging.getLogger(__name__)

PREFIX = "escale:events:"
TIMEOUT_S = 0.5
PAUSE_S = 5.0  # after Redis failed, commits do not wait for it again for this long

_lock = threading.Lock()
_client: redis.Redis | None = None
_quiet_until = 0.0


def channel(operation_id: uuid.UUID | str) -> str:
    """Return the name of the channel of an operation."""
    return f"{PREFIX}{operation_id}"


def after_commit(operation_id: uuid.UUID, last_seq: int) -> None:
    """Publish the number of the last event once the transaction has committed."""
    transaction.on_commit(lambda: publish(operation_id, last_seq), robust=True)


def publish(operation_id: uuid.UUID, last_seq: int) -> None:
    """Publish now; never raises, and never waits long."""
    global _client, _quiet_until
    if time.monotonic() < _quiet_until:
        return
    try:
        with _lock:
            if _client is None:
                _client = redis.Redis.from_url(
                    settings.REDIS_URL,
                    socket_timeout=TIMEOUT_S,
                    socket_connect_timeout=TIMEOUT_S,
                    retry=Retry(NoBackoff(), 0),
                )
        _client.publish(channel(operation_id), last_seq)
    except (redis.RedisError, OSError) as error:
        _quiet_until = time.monotonic() + PAUSE_S
        log.warning("Redis did not take a wake-up (%s); watchers look by themselves meanwhile", type(error).__name__)
