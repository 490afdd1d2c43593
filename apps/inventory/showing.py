"""Show rows of the inventory as plain data: for lists, for one machine, for its facets, for CSV."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from django.core.exceptions import EmptyResultSet
from django.db import connection
from django.db.models import QuerySet

from apps.clouds.models import Cloud
from apps.inventory.models import Machine, SyncState
from apps.inventory.querysets import cloud_names
from apps.inventory.searching import COLUMNS, INSIDE
from apps.operations.models import Claim
from apps.tenancy.access import Principal

MACHINE_FIELDS = (
    "id", "cloud_id", "uid", "ref", "name", "power", "tools", "cpus", "memory_mib", "disk_gib", "host", "cluster",
    "pool", "folder", "guest", "type", "addresses", "networks", "datastores", "tags", "snapshots",
    "owner_organization", "owner_deployment", "owner_key", "first_seen_at", "changed_at",
)  # fmt: skip
THING_FIELDS = ("id", "cloud_id", "kind", "uid", "ref", "name", "facts", "first_seen_at", "changed_at")
_FACETS = ("cloud", "power", "cluster", "owner", "tag", "network")
_MOST_FACETS = 100


class Names:
    """The names of the clouds that a principal sees, for the rows of one answer."""

    def __init__(self, principal: Principal) -> None:
        self._principal = principal
        known = cloud_names(principal)
        self.clouds: dict[Any, str] = {cloud_id: name for cloud_id, name, _ in known}
        self._lent = {cloud_id for cloud_id, _, owner in known if owner != principal.organization.pk}

    def cloud(self, cloud_id: Any) -> dict[str, Any]:
        """Return a cloud as rows refer to it."""
        return {"id": cloud_id, "name": self.clouds.get(cloud_id, "")}

    def owner(self, row: Mapping[str, Any]) -> dict[str, Any] | None:
        """Return whose a managed machine is, to those who see all projects of that organization; None to others."""
        if row["owner_deployment"] is None or row["owner_organization"] != self._principal.organization.pk:
            return None
        if not self._principal.sees_all_projects:
            return None
        return {"deployment": row["owner_deployment"], "key": row["owner_key"]}

    def machine(self, row: Mapping[str, Any]) -> dict[str, Any]:
        """Return a machine's row (its MACHINE_FIELDS, perhaps with facts) as the API shows it.

        Of one on a lent cloud it leaves out where it lies in the owner's estate.
        """
        data = dict(row)
        if data["cloud_id"] in self._lent:
            data |= dict.fromkeys(INSIDE, "")
        data["cloud"] = self.cloud(data.pop("cloud_id"))
        data["managed"] = data["owner_deployment"] is not None
        data["owner"] = self.owner(data)
        for name in ("owner_organization", "owner_deployment", "owner_key"):
            del data[name]
        return data

    def thing(self, row: Mapping[str, Any]) -> dict[str, Any]:
        """Return a thing's row as the API shows it."""
        data = dict(row)
        data["cloud"] = self.cloud(data.pop("cloud_id"))
        return data


_BUSY = ("host", "cluster")
_USE = ("cpu_used_mhz", "memory_used_mib")


