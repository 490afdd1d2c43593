"""Prove that a worker consumes, and end one that has gone deaf.

Workers were seen to stop consuming in silence after a reconnect to Redis (celery#8091, celery#10205). So each worker
listens to a queue of its own as well, sends itself a beat through the broker, and ends when none comes back for too
long while the broker answers; whoever supervises it starts it anew. The steps that it held are taken over.
"""

from __future__ import annotations

import logging
import mmap
import os
import signal
import struct
import threading
import time

import redis
from django.conf import settings
from django.db import DatabaseError, connection
from kombu.exceptions import OperationalError as BrokerError
from redis.backoff import NoBackoff
from redis.retry import Retry

from apps.operations.tuning import Tuning

log = logging.getLogger(__name__)

# Shared by the worker's main process and the children it forks: when a child last consumed (8 bytes), whether to stop,
# and whether the worker serves other queues than that of the pokes.
_shared = mmap.mmap(-1, 16)
_noted_at = 0.0


def note(worker: str, at_most_every_s: float = 0.0) -> None:
    """Write down that a worker has just consumed something, by the database's clock."""
    global _noted_at
    at = time.monotonic()
    _shared[:8] = struct.pack("d", at)
    if _shared[9] or (at_most_every_s and at - _noted_at < at_most_every_s):
        return
    try:
        with connection.cursor() as cursor:
            cursor.execute(
                "INSERT INTO operations_workerbeat (name, at) VALUES (%s, clock_timestamp())"
                " ON CONFLICT (name) DO UPDATE SET at = excluded.at",
                [worker[:120]],
            )
        _noted_at = at
    except DatabaseError as error:
        log.warning("A beat could not be written (%s)", type(error).__name__)


def consumed_at() -> float:
    """Return when this worker last consumed something, on the machine's monotonic clock; 0 for never."""
    return float(struct.unpack("d", _shared[:8])[0])


def keep_quiet() -> None:
    """Write no beats: this worker takes no pokes, so nobody may call the portal ready because of it."""
    _shared[9] = 1


def stop() -> None:
    """Have the drivers of this worker give back what they own, since it is shutting down."""
    _shared[8] = 1


def is_stopping() -> bool:
    """Tell whether the worker is shutting down."""
    return _shared[8] == 1


def queue_of(worker: str) -> str:
    """Return the name of the queue that one worker alone consumes."""
    return f"worker.{worker}"


class Watch(threading.Thread):
    """Send beats to one's own worker, and end it when none has come back for too long."""

    def __init__(self, worker: str, figures: Tuning) -> None:
        super().__init__(name="watch", daemon=True)
        self._worker, self._figures = worker, figures
        self._started_at = self._sent_at = time.monotonic()

    def run(self) -> None:
        """Watch until the process ends."""
        self._send()
        while not is_stopping():
            time.sleep(self._figures.beat_s)
            at = time.monotonic()
            heard_at = max(consumed_at(), self._started_at)
            if at - heard_at > self._figures.deaf_s and self._broker_answers():
                self._end(at - heard_at)
                return
            # One beat at a time, unless it got lost: else a dead worker's queue would fill up.
            if consumed_at() >= self._sent_at or at - self._sent_at > self._figures.deaf_s / 3:
                self._send()

    def _send(self) -> None:
        from apps.operations.tasks import beat

        at = time.monotonic()  # taken before, since the worker may have consumed it before the call returns
        try:
            beat.apply_async(
                queue=queue_of(self._worker), retry=False, ignore_result=True, expires=self._figures.deaf_s
            )
            self._sent_at = at
        except (BrokerError, redis.RedisError, OSError) as error:
            log.warning("A beat could not be sent (%s)", type(error).__name__)

    def _broker_answers(self) -> bool:
        client = redis.Redis.from_url(
            settings.REDIS_URL, socket_timeout=2, socket_connect_timeout=2, retry=Retry(NoBackoff(), 0)
        )
        try:
            with client:
                return bool(client.ping())
        except (redis.RedisError, OSError):
            # Whoever cannot reach the broker has not gone deaf; the silence counts anew once it is back.
            self._started_at = time.monotonic()
            return False

    def _end(self, silence_s: float) -> None:
        log.critical(
            "This worker has consumed nothing for %d s although Redis answers; it ends itself to be started anew",
            silence_s,
        )
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(30)
        os.kill(os.getpid(), signal.SIGKILL)
