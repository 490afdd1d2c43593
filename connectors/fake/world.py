"""What a fake cloud consists of when nothing was asked yet: clusters, datastores, networks, templates."""

from __future__ import annotations

import json
import sqlite3
import uuid
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from engine.observed import ClusterFact, DatastoreFact, Inventory, NetworkFact, TemplateFact

SYSTEM_DISK_GIB = 10


def defaults(options: Mapping[str, Any]) -> Inventory:
    """Return the bare cloud: the one given by ``options["inventory"]`` (``Inventory.to_json``), or a small one."""
    if "inventory" in options:
        return Inventory.from_json(options["inventory"])
    clusters = ("blue", "green")
    return Inventory(
        templates=(
            TemplateFact("template-1", "container-host", 2, 2048, SYSTEM_DISK_GIB, "debian12_64Guest", True),
            TemplateFact("template-2", "bare", 1, 1024, SYSTEM_DISK_GIB, "otherGuest64", False),
        ),
        clusters=tuple(
            ClusterFact(f"cluster-{number}", name, 4, 64, 160_000, 0, 512 * 1024, 0)
            for number, name in enumerate(clusters, 1)
        ),
        datastores=(
            DatastoreFact("datastore-1", "bronze", "NFS", 4096.0, 4096.0),
            DatastoreFact("datastore-2", "silver", "VMFS", 2048.0, 2048.0),
        ),
        networks=(NetworkFact("network-1", "VM Network", "standard"),),
        switches=("switch",),
    )


def current(db: sqlite3.Connection, options: Mapping[str, Any]) -> Inventory:
    """Return the inventory as it stands: space and memory taken off, made networks and machines added."""
    bare = defaults(options)
    used: dict[str, float] = {}
    memory: dict[str, int] = {}
    machines = 0
    taken: dict[str, int] = {}  # of each quota
    networks = list(bare.networks)
    for row in db.execute("SELECT id, kind, name, data FROM thing"):
        data = json.loads(row["data"])
        for name, amount in _counted(row["kind"], data):
            taken[name] = taken.get(name, 0) + amount
        if row["kind"] == "volume":
            used[data["datastore"]] = used.get(data["datastore"], 0.0) + data["size_gib"]
        elif row["kind"] == "machine":
            machines += 1
            used[data["datastore"]] = used.get(data["datastore"], 0.0) + SYSTEM_DISK_GIB
            if data["power"] == "on":
                memory[data["cluster"]] = memory.get(data["cluster"], 0) + data["memory_mib"]
        elif row["kind"] == "network":
            networks.append(NetworkFact(row["id"], row["name"], "distributed", data.get("vlan")))
    return replace(
        bare,
        clusters=tuple(
            ClusterFact(
                fact.id,
                fact.name,
                fact.hosts,
                fact.cpus,
                fact.cpu_mhz,
                fact.cpu_used_mhz,
                fact.memory_mib,
                fact.memory_used_mib + memory.get(fact.name, 0),
            )
            for fact in bare.clusters
        ),
        datastores=tuple(
            DatastoreFact(
                fact.id,
                fact.name,
                fact.type,
                fact.capacity_gib,
                fact.free_gib - used.get(fact.name, 0.0),
                fact.clusters,
                fact.accessible,
            )
            for fact in bare.datastores
        ),
        networks=tuple(networks),
        machines=machines,
        quotas=tuple(replace(fact, used=fact.used + taken.get(fact.name, 0)) for fact in bare.quotas),
    )


def _counted(kind: str, data: Mapping[str, Any]) -> list[tuple[str, int]]:
    """Return what a thing takes of which quotas."""
    match kind:
        case "machine":
            return [("spot_vcpus" if data.get("spot") else "vcpus", data["cpus"]), ("machines", 1)]
        case "volume":
            return [("volumes_gib", data["size_gib"])]
        case "folder":
            return [("vpcs", 1)]
        case "firewall" | "network":
            return [("firewalls", 1)]
        case "balancer":
            return [("balancers", 1)]
    return []


def addresses(machine: Mapping[str, Any]) -> list[str]:
    """Return the addresses of a machine that runs (its row, with ``data`` decoded)."""
    number = int(uuid.UUID(machine["id"])) % 62_000
    return machine["data"]["static"] or [f"10.20.{number // 250}.{number % 250 + 2}"]
