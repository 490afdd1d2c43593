"""Show operations on the pages of other apps."""

from __future__ import annotations

from typing import Any

from django import template

from apps.operations.models import Operation, Step
from apps.operations.showing import progress
from apps.tenancy.access import Principal

register = template.Library()


@register.inclusion_tag("operations/_count.html")
def running_count(principal: Principal) -> dict[str, Any]:
    """Show how many operations run."""
    return {"number": Operation.objects.visible_to(principal).live().count()}


@register.simple_tag
def progress_of(operation: Operation) -> Any:
    """Return how far an operation is."""
    return progress(operation)


@register.filter
def took(step: Step | Operation) -> float | None:
    """Return how many seconds it took, or None while it has not ended."""
    if step.started_at is None or step.finished_at is None:
        return None
    return (step.finished_at - step.started_at).total_seconds()


@register.filter
def short_verb(verb: str) -> str:
    """Return what is done without what it is done to: "create" for "machine.create"; the lane names the thing."""
    return verb.rpartition(".")[2]
