"""machine.update, machine.detach and its undo: what changes about a machine that lives on."""

from __future__ import annotations

from typing import Any

from connectors.aws import guest, machine, markers
from connectors.aws.adoption import refuse_adopted
from connectors.aws.cloud import Cloud, Facts, vanished
from connectors.aws.making import disks_of, size_for
from connectors.aws.notes import Note
from connectors.aws.power import alive
from connectors.aws.seen import Seen, patient
from connectors.base import ConnectorError, Outcome
from engine.plan import Action


def update(cloud: Cloud, action: Action, key: str) -> Outcome:
    """Change size, user-data and disks. A running machine is stopped for what it cannot take, and started again."""
    refuse_adopted(action)
    found = machine.required(cloud, action)
    wanted = machine.desired(action)
    size, userdata = size_for(cloud, wanted), guest.pack(wanted)
    told = guest.fingerprint(userdata)
    if markers.read(found).get("told") != told:
        cloud.memory.remember(key, userdata)
    firewall = action.inputs.get(wanted.firewall or "", {}).get("external_id")
    note = Note("machine.update", key, action.resource, action.owner, found["InstanceId"]).on(
        size=f"{wanted.cpus}/{wanted.memory_mib}/{size.name}",
        told=told,
        disks=disks_of(action, wanted),
        hash=machine.marked_hash(action),
        path=str(action.inputs.get("folder:deployment", {}).get("path", "")),
        **({"firewall": str(firewall)} if firewall else {}),
    )
    return patient(cloud, note, lambda: advance(cloud, note, Seen(instances={note.thing: found})))


def advance(cloud: Cloud, note: Note, seen: Seen) -> Outcome:
    """Do the next thing that the machine lacks."""
    instance = alive(seen, note)
    if instance is None:
        return Outcome.failed(vanished(f"The machine of {note.resource}"))
    marks, state = markers.read(instance), machine.state_of(instance)
    size, told = note.data["size"], note.data["told"]
    kind = size.rpartition("/")[2]
    wanted: dict[str, str] = dict(note.data["disks"])
    held = machine.volumes_of(cloud, instance, note.owner)
    extra = [identity for identity, key in held.items() if key and identity not in wanted]
    due = instance["InstanceType"] != kind or marks.get("told") != told
    if (due or extra) and state not in ("stopped",):
        return _stop(cloud, note, instance, state)
    if extra:
        for identity in extra:
            cloud.unless_gone("DetachVolume", "IncorrectState", VolumeId=identity, InstanceId=note.thing)
        return note.running("disks are detached")
    lacking = [identity for identity in wanted if identity not in held]
    if lacking and state == "pending":
        return note.running("the machine starts")
    for identity in lacking:
        cloud.ec2("AttachVolume", VolumeId=identity, InstanceId=note.thing, Device=wanted[identity])
    if lacking:
        return note.running("disks are attached")
    if instance["InstanceType"] != kind:
        cloud.ec2("ModifyInstanceAttribute", InstanceId=note.thing, InstanceType={"Value": kind})
    if marks.get("told") != told:
        packed = cloud.memory.userdata.get(note.key)
        if packed is None:
            # Another process has begun this step. Handles hold no user-data: the step starts over and brings it along.
            return Outcome.failed(_start_over(note.resource))
        cloud.ec2("ModifyInstanceAttribute", InstanceId=note.thing, UserData={"Value": packed})
        cloud.tag(note.thing, told=told)
    if marks.get("size") != size:
        cloud.tag(note.thing, size=size)
    _guard(cloud, note, instance)
    if marks.get("restart") and state == "stopped":
        cloud.ec2("StartInstances", InstanceIds=[note.thing])
        return note.running("the machine starts")
    if state in ("pending", "stopping"):
        return note.running("the machine starts")
    if marks.get("restart"):
        cloud.untag(note.thing, "restart")
    if marks.get("hash") != note.data["hash"] or due:
        cloud.tag(note.thing, hash=note.data["hash"], id=note.thing)
    cloud.memory.userdata.pop(note.key, None)
    facts = machine.facts_of({**instance, "InstanceType": kind}, note.data["path"])
    return Outcome.done(**facts)


def _stop(cloud: Cloud, note: Note, instance: Facts, state: str) -> Outcome:
    if instance.get("InstanceLifecycle") == "spot":
        raise ConnectorError(
            "cloud.invalid",
            f"{machine.name_of(instance)} cannot be changed - a spot machine cannot be stopped - replace it",
            permanent=True,
        )
    if state == "running":
        if not markers.read(instance).get("restart"):
            cloud.tag(note.thing, restart="due")
        cloud.ec2("StopInstances", InstanceIds=[note.thing])
    return note.running("the machine stops for the change")


