"""Hold plans to what a cloud may be used for: its limits, and whom its owner lets use it."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Mapping
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from apps.clouds import holdings, limits
from apps.clouds.holdings import Holding
from apps.clouds.models import Cloud
from apps.deployments.models import Deployment, Plan, Resource
from apps.operations.models import Operation
from apps.tenancy.faults import fault
from apps.tenancy.models import Project
from engine.findings import Finding

_UNSETTLED = ("new", "deploying", "updating", "failed")
_FIELDS = {"cpus": "spec__cpus", "memory_mib": "spec__memory_mib", "disk_gib": "spec__system_disk_gib"}
_LABELS = {
    "machines": gettext_lazy("machines"),
    "cpus": gettext_lazy("CPUs"),
    "memory_gib": gettext_lazy("GiB of memory"),
    "disk_gib": gettext_lazy("GiB of disk"),
}


def holdings_on(cloud: Cloud) -> list[Holding]:
    """Return what each deployment has on a cloud, or may have by the time its operation ends.

    While one changes, and after one failed (it may be tried again), the larger of what is recorded and what its last
    started plan asks for counts.
    """
    rows = list(
        Deployment.objects.filter(cloud=cloud)
        .exclude(state="destroyed")
        .values_list("pk", "project", "project__organization", "name", "state", "parent")
    )
    recorded = _recorded(row[0] for row in rows)
    asked = _asked({row[5] or row[0] for row in rows if row[4] in _UNSETTLED})
    return [
        Holding(
            key,
            project,
            organization,
            name,
            limits.larger(recorded.get(key, {}), asked.get(key, {}) if state in _UNSETTLED else {}),
        )
        for key, project, organization, name, state, _parent in rows
    ]


def check(plan: Plan) -> None:
    """Refuse a plan that its clouds have no leave or no room for; call it in the transaction that starts the plan.

    The clouds stay locked to the end of that transaction, so that two plans cannot pass side by side. Faults:
    `cloud.limit_reached`, `cloud.not_shared`, `cloud.unknown`.
    """
    if plan.purpose != "apply":
        return  # what takes away needs neither
    shares = _shares(plan.body, plan.cloud_id, plan.deployment_id)
    wanted = {cloud_id for cloud_id, *_ in shares}
    found = Cloud.objects.present().select_for_update(of=("self",), no_key=True).filter(pk__in=wanted).order_by("pk")
    clouds = {cloud.pk: cloud for cloud in found}
    for cloud_id, deployment_id, requirements in shares:
        cloud = clouds.get(cloud_id)
        if cloud is None:
            raise fault("cloud.unknown", name=str(cloud_id))
        if not usable(cloud, plan.project):
            raise fault("cloud.not_shared", cloud=cloud.name)
        excesses = _excesses(cloud, deployment_id, requirements)
        if excesses:
            raise fault(
                "cloud.limit_reached",
                cloud=cloud.name,
                figures=_figures(excesses),
                extra={"cloud": cloud.name, "exceeded": [excess.to_json() for excess in excesses]},
            )


def findings(body: Mapping[str, Any], cloud: Cloud, deployment_id: uuid.UUID) -> list[tuple[Cloud, Finding]]:
    """Return a warning for each cloud whose limits a plan would pass as things are; starting it decides."""
    found = []
    for cloud_id, own, requirements in _shares(body, cloud.pk, deployment_id):
        target = cloud if cloud_id == cloud.pk else Cloud.objects.filter(pk=cloud_id).first()
        if target is None or not target.limits:
            continue
        excesses = _excesses(target, own, requirements)
        if excesses:
            text = _(
                "%(cloud)s may hold no more: %(figures)s. This plan cannot be started until something is destroyed "
                "there, or its administrators raise the limit."
            ) % {"cloud": target.name, "figures": _figures(excesses)}
            found.append((target, Finding("cloud.limit_reached", "warning", text)))
    return found


def usable(cloud: Cloud, project: Project) -> bool:
    """Tell whether a project may deploy to a cloud."""
    return Cloud.objects.usable_by(project).filter(pk=cloud.pk).exists()


def _shares(
    body: Mapping[str, Any], cloud_id: uuid.UUID, deployment_id: uuid.UUID
) -> list[tuple[uuid.UUID, uuid.UUID, Mapping[str, Any]]]:
    """Return (cloud, deployment, requirements) of each part of a plan."""
    parts = body.get("parts")
    if not parts:
        return [(cloud_id, deployment_id, body.get("requirements") or {})]
    return [
        (uuid.UUID(part["cloud"]["id"]), uuid.UUID(part["deployment"]), part.get("requirements") or {})
        for part in parts
    ]


def _excesses(cloud: Cloud, deployment_id: uuid.UUID, requirements: Mapping[str, Any]) -> list[limits.Excess]:
    if not cloud.limits:
        return []
    held = holdings.on(cloud)
    others = [holding.requirements for holding in held if holding.deployment != deployment_id]
    # Not what its own last plan asked for: that may be the very plan that is to be started.
    before = _recorded([deployment_id]).get(deployment_id)
    return limits.exceeded(cloud.limits, others, requirements, before)


def _figures(excesses: Iterable[limits.Excess]) -> str:
    return "; ".join(
        _("%(held)s of %(limit)s %(what)s are taken, and %(wanted)s are asked for")
        % {
            "held": _number(excess.held),
            "limit": _number(excess.limit),
            "what": str(_LABELS[excess.kind]),
            "wanted": _number(excess.wanted),
        }
        for excess in excesses
    )


def _number(value: float) -> str:
    return f"{value:g}" if value < 1_000_000 else f"{value:.0f}"


def _recorded(deployments: Iterable[uuid.UUID]) -> dict[uuid.UUID, dict[str, float]]:
    sums: dict[uuid.UUID, dict[str, float]] = {}
    rows = Resource.objects.filter(deployment__in=list(deployments), kind__in=("machine", "volume"))
    for key, kind, cpus, memory, system, size in rows.values_list(
        "deployment", "kind", *_FIELDS.values(), "spec__size_gib"
    ):
        mine = sums.setdefault(key, dict.fromkeys(("machines", "cpus", "memory_mib", "disk_gib"), 0.0))
        if kind == "volume":
            mine["disk_gib"] += float(size or 0)
            continue
        mine["machines"] += 1
        mine["cpus"] += float(cpus or 0)
        mine["memory_mib"] += float(memory or 0)
        mine["disk_gib"] += float(system or 0)
    return sums


def _asked(roots: set[uuid.UUID]) -> dict[uuid.UUID, Mapping[str, Any]]:
    """Return what the last started plan of deployments asks for, by deployment or part of one."""
    rows = Plan.objects.filter(deployment_id__in=roots, operation_id__isnull=False, purpose="apply")
    found = list(rows.values_list("deployment_id", "operation_id", "cloud_id", "body__requirements", "body__parts"))
    started = dict(Operation.objects.filter(pk__in=[row[1] for row in found]).values_list("pk", "created_at"))
    last: dict[uuid.UUID, Any] = {}
    for row in found:
        known = last.get(row[0])
        if row[1] in started and (known is None or started[row[1]] > started[known[1]]):
            last[row[0]] = row
    asked: dict[uuid.UUID, Mapping[str, Any]] = {}
    for root, _operation, cloud_id, requirements, parts in last.values():
        body = {"requirements": requirements, "parts": parts}
        asked |= {deployment: share for _cloud, deployment, share in _shares(body, cloud_id, root)}
    return asked
