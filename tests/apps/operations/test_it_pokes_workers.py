import threading
import time

import pytest
from django.db import connection, connections

from apps.operations import relay
from apps.operations.models import Operation, Outbox, Step, WorkerBeat
from apps.operations.relay import BrokerAwayError, Relay, poke_due, send_outbox, sweep
from apps.operations.runner import drive
from apps.operations.tuning import Tuning, tuning

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def sent():
    return []


@pytest.fixture
def send(sent):
    return lambda operations: sent.extend(operations)


def test_the_outbox_is_sent_once_and_emptied(start, sent, send):
    operations = [start({"a": {}}) for _ in range(3)]
    assert send_outbox(send) == 3
    assert sent == [operation.pk for operation in operations]
    assert not Outbox.objects.exists()
    assert send_outbox(send) == 0


def test_several_pokes_of_one_operation_are_one_message(start, sent, send):
    operation = start({"a": {}})
    Outbox.objects.bulk_create(Outbox(operation_id=operation.pk) for _ in range(5))
    send_outbox(send)
    assert sent == [operation.pk]
    assert poke_due(tuning(), send) == 0


def test_the_outbox_keeps_what_redis_does_not_take(start):
    start({"a": {}})

    def away(_operations):
        raise BrokerAwayError("away")

    with pytest.raises(BrokerAwayError):
        send_outbox(away)
    assert Outbox.objects.count() == 1


def test_a_relay_that_dies_after_sending_sends_again(start, sent, send):
    from apps.operations import failpoints

    operation = start({"a": {}})

    def die():
        raise KeyboardInterrupt

    failpoints.arm("relay_after_send", die)
    with pytest.raises(KeyboardInterrupt):
        send_outbox(send)
    failpoints.disarm()
    send_outbox(send)
    assert sent == [operation.pk] * 2


def test_two_relays_do_not_send_the_same_row(start, sent, send):
    start({"a": {}})
    inside, leave = threading.Event(), threading.Event()

    def slow(operations):
        inside.set()
        leave.wait(5)
        sent.extend(operations)

    def other():
        send_outbox(slow)
        connections.close_all()

    thread = threading.Thread(target=other)
    thread.start()
    assert inside.wait(5)
    assert send_outbox(send) == 0
    leave.set()
    thread.join()
    assert len(sent) == 1


def test_a_lost_message_is_repeated(start, sent, send):
    """The outbox row is gone, the message too: Redis was flushed."""
    operation = start({"a": {}})
    Outbox.objects.all().delete()
    assert poke_due(tuning(), send) == 0  # just poked: somebody may be about to come
    _age(operation, poked_s=6)
    assert poke_due(tuning(), send) == 1
    assert poke_due(tuning(), send) == 0
    assert sent == [operation.pk]


def test_a_task_is_polled_again_when_it_is_due(start, sent, send):
    operation = start({"a": {"task_s": 60}})
    send_outbox(send)
    drive(operation.pk, budget_s=0.2)
    sent.clear()
    until = time.monotonic() + 6
    while not sent and time.monotonic() < until:
        poke_due(tuning(), send)
        time.sleep(0.02)
    assert sent == [operation.pk]


def test_operations_that_have_ended_are_not_poked(start, finish, sent, send):
    finish(start({"a": {}}))
    Outbox.objects.all().delete()
    assert poke_due(Tuning(repoke_s=0), send) == 0


def test_the_sweeper_finds_what_nobody_looks_after(start, sent, send):
    forgotten, lost = start({"a": {}}), start({"a": {"task_s": 60}})
    drive(lost.pk, budget_s=0.2)
    with connection.cursor() as cursor:
        cursor.execute("UPDATE operations_operation SET due_at = NULL WHERE id = %s", [forgotten.pk])
        cursor.execute(
            "UPDATE operations_operation SET due_at = clock_timestamp() + interval '1 hour' WHERE id = %s", [lost.pk]
        )
        cursor.execute("UPDATE operations_step SET lease_until = clock_timestamp() - interval '1 second'"
                       " WHERE operation_id = %s", [lost.pk])  # fmt: skip
    assert sweep() == 2, list(Step.objects.values_list("state", "lease_until", "operation__state", "operation__due_at"))
    assert sweep() == 0
    for operation in (forgotten, lost):
        _age(operation, poked_s=60)
    poke_due(tuning(), send)
    assert set(sent) == {forgotten.pk, lost.pk}


