"""Inventory for placement, and health: who we are, how the region answers, what we may not do there."""

from __future__ import annotations

import statistics
import time
from collections.abc import Mapping
from typing import Any

from connectors.aws import guest, markers, quotas
from connectors.aws.cloud import VOLUME_TYPES, Cloud, Facts
from connectors.aws.faults import Complaint
from connectors.aws.making import disk_gib
from connectors.base import ConnectorError, Health
from engine.findings import Finding
from engine.observed import ClusterFact, DatastoreFact, Inventory, NetworkFact, QuotaFact, TemplateFact

_SKEW_S = 30.0
_MHZ = 2500
_MIB_PER_VCPU = 8192
_UNKNOWN_VCPUS = 1024
_UNKNOWN_GIB = 51200.0
_NO_ID = "00000000000000000"

# What the verbs need, asked for without doing it (DryRun). Permissions of services without DryRun are tried by reading.
PERMISSIONS: dict[str, Mapping[str, Any]] = {
    "RunInstances": {"ImageId": f"ami-{_NO_ID}", "MinCount": 1, "MaxCount": 1, "InstanceType": "t3.micro"},
    "StartInstances": {"InstanceIds": [f"i-{_NO_ID}"]},
    "StopInstances": {"InstanceIds": [f"i-{_NO_ID}"]},
    "TerminateInstances": {"InstanceIds": [f"i-{_NO_ID}"]},
    "ModifyInstanceAttribute": {"InstanceId": f"i-{_NO_ID}", "InstanceType": {"Value": "t3.micro"}},
    "ModifyNetworkInterfaceAttribute": {"NetworkInterfaceId": f"eni-{_NO_ID}", "Groups": [f"sg-{_NO_ID}"]},
    "CreateVolume": {"AvailabilityZone": "", "Size": 1},
    "ModifyVolume": {"VolumeId": f"vol-{_NO_ID}", "Size": 2},
    "AttachVolume": {"VolumeId": f"vol-{_NO_ID}", "InstanceId": f"i-{_NO_ID}", "Device": "/dev/sdf"},
    "DetachVolume": {"VolumeId": f"vol-{_NO_ID}"},
    "DeleteVolume": {"VolumeId": f"vol-{_NO_ID}"},
    "CreateVpc": {"CidrBlock": "10.96.0.0/16"},
    "AssociateVpcCidrBlock": {},
    "DeleteVpc": {"VpcId": f"vpc-{_NO_ID}"},
    "CreateSubnet": {"VpcId": f"vpc-{_NO_ID}", "CidrBlock": "10.96.0.0/24"},
    "DeleteSubnet": {"SubnetId": f"subnet-{_NO_ID}"},
    "CreateInternetGateway": {},
    "AttachInternetGateway": {"InternetGatewayId": f"igw-{_NO_ID}", "VpcId": f"vpc-{_NO_ID}"},
    "DetachInternetGateway": {"InternetGatewayId": f"igw-{_NO_ID}", "VpcId": f"vpc-{_NO_ID}"},
    "DeleteInternetGateway": {"InternetGatewayId": f"igw-{_NO_ID}"},
    "CreateRoute": {"RouteTableId": f"rtb-{_NO_ID}", "DestinationCidrBlock": "0.0.0.0/0", "GatewayId": f"igw-{_NO_ID}"},
    "CreateSecurityGroup": {"GroupName": "escale-probe", "Description": "never made", "VpcId": f"vpc-{_NO_ID}"},
    "AuthorizeSecurityGroupIngress": {"GroupId": f"sg-{_NO_ID}"},
    "RevokeSecurityGroupIngress": {"GroupId": f"sg-{_NO_ID}"},
    "DeleteSecurityGroup": {"GroupId": f"sg-{_NO_ID}"},
    "CreateTags": {"Resources": [f"i-{_NO_ID}"], "Tags": [{"Key": "escale:probe", "Value": ""}]},
    "DeleteTags": {"Resources": [f"i-{_NO_ID}"]},
    "DescribeInstances": {},
    "DescribeInstanceStatus": {},
    "DescribeInstanceTypes": {},
    "DescribeImages": {"Owners": ["self"]},
    "DescribeVolumes": {},
    "DescribeSubnets": {},
    "DescribeVpcs": {},
    "DescribeSecurityGroups": {},
    "DescribeInternetGateways": {},
    "DescribeRouteTables": {},
    "DescribeNetworkInterfaces": {},
    "DescribeAvailabilityZones": {},
    "AllocateAddress": {},
    "AssociateAddress": {},
    "DisassociateAddress": {},
    "ReleaseAddress": {},
    "DescribeAddresses": {},
}
_NO_DRY_RUN = frozenset({"AssociateVpcCidrBlock"})


