"""Turn a drawing into the resources of a target, with a ledger of how each key fared."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from engine.collector import paused_collector
from engine.compose.model import Project
from engine.findings import Finding
from engine.observed import Target
from engine.plan import Requirements
from engine.realise.desired import Desired
from engine.realise.machines import realise_machines
from engine.resources import Owner

__all__ = ["MAX_CONTAINERS", "Desired", "realise"]

MAX_CONTAINERS = 20_000
"""More in one drawing would keep a web process busy for seconds, for everybody."""


def realise(
    project: Project,
    target: Target,
    owner: Owner,
    policy: Mapping[str, Any],
    images: Mapping[str, str],
    prior: Mapping[str, Any] | None = None,
) -> Desired:
    """Return what a drawing becomes on a target; equal input gives equal output.

    ``policy`` may hold the keys of ``Target.defaults`` and overrules them; ``x-escale`` overrules both. It may also
    hold ``reserved_subnets`` (CIDRs that others use on the target) and ``secret_marks`` (secret -> text that changes
    with its content and tells nothing of it, such as a keyed digest: by it a plan notices new contents). ``images``:
    service -> image, for services that only say how to build, or instead of the drawn one. ``prior``: the resources
    that were applied last, by key (``resources.to_json``), so that containers, addresses and disks stay where they
    are; where only a placement is known, workload ("web/1") -> machine key.

    Raises nothing for a drawing: what cannot be done is an error finding (``realise.*``, ``placement.*``).
    """
    containers = sum(_replicas(service) for service in project.services().values())
    if containers > MAX_CONTAINERS:
        finding = Finding(
            "realise.too_many_containers",
            "error",
            f"The drawing asks for {containers:,} containers - at most {MAX_CONTAINERS:,} are planned in one - lower "
            "the replicas, or divide it into several drawings.",
            ("services",),
        )
        return Desired({}, (), (finding,), Requirements())
    with paused_collector():
        return realise_machines(project, target, owner, policy, images, prior)


def _replicas(service: Mapping[str, Any]) -> int:
    deploy = service.get("deploy") or {}
    count = service.get("scale", deploy.get("replicas", 1))
    return count if isinstance(count, int) else 1
