"""Data disks: files of their own in the deployment's directory, so that they outlive every machine."""

from __future__ import annotations

import re
import urllib.parse
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from connectors.base import ConnectorError, Outcome
from connectors.vsphere import directories, faults, holders, markers, specs
from connectors.vsphere.cloud import Cloud
from connectors.vsphere.estate import Datastore, missing
from connectors.vsphere.faults import is_a
from connectors.vsphere.holders import Holder
from connectors.vsphere.notes import Note, TaskEnd
from connectors.vsphere.placement import offered
from connectors.vsphere.soap import VimFault
from engine.plan import Action
from engine.resources import Owner

_KIB_PER_GIB = 1024 * 1024
_DESCRIPTOR_MAX = 64 * 1024


@dataclass(frozen=True, slots=True)
class Found:
    """A disk file on a datastore."""

    datastore: Datastore
    file: str
    path: str
    size_kib: int


# Verbs


def create(cloud: Cloud, action: Action, key: str) -> Outcome:
    """Make a thin disk. Another try finds the file, on whichever datastore the first one chose."""
    spec = action.spec
    wanted_kib = int(spec["size_gib"]) * _KIB_PER_GIB
    with cloud.lock("volume", action.owner.deployment_id, action.resource):
        candidates = _candidates(cloud, spec.get("datastore"))
        there = directories.existing(cloud, action.owner, candidates)
        file = markers.volume_file(action.resource)
        for found in _disks(cloud, action.owner, there, file):
            return _adopt(found, wanted_kib, created=markers.is_new(action))
        # The deployment's directory, once made, keeps its later volumes together: a try that was interrupted
        # before its file appeared is not repeated on another datastore.
        datastore = _roomiest(there or candidates, wanted_kib) or _roomiest(candidates, wanted_kib)
        if datastore is None:
            raise _no_room(action, candidates)
        directories.make(cloud, action.owner, datastore)
        path = markers.volume_path(datastore.name, action.owner, action.resource)
        note = Note("volume.create", "create", key, action.resource, action.owner,
                    data={"datastore": datastore.name, "size": wanted_kib})  # fmt: skip
        try:
            task = cloud.session.act_task(
                cloud.session.manager("virtualDiskManager"),
                "CreateVirtualDisk_Task",
                operation=key,
                name=path,
                datacenter=cloud.estate().datacenter,
                spec=specs.thin_disk(int(spec["size_gib"])),
            )
        except VimFault as fault:
            return advance_create(cloud, note, TaskEnd(fault=fault))
        cloud.memories.begun.put(("volume.create", key), task)
    return note.on(task).running(message="making the disk")


def advance_create(cloud: Cloud, note: Note, end: TaskEnd) -> Outcome:
    """Find the file when the task's end does not tell that it is there."""
    datastore = cloud.surveyor.datastore(note.data["datastore"])
    file = markers.volume_file(note.resource)
    path = markers.volume_path(datastore.name, note.owner, note.resource)
    if end.fault is None and not end.lost:
        return _adopt(Found(datastore, file, path, note.data["size"]), note.data["size"], created=True)
    if end.lost or (end.fault is not None and is_a(end.fault, "FileAlreadyExists")):
        for found in _disks(cloud, note.owner, [datastore], file):
            return _adopt(found, note.data["size"], created=True)
    if end.fault is not None:
        return Outcome.failed(faults.to_error(end.fault, f"The disk of {note.resource} could not be made"))
    return Outcome.failed(
        ConnectorError(
            "cloud.busy",
            f"The disk of {note.resource} is not there yet - the vCenter forgot the task - it is tried again",
            retry_after=1.0,
            maybe_done=True,
        )
    )


