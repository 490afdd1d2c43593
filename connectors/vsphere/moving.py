"""machine.snapshot, machine.unsnapshot, machine.relocate: what moves need, each found again when it is tried again."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from connectors.base import ConnectorError, Outcome
from connectors.vsphere import faults, machine, placement, properties, specs
from connectors.vsphere.cloud import Cloud
from connectors.vsphere.estate import Cluster, Datastore, Host
from connectors.vsphere.machine import Machine
from connectors.vsphere.notes import Note, TaskEnd
from connectors.vsphere.soap import Node, Ref
from engine.plan import Action

_TASK = ("info.descriptionId", "info.name", "info.state")


def snapshot_name(key: str) -> str:
    """Return the name by which a step knows its snapshot again."""
    return f"escale-{key}"


def snapshot(cloud: Cloud, action: Action, key: str) -> Outcome:
    """Make a snapshot without the memory, unless this step has made it."""
    found = machine.required(cloud, action)
    note = Note("machine.snapshot", "snapshot", key, action.resource, action.owner, machine=found.ref)
    with cloud.lock("machine", action.owner.deployment_id, action.resource):
        if _has_snapshot(cloud, found.ref, snapshot_name(key)):
            return _done(found, snapshot=snapshot_name(key))
        task = cloud.begun(note.verb, key) or _under_way(cloud, found.ref, "CreateSnapshot_Task")
        if task is None:
            task = cloud.session.act_task(
                found.ref, "CreateSnapshot_Task", operation=key, name=snapshot_name(key),
                description="Made by Escale.", memory=False, quiesce=False,
            )  # fmt: skip
            cloud.memories.begun.put((note.verb, key), task)
    return note.on(task).running(message="making a snapshot")


def advance_snapshot(cloud: Cloud, note: Note, end: TaskEnd, found: Machine | None) -> Outcome:
    """See that the snapshot is there."""
    if found is None:
        return Outcome.failed(machine.gone(note.resource))
    if end.fault is not None:
        return Outcome.failed(faults.to_error(end.fault, f"A snapshot of {found.name} could not be made"))
    if not _has_snapshot(cloud, found.ref, snapshot_name(note.key)):
        return Outcome.failed(_again(f"The snapshot of {found.name} is not there although its task has ended"))
    return _done(found, snapshot=snapshot_name(note.key), task=_text(note.task))


def unsnapshot(cloud: Cloud, action: Action, key: str) -> Outcome:
    """Remove all snapshots of a machine of ours; one that is gone has none."""
    found = machine.locate(cloud, action)
    if found is None:
        return Outcome.done("gone already", gone=True)
    if not found.snapshots:
        return _done(found)
    note = Note("machine.unsnapshot", "unsnapshot", key, action.resource, action.owner, machine=found.ref)
    with cloud.lock("machine", action.owner.deployment_id, action.resource):
        task = cloud.begun(note.verb, key) or _under_way(cloud, found.ref, "RemoveAllSnapshots_Task")
        if task is None:
            task = cloud.session.act_task(found.ref, "RemoveAllSnapshots_Task", operation=key, consolidate=True)
            cloud.memories.begun.put((note.verb, key), task)
    return note.on(task).running(message="removing snapshots")


def advance_unsnapshot(cloud: Cloud, note: Note, end: TaskEnd, found: Machine | None) -> Outcome:
    """See that no snapshot is left."""
    if found is None:
        return Outcome.done("gone already", gone=True)
    if end.fault is not None:
        return Outcome.failed(faults.to_error(end.fault, f"The snapshots of {found.name} could not be removed"))
    if found.snapshots:
        return Outcome.failed(_again(f"{found.name} still has snapshots although their removal has ended"))
    return _done(found, task=_text(note.task))


def relocate(cloud: Cloud, action: Action, key: str) -> Outcome:
    """Move a machine to another host or datastore than `spec["from"]`, unless it lies elsewhere already."""
    found = machine.required(cloud, action)
    to, origin = str(action.spec["to"]), str(action.spec["from"])
    data = {"to": to, "from": origin}
    note = Note("machine.relocate", "relocate", key, action.resource, action.owner, machine=found.ref, data=data)
    with cloud.lock("machine", action.owner.deployment_id, action.resource):
        here = _place(cloud, found, to)
        if here and here != origin:
            return _done(found, **{to: here})
        task = cloud.begun(note.verb, key) or _under_way(cloud, found.ref, "RelocateVM_Task")
        if task is None:
            spec = _spec(cloud, found, to)
            task = cloud.session.act_task(
                found.ref, "RelocateVM_Task", operation=key, spec=spec, priority="defaultPriority"
            )
            cloud.memories.begun.put((note.verb, key), task)
    return note.on(task).running(message=f"moving to another {to}")


def advance_relocate(cloud: Cloud, note: Note, end: TaskEnd, found: Machine | None) -> Outcome:
    """Believe the place and not the task: a machine that lies where it lay was not moved."""
    if found is None:
        return Outcome.failed(machine.gone(note.resource))
    to = note.data["to"]
    if end.fault is not None:
        return Outcome.failed(faults.to_error(end.fault, f"{found.name} could not be moved to another {to}"))
    here = _place(cloud, found, to)
    if not here or here == note.data["from"]:
        return Outcome.failed(_again(f"{found.name} lies where it lay although its move has ended"))
    return _done(found, task=_text(note.task), **{to: here})


def _done(found: Machine, **facts: Any) -> Outcome:
    return Outcome.done(external_id=found.instance_uuid, **facts)


def _text(task: Ref | None) -> str:
    return task.value if task is not None else ""


def _again(what: str) -> ConnectorError:
    message = f"{what} - somebody else changed it, or the vCenter did not do it - it is tried again"
    return ConnectorError("cloud.busy", message, retry_after=1.0, maybe_done=True)


def _place(cloud: Cloud, found: Machine, what: str) -> str:
    """Return the reference of a machine's host, or of the datastore that it is at home on."""
    if what == "host":
        return found.host.value if found.host is not None else ""
    home = found.home.partition(" ")[0]
    return next((each.ref.value for each in cloud.estate().datastores if f"[{each.name}]" == home), "")


