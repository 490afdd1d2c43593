"""machine.create: a clone of a template, made exactly once however often and by whomever the step is tried.

vCenter knows no client tokens, so a step is recognised by what it leaves behind, in this order: a machine with the
resource's BIOS UUID and our markers (found wherever it is); a clone task of the template that this process began for
the step; a clone task whose event names our folder and machine; a clone task that nothing is known of, which is
waited for. Only when there is none of these is a clone begun. After it ended, a second look finds out whether two
processes were here at the same moment: then all agree on the older machine, and the younger one is removed.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

from connectors.base import ConnectorError, Outcome
from connectors.vsphere import (
    attempts,
    completion,
    faults,
    folders,
    guest,
    machine,
    markers,
    placement,
    properties,
    removal,
    specs,
    volumes,
)
from connectors.vsphere.attempts import Source
from connectors.vsphere.cloud import Cloud
from connectors.vsphere.estate import Network
from connectors.vsphere.faults import is_a
from connectors.vsphere.machine import Machine
from connectors.vsphere.markers import Intent
from connectors.vsphere.notes import Note, TaskEnd
from connectors.vsphere.placement import Wish
from connectors.vsphere.soap import Node, Ref, VimFault
from engine.plan import Action
from engine.resources import Machine as Wanted
from engine.resources import Owner

_ROUNDS = 3  # of completion, before a difference that stays is called an error
_NEIGHBOUR = ("name", "runtime.host")


def create(cloud: Cloud, action: Action, key: str) -> Outcome:
    """Clone the template, powered off and configured, unless this step, or another one, has made the machine."""
    wanted = guest.desired(action)
    note = Note("machine.create", "clone", key, action.resource, action.owner, data={"name": wanted.name})
    with cloud.lock("machine", action.owner.deployment_id, action.resource):
        found = machine.of_resource(cloud, action.owner, action.resource)
        if found:
            return _resume(cloud, action, note, found)
        task = cloud.begun("machine.create", key)
        if task is not None:
            return note.on(task).running(message="cloning")
        source = attempts.source(cloud, wanted.template)
        folder = folders.for_machines(cloud, action)
        note = note.on(None, template=source.template.ref.value, folder=folder.value)
        suspects = attempts.under_way(cloud, note, source)
        if suspects:
            return note.on(suspects[0], suspects=len(suspects)).running(message="an earlier attempt is still cloning")
        inside = properties.beneath(cloud.session, folder, "childEntity", {"VirtualMachine": _NEIGHBOUR})
        namesakes = [ref for ref, facts in inside.items() if facts.get("name") == wanted.name]
        if namesakes:
            return _resume(cloud, action, note, _recognised(cloud, note, namesakes))
        return _clone(cloud, action, note, wanted, source, folder, _neighbours(cloud, action, inside))


def advance(cloud: Cloud, note: Note, end: TaskEnd, done: Machine | None) -> Outcome:
    """Look at the machine after a task, and go on until nothing separates it from its intent.

    ``done``: the machine in the task's result, or the one that the note is about.
    """
    if note.phase == "discard":
        return _agree(cloud, note)
    if note.phase == "clone":
        return _cloned(cloud, note, end, done)
    if end.fault is not None:
        return Outcome.failed(faults.to_error(end.fault, f"The machine {note.data['name']} could not be configured"))
    if done is None:
        return Outcome.failed(machine.gone(note.resource))
    return complete(cloud, note, done)


def complete(cloud: Cloud, note: Note, found: Machine) -> Outcome:
    """Bring a machine to its intent, by at most a few reconfigurations."""
    intent = found.marks.intent
    if intent is None or not found.marks.guestinfo:
        return Outcome.failed(_incomplete(found))
    left = completion.rest(cloud, found, intent, note.owner, new=True)
    rounds = note.data.get("rounds", 0)
    if left is None or (left.cosmetic and rounds):
        created = found.marks.step == note.key
        return Outcome.done(f"{found.name} is made", **result(cloud, note.owner, found), created=created)
    if rounds >= _ROUNDS:
        raise ConnectorError(
            "cloud.fault",
            f"The machine {found.name} does not take its settings - the vCenter reports success, yet they are not "
            "there - look at the machine's events on the vCenter, then retry",
        )
    task = cloud.session.act_task(found.ref, "ReconfigVM_Task", operation=note.key, spec=left.config)
    after = Note(note.verb, "configure", note.key, note.resource, note.owner, task, found.ref, dict(note.data))
    return after.on(task, rounds=rounds + 1).running(90, "configuring")


def undo(cloud: Cloud, action: Action, key: str) -> Outcome:
    """Remove what this step made, or is still making."""
    note = Note("machine.create", "clone", key, action.resource, action.owner,
                data={"name": str(action.spec.get("name", action.resource)), "undo": True})  # fmt: skip
    made = attempts.by_step(cloud, note)
    if made is not None:
        return removal.begin(cloud, _removal(note), made)
    task = cloud.begun("machine.create", key)
    if task is None:
        source = attempts.source(cloud, str(action.spec["template"]))
        folder = folders.find(cloud, folders.default_path(action.owner))
        if folder is None:
            return Outcome.done("nothing to undo")
        note = note.on(None, template=source.template.ref.value, folder=folder.value)
        task = next(iter(attempts.under_way(cloud, note, source)), None)
    if task is None:
        return Outcome.done("nothing to undo")
    return note.on(task).running(message="waiting for the clone, to remove it")


def result(cloud: Cloud, owner: Owner, found: Machine) -> dict[str, Any]:
    """Return what the step reports of a machine, for people and for later steps."""
    host = cloud.estate().hosts.get(found.host) if found.host is not None else None
    return {
        **found.facts(),
        "host": host.name if host else "",
        "path": "/".join([*folders.default_path(owner), found.name]),
    }


# Beginning


def _resume(cloud: Cloud, action: Action, note: Note, found: list[Machine]) -> Outcome:
    """Go on with a machine that exists."""
    made = next((each for each in found if each.marks.step == note.key), None)
    if made is None:
        other = found[0]
        if other.marks.hash and other.marks.hash == guest.marked_hash(action):
            facts = result(cloud, note.owner, other)
            return Outcome.done(f"{other.name} exists already", **facts, created=False)
        raise ConnectorError(
            "cloud.name_taken",
            f"The machine of {action.resource} exists already, as {other.name}, and differs from the plan - another "
            "operation made it, or somebody moved it out of the deployment's folder - plan again, so that the plan "
            "sees it",
            permanent=True,
        )
    note = Note(note.verb, "configure", note.key, note.resource, note.owner, None, made.ref, dict(note.data))
    if made.marks.intent is None or not made.marks.guestinfo:
        # A server that drops parts of a clone's settings: give them again, whole.
        wanted = guest.desired(action)
        networks = _networks(cloud, action, wanted)
        config = _config(cloud, action, note.key, wanted, made.devices, networks, cards=False)
        task = cloud.session.act_task(made.ref, "ReconfigVM_Task", operation=note.key, spec=config)
        return note.on(task).running(90, "configuring")
    return complete(cloud, note, made)


def _clone(
    cloud: Cloud, action: Action, note: Note, wanted: Wanted, source: Source, folder: Ref, neighbours: tuple[Ref, ...]
) -> Outcome:
    networks = _networks(cloud, action, wanted)
    place = placement.choose(
        cloud,
        Wish(
            name=wanted.name,
            cluster=wanted.cluster,
            datastore=wanted.datastore,
            networks=tuple(network.ref for network in networks),
            reach=tuple(cloud.surveyor.datastore(name).ref for name in _disk_datastores(cloud, action, wanted)),
            memory_mib=wanted.memory_mib,
            disk_bytes=sum(disk.number("capacityInKB") * 1024 for disk in source.disks),
            neighbours=neighbours,
        ),
    )
    config = _config(cloud, action, note.key, wanted, source.devices, networks)
    config.instanceUuid = markers.instance_uuid(note.key)
    config.uuid = markers.bios_uuid(action.owner, action.resource)
    spec = specs.clone(pool=place.pool, host=place.host.ref, datastore=place.datastore.ref, config=config)
    try:
        task = cloud.session.act_task(
            source.template.ref, "CloneVM_Task", operation=note.key, folder=folder, name=wanted.name, spec=spec
        )
    except VimFault as fault:
        if is_a(fault, "ManagedObjectNotFound"):
            cloud.surveyor.forget_templates()
            cloud.surveyor.forget()
        return _cloned(cloud, note, TaskEnd(fault=fault), None)
    memories = cloud.memories
    memories.begun.put(("machine.create", note.key), task)
    memories.clones.put(task, (folder.value, wanted.name))
    memories.placed.put(note.key, (action.owner.deployment_id, place.host.ref))
    return note.on(task).running(0, f"cloning {source.template.name} to {place.host.name}")


def _config(
    cloud: Cloud,
    action: Action,
    key: str,
    wanted: Wanted,
    devices: tuple[Node, ...],
    networks: list[Network],
    *,
    cards: bool = True,
) -> Any:
    """Return all settings of a new machine but its data disks, which are attached once it exists.

    The hash is marked with the last change only, so that a machine that is not finished never looks it.
    """
    intent = Intent(
        step=key,
        cpus=wanted.cpus,
        memory_mib=wanted.memory_mib,
        config_hash=guest.marked_hash(action),
        disks=disks(cloud, action, wanted),
        system=tuple(node.number("key") for node in devices if node.type == "VirtualDisk"),
        nics=tuple(network.identity for network in networks),
    )
    extra = {
        **markers.marks(action, key),
        markers.PREFIX + "intent": intent.dump(),
        **guest.guestinfo(wanted, markers.instance_uuid(key)),
        "disk.EnableUUID": "TRUE",  # the guest sees the disks' own identifiers
    }
    if not intent.disks and len(intent.nics) < 2:
        extra[markers.PREFIX + "hash"] = intent.config_hash
    changes: list[Any] = []
    if cards:
        switches = {switch.ref: switch for switch in cloud.estate().switches}
        changes += [specs.remove(node) for node in devices if machine.is_nic(node)]
        changes += [
            specs.add_nic(index, network, switches.get(network.switch) if network.switch else None)
            for index, network in enumerate(networks)
        ]
    return specs.config(
        cpus=wanted.cpus,
        memory_mib=wanted.memory_mib,
        annotation=markers.annotation(wanted.name, action.owner),
        extra=extra,
        devices=changes,
    )


def disks(cloud: Cloud, action: Action, wanted: Wanted) -> tuple[tuple[str, str, int | None], ...]:
    """Return the data disks of a machine: volume, path, unit."""
    return tuple(
        (mount.volume, volumes.path_of(cloud, action.owner, mount.volume, action), mount.unit) for mount in wanted.disks
    )


def _disk_datastores(cloud: Cloud, action: Action, wanted: Wanted) -> list[str]:
    paths = [path for _, path, _ in disks(cloud, action, wanted)]
    return list(dict.fromkeys(path.partition("[")[2].partition("]")[0] for path in paths))


def _networks(cloud: Cloud, action: Action, wanted: Wanted) -> list[Network]:
    found: list[Network] = []
    for nic in wanted.nics:
        known: Mapping[str, Any] = action.inputs.get(nic.network, {})
        network = cloud.surveyor.network_by_id(str(known["external_id"])) if known.get("external_id") else None
        if network is None and known.get("name"):
            network = cloud.surveyor.network(str(known["name"]))
        if network is None:
            raise ConnectorError(
                "cloud.not_found",
                f"The network {nic.network} of the machine {wanted.name} is gone - somebody deleted it on the vCenter, "
                "or the step that makes it left no result - plan again",
                permanent=True,
            )
        found.append(network)
    return found


def _neighbours(cloud: Cloud, action: Action, inside: Mapping[Ref, properties.Facts]) -> tuple[Ref, ...]:
    """Return the hosts of the deployment's machines: those that can be seen, and those that are being made."""
    deployment = action.owner.deployment_id
    lately = Counter(host for owner, host in cloud.memories.placed.values() if owner == deployment)
    there = Counter(facts["runtime.host"] for facts in inside.values() if facts.get("runtime.host") is not None)
    return tuple((lately | there).elements())


