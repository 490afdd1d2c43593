"""Incremental property collection: versions, pages, redelivery, and a cost that follows from what changed."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest
from pyVmomi import vim, vmodl

from sandbox.simulator import Simulator
from tests.sandbox.vsphere import VSphere, session

pc = vmodl.query.PropertyCollector
MACHINE = [
    "name", "config.hardware.memoryMB", "config.hardware.numCPU", "summary.config.memorySizeMB", "config.annotation",
    "runtime.host", "runtime.powerState", "guest.ipAddress", "resourcePool", "parent", "datastore", "snapshot",
]  # fmt: skip
PATHS: dict[type, list[str]] = {vim.VirtualMachine: MACHINE}


class Watch:
    """One collector of its own with one filter over a view of everything."""

    def __init__(self, vc: VSphere, paths: dict[type, list[str]], container: Any = None) -> None:
        self.vc = vc
        self.collector = vc.content.propertyCollector.CreatePropertyCollector()
        self.view = vc.content.viewManager.CreateContainerView(container or vc.content.rootFolder, list(paths), True)
        step = pc.TraversalSpec(name="view", type=vim.view.ContainerView, path="view", skip=False)
        self.filter = self.collector.CreateFilter(
            pc.FilterSpec(
                objectSet=[pc.ObjectSpec(obj=self.view, skip=True, selectSet=[step])],
                propSet=[pc.PropertySpec(type=kind, all=False, pathSet=names) for kind, names in paths.items()],
            ),
            False,
        )
        self.version = ""

    def ask(self, version: str | None = None, most: int | None = None, seconds: int = 0) -> Any:
        options = pc.WaitOptions(maxWaitSeconds=seconds, maxObjectUpdates=most)
        return self.collector.WaitForUpdatesEx(self.version if version is None else version, options)

    def next(self, most: int | None = 10_000, seconds: int = 0) -> dict[Any, Any]:
        """Take all pages there are, and return the updates by object."""
        found: dict[Any, Any] = {}
        while update := self.ask(most=most, seconds=seconds):
            self.version = update.version
            found.update({u.obj: u for s in update.filterSet for u in s.objectSet})
            if not update.truncated:
                break
        return found


def changes(update: Any) -> dict[str, Any]:
    return {c.name: c.val for c in update.changeSet}


@pytest.fixture
def watch(vc: VSphere) -> Iterator[Watch]:
    watch = Watch(vc, PATHS)
    yield watch
    watch.collector.DestroyPropertyCollector()


def test_the_first_call_gives_everything_in_pages(watch: Watch) -> None:
    seen: list[Any] = []
    versions = []
    while True:
        update = watch.ask(most=17)
        watch.version = update.version
        versions.append(int(update.version))
        objects = [u for s in update.filterSet for u in s.objectSet]
        assert len(objects) <= 17
        assert {u.kind for u in objects} == {"enter"}
        assert {s.filter for s in update.filterSet} == {watch.filter}
        seen += [u.obj for u in objects]
        if not update.truncated:
            break
    assert versions == sorted(set(versions))
    assert len(versions) > 3
    assert sorted(o._moId for o in seen) == sorted(o._moId for o in watch.vc.all(vim.VirtualMachine))
    assert watch.ask() is None


def test_it_gives_what_a_retrieval_gives(watch: Watch) -> None:
    updates = watch.next()
    read = watch.vc.read(vim.VirtualMachine, *PATHS[vim.VirtualMachine])
    assert {o: str(changes(u)) for o, u in updates.items()} == {o: str(v) for o, v in read.items()}


def test_only_the_changed_paths_of_a_reconfigured_machine_come(watch: Watch) -> None:
    vm = watch.vc.clone("grows")
    watch.next()
    memory = vm.config.hardware.memoryMB + 512
    watch.vc.reconfigure(vm, memoryMB=memory)
    updates = watch.next()
    assert list(updates) == [vm]
    assert updates[vm].kind == "modify"
    assert changes(updates[vm]) == {"config.hardware.memoryMB": memory, "summary.config.memorySizeMB": memory}
    watch.vc.reconfigure(vm, memoryMB=memory)
    assert watch.next() == {}
    watch.vc.remove(vm)


def test_creation_enters_and_destruction_leaves(watch: Watch) -> None:
    watch.next()
    vm = watch.vc.clone("comes-and-goes")
    updates = watch.next()
    assert [(o, u.kind) for o, u in updates.items()] == [(vm, "enter")]
    assert changes(updates[vm])["name"] == "comes-and-goes"
    watch.vc.remove(vm)
    assert [(o, u.kind, list(u.changeSet)) for o, u in watch.next().items()] == [(vm, "leave", [])]
    assert watch.next() == {}


def test_what_came_and_went_between_two_calls_is_not_told_as_there(watch: Watch) -> None:
    watch.next()
    vm = watch.vc.clone("mayfly")
    watch.vc.remove(vm)
    assert all(u.kind == "leave" for u in watch.next().values())


def test_power_and_address_are_changes(watch: Watch) -> None:
    vm = watch.vc.clone("boots")
    watch.next()
    watch.vc.wait(vm.PowerOnVM_Task())
    told: dict[str, Any] = {}
    while "guest.ipAddress" not in told:
        for obj, update in watch.next(seconds=5).items():
            assert obj == vm
            told |= changes(update)
    assert told["runtime.powerState"] == "poweredOn"
    watch.vc.wait(vm.PowerOffVM_Task())
    assert changes(watch.next(seconds=5)[vm]) == {"runtime.powerState": "poweredOff", "guest.ipAddress": None}
    watch.vc.remove(vm)


def test_an_old_version_gives_the_same_changes_again(watch: Watch) -> None:
    vm = watch.vc.clone("repeated")
    watch.next()
    before = watch.version
    watch.vc.reconfigure(vm, memoryMB=1024)
    first = watch.ask(before)
    again = watch.ask(before)
    assert str(first) == str(again)
    watch.vc.reconfigure(vm, numCPUs=4)
    both = {c.name: c.val for s in watch.ask(before).filterSet for u in s.objectSet for c in u.changeSet}
    assert both["config.hardware.memoryMB"] == 1024
    assert both["config.hardware.numCPU"] == 4
    later = {c.name for s in watch.ask(first.version).filterSet for u in s.objectSet for c in u.changeSet}
    assert later == {"config.hardware.numCPU"}
    watch.vc.remove(vm)


def test_the_empty_version_begins_anew(watch: Watch) -> None:
    everything = watch.next()
    assert watch.next() == {}
    watch.version = ""
    assert set(watch.next()) == set(everything)


@pytest.mark.parametrize("version", ["-3", "nonsense", "999999999"])
def test_an_unknown_version_is_refused(watch: Watch, version: str) -> None:
    watch.next()
    with pytest.raises(vmodl.query.InvalidCollectorVersion):
        watch.ask(version)


def test_a_forgotten_version_is_refused_and_a_new_start_works(watch: Watch) -> None:
    everything = watch.next()
    watch.vc.simulator.forget_versions()
    with pytest.raises(vmodl.query.InvalidCollectorVersion):
        watch.ask()
    watch.version = ""
    assert set(watch.next()) == set(everything)


def test_it_waits_for_a_change_and_answers_at_once(watch: Watch) -> None:
    vm = watch.vc.clone("awaited")
    watch.next()
    timer = threading.Timer(0.3, lambda: _other_session(watch.vc.simulator, vm))
    began = time.monotonic()
    timer.start()
    updates = watch.next(seconds=20)
    assert 0.2 < time.monotonic() - began < 5
    assert changes(updates[vm])["config.annotation"] == "changed by somebody else"
    watch.vc.remove(vm)


def _other_session(simulator: Simulator, vm: Any) -> None:
    with session(simulator) as other:
        own = vim.VirtualMachine(vm._moId, other.si._stub)
        other.reconfigure(own, annotation="changed by somebody else")


def test_the_longest_wait_is_honoured(watch: Watch) -> None:
    watch.next()
    began = time.monotonic()
    assert watch.ask(seconds=1) is None
    assert 0.9 < time.monotonic() - began < 3


def test_a_wait_can_be_cancelled(watch: Watch) -> None:
    watch.next()
    timer = threading.Timer(0.2, watch.collector.CancelWaitForUpdates)
    timer.start()
    with pytest.raises(vmodl.fault.RequestCanceled):
        watch.ask(seconds=20)
    assert watch.ask() is None


def test_the_end_of_the_session_ends_a_wait(paris: Simulator) -> None:
    with session(paris) as vc:
        watch = Watch(vc, PATHS)
        watch.next()
        timer = threading.Timer(0.2, paris.expire_sessions)
        timer.start()
        with pytest.raises(vim.fault.NotAuthenticated):
            watch.ask(seconds=20)


def test_collectors_do_not_share_versions(watch: Watch) -> None:
    other = Watch(watch.vc, {vim.Datastore: ["name", "summary.freeSpace"]})
    assert {type(o) for o in other.next()} == {vim.Datastore}
    assert {type(o) for o in watch.next()} == {vim.VirtualMachine}
    vm = watch.vc.clone("takes-space")
    assert vm in watch.next()
    watch.vc.eventually(lambda: any("summary.freeSpace" in changes(u) for u in other.next().values()))
    watch.vc.remove(vm)


def test_lists_of_hosts_and_folders_follow(vc: VSphere) -> None:
    watch = Watch(
        vc, {vim.HostSystem: ["vm"], vim.Folder: ["childEntity"], vim.Network: ["vm"], vim.ResourcePool: ["vm"]}
    )
    watch.next()
    vm = vc.clone("listed")
    told = {type(o) for o, u in watch.next().items() if vm in next(iter(changes(u).values()))}
    assert told == {vim.HostSystem, vim.Folder, vim.dvs.DistributedVirtualPortgroup, vim.ResourcePool}
    vc.remove(vm)
    assert {type(o) for o in watch.next()} == told


def test_a_filter_over_folders_by_traversal_follows_new_folders(vc: VSphere) -> None:
    collector = vc.content.propertyCollector.CreatePropertyCollector()
    names = ["folders", "datacenters"]
    steps = [pc.SelectionSpec(name=name) for name in names]
    spec = pc.FilterSpec(
        objectSet=[
            pc.ObjectSpec(
                obj=vc.content.rootFolder,
                skip=False,
                selectSet=[
                    pc.TraversalSpec(name="folders", type=vim.Folder, path="childEntity", skip=False, selectSet=steps),
                    pc.TraversalSpec(name="datacenters", type=vim.Datacenter, path="vmFolder", selectSet=steps),
                ],
            )
        ],
        propSet=[
            pc.PropertySpec(type=vim.Folder, pathSet=["name"]),
            pc.PropertySpec(type=vim.VirtualMachine, pathSet=["name", "config.template"]),
        ],
    )
    collector.CreateFilter(spec, False)
    first = collector.WaitForUpdatesEx("", pc.WaitOptions(maxWaitSeconds=0, maxObjectUpdates=10_000))
    entered = {u.obj for s in first.filterSet for u in s.objectSet}
    assert set(vc.all(vim.VirtualMachine)) <= entered
    folder = vc.vm_folder.CreateFolder("fresh")
    vm = vc.clone("inside", folder=folder)
    second = collector.WaitForUpdatesEx(first.version, pc.WaitOptions(maxWaitSeconds=0))
    assert {u.obj for s in second.filterSet for u in s.objectSet if u.kind == "enter"} == {folder, vm}
    vc.remove(vm)


def test_a_destroyed_filter_tells_nothing(watch: Watch) -> None:
    watch.next()
    watch.filter.DestroyPropertyFilter()
    vm = watch.vc.clone("unseen")
    assert watch.next() == {}
    watch.vc.remove(vm)


def test_a_path_that_is_none_is_named(vc: VSphere) -> None:
    watch = Watch(vc, {vim.Datastore: ["name", "no.such"]})
    update = watch.ask()
    assert {m.path for s in update.filterSet for u in s.objectSet for m in u.missingSet} == {"no.such"}


def test_one_per_cent_of_ten_thousand_machines_costs_little() -> None:
    with Simulator("big", ephemeral=True, machines=10_000) as simulator, session(simulator) as vc:
        began = time.monotonic()
        pages, found = 0, 0
        collector, view = vc.content.propertyCollector, None
        view = vc.content.viewManager.CreateContainerView(vc.content.rootFolder, [vim.VirtualMachine], True)
        step = pc.TraversalSpec(name="view", type=vim.view.ContainerView, path="view", skip=False)
        spec = pc.FilterSpec(
            objectSet=[pc.ObjectSpec(obj=view, skip=True, selectSet=[step])],
            propSet=[pc.PropertySpec(type=vim.VirtualMachine, pathSet=["name"])],
        )
        result = collector.RetrievePropertiesEx([spec], pc.RetrieveOptions(maxObjects=500))
        while result:
            pages, found = pages + 1, found + len(result.objects)
            result = collector.ContinueRetrievePropertiesEx(result.token) if result.token else None
        assert pages == -(-found // 500)
        assert found > 10_000
        watch = Watch(vc, PATHS)
        assert len(watch.next(most=2000)) == found
        full = time.monotonic() - began
        changed = simulator.churn(100)
        began = time.monotonic()
        updates = watch.next()
        incremental = time.monotonic() - began
        assert {o._moId for o in updates} == set(changed)
        assert len(changed) == 100
        assert incremental < min(1.0, full / 5)
