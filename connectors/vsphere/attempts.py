"""What earlier attempts of a step have left: its machine, or a clone that is still under way.

vCenter knows no client tokens, and a task names only the template. So a clone is told by the event that begins it,
which names folder and machine and shares a chain with the task.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from connectors.vsphere import machine, markers, properties, specs
from connectors.vsphere.cloud import Cloud
from connectors.vsphere.estate import Template
from connectors.vsphere.faults import is_a
from connectors.vsphere.machine import Machine
from connectors.vsphere.notes import Note
from connectors.vsphere.soap import Node, Ref, VimFault, moment

_EVENT_SLACK = timedelta(minutes=2)
_SOURCE = ("config.hardware.device", "recentTask")
_TASK = ("info.state", "info.descriptionId", "info.queueTime", "info.eventChainId")
_NOT_OURS = ("", "")


@dataclass(frozen=True, slots=True)
class Source:
    """The template, read just now."""

    template: Template
    devices: tuple[Node, ...]
    tasks: tuple[Ref, ...]  # what was lately done to it

    @property
    def disks(self) -> list[Node]:
        """The template's own disks."""
        return [node for node in self.devices if node.type == "VirtualDisk"]


def source(cloud: Cloud, name: str) -> Source:
    """Read a template by name."""
    template = cloud.surveyor.template(name)
    facts = properties.of_object(cloud.session, template.ref, _SOURCE)
    if facts is None:
        cloud.surveyor.forget_templates()
        template = cloud.surveyor.template(name)
        facts = properties.of_object(cloud.session, template.ref, _SOURCE) or {}
    devices = tuple(node for node in facts.get("config.hardware.device", ()) if isinstance(node, Node))
    return Source(template, devices, tuple(facts.get("recentTask", ())))


def under_way(cloud: Cloud, note: Note, found: Source) -> list[Ref]:
    """Return the clone tasks that may be this step's: the very one when it can be told, else all that might be.

    What a task is for does not change, so each is asked about once; this process knows its own anyway.
    """
    ours = (note.data["folder"], note.data["name"])
    memory = cloud.memories.clones
    strangers = [task for task in found.tasks if memory.get(task) is None]
    unknown: dict[Ref, properties.Facts] = {}
    for task, facts in properties.of_objects(cloud.session, strangers, {"Task": _TASK}).items():
        if facts.get("info.descriptionId") != "VirtualMachine.clone" or facts.get("info.state") in ("success", "error"):
            memory.put(task, _NOT_OURS)
        else:
            unknown[task] = facts
    if unknown:
        since = min(facts["info.queueTime"] for facts in unknown.values()) - _EVENT_SLACK
        targets = _targets(cloud, found.template.ref, since)
        for task, facts in unknown.items():
            target = targets.get(facts.get("info.eventChainId", 0))
            if target is not None:
                memory.put(task, target)
    known = [task for task in found.tasks if memory.get(task) == ours]
    open_tasks = [
        task for task, facts in cloud.tasks(known).items() if facts.get("info.state") in ("queued", "running")
    ]
    if open_tasks:
        return open_tasks[:1]
    # What the server does not tell, or not yet, is waited for rather than risk a second machine.
    return sorted(task for task in unknown if memory.get(task) is None)


def _targets(cloud: Cloud, template: Ref, since: datetime) -> dict[int, tuple[str, str]]:
    """Return the folder and the name of each clone of a template, by the chain that links its event to its task.

    Empty when the user may not read events: then every clone under way might be ours.
    """
    manager = cloud.session.manager("eventManager")
    try:
        events = cloud.session.read(manager, "QueryEvents", filter=specs.clone_events(template, since))
    except VimFault as fault:
        if not (is_a(fault, "NoPermission") or is_a(fault, "NotSupported") or is_a(fault, "InvalidState")):
            raise
        return {}
    return {
        event.number("chainId"): (event.get("destFolder.folder"), event.get("destName"))
        for event in events
        if event.type == "VmBeingClonedEvent" and moment(event.get("createdTime")) >= since
    }


def existing(cloud: Cloud, note: Note) -> list[Machine]:
    """Return the machines of the note's resource, oldest first: by BIOS UUID, else by the one that its step gives."""
    found = machine.of_resource(cloud, note.owner, note.resource)
    if found:
        return found
    by_step = machine.by_uuid(cloud, markers.instance_uuid(note.key), instance=True)
    return [each for each in by_step if each.marks.belong_to(note.owner, note.resource)]


def by_step(cloud: Cloud, note: Note) -> Machine | None:
    """Return the machine that a step has made."""
    found = existing(cloud, note)
    return next((each for each in found if each.marks.step == note.key), None)
