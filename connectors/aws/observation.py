"""Everything that carries a deployment's tags."""

from __future__ import annotations

from typing import Any

from connectors.aws import balancers, firewalls, machine, markers
from connectors.aws.cloud import Cloud, Facts
from engine.observed import ObservedResource, ObservedState
from engine.resources import Kind, Owner


def observe(cloud: Cloud, owner: Owner) -> ObservedState:
    """Return what a deployment has, by its tags; a look for each kind of thing."""
    ours = markers.filters(owner)
    instances, volumes = cloud.instances(ours), cloud.volumes(ours)
    known = {volume["VolumeId"]: volume for volume in volumes}
    found: list[tuple[tuple[Any, ...], ObservedResource]] = []
    for instance in instances:
        seen = _machine(cloud, owner, instance, known)
        found.append((machine.rank(instance), seen))
    for volume in volumes:
        marks = markers.read(volume)
        if marks.get("resource", "").startswith("volume:"):
            holders = [each["InstanceId"] for each in volume.get("Attachments", ()) if each.get("State") != "detached"]
            attributes = {
                "size_gib": volume["Size"],
                "datastore": volume["VolumeType"],
                "path": volume["VolumeId"],
                "attached_to": holders[0] if holders else None,
            }
            age = (str(volume.get("CreateTime", "")), volume["VolumeId"])
            found.append((age, _resource(marks, "volume", volume["VolumeId"], attributes)))
    for subnet in cloud.subnets(ours):
        marks = markers.read(subnet)
        attributes = {
            "name": marks.get("Name", ""),
            "vlan": None,
            "subnet": subnet["CidrBlock"],
            "vpc": subnet["VpcId"],
            "access": marks.get("access", ""),
        }
        found.append(((subnet["SubnetId"],), _resource(marks, "network", subnet["SubnetId"], attributes)))
    for vpc in cloud.vpcs(ours):
        marks = markers.read(vpc)
        attributes = {"path": [part for part in marks.get("path", "").split("/") if part], "cidr": vpc["CidrBlock"]}
        attributes["zone"] = marks.get("zone", "")
        rank = (not marks.get("hash"), vpc["VpcId"])
        found.append((rank, _resource(marks, "folder", vpc["VpcId"], attributes)))
    for group in cloud.groups(ours):
        marks = markers.read(group)
        if marks.get("resource", "").startswith("firewall:"):
            rules = [
                {"protocol": protocol, "first": first, "last": last, "source": source}
                for protocol, first, last, source in sorted(firewalls.rules_of(group))
            ]
            attributes = {"name": marks.get("Name", ""), "rules": rules}
            found.append(((group["GroupId"],), _resource(marks, "firewall", group["GroupId"], attributes)))
    for balancer, marks in balancers.of_deployment(cloud, owner.deployment_id):
        arn = balancer["LoadBalancerArn"]
        listeners, machines = balancers.listeners_of(cloud, arn)
        attributes = {
            "name": marks.get("Name", ""),
            "address": balancer.get("DNSName", ""),
            "state": balancer.get("State", {}).get("Code", ""),
            "listeners": listeners,
            "machines": machines,
        }
        found.append(((arn,), _resource(marks, "balancer", arn, attributes)))
    return _sorted_out(found)


def _sorted_out(found: list[tuple[tuple[Any, ...], ObservedResource]]) -> ObservedState:
    """Keep one thing of each key; the others, and those without one, are strays."""
    resources: dict[str, ObservedResource] = {}
    strays: list[ObservedResource] = []
    for _, seen in sorted(found, key=lambda each: (each[1].key, each[0])):
        if not seen.key.startswith(f"{seen.kind}:") or seen.key in resources:
            strays.append(seen)
        else:
            resources[seen.key] = seen
    return ObservedState(resources, tuple(strays))


def _resource(marks: markers.Tags, kind: Kind, identity: str, attributes: dict[str, Any]) -> ObservedResource:
    return ObservedResource(marks.get("resource", ""), kind, identity, marks.get("hash", ""), attributes)


def _machine(cloud: Cloud, owner: Owner, instance: Facts, known: dict[str, Facts]) -> ObservedResource:
    marks = markers.read(instance)
    cpus, memory_mib = machine.size_of(cloud, instance)
    disks: list[dict[str, Any]] = []
    for identity, device in machine.attached(instance).items():
        volume = known.get(identity, {})
        root = str(instance.get("RootDeviceName"))
        key = machine.key_of(volume, owner, marks.get("resource", ""), device=device, root=root)
        disk: dict[str, Any] = {"volume": key or None, "path": identity, "size_gib": volume.get("Size", 0)}
        disks.append({**disk, "system": True} if key == "" else disk)
    running = machine.power_of(instance) == "on"
    attributes = {
        "name": machine.name_of(instance),
        "power": machine.power_of(instance),
        "cpus": cpus,
        "memory_mib": memory_mib,
        "addresses": machine.addresses(instance) if running else [],
        "host": instance.get("Placement", {}).get("AvailabilityZone", ""),
        "cluster": instance.get("Placement", {}).get("AvailabilityZone", ""),
        "instance_uuid": instance["InstanceId"],
        "bios_uuid": instance["InstanceId"],
        "size": instance["InstanceType"],
        "spot": instance.get("InstanceLifecycle") == "spot",
        "disks": disks,
        "tools": running,
    }
    return _resource(marks, "machine", instance["InstanceId"], attributes)
