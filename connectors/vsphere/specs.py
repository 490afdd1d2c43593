"""Data objects for requests, built with pyVmomi's types; nothing else in this package names them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from connectors.vsphere.estate import Network, Switch
from connectors.vsphere.soap import Node, Ref, managed, vim

_device: Any = vim.vm.device
_virtual: Any = _device.VirtualDevice
_change: Any = _device.VirtualDeviceSpec


def options(values: Mapping[str, str]) -> list[Any]:
    """Return extra configuration; an empty text removes a key."""
    return [vim.option.OptionValue(key=key, value=value) for key, value in values.items()]


def config(
    *,
    cpus: int | None = None,
    memory_mib: int | None = None,
    annotation: str | None = None,
    extra: Mapping[str, str] | None = None,
    instance_uuid: str | None = None,
    bios_uuid: str | None = None,
    devices: Sequence[Any] = (),
    cores_per_socket: int = 1,
) -> Any:
    """Return a machine's settings; what is None stays as it is. ``cores_per_socket`` goes with another ``cpus``."""
    spec = vim.vm.ConfigSpec()
    if cpus is not None:
        spec.numCPUs = cpus
        spec.numCoresPerSocket = cores_per_socket  # the one it has may not divide the new number
    if memory_mib is not None:
        spec.memoryMB = memory_mib
    if annotation is not None:
        spec.annotation = annotation
    if extra:
        spec.extraConfig = options(extra)
    if instance_uuid is not None:
        spec.instanceUuid = instance_uuid
    if bios_uuid is not None:
        spec.uuid = bios_uuid
    if devices:
        spec.deviceChange = list(devices)
    return spec


def clone(*, pool: Ref, host: Ref | None, datastore: Ref, config: Any) -> Any:
    """Return how a template becomes a machine: a full copy that stays powered off."""
    location = vim.vm.RelocateSpec(pool=managed(pool), datastore=managed(datastore))
    if host is not None:
        location.host = managed(host)
    return vim.vm.CloneSpec(location=location, config=config, powerOn=False, template=False)


def add_nic(index: int, network: Network, switch: Switch | None) -> Any:
    """Return the addition of a paravirtual network card on a standard, distributed or opaque network."""
    if network.key and switch is not None:
        port = vim.dvs.PortConnection(portgroupKey=network.key, switchUuid=switch.uuid)
        backing = _device.VirtualEthernetCard.DistributedVirtualPortBackingInfo(port=port)
    elif network.opaque_id:
        backing = _device.VirtualEthernetCard.OpaqueNetworkBackingInfo(
            opaqueNetworkId=network.opaque_id, opaqueNetworkType=network.opaque_type
        )
    else:
        backing = _device.VirtualEthernetCard.NetworkBackingInfo(deviceName=network.name, network=managed(network.ref))
    card = _device.VirtualVmxnet3(
        key=-200 - index,
        backing=backing,
        connectable=_virtual.ConnectInfo(startConnected=True, connected=True, allowGuestControl=True),
        wakeOnLanEnabled=True,
    )
    return _change(operation="add", device=card)


def remove(node: Node) -> Any:
    """Return the removal of a device, of whatever class; a disk's file stays."""
    return _change(operation="remove", device=_same(node))


def add_disk(index: int, path: str, controller: int, unit: int, mode: str) -> Any:
    """Return the addition of a disk whose file exists."""
    disk = _device.VirtualDisk(
        key=-300 - index,
        controllerKey=controller,
        unitNumber=unit,
        backing=_device.VirtualDisk.FlatVer2BackingInfo(fileName=path, diskMode=mode),
    )
    return _change(operation="add", device=disk)


def grow_disk(node: Node, capacity_kib: int) -> Any:
    """Return the growth of an attached disk."""
    disk = _same(node)
    disk.capacityInKB = capacity_kib
    disk.capacityInBytes = capacity_kib * 1024
    return _change(operation="edit", device=disk)


