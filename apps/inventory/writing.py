"""Write pages of a listing into the tables, in bulk: what did not change is not touched.

A page goes to PostgreSQL as one JSON document and is taken apart there. So the portal's share is small, and a page
costs the same few statements whether it holds one item or a thousand. The caller holds the transaction.
"""

from __future__ import annotations

import json
import math
import uuid
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from django.db import connection

from apps.inventory.registry import Changed
from connectors.listing import Item

_NAME_MAX = 500  # what a B-tree can hold, whatever a cloud says; vSphere allows names of 80

# What of the facts is a column, with its type in JSON.
_COLUMNS = (
    ("power", "text"), ("tools", "text"), ("cpus", "numeric"), ("memory_mib", "numeric"), ("disk_gib", "numeric"),
    ("host", "text"), ("cluster", "text"), ("pool", "text"), ("folder", "text"), ("guest", "text"), ("type", "text"),
    ("snapshots", "numeric"), ("addresses", "text[]"), ("networks", "text[]"), ("datastores", "text[]"),
    ("tags", "text[]"), ("owner", "jsonb"),
)  # fmt: skip


def _uuid(path: str) -> str:
    # Markers stand on the cloud, where anybody with an account may have changed them.
    pattern = "^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$"
    return f"CASE WHEN {path} ~ '{pattern}' THEN ({path})::uuid END"


def _number(name: str, kind: str, most: str) -> str:
    return f"least(greatest(coalesce(f.{name}, 0), 0), {most})::{kind}"


def _text(name: str, length: int = _NAME_MAX) -> str:
    return f"left(coalesce(f.{name}, ''), {length})"


def _names(name: str) -> str:
    return f"ARRAY(SELECT left(e.name, {_NAME_MAX}) FROM unnest(f.{name}) WITH ORDINALITY AS e(name, n) ORDER BY e.n)"  # noqa: S608


# In the order of `_machine_values`.
_MACHINE = {
    "name": "i.name",
    "power": _text("power", 12),
    "tools": _text("tools", 40),
    "cpus": _number("cpus", "integer", "2147483647"),
    "memory_mib": _number("memory_mib", "bigint", "9e18"),
    "disk_gib": _number("disk_gib", "double precision", "1e18"),
    "host": _text("host"),
    "cluster": _text("cluster"),
    "pool": _text("pool"),
    "folder": _text("folder", 4_000),
    "guest": _text("guest"),
    "type": _text("type"),
    "snapshots": _number("snapshots", "integer", "2147483647"),
    "addresses": _names("addresses"),
    "networks": _names("networks"),
    "datastores": _names("datastores"),
    "tags": _names("tags"),
    "owner_organization": _uuid("f.owner->>'organization_id'"),
    "owner_deployment": _uuid("f.owner->>'deployment_id'"),
    "owner_key": "left(coalesce(f.owner->>'key', ''), 300)",
    "facts": "i.facts - %(columns)s::text[]",
    "search": (
        "lower(concat_ws(' ', i.name, array_to_string(f.addresses, ' '), left(f.guest, 500), left(f.folder, 4000)))"
    ),
}
_THING = {"name": "i.name", "facts": "i.facts", "search": "lower(i.name)"}

_ITEMS = "jsonb_array_elements(%(page)s::jsonb) WITH ORDINALITY AS e(doc, n)"
_INCOMING = f"""
    incoming AS MATERIALIZED (
        SELECT DISTINCT ON (e.doc->>'kind', left(e.doc->>'ref', {_NAME_MAX}))
               e.doc->>'kind' AS kind, left(e.doc->>'id', {_NAME_MAX}) AS uid, left(e.doc->>'ref', {_NAME_MAX}) AS ref,
               e.n AS n,
               left(coalesce(e.doc->>'name', ''), {_NAME_MAX}) AS name, coalesce(e.doc->'facts', '{{}}') AS facts,
               decode(md5(e.doc::text), 'hex') AS digest
          FROM {_ITEMS}
         ORDER BY e.doc->>'kind', left(e.doc->>'ref', {_NAME_MAX}), e.n DESC
    )"""  # noqa: S608 - built from the constants above, as is all of what follows


