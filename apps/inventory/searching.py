"""Turn the parameters of lists into queries that indexes serve; refuse those that cannot be used."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from django.db.models import Q, QuerySet
from django.utils.translation import gettext as _

from apps.clouds.models import Cloud
from apps.inventory.models import THING_KINDS, Machine, Thing
from apps.inventory.querysets import visible_clouds
from apps.tenancy.access import Principal
from apps.tenancy.api.pagination import invalid_parameter
from apps.tenancy.faults import Fault
from apps.tenancy.querysets import as_uuid

POWERS = ("on", "off", "suspended")
SORTS = ("name", "host", "cluster", "cpus", "memory_mib", "disk_gib", "changed_at")
THING_SORTS = ("name",)
COLUMNS = (
    "cloud", "name", "power", "tools", "cpus", "memory_mib", "disk_gib", "host", "cluster", "pool", "folder", "guest",
    "type", "addresses", "networks", "datastores", "tags", "snapshots", "managed", "first_seen_at", "changed_at",
)  # fmt: skip
INSIDE = ("host", "pool", "folder")
"""What tells how the owner of a cloud has laid it out: nothing for those whom it is lent to."""

THING_COLUMNS = ("cloud", "kind", "name", "first_seen_at", "changed_at")

_LONGEST = 300
_MOST_VALUES = 50
_MOST_WORDS = 8


def _any_of(column: str) -> Callable[[list[str]], Q]:
    return lambda values: Q(**{f"{column}__in": values})


def _named(column: str) -> Callable[[list[str]], Q]:
    # One containment for each value: the index of arrays serves it, and not "the value is one of the array's".
    return lambda values: _or(Q(**{f"{column}__contains": [value]}) for value in values)


def _or(conditions: Iterable[Q]) -> Q:
    joined = Q()
    for condition in conditions:
        joined |= condition
    return joined


def _power(values: list[str]) -> Q:
    unknown = [value for value in values if value not in POWERS]
    if unknown:
        raise invalid_parameter("power", _("is none of %(choices)s") % {"choices": ", ".join(POWERS)})
    return Q(power__in=values)


def _folder(values: list[str]) -> Q:
    # What lies below belongs to it. The text search knows the path too, and has an index.
    return _or(
        Q(search__contains=value.lower()) & (Q(folder=value) | Q(folder__startswith=f"{value.rstrip('/')}/"))
        for value in values
    )


def _guest(values: list[str]) -> Q:
    return _or(Q(search__contains=value.lower(), guest__icontains=value) for value in values)


def _owner(values: list[str], told: Q | None = None) -> Q:
    conditions = []
    for value in values:
        if value in ("managed", "unmanaged"):
            conditions.append(Q(owner_deployment__isnull=value == "unmanaged"))
        elif (deployment := as_uuid(value)) is not None:
            conditions.append(Q(owner_deployment=deployment) & (told or Q()))
        else:
            raise invalid_parameter("owner", _("is neither “managed” nor “unmanaged” nor the id of a deployment"))
    return _or(conditions)


def _snapshots(values: list[str]) -> Q:
    if any(value not in ("yes", "no") for value in values):
        raise invalid_parameter("snapshots", _("is neither “yes” nor “no”"))
    return _or(Q(snapshots__gt=0) if value == "yes" else Q(snapshots=0) for value in values)


FILTERS: Mapping[str, Callable[[list[str]], Q]] = {
    "power": _power,
    "cluster": _any_of("cluster"),
    "host": _any_of("host"),
    "pool": _any_of("pool"),
    "folder": _folder,
    "network": _named("networks"),
    "datastore": _named("datastores"),
    "tag": _named("tags"),
    "address": _named("addresses"),
    "guest": _guest,
    "type": _any_of("type"),
    "tools": _any_of("tools"),
    "owner": _owner,
    "snapshots": _snapshots,
    "uid": _any_of("uid"),
}
"""What machines can be narrowed by, besides `cloud` and `q`; a parameter that is repeated means any of its values."""

Given = Mapping[str, Sequence[str]]


def machines(principal: Principal, given: Given) -> QuerySet[Machine]:
    """Return the visible machines that the parameters leave; fault `invalid` for one that cannot be used."""
    rows = Machine.objects.visible_to(principal)
    for name, condition in FILTERS.items():
        if values := _values(given, name):
            rows = rows.filter(_owner(values, _told_whose(principal)) if name == "owner" else condition(values))
            if name in INSIDE:
                rows = rows.filter(cloud_id__in=visible_clouds(principal)[0])
    return _searched(_on_clouds(principal, rows, given), given)


def _told_whose(principal: Principal) -> Q:
    """Return the machines whose deployments a principal is told of (`showing.Names.owner`); asking tells as much."""
    return Q(owner_organization=principal.organization.pk) if principal.sees_all_projects else Q(pk__in=[])


def things(principal: Principal, given: Given) -> QuerySet[Thing]:
    """Return the visible things of the kinds that are asked for; parameters: kind, cloud, q."""
    rows = Thing.objects.visible_to(principal)
    if kinds := _values(given, "kind"):
        if any(kind not in THING_KINDS for kind in kinds):
            raise invalid_parameter("kind", _("is none of %(choices)s") % {"choices": ", ".join(THING_KINDS)})
        rows = rows.filter(kind__in=kinds)
    return _searched(_on_clouds(principal, rows, given), given)


def order(given: Given, allowed: Sequence[str] = SORTS) -> tuple[str, str]:
    """Return the keys that a list is sorted by: what `sort` says, `-` before it for descending, and the id."""
    text = (_values(given, "sort") or ["name"])[0]
    back = "-" if text.startswith("-") else ""
    if text.removeprefix("-") not in allowed:
        raise invalid_parameter("sort", _("is none of %(choices)s") % {"choices": ", ".join(allowed)})
    # The id in the same direction, so that one index serves both.
    return text, f"{back}id"


def check_view(kind: str, filters: Mapping[str, Any], columns: Sequence[str], sort: str) -> None:
    """Raise the fault `invalid` unless a saved view can be shown."""
    if kind != "machine" and kind not in THING_KINDS:
        raise invalid_field("kind", _("is none of %(choices)s") % {"choices": ", ".join(("machine", *THING_KINDS))})
    known = {"cloud", "q", *(FILTERS if kind == "machine" else ())}
    for name, value in filters.items():
        values = value if isinstance(value, list) else [value]
        if name not in known or not all(isinstance(item, str) and 0 < len(item) <= _LONGEST for item in values):
            raise invalid_field("filters", _("“%(name)s” is no filter with a short text") % {"name": str(name)[:40]})
        if len(values) > _MOST_VALUES or any("\x00" in item for item in values):
            raise invalid_field("filters", _("“%(name)s” has values that cannot be used") % {"name": name})
        if name in FILTERS:
            try:
                FILTERS[name](values)
            except Fault as problem:
                raise invalid_field("filters", f"{name} {problem.params[0]['reason']}") from None
    wanted = COLUMNS if kind == "machine" else THING_COLUMNS
    if unknown := [column for column in columns if column not in wanted]:
        raise invalid_field("columns", _("“%(name)s” is no column") % {"name": str(unknown[0])[:40]})
    if sort and sort.removeprefix("-") not in (SORTS if kind == "machine" else THING_SORTS):
        raise invalid_field("sort", _("is no column that can be sorted by"))


def invalid_field(name: str, reason: str) -> Fault:
    """Return the fault for one field of a body that cannot be used."""
    params = [{"name": name, "reason": reason, "code": "invalid"}]
    return Fault("invalid", params=params)


def _on_clouds(principal: Principal, rows: QuerySet[Any], given: Given) -> QuerySet[Any]:
    values = _values(given, "cloud")
    if not values:
        return rows
    ids = [key for value in values if (key := as_uuid(value)) is not None]
    visible = Cloud.objects.visible_to(principal).filter(Q(pk__in=ids) | Q(name__in=values)).order_by()
    return rows.filter(cloud_id__in=list(visible.values_list("pk", flat=True)))


def _searched(rows: QuerySet[Any], given: Given) -> QuerySet[Any]:
    words = " ".join(_values(given, "q")).lower().split()
    for word in words[:_MOST_WORDS]:
        rows = rows.filter(search__contains=word)
    return rows


def _values(given: Given, name: str) -> list[str]:
    values = given.getlist(name) if hasattr(given, "getlist") else given.get(name, ())
    values = [value for value in values if value != ""]
    if len(values) > _MOST_VALUES or any(len(value) > _LONGEST for value in values):
        raise invalid_parameter(name, _("is too long"))
    return values
