"""What a vCenter consists of, read in one call and believed for a while: the ground that things are put on."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

from connectors.base import ConnectorError
from connectors.vsphere import properties
from connectors.vsphere.session import Session
from connectors.vsphere.soap import Node, Ref

_FRESH_S = 15.0
_TEMPLATES_FRESH_S = 120.0
_Named = TypeVar("_Named", bound="Host | Cluster | Datastore | Network | Template")

_PATHS: dict[str, list[str]] = {
    "ClusterComputeResource": ["name", "resourcePool", "host", "datastore", "network", "configurationEx"],
    "ComputeResource": ["name", "resourcePool", "host", "datastore", "network"],
    "HostSystem": [
        "name", "parent", "datastore", "runtime.connectionState", "runtime.inMaintenanceMode", "summary.hardware",
        "summary.quickStats.overallCpuUsage", "summary.quickStats.overallMemoryUsage",
    ],
    "ResourcePool": ["name", "owner"],
    "Datastore": [
        "name", "browser", "summary.type", "summary.capacity", "summary.freeSpace", "summary.accessible",
        "summary.maintenanceMode", "capability.topLevelDirectoryCreateSupported",
    ],
    "Network": ["name"],
    "OpaqueNetwork": ["name", "summary"],
    "DistributedVirtualPortgroup": [
        "name", "key", "config.distributedVirtualSwitch", "config.uplink", "config.defaultPortConfig",
        "config.description", "config.backingType",
    ],
    "DistributedVirtualSwitch": ["name", "uuid"],
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Host:
    """One ESXi host; sizes in MiB, speeds in MHz over all cores."""

    ref: Ref
    name: str
    cluster: Ref | None
    datastores: frozenset[Ref]
    usable: bool  # connected and not in maintenance
    cores: int
    mhz: int  # of all cores together
    mhz_used: int
    memory_mib: int
    memory_used_mib: int


@dataclass(frozen=True, slots=True)
class Cluster:
    """A cluster, or a host that is in none, with the hosts that can be used now."""

    ref: Ref
    name: str
    pool: Ref  # the root pool
    pools: Mapping[str, Ref]  # all below it, by name
    hosts: tuple[Host, ...]  # usable ones
    networks: frozenset[Ref]
    drs: bool

    def reaches(self, datastore: Ref) -> bool:
        """Tell whether all usable hosts mount a datastore."""
        return bool(self.hosts) and all(datastore in host.datastores for host in self.hosts)


@dataclass(frozen=True, slots=True)
class Datastore:
    """A datastore as all of its hosts see it."""

    ref: Ref
    name: str
    type: str
    capacity: int  # bytes
    free: int  # bytes
    usable: bool
    browser: Ref | None
    namespaced: bool  # directories at its top are namespace objects (vSAN)


@dataclass(frozen=True, slots=True)
class Network:
    """A network that machines can have cards on."""

    ref: Ref
    name: str
    type: str  # "standard", "distributed", "nsx"
    vlan: int | None = None
    key: str = ""  # of a port group
    switch: Ref | None = None
    description: str = ""
    opaque_id: str = ""
    opaque_type: str = ""

    @property
    def identity(self) -> str:
        """What a network card's backing names the network by."""
        return self.key or self.opaque_id or self.ref.value


@dataclass(frozen=True, slots=True)
class Switch:
    """A distributed switch."""

    ref: Ref
    name: str
    uuid: str


@dataclass(frozen=True, slots=True)
class Template:
    """A machine that others are cloned from."""

    ref: Ref
    name: str


@dataclass(frozen=True, slots=True)
class Estate:
    """One datacenter."""

    datacenter: Ref
    name: str
    machine_folder: Ref
    network_folder: Ref
    clusters: tuple[Cluster, ...]
    datastores: tuple[Datastore, ...]
    networks: tuple[Network, ...]
    switches: tuple[Switch, ...]
    hosts: Mapping[Ref, Host] = field(default_factory=dict)