def with_use(rows: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return rows of THING_FIELDS in which hosts and clusters tell how busy they are, as of each cloud's last reading.

    That changes by the minute and is kept with the cloud: in the rows it would make every sync one that writes.
    At most one query.
    """
    shown = list(rows)
    clouds = {row["cloud_id"] for row in shown if row["kind"] in _BUSY}
    if not clouds:
        return shown
    use: dict[tuple[Any, str, str], dict[str, Any]] = {}
    read = Cloud.objects.filter(pk__in=clouds).values_list("pk", "inventory__hosts", "inventory__clusters")
    for cloud_id, hosts, clusters in read:
        for kind, facts in (("host", hosts or ()), ("cluster", clusters or ())):
            for fact in facts:
                use[cloud_id, kind, fact["id"]] = {name: fact[name] for name in _USE}
    return [
        {**row, "facts": {**row["facts"], **use.get((row["cloud_id"], row["kind"], row["ref"]), {})}} for row in shown
    ]


def facets(rows: QuerySet[Machine]) -> dict[str, Any]:
    """Return how many machines there are, and how many of each cloud, power state, cluster and owner; two queries."""
    base = rows.order_by().values_list("cloud_id", "power", "cluster", "owner_deployment", "tags", "networks")
    found: dict[str, Any] = {"machines": 0, **{name: [] for name in _FACETS}}
    try:
        sql, params = base.query.sql_with_params()
    except EmptyResultSet:  # no cloud is left to look at
        return found
    inner = f"SELECT cloud_id, power, cluster, owner_deployment IS NOT NULL, tags, networks FROM ({sql}) AS x"  # noqa: S608
    columns = "cloud_id, power, cluster, managed, tags, networks"
    with connection.cursor() as cursor:
        cursor.execute(
            f"WITH x({columns}) AS MATERIALIZED ({inner})"  # noqa: S608 - our own names around Django's statement
            " SELECT grouping(cloud_id, power, cluster, managed), cloud_id::text, power, cluster, managed, count(*)"
            " FROM x GROUP BY GROUPING SETS ((), (cloud_id), (power), (cluster), (managed))"
            " UNION ALL (SELECT 100, NULL, NULL, tag, NULL, count(*) FROM x, unnest(tags) AS tag"
            f"  GROUP BY tag ORDER BY count(*) DESC, tag LIMIT {_MOST_FACETS})"
            " UNION ALL (SELECT 101, NULL, NULL, network, NULL, count(*) FROM x, unnest(networks) AS network"
            f"  GROUP BY network ORDER BY count(*) DESC, network LIMIT {_MOST_FACETS})",
            params,
        )
        rows_found = cursor.fetchall()
    for of, cloud_id, power, name, managed, count in rows_found:
        if of == 15:
            found["machines"] = count
        elif of == 7:
            found["cloud"].append({"value": cloud_id, "count": count})
        elif of == 11:
            found["power"].append({"value": power, "count": count})
        elif of == 13:
            found["cluster"].append({"value": name, "count": count})
        elif of == 14:
            found["owner"].append({"value": "managed" if managed else "unmanaged", "count": count})
        else:
            found["tag" if of == 100 else "network"].append({"value": name, "count": count})
    for name, items in found.items():
        if name != "machines":
            items.sort(key=lambda item: (-item["count"], str(item["value"])))
            del items[_MOST_FACETS:]
    return found


_STATE = ("synced_at", "full_at", "changed_at", "loading", "trouble", "counts")


def syncs(principal: Principal) -> list[dict[str, Any]]:
    """Return how far the rows of each visible own cloud follow it, by name; two queries."""
    rows = Cloud.objects.owned_by(principal).select_related("sync_state").order_by("name")
    clouds = list(rows.only("name", *(f"sync_state__{name}" for name in _STATE)))  # without whole inventories
    targets = [f"inventory:{cloud.pk}" for cloud in clouds]
    running = dict(Claim.objects.filter(target__in=targets).values_list("target", "operation_id"))
    return [_sync(cloud, running.get(f"inventory:{cloud.pk}")) for cloud in clouds]


def sync_of(cloud: Cloud) -> dict[str, Any]:
    """Return how far the rows of one cloud follow it."""
    operation = Claim.objects.filter(target=f"inventory:{cloud.pk}").values_list("operation_id", flat=True).first()
    return _sync(cloud, operation)


def _sync(cloud: Cloud, operation: Any) -> dict[str, Any]:
    state: SyncState | None = getattr(cloud, "sync_state", None)
    return {
        "cloud": {"id": cloud.pk, "name": cloud.name},
        "synced_at": state.synced_at if state else None,
        "full_at": state.full_at if state else None,
        "changed_at": state.changed_at if state else None,
        "loading": bool(state and state.loading),
        "trouble": state.trouble if state else None,
        "counts": state.counts if state else {},
        "operation": operation,
    }


def csv_rows(rows: Iterable[Mapping[str, Any]], names: Names, columns: Iterable[str]) -> Iterator[list[str]]:
    """Yield the heading and the rows of a CSV file; cells that a spreadsheet would calculate are defused."""
    wanted = list(columns) or list(COLUMNS)
    yield wanted
    for row in rows:
        shown = names.machine(row)
        shown["cloud"] = shown["cloud"]["name"]
        yield [cell(shown.get(column)) for column in wanted]


def cell(value: Any) -> str:
    """Return a value as the text of a CSV cell.

    https://owasp.org/www-community/attacks/CSV_Injection: spreadsheets calculate what begins with one of these, also
    behind a tab, a line break or their wide forms; an apostrophe before it keeps it a text.
    """
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int | float):
        return f"{value:g}" if isinstance(value, float) else str(value)
    text = " ".join(str(item) for item in value) if isinstance(value, list | tuple) else str(value)
    text = "".join(sign for sign in text if sign.isprintable() or sign in "\t\r\n")  # a terminal may show it, too
    return f"'{text}" if text.lstrip("\ufeff \xa0")[:1] in _CALCULATED or text[:1] in _CALCULATED else text


_CALCULATED = frozenset("=+-@\t\r\n\uff1d\uff0b\uff0d\uff20")
