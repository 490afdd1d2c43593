"""Find what an address of the pages on designs names, within what the principal may see."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest

from apps.blueprints.models import Blueprint, BlueprintVersion
from apps.tenancy.access import Principal
from apps.tenancy.pages import enter_project, find

SECTION = {"section": "designs"}


def design_of(request: HttpRequest, principal: Principal, design_id: Any) -> Blueprint:
    """Return the design of an id and enter its project; 404 fault for strangers' and for none."""
    blueprint: Blueprint = find(
        Blueprint.objects.select_related("project__organization", "created_by"), principal, pk=design_id
    )
    enter_project(request, blueprint.project)
    return blueprint


def latest_of(blueprint: Blueprint) -> BlueprintVersion:
    """Return the latest version of a design."""
    latest = blueprint.versions.select_related("created_by").order_by("-number").first()
    assert latest is not None  # a blueprint is made together with its first version
    latest.blueprint = blueprint
    return latest


def version_of(principal: Principal, blueprint: Blueprint, number: int) -> BlueprintVersion:
    """Return a version of a design by its number; 404 fault when there is none."""
    found: BlueprintVersion = find(
        BlueprintVersion.objects.select_related("created_by"), principal, blueprint=blueprint, number=number
    )
    found.blueprint = blueprint
    return found


def number_of(text: str | None, default: int) -> int:
    """Return the number that a query parameter holds, or the default."""
    return int(text) if text and text.isascii() and text.isdigit() and len(text) < 9 else default
