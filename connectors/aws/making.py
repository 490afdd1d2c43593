"""machine.create: an instance with its cards, told what to do, and its disks attached."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from typing import Any

from connectors.aws import elastic, guest, machine, markers, networks
from connectors.aws.cloud import Cloud, Facts, vanished
from connectors.aws.faults import Complaint, meaning, to_error
from connectors.aws.notes import Note
from connectors.aws.seen import Seen, patient
from connectors.base import ConnectorError, Outcome
from engine.observed import SizeFact
from engine.plan import Action
from engine.resources import Machine
from engine.sizes import choose

_BURNABLE = 8
_DEAD = ("shutting-down", "terminated")
_LOST_VOLUME = ("Client.VolumeLimitExceeded", "Client.VolumeLimit")


def create(cloud: Cloud, action: Action, key: str) -> Outcome:
    """Run the instance, or go on with the one that this step, or an equal one, has made."""
    wanted = machine.desired(action)
    note = Note("machine.create", key, action.resource, action.owner)
    note = note.on(hash=machine.marked_hash(action), path=_path(action), disks=disks_of(action, wanted))
    if _wants_elastic(cloud, action, wanted):
        note = note.on(elastic=True)
    found = machine.of_resource(cloud, action.owner, action.resource)
    if found is None:
        made = _run(cloud, action, wanted, note)
        return note.on(made["InstanceId"]).running("the instance starts")
    _compare(action, found, key)
    note = note.on(found["InstanceId"])
    return patient(cloud, note, lambda: advance(cloud, note, Seen(instances={note.thing: found})))


def _wants_elastic(cloud: Cloud, action: Action, wanted: Machine) -> bool:
    """Tell whether a machine needs an address of its own: several cards, the first one in a public subnet of ours."""
    if len(wanted.nics) < 2:
        return False
    first = action.inputs.get(wanted.nics[0].network, {})
    return first.get("access") == "public" and public(cloud, dict(first))


def _compare(action: Action, found: Facts, key: str) -> None:
    marks = markers.read(found)
    if marks.get("step") != markers.step(key) and marks.get("hash") != machine.marked_hash(action):
        raise ConnectorError(
            "cloud.name_taken",
            f"{action.resource} exists already and differs - another operation made it - plan again",
            permanent=True,
        )


def _run(cloud: Cloud, action: Action, wanted: Machine, note: Note) -> Facts:
    """Start the instance. What the step's client token stands for may be gone: then the next one is used."""
    request = _request(cloud, action, wanted, note)
    for _ in range(_BURNABLE):
        burnt = cloud.memory.burnt.get(note.key, 0)
        try:
            answer = cloud.ec2("RunInstances", ClientToken=markers.token(note.key, burnt), **request)
        except Complaint as complaint:
            if complaint.code == "IdempotentInstanceTerminated":
                cloud.memory.burnt[note.key] = burnt + 1
                continue
            raise
        instance: Facts = answer["Instances"][0]
        if machine.state_of(instance) not in _DEAD:
            return instance
        cloud.memory.burnt[note.key] = burnt + 1
    raise ConnectorError(
        "cloud.fault",
        f"{wanted.name} was ended by AWS {_BURNABLE} times - its machines do not live - look at the account's events",
        permanent=True,
    )


def _request(cloud: Cloud, action: Action, wanted: Machine, note: Note) -> dict[str, Any]:
    image = cloud.image(wanted.template)
    if wanted.cluster:
        cloud.zone(wanted.cluster)
    cards, zone = _cards(cloud, action, wanted)
    _same_zone(cloud, action, zone, note)
    size = size_for(cloud, wanted)
    userdata = guest.pack(wanted)
    tags = markers.of(
        action.owner, action.resource, note.key, wanted.name,
        size=f"{wanted.cpus}/{wanted.memory_mib}/{size.name}",
        told=guest.fingerprint(userdata),
    )  # fmt: skip
    plain = {name: value for name, value in tags.items() if name.removeprefix(markers.PREFIX) not in ("size", "told")}
    request: dict[str, Any] = {
        "ImageId": image["ImageId"],
        "InstanceType": size.name,
        "MinCount": 1,
        "MaxCount": 1,
        "UserData": userdata,
        "NetworkInterfaces": cards,
        "Placement": {"AvailabilityZone": zone},
        "MetadataOptions": {
            "HttpTokens": "required",
            "HttpEndpoint": "enabled",
            "HttpPutResponseHopLimit": int(cloud.option("metadata_hops", 1)),
        },
        "BlockDeviceMappings": [_system_disk(cloud, image, wanted)],
        "InstanceInitiatedShutdownBehavior": "stop",
        "TagSpecifications": [
            *markers.specification(["instance"], tags),
            *markers.specification(["volume", "network-interface"], plain),
        ],
    }
    if wanted.spot:
        request["InstanceMarketOptions"] = {"MarketType": "spot", "SpotOptions": {"SpotInstanceType": "one-time"}}
        del request["InstanceInitiatedShutdownBehavior"]
    if cloud.option("key_name", ""):
        request["KeyName"] = str(cloud.option("key_name", ""))
    if cloud.option("instance_profile", ""):
        request["IamInstanceProfile"] = {"Name": str(cloud.option("instance_profile", ""))}
    return request


