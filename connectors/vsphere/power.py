"""machine.start, machine.ready, machine.stop: power, and what the guest says of itself."""

from __future__ import annotations

import time
from typing import Any

from connectors.base import ConnectorError, Outcome
from connectors.vsphere import faults, machine
from connectors.vsphere.cloud import Cloud
from connectors.vsphere.faults import is_a
from connectors.vsphere.machine import Machine
from connectors.vsphere.notes import Note, TaskEnd
from connectors.vsphere.soap import Ref, VimFault
from engine.plan import Action

WATCHED = ("name", "runtime.powerState", "guest.ipAddress", "guest.net", "guest.toolsRunningStatus")
"""What is read of machines that are waited for, in the one call for all of them."""

READY_TIMEOUT_S = 600.0
PLAIN_TIMEOUT_S = 120.0
"""A plain machine's guest may have no VMware Tools: one that has run so long without an address counts as ready."""
STOP_TIMEOUT_S = 90.0


def start(cloud: Cloud, action: Action, key: str) -> Outcome:
    """Power a machine on; one that runs is started already."""
    found = machine.required(cloud, action)
    note = Note("machine.start", "on", key, action.resource, action.owner, machine=found.ref)
    return power_on(cloud, note, found)


def power_on(cloud: Cloud, note: Note, found: Machine) -> Outcome:
    """Begin to power a machine on, or join whoever does."""
    if found.power == "on":
        return Outcome.done(external_id=found.instance_uuid, moref=found.ref.value)
    try:
        task = cloud.session.act_task(found.ref, "PowerOnVM_Task", operation=note.key)
    except VimFault as fault:
        return advance_start(cloud, note, TaskEnd(fault=fault), machine.load(cloud, [found.ref]).get(found.ref))
    return note.on(task).running(message="powering on")


def advance_start(cloud: Cloud, note: Note, end: TaskEnd, found: Machine | None) -> Outcome:
    """See whether it runs; somebody else may have been faster."""
    if found is None:
        return Outcome.failed(machine.gone(note.resource))
    if found.power == "on":
        return Outcome.done(external_id=found.instance_uuid, moref=found.ref.value)
    joined = _joined(end)
    if joined is not None:
        return note.on(joined).running(message="powering on")
    if end.fault is not None:
        return Outcome.failed(faults.to_error(end.fault, f"The machine {found.name} could not be powered on"))
    return power_on(cloud, note, found) if end.lost else Outcome.failed(_flipped(found, "on"))


def ready(cloud: Cloud, action: Action, key: str) -> Outcome:
    """Watch a machine until its guest reports an address; a plain one (``spec.plain``) need not report any."""
    found = machine.required(cloud, action)
    usual = (
        cloud.option("plain_timeout_s", PLAIN_TIMEOUT_S)
        if action.spec.get("plain")
        else cloud.option("ready_timeout_s", READY_TIMEOUT_S)
    )
    timeout_s = float(action.spec.get("timeout_s") or usual)
    data: dict[str, Any] = {"uuid": found.instance_uuid, "until": round(time.time() + timeout_s, 1)}
    if action.spec.get("plain"):
        data["plain"] = True
    note = Note("machine.ready", "watch", key, action.resource, action.owner, machine=found.ref, data=data)
    if found.power == "on" and found.addresses:
        return Outcome.done(external_id=found.instance_uuid, addresses=list(found.addresses))
    return note.running(message="waiting for an address")


