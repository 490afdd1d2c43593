"""Show what the clouds have: lists that hold any number of rows, one machine, capacity over time, saved views."""

from __future__ import annotations

import uuid
from datetime import timedelta
from typing import Any
from urllib.parse import urlencode

from django.contrib import messages
from django.http import HttpRequest, HttpResponseBase, QueryDict
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_POST

from apps.clouds.models import Cloud
from apps.inventory import capacity, cells, plots, searching, services, showing
from apps.inventory.models import THING_KINDS, Machine, Thing, View
from apps.tenancy.access import Principal, find_named, require
from apps.tenancy.faults import Fault, fault
from apps.tenancy.models import Role
from apps.tenancy.pages import PAGE_ROWS, back, find, flash_fault, page, rows_of
from apps.tenancy.querysets import as_uuid

SECTION = {"section": "inventory"}
DAYS = (1, 7, 30, 365)
_HEAVY = ("cloud__inventory", "cloud__ca_pem")
SIZES = (50, 100, 200)
_LABELS = ("cloud", "power", "owner", "cluster", "host", "pool", "folder", "network", "datastore", "tag", "address",
           "guest", "type", "tools", "snapshots", "uid")  # fmt: skip


@require_GET
@page
def index(request: HttpRequest, principal: Principal) -> HttpResponseBase:
    """List machines, or the things of another kind, as the filters leave them."""
    given = request.GET
    kind = given.get("kind") or "machine"
    if kind != "machine" and kind not in THING_KINDS:
        raise fault("not_found")
    syncs = showing.syncs(principal)
    names = showing.Names(principal)
    context: dict[str, Any] = {
        "kind": kind,
        "kind_title": cells.KIND_TITLES[kind],
        "tabs": _tabs(request, syncs, kind),
        "syncs": syncs,
        "troubled": [sync for sync in syncs if sync["trouble"]],
        "oldest": min((sync["synced_at"] for sync in syncs if sync["synced_at"]), default=None),
        "clouds": names.clouds,
        "filters": _filters(given, names),
        "saved": View.objects.visible_to(principal).filter(kind=kind).select_related("owner"),
        "view": _view(principal, given.get("view")),
        "may_onboard": principal.may(Role.ARCHITECT),  # of the organization: a role in a project is not enough
        "may_sync": principal.may(Role.OPERATOR),
        "may_share": principal.may(Role.OPERATOR),
        "is_admin": principal.may(Role.ADMIN),
        "query": _without(given, "cursor"),
    }
    if kind == "machine":
        order = searching.order(given)
        rows = rows_of(request, searching.machines(principal, given).order_by(*order).values(*showing.MACHINE_FIELDS))
        columns = cells.machine_columns(given.getlist("column"))
        found: Any = [names.machine(row) for row in rows]
        body = [{"id": row["id"], "cells": cells.machine_cells(row, columns)} for row in found]
        context |= {
            "choices": _choices(columns),
            "facets": f"{reverse('inventory-facets')}?{_without(given, 'cursor')}",
        }
    else:
        order = searching.order(given, searching.THING_SORTS)
        rows = rows_of(request, searching.things(principal, given).order_by(*order).values(*showing.THING_FIELDS))
        columns = cells.thing_columns(kind)
        body = [{"id": row["id"], "cells": cells.thing_cells(names.thing(row))} for row in showing.with_use(rows)]
    context |= {
        "rows": rows,
        "body": body,
        "columns": [{"column": column, **_sorting(request, column, order[0])} for column in columns],
        "narrowed": bool(context["filters"]),
        "sizes": SIZES,
        "limit": next((size for size in SIZES if str(size) == given.get("limit")), PAGE_ROWS),
    }
    return render(request, "inventory/list.html", SECTION | context)


@require_GET
@page
def facets(request: HttpRequest, principal: Principal) -> HttpResponseBase:
    """Answer how many machines each further filter would leave; counting them may take a moment."""
    found = showing.facets(searching.machines(principal, request.GET))
    names = showing.Names(principal).clouds
    by_id = {str(key): name for key, name in names.items()}
    for item in found["cloud"]:
        item["value"] = item["text"] = by_id.get(item["value"], "")
    groups = [
        {
            "name": name,
            "title": _filter_title(name),
            "items": [_option(request, name, item) for item in found[name][:12]],
        }
        for name in ("cloud", "power", "owner", "cluster", "tag", "network")
    ]
    context = {"machines": found["machines"], "groups": [group for group in groups if len(group["items"]) > 1]}
    return render(request, "inventory/_facets.html", context)