def _recognised(cloud: Cloud, note: Note, namesakes: list[Ref]) -> list[Machine]:
    """Return the machines with our name that are ours; ConnectorError when they are not, or not yet."""
    found = machine.load(cloud, namesakes)
    ours = [each for each in found.values() if each.marks.belong_to(note.owner, note.resource)]
    if ours:
        return sorted(ours, key=machine.age)
    if not all(each.instance_uuid for each in found.values()):
        # vCenter shows a clone by its name before it has settings.
        message = f"A machine {note.data['name']} is just being made - an earlier attempt may still be at work"
        raise ConnectorError("cloud.busy", message + " - it is looked at again", retry_after=5.0, maybe_done=True)
    raise ConnectorError(
        "cloud.name_taken",
        f"There is a machine {note.data['name']!r} in the deployment's folder already, which does not carry its "
        "markers - somebody else put it there - rename or delete it, then retry",
        permanent=True,
    )


# Going on


def _cloned(cloud: Cloud, note: Note, end: TaskEnd, done: Machine | None) -> Outcome:
    if end.fault is None and done is not None and not done.marks.step and "suspects" not in note.data:
        return _mark(cloud, note, done)
    if end.fault is not None and "suspects" not in note.data and not is_a(end.fault, "DuplicateName"):
        if note.data.get("undo"):
            return Outcome.done("nothing to undo")
        if is_a(end.fault, "ManagedObjectNotFound") and not folders.exists(cloud, note.data["folder"]):
            message = f"The folder for {note.data['name']} was removed meanwhile - another deployment's removal can do "
            message += "that to empty folders - it is made again"
            return Outcome.failed(ConnectorError("cloud.busy", message, retry_after=0.5))
        return Outcome.failed(faults.to_error(end.fault, f"The machine {note.data['name']} could not be cloned"))
    return _agree(cloud, note, end)


