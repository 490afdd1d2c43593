"""What still separates a machine from its intent: the step that both creation and change end with.

The intent is a marker on the machine itself. So whoever finds the machine, in whatever process, can go on.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from connectors.vsphere import markers, specs
from connectors.vsphere.cloud import Cloud
from connectors.vsphere.machine import Disk, Machine, network_of, same_path
from connectors.vsphere.markers import Intent
from connectors.vsphere.soap import Node
from engine.resources import Owner

_UNITS = tuple(unit for unit in range(1, 16) if unit != 7)  # 7 is the controller itself
_MAX_BUSES = 4


@dataclass(frozen=True, slots=True)
class Rest:
    """What is left to do. ``config`` for ReconfigVM_Task; ``needs_off`` when it cannot be done on a running machine."""

    config: Any
    needs_off: bool
    cosmetic: bool  # nothing that the machine works differently without


def rest(
    cloud: Cloud,
    machine: Machine,
    intent: Intent,
    owner: Owner,
    besides: Mapping[str, str] | None = None,
    *,
    new: bool = False,
) -> Rest | None:
    """Return what is left to do until a machine is as it is meant to be; None when nothing is.

    ``besides``: further extra configuration that has to be written with it. ``new``: the machine was just cloned, so
    that all of its network cards are ours to set.
    """
    cpus = intent.cpus if machine.cpus != intent.cpus else None
    memory = intent.memory_mib if machine.memory_mib != intent.memory_mib else None
    note = markers.annotation(machine.name, owner)
    annotation = note if machine.annotation != note and not machine.marks.adopted else None
    bios = markers.bios_uuid(owner, machine.marks.resource)
    uuid = bios if new and machine.bios_uuid != bios else None
    devices = [*(_nics(cloud, machine, intent) if new else []), *_disks(cloud, machine, intent, owner)]
    sizes = dict(intent.sizes)
    devices += [specs.grow_disk(disk.node, sizes[disk.key]) for disk in machine.disks if _smaller(disk, sizes)]
    extra = {**_addressed(machine, intent), **(besides or {})}
    if machine.marks.hash != intent.config_hash:
        extra[markers.PREFIX + "hash"] = intent.config_hash
    if not (cpus or memory or annotation or uuid or devices or extra):
        return None
    return Rest(
        config=specs.config(
            cpus=cpus,
            memory_mib=memory,
            annotation=annotation,
            bios_uuid=uuid,
            extra=extra,
            devices=devices,
            cores_per_socket=_cores(machine, intent.cpus),
        ),
        needs_off=_needs_off(machine, cpus, memory),
        cosmetic=not (cpus or memory or devices or extra),
    )


def _cores(machine: Machine, cpus: int) -> int:
    """Return an adopted machine's cores of a socket, which licences go by, where the new number can have them."""
    return machine.cores_per_socket if machine.marks.adopted and cpus % machine.cores_per_socket == 0 else 1


def _smaller(disk: Disk, sizes: Mapping[int, int]) -> bool:
    return disk.key in sizes and disk.size_kib < sizes[disk.key]


def _needs_off(machine: Machine, cpus: int | None, memory_mib: int | None) -> bool:
    """Tell whether the hardware change is beyond what a running guest can take: only growth, where it is enabled."""
    hot_cpus = cpus is None or (machine.cpu_hot_add and cpus > machine.cpus)
    # Guests that boot with 3 GiB or less cannot grow beyond it while they run; vCenter refuses with a fault then.
    hot_memory = memory_mib is None or (machine.memory_hot_add and memory_mib > machine.memory_mib > 3072)
    return not (hot_cpus and hot_memory)