def _guard(cloud: Cloud, note: Note, instance: Facts) -> None:
    """Put the machine's firewall on its first card, and take off what was there of ours before."""
    firewall = note.data.get("firewall")
    card = next(
        (
            each
            for each in instance.get("NetworkInterfaces", ())
            if each.get("Attachment", {}).get("DeviceIndex", 0) == 0
        ),
        None,
    )
    if not firewall or card is None:
        return
    groups = [group["GroupId"] for group in card.get("Groups", ())]
    if firewall not in groups:
        known = cloud.by_id(cloud.groups, "group-id", groups)
        kept = [
            each for each in groups if not markers.read(known.get(each, {})).get("resource", "").startswith("firewall:")
        ]
        cloud.ec2(
            "ModifyNetworkInterfaceAttribute", NetworkInterfaceId=card["NetworkInterfaceId"], Groups=[*kept, firewall]
        )


def _start_over(resource: str) -> ConnectorError:
    return ConnectorError(
        "cloud.busy",
        f"The change of {resource} starts over - another process had begun it - it is tried again",
        retry_after=1.0,
        maybe_done=True,
    )


# Disks


def detach(cloud: Cloud, action: Action, key: str) -> Outcome:
    """Take our data disks off, and remember where they were."""
    found = machine.locate(cloud, action)
    if found is None:
        return Outcome.done("gone already", gone=True)
    held = machine.volumes_of(cloud, found, action.owner)
    ours = {identity: volume for identity, volume in held.items() if volume}
    identity = found["InstanceId"]
    note = Note("machine.detach", key, action.resource, action.owner, identity)
    names = sorted({*ours.values(), *_remembered(cloud, action, identity).values()})
    note = note.on(volumes=sorted(ours), detached=names)
    marks = markers.read(found)
    if ours and marks.get("hash") != markers.DETACHED:
        cloud.tag(identity, before=marks.get("hash", ""), hash=markers.DETACHED)
    devices = machine.attached(found)
    for volume in ours:
        cloud.tag(volume, was=f"{identity}:{devices[volume]}")
        cloud.unless_gone("DetachVolume", "IncorrectState", VolumeId=volume, InstanceId=identity)
    return advance_detach(cloud, note, Seen(instances={identity: found})) if not ours else note.running("disks leave")


def advance_detach(cloud: Cloud, note: Note, seen: Seen) -> Outcome:
    """See whether the disks are off."""
    instance = alive(seen, note)
    if instance is not None and set(note.data["volumes"]) & set(machine.attached(instance)):
        return note.running("disks leave")
    return Outcome.done(external_id=note.thing, detached=note.data["detached"])


def _remembered(cloud: Cloud, action: Action, instance: str) -> dict[str, str]:
    """Return volume id -> key of the disks that an earlier try of a detach has taken off an instance."""
    found = cloud.volumes(markers.filters(action.owner))
    return {
        volume["VolumeId"]: markers.read(volume)["resource"]
        for volume in found
        if markers.read(volume).get("was", "").partition(":")[0] == instance
    }


def restore(cloud: Cloud, action: Action, key: str) -> Outcome:
    """Put the disks back that a detach has taken off."""
    found = machine.required(cloud, action)
    identity = found["InstanceId"]
    places: dict[str, Any] = {}
    for volume in cloud.volumes(markers.filters(action.owner)):
        was, _, device = markers.read(volume).get("was", "").partition(":")
        if was == identity:
            places[volume["VolumeId"]] = device
    note = Note("machine.restore", key, action.resource, action.owner, identity).on(disks=sorted(places.items()))
    return patient(cloud, note, lambda: advance_restore(cloud, note, Seen(instances={identity: found})))


def advance_restore(cloud: Cloud, note: Note, seen: Seen) -> Outcome:
    """Attach what is missing, then write the hash of before."""
    instance = alive(seen, note)
    if instance is None:
        return Outcome.failed(vanished(f"The machine of {note.resource}"))
    held = machine.attached(instance)
    lacking = [(identity, device) for identity, device in note.data["disks"] if identity not in held]
    for identity, device in lacking:
        cloud.ec2("AttachVolume", VolumeId=identity, InstanceId=note.thing, Device=device)
    if lacking:
        return note.running("disks are attached")
    marks = markers.read(instance)
    if marks.get("before"):
        cloud.tag(note.thing, hash=marks["before"])
        cloud.untag(note.thing, "before")
    for identity, _ in note.data["disks"]:
        cloud.untag(identity, "was")
    return Outcome.done(external_id=note.thing)
