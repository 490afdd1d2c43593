"""Make plans, show what they would do and why, and start them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from apps.blueprints.models import Blueprint, BlueprintVersion
from apps.blueprints.services import load_project
from apps.blueprints.source import excerpts
from apps.clouds.models import Cloud
from apps.clouds.services import capacity, find_cloud
from apps.deployments import services, showing
from apps.deployments.across import placed_services
from apps.deployments.forms import PlanForm
from apps.deployments.models import Deployment, Plan
from apps.deployments.planning import default_name
from apps.deployments.regions import Region, cloud_of, regions_of
from apps.tenancy.access import Principal, require
from apps.tenancy.faults import Fault
from apps.tenancy.models import Role
from apps.tenancy.pages import enter_project, find, flash_fault, page
from engine.compose import ComposeError
from engine.compose import Project as Drawing

SECTION = {"section": "deployments"}


@require_http_methods(["GET", "POST"])
@page
def deploy(request: HttpRequest, principal: Principal, design_id: Any) -> HttpResponseBase:
    """Ask where a design should go and under which name, then plan it."""
    blueprint: Blueprint = find(Blueprint.objects.select_related("project__organization"), principal, pk=design_id)
    enter_project(request, blueprint.project)
    require(principal, Role.ARCHITECT, blueprint.project)
    version = _version(principal, blueprint, request.GET.get("version") or request.POST.get("version"))
    drawing = _drawing(version)
    images = showing.missing_images(drawing.services() if drawing else {}, {})
    regions = regions_of(drawing) if drawing else []
    region = _region(request, regions)
    name = default_name(blueprint.name, region)
    form = PlanForm(images, request.POST if request.method == "POST" else None, initial={"name": name})
    refused: Fault | None = None
    if request.method == "POST" and form.is_valid():
        try:
            plan = services.make_plan(
                principal,
                project=blueprint.project,
                version=version,
                cloud=find_cloud(principal, request.POST.get("cloud", "")),
                name=form.cleaned_data["name"],
                images=form.images(),
                region=region,
            )
        except Fault as error:
            refused = error
        else:
            return redirect("plan", plan.pk)
    chosen = request.POST.get("cloud") or request.GET.get("cloud") or ""
    clouds: list[dict[str, Any]] = [
        {"cloud": cloud, "room": capacity(cloud), "usable": showing.usable(cloud)}
        for cloud in Cloud.objects.visible_to(principal).usable_by(blueprint.project).order_by("name")
    ]
    placed = placed_services(drawing, blueprint.project) if drawing and not region else {}
    # The main cloud is drawn too then: asking for the cloud of everything else would ask for nothing's.
    drawn_main = cloud_of(drawing, region) if drawing and placed else ""
    all_placed = drawn_main in placed and sum(map(len, placed.values())) == len(drawing.services() if drawing else ())
    if all_placed:
        chosen = drawn_main
    if not chosen:
        drawn = cloud_of(drawing, region) if drawing else ""
        chosen = drawn if any(item["cloud"].name == drawn for item in clouds) else ""
    if not chosen:
        best = max(clouds, key=showing.readiness, default=None)
        chosen = best["cloud"].name if best else ""
    context = {
        "blueprint": blueprint,
        "version": version,
        "clouds": clouds,
        "chosen": chosen,
        "regions": regions,
        "region": region,
        "drawn_clouds": {found.cloud for found in regions if found.cloud},
        "placed": placed,
        "all_placed": all_placed,
        "form": form,
        "refused": refused,
        "is_admin": principal.may(Role.ADMIN),
    }
    status = refused.status if refused else (422 if form.errors else 200)
    return render(request, "deployments/deploy.html", {"section": "designs"} | context, status=status)


@require_http_methods(["GET", "POST"])
@page
def update(request: HttpRequest, principal: Principal, deployment_id: Any) -> HttpResponseBase:
    """Ask for the version that a deployment should become, then plan it."""
    deployment = _deployment(request, principal, deployment_id)
    require(principal, Role.ARCHITECT, deployment.project)
    blueprint = deployment.version.blueprint
    version = _version(principal, blueprint, request.POST.get("version") or request.GET.get("version"))
    drawing = _drawing(version)
    images = showing.missing_images(drawing.services() if drawing else {}, deployment.images)
    form = PlanForm(images, request.POST if request.method == "POST" else None, named=False)
    refused: Fault | None = None
    # A post that only changes the version asks for its images first.
    if request.method == "POST" and "plan" in request.POST and form.is_valid():
        try:
            plan = services.make_plan(
                principal,
                project=deployment.project,
                version=version,
                cloud=deployment.cloud,
                deployment=deployment,
                images=form.images(),
            )
        except Fault as error:
            refused = error
        else:
            return redirect("plan", plan.pk)
    context = {
        "deployment": deployment,
        "blueprint": blueprint,
        "version": version,
        "versions": list(blueprint.versions.order_by("-number")[:100]),
        "form": form,
        "refused": refused,
    }
    return render(request, "deployments/update.html", SECTION | context, status=refused.status if refused else 200)


@require_POST
@page
def destroy(request: HttpRequest, principal: Principal, deployment_id: Any) -> HttpResponseBase:
    """Plan the removal of a deployment; the plan's page names what goes and asks for a yes."""
    deployment = _deployment(request, principal, deployment_id)
    require(principal, Role.ARCHITECT, deployment.project)
    try:
        plan = services.make_destroy_plan(principal, deployment)
    except Fault as error:
        flash_fault(request, error)
        return redirect("deployment", deployment.pk)
    return redirect("plan", plan.pk)


