"""Take drawings as text: pasted, uploaded or dropped, checked as one types."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST

from apps.blueprints import files as supplied
from apps.blueprints import services, source
from apps.blueprints.forms import Drawing, DrawingForm, VersionForm, environment_text, read_drawing
from apps.blueprints.models import BlueprintVersion
from apps.blueprints.views.found import SECTION, design_of, latest_of
from apps.tenancy.access import Principal, require
from apps.tenancy.faults import Fault
from apps.tenancy.models import Role
from apps.tenancy.pages import current_project, find, page
from apps.tenancy.querysets import as_uuid


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
    blueprint = design_of(request, principal, design_id)
    require(principal, Role.ARCHITECT, blueprint.project)
    last = latest_of(blueprint)
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
        require(principal, Role.ARCHITECT, previous.blueprint.project)  # findings repeat what its files hold
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