class Surveyor:
    """Reads estates and keeps the last one."""

    def __init__(self, session: Session, datacenter: str | None) -> None:
        self._session, self._wanted = session, datacenter
        self._lock = threading.Lock()
        self._datacenter: Mapping[str, Any] | None = None
        self._estate: tuple[float, Estate] | None = None
        self._templates: tuple[float, tuple[Template, ...]] | None = None
        self._machines = 0

    def estate(self, max_age_s: float = _FRESH_S) -> Estate:
        """Return the datacenter as it was at most ``max_age_s`` ago."""
        place = self._place()
        with self._lock:
            if self._estate is None or time.monotonic() - self._estate[0] > max_age_s:
                self._estate = (time.monotonic(), self._survey(place))
            return self._estate[1]

    def templates(self, max_age_s: float = _TEMPLATES_FRESH_S) -> tuple[Template, ...]:
        """Return all templates, sorted by name."""
        datacenter = self._place()["ref"]
        with self._lock:
            if self._templates is None or time.monotonic() - self._templates[0] > max_age_s:
                found = properties.within(self._session, datacenter, {"VirtualMachine": ["name", "config.template"]})
                marked = [ref for ref, facts in found.items() if facts.get("config.template")]
                self._machines = len(found) - len(marked)
                templates = sorted((Template(ref, found[ref].get("name", "")) for ref in marked), key=lambda t: t.name)
                self._templates = (time.monotonic(), tuple(templates))
            return self._templates[1]

    def machines(self) -> int:
        """Return how many machines there are that are no templates."""
        self.templates(max_age_s=_FRESH_S)
        return self._machines

    def template(self, name: str) -> Template:
        """Return a template by name; ConnectorError ``cloud.not_found`` that lists what there is."""
        return self._named("template", name, lambda age: self.templates(age), _TEMPLATES_FRESH_S)

    def cluster(self, name: str) -> Cluster:
        """Return a cluster by name."""
        return self._named("cluster", name, lambda age: self.estate(age).clusters, _FRESH_S)

    def datastore(self, name: str) -> Datastore:
        """Return a datastore by name."""
        return self._named("datastore", name, lambda age: self.estate(age).datastores, _FRESH_S)

    def network(self, name: str) -> Network:
        """Return a network by name."""
        return self._named("network", name, lambda age: self.estate(age).networks, _FRESH_S)

    def network_by_id(self, value: str) -> Network | None:
        """Return a network by its reference's value; looks again when it is new."""
        for age in (_FRESH_S, 0.0):
            found = next((each for each in self.estate(age).networks if each.ref.value == value), None)
            if found is not None:
                return found
        return None

    def network_by_identity(self, identity: str) -> Network | None:
        """Return a network by what cards name it by."""
        return next((each for each in self.estate().networks if each.identity == identity), None)

    def forget(self) -> None:
        """Believe nothing any more: something was made or removed."""
        with self._lock:
            self._estate = None

    def forget_templates(self) -> None:
        """Look for templates anew: one that was believed in is gone."""
        with self._lock:
            self._templates = None

    # Details

    def _named(self, what: str, name: str, read: Callable[[float], tuple[_Named, ...]], age: float) -> _Named:
        known: tuple[_Named, ...] = ()
        for max_age_s in (age, 1.0):  # it may have been made a moment ago
            known = read(max_age_s)
            found = [each for each in known if each.name == name]
            if len(found) == 1:
                return found[0]
            if found:
                raise ConnectorError(
                    "cloud.invalid",
                    f"There are {len(found)} {what}s named {name!r} - which one is meant cannot be told - rename one",
                    permanent=True,
                )
        raise missing(what, name, [each.name for each in known])

    def _place(self) -> Mapping[str, Any]:
        with self._lock:
            if self._datacenter is None:
                found = properties.within(
                    self._session,
                    self._session.manager("rootFolder"),
                    {"Datacenter": ["name", "vmFolder", "networkFolder"]},
                )
                by_name = {facts["name"]: {**facts, "ref": ref} for ref, facts in found.items()}
                if self._wanted is not None and self._wanted not in by_name:
                    raise missing("datacenter", self._wanted, list(by_name))
                if self._wanted is None and len(by_name) != 1:
                    raise ConnectorError(
                        "cloud.invalid",
                        f"The vCenter has {len(by_name)} datacenters ({', '.join(sorted(by_name)) or 'none'}) - "
                        "the cloud's settings do not say which one to use - set the option 'datacenter'",
                        permanent=True,
                    )
                self._datacenter = by_name[self._wanted] if self._wanted else next(iter(by_name.values()))
            return self._datacenter

    def _survey(self, place: Mapping[str, Any]) -> Estate:
        found = properties.within(self._session, place["ref"], _PATHS)
        hosts = _hosts(found)
        switches = tuple(
            Switch(ref, facts["name"], facts.get("uuid", ""))
            for ref, facts in found.items()
            if ref.type.endswith("DistributedVirtualSwitch")
        )
        return Estate(
            datacenter=place["ref"],
            name=place["name"],
            machine_folder=place["vmFolder"],
            network_folder=place["networkFolder"],
            clusters=tuple(sorted(_clusters(found, hosts), key=lambda each: each.name)),
            datastores=tuple(sorted(_datastores(found), key=lambda each: each.name)),
            networks=tuple(sorted(_networks(found), key=lambda each: (each.name, each.ref))),
            switches=tuple(sorted(switches, key=lambda each: each.name)),
            hosts=hosts,
        )