def inventory(cloud: Cloud) -> Inventory:
    """Return what placement needs to know of the region."""
    instances, volumes = cloud.instances(), cloud.volumes()
    known = quotas.facts(cloud, instances, volumes)
    by_name = {quota.name: quota for quota in known}
    running = sum(1 for each in instances if each["State"]["Name"] in ("running", "pending"))
    return Inventory(
        templates=tuple(_template(cloud, image) for image in _newest(cloud.images())),
        clusters=tuple(_zone(cloud, name, by_name.get("vcpus"), instances) for name in cloud.zones()),
        datastores=tuple(_volume_type(name, by_name, volumes) for name in VOLUME_TYPES),
        networks=tuple(_network(subnet) for subnet in cloud.subnets() if "deployment" not in markers.read(subnet)),
        machines=running,
        sizes=cloud.sizes(),
        quotas=known,
        userdata_bytes=guest.MAX_BYTES,
    )


def _newest(images: list[Facts]) -> list[Facts]:
    """Keep the newest image of each name: that is what a name means."""
    names: dict[str, Facts] = {}
    for image in images:
        names.setdefault(str(image.get("Name") or image["ImageId"]), image)
    return list(names.values())


def _template(cloud: Cloud, image: Facts) -> TemplateFact:
    # An image has no size of its own; a machine of it may be as small as the smallest type.
    smallest = cloud.sizes()[0] if cloud.sizes() else None
    return TemplateFact(
        id=image["ImageId"],
        name=str(image.get("Name") or image["ImageId"]),
        cpus=1,
        memory_mib=min(512, smallest.memory_mib) if smallest else 512,
        disk_gib=disk_gib(image) or 8,
        guest=str(image.get("PlatformDetails") or image.get("Platform") or "Linux/UNIX"),
        container_host=cloud.container_host(image),
    )


def _zone(cloud: Cloud, name: str, quota: QuotaFact | None, instances: list[Facts]) -> ClusterFact:
    """Describe a zone: what runs in it, and what the rest of the region's quota of vCPUs lets it take.

    AWS tells nothing of hosts, so there are none; the memory there is beyond what machines have is an assumption that
    placement needs, and nobody is shown.
    """
    here = [each for each in instances if (each.get("Placement") or {}).get("AvailabilityZone") == name]
    used = quotas.vcpus(cloud, here, spot=False)
    everywhere = int(quota.used) if quota else quotas.vcpus(cloud, instances, spot=False)
    free = max(0, (int(quota.limit) if quota else _UNKNOWN_VCPUS) - everywhere)
    memory_mib = _memory_mib(cloud, here)
    return ClusterFact(
        id=name,
        name=name,
        hosts=0,
        cpus=max(1, used + free),
        cpu_mhz=max(1, used + free) * _MHZ,
        cpu_used_mhz=used * _MHZ,
        memory_mib=memory_mib + max(1, free) * _MIB_PER_VCPU,
        memory_used_mib=memory_mib,
    )


def _memory_mib(cloud: Cloud, instances: list[Facts]) -> int:
    running = [each for each in instances if each["State"]["Name"] in ("running", "pending")]
    sizes = [cloud.size_of(str(each["InstanceType"])) for each in running]
    return sum(size.memory_mib for size in sizes if size)