@require_GET
@page
def machine(request: HttpRequest, principal: Principal, machine_id: uuid.UUID) -> HttpResponseBase:
    """Show one machine with all that its cloud tells of it."""
    row: Machine = find(Machine.objects.select_related("cloud").defer(*_HEAVY), principal, pk=machine_id)
    data = {name: getattr(row, name) for name in (*showing.MACHINE_FIELDS, "facts")}
    shown = showing.Names(principal).machine(data)
    context = {
        "machine": row,
        "shown": shown,
        "memory": cells.size(row.memory_mib / 1024),
        "disk": cells.size(row.disk_gib),
        "disks": row.facts.get("disks") or [],
        "nics": row.facts.get("nics") or [],
        "may_onboard": principal.may(Role.ARCHITECT),
    }
    return render(request, "inventory/machine.html", SECTION | context)


@require_GET
@page
def thing(request: HttpRequest, principal: Principal, thing_id: uuid.UUID) -> HttpResponseBase:
    """Show one host, datastore, network or the like, and the way to the machines on it."""
    row: Thing = find(Thing.objects.select_related("cloud").defer(*_HEAVY), principal, pk=thing_id)
    (known,) = showing.with_use([{name: getattr(row, name) for name in showing.THING_FIELDS}])
    shown = showing.Names(principal).thing(known)
    context = {
        "thing": row,
        "kind_title": cells.KIND_TITLES[row.kind],
        "cells": cells.thing_cells(shown)[1:],
        "on_it": _machines_on(row),
    }
    return render(request, "inventory/thing.html", SECTION | context)


