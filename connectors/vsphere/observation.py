"""What carries a deployment's markers, found without any memory of what was made."""

from __future__ import annotations

from typing import Any

from connectors.vsphere import folders, holders, machine, markers, volumes
from connectors.vsphere.cloud import Cloud
from connectors.vsphere.machine import Machine
from connectors.vsphere.soap import Ref
from engine.observed import ObservedResource, ObservedState
from engine.resources import Folder, Owner, Volume, config_hash


def observe(cloud: Cloud, owner: Owner) -> ObservedState:
    """Return machines, disks, networks and folder of a deployment.

    Things are tracked by UUID: a vMotion or a new name is no difference.
    Of several machines with one key the one counts whose instance UUID follows from its step; the others, and what
    cannot be read, are strays.
    """
    resources: dict[str, ObservedResource] = {}
    strays: list[ObservedResource] = []
    folder = folders.of_deployment(cloud, owner)
    machines: list[Machine] = []
    if folder is not None:
        seen = _folder(cloud, folder, owner)
        resources[seen.key] = seen
        machines = holders.in_folder(cloud, owner)
    ours = [each for each in machines if each.marks.deployment == owner.deployment_id and not each.template]
    for found in sorted(ours, key=_preference):
        seen = _machine(cloud, found, owner)
        if not found.marks.resource or seen.key in resources:
            strays.append(seen)
            continue
        resources[seen.key] = seen
    for network in cloud.estate().networks:
        marks = markers.read_network(network.description)
        if marks.get("deployment") == owner.deployment_id:
            key = marks.get("resource", network.name)
            seen = ObservedResource(
                key,
                "network",
                network.ref.value,
                marks.get("hash", ""),
                {"name": network.name, "vlan": network.vlan},
            )
            _place(resources, strays, seen)
    disks = volumes.of_deployment(cloud, owner)
    held = holders.of_disks(cloud, owner, {disk.path: disk.datastore.ref for disk in disks}, machines)
    for disk in disks:
        holder = next(iter(held.get(disk.path, ())), None)
        _place(resources, strays, _volume(disk, holder.external_id if holder is not None else None))
    return ObservedState(resources, tuple(strays))


def _place(resources: dict[str, ObservedResource], strays: list[ObservedResource], seen: ObservedResource) -> None:
    if seen.key in resources:
        strays.append(seen)
    else:
        resources[seen.key] = seen


def _folder(cloud: Cloud, folder: Ref, owner: Owner) -> ObservedResource:
    path = folders.path_to(cloud, folder) or folders.default_path(owner)
    key = "folder:deployment"
    digest = config_hash(Folder(key, tuple(path)))
    return ObservedResource(key, "folder", folder.value, digest, {"path": path})


def _preference(found: Machine) -> tuple[bool, tuple[int, str]]:
    return (found.instance_uuid != markers.instance_uuid(found.marks.step), machine.age(found))


def _machine(cloud: Cloud, found: Machine, owner: Owner) -> ObservedResource:
    host = cloud.estate().hosts.get(found.host) if found.host is not None else None
    cluster = next((each.name for each in cloud.estate().clusters if host and each.ref == host.cluster), "")
    attributes: dict[str, Any] = {
        "name": found.name,
        "power": found.power,
        "cpus": found.cpus,
        "memory_mib": found.memory_mib,
        "addresses": list(found.addresses),
        "host": host.name if host else "",
        "cluster": cluster,
        "instance_uuid": found.instance_uuid,
        "bios_uuid": found.bios_uuid,
        "moref": found.ref.value,
        "disks": [
            {
                "volume": found.owns(disk, owner),
                "path": disk.path,
                "size_gib": disk.size_kib / 2**20,
                "system": found.is_system(disk),
            }
            for disk in found.disks
        ],
        "tools": found.tools,
        "snapshots": found.snapshots,
    }
    key = found.marks.resource or f"machine:{found.name}"
    return ObservedResource(key, "machine", found.instance_uuid, found.marks.hash, attributes)


def _volume(disk: volumes.Found, attached_to: str | None) -> ObservedResource:
    size_gib = disk.size_kib // 2**20
    key = markers.volume_key(disk.file)
    digest = config_hash(Volume(key, key.partition(":")[2], size_gib))
    attributes = {
        "size_gib": size_gib,
        "datastore": disk.datastore.name,
        "path": disk.path,
        "attached_to": attached_to,
    }
    return ObservedResource(key, "volume", disk.path, digest, attributes)
