"""Choose where machines and disks go, and explain every candidate that was not chosen."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from engine.findings import Finding
from engine.observed import ClusterFact, DatastoreFact, Inventory
from engine.wording import counted

# Left free on a datastore: swap files of the machines and snapshots need room too.
HEADROOM = 0.05
_SHOWN = 8  # rejected candidates that get a finding each; the rest is counted


@dataclass(frozen=True, slots=True)
class Wish:
    """What is to be placed. ``held`` is what this deployment has on a cluster already (MiB, CPUs).

    ``disks`` maps what needs space ("machine:host-1", "volume:data") to GiB; ``fixed`` what must go to a named
    datastore. ``cluster`` and ``datastore`` are names that the drawing or the admin asks for; ``usual`` is where
    the deployment stands, kept as long as it has the room.
    """

    machines: Sequence[tuple[int, int]]  # (CPUs, MiB) of each machine, new ones and present ones
    disks: Mapping[str, int] = field(default_factory=dict)
    fixed: Mapping[str, str] = field(default_factory=dict)
    cluster: str | None = None
    datastore: str | None = None
    usual_cluster: str | None = None
    held_cpus: int = 0
    held_memory_mib: int = 0
    settled: bool = False  # every machine stands already: nothing is told of the choice
    policy: str = "DEFAULT"
    cpu_overcommit: float = 4.0


@dataclass(frozen=True, slots=True)
class Choice:
    """Where things go: names, or None for the target's own choice."""

    cluster: str | None = None
    datastores: Mapping[str, str] = field(default_factory=dict)
    findings: tuple[Finding, ...] = ()


def choose(inventory: Inventory, wish: Wish) -> Choice:
    """Return a cluster and a datastore for each disk.

    Findings: ``placement.no_capacity`` and ``placement.datastore_full`` (errors), ``placement.cluster_missing``
    and ``placement.datastore_missing`` (errors), ``placement.rejected`` and ``placement.chosen`` (infos).
    """
    findings: list[Finding] = []
    cluster, reachable = _cluster(inventory, wish, findings)
    datastores = _datastores(inventory, wish, cluster, reachable, findings)
    return Choice(cluster, datastores, tuple(findings))


def _cluster(inventory: Inventory, wish: Wish, findings: list[Finding]) -> tuple[str | None, tuple[DatastoreFact, ...]]:
    clusters = inventory.clusters
    if not clusters:
        findings.append(
            Finding(
                "placement.unknown",
                "warning",
                "No cluster of this cloud is known, so capacity was not checked and the cloud chooses the place: "
                "synchronise the cloud's inventory to have it checked.",
            )
        )
        return wish.cluster, inventory.datastores
    if wish.cluster and all(cluster.name != wish.cluster for cluster in clusters):
        known = ", ".join(sorted(cluster.name for cluster in clusters))
        findings.append(
            Finding(
                "placement.cluster_missing",
                "error",
                f"The cluster {wish.cluster!r} does not exist on this cloud, so nothing can be placed: choose one of "
                f"{known} (x-escale.cluster or the cloud's defaults).",
            )
        )
        return None, ()
    rejected: list[tuple[str, str]] = []
    fitting: list[ClusterFact] = []
    for cluster in sorted(clusters, key=lambda cluster: cluster.name):
        reason = _refusal(cluster, wish, inventory)
        if reason:
            rejected.append((cluster.name, reason))
        else:
            fitting.append(cluster)
    if not fitting:
        memory, cpus = sum(memory for _, memory in wish.machines), sum(cpus for cpus, _ in wish.machines)
        reasons = "; ".join(f"{name}: {reason}" for name, reason in rejected[:_SHOWN])
        findings.append(
            Finding(
                "placement.no_capacity",
                "error",
                f"No cluster has room for {counted(len(wish.machines), 'machine')} with {counted(cpus, 'CPU')} and "
                f"{memory} MiB ({reasons}): free capacity, ask for less (x-escale.cpus and memory of the "
                "services), or choose another cloud.",
            )
        )
        return wish.cluster or wish.usual_cluster, _reachable(inventory, wish.cluster or wish.usual_cluster)
    chosen = _best(fitting, wish)
    if not wish.settled:
        _tell("cluster", chosen.name, [cluster.name for cluster in fitting], rejected, findings)
    return chosen.name, _reachable(inventory, chosen.name)


