"""List the fake cloud: everything in pages, then what has changed since, by a log that the store's triggers keep."""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Iterator, Mapping
from typing import Any

from connectors.fake import world
from connectors.fake.store import Store, dump
from connectors.listing import Item, ItemKind, ListingPage
from engine.observed import Inventory

_PAGE = 500
_KINDS: Mapping[str, ItemKind] = {"machine": "machine", "network": "network", "volume": "volume"}


def listing(store: Store, options: Mapping[str, Any], cursor: str) -> Iterator[ListingPage]:
    """Yield pages; see ``connectors.listing.Listing``. ``options``: ``listing_page`` (500) items in one.

    With ``listing`` "full", the cloud keeps no log of changes, as some clouds do not.
    """
    note = _read(cursor)
    size = int(options.get("listing_page", _PAGE))
    with store.transaction() as db:
        epoch, seq = _epoch(db), _last(db)
    if note.get("epoch") != epoch or options.get("listing") == "full":
        note = {"epoch": epoch, "seq": seq, "at": time.time(), "after": ""}
        with store.transaction() as db:
            ground = tuple(_ground(db, options))
        yield ListingPage(ground, full=True, start=True, cursor=_write(note))
    if "after" not in note:
        yield _changes(store, options, note)
        return
    yield from _rest(store, options, note, size)


def _rest(store: Store, options: Mapping[str, Any], note: dict[str, Any], size: int) -> Iterator[ListingPage]:
    """Yield what a listing from scratch has not come to yet, in the order of the ids."""
    while True:
        with store.transaction() as db:
            names = _names(db, options)
            total = db.execute("SELECT count(*) FROM thing").fetchone()[0]
            rows = db.execute(
                "SELECT * FROM thing WHERE id > ? ORDER BY id LIMIT ?", (note["after"], size + 1)
            ).fetchall()
        page, more = rows[:size], len(rows) > size
        items = tuple(item for row in page if (item := _item(row, options, names)) is not None)
        if more:
            note["after"] = page[-1]["id"]
        else:
            note = {name: note[name] for name in ("epoch", "seq", "at")}
        yield ListingPage(items, full=True, last=not more, cursor=_write(note), total=total)
        if not more:
            return


def _changes(store: Store, options: Mapping[str, Any], note: dict[str, Any]) -> ListingPage:
    now, boot_s = time.time(), float(options.get("boot_s", 0.02))
    with store.transaction() as db:
        seq = _last(db)
        named = db.execute("SELECT DISTINCT id, kind FROM change WHERE seq > ?", (note["seq"],)).fetchall()
        rows = db.execute(
            "SELECT * FROM thing WHERE id IN (SELECT id FROM change WHERE seq > ?) OR visible_at > ?"
            " OR (kind = 'machine' AND json_extract(data, '$.on_since') + ? > ?)",
            (note["seq"], note["at"], boot_s, note["at"]),
        ).fetchall()
        names = _names(db, options)
        # Room and load follow from what is there, so that any change may have changed them.
        ground = tuple(_ground(db, options)) if named else ()
    there = {row["id"] for row in rows if row["visible_at"] <= now}
    gone = tuple((_KINDS[row["kind"]], row["id"]) for row in named if row["id"] not in there and row["kind"] in _KINDS)
    items = tuple(item for row in rows if (item := _item(row, options, names)) is not None)
    return ListingPage(ground + items, gone, last=True, cursor=_write({**note, "seq": seq, "at": now}))


def forget(db: sqlite3.Connection) -> None:
    """Forget what has changed, so that nobody's cursor leads anywhere any more."""
    db.execute("DELETE FROM change")
    db.execute("DELETE FROM epoch")


def _read(cursor: str) -> dict[str, Any]:
    try:
        note = json.loads(cursor or "{}")
    except ValueError:
        return {}
    return note if isinstance(note, dict) else {}


def _write(note: Mapping[str, Any]) -> str:
    return dump(note)


def _epoch(db: sqlite3.Connection) -> str:
    db.execute("INSERT OR IGNORE INTO epoch (one, value) VALUES (1, hex(randomblob(16)))")
    return str(db.execute("SELECT value FROM epoch").fetchone()[0])


def _last(db: sqlite3.Connection) -> int:
    return int(db.execute("SELECT coalesce(max(seq), 0) FROM change").fetchone()[0])


def _names(db: sqlite3.Connection, options: Mapping[str, Any]) -> dict[str, str]:
    """Return the names of networks by id."""
    names = {fact.id: fact.name for fact in world.defaults(options).networks}
    names.update(db.execute("SELECT id, name FROM thing WHERE kind = 'network'").fetchall())
    return names


