"""Elastic addresses: EC2 gives machines with several cards no public address at their start."""

from __future__ import annotations

from connectors.aws import markers
from connectors.aws.cloud import Cloud, Facts
from engine.resources import Owner


def given(cloud: Cloud, owner: Owner, resource: str, key: str, instance: Facts) -> bool:
    """Give a machine's first card an address and tell whether it has it.

    AllocateAddress knows no client token: an address that an earlier try has left behind is found by its tags.
    """
    card = next(each for each in instance["NetworkInterfaces"] if each.get("Attachment", {}).get("DeviceIndex", 0) == 0)
    if card.get("Association", {}).get("PublicIp"):
        return True
    known = _of(cloud, owner, resource)
    if known:
        address = min(known, key=lambda each: str(each["AllocationId"]))
    else:
        tags = markers.of(owner, resource, key, resource)
        address = cloud.ec2(
            "AllocateAddress", Domain="vpc", TagSpecifications=markers.specification(["elastic-ip"], tags)
        )
    cloud.ec2(
        "AssociateAddress",
        AllocationId=address["AllocationId"],
        NetworkInterfaceId=card["NetworkInterfaceId"],
        AllowReassociation=True,
    )
    return False


def released(cloud: Cloud, owner: Owner, resource: str) -> bool:
    """Give a machine's addresses back and tell whether there were any."""
    known = _of(cloud, owner, resource)
    for address in known:
        if address.get("AssociationId"):
            cloud.unless_gone(
                "DisassociateAddress", "InvalidAssociationID.NotFound", AssociationId=address["AssociationId"]
            )
        cloud.unless_gone("ReleaseAddress", AllocationId=address["AllocationId"])
    return bool(known)


def _of(cloud: Cloud, owner: Owner, resource: str) -> list[Facts]:
    found: list[Facts] = cloud.ec2("DescribeAddresses", Filters=markers.filters(owner, resource))["Addresses"]
    return found
