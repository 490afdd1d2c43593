"""Logins: few, shared, renewed in the middle of work, and given back."""

from __future__ import annotations

import multiprocessing
import threading
import time

import pytest

from connectors.base import ConnectorError
from connectors.vsphere import session as sessions
from tests.connectors.bench import Site
from tests.connectors.vsphere_bench import VsphereBench

pytestmark = pytest.mark.slow


def test_connecting_says_nothing_to_the_vcenter(vcenter: VsphereBench) -> None:
    vcenter.connect().close()
    assert not vcenter.breaker.seen


def test_threads_and_connectors_share_one_login(vcenter: VsphereBench) -> None:
    connectors = [vcenter.connect() for _ in range(4)]
    threads = [threading.Thread(target=connector.inventory) for connector in connectors for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert vcenter.breaker.seen["Login"] == 1
    for connector in connectors[:-1]:
        connector.close()
    assert vcenter.breaker.seen["Logout"] == 0
    connectors[-1].close()
    assert vcenter.breaker.seen["Logout"] == 1


def test_another_password_is_another_session(vcenter: VsphereBench) -> None:
    good = vcenter.connect()
    assert good.probe().ok
    bad = vcenter.connect(password="wrong")
    with pytest.raises(ConnectorError):
        bad.inventory()
    bad.close()
    assert good.probe().ok
    good.close()


def test_a_refused_password_is_not_tried_again_at_once(vcenter: VsphereBench) -> None:
    connector = vcenter.connect(password="wrong")
    for _ in range(5):
        with pytest.raises(ConnectorError):
            connector.inventory()
    assert vcenter.breaker.seen["Login"] == 1
    connector.close()


def test_an_expired_session_costs_a_read_nothing(site: Site, vcenter: VsphereBench) -> None:
    site.connector.inventory()
    assert vcenter.simulator.expire_sessions() > 0
    vcenter.close()
    assert site.connector.inventory().templates
    vcenter.simulator.expire_sessions()
    vcenter.close()
    assert not site.observe().resources


@pytest.mark.parametrize("verb", ["folder.create", "network.create", "volume.create", "machine.create"])
def test_an_expired_session_costs_a_change_nothing(site: Site, vcenter: VsphereBench, verb: str) -> None:
    site.lay_ground()
    about = {
        "folder.create": site.folder,
        "network.create": site.backnet(),
        "volume.create": site.volume(),
        "machine.create": site.machine(),
    }[verb]
    vcenter.simulator.expire_sessions()
    vcenter.close()
    site.run(verb, about)
    vcenter.simulator.expire_sessions()
    vcenter.close()
    site.run(verb, about)


def test_a_session_that_expires_in_the_middle_of_a_clone_makes_no_second_machine(
    site: Site, vcenter: VsphereBench
) -> None:
    site.lay_ground()
    vcenter.slow("machine.create", 0.4)
    outcome = site.start(site.action("machine.create", site.machine()))
    vcenter.simulator.expire_sessions()
    vcenter.close()
    assert outcome.handle
    assert site.connector.poll([outcome.handle])[outcome.handle].state == "running"
    vcenter.simulator.expire_sessions()
    vcenter.close()
    assert site.finish(outcome).state == "done"
    assert vcenter.simulator.calls()["CloneVM_Task"] == 1


def test_a_session_that_is_refused_for_a_change_looks_again_before_it_repeats(
    site: Site, vcenter: VsphereBench
) -> None:
    site.lay_ground()
    vcenter.simulator.fault("CloneVM_Task", "NotAuthenticated", count=1)
    before = vcenter.breaker.seen["FindAllByUuid"]
    site.run("machine.create", site.machine())
    # Two looks before the two calls, and one after the clone.
    assert vcenter.breaker.seen["FindAllByUuid"] - before >= 3
    assert vcenter.breaker.seen["CloneVM_Task"] == 2


def test_sessions_that_end_at_once_are_an_error_that_may_pass(site: Site, vcenter: VsphereBench) -> None:
    site.connector.inventory()
    vcenter.simulator.fault("RetrievePropertiesEx", "NotAuthenticated")
    with pytest.raises(ConnectorError) as caught:
        site.connector.observe(site.owner)
    assert (caught.value.code, caught.value.permanent) == ("cloud.not_authenticated", False)


def test_a_vcenter_that_hangs_is_given_up_in_time(vcenter: VsphereBench) -> None:
    connector = vcenter.connect(timeout_s=0.5)
    with vcenter.simulator.hanging():
        started = time.monotonic()
        with pytest.raises(ConnectorError) as caught:
            connector.inventory()
        assert time.monotonic() - started < 5
    assert (caught.value.code, caught.value.permanent) == ("cloud.unreachable", False)
    assert connector.inventory().templates
    connector.close()


def test_a_vcenter_that_is_down_is_said_to_be_down(vcenter: VsphereBench) -> None:
    connector = vcenter.connect(address="127.0.0.1:1")
    with pytest.raises(ConnectorError) as caught:
        connector.inventory()
    assert (caught.value.code, caught.value.permanent, caught.value.maybe_done) == ("cloud.unreachable", False, False)
    health = connector.probe()
    assert not health.ok
    assert health.findings[0].code == "cloud.unreachable"
    connector.close()


def _probe_in_child(site_connector: object, answers: object) -> None:
    answers.put(site_connector.probe().ok)  # type: ignore[attr-defined]


def test_a_forked_child_logs_in_for_itself(site: Site, vcenter: VsphereBench) -> None:
    site.connector.inventory()
    logins = vcenter.breaker.seen["Login"]
    context = multiprocessing.get_context("fork")
    answers = context.Queue()
    child = context.Process(target=_probe_in_child, args=(site.connector, answers))
    child.start()
    assert answers.get(timeout=20) is True
    child.join()
    assert vcenter.breaker.seen["Login"] == logins + 1
    assert site.connector.inventory().templates  # the parent's connections are its own still


def test_nothing_is_left_in_the_pool_when_all_is_closed(vcenter: VsphereBench) -> None:
    before = set(sessions._shared)
    connector = vcenter.connect(timeout_s=11.0)
    connector.inventory()
    assert len(set(sessions._shared) - before) == 1
    connector.close()
    assert set(sessions._shared) == before
