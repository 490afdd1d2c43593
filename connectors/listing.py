"""Everything that a cloud has, page by page, and afterwards only what changed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

ItemKind = Literal[
    "machine", "template", "host", "cluster", "pool", "datastore", "network", "tag",
    "volume", "vpc", "firewall", "balancer",
]  # fmt: skip
"""Kinds of one vocabulary for all clouds: an EC2 instance is a machine, an AMI a template, a subnet a network, a
security group a firewall, an availability zone a cluster."""


@dataclass(frozen=True, slots=True)
class Item:
    """One thing on a cloud. ``id`` is its identity for life: a machine's instance UUID (it outlives a vMotion) or EC2
    id; a managed object's reference where there is nothing better. ``ref`` is what the API calls it now.

    ``facts`` by kind, JSON-able, unknown ones left out:
    machine: power ("on"|"off"|"suspended"), tools, cpus, memory_mib, disk_gib, host, cluster, pool, folder (names, a
    folder as a path), guest, addresses (list), networks, datastores, tags (lists of names), snapshots (count), nics
    (list of {network, mac, addresses}), disks (list of {label, size_gib, datastore, path}), bios_uuid, annotation,
    created_at (ISO 8601), owner ({organization_id, deployment_id, key} of our marker), zone, type (EC2).
    template: cpus, memory_mib, disk_gib, guest, container_host, folder. host: cluster, state, cpus, cpu_mhz,
    cpu_used_mhz, memory_mib, memory_used_mib, model, version. cluster: hosts, and a host's sums. pool: cluster,
    cpu_reserved_mhz, memory_reserved_mib, cpu_limit_mhz, memory_limit_mib. datastore: type ("VMFS"|"NFS"|"vSAN"|…),
    capacity_gib, free_gib, uncommitted_gib, accessible, hosts (count). network: type ("standard"|"distributed"|"nsx"|
    "subnet"), vlan, switch, segment, cidr, vpc. tag: category. volume: size_gib, state, type, attached_to, zone.
    firewall: vpc, rules (count). balancer: type, address, state. vpc: cidr.
    """

    kind: ItemKind
    id: str
    ref: str
    name: str
    facts: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ListingPage:
    """A part of a listing.

    ``full``: the page belongs to a listing from scratch, whose first page has ``start``; what none of its pages names
    has vanished once the page with ``last`` is stored. Otherwise ``items`` are what came or changed, whole, and
    ``gone`` (kind, ref) what vanished; a thing that turned into one of another kind (a machine that became a template)
    is gone as what it was. Naming what was never there does no harm.
    ``cursor`` is set on the last page: text for the next call, to be kept sealed, since it may hold a session's key.
    It may be set on earlier pages too: then a listing that is cut goes on behind that page.
    ``total`` tells how many items the listing will have, when the cloud says so; for people who wait.
    """

    items: tuple[Item, ...] = ()
    gone: tuple[tuple[ItemKind, str], ...] = ()
    full: bool = False
    last: bool = False
    cursor: str = ""
    start: bool = False
    total: int | None = None


class Listing(Protocol):
    """What connectors that can list everything offer beside the contract's verbs."""

    def listing(self, cursor: str) -> Iterator[ListingPage]:
        """Yield what changed since a cursor, or everything when it is empty or the cloud has forgotten it.

        Memory stays bounded by a page. ConnectorError as everywhere.
        """
        ...
