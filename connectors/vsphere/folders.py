"""Folders of machines: escale / organization / project / deployment, made when needed, removed when empty."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from connectors.base import ConnectorError, Outcome
from connectors.vsphere import directories, faults, markers, properties
from connectors.vsphere.cloud import Cloud
from connectors.vsphere.faults import is_a
from connectors.vsphere.notes import Note, TaskEnd
from connectors.vsphere.soap import Ref, VimFault
from engine.plan import Action
from engine.resources import Owner

_ATTEMPTS = 5


def create(cloud: Cloud, action: Action, key: str) -> Outcome:
    """Make sure that a folder and its parents exist. The name carries the deployment's id, so that it is the marker."""
    path = [str(name) for name in action.spec["path"]]
    folder = ensure(cloud, path)
    return Outcome.done(external_id=folder.value, path="/".join(path), created=markers.is_new(action))


def delete(cloud: Cloud, action: Action, key: str) -> Outcome:
    """Remove a deployment's folder if nothing is in it, then those of its parents that are empty by that.

    Its empty directories on datastores go too.
    vCenter's Destroy takes everything inside along, and there is no gentler call. So emptiness is read right
    before, under this process's lock; between processes the plan keeps folder actions apart (``Action.serial``).
    Another portal on the vCenter is not kept apart: ``ensure`` makes again what was taken along.
    """
    with cloud.lock("folders"):
        folder = _existing(cloud, action)
        if folder is None:
            directories.remove_empty(cloud, action.owner)
            return Outcome.done("gone already", gone=True)
        path = path_to(cloud, folder)
        note = Note("folder.delete", "destroy", key, action.resource, action.owner, data={"path": path})
        facts = properties.of_object(cloud.session, folder, ["name", "childEntity"])
        if facts is None:
            return Outcome.done("gone already", gone=True)
        if not facts["name"].endswith(markers.short_id(action.owner)):
            raise ConnectorError(
                "cloud.foreign",
                f"The folder {facts['name']} was left alone - its name does not carry this deployment's id - "
                "look at it on the vCenter and plan again",
                permanent=True,
            )
        if facts.get("childEntity"):
            raise ConnectorError(
                "cloud.foreign",
                f"The folder {'/'.join(path)} was left alone - it still holds {_names(cloud, facts['childEntity'])}, "
                "which this plan does not delete - move that away or delete it, then retry",
                permanent=True,
            )
        directories.remove_empty(cloud, action.owner)
        return _destroy(cloud, note, folder, len(path))


def advance(cloud: Cloud, note: Note, end: TaskEnd) -> Outcome:
    """Go on to the parents once a folder is gone: each goes if nothing is left in it."""
    path: list[str] = note.data["path"]
    depth: int = note.data["depth"]
    if end.fault is not None and not is_a(end.fault, "ManagedObjectNotFound"):
        return Outcome.failed(faults.to_error(end.fault, f"The folder {'/'.join(path[:depth])} could not be removed"))
    for parent_depth in range(depth if end.lost else depth - 1, 0, -1):
        with cloud.lock("folders"):
            parent = find(cloud, path[:parent_depth])
            if parent is None:
                continue
            inside = properties.of_object(cloud.session, parent, ["childEntity"])
            if inside is None:
                continue
            if inside.get("childEntity"):
                break
            return _destroy(cloud, note, parent, parent_depth)
    return Outcome.done()


def _destroy(cloud: Cloud, note: Note, folder: Ref, depth: int) -> Outcome:
    try:
        task = cloud.session.act_task(folder, "Destroy_Task", operation=note.key)
    except VimFault as fault:
        if not is_a(fault, "ManagedObjectNotFound"):
            raise
        return advance(cloud, note.on(None, depth=depth), TaskEnd())
    return note.on(task, "destroy", depth=depth).running(message="removing the folder")


def default_path(owner: Owner) -> list[str]:
    """Return where a deployment's folder is unless a plan says otherwise."""
    return ["escale", owner.organization, owner.project, markers.folder_name(owner)]


def base(cloud: Cloud) -> Ref:
    """Return the folder that all of ours are below; ConnectorError when the settings name one that is not there."""
    wanted = cloud.option("folder", cloud.flavour.folder)
    names = [name for name in wanted.split("/") if name] if isinstance(wanted, str) else list(wanted)
    folder: Ref | None = cloud.estate(3600.0).machine_folder
    for name in names:
        folder = _child(cloud, folder, name) if folder is not None else None
    if folder is None:
        raise ConnectorError(
            "cloud.not_found",
            f"There is no folder {'/'.join(names)!r} for machines - the cloud's settings name it - make it there, or "
            "correct the option 'folder'",
            permanent=True,
        )
    return folder


