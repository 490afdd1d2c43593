"""network.create, network.delete: a subnet with the security group of its members, or one that exists."""

from __future__ import annotations

import hashlib
import ipaddress
import re

from connectors.aws import markers
from connectors.aws.cloud import Cloud, Facts, missing, required_owner, target
from connectors.aws.faults import Complaint
from connectors.aws.notes import Note
from connectors.aws.seen import Seen, patient
from connectors.base import ConnectorError, Outcome
from engine.plan import Action

_LARGEST, _SMALLEST = 16, 28
_CARVED = 24


def create(cloud: Cloud, action: Action, key: str) -> Outcome:
    """Make the subnet, or find it: by its tags, or by its name when it is not ours to make."""
    if not action.spec["managed"]:
        subnet = existing(cloud, str(action.spec["name"]))
        return Outcome.done(**facts_of(subnet, action.spec["name"], ""), created=False)
    note = Note("network.create", key, action.resource, action.owner)
    note = note.on(name=str(action.spec["name"]), hash=action.spec.get("config_hash", ""))
    note = note.on(access=str(action.spec.get("access") or ""))
    found = _ours(cloud, action)
    if found is None:
        return note.on(_make(cloud, action, note)["SubnetId"]).running("the subnet is being made")
    note = note.on(found["SubnetId"])
    return patient(cloud, note, lambda: advance(cloud, note, Seen(subnets={note.thing: found})))


def _make(cloud: Cloud, action: Action, note: Note) -> Facts:
    """Make the subnet. Its range follows from the step's resource, so that two tries cannot make two of them."""
    vpc = _vpc(cloud, action)
    wanted = action.spec.get("subnet")
    inside = cloud.subnets(_in(vpc["VpcId"]))
    faster = [each for each in inside if _is_for(each, action)]
    if faster:
        # Another try has made it since we looked: what is carved beside it would be a second one.
        return faster[0]
    others = [ipaddress.ip_network(each["CidrBlock"]) for each in inside]
    if wanted:
        cidr = _cover(cloud, vpc, str(wanted))
    else:
        cidr = _carve(str(vpc["CidrBlock"]), f"{action.owner.deployment_id}/{action.resource}", others)
    tags = markers.of(action.owner, action.resource, note.key, note.data["name"], access=note.data["access"])
    zone = action.inputs.get("folder:deployment", {}).get("zone") or markers.read(vpc).get("zone")
    try:
        made: Facts = cloud.ec2(
            "CreateSubnet",
            VpcId=vpc["VpcId"],
            CidrBlock=cidr,
            AvailabilityZone=cloud.zone(str(zone) if zone else None),
            TagSpecifications=markers.specification(["subnet"], tags),
        )["Subnet"]
    except Complaint as complaint:
        if complaint.code != "InvalidSubnet.Conflict":
            raise
        found = _ours(cloud, action)
        if found is not None:
            return found
        raise ConnectorError(
            "cloud.busy",
            f"The subnet {cidr} of {action.resource} is taken - by another try of this step that cannot be seen yet, "
            "or by somebody else - it is tried again; choose another subnet if this lasts",
            retry_after=2.0,
        ) from None
    made.setdefault("Tags", markers.as_list(tags))
    return made


def _vpc(cloud: Cloud, action: Action) -> Facts:
    known = action.inputs.get("folder:deployment", {}).get("external_id")
    if known:
        found = list(cloud.by_id(cloud.vpcs, "vpc-id", [str(known)]).values())
    else:
        found = cloud.vpcs(markers.filters(action.owner, "folder:deployment"))
    if not found:
        raise ConnectorError(
            "cloud.not_found",
            f"The VPC for {action.resource} is gone - somebody deleted it on AWS - plan again",
            permanent=True,
        )
    return found[0]


