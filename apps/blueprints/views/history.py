"""Show what a design was: its versions, and what changed between two of them."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponseBase
from django.shortcuts import render
from django.views.decorators.http import require_GET

from apps.blueprints import files as supplied
from apps.blueprints import source
from apps.blueprints.models import BlueprintVersion
from apps.blueprints.views.found import SECTION, design_of, latest_of, number_of, version_of
from apps.tenancy.access import Principal
from apps.tenancy.pages import page, rows_of


@require_GET
@page
def versions(request: HttpRequest, principal: Principal, design_id: Any) -> HttpResponseBase:
    """List the versions of a design, any two of which can be compared."""
    blueprint = design_of(request, principal, design_id)
    rows = rows_of(request, BlueprintVersion.objects.visible_to(principal).filter(blueprint=blueprint)
                   .select_related("created_by").order_by("-number"))  # fmt: skip
    return render(request, "blueprints/versions.html", SECTION | {"blueprint": blueprint, "rows": rows})


@require_GET
@page
def diff(request: HttpRequest, principal: Principal, design_id: Any) -> HttpResponseBase:
    """Show what changed between two versions, the last two by default."""
    blueprint = design_of(request, principal, design_id)
    latest = latest_of(blueprint)
    newer = version_of(principal, blueprint, number_of(request.GET.get("to"), latest.number))
    older = version_of(principal, blueprint, number_of(request.GET.get("from"), max(1, newer.number - 1)))
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
