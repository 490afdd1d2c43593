"""Privileges are asked for as the API reference says, and the questions about them give the same answer."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from pyVim.connect import Disconnect, SmartConnect
from pyVmomi import vim

from sandbox.simulator import Simulator
from tests.sandbox.vsphere import UBUNTU, VSphere, session

Call = Callable[[VSphere, Any], Any]


def _config(**given: Any) -> Call:
    return lambda vc, vm: vm.ReconfigVM_Task(spec=vim.vm.ConfigSpec(**given))


def _device(make: Callable[[VSphere, Any], Any]) -> Call:
    return lambda vc, vm: vm.ReconfigVM_Task(spec=vim.vm.ConfigSpec(deviceChange=[make(vc, vm)]))


def _grown(vc: VSphere, vm: Any) -> Any:
    disk = vc.disks(vm)[0]
    disk.capacityInKB, disk.capacityInBytes = disk.capacityInKB * 2, disk.capacityInBytes * 2
    return vim.vm.device.VirtualDeviceSpec(operation="edit", device=disk)


def _without(vc: VSphere, vm: Any) -> Any:
    return vim.vm.device.VirtualDeviceSpec(operation="remove", device=vc.disks(vm)[-1])


def _card(vc: VSphere, vm: Any) -> Any:
    return vim.vm.device.VirtualDeviceSpec(operation="edit", device=vc.cards(vm)[0])


def _disk_manager(vc: VSphere, vm: Any) -> Any:
    spec = vim.VirtualDiskManager.FileBackedVirtualDiskSpec(capacityKb=1024, diskType="thin", adapterType="lsiLogic")
    return vc.content.virtualDiskManager.CreateVirtualDisk_Task("[nvme-a] loose.vmdk", vc.datacenter, spec)


def _browse(vc: VSphere, vm: Any) -> Any:
    datastore = vc.standing(vim.Datastore, "nvme-a")
    spec = vim.host.DatastoreBrowser.SearchSpec()
    return datastore.browser.SearchDatastore_Task("[nvme-a]", spec)


def _portgroup(vc: VSphere, vm: Any) -> Any:
    spec = vim.dvs.DistributedVirtualPortgroup.ConfigSpec(name="never", numPorts=8, type="earlyBinding")
    return vc.all(vim.DistributedVirtualSwitch)[0].AddDVPortgroup_Task([spec])


CALLS: dict[str, tuple[str, Call]] = {
    "clone-template": ("VirtualMachine.Provisioning.DeployTemplate", lambda vc, vm: vc.clone_task("never")),
    "clone-folder": ("VirtualMachine.Inventory.CreateFromExisting", lambda vc, vm: vc.clone_task("never")),
    "clone-pool": ("Resource.AssignVMToPool", lambda vc, vm: vc.clone_task("never")),
    "clone-space": ("Datastore.AllocateSpace", lambda vc, vm: vc.clone_task("never")),
    "clone-config": ("VirtualMachine.Config.Memory", lambda vc, vm: vc.clone_task("never", memoryMB=512)),
    "clone-on": ("VirtualMachine.Interact.PowerOn", lambda vc, vm: vc.clone_task("never", power_on=True)),
    "cpus": ("VirtualMachine.Config.CPUCount", _config(numCPUs=4)),
    "memory": ("VirtualMachine.Config.Memory", _config(memoryMB=4096)),
    "annotation": ("VirtualMachine.Config.Annotation", _config(annotation="x")),
    "extra": (
        "VirtualMachine.Config.AdvancedConfig",
        _config(extraConfig=[vim.option.OptionValue(key="guestinfo.x", value="y")]),
    ),
    "settings": ("VirtualMachine.Config.Settings", _config(guestId="otherLinux64Guest")),
    "config-name": ("VirtualMachine.Config.Rename", _config(name="other")),
    "new-disk": ("VirtualMachine.Config.AddNewDisk", _device(lambda vc, vm: vc.new_disk(vm, 1, unit=5))),
    "grow-disk": ("VirtualMachine.Config.DiskExtend", _device(_grown)),
    "drop-disk": ("VirtualMachine.Config.RemoveDisk", _device(_without)),
    "card": ("VirtualMachine.Config.EditDevice", _device(_card)),
    "card-network": ("Network.Assign", _device(_card)),
    "power-on": ("VirtualMachine.Interact.PowerOn", lambda vc, vm: vm.PowerOnVM_Task()),
    "power-off": ("VirtualMachine.Interact.PowerOff", lambda vc, vm: vm.PowerOffVM_Task()),
    "suspend": ("VirtualMachine.Interact.Suspend", lambda vc, vm: vm.SuspendVM_Task()),
    "reset": ("VirtualMachine.Interact.Reset", lambda vc, vm: vm.ResetVM_Task()),
    "shutdown": ("VirtualMachine.Interact.PowerOff", lambda vc, vm: vm.ShutdownGuest()),
    "rename": ("VirtualMachine.Config.Rename", lambda vc, vm: vm.Rename_Task("other")),
    "destroy": ("VirtualMachine.Inventory.Delete", lambda vc, vm: vm.Destroy_Task()),
    "unregister": ("VirtualMachine.Inventory.Unregister", lambda vc, vm: vm.UnregisterVM()),
    "template": ("VirtualMachine.Provisioning.MarkAsTemplate", lambda vc, vm: vm.MarkAsTemplate()),
    "snapshot": (
        "VirtualMachine.State.CreateSnapshot",
        lambda vc, vm: vm.CreateSnapshot_Task("s", "", False, False),
    ),
    "drop-snapshots": ("VirtualMachine.State.RemoveSnapshot", lambda vc, vm: vm.RemoveAllSnapshots_Task()),
    "relocate": (
        "Resource.ColdMigrate",
        lambda vc, vm: vm.RelocateVM_Task(vim.vm.RelocateSpec(host=vm.runtime.host)),
    ),
    "folder": ("Folder.Create", lambda vc, vm: vc.vm_folder.CreateFolder("never")),
    "drop-folder": ("Folder.Delete", lambda vc, vm: vc.get(vim.Folder, "Templates").Destroy_Task()),
    "move": ("VirtualMachine.Inventory.Move", lambda vc, vm: vc.vm_folder.MoveIntoFolder_Task([vm])),
    "portgroup": ("DVPortgroup.Create", _portgroup),
    "drop-portgroup": (
        "DVPortgroup.Delete",
        lambda vc, vm: vc.get(vim.dvs.DistributedVirtualPortgroup, "management").Destroy_Task(),
    ),
    "disk-file": ("Datastore.FileManagement", _disk_manager),
    "browse": ("Datastore.Browse", _browse),
    "pool": (
        "Resource.CreatePool",
        lambda vc, vm: vc.root_pool().CreateResourcePool("never", vim.ResourceConfigSpec(
            cpuAllocation=vim.ResourceAllocationInfo(reservation=0, limit=-1, expandableReservation=True),
            memoryAllocation=vim.ResourceAllocationInfo(reservation=0, limit=-1, expandableReservation=True),
        )),
    ),
    "attribute": (
        "Global.ManageCustomFields",
        lambda vc, vm: vc.content.customFieldsManager.AddCustomFieldDef("never", vim.VirtualMachine),
    ),
}  # fmt: skip


@pytest.fixture(scope="module")
def client(paris: Simulator) -> Iterator[VSphere]:
    with session(paris) as client:
        client.clone("guarded")
        yield client


@pytest.fixture
def guarded(client: VSphere) -> Iterator[VSphere]:
    yield client
    client.simulator.take_privileges()


def refused(call: Callable[[], Any]) -> Any:
    """Return the NoPermission of a call, as a value: pyVmomi's faults make poor exceptions."""
    try:
        call()
    except vim.fault.NoPermission as fault:
        return fault
    raise AssertionError("the call was not refused")