def _upsert(table: str, values: dict[str, str], lateral: str, only: str) -> str:
    """Return the statement that stores those items of a page that are new or differ: (what became of it, kind, uid).

    An item's key follows from its cloud and identity, so that it is the same after a new load of everything. The
    second machine with an identity (copied by hand, which vCenter does not forbid) has one from its reference. A
    reference that has come to mean something else (a vCenter that was made anew counts from the beginning) takes its
    row along; what the row was before has vanished.
    """
    kinds = "kind, " if table == "inventory_thing" else ""
    same = f"m.cloud_id = %(cloud)s::uuid AND m.ref = i.ref{' AND m.kind = i.kind' if kinds else ''}"
    columns = ", ".join(values)
    return f"""
    WITH {_INCOMING},
    fresh AS MATERIALIZED (
        SELECT i.*, md5(%(cloud)s || '/' || i.kind || '/' || i.uid)::uuid AS own_id,
               md5(%(cloud)s || '/' || i.kind || '/' || i.uid || '/' || i.ref)::uuid AS other_id,
               row_number() OVER (PARTITION BY i.kind, i.uid ORDER BY i.n) AS turn
          FROM incoming i
         WHERE {only} AND NOT EXISTS (SELECT FROM {table} m WHERE {same} AND m.digest = i.digest)
    ),
    replaced AS (
        SELECT i.kind, m.uid FROM fresh i JOIN {table} m ON {same} AND m.uid <> i.uid
    ),
    seen AS (
        INSERT INTO inventory_seen (cloud_id, kind, ref)
        SELECT %(cloud)s::uuid, i.kind, i.ref FROM incoming i WHERE {only} AND %(full)s
            ON CONFLICT DO NOTHING
    ),
    stored AS (
        INSERT INTO {table} AS row (id, cloud_id, {kinds}uid, ref, digest, first_seen_at, changed_at, {columns})
        SELECT CASE WHEN i.turn = 1 AND NOT EXISTS (SELECT FROM {table} m WHERE m.id = i.own_id)
                    THEN i.own_id ELSE i.other_id END,
               %(cloud)s::uuid, {"i.kind, " if kinds else ""}i.uid, i.ref, i.digest, now(), now(),
               {", ".join(values.values())}
          FROM fresh i{lateral}
            ON CONFLICT (cloud_id, {kinds}ref) DO UPDATE
           SET id = CASE WHEN row.uid = excluded.uid THEN row.id ELSE excluded.id END, uid = excluded.uid,
               first_seen_at = CASE WHEN row.uid = excluded.uid THEN row.first_seen_at ELSE now() END,
               digest = excluded.digest, changed_at = excluded.changed_at,
               {", ".join(f"{name} = excluded.{name}" for name in values)}
     RETURNING {"row.kind" if kinds else "'machine'"} AS kind, row.uid
    )
    SELECT 'stored', kind, uid FROM stored UNION ALL SELECT 'vanished', kind, uid FROM replaced"""  # noqa: S608


_LATERAL = "\n     CROSS JOIN LATERAL jsonb_to_record(i.facts) AS f({})".format(
    ", ".join(f"{name} {kind}" for name, kind in _COLUMNS)
)
_UPSERTS = (
    ("machine", _upsert("inventory_machine", _MACHINE, _LATERAL, "i.kind = 'machine'")),
    ("", _upsert("inventory_thing", _THING, "", "i.kind <> 'machine'")),
)

_DIFFERS = f"""
    WITH {_INCOMING}
    SELECT EXISTS (
        SELECT FROM incoming i
         WHERE CASE WHEN i.kind = 'machine'
               THEN NOT EXISTS (SELECT FROM inventory_machine m
                                 WHERE m.cloud_id = %(cloud)s::uuid AND m.ref = i.ref AND m.digest = i.digest)
               ELSE NOT EXISTS (SELECT FROM inventory_thing m
                                 WHERE m.cloud_id = %(cloud)s::uuid AND m.kind = i.kind AND m.ref = i.ref
                                   AND m.digest = i.digest) END
    )"""  # noqa: S608

