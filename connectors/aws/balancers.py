"""balancer.create, balancer.update, balancer.delete: network load balancers with a target group for each listener."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterable, Mapping
from typing import Any

from connectors.aws import faults, markers
from connectors.aws.cloud import Cloud, Facts, vanished
from connectors.aws.faults import Complaint
from connectors.aws.notes import Note
from connectors.aws.seen import Seen, patient
from connectors.base import ConnectorError, Outcome
from engine.plan import Action
from engine.resources import Owner

_GONE = ("LoadBalancerNotFound", "TargetGroupNotFound", "ListenerNotFound")
_TAGGED = 20  # balancers that one look at tags takes


def prefix(deployment: str) -> str:
    """Return what the names of a deployment's balancers begin with: names are all that can be searched by."""
    return f"escale-{deployment[:8]}-"


def name_of(owner: Owner, resource: str) -> str:
    """Return a balancer's name: unique in the account and region, so that making it twice makes it once."""
    return prefix(owner.deployment_id) + hashlib.sha256(f"{owner.deployment_id}/{resource}".encode()).hexdigest()[:12]


def create(cloud: Cloud, action: Action, key: str) -> Outcome:
    """Make the balancer, or find it by its name."""
    note = _note(cloud, action, key, "balancer.create")
    found = _by_name(cloud, name_of(action.owner, action.resource))
    if found is None:
        return note.on(_make(cloud, action, key)["LoadBalancerArn"]).running("the balancer is being made")
    marks = _marks(cloud, [found["LoadBalancerArn"]]).get(found["LoadBalancerArn"], {})
    _required(marks, action.owner, name_of(action.owner, action.resource))
    note = note.on(found["LoadBalancerArn"])
    return patient(cloud, note, lambda: advance(cloud, note, Seen()))


def _note(cloud: Cloud, action: Action, key: str, verb: str) -> Note:
    targets = []
    for machine in action.spec["machines"]:
        identity = action.inputs.get(machine, {}).get("external_id")
        if not identity:
            raise vanished(f"The machine of {machine}")
        targets.append(str(identity))
    listeners = _joined(action)
    return Note(verb, key, action.resource, action.owner).on(
        listeners=listeners, targets=targets, hash=action.spec.get("config_hash", "")
    )


def _joined(action: Action) -> list[list[Any]]:
    """Return listeners as AWS has them: one a port, for TCP and UDP at once where both are wanted."""
    ports: dict[int, dict[str, int]] = {}
    for each in action.spec["listeners"]:
        ports.setdefault(int(each["port"]), {})[str(each["protocol"])] = int(each["target_port"])
    joined: list[list[Any]] = []
    for port, targets in sorted(ports.items()):
        if len(set(targets.values())) > 1:
            raise ConnectorError(
                "cloud.invalid",
                f"The balancer of {action.resource} cannot lead TCP and UDP of {port} to different ports - AWS has one "
                "listener a port - publish them on different ports",
                permanent=True,
            )
        protocol = "tcp_udp" if len(targets) > 1 else next(iter(targets))
        joined.append([protocol, port, next(iter(targets.values()))])
    return joined


def _make(cloud: Cloud, action: Action, key: str) -> Facts:
    subnet = action.inputs.get(action.spec["network"], {}).get("external_id")
    if not subnet:
        raise vanished(f"The subnet of {action.spec['network']}")
    tags = markers.of(action.owner, action.resource, key, str(action.spec["name"]))
    try:
        answer = cloud.elb(
            "CreateLoadBalancer",
            Name=name_of(action.owner, action.resource),
            Type="network",
            Scheme=str(cloud.option("balancer_scheme", "internet-facing")),
            Subnets=[str(subnet)],
            Tags=markers.as_list(tags),
        )
    except Complaint as complaint:
        found = _by_name(cloud, name_of(action.owner, action.resource))
        if complaint.code != "DuplicateLoadBalancerName" or found is None:
            raise
        return found
    made: Facts = answer["LoadBalancers"][0]
    return made


def advance(cloud: Cloud, note: Note, seen: Seen) -> Outcome:
    """Bring listeners and targets to what is wanted; done when the balancer is active."""
    found = _by_name(cloud, name_of(note.owner, note.resource))
    if found is None:
        if note.age_s < cloud.settle_s:
            return note.running("the balancer is being made")
        return Outcome.failed(vanished(f"The balancer of {note.resource}"))
    arn = found["LoadBalancerArn"]
    marks = _marks(cloud, [arn]).get(arn, {})
    # An update may come for machines that were made anew, which the hash does not tell: they are called as before.
    if note.verb == "balancer.update" or marks.get("hash") != note.data["hash"]:
        _reconcile(cloud, note, found)
        cloud.elb("AddTags", ResourceArns=[arn], Tags=[{"Key": markers.PREFIX + "hash", "Value": note.data["hash"]}])
    if found.get("State", {}).get("Code", "active") == "provisioning":
        return note.running("the balancer is being made")
    return Outcome.done(
        external_id=arn,
        moref=found["LoadBalancerName"],
        name=marks.get("Name", ""),
        address=found.get("DNSName", ""),
        addresses=[found["DNSName"]] if found.get("DNSName") else [],
        created=marks.get("step") == markers.step(note.key),
    )


