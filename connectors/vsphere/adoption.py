"""machine.adopt and machine.release: markers on machines that somebody else made, and nothing besides.

All that is written is extra configuration under ``escale.``, which a running machine takes; description, hardware,
folder and every other key stay as they are, so that a release leaves the machine as it was before.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from connectors.base import ConnectorError, Outcome
from connectors.vsphere import changing, faults, machine, markers, properties, specs
from connectors.vsphere.cloud import Cloud
from connectors.vsphere.faults import is_a
from connectors.vsphere.machine import Disk, Machine
from connectors.vsphere.markers import PREFIX, Intent
from connectors.vsphere.notes import Note, TaskEnd
from connectors.vsphere.soap import Node, Ref
from engine.found import FoundDisk, FoundMachine
from engine.plan import Action

_ONE_BY_ONE = 8  # more identities are looked up in one list of all machines instead
_BESIDES = ("config.guestFullName", "config.changeVersion")


# Looking


def describe(cloud: Cloud, ids: Sequence[str]) -> tuple[FoundMachine, ...]:
    """Return machines by instance UUID as they are now."""
    wanted = {identity.lower() for identity in ids}
    if not wanted:
        return ()
    paths = {"VirtualMachine": (*machine.PATHS, *_BESIDES)}
    facts = properties.of_objects(cloud.session, _references(cloud, wanted), paths)
    folders = _folders(cloud)
    found = [
        _describe(cloud, machine.parse(ref, one), str(one.get("config.guestFullName") or ""), folders)
        for ref, one in facts.items()
        if str(one.get("config.instanceUuid", "")).lower() in wanted
    ]
    return tuple(sorted(found, key=lambda one: (one.id, one.ref)))


def _references(cloud: Cloud, ids: set[str]) -> list[Ref]:
    if len(ids) <= _ONE_BY_ONE:
        return [found.ref for identity in sorted(ids) for found in machine.by_uuid(cloud, identity, instance=True)]
    listed = properties.within(
        cloud.session, cloud.session.manager("rootFolder"), {"VirtualMachine": ["config.instanceUuid"]}
    )
    return [ref for ref, facts in listed.items() if str(facts.get("config.instanceUuid", "")).lower() in ids]


def _folders(cloud: Cloud) -> Mapping[Ref, Mapping[str, Any]]:
    root = cloud.session.manager("rootFolder")
    return properties.within(cloud.session, root, {"Folder": ["name", "parent"]})


def _path(folder: Ref | None, folders: Mapping[Ref, Mapping[str, Any]], top: Ref) -> str:
    names: list[str] = []
    while folder is not None and folder != top and folder in folders and len(names) < 100:
        names.append(str(folders[folder].get("name", "")))
        folder = folders[folder].get("parent")
    return "/".join(reversed(names))


def _describe(cloud: Cloud, found: Machine, guest: str, folders: Mapping[Ref, Mapping[str, Any]]) -> FoundMachine:
    estate = cloud.estate()
    host = estate.hosts.get(found.host) if found.host is not None else None
    names = {network.identity: network.name for network in estate.networks}
    marks = found.marks
    return FoundMachine(
        id=found.instance_uuid.lower(),
        ref=found.ref.value,
        name=found.name,
        power=found.power,
        cpus=found.cpus,
        memory_mib=found.memory_mib,
        folder=_path(found.folder, folders, estate.machine_folder),
        networks=tuple(_network(card, names) for card in found.nics),
        disks=tuple(
            FoundDisk(disk.node.get("deviceInfo.label") or f"disk {disk.key}", -(-disk.size_kib // 1024), _store(disk))
            for disk in found.disks
        ),
        template=found.template,
        cluster=next((each.name for each in estate.clusters if host and each.ref == host.cluster), ""),
        host=host.name if host else "",
        guest=guest,
        bios_uuid=found.bios_uuid,
        addresses=found.addresses,
        snapshots=found.snapshots,
        tools=found.tools,
        annotation=found.annotation,
        organization_id=marks.organization,
        deployment_id=marks.deployment,
        resource=marks.resource,
        config_hash=marks.hash,
        adopted=marks.adopted,
    )


def _network(card: Node, names: Mapping[str, str]) -> str:
    identity = machine.network_of(card)
    return names.get(identity) or card.get("deviceInfo.summary") or identity or "?"


def _store(disk: Disk) -> str:
    return disk.path.partition("]")[0].removeprefix("[")


# Marking


def adopt(cloud: Cloud, action: Action, key: str) -> Outcome:
    """Write a deployment's markers on a machine that carries none."""
    with cloud.lock("adopt", machine.target(action) or ""):
        found, version = _the_one(cloud, action)
        if found is None:
            raise machine.gone(action.resource)
        if found.marks.belong_to(action.owner, action.resource) and found.marks.adopted:
            if found.marks.step == key or found.marks.hash == action.spec.get("config_hash"):
                return Outcome.done(**_result(cloud, found), created=found.marks.step == key)
        elif found.marks.deployment or found.marks.organization:
            raise _taken(found)
        if found.template:
            raise ConnectorError(
                "cloud.invalid",
                f"{found.name} was left alone - it is a template by now - take it out of the drawing and plan again",
                permanent=True,
            )
        extra = {
            **markers.marks(action, key),
            PREFIX + "hash": str(action.spec.get("config_hash", "")),
            PREFIX + "adopted": "true",
        }
        config = specs.config(extra=extra)
        # The server refuses the change when somebody else has changed the machine since it was read: two that adopt
        # one machine at the same moment cannot both believe that they have it.
        config.changeVersion = version or None
        task = cloud.session.act_task(found.ref, "ReconfigVM_Task", operation=key, spec=config)
        note = Note("machine.adopt", "mark", key, action.resource, action.owner, machine=found.ref)
        return note.on(task).running(50, "writing markers")


