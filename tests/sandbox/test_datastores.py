import pytest
from pyVmomi import vim

from tests.sandbox.vsphere import TaskError, VSphere

GIB = 1 << 30


def free(vc: VSphere, name: str) -> int:
    return int(vc.get(vim.Datastore, name).summary.freeSpace)


def test_the_types_are_what_they_say(vc: VSphere) -> None:
    found = {v["summary"].name: (v["summary"].type, type(v["info"]).__name__) for v in vc.read(vim.Datastore).values()}
    assert found["san-gold"] == ("VMFS", "vim.host.VmfsDatastoreInfo")
    assert found["nfs-archive"] == ("NFS", "vim.host.NasDatastoreInfo")
    assert found["vsan-b"] == ("vsan", "vim.host.VsanDatastoreInfo")
    assert found["local-scratch"] == ("OTHER", "vim.host.LocalDatastoreInfo")


def test_a_disk_takes_its_capacity_from_the_free_space_and_gives_it_back(vc: VSphere) -> None:
    vm = vc.clone("spender")
    before = free(vc, "san-gold")
    vc.reconfigure(vm, deviceChange=[vc.new_disk(vm, 100 * 1024)])
    assert 100 * GIB <= before - free(vc, "san-gold") < 100 * GIB + (1 << 20)
    vc.remove(vm)
    assert free(vc, "san-gold") >= before + 16 * GIB - (1 << 20)


def test_a_full_datastore_refuses_a_disk_and_nothing_is_left(vc: VSphere) -> None:
    vm = vc.clone("hungry")
    vc.simulator.set_free("san-gold", 5 * GIB)
    with pytest.raises(TaskError) as failed:
        vc.reconfigure(vm, deviceChange=[vc.new_disk(vm, 6 * 1024)])
    assert isinstance(failed.value.fault, vim.fault.NoDiskSpace)
    assert failed.value.fault.datastore == "san-gold"
    assert len(vc.disks(vm)) == 1
    vc.reconfigure(vm, deviceChange=[vc.new_disk(vm, 4 * 1024)])
    assert free(vc, "san-gold") < GIB + (1 << 20)


def test_a_full_datastore_refuses_a_clone(vc: VSphere) -> None:
    location = vim.vm.RelocateSpec(pool=vc.root_pool(), datastore=vc.get(vim.Datastore, "nvme-a"))
    vc.simulator.set_free("nvme-a", 15 * GIB)
    with pytest.raises(TaskError) as failed:
        vc.clone("too-big", location=location)
    assert isinstance(failed.value.fault, vim.fault.NoDiskSpace)
    assert "too-big" not in vc.names()
    assert not (vc.simulator.home / "datastores" / "nvme-a" / "too-big").exists()


def test_two_clones_do_not_promise_the_same_space(vc: VSphere) -> None:
    datastore = vc.get(vim.Datastore, "nfs-archive")
    vc.simulator.set_free("nfs-archive", 20 * GIB)
    location = vim.vm.RelocateSpec(pool=vc.root_pool(), datastore=datastore)
    tasks = [vc.clone_task(f"rival-{i}", location=location) for i in range(4)]
    ends = [vc.end(task) for task in tasks]
    assert sorted(type(end).__name__ for end in ends) == ["vim.VirtualMachine"] + ["vim.fault.NoDiskSpace"] * 3


def test_a_refresh_does_not_invent_space(vc: VSphere) -> None:
    datastore = vc.get(vim.Datastore, "local-scratch")
    before = (datastore.summary.capacity, datastore.summary.freeSpace)
    datastore.RefreshDatastore()
    assert (datastore.summary.capacity, datastore.summary.freeSpace) == before == (480 * GIB, 460 * GIB)


def test_an_upload_that_does_not_fit_is_refused(vc: VSphere) -> None:
    import urllib.error

    vc.simulator.set_free("local-scratch", 1024)
    with pytest.raises(urllib.error.HTTPError) as refused:
        vc.http("PUT", "[local-scratch] big.bin", data=b"x" * 4096)
    assert refused.value.code == 507
