"""What speaks against an action, found without doing anything."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from connectors.aws import machine, networks, quotas
from connectors.aws.cloud import Cloud
from connectors.aws.making import size_for
from connectors.aws.volumes import LARGEST_GIB
from connectors.base import ConnectorError
from engine.findings import Finding
from engine.plan import Action


def check(cloud: Cloud, action: Action) -> list[Finding]:
    """Look for what an action needs and the region lacks, and whether the quotas have room for it."""
    looks = {
        "machine.create": _machine,
        "network.create": _network,
        "volume.create": _volume,
        "folder.create": _folder,
        "balancer.create": _balancer,
    }.get(action.verb)
    if looks is None:
        return []
    findings: list[Finding] = []
    for look in looks(cloud, action):
        try:
            look()
        except ConnectorError as error:
            findings.append(Finding(error.code, "error", error.message))
    return findings


_Looks = Iterator[Callable[[], object]]


def _machine(cloud: Cloud, action: Action) -> _Looks:
    wanted = machine.desired(action)
    yield lambda: cloud.image(wanted.template)
    yield lambda: cloud.zone(wanted.cluster)
    yield lambda: cloud.volume_type(wanted.datastore)
    yield lambda: size_for(cloud, wanted)

    def quota() -> None:
        size = size_for(cloud, wanted)
        _room(cloud, "spot_vcpus" if wanted.spot else "vcpus", size.cpus, f"{wanted.name} of type {size.name}", "vCPUs")

    yield quota


def _network(cloud: Cloud, action: Action) -> _Looks:
    if not action.spec["managed"]:
        yield lambda: networks.existing(cloud, str(action.spec["name"]))
    elif action.spec.get("subnet"):
        yield lambda: networks.usable(str(action.spec["subnet"]))


def _volume(cloud: Cloud, action: Action) -> _Looks:
    size = int(action.spec["size_gib"])

    def largest() -> None:
        if size > LARGEST_GIB:
            raise ConnectorError(
                "cloud.no_space",
                f"{action.resource} cannot have {size} GiB - EBS ends at {LARGEST_GIB} GiB - make it smaller",
                permanent=True,
            )
        kind = cloud.volume_type(action.spec.get("datastore"))
        if kind in quotas.VOLUME_QUOTAS:
            _room(cloud, quotas.VOLUME_QUOTAS[kind], size, action.resource, "GiB")

    yield largest


def _folder(cloud: Cloud, action: Action) -> _Looks:
    yield lambda: _room(cloud, "vpcs", 1, "The deployment's VPC", "VPCs")


def _balancer(cloud: Cloud, action: Action) -> _Looks:
    yield lambda: _room(cloud, "balancers", 1, action.resource, "network load balancers")


def _room(cloud: Cloud, name: str, needed: float, what: str, unit: str) -> None:
    known = {quota.name: quota for quota in cloud.cached("quotas", 10.0, lambda: quotas.facts(cloud))}
    quota = known.get(name)
    if quota is not None and quota.used + needed > quota.limit:
        raise ConnectorError(
            "cloud.no_space",
            f"{what} does not fit - the account may use {quota.limit:g} {unit} and uses {quota.used:g} - ask AWS for a "
            f"higher quota ({quota.code}) or free some",
            permanent=True,
        )
