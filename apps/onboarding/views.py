"""Pages on which running machines are chosen, looked at as a drawing, and planned to be adopted."""

from __future__ import annotations

from typing import Any

from django.db.models import Count, QuerySet
from django.http import HttpRequest, HttpResponseBase
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from apps.blueprints import source
from apps.clouds.models import Cloud
from apps.deployments.adopting import require_adopter
from apps.inventory import searching
from apps.inventory.models import Machine
from apps.onboarding import services
from apps.onboarding.models import Onboarding
from apps.tenancy.access import Principal
from apps.tenancy.faults import Fault, fault
from apps.tenancy.models import Project, Role
from apps.tenancy.pages import back, current_project, enter_project, find, flash_fault, page, rows_of
from engine.onboarding import MAX_MACHINES

SECTION = {"section": "deployments"}
ROWS = 100
_COLUMNS = (
    "id", "uid", "name", "folder", "power", "cpus", "memory_mib", "disk_gib", "networks", "owner_deployment", "facts",
)  # fmt: skip


@require_GET
@page
def index(request: HttpRequest, principal: Principal) -> HttpResponseBase:
    """List what was chosen in the project, the newest first."""
    project = current_project(request)
    rows = Onboarding.objects.visible_to(principal).filter(project=project)
    rows = rows.select_related("cloud", "version__blueprint", "plan", "created_by")
    context = {"rows": rows_of(request, rows), "project": project, "may_write": _may_adopt(principal, project)}
    return render(request, "onboarding/list.html", SECTION | context)


@require_http_methods(["GET", "POST"])
@page
def choose(request: HttpRequest, principal: Principal) -> HttpResponseBase:
    """Show the machines of a cloud, to tick those that are to be onboarded; then look at them and draw them."""
    project = current_project(request)
    require_adopter(principal, project, [])
    clouds = list(Cloud.objects.owned_by(principal).order_by("name"))
    counts = _counts(principal)
    asked = request.POST.get("cloud") or request.GET.get("cloud") or ""
    cloud = next((one for one in clouds if one.name == asked), None)
    if asked and cloud is None:
        raise fault("not_found")
    cloud = cloud or max(clouds, key=lambda one: counts.get(one.pk, 0), default=None)
    query = (request.POST.get("q") or request.GET.get("q") or "").strip()[:300]
    folder = request.POST.get("folder") or request.GET.get("folder") or ""
    name = request.POST.get("name", "").strip()
    refused: Fault | None = None
    if request.method == "POST" and cloud is not None:
        every = request.POST.get("which") == "all"
        ids = _matching(principal, cloud, query, folder) if every else request.POST.getlist("machine")
        try:
            made = services.draw(principal, project=project, cloud=cloud, name=name, machines=ids)
        except Fault as error:
            refused = error
        else:
            return redirect("onboarding", made.pk)
    rows = None
    if cloud is not None:
        found = _machines(principal, cloud, query, folder).order_by("name", "id").values(*_COLUMNS)
        rows = rows_of(request, found, ROWS)
    context = {
        "project": project,
        "clouds": clouds,
        "cloud": cloud,
        "rows": rows,
        "query": query,
        "folder": folder,
        "folders": _folders(principal, cloud) if cloud is not None else [],
        "matching": min(_free(principal, cloud, query, folder).count(), MAX_MACHINES + 1) if cloud else 0,
        "limit": MAX_MACHINES,
        "ticked": set(request.POST.getlist("machine")),
        "name": name or (f"{cloud.name}-estate" if cloud is not None else ""),
        "refused": refused,
    }
    return render(request, "onboarding/choose.html", SECTION | context, status=refused.status if refused else 200)


@require_GET
@page
def detail(request: HttpRequest, principal: Principal, onboarding_id: Any) -> HttpResponseBase:
    """Show what was drawn of the chosen machines, before anything is marked."""
    chosen = _onboarding(request, principal, onboarding_id)
    context = {
        "onboarding": chosen,
        "lines": source.coloured(chosen.text),
        "may_write": _may_adopt(principal, chosen.project),
        "totals": {
            "cpus": sum(one["cpus"] for one in chosen.machines),
            "memory_mib": sum(one["memory_mib"] for one in chosen.machines),
            "disk_gib": round(sum(one["disk_gib"] for one in chosen.machines)),
        },
    }
    return render(request, "onboarding/detail.html", SECTION | context)


@require_POST
@page
def plan(request: HttpRequest, principal: Principal, onboarding_id: Any) -> HttpResponseBase:
    """Make a design and a plan of what was drawn; go on to the plan."""
    chosen = _onboarding(request, principal, onboarding_id)
    try:
        made = services.plan(principal, chosen)
    except Fault as error:
        if error.code in ("not_found", "forbidden"):
            raise
        flash_fault(request, error)
        return back(request, "onboarding", onboarding_id=chosen.pk)
    return back(request, "plan", plan_id=made.pk)


@require_POST
@page
def discard(request: HttpRequest, principal: Principal, onboarding_id: Any) -> HttpResponseBase:
    """Forget a choice of machines."""
    services.discard(principal, _onboarding(request, principal, onboarding_id))
    return back(request, "onboardings")


def _onboarding(request: HttpRequest, principal: Principal, onboarding_id: Any) -> Onboarding:
    rows = Onboarding.objects.select_related(
        "project__organization", "cloud", "version__blueprint", "plan", "created_by"
    )
    chosen: Onboarding = find(rows, principal, pk=onboarding_id)
    enter_project(request, chosen.project)
    return chosen


def _may_adopt(principal: Principal, project: Project) -> bool:
    return principal.may(Role.ARCHITECT, project) and principal.may(Role.ARCHITECT)


def _counts(principal: Principal) -> dict[Any, int]:
    rows = Machine.objects.visible_to(principal).order_by().values("cloud").annotate(n=Count("id"))
    return {row["cloud"]: row["n"] for row in rows}


def _machines(principal: Principal, cloud: Cloud, query: str, folder: str) -> QuerySet[Machine]:
    given = {"cloud": [cloud.name], "q": [query] if query else [], "folder": [folder] if folder else []}
    return searching.machines(principal, given)


def _free(principal: Principal, cloud: Cloud, query: str, folder: str) -> QuerySet[Machine]:
    return _machines(principal, cloud, query, folder).filter(owner_deployment__isnull=True)


def _matching(principal: Principal, cloud: Cloud, query: str, folder: str) -> list[str]:
    rows = _free(principal, cloud, query, folder).order_by("name", "id").values_list("uid", flat=True)
    return list(rows[: MAX_MACHINES + 1])


def _folders(principal: Principal, cloud: Cloud) -> list[dict[str, Any]]:
    rows = Machine.objects.visible_to(principal).filter(cloud=cloud, owner_deployment__isnull=True)
    counted = rows.order_by().values("folder").annotate(n=Count("id")).order_by("folder")
    return [{"folder": row["folder"], "title": row["folder"] or _("No folder"), "n": row["n"]} for row in counted[:200]]