def _cover(cloud: Cloud, vpc: Facts, wanted: str) -> str:
    """Return the range of a subnet after making sure that the VPC has it."""
    network = usable(wanted)
    ranges = [
        ipaddress.ip_network(each["CidrBlock"])
        for each in vpc.get("CidrBlockAssociationSet", [{"CidrBlock": vpc["CidrBlock"]}])
        if each.get("CidrBlockState", {}).get("State", "associated") in ("associated", "associating")
    ]
    if not any(isinstance(each, ipaddress.IPv4Network) and network.subnet_of(each) for each in ranges):
        around = network.supernet(new_prefix=_LARGEST)
        if any(around.overlaps(each) for each in ranges):
            around = network  # the rest of it is the VPC's own already
        try:
            cloud.ec2("AssociateVpcCidrBlock", VpcId=vpc["VpcId"], CidrBlock=str(around))
        except Complaint as complaint:
            if complaint.code not in ("InvalidVpc.Range", "CidrConflict", "InvalidVpcRange"):
                raise
            fresh = cloud.by_id(cloud.vpcs, "vpc-id", [vpc["VpcId"]]).get(vpc["VpcId"], vpc)
            known = {each["CidrBlock"] for each in fresh.get("CidrBlockAssociationSet", ())}
            if str(around) not in known:
                raise
    return str(network)


def usable(wanted: str) -> ipaddress.IPv4Network:
    """Return a range that can be a subnet; ConnectorError for others."""
    try:
        network = ipaddress.IPv4Network(wanted, strict=False)
        if _LARGEST <= network.prefixlen <= _SMALLEST:
            return network
    except ValueError:
        pass
    raise ConnectorError(
        "cloud.invalid",
        f"{wanted} cannot be a subnet - AWS takes IPv4 ranges of /{_LARGEST} to /{_SMALLEST} - choose another one",
        permanent=True,
    )


def _carve(cidr: str, name: str, others: list[ipaddress.IPv4Network | ipaddress.IPv6Network]) -> str:
    """Return a free range in a VPC, the same one for the same name as long as it is free."""
    whole = ipaddress.ip_network(cidr)
    length = min(_SMALLEST, max(_CARVED, whole.prefixlen))
    count = 2 ** (length - whole.prefixlen)
    begin = int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "big")
    size = whole.num_addresses // count
    for step in range(count):
        base = int(whole.network_address) + (begin + step) % count * size
        candidate = ipaddress.ip_network((base, length))
        if not any(candidate.overlaps(other) for other in others):
            return str(candidate)
    raise ConnectorError(
        "cloud.no_space",
        f"The VPC's range {cidr} is full - it has no /{length} left - give the network a subnet of its own",
        permanent=True,
    )


def advance(cloud: Cloud, note: Note, seen: Seen) -> Outcome:
    """Give the subnet its group, the group its rule, and at last the hash."""
    subnet = seen.subnets.get(note.thing)
    if subnet is None:
        if note.age_s < cloud.settle_s:
            return note.running("the subnet is being made")
        return Outcome.failed(_unseen(note.resource))
    if subnet["State"] != "available":
        return note.running("the subnet is being made")
    marks = markers.read(subnet)
    group = group_of(cloud, note.owner.deployment_id, note.resource, subnet["VpcId"])
    if not marks.get("hash"):
        if group is None:
            _make_group(cloud, note, subnet["VpcId"])
            return note.running("the security group is being made")
        _open(cloud, group, subnet["CidrBlock"])
        cloud.tag(note.thing, hash=note.data["hash"])
    name = marks.get("Name") or note.data["name"]
    created = marks.get("step") == markers.step(note.key)
    return Outcome.done(**facts_of(subnet, name, group["GroupId"] if group else ""), created=created)


def _make_group(cloud: Cloud, note: Note, vpc: str) -> None:
    tags = markers.of(note.owner, note.resource, note.key, note.data["name"])
    try:
        cloud.ec2(
            "CreateSecurityGroup",
            GroupName=group_name(note.owner.deployment_id, note.resource),
            Description="Members of a network of Escale talk to each other",
            VpcId=vpc,
            TagSpecifications=markers.specification(["security-group"], tags),
        )
    except Complaint as complaint:
        # Names are unique within a VPC: another try was faster, and its group shows soon.
        if complaint.code not in ("InvalidGroup.Duplicate", "InvalidVpcID.NotFound"):
            raise


def _open(cloud: Cloud, group: Facts, cidr: str) -> None:
    """Let in what comes from the subnet: members, and balancers that stand in it."""
    if any(each.get("CidrIp") == cidr for rule in group.get("IpPermissions", ()) for each in rule.get("IpRanges", ())):
        return
    rule = {"IpProtocol": "-1", "IpRanges": [{"CidrIp": cidr, "Description": "members"}]}
    try:
        cloud.ec2("AuthorizeSecurityGroupIngress", GroupId=group["GroupId"], IpPermissions=[rule])
    except Complaint as complaint:
        if complaint.code != "InvalidPermission.Duplicate":
            raise


