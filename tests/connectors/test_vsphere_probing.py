"""Probes on simulated vCenters: each passes on a sound one, and each says what is wrong with one that is not."""

from __future__ import annotations

import contextlib
import time
import uuid
from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from apps.labels import canary as parts
from connectors import registry
from connectors.base import Access, Connector, ConnectorError
from connectors.probing import FOLDER, MACHINE, NETWORK, VOLUME, Canary, Probe, of_kind
from connectors.vsphere import survey
from connectors.vsphere.probing_privileges import DEPLOY
from sandbox.simulator import Simulator
from tests.connectors.breaker import Breaker
from tests.connectors.vsphere_bench import VsphereBench

pytestmark = pytest.mark.slow

PLACES = (("paris", "private"), ("roubaix", "ovh"), ("frankfurt", "ibm"), ("oregon", "vmc"))


class Walk:
    """Go through the probes of a vCenter as a run does, without the portal around it."""

    def __init__(self, simulator: Simulator, flavour: str) -> None:
        self.simulator, self.flavour = simulator, flavour
        access = Access(
            "vsphere",
            simulator.ready["url"],
            simulator.username,
            simulator.password,
            flavour=flavour,
            thumbprint=simulator.ready["thumbprint_sha256"].replace(":", "").lower(),
        )
        self.connector: Any = registry.connect(access)
        self.owner = parts.owner(uuid.uuid4(), "acme", uuid.uuid4())
        self.found: dict[str, dict[str, Any]] = {}
        self.keys: dict[str, str] = {}
        self.probes = {probe.key: probe for probe in of_kind("vsphere", flavour)}

    def run(self, *keys: str) -> dict[str, dict[str, Any]]:
        """Make probes, all of them when none is named, and return what each found."""
        for key in keys or tuple(self.probes):
            probe = self.probes[key]
            if not probe.left_out and key != "canary.destroy":
                self.found[key] = self._one(probe)
        return self.found

    def canary(self) -> Canary:
        return Canary(self.owner, self.found)

    def _one(self, probe: Probe) -> dict[str, Any]:
        if not probe.verb:
            report = self.connector.examine(probe.key, self.canary())
            return {
                "verdict": report.verdict, "code": report.code, "message": report.message, "facts": report.facts,
                "internals": report.internals,
            }  # fmt: skip
        key = self.keys.setdefault(probe.key, str(uuid.uuid4()))
        try:
            return {
                "verdict": "passed",
                "internals": self.finish(self.connector, parts.action(probe, self.canary()), key),
            }
        except ConnectorError as error:
            return {"verdict": "failed", "code": error.code, "message": error.message, "internals": {}}

    @staticmethod
    def finish(connector: Connector, action: Any, key: str) -> Mapping[str, Any]:
        outcome = connector.start(action, key)
        while outcome.state == "running":
            time.sleep(0.01)
            assert outcome.handle is not None
            outcome = connector.poll([outcome.handle])[outcome.handle]
        if outcome.error is not None:
            raise outcome.error
        return dict(outcome.result)

    def clean(self) -> None:
        for resource, verb in (
            (MACHINE, "machine.unsnapshot"),
            (MACHINE, ""),
            (VOLUME, ""),
            (NETWORK, ""),
            (FOLDER, ""),
        ):
            observed = self.connector.observe(self.owner).resources.get(resource)
            if observed is not None:
                action = parts.removal(resource, self.owner, observed.external_id, verb)
                self.finish(self.connector, action, str(uuid.uuid4()))


@contextlib.contextmanager
def walking(name: str, flavour: str, folder: Any) -> Iterator[tuple[Walk, VsphereBench]]:
    with (
        Simulator(name, flavour=flavour, ephemeral=True, guest_delay_ms=10) as simulator,
        Breaker(simulator.port, folder) as breaker,
    ):
        bench = VsphereBench(simulator, breaker)
        walk = Walk(simulator, flavour)
        yield walk, bench
        walk.connector.close()
        bench.close()


@pytest.mark.parametrize(("name", "flavour"), PLACES)
def test_a_sound_vcenter_of_each_flavour_passes_all_probes_and_is_left_as_it_was(
    tmp_path: Any, name: str, flavour: str
) -> None:
    with walking(name, flavour, tmp_path) as (walk, bench):
        before = bench.listing()
        found = walk.run()
        bad = {key: each for key, each in found.items() if each["verdict"] != "passed"}
        assert not bad
        assert before != bench.listing()
        walk.clean()
        assert bench.listing() == before
        assert walk.connector.observe(walk.owner).resources == {}


def test_vmware_cloud_is_not_asked_for_what_its_customers_cannot_do() -> None:
    left_out = {probe.key for probe in of_kind("vsphere", "vmc") if probe.left_out}
    assert left_out == {"canary.network", "canary.relocate.datastore"}
    asked = {probe.key: probe for probe in of_kind("vsphere", "vmc")}
    assert "boundary" in asked
    assert asked["policies"].required
    assert not {probe.key for probe in of_kind("vsphere", "private") if probe.left_out}


def test_every_privilege_that_the_connector_asks_about_is_proved_for_a_label() -> None:
    assert set(survey.PRIVILEGES) <= set(DEPLOY)
    assert all(DEPLOY.values())


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Walk, VsphereBench]]:
    with walking("paris", "private", tmp_path_factory.mktemp("breaker")) as (walk, bench):
        yield walk, bench


