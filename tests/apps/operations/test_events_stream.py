"""Server-Sent Events: no gap, no repetition, whatever happens to watchers, Redis and PostgreSQL."""

from __future__ import annotations

import asyncio
import json
import threading
from contextlib import asynccontextmanager

import pytest
import redis
from asgiref.sync import sync_to_async
from django.db import connection, connections
from django.test import AsyncClient

from apps.operations import streaming, wake
from apps.operations.journal import turn
from apps.operations.runner import drive
from apps.operations.services import cancel, retry
from tests.apps.operations.looking import events_of

pytestmark = pytest.mark.django_db(transaction=True)
SSE = {"accept": "text/event-stream"}


@pytest.fixture(autouse=True)
def _no_lingering(monkeypatch):
    monkeypatch.setattr(streaming, "LINGER_S", 0.2)


class Watcher:
    """Somebody who follows the events of an operation over HTTP."""

    def __init__(self, response):
        self.response = response
        self.chunks = aiter(response.streaming_content)
        self.text = ""
        self.events = []
        self.comments = 0

    async def take(self, count=None):
        """Read until there are so many events, or to the end of the stream."""
        while count is None or len(self.events) < count:
            try:
                async with asyncio.timeout(15):
                    chunk = await anext(self.chunks)
            except StopAsyncIteration:
                break
            self.text += chunk.decode()
            *blocks, self.text = self.text.split("\n\n")
            for block in blocks:
                fields = dict(line.split(": ", 1) for line in block.splitlines() if not line.startswith(":"))
                self.comments += block.startswith(":")
                if "data" in fields:
                    event = json.loads(fields["data"])
                    assert fields["id"] == str(event["seq"])
                    assert fields["event"] == event["type"]
                    self.events.append(event)
        return [event["seq"] for event in self.events]

    async def leave(self):
        """Go away, as Django does it when a client disconnects."""
        await self.chunks.aclose()
        await sync_to_async(self.response.close)()


@asynccontextmanager
async def watching(person, operation, query="", **headers):
    client = AsyncClient()
    address = f"/api/v1/operations/{operation.pk}/events/{query}"
    response = await client.get(address, headers={**SSE, "authorization": f"Bearer {person.token_text}", **headers})
    assert response.status_code == 200, getattr(response, "content", "")
    assert response["Content-Type"] == "text/event-stream"
    watcher = Watcher(response)
    try:
        yield watcher
    finally:
        await watcher.leave()


def add_event(operation, line):
    with turn(operation.pk) as current:
        current.event("step.log", "a", line=line)
    connection.close()


in_thread = sync_to_async


def run(coroutine):
    async def bounded():
        async with asyncio.timeout(40):
            await coroutine
            await sync_to_async(connections.close_all)()
            hub = streaming.Hub.current()
            while hub._database is not None or hub._reader is not None:
                await asyncio.sleep(0.01)  # it hangs up when the last watcher has left

    asyncio.run(bounded())


def test_it_sends_everything_from_the_start_to_the_end_and_then_ends(start, bob):
    operation = start({"a": {"task_s": 0.2}, "b": {}}, after={"b": ["a"]})

    async def story():
        async with watching(bob, operation) as watcher:
            assert await watcher.take(1) == [1]
            driver = asyncio.create_task(in_thread(drive, thread_sensitive=False)(operation.pk, budget_s=10))
            seen = await watcher.take()
            await driver
            return seen, watcher.events

    results = []

    async def keep():
        results.append(await story())

    run(keep())
    ((seen, events),) = results
    assert seen == list(range(1, len(events_of(operation)) + 1))
    assert events[-1]["data"] == {"state": "succeeded"}


def test_a_watcher_that_comes_back_misses_nothing_and_sees_nothing_twice(start, bob):
    operation = start({"a": {}})
    seen = []

    async def story():
        last = 0
        for round_ in range(6):
            headers = {"last-event-id": str(last)} if last else {}
            # The address still holds where the first stream began: the header goes before it.
            async with watching(bob, operation, "?after=0", **headers) as watcher:
                for number in range(4):
                    await in_thread(add_event, thread_sensitive=False)(operation, f"{round_}.{number}")
                await watcher.take(3)
                seen.extend(watcher.events)
                last = seen[-1]["seq"]

    run(story())
    numbers = [event["seq"] for event in seen]
    assert numbers == list(range(1, len(numbers) + 1))
    assert len(numbers) >= 18


def test_many_watchers_share_one_reader(start, bob, monkeypatch):
    operation = start({"a": {}})
    reads = []
    genuine = streaming.Hub._fetch

    async def counting(hub, statement, parameters):
        reads.append(statement)
        return await genuine(hub, statement, parameters)

    monkeypatch.setattr(streaming.Hub, "_fetch", counting)

    async def story():
        async def one():
            async with watching(bob, operation, "?after=1") as watcher:
                return await watcher.take(20)

        watchers = [asyncio.create_task(one()) for _ in range(30)]
        await asyncio.sleep(1.5)
        for number in range(20):
            await in_thread(add_event, thread_sensitive=False)(operation, str(number))
        for found in await asyncio.gather(*watchers):
            assert found == list(range(2, 22))

    run(story())
    assert len(reads) < 150  # not one per watcher and event (600)


