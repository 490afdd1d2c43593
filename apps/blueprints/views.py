"""Show and take drawings: the list, the editor with its checks, versions and what changed between them."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.db.models import Max
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from apps.blueprints import files as supplied
from apps.blueprints import services, source
from apps.blueprints.forms import Drawing, DrawingForm, VersionForm, environment_text, read_drawing
from apps.blueprints.models import Blueprint, BlueprintVersion
from apps.tenancy.access import Principal, require
from apps.tenancy.faults import Fault
from apps.tenancy.models import Role
from apps.tenancy.pages import current_project, enter_project, find, flash_fault, page, rows_of
from apps.tenancy.querysets import as_uuid
from engine.compose import ComposeError

SECTION = {"section": "designs"}


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
    context = {
        "rows": rows_of(request, designs),
        "query": query,
        "may_write": principal.may(Role.ARCHITECT, project),
        "project": project,
    }
    return render(request, "blueprints/list.html", SECTION | context)


@require_http_methods(["GET", "POST"])
@page
def new(request: HttpRequest, principal: Principal) -> HttpResponseBase:
    """Take a new drawing: pasted, uploaded, or dropped on the page."""
    project = current_project(request)
    require(principal, Role.ARCHITECT, project)
    if request.method == "GET":
        return _editor(request, DrawingForm(), Drawing())
    form = DrawingForm(request.POST)
    drawing = Drawing(text=request.POST.get("compose", ""), environment_text=request.POST.get("environment", ""))
    try:
        drawing = read_drawing(request)
        if not form.is_valid():
            return _editor(request, form, drawing, status=422, findings=_check(drawing))
        blueprint = services.create_blueprint(
            principal,
            project,
            name=form.cleaned_data["name"],
            description=form.cleaned_data["description"],
            compose=drawing.text,
            files=drawing.files,
            environment=drawing.environment,
        )
    except Fault as error:
        return _editor(request, form, drawing, status=error.status, refused=error)
    messages.success(request, _("Design “%(name)s” was saved as version 1.") % {"name": blueprint.name})
    return redirect("design", blueprint.pk)


@require_http_methods(["GET", "POST"])
@page
def edit(request: HttpRequest, principal: Principal, design_id: Any) -> HttpResponseBase:
    """Take a new version of a drawing."""
    blueprint = _design(request, principal, design_id)
    require(principal, Role.ARCHITECT, blueprint.project)
    last = _latest(blueprint)
    context: dict[str, Any] = {
        "blueprint": blueprint,
        "last": last,
        "previous_files": list(last.files.order_by("path")),
    }
    if request.method == "GET":
        drawing = Drawing(last.text, environment_text=environment_text(supplied.environment_of(last)))
        drawing.kept = [file.path for file in context["previous_files"]]
        return _editor(request, VersionForm(), drawing, **context)
    form = VersionForm(request.POST)
    drawing = Drawing(text=request.POST.get("compose", ""), environment_text=request.POST.get("environment", ""))
    try:
        drawing = read_drawing(request, last)
        if not form.is_valid():
            return _editor(request, form, drawing, status=422, findings=_check(drawing), **context)
        saved = services.save_version(
            principal,
            blueprint,
            compose=drawing.text,
            files=drawing.files,
            environment=drawing.environment,
            message=form.cleaned_data["message"],
        )
    except Fault as error:
        return _editor(request, form, drawing, status=error.status, refused=error, **context)
    if saved.number == last.number:
        messages.info(request, _("Nothing has changed, so no new version was made."))
    else:
        messages.success(request, _("Version %(number)d was saved.") % {"number": saved.number})
    return redirect("design", blueprint.pk)


@require_POST
@page
def validate(request: HttpRequest, principal: Principal) -> HttpResponseBase:
    """Check the text that is being written, and answer what is wrong with it, line by line."""
    previous = None
    if request.POST.get("previous"):
        known = BlueprintVersion.objects.select_related("blueprint__project__organization")
        previous = find(known, principal, pk=as_uuid(request.POST["previous"]))
    try:
        drawing = read_drawing(request, previous)
    except Fault as error:
        return render(request, "blueprints/_findings.html", {"refused": error})
    findings = _check(drawing) if drawing.text.strip() else []
    return render(request, "blueprints/_findings.html", _sorted(drawing.text, findings))


def _check(drawing: Drawing) -> list[dict[str, Any]]:
    found = services.validate(drawing.text, files=drawing.files, environment=drawing.environment)
    return [finding.to_json() for finding in found]


def _sorted(text: str, findings: list[dict[str, Any]]) -> dict[str, Any]:
    return {
        "checked": bool(text.strip()),
        "excerpts": source.excerpts(text, findings),
        "errors": sum(finding["severity"] == "error" for finding in findings),
        "warnings": sum(finding["severity"] == "warning" for finding in findings),
    }


def _editor(
    request: HttpRequest,
    form: DrawingForm | VersionForm,
    drawing: Drawing,
    *,
    status: int = 200,
    findings: list[dict[str, Any]] | None = None,
    refused: Fault | None = None,
    **context: Any,
) -> HttpResponse:
    if refused is not None and refused.findings:
        findings, refused = refused.to_json()["findings"], None
    for control in form.fields.values():
        control.widget.attrs.setdefault("class", "input")
    if status == 200 and drawing.text:
        findings = _check(drawing)
    body = {"form": form, "drawing": drawing, "refused": refused, **_sorted(drawing.text, findings or [])}
    return render(request, "blueprints/edit.html", SECTION | body | context, status=status)


@require_GET
@page
def detail(request: HttpRequest, principal: Principal, design_id: Any) -> HttpResponseBase:
    """Show a design by its latest version."""
    blueprint = _design(request, principal, design_id)
    return _show(request, principal, blueprint, _latest(blueprint))


@require_GET
@page
def version(request: HttpRequest, principal: Principal, design_id: Any, number: int) -> HttpResponseBase:
    """Show a design as it was."""
    blueprint = _design(request, principal, design_id)
    return _show(request, principal, blueprint, _version(principal, blueprint, number))


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
def versions(request: HttpRequest, principal: Principal, design_id: Any) -> HttpResponseBase:
    """List the versions of a design, any two of which can be compared."""
    blueprint = _design(request, principal, design_id)
    rows = rows_of(request, BlueprintVersion.objects.visible_to(principal).filter(blueprint=blueprint)
                   .select_related("created_by").order_by("-number"))  # fmt: skip
    return render(request, "blueprints/versions.html", SECTION | {"blueprint": blueprint, "rows": rows})


@require_GET
@page
def diff(request: HttpRequest, principal: Principal, design_id: Any) -> HttpResponseBase:
    """Show what changed between two versions, the last two by default."""
    blueprint = _design(request, principal, design_id)
    latest = _latest(blueprint)
    newer = _version(principal, blueprint, _number(request.GET.get("to"), latest.number))
    older = _version(principal, blueprint, _number(request.GET.get("from"), max(1, newer.number - 1)))
    lines = source.difference(older.text, newer.text)
    context = {
        "blueprint": blueprint,
        "older": older,
        "newer": newer,
        "lines": lines,
        "added": sum(line.kind == "added" for line in lines),
        "removed": sum(line.kind == "removed" for line in lines),
        "values_differ": supplied.environment_of(older) != supplied.environment_of(newer),
        "numbers": list(blueprint.versions.values_list("number", flat=True)),
    }
    return render(request, "blueprints/diff.html", SECTION | context)


@require_GET
@page
def download(request: HttpRequest, principal: Principal, design_id: Any, number: int) -> HttpResponseBase:
    """Give the text back byte for byte."""
    blueprint = _design(request, principal, design_id)
    shown = _version(principal, blueprint, number)
    return HttpResponse(
        shown.text.encode(),
        content_type="application/yaml; charset=utf-8",
        headers={"Content-Disposition": f'attachment; filename="{blueprint.name}-v{number}.compose.yaml"'},
    )


@require_http_methods(["GET", "POST"])
@page
def delete(request: HttpRequest, principal: Principal, design_id: Any) -> HttpResponseBase:
    """Ask, then delete a design with its history."""
    blueprint = _design(request, principal, design_id)
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


def _design(request: HttpRequest, principal: Principal, design_id: Any) -> Blueprint:
    blueprint: Blueprint = find(
        Blueprint.objects.select_related("project__organization", "created_by"), principal, pk=design_id
    )
    enter_project(request, blueprint.project)
    return blueprint


def _latest(blueprint: Blueprint) -> BlueprintVersion:
    latest = blueprint.versions.select_related("created_by").order_by("-number").first()
    assert latest is not None  # a blueprint is made together with its first version
    latest.blueprint = blueprint
    return latest


def _version(principal: Principal, blueprint: Blueprint, number: int) -> BlueprintVersion:
    found: BlueprintVersion = find(
        BlueprintVersion.objects.select_related("created_by"), principal, blueprint=blueprint, number=number
    )
    found.blueprint = blueprint
    return found


def _number(text: str | None, default: int) -> int:
    return int(text) if text and text.isascii() and text.isdigit() and len(text) < 9 else default
