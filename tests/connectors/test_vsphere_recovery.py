"""Crashes, restarts and races: neither lost work nor a second machine."""

from __future__ import annotations

import multiprocessing
import os
import signal
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from connectors.base import Access, ConnectorError, Outcome
from connectors.registry import connect
from connectors.vsphere import folders
from engine.plan import Action
from engine.resources import Owner
from sandbox.simulator import Simulator
from tests.connectors.bench import Site
from tests.connectors.breaker import Breaker
from tests.connectors.vsphere_bench import VsphereBench

pytestmark = pytest.mark.slow
spawn = multiprocessing.get_context("spawn")


@pytest.fixture
def restartable(tmp_path: Path) -> Iterator[VsphereBench]:
    with (
        Simulator("paris", home=tmp_path / "paris", guest_delay_ms=10) as simulator,
        Breaker(simulator.port, tmp_path) as breaker,
    ):
        bench = VsphereBench(simulator, breaker)
        yield bench
        bench.close()


def _worker(access: Access, action: Action, key: str, gate: Any, answers: Any) -> None:
    """Start a step in a process of its own, when the gate opens, and go through with it."""
    connector = connect(access)
    connector.probe()
    answers.put("ready")
    gate.wait()
    outcome = connector.start(action, key)
    while outcome.state == "running":
        assert outcome.handle
        time.sleep(0.02)
        outcome = connector.poll([outcome.handle])[outcome.handle]
    answers.put((outcome.state, dict(outcome.result), outcome.error))
    connector.close()


def persist(site: Site, action: Action) -> Outcome:
    for _ in range(6):
        try:
            outcome = site.finish(site.start(action))
        except ConnectorError as error:
            outcome = Outcome.failed(error)
        if outcome.error is None or outcome.error.permanent:
            return outcome
    return outcome


def test_two_processes_at_the_same_moment_end_with_one_machine(site: Site, vcenter: VsphereBench) -> None:
    site.lay_ground()
    vcenter.slow("machine.create", 0.5)
    action = site.action("machine.create", site.machine())
    gate, answers = spawn.Event(), spawn.Queue()
    workers = [
        spawn.Process(target=_worker, args=(vcenter.access(), action, site.key(action), gate, answers))
        for _ in range(2)
    ]
    for worker in workers:
        worker.start()
    for _ in workers:
        assert answers.get(timeout=60) == "ready"
    gate.set()
    ends = [answers.get(timeout=60) for _ in workers]
    for worker in workers:
        worker.join()
    final = [persist(site, action) if state != "done" else Outcome.done(**result) for state, result, _ in ends]
    assert {outcome.state for outcome in final} == {"done"}, ends
    assert len({outcome.result["external_id"] for outcome in final}) == 1
    seen = site.observe()
    assert "machine:host-1" in seen.resources
    assert not seen.strays
    assert vcenter.machines() == len([key for key in seen.resources if key.startswith("machine:")])


def test_a_worker_killed_in_the_middle_of_a_clone_is_taken_over(site: Site, vcenter: VsphereBench) -> None:
    site.lay_ground()
    vcenter.slow("machine.create", 1.5)
    action = site.action("machine.create", site.machine())
    gate, answers = spawn.Event(), spawn.Queue()
    worker = spawn.Process(target=_worker, args=(vcenter.access(), action, site.key(action), gate, answers))
    worker.start()
    assert answers.get(timeout=60) == "ready"
    gate.set()
    while not vcenter.simulator.calls().get("CloneVM_Task"):
        time.sleep(0.01)
    assert worker.pid
    os.kill(worker.pid, signal.SIGKILL)
    worker.join()
    vcenter.new_process()
    outcome = persist(site, action)
    assert outcome.state == "done", outcome.error
    assert vcenter.simulator.calls()["CloneVM_Task"] == 1
    assert not site.observe().strays


def test_without_events_a_clone_that_might_be_ours_is_waited_for(site: Site, vcenter: VsphereBench) -> None:
    site.lay_ground()
    vcenter.simulator.fault("QueryEvents", "NoPermission")
    vcenter.slow("machine.create", 0.5)
    ours = site.action("machine.create", site.machine(1))
    site.start(ours)
    vcenter.new_process()
    waiting = site.start(site.action("machine.create", site.machine(2)))
    taken_over = site.start(ours)
    assert vcenter.simulator.calls()["CloneVM_Task"] == 1
    assert site.finish(taken_over).state == "done"
    outcome = site.finish(waiting)
    assert outcome.error
    assert (outcome.error.code, outcome.error.permanent) == ("cloud.busy", False)
    assert persist(site, site.action("machine.create", site.machine(2))).state == "done"
    assert vcenter.simulator.calls()["CloneVM_Task"] == 2