def test_a_watcher_far_behind_reads_pages_and_then_goes_on_live(start, bob):
    operation = start({"a": {}})
    with turn(operation.pk) as current:
        for number in range(1_600):
            current.event("step.log", "a", line=str(number))

    async def story():
        async with watching(bob, operation) as watcher:
            adding = asyncio.create_task(in_thread(add_event, thread_sensitive=False)(operation, "last"))
            assert await watcher.take(1_602) == list(range(1, 1_603))
            await adding

    run(story())


def test_a_stream_of_what_has_ended_sends_the_rest_and_then_204(start, finish, bob):
    operation = finish(start({"a": {}}))
    total = len(events_of(operation))

    async def story():
        async with watching(bob, operation, "?after=2") as watcher:
            assert await watcher.take() == list(range(3, total + 1))
        answer = await AsyncClient().get(
            f"/api/v1/operations/{operation.pk}/events/",
            headers={**SSE, "authorization": f"Bearer {bob.token_text}", "last-event-id": str(total)},
        )
        assert answer.status_code == 204  # browsers stop coming back

    run(story())


def test_a_retry_goes_on_in_the_same_numbering(start, finish, bob):
    operation = finish(start({"a": {"fail": {"permanent": True}, "fail_times": 1}}))
    finish(retry(operation))
    total = len(events_of(operation))

    async def story():
        async with watching(bob, operation) as watcher:
            assert await watcher.take() == list(range(1, total + 1))  # not cut at the first end
            assert watcher.events[-1]["data"] == {"state": "succeeded"}

    run(story())


def test_without_wake_ups_it_looks_by_itself(start, bob, settings, monkeypatch):
    monkeypatch.setattr(streaming, "LOOK_S", 0.1)
    monkeypatch.setattr(wake, "publish", lambda *_: None)
    settings.REDIS_URL = "redis://127.0.0.1:1/0"
    operation = start({"a": {}})

    async def story():
        async with watching(bob, operation) as watcher:
            await watcher.take(1)
            await in_thread(add_event, thread_sensitive=False)(operation, "seen anyway")
            await watcher.take(2)
            assert watcher.events[-1]["data"] == {"line": "seen anyway"}

    run(story())


def test_it_outlives_redis_and_postgresql_cutting_its_connections(start, bob, settings, monkeypatch):
    monkeypatch.setattr(streaming, "PAUSE_S", 0.05)
    monkeypatch.setattr(streaming, "LOOK_S", 0.1)
    operation = start({"a": {}})

    def cut():
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                           " WHERE datname = current_database() AND application_name = 'escale events'")  # fmt: skip
        connections.close_all()
        with redis.Redis.from_url(settings.REDIS_URL) as client:
            client.client_kill_filter(_type="pubsub", skipme=True)

    async def story():
        async with watching(bob, operation) as watcher:
            await watcher.take(1)
            await in_thread(cut, thread_sensitive=False)()
            await in_thread(add_event, thread_sensitive=False)(operation, "after the cut")
            await watcher.take(2)
            assert [event["seq"] for event in watcher.events] == [1, 2]

    run(story())


def test_quiet_streams_are_kept_open_by_comments_and_cut_after_a_while(start, bob, monkeypatch):
    monkeypatch.setattr(streaming, "HEARTBEAT_S", 0.1)
    monkeypatch.setattr(streaming, "LONGEST_S", 1.0)
    operation = start({"a": {}})

    async def story():
        async with watching(bob, operation) as watcher:
            assert await watcher.take() == [1]  # to the end of the stream
            assert watcher.comments >= 3

    run(story())


def test_it_streams_to_a_signed_in_page(start, bob):
    operation = start({"a": {}})
    browser = bob.browser

    async def story():
        client = AsyncClient()
        client.cookies = browser.cookies
        response = await client.get(f"/api/v1/operations/{operation.pk}/events/", headers=SSE)
        assert response.status_code == 200
        watcher = Watcher(response)
        assert await watcher.take(1) == [1]
        await watcher.leave()

    run(story())


def test_events_that_commit_out_of_turn_do_not_exist(start):
    """Two writers at once: the numbers follow the commits, so that no watcher can pass one by."""
    operation = start({"a": {}})
    cancelled = threading.Thread(target=lambda: (cancel(operation), connections.close_all()))
    with turn(operation.pk) as current:
        current.event("step.log", "a", line="first")
        cancelled.start()
        cancelled.join(0.3)
        assert cancelled.is_alive()  # it waits for this turn
    cancelled.join(5)
    assert [data for _, _, data in events_of(operation)][1] == {"line": "first"}
