"""machine.update and machine.detach: settings, user-data and data disks of a machine that exists.

What a running guest cannot take is done as one small state machine: the whole intent is first written to the machine
(which works while it runs), then it is shut down, changed, and powered on again if it was running. The intent on the
machine, not the handle, says what is left; so any process can go on, and another try repeats nothing.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from connectors.base import ConnectorError, Outcome
from connectors.vsphere import cloning, completion, faults, guest, machine, markers, power, specs
from connectors.vsphere.cloud import Cloud
from connectors.vsphere.faults import is_a
from connectors.vsphere.machine import Machine
from connectors.vsphere.markers import Intent
from connectors.vsphere.notes import Note, TaskEnd
from engine.plan import Action

_ROUNDS = 10


def update(cloud: Cloud, action: Action, key: str) -> Outcome:
    """Bring a machine to a new specification; user-data takes effect by a restart with a new instance id."""
    with cloud.lock("machine", action.owner.deployment_id, action.resource):
        found = machine.required(cloud, action)
        note = _note(action, key, found)
        intent = found.marks.intent
        if intent is not None and intent.step == key:  # another try: the intent is written already
            return _go_on(cloud, note, found)
        wanted = guest.desired(action)
        fresh = Intent(
            step=key,
            cpus=wanted.cpus,
            memory_mib=wanted.memory_mib,
            config_hash=guest.marked_hash(action),
            disks=cloning.disks(cloud, action, wanted),
            system=intent.system if intent is not None else (),
            nics=intent.nics if intent is not None else (),
        )
        same = guest.same(wanted, _instance_id(found), found.marks)
        told = {} if same else guest.guestinfo(wanted, markers.instance_uuid(key))
        return _stage(cloud, note, found, fresh, told)


def stage(cloud: Cloud, action: Action, key: str, found: Machine, fresh: Intent) -> Outcome:
    """Write an intent to a machine whose guest is told nothing, and begin with it."""
    return _stage(cloud, _note(action, key, found), found, fresh, {})


def go_on(cloud: Cloud, action: Action, key: str, found: Machine) -> Outcome:
    """Go on with an intent that another try has written."""
    return _go_on(cloud, _note(action, key, found), found)


def restore(cloud: Cloud, action: Action, key: str) -> Outcome:
    """Attach again what ``machine.detach`` took off: the way back."""
    with cloud.lock("machine", action.owner.deployment_id, action.resource):
        found = machine.required(cloud, action)
        note = _note(action, key, found)
        intent, before = found.marks.intent, found.marks.before
        if intent is not None and intent.step == key:
            return _go_on(cloud, note, found)
        if before is None:
            return Outcome.done("nothing to undo")
        return _stage(cloud, note, found, replace(before, step=key, restart=""), {markers.PREFIX + "before": ""})


def advance(cloud: Cloud, note: Note, end: TaskEnd, found: Machine | None) -> Outcome:
    """Do the next thing after a task."""
    if found is None:
        return Outcome.failed(machine.gone(note.resource))
    if end.fault is not None and not is_a(end.fault, "InvalidPowerState"):
        return Outcome.failed(faults.to_error(end.fault, f"The machine {found.name} could not be changed"))
    return _go_on(cloud, note, found)


def detach(cloud: Cloud, action: Action, key: str) -> Outcome:
    """Take our data disks off a machine, so that they cannot go with it; their files stay."""
    with cloud.lock("machine", action.owner.deployment_id, action.resource):
        found = machine.locate(cloud, action)
        if found is None:
            return Outcome.done("gone already", gone=True)
        ours = [(disk, volume) for disk in found.disks if (volume := found.owns(disk, action.owner))]
        if not ours:
            return Outcome.done(external_id=found.instance_uuid, detached=[])
        machine.refuse_snapshots(found, "changed")
        intent, extra = found.marks.intent, {}
        if intent is not None:
            extra = {
                markers.PREFIX + "intent": intent.without_disks(key).dump(),
                markers.PREFIX + "before": intent.dump(),
            }
        # The machine is not what its hash says any more; should the deletion not follow, a plan sees the difference.
        extra[markers.PREFIX + "hash"] = "detached"
        config = specs.config(extra=extra, devices=[specs.remove(disk.node) for disk, _ in ours])
        task = cloud.session.act_task(found.ref, "ReconfigVM_Task", operation=key, spec=config)
        data = {"detached": [volume for _, volume in ours]}
        note = Note("machine.detach", "detach", key, action.resource, action.owner, machine=found.ref, data=data)
        return note.on(task).running(message="detaching data disks")


def advance_detach(cloud: Cloud, note: Note, end: TaskEnd, found: Machine | None) -> Outcome:
    """See that the disks are off."""
    if found is None:
        return Outcome.done("gone already", gone=True)
    if end.fault is not None:
        return Outcome.failed(faults.to_error(end.fault, f"The disks of {found.name} could not be detached"))
    if any(found.owns(disk, note.owner) for disk in found.disks):
        message = f"{found.name} still holds data disks - somebody attached them again - it is tried again"
        return Outcome.failed(ConnectorError("cloud.busy", message, retry_after=2.0))
    return Outcome.done(external_id=found.instance_uuid, detached=note.data["detached"])


def _note(action: Action, key: str, found: Machine) -> Note:
    data = {"previous": {"cpus": found.cpus, "memory_mib": found.memory_mib}}
    return Note("machine.update", "change", key, action.resource, action.owner, machine=found.ref, data=data)


def _stage(cloud: Cloud, note: Note, found: Machine, fresh: Intent, told: Mapping[str, str]) -> Outcome:
    """Write the intent to the machine, and with it the whole change if it may be made as it stands."""
    left = completion.rest(cloud, found, fresh, note.owner)
    documents = any(name.startswith("guestinfo.") for name in told)
    if found.power != "off" and (documents or (left is not None and left.needs_off)):
        fresh = replace(fresh, restart="needed")
        config = specs.config(extra={**told, markers.PREFIX + "intent": fresh.dump()})
    else:
        besides = {**told, markers.PREFIX + "intent": fresh.dump()}
        config = _required(completion.rest(cloud, found, fresh, note.owner, besides)).config
    task = cloud.session.act_task(found.ref, "ReconfigVM_Task", operation=note.key, spec=config)
    return note.on(task).running(10, "changing")


def _go_on(cloud: Cloud, note: Note, found: Machine) -> Outcome:
    """Compare the machine with its intent and do what comes next."""
    intent = found.marks.intent
    if intent is None or intent.step != note.key:
        message = (
            f"The machine {found.name} has lost its new settings - somebody else changed it - they are given again"
        )
        return Outcome.failed(ConnectorError("cloud.busy", message, retry_after=2.0, maybe_done=True))
    rounds = note.data.get("rounds", 0)
    if rounds >= _ROUNDS:
        raise ConnectorError(
            "cloud.fault",
            f"The machine {found.name} does not take its settings - the vCenter reports success, yet they are not "
            "there - look at the machine's events on the vCenter, then retry",
        )
    note = note.on(None, rounds=rounds + 1)
    left = completion.rest(cloud, found, intent, note.owner)
    if left is not None and left.needs_off and found.power != "off" and not intent.restart:
        # It was powered on meanwhile, by somebody else.
        return _stage(cloud, note, found, intent, {})
    if intent.restart == "needed":
        if found.power != "off":
            timeout_s = float(cloud.option("stop_timeout_s", power.STOP_TIMEOUT_S))
            return power.shut_down(cloud, note, found, timeout_s)
        intent = replace(intent, restart="on")
        left = completion.rest(cloud, found, intent, note.owner, {markers.PREFIX + "intent": intent.dump()})
    if left is not None and not (left.cosmetic and rounds > 1):
        task = cloud.session.act_task(found.ref, "ReconfigVM_Task", operation=note.key, spec=left.config)
        return note.on(task, "change").running(50, "changing")
    if intent.restart == "on" and found.power != "on":
        task = cloud.session.act_task(found.ref, "PowerOnVM_Task", operation=note.key)
        return note.on(task, "on").running(80, "powering on")
    previous = note.data.get("previous", {})
    return Outcome.done(f"{found.name} is changed", **cloning.result(cloud, note.owner, found), previous=previous)


def _required(left: completion.Rest | None) -> completion.Rest:
    assert left is not None  # there is an intent to write
    return left


def _instance_id(found: Machine) -> str:
    """Return the instance id that the guest knows."""
    try:
        facts: Any = json.loads(markers.told(found.marks, "metadata"))
        return str(facts["instance-id"])
    except (ValueError, KeyError, TypeError):
        return ""