def group_name(deployment: str, resource: str) -> str:
    """Return the name of a resource's group: unique in its VPC, so that a second one is refused."""
    return re.sub(r"[^A-Za-z0-9._:/-]", "-", f"escale-{deployment[:8]}-{resource}")[:255]


def group_of(cloud: Cloud, deployment: str, resource: str, vpc: str) -> Facts | None:
    """Return the security group of a resource that can be seen."""
    name = group_name(deployment, resource)
    found = cloud.groups([{"Name": "group-name", "Values": [name]}, *_in(vpc)])
    return next((each for each in found if markers.read(each).get("deployment") == deployment), None)


def delete(cloud: Cloud, action: Action, key: str) -> Outcome:
    """Remove the subnet and its group; one that was only found stays."""
    if action.spec.get("managed") is False:
        return Outcome.done("kept", kept=True)
    subnet = _ours(cloud, action) or _by_id(cloud, action)
    if subnet is None:
        _remove_groups(cloud, action)
        return Outcome.done("gone already", gone=True)
    if not markers.read(subnet).get("deployment") and not action.spec:
        return Outcome.done("kept", kept=True)
    required_owner(subnet, action.owner, f"The subnet {subnet['SubnetId']}")
    users = _users(cloud, "subnet-id", subnet["SubnetId"])
    if users:
        raise ConnectorError(
            "cloud.busy",
            f"The subnet of {action.resource} is in use by {', '.join(users[:5])} - delete them first",
            retry_after=5.0,
        )
    cloud.unless_gone("DeleteSubnet", SubnetId=subnet["SubnetId"])
    _remove_groups(cloud, action)
    return Outcome.done(external_id=subnet["SubnetId"])


def _remove_groups(cloud: Cloud, action: Action) -> None:
    for group in cloud.groups(markers.filters(action.owner, action.resource)):
        cloud.unless_gone("DeleteSecurityGroup", GroupId=group["GroupId"])


def _users(cloud: Cloud, name: str, identity: str) -> list[str]:
    found = cloud.account.pages(
        "ec2", "DescribeNetworkInterfaces", "NetworkInterfaces", Filters=[{"Name": name, "Values": [identity]}]
    )
    return [str(each.get("Attachment", {}).get("InstanceId") or each["NetworkInterfaceId"]) for each in found]


def existing(cloud: Cloud, name: str) -> Facts:
    """Return the subnet of others by its name or id; ConnectorError names those that exist."""
    subnets = [each for each in cloud.subnets() if "deployment" not in markers.read(each)]
    for subnet in subnets:
        if name in (subnet["SubnetId"], markers.read(subnet).get("Name")):
            return subnet
    raise missing("network", name, {markers.read(each).get("Name") or each["SubnetId"] for each in subnets})


def facts_of(subnet: Facts, name: str, group: str) -> dict[str, str]:
    """Return what later actions need of a network."""
    return {
        "external_id": subnet["SubnetId"],
        "moref": subnet["SubnetId"],
        "name": name,
        "vpc": subnet["VpcId"],
        "cidr": subnet["CidrBlock"],
        "zone": subnet["AvailabilityZone"],
        "group": group,
        "access": markers.read(subnet).get("access", ""),
    }


def _ours(cloud: Cloud, action: Action) -> Facts | None:
    found = cloud.subnets(markers.filters(action.owner, action.resource))
    return min(found, key=lambda each: str(each["SubnetId"]), default=None)


def _is_for(subnet: Facts, action: Action) -> bool:
    marks = markers.read(subnet)
    return marks.get("deployment") == action.owner.deployment_id and marks.get("resource") == action.resource


def _by_id(cloud: Cloud, action: Action) -> Facts | None:
    identity = target(action)
    return cloud.by_id(cloud.subnets, "subnet-id", [identity]).get(identity) if identity else None


def _in(vpc: str) -> list[Facts]:
    return [{"Name": "vpc-id", "Values": [vpc]}]


def _unseen(resource: str) -> ConnectorError:
    return ConnectorError(
        "cloud.busy",
        f"The subnet of {resource} cannot be seen - AWS's listings lag, or somebody deleted it - it is tried again",
        retry_after=5.0,
        maybe_done=True,
    )
