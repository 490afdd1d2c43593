"""Pages on labels: what a cloud carries, its runs, and the report that one would show to a partner."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseBase, JsonResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_POST

from apps.clouds.models import Cloud
from apps.labels import issuing, reporting, running
from apps.labels.models import Label, Run
from apps.labels.standing import current, lifetime, standing
from apps.operations import views as operations
from apps.operations.models import Operation
from apps.tenancy.access import Principal, require
from apps.tenancy.faults import Fault
from apps.tenancy.models import Role
from apps.tenancy.pages import back, find, flash_fault, page, rows_of
from connectors.probing import of_kind

SECTION = {"section": "clouds"}


@require_GET
@page
def overview(request: HttpRequest, principal: Principal, name: str) -> HttpResponseBase:
    """Show a cloud's label, how it came to it, and all of its runs."""
    cloud = _cloud(principal, name)
    labels = list(
        Label.objects.filter(cloud=cloud).shown().select_related("cloud__organization", "run", "signed_by")[:20]
    )
    chosen = current(labels)
    runs = Run.objects.visible_to(principal).filter(cloud=cloud).select_related("operation")
    rows = rows_of(request, runs.prefetch_related("evidence", "labels"))
    own = cloud.organization_id == principal.organization.pk
    context = {
        "cloud": cloud,
        "label": chosen,
        "standing": standing(chosen) if chosen else None,
        "because": issuing.lost_because(chosen) if chosen and own else "",
        "candidate": next((row for row in labels if row.state == "candidate" and row is not chosen), None),
        "rows": rows,
        "pairs": [(run, reporting.summary(run)) for run in rows],
        "live": Run.objects.filter(cloud=cloud).live().first(),
        "offered": bool(of_kind(cloud.kind, cloud.flavour)),
        "own": own,
        "may_run": own and principal.may(Role.OPERATOR),
        "may_sign": own and principal.may(Role.ADMIN),
    }
    return render(request, "labels/overview.html", SECTION | context)


@require_POST
@page
def start(request: HttpRequest, principal: Principal, name: str) -> HttpResponseBase:
    """Begin a run, and show its progress."""
    require(principal, Role.OPERATOR)
    cloud = _cloud(principal, name)
    try:
        run = running.start(principal, cloud)
    except Fault as error:
        flash_fault(request, error)
        return redirect("cloud-label", cloud.name)
    return redirect("conformance", run.pk)


@require_GET
@page
def report(request: HttpRequest, principal: Principal, run_id: Any) -> HttpResponseBase:
    """Show a run: its progress while it is under way, and its report afterwards."""
    run = _run(principal, run_id)
    own = run.organization_id == principal.organization.pk
    if run.state == "running":
        return _progress(request, principal, run, own=own)
    label = reporting.label_of(run)
    context = {
        "run": run,
        "cloud": run.cloud,
        "rows": reporting.rows(run),
        "counts": reporting.summary(run),
        "label": label,
        "standing": standing(label) if label else None,
        "own": own,
        "for_partners": not own or request.GET.get("for") == "partners",
        "may_sign": own and principal.may(Role.ADMIN),
        "days": lifetime().days,
        "may_run": own and principal.may(Role.OPERATOR),
    }
    return render(request, "labels/report.html", SECTION | context)


def _progress(request: HttpRequest, principal: Principal, run: Run, *, own: bool) -> HttpResponseBase:
    visible = Operation.objects.visible_to(principal).filter(pk=run.operation_id).first() if own else None
    context: dict[str, Any] = {"run": run, "cloud": run.cloud, "operation": visible}
    if visible is not None:
        context |= operations.head_of(principal, visible) | operations.steps_of(request, visible)
        context["lanes"] = []  # each probe is a lane of its own: the list below says the same
    return render(request, "labels/running.html", SECTION | context)


@require_GET
@page
def progress(request: HttpRequest, principal: Principal, run_id: Any) -> HttpResponseBase:
    """Tell the page of a run that its end has come: it is shown anew, as a report."""
    run = _run(principal, run_id)
    if run.state == "running":
        return HttpResponse(status=204)
    return back(request, "conformance", run_id=run.pk)


@require_GET
@page
def export(request: HttpRequest, principal: Principal, run_id: Any) -> HttpResponseBase:
    """Hand out the report as a file: the edition for partners, or the full one to the owner's people."""
    run = _run(principal, run_id)
    own = run.organization_id == principal.organization.pk
    full = own and request.GET.get("edition") == "full"
    file = JsonResponse(reporting.report(run, "full" if full else "partner"), json_dumps_params={"indent": 2})
    name = f"conformance-{run.cloud.name}-{run.started_at:%Y-%m-%d}.json"
    file.headers["Content-Disposition"] = f'attachment; filename="{name}"'
    return file


@require_POST
@page
def sign(request: HttpRequest, principal: Principal, label_id: Any) -> HttpResponseBase:
    """Vouch for a run."""
    require(principal, Role.ADMIN)
    label = _label(principal, label_id)
    days = request.POST.get("days", "")
    try:
        issuing.sign(principal, label, request.POST.get("statement", ""), days=int(days) if days.isdecimal() else None)
    except Fault as error:
        flash_fault(request, error)
    else:
        messages.success(request, _("%(cloud)s is labelled.") % {"cloud": label.cloud})
    return redirect("conformance", label.run_id)


@require_POST
@page
def withdraw(request: HttpRequest, principal: Principal, label_id: Any) -> HttpResponseBase:
    """Take a label away."""
    require(principal, Role.ADMIN)
    label = _label(principal, label_id)
    try:
        issuing.withdraw(principal, label, request.POST.get("reason", ""))
    except Fault as error:
        flash_fault(request, error)
    else:
        messages.success(request, _("The label of %(cloud)s was withdrawn.") % {"cloud": label.cloud})
    return redirect("cloud-label", label.cloud.name)


def _cloud(principal: Principal, name: str) -> Cloud:
    found: Cloud = find(Cloud.objects.select_related("organization"), principal, name=name)
    return found


def _run(principal: Principal, run_id: Any) -> Run:
    found: Run = find(Run.objects.select_related("cloud__organization", "operation"), principal, pk=run_id)
    return found


def _label(principal: Principal, label_id: Any) -> Label:
    found: Label = find(Label.objects.select_related("cloud__organization", "run"), principal, pk=label_id)
    return found
