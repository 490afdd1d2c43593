"""Who holds a disk file: machines anywhere on its datastore, by a device, a delta's parent or a snapshot."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from connectors.base import ConnectorError
from connectors.vsphere import folders, machine, properties
from connectors.vsphere.cloud import Cloud
from connectors.vsphere.machine import Disk, Machine
from connectors.vsphere.soap import Node, Ref
from engine.resources import Owner

_PATHS = ("name", "config.instanceUuid", "config.hardware.device", "rootSnapshot", "layoutEx.file")
_MAX_CHAIN = 64  # far more than the 32 links that vSphere allows
_DELTA = re.compile(r"-\d{6}\.vmdk$")


@dataclass(frozen=True, slots=True)
class Holder:
    """A machine that would break if a disk file went.

    ``machine`` and ``disk`` are there when it is the deployment's own and has the disk attached now.
    """

    name: str
    external_id: str
    ours: bool
    machine: Machine | None = None
    disk: Disk | None = None


def of_disks(
    cloud: Cloud, owner: Owner, disks: Mapping[str, Ref], own: Sequence[Machine] | None = None
) -> dict[str, list[Holder]]:
    """Return who holds disks (path -> datastore), those that are not the deployment's first; free ones are absent.

    All machines that the cloud's user can see on the datastores are read in one call. ``own``: the machines in
    the deployment's folder, when they are known; they count besides, whatever the datastore's list says.
    """
    if not disks:
        return {}
    wanted = {_canonical(path): path for path in disks}
    if own is None:
        own = in_folder(cloud, owner)
    mine = {each.ref: each for each in own if each.marks.deployment == owner.deployment_id}
    everybody = properties.across(cloud.session, disks.values(), "vm", {"VirtualMachine": _PATHS})
    strangers: dict[str, list[Holder]] = {}
    ours: dict[str, list[Holder]] = {}
    for found in mine.values():
        for disk in found.disks:
            for path in _hit(_chain(disk.node), wanted):
                ours.setdefault(path, []).append(Holder(found.name, found.instance_uuid, True, found, disk))
    unlisted = {each.ref: each for each in own if each.ref not in everybody and each.ref not in mine}
    for ref, facts in everybody.items():
        name, external_id = facts.get("name", ref.value), facts.get("config.instanceUuid") or ref.value
        for path in _hit(_files(facts), wanted):
            if ref not in mine:
                strangers.setdefault(path, []).append(Holder(name, external_id, False))
            elif path not in ours:
                ours.setdefault(path, []).append(Holder(name, external_id, True))
    for found in unlisted.values():
        for path in _hit((file for disk in found.disks for file in _chain(disk.node)), wanted):
            strangers.setdefault(path, []).append(Holder(found.name, found.instance_uuid, False))
    held = {path: [*strangers.get(path, ()), *ours.get(path, ())] for path in disks}
    return {path: sorted(each, key=lambda one: (one.ours, one.name)) for path, each in held.items() if each}


def in_folder(cloud: Cloud, owner: Owner) -> list[Machine]:
    """Return all machines in a deployment's folder, whosever they are."""
    folder = folders.of_deployment(cloud, owner)
    if folder is None:
        return []
    found = properties.within(cloud.session, folder, {"VirtualMachine": machine.PATHS})
    return [machine.parse(ref, facts) for ref, facts in found.items()]


def foreign(path: str, holder: Holder, what: str) -> ConnectorError:
    """Say that a disk was left alone, since a machine besides the deployment's, or a snapshot, needs it."""
    if holder.ours:
        why = f"a snapshot of {holder.name} needs it - delete or consolidate the snapshots on the vCenter, then retry"
    else:
        why = (
            f"the machine {holder.name}, which is not in this deployment, holds it, directly or by a snapshot - "
            f"detach it from {holder.name} on the vCenter, then retry"
        )
    return ConnectorError("cloud.foreign", f"The disk {path} was not {what} - {why}", permanent=True)


def _files(facts: properties.Facts) -> Iterator[str]:
    for node in facts.get("config.hardware.device", ()):
        if isinstance(node, Node) and node.type == "VirtualDisk":
            yield from _chain(node)
    # What snapshots keep is in the layout only. Without snapshots the layout tells nothing more than the devices,
    # and it may be older than they are.
    if facts.get("rootSnapshot"):
        for file in facts.get("layoutEx.file", ()):
            if isinstance(file, Node):
                yield file.get("name")


def _chain(disk: Node) -> Iterator[str]:
    """Return the files that a disk reads: its own, and those that it is a delta to."""
    backing = disk.node("backing")
    for _ in range(_MAX_CHAIN):
        if backing is None:
            return
        file = backing.get("fileName")
        yield file
        yield _DELTA.sub(".vmdk", file)  # where the parents are not told
        backing = backing.node("parent")


def _hit(files: Iterator[str], wanted: Mapping[str, str]) -> list[str]:
    return sorted({wanted[name] for file in files if (name := _canonical(file)) in wanted})


def _canonical(path: str) -> str:
    return path.replace("] ", "]").casefold()