def missing(what: str, name: str, known: list[str]) -> ConnectorError:
    """Say that something is not there, and what is."""
    have = ", ".join(sorted(known)[:20]) or "none"
    return ConnectorError(
        "cloud.not_found",
        f"There is no {what} {name!r} on this vCenter - it has: {have} - choose one of these, or make it there",
        permanent=True,
    )


_Found = Mapping[Ref, properties.Facts]


def _hosts(found: _Found) -> dict[Ref, Host]:
    hosts: dict[Ref, Host] = {}
    for ref, facts in found.items():
        if ref.type != "HostSystem":
            continue
        hardware = facts.get("summary.hardware")
        cores = hardware.number("numCpuCores") if isinstance(hardware, Node) else 0
        hosts[ref] = Host(
            ref=ref,
            name=facts.get("name", ref.value),
            cluster=facts.get("parent"),
            datastores=frozenset(facts.get("datastore", ())),
            usable=facts.get("runtime.connectionState") == "connected" and not facts.get("runtime.inMaintenanceMode"),
            cores=cores,
            mhz=cores * (hardware.number("cpuMhz") if isinstance(hardware, Node) else 0),
            mhz_used=facts.get("summary.quickStats.overallCpuUsage", 0),
            memory_mib=(hardware.number("memorySize") if isinstance(hardware, Node) else 0) >> 20,
            memory_used_mib=facts.get("summary.quickStats.overallMemoryUsage", 0),
        )
    return hosts


def _clusters(found: _Found, hosts: Mapping[Ref, Host]) -> Iterator[Cluster]:
    for ref, facts in found.items():
        if ref.type not in ("ClusterComputeResource", "ComputeResource"):
            continue
        config = facts.get("configurationEx")
        yield Cluster(
            ref=ref,
            name=facts["name"],
            pool=facts["resourcePool"],
            pools={
                pool["name"]: pool_ref
                for pool_ref, pool in found.items()
                if pool_ref.type == "ResourcePool" and pool.get("owner") == ref and pool_ref != facts["resourcePool"]
            },
            hosts=tuple(hosts[host] for host in facts.get("host", ()) if host in hosts and hosts[host].usable),
            networks=frozenset(facts.get("network", ())),
            drs=isinstance(config, Node) and config.flag("drsConfig.enabled"),
        )


def _datastores(found: _Found) -> Iterator[Datastore]:
    for ref, facts in found.items():
        if ref.type == "Datastore":
            yield Datastore(
                ref=ref,
                name=facts["name"],
                type=facts.get("summary.type", "OTHER"),
                capacity=facts.get("summary.capacity", 0),
                free=facts.get("summary.freeSpace", 0),
                usable=bool(facts.get("summary.accessible", True))
                and facts.get("summary.maintenanceMode", "normal") == "normal",
                browser=facts.get("browser"),
                namespaced=facts.get("capability.topLevelDirectoryCreateSupported") is False,
            )


def _networks(found: _Found) -> Iterator[Network]:
    for ref, facts in found.items():
        if ref.type == "Network":
            yield Network(ref, facts["name"], "standard")
        elif ref.type == "OpaqueNetwork":
            summary = facts.get("summary")
            told = summary if isinstance(summary, Node) else Node("", "", "")
            yield Network(
                ref,
                facts["name"],
                "nsx",
                opaque_id=told.get("opaqueNetworkId"),
                opaque_type=told.get("opaqueNetworkType"),
            )
        elif ref.type == "DistributedVirtualPortgroup" and not _uplink(facts):
            yield Network(
                ref,
                facts["name"],
                "nsx" if facts.get("config.backingType") == "nsx" else "distributed",
                vlan=_vlan(facts.get("config.defaultPortConfig")),
                key=facts.get("key", ref.value),
                switch=facts.get("config.distributedVirtualSwitch"),
                description=facts.get("config.description", ""),
            )


def _uplink(facts: properties.Facts) -> bool:
    """Tell the port group that a switch is wired by; older servers give it away by its name only."""
    return bool(facts.get("config.uplink", "-DVUplinks-" in facts["name"]))


def _vlan(config: Any) -> int | None:
    if not isinstance(config, Node):
        return None
    vlan = config.node("vlan.vlanId")
    return int(vlan.text) if vlan is not None and vlan.text.isdigit() else None
