"""Turn a drawing into the resources of a target, with a ledger of how each key fared."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from engine.collector import paused_collector
from engine.compose.model import Project
from engine.findings import Finding
from engine.observed import Target
from engine.plan import Requirements
from engine.realise import regions
from engine.realise.declared import read_declarations
from engine.realise.desired import Desired
from engine.realise.extension import read_extensions
from engine.realise.machines import realise_machines
from engine.realise.notes import Notes, in_order
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
    *,
    region: str | None = None,
) -> Desired:
    """Return what a drawing becomes on a target; equal input gives equal output.

    ``policy`` may hold the keys of ``Target.defaults`` and overrules them; ``x-escale`` overrules both. It may also
    hold ``reserved_subnets`` (CIDRs that others use on the target) and ``secret_marks`` (secret -> text that changes
    with its content and tells nothing of it, such as a keyed digest: by it a plan notices new contents). ``images``:
    service -> image, for services that only say how to build, or instead of the drawn one. ``prior``: the resources
    that were applied last, by key (``resources.to_json``), so that containers, addresses and disks stay where they
    are; where only a placement is known, workload ("web/1") -> machine key. ``region``: the only region of the drawing
    that is realised; without one, a drawing of several is realised whole, with the warning
    ``realise.regions_joined``. One that the drawing does not have is the error ``realise.region_unknown``.

    Raises nothing for a drawing: what cannot be done is an error finding (``realise.*``, ``placement.*``).
    """
    if region:
        if region not in regions.names(project):
            return _unknown_region(project, region)
        with paused_collector():
            return _one_region(project, target, owner, policy, images, prior, region)
    desired = _whole(project, target, owner, policy, images, prior)
    drawn = regions.names(project)
    if len(drawn) < 2:
        return desired
    notes = Notes(project)
    notes.finding(
        "realise.regions_joined",
        "warning",
        f"The drawing has {len(drawn)} regions ({', '.join(drawn[:8])}), and all of it is planned for this one cloud: "
        "choose a region to plan that alone, and plan the others for their clouds.",
        ("x-escale", "regions"),
    )
    return replace(desired, findings=_ranked((*desired.findings, *notes.findings)))


def _whole(
    project: Project,
    target: Target,
    owner: Owner,
    policy: Mapping[str, Any],
    images: Mapping[str, str],
    prior: Mapping[str, Any] | None,
) -> Desired:
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


def _one_region(
    project: Project,
    target: Target,
    owner: Owner,
    policy: Mapping[str, Any],
    images: Mapping[str, str],
    prior: Mapping[str, Any] | None,
    region: str,
) -> Desired:
    notes = Notes(project)
    extensions = read_extensions(project)
    notes.extend(extensions.findings)
    everything = project.services()
    read_declarations(extensions, everything, notes)
    for crossing in regions.crossings(project, region):
        notes.ledger(crossing.path, crossing.verdict, crossing.reason, crossing.code)
    here = regions.part(project, region)
    services = here.services()
    if len(services) < len(everything):
        others = [name for name in regions.names(project) if name != region]
        notes.finding(
            "realise.region_part",
            "info",
            f"Only the region {region} is planned, with {len(services)} of {len(everything)} services; plan "
            f"{', '.join(others[:8])} for their clouds.",
            ("x-escale", "regions", region),
        )
    given = {name: image for name, image in images.items() if name in services or name not in everything}
    desired = _whole(here, target, owner, policy, given, prior)
    ours = [finding for finding in notes.findings if _concerns(finding.path, here)]
    told = {(finding.code, finding.path) for finding in ours}
    more = [finding for finding in desired.findings if (finding.code, finding.path) not in told]
    return replace(
        desired,
        findings=_ranked((*ours, *more)),
        ledger=in_order((*notes.entries, *desired.ledger)),
    )


def _concerns(path: tuple[str | int, ...], here: Project) -> bool:
    """Tell whether what is said of a node of the whole drawing matters to one region's part of it."""
    if path[:2] == ("x-escale", "machines") and len(path) > 2:
        return path[2] in (here.extensions()["x-escale"].get("machines") or {})
    if len(path) > 1 and path[0] in ("services", "volumes", "networks"):
        return path[1] in (here.config.get(str(path[0])) or {})
    return True


def _ranked(findings: tuple[Finding, ...]) -> tuple[Finding, ...]:
    return tuple(sorted(findings, key=lambda finding: ("error", "warning", "info").index(finding.severity)))


def _unknown_region(project: Project, region: str) -> Desired:
    known = regions.names(project)
    have = f"choose one of {', '.join(known[:20])}" if known else "it has none (x-escale: {regions: ...})"
    finding = Finding(
        "realise.region_unknown",
        "error",
        f"The drawing has no region {region[:80]!r}, so there is nothing to plan for it: {have}.",
        ("x-escale", "regions"),
    )
    return Desired({}, (), (finding,), Requirements())


def _replicas(service: Mapping[str, Any]) -> int:
    deploy = service.get("deploy") or {}
    count = service.get("scale", deploy.get("replicas", 1))
    return count if isinstance(count, int) else 1
