"""The way back from a creation whose outcome nobody knows: a task that may still be making the thing is waited for.

What is made after its undo has looked for it would stay for ever.
"""

from __future__ import annotations

from connectors.base import Outcome
from connectors.vsphere import markers, networks, properties, volumes
from connectors.vsphere.cloud import Cloud
from connectors.vsphere.notes import Note, TaskEnd
from connectors.vsphere.soap import Ref
from engine.plan import Action

_CALLS = {"volume.create": "CreateVirtualDisk_Task", "network.create": "AddDVPortgroup_Task"}
_DELETIONS = {"volume.create": volumes.delete, "network.create": networks.delete}
_MAX_TASKS = 50  # a handle has 2 kB


def undo(cloud: Cloud, action: Action, key: str) -> Outcome:
    """Remove what a creation has made, or is still making."""
    if action.verb == "network.create" and not action.spec.get("managed"):
        return Outcome.done("nothing to undo")
    if not markers.is_new(action):
        return Outcome.done("nothing to undo")
    data = {"size_gib": int(action.spec["size_gib"])} if action.verb == "volume.create" else {}
    note = Note("undo", action.verb, key, action.resource, action.owner, data=data)
    known = cloud.begun(action.verb, key)
    suspects = [known] if known is not None else _under_way(cloud, action.verb)
    return _go_on(cloud, note.on(None, suspects=[str(task) for task in suspects[:_MAX_TASKS]]))


def advance(cloud: Cloud, note: Note, end: TaskEnd) -> Outcome:
    """Wait for the next task, or remove what there is. How a task ended does not matter: the thing is looked for."""
    return _go_on(cloud, note)


def _go_on(cloud: Cloud, note: Note) -> Outcome:
    suspects: list[str] = note.data["suspects"]
    if suspects:
        after = note.on(Ref.parse(suspects[0]), suspects=suspects[1:])
        return after.running(message="waiting for what may still be made, to remove it")
    made = _made(cloud, note)
    if made is None:
        return Outcome.done("nothing to undo")
    action = Action(
        key=f"{note.resource}/{note.phase}",
        verb=note.phase.replace("create", "delete"),
        resource=note.resource,
        change="delete",
        title=f"Remove {note.resource}",
        cause="undo",
        owner=note.owner,
        external_id=made,
    )
    return _DELETIONS[note.phase](cloud, action, note.key + "/undo")


def _made(cloud: Cloud, note: Note) -> str | None:
    """Return the external id of what the step has made; what others made, or it could not have made, stays."""
    if note.phase == "network.create":
        return networks.of_step(cloud, note.owner, note.resource, note.key)
    for found in volumes.of_resource(cloud, note.owner, note.resource):
        if found.size_kib <= note.data["size_gib"] * 2**20:  # a larger one refuses the creation
            return found.path
    return None


def _under_way(cloud: Cloud, verb: str) -> list[Ref]:
    """Return the tasks that make such things now. They do not say which one they make."""
    estate = cloud.estate()
    places = [estate.datacenter] if verb == "volume.create" else [switch.ref for switch in estate.switches]
    tasks: list[Ref] = []
    for place in places:
        found = properties.beneath(cloud.session, place, "recentTask", {"Task": ("info.name", "info.state")})
        tasks += [
            ref
            for ref, facts in found.items()
            if facts.get("info.name") == _CALLS[verb] and facts.get("info.state") in ("queued", "running")
        ]
    return sorted(tasks)