def test_clones_of_other_machines_are_not_waited_for(site: Site, vcenter: VsphereBench) -> None:
    """Many machines are cloned from one template by several workers at once; each goes its own way."""
    site.lay_ground()
    vcenter.slow("machine.create", 0.8)
    machines = [site.machine(number) for number in range(1, 5)]
    outcomes = []
    started = time.monotonic()
    for machine in machines:
        vcenter.new_process()  # each by another worker, which knows nothing of the others
        outcomes.append(site.start(site.action("machine.create", machine)))
    assert vcenter.simulator.calls()["CloneVM_Task"] == 4, "they wait for each other"
    for outcome in outcomes:
        assert site.finish(outcome).state == "done"
    assert time.monotonic() - started < 20


def test_a_vcenter_that_is_started_anew_in_the_middle_of_a_clone(restartable: VsphereBench) -> None:
    connector = restartable.connect()
    site = Site(restartable, connector)
    site.lay_ground()
    restartable.slow("machine.create", 30.0)
    action = site.action("machine.create", site.machine())
    outcome = site.start(action)
    assert outcome.handle
    restartable.simulator.kill()
    restartable.close()
    with pytest.raises(ConnectorError) as caught:
        connector.poll([outcome.handle])
    assert caught.value.code == "cloud.unreachable"
    restartable.simulator.start()
    lost = site.finish(outcome)
    assert lost.state == "failed"
    assert lost.error
    assert (lost.error.code, lost.error.permanent, lost.error.maybe_done) == ("cloud.busy", False, True)
    done = persist(site, action)
    assert done.state == "done", done.error
    assert restartable.machines() == 1
    connector.close()


def test_tasks_that_ended_while_nobody_looked_are_found_by_their_machine(restartable: VsphereBench) -> None:
    connector = restartable.connect()
    site = Site(restartable, connector)
    site.lay_ground()
    machine = site.machine()
    created = site.start(site.action("machine.create", machine))
    time.sleep(0.5)
    restartable.close()
    restartable.simulator.restart()
    outcome = site.finish(created)
    if outcome.state == "failed":
        outcome = persist(site, site.action("machine.create", machine))
    assert outcome.state == "done", outcome.error
    site.facts[machine.key] = dict(outcome.result)
    started = site.start(site.action("machine.start", machine.key))
    time.sleep(0.5)
    restartable.simulator.restart()
    assert site.finish(started).state == "done"
    deleted = site.start(site.action("machine.delete", machine.key))
    time.sleep(0.5)
    restartable.simulator.restart()
    assert site.finish(deleted).state == "done"
    assert restartable.machines() == 0
    connector.close()


def test_a_machine_that_was_moved_to_another_folder_is_not_made_again(site: Site, vcenter: VsphereBench) -> None:
    site.lay_ground()
    machine = site.machine()
    site.run("machine.create", machine)
    found = vcenter.machine(site.facts[machine.key]["external_id"])
    elsewhere = vcenter.folder_named("Legacy")
    vcenter.wait(elsewhere.MoveIntoFolder_Task([found]))
    machines = vcenter.machines()
    again = site.run("machine.create", machine)
    assert again.result["external_id"] == site.facts[machine.key]["external_id"]
    site.next_operation()
    error = site.fails("machine.create", replace(machine, cpus=8))
    assert error.code == "cloud.name_taken"
    assert [finding.code for finding in site.connector.check(site.action("machine.create", machine))] == [
        "cloud.name_taken"
    ]
    assert vcenter.machines() == machines
    site.run("machine.delete", machine.key)


def test_a_new_name_and_a_new_host_are_no_difference(site: Site, vcenter: VsphereBench) -> None:
    site.lay_ground()
    machine = site.machine()
    site.run("machine.create", machine)
    before = site.observe().resources[machine.key]
    found = vcenter.machine(before.external_id)
    vcenter.wait(found.Rename_Task("renamed by hand"))
    after = site.observe().resources[machine.key]
    assert (after.external_id, after.config_hash) == (before.external_id, before.config_hash)
    assert after.attributes["name"] == "renamed by hand"
    site.run("machine.start", machine.key)
    site.run("machine.delete", machine.key)


@pytest.mark.parametrize("how", ["after", "before"])
@pytest.mark.parametrize("method", ["ReconfigVM_Task", "PowerOffVM_Task", "PowerOnVM_Task"])
def test_a_change_survives_a_cut_at_each_of_its_calls(site: Site, vcenter: VsphereBench, method: str, how: str) -> None:
    site.lay_ground(volume=True)
    machine = site.machine()
    site.run("machine.create", machine)
    site.run("machine.start", machine.key)
    vcenter.silence()  # its tools do not answer, so that it is powered off
    site.next_operation()
    changed = site.machine(disk=True, cpus=4, userdata={"runcmd": [["echo", "changed"]]})
    vcenter.breaker.arm(method, how)
    outcome = persist(site, site.action("machine.update", changed))
    assert outcome.state == "done", outcome.error
    seen = site.observe().resources[machine.key]
    assert seen.attributes["cpus"] == 4
    assert seen.attributes["power"] == "on"
    assert [disk["volume"] for disk in seen.attributes["disks"] if disk["volume"]] == ["volume:data"]