@pytest.mark.parametrize("name", CALLS)
def test_a_call_without_its_privilege_is_refused_by_name(guarded: VSphere, name: str) -> None:
    privilege, call = CALLS[name]
    vm = guarded.standing(vim.VirtualMachine, "guarded")
    guarded.simulator.take_privileges(privilege)
    fault = refused(lambda: call(guarded, vm))
    assert fault.privilegeId == privilege
    assert fault.object is not None
    assert [p for missing in fault.missingPrivileges for p in missing.privilegeIds] == [privilege] * len(
        fault.missingPrivileges
    )


def test_what_needs_another_privilege_still_works(guarded: VSphere) -> None:
    vm = guarded.standing(vim.VirtualMachine, "guarded")
    guarded.simulator.take_privileges("VirtualMachine.Config.CPUCount")
    guarded.reconfigure(vm, memoryMB=2304)
    assert vm.config.hardware.memoryMB == 2304
    refused(lambda: vm.ReconfigVM_Task(spec=vim.vm.ConfigSpec(memoryMB=1024, numCPUs=1)))
    assert vm.config.hardware.memoryMB == 2304


def test_the_questions_agree_with_the_refusals(guarded: VSphere) -> None:
    manager = guarded.content.authorizationManager
    guarded.simulator.take_privileges("Folder.Create", "Network.Assign")
    asked = ["Folder.Create", "Folder.Delete", "Network.Assign", "System.Read"]
    key = guarded.content.sessionManager.currentSession.key
    folder, user = guarded.vm_folder, guarded.simulator.username
    wanted = [False, True, False, True]
    assert list(manager.HasPrivilegeOnEntity(folder, key, asked)) == wanted
    for rows in (
        manager.HasPrivilegeOnEntities([folder], key, asked),
        manager.HasUserPrivilegeOnEntities([folder], user, asked),
    ):
        assert [(p.privId, p.isGranted) for p in rows[0].privAvailability] == list(zip(asked, wanted, strict=True))
    held = manager.FetchUserPrivilegeOnEntities([folder], user)[0].privileges
    assert "Folder.Delete" in held
    assert "Folder.Create" not in held
    assert "Network.Assign" not in held


