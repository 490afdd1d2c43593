"""What an account holds before anybody works with it: images, a network, and machines that nobody may touch."""

from __future__ import annotations

from collections.abc import Mapping

from sandbox.aws.upstream import Upstream
from sandbox.aws.wire import Element, Request

IMAGES = ("escale-container-host-debian-12", "escale-container-host-ubuntu-24.04", "legacy-windows")
SUBNETS = {"frontend": "172.20.1.0/24", "backend": "172.20.2.0/24"}


def plant(upstream: Upstream, region: str, access_key: str) -> None:
    """Fill one region of the account that a key belongs to."""
    scope = (
        f"AWS4-HMAC-SHA256 Credential={access_key}/20260101/{region}/ec2/aws4_request, SignedHeaders=host, Signature=0"
    )
    request = Request("POST", "/", {"authorization": scope}, b"", {}, {})

    def ask(action: str, kind: str = "", name: str = "", **params: str) -> Element:
        told = {key.replace("_", "."): value for key, value in params.items()}
        return upstream.ask(request, action, {**told, **(_named(kind, name) if kind else {})})

    for name in IMAGES:
        ask("RegisterImage", Name=name, RootDeviceName="/dev/sda1", Architecture="x86_64", Description="sandbox")
    vpc = ask("CreateVpc", "vpc", "corporate", CidrBlock="172.20.0.0/16").findtext(".//vpcId") or ""
    first = ""
    for name, cidr in SUBNETS.items():
        made = ask("CreateSubnet", "subnet", name, VpcId=vpc, CidrBlock=cidr, AvailabilityZone=region + "a")
        first = first or made.findtext(".//subnetId") or ""
    image = ask("DescribeImages", Owner_1="self").findtext(".//imageId") or ""
    for name in ("payroll-1", "payroll-2"):
        ask(
            "RunInstances", "instance", name, ImageId=image, InstanceType="t3.micro", MinCount="1", MaxCount="1",
            SubnetId=first,
        )  # fmt: skip


def _named(kind: str, name: str) -> Mapping[str, str]:
    return {
        "TagSpecification.1.ResourceType": kind,
        "TagSpecification.1.Tag.1.Key": "Name",
        "TagSpecification.1.Tag.1.Value": name,
    }
