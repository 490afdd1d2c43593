"""What exists on a cloud, as plain data: inventories for placement, observed state for planning."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from engine.resources import Kind


@dataclass(frozen=True, slots=True)
class TemplateFact:
    """Describe a template that machines can be cloned from."""

    id: str
    name: str
    cpus: int
    memory_mib: int
    disk_gib: int
    guest: str = ""
    container_host: bool = False  # carries cloud-init with the VMware data source and can run containers


@dataclass(frozen=True, slots=True)
class ClusterFact:
    """Describe a cluster with its capacity and use."""

    id: str
    name: str
    hosts: int
    cpus: int  # physical cores in hosts that are connected and not in maintenance
    cpu_mhz: int
    cpu_used_mhz: int
    memory_mib: int
    memory_used_mib: int


@dataclass(frozen=True, slots=True)
class HostFact:
    """Describe how busy a host is."""

    id: str
    name: str
    cpu_used_mhz: int
    memory_used_mib: int


@dataclass(frozen=True, slots=True)
class DatastoreFact:
    """Describe a datastore with its space, and who reaches it."""

    id: str
    name: str
    type: str  # "VMFS", "NFS", "vsan", "OTHER"
    capacity_gib: float
    free_gib: float
    clusters: tuple[str, ...] = ()  # names of clusters whose hosts reach it; empty: all
    accessible: bool = True


@dataclass(frozen=True, slots=True)
class NetworkFact:
    """Describe a network that machines can be attached to."""

    id: str
    name: str
    type: str  # "standard", "distributed", "nsx"
    vlan: int | None = None


@dataclass(frozen=True, slots=True)
class SizeFact:
    """Describe a size that a cloud sells machines in (an EC2 instance type)."""

    name: str
    cpus: int
    memory_mib: int
    nics: int = 2
    addresses: int = 4  # on each card, the first one included
    architecture: str = "x86_64"
    spot: bool = True


@dataclass(frozen=True, slots=True)
class QuotaFact:
    """Describe a limit that a cloud sets: how much of something there may be, and how much there is."""

    name: str  # "vcpus", "spot_vcpus", "vpcs", "volumes_gib", "balancers", "firewalls", "machines"
    limit: float
    used: float
    code: str = ""  # the cloud's own ("L-1216C47A")


@dataclass(frozen=True, slots=True)
class Inventory:
    """What placement needs to know of a cloud."""

    templates: tuple[TemplateFact, ...] = ()
    clusters: tuple[ClusterFact, ...] = ()
    datastores: tuple[DatastoreFact, ...] = ()
    networks: tuple[NetworkFact, ...] = ()
    switches: tuple[str, ...] = ()  # distributed switches that port groups can be made on
    machines: int = 0
    sizes: tuple[SizeFact, ...] = ()  # empty: any size can be made
    quotas: tuple[QuotaFact, ...] = ()
    hosts: tuple[HostFact, ...] = ()  # for people: placement goes by clusters
    userdata_bytes: int = 0  # most user-data that a machine is given, compressed (EC2: 16,384); 0: a guestinfo value's

    def to_json(self) -> dict[str, Any]:
        """Return the inventory as plain data."""
        return asdict(self)

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Inventory:
        """Rebuild an inventory from `to_json`."""
        return cls(
            templates=tuple(TemplateFact(**fact) for fact in data.get("templates", ())),
            clusters=tuple(ClusterFact(**fact) for fact in data.get("clusters", ())),
            datastores=tuple(
                DatastoreFact(**{**fact, "clusters": tuple(fact.get("clusters", ()))})
                for fact in data.get("datastores", ())
            ),
            networks=tuple(NetworkFact(**fact) for fact in data.get("networks", ())),
            switches=tuple(data.get("switches", ())),
            machines=data.get("machines", 0),
            sizes=tuple(SizeFact(**fact) for fact in data.get("sizes", ())),
            quotas=tuple(QuotaFact(**fact) for fact in data.get("quotas", ())),
            hosts=tuple(HostFact(**fact) for fact in data.get("hosts", ())),
            userdata_bytes=data.get("userdata_bytes", 0),
        )


@dataclass(frozen=True, slots=True)
class Target:
    """A cloud as the realiser sees it: facts, capabilities and the admin's defaults.

    ``defaults`` keys, all optional: template, cluster, datastore, network (names), machine_cpus,
    machine_memory_mib, max_machine_cpus, max_machine_memory_mib, volume_size_gib, private_supernet (CIDR),
    isolation ("shared" | "machine"), placement ("DEFAULT" | "SPREAD" | "BINPACK"), container_engine ("docker" |
    "podman"), container_cpus, container_memory_mib (for a service that declares nothing), cpu_overcommit,
    spot (true: machines that the cloud may take away, where it sells them), open_to (CIDRs that published ports are
    opened to, on targets that shut everything else out; the whole internet else).
    machine_* are the smallest size of a machine, max_machine_* the largest.
    """

    name: str
    kind: str  # "vsphere", "fake"
    flavour: str = ""
    capabilities: frozenset[str] = frozenset()
    inventory: Inventory = Inventory()
    defaults: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ObservedResource:
    """A thing on a cloud that carries our marker.

    ``attributes`` by kind. machine: name, power ("on"|"off"|"suspended"), cpus, memory_mib, addresses (list),
    host, cluster, instance_uuid, bios_uuid, disks (list of {volume, path, size_gib, system}: volume is the key
    of one of ours or None; system is true for the disks that were cloned with the template, which may also be
    left out: a disk with neither is foreign, and keeps its machine from being deleted), tools, snapshots
    (count), size, spot. volume: size_gib, datastore, path, attached_to (machine's external id or None). network:
    name, vlan. folder: path. firewall: name, rules (list of ``Rule.to_json``). balancer: name, address, listeners
    (list of ``Listener.to_json``), machines (external ids of those that it leads to). Lists in any order.
    """

    key: str
    kind: Kind
    external_id: str
    config_hash: str
    attributes: Mapping[str, Any] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """Return the observed thing as plain data."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class ObservedState:
    """All that carries one deployment's marker.

    ``strays`` are marked things that share a key with another one (made twice by somebody) or whose marker
    cannot be read: they are shown, never adopted silently.
    """

    resources: Mapping[str, ObservedResource] = field(default_factory=dict)
    strays: tuple[ObservedResource, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """Return the observed state as plain data, by key."""
        return {
            "resources": {key: resource.to_json() for key, resource in sorted(self.resources.items())},
            "strays": [stray.to_json() for stray in self.strays],
        }