@pytest.fixture
def walk(place: tuple[Walk, VsphereBench]) -> Iterator[Walk]:
    walk, bench = place
    walk.found, walk.keys = {}, {}
    walk.owner = parts.owner(uuid.uuid4(), "acme", uuid.uuid4())
    yield walk
    walk.simulator.reset()
    walk.simulator.take_privileges()
    walk.clean()
    del bench


BORN = ("ground", "canary.folder", "canary.volume", "canary.clone", "canary.placed", "canary.boot")


def test_a_missing_privilege_is_named_with_what_it_is_for(walk: Walk) -> None:
    walk.simulator.take_privileges("VirtualMachine.Config.AddExistingDisk", "Resource.HotMigrate")
    found = walk.run("privileges.deploy", "privileges.move")
    deploy, move = found["privileges.deploy"], found["privileges.move"]
    assert (deploy["verdict"], deploy["code"]) == ("failed", "cloud.permission")
    assert "VirtualMachine.Config.AddExistingDisk" in deploy["message"]
    assert "Resource.HotMigrate" not in deploy["message"]
    assert [row for row in deploy["facts"]["privileges"] if not row["held"]] == [
        {"name": "VirtualMachine.Config.AddExistingDisk", "held": False, "for": "attach data disks"}
    ]
    assert "Resource.HotMigrate" in move["message"]


def test_a_snapshot_that_fails_is_told(walk: Walk) -> None:
    walk.run(*BORN)
    walk.simulator.fault("CreateSnapshot_Task", "SnapshotFault", count=0)
    assert walk.run("canary.snapshot")["canary.snapshot"]["verdict"] == "failed"


def test_a_move_that_fails_is_told_and_one_that_did_nothing_is_not_believed(walk: Walk) -> None:
    walk.run(*BORN)
    walk.simulator.fail_task("RelocateVM_Task", "MigrationFault", after_ms=10, count=0)
    assert walk.run("canary.relocate.host")["canary.relocate.host"]["verdict"] == "failed"
    walk.simulator.reset()
    moved = walk.run("canary.relocate.host")["canary.relocate.host"]
    assert moved["internals"]["host"] != walk.found["canary.placed"]["internals"]["host"]


def test_a_move_and_a_snapshot_are_not_made_twice_by_a_second_process(walk: Walk) -> None:
    walk.run(*BORN)
    walk.simulator.reset()
    for key in ("canary.snapshot", "canary.unsnapshot", "canary.relocate.host"):
        walk.run(key)
        walk.run(key)
    calls = walk.simulator.calls()
    assert calls["CreateSnapshot_Task"] == 1
    assert calls["RemoveAllSnapshots_Task"] == 1
    assert calls["RelocateVM_Task"] == 1


def test_events_that_are_not_told_are_waited_for(walk: Walk) -> None:
    walk.run("ground", "canary.folder", "canary.volume", "canary.clone")
    silent = walk.run("events")["events"]
    assert (silent["verdict"], silent["facts"]["creation_seen"], silent["facts"]["start_seen"]) == (
        "waiting",
        True,
        False,
    )
    walk.run("canary.placed", "canary.boot")
    assert walk.run("events")["events"]["verdict"] == "passed"


def test_events_that_may_not_be_read_fail_the_probe(walk: Walk) -> None:
    walk.run(*BORN)
    walk.simulator.fault("QueryEvents", "NoPermission", count=0)
    refused = walk.run("events")["events"]
    assert (refused["verdict"], refused["code"]) == ("failed", "label.events_refused")


def test_a_slow_api_is_measured(walk: Walk) -> None:
    from connectors.vsphere import probing

    walk.simulator.delay("CurrentTime", 20)
    calm = walk.run("latency")["latency"]
    assert calm["verdict"] == "passed"
    assert calm["facts"]["median_ms"] >= 20
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(probing, "LATENCY_CEILING_MS", 10.0)
        slow = walk.run("latency")["latency"]
    assert (slow["verdict"], slow["code"]) == ("failed", "label.slow")


def test_vsan_s_default_policy_is_missed_only_where_it_is_promised(walk: Walk, monkeypatch: Any) -> None:
    from connectors.vsphere import probing_policies

    assert walk.run("policies")["policies"]["facts"]["vsan_default"] is True
    monkeypatch.setattr(probing_policies, "VSAN_DEFAULT_ID", "another")
    assert walk.run("policies")["policies"]["verdict"] == "passed"
    cloud = walk.connector._opened()
    missing = probing_policies.examine(cloud, vsan=True)
    assert (missing.verdict, missing.code) == ("failed", "label.vsan_default")


def test_what_goes_up_to_a_datastore_comes_back_and_is_removed(walk: Walk) -> None:
    walk.run(*BORN)
    found = walk.run("throughput")["throughput"]
    assert found["verdict"] == "passed"
    assert found["facts"]["upload_mib_s"] > 0
    left = list((walk.simulator.home / "datastores").rglob("escale-probe.bin"))
    assert left == []


def test_a_clone_that_fails_leaves_nothing_to_boot(walk: Walk) -> None:
    walk.run("ground", "canary.folder", "canary.volume")
    walk.simulator.fail_task("CloneVM_Task", "NoDiskSpace", after_ms=10, count=0)
    failed = walk.run("canary.clone")["canary.clone"]
    assert (failed["verdict"], failed["code"]) == ("failed", "cloud.no_space")