def _refusal(cluster: ClusterFact, wish: Wish, inventory: Inventory) -> str:
    """Say why a cluster cannot take the machines; empty when it can."""
    if wish.cluster and cluster.name != wish.cluster:
        return f"{wish.cluster!r} is asked for"
    if inventory.sizes:
        return ""  # a zone, whose capacity nobody tells; what it allows is told by quotas
    if cluster.hosts <= 0:
        return "no host is connected and out of maintenance"
    standing = cluster.name == wish.usual_cluster
    memory = sum(memory for _, memory in wish.machines) - (wish.held_memory_mib if standing else 0)
    cpus = sum(cpus for cpus, _ in wish.machines) - (wish.held_cpus if standing else 0)
    host_memory, host_cpus = cluster.memory_mib // cluster.hosts, max(1, cluster.cpus // cluster.hosts)
    largest_memory = max((memory for _, memory in wish.machines), default=0)
    largest_cpus = max((cpus for cpus, _ in wish.machines), default=0)
    if largest_memory > host_memory:
        return f"a machine needs {largest_memory} MiB, a host has {host_memory} MiB"
    if largest_cpus > host_cpus:
        return f"a machine needs {counted(largest_cpus, 'CPU')}, a host has {host_cpus}"
    free_memory = cluster.memory_mib - cluster.memory_used_mib
    if memory > free_memory:
        return f"needs {memory} MiB of memory, {max(free_memory, 0)} MiB are free"
    if cluster.cpu_mhz > 0:
        idle = max(0, cluster.cpu_mhz - cluster.cpu_used_mhz) / cluster.cpu_mhz
        free_cpus = int(cluster.cpus * idle * wish.cpu_overcommit)
        if cpus > free_cpus:
            return f"needs {counted(cpus, 'virtual CPU')}, {free_cpus} are free ({wish.cpu_overcommit:g} a core)"
    if inventory.datastores and not any(store.accessible for store in _reachable(inventory, cluster.name)):
        return "its hosts reach no datastore"
    return ""


def _best(fitting: Sequence[ClusterFact], wish: Wish) -> ClusterFact:
    for cluster in fitting:
        if cluster.name == wish.usual_cluster:
            return cluster
    sign = 1 if wish.policy == "BINPACK" else -1
    return min(fitting, key=lambda cluster: (sign * (cluster.memory_mib - cluster.memory_used_mib), cluster.name))


def _reachable(inventory: Inventory, cluster: str | None) -> tuple[DatastoreFact, ...]:
    return tuple(
        store for store in inventory.datastores if cluster is None or not store.clusters or cluster in store.clusters
    )


