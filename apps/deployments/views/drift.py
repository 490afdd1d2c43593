"""Look at drift on request, and take one of the two ways out of it; both are shown before anything changes."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponseBase
from django.shortcuts import render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST

from apps.blueprints import source
from apps.deployments import mending, watching
from apps.deployments.models import Deployment
from apps.tenancy.access import Principal, require
from apps.tenancy.faults import Fault
from apps.tenancy.models import Role
from apps.tenancy.pages import back, enter_project, find, flash_fault, page

SECTION = {"section": "deployments"}


@require_POST
@page
def check(request: HttpRequest, principal: Principal, deployment_id: Any) -> HttpResponseBase:
    """Look at the cloud now, and come back to the deployment."""
    deployment = _deployment(request, principal, deployment_id)
    try:
        watching.check(principal, deployment)
    except Fault as error:
        flash_fault(request, error)
    return back(request, "deployment", deployment_id=deployment.pk)


@require_POST
@page
def restore(request: HttpRequest, principal: Principal, deployment_id: Any) -> HttpResponseBase:
    """Plan what puts the drawing's values back, and go on to the plan."""
    deployment = _deployment(request, principal, deployment_id)
    try:
        plan = mending.restore(principal, deployment)
    except Fault as error:
        flash_fault(request, error)
        return back(request, "deployment", deployment_id=deployment.pk)
    return back(request, "plan", plan_id=plan.pk)


@require_http_methods(["GET", "POST"])
@page
def write_back(request: HttpRequest, principal: Principal, deployment_id: Any) -> HttpResponseBase:
    """Show what would be written into the drawing, and write it."""
    deployment = _deployment(request, principal, deployment_id)
    base = request.POST.get("base_version", "")
    refused: Fault | None = None
    if request.method == "POST":
        try:
            kept = mending.write_back(
                principal, deployment, keep=True, base_version=int(base) if base.isdecimal() else None
            )
        except Fault as error:
            refused = error
        else:
            assert kept.version is not None
            messages.success(
                request, _("Version %(number)d says what is on the cloud.") % {"number": kept.version.number}
            )
            return back(request, "deployment", deployment_id=deployment.pk)
    made = mending.write_back(principal, deployment, keep=False)
    lines = source.difference(made.base.text, made.written.text)
    context = {
        "deployment": deployment,
        "made": made,
        "lines": lines if made.written.made else [],
        "refused": refused,
    }
    return render(request, "deployments/write_back.html", SECTION | context, status=refused.status if refused else 200)


def _deployment(request: HttpRequest, principal: Principal, deployment_id: Any) -> Deployment:
    rows = Deployment.objects.select_related("project__organization", "cloud", "version__blueprint")
    deployment: Deployment = find(rows, principal, pk=deployment_id)
    enter_project(request, deployment.project)
    require(principal, Role.ARCHITECT, deployment.project)
    return deployment
