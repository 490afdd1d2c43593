"""Show designs: the list, one by its latest or an older version, its text, and its end."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.db.models import Max
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_http_methods

from apps.blueprints import drafts, services, source
from apps.blueprints.models import Blueprint, BlueprintVersion
from apps.blueprints.views.found import SECTION, design_of, latest_of, version_of
from apps.tenancy.access import Principal, require
from apps.tenancy.faults import Fault
from apps.tenancy.models import Role
from apps.tenancy.pages import current_project, flash_fault, page, rows_of
from engine.compose import ComposeError

SHOWN_DRAFTS = 20


@require_GET
@page
def index(request: HttpRequest, principal: Principal) -> HttpResponseBase:
    """List the project's designs, the latest change first."""
    project = current_project(request)
    query = request.GET.get("q", "").strip()
    designs = (
        Blueprint.objects.visible_to(principal)
        .filter(project=project)
        .select_related("created_by")
        .annotate(latest=Max("versions__number"))
    )
    if query:
        designs = designs.filter(name__icontains=query[:63])
    unfiltered = not query and not request.GET.get("cursor")
    context = {
        "rows": rows_of(request, designs),
        "drafts": drafts.changed_drafts(principal, project, SHOWN_DRAFTS) if unfiltered else [],
        "query": query,
        "may_write": principal.may(Role.ARCHITECT, project),
        "project": project,
    }
    return render(request, "blueprints/list.html", SECTION | context)


@require_GET
@page
def detail(request: HttpRequest, principal: Principal, design_id: Any) -> HttpResponseBase:
    """Show a design by its latest version."""
    blueprint = design_of(request, principal, design_id)
    return _show(request, principal, blueprint, latest_of(blueprint))


@require_GET
@page
def version(request: HttpRequest, principal: Principal, design_id: Any, number: int) -> HttpResponseBase:
    """Show a design as it was."""
    blueprint = design_of(request, principal, design_id)
    return _show(request, principal, blueprint, version_of(principal, blueprint, number))


def _show(
    request: HttpRequest, principal: Principal, blueprint: Blueprint, shown: BlueprintVersion
) -> HttpResponseBase:
    findings: list[dict[str, Any]] = []
    outline: list[dict[str, Any]] = []
    try:
        project = services.load_project(shown)
        findings = [finding.to_json() for finding in project.findings]
        outline = [_service(name, body) for name, body in project.services().items()]
    except ComposeError as error:  # a text that an older release took and this one refuses
        findings = [finding.to_json() for finding in error.findings]
    recent = list(blueprint.versions.select_related("created_by")[:6])
    context = {
        "blueprint": blueprint,
        "version": shown,
        "latest": recent[0],
        "is_latest": recent[0].number == shown.number,
        "lines": source.coloured(shown.text),
        "excerpts": source.excerpts(shown.text, findings),
        "outline": outline,
        "files": list(shown.files.order_by("path")),
        "recent": recent,
        "may_write": principal.may(Role.ARCHITECT, blueprint.project),
    }
    return render(request, "blueprints/detail.html", SECTION | context)


def _service(name: str, body: dict[str, Any]) -> dict[str, Any]:
    ports = [str(port.get("published") or port.get("target")) for port in body.get("ports") or []]
    return {
        "name": name,
        "image": body.get("image") or "",
        "build": "build" in body,
        "replicas": (body.get("deploy") or {}).get("replicas") or body.get("scale") or 1,
        "ports": ports,
    }


@require_GET
@page
def download(request: HttpRequest, principal: Principal, design_id: Any, number: int) -> HttpResponseBase:
    """Give the text back byte for byte."""
    blueprint = design_of(request, principal, design_id)
    shown = version_of(principal, blueprint, number)
    return HttpResponse(
        shown.text.encode(),
        content_type="application/yaml; charset=utf-8",
        headers={"Content-Disposition": f'attachment; filename="{blueprint.name}-v{number}.compose.yaml"'},
    )


@require_http_methods(["GET", "POST"])
@page
def delete(request: HttpRequest, principal: Principal, design_id: Any) -> HttpResponseBase:
    """Ask, then delete a design with its history."""
    blueprint = design_of(request, principal, design_id)
    require(principal, Role.ARCHITECT, blueprint.project)
    if request.method == "POST":
        name = blueprint.name
        try:
            services.delete_blueprint(principal, blueprint)
        except Fault as error:
            flash_fault(request, error)
            return redirect("design", design_id)
        messages.success(request, _("Design “%(name)s” was deleted.") % {"name": name})
        return redirect("designs")
    return render(request, "blueprints/delete.html", SECTION | {"blueprint": blueprint})
