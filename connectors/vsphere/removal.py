"""machine.delete: off, our data disks taken off, markers and disks looked at once more, and only then destroyed."""

from __future__ import annotations

from connectors.base import ConnectorError, Outcome
from connectors.vsphere import faults, machine, specs
from connectors.vsphere.cloud import Cloud
from connectors.vsphere.faults import is_a
from connectors.vsphere.machine import Machine
from connectors.vsphere.notes import Note, TaskEnd
from connectors.vsphere.soap import VimFault
from engine.plan import Action

_ROUNDS = 6


def delete(cloud: Cloud, action: Action, key: str) -> Outcome:
    """Delete a machine with the disks that came with its template, and with nothing else."""
    found = machine.locate(cloud, action)
    if found is None:
        return Outcome.done("gone already", gone=True)
    return begin(cloud, Note("machine.delete", "check", key, action.resource, action.owner), found)


def begin(cloud: Cloud, note: Note, found: Machine) -> Outcome:
    """Do the next thing on the way to a machine's end; ConnectorError ``cloud.foreign`` when it must stay."""
    if not found.marks.belong_to(note.owner, note.resource):
        raise machine.foreign(found, note.resource)
    if found.marks.adopted:
        raise ConnectorError(
            "cloud.foreign",
            f"The machine {found.name} was left alone - it was adopted, not made, and such a machine is released and "
            "never deleted - plan again",
            permanent=True,
        )
    machine.refuse_snapshots(found, "deleted")
    ours = [disk for disk in found.disks if found.owns(disk, note.owner)]
    others = [disk for disk in found.disks if disk not in ours and not found.is_system(disk)]
    if others:
        raise ConnectorError(
            "cloud.foreign",
            f"The machine {found.name} was left alone - it holds {', '.join(disk.path for disk in others)}, which this "
            "deployment did not attach and which would be destroyed with it - detach that on the vCenter, then retry",
            permanent=True,
        )
    rounds = note.data.get("rounds", 0)
    if rounds >= _ROUNDS:
        raise ConnectorError(
            "cloud.busy",
            f"The machine {found.name} does not go - somebody powers it on or attaches disks again and again - "
            "look at its events on the vCenter, then retry",
            retry_after=30.0,
        )
    note = Note(note.verb, note.phase, note.key, note.resource, note.owner, None, found.ref, dict(note.data))
    try:
        if found.power != "off":
            task = cloud.session.act_task(found.ref, "PowerOffVM_Task", operation=note.key)
            return note.on(task, "off", rounds=rounds + 1).running(10, "powering off")
        if ours:
            config = specs.config(devices=[specs.remove(disk.node) for disk in ours])
            task = cloud.session.act_task(found.ref, "ReconfigVM_Task", operation=note.key, spec=config)
            return note.on(task, "detach", rounds=rounds + 1).running(40, "detaching data disks")
        task = cloud.session.act_task(found.ref, "Destroy_Task", operation=note.key)
        return note.on(task, "destroy", rounds=rounds + 1).running(60, "deleting")
    except VimFault as fault:
        if is_a(fault, "ManagedObjectNotFound"):
            return Outcome.done("gone already", gone=True)
        raise


def advance(cloud: Cloud, note: Note, end: TaskEnd, found: Machine | None) -> Outcome:
    """Look again after each task: a machine that is gone is what was asked for."""
    if found is None:
        return Outcome.done()
    if end.fault is not None and not is_a(end.fault, "InvalidPowerState"):
        return Outcome.failed(faults.to_error(end.fault, f"The machine {found.name} could not be deleted"))
    return begin(cloud, note, found)