def _reconcile(cloud: Cloud, note: Note, balancer: Facts) -> None:
    arn = balancer["LoadBalancerArn"]
    # By port, since AWS has one listener a port, whatever it speaks.
    present = {
        each["Port"]: each
        for each in cloud.account.pages("elbv2", "DescribeListeners", "Listeners", LoadBalancerArn=arn)
    }
    wanted = {port: (protocol, target) for protocol, port, target in note.data["listeners"]}
    groups: list[str] = []
    for port, (protocol, target) in wanted.items():
        group = _group(cloud, note, balancer, protocol, port, target)
        groups.append(group)
        _register(cloud, group, note.data["targets"], target)
        forward = [{"Type": "forward", "TargetGroupArn": group}]
        listener = present.get(port)
        if listener is not None and listener["Protocol"].lower() != protocol:
            _unless_gone(cloud, "DeleteListener", ListenerArn=listener["ListenerArn"])
            listener = None
        if listener is None:
            cloud.elb(
                "CreateListener", LoadBalancerArn=arn, Protocol=protocol.upper(), Port=port, DefaultActions=forward
            )
        elif listener["DefaultActions"][0].get("TargetGroupArn") != group:
            cloud.elb("ModifyListener", ListenerArn=listener["ListenerArn"], DefaultActions=forward)
    for port, listener in present.items():
        if port not in wanted:
            _unless_gone(cloud, "DeleteListener", ListenerArn=listener["ListenerArn"])
    for group in _groups(cloud, note.owner, note.resource):
        if group not in groups:
            _unless_gone(cloud, "DeleteTargetGroup", TargetGroupArn=group)


def _group(cloud: Cloud, note: Note, balancer: Facts, protocol: str, port: int, target: int) -> str:
    """Make the target group of a listener; making one of the same name again gives the one that is there."""
    what = f"{note.owner.deployment_id}/{note.resource}/{protocol}/{port}/{target}"
    name = prefix(note.owner.deployment_id) + hashlib.sha256(what.encode()).hexdigest()[:12]
    try:
        found = cloud.elb("DescribeTargetGroups", Names=[name])["TargetGroups"]
    except Complaint as complaint:
        if complaint.code not in _GONE:
            raise
        found = []
    if found:
        return str(found[0]["TargetGroupArn"])
    health: dict[str, Any] = {"HealthCheckProtocol": "TCP"}
    if protocol == "udp":
        # Whether a UDP service lives cannot be asked: that the machine does, its SSH tells.
        health["HealthCheckPort"] = "22"
    tags = markers.of(note.owner, note.resource, note.key, f"{protocol} {port}")
    made = cloud.elb(
        "CreateTargetGroup",
        Name=name,
        Protocol=protocol.upper(),
        Port=target,
        VpcId=balancer["VpcId"],
        TargetType="instance",
        Tags=markers.as_list(tags),
        **health,
    )
    return str(made["TargetGroups"][0]["TargetGroupArn"])


def _register(cloud: Cloud, group: str, wanted: Iterable[str], port: int) -> None:
    health = cloud.elb("DescribeTargetHealth", TargetGroupArn=group)["TargetHealthDescriptions"]
    present = {
        each["Target"]["Id"] for each in health if each.get("TargetHealth", {}).get("State") not in ("draining",)
    }
    new, old = sorted(set(wanted) - present), sorted(present - set(wanted))
    if new:
        targets = [{"Id": identity, "Port": port} for identity in new]
        cloud.elb("RegisterTargets", TargetGroupArn=group, Targets=targets)
    if old:
        targets = [{"Id": identity, "Port": port} for identity in old]
        cloud.elb("DeregisterTargets", TargetGroupArn=group, Targets=targets)


def update(cloud: Cloud, action: Action, key: str) -> Outcome:
    """Change listeners and machines of a balancer; its address stays."""
    name = name_of(action.owner, action.resource)
    found = _by_name(cloud, name)
    if found is None:
        raise vanished(f"The balancer of {action.resource}")
    marks = _marks(cloud, [found["LoadBalancerArn"]]).get(found["LoadBalancerArn"], {})
    _required(marks, action.owner, name)
    note = _note(cloud, action, key, "balancer.update").on(found["LoadBalancerArn"])
    return patient(cloud, note, lambda: advance(cloud, note, Seen()))


def delete(cloud: Cloud, action: Action, key: str) -> Outcome:
    """Remove the balancer, then its target groups."""
    name = name_of(action.owner, action.resource)
    found = _by_name(cloud, name)
    note = Note("balancer.delete", key, action.resource, action.owner).on(until=time.time() + 600)
    if found is not None:
        arn = found["LoadBalancerArn"]
        _required(_marks(cloud, [arn]).get(arn, {}), action.owner, name)
        _unless_gone(cloud, "DeleteLoadBalancer", LoadBalancerArn=arn)
        return note.on(arn).running("the balancer is being removed")
    return advance_delete(cloud, note, Seen())