def test_the_second_account_may_look_and_nothing_else(guarded: VSphere) -> None:
    user, password = guarded.simulator.reader
    si = SmartConnect(
        host=guarded.simulator.host, port=guarded.simulator.port, user=user, pwd=password, sslContext=guarded.tls
    )
    try:
        vm = vim.VirtualMachine(guarded.standing(vim.VirtualMachine, "guarded")._moId, si._stub)
        assert vm.name == "guarded"
        folder = vim.Folder(guarded.vm_folder._moId, si._stub)
        for call in (
            vm.PowerOnVM_Task, vm.Destroy_Task, vm.MarkAsTemplate, vm.UpgradeVM_Task, lambda: folder.CreateFolder("x"),
            lambda: vm.ReconfigVM_Task(spec=vim.vm.ConfigSpec(memoryMB=1024)),
        ):  # fmt: skip
            assert refused(call).privilegeId
    finally:
        Disconnect(si)


def test_a_password_changes_while_sessions_live_on(tmp_path_factory: pytest.TempPathFactory) -> None:
    with (
        Simulator("rotating", home=tmp_path_factory.mktemp("rotating"), ephemeral=True) as simulator,
        session(simulator) as before,
    ):
        old = simulator.password
        simulator.set_account(simulator.username, password="an entirely new one")
        assert before.names()
        with pytest.raises(vim.fault.InvalidLogin):
            SmartConnect(host="127.0.0.1", port=simulator.port, user=simulator.username, pwd=old, sslContext=before.tls)
        si = SmartConnect(
            host="127.0.0.1", port=simulator.port, user=simulator.username, pwd="an entirely new one",
            sslContext=before.tls,
        )  # fmt: skip
        Disconnect(si)


def test_a_role_can_lack_privileges_from_the_start() -> None:
    with Simulator("poor", ephemeral=True, role_missing=["Folder.Create"]) as poor, session(poor) as vc:
        assert refused(lambda: vc.vm_folder.CreateFolder("x")).privilegeId == "Folder.Create"
        assert vc.get(vim.VirtualMachine, UBUNTU)


def test_vmware_cloud_on_aws_keeps_its_own_pool_and_folder() -> None:
    with Simulator("oregon", "vmc", ephemeral=True) as oregon, session(oregon) as vc:
        key, manager = vc.content.sessionManager.currentSession.key, vc.content.authorizationManager
        pools = {v["name"]: o for o, v in vc.read(vim.ResourcePool, "name", "owner").items()}
        assert list(manager.HasPrivilegeOnEntity(pools["Mgmt-ResourcePool"], key, ["Resource.AssignVMToPool"])) == [
            False
        ]
        assert list(manager.HasPrivilegeOnEntity(pools["Compute-ResourcePool"], key, ["Resource.AssignVMToPool"])) == [
            True
        ]
        own = vc.get(vim.VirtualMachine, "vcenter")
        assert refused(own.PowerOffVM_Task).object == own
        location = vim.vm.RelocateSpec(pool=pools["Mgmt-ResourcePool"])
        assert refused(lambda: vc.clone_task("astray", location=location)).object == pools["Mgmt-ResourcePool"]