@require_GET
@page
def capacities(request: HttpRequest, principal: Principal) -> HttpResponseBase:
    """Plot what each cloud has, uses and has promised, over the last days."""
    days = next((days for days in DAYS if str(days) == request.GET.get("days")), 7)
    clouds = Cloud.objects.owned_by(principal).order_by("name")
    if wanted := request.GET.get("cloud"):
        clouds = clouds.filter(pk=find_named(clouds, wanted, "name", "cloud.unknown").pk)
    since = timezone.now() - timedelta(days=days)
    shown = []
    for cloud in clouds[:50]:
        now, before = capacity.now(cloud), capacity.history(cloud, since, 200)
        table = before[:: max(1, len(before) // 24)]
        shown.append({"cloud": cloud, "now": now, "plots": plots.plots(now, before), "table": table})
    context = {"shown": shown, "days": days, "choices": DAYS, "wanted": wanted}
    return render(request, "inventory/capacity.html", SECTION | context)


@require_POST
@page
def sync(request: HttpRequest, principal: Principal, name: str) -> HttpResponseBase:
    """Start bringing a cloud's rows up to date, and show the operation."""
    require(principal, Role.OPERATOR)
    cloud = find_named(Cloud.objects.owned_by(principal), name, "name", "cloud.unknown")
    try:
        operation = services.sync(cloud, principal, scratch=request.POST.get("scratch") == "1")
    except Fault as error:
        flash_fault(request, error)
        return back(request, "inventory")
    return back(request, "operation", operation_id=operation.pk)


@require_POST
@page
def save_view(request: HttpRequest, principal: Principal) -> HttpResponseBase:
    """Keep the filters, columns and order of the page under a name, or change the view that is named."""
    query = QueryDict(request.POST.get("query", "")[:4_000])
    kind = query.get("kind") or "machine"
    kept = {
        name: values[0] if len(values) == 1 else values
        for name, values in query.lists()
        if name not in ("kind", "view", "sort", "column", "cursor", "limit") and values != [""]
    }
    try:
        known = _view(principal, request.POST.get("view"))
        view = services.save_view(
            principal,
            known,
            name=request.POST.get("name", "")[:80],
            kind=kind,
            filters=kept,
            columns=query.getlist("column"),
            sort=query.get("sort", ""),
            shared=request.POST.get("shared") == "1",
        )
    except Fault as error:
        flash_fault(request, error)
        return redirect(f"{reverse('inventory')}?{query.urlencode()}")
    messages.success(request, _("The view “%(name)s” was saved.") % {"name": view.name})
    return redirect(_address(view))


@require_GET
@page
def open_view(request: HttpRequest, principal: Principal, view_id: uuid.UUID) -> HttpResponseBase:
    """Go to the list as a saved view shows it."""
    return redirect(_address(find(View.objects.all(), principal, pk=view_id)))


@require_POST
@page
def delete_view(request: HttpRequest, principal: Principal, view_id: uuid.UUID) -> HttpResponseBase:
    """Forget a saved view."""
    view: View = find(View.objects.all(), principal, pk=view_id)
    try:
        services.delete_view(principal, view)
    except Fault as error:
        flash_fault(request, error)
    else:
        messages.success(request, _("The view “%(name)s” was deleted.") % {"name": view.name})
    return back(request, "inventory")


def _address(view: View) -> str:
    pairs: list[tuple[str, Any]] = [("kind", view.kind)] if view.kind != "machine" else []
    pairs += list(view.filters.items())
    pairs += [("column", name) for name in view.columns]
    if view.sort:
        pairs.append(("sort", view.sort))
    return f"{reverse('inventory')}?{urlencode([*pairs, ('view', str(view.pk))], doseq=True)}"


def _view(principal: Principal, key: str | None) -> View | None:
    found = as_uuid(key) if key else None
    return View.objects.visible_to(principal).filter(pk=found).first() if found else None


def _tabs(request: HttpRequest, syncs: list[dict[str, Any]], kind: str) -> list[dict[str, Any]]:
    """Return the kinds that there is something of, with how many; machines are always among them."""
    totals: dict[str, int] = {}
    for sync in syncs:
        for name, count in sync["counts"].items():
            totals[name] = totals.get(name, 0) + count
    shown = [name for name in cells.KIND_TITLES if totals.get(name) or name in ("machine", kind)]
    clouds = request.GET.getlist("cloud")
    return [
        {
            "title": cells.KIND_TITLES[name],
            "count": totals.get(name, 0),
            "current": name == kind,
            "address": "?" + urlencode([*([("kind", name)] if name != "machine" else []),
                                        *(("cloud", cloud) for cloud in clouds)]),
        }
        for name in shown
    ]  # fmt: skip


def _filters(given: QueryDict, names: showing.Names) -> list[dict[str, Any]]:
    """Return what the list is narrowed by, each with the query that takes it off again."""
    found = []
    by_id = {str(key): name for key, name in names.clouds.items()}
    for name in _LABELS:
        for value in given.getlist(name):
            if value:
                text = by_id.get(value, value) if name == "cloud" else _value_text(name, value)
                found.append({"title": _filter_title(name), "text": text, "off": _off(given, name, value)})
    return found


def _off(given: QueryDict, name: str, value: str) -> str:
    query = given.copy()
    query.setlist(name, [other for other in given.getlist(name) if other != value])
    query.pop("cursor", None)
    query.pop("view", None)
    return query.urlencode()


def _without(given: QueryDict, *names: str) -> str:
    query = given.copy()
    for name in names:
        query.pop(name, None)
    return query.urlencode()


def _option(request: HttpRequest, name: str, item: dict[str, Any]) -> dict[str, Any]:
    value = str(item["value"] or "")
    query = request.GET.copy()
    query.pop("cursor", None)
    chosen = value in query.getlist(name)
    query.setlist(name, [] if chosen else [*query.getlist(name), value])
    text = item.get("text") or _value_text(name, value)
    return {"text": text, "count": item["count"], "chosen": chosen, "query": query.urlencode(), "usable": bool(value)}


def _sorting(request: HttpRequest, column: cells.Column, sort: str) -> dict[str, Any]:
    if not column.sort:
        return {"address": "", "sorted": ""}
    now = sort.removeprefix("-") == column.key
    backward = now and not sort.startswith("-")
    query = request.GET.copy()
    query.pop("cursor", None)
    query["sort"] = f"-{column.key}" if backward else column.key
    return {
        "address": f"?{query.urlencode()}",
        "sorted": ("descending" if sort.startswith("-") else "ascending") if now else "",
    }


def _choices(columns: list[cells.Column]) -> list[dict[str, Any]]:
    shown = {column.key for column in columns}
    return [
        {"key": column.key, "title": column.title, "shown": column.key in shown}
        for column in cells.MACHINE_COLUMNS.values()
        if column.key != "name"
    ]


def _machines_on(row: Thing) -> str:
    """Return the query that lists the machines on a thing, or nothing for kinds that hold none."""
    names = {"host": "host", "cluster": "cluster", "pool": "pool", "datastore": "datastore", "network": "network",
             "tag": "tag"}  # fmt: skip
    if row.kind not in names:
        return ""
    return urlencode({"cloud": row.cloud.name, names[row.kind]: row.name})


def _filter_title(name: str) -> str:
    titles = {
        "cloud": _("Cloud"),
        "power": _("Power"),
        "owner": _("Managed by Escale"),
        "cluster": _("Cluster"),
        "host": _("Host"),
        "pool": _("Resource pool"),
        "folder": _("Folder"),
        "network": _("Network"),
        "datastore": _("Datastore"),
        "tag": _("Tag"),
        "address": _("Address"),
        "guest": _("Guest system"),
        "type": _("Type"),
        "tools": _("Tools"),
        "snapshots": _("Snapshots"),
        "uid": _("Identity"),
    }
    return titles[name]


def _value_text(name: str, value: str) -> str:
    words = {
        ("power", "on"): _("On"),
        ("power", "off"): _("Off"),
        ("power", "suspended"): _("Suspended"),
        ("owner", "managed"): _("Yes"),
        ("owner", "unmanaged"): _("No"),
        ("snapshots", "yes"): _("Yes"),
        ("snapshots", "no"): _("No"),
    }
    return words.get((name, value), value or _("not told"))