_KNOWN = """
    SELECT EXISTS (SELECT FROM inventory_machine WHERE cloud_id = %(cloud)s AND ref = ANY(%(machines)s))
        OR EXISTS (SELECT FROM inventory_thing t
                     JOIN unnest(%(kinds)s::text[], %(refs)s::text[]) AS g(kind, ref) USING (kind, ref)
                    WHERE t.cloud_id = %(cloud)s)"""

# A machine that shared its identity with one that is gone takes the key that follows from it.
_SETTLE = """
    UPDATE inventory_machine m SET id = md5(%(cloud)s || '/machine/' || m.uid)::uuid
      FROM (SELECT uid, min(ref) AS ref FROM inventory_machine
             WHERE cloud_id = %(cloud)s::uuid AND uid = ANY(%(uids)s) GROUP BY uid) one
     WHERE m.cloud_id = %(cloud)s::uuid AND m.uid = one.uid AND m.ref = one.ref
       AND m.id <> md5(%(cloud)s || '/machine/' || m.uid)::uuid
       AND NOT EXISTS (SELECT FROM inventory_machine o WHERE o.id = md5(%(cloud)s || '/machine/' || m.uid)::uuid)"""


@dataclass(slots=True)
class Written:
    """What writing has changed, as (kind, id)."""

    stored: Changed = field(default_factory=set)
    vanished: Changed = field(default_factory=set)

    def __bool__(self) -> bool:
        return bool(self.stored or self.vanished)

    @property
    def changed(self) -> Changed:
        """Return everything that is other than before."""
        return self.stored | self.vanished

    def add(self, other: Written) -> None:
        """Take in what another page has changed."""
        self.stored |= other.stored
        self.vanished |= other.vanished


def document(items: Iterable[Item]) -> str:
    """Return a page of items as the JSON text that the statements take; what PostgreSQL cannot store is replaced."""
    rows = [
        {"kind": item.kind, "id": item.id, "ref": item.ref, "name": item.name, "facts": item.facts} for item in items
    ]
    try:
        text = json.dumps(rows, ensure_ascii=False, allow_nan=False, separators=(",", ":"), default=dict)
        text.encode()
    except (ValueError, UnicodeEncodeError):
        return _tidied(rows)
    return _tidied(rows) if "\\u0000" in text else text


def _tidied(rows: Any) -> str:
    return json.dumps(_tidy(rows), ensure_ascii=False, separators=(",", ":"), default=dict)