def extend(cloud: Cloud, action: Action, key: str) -> Outcome:
    """Grow a disk, through its machine when it is attached: then the guest sees it at once."""
    wanted_kib = int(action.spec["size_gib"]) * _KIB_PER_GIB
    path = path_of(cloud, action.owner, action.resource, action)
    note = Note("volume.extend", "extend", key, action.resource, action.owner, data={"path": path})
    held = _holders(cloud, action.owner, path)
    if held and (held[0].machine is None or held[0].disk is None):
        # A base that grows below a delta makes the delta unreadable.
        raise holders.foreign(path, held[0], "grown")
    if held and held[0].machine is not None and held[0].disk is not None:
        holder, disk = held[0].machine, held[0].disk
        if disk.size_kib >= wanted_kib:
            return _extended(path, disk.size_kib)
        config = specs.config(devices=[specs.grow_disk(disk.node, wanted_kib)])
        task = cloud.session.act_task(holder.ref, "ReconfigVM_Task", operation=key, spec=config)
    else:
        found = _by_path(cloud, action.owner, path)
        if found.size_kib >= wanted_kib:
            return _extended(path, found.size_kib)
        task = cloud.session.act_task(
            cloud.session.manager("virtualDiskManager"),
            "ExtendVirtualDisk_Task",
            operation=key,
            name=path,
            datacenter=cloud.estate().datacenter,
            newCapacityKb=wanted_kib,
            eagerZero=False,
        )
    return note.on(task, size=wanted_kib).running(message="growing the disk")


def advance_extend(cloud: Cloud, note: Note, end: TaskEnd) -> Outcome:
    """Believe the task; what it did not tell is read by another try, which finds the size."""
    if end.fault is not None:
        return Outcome.failed(faults.to_error(end.fault, f"The disk of {note.resource} could not be grown"))
    if end.lost:
        message = f"Whether the disk of {note.resource} has grown is not known - the vCenter forgot the task"
        return Outcome.failed(ConnectorError("cloud.busy", message + " - it is looked up", maybe_done=True))
    return _extended(note.data["path"], note.data["size"])


def delete(cloud: Cloud, action: Action, key: str) -> Outcome:
    """Delete a disk that no machine on the vCenter holds. Its directory goes with the deployment's folder."""
    path = path_of(cloud, action.owner, action.resource, action, required=False)
    if not path:
        return Outcome.done("gone already", gone=True)
    if f"] {markers.volume_directory(action.owner)}/" not in path:
        raise ConnectorError(
            "cloud.foreign",
            f"The disk {path} was left alone - it is not in this deployment's directory - look at it and plan again",
            permanent=True,
        )
    for holder in _holders(cloud, action.owner, path):
        if holder.machine is None:
            raise holders.foreign(path, holder, "deleted")
        raise ConnectorError(
            "cloud.busy",
            f"The disk {path} is attached to {holder.name} - it would break that machine - detach it first",
            retry_after=10.0,
        )
    note = Note("volume.delete", "delete", key, action.resource, action.owner, data={"path": path})
    try:
        task = cloud.session.act_task(
            cloud.session.manager("virtualDiskManager"),
            "DeleteVirtualDisk_Task",
            operation=key,
            name=path,
            datacenter=cloud.estate().datacenter,
        )
    except VimFault as fault:
        return advance_delete(cloud, note, TaskEnd(fault=fault))
    return note.on(task).running(message="deleting the disk")


def advance_delete(cloud: Cloud, note: Note, end: TaskEnd) -> Outcome:
    """Believe that it is gone, unless the task says otherwise."""
    absent = end.fault is not None and is_a(end.fault, "FileNotFound")
    if end.fault is not None and not absent:
        return Outcome.failed(faults.to_error(end.fault, f"The disk of {note.resource} could not be deleted"))
    datastore = cloud.surveyor.datastore(_datastore_name(note.data["path"]))
    if end.lost and _disks(cloud, note.owner, [datastore], markers.volume_file(note.resource)):
        message = f"The disk of {note.resource} is still there - the vCenter forgot the task - it is tried again"
        return Outcome.failed(ConnectorError("cloud.busy", message, retry_after=1.0))
    return Outcome.done()


# What others ask


def of_deployment(cloud: Cloud, owner: Owner) -> list[Found]:
    """Return all disks in a deployment's directories."""
    return _disks(cloud, owner, directories.usable(cloud), "*.vmdk")


def of_resource(cloud: Cloud, owner: Owner, resource: str) -> list[Found]:
    """Return a volume's files: one, unless somebody copied it to another datastore."""
    return _disks(cloud, owner, directories.usable(cloud), markers.volume_file(resource))


def path_of(cloud: Cloud, owner: Owner, resource: str, action: Action, *, required: bool = True) -> str:
    """Return the path of a volume: the recorded one, else the one that is found; "" when there is none."""
    known: Mapping[str, Any] = action.inputs.get(resource, {})
    recorded = known.get("path") or known.get("external_id")
    if recorded is None and resource == action.resource:
        recorded = action.external_id
    if recorded:
        return str(recorded)
    for found in of_resource(cloud, owner, resource):
        return found.path
    if required:
        raise _absent(resource)
    return ""


