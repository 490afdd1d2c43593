"""Disks that somebody moved about on the vCenter are not destroyed by a mistake about whose they are."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from pyVmomi import vim

from tests.connectors.bench import Site
from tests.connectors.vsphere_bench import VsphereBench


def test_a_disk_of_others_in_the_slot_of_the_template_s_is_not_destroyed(site: Site, vcenter: VsphereBench) -> None:
    site.lay_ground()
    machine = site.machine()
    site.run("machine.create", machine)
    identity = site.facts[machine.key]["external_id"]
    found = vcenter.machine(identity)
    system = next(each for each in found.config.hardware.device if isinstance(each, vim.vm.device.VirtualDisk))
    path = f"[{vcenter.datastore}] precious.vmdk"
    _make_disk(vcenter, path)
    vcenter.take_off(found, system.backing.fileName)
    vcenter.attach(found, path, unit=system.unitNumber, key=system.key)
    there = next(each for each in found.config.hardware.device if isinstance(each, vim.vm.device.VirtualDisk))
    assert (there.key, there.backing.fileName) == (system.key, path)
    assert [disk["system"] for disk in site.observe().resources[machine.key].attributes["disks"]] == [False]
    error = site.fails("machine.delete", machine.key)
    assert (error.code, error.permanent) == ("cloud.foreign", True)
    assert "precious.vmdk" in error.message
    vcenter.take_off(found, path)
    site.run("machine.delete", machine.key)
    manager = vcenter.service.RetrieveContent().virtualDiskManager
    vcenter.wait(manager.DeleteVirtualDisk_Task(name=path, datacenter=_datacenter(vcenter)))


def test_a_volume_in_our_machine_that_was_moved_elsewhere_is_not_deleted(site: Site, vcenter: VsphereBench) -> None:
    site.lay_ground()
    volume = replace(site.volume(), datastore=vcenter.datastore)
    site.run("volume.create", volume)
    machine = site.machine(disk=True, datastore=vcenter.datastore)
    site.run("machine.create", machine)
    identity = site.facts[machine.key]["external_id"]
    vcenter.wait(vcenter.folder_named("Legacy").MoveIntoFolder_Task([vcenter.machine(identity)]))
    assert site.observe().resources["volume:data"].attributes["attached_to"] == identity
    error = site.fails("volume.delete", volume)
    assert (error.code, error.permanent) == ("cloud.foreign", True)
    assert machine.name in error.message
    assert site.fails("volume.extend", replace(volume, size_gib=2)).code == "cloud.foreign"
    site.run("machine.delete", machine.key)
    site.run("volume.delete", volume)


def _datacenter(vcenter: VsphereBench) -> Any:
    return vcenter.all(vim.Datacenter)[0]


def _make_disk(vcenter: VsphereBench, path: str) -> None:
    spec = vim.VirtualDiskManager.FileBackedVirtualDiskSpec(diskType="thin", adapterType="lsiLogic", capacityKb=1024)
    manager = vcenter.service.RetrieveContent().virtualDiskManager
    vcenter.wait(manager.CreateVirtualDisk_Task(name=path, datacenter=_datacenter(vcenter), spec=spec))
