"""machine.adopt and machine.release: our tags on instances that somebody else made, and nothing besides."""

from __future__ import annotations

from collections.abc import Sequence

from connectors.aws import machine, markers
from connectors.aws.cloud import Cloud, Facts, target, vanished
from connectors.base import ConnectorError, Outcome
from engine.found import FoundDisk, FoundMachine
from engine.plan import Action


def adopt(cloud: Cloud, action: Action, key: str) -> Outcome:
    """Write a deployment's tags on an instance that carries none. Its name stays what it is."""
    found = _the_one(cloud, action)
    if found is None:
        raise vanished(f"The machine of {action.resource}")
    marks = markers.read(found)
    ours = marks.get("deployment") == action.owner.deployment_id and marks.get("resource") == action.resource
    if marks.get("deployment") and not ours:
        raise ConnectorError(
            "cloud.foreign",
            f"The machine {machine.name_of(found)} was left alone - it carries the tags of another deployment by now: "
            "somebody else adopted it - take it out of the drawing and plan again",
            permanent=True,
        )
    created = not ours or marks.get("step") == markers.step(key)
    if not ours or marks.get("hash") != action.spec.get("config_hash", ""):
        identity = found["InstanceId"]
        tags = markers.of(
            action.owner, action.resource, key, "",
            id=identity, adopted="true", hash=str(action.spec.get("config_hash", "")),
        )  # fmt: skip
        del tags["Name"]
        cloud.ec2("CreateTags", Resources=[identity], Tags=markers.as_list(tags))
    return Outcome.done(**machine.facts_of(found), power=machine.power_of(found), created=created)


def release(cloud: Cloud, action: Action, key: str) -> Outcome:
    """Take all of our tags off an adopted instance."""
    found = _the_one(cloud, action)
    if found is None:
        return Outcome.done("gone already", gone=True)
    marks = markers.read(found)
    if not marks.get("deployment"):
        return Outcome.done(f"{machine.name_of(found)} carries no tags of ours", external_id=found["InstanceId"])
    if marks["deployment"] != action.owner.deployment_id or not marks.get("adopted"):
        raise ConnectorError(
            "cloud.foreign",
            f"The machine {machine.name_of(found)} was left alone - this deployment did not adopt it - plan again",
            permanent=True,
        )
    cloud.untag(found["InstanceId"], *sorted(set(marks) - {"Name"}))
    return Outcome.done(f"{machine.name_of(found)} is released", external_id=found["InstanceId"])


def refuse_adopted(action: Action) -> None:
    """Refuse to change what was only adopted."""
    if action.spec.get("adopted"):
        raise ConnectorError(
            "cloud.invalid",
            f"{action.resource} was adopted and is not changed - its type and disks on AWS are its owner's - change it "
            "there, then sync",
            permanent=True,
        )


def _the_one(cloud: Cloud, action: Action) -> Facts | None:
    identity = str(action.spec.get("adopted") or target(action))
    return cloud.by_id(cloud.instances, "instance-id", [identity]).get(identity)


def describe(cloud: Cloud, ids: Sequence[str]) -> tuple[FoundMachine, ...]:
    """Return instances by their ids as they are now, whosever they are."""
    instances = cloud.by_id(cloud.instances, "instance-id", ids)
    held = [volume for instance in instances.values() for volume in machine.attached(instance)]
    volumes = cloud.by_id(cloud.volumes, "volume-id", held)
    cards = [card.get("SubnetId", "") for each in instances.values() for card in each.get("NetworkInterfaces", ())]
    subnets = cloud.by_id(cloud.subnets, "subnet-id", cards)
    return tuple(_found(cloud, instances[identity], volumes, subnets) for identity in sorted(instances))


def _found(cloud: Cloud, instance: Facts, volumes: dict[str, Facts], subnets: dict[str, Facts]) -> FoundMachine:
    marks = markers.read(instance)
    size = cloud.size_of(instance["InstanceType"])
    zone = instance.get("Placement", {}).get("AvailabilityZone", "")
    return FoundMachine(
        id=instance["InstanceId"],
        ref=instance["InstanceId"],
        name=machine.name_of(instance),
        power=machine.power_of(instance),
        cpus=size.cpus if size else 0,
        memory_mib=size.memory_mib if size else 0,
        networks=machine.networks_of(instance, subnets),
        disks=tuple(
            FoundDisk(
                device,
                int(volumes.get(identity, {}).get("Size", 0)) * 1024,
                volumes.get(identity, {}).get("VolumeType", ""),
            )
            for identity, device in sorted(machine.attached(instance).items(), key=lambda each: each[1])
        ),
        cluster=zone,
        host=zone,
        guest=str(instance.get("PlatformDetails") or instance.get("Platform") or ""),
        bios_uuid=instance["InstanceId"],
        addresses=tuple(machine.addresses(instance)),
        organization_id=marks.get("organization", ""),
        deployment_id=marks.get("deployment", ""),
        resource=marks.get("resource", ""),
        config_hash=marks.get("hash", ""),
        adopted=bool(marks.get("adopted")),
    )
