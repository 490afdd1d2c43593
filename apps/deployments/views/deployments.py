"""Show what runs where, and what it consists of."""

from __future__ import annotations

from typing import Any

from django.db.models import Max, prefetch_related_objects
from django.http import HttpRequest, HttpResponseBase
from django.shortcuts import redirect, render
from django.views.decorators.http import require_GET

from apps.deployments import showing
from apps.deployments.across import further_clouds, parts_of
from apps.deployments.models import Deployment, DriftReport
from apps.operations.models import Operation
from apps.tenancy.access import Principal
from apps.tenancy.models import Role
from apps.tenancy.pages import current_project, enter_project, find, page, rows_of

SECTION = {"section": "deployments"}
FILTERS = {
    "": None,
    "running": ["running"],
    "changing": ["new", "deploying", "updating", "destroying"],
    "failed": ["failed"],
    "destroyed": ["destroyed"],
}


@require_GET
@page
def index(request: HttpRequest, principal: Principal) -> HttpResponseBase:
    """List the project's deployments, the newest first."""
    project = current_project(request)
    wanted = request.GET.get("state", "")
    query = request.GET.get("q", "").strip()
    rows = Deployment.objects.visible_to(principal).whole().filter(project=project)
    rows = rows.filter(state__in=FILTERS[wanted]) if FILTERS.get(wanted) else rows.exclude(state="destroyed")
    if query:
        rows = rows.filter(name__icontains=query[:63])
    rows = rows.select_related("cloud", "version__blueprint", "created_by", "drift_report").prefetch_related(
        further_clouds()
    )
    context = {
        "rows": rows_of(request, rows),
        "wanted": wanted,
        "query": query,
        "project": project,
        "may_write": principal.may(Role.ARCHITECT, project),
        "may_adopt": principal.may(Role.ARCHITECT, project) and principal.may(Role.ARCHITECT),
        "any": bool(wanted or query) or Deployment.objects.filter(project=project).exists(),
    }
    return render(request, "deployments/list.html", SECTION | context)


@require_GET
@page
def detail(request: HttpRequest, principal: Principal, deployment_id: Any) -> HttpResponseBase:
    """Show a deployment: what exists of it, where it came from, what was done to it."""
    deployment: Deployment = find(
        Deployment.objects.select_related("project__organization", "cloud", "version__blueprint", "created_by"),
        principal,
        pk=deployment_id,
    )
    enter_project(request, deployment.project)
    if deployment.parent_id is not None:  # what it has on one more cloud is shown inside of the whole
        return redirect("deployment", deployment.parent_id)
    everywhere = [deployment, *parts_of(deployment)]
    prefetch_related_objects(everywhere, "resources")
    operations = list(Operation.objects.visible_to(principal).about("deployment", deployment.pk)[:8])
    drift = DriftReport.objects.filter(deployment=deployment).first()
    latest = deployment.version.blueprint.versions.aggregate(latest=Max("number"))["latest"]
    context = {
        "deployment": deployment,
        "contents": showing.contents(everywhere, drift.body if drift and drift.state == "drifted" else None),
        "everywhere": everywhere if len(everywhere) > 1 else [],
        "down": [one.cloud for one in everywhere if (one.cloud.health or {}).get("ok") is False],
        "crossings": showing.crossings_of(operations, everywhere),
        "operations": operations,
        "under_way": next((one for one in operations if one.finished_at is None), None),
        "latest": latest,
        "may_write": principal.may(Role.ARCHITECT, deployment.project),
        "gone": deployment.state == "destroyed",
        "all_adopted": showing.all_adopted(everywhere),
        "price": showing.price_of_all(everywhere),
        "drift": drift,
        "writable": drift is not None and any(one["writable"] for one in drift.body.get("differences", ())),
    }
    return render(request, "deployments/detail.html", SECTION | context)
