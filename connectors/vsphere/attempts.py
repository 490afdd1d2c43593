"""What earlier attempts of a step have left: its machine, or a clone that is still under way.

vCenter knows no client tokens, and a task names only the template. So a clone is told by the event that begins it,
which names folder and machine and shares a chain with the task.
"""

from __future__ import annotations

from collections.abc import Mapping
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


@dataclass(frozen=True, slots=True)
class Source:
    """The template, read just now."""

    template: Template
    devices: tuple[Node, ...]
    clones: Mapping[Ref, properties.Facts]  # clone tasks of it that are under way

    @property
    def disks(self) -> list[Node]:
        """The template's own disks."""
        return [node for node in self.devices if node.type == "VirtualDisk"]


def source(cloud: Cloud, name: str) -> Source:
    """Read a template by name, with the clones of it that are under way."""
    template = cloud.surveyor.template(name)
    paths = ["info.state", "info.descriptionId", "info.queueTime", "info.eventChainId"]
    found = properties.beneath(
        cloud.session, template.ref, "recentTask", {"Task": paths}, own=["config.hardware.device"]
    )
    if template.ref not in found:
        cloud.surveyor.forget_templates()
        template = cloud.surveyor.template(name)
    devices = found.get(template.ref, {}).get("config.hardware.device", ())
    return Source(
        template,
        tuple(node for node in devices if isinstance(node, Node)),
        {
            ref: facts
            for ref, facts in found.items()
            if ref.type == "Task"
            and facts.get("info.state") in ("queued", "running")
            and facts.get("info.descriptionId") == "VirtualMachine.clone"
        },
    )


def under_way(cloud: Cloud, note: Note, found: Source) -> list[Ref]:
    """Return the clone tasks that may be this step's: the very one when it can be told, else all that might be."""
    unknown: dict[Ref, properties.Facts] = {}
    for task, facts in found.clones.items():
        key = cloud.memories.clones.get(task)
        if key == note.key:
            return [task]
        if key is None:
            unknown[task] = facts
    if not unknown:
        return []
    since = min(facts["info.queueTime"] for facts in unknown.values()) - _EVENT_SLACK
    targets = _targets(cloud, found.template.ref, since)
    suspects: list[Ref] = []
    for task, facts in unknown.items():
        target = targets.get(facts.get("info.eventChainId", 0))
        if target == (note.data["folder"], note.data["name"]):
            return [task]
        if target is None:  # the server does not tell, or not yet: wait for it rather than risk a second machine
            suspects.append(task)
    return sorted(suspects)


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
