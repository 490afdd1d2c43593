"""Compare what a drawing needs with what a cloud allows: better said before than by a step that fails."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from engine.findings import Finding
from engine.observed import QuotaFact
from engine.resources import Balancer, Firewall, Folder, Machine, Network, Resource, Volume, from_json

_WHAT = {
    "vcpus": "CPUs",
    "spot_vcpus": "CPUs of spot machines",
    "machines": "machines",
    "vpcs": "VPCs",
    "volumes_gib": "GiB of volumes",
    "firewalls": "security groups",
    "balancers": "balancers",
    "addresses": "public addresses of machines with several network cards",
}


def check(quotas: Iterable[QuotaFact], resources: Iterable[Resource], prior: Mapping[str, Any]) -> list[Finding]:
    """Return an error ``placement.quota`` for each limit that what is new would exceed.

    ``prior``: what was applied last, by key; it counts as used already.
    """
    before = needed(_read(prior))
    after = needed(resources)
    findings = []
    for quota in quotas:
        more = after.get(quota.name, 0) - before.get(quota.name, 0)
        if more <= 0 or quota.used + more <= quota.limit:
            continue
        code = f", quota {quota.code}" if quota.code else ""
        findings.append(
            Finding(
                "placement.quota",
                "error",
                f"This cloud allows {quota.limit:,g} {_WHAT.get(quota.name, quota.name)}{code}: {quota.used:,g} are "
                f"used, and the drawing needs {more:,g} more, so that it could be made only in part. Ask the cloud's "
                "provider for a higher quota and synchronise the cloud, ask for less, or destroy what nobody needs.",
            )
        )
    return findings


def needed(resources: Iterable[Resource]) -> dict[str, int]:
    """Return how much of each limit resources take."""
    sums = dict.fromkeys(_WHAT, 0)
    resources = list(resources)
    public = {each.key for each in resources if isinstance(each, Network) and each.access == "public"}
    for resource in resources:
        match resource:
            case Machine(adopted=None):
                sums["spot_vcpus" if resource.spot else "vcpus"] += resource.cpus
                sums["machines"] += 1
                sums["volumes_gib"] += resource.system_disk_gib or 0
                # One with a single card gets an address along with it, which counts for no limit.
                sums["addresses"] += len(resource.nics) > 1 and resource.nics[0].network in public
            case Volume():
                sums["volumes_gib"] += resource.size_gib
            case Folder():
                sums["vpcs"] += 1
            case Firewall():
                sums["firewalls"] += 1
            case Network(managed=True):
                sums["firewalls"] += 1  # its members reach each other by a group of their own
            case Balancer():
                sums["balancers"] += 1
    return sums


def _read(prior: Mapping[str, Any]) -> Iterable[Resource]:
    for body in prior.values():
        if isinstance(body, Mapping):
            try:
                yield from_json(body)
            except (KeyError, TypeError, ValueError):
                continue  # of a form that nobody reads any more: counted as new, which errs on the safe side