def find(cloud: Cloud, path: Sequence[str]) -> Ref | None:
    """Return a folder of ours by its path, None when it does not exist."""
    folder: Ref | None = base(cloud)
    for name in path:
        folder = _child(cloud, folder, name) if folder is not None else None
    return folder


def of_deployment(cloud: Cloud, owner: Owner) -> Ref | None:
    """Return a deployment's folder: by its usual path, else by the id in its name, wherever it was moved to."""
    found = find(cloud, default_path(owner))
    if found is not None:
        return found
    everything = properties.within(cloud.session, base(cloud), {"Folder": ["name"]})
    ending = "-" + markers.short_id(owner)
    return next((ref for ref, facts in sorted(everything.items()) if facts.get("name", "").endswith(ending)), None)


def for_machines(cloud: Cloud, action: Action) -> Ref:
    """Return the folder for a deployment's machines, made anew when somebody removed it meanwhile."""
    known: Mapping[str, Any] = action.inputs.get("folder:deployment", {})
    if known.get("external_id") and exists(cloud, str(known["external_id"])):
        return Ref("Folder", str(known["external_id"]))
    path = str(known["path"]).split("/") if known.get("path") else default_path(action.owner)
    return ensure(cloud, path)


def exists(cloud: Cloud, external_id: str) -> bool:
    """Tell whether a folder is still there."""
    return properties.of_object(cloud.session, Ref("Folder", external_id), ["name"]) is not None


def ensure(cloud: Cloud, path: Sequence[str]) -> Ref:
    """Return a folder by its path, with all that is missing made; somebody else may be making or removing it too.

    Other portals, and other processes' removals, take empty parents away at any moment. So the whole path is gone
    through again when one of them vanishes on the way, and looked at once more after something was made in it.
    """
    for attempt in range(_ATTEMPTS):
        folder = base(cloud)
        try:
            with cloud.lock("folders"):
                made = False
                for name in path:
                    there = _child(cloud, folder, name)
                    made, folder = made or there is None, there or _create(cloud, folder, name)
                if made and not exists(cloud, folder.value):
                    continue  # a removal that had read a parent as empty took it along
            return folder
        except VimFault as fault:
            if not (is_a(fault, "DuplicateName") or is_a(fault, "ManagedObjectNotFound")) or attempt == _ATTEMPTS - 1:
                raise
    raise ConnectorError(
        "cloud.busy",
        f"The folder {'/'.join(path)} was removed each time that it was made - somebody is removing the folders above "
        "it - it is tried again",
        retry_after=2.0,
    )


def _create(cloud: Cloud, parent: Ref, name: str) -> Ref:
    node = cloud.session.act(parent, "CreateFolder", name=name)
    created = node.ref() if node is not None else None
    assert created is not None
    return created


def _child(cloud: Cloud, parent: Ref, name: str) -> Ref | None:
    nodes = cloud.session.read(cloud.session.manager("searchIndex"), "FindChild", entity=parent, name=name)
    found = nodes[0].ref() if nodes else None
    return found if found is not None and found.type == "Folder" else None


def _existing(cloud: Cloud, action: Action) -> Ref | None:
    known: Mapping[str, Any] = action.inputs.get(action.resource, {})
    external_id = action.external_id or known.get("external_id")
    if external_id:
        ref = Ref("Folder", str(external_id))
        if properties.of_object(cloud.session, ref, ["name"]) is not None:
            return ref
    recorded = action.spec.get("path") or str(known.get("path", "")).split("/")
    found = find(cloud, recorded) if any(recorded) else None
    return found if found is not None else of_deployment(cloud, action.owner)


def _names(cloud: Cloud, refs: Sequence[Ref]) -> str:
    paths = {kind: ["name"] for kind in {ref.type for ref in refs}}
    found = properties.of_objects(cloud.session, refs, paths)
    names = sorted(facts.get("name", ref.value) for ref, facts in found.items())
    return ", ".join(names[:5]) + (f" and {len(names) - 5} more" if len(names) > 5 else "")


def path_to(cloud: Cloud, folder: Ref) -> list[str]:
    """Return the names from our base down to a folder; empty when it lies elsewhere."""
    top, names = base(cloud), []
    at: Ref | None = folder
    while at is not None and at != top:
        facts = properties.of_object(cloud.session, at, ["name", "parent"])
        if facts is None or at.type != "Folder":
            return []
        names.append(facts["name"])
        at = facts.get("parent")
    return list(reversed(names)) if at is not None else []
