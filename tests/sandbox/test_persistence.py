import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pyVmomi import vim

from sandbox.simulator import Simulator, SimulatorError
from tests.sandbox.test_networks import create
from tests.sandbox.vsphere import UBUNTU, VSphere, session


@pytest.fixture
def kept(tmp_path: Path) -> Iterator[Simulator]:
    with Simulator("paris", home=tmp_path, guest_delay_ms=10) as simulator:
        yield simulator


def machine_facts(vc: VSphere, name: str) -> dict[str, Any]:
    vm = vc.get(vim.VirtualMachine, name)
    values = vc.read(vim.VirtualMachine)[vm]
    config = values["config"]
    return {
        "reference": vm._moId,
        "uuids": (config.uuid, config.instanceUuid),
        "hardware": (config.hardware.numCPU, config.hardware.memoryMB),
        "devices": [
            (type(d).__name__, d.key, d.controllerKey, d.unitNumber, getattr(d, "macAddress", None))
            for d in config.hardware.device
        ],
        "disks": [(d.capacityInBytes, d.backing.fileName, d.backing.uuid) for d in vc.disks(vm)],
        "options": sorted((o.key, o.value) for o in config.extraConfig),
        "annotation": config.annotation,
        "power": values["runtime"].powerState,
        "host": values["runtime"].host._moId,
        "pool": values["resourcePool"]._moId,
        "folder": values["parent"]._moId,
        "networks": [n._moId for n in values["network"]],
        "address": values["guest"].ipAddress,
        "attributes": {v.key: v.value for v in values["customValue"]},
    }


def furnish(vc: VSphere) -> None:
    folder = vc.vm_folder.CreateFolder("Escale").CreateFolder("shop")
    network = create(vc, "shop-net", vlan=42, description="of shop")
    template = vc.get(vim.VirtualMachine, UBUNTU)
    card = vc.cards(template)[0]
    card.macAddress = None
    card.backing = vim.vm.device.VirtualEthernetCard.DistributedVirtualPortBackingInfo(
        port=vim.dvs.PortConnection(portgroupKey=network.key, switchUuid=network.config.distributedVirtualSwitch.uuid)
    )
    changes = [vim.vm.device.VirtualDeviceSpec(operation="edit", device=card), vc.new_disk(template, 8)]
    options = [vim.option.OptionValue(key="guestinfo.userdata", value="x" * 3000)]
    vm = vc.clone("web", folder=folder, power_on=True, numCPUs=3, deviceChange=changes, extraConfig=options)
    manager = vc.content.customFieldsManager
    manager.RemoveCustomFieldDef(manager.AddCustomFieldDef(name="passing", moType=vim.VirtualMachine).key)
    manager.SetField(vm, manager.AddCustomFieldDef(name="escale.key", moType=vim.VirtualMachine).key, "shop/web")
    vc.http("PUT", vc.disks(vm)[1].backing.fileName.replace(".vmdk", "-flat.vmdk"), data=b"data".ljust(8 << 20, b"."))
    vc.eventually(lambda: vc.read(vim.VirtualMachine, "guest.ipAddress")[vm].get("guest.ipAddress"))


@pytest.mark.parametrize("crash", [False, True], ids=["stopped", "killed"])
def test_a_restart_shows_the_same_inventory(kept: Simulator, crash: bool) -> None:
    with session(kept) as vc:
        furnish(vc)
        before = machine_facts(vc, "web")
        names = {kind: vc.names(kind) for kind in (vim.VirtualMachine, vim.Folder, vim.Network)}
    if crash:
        time.sleep(1.5)
        kept.kill()
        kept.start()
    else:
        kept.restart()
    with session(kept) as vc:
        assert machine_facts(vc, "web") == before
        assert {kind: vc.names(kind) for kind in names} == names
        vm, network = vc.get(vim.VirtualMachine, "web"), vc.get(vim.dvs.DistributedVirtualPortgroup, "shop-net")
        assert network.config.defaultPortConfig.vlan.vlanId == 42
        assert list(network.vm) == [vm]
        assert vm in vm.runtime.host.vm
        assert vm in vm.resourcePool.vm
        assert vm.parent.parent.name == "Escale"
        assert [f.name for f in vc.content.customFieldsManager.field] == ["escale.key"]
        path = vc.disks(vm)[1].backing.fileName
        assert vc.http("GET", path.replace(".vmdk", "-flat.vmdk"), headers={"Range": "bytes=0-3"}) == b"data"


