"""Workers suspended for longer than their lease: when they wake up, somebody else has their steps."""

from __future__ import annotations

import contextlib
import os
import signal
import threading
import time

import pytest

from apps.operations.models import Event, Step
from tests.chaos.oracle import check, wait_for_end

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow, pytest.mark.timeout(600)]

PLACES = ["before_intent", "after_intent", "after_call", "after_handle", "before_finish", "in_finish"]
ASLEEP_S = 2.5  # a lease is 1.5 s here


@pytest.fixture
def zombies(plant):
    """A worker whose processes will be stopped, so that the plant's own one takes over."""
    plant.start_worker("zombies", concurrency=6)
    plant.workers_ready("zombies")
    yield "zombies"
    for pid in plant.cloud.stopped():
        _wake(pid)
    plant.kill("zombies")


def test_suspended_workers_write_nothing_stale_and_create_nothing_twice(plant, order, zombies, factor):
    """At each place processes are stopped, also inside of transactions, and go on while others do their work."""
    for place in PLACES:
        plant.cloud.order(place, "stop", max(1, int(factor)), 0.5)
    over = threading.Event()
    waker = threading.Thread(target=_wake_in_time, args=(plant.cloud, over))
    waker.start()
    try:
        operations = [order(8, width=4, task_s=0.5) for _ in range(3)]
        wait_for_end(plant, *operations, timeout_s=60 * max(1, factor))
        check(plant, *operations)
        before = _journal(operations)
        time.sleep(ASLEEP_S)  # the last ones wake up, and do what they were about to do
        assert _journal(operations) == before
        check(plant, *operations)
    finally:
        over.set()
        waker.join()
    assert len(plant.cloud.hits()) >= 5, plant.cloud.hits()


def _wake_in_time(cloud, over):
    woken = set()
    while not over.is_set():
        for pid, at in cloud.do("SELECT pid, at FROM hit WHERE action = 'stop'"):
            if (pid, at) not in woken and time.time() - at > ASLEEP_S:
                woken.add((pid, at))
                _wake(pid)
        time.sleep(0.1)


def _wake(pid):
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGCONT)


def _journal(operations):
    ids = [operation.pk for operation in operations]
    steps = Step.objects.filter(operation__in=ids).order_by("pk")
    return (
        list(steps.values_list("pk", "state", "fence", "handle", "result", "finished_at")),
        list(Event.objects.filter(operation__in=ids).order_by("pk").values_list("pk", "type", "step_key", "data")),
    )
