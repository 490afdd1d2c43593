"""firewall.create, firewall.update, firewall.delete: security groups with published ports."""

from __future__ import annotations

import base64
import json
import zlib
from collections.abc import Iterable, Mapping
from typing import Any

from connectors.aws import markers
from connectors.aws.cloud import Cloud, Facts, required_owner, target, vanished
from connectors.aws.faults import Complaint
from connectors.aws.networks import group_name, group_of
from connectors.aws.notes import Note
from connectors.aws.seen import Seen, patient
from connectors.base import Outcome
from engine.plan import Action

_Rule = tuple[str, int, int, str]


def create(cloud: Cloud, action: Action, key: str) -> Outcome:
    """Make the group in the deployment's VPC, or find it, and give it its rules."""
    vpc = action.inputs.get("folder:deployment", {}).get("external_id")
    if not vpc:
        found = cloud.vpcs(markers.filters(action.owner, "folder:deployment"))
        vpc = found[0]["VpcId"] if found else None
    if not vpc:
        raise vanished(f"The VPC for {action.resource}")
    note = Note("firewall.create", key, action.resource, action.owner).on(
        vpc=str(vpc),
        name=str(action.spec["name"]),
        rules=_packed(_wanted(action.spec)),
        hash=action.spec.get("config_hash", ""),
    )
    group = group_of(cloud, action.owner.deployment_id, action.resource, str(vpc))
    if group is None:
        tags = markers.of(action.owner, action.resource, key, str(action.spec["name"]))
        try:
            cloud.ec2(
                "CreateSecurityGroup",
                GroupName=group_name(action.owner.deployment_id, action.resource),
                Description="Published ports of a machine of Escale",
                VpcId=str(vpc),
                TagSpecifications=markers.specification(["security-group"], tags),
            )
        except Complaint as complaint:
            if complaint.code != "InvalidGroup.Duplicate":
                raise
        return note.running("the security group is being made")
    return patient(cloud, note, lambda: advance(cloud, note, Seen()))


def advance(cloud: Cloud, note: Note, seen: Seen) -> Outcome:
    """Bring the group's rules to what is wanted."""
    group = group_of(cloud, note.owner.deployment_id, note.resource, note.data["vpc"])
    if group is None:
        if note.age_s < cloud.settle_s:
            return note.running("the security group is being made")
        return Outcome.failed(vanished(f"The security group of {note.resource}"))
    _reconcile(cloud, group, _unpacked(note.data["rules"]))
    marks = markers.read(group)
    if marks.get("hash") != note.data["hash"]:
        cloud.tag(group["GroupId"], hash=note.data["hash"])
    created = marks.get("step") == markers.step(note.key)
    return Outcome.done(
        external_id=group["GroupId"],
        moref=group["GroupId"],
        name=note.data["name"],
        vpc=group["VpcId"],
        created=created,
    )


def update(cloud: Cloud, action: Action, key: str) -> Outcome:
    """Change the rules of a group: what is new comes before what is old goes."""
    group = _located(cloud, action)
    if group is None:
        raise vanished(f"The security group of {action.resource}")
    required_owner(group, action.owner, f"The security group {group['GroupId']}")
    _reconcile(cloud, group, set(_wanted(action.spec)))
    cloud.tag(group["GroupId"], hash=action.spec.get("config_hash", ""))
    return Outcome.done(external_id=group["GroupId"], vpc=group["VpcId"])


def delete(cloud: Cloud, action: Action, key: str) -> Outcome:
    """Remove the group; ``cloud.busy`` while a card has it."""
    group = _located(cloud, action)
    if group is None:
        return Outcome.done("gone already", gone=True)
    required_owner(group, action.owner, f"The security group {group['GroupId']}")
    cloud.unless_gone("DeleteSecurityGroup", GroupId=group["GroupId"])
    return Outcome.done(external_id=group["GroupId"])


def _located(cloud: Cloud, action: Action) -> Facts | None:
    identity = target(action)
    if identity:
        found = cloud.by_id(cloud.groups, "group-id", [identity]).get(identity)
        if found is not None:
            return found
    groups = cloud.groups(markers.filters(action.owner, action.resource))
    return min(groups, key=lambda each: str(each["GroupId"]), default=None)


def _reconcile(cloud: Cloud, group: Facts, wanted: set[_Rule]) -> None:
    present = set(rules_of(group))
    for action, rules in (
        ("AuthorizeSecurityGroupIngress", wanted - present),
        ("RevokeSecurityGroupIngress", present - wanted),
    ):
        if not rules:
            continue
        try:
            _call(cloud, action, group, rules)
        except Complaint as complaint:
            # Another try of the step was faster, or the look was old. AWS takes all rules of a call or none of them.
            if complaint.code not in _KNOWN:
                raise
            for rule in sorted(rules):
                _call(cloud, action, group, [rule], *_KNOWN)


_KNOWN = ("InvalidPermission.Duplicate", "InvalidPermission.NotFound")


def _call(cloud: Cloud, action: str, group: Facts, rules: Iterable[_Rule], *bearable: str) -> None:
    try:
        cloud.ec2(action, GroupId=group["GroupId"], IpPermissions=[_permission(rule) for rule in sorted(rules)])
    except Complaint as complaint:
        if complaint.code not in bearable:
            raise


def rules_of(group: Facts) -> list[_Rule]:
    """Return a group's rules for address ranges."""
    return [
        (
            rule["IpProtocol"],
            rule.get("FromPort", -1),
            rule.get("ToPort", -1),
            source.get("CidrIp") or source["CidrIpv6"],
        )
        for rule in group.get("IpPermissions", ())
        for source in (*rule.get("IpRanges", ()), *rule.get("Ipv6Ranges", ()))
    ]


def _wanted(spec: Mapping[str, Any]) -> list[_Rule]:
    return sorted(
        {(str(each["protocol"]), int(each["first"]), int(each["last"]), str(each["source"])) for each in spec["rules"]}
    )


def _packed(rules: list[_Rule]) -> str:
    """Return rules in a form that leaves room in a handle: a group may have sixty of them."""
    return base64.b64encode(zlib.compress(json.dumps(rules, separators=(",", ":")).encode(), 9)).decode()


def _unpacked(text: str) -> set[_Rule]:
    told = json.loads(zlib.decompress(base64.b64decode(text)))
    return {(str(protocol), int(first), int(last), str(source)) for protocol, first, last, source in told}


def _permission(rule: _Rule) -> dict[str, Any]:
    protocol, first, last, source = rule
    permission: dict[str, Any] = {"IpProtocol": protocol, "FromPort": first, "ToPort": last}
    if ":" in source:
        return {**permission, "Ipv6Ranges": [{"CidrIpv6": source}]}
    return {**permission, "IpRanges": [{"CidrIp": source}]}