def test_what_was_restored_works_on_and_can_be_destroyed(kept: Simulator) -> None:
    with session(kept) as vc:
        furnish(vc)
        address = machine_facts(vc, "web")["address"]
    kept.restart()
    with session(kept) as vc:
        vm, network = vc.get(vim.VirtualMachine, "web"), vc.get(vim.dvs.DistributedVirtualPortgroup, "shop-net")
        vc.reconfigure(vm, deviceChange=[vc.new_disk(vm, 4, unit=2)])
        assert len(vc.disks(vm)) == 3
        other = vc.clone("other", power_on=True)
        vc.eventually(lambda: vc.read(vim.VirtualMachine, "guest.ipAddress")[other].get("guest.ipAddress"))
        assert vc.read(vim.VirtualMachine, "guest.ipAddress")[other]["guest.ipAddress"] != address
        vc.remove(vm)
        vc.wait(network.Destroy_Task())
        vc.wait(vc.get(vim.Folder, "Escale").Destroy_Task())
    kept.restart()
    with session(kept) as vc:
        assert "web" not in vc.names()
        assert "shop-net" not in vc.names(vim.Network)
        assert not {"Escale", "shop"} & set(vc.names(vim.Folder))


def test_a_vsan_folder_is_found_again_by_its_name(kept: Simulator) -> None:
    with session(kept) as vc:
        files, folder = vc.content.fileManager, "[vsan-b] volumes"
        files.MakeDirectory(name=folder, datacenter=vc.datacenter)
        spec = vim.VirtualDiskManager.FileBackedVirtualDiskSpec(
            diskType="thin", adapterType="lsiLogic", capacityKb=1024
        )
        manager = vc.content.virtualDiskManager
        vc.wait(manager.CreateVirtualDisk_Task(name=f"{folder}/data.vmdk", datacenter=vc.datacenter, spec=spec))
        before = manager.QueryVirtualDiskUuid(name=f"{folder}/data.vmdk", datacenter=vc.datacenter)
    kept.restart()
    with session(kept) as vc:
        manager = vc.content.virtualDiskManager
        assert manager.QueryVirtualDiskUuid(name=f"{folder}/data.vmdk", datacenter=vc.datacenter) == before
        found = vc.wait(vc.get(vim.Datastore, "vsan-b").browser.SearchDatastore_Task(datastorePath=folder))
        assert [f.path for f in found.file] == ["data.vmdk"]


def test_a_reference_is_never_given_twice(kept: Simulator) -> None:
    with session(kept) as vc:
        gone = vc.clone_task("gone")
        vm = vc.wait(gone)
        vc.remove(vm)
        before = {gone._moId, vm._moId}
        highest = max(int(r.split("-")[1]) for r in before)
    kept.restart()
    with session(kept) as vc:
        task = vc.clone_task("new")
        assert int(task._moId.split("-")[1]) > highest
        assert int(vc.wait(task)._moId.split("-")[1]) > highest


def test_an_ephemeral_vcenter_starts_afresh(tmp_path: Path) -> None:
    with Simulator("paris", home=tmp_path, ephemeral=True) as simulator:
        with session(simulator) as vc:
            vc.clone("passing")
        simulator.restart()
        with session(simulator) as vc:
            assert "passing" not in vc.names()
            assert vc.clone("passing").config.files.vmPathName == "[san-gold] passing/passing.vmx"


def test_a_damaged_inventory_is_named(tmp_path: Path) -> None:
    (tmp_path / "inventory.json").write_text('{"version": 1, "mach')
    with pytest.raises(SimulatorError, match="inventory.json is damaged.*remove it"):
        Simulator("paris", home=tmp_path).start()
