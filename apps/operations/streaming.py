"""Send operations' events to many watchers: one reader per web process, whatever the number of open streams.

The journal numbers the events of an operation without gaps, in the order of their commits (its row is locked until
then). So "all events after number n" is exact: no watcher misses one or gets one twice. Redis only says when to look;
without it the reader looks once a second.
"""

from __future__ import annotations

import asyncio
import json
import logging
import time
import uuid
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Any
from weakref import WeakKeyDictionary

import psycopg
import redis.asyncio
from django.conf import settings
from django.db import connection
from redis.exceptions import RedisError

from apps.operations import states, wake

log = logging.getLogger(__name__)

LOOK_S = 1.0  # how often the reader looks without being woken
HEARTBEAT_S = 15.0  # comments that keep proxies from closing a quiet stream
LONGEST_S = 300.0  # then the watcher comes back, and whether it still may watch is checked anew
PAGE = 500
KEPT = 2_000  # events per operation kept in memory; whoever is further behind reads from the database
PAUSE_S = 1.0
LINGER_S = 2.0  # how long the connections are kept for the next watcher


@dataclass(frozen=True, slots=True)
class Sent:
    """An event as it goes over the wire."""

    seq: int
    text: bytes
    final: bool  # the operation was in a final state after it


@dataclass(slots=True)
class Channel:
    """The watchers of one operation, and its latest events; ``base`` is the number before the first one kept."""

    base: int
    last: int
    watchers: int = 0
    events: list[Sent] = field(default_factory=list)
    changed: asyncio.Event = field(default_factory=asyncio.Event)

    def add(self, event: Sent) -> None:
        """Keep the next event."""
        self.events.append(event)
        self.last = event.seq
        if len(self.events) > KEPT:
            dropped = self.events[: KEPT // 2]
            self.events = self.events[KEPT // 2 :]
            self.base = dropped[-1].seq

    def tell(self) -> None:
        """Wake all watchers."""
        self.changed.set()
        self.changed = asyncio.Event()


class Hub:
    """Read the events of all watched operations in one event loop, with one connection to each server."""

    _hubs: WeakKeyDictionary[asyncio.AbstractEventLoop, Hub] = WeakKeyDictionary()

    def __init__(self) -> None:
        self._channels: dict[uuid.UUID, Channel] = {}
        self._woken = asyncio.Event()
        self._reader: asyncio.Task[None] | None = None
        self._database: psycopg.AsyncConnection[Any] | None = None
        self._lock = asyncio.Lock()

    @classmethod
    def current(cls) -> Hub:
        """Return the hub of the running event loop."""
        loop = asyncio.get_running_loop()
        if loop not in cls._hubs:
            cls._hubs[loop] = cls()
        return cls._hubs[loop]

    @contextmanager
    def watch(self, operation_id: uuid.UUID, last: int) -> Iterator[Channel]:
        """Be a watcher inside; ``last`` is the number of an event that exists already."""
        channel = self._channels.setdefault(operation_id, Channel(last, last))
        channel.watchers += 1
        if self._reader is None:
            self._reader = asyncio.create_task(self._read())
        self._woken.set()
        try:
            yield channel
        finally:
            channel.watchers -= 1
            if not channel.watchers:
                del self._channels[operation_id]

    async def page(self, operation_id: uuid.UUID, after: int) -> list[Sent]:
        """Return the next events after a number from the database."""
        rows = await self._fetch(
            "SELECT operation_id, seq, at, type, step_key, data::text FROM operations_event"
            " WHERE operation_id = %s AND seq > %s ORDER BY seq LIMIT %s",
            [operation_id, after, PAGE],
        )
        return [_sent(*row[1:]) for row in rows]

    # The reader -----------------------------------------------------------------------------------------------

    async def _read(self) -> None:
        """Bring the channels up to date whenever woken, and once in a while anyway, as long as anybody watches."""
        listener = asyncio.create_task(self._listen())
        idle_since: float | None = None
        try:
            while idle_since is None or time.monotonic() - idle_since < LINGER_S:
                try:
                    async with asyncio.timeout(min(LOOK_S, LINGER_S)):
                        await self._woken.wait()
                except TimeoutError:
                    pass
                self._woken.clear()
                if not self._channels:
                    idle_since = idle_since or time.monotonic()
                    continue
                idle_since = None
                try:
                    while await self._refresh():
                        pass
                except (psycopg.Error, OSError) as error:
                    log.warning("Events cannot be read at present (%s)", type(error).__name__)
                    await self._hang_up()
                    await asyncio.sleep(PAUSE_S)
        finally:
            self._reader = None  # before anything is waited for: the next watcher starts another one
            listener.cancel()
            await self._hang_up()

    async def _refresh(self) -> bool:
        """Read what is new for all channels in one query; true when there may be more."""
        channels = dict(self._channels)
        rows = await self._fetch(
            "SELECT e.operation_id, e.seq, e.at, e.type, e.step_key, e.data::text FROM operations_event e"
            " JOIN unnest(%s::uuid[], %s::bigint[]) AS w(id, last) ON e.operation_id = w.id AND e.seq > w.last"
            " ORDER BY e.operation_id, e.seq LIMIT %s",
            [list(channels), [channel.last for channel in channels.values()], PAGE],
        )
        told = set()
        for operation_id, *row in rows:
            channel = channels[operation_id]
            if row[0] == channel.last + 1:
                channel.add(_sent(*row))
                told.add(operation_id)
        for operation_id in told:
            channels[operation_id].tell()
        return len(rows) == PAGE

    async def _fetch(self, statement: str, parameters: list[Any]) -> list[Any]:
        async with self._lock:
            if self._database is None or self._database.closed:
                self._database = await psycopg.AsyncConnection.connect(**_parameters(), autocommit=True)
            cursor = await self._database.execute(statement, parameters)
            return await cursor.fetchall()

    async def _hang_up(self) -> None:
        database, self._database = self._database, None
        if database is not None:
            await database.close()

    # The listener ---------------------------------------------------------------------------------------------

    async def _listen(self) -> None:
        """Be woken by Redis when an operation that is watched has news."""
        while True:
            client = redis.asyncio.Redis.from_url(
                settings.REDIS_URL, socket_connect_timeout=2, health_check_interval=30
            )
            try:
                async with client, client.pubsub() as messages:
                    await messages.psubscribe(f"{wake.PREFIX}*")
                    async for message in messages.listen():
                        self._hear(message)
            except (RedisError, OSError) as error:
                log.warning("Redis sends no wake-ups at present (%s)", type(error).__name__)
                await asyncio.sleep(PAUSE_S)

    def _hear(self, message: dict[str, Any]) -> None:
        if message.get("type") != "pmessage":
            return
        name = message["channel"]
        text = name.decode() if isinstance(name, bytes) else str(name)
        try:
            operation_id = uuid.UUID(text.removeprefix(wake.PREFIX))
        except ValueError:
            return
        if operation_id in self._channels:
            self._woken.set()


class EventStream:
    """Be the body of a streaming response: an operation's events after a number, as Server-Sent Events.

    It ends when the operation has ended, or after LONGEST_S. ``last`` is the number of the latest event at the time
    of asking. ``close`` may be called from any thread, and more than once.
    """

    def __init__(self, operation_id: uuid.UUID, after: int, last: int) -> None:
        self._operation_id, self._after, self._last = operation_id, after, last
        self._watching = ExitStack()
        self._loop: asyncio.AbstractEventLoop | None = None

    def close(self) -> None:
        """Watch no longer: the client has gone."""
        if self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._watching.close)

    async def __aiter__(self) -> AsyncIterator[bytes]:
        """Yield the text of the stream, in pieces of one or more events."""
        self._loop = asyncio.get_running_loop()
        hub = Hub.current()
        ends_at = time.monotonic() + LONGEST_S
        seen = self._after
        channel = self._watching.enter_context(hub.watch(self._operation_id, self._last))
        try:
            yield b"retry: 1000\n\n"
            while time.monotonic() < ends_at:
                changed = channel.changed  # taken before looking, so that no change is missed
                try:
                    news = await _news(hub, channel, self._operation_id, seen)
                except (psycopg.Error, OSError):
                    return  # the watcher comes back and goes on where it was
                if news:
                    yield b"".join(event.text for event in news)
                    seen = news[-1].seq
                    if news[-1].final and seen >= channel.last:
                        return
                    continue
                try:
                    async with asyncio.timeout(min(HEARTBEAT_S, max(0.0, ends_at - time.monotonic()))):
                        await changed.wait()
                except TimeoutError:
                    yield b": still here\n\n"
        finally:
            self._watching.close()


async def _news(hub: Hub, channel: Channel, operation_id: uuid.UUID, seen: int) -> list[Sent]:
    if seen < channel.base:
        # Only up to where the channel begins: from there on it is at least as far as the database was.
        return [event for event in await hub.page(operation_id, seen) if event.seq <= channel.base]
    return [event for event in channel.events if event.seq > seen]


def _sent(seq: int, at: Any, type_: str, step_key: str, data: str) -> Sent:
    body = json.loads(data)
    text = json.dumps({"seq": seq, "at": at.isoformat(), "type": type_, "step_key": step_key, "data": body})
    final = type_ == "operation.state" and body.get("state") in states.OPERATION_ENDS
    return Sent(seq, f"id: {seq}\nevent: {type_}\ndata: {text}\n\n".encode(), final)


def _parameters() -> dict[str, Any]:
    """Return what psycopg needs to reach Django's database."""
    parameters = dict(connection.get_connection_params())
    for name in ("context", "cursor_factory", "prepare_threshold", "client_encoding"):
        parameters.pop(name, None)
    parameters["application_name"] = "escale events"
    return parameters
