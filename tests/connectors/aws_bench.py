"""The simulated AWS as a bench; what it looks at, it looks at with boto3, past our own client."""

from __future__ import annotations

import base64
import hashlib
import time
import uuid
from collections.abc import Mapping
from typing import Any

import boto3

from connectors.aws import account, guest
from connectors.base import Access, Connector
from connectors.registry import connect
from sandbox.aws.process import Aws

# The call that makes a verb happen, and the kind of thing whose state takes its time.
CALLS = {
    "folder.create": "CreateVpc",
    "network.create": "CreateSubnet",
    "volume.create": "CreateVolume",
    "machine.create": "RunInstances",
    "machine.update": "StopInstances",
    "firewall.create": "CreateSecurityGroup",
    "balancer.create": "CreateLoadBalancer",
}
_KINDS = {
    "network.create": "subnet",
    "volume.create": "volume",
    "machine.create": "instance",
    "machine.update": "instance",
}
_REFUSALS = {
    "cloud.permission": ("UnauthorizedOperation", 403),
    "cloud.busy": ("InsufficientInstanceCapacity", 500),
    "cloud.no_space": ("VcpuLimitExceeded", 400),
    "cloud.invalid": ("InvalidParameterValue", 400),
}


class AwsBench:
    template = "escale-container-host-debian-12"
    network = "frontend"
    datastore = "gp3"
    supports_cancel = True
    creates_running = True
    snapshots_hold_disks = False
    shows_progress = False
    tells_hosts = False

    def __init__(self, aws: Aws) -> None:
        self.aws = aws
        self._clients: dict[str, Any] = {}
        self._bytes: dict[str, bytes] = {}

    # The contract's side

    def access(self, **changes: Any) -> Access:
        key = self.aws.credentials["keys"][0]
        options = {"region": self.aws.region, "rate_factor": 1000.0, "settle_s": 1.0, **changes.pop("options", {})}
        defaults: dict[str, Any] = {
            "address": self.aws.url,
            "username": key["id"],
            "password": key["secret"],
            "thumbprint": self.aws.thumbprint,
            "timeout_s": 20.0,
        }
        return Access("aws", options=options, **{**defaults, **changes})

    def connect(self, **changes: Any) -> Connector:
        return connect(self.access(**changes))

    def new_process(self) -> None:
        for memory in account.memories():
            memory.__init__()  # type: ignore[misc]  # open connectors hold it

    def listing(self) -> list[str]:
        ec2, elb = self.client("ec2"), self.client("elbv2")
        lines = [f"instance {each['InstanceId']}" for each in self.instances()]
        lines += [f"volume {each['VolumeId']}" for each in ec2.describe_volumes()["Volumes"]]
        lines += [f"vpc {each['VpcId']}" for each in ec2.describe_vpcs()["Vpcs"]]
        lines += [f"subnet {each['SubnetId']}" for each in ec2.describe_subnets()["Subnets"]]
        lines += [f"group {each['GroupId']}" for each in ec2.describe_security_groups()["SecurityGroups"]]
        gateways = ec2.describe_internet_gateways()["InternetGateways"]
        lines += [f"gateway {each['InternetGatewayId']}" for each in gateways]
        cards = ec2.describe_network_interfaces()["NetworkInterfaces"]
        lines += [f"card {each['NetworkInterfaceId']}" for each in cards]
        lines += [f"address {each['AllocationId']}" for each in ec2.describe_addresses()["Addresses"]]
        lines += [f"balancer {each['LoadBalancerArn']}" for each in elb.describe_load_balancers()["LoadBalancers"]]
        lines += [f"targets {each['TargetGroupArn']}" for each in elb.describe_target_groups()["TargetGroups"]]
        return sorted(lines)

    def slow(self, verb: str, seconds: float) -> None:
        self.aws.order(delays={_KINDS[verb]: int(seconds * 1000)})

    def refuse(self, verb: str, code: str) -> None:
        told, status = _REFUSALS[code]
        self.aws.fault(CALLS[verb], "refuse", code=told, status=status)

    def fail_midway(self, verb: str) -> None:
        self.aws.fault(CALLS[verb], "doom")

    def cut_after(self, verb: str) -> None:
        self.aws.fault(CALLS[verb], "cut_after")

    def lose(self, verb: str) -> None:
        self.aws.fault(CALLS[verb], "cut_before")

    def fill(self) -> None:
        self.aws.order(quotas={"L-7A658B76": 0, "L-D18FCD1D": 0})

    def silence(self) -> Mapping[str, Any]:
        self.aws.order(silent=True)
        return {}

    def put_machine(self, folder: Mapping[str, Any], name: str) -> str:
        subnet = self.client("ec2").create_subnet(VpcId=folder["external_id"], CidrBlock="10.96.250.0/24")
        return self._run(name, subnet["Subnet"]["SubnetId"])

    def put_disk(self, machine: str) -> None:
        made = self.client("ec2").create_volume(AvailabilityZone=self.zone, Size=1, VolumeType="gp3")
        while self.client("ec2").describe_volumes(VolumeIds=[made["VolumeId"]])["Volumes"][0]["State"] == "creating":
            time.sleep(0.01)
        self.client("ec2").attach_volume(VolumeId=made["VolumeId"], InstanceId=machine, Device="/dev/sdo")

    def hold(self, volume: Mapping[str, Any]) -> str:
        holder = self._run(f"somebody-elses-{uuid.uuid4().hex[:6]}", self._subnet("backend"))
        self.client("ec2").get_waiter("instance_running").wait(
            InstanceIds=[holder], WaiterConfig={"Delay": 1, "MaxAttempts": 30}
        )
        self.client("ec2").attach_volume(VolumeId=volume["external_id"], InstanceId=holder, Device="/dev/sdf")
        return holder

    def release(self, machine: str, volume: Mapping[str, Any]) -> None:
        self.client("ec2").detach_volume(VolumeId=volume["external_id"], InstanceId=machine)

    def snapshot(self, machine: str) -> None:
        for mapping in self.instance(machine)["BlockDeviceMappings"]:
            self.client("ec2").create_snapshot(VolumeId=mapping["Ebs"]["VolumeId"])

    def disown(self, machine: str) -> None:
        tags = [{"Key": "escale:deployment", "Value": str(uuid.uuid4())}]
        self.client("ec2").create_tags(Resources=[machine], Tags=tags)

    def copy_machine(self, machine: str) -> None:
        found = self.instance(machine)
        self.client("ec2").run_instances(
            ImageId=found["ImageId"], InstanceType=found["InstanceType"], MinCount=1, MaxCount=1,
            SubnetId=found["SubnetId"],
            TagSpecifications=[{"ResourceType": "instance", "Tags": found["Tags"]}],
        )  # fmt: skip

    def destroy_machine(self, machine: str) -> None:
        self.client("ec2").terminate_instances(InstanceIds=[machine])

    def write(self, volume: Mapping[str, Any], content: bytes) -> None:
        # Nothing holds the bytes of a simulated volume: that it is the same volume stands for that they are the same.
        assert self._exists(volume["external_id"])
        self._bytes[volume["external_id"]] = content

    def read(self, volume: Mapping[str, Any], size: int) -> bytes:
        assert self._exists(volume["external_id"])
        return self._bytes[volume["external_id"]][:size]

    def userdata(self, machine: str) -> str:
        told = self.client("ec2").describe_instance_attribute(InstanceId=machine, Attribute="userData")
        return guest.unpack(base64.b64decode(told["UserData"]["Value"]))

    def instance_id(self, machine: str) -> str:
        # EC2's id is for life: the agent takes a document in anew when its digest is another one.
        return hashlib.sha256(self.userdata(machine).encode()).hexdigest()

    def machines(self) -> int:
        return sum(
            1 for each in self.instances() if "escale:deployment" in {tag["Key"] for tag in each.get("Tags", [])}
        )

    # boto3's side

    @property
    def zone(self) -> str:
        return self.aws.region + "a"

    def client(self, service: str, **changes: Any) -> Any:
        if service in self._clients and not changes:
            return self._clients[service]
        key = self.aws.credentials["keys"][0]
        settings: dict[str, Any] = {
            "region_name": self.aws.region,
            "endpoint_url": self.aws.url,
            "aws_access_key_id": key["id"],
            "aws_secret_access_key": key["secret"],
            "verify": self.aws.ready["ca_file"],
            **changes,
        }
        made = boto3.client(service, **settings)  # type: ignore[call-overload]
        if not changes:
            self._clients[service] = made
        return made

    def instances(self) -> list[Any]:
        pages = self.client("ec2").get_paginator("describe_instances").paginate()
        found = [each for page in pages for reservation in page["Reservations"] for each in reservation["Instances"]]
        return [each for each in found if each["State"]["Name"] not in ("shutting-down", "terminated")]

    def instance(self, machine: str) -> Any:
        return self.client("ec2").describe_instances(InstanceIds=[machine])["Reservations"][0]["Instances"][0]

    def tagged(self, deployment: str) -> list[str]:
        """Return all that carries a deployment's id, by each service's own look at tags."""
        ec2, elb = self.client("ec2"), self.client("elbv2")
        ours = [{"Name": "tag:escale:deployment", "Values": [deployment]}]
        lines = [
            f"{listing} {thing}"
            for look, listing in (
                ("describe_volumes", "Volumes"),
                ("describe_vpcs", "Vpcs"),
                ("describe_subnets", "Subnets"),
                ("describe_security_groups", "SecurityGroups"),
                ("describe_internet_gateways", "InternetGateways"),
                ("describe_network_interfaces", "NetworkInterfaces"),
                ("describe_addresses", "Addresses"),
            )
            for thing in getattr(ec2, look)(Filters=ours)[listing]
        ]
        tag = {"Key": "escale:deployment", "Value": deployment}
        lines += [f"instance {each['InstanceId']}" for each in self.instances() if tag in each.get("Tags", [])]
        arns = [each["LoadBalancerArn"] for each in elb.describe_load_balancers()["LoadBalancers"]]
        arns += [each["TargetGroupArn"] for each in elb.describe_target_groups()["TargetGroups"]]
        for arn in arns:
            tags = elb.describe_tags(ResourceArns=[arn])["TagDescriptions"][0]["Tags"]
            lines += [f"elb {arn}" for tag in tags if tag["Value"] == deployment]
        return lines

    def _run(self, name: str, subnet: str) -> str:
        image = self.client("ec2").describe_images(Owners=["self"])["Images"][0]["ImageId"]
        made = self.client("ec2").run_instances(
            ImageId=image, InstanceType="t3.micro", MinCount=1, MaxCount=1, SubnetId=subnet,
            TagSpecifications=[{"ResourceType": "instance", "Tags": [{"Key": "Name", "Value": name}]}],
        )  # fmt: skip
        return str(made["Instances"][0]["InstanceId"])

    def _subnet(self, name: str) -> str:
        found = self.client("ec2").describe_subnets(Filters=[{"Name": "tag:Name", "Values": [name]}])["Subnets"]
        return str(found[0]["SubnetId"])

    def _exists(self, volume: str) -> bool:
        return bool(self.client("ec2").describe_volumes(VolumeIds=[volume])["Volumes"])