def _spec(cloud: Cloud, found: Machine, to: str) -> Any:
    estate = cloud.estate(0.0)
    host = estate.hosts.get(found.host) if found.host is not None else None
    cluster = next((each for each in estate.clusters if host is not None and each.ref == host.cluster), None)
    if cluster is None or found.host is None:
        raise ConnectorError(
            "cloud.fault",
            f"{found.name} runs on a host that is in no cluster in service - it cannot be told where it may go - "
            "look at the host on the vCenter",
        )
    if to == "host":
        target = _other_host(cluster, found)
        return specs.relocation(host=target.ref, pool=placement.pool(cloud, cluster))
    store = _other_datastore(cloud, cluster, found)
    return specs.relocation(datastore=store.ref)


def _other_host(cluster: Cluster, found: Machine) -> Host:
    others = [each for each in cluster.hosts if each.ref != found.host]
    if not others:
        raise ConnectorError(
            "cloud.invalid",
            f"{cluster.name} has no second host in service - a machine cannot be moved within it - "
            "add one, or end the maintenance of another",
            permanent=True,
        )
    return min(others, key=lambda each: (each.memory_used_mib / max(1, each.memory_mib), each.name))


def _other_datastore(cloud: Cloud, cluster: Cluster, found: Machine) -> Datastore:
    home = found.home.partition(" ")[0]
    needed = sum(disk.size_kib * 1024 for disk in found.disks)
    others = [
        each
        for each in placement.offered(cloud)
        if f"[{each.name}]" != home and cluster.reaches(each.ref) and each.free >= needed
    ]
    if not others:
        raise ConnectorError(
            "cloud.invalid",
            f"{cluster.name} reaches no second datastore with room for {found.name} - its disks cannot be moved - "
            "offer another datastore to all of its hosts",
            permanent=True,
        )
    return max(others, key=lambda each: (each.type != "OTHER", each.free))


def _has_snapshot(cloud: Cloud, ref: Ref, name: str) -> bool:
    facts = properties.of_object(cloud.session, ref, ["snapshot.rootSnapshotList"]) or {}
    return name in set(_names(facts.get("snapshot.rootSnapshotList", ())))


def _names(trees: Iterable[Any]) -> Iterable[str]:
    for tree in trees:
        if isinstance(tree, Node):
            yield tree.get("name")
            yield from _names(tree.all("childSnapshotList"))


def _under_way(cloud: Cloud, ref: Ref, method: str) -> Ref | None:
    """Return a task of another process that does just this to the machine now."""
    tasks = properties.beneath(cloud.session, ref, "recentTask", {"Task": _TASK})
    live = [
        task
        for task, facts in tasks.items()
        if facts.get("info.state") in ("queued", "running") and _does(facts, method)
    ]
    return min(live) if live else None


def _does(facts: properties.Facts, method: str) -> bool:
    plain = method.removesuffix("_Task")
    identifier = str(facts.get("info.descriptionId", ""))
    known = {
        "CreateSnapshot": "VirtualMachine.createSnapshot",
        "RemoveAllSnapshots": "VirtualMachine.removeAllSnapshots",
        "RelocateVM": "VirtualMachine.relocate",
    }[plain]
    return identifier == known or facts.get("info.name") in (method, plain)