@require_GET
@page
def detail(request: HttpRequest, principal: Principal, plan_id: Any) -> HttpResponseBase:
    """Show what a plan would do, each change with its cause, and what becomes of each line of the source."""
    return _show(request, principal, _plan(request, principal, plan_id))


def _show(request: HttpRequest, principal: Principal, plan: Plan, refused: Fault | None = None) -> HttpResponse:
    body = plan.body
    shares = showing.shares(plan)
    titles = {share.cloud.name: str(share.cloud) for share in shares}
    harmless, destructive = showing.groups(plan, titles)
    lines: list[Any] = []
    elsewhere: list[Any] = []
    if plan.version is not None and plan.purpose == "apply":
        lines, elsewhere = showing.ledger_lines(plan.version.text, showing.titled(body["ledger"], titles))
    lost = [change for change in destructive if change["data_loss"]]
    blocked = any(finding["severity"] == "error" for finding in body["findings"])
    deployment = Deployment.objects.visible_to(principal).filter(pk=plan.deployment_id).first()
    told = excerpts(plan.version.text if plan.version else "", showing.titled(body["findings"], titles))
    context = {
        "plan": plan,
        "body": body,
        "deployment": deployment,
        "groups": harmless,
        "destructive": destructive,
        "lost": lost,
        "must_type": _must_be_typed(plan),
        "excerpts": [item for item in told if item.finding["severity"] != "info"],
        "remarks": [item for item in told if item.finding["severity"] == "info"],
        "blocked": blocked,
        "empty": not body["actions"],
        "only_released": bool(body["actions"])
        and all(action["verb"] == "machine.release" for action in body["actions"]),
        "left_alone": any(finding["code"] == "plan.drift_kept" for finding in body["findings"]),
        "shares": shares,
        "several": shares if len(shares) > 1 else [],
        "crossings": showing.titled(body.get("crossings", ()), titles),
        "lines": lines,
        "elsewhere": elsewhere,
        "verdicts": showing.verdicts(body["ledger"]),
        "label": showing.start_label(plan),
        "may_start": principal.may(Role.ARCHITECT, plan.project),
        "started": plan.operation_id is not None,
        "refused": refused,
    }
    return render(request, "deployments/plan.html", SECTION | context, status=refused.status if refused else 200)