def _nics(cloud: Cloud, machine: Machine, intent: Intent) -> list[Any]:
    """Return the changes that give a machine a card on each of its networks, and no other."""
    if [network_of(card) for card in machine.nics] == list(intent.nics):
        return []
    spare, missing = list(machine.nics), []
    for identity in intent.nics:
        card = next((card for card in spare if network_of(card) == identity), None)
        if card is not None:
            spare.remove(card)
        else:
            missing.append(identity)
    switches = {switch.ref: switch for switch in cloud.estate().switches}
    changes = [specs.remove(card) for card in spare]
    for index, identity in enumerate(missing):
        network = cloud.surveyor.network_by_identity(identity)
        if network is not None:
            changes.append(specs.add_nic(index, network, switches.get(network.switch) if network.switch else None))
    return changes


def _addressed(machine: Machine, intent: Intent) -> dict[str, str]:
    """Return the metadata with the cards' MAC addresses, which exist only now, when there are several cards.

    The names that a guest gives to its cards depend on the slots that they were put into; the addresses do not.
    """
    try:
        facts: dict[str, Any] = json.loads(markers.told(machine.marks, "metadata"))
        ethernets: dict[str, Any] = facts["network"]["ethernets"]
    except (ValueError, KeyError, TypeError):
        return {}
    if len(ethernets) < 2 or len(ethernets) != len(intent.nics):
        return {}
    spare, changed = list(machine.nics), False
    for position, identity in enumerate(intent.nics):
        card = next((card for card in spare if network_of(card) == identity), None)
        wanted = ethernets.get(f"nic{position}")
        if card is None or wanted is None:
            return {}
        spare.remove(card)
        match = {"macaddress": card.get("macAddress").lower()}
        changed = changed or wanted.get("match") != match
        wanted["match"] = match
    return markers.guestinfo("metadata", json.dumps(facts, sort_keys=True)) if changed else {}


def _disks(cloud: Cloud, machine: Machine, intent: Intent, owner: Owner) -> list[Any]:
    """Return the device changes that attach what is wanted and detach what is ours and not wanted."""
    changes: list[Any] = []
    attached = machine.disks
    taken: set[tuple[int, int]] = {
        (node.number("controllerKey"), node.number("unitNumber")) for node in machine.devices if node.get("unitNumber")
    }
    for disk in attached:
        wanted = any(same_path(disk.path, path) for _, path, _ in intent.disks)
        # A snapshot's delta has another path than its base: it is left alone, since it cannot be taken off anyway.
        if not wanted and not machine.is_system(disk) and machine.owns(disk, owner) and not _delta(disk.path):
            changes.append(specs.remove(disk.node))
            taken.discard((disk.controller, disk.unit))
    missing = [
        (path, unit)
        for volume, path, unit in intent.disks
        if not any(same_path(disk.path, path) or (_delta(disk.path) and machine.owns(disk, owner) == volume)
                   for disk in attached)
    ]  # fmt: skip
    if not missing:
        return changes
    controller, addition = _controller(machine)
    if addition is not None:
        changes.append(addition)
    mode = str(cloud.option("disk_mode", "persistent"))
    reserved = {unit for _, unit in missing if unit is not None}
    for index, (path, unit) in enumerate(missing):
        if unit is None or (controller, unit) in taken:
            free = (each for each in _UNITS if (controller, each) not in taken and each not in reserved)
            unit = next(free, _UNITS[-1])  # a full controller: vCenter says so
        taken.add((controller, unit))
        changes.append(specs.add_disk(index, path, controller, unit, mode))
    return changes


def _controller(machine: Machine) -> tuple[int, Any]:
    """Return the key of the paravirtual controller for data disks, with the addition that makes it, if any."""
    found = [node for node in machine.devices if node.type == "ParaVirtualSCSIController"]
    if found:
        return min(node.number("key") for node in found), None
    buses = {node.number("busNumber") for node in machine.devices if _is_scsi(node)}
    bus = next((bus for bus in range(_MAX_BUSES) if bus not in buses), 0)
    return -100, specs.add_controller(bus)


def _is_scsi(node: Node) -> bool:
    return node.node("scsiCtlrUnitNumber") is not None


def _delta(path: str) -> bool:
    stem = path.removesuffix(".vmdk")
    return len(stem) > 7 and stem[-7] == "-" and stem[-6:].isdigit()
