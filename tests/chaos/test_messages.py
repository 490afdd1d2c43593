"""Messages lost, doubled, in the wrong order, or nonsense; Redis flushed, and away."""

from __future__ import annotations

import random
import time
import uuid

import pytest
from celery import Celery

from apps.operations.models import Operation, Outbox
from tests.chaos.oracle import check, wait_for_end
from tests.chaos.plant import until

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow, pytest.mark.timeout(600)]


@pytest.fixture
def sender(plant):
    app = Celery("chaos", broker=plant.redis.url(), set_as_current=False)
    app.conf.task_ignore_result = True
    yield lambda operation_id: app.send_task("operations.poke", [str(operation_id)])
    app.close()


def test_doubled_and_reordered_messages_change_nothing(plant, order, sender):
    operations = [order(12) for _ in range(3)]
    messages = [operation.pk for operation in operations for _ in range(15)]
    random.Random(1).shuffle(messages)
    for operation_id in messages:
        sender(operation_id)
    wait_for_end(plant, *operations)
    for operation in operations:
        sender(operation.pk)  # after the end, too
    check(plant, *operations)
    assert set(plant.cloud.calls("start").values()) == {1}
    time.sleep(0.5)
    check(plant, *operations)


def test_messages_about_nothing_harm_nobody(plant, order, sender):
    for nonsense in (uuid.uuid4(), "not an id", ""):
        sender(nonsense)
    operation = order(2)
    wait_for_end(plant, operation)
    check(plant, operation)


def test_lost_messages_are_made_good(plant, order):
    """No outbox row, no message: only the operation itself says that something is to be done."""
    plant.kill("relay")
    operation = order(3)
    Outbox.objects.all().delete()
    plant.flush_redis()
    plant.start_relay()
    wait_for_end(plant, operation)
    check(plant, operation)


def test_redis_flushed_again_and_again_loses_nothing(plant, order, factor):
    operations = [order(20, task_s=0.2) for _ in range(2)]
    ends = time.monotonic() + 4 * max(1, factor)
    while time.monotonic() < ends and Operation.objects.live().exists():
        plant.flush_redis()
        time.sleep(0.2)
    began = time.monotonic()
    wait_for_end(plant, *operations, timeout_s=40)
    assert time.monotonic() - began < 20
    check(plant, *operations)


def test_redis_away_for_a_while_delays_and_loses_nothing(plant, order):
    before = order(8, task_s=1.0)
    until(lambda: Operation.objects.filter(pk=before.pk, state="running").exists(), 20, "not begun", plant)
    plant.kill_redis()
    try:
        meanwhile = order(4)  # people may go on submitting
        assert Operation.objects.get(pk=meanwhile.pk).state == "queued"
        time.sleep(2)
    finally:
        plant.start_redis()  # empty: what was queued is gone
    back_at = time.monotonic()
    wait_for_end(plant, before, meanwhile, timeout_s=60)
    assert time.monotonic() - back_at < 20
    check(plant, before, meanwhile)
