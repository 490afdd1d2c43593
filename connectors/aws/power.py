"""machine.start, machine.ready, machine.stop, machine.delete."""

from __future__ import annotations

import time

from connectors.aws import elastic, machine, markers
from connectors.aws.cloud import Cloud, Facts, vanished
from connectors.aws.notes import Note
from connectors.aws.seen import Seen, patient
from connectors.base import ConnectorError, Outcome
from engine.plan import Action

READY_TIMEOUT_S, PLAIN_TIMEOUT_S = 900.0, 300.0


def start(cloud: Cloud, action: Action, key: str) -> Outcome:
    """Start the machine; one that runs, as every new one does, is started already."""
    found = machine.required(cloud, action)
    note = Note("machine.start", key, action.resource, action.owner, found["InstanceId"])
    return patient(cloud, note, lambda: advance_start(cloud, note, Seen(instances={note.thing: found})))


def advance_start(cloud: Cloud, note: Note, seen: Seen) -> Outcome:
    """See whether it runs."""
    instance = alive(seen, note)
    if instance is None:
        return Outcome.failed(vanished(f"The machine of {note.resource}"))
    state = machine.state_of(instance)
    if state == "running":
        return Outcome.done(**_told(instance))
    if state == "stopped":
        cloud.ec2("StartInstances", InstanceIds=[note.thing])
    return note.running("it starts" if state != "stopping" else "it stops before it can start")


def ready(cloud: Cloud, action: Action, key: str) -> Outcome:
    """Watch the machine until its guest answers at its address; a plain one (``spec.plain``) need not."""
    found = machine.required(cloud, action)
    plain = bool(action.spec.get("plain"))
    usual = (
        cloud.option("plain_timeout_s", PLAIN_TIMEOUT_S) if plain else cloud.option("ready_timeout_s", READY_TIMEOUT_S)
    )
    note = Note("machine.ready", key, action.resource, action.owner, found["InstanceId"])
    until = round(time.time() + float(action.spec.get("timeout_s") or usual), 2)
    return note.on(until=until, plain=plain).running("waiting for the guest to answer")


def watch_ready(cloud: Cloud, note: Note, seen: Seen) -> Outcome:
    """Say whether the guest answers, and what is wrong when it does not in time."""
    instance = alive(seen, note)
    if instance is None:
        return Outcome.failed(vanished(f"The machine of {note.resource}"))
    name, state = machine.name_of(instance), machine.state_of(instance)
    if state == "running" and note.thing in seen.checks:
        return Outcome.done(**_told(instance))
    if time.time() < note.data["until"]:
        return note.running("waiting for the guest to answer")
    if state == "running" and note.data.get("plain"):
        return Outcome.done(f"{name} runs; its guest answers at no address", external_id=note.thing, addresses=[])
    if state == "running":
        why, now = (
            "its reachability check has not passed: it does not boot, or its network is wrong",
            "look at its console",
        )
    else:
        why, now = "it is stopped", "start it"
    return Outcome.failed(
        ConnectorError("cloud.fault", f"{name} answered at no address in time - {why} - {now}, then retry")
    )


def stop(cloud: Cloud, action: Action, key: str) -> Outcome:
    """Stop the machine, which asks its guest to shut down; one that is off is stopped already."""
    found = machine.locate(cloud, action)
    if found is None:
        return Outcome.done("gone already", gone=True)
    if found.get("InstanceLifecycle") == "spot":
        return Outcome.done("a spot machine cannot be stopped, only ended", external_id=found["InstanceId"])
    note = Note("machine.stop", key, action.resource, action.owner, found["InstanceId"])
    return patient(cloud, note, lambda: advance_stop(cloud, note, Seen(instances={note.thing: found})))


def advance_stop(cloud: Cloud, note: Note, seen: Seen) -> Outcome:
    """See whether it is off."""
    instance = alive(seen, note)
    if instance is None:
        return Outcome.done("gone already", gone=True)
    state = machine.state_of(instance)
    if state == "stopped":
        return Outcome.done(external_id=note.thing)
    if state == "running":
        cloud.ec2("StopInstances", InstanceIds=[note.thing])
    return note.running("the guest shuts down")


def delete(cloud: Cloud, action: Action, key: str) -> Outcome:
    """End the machine. Its system disk goes with it, data disks are set free; one with a disk of others stays."""
    found = machine.locate(cloud, action)
    if found is None:
        elastic.released(cloud, action.owner, action.resource)
        return Outcome.done("gone already", gone=True)
    if markers.read(found).get("adopted"):
        raise ConnectorError(
            "cloud.foreign",
            f"The machine {machine.name_of(found)} was left alone - it was adopted, and such a machine is released and "
            "never deleted - plan again",
            permanent=True,
        )
    return end(cloud, Note("machine.delete", key, action.resource, action.owner, found["InstanceId"]), found)


def end(cloud: Cloud, note: Note, instance: Facts) -> Outcome:
    """Begin to end an instance."""
    held = machine.volumes_of(cloud, instance, note.owner)
    machine.refuse_foreign_disks(instance, held)
    clinging = [
        mapping["DeviceName"]
        for mapping in instance.get("BlockDeviceMappings", ())
        if mapping.get("Ebs", {}).get("DeleteOnTermination") and held.get(mapping["Ebs"].get("VolumeId"))
    ]
    if clinging:
        # Somebody set it so: our data disks would go with the machine.
        keep = [{"DeviceName": name, "Ebs": {"DeleteOnTermination": False}} for name in clinging]
        cloud.ec2("ModifyInstanceAttribute", InstanceId=note.thing, BlockDeviceMappings=keep)
    cloud.unless_gone("TerminateInstances", InstanceIds=[note.thing])
    return note.running("the machine ends")


def advance_delete(cloud: Cloud, note: Note, seen: Seen) -> Outcome:
    """See whether it is gone."""
    instance = seen.instances.get(note.thing)
    if instance is None or machine.state_of(instance) == "terminated":
        elastic.released(cloud, note.owner, note.resource)
        return Outcome.done(external_id=note.thing)
    if machine.state_of(instance) != "shutting-down":
        cloud.unless_gone("TerminateInstances", InstanceIds=[note.thing])
    return note.running("the machine ends")


def alive(seen: Seen, note: Note) -> Facts | None:
    """Return the instance that a note is about, None when it is gone or going."""
    instance = seen.instances.get(note.thing)
    return None if instance is None or machine.state_of(instance) in ("shutting-down", "terminated") else instance


def _told(instance: Facts) -> Facts:
    return {"external_id": instance["InstanceId"], "addresses": machine.addresses(instance)}
