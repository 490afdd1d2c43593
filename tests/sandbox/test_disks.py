import urllib.error
from typing import Any

import pytest
from pyVmomi import vim

from tests.sandbox.vsphere import TaskError, VSphere

MIB = 1 << 20


def flat(path: str) -> str:
    return path.replace(".vmdk", "-flat.vmdk")


def create_disk(vc: VSphere, path: str, size_mib: int) -> None:
    spec = vim.VirtualDiskManager.FileBackedVirtualDiskSpec(
        diskType="thin", adapterType="lsiLogic", capacityKb=size_mib * 1024
    )
    vc.wait(vc.content.virtualDiskManager.CreateVirtualDisk_Task(name=path, datacenter=vc.datacenter, spec=spec))


def sizes(vc: VSphere, datastore: str, pattern: str = "*.vmdk") -> dict[str, int]:
    """Capacities in bytes of the disks that a search of the whole datastore finds, by path."""
    details = vim.host.DatastoreBrowser.FileInfo.Details(
        fileSize=True, fileType=True, modification=True, fileOwner=False
    )
    spec = vim.host.DatastoreBrowser.SearchSpec(
        query=[vim.host.DatastoreBrowser.VmDiskQuery()], details=details, matchPattern=[pattern]
    )
    browser = vc.get(vim.Datastore, datastore).browser
    found = vc.wait(browser.SearchDatastoreSubFolders_Task(datastorePath=f"[{datastore}]", searchSpec=spec))
    return {
        f"{folder.folderPath.rstrip('/')}/{file.path}".replace("]/", "] "): file.capacityKb * 1024
        for folder in found
        for file in folder.file
    }


def test_a_new_disk_is_a_sparse_file_of_its_real_size(vc: VSphere) -> None:
    vm = vc.clone("sparse")
    vc.reconfigure(vm, deviceChange=[vc.new_disk(vm, 3 * 1024)])
    path = vc.disks(vm)[1].backing.fileName
    datastore, _, name = path.removeprefix("[").partition("] ")
    file = vc.simulator.home / "datastores" / datastore / flat(name)
    assert file.stat().st_size == 3 << 30
    assert file.stat().st_blocks * 512 < MIB


def test_its_bytes_can_be_put_and_got(vc: VSphere) -> None:
    create_disk(vc, "[nvme-a] put.vmdk", 1)
    content = bytes(range(256)) * 4096
    vc.http("PUT", "[nvme-a] put-flat.vmdk", data=content)
    assert vc.http("GET", "[nvme-a] put-flat.vmdk") == content
    assert vc.http("GET", "[nvme-a] put-flat.vmdk", headers={"Range": "bytes=255-257"}) == b"\xff\x00\x01"


def test_the_files_need_a_session(vc: VSphere) -> None:
    with pytest.raises(urllib.error.HTTPError) as refused:
        vc.http("GET", "[nvme-a] ", headers={"Cookie": "vmware_soap_session=nobody"})
    assert refused.value.code == 401


def test_a_path_cannot_lead_out_of_the_datastore(vc: VSphere) -> None:
    with pytest.raises(urllib.error.HTTPError) as refused:
        vc.http("GET", "[nvme-a] ../../credentials")
    assert refused.value.code in {400, 404}


def test_it_extends_a_disk_and_refuses_to_shrink_it(vc: VSphere) -> None:
    create_disk(vc, "[nvme-a] growing.vmdk", 4)
    manager = vc.content.virtualDiskManager
    vc.wait(
        manager.ExtendVirtualDisk_Task(name="[nvme-a] growing.vmdk", datacenter=vc.datacenter, newCapacityKb=9 * 1024)
    )
    assert sizes(vc, "nvme-a", "growing.vmdk") == {"[nvme-a] growing.vmdk": 9 * MIB}
    with pytest.raises(TaskError):
        vc.wait(
            manager.ExtendVirtualDisk_Task(name="[nvme-a] growing.vmdk", datacenter=vc.datacenter, newCapacityKb=1024)
        )


def test_it_copies_bytes_under_a_uuid_of_its_own(vc: VSphere) -> None:
    create_disk(vc, "[nvme-a] source.vmdk", 2)
    vc.http("PUT", "[nvme-a] source-flat.vmdk", data=b"payload".ljust(2 * MIB, b"\x07"))
    manager = vc.content.virtualDiskManager
    names = {"sourceName": "[nvme-a] source.vmdk", "destName": "[san-gold] copy.vmdk"}
    places = {"sourceDatacenter": vc.datacenter, "destDatacenter": vc.datacenter}
    vc.wait(manager.CopyVirtualDisk_Task(**names, **places))
    copied = vc.http("GET", "[san-gold] copy-flat.vmdk")
    assert copied == vc.http("GET", "[nvme-a] source-flat.vmdk")
    ids = [manager.QueryVirtualDiskUuid(name=name, datacenter=vc.datacenter) for name in names.values()]
    assert ids[0] != ids[1]
    assert all(i.startswith("60 00 C2 9") for i in ids)
    with pytest.raises(TaskError) as failed:
        vc.wait(manager.CopyVirtualDisk_Task(**names, **places))
    assert isinstance(failed.value.fault, vim.fault.FileAlreadyExists)