def size_for(cloud: Cloud, wanted: Machine) -> SizeFact:
    """Return the instance type for a machine: the planned one, else the smallest that fits; ConnectorError if none."""
    if wanted.size:
        planned = next((size for size in cloud.sizes() if size.name == wanted.size), None)
        if planned is None:
            raise ConnectorError(
                "cloud.not_found",
                f"{wanted.name} cannot be of type {wanted.size} - the region lacks it, or the setting types does not "
                "allow it - plan again",
                permanent=True,
            )
        return planned
    nics = max(1, len(wanted.nics))
    addresses = max((1 + len(nic.aliases) for nic in wanted.nics), default=1)
    size = choose(cloud.sizes(), wanted.cpus, wanted.memory_mib, nics, addresses, wanted.spot)
    if size is None:
        raise ConnectorError(
            "cloud.invalid",
            f"{wanted.name} fits no instance type - {wanted.cpus} CPUs, {wanted.memory_mib} MiB, {nics} cards with up "
            f"to {addresses} addresses{' and spot' if wanted.spot else ''} are wanted - make it smaller, or allow "
            "more types in the cloud's settings",
            permanent=True,
        )
    return size


def _system_disk(cloud: Cloud, image: Facts, wanted: Machine) -> dict[str, Any]:
    root = str(image.get("RootDeviceName") or "/dev/sda1")
    ebs: dict[str, Any] = {"DeleteOnTermination": True, "VolumeType": cloud.volume_type(wanted.datastore)}
    size = max(wanted.system_disk_gib or 0, disk_gib(image))
    if size:
        ebs["VolumeSize"] = size
    return {"DeviceName": root, "Ebs": ebs}


def disk_gib(image: Facts) -> int:
    """Return the size of an image's system disk."""
    for mapping in image.get("BlockDeviceMappings", ()):
        if mapping.get("DeviceName") == image.get("RootDeviceName"):
            return int(mapping.get("Ebs", {}).get("VolumeSize") or 0)
    return 0


# Cards


def public(cloud: Cloud, network: Facts) -> bool:
    """Tell whether a machine whose first card is in a network gets a public address."""
    return network.get("access") != "private" and bool(cloud.option("public_addresses", True))


def _cards(cloud: Cloud, action: Action, wanted: Machine) -> tuple[list[dict[str, Any]], str]:
    """Return the instance's cards and the zone of their subnets."""
    known = subnets_of(cloud, action, [nic.network for nic in wanted.nics])
    firewall = action.inputs.get(wanted.firewall or "", {}).get("external_id")
    if wanted.firewall and not firewall:
        raise vanished(f"The security group of {wanted.firewall}")
    cards: list[dict[str, Any]] = []
    for position, nic in enumerate(wanted.nics):
        facts = known[nic.network]
        card: dict[str, Any] = {
            "DeviceIndex": position,
            "SubnetId": facts["external_id"],
            "DeleteOnTermination": True,
            "Description": f"{wanted.name} in {nic.network}"[:255],
        }
        groups = [facts["group"]] if facts.get("group") else []
        if position == 0 and firewall:
            groups.append(str(firewall))
        if groups:
            card["Groups"] = groups
        if nic.address:
            first = _address(nic.address, facts["cidr"], nic.network)
            further = [_address(nic.aliases[each], facts["cidr"], nic.network) for each in sorted(nic.aliases)]
            card["PrivateIpAddresses"] = [
                {"PrivateIpAddress": first, "Primary": True},
                *({"PrivateIpAddress": address, "Primary": False} for address in further),
            ]
        if len(wanted.nics) == 1:
            # EC2 gives a public address at the start only to instances with one card.
            card["AssociatePublicIpAddress"] = public(cloud, facts)
        cards.append(card)
    zones = {facts["zone"] for facts in known.values()} or {cloud.zone(wanted.cluster)}
    vpcs = {facts["vpc"] for facts in known.values()}
    if len(zones) > 1 or len(vpcs) > 1:
        raise ConnectorError(
            "cloud.invalid",
            f"{wanted.name} cannot be in {', '.join(sorted(known))} at once - they are in different zones or VPCs - "
            "use networks of one zone and VPC",
            permanent=True,
        )
    zone = zones.pop()
    if wanted.cluster and wanted.cluster != zone:
        raise ConnectorError(
            "cloud.invalid",
            f"{wanted.name} cannot be in the zone {wanted.cluster} - its networks are in {zone} - choose that zone",
            permanent=True,
        )
    return cards, zone


def subnets_of(cloud: Cloud, action: Action, keys: list[str]) -> dict[str, Facts]:
    """Return what networks are, by key: subnet, VPC, zone, range, access, and the group of their members."""
    ids: dict[str, str] = {}
    for key in keys:
        identity = action.inputs.get(key, {}).get("external_id")
        if not identity:
            raise vanished(f"The subnet of {key}")
        ids[key] = str(identity)
    found = cloud.by_id(cloud.subnets, "subnet-id", ids.values())
    groups = {
        (group["VpcId"], markers.read(group).get("resource")): group["GroupId"]
        for group in cloud.groups(markers.filters(action.owner))
    }
    known: dict[str, Facts] = {}
    for key, identity in ids.items():
        subnet = found.get(identity)
        if subnet is None:
            raise vanished(f"The subnet of {key}")
        known[key] = networks.facts_of(subnet, key, groups.get((subnet["VpcId"], key), ""))
    return known