@require_GET
@page
def freshness(request: HttpRequest, principal: Principal, plan_id: Any) -> HttpResponseBase:
    """Ask the cloud whether the plan still fits; apart from the page, since a cloud may be slow."""
    plan = _plan(request, principal, plan_id)
    context: dict[str, Any] = {"plan": plan}
    if plan.operation_id is None:
        try:
            context["stale"] = services.is_stale(plan)
        except Fault as error:
            context["unknown"] = error
    return render(request, "deployments/_freshness.html", context)


@require_POST
@page
def again(request: HttpRequest, principal: Principal, plan_id: Any) -> HttpResponseBase:
    """Make the plan anew from what is there now."""
    plan = _plan(request, principal, plan_id)
    require(principal, Role.ARCHITECT, plan.project)
    deployment = Deployment.objects.visible_to(principal).filter(pk=plan.deployment_id).first()
    try:
        if plan.purpose == "destroy" and deployment is not None:
            fresh = services.make_destroy_plan(principal, deployment)
        else:
            assert plan.version is not None
            fresh = services.make_plan(
                principal,
                project=plan.project,
                version=plan.version,
                cloud=plan.cloud,
                deployment=deployment,
                name=None if deployment else plan.deployment_name,
                images=plan.images,
                region=plan.region,
            )
    except Fault as error:
        flash_fault(request, error)
        return redirect("plan", plan.pk)
    messages.info(request, _("Planned again from what is there now."))
    return redirect("plan", fresh.pk)


@require_POST
@page
def start(request: HttpRequest, principal: Principal, plan_id: Any) -> HttpResponseBase:
    """Start a plan; what destroys data needs the name typed."""
    plan = _plan(request, principal, plan_id)
    require(principal, Role.ARCHITECT, plan.project)
    lost = any(change["data_loss"] for change in plan.body["changes"])
    typed = request.POST.get("confirm", "").strip() == plan.deployment_name
    if _must_be_typed(plan) and not typed:
        messages.error(request, _("Type %(name)s to confirm; nothing was changed.") % {"name": plan.deployment_name})
        return redirect("plan", plan.pk)
    try:
        _deployment, operation = services.start(principal, plan, accept_data_loss=lost and typed)
    except Fault as error:
        plan.refresh_from_db()
        return _show(request, principal, plan, refused=error)
    return redirect("operation", operation.pk)


def _must_be_typed(plan: Plan) -> bool:
    """Tell whether the name must be typed: when data goes, and when a whole deployment does."""
    if plan.purpose == "destroy":
        return bool(plan.body["actions"])
    return any(change["data_loss"] for change in plan.body["changes"])


def _plan(request: HttpRequest, principal: Principal, plan_id: Any) -> Plan:
    rows = Plan.objects.select_related(
        "project__organization", "cloud__organization", "version__blueprint__project__organization", "created_by"
    )
    plan: Plan = find(rows, principal, pk=plan_id)
    enter_project(request, plan.project)
    return plan


def _deployment(request: HttpRequest, principal: Principal, deployment_id: Any) -> Deployment:
    rows = Deployment.objects.select_related(
        "project__organization", "cloud__organization", "version__blueprint__project__organization"
    )
    deployment: Deployment = find(rows, principal, pk=deployment_id)
    enter_project(request, deployment.project)
    return deployment


def _version(principal: Principal, blueprint: Blueprint, number: str | None) -> BlueprintVersion:
    rows = BlueprintVersion.objects.select_related("blueprint__project__organization").filter(blueprint=blueprint)
    if number and number.isascii() and number.isdigit() and len(number) < 9:
        found: BlueprintVersion = find(rows, principal, number=int(number))
        return found
    latest = rows.order_by("-number").first()
    assert latest is not None  # a blueprint is made together with its first version
    return latest


def _drawing(version: BlueprintVersion) -> Drawing | None:
    try:
        return load_project(version)
    except ComposeError:
        return None


def _region(request: HttpRequest, regions: Sequence[Region]) -> str:
    """Return the region that is asked for; at first all of them where each names its cloud, else the first one."""
    if request.method == "POST":
        return request.POST.get("region", "")[:200]
    first = regions[0].name if regions and not all(found.cloud for found in regions) else ""
    return request.GET.get("region", first)[:200]
