"""folder.create, folder.delete: a deployment's VPC with its way to the internet."""

from __future__ import annotations

import time

from connectors.aws import faults, markers
from connectors.aws.cloud import Cloud, Facts, required_owner, target
from connectors.aws.faults import Complaint
from connectors.aws.notes import Note
from connectors.aws.seen import Seen, patient
from connectors.base import ConnectorError, Outcome
from engine.plan import Action

DEFAULT_CIDR = "10.96.0.0/16"
_WHOLE = "0.0.0.0/0"
_FORGOTTEN_S = 60.0
"""A gateway that is not to be seen for so long was taken away, and another one is made."""


def create(cloud: Cloud, action: Action, key: str) -> Outcome:
    """Make the VPC, or go on with the one that is there. A VPC knows no client token: what its tags say decides."""
    note = Note("folder.create", key, action.resource, action.owner)
    note = note.on(
        path="/".join(action.spec["path"]),
        hash=action.spec.get("config_hash", ""),
        cidr=str(action.spec.get("cidr") or cloud.option("vpc_cidr", DEFAULT_CIDR)),
        zone=cloud.zone(action.spec.get("zone")),
    )
    found = of_deployment(cloud, action)
    if found is None and time.time() < cloud.memory.uncertain.get(key, 0.0):
        return note.running("looking for what a broken call may have made")
    if found is None:
        return note.on(_make(cloud, note)["VpcId"], fresh=True).running("the VPC is being made")
    note = note.on(found["VpcId"])
    return patient(cloud, note, lambda: advance(cloud, note, Seen(vpcs={note.thing: found})))


def _make(cloud: Cloud, note: Note) -> Facts:
    path, zone = note.data["path"], note.data["zone"]
    tags = markers.of(note.owner, note.resource, note.key, path, path=path, zone=zone)
    try:
        made: Facts = cloud.ec2(
            "CreateVpc",
            CidrBlock=note.data["cidr"],
            TagSpecifications=markers.specification(["vpc"], tags),
        )["Vpc"]
    except ConnectorError as error:
        if error.maybe_done:
            cloud.memory.uncertain[note.key] = time.time() + cloud.settle_s
        raise
    made.setdefault("Tags", markers.as_list(tags))
    return made


def advance(cloud: Cloud, note: Note, seen: Seen) -> Outcome:
    """Give the VPC what it lacks: a gateway, the route to it, and at last its hash."""
    if not note.thing:
        found = _by_tags(cloud, note.owner.deployment_id)
        if found is None and note.age_s < cloud.settle_s:
            return note.running("looking for what a broken call may have made")
        found = found or _make(cloud, note)
        note = note.on(found["VpcId"])
        return note.running("the VPC is being made")
    vpc = seen.vpcs.get(note.thing)
    if vpc is None:
        if note.age_s < cloud.settle_s:
            return note.running("the VPC is being made")
        return Outcome.failed(_gone(note.resource))
    if vpc["State"] != "available":
        return note.running("the VPC is being made")
    marks = markers.read(vpc)
    if not marks.get("hash"):
        try:
            gateway, attached = _gateway(cloud, note, vpc["VpcId"])
        except ConnectorError as error:
            if not error.maybe_done:
                raise
            # What was done unheard is listed after a while; until then no other is made.
            return note.on(unheard=time.time()).running("looking for what a broken call may have made")
        if not attached:
            # Kept in the handle: a gateway that was just made is not listed yet, and would be made again.
            return note.on(gateway=gateway).running("the internet gateway is being made")
        _route(cloud, vpc["VpcId"], gateway)
        other = _younger(cloud, note, vpc["VpcId"])
        if other:
            return note.on(other).running("another VPC of the same step is older")
        cloud.tag(vpc["VpcId"], hash=note.data["hash"])
    return Outcome.done(
        external_id=vpc["VpcId"],
        moref=vpc["VpcId"],
        path=note.data["path"],
        cidr=vpc.get("CidrBlock", ""),
        zone=marks.get("zone", ""),
        created=marks.get("step", markers.step(note.key)) == markers.step(note.key),
    )


def _gateway(cloud: Cloud, note: Note, vpc: str) -> tuple[str, bool]:
    """Return the VPC's gateway, made if there is none, and whether it is attached yet; empty while it is looked for."""
    attached = cloud.ec2("DescribeInternetGateways", Filters=[{"Name": "attachment.vpc-id", "Values": [vpc]}])
    if attached["InternetGateways"]:
        return str(attached["InternetGateways"][0]["InternetGatewayId"]), True
    gateway = str(note.data.get("gateway") or "") or _loose_gateway(cloud, note)
    last = float(note.data.get("unheard") or (0 if note.data.get("fresh") else note.since))
    if not gateway and time.time() - last < cloud.settle_s:
        return "", False  # a call that broke before may have made one that is not listed yet
    if not gateway:
        tags = markers.of(note.owner, note.resource, note.key, note.data["path"])
        made = cloud.ec2("CreateInternetGateway", TagSpecifications=markers.specification(["internet-gateway"], tags))
        gateway = str(made["InternetGateway"]["InternetGatewayId"])
    try:
        cloud.ec2("AttachInternetGateway", InternetGatewayId=gateway, VpcId=vpc)
    except Complaint as complaint:
        if faults.gone(complaint.code):
            return (
                gateway if note.age_s < _FORGOTTEN_S else ""
            ), False  # not to be seen yet, or taken away by somebody
        if complaint.code not in ("Resource.AlreadyAssociated", "InvalidParameterValue"):
            raise
        # Another try was faster with a gateway of its own.
        attached = cloud.ec2("DescribeInternetGateways", Filters=[{"Name": "attachment.vpc-id", "Values": [vpc]}])
        ids = [str(each["InternetGatewayId"]) for each in attached["InternetGateways"]]
        if ids and gateway not in ids:
            cloud.unless_gone("DeleteInternetGateway", "DependencyViolation", InternetGatewayId=gateway)
        return (ids[0], True) if ids else (gateway, False)
    return gateway, True


