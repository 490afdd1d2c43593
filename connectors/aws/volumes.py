"""volume.create, volume.extend, volume.delete: EBS volumes."""

from __future__ import annotations

from connectors.aws import faults, markers
from connectors.aws.cloud import Cloud, Facts, required_owner, target, vanished
from connectors.aws.faults import Complaint
from connectors.aws.notes import Note
from connectors.aws.seen import Seen, patient
from connectors.base import ConnectorError, Outcome
from engine.plan import Action

LARGEST_GIB = 65536


def create(cloud: Cloud, action: Action, key: str) -> Outcome:
    """Make the volume, or find it by its tags; the client token makes one of two tries."""
    note = Note("volume.create", key, action.resource, action.owner)
    found = _ours(cloud, action)
    if found is None:
        kind = cloud.volume_type(action.spec.get("datastore"))
        tags = markers.of(
            action.owner, action.resource, key, str(action.spec["name"]), hash=action.spec.get("config_hash", "")
        )
        zone = action.inputs.get("folder:deployment", {}).get("zone")
        made = cloud.ec2(
            "CreateVolume",
            AvailabilityZone=cloud.zone(str(zone) if zone else None),
            Size=int(action.spec["size_gib"]),
            VolumeType=kind,
            ClientToken=markers.token(key, cloud.memory.burnt.get(key, 0)),
            TagSpecifications=markers.specification(["volume"], tags),
            **({"Iops": max(100, min(16000, int(action.spec["size_gib"]) * 50))} if kind in ("io1", "io2") else {}),
        )
        return note.on(made["VolumeId"]).running("the volume is being made")
    note = note.on(found["VolumeId"])
    return patient(cloud, note, lambda: advance(cloud, note, Seen(volumes={note.thing: found})))


def advance(cloud: Cloud, note: Note, seen: Seen) -> Outcome:
    """See whether the volume is there."""
    volume = seen.volumes.get(note.thing)
    if volume is None or volume["State"] == "error":
        if volume is None and note.age_s < cloud.settle_s:
            return note.running("the volume is being made")
        # The token stands for a volume that is gone: the next try needs another one.
        cloud.memory.burnt[note.key] = cloud.memory.burnt.get(note.key, 0) + 1
        return Outcome.failed(
            ConnectorError(
                "cloud.busy",
                f"The volume of {note.resource} did not come to be - AWS could not make it, or somebody deleted it - "
                "it is tried again",
                retry_after=5.0,
                maybe_done=True,
            )
        )
    if volume["State"] == "creating":
        return note.running("the volume is being made")
    return Outcome.done(**facts_of(volume), created=markers.read(volume).get("step") == markers.step(note.key))


def facts_of(volume: Facts) -> dict[str, str]:
    """Return what later actions need of a volume."""
    identity = volume["VolumeId"]
    return {
        "external_id": identity,
        "moref": identity,
        "path": identity,
        "datastore": volume["VolumeType"],
        "zone": volume["AvailabilityZone"],
    }


def extend(cloud: Cloud, action: Action, key: str) -> Outcome:
    """Make the volume larger; it never becomes smaller."""
    found = _by_id(cloud, action) or _ours(cloud, action)
    if found is None:
        raise vanished(f"The volume of {action.resource}")
    required_owner(found, action.owner, f"The volume {found['VolumeId']}")
    size = int(action.spec["size_gib"])
    note = Note("volume.extend", key, action.resource, action.owner, thing=found["VolumeId"])
    note = note.on(size=size, hash=action.spec.get("config_hash", ""))
    if found["Size"] < size:
        # An earlier change that is under way refuses this one, and may be one to another size: then it is tried again.
        cloud.ec2("ModifyVolume", VolumeId=found["VolumeId"], Size=size)
        return note.running("the volume grows")
    return advance_extend(cloud, note, Seen(volumes={found["VolumeId"]: found}))


def advance_extend(cloud: Cloud, note: Note, seen: Seen) -> Outcome:
    """Write the hash once the volume has its size."""
    volume = seen.volumes.get(note.thing)
    if volume is None:
        return Outcome.failed(vanished(f"The volume of {note.resource}"))
    if volume["Size"] < note.data["size"]:
        return note.running("the volume grows")
    if markers.read(volume).get("hash") != note.data["hash"]:
        cloud.tag(note.thing, hash=note.data["hash"])
    return Outcome.done(**facts_of(volume), size_gib=volume["Size"])


def delete(cloud: Cloud, action: Action, key: str) -> Outcome:
    """Delete the volume, unless a machine holds it."""
    found = _by_id(cloud, action) or _ours(cloud, action)
    if found is None:
        return Outcome.done("gone already", gone=True)
    identity = found["VolumeId"]
    required_owner(found, action.owner, f"The volume {identity}")
    holders = [each["InstanceId"] for each in found.get("Attachments", ()) if each.get("State") != "detached"]
    for holder in cloud.by_id(cloud.instances, "instance-id", holders).values():
        marks = markers.read(holder)
        name = marks.get("Name") or holder["InstanceId"]
        if marks.get("deployment") != action.owner.deployment_id:
            raise ConnectorError(
                "cloud.foreign",
                f"The volume {identity} was not deleted - the machine {name}, which is not in this deployment, holds "
                "it - detach it there, then retry",
                permanent=True,
            )
        raise ConnectorError(
            "cloud.busy", f"The volume {identity} is attached to {name} - detach it first", retry_after=5.0
        )
    try:
        cloud.ec2("DeleteVolume", VolumeId=identity)
    except Complaint as complaint:
        if not faults.gone(complaint.code):
            raise
    return Outcome.done(external_id=identity)


def _ours(cloud: Cloud, action: Action) -> Facts | None:
    found = cloud.volumes(markers.filters(action.owner, action.resource))
    return min(found, key=lambda each: (str(each.get("CreateTime", "")), each["VolumeId"]), default=None)


def _by_id(cloud: Cloud, action: Action) -> Facts | None:
    identity = target(action)
    return cloud.by_id(cloud.volumes, "volume-id", [identity]).get(identity) if identity else None