def advance_adopt(cloud: Cloud, note: Note, end: TaskEnd, found: Machine | None) -> Outcome:
    """See that the markers are there, and ours."""
    if found is None:
        return Outcome.failed(machine.gone(note.resource))
    if found.marks.belong_to(note.owner, note.resource) and found.marks.step == note.key:
        return Outcome.done(f"{found.name} is adopted", **_result(cloud, found), created=True)
    if found.marks.deployment:
        return Outcome.failed(_taken(found))
    if end.fault is not None and not is_a(end.fault, "ConcurrentAccess"):
        return Outcome.failed(faults.to_error(end.fault, f"The machine {found.name} could not be marked"))
    message = f"{found.name} was changed by somebody at the same moment - nothing was written - it is tried again"
    return Outcome.failed(ConnectorError("cloud.busy", message, retry_after=2.0, maybe_done=True))


def release(cloud: Cloud, action: Action, key: str) -> Outcome:
    """Take all of our markers off an adopted machine."""
    with cloud.lock("adopt", machine.target(action) or ""):
        found, _ = _the_one(cloud, action, ours=True)
        if found is None:
            return Outcome.done("gone already", gone=True)
        if not found.marks.deployment:
            return Outcome.done(f"{found.name} carries no markers", external_id=found.instance_uuid)
        if not found.marks.belong_to(action.owner, action.resource) or not found.marks.adopted:
            raise machine.foreign(found, action.resource)
        config = specs.config(extra=dict.fromkeys(found.marks.present, ""))
        task = cloud.session.act_task(found.ref, "ReconfigVM_Task", operation=key, spec=config)
        note = Note("machine.release", "unmark", key, action.resource, action.owner, machine=found.ref)
        return note.on(task).running(50, "taking markers off")


def advance_release(cloud: Cloud, note: Note, end: TaskEnd, found: Machine | None) -> Outcome:
    """See that the markers are gone."""
    if found is None:
        return Outcome.done("gone already", gone=True)
    if not found.marks.deployment:
        return Outcome.done(f"{found.name} is released", external_id=found.instance_uuid)
    if end.fault is not None:
        return Outcome.failed(faults.to_error(end.fault, f"The markers of {found.name} could not be taken off"))
    message = f"{found.name} still carries markers - somebody wrote them again - it is tried again"
    return Outcome.failed(ConnectorError("cloud.busy", message, retry_after=2.0, maybe_done=True))