def _mark(cloud: Cloud, note: Note, done: Machine) -> Outcome:
    """Put the markers on a clone of ours whose settings the server has dropped, so that another try finds it."""
    owner = note.owner
    extra = {
        markers.PREFIX + "deployment": owner.deployment_id,
        markers.PREFIX + "resource": note.resource,
        markers.PREFIX + "step": note.key,
    }
    config = specs.config(
        extra=extra,
        bios_uuid=markers.bios_uuid(owner, note.resource),
        instance_uuid=markers.instance_uuid(note.key),
    )
    task = cloud.session.act_task(done.ref, "ReconfigVM_Task", operation=note.key, spec=config)
    return note.on(task, "discard").running(90, "marking")


def _agree(cloud: Cloud, note: Note, end: TaskEnd | None = None) -> Outcome:
    """Find the step's machine and remove younger ones, which other processes made at the same moment."""
    found = [each for each in attempts.existing(cloud, note) if each.marks.step == note.key]
    if not found:
        return _absent(cloud, note, end)
    chosen = found[0]
    if note.data.get("undo"):
        return removal.begin(cloud, _removal(note), chosen)
    for younger in found[1:]:
        if younger.power == "off" and not any(younger.owns(disk, note.owner) for disk in younger.disks):
            task = cloud.session.act_task(younger.ref, "Destroy_Task", operation=note.key)
            return note.on(task, "discard").running(80, "removing a machine that was made twice")
    return complete(cloud, Note(note.verb, "configure", note.key, note.resource, note.owner, None, chosen.ref,
                                dict(note.data)), chosen)  # fmt: skip


def _absent(cloud: Cloud, note: Note, end: TaskEnd | None) -> Outcome:
    """Decide what it means that the step's machine is not there."""
    if note.data.get("undo"):
        return Outcome.done("nothing to undo")
    name = note.data["name"]
    if end is not None and end.fault is not None and is_a(end.fault, "DuplicateName"):
        return Outcome.failed(faults.to_error(end.fault, f"The machine {name} could not be cloned"))
    return Outcome.failed(
        ConnectorError(
            "cloud.busy",
            f"The machine {name} is not there - an earlier attempt failed, or the vCenter forgot its task - "
            "it is tried again",
            retry_after=1.0,
            maybe_done=True,
        )
    )


def _incomplete(found: Machine) -> ConnectorError:
    return ConnectorError(
        "cloud.busy",
        f"The machine {found.name} lacks settings - the vCenter dropped them in the clone - they are given again",
        retry_after=0.5,
        maybe_done=True,
    )


def _removal(note: Note) -> Note:
    return Note("machine.delete", "check", note.key, note.resource, note.owner)