def watch_ready(cloud: Cloud, note: Note, facts: dict[str, Any] | None) -> Outcome:
    """Say whether the guest has an address, and what is wrong when it has none in time."""
    if facts is None:
        return Outcome.failed(machine.gone(note.resource))
    name = facts.get("name", note.resource)
    found = machine.addresses(facts)
    if facts.get("runtime.powerState") == "poweredOn" and found:
        return Outcome.done(external_id=note.data["uuid"], addresses=list(found))
    if time.time() < note.data["until"]:
        return note.running(message="waiting for an address")
    if note.data.get("plain") and facts.get("runtime.powerState") == "poweredOn":
        return Outcome.done(f"{name} runs; its guest tells no address", external_id=note.data["uuid"], addresses=[])
    if facts.get("runtime.powerState") != "poweredOn":
        why, now = "it is powered off", "power it on, then retry"
    elif facts.get("guest.toolsRunningStatus") != "guestToolsRunning":
        why, now = "VMware Tools do not run in it, or it does not boot", "look at its console and check the template"
    else:
        why, now = "its network gives it none", "check DHCP on the network, or give static addresses, then retry"
    return Outcome.failed(ConnectorError("cloud.fault", f"{name} reported no address in time - {why} - {now}"))


def stop(cloud: Cloud, action: Action, key: str) -> Outcome:
    """Ask the guest to shut down, and pull the plug when it does not in time; one that is off is stopped already."""
    found = machine.locate(cloud, action)
    if found is None:
        return Outcome.done("gone already", gone=True)
    timeout_s = float(action.spec.get("timeout_s") or cloud.option("stop_timeout_s", STOP_TIMEOUT_S))
    note = Note("machine.stop", "shutdown", key, action.resource, action.owner, machine=found.ref)
    return shut_down(cloud, note, found, timeout_s)


def shut_down(cloud: Cloud, note: Note, found: Machine, timeout_s: float) -> Outcome:
    """Begin to stop a machine, gently when its guest listens."""
    if found.power == "off":
        return Outcome.done(external_id=found.instance_uuid)
    if found.power == "on" and found.tools:
        try:
            cloud.session.act(found.ref, "ShutdownGuest", operation=note.key)
        except VimFault as fault:
            if not (is_a(fault, "ToolsUnavailable") or is_a(fault, "InvalidState") or is_a(fault, "NotSupported")):
                raise
        else:
            waiting = note.on(None, "shutdown", until=round(time.time() + timeout_s, 1))
            return waiting.running(message="the guest shuts down")
    return power_off(cloud, note, found.ref)


def power_off(cloud: Cloud, note: Note, ref: Ref) -> Outcome:
    """Pull the plug."""
    try:
        task = cloud.session.act_task(ref, "PowerOffVM_Task", operation=note.key)
    except VimFault as fault:
        return advance_stop(cloud, note, TaskEnd(fault=fault), machine.load(cloud, [ref]).get(ref))
    return note.on(task, "off").running(message="powering off")


def watch_shutdown(cloud: Cloud, note: Note, facts: dict[str, Any] | None) -> Outcome | None:
    """Wait for the guest; power off when its time is up. None: the machine is off."""
    if facts is None or facts.get("runtime.powerState") == "poweredOff":
        return None
    if time.time() < note.data["until"]:
        return note.running(message="the guest shuts down")
    assert note.machine is not None
    return power_off(cloud, note, note.machine)


def advance_stop(cloud: Cloud, note: Note, end: TaskEnd, found: Machine | None) -> Outcome:
    """See whether it is off; somebody else may have been faster."""
    if found is None:
        return Outcome.done("gone already", gone=True)
    if found.power == "off":
        return Outcome.done(external_id=found.instance_uuid)
    joined = _joined(end)
    if joined is not None:
        return note.on(joined, "off").running(message="powering off")
    if end.fault is not None:
        return Outcome.failed(faults.to_error(end.fault, f"The machine {found.name} could not be powered off"))
    return power_off(cloud, note, found.ref) if end.lost else Outcome.failed(_flipped(found, "off"))


def _joined(end: TaskEnd) -> Ref | None:
    """Return the task that another request for the same machine has started."""
    if end.fault is not None and is_a(end.fault, "TaskInProgress") and end.fault.detail is not None:
        return end.fault.detail.ref("task")
    return None


def _flipped(found: Machine, wanted: str) -> ConnectorError:
    return ConnectorError(
        "cloud.busy",
        f"The machine {found.name} is not {wanted} although its task succeeded - somebody changed it meanwhile - "
        "it is tried again",
        retry_after=5.0,
    )
