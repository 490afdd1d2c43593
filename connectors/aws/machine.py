"""A machine as it is on EC2, and how it is found."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from connectors.aws import markers
from connectors.aws.cloud import Cloud, Facts, required_owner, target, vanished
from connectors.base import ConnectorError
from engine.plan import Action
from engine.resources import Machine, Owner, config_hash, device_name, from_json

_BESIDES = frozenset({"external_id", "drawn", "previous", "timeout_s"})


def desired(action: Action) -> Machine:
    """Return the machine that an action wants."""
    resource = from_json({name: value for name, value in action.spec.items() if name not in _BESIDES})
    assert isinstance(resource, Machine)
    return resource


def marked_hash(action: Action) -> str:
    """Return the hash to mark: the plan's, taken before one-time tokens were put into the user-data."""
    return str(action.spec.get("config_hash") or config_hash(desired(action)))


def device(unit: int | None, position: int) -> str:
    """Return the device name of a data disk, which the guest's agent finds it by."""
    return device_name(unit if unit is not None else position + 1)


def locate(cloud: Cloud, action: Action) -> Facts | None:
    """Return the instance that an action is about, the owner's alone; None when it is gone.

    ConnectorError ``cloud.foreign`` when the instance of that id is not, or not any more, the deployment's.
    """
    identity = target(action)
    if identity:
        found = cloud.by_id(cloud.instances, "instance-id", [identity]).get(identity)
        if found is not None:
            required_owner(found, action.owner, f"The machine {name_of(found)}")
            return found
        return None
    return of_resource(cloud, action.owner, action.resource)


def of_resource(cloud: Cloud, owner: Owner, resource: str) -> Facts | None:
    """Return the instance of a resource by its tags; a copy by others never counts."""
    found = cloud.instances(markers.filters(owner, resource))
    return min(found, key=rank, default=None)


def rank(instance: Facts) -> tuple[bool, bool, str]:
    """Order instances of one resource: the one that was finished as itself, then unfinished ones, then copies."""
    itself = markers.read(instance).get("id", "")
    return (itself != instance["InstanceId"], bool(itself), str(instance["InstanceId"]))


def required(cloud: Cloud, action: Action) -> Facts:
    """Return the instance that an action is about; ConnectorError when it is gone."""
    found = locate(cloud, action)
    if found is None:
        raise vanished(f"The machine of {action.resource}")
    return found


def name_of(instance: Facts) -> str:
    """Return an instance's name, or its id."""
    return markers.read(instance).get("Name") or str(instance["InstanceId"])


def state_of(instance: Facts) -> str:
    """Return EC2's word for the state."""
    return str(instance["State"]["Name"])


def power_of(instance: Facts) -> str:
    """Return whether an instance is on."""
    return "on" if state_of(instance) in ("running", "pending") else "off"


def attached(instance: Facts) -> dict[str, str]:
    """Return volume id -> device name of what is attached."""
    return {
        mapping["Ebs"]["VolumeId"]: mapping["DeviceName"]
        for mapping in instance.get("BlockDeviceMappings", ())
        if mapping.get("Ebs", {}).get("VolumeId")
    }


def addresses(instance: Facts) -> list[str]:
    """Return an instance's addresses: private ones card by card, then public ones."""
    cards = sorted(
        instance.get("NetworkInterfaces", ()), key=lambda card: card.get("Attachment", {}).get("DeviceIndex", 0)
    )
    private: list[str] = []
    public: list[str] = []
    for card in cards:
        for entry in card.get("PrivateIpAddresses", ()) or [card]:
            private.append(entry.get("PrivateIpAddress", ""))
            public.append(entry.get("Association", {}).get("PublicIp", ""))
    if not cards:
        private, public = [instance.get("PrivateIpAddress", "")], [instance.get("PublicIpAddress", "")]
    return [address for address in dict.fromkeys([*private, *public]) if address]


def networks_of(instance: Facts, subnets: Mapping[str, Facts]) -> tuple[str, ...]:
    """Return the names of an instance's subnets, card by card; their ids where they have none."""
    cards = sorted(
        instance.get("NetworkInterfaces", ()), key=lambda card: card.get("Attachment", {}).get("DeviceIndex", 0)
    )
    ids = [str(card.get("SubnetId", "")) for card in cards]
    return tuple(markers.read(subnets.get(each, {})).get("Name") or each for each in ids)


def size_of(cloud: Cloud, instance: Facts) -> tuple[int, int]:
    """Return (CPUs, MiB): what was asked for while the type is the one chosen for that, else the type's own."""
    told = markers.read(instance).get("size", "").split("/")
    if len(told) == 3 and told[2] == instance["InstanceType"]:
        return int(told[0]), int(told[1])
    size = cloud.size_of(instance["InstanceType"])
    return (size.cpus, size.memory_mib) if size else (0, 0)


def facts_of(instance: Facts, path: str = "") -> dict[str, Any]:
    """Return what is told of a machine that was made or changed."""
    name, zone = name_of(instance), instance.get("Placement", {}).get("AvailabilityZone", "")
    identity = str(instance["InstanceId"])
    return {
        "external_id": identity,
        "moref": identity,
        # A Nitro guest reads its id in the firmware's asset tag; its UUID there is told by no API.
        "bios_uuid": identity,
        "name": name,
        "host": zone,
        "zone": zone,
        "type": instance["InstanceType"],
        "path": f"{path}/{name}".lstrip("/"),
        "addresses": addresses(instance),
    }


def volumes_of(cloud: Cloud, instance: Facts, owner: Owner) -> dict[str, str | None]:
    """Return volume id -> key of ours, "" for the system's own, None for those of others, of what is attached."""
    held = attached(instance)
    known = cloud.by_id(cloud.volumes, "volume-id", held)
    itself = markers.read(instance).get("resource", "")
    return {
        identity: key_of(known.get(identity, {}), owner, itself, device=name, root=str(instance.get("RootDeviceName")))
        for identity, name in held.items()
    }


def key_of(volume: Mapping[str, Any], owner: Owner, machine: str, *, device: str, root: str) -> str | None:
    """Return the key of a volume of ours, "" for a disk that came with the machine, None for one of others."""
    marks = markers.read(volume)
    if marks.get("deployment") == owner.deployment_id:
        key = marks.get("resource", "")
        return "" if key == machine else key
    return "" if device == root else None


def foreign_disks(held: Mapping[str, str | None]) -> list[str]:
    """Return the volumes that are neither ours nor came with the machine."""
    return [identity for identity, key in held.items() if key is None]


def refuse_foreign_disks(instance: Facts, held: Mapping[str, str | None]) -> None:
    """Refuse to end a machine that holds a disk of others."""
    foreign = foreign_disks(held)
    if foreign:
        raise ConnectorError(
            "cloud.foreign",
            f"The machine {name_of(instance)} was left alone - it holds the disk {', '.join(foreign)}, which this "
            "deployment did not make - detach it and try again",
            permanent=True,
        )