# Details


def _candidates(cloud: Cloud, name: str | None) -> list[Datastore]:
    if name:
        return [cloud.surveyor.datastore(name)]
    found = [datastore for datastore in offered(cloud) if datastore.browser is not None]
    if not found:
        raise missing("datastore", "that may be used", [each.name for each in cloud.estate().datastores])
    return found


def _roomiest(datastores: Sequence[Datastore], size_kib: int) -> Datastore | None:
    # Disks are thin, but one that could never be filled helps nobody.
    fitting = [datastore for datastore in datastores if datastore.free >= size_kib * 1024]
    return max(fitting, key=lambda datastore: (datastore.type != "OTHER", datastore.free), default=None)


def _no_room(action: Action, datastores: Sequence[Datastore]) -> ConnectorError:
    best = max(datastores, key=lambda datastore: datastore.free)
    return ConnectorError(
        "cloud.no_space",
        f"There is no room for {action.resource} ({action.spec['size_gib']} GiB) - {best.name} has "
        f"{best.free / 2**30:.1f} GiB left, and no other datastore that may be used has more - free some space, "
        "or choose another datastore",
        permanent=True,
    )


def _adopt(found: Found, wanted_kib: int, *, created: bool) -> Outcome:
    if found.size_kib > wanted_kib:
        return Outcome.failed(
            ConnectorError(
                "cloud.name_taken",
                f"The disk {found.path} exists already and is larger ({found.size_kib / _KIB_PER_GIB:g} GiB) - disks "
                "cannot shrink - give the volume this size, or move the file away",
                permanent=True,
            )
        )
    return Outcome.done(
        external_id=found.path,
        path=found.path,
        datastore=found.datastore.name,
        size_gib=found.size_kib // _KIB_PER_GIB,
        created=created,
    )


def _extended(path: str, size_kib: int) -> Outcome:
    return Outcome.done(external_id=path, path=path, size_gib=size_kib // _KIB_PER_GIB)


def _absent(resource: str) -> ConnectorError:
    return ConnectorError(
        "cloud.not_found",
        f"The disk of {resource} is gone - somebody deleted or moved it on the datastore - plan again",
        permanent=True,
    )


def _by_path(cloud: Cloud, owner: Owner, path: str) -> Found:
    datastore = cloud.surveyor.datastore(_datastore_name(path))
    for found in _disks(cloud, owner, [datastore], path.rpartition("/")[2]):
        return found
    raise _absent(path)


def _datastore_name(path: str) -> str:
    return path.partition("[")[2].partition("]")[0]


def _holders(cloud: Cloud, owner: Owner, path: str) -> list[Holder]:
    """Return who holds a disk, those that are not the deployment's first."""
    datastore = cloud.surveyor.datastore(_datastore_name(path))
    return holders.of_disks(cloud, owner, {path: datastore.ref}).get(path, [])


def _disks(cloud: Cloud, owner: Owner, datastores: Sequence[Datastore], pattern: str) -> list[Found]:
    by_ref = {datastore.ref: datastore for datastore in datastores}
    found: list[Found] = []
    for ref, files in directories.search(cloud, owner, datastores, specs.disk_search(pattern)).items():
        datastore = by_ref[ref]
        for file in files:
            name = file.get("path")
            if name.endswith("-flat.vmdk") or not name.endswith(".vmdk"):
                continue
            path = f"[{datastore.name}] {markers.volume_directory(owner)}/{name}"
            size_kib = file.number("capacityKb") or _described(cloud, datastore, owner, name)
            found.append(Found(datastore, name, path, size_kib))
    return sorted(found, key=lambda each: each.path)


def _described(cloud: Cloud, datastore: Datastore, owner: Owner, file: str) -> int:
    """Read a disk's capacity from its descriptor, where the browser does not tell it."""
    query = urllib.parse.urlencode({"dcPath": cloud.estate().name, "dsName": datastore.name})
    path = f"/folder/{urllib.parse.quote(markers.volume_directory(owner))}/{urllib.parse.quote(file)}?{query}"
    text = cloud.session.download(path, _DESCRIPTOR_MAX).decode(errors="replace")
    sectors = re.findall(r"^(?:RW|RDONLY) (\d+) ", text, re.MULTILINE)
    return sum(map(int, sectors)) * 512 // 1024
