"""Show what is being done and was done, live, and let people stop, retry and undo it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponseBase
from django.shortcuts import render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_POST

from apps.operations import services, showing, states
from apps.operations.models import Operation, Step
from apps.tenancy.access import Principal, require
from apps.tenancy.faults import Fault, fault
from apps.tenancy.pages import (
    back,
    current_project,
    enter_project,
    find,
    flash_fault,
    frame_for,
    is_partial,
    page,
    rows_of,
)

SECTION = {"section": "activity"}
STEPS_SHOWN = 200
LOG_LINES = 400


@require_GET
@page
def index(request: HttpRequest, principal: Principal) -> HttpResponseBase:
    """List the project's operations, the newest first."""
    frame = frame_for(request)
    operations = Operation.objects.visible_to(principal).noticeable().select_related("created_by", "project")
    if request.GET.get("in") != "all" and frame is not None and frame.project is not None:
        operations = operations.filter(project=current_project(request))
    wanted = request.GET.get("state", "")
    chosen = {
        "running": operations.live(),
        "failed": operations.filter(state__in=[states.FAILED, states.REVERT_FAILED]),
        "succeeded": operations.filter(state=states.SUCCEEDED),
        "stopped": operations.filter(state__in=[states.CANCELLED, states.REVERTED]),
    }.get(wanted, operations)
    context = {"rows": rows_of(request, chosen), "wanted": wanted, "everywhere": request.GET.get("in") == "all"}
    return render(request, "operations/list.html", SECTION | context)


@require_GET
@page
def running(request: HttpRequest, principal: Principal) -> HttpResponseBase:
    """Show what runs now in all projects one sees, for the drawer."""
    live = list(Operation.objects.visible_to(principal).noticeable().live().select_related("project")[:30])
    pairs = [(operation, showing.progress(operation)) for operation in live]
    template = "operations/_running.html" if is_partial(request) else "operations/running.html"
    return render(request, template, SECTION | {"pairs": pairs})


@require_GET
@page
def count(request: HttpRequest, principal: Principal) -> HttpResponseBase:
    """Answer how many operations run, for the top bar."""
    live = Operation.objects.visible_to(principal).noticeable().live()
    return render(request, "operations/_count.html", {"number": live.count()})


@require_GET
@page
def detail(request: HttpRequest, principal: Principal, operation_id: Any) -> HttpResponseBase:
    """Show an operation as it is now; a script then follows its events from here on."""
    operation = _operation(request, principal, operation_id)
    context = head_of(principal, operation) | steps_of(request, operation)
    return render(request, "operations/detail.html", SECTION | context)


@require_GET
@page
def head(request: HttpRequest, principal: Principal, operation_id: Any) -> HttpResponseBase:
    """Answer the part of the page that changes with the operation: state, error, progress, buttons."""
    operation = _operation(request, principal, operation_id)
    return render(request, "operations/_head.html", head_of(principal, operation))


@require_GET
@page
def steps(request: HttpRequest, principal: Principal, operation_id: Any) -> HttpResponseBase:
    """Answer the lanes and the list of steps anew, after a retry or when undoing has begun."""
    operation = _operation(request, principal, operation_id)
    return render(request, "operations/_steps.html", steps_of(request, operation) | {"operation": operation})


@require_GET
@page
def step(request: HttpRequest, principal: Principal, operation_id: Any, step_id: int) -> HttpResponseBase:
    """Show one step with its log."""
    operation = _operation(request, principal, operation_id)
    shown = operation.steps.filter(pk=step_id).first()
    if shown is None:
        raise fault("not_found")
    events = operation.events.filter(step_key=shown.key)
    logged = list(events.filter(type="step.log").order_by("-seq")[: LOG_LINES + 1])
    context = {
        "operation": operation,
        "step": shown,
        "log": logged[LOG_LINES - 1 :: -1] if len(logged) > LOG_LINES else logged[::-1],
        "log_cut": len(logged) > LOG_LINES,
        "history": list(events.filter(type="step.state").order_by("-seq")[:20])[::-1],
        "prerequisites": showing.prerequisites(operation, shown),
        "explained": showing.explained(shown.error),
    }
    template = "operations/_step_body.html" if is_partial(request) else "operations/step.html"
    return render(request, template, SECTION | context)


