"""The one suite that every connector goes through; ``test_contract_*.py`` bring a bench each."""

from __future__ import annotations

import json
import pickle
import re
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from connectors.base import Connector, ConnectorError, Outcome
from engine.resources import DiskMount, Network, Volume, config_hash, to_json
from engine.userdata import plain_document
from tests.connectors.bench import Bench, Site, execute, owner


class ConnectorContract:
    """Subclasses give the fixture ``bench``."""

    @pytest.fixture
    def connector(self, bench: Bench) -> Iterator[Connector]:
        connector = bench.connect()
        yield connector
        connector.close()

    @pytest.fixture
    def site(self, bench: Bench, connector: Connector) -> Site:
        return Site(bench, connector)

    # Life

    def test_it_takes_a_deployment_from_nothing_to_nothing(self, bench: Bench, site: Site) -> None:
        before = bench.listing()
        machine = site.machine(disk=True)
        built = execute(
            site,
            [
                ("folder.create", site.folder),
                ("network.create", site.backnet()),
                ("network.create", site.frontnet()),
                ("volume.create", site.volume()),
                ("machine.create", machine),
                ("machine.start", machine.key),
                ("machine.ready", machine.key),
            ],
        )
        assert built == [
            "folder.create folder:deployment: done",
            "network.create network:back: done",
            "network.create network:front: done",
            "volume.create volume:data: done",
            "machine.create machine:host-1: done",
            "machine.start machine:host-1: done",
            "machine.ready machine:host-1: done",
        ]
        assert set(site.facts[machine.key]) >= {
            "external_id",
            "moref",
            "bios_uuid",
            "name",
            "host",
            "path",
            "addresses",
        }
        execute(
            site,
            [
                ("machine.stop", machine.key),
                ("machine.detach", machine.key),
                ("machine.delete", machine.key),
                ("volume.delete", site.volume()),
                ("network.delete", site.backnet()),
                ("network.delete", site.frontnet()),
                ("folder.delete", site.folder),
            ],
        )
        assert bench.listing() == before
        assert not site.observe().resources

    def test_it_observes_what_it_made_with_the_planned_hashes(self, site: Site) -> None:
        site.lay_ground(volume=True)
        site.run("network.create", site.backnet())
        machine = site.machine(disk=True)
        site.run("machine.create", machine)
        site.run("machine.start", machine.key)
        site.run("machine.ready", machine.key)
        seen = site.observe()
        assert not seen.strays
        assert {key: each.config_hash for key, each in seen.resources.items()} == {
            each.key: config_hash(each) for each in (site.folder, site.backnet(), site.volume(), machine)
        }
        attributes = seen.resources[machine.key].attributes
        assert attributes["power"] == "on"
        assert (attributes["cpus"], attributes["memory_mib"]) == (2, 1024)
        assert attributes["addresses"] == site.facts[machine.key]["addresses"]
        assert attributes["name"] == machine.name
        assert [disk["volume"] for disk in attributes["disks"] if disk.get("volume")] == ["volume:data"]
        volume = seen.resources["volume:data"]
        assert volume.attributes["attached_to"] == seen.resources[machine.key].external_id
        assert volume.attributes["size_gib"] == 1
        assert seen.resources[machine.key].external_id == site.facts[machine.key]["external_id"]
        json.dumps(seen.to_json())

    def test_it_keeps_deployments_apart(self, site: Site) -> None:
        site.lay_ground()
        site.run("machine.create", site.machine())
        other = Site(site.bench, site.connector, owner("other"))
        assert not other.observe().resources

    def test_it_says_what_the_cloud_has(self, bench: Bench, connector: Connector) -> None:
        inventory = connector.inventory()
        template = next(fact for fact in inventory.templates if fact.name == bench.template)
        assert template.container_host
        assert template.cpus > 0
        assert template.disk_gib > 0
        assert bench.network in {fact.name for fact in inventory.networks}
        assert bench.datastore in {fact.name for fact in inventory.datastores}
        assert inventory.clusters
        assert all(fact.memory_mib > fact.memory_used_mib for fact in inventory.clusters)
        assert all(bool(fact.hosts) == bench.tells_hosts for fact in inventory.clusters)
        assert json.loads(json.dumps(inventory.to_json()))

    def test_it_probes_a_healthy_cloud(self, connector: Connector) -> None:
        health = connector.probe()
        assert health.ok, health.findings
        assert {"product", "version", "api_version", "instance_uuid", "latency_ms", "clock_skew_s"} <= set(health.facts)

    # Idempotency

    @pytest.mark.parametrize("verb", ["folder.create", "network.create", "volume.create", "machine.create"])
    def test_a_finished_step_that_is_tried_again_makes_nothing_new(self, bench: Bench, site: Site, verb: str) -> None:
        site.lay_ground()
        action = self._creation(site, verb)
        first = site.finish(site.start(action))
        assert first.state == "done", first.error
        listing = bench.listing()
        bench.new_process()
        again = site.finish(site.start(action))
        assert again.state == "done"
        assert again.result["external_id"] == first.result["external_id"]
        assert bench.listing() == listing

    @pytest.mark.parametrize("verb", ["network.create", "volume.create", "machine.create"])
    def test_a_step_that_is_started_twice_at_once_makes_one_thing(self, bench: Bench, site: Site, verb: str) -> None:
        site.lay_ground()
        before = bench.listing()
        bench.slow(verb, 0.2)
        action = self._creation(site, verb)
        outcomes: list[Outcome] = []
        barrier = threading.Barrier(4)

        def attempt() -> None:
            connector = bench.connect()
            barrier.wait()
            outcomes.append(site.finish(site.start(action, connector), connector))
            connector.close()

        threads = [threading.Thread(target=attempt) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert [outcome.state for outcome in outcomes] == ["done"] * 4, [outcome.error for outcome in outcomes]
        assert len({outcome.result["external_id"] for outcome in outcomes}) == 1
        made = [line for line in bench.listing() if line not in before]
        site.facts[action.resource] = dict(outcomes[0].result)
        self._delete(site, verb)
        assert bench.listing() == before, made

    @pytest.mark.parametrize("verb", ["network.create", "volume.create", "machine.create"])
    def test_a_crash_before_the_handle_is_stored_loses_nothing(self, bench: Bench, site: Site, verb: str) -> None:
        site.lay_ground()
        before = bench.listing()
        bench.slow(verb, 0.3)
        action = self._creation(site, verb)
        site.start(action)  # and the worker dies
        bench.new_process()
        outcome = self._persist(site, action)
        assert outcome.state == "done", outcome.error
        site.facts[action.resource] = dict(outcome.result)
        self._delete(site, verb)
        assert bench.listing() == before

    @pytest.mark.parametrize("verb", ["network.create", "volume.create", "machine.create"])
    @pytest.mark.parametrize("how", ["cut_after", "lose"])
    def test_a_broken_connection_makes_neither_none_nor_two(
        self, bench: Bench, site: Site, verb: str, how: str
    ) -> None:
        site.lay_ground()
        before = bench.listing()
        action = self._creation(site, verb)
        getattr(bench, how)(verb)
        with pytest.raises(ConnectorError) as caught:
            site.start(action)
        assert caught.value.code == "cloud.unreachable"
        assert caught.value.maybe_done
        assert not caught.value.permanent
        bench.new_process()
        outcome = self._persist(site, action)
        assert outcome.state == "done", outcome.error
        site.facts[action.resource] = dict(outcome.result)
        self._delete(site, verb)
        assert bench.listing() == before

    def test_starting_and_stopping_again_is_done_at_once(self, site: Site) -> None:
        site.lay_ground()
        machine = site.machine()
        site.run("machine.create", machine)
        site.run("machine.start", machine.key)
        assert site.start(site.action("machine.start", machine.key)).state == "done"
        site.run("machine.stop", machine.key)
        assert site.start(site.action("machine.stop", machine.key)).state == "done"
        assert site.observe().resources[machine.key].attributes["power"] == "off"

    def test_another_operation_adopts_an_equal_machine_and_refuses_a_different_one(self, site: Site) -> None:
        site.lay_ground()
        machine = site.machine()
        site.run("machine.create", machine)
        first = site.facts[machine.key]["external_id"]
        site.next_operation()
        adopted = site.finish(site.start(site.action("machine.create", machine)))
        assert adopted.result["external_id"] == first
        assert adopted.result["created"] is False
        undone = site.connector.undo(site.action("machine.create", machine), adopted.result, "undo")
        assert site.finish(undone).state == "done"
        assert machine.key in site.observe().resources
        error = site.fails("machine.create", replace(machine, cpus=8))
        assert error.code == "cloud.name_taken"
        assert error.permanent

    # Work under way

    def test_it_polls_many_handles_at_once(self, bench: Bench, site: Site) -> None:
        site.lay_ground()
        bench.slow("machine.create", 0.15)
        machines = [site.machine(number) for number in range(1, 9)]
        outcomes = {machine.key: site.start(site.action("machine.create", machine)) for machine in machines}
        for _ in range(2000):
            handles = {key: each.handle for key, each in outcomes.items() if each.state == "running"}
            if not handles:
                break
            polled = site.connector.poll([handle for handle in handles.values() if handle])
            outcomes.update({key: polled[handle] for key, handle in handles.items() if handle})
        assert {each.state for each in outcomes.values()} == {"done"}
        assert len({each.result["external_id"] for each in outcomes.values()}) == 8
        assert len({key for key in site.observe().resources if key.startswith("machine:")}) == 8

    def test_a_handle_that_cannot_be_read_holds_up_no_other(self, bench: Bench, site: Site) -> None:
        site.lay_ground()
        bench.slow("machine.create", 0.1)
        outcome = site.start(site.action("machine.create", site.machine()))
        assert outcome.handle
        polled = site.connector.poll([outcome.handle, "{}", "not even JSON"])
        assert polled[outcome.handle].state in ("running", "done")
        for handle in ("{}", "not even JSON"):
            error = polled[handle].error
            assert error
            assert (error.code, error.permanent) == ("cloud.invalid", True)
        site.finish(outcome)

    def test_it_shows_progress_that_does_not_go_back(self, bench: Bench, site: Site) -> None:
        site.lay_ground()
        bench.slow("machine.create", 0.4)
        outcome = site.start(site.action("machine.create", site.machine()))
        seen: list[int] = []
        while outcome.state == "running":
            assert outcome.handle
            if outcome.progress is not None:
                seen.append(outcome.progress)
            outcome = site.connector.poll([outcome.handle])[outcome.handle]
        assert outcome.state == "done"
        assert seen == sorted(seen)
        if bench.shows_progress:
            assert len(set(seen)) > 2
        assert max(seen, default=0) < 100

    def test_a_cancelled_step_leaves_nothing(self, bench: Bench, site: Site) -> None:
        site.lay_ground()
        before = bench.listing()
        bench.slow("machine.create", 5.0)
        action = site.action("machine.create", site.machine())
        outcome = site.start(action)
        assert outcome.handle
        site.connector.cancel(outcome.handle)
        outcome = site.finish(outcome)
        assert outcome.state == "failed"
        assert outcome.error
        assert outcome.error.code == "cloud.cancelled"
        undone = site.finish(site.connector.undo(action, {}, site.key(action)))
        assert undone.state == "done"
        assert bench.listing() == before

    def test_cancelling_what_has_ended_is_no_error(self, bench: Bench, site: Site) -> None:
        site.lay_ground()
        bench.slow("machine.create", 0.1)
        outcome = site.start(site.action("machine.create", site.machine()))
        handle = outcome.handle
        assert handle
        assert site.finish(outcome).state == "done"
        site.connector.cancel(handle)

    def test_a_task_that_fails_midway_leaves_nothing_and_can_be_tried_again(self, bench: Bench, site: Site) -> None:
        site.lay_ground()
        before = bench.listing()
        bench.fail_midway("machine.create")
        error = site.fails("machine.create", site.machine())
        assert not error.permanent
        assert bench.listing() == before
        site.run("machine.create", site.machine())

    # The way back

    def test_undo_takes_back_what_a_step_made(self, bench: Bench, site: Site) -> None:
        before = bench.listing()
        machine = site.machine(disk=True)
        plan: list[Any] = [
            ("folder.create", site.folder),
            ("network.create", site.backnet()),
            ("network.create", site.frontnet()),
            ("volume.create", site.volume()),
            ("machine.create", machine),
            ("machine.start", machine.key),
            ("machine.ready", machine.key),
        ]
        done = []
        for verb, about in plan:
            action = site.action(verb, about)
            done.append((action, dict(site.run(verb, about).result)))
        for action, result in reversed(done):
            outcome = site.finish(site.connector.undo(action, result, site.key(action)))
            assert outcome.state == "done", (action.key, outcome.error)
        assert bench.listing() == before

    @pytest.mark.parametrize("verb", ["folder.create", "network.create", "volume.create", "machine.create"])
    @pytest.mark.parametrize("when", ["under way", "finished", "taken over"])
    def test_undo_finds_what_a_crashed_step_made(self, bench: Bench, site: Site, verb: str, when: str) -> None:
        if verb != "folder.create":
            site.lay_ground()
            bench.slow(verb, 0.3)
        before = bench.listing()
        action = self._creation(site, verb)
        outcome = site.start(action)
        if when != "under way":
            site.finish(outcome)
        bench.new_process()
        result: dict[str, Any] = {}
        if when == "taken over":
            result = dict(site.finish(site.start(action)).result)
            assert result["created"] is True
            bench.new_process()
        undone = site.finish(site.connector.undo(action, result, site.key(action)))
        assert undone.state == "done", undone.error
        time.sleep(0.4)  # what was under way would have shown by now
        assert bench.listing() == before
        assert action.resource not in site.observe().resources

    def test_undo_leaves_what_was_there_when_the_plan_was_made(self, bench: Bench, site: Site) -> None:
        site.lay_ground(volume=True)
        site.run("network.create", site.backnet())
        listing = bench.listing()
        site.next_operation()
        for verb in ("folder.create", "network.create", "volume.create"):
            action = self._creation(site, verb)
            result = dict(site.finish(site.start(action)).result)
            assert result["created"] is False, verb
            assert site.finish(site.connector.undo(action, result, site.key(action))).state == "done"
        assert bench.listing() == listing

    def test_undo_of_a_refused_creation_leaves_what_stood_in_its_way(self, bench: Bench, site: Site) -> None:
        site.lay_ground()
        site.run("volume.create", site.volume(3))
        site.run("network.create", site.backnet())
        del site.facts["volume:data"], site.facts["network:back"]  # made by an operation that the plan did not see
        listing = bench.listing()
        site.next_operation()
        for verb in ("volume.create", "network.create"):
            action = self._creation(site, verb)
            undone = site.finish(site.connector.undo(action, {}, site.key(action)))
            assert undone.state == "done", undone.error
        assert bench.listing() == listing

    def test_undo_of_a_start_stops_and_of_a_stop_starts(self, site: Site) -> None:
        site.lay_ground()
        machine = site.machine()
        site.run("machine.create", machine)
        start = site.action("machine.start", machine.key)
        result = site.run("machine.start", machine.key).result
        assert site.finish(site.connector.undo(start, result, site.key(start))).state == "done"
        assert site.observe().resources[machine.key].attributes["power"] == "off"
        stop = site.action("machine.stop", machine.key)
        assert site.finish(site.connector.undo(stop, {}, site.key(stop))).state == "done"
        assert site.observe().resources[machine.key].attributes["power"] == "on"

    def test_undo_of_a_deletion_says_that_it_cannot(self, site: Site) -> None:
        action = site.action("volume.delete", "volume:data")
        outcome = site.connector.undo(action, {}, site.key(action))
        assert outcome.state == "failed"
        assert outcome.error
        assert outcome.error.permanent

    # Changes

    def test_it_changes_size_and_user_data(self, bench: Bench, site: Site) -> None:
        site.lay_ground()
        machine = site.machine()
        site.run("machine.create", machine)
        site.run("machine.start", machine.key)
        site.run("machine.ready", machine.key)
        identity = site.facts[machine.key]["external_id"]
        first = bench.instance_id(identity)
        site.next_operation()
        marker = "changed-" + site.operation
        bigger = replace(machine, cpus=4, memory_mib=2048, userdata={"write_files": [], "runcmd": [["echo", marker]]})
        site.run("machine.update", bigger)
        site.run("machine.ready", machine.key)
        seen = site.observe().resources[machine.key]
        assert seen.external_id == identity
        assert (seen.attributes["cpus"], seen.attributes["memory_mib"]) == (4, 2048)
        assert seen.attributes["power"] == "on"
        assert seen.config_hash == config_hash(bigger)
        assert marker in bench.userdata(identity)
        assert bench.instance_id(identity) != first

    def test_a_change_of_size_alone_keeps_the_instance_id(self, bench: Bench, site: Site) -> None:
        site.lay_ground()
        machine = site.machine()
        site.run("machine.create", machine)
        identity = site.facts[machine.key]["external_id"]
        first = bench.instance_id(identity)
        site.next_operation()
        site.run("machine.update", replace(machine, cpus=4))
        assert bench.instance_id(identity) == first
        before = "on" if bench.creates_running else "off"
        assert site.observe().resources[machine.key].attributes["power"] == before

    def test_a_change_that_is_tried_again_changes_nothing(self, bench: Bench, site: Site) -> None:
        site.lay_ground()
        machine = site.machine()
        site.run("machine.create", machine)
        site.run("machine.start", machine.key)
        site.next_operation()
        bigger = replace(machine, cpus=4)
        bench.slow("machine.update", 0.1)
        site.start(site.action("machine.update", bigger))
        bench.new_process()
        site.run("machine.update", bigger)
        seen = site.observe().resources[machine.key]
        assert seen.attributes["power"] == "on"
        assert seen.attributes["cpus"] == 4
        assert site.finish(site.start(site.action("machine.update", bigger))).state == "done"

    def test_it_attaches_and_detaches_disks(self, site: Site) -> None:
        site.lay_ground(volume=True)
        machine = site.machine()
        site.run("machine.create", machine)
        site.run("machine.start", machine.key)
        site.next_operation()
        with_disk = replace(machine, disks=(DiskMount("volume:data", "/data", 3),))
        site.run("machine.update", with_disk)
        assert self._attached(site, machine.key) == ["volume:data"]
        assert site.observe().resources["volume:data"].attributes["attached_to"]
        site.next_operation()
        site.run("machine.update", machine)
        assert self._attached(site, machine.key) == []
        assert site.observe().resources["volume:data"].attributes["attached_to"] is None

    def test_detached_disks_come_back_by_undo(self, site: Site) -> None:
        site.lay_ground(volume=True)
        machine = site.machine(disk=True)
        site.run("machine.create", machine)
        detach = site.action("machine.detach", machine.key)
        result = site.run("machine.detach", machine.key).result
        assert result["detached"] == ["volume:data"]
        assert site.observe().resources[machine.key].config_hash != config_hash(machine)
        undone = site.finish(site.connector.undo(detach, result, site.key(detach)))
        assert undone.state == "done", undone.error
        assert self._attached(site, machine.key) == ["volume:data"]
        assert site.observe().resources[machine.key].config_hash == config_hash(machine)

    def test_replacing_a_machine_keeps_the_bytes_of_its_data_disk(self, bench: Bench, site: Site) -> None:
        site.lay_ground(volume=True)
        machine = site.machine(disk=True)
        site.run("machine.create", machine)
        old = site.facts[machine.key]["external_id"]
        content = b"kept over the replacement" * 40
        bench.write(site.facts["volume:data"], content)
        site.next_operation()
        execute(
            site,
            [
                ("machine.stop", machine.key),
                ("machine.detach", machine.key),
                ("machine.delete", machine.key),
                ("machine.create", replace(machine, cpus=1)),
            ],
        )
        assert site.facts[machine.key]["external_id"] != old
        assert self._attached(site, machine.key) == ["volume:data"]
        assert bench.read(site.facts["volume:data"], len(content)) == content

    @pytest.mark.parametrize("attached", [False, True])
    def test_it_grows_a_volume(self, site: Site, attached: bool) -> None:
        site.lay_ground(volume=True)
        if attached:
            site.run("machine.create", site.machine(disk=True))
            site.run("machine.start", "machine:host-1")
        site.next_operation()
        site.run("volume.extend", site.volume(3))
        seen = site.observe().resources["volume:data"]
        assert seen.attributes["size_gib"] == 3
        assert seen.config_hash == config_hash(site.volume(3))
        assert site.finish(site.start(site.action("volume.extend", site.volume(3)))).state == "done"

    # What is not ours

    def test_deleting_what_is_gone_succeeds(self, bench: Bench, site: Site) -> None:
        site.lay_ground(volume=True)
        site.run("network.create", site.backnet())
        machine = site.machine()
        site.run("machine.create", machine)
        bench.destroy_machine(site.facts[machine.key]["external_id"])
        for verb in ("machine.stop", "machine.detach", "machine.delete"):
            site.run(verb, machine.key)
        deletions: list[Any] = [
            ("volume.delete", site.volume()),
            ("network.delete", site.backnet()),
            ("folder.delete", site.folder),
        ]
        execute(site, deletions)
        site.next_operation()
        execute(site, deletions)

    def test_it_leaves_a_machine_alone_that_lost_our_markers(self, bench: Bench, site: Site) -> None:
        site.lay_ground()
        machine = site.machine()
        site.run("machine.create", machine)
        identity = site.facts[machine.key]["external_id"]
        bench.disown(identity)
        listing = bench.listing()
        for verb in ("machine.delete", "machine.stop", "machine.detach", "machine.start"):
            error = site.fails(verb, machine.key)
            assert error.code == "cloud.foreign", verb
            assert error.permanent
        assert site.fails("machine.update", machine).code == "cloud.foreign"
        assert bench.listing() == listing

    def test_it_leaves_a_machine_alone_that_holds_a_disk_of_others(self, bench: Bench, site: Site) -> None:
        site.lay_ground()
        machine = site.machine()
        site.run("machine.create", machine)
        bench.put_disk(site.facts[machine.key]["external_id"])
        listing = bench.listing()
        error = site.fails("machine.delete", machine.key)
        assert error.code == "cloud.foreign"
        assert "disk" in error.message or ".vmdk" in error.message
        assert bench.listing() == listing

    def test_deleting_a_machine_never_takes_our_data_disks_along(self, bench: Bench, site: Site) -> None:
        site.lay_ground(volume=True)
        site.run("machine.create", site.machine(disk=True))
        bench.write(site.facts["volume:data"], b"precious")
        site.run("machine.delete", "machine:host-1")  # without the detach that a plan puts before it
        assert bench.read(site.facts["volume:data"], 8) == b"precious"

    def test_an_attached_volume_is_not_deleted(self, site: Site) -> None:
        site.lay_ground(volume=True)
        site.run("machine.create", site.machine(disk=True))
        error = site.fails("volume.delete", site.volume())
        assert error.code == "cloud.busy"
        assert "volume:data" in site.observe().resources

    def test_a_volume_that_a_machine_of_others_holds_is_not_deleted(self, bench: Bench, site: Site) -> None:
        site.lay_ground(volume=True)
        volume = dict(site.facts["volume:data"])
        holder = bench.hold(volume)
        assert site.observe().resources["volume:data"].attributes["attached_to"] == holder
        listing = bench.listing()
        error = site.fails("volume.delete", site.volume())
        assert (error.code, error.permanent) == ("cloud.foreign", True)
        assert "somebody-elses" in error.message
        assert bench.listing() == listing
        bench.release(holder, volume)
        assert site.observe().resources["volume:data"].attributes["attached_to"] is None
        site.run("volume.delete", site.volume())

    def test_a_machine_with_snapshots_keeps_its_disks_and_its_life(self, bench: Bench, site: Site) -> None:
        site.lay_ground(volume=True)
        machine = site.machine(disk=True)
        site.run("machine.create", machine)
        bench.snapshot(site.facts[machine.key]["external_id"])
        if not bench.snapshots_hold_disks:
            site.run("machine.detach", machine.key)
            assert self._attached(site, machine.key) == []
            site.run("machine.delete", machine.key)
            return
        assert site.observe().resources[machine.key].attributes["snapshots"] == 1
        listing = bench.listing()
        for verb in ("machine.detach", "machine.delete"):
            error = site.fails(verb, machine.key)
            assert (error.code, error.permanent) == ("cloud.foreign", True), verb
            assert "snapshot" in error.message
        assert bench.listing() == listing
        assert self._attached(site, machine.key) == ["volume:data"]

    def test_a_folder_with_something_inside_is_not_deleted(self, bench: Bench, site: Site) -> None:
        site.lay_ground()
        bench.put_machine(site.facts["folder:deployment"], "somebody-elses")
        listing = bench.listing()
        error = site.fails("folder.delete", site.folder)
        assert error.code == "cloud.foreign"
        assert bench.listing() == listing

    def test_a_network_in_use_is_not_deleted(self, site: Site) -> None:
        site.lay_ground()
        site.run("network.create", site.backnet())
        machine = site.machine()
        nic = replace(machine.nics[0], network="network:back")
        site.run("machine.create", replace(machine, nics=(nic,)))
        error = site.fails("network.delete", site.backnet())
        assert error.code == "cloud.busy"
        assert not error.permanent

    def test_a_network_that_was_only_found_stays(self, bench: Bench, site: Site) -> None:
        before = bench.listing()
        result = site.run("network.create", site.frontnet()).result
        assert result["created"] is False
        site.run("network.delete", site.frontnet())
        assert bench.listing() == before

    def test_copies_of_our_machines_are_strays(self, bench: Bench, site: Site) -> None:
        site.lay_ground()
        machine = site.machine()
        site.run("machine.create", machine)
        identity = site.facts[machine.key]["external_id"]
        bench.copy_machine(identity)
        seen = site.observe()
        assert seen.resources[machine.key].external_id == identity
        assert len(seen.strays) == 1
        assert seen.strays[0].external_id != identity

    # Errors

    def test_a_missing_template_is_named_with_those_that_exist(self, bench: Bench, site: Site) -> None:
        site.lay_ground()
        error = site.fails("machine.create", site.machine(template="no-such-template"))
        assert error.code == "cloud.not_found"
        assert error.permanent
        assert "no-such-template" in error.message
        assert bench.template in error.message

    def test_a_missing_network_is_named_with_those_that_exist(self, bench: Bench, site: Site) -> None:
        error = site.fails("network.create", Network("network:front", "no-such-network", False))
        assert error.code == "cloud.not_found"
        assert error.permanent
        assert bench.network in error.message

    def test_a_missing_cluster_and_datastore_are_named(self, bench: Bench, site: Site) -> None:
        site.lay_ground()
        assert "no-such-cluster" in site.fails("machine.create", site.machine(cluster="no-such-cluster")).message
        volume = Volume("volume:data", "data", 1, datastore="no-such-datastore")
        error = site.fails("volume.create", volume)
        assert error.code == "cloud.not_found"
        assert bench.datastore in error.message

    def test_a_full_datastore_is_said_to_be_full(self, bench: Bench, site: Site) -> None:
        site.lay_ground()
        bench.fill()
        before = bench.listing()
        for verb, about in (("volume.create", site.volume()), ("machine.create", site.machine())):
            error = site.fails(verb, about)
            assert error.code == "cloud.no_space", verb
            assert error.permanent
            assert re.search("GiB|full", error.message)
        assert bench.listing() == before

    def test_a_guest_that_stays_silent_is_given_up(self, bench: Bench, site: Site) -> None:
        site.lay_ground()
        machine = site.machine()
        site.run("machine.create", machine)
        bench.silence()
        site.run("machine.start", machine.key)
        action = site.action("machine.ready", machine.key, spec={"timeout_s": 0.2})
        outcome = site.finish(site.start(action))
        assert outcome.state == "failed"
        assert outcome.error
        assert "address" in outcome.error.message

    def test_a_plain_machine_whose_guest_stays_silent_is_ready_once_it_runs(self, bench: Bench, site: Site) -> None:
        site.lay_ground()
        machine = site.machine(plain=True, userdata=plain_document("bastion"))
        site.run("machine.create", machine)
        told = bench.userdata(site.facts[machine.key]["external_id"])
        assert "bastion" in told
        assert "write_files" not in told
        bench.silence()
        site.run("machine.start", machine.key)
        spec = {"plain": True, "timeout_s": 0.2}
        outcome = site.finish(site.start(site.action("machine.ready", machine.key, spec=spec)))
        assert outcome.state == "done"
        assert outcome.result["external_id"] == site.facts[machine.key]["external_id"]
        assert not outcome.result.get("addresses")
        site.run("machine.stop", machine.key)
        assert site.finish(site.start(site.action("machine.ready", machine.key, spec=spec))).state == "failed"

    def test_a_machine_that_vanished_is_said_to_be_gone(self, bench: Bench, site: Site) -> None:
        site.lay_ground()
        machine = site.machine()
        site.run("machine.create", machine)
        bench.destroy_machine(site.facts[machine.key]["external_id"])
        for verb in ("machine.start", "machine.ready"):
            error = site.fails(verb, machine.key)
            assert (error.code, error.permanent) == ("cloud.not_found", True)
        assert site.fails("machine.update", machine).code == "cloud.not_found"

    @pytest.mark.parametrize(
        ("code", "permanent"),
        [("cloud.permission", True), ("cloud.busy", False), ("cloud.no_space", True), ("cloud.invalid", True)],
    )
    def test_a_refusal_keeps_its_meaning(self, bench: Bench, site: Site, code: str, permanent: bool) -> None:
        site.lay_ground()
        bench.refuse("machine.create", code)
        error = site.fails("machine.create", site.machine())
        assert (error.code, error.permanent) == (code, permanent)
        site.run("machine.create", site.machine())

    def test_a_wrong_password_is_said_to_be_wrong(self, bench: Bench) -> None:
        connector = bench.connect(password="not the password")
        with pytest.raises(ConnectorError) as caught:
            connector.inventory()
        assert (caught.value.code, caught.value.permanent) == ("cloud.not_authenticated", True)
        assert "not the password" not in str(caught.value) + caught.value.detail
        health = connector.probe()
        assert not health.ok
        assert health.findings[0].code == "cloud.not_authenticated"
        connector.close()

    def test_a_wrong_thumbprint_is_refused_with_the_one_presented(self, bench: Bench) -> None:
        connector = bench.connect(thumbprint="00" * 32)
        with pytest.raises(ConnectorError) as caught:
            connector.inventory()
        assert (caught.value.code, caught.value.permanent) == ("cloud.trust", True)
        presented = bench.access().thumbprint.replace(":", "").upper()
        assert presented in caught.value.message.replace(":", "").upper()
        connector.close()

    def test_errors_are_plain_and_travel_between_processes(self, site: Site) -> None:
        site.lay_ground()
        met = site.fails("machine.create", site.machine(template="nothing"))
        error = pickle.loads(pickle.dumps(met))
        assert (error.code, error.message, error.permanent) == (met.code, met.message, met.permanent)
        assert met.__cause__ is None
        assert met.__suppress_context__ or met.__context__ is None
        assert error.message.count(" - ") >= 2  # what - why - what now

    # Checks

    def test_checks_find_trouble_and_change_nothing(self, bench: Bench, site: Site) -> None:
        before = bench.listing()
        fine = [
            site.action("folder.create", site.folder),
            site.action("network.create", site.backnet()),
            site.action("network.create", site.frontnet()),
            site.action("volume.create", site.volume()),
            site.action("machine.create", site.machine()),
        ]
        assert [finding for action in fine for finding in site.connector.check(action)] == []
        troubles = {
            "template": site.action("machine.create", site.machine(template="nothing")),
            "cluster": site.action("machine.create", site.machine(cluster="nothing")),
            "network": site.action("network.create", Network("network:front", "nothing", False)),
            "datastore": site.action("volume.create", Volume("volume:data", "data", 1, datastore="nothing")),
            "room": site.action("volume.create", site.volume(10_000_000)),
        }
        for name, action in troubles.items():
            findings = site.connector.check(action)
            assert [finding.severity for finding in findings] == ["error"], name
        assert bench.listing() == before

    def test_handles_and_results_hold_no_secrets(self, bench: Bench, site: Site) -> None:
        site.lay_ground()
        bench.slow("machine.create", 0.1)
        outcome = site.start(site.action("machine.create", site.machine(userdata={"runcmd": [["canary-token"]]})))
        assert outcome.handle
        told = outcome.handle + json.dumps(dict(site.finish(outcome).result))
        assert "canary" not in told
        assert bench.access().password not in told
        assert bench.access().password not in repr(bench.access())

    # Details

    def _creation(self, site: Site, verb: str) -> Any:
        about = {
            "folder.create": site.folder,
            "network.create": site.backnet(),
            "volume.create": site.volume(),
            "machine.create": site.machine(),
        }[verb]
        return site.action(verb, about)

    def _delete(self, site: Site, verb: str) -> None:
        site.next_operation()
        about: Any = {"network.create": site.backnet(), "volume.create": site.volume()}.get(verb, "machine:host-1")
        site.run(verb.replace("create", "delete"), about)

    def _persist(self, site: Site, action: Any) -> Outcome:
        """Try a step as the runner does: again, as long as its error may pass."""
        outcome = Outcome.failed(ConnectorError("none", ""))
        for _ in range(5):
            try:
                outcome = site.finish(site.start(action))
            except ConnectorError as error:
                outcome = Outcome.failed(error)
            if outcome.error is None or outcome.error.permanent:
                break
        return outcome

    def _attached(self, site: Site, key: str) -> list[str]:
        disks = site.observe().resources[key].attributes["disks"]
        return [disk["volume"] for disk in disks if disk.get("volume")]


__all__ = ["ConnectorContract", "to_json"]