def _ground(db: sqlite3.Connection, options: Mapping[str, Any]) -> Iterator[Item]:
    """Yield what the cloud has of itself: clusters with their hosts, datastores, networks, templates."""
    inventory: Inventory = world.current(db, options)
    own = {fact.id for fact in world.defaults(options).networks}
    for cluster in inventory.clusters:
        yield Item("cluster", cluster.id, cluster.id, cluster.name, {
            "hosts": cluster.hosts, "cpus": cluster.cpus, "cpu_mhz": cluster.cpu_mhz,
            "cpu_used_mhz": cluster.cpu_used_mhz, "memory_mib": cluster.memory_mib,
            "memory_used_mib": cluster.memory_used_mib,
        })  # fmt: skip
        for number in range(1, cluster.hosts + 1):
            name = f"{cluster.name}-host-{number}"
            yield Item("host", name, name, name, {
                "cluster": cluster.name, "state": "connected", "cpus": cluster.cpus // cluster.hosts,
                "cpu_mhz": cluster.cpu_mhz // cluster.hosts, "memory_mib": cluster.memory_mib // cluster.hosts,
            })  # fmt: skip
    for store in inventory.datastores:
        yield Item("datastore", store.id, store.id, store.name, {
            "type": store.type, "capacity_gib": store.capacity_gib, "free_gib": store.free_gib,
            "accessible": store.accessible,
        })  # fmt: skip
    for network in inventory.networks:
        if network.id in own:
            yield Item("network", network.id, network.id, network.name, {"type": network.type, "vlan": network.vlan})
    for template in inventory.templates:
        yield Item("template", template.id, template.id, template.name, {
            "cpus": template.cpus, "memory_mib": template.memory_mib, "disk_gib": template.disk_gib,
            "guest": template.guest, "container_host": template.container_host,
        })  # fmt: skip


def _item(row: sqlite3.Row, options: Mapping[str, Any], names: Mapping[str, str]) -> Item | None:
    if row["visible_at"] > time.time() or row["kind"] not in _KINDS:
        return None
    data = json.loads(row["data"])
    if row["kind"] == "machine":
        return Item("machine", row["id"], row["id"], row["name"], _machine(row, data, options, names))
    if row["kind"] == "volume":
        facts = {"size_gib": data["size_gib"], "type": data["datastore"], "path": data["path"]}
        return Item("volume", row["id"], row["id"], row["name"], facts)
    return Item("network", row["id"], row["id"], row["name"], {"type": "distributed", "vlan": data.get("vlan")})


def _machine(
    row: sqlite3.Row, data: Mapping[str, Any], options: Mapping[str, Any], names: Mapping[str, str]
) -> dict[str, Any]:
    on = data["power"] == "on"
    booted = on and time.time() >= (data["on_since"] or 0) + float(options.get("boot_s", 0.02))
    addresses = world.addresses({"id": row["id"], "data": data}) if booted else []
    networks = [names.get(each, each) for each in data["networks"]]
    disks = [
        {"label": "Hard disk 1", "size_gib": world.SYSTEM_DISK_GIB, "datastore": data["datastore"], "path": ""},
        *(
            {
                "label": f"Hard disk {number}",
                "size_gib": disk.get("size_gib", 0),
                "datastore": data["datastore"],
                "path": disk["path"],
            }
            for number, disk in enumerate(data["disks"], 2)
        ),
    ]
    facts: dict[str, Any] = {
        "power": data["power"],
        "tools": "running" if booted else "not running",
        "cpus": data["cpus"],
        "memory_mib": data["memory_mib"],
        "disk_gib": sum(disk["size_gib"] for disk in disks),
        "host": f"{data['cluster']}-host-1",
        "cluster": data["cluster"],
        "folder": data["folder"],
        "guest": data.get("guest", "debian12_64Guest"),
        "addresses": addresses,
        "networks": networks,
        "datastores": [data["datastore"]],
        "tags": list(data.get("tags", ())),
        "snapshots": data.get("snapshots", 0),
        "nics": [
            {"network": name, "mac": "", "addresses": addresses[number : number + 1]}
            for number, name in enumerate(networks)
        ],
        "disks": disks,
        "bios_uuid": data["bios_uuid"],
    }
    if row["deployment"]:
        facts["owner"] = {
            "organization_id": data.get("organization", ""),
            "deployment_id": row["deployment"],
            "key": row["resource"],
        }
    return facts
