"""Look at an AWS account with eyes of our own: the connectors are not used, so that they cannot hide a mistake."""

from __future__ import annotations

import base64
import gzip
from collections.abc import Iterable
from typing import Any

import boto3
import yaml
from botocore.config import Config

# What a deployment could leave behind: (service, paginated call, where its list stands, what names an entry).
_KINDS = (
    ("ec2", "describe_volumes", "Volumes", "VolumeId"),
    ("ec2", "describe_vpcs", "Vpcs", "VpcId"),
    ("ec2", "describe_subnets", "Subnets", "SubnetId"),
    ("ec2", "describe_security_groups", "SecurityGroups", "GroupId"),
    ("ec2", "describe_internet_gateways", "InternetGateways", "InternetGatewayId"),
    ("ec2", "describe_route_tables", "RouteTables", "RouteTableId"),
    ("ec2", "describe_network_interfaces", "NetworkInterfaces", "NetworkInterfaceId"),
    ("elbv2", "describe_load_balancers", "LoadBalancers", "LoadBalancerArn"),
    ("elbv2", "describe_target_groups", "TargetGroups", "TargetGroupArn"),
)
_GONE = frozenset({"terminated", "shutting-down"})


class AwsAccount:
    """One simulated or real account in one region, read by boto3."""

    def __init__(self, cloud: dict[str, Any], authority: str) -> None:
        told = {
            "endpoint_url": cloud["address"], "region_name": cloud["options"]["region"], "verify": authority,
            "aws_access_key_id": cloud["username"], "aws_secret_access_key": cloud["password"],
        }  # fmt: skip
        config = Config(proxies={}, retries={"max_attempts": 3})
        self._clients = {name: boto3.client(name, config=config, **told) for name in ("ec2", "elbv2")}

    def close(self) -> None:
        for client in self._clients.values():
            client.close()

    def _all(self, service: str, call: str, where: str) -> list[dict[str, Any]]:
        client = self._clients[service]
        if not client.can_paginate(call):
            return list(getattr(client, call)()[where])
        return [each for page in client.get_paginator(call).paginate() for each in page[where]]

    def _instances(self) -> list[dict[str, Any]]:
        found = self._all("ec2", "describe_instances", "Reservations")
        every = [instance for reservation in found for instance in reservation["Instances"]]
        return [instance for instance in every if instance["State"]["Name"] not in _GONE]

    def listing(self) -> frozenset[str]:
        """Return what exists, by id."""
        addresses = self._clients["ec2"].describe_addresses()["Addresses"]
        return frozenset(
            [
                *(instance["InstanceId"] for instance in self._instances()),
                *(address.get("AllocationId") or address["PublicIp"] for address in addresses),
                *(str(each[name]) for service, call, where, name in _KINDS for each in self._all(service, call, where)),
            ]
        )

    def configs(self, deployments: Iterable[str]) -> dict[str, dict[str, dict[str, Any]]]:
        """Return deployment -> name of each of its machines, which must run -> cloud-config."""
        found: dict[str, dict[str, dict[str, Any]]] = {deployment: {} for deployment in deployments}
        for instance in self._instances():
            tags = {tag["Key"]: tag["Value"] for tag in instance.get("Tags") or ()}
            deployment = next((value for value in tags.values() if value in found), None)
            if deployment is None:
                continue
            assert instance["State"]["Name"] == "running", tags
            told = self._clients["ec2"].describe_instance_attribute(
                InstanceId=instance["InstanceId"], Attribute="userData"
            )
            raw = base64.b64decode(told["UserData"]["Value"])
            assert len(raw) <= 16_384, "EC2 takes no more"
            text = (gzip.decompress(raw) if raw[:2] == b"\x1f\x8b" else raw).decode()
            found[deployment][tags.get("Name", instance["InstanceId"])] = dict(yaml.load(text, Loader=yaml.CSafeLoader))
        return found

    def groups(self) -> list[dict[str, Any]]:
        """Return the security groups, their tags as a mapping beside them."""
        found = self._all("ec2", "describe_security_groups", "SecurityGroups")
        return [{**group, "tags": {tag["Key"]: tag["Value"] for tag in group.get("Tags") or ()}} for group in found]

    def balancers(self, deployment: str) -> list[dict[str, Any]]:
        """Return the balancers of a deployment with their ports and the instances that they lead to."""
        client, found = self._clients["elbv2"], []
        for balancer in self._all("elbv2", "describe_load_balancers", "LoadBalancers"):
            arn = balancer["LoadBalancerArn"]
            told = client.describe_tags(ResourceArns=[arn])["TagDescriptions"][0]["Tags"]
            if deployment not in {tag["Value"] for tag in told}:
                continue
            ports = {each["Port"] for each in client.describe_listeners(LoadBalancerArn=arn)["Listeners"]}
            groups = client.describe_target_groups(LoadBalancerArn=arn)["TargetGroups"]
            targets = {
                health["Target"]["Id"]
                for group in groups
                for health in client.describe_target_health(TargetGroupArn=group["TargetGroupArn"])[
                    "TargetHealthDescriptions"
                ]
            }
            found.append({**balancer, "ports": ports, "targets": targets})
        return found