def _tidy(value: Any) -> Any:
    if isinstance(value, str):
        return value.replace("\x00", "\ufffd").encode("utf-8", "replace").decode()
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, dict):
        return {_tidy(str(key)): _tidy(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_tidy(item) for item in value]
    return value


def store(cloud_id: uuid.UUID, items: Sequence[Item], gone: Sequence[tuple[str, str]], *, full: bool) -> Written:
    """Store a page, and note what it names when it belongs to a load of everything. Doing it again changes nothing."""
    written = Written()
    with connection.cursor() as cursor:
        if gone:
            written.vanished |= _vanish(cursor, cloud_id, gone)
        if items:
            columns = [name for name, _ in _COLUMNS]
            values: dict[str, Any] = {"cloud": str(cloud_id), "page": document(items), "columns": columns, "full": full}
            kinds = {"machine" if item.kind == "machine" else "" for item in items}
            for kind, statement in _UPSERTS:
                if kind in kinds:
                    cursor.execute(statement, values)
                    for what, item_kind, uid in cursor.fetchall():
                        (written.stored if what == "stored" else written.vanished).add((item_kind, uid))
        _settle(cursor, cloud_id, written.vanished)
    return written


def differs(cloud_id: uuid.UUID, items: Sequence[Item], gone: Sequence[tuple[str, str]]) -> bool:
    """Tell whether storing a page would change anything; reads only."""
    with connection.cursor() as cursor:
        if gone:
            cursor.execute(
                _KNOWN,
                {
                    "cloud": cloud_id,
                    "machines": [ref for kind, ref in gone if kind == "machine"],
                    "kinds": [kind for kind, _ in gone],
                    "refs": [ref for _, ref in gone],
                },
            )
            if cursor.fetchone()[0]:
                return True
        if items:
            cursor.execute(_DIFFERS, {"cloud": str(cloud_id), "page": document(items)})
            return bool(cursor.fetchone()[0])
    return False


def begin_load(cloud_id: uuid.UUID) -> None:
    """Forget what an earlier load of everything has come across."""
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM inventory_seen WHERE cloud_id = %s", [cloud_id])


def end_load(cloud_id: uuid.UUID) -> Written:
    """Remove what the load of everything has not come across."""
    written = Written()
    with connection.cursor() as cursor:
        written.vanished |= _pairs(
            cursor,
            "DELETE FROM inventory_machine m WHERE m.cloud_id = %(cloud)s AND NOT EXISTS (SELECT FROM inventory_seen s"
            " WHERE s.cloud_id = m.cloud_id AND s.kind = 'machine' AND s.ref = m.ref) RETURNING 'machine', m.uid",
            {"cloud": cloud_id},
        )
        written.vanished |= _pairs(
            cursor,
            "DELETE FROM inventory_thing m WHERE m.cloud_id = %(cloud)s AND NOT EXISTS (SELECT FROM inventory_seen s"
            " WHERE s.cloud_id = m.cloud_id AND s.kind = m.kind AND s.ref = m.ref) RETURNING m.kind, m.uid",
            {"cloud": cloud_id},
        )
        _settle(cursor, cloud_id, written.vanished)
        cursor.execute("DELETE FROM inventory_seen WHERE cloud_id = %s", [cloud_id])
    return written


def counts(cloud_id: uuid.UUID) -> dict[str, int]:
    """Return how many rows a cloud has, by kind."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT kind, count(*) FROM inventory_thing WHERE cloud_id = %(cloud)s GROUP BY kind"
            " UNION ALL SELECT 'machine', count(*) FROM inventory_machine WHERE cloud_id = %(cloud)s",
            {"cloud": cloud_id},
        )
        return dict(cursor.fetchall())


def _vanish(cursor: Any, cloud_id: uuid.UUID, gone: Sequence[tuple[str, str]]) -> Changed:
    vanished: Changed = set()
    machines = [ref for kind, ref in gone if kind == "machine"]
    if machines:
        vanished |= _pairs(
            cursor,
            "DELETE FROM inventory_machine WHERE cloud_id = %(cloud)s AND ref = ANY(%(refs)s) RETURNING 'machine', uid",
            {"cloud": cloud_id, "refs": machines},
        )
    things = [(kind, ref) for kind, ref in gone if kind != "machine"]
    if things:
        vanished |= _pairs(
            cursor,
            "DELETE FROM inventory_thing t USING unnest(%(kinds)s::text[], %(refs)s::text[]) AS g(kind, ref)"
            " WHERE t.cloud_id = %(cloud)s AND t.kind = g.kind AND t.ref = g.ref RETURNING t.kind, t.uid",
            {"cloud": cloud_id, "kinds": [kind for kind, _ in things], "refs": [ref for _, ref in things]},
        )
    return vanished


def _settle(cursor: Any, cloud_id: uuid.UUID, vanished: Changed) -> None:
    uids = [uid for kind, uid in vanished if kind == "machine"]
    if uids:
        cursor.execute(_SETTLE, {"cloud": str(cloud_id), "uids": uids})


def _pairs(cursor: Any, statement: str, values: dict[str, Any]) -> Changed:
    cursor.execute(statement, values)
    return set(cursor.fetchall())
