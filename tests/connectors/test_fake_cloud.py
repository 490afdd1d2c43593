"""What the fake cloud can be made to do, beyond the contract."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from connectors.base import Access, ConnectorError
from connectors.registry import connect
from engine.plan import Action
from tests.connectors.bench import Site, owner
from tests.connectors.test_contract_fake import FakeBench

spawn = multiprocessing.get_context("spawn")


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[FakeBench]:
    bench = FakeBench(tmp_path / "cloud.sqlite")
    yield bench
    bench.control.close()


@pytest.fixture
def site(bench: FakeBench) -> Iterator[Site]:
    connector = bench.connect()
    yield Site(bench, connector)
    connector.close()


def _start_and_wait(access: Access, action: Action, key: str, told: Any) -> None:
    connector = connect(access)
    outcome = connector.start(action, key)
    told.put(outcome.handle)
    time.sleep(60)


def test_a_worker_can_be_killed_and_another_takes_over(site: Site, bench: FakeBench) -> None:
    site.lay_ground()
    bench.slow("machine.create", 0.5)
    action = site.action("machine.create", site.machine())
    told = spawn.Queue()
    worker = spawn.Process(target=_start_and_wait, args=(bench.access(), action, site.key(action), told))
    worker.start()
    assert told.get(timeout=60)
    assert worker.pid
    os.kill(worker.pid, signal.SIGKILL)
    worker.join()
    outcome = site.start(action)
    assert outcome.state == "running"
    assert site.finish(outcome).state == "done"
    assert len(bench.control.things("machine")) == 1
    assert bench.control.counters()["task:machine.create"] == 1
    assert bench.control.counters()["call:machine.create"] == 2


def test_duplicate_names_are_not_refused(site: Site, bench: FakeBench) -> None:
    site.lay_ground()
    site.run("machine.create", site.machine())
    other = Site(bench, site.connector, owner())
    other.facts = dict(site.facts)
    namesake = site.machine()
    other.run("machine.create", namesake)
    assert [each["name"] for each in bench.control.things("machine")] == [namesake.name] * 2


def test_a_hanging_task_hangs_until_it_is_cancelled(site: Site, bench: FakeBench) -> None:
    site.lay_ground()
    bench.control.fault("machine.create", "hang")
    outcome = site.start(site.action("machine.create", site.machine()))
    assert outcome.handle
    time.sleep(0.1)
    assert site.connector.poll([outcome.handle])[outcome.handle].state == "running"
    site.connector.cancel(outcome.handle)
    failed = site.finish(outcome)
    assert failed.error
    assert failed.error.code == "cloud.cancelled"
    assert not bench.control.things("machine")


def test_what_lags_is_seen_later(site: Site, bench: FakeBench) -> None:
    site.lay_ground()
    bench.control.fault("machine.create", "lag", seconds=0.3)
    site.run("machine.create", site.machine())
    assert "machine:host-1" not in site.observe().resources
    time.sleep(0.35)
    assert "machine:host-1" in site.observe().resources


def test_a_blocked_call_blocks(site: Site, bench: FakeBench) -> None:
    bench.control.fault("inventory", "block", seconds=0.2)
    started = time.monotonic()
    site.connector.inventory()
    assert time.monotonic() - started >= 0.2


def test_faults_come_as_often_as_they_were_ordered(site: Site, bench: FakeBench) -> None:
    site.lay_ground()
    bench.control.fault("machine.create", "refuse", times=2, code="cloud.busy", retry_after=3.0)
    action = site.action("machine.create", site.machine())
    for _ in range(2):
        with pytest.raises(ConnectorError) as caught:
            site.start(action)
        assert (caught.value.code, caught.value.retry_after) == ("cloud.busy", 3.0)
    assert site.finish(site.start(action)).state == "done"


def test_faults_can_aim_at_one_resource(site: Site, bench: FakeBench) -> None:
    site.lay_ground()
    bench.control.fault("machine.create", "refuse", times=-1, resource="machine:host-2")
    site.run("machine.create", site.machine(1))
    with pytest.raises(ConnectorError):
        site.start(site.action("machine.create", site.machine(2)))


def test_a_cloud_that_forgets_its_tasks_says_so(site: Site, bench: FakeBench) -> None:
    site.lay_ground()
    bench.slow("machine.create", 5.0)
    action = site.action("machine.create", site.machine())
    outcome = site.start(action)
    bench.control.forget_tasks()
    lost = site.finish(outcome)
    assert lost.error
    assert (lost.error.code, lost.error.maybe_done, lost.error.permanent) == ("cloud.busy", True, False)


def test_a_broken_poll_says_nothing_of_the_tasks(site: Site, bench: FakeBench) -> None:
    site.lay_ground()
    bench.slow("machine.create", 0.1)
    outcome = site.start(site.action("machine.create", site.machine()))
    assert outcome.handle
    bench.control.fault("poll", "refuse", code="cloud.unreachable")
    with pytest.raises(ConnectorError):
        site.connector.poll([outcome.handle])
    assert site.finish(outcome).state == "done"


def test_many_threads_may_work_at_once(site: Site, bench: FakeBench) -> None:
    site.lay_ground()
    failures: list[BaseException] = []

    def work(number: int) -> None:
        try:
            connector = bench.connect()
            machine = site.machine(number)
            action = site.action("machine.create", machine)
            assert site.finish(connector.start(action, site.key(action)), connector).state == "done"
            connector.close()
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(1, 13)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures
    assert len(bench.control.things("machine")) == 12
