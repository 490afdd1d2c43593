"""What an account may still use: quotas with their use."""

from __future__ import annotations

from collections.abc import Iterable

from connectors.aws import balancers
from connectors.aws.cloud import Cloud, Facts
from connectors.aws.faults import Complaint
from engine.observed import QuotaFact

# name -> service, code: https://docs.aws.amazon.com/general/latest/gr/aws-service-information.html
CODES: dict[str, tuple[str, str]] = {
    "vcpus": ("ec2", "L-1216C47A"),
    "spot_vcpus": ("ec2", "L-34B43A08"),
    "vpcs": ("vpc", "L-F678F1CE"),
    "volumes_gib": ("ebs", "L-7A658B76"),
    "volumes_gp2_gib": ("ebs", "L-D18FCD1D"),
    "balancers": ("elasticloadbalancing", "L-69A177A2"),
    "firewalls": ("vpc", "L-E79EC296"),
    "addresses": ("ec2", "L-0263D0A3"),
}
VOLUME_QUOTAS = {"gp3": "volumes_gib", "gp2": "volumes_gp2_gib"}
_AGE_S = 300.0
_GIB_PER_TIB = 1024
# The quotas are about the families A, C, D, H, I, M, R, T and Z; these begin with such a letter and have their own.
_STANDARD = "acdhimrtz"
_OWN = ("dl", "hpc", "inf", "mac", "trn")


def limits(cloud: Cloud) -> dict[str, float]:
    """Return the limits by name. One that may not be read, or that the region lacks, is left out."""

    def look() -> dict[str, float]:
        found: dict[str, float] = {}
        for name, (service, code) in CODES.items():
            try:
                told = cloud.account.call("service-quotas", "GetServiceQuota", ServiceCode=service, QuotaCode=code)
            except Complaint:
                continue
            value = float(told["Quota"]["Value"])
            found[name] = value * _GIB_PER_TIB if name.endswith("_gib") else value
        return found

    return cloud.cached("limits", _AGE_S, look)


def facts(
    cloud: Cloud, instances: Iterable[Facts] | None = None, volumes: Iterable[Facts] | None = None
) -> tuple[QuotaFact, ...]:
    """Return quotas with what is used of them now."""
    known = limits(cloud)
    instances = list(cloud.instances() if instances is None else instances)
    volumes = list(cloud.volumes() if volumes is None else volumes)
    used = {
        "vcpus": vcpus(cloud, instances, spot=False),
        "spot_vcpus": vcpus(cloud, instances, spot=True),
        "vpcs": len(cloud.vpcs()) if "vpcs" in known else 0,
        "balancers": sum(1 for each in balancers.all_of(cloud) if each.get("Type") == "network")
        if "balancers" in known
        else 0,
        "firewalls": len(cloud.groups()) if "firewalls" in known else 0,
        "addresses": len(cloud.ec2("DescribeAddresses")["Addresses"]) if "addresses" in known else 0,
        **{
            name: sum(volume["Size"] for volume in volumes if volume["VolumeType"] == kind)
            for kind, name in VOLUME_QUOTAS.items()
        },
    }
    if not cloud.option("public_addresses", True):
        known = {name: limit for name, limit in known.items() if name != "addresses"}  # machines get none
    return tuple(
        QuotaFact(name, known[name], float(used[name]), code) for name, (_, code) in CODES.items() if name in known
    )


def vcpus(cloud: Cloud, instances: Iterable[Facts], *, spot: bool) -> int:
    """Return the vCPUs of the machines that count for a quota: those that run."""
    total = 0
    for instance in instances:
        if instance["State"]["Name"] not in ("running", "pending"):
            continue
        kind = str(instance["InstanceType"])
        if (instance.get("InstanceLifecycle") == "spot") != spot or kind[0] not in _STANDARD or kind.startswith(_OWN):
            continue
        size = cloud.size_of(kind)
        total += size.cpus if size else 0
    return total