def _address(text: str, cidr: str, network: str) -> str:
    """Return a static address; ConnectorError when AWS keeps it for itself or it lies outside of the subnet."""
    address, subnet = ipaddress.ip_interface(text).ip, ipaddress.ip_network(cidr)
    if address not in subnet:
        problem = f"{address} lies outside of the subnet {cidr} of {network}"
    elif address in {subnet[number] for number in range(4)} | {subnet[-1]}:
        problem = f"{address} is one of the five addresses of {cidr} that AWS keeps for itself"
    else:
        return str(address)
    raise ConnectorError(
        "cloud.invalid", f"An address cannot be given - {problem} - choose another one, then plan again", permanent=True
    )


def disks_of(action: Action, wanted: Machine) -> list[list[str]]:
    """Return [volume id, device] of the data disks that a machine is to have; ConnectorError when one is gone."""
    disks: list[list[str]] = []
    for position, mount in enumerate(wanted.disks):
        identity = action.inputs.get(mount.volume, {}).get("external_id")
        if not identity:
            raise vanished(f"The disk of {mount.volume}")
        disks.append([str(identity), machine.device(mount.unit, position)])
    return disks


def _same_zone(cloud: Cloud, action: Action, zone: str, note: Note) -> None:
    ids = [volume for volume, _ in note.data["disks"]]
    found = cloud.by_id(cloud.volumes, "volume-id", ids) if ids else {}
    for identity in ids:
        volume = found.get(identity)
        if volume is None:
            raise vanished(f"The disk {identity} of {action.resource}")
        if volume["AvailabilityZone"] != zone:
            raise ConnectorError(
                "cloud.invalid",
                f"The disk {identity} is in {volume['AvailabilityZone']} and {action.resource} in {zone} - EBS disks "
                "stay in their zone - set the cloud's zone to that of the network",
                permanent=True,
            )


def _path(action: Action) -> str:
    return str(action.inputs.get("folder:deployment", {}).get("path", ""))


# On its way


def advance(cloud: Cloud, note: Note, seen: Seen) -> Outcome:
    """See how far the instance is: attach its disks, then mark it as finished."""
    instance = seen.instances.get(note.thing)
    if instance is None:
        if note.age_s < cloud.settle_s:
            return note.running("the instance starts")
        return Outcome.failed(vanished(f"The machine of {note.resource}"))
    state, marks = machine.state_of(instance), markers.read(instance)
    if state in _DEAD:
        return Outcome.failed(_ended(cloud, note, instance, marks))
    if state == "pending":
        return note.running("the instance starts")
    if not marks.get("hash"):
        held = machine.attached(instance)
        lacking = [disk for disk in note.data["disks"] if disk[0] not in held]
        for identity, device in lacking:
            cloud.ec2("AttachVolume", VolumeId=identity, InstanceId=note.thing, Device=device)
        if lacking:
            return note.running("disks are attached")
        if note.data.get("elastic") and not elastic.given(cloud, note.owner, note.resource, note.key, instance):
            return note.running("a public address is given")
        cloud.tag(note.thing, hash=note.data["hash"], id=note.thing)
    created = marks.get("step") == markers.step(note.key)
    return Outcome.done(**machine.facts_of(instance, note.data["path"]), created=created)


def _ended(cloud: Cloud, note: Note, instance: Facts, marks: Mapping[str, str]) -> ConnectorError:
    cloud.memory.burnt[note.key] = cloud.memory.burnt.get(note.key, 0) + 1
    if marks.get("cancelled"):
        return ConnectorError("cloud.cancelled", "The step was cancelled on request", permanent=True)
    reason = instance.get("StateReason", {})
    code, told = str(reason.get("Code", "")), str(reason.get("Message") or "AWS gives no reason")
    name = machine.name_of(instance)
    if code in _LOST_VOLUME:
        return to_error(Complaint("VolumeLimitExceeded", told, "ec2:RunInstances"), f"{name} was ended at its start")
    known = meaning(code)
    return ConnectorError(
        "cloud.fault",
        f"{name} was ended by AWS at its start - {told[:200]} - it is tried again",
        retry_after=known.retry_after or 5.0,
        detail=code,
    )


def cancel(cloud: Cloud, note: Note) -> None:
    """End an instance that is not finished; a finished one is left alone."""
    instance = cloud.by_id(cloud.instances, "instance-id", [note.thing]).get(note.thing)
    if instance is None:
        return
    marks = markers.read(instance)
    if marks.get("hash") or marks.get("step") != markers.step(note.key):
        return
    cloud.tag(note.thing, cancelled="yes")
    cloud.unless_gone("TerminateInstances", InstanceIds=[note.thing])