def test_the_sweeper_leaves_alone_what_is_looked_after(start):
    operation = start({"a": {"task_s": 60}})
    drive(operation.pk, budget_s=0.2)
    assert sweep() == 0


def test_the_sweeper_forgets_workers_that_are_long_gone():
    with connection.cursor() as cursor:
        cursor.execute("INSERT INTO operations_workerbeat VALUES ('old', clock_timestamp() - interval '2 hours'),"
                       " ('new', clock_timestamp())")  # fmt: skip
    sweep()
    assert list(WorkerBeat.objects.values_list("name", flat=True)) == ["new"]


def test_the_relay_is_woken_by_the_commit_and_not_only_by_the_clock(start, sent):
    sent_at = []
    stop = threading.Event()
    running = Relay(Tuning(relay_tick_s=20, sweep_s=60), send=lambda operations: sent_at.append(time.monotonic()))
    thread = threading.Thread(target=running.run, args=(stop,))
    thread.start()
    time.sleep(0.5)
    began = time.monotonic()
    start({"a": {}})
    until = time.monotonic() + 5
    while not sent_at and time.monotonic() < until:
        time.sleep(0.01)
    stop.set()
    start({"b": {}})  # wakes it up, so that it sees the stop
    thread.join(5)
    assert sent_at[0] - began < 2


def test_the_relay_outlives_redis_being_away(start, sent, monkeypatch):
    monkeypatch.setattr(relay, "PAUSE_S", 0.05)
    answers = [BrokerAwayError("away"), BrokerAwayError("away")]

    def send(operations):
        if answers:
            raise answers.pop()
        sent.extend(operations)

    operation = start({"a": {}})
    stop = threading.Event()
    thread = threading.Thread(target=Relay(Tuning(relay_tick_s=0.05), send=send).run, args=(stop,))
    thread.start()
    until = time.monotonic() + 5
    while not sent and time.monotonic() < until:
        time.sleep(0.01)
    stop.set()
    thread.join(5)
    assert sent[0] == operation.pk


def test_the_relay_outlives_postgresql_cutting_it_off(start, sent, send, monkeypatch):
    monkeypatch.setattr(relay, "PAUSE_S", 0.05)
    stop = threading.Event()
    thread = threading.Thread(target=Relay(Tuning(relay_tick_s=0.05), send=send).run, args=(stop,))
    thread.start()
    time.sleep(0.4)
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                       " WHERE datname = current_database() AND pid <> pg_backend_pid()")  # fmt: skip
    operation = start({"a": {}})
    until = time.monotonic() + 5
    while not sent and time.monotonic() < until:
        time.sleep(0.01)
    stop.set()
    thread.join(5)
    assert sent == [operation.pk]


def test_a_flood_of_messages_is_not_fed_further(start, monkeypatch):
    operation = start({"a": {}})
    Outbox.objects.all().delete()
    _age(operation, poked_s=60)
    sent = []
    running = Relay(Tuning(relay_tick_s=0.01), send=sent.extend)
    monkeypatch.setattr(relay, "queue_length", lambda: 1_000)
    running.tick()
    assert sent == []
    monkeypatch.setattr(relay, "queue_length", lambda: 3)
    running._sweep_at = 0
    running.tick()
    assert sent == [operation.pk]


def test_messages_go_to_the_queue_of_the_workers(start, settings):
    import redis

    operation = start({"a": {}})
    with redis.Redis.from_url(settings.REDIS_URL) as client:
        client.delete("celery")
        assert send_outbox() == 1
        assert str(operation.pk) in client.lindex("celery", 0).decode()
        assert relay.queue_length() == 1
        client.delete("celery")


def _age(operation, poked_s):
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE operations_operation SET poked_at = clock_timestamp() - %s * interval '1 second' WHERE id = %s",
            [poked_s, operation.pk],
        )
    assert Operation.objects.filter(pk=operation.pk, due_at__isnull=False).exists()
