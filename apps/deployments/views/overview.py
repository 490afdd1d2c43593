"""Show a project at a glance, and find anything by its name."""

from __future__ import annotations

from typing import Any

from django.db.models import Count
from django.http import HttpRequest, HttpResponseBase
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET

from apps.blueprints.models import Blueprint
from apps.clouds.models import Cloud
from apps.clouds.services import capacity
from apps.deployments.models import Deployment
from apps.inventory import searching
from apps.operations.models import Operation
from apps.operations.showing import progress
from apps.tenancy.access import Principal
from apps.tenancy.models import Role
from apps.tenancy.pages import frame_for, is_partial, page
from apps.tenancy.templatetags.ui import look

HITS = 6
STATES_SHOWN = ("running", "deploying", "updating", "failed", "destroying")


@require_GET
@page
def overview(request: HttpRequest, principal: Principal) -> HttpResponseBase:
    """Show what runs, what is wrong and what can be done next; a newcomer is led to the first Compose file."""
    frame = frame_for(request)
    project = frame.project if frame else None
    operations = Operation.objects.visible_to(principal)
    if project is not None:
        operations = operations.filter(project=project)
    deployments = Deployment.objects.visible_to(principal).whole().filter(project=project).exclude(state="destroyed")
    by_state = dict(deployments.values_list("state").annotate(n=Count("id")).order_by())
    clouds = list(Cloud.objects.visible_to(principal).order_by("name")[:24])
    designs = Blueprint.objects.visible_to(principal).filter(project=project)
    live = list(operations.live()[:6])
    context = {
        "section": "overview",
        "project": project,
        "live": [(operation, progress(operation)) for operation in live],
        "recent": list(operations.select_related("created_by").exclude(pk__in=[one.pk for one in live])[:6]),
        "counts": [
            (state, f"{by_state[state]} {look('deployment', state)[2].lower()}")
            for state in STATES_SHOWN
            if by_state.get(state)
        ],
        "total": sum(by_state.values()),
        "deployments": list(deployments.select_related("cloud", "version__blueprint")[:6]),
        "clouds": [(cloud, capacity(cloud)) for cloud in clouds],
        "down": [cloud for cloud in clouds if cloud.enabled and cloud.health and not cloud.health.get("ok")],
        "designs": list(designs[:5]),
        "designs_total": designs.count(),
        "may_write": project is not None and principal.may(Role.ARCHITECT, project),
        "is_admin": principal.may(Role.ADMIN),
    }
    return render(request, "deployments/overview.html", context)


@require_GET
@page
def search(request: HttpRequest, principal: Principal) -> HttpResponseBase:
    """Find designs, deployments, clouds, operations and commands by their names."""
    query = request.GET.get("q", "").strip()[:80]
    groups = _commands(principal, query) if not query else _found(principal, query) + _commands(principal, query)
    numbered = 0
    for group in groups:
        for hit in group["hits"]:
            hit["id"] = f"hit-{numbered}"
            numbered += 1
    template = "ui/_hits.html" if is_partial(request) else "ui/search.html"
    return render(request, template, {"query": query, "groups": groups})


def _found(principal: Principal, query: str) -> list[dict[str, Any]]:
    designs = Blueprint.objects.visible_to(principal).filter(name__icontains=query).select_related("project")
    deployments = (
        Deployment.objects.visible_to(principal)
        .whole()
        .filter(name__icontains=query)
        .exclude(state="destroyed")
        .select_related("cloud", "project")
    )
    clouds = Cloud.objects.visible_to(principal).filter(name__icontains=query)
    operations = Operation.objects.visible_to(principal).filter(title__icontains=query)
    machines = searching.machines(principal, {"q": [query]}).order_by("name", "id").select_related("cloud")
    machines = machines.defer("cloud__inventory", "cloud__ca_pem")  # a title is all that is shown of it
    groups = [
        (
            _("Deployments"),
            "packages",
            [(d.name, reverse("deployment", args=[d.pk]), str(d.cloud)) for d in deployments[:HITS]],
        ),
        (
            _("Designs"),
            "topology-star-3",
            [(b.name, reverse("design", args=[b.pk]), b.project.name) for b in designs[:HITS]],
        ),
        (_("Clouds"), "cloud", [(str(c), reverse("cloud", args=[c.name]), c.region) for c in clouds[:HITS]]),
        (
            _("Machines"),
            "server",
            [(m.name, reverse("inventory-machine", args=[m.pk]), str(m.cloud)) for m in machines[:HITS]],
        ),
        (_("Operations"), "activity", [(o.title, reverse("operation", args=[o.pk]), "") for o in operations[:HITS]]),
    ]
    return [_group(title, icon, hits) for title, icon, hits in groups if hits]


def _commands(principal: Principal, query: str) -> list[dict[str, Any]]:
    commands = [
        (_("Go to the overview"), reverse("overview"), "G O"),
        (_("Go to designs"), reverse("designs"), "G D"),
        (_("Go to deployments"), reverse("deployments"), "G P"),
        (_("Go to clouds"), reverse("clouds"), "G C"),
        (_("Go to the inventory"), reverse("inventory"), "G I"),
        (_("Capacity of the clouds"), reverse("inventory-capacity"), ""),
        (_("Go to activity"), reverse("activity"), "G A"),
        (_("Issue an API token"), reverse("tokens"), ""),
        (_("Change theme or language"), reverse("profile"), ""),
        (_("Members and roles"), reverse("members"), ""),
        (_("API documentation"), reverse("api-docs"), ""),
    ]
    if principal.may_somewhere(Role.ARCHITECT):
        commands.insert(0, (_("New design"), reverse("design-canvas-new"), "N"))
    if principal.may(Role.ADMIN):
        commands.append((_("Add a cloud"), reverse("cloud-new"), ""))
        commands.append((_("Audit log"), reverse("audit"), ""))
    matching = [command for command in commands if query.lower() in command[0].lower()]
    return [_group(_("Commands"), "command", matching)] if matching else []


def _group(title: str, icon: str, hits: list[tuple[str, str, str]]) -> dict[str, Any]:
    return {"title": title, "icon": icon, "hits": [{"text": t, "href": h, "sub": s} for t, h, s in hits]}