def advance_delete(cloud: Cloud, note: Note, seen: Seen) -> Outcome:
    """Remove the target groups once the balancer that used them is gone."""
    if note.thing and _by_name(cloud, name_of(note.owner, note.resource)) is not None:
        return note.running("the balancer is being removed")
    for group in _groups(cloud, note.owner, note.resource):
        try:
            _unless_gone(cloud, "DeleteTargetGroup", TargetGroupArn=group)
        except Complaint as complaint:
            if complaint.code != "ResourceInUse" or time.time() > note.data["until"]:
                raise
            return note.running("the balancer is being removed")
    if time.time() < note.data["until"] and _cards(cloud, name_of(note.owner, note.resource)):
        return note.running("the balancer's network cards are being removed")
    return Outcome.done(**({"external_id": note.thing} if note.thing else {"gone": True}))


def _cards(cloud: Cloud, name: str) -> list[str]:
    """Return the cards of a balancer: they outlive it by minutes, and keep its subnet meanwhile.

    https://docs.aws.amazon.com/elasticloadbalancing/latest/network/ has the form of their descriptions.
    """
    filters = [{"Name": "description", "Values": [f"ELB net/{name}/*"]}]
    found = cloud.account.pages("ec2", "DescribeNetworkInterfaces", "NetworkInterfaces", Filters=filters)
    return [str(each["NetworkInterfaceId"]) for each in found]


def of_deployment(cloud: Cloud, deployment: str) -> list[tuple[Facts, markers.Tags]]:
    """Return a deployment's balancers with their marks."""
    found = [each for each in all_of(cloud) if each["LoadBalancerName"].startswith(prefix(deployment))]
    marks = _marks(cloud, [each["LoadBalancerArn"] for each in found])
    named = [(each, marks.get(each["LoadBalancerArn"], {})) for each in found]
    return [(each, told) for each, told in named if told.get("deployment") == deployment]


def all_of(cloud: Cloud) -> list[Facts]:
    """Return all balancers of the region."""
    return list(cloud.account.pages("elbv2", "DescribeLoadBalancers", "LoadBalancers"))


def listeners_of(cloud: Cloud, arn: str) -> tuple[list[dict[str, Any]], list[str]]:
    """Return a balancer's listeners as they are drawn, and the ids of the machines that it leads to."""
    listeners: list[dict[str, Any]] = []
    machines: set[str] = set()
    for each in cloud.account.pages("elbv2", "DescribeListeners", "Listeners", LoadBalancerArn=arn):
        group = each["DefaultActions"][0].get("TargetGroupArn") if each.get("DefaultActions") else None
        target = each["Port"]
        if group:
            told = cloud.elb("DescribeTargetGroups", TargetGroupArns=[group])["TargetGroups"]
            target = told[0]["Port"] if told else target
            health = cloud.elb("DescribeTargetHealth", TargetGroupArn=group)["TargetHealthDescriptions"]
            machines.update(entry["Target"]["Id"] for entry in health)
        for protocol in each["Protocol"].lower().split("_"):
            listeners.append({"protocol": protocol, "port": each["Port"], "target_port": target})
    return sorted(listeners, key=lambda each: (each["protocol"], each["port"])), sorted(machines)


def _groups(cloud: Cloud, owner: Owner, resource: str) -> list[str]:
    found = [
        each["TargetGroupArn"]
        for each in cloud.account.pages("elbv2", "DescribeTargetGroups", "TargetGroups")
        if each["TargetGroupName"].startswith(prefix(owner.deployment_id))
    ]
    marks = _marks(cloud, found)
    return [
        arn
        for arn in found
        if marks.get(arn, {}).get("deployment") == owner.deployment_id and marks[arn].get("resource") == resource
    ]


def _by_name(cloud: Cloud, name: str) -> Facts | None:
    try:
        found = cloud.elb("DescribeLoadBalancers", Names=[name])["LoadBalancers"]
    except Complaint as complaint:
        if not faults.gone(complaint.code):
            raise
        return None
    return found[0] if found else None


def _marks(cloud: Cloud, arns: list[str]) -> dict[str, markers.Tags]:
    marks: dict[str, markers.Tags] = {}
    for at in range(0, len(arns), _TAGGED):
        for told in cloud.elb("DescribeTags", ResourceArns=arns[at : at + _TAGGED])["TagDescriptions"]:
            marks[told["ResourceArn"]] = markers.read(told)
    return marks


def _required(marks: Mapping[str, str], owner: Owner, name: str) -> None:
    if marks.get("deployment") != owner.deployment_id:
        raise ConnectorError(
            "cloud.foreign",
            f"The balancer {name} was left alone - it lacks this deployment's tags - look at it and plan again",
            permanent=True,
        )


def _unless_gone(cloud: Cloud, action: str, **params: Any) -> None:
    try:
        cloud.elb(action, **params)
    except Complaint as complaint:
        if complaint.code not in _GONE:
            raise