@require_POST
@page
def cancel(request: HttpRequest, principal: Principal, operation_id: Any) -> HttpResponseBase:
    """Stop an operation, and undo what it did when asked."""
    if request.POST.get("mode") == "revert":
        return _steer(request, principal, operation_id, _cancel_and_undo, _("Stopping; then what was done is undone."))
    return _steer(request, principal, operation_id, services.cancel, _("Stopping; what is under way is let finish."))


@require_POST
@page
def retry(request: HttpRequest, principal: Principal, operation_id: Any) -> HttpResponseBase:
    """Go on from what failed."""
    return _steer(request, principal, operation_id, services.retry, _("Going on from what failed."))


@require_POST
@page
def undo(request: HttpRequest, principal: Principal, operation_id: Any) -> HttpResponseBase:
    """Take back what a failed or stopped operation did."""
    return _steer(request, principal, operation_id, services.rollback, _("Undoing what was done, in reverse order."))


def _cancel_and_undo(operation: Operation, *, who: Principal) -> Operation:
    return services.cancel(operation, "revert", who=who)


def _steer(
    request: HttpRequest, principal: Principal, operation_id: Any, act: Callable[..., Operation], said: str
) -> HttpResponseBase:
    operation = _operation(request, principal, operation_id)
    require(principal, showing.role_to_steer(principal, operation), operation.project)
    try:
        act(operation, who=principal)
    except Fault as error:
        flash_fault(request, error)
    else:
        messages.info(request, said)
    return back(request, "operation", operation_id=operation_id)


def _operation(request: HttpRequest, principal: Principal, operation_id: Any) -> Operation:
    rows = Operation.objects.select_related("created_by", "project__organization", "organization")
    operation: Operation = find(rows, principal, pk=operation_id)
    if operation.project is not None:
        enter_project(request, operation.project)
    return operation


def head_of(principal: Principal, operation: Operation) -> dict[str, Any]:
    """Return what the head of an operation's page shows; pages of apps above show it too."""
    return {
        "operation": operation,
        "picture": showing.picture(operation),
        "may": showing.abilities(principal, operation),
        "explained": showing.explained(operation.error),
        "subject": showing.subject_address(operation),
        "failed_step": _failed_step(operation),
    }


def _failed_step(operation: Operation) -> Step | None:
    key = (operation.error or {}).get("step")
    return operation.steps.filter(key=key).first() if key else None


def steps_of(request: HttpRequest, operation: Operation) -> dict[str, Any]:
    """Return the lanes and steps that an operation's page shows."""
    wanted = request.GET.get("steps", "")
    chosen = showing.chosen_steps(operation, wanted)
    rows = list(chosen.defer("payload", "result")[: STEPS_SHOWN + 1])
    all_steps = rows if not wanted and len(rows) <= STEPS_SHOWN else None
    lanes = showing.lanes(all_steps if all_steps is not None else operation.steps.filter(undoes__isnull=True)
                          .order_by("position").defer("payload", "result")[: showing.MOST_LANES * 6])  # fmt: skip
    undoing = operation.steps.filter(undoes__isnull=False).order_by("position").defer("payload", "result")
    return {
        "wanted": wanted,
        "rows": rows[:STEPS_SHOWN],
        "cut": len(rows) > STEPS_SHOWN,
        "lanes": lanes[: showing.MOST_LANES],
        "lanes_cut": len(lanes) > showing.MOST_LANES or operation.steps_total > showing.MOST_LANES * 6,
        "undo_steps": list(undoing[:STEPS_SHOWN]) if operation.undo_total else [],
    }