def add_controller(bus: int) -> Any:
    """Return the addition of a paravirtual SCSI controller; disks name it by the key -100."""
    controller = _device.ParaVirtualSCSIController(key=-100, busNumber=bus, sharedBus="noSharing")
    return _change(operation="add", device=controller)


def _same(node: Node) -> Any:
    """Return as much of a device as identifies it: class, key, place and file."""
    kind: Any = {
        "VirtualDisk": _device.VirtualDisk,
        "VirtualVmxnet3": _device.VirtualVmxnet3,
        "VirtualE1000": _device.VirtualE1000,
        "VirtualE1000e": _device.VirtualE1000e,
        "VirtualVmxnet2": _device.VirtualVmxnet2,
        "VirtualPCNet32": _device.VirtualPCNet32,
        "VirtualSriovEthernetCard": _device.VirtualSriovEthernetCard,
    }.get(node.type, _virtual)
    device = kind(key=node.number("key"))
    if node.get("controllerKey"):
        device.controllerKey = node.number("controllerKey")
    if node.get("unitNumber"):
        device.unitNumber = node.number("unitNumber")
    if node.type == "VirtualDisk":
        device.backing = _device.VirtualDisk.FlatVer2BackingInfo(
            fileName=node.get("backing.fileName"), diskMode=node.get("backing.diskMode", "persistent")
        )
        device.capacityInKB = node.number("capacityInKB")
    return device


def thin_disk(size_gib: int) -> Any:
    """Return a new disk of a datastore that takes space as it is written."""
    return vim.VirtualDiskManager.FileBackedVirtualDiskSpec(
        diskType="thin", adapterType="lsiLogic", capacityKb=size_gib * 1024 * 1024
    )


def disk_search(pattern: str) -> Any:
    """Return a search of one directory for disks, with their capacities."""
    browser: Any = vim.host.DatastoreBrowser
    query = browser.VmDiskQuery(
        details=browser.VmDiskQuery.Details(capacityKb=True, diskType=False, hardwareVersion=False)
    )
    return browser.SearchSpec(
        query=[query],
        matchPattern=[pattern],
        details=browser.FileInfo.Details(fileType=True, fileSize=True, modification=False, fileOwner=False),
    )


def file_search() -> Any:
    """Return a search of one directory for anything."""
    browser: Any = vim.host.DatastoreBrowser
    details = browser.FileInfo.Details(fileType=True, fileSize=False, modification=False, fileOwner=False)
    return browser.SearchSpec(matchPattern=["*"], details=details)


def port_group(name: str, description: str, vlan: int | None) -> Any:
    """Return a new distributed port group that grows with the machines on it."""
    spec = vim.dvs.DistributedVirtualPortgroup.ConfigSpec(
        name=name, description=description, type="earlyBinding", numPorts=8, autoExpand=True
    )
    if vlan is not None:
        tag = vim.dvs.VmwareDistributedVirtualSwitch.VlanIdSpec(vlanId=vlan, inherited=False)
        spec.defaultPortConfig = vim.dvs.VmwareDistributedVirtualSwitch.VmwarePortConfigPolicy(vlan=tag)
    return spec


def clone_events(template: Ref, since: datetime) -> Any:
    """Return a filter for the beginnings of clones of a template."""
    kind: Any = vim.event.EventFilterSpec
    return kind(
        entity=kind.ByEntity(entity=managed(template), recursion="self"),
        time=kind.ByTime(beginTime=since),
        eventTypeId=["VmBeingClonedEvent"],
    )


def events_of(entity: Ref) -> Any:
    """Return a filter for all events of one object."""
    kind: Any = vim.event.EventFilterSpec
    return kind(entity=kind.ByEntity(entity=managed(entity), recursion="self"))


def relocation(*, host: Ref | None = None, pool: Ref | None = None, datastore: Ref | None = None) -> Any:
    """Return where a machine moves to; what is None stays."""
    spec = vim.vm.RelocateSpec()
    if host is not None:
        spec.host = managed(host)
    if pool is not None:
        spec.pool = managed(pool)
    if datastore is not None:
        spec.datastore = managed(datastore)
    return spec
