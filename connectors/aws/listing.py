"""Everything that the region has, page by page; nothing when nothing has changed.

The cursor is a digest of the whole. AWS tells no changes: so everything is read each time, by paginated looks inside
the token buckets, and given on only when it differs from what the cursor stands for.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from typing import Any

from connectors.aws import balancers, machine, markers
from connectors.aws.cloud import Cloud, Facts
from connectors.aws.making import disk_gib
from connectors.listing import Item, ListingPage

PAGE = 500
_FORMAT = "aws1:"


def pages(cloud: Cloud, cursor: str) -> Iterator[ListingPage]:
    """Yield everything as one full listing, or a last page without anything when the cursor is of the same things.

    Two passes would be needed to hold less than all digests in memory: an item's facts are small, so that 10,000
    instances are some 10 MB.
    """
    items = list(_items(cloud))
    digest = hashlib.sha256()
    for item in sorted(items, key=lambda each: (each.kind, each.id)):
        told = [item.kind, item.id, item.ref, item.name, item.facts]
        digest.update(json.dumps(told, sort_keys=True, separators=(",", ":")).encode())
    now = _FORMAT + digest.hexdigest()
    if cursor == now:
        yield ListingPage(last=True, cursor=now)
        return
    for at in range(0, max(1, len(items)), PAGE):
        last = at + PAGE >= len(items)
        yield ListingPage(tuple(items[at : at + PAGE]), full=True, last=last, cursor=now if last else "")


def _items(cloud: Cloud) -> Iterator[Item]:
    account = cloud.account
    subnets = cloud.subnets()
    names = {subnet["SubnetId"]: _name(subnet, "SubnetId") for subnet in subnets}
    volumes = list(account.pages("ec2", "DescribeVolumes", "Volumes", MaxResults=PAGE))
    sizes = {volume["VolumeId"]: volume for volume in volumes}
    zones: dict[str, int] = {}
    for reservation in account.pages("ec2", "DescribeInstances", "Reservations", MaxResults=PAGE):
        for instance in reservation["Instances"]:
            if machine.state_of(instance) not in ("shutting-down", "terminated"):
                zone = instance.get("Placement", {}).get("AvailabilityZone", "")
                zones[zone] = zones.get(zone, 0) + 1
                yield _instance(cloud, instance, sizes, names)
    for image in cloud.images():
        yield _image(cloud, image)
    for volume in volumes:
        yield _volume(volume)
    for subnet in subnets:
        facts = {"type": "subnet", "cidr": subnet["CidrBlock"], "vpc": subnet["VpcId"]}
        yield _item("network", subnet, "SubnetId", facts)
    for vpc in cloud.vpcs():
        yield _item("vpc", vpc, "VpcId", {"cidr": vpc["CidrBlock"]})
    for group in account.pages("ec2", "DescribeSecurityGroups", "SecurityGroups", MaxResults=PAGE):
        rules = sum(
            len(rule.get("IpRanges", ())) + len(rule.get("Ipv6Ranges", ())) + len(rule.get("UserIdGroupPairs", ()))
            for rule in group.get("IpPermissions", ())
        )
        identity = group["GroupId"]
        yield Item("firewall", identity, identity, group["GroupName"], {"vpc": group.get("VpcId", ""), "rules": rules})
    for balancer in balancers.all_of(cloud):
        arn = balancer["LoadBalancerArn"]
        facts = {
            "type": balancer.get("Type", ""),
            "address": balancer.get("DNSName", ""),
            "state": balancer.get("State", {}).get("Code", ""),
        }
        yield Item("balancer", arn, arn, balancer["LoadBalancerName"], facts)
    for zone in cloud.zones():
        yield Item("cluster", zone, zone, zone, {"state": "available"})


def _instance(cloud: Cloud, instance: Facts, volumes: dict[str, Facts], subnets: dict[str, str]) -> Item:
    marks = markers.read(instance)
    size = cloud.size_of(instance["InstanceType"])
    held = machine.attached(instance)
    nics = [
        {
            "network": subnets.get(card.get("SubnetId", ""), card.get("SubnetId", "")),
            "mac": card.get("MacAddress", ""),
            "addresses": [each["PrivateIpAddress"] for each in card.get("PrivateIpAddresses", ())],
        }
        for card in instance.get("NetworkInterfaces", ())
    ]
    disks = [
        {
            "label": device,
            "size_gib": volumes.get(identity, {}).get("Size", 0),
            "datastore": volumes.get(identity, {}).get("VolumeType", ""),
            "path": identity,
        }
        for identity, device in held.items()
    ]
    zone = instance.get("Placement", {}).get("AvailabilityZone", "")
    facts: dict[str, Any] = {
        "power": machine.power_of(instance),
        "disk_gib": sum(disk["size_gib"] for disk in disks),
        "cluster": zone,
        "zone": zone,
        "type": instance["InstanceType"],
        "guest": instance.get("PlatformDetails") or instance.get("Platform") or "",
        "addresses": machine.addresses(instance),
        "networks": [nic["network"] for nic in nics],
        "datastores": sorted({disk["datastore"] for disk in disks if disk["datastore"]}),
        "tags": _tags(instance),
        "nics": nics,
        "disks": disks,
        "bios_uuid": instance["InstanceId"],
        "created_at": _launched(instance),
    }
    if size is not None:
        facts.update(cpus=size.cpus, memory_mib=size.memory_mib)
    if marks.get("deployment"):
        facts["owner"] = {
            "organization_id": marks.get("organization", ""),
            "deployment_id": marks["deployment"],
            "key": marks.get("resource", ""),
        }
    return Item(
        "machine", instance["InstanceId"], instance["InstanceId"], machine.name_of(instance),
        {name: value for name, value in facts.items() if value not in ("", None)},
    )  # fmt: skip


def _launched(instance: Facts) -> str:
    """Return when an instance was made: its launch time changes with every start, its first card's does not."""
    times = [
        card.get("Attachment", {}).get("AttachTime")
        for card in instance.get("NetworkInterfaces", ())
        if card.get("Attachment", {}).get("DeviceIndex", 0) == 0
    ]
    moment = next((each for each in times if each), instance.get("LaunchTime"))
    return moment.isoformat() if moment is not None else ""


def _image(cloud: Cloud, image: Facts) -> Item:
    facts = {
        "disk_gib": disk_gib(image),
        "guest": str(image.get("PlatformDetails") or image.get("Platform") or "Linux/UNIX"),
        "container_host": cloud.container_host(image),
    }
    identity = image["ImageId"]
    return Item("template", identity, identity, str(image.get("Name") or identity), facts)


def _volume(volume: Facts) -> Item:
    holders = [each["InstanceId"] for each in volume.get("Attachments", ()) if each.get("InstanceId")]
    facts = {
        "size_gib": volume["Size"],
        "state": volume["State"],
        "type": volume["VolumeType"],
        "zone": volume["AvailabilityZone"],
        **({"attached_to": holders[0]} if holders else {}),
    }
    return _item("volume", volume, "VolumeId", facts)


def _item(kind: Any, thing: Facts, field: str, facts: dict[str, Any]) -> Item:
    return Item(kind, thing[field], thing[field], _name(thing, field), facts)


def _name(thing: Facts, field: str) -> str:
    return markers.read(thing).get("Name") or str(thing[field])


def _tags(thing: Facts) -> list[str]:
    return sorted(
        f"{tag['Key']}={tag.get('Value', '')}"
        for tag in thing.get("Tags") or ()
        if tag["Key"] != "Name" and not str(tag["Key"]).startswith(markers.PREFIX)
    )
