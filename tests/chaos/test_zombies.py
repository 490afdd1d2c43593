"""Workers suspended for longer than their lease: when they wake up, somebody else has their steps."""

from __future__ import annotations

import os
import signal
import time

import pytest

from apps.operations.models import Event, Step
from tests.chaos.oracle import check, wait_for_end
from tests.chaos.plant import until

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow, pytest.mark.timeout(600)]

PLACES = ["before_intent", "after_intent", "after_call", "after_handle", "before_finish", "in_finish"]


def test_suspended_workers_write_nothing_stale_and_create_nothing_twice(plant, order, factor):
    """At each place one worker process is stopped, also inside its transaction; later all of them go on."""
    rounds = max(1, int(factor))
    for _ in range(rounds):
        plant.cloud.clear()
        for place in PLACES:
            plant.cloud.order(place, "stop", 1)
        # One process for each that will be stopped, and some to do the work.
        plant.start_worker("zombies", concurrency=len(PLACES))
        plant.workers_ready("zombies")
        operations = [order(4, width=2) for _ in range(3)]
        wait_for_end(plant, *operations, timeout_s=60)
        check(plant, *operations)
        stopped = plant.cloud.stopped()
        assert len(stopped) >= 5, plant.cloud.hits()
        before = _journal(operations)
        for pid in stopped:
            os.kill(pid, signal.SIGCONT)
        time.sleep(1.5)  # they do now what they were about to do
        assert _journal(operations) == before
        check(plant, *operations)
        plant.kill("zombies")
        _revive_worker(plant)


def _journal(operations):
    ids = [operation.pk for operation in operations]
    steps = Step.objects.filter(operation__in=ids).order_by("pk")
    return (
        list(steps.values_list("pk", "state", "fence", "handle", "result", "finished_at")),
        list(Event.objects.filter(operation__in=ids).order_by("pk").values_list("pk", "type", "step_key", "data")),
    )


def _revive_worker(plant):
    """Some of the stopped ones belonged to the plant's own worker."""
    plant.kill("worker")
    plant.start_worker()
    until(lambda: True, 1, "never")
    plant.workers_ready("worker")
