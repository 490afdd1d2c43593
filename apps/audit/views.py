"""Show administrators who did what, when, to what."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponseBase
from django.shortcuts import render
from django.views.decorators.http import require_GET

from apps.audit.models import Entry
from apps.tenancy.access import Principal, require
from apps.tenancy.models import Role
from apps.tenancy.pages import page, rows_of


@require_GET
@page
def index(request: HttpRequest, principal: Principal) -> HttpResponseBase:
    """List the organization's audit log, the newest entry first."""
    require(principal, Role.ADMIN)
    entries = Entry.objects.filter(organization=principal.organization).order_by("-sequence")
    wanted = {name: request.GET.get(name, "").strip()[:160] for name in ("actor", "action")}
    if wanted["actor"]:
        entries = entries.filter(actor__icontains=wanted["actor"].replace("\x00", ""))
    if wanted["action"]:
        entries = entries.filter(action__istartswith=wanted["action"].replace("\x00", ""))
    context = {"section": "settings", "tab": "audit", "rows": rows_of(request, entries), "wanted": wanted}
    return render(request, "audit/list.html", context)