def _datastores(
    inventory: Inventory,
    wish: Wish,
    cluster: str | None,
    reachable: Sequence[DatastoreFact],
    findings: list[Finding],
) -> dict[str, str]:
    """Fill one datastore after the other, the one with the most room first; what was asked for by name first."""
    if not inventory.datastores:
        names = {key: wish.fixed.get(key) or wish.datastore for key in wish.disks}
        return {key: name for key, name in names.items() if name}
    known = {store.name: store for store in inventory.datastores}
    free = {store.name: store.free_gib - HEADROOM * store.capacity_gib for store in reachable if store.accessible}
    if inventory.sizes:
        free = dict.fromkeys(free, float("inf"))  # kinds of volumes, not places with a size
    placed: dict[str, str] = {}
    lacking: dict[str, int] = {}
    missing: set[str] = set()
    order = list(free) if inventory.sizes else sorted(free, key=lambda name: (-free[name], name))
    used: dict[str, int] = {}
    for key, size in wish.disks.items():
        wanted = wish.fixed.get(key) or wish.datastore
        if wanted is not None and wanted not in known:
            missing.add(wanted)
            continue
        candidates = order if wanted is None else [wanted]
        store = next((name for name in candidates if free.get(name, -1.0) - used.get(name, 0) >= size), None)
        if store is None:
            lacking[wanted or ""] = lacking.get(wanted or "", 0) + size
            continue
        placed[key] = store
        used[store] = used.get(store, 0) + size
    for name in sorted(missing):
        findings.append(
            Finding(
                "placement.datastore_missing",
                "error",
                f"The datastore {name!r} does not exist on this cloud, so its disks cannot be made: choose one of "
                f"{', '.join(sorted(known))}.",
            )
        )
    for name, size in sorted(lacking.items()):
        findings.append(_full(name, size, cluster, wish, free, known))
    if placed and not inventory.sizes:
        chosen = sorted(set(placed.values()))
        rejected = [
            (store.name, _store_refusal(store, cluster, wish))
            for store in sorted(inventory.datastores, key=lambda store: store.name)
            if store.name not in chosen
        ]
        fitting = [*chosen, *(name for name, reason in rejected if not reason)]
        _tell("datastore", ", ".join(chosen), fitting, [pair for pair in rejected if pair[1]], findings)
    return placed


def _store_refusal(store: DatastoreFact, cluster: str | None, wish: Wish) -> str:
    if not store.accessible:
        return "not accessible"
    if cluster is not None and store.clusters and cluster not in store.clusters:
        return f"no host of {cluster} reaches it"
    if wish.datastore and store.name != wish.datastore:
        return f"{wish.datastore!r} is asked for"
    need = sum(wish.disks.values())
    if store.free_gib - HEADROOM * store.capacity_gib < need:
        return f"{need} GiB are needed, {_room(store):g} GiB are free"
    return ""


def _room(store: DatastoreFact) -> float:
    return round(max(0.0, store.free_gib - HEADROOM * store.capacity_gib), 1)


def _full(
    name: str,
    size: int,
    cluster: str | None,
    wish: Wish,
    free: Mapping[str, float],
    known: Mapping[str, DatastoreFact],
) -> Finding:
    total = sum(wish.disks.values())
    if name and name not in free:
        store = known[name]
        why = "is not accessible" if not store.accessible else f"cannot be reached from the cluster {cluster}"
        message = f"The datastore {name!r} {why}"
    elif name:
        message = (
            f"The datastore {name!r} has {_room(known[name]):g} GiB free (5 % are kept), {size} GiB more are needed"
        )
    else:
        rooms = (
            ", ".join(f"{store} {_room(known[store]):g} GiB" for store in sorted(free)[:_SHOWN]) or "none is reachable"
        )
        message = f"No datastore has room for {size} of {total} GiB of disks (free: {rooms}; 5 % are kept)"
    return Finding(
        "placement.datastore_full",
        "error",
        f"{message}, so disks cannot be made: free space, ask for smaller volumes (x-escale.size) or choose another "
        "datastore.",
    )


def _tell(
    what: str,
    chosen: str,
    fitting: Sequence[str],
    rejected: Sequence[tuple[str, str]],
    findings: list[Finding],
) -> None:
    others = [name for name in fitting if name not in chosen.split(", ")]
    also = f"; {', '.join(sorted(others)[:_SHOWN])} would have had room too" if others else ""
    findings.append(Finding("placement.chosen", "info", f"The {what} {chosen} was chosen{also}."))
    findings.extend(
        Finding("placement.rejected", "info", f"The {what} {name} was not chosen: {reason}.")
        for name, reason in rejected[:_SHOWN]
    )
    if len(rejected) > _SHOWN:
        findings.append(
            Finding("placement.rejected", "info", f"{len(rejected) - _SHOWN} more of kind {what} were not chosen.")
        )