def test_a_moved_disk_keeps_uuid_and_bytes(vc: VSphere) -> None:
    create_disk(vc, "[nvme-a] here.vmdk", 1)
    vc.http("PUT", "[nvme-a] here-flat.vmdk", data=b"x" * MIB)
    manager = vc.content.virtualDiskManager
    before = manager.QueryVirtualDiskUuid(name="[nvme-a] here.vmdk", datacenter=vc.datacenter)
    vc.wait(
        manager.MoveVirtualDisk_Task(
            sourceName="[nvme-a] here.vmdk",
            sourceDatacenter=vc.datacenter,
            destName="[nvme-a] there.vmdk",
            destDatacenter=vc.datacenter,
        )
    )
    assert manager.QueryVirtualDiskUuid(name="[nvme-a] there.vmdk", datacenter=vc.datacenter) == before
    assert vc.http("GET", "[nvme-a] there-flat.vmdk") == b"x" * MIB
    assert "there-flat.vmdk" in vc.http("GET", "[nvme-a] there.vmdk").decode()


def test_a_deleted_disk_leaves_no_file(vc: VSphere) -> None:
    create_disk(vc, "[nvme-a] gone.vmdk", 1)
    vc.wait(vc.content.virtualDiskManager.DeleteVirtualDisk_Task(name="[nvme-a] gone.vmdk", datacenter=vc.datacenter))
    assert sizes(vc, "nvme-a", "gone*") == {}
    assert not list((vc.simulator.home / "datastores" / "nvme-a").glob("gone*"))


def test_a_detached_disk_survives_its_machine_and_is_attached_elsewhere(vc: VSphere) -> None:
    first = vc.clone("first")
    vc.reconfigure(first, deviceChange=[vc.new_disk(first, 8)])
    disk = vc.disks(first)[1]
    path, identity = disk.backing.fileName, disk.backing.uuid
    vc.http("PUT", flat(path), data=b"kept".ljust(8 * MIB, b"."))
    vc.detach(first, disk)
    assert len(vc.disks(first)) == 1
    vc.remove(first)
    assert vc.http("GET", flat(path), headers={"Range": "bytes=0-3"}) == b"kept"

    second = vc.clone("second")
    vc.reconfigure(second, deviceChange=[vc.new_disk(second, 0, file=path, create=False)])
    attached = vc.disks(second)[1]
    assert (attached.backing.fileName, attached.backing.uuid) == (path, identity)
    assert attached.capacityInBytes == 8 * MIB


def test_destroying_a_machine_deletes_its_own_disks_wherever_they_lie(vc: VSphere) -> None:
    vm = vc.clone("owner")
    vc.reconfigure(vm, deviceChange=[vc.new_disk(vm, 8, file="[nfs-archive] ")])
    elsewhere = vc.disks(vm)[1].backing.fileName
    assert elsewhere.startswith("[nfs-archive] ")
    assert elsewhere in sizes(vc, "nfs-archive")
    vc.remove(vm)
    assert elsewhere not in sizes(vc, "nfs-archive")
    assert not (vc.simulator.home / "datastores" / "san-gold" / "owner").exists()


def test_an_edit_with_destroy_deletes_the_file(vc: VSphere) -> None:
    vm = vc.clone("trimmed")
    vc.reconfigure(vm, deviceChange=[vc.new_disk(vm, 8)])
    disk = vc.disks(vm)[1]
    change = vim.vm.device.VirtualDeviceSpec(operation="remove", fileOperation="destroy", device=disk)
    vc.reconfigure(vm, deviceChange=[change])
    assert disk.backing.fileName not in sizes(vc, "san-gold")


