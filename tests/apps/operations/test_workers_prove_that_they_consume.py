import os
import signal
import struct
import time

import pytest

from apps.operations import beats
from apps.operations.models import WorkerBeat
from apps.operations.tuning import Tuning

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def _fresh(monkeypatch):
    monkeypatch.setattr(beats, "_shared", bytearray(16))
    monkeypatch.setattr(beats, "_noted_at", 0.0)


@pytest.fixture
def watch(monkeypatch):
    """A watch whose sleep, sending and ending are written down."""
    made = beats.Watch("w@host", Tuning(beat_s=1, deaf_s=10))
    made.sent, made.ended = [], []
    monkeypatch.setattr(made, "_send", lambda: made.sent.append(time.monotonic()))
    monkeypatch.setattr(made, "_end", made.ended.append)
    monkeypatch.setattr(beats.time, "sleep", lambda _: None)
    return made


def hear(at):
    beats._shared[:8] = struct.pack("d", at)


def test_a_beat_is_written_by_the_clock_of_the_database():
    beats.note("w@host")
    first = WorkerBeat.objects.get(name="w@host").at
    beats.note("w@host")
    assert WorkerBeat.objects.get(name="w@host").at > first
    assert beats.consumed_at() > 0


def test_busy_workers_do_not_write_at_each_message():
    beats.note("w@host", at_most_every_s=60)
    first = WorkerBeat.objects.get(name="w@host").at
    beats.note("w@host", at_most_every_s=60)
    assert WorkerBeat.objects.get(name="w@host").at == first


def test_a_worker_that_takes_no_pokes_makes_nobody_ready():
    beats.keep_quiet()
    beats.note("reader@host")
    assert not WorkerBeat.objects.exists()
    assert beats.consumed_at() > 0  # its own watch still hears it


def test_a_deaf_worker_ends_itself(watch, monkeypatch):
    monkeypatch.setattr(watch, "_broker_answers", lambda: True)
    watch._started_at = time.monotonic() - 11
    watch.run()
    assert watch.ended


def test_a_worker_that_hears_goes_on(watch, monkeypatch):
    monkeypatch.setattr(watch, "_broker_answers", lambda: True)
    watch._started_at = time.monotonic() - 100
    rounds = []

    def sleep(_):
        rounds.append(1)
        hear(time.monotonic())
        if len(rounds) > 5:
            beats.stop()

    monkeypatch.setattr(beats.time, "sleep", sleep)
    watch.run()
    assert not watch.ended


def test_silence_while_redis_is_away_is_not_deafness(watch, monkeypatch):
    watch._started_at = time.monotonic() - 100
    asked = []

    def away():
        asked.append(1)
        watch._started_at = time.monotonic()
        beats.stop()
        return False

    monkeypatch.setattr(watch, "_broker_answers", away)
    watch.run()
    assert asked
    assert not watch.ended


def test_the_end_is_a_signal_that_lets_running_work_finish(monkeypatch):
    sent = []
    monkeypatch.setattr(beats.os, "kill", lambda pid, number: sent.append((pid, number)))
    monkeypatch.setattr(beats.time, "sleep", lambda _: None)
    beats.Watch("w@host", Tuning())._end(200)
    assert sent == [(os.getpid(), signal.SIGTERM), (os.getpid(), signal.SIGKILL)]
