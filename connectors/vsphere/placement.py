"""Where a new machine goes when the plan leaves it open: cluster, pool, host and datastore."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase

from connectors.base import ConnectorError
from connectors.vsphere.cloud import Cloud
from connectors.vsphere.estate import Cluster, Datastore, Host, missing
from connectors.vsphere.soap import Ref


@dataclass(frozen=True, slots=True)
class Place:
    """Where a machine is put."""

    cluster: Cluster
    pool: Ref
    host: Host
    datastore: Datastore


@dataclass(frozen=True, slots=True)
class Wish:
    """What a machine needs of its place. ``reach``: the datastores of its data disks. ``neighbours``: hosts of the
    deployment's other machines, one entry each."""

    name: str
    cluster: str | None
    datastore: str | None
    networks: tuple[Ref, ...]
    reach: tuple[Ref, ...]
    memory_mib: int
    disk_bytes: int
    neighbours: tuple[Ref, ...]


def choose(cloud: Cloud, wish: Wish) -> Place:
    """Return a place, or a ConnectorError that names what each cluster lacks."""
    clusters = _clusters(cloud, wish.cluster)
    rejected: list[str] = []
    options: list[tuple[tuple[float, ...], Place]] = []
    for cluster in clusters:
        reason = _unfit(cluster, wish)
        datastore = None if reason else _datastore(cloud, cluster, wish)
        host = None if reason else _host(cloud, cluster, wish)
        if datastore is None or host is None:
            rejected.append(f"{cluster.name}: {reason or _lack(wish, datastore)}")
            continue
        free = sum(each.memory_mib - each.memory_used_mib for each in cluster.hosts)
        options.append(((float(-free),), Place(cluster, pool(cloud, cluster), host, datastore)))
    if options:
        return min(options, key=lambda option: (option[0], option[1].cluster.name))[1]
    space = any("GiB" in reason for reason in rejected)
    raise ConnectorError(
        "cloud.no_space" if space else "cloud.invalid",
        f"There is no place for the machine {wish.name} - {'; '.join(rejected) or 'no cluster may be used'} - "
        + ("free some space, or choose another datastore" if space else "choose another cluster, network or datastore"),
        permanent=True,
    )


def offered(cloud: Cloud) -> list[Datastore]:
    """Return the datastores that may be chosen without being named."""
    patterns: Sequence[str] = cloud.option("datastores", cloud.flavour.datastores)
    avoided: Sequence[str] = cloud.option("avoid_datastores", cloud.flavour.avoid_datastores)
    return [
        datastore
        for datastore in cloud.estate().datastores
        if datastore.usable and _matches(datastore.name, patterns) and not _matches(datastore.name, avoided)
    ]


def pool(cloud: Cloud, cluster: Cluster) -> Ref:
    """Return the resource pool of a cluster that machines go to."""
    wanted = cloud.option("pool", cloud.flavour.pool)
    if wanted is None:
        return cluster.pool
    found = cluster.pools.get(wanted)
    if found is None:
        raise missing(f"resource pool in {cluster.name}", wanted, list(cluster.pools))
    return found


def _clusters(cloud: Cloud, name: str | None) -> list[Cluster]:
    if name:
        return [cloud.surveyor.cluster(name)]
    clusters = cloud.estate().clusters
    return [cluster for cluster in clusters if cloud.flavour.offers_cluster(cluster.name)]


def _unfit(cluster: Cluster, wish: Wish) -> str:
    if not cluster.hosts:
        return "no host is connected and out of maintenance"
    if any(network not in cluster.networks for network in wish.networks):
        return "a network of the machine does not reach it"
    if not all(cluster.reaches(datastore) for datastore in wish.reach):
        return "a data disk's datastore does not reach it"
    return ""


def _lack(wish: Wish, datastore: Datastore | None) -> str:
    if datastore is None:
        return f"no datastore that may be used has {wish.disk_bytes / 2**30:g} GiB left"
    return f"no host has {wish.memory_mib} MiB of memory"


def _datastore(cloud: Cloud, cluster: Cluster, wish: Wish) -> Datastore | None:
    if wish.datastore:
        named = cloud.surveyor.datastore(wish.datastore)
        return named if cluster.reaches(named.ref) and named.free >= wish.disk_bytes else None
    fitting = [
        datastore
        for datastore in offered(cloud)
        if cluster.reaches(datastore.ref) and datastore.free >= wish.disk_bytes
    ]
    # A type that is not told apart is a host's own disk or a simulator's.
    return max(fitting, key=lambda each: (each.type != "OTHER", each.free), default=None)


def _host(cloud: Cloud, cluster: Cluster, wish: Wish) -> Host | None:
    """Choose the host with the fewest of the deployment's machines, then of all that were just placed."""
    neighbours = Counter(wish.neighbours)
    lately = Counter(host for _, host in cloud.memories.placed.values())
    fitting = [host for host in cluster.hosts if host.memory_mib >= wish.memory_mib]
    return min(
        fitting,
        key=lambda host: (
            neighbours[host.ref],
            lately[host.ref],
            host.memory_used_mib / max(1, host.memory_mib),
            host.name,
        ),
        default=None,
    )


def _matches(name: str, patterns: Iterable[str]) -> bool:
    return any(fnmatchcase(name.lower(), pattern.lower()) for pattern in patterns)