def test_growing_an_attached_disk_keeps_its_bytes(vc: VSphere) -> None:
    vm = vc.clone("grower")
    vc.reconfigure(vm, deviceChange=[vc.new_disk(vm, 4)])
    disk = vc.disks(vm)[1]
    path, identity = disk.backing.fileName, disk.backing.uuid
    vc.http("PUT", flat(path), data=b"start".ljust(4 * MIB, b"\x01"))
    disk.capacityInKB, disk.capacityInBytes = 6 * 1024, 6 * MIB
    vc.reconfigure(vm, deviceChange=[vim.vm.device.VirtualDeviceSpec(operation="edit", device=disk)])
    assert vc.disks(vm)[1].capacityInBytes == 6 * MIB
    assert vc.disks(vm)[1].backing.uuid == identity
    content = vc.http("GET", flat(path))
    assert content == b"start".ljust(4 * MIB, b"\x01") + bytes(2 * MIB)


def test_a_running_machine_locks_its_disks(vc: VSphere) -> None:
    vm = vc.clone("locker", power_on=True)
    manager = vc.content.virtualDiskManager
    with pytest.raises(TaskError) as failed:
        vc.wait(manager.DeleteVirtualDisk_Task(name=vc.disks(vm)[0].backing.fileName, datacenter=vc.datacenter))
    assert isinstance(failed.value.fault, vim.fault.FileLocked)


def test_attaching_what_is_not_there_fails(vc: VSphere) -> None:
    vm = vc.clone("wishful")
    with pytest.raises(TaskError) as failed:
        vc.reconfigure(vm, deviceChange=[vc.new_disk(vm, 0, file="[nvme-a] no/such.vmdk", create=False)])
    assert isinstance(failed.value.fault, vim.fault.FileNotFound)
    assert len(vc.disks(vm)) == 1


def test_a_search_without_specification_does_not_end_the_process(vc: VSphere) -> None:
    browser = vc.get(vim.Datastore, "nvme-a").browser
    found = vc.wait(browser.SearchDatastore_Task(datastorePath="[nvme-a]"))
    assert "dc01" in [file.path for file in found.file]
    assert vc.simulator.running


def test_a_search_of_an_unknown_folder_fails(vc: VSphere) -> None:
    browser = vc.get(vim.Datastore, "nvme-a").browser
    with pytest.raises(TaskError) as failed:
        vc.wait(browser.SearchDatastoreSubFolders_Task(datastorePath="[nvme-a] nothing"))
    assert isinstance(failed.value.fault, vim.fault.FileNotFound)


@pytest.mark.parametrize("path", ["[nvme-a] ", "[nvme-a]", "[nvme-a] ../../credentials", "[nvme-a] x/../../../tls.pem"])
def test_no_path_deletes_what_is_not_a_file_of_the_datastore(vc: VSphere, path: str) -> None:
    with pytest.raises(vim.fault.InvalidDatastorePath):
        vc.content.fileManager.DeleteDatastoreFile_Task(name=path, datacenter=vc.datacenter)
    assert (vc.simulator.home / "credentials").exists()
    assert "dc01" in [f.path for f in list_folder(vc, "[nvme-a]")]


def list_folder(vc: VSphere, path: str) -> list[Any]:
    datastore = path.removeprefix("[").partition("]")[0]
    return list(vc.wait(vc.get(vim.Datastore, datastore).browser.SearchDatastore_Task(datastorePath=path)).file)


@pytest.mark.parametrize("datastore", ["nvme-a", "vsan-b"])
def test_a_folder_of_disks_is_made_searched_and_deleted(vc: VSphere, datastore: str) -> None:
    files = vc.content.fileManager
    folder = f"[{datastore}] volumes"
    files.MakeDirectory(name=folder, datacenter=vc.datacenter, createParentDirectories=True)
    with pytest.raises(vim.fault.FileAlreadyExists):
        files.MakeDirectory(name=folder, datacenter=vc.datacenter)
    create_disk(vc, f"{folder}/data.vmdk", 4)
    assert [f.path for f in list_folder(vc, folder)] == ["data.vmdk"]
    vc.wait(files.DeleteDatastoreFile_Task(name=folder, datacenter=vc.datacenter))
    with pytest.raises(TaskError):
        list_folder(vc, folder)


def test_two_running_machines_do_not_share_a_disk(vc: VSphere) -> None:
    holder, rival = vc.clone("holder"), vc.clone("rival")
    create_disk(vc, "[san-gold] contested.vmdk", 4)
    for vm in (holder, rival):
        vc.reconfigure(vm, deviceChange=[vc.new_disk(vm, 0, file="[san-gold] contested.vmdk", create=False)])
    vc.wait(holder.PowerOnVM_Task())
    with pytest.raises(TaskError) as failed:
        vc.wait(rival.PowerOnVM_Task())
    assert isinstance(failed.value.fault, vim.fault.FileLocked)
    vc.remove(rival)
    assert "[san-gold] contested.vmdk" in sizes(vc, "san-gold"), "the other machine still has it"
