"""Turn outbox rows and due times into pokes. The rows are the truth: Redis may be away, flushed, or repeat itself.

Several relays may run; each row is sent by one of them, or twice when one is killed between sending and deleting.
"""

from __future__ import annotations

import logging
import threading
import time
import uuid
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import psycopg
import redis
from celery import current_app
from django.conf import settings
from django.db import DatabaseError, InterfaceError, connection, transaction
from kombu.exceptions import OperationalError as BrokerError
from redis.backoff import NoBackoff
from redis.retry import Retry

from apps.operations import failpoints
from apps.operations.tuning import Tuning, tuning

log = logging.getLogger(__name__)

BATCH = 1_000
PAUSE_S = 1.0  # after PostgreSQL or Redis failed
FORGET_BEATS_S = 3_600

Send = Callable[[Iterable[uuid.UUID]], None]


class BrokerAwayError(Exception):
    """Redis does not take messages at present."""


def send_pokes(operations: Iterable[uuid.UUID]) -> None:
    """Send one message per operation; raises BrokerAwayError when Redis does not take them."""
    from apps.operations.tasks import poke

    try:
        with current_app.producer_pool.acquire(block=True, timeout=5) as producer:
            for operation_id in operations:
                poke.apply_async((str(operation_id),), producer=producer, retry=False, ignore_result=True)
    except (BrokerError, redis.RedisError, OSError) as error:
        raise BrokerAwayError(type(error).__name__) from None


def send_outbox(send: Send = send_pokes) -> int:
    """Send what the outbox holds and delete it; returns how many operations were poked."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(
            "SELECT id, operation_id FROM operations_outbox ORDER BY id LIMIT %s FOR UPDATE SKIP LOCKED", [BATCH]
        )
        rows = cursor.fetchall()
        if not rows:
            return 0
        operations = list(dict.fromkeys(operation_id for _, operation_id in rows))
        send(operations)
        failpoints.hit("relay_after_send")
        cursor.execute(
            "UPDATE operations_operation SET poked_at = clock_timestamp() WHERE id IN ("
            " SELECT id FROM operations_operation WHERE id = ANY(%s) FOR NO KEY UPDATE SKIP LOCKED)",
            [operations],
        )
        cursor.execute("DELETE FROM operations_outbox WHERE id = ANY(%s)", [[row_id for row_id, _ in rows]])
    return len(operations)


def poke_due(figures: Tuning, send: Send = send_pokes) -> int:
    """Poke operations whose time has come, and those whose last poke nobody answered; returns how many."""
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE operations_operation SET poked_at = clock_timestamp() WHERE id IN ("
            " SELECT id FROM operations_operation WHERE due_at <= clock_timestamp()"
            " AND (poked_at IS NULL OR poked_at < due_at - interval '0.01 seconds'"
            "      OR poked_at < clock_timestamp() - %s * interval '1 second')"
            " ORDER BY due_at LIMIT %s FOR UPDATE SKIP LOCKED) RETURNING id",
            [figures.repoke_s, BATCH],
        )
        operations = [row[0] for row in cursor.fetchall()]
    if operations:
        send(operations)
    return len(operations)


def sweep() -> int:
    """Make due what nobody looks after: live operations without a due time, and those with leases that ran out.

    Returns how many operations that were. The rule is kept by every transition; this heals what should not happen.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE operations_operation SET due_at = clock_timestamp() WHERE id IN ("
            " SELECT o.id FROM operations_operation o WHERE o.state IN ('queued', 'running', 'cancelling', 'reverting')"
            " AND (o.due_at IS NULL OR (o.due_at > clock_timestamp() AND EXISTS ("
            "  SELECT 1 FROM operations_step s WHERE s.operation_id = o.id AND s.state IN ('running', 'waiting')"
            "  AND s.lease_until < clock_timestamp() - interval '0.2 seconds')))"
            " LIMIT %s FOR UPDATE OF o SKIP LOCKED) RETURNING id",
            [BATCH],
        )
        found = len(cursor.fetchall())
        cursor.execute(
            "DELETE FROM operations_workerbeat WHERE at < clock_timestamp() - %s * interval '1 second'",
            [FORGET_BEATS_S],
        )
    return found


class Relay:
    """Run until told to stop: send at each notice of the outbox, poke what is due, sweep now and then."""

    def __init__(self, figures: Tuning | None = None, send: Send = send_pokes) -> None:
        self._figures = figures or tuning()
        self._send = send
        self._sweep_at = 0.0
        self._listening: Any = None
        self._crowded = False
        self._complained_at: float | None = None

    def run(self, stop: threading.Event) -> None:
        """Work until ``stop`` is set; outlives PostgreSQL and Redis being away."""
        while not stop.is_set():
            try:
                self.tick()
                self._wait()
            except BrokerAwayError as error:
                self._complain("Redis takes no messages (%s); the outbox keeps them", error)
                stop.wait(PAUSE_S)
            except (DatabaseError, InterfaceError, psycopg.Error) as error:
                self._complain("PostgreSQL does not answer (%s)", type(error).__name__)
                connection.close()
                stop.wait(PAUSE_S)
        connection.close()

    def tick(self) -> None:
        """Send and poke once."""
        self._listen()
        while send_outbox(self._send) >= BATCH:
            pass
        if time.monotonic() >= self._sweep_at:
            sweep()
            self._crowded = self._queue_is_long()
            self._sweep_at = time.monotonic() + self._figures.sweep_s
        if not self._crowded:
            poke_due(self._figures, self._send)
        self._complained_at = None

    def _wait(self) -> None:
        """Sleep until the outbox is written to, or for one tick."""
        for _ in connection.connection.notifies(timeout=self._figures.relay_tick_s, stop_after=1):
            pass

    def _listen(self) -> None:
        connection.ensure_connection()
        if self._listening is not connection.connection:
            with connection.cursor() as cursor:
                cursor.execute("LISTEN operations_outbox")
            self._listening = connection.connection

    def _queue_is_long(self) -> bool:
        """Tell whether so many messages wait already that repeating pokes would only pile up more."""
        with connection.cursor() as cursor:
            cursor.execute("SELECT count(*) FROM operations_operation WHERE due_at IS NOT NULL")
            live = int(cursor.fetchone()[0])
        length = queue_length()
        return length is not None and length > 200 + 3 * live

    def _complain(self, text: str, reason: object) -> None:
        """Log an outage once, and again each minute that it lasts."""
        if self._complained_at is None or time.monotonic() - self._complained_at > 60:
            log.warning(text, reason)
            self._complained_at = time.monotonic()


def queue_length() -> int | None:
    """Return how many messages wait in the workers' queue, or None when Redis does not answer."""
    client = redis.Redis.from_url(
        settings.REDIS_URL, socket_timeout=1, socket_connect_timeout=1, retry=Retry(NoBackoff(), 0)
    )
    try:
        with client:
            names: Sequence[str] = [current_app.conf.task_default_queue]
            return sum(int(client.llen(name)) for name in names)
    except (redis.RedisError, OSError):
        return None