@pytest.mark.parametrize("how", ["after", "before"])
@pytest.mark.parametrize("method", ["PowerOffVM_Task", "ReconfigVM_Task", "Destroy_Task"])
def test_a_deletion_survives_a_cut_at_each_of_its_calls(
    site: Site, vcenter: VsphereBench, method: str, how: str
) -> None:
    site.lay_ground(volume=True)
    machine = site.machine(disk=True)
    site.run("machine.create", machine)
    site.run("machine.start", machine.key)
    vcenter.breaker.arm(method, how)
    outcome = persist(site, site.action("machine.delete", machine.key))
    assert outcome.state == "done", outcome.error
    assert machine.key not in site.observe().resources
    assert "volume:data" in site.observe().resources


def test_a_stale_deletion_does_not_hit_the_machine_that_came_after(site: Site, vcenter: VsphereBench) -> None:
    site.lay_ground()
    machine = site.machine()
    site.run("machine.create", machine)
    stale = site.action("machine.delete", machine.key)
    site.run("machine.delete", machine.key)
    site.next_operation()
    site.run("machine.create", machine)
    assert site.finish(site.connector.start(stale, "an old step")).result.get("gone")
    assert machine.key in site.observe().resources


def test_folders_of_others_survive_beside_and_above(site: Site, vcenter: VsphereBench) -> None:
    site.owner = replace(site.owner, organization="lonely")
    site.lay_ground()
    neighbour = Site(vcenter, site.connector, replace(site.owner, deployment="next", deployment_id=_another()))
    neighbour.run("folder.create", neighbour.folder)
    site.run("folder.delete", site.folder)
    assert "folder:deployment" not in site.observe().resources
    assert "folder:deployment" in neighbour.observe().resources
    assert "lonely" in vcenter.folders()
    neighbour.run("folder.delete", neighbour.folder)
    assert "lonely" not in vcenter.folders()


def _another() -> str:
    import uuid

    return str(uuid.uuid4())


def test_a_folder_that_vanished_is_made_again_for_the_next_machine(site: Site, vcenter: VsphereBench) -> None:
    site.lay_ground()
    vcenter.wait(vcenter.folder_named(site.folder.path[-1]).Destroy_Task())
    site.run("machine.create", site.machine())
    assert "machine:host-1" in site.observe().resources


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_parent_that_another_portal_removes_meanwhile_is_made_again(
    site: Site, vcenter: VsphereBench, monkeypatch: pytest.MonkeyPatch, when: str
) -> None:
    site.owner = replace(site.owner, organization=f"fleeting-{when}")
    make, removed = folders._create, []

    def disturbed(cloud: Any, parent: Any, name: str) -> Any:
        """Let the other portal destroy the organization's folder, which it has read as empty."""
        last = name == site.folder.path[-1] and not removed
        if last and when == "before":
            removed.append(vcenter.wait(vcenter.folder_named(site.owner.organization).Destroy_Task()))
        made = make(cloud, parent, name)
        if last and when == "after":
            removed.append(vcenter.wait(vcenter.folder_named(site.owner.organization).Destroy_Task()))
        return made

    monkeypatch.setattr(folders, "_create", disturbed)
    site.lay_ground()
    assert removed
    assert site.folder.path[-1] in vcenter.folders()
    assert "folder:deployment" in site.observe().resources
    site.run("folder.delete", site.folder)
    assert site.owner.organization not in vcenter.folders()


def test_a_folder_that_vanishes_under_a_clone_is_made_again(site: Site, vcenter: VsphereBench) -> None:
    site.lay_ground()
    connector = site.connector
    found = vcenter.folder_named(site.folder.path[-1])
    vcenter.simulator.fault("CloneVM_Task", "ManagedObjectNotFound", count=1)
    action = site.action("machine.create", site.machine())
    known = folders.for_machines

    def late(cloud: Any, about: Action) -> Any:
        folder = known(cloud, about)
        if not gone:
            gone.append(vcenter.wait(found.Destroy_Task()))
        return folder

    gone: list[Any] = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(folders, "for_machines", late)
        first = Outcome.failed(ConnectorError("none", ""))
        try:
            first = site.finish(connector.start(action, site.key(action)))
        except ConnectorError as error:
            first = Outcome.failed(error)
        assert first.error
        assert (first.error.code, first.error.permanent) == ("cloud.busy", False), first.error.message
    assert persist(site, action).state == "done"
    assert "machine:host-1" in site.observe().resources


def test_an_owner_is_found_by_its_id_when_its_folder_was_renamed_above(site: Site, vcenter: VsphereBench) -> None:
    site.lay_ground()
    machine = site.machine()
    site.run("machine.create", machine)
    vcenter.wait(vcenter.folder_named("web").Rename_Task("renamed-project"))
    assert machine.key in site.observe().resources
    renamed = vcenter.folder_named("renamed-project")
    vcenter.wait(renamed.Rename_Task("web"))


assert Owner  # used by spawned workers to unpickle actions
