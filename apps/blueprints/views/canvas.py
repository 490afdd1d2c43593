"""Open drawings on the canvas: what is being drawn, an older version, a link that somebody shared."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponseBase
from django.middleware.csrf import get_token
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import get_language
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_http_methods

from apps.blueprints import drafts, sharing
from apps.blueprints.models import Blueprint, BlueprintVersion, Draft
from apps.blueprints.starting_points import TEMPLATES, find_template
from apps.blueprints.views.found import SECTION, design_of, latest_of, version_of
from apps.tenancy.access import Principal, require
from apps.tenancy.faults import Fault
from apps.tenancy.models import Project, Role
from apps.tenancy.pages import current_project, enter_project, flash_fault, page
from apps.tenancy.querysets import as_uuid


@require_GET
@page
def canvas(request: HttpRequest, principal: Principal, design_id: Any) -> HttpResponseBase:
    """Open a design for drawing: the principal's draft of it if there is one, else its latest version.

    Nothing is written by looking: the designer makes the draft at the first change. Who may not draw sees the latest
    version. `?deployment=` opens the view on what runs; the API decides whether the principal may see that.
    """
    blueprint = design_of(request, principal, design_id)
    own = None
    if principal.may(Role.ARCHITECT, blueprint.project):
        own = Draft.objects.visible_to(principal).select_related("project").filter(blueprint=blueprint).first()
    version = latest_of(blueprint)
    return _designer(request, principal, mode="draft", draft=own, version=version, title=blueprint.name)


@require_GET
@page
def version(request: HttpRequest, principal: Principal, design_id: Any, number: int) -> HttpResponseBase:
    """Open a version of a design, to look at."""
    blueprint = design_of(request, principal, design_id)
    shown = version_of(principal, blueprint, number)
    title = _("%(name)s, version %(number)d") % {"name": blueprint.name, "number": number}
    return _designer(request, principal, mode="version", version=shown, title=title)


@require_GET
@page
def new(request: HttpRequest, principal: Principal) -> HttpResponseBase:
    """Open an empty drawing, or one that starts from the `?template=` of a name.

    A template with files beside it is chosen on the page of templates, which keeps them in a draft.
    """
    project = current_project(request)
    require(principal, Role.ARCHITECT, project)
    name, text = "", ""
    if wanted := request.GET.get("template"):
        template = find_template(wanted)
        if template.files:
            return redirect(f"{reverse('design-templates')}#{template.name}")
        name, text = template.name, template.compose
    return _designer(request, principal, mode="draft", project=project, name=name, text=text, title=_("New design"))


@require_http_methods(["GET", "POST"])
@page
def templates(request: HttpRequest, principal: Principal) -> HttpResponseBase:
    """Offer the designs to start from; the one that is chosen becomes a draft, with its files."""
    project = current_project(request)
    require(principal, Role.ARCHITECT, project)
    if request.method == "POST":
        template = find_template(request.POST.get("template", ""))
        files = {path: text.encode() for path, text in template.files.items()}
        try:
            draft, _new = drafts.open_draft(
                principal, project, name=template.name, compose=template.compose, files=files
            )
        except Fault as error:
            flash_fault(request, error)
            return redirect("design-templates")
        return redirect("design-draft", draft.pk)
    context = {"templates": TEMPLATES.values(), "project": project}
    return render(request, "blueprints/templates.html", SECTION | context)


@require_GET
@page
def draft(request: HttpRequest, principal: Principal, draft_id: Any) -> HttpResponseBase:
    """Go on with a draft: the principal's own, with or without a design behind it."""
    found = drafts.find_draft(principal, draft_id)
    enter_project(request, found.project)
    require(principal, Role.ARCHITECT, found.project)
    if found.blueprint is not None:
        return redirect("design-canvas", found.blueprint.pk)
    return _designer(request, principal, mode="draft", draft=found, title=found.name or _("Draft"))


@require_http_methods(["GET", "POST"])
@page
def discard(request: HttpRequest, principal: Principal, draft_id: Any) -> HttpResponseBase:
    """Ask, then delete a draft; what was saved of it stays."""
    found = drafts.find_draft(principal, draft_id)
    enter_project(request, found.project)
    require(principal, Role.ARCHITECT, found.project)
    if request.method == "POST":
        found.delete()
        messages.success(request, _("The draft was discarded."))
        return redirect("designs")
    return render(request, "blueprints/discard.html", SECTION | {"draft": found})


@require_GET
@page
def shared(request: HttpRequest, principal: Principal, token: str) -> HttpResponseBase:
    """Open what somebody in the organization has shared by a link, to look at; no role in its project is needed."""
    shown = sharing.open_shared(principal, token)
    return _designer(request, principal, mode="shared", version=shown, title=shown.blueprint.name)


def _designer(
    request: HttpRequest,
    principal: Principal,
    *,
    mode: str,
    title: str,
    project: Project | None = None,
    version: BlueprintVersion | None = None,
    draft: Draft | None = None,
    name: str = "",
    text: str = "",
) -> HttpResponseBase:
    """Render the frame of the designer with what it must know at once (frontend/src/app/boot.ts)."""
    blueprint: Blueprint | None = version.blueprint if version is not None else None
    project = project or (draft.project if draft is not None else blueprint.project if blueprint is not None else None)
    known = project is not None and mode != "shared"  # a link opens the drawing, not the project that it is in
    if draft is not None:
        name, text, number = draft.name, draft.text, draft.base_version
    elif version is not None:
        name, text, number = version.blueprint.name, version.text, version.number
    else:
        number = None
    may_draw = bool(known and project and principal.may(Role.ARCHITECT, project))
    boot = {
        "mode": mode,
        "language": "fr" if (get_language() or "").startswith("fr") else "en",
        "user": principal.user.get_username(),
        "csrf": get_token(request),
        "project": {"id": str(project.pk), "name": project.name} if known and project else {"id": "", "name": ""},
        "blueprint": {"id": str(blueprint.pk), "name": blueprint.name} if known and blueprint else None,
        "draft": str(draft.pk) if draft is not None else None,
        "version": number,
        "name": name,
        "text": text,
        "deployment": _id(request.GET.get("deployment")) if known else None,
        "may": {"write": may_draw and mode == "draft", "deploy": may_draw},
        "urls": {"designs": reverse("designs"), "api": "/api/v1/"},
    }
    context = {
        "boot": boot,
        "title": title,
        "blueprint": blueprint if known else None,
        "version": version if known else None,
        "may_edit": may_draw and blueprint is not None,
        "text": text,
    }
    return render(request, "blueprints/designer.html", SECTION | context)


def _id(text: str | None) -> str | None:
    found = as_uuid(text) if text else None
    return str(found) if found else None
