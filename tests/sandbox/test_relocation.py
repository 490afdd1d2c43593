"""Relocation within one vCenter: files, paths and lists follow the machine."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from pyVmomi import vim, vmodl

from tests.sandbox.vsphere import DEBIAN, TaskError, VSphere


@pytest.fixture
def mover(vc: VSphere) -> Iterator[Any]:
    nvme = vc.standing(vim.Datastore, "nvme-a")
    location = vim.vm.RelocateSpec(pool=vc.root_pool(), datastore=nvme)
    vm = vc.clone("mover", template=DEBIAN, location=location)
    vc.reconfigure(vm, deviceChange=[vc.new_disk(vm, 64)])
    yield vm
    vc.remove(vm)


def relocate(vc: VSphere, vm: Any, **spec: Any) -> None:
    vc.wait(vm.RelocateVM_Task(vim.vm.RelocateSpec(**spec)))


def head(vc: VSphere, file: str) -> bytes:
    return vc.http("GET", file.replace(".vmdk", "-flat.vmdk"), headers={"Range": "bytes=0-13"})


def there(vc: VSphere, file: str) -> bool:
    try:
        vc.http("GET", file)
    except OSError:
        return False
    return True


def test_files_and_paths_move_to_another_datastore(vc: VSphere, mover: Any) -> None:
    gold = vc.standing(vim.Datastore, "san-gold")
    old = [d.backing.fileName for d in vc.disks(mover)]
    uuids = [d.backing.uuid for d in vc.disks(mover)]
    relocate(vc, mover, datastore=gold)
    new = [d.backing.fileName for d in vc.disks(mover)]
    assert new == ["[san-gold] mover/mover.vmdk", "[san-gold] mover/mover_1.vmdk"]
    assert {d.backing.datastore for d in vc.disks(mover)} == {gold}
    assert [d.backing.uuid for d in vc.disks(mover)] == uuids
    assert head(vc, new[0]) == b"ESCALE-SANDBOX"
    assert not any(there(vc, file) for file in old)
    assert mover.config.files.vmPathName == mover.summary.config.vmPathName == "[san-gold] mover/mover.vmx"
    assert list(mover.datastore) == [gold]
    assert mover in gold.vm
    assert mover not in vc.standing(vim.Datastore, "nvme-a").vm
    vc.wait(mover.PowerOnVM_Task())


def test_the_space_moves_too(vc: VSphere, mover: Any) -> None:
    free = {name: vc.standing(vim.Datastore, name).summary.freeSpace for name in ("nvme-a", "san-gold")}
    relocate(vc, mover, datastore=vc.standing(vim.Datastore, "san-gold"))
    size = (16 << 30) + (64 << 20)
    for name, sign in (("nvme-a", 1), ("san-gold", -1)):
        change = vc.standing(vim.Datastore, name).summary.freeSpace - free[name]
        assert abs(change - sign * size) < 1 << 20


def test_one_disk_can_move_alone(vc: VSphere, mover: Any) -> None:
    nfs = vc.standing(vim.Datastore, "nfs-archive")
    key = vc.disks(mover)[1].key
    relocate(vc, mover, disk=[vim.vm.RelocateSpec.DiskLocator(diskId=key, datastore=nfs)])
    first, second = vc.disks(mover)
    assert first.backing.fileName.startswith("[nvme-a] ")
    assert second.backing.fileName.startswith("[nfs-archive] ")
    assert mover.config.files.vmPathName.startswith("[nvme-a] ")
    assert len(mover.datastore) == 2
    assert mover in nfs.vm


def test_another_host_and_pool_list_it(vc: VSphere, mover: Any) -> None:
    cluster = vc.standing(vim.ClusterComputeResource, "Compute-A")
    pool = vc.standing(vim.ResourcePool, "Production")
    old_host, old_pool = mover.runtime.host, mover.resourcePool
    host = next(h for h in cluster.host if h != old_host)
    vc.wait(mover.PowerOnVM_Task())
    relocate(vc, mover, host=host, pool=pool)
    assert mover.runtime.host == mover.summary.runtime.host == host
    assert mover.runtime.powerState == "poweredOn"
    assert mover in host.vm
    assert mover not in old_host.vm
    assert mover.resourcePool == pool
    assert mover in pool.vm
    assert mover not in old_pool.vm
    spec = vim.event.EventFilterSpec(entity=vim.event.EventFilterSpec.ByEntity(entity=mover, recursion="self"))
    events = vc.content.eventManager.QueryEvents(spec)
    kinds = [type(e).__name__.rpartition(".")[2] for e in events]
    assert "VmMigratedEvent" in kinds
    assert next(e for e in events if isinstance(e, vim.event.VmMigratedEvent)).sourceHost.host == old_host


def test_it_goes_to_another_cluster_with_its_pool(vc: VSphere, mover: Any) -> None:
    cluster = vc.standing(vim.ClusterComputeResource, "Compute-B")
    vsan = vc.standing(vim.Datastore, "vsan-b")
    relocate(vc, mover, pool=cluster.resourcePool, datastore=vsan)
    assert mover.runtime.host in cluster.host
    assert head(vc, vc.disks(mover)[0].backing.fileName) == b"ESCALE-SANDBOX"
    vc.wait(mover.PowerOnVM_Task())


def test_it_goes_into_another_folder(vc: VSphere, mover: Any) -> None:
    folder = vc.standing(vim.Folder, "Legacy")
    old = mover.parent
    relocate(vc, mover, folder=folder)
    assert mover.parent == folder
    assert mover in folder.childEntity
    assert mover not in old.childEntity


@pytest.mark.parametrize(
    ("spec", "fault"),
    [
        (lambda vc: {"datastore": vc.standing(vim.Datastore, "vsan-b")}, vim.fault.InvalidDatastore),
        (lambda vc: {"pool": vc.root_pool("Compute-B")}, vim.fault.InvalidDatastore),
        (lambda vc: {"host": vc.get(vim.HostSystem, "esx-b01.paris.example")}, vmodl.fault.InvalidArgument),
        (
            lambda vc: {"disk": [vim.vm.RelocateSpec.DiskLocator(diskId=9, datastore=vc.all(vim.Datastore)[0])]},
            vmodl.fault.InvalidArgument,
        ),
    ],
)  # fmt: skip
def test_what_cannot_be_is_refused_and_changes_nothing(vc: VSphere, mover: Any, spec: Any, fault: type) -> None:
    before = (mover.runtime.host, mover.resourcePool, [d.backing.fileName for d in vc.disks(mover)])
    with pytest.raises(TaskError) as failed:
        relocate(vc, mover, **spec(vc))
    assert isinstance(failed.value.fault, fault)
    assert (mover.runtime.host, mover.resourcePool, [d.backing.fileName for d in vc.disks(mover)]) == before


def test_a_full_datastore_refuses_it(vc: VSphere, mover: Any) -> None:
    gold = vc.standing(vim.Datastore, "san-gold")
    free = gold.summary.freeSpace
    vc.simulator.set_free("san-gold", 1 << 30)
    with pytest.raises(TaskError) as failed:
        relocate(vc, mover, datastore=gold)
    vc.simulator.set_free("san-gold", free)
    assert isinstance(failed.value.fault, vim.fault.NoDiskSpace)
    assert not there(vc, "[san-gold] mover/mover.vmdk")


def test_a_template_moves_and_stays_one(vc: VSphere) -> None:
    template = vc.clone("golden-mover", as_template=True)
    relocate(vc, template, datastore=vc.standing(vim.Datastore, "nfs-archive"))
    assert template.config.template
    assert template.config.files.vmPathName.startswith("[nfs-archive] ")
    assert template.summary.config.template
    vc.remove(template)


def test_a_machine_of_others_moves_like_any_other(vc: VSphere) -> None:
    vm = next(
        vm
        for vm, v in vc.read(vim.VirtualMachine, "name", "summary.config.vmPathName", "runtime.powerState").items()
        if v["name"].startswith("fin-") and v["summary.config.vmPathName"].startswith("[san-gold]")
    )
    relocate(vc, vm, datastore=vc.standing(vim.Datastore, "nfs-archive"))
    assert all(head(vc, d.backing.fileName) == b"DISK OF ANOTHE" for d in vc.disks(vm))


# Snapshots


def tree(vm: Any) -> Any:
    def names(nodes: Any) -> Any:
        return {n.name: names(n.childSnapshotList) for n in nodes}

    return names(vm.snapshot.rootSnapshotList) if vm.snapshot else None


@pytest.fixture
def chain(vc: VSphere, mover: Any) -> tuple[Any, list[Any]]:
    taken = []
    for number in range(3):
        vc.reconfigure(mover, memoryMB=1024 * (number + 1))
        taken.append(vc.wait(mover.CreateSnapshot_Task(f"s{number}", "", False, False)))
    return mover, taken


def test_snapshots_stand_in_a_chain(chain: Any) -> None:
    vm, taken = chain
    assert tree(vm) == {"s0": {"s1": {"s2": {}}}}
    assert vm.snapshot.currentSnapshot == taken[2]
    assert list(vm.rootSnapshot) == [taken[0]]


def test_reverting_brings_the_configuration_back(vc: VSphere, chain: Any) -> None:
    vm, taken = chain
    vc.wait(vm.PowerOnVM_Task())
    vc.wait(taken[0].RevertToSnapshot_Task())
    assert vm.runtime.powerState == "poweredOff"
    assert vm.config.hardware.memoryMB == vm.summary.config.memorySizeMB == 1024
    assert vm.snapshot.currentSnapshot == taken[0]
    vc.wait(vm.CreateSnapshot_Task("branch", "", False, False))
    assert tree(vm) == {"s0": {"s1": {"s2": {}}, "branch": {}}}


def test_children_of_a_removed_snapshot_move_up(vc: VSphere, chain: Any) -> None:
    vm, taken = chain
    vc.wait(taken[1].RemoveSnapshot_Task(removeChildren=False))
    assert tree(vm) == {"s0": {"s2": {}}}
    assert vm.snapshot.currentSnapshot == taken[2]


def test_a_root_that_is_current_goes_without_a_crash(vc: VSphere, chain: Any) -> None:
    vm, taken = chain
    vc.wait(vm.snapshot.rootSnapshotList[0].snapshot.RevertToSnapshot_Task())
    vc.wait(taken[0].RemoveSnapshot_Task(removeChildren=False))
    assert tree(vm) == {"s1": {"s2": {}}}
    vc.wait(taken[2].RemoveSnapshot_Task(removeChildren=False))
    assert tree(vm) == {"s1": {}}


def test_a_subtree_goes_with_its_root(vc: VSphere, chain: Any) -> None:
    vm, taken = chain
    vc.wait(taken[1].RemoveSnapshot_Task(removeChildren=True))
    assert tree(vm) == {"s0": {}}
    assert vm.snapshot.currentSnapshot == taken[0]


def test_all_snapshots_go_at_once(vc: VSphere, chain: Any) -> None:
    vm, taken = chain
    vc.wait(vm.RemoveAllSnapshots_Task())
    assert "snapshot" not in vc.read(vim.VirtualMachine, "snapshot")[vm]
    assert isinstance(vc.end(vm.RevertToCurrentSnapshot_Task()), vim.fault.NotFound)
    with pytest.raises(vmodl.fault.ManagedObjectNotFound):
        taken[0].RemoveSnapshot_Task(removeChildren=False)


def test_a_machine_of_others_loses_its_snapshots(vc: VSphere) -> None:
    vm = next(vm for vm, v in vc.read(vim.VirtualMachine, "snapshot").items() if v)
    vc.wait(vm.CreateSnapshot_Task("one more", "", False, False))
    vc.wait(vm.RemoveAllSnapshots_Task())
    assert "snapshot" not in vc.read(vim.VirtualMachine, "snapshot")[vm]
