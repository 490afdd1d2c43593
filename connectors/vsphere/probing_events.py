"""The event stream: what the vCenter tells of the canary, by which an inventory would notice it."""

from __future__ import annotations

from connectors.probing import Report
from connectors.vsphere import specs
from connectors.vsphere.cloud import Cloud
from connectors.vsphere.faults import is_a
from connectors.vsphere.machine import Machine
from connectors.vsphere.soap import VimFault

_BORN = frozenset({"VmClonedEvent", "VmCreatedEvent", "VmDeployedEvent", "VmRegisteredEvent"})
_STARTED = frozenset({"VmPoweredOnEvent", "DrsVmPoweredOnEvent"})
_SHOWN = 12


def examine(cloud: Cloud, found: Machine) -> Report:
    """Look for the events of the canary's making and of its start; "waiting" while one of them is missing."""
    manager = cloud.session.manager("eventManager")
    try:
        events = cloud.session.read(manager, "QueryEvents", filter=specs.events_of(found.ref))
    except VimFault as fault:
        if not is_a(fault, "NoPermission"):
            raise
        why = "The cloud's user may not read events - changes on the cloud would not be noticed - give it System.Read"
        return Report("failed", why, "label.events_refused")
    events = sorted(events, key=lambda event: event.number("key"))
    kinds = [event.type for event in events]
    facts = {
        "events": len(events),
        "creation_seen": any(kind in _BORN for kind in kinds),
        "start_seen": any(kind in _STARTED for kind in kinds),
        "kinds": sorted(set(kinds))[:_SHOWN],
    }
    internals = {
        "excerpt": [
            {"key": event.number("key"), "type": event.type, "created": event.get("createdTime")}
            for event in events[-_SHOWN:]
        ]
    }
    if facts["creation_seen"] and facts["start_seen"]:
        return Report("passed", "", "", facts, internals)
    told = "of its making" if not facts["creation_seen"] else "of its start"
    why = f"No event {told} was told of the canary - changes would go unnoticed - look at the vCenter's event service"
    return Report("waiting", why, "label.events_silent", facts, internals)