def _volume_type(name: str, known: Mapping[str, QuotaFact], volumes: list[Facts]) -> DatastoreFact:
    quota = known.get(quotas.VOLUME_QUOTAS.get(name, ""))
    limit = quota.limit if quota else _UNKNOWN_GIB
    used = float(sum(volume["Size"] for volume in volumes if volume["VolumeType"] == name))
    return DatastoreFact(id=name, name=name, type="EBS", capacity_gib=limit, free_gib=max(0.0, limit - used))


def _network(subnet: Facts) -> NetworkFact:
    return NetworkFact(subnet["SubnetId"], markers.read(subnet).get("Name") or subnet["SubnetId"], "subnet")


# Health


def probe(cloud: Cloud) -> Health:
    """Say who we are, how fast the region answers, whose clock is wrong and which permissions are missing."""
    latencies: list[float] = []
    began = time.monotonic()
    identity = cloud.account.call("sts", "GetCallerIdentity")
    latencies.append(time.monotonic() - began)
    for _ in range(2):
        began = time.monotonic()
        cloud.ec2("DescribeAvailabilityZones")
        latencies.append(time.monotonic() - began)
    skew_s = round(cloud.account.transport.skew_s, 1)
    lacking = missing_permissions(cloud)
    findings: list[Finding] = []
    if lacking:
        message = f"The credential lacks {', '.join(lacking)} - deployments need these - grant them in IAM"
        findings.append(Finding("cloud.permission", "error", message))
    if abs(skew_s) > _SKEW_S:
        message = (
            f"The clocks differ by {skew_s:g} s - signatures are refused beyond five minutes - set the portal's clock"
        )
        findings.append(Finding("cloud.clock_skew", "warning", message))
    if not cloud.sizes():
        message = "No instance type may be chosen - the cloud's setting types allows none - correct it"
        findings.append(Finding("cloud.invalid", "error", message))
    facts = {
        "product": "Amazon Web Services",
        "version": "EC2 2016-11-15",
        "api_version": "2016-11-15",
        "instance_uuid": f"{identity['Account']}/{cloud.account.region}",
        "account": identity["Account"],
        "arn": identity.get("Arn", ""),
        "region": cloud.account.region,
        "zones": cloud.zones(),
        "latency_ms": round(statistics.median(latencies) * 1000, 1),
        "clock_skew_s": skew_s,
        "missing_permissions": lacking,
    }
    ok = not any(finding.severity == "error" for finding in findings)
    summary = f"AWS {cloud.account.region}, account {identity['Account']}"
    return Health(ok, summary if ok else findings[0].message, facts, tuple(findings))


def missing_permissions(cloud: Cloud) -> list[str]:
    """Return the permissions that the credential lacks, by their IAM names."""
    lacking: list[str] = []
    zone = cloud.zones()[0] if cloud.zones() else ""
    for action, params in PERMISSIONS.items():
        if action in _NO_DRY_RUN:
            continue
        told = {**params, "AvailabilityZone": zone} if "AvailabilityZone" in params else dict(params)
        if _refused(cloud, "ec2", action, **told, DryRun=True):
            lacking.append(f"ec2:{action}")
    for service, prefix, action, params in (
        ("elbv2", "elasticloadbalancing", "DescribeLoadBalancers", {"PageSize": 1}),
        ("elbv2", "elasticloadbalancing", "DescribeTargetGroups", {"PageSize": 1}),
        ("service-quotas", "servicequotas", "GetServiceQuota", {"ServiceCode": "ec2", "QuotaCode": "L-1216C47A"}),
    ):
        if _refused(cloud, service, action, **params):
            lacking.append(f"{prefix}:{action}")
    return lacking


def _refused(cloud: Cloud, service: str, action: str, **params: Any) -> bool:
    try:
        cloud.account.call(service, action, **params)
    except Complaint as complaint:
        return complaint.code in ("UnauthorizedOperation", "AccessDenied", "AccessDeniedException")
    except ConnectorError as error:
        if error.code == "cloud.invalid":
            return False
        raise
    return False