def _loose_gateway(cloud: Cloud, note: Note) -> str:
    """Return the gateway of this step that stands alone, by its tags."""
    loose = [
        each
        for each in cloud.ec2("DescribeInternetGateways", Filters=markers.filters(note.owner, note.resource))[
            "InternetGateways"
        ]
        if not each.get("Attachments")
    ]
    return str(loose[0]["InternetGatewayId"]) if loose else ""


def _route(cloud: Cloud, vpc: str, gateway: str) -> None:
    filters = [{"Name": "vpc-id", "Values": [vpc]}, {"Name": "association.main", "Values": ["true"]}]
    for table in cloud.ec2("DescribeRouteTables", Filters=filters)["RouteTables"]:
        if any(route.get("DestinationCidrBlock") == _WHOLE for route in table.get("Routes", ())):
            continue
        try:
            cloud.ec2("CreateRoute", RouteTableId=table["RouteTableId"], DestinationCidrBlock=_WHOLE, GatewayId=gateway)
        except Complaint as complaint:
            if complaint.code != "RouteAlreadyExists":
                raise


def _younger(cloud: Cloud, note: Note, mine: str) -> str:
    """Return the VPC that counts when a step has made two, after removing the one that does not."""
    others = [each for each in cloud.vpcs(markers.filters(note.owner, note.resource)) if each["VpcId"] != mine]
    done = [each["VpcId"] for each in others if markers.read(each).get("hash")]
    winner: str = min(done) if done else min([mine, *(each["VpcId"] for each in others)])
    if winner == mine:
        return ""
    _demolish(cloud, mine)
    return winner


def delete(cloud: Cloud, action: Action, key: str) -> Outcome:
    """Remove the VPC with its gateway; what others have put into it keeps it."""
    found = of_deployment(cloud, action)
    if found is None:
        _sweep(cloud, action)
        return Outcome.done("gone already", gone=True)
    required_owner(found, action.owner, f"The VPC {found['VpcId']}")
    vpc = found["VpcId"]
    inside = _foreign(cloud, action, vpc)
    if inside:
        raise ConnectorError(
            "cloud.foreign",
            f"The VPC {vpc} was left alone - it still holds {', '.join(inside[:5])} - move or delete them first",
            permanent=True,
        )
    _demolish(cloud, vpc)
    _sweep(cloud, action)
    return Outcome.done(external_id=vpc)


def _foreign(cloud: Cloud, action: Action, vpc: str) -> list[str]:
    inside = [{"Name": "vpc-id", "Values": [vpc]}]
    owner = action.owner.deployment_id
    things = [
        *((each["InstanceId"], each) for each in cloud.instances(inside)),
        *((each["SubnetId"], each) for each in cloud.subnets(inside)),
        *((each["GroupId"], each) for each in cloud.groups(inside) if each["GroupName"] != "default"),
    ]
    named = [(identity, markers.read(thing)) for identity, thing in things]
    ours = [identity for identity, marks in named if marks.get("deployment") == owner]
    others = [str(marks.get("Name") or identity) for identity, marks in named if marks.get("deployment") != owner]
    if ours and not others:
        raise ConnectorError(
            "cloud.busy",
            f"The VPC {vpc} cannot be removed yet - it still holds {', '.join(ours[:5])} of this deployment - "
            "it is tried again",
            retry_after=5.0,
        )
    return others


def _demolish(cloud: Cloud, vpc: str) -> None:
    attached = cloud.ec2("DescribeInternetGateways", Filters=[{"Name": "attachment.vpc-id", "Values": [vpc]}])
    for gateway in attached["InternetGateways"]:
        identity = gateway["InternetGatewayId"]
        cloud.unless_gone("DetachInternetGateway", "Gateway.NotAttached", InternetGatewayId=identity, VpcId=vpc)
        cloud.unless_gone("DeleteInternetGateway", InternetGatewayId=identity)
    cloud.unless_gone("DeleteVpc", VpcId=vpc)


def _sweep(cloud: Cloud, action: Action) -> None:
    """Remove gateways that a broken step has left unattached."""
    found = cloud.ec2("DescribeInternetGateways", Filters=markers.filters(action.owner, action.resource))
    for gateway in found["InternetGateways"]:
        if not gateway.get("Attachments"):
            cloud.unless_gone("DeleteInternetGateway", InternetGatewayId=gateway["InternetGatewayId"])


def of_deployment(cloud: Cloud, action: Action) -> Facts | None:
    """Return the deployment's VPC, by its id or by its tags."""
    identity = target(action)
    if identity:
        found = cloud.by_id(cloud.vpcs, "vpc-id", [identity]).get(identity)
        if found is not None:
            return found
    return _by_tags(cloud, action.owner.deployment_id)


def _by_tags(cloud: Cloud, deployment: str) -> Facts | None:
    found = cloud.vpcs([{"Name": f"tag:{markers.PREFIX}deployment", "Values": [deployment]}])
    return min(found, key=lambda each: (not markers.read(each).get("hash"), each["VpcId"]), default=None)


def _gone(resource: str) -> ConnectorError:
    return ConnectorError(
        "cloud.busy",
        f"The VPC of {resource} cannot be seen - AWS's listings lag, or somebody deleted it - it is tried again",
        retry_after=5.0,
        maybe_done=True,
    )
