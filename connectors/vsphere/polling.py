"""Read all open tasks and watched machines of a cloud in one call, and go on with what has ended."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from connectors.base import ConnectorError, Handle, Outcome
from connectors.vsphere import (
    adoption,
    changing,
    cloning,
    faults,
    folders,
    machine,
    moving,
    networks,
    power,
    properties,
    removal,
    undoing,
    volumes,
)
from connectors.vsphere.cloud import TASK_PATHS, Cloud, task_end
from connectors.vsphere.machine import Machine
from connectors.vsphere.notes import Note, TaskEnd
from connectors.vsphere.session import SessionLostError
from connectors.vsphere.soap import Ref, VimFault

_MAX_TRIES = 5
_ON_TASK = {
    "folder.delete": folders.advance,
    "network.create": networks.advance_create,
    "network.delete": networks.advance_delete,
    "volume.create": volumes.advance_create,
    "volume.extend": volumes.advance_extend,
    "volume.delete": volumes.advance_delete,
    "undo": undoing.advance,
}
_ON_MACHINE = {
    "machine.create": cloning.advance,
    "machine.update": changing.advance,
    "machine.detach": changing.advance_detach,
    "machine.start": power.advance_start,
    "machine.stop": power.advance_stop,
    "machine.delete": removal.advance,
    "machine.adopt": adoption.advance_adopt,
    "machine.release": adoption.advance_release,
    "machine.snapshot": moving.advance_snapshot,
    "machine.unsnapshot": moving.advance_unsnapshot,
    "machine.relocate": moving.advance_relocate,
}


def poll(cloud: Cloud, handles: Sequence[Handle]) -> dict[Handle, Outcome]:
    """Return where each handle stands. ConnectorError when the cloud cannot be asked: then nothing is known."""
    notes: dict[Handle, Note] = {}
    outcomes: dict[Handle, Outcome] = {}
    for handle in handles:
        try:
            notes[handle] = Note.load(handle)
        except ConnectorError as error:  # one that cannot be read must not hold up the others
            outcomes[handle] = Outcome.failed(error)
    wanted: list[Ref] = []
    for note in notes.values():
        if note.task is not None:
            wanted.append(note.task)
        elif note.machine is not None:
            wanted.append(note.machine)
    known = properties.of_objects(cloud.session, wanted, {"Task": TASK_PATHS, "VirtualMachine": power.WATCHED})
    ends: dict[Handle, TaskEnd] = {}
    for handle, note in notes.items():
        if note.task is None:
            watched = known.get(note.machine) if note.machine is not None else None
            outcome = _guarded(cloud, note, lambda note=note, watched=watched: _watch(cloud, note, watched))
            if outcome is None:
                ends[handle] = TaskEnd()
            else:
                outcomes[handle] = outcome
            continue
        end = task_end(known.get(note.task))
        if end is None:
            progress = known[note.task].get("info.progress")
            outcomes[handle] = Outcome.running(handle, _percent(note, progress), _doing(note))
        else:
            ends[handle] = end
    machines = machine.load(cloud, [ref for handle, end in ends.items() for ref in _concerned(notes[handle], end)])
    for handle, end in ends.items():
        note = notes[handle]
        found = next((machines[ref] for ref in _concerned(note, end) if ref in machines), None)
        outcome = _guarded(cloud, note, lambda note=note, end=end, found=found: _advance(cloud, note, end, found))
        assert outcome is not None
        outcomes[handle] = outcome
    return {handle: outcomes[handle] for handle in handles}


def _advance(cloud: Cloud, note: Note, end: TaskEnd, found: Machine | None) -> Outcome:
    if note.verb in _ON_TASK:
        return _ON_TASK[note.verb](cloud, note, end)
    return _ON_MACHINE[note.verb](cloud, note, end, found)


def _watch(cloud: Cloud, note: Note, facts: dict[str, Any] | None) -> Outcome | None:
    """Look at a machine that is waited for without a task; None when that has ended."""
    if note.verb == "machine.ready":
        return power.watch_ready(cloud, note, facts)
    if note.phase == "shutdown":
        return power.watch_shutdown(cloud, note, facts)
    return None


def _concerned(note: Note, end: TaskEnd) -> list[Ref]:
    """Return the machines that a follow-up looks at, the most telling first."""
    if note.verb not in _ON_MACHINE:
        return []
    refs = [end.result] if isinstance(end.result, Ref) and end.result.type == "VirtualMachine" else []
    return [*refs, *([note.machine] if note.machine is not None else [])]


def _guarded(cloud: Cloud, note: Note, follow_up: Any) -> Outcome | None:
    """Run a follow-up. What may pass is tried again at the next poll; what may not is the step's failure."""
    try:
        outcome: Outcome | None = follow_up()
        return outcome
    except SessionLostError:
        return note.running(message="the session was renewed")
    except VimFault as fault:
        error = faults.to_error(fault, f"{note.resource}: {note.verb} could not go on")
    except ConnectorError as raised:
        error = raised
    if error.permanent or note.tries >= _MAX_TRIES:
        return Outcome.failed(error)
    return replace(note, tries=note.tries + 1).running(message=error.message)


def _percent(note: Note, progress: Any) -> int | None:
    if not isinstance(progress, int):
        return None
    return min(99, progress * 9 // 10 if note.verb == "machine.create" and note.phase == "clone" else progress)


_DOING = {
    "undo": "waiting for what may still be made",
    "folder.delete": "removing the folder",
    "network.create": "making the network",
    "network.delete": "removing the network",
    "volume.create": "making the disk",
    "volume.extend": "growing the disk",
    "volume.delete": "deleting the disk",
    "clone": "cloning",
    "configure": "configuring",
    "change": "changing",
    "detach": "detaching data disks",
    "on": "powering on",
    "off": "powering off",
    "destroy": "deleting",
    "discard": "settling on one machine",
    "mark": "writing markers",
    "unmark": "taking markers off",
    "snapshot": "making a snapshot",
    "unsnapshot": "removing snapshots",
    "relocate": "moving",
}


def _doing(note: Note) -> str:
    return _DOING.get(note.verb) or _DOING.get(note.phase, note.verb)