def or_change(cloud: Cloud, action: Action, key: str) -> Outcome:
    """Change a machine: in the way of adopted ones, or of those that were made here."""
    return (update if action.spec.get("adopted") else changing.update)(cloud, action, key)


def update(cloud: Cloud, action: Action, key: str) -> Outcome:
    """Bring an adopted machine to other sizes: its CPUs, its memory, and disks of its own that grow."""
    with cloud.lock("machine", action.owner.deployment_id, action.resource):
        found = machine.required(cloud, action)
        if not found.marks.adopted:
            raise machine.foreign(found, action.resource)
        intent = found.marks.intent
        if intent is not None and intent.step == key:
            return changing.go_on(cloud, action, key, found)
        sizes = _grown(found, action.spec.get("own_disks") or ())
        if sizes:
            machine.refuse_snapshots(found, "changed")
        fresh = Intent(
            step=key,
            cpus=int(action.spec.get("cpus") or found.cpus),
            memory_mib=int(action.spec.get("memory_mib") or found.memory_mib),
            config_hash=str(action.spec.get("config_hash", "")),
            sizes=sizes,
        )
        return changing.stage(cloud, action, key, found, fresh)


def _grown(found: Machine, wanted: Sequence[Mapping[str, Any]]) -> tuple[tuple[int, int], ...]:
    """Return device key and KiB of disks that are smaller than they are wanted."""
    sizes = {str(disk["label"]): int(disk["size_mib"]) * 1024 for disk in wanted}
    return tuple(
        (disk.key, sizes[label])
        for disk in found.disks
        if (label := disk.node.get("deviceInfo.label")) in sizes and sizes[label] > disk.size_kib
    )


# Details


def _the_one(cloud: Cloud, action: Action, *, ours: bool = False) -> tuple[Machine | None, str]:
    """Return the machine with the action's identity, and the version of its settings.

    A machine that was copied by hand may share its identity with the copy. Which of them is meant can be told by the
    markers alone, so with ``ours`` those count first.
    """
    identity = machine.target(action)
    if identity is None:
        raise ConnectorError("cloud.invalid", f"{action.resource} names no machine - report this", permanent=True)
    nodes = cloud.session.read(
        cloud.session.manager("searchIndex"), "FindAllByUuid", uuid=identity, vmSearch=True, instanceUuid=True
    )
    refs = [ref for node in nodes if (ref := node.ref()) is not None]
    facts = properties.of_objects(cloud.session, refs, {"VirtualMachine": (*machine.PATHS, *_BESIDES)})
    found = [(machine.parse(ref, one), str(one.get("config.changeVersion") or "")) for ref, one in facts.items()]
    mine = [one for one in found if one[0].marks.belong_to(action.owner, action.resource)]
    if mine and (ours or len(mine) == 1):
        return mine[0]
    if len(found) > 1:
        raise ConnectorError(
            "cloud.invalid",
            f"{len(found)} machines have the identity {identity} ({', '.join(sorted(one.name for one, _ in found))}) - "
            "which one is meant cannot be told - give the copy an instance UUID of its own, then plan again",
            permanent=True,
        )
    return found[0] if found else (None, "")


def _result(cloud: Cloud, found: Machine) -> dict[str, Any]:
    host = cloud.estate().hosts.get(found.host) if found.host is not None else None
    return {
        **found.facts(),
        "external_id": found.instance_uuid.lower(),
        "power": found.power,
        "host": host.name if host else "",
        "addresses": list(found.addresses),
    }


def _taken(found: Machine) -> ConnectorError:
    return ConnectorError(
        "cloud.foreign",
        f"The machine {found.name} was left alone - it carries the markers of another deployment by now: somebody "
        "else adopted it - take it out of the drawing and plan again",
        permanent=True,
    )
