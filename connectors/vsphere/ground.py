"""What machines stand on, as the inventory lists it: hosts, clusters, pools, datastores, networks, and their names."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from connectors.listing import Item, ItemKind
from connectors.vsphere.streaming import Found, Record, Shapes

PATHS: Mapping[str, tuple[str, ...]] = {
    "Datacenter": ("name", "vmFolder"),
    "Folder": ("name", "parent"),
    "ClusterComputeResource": ("name", "resourcePool"),
    "ComputeResource": ("name", "resourcePool"),
    "HostSystem": (
        "name", "parent", "runtime.connectionState", "runtime.inMaintenanceMode", "summary.hardware",
        "summary.config.product",
    ),
    "ResourcePool": (
        "name", "parent", "owner", "config.cpuAllocation", "config.memoryAllocation",
        "runtime.cpu.reservationUsed", "runtime.memory.reservationUsed",
    ),
    "Datastore": (
        "name", "summary.type", "summary.capacity", "summary.freeSpace", "summary.uncommitted", "summary.accessible",
        "summary.maintenanceMode", "host",
    ),
    "Network": ("name",),
    "OpaqueNetwork": ("name", "summary"),
    "DistributedVirtualPortgroup": (
        "name", "key", "config.distributedVirtualSwitch", "config.uplink", "config.defaultPortConfig",
        "config.backingType", "config.segmentId", "config.logicalSwitchUuid",
    ),
    "DistributedVirtualSwitch": ("name",),
}  # fmt: skip

SHAPES: Shapes = {
    "summary.hardware": Record(
        {"vendor": "vendor", "model": "model", "memorySize": "memory", "numCpuCores": "cores", "cpuMhz": "mhz"}
    ),
    "summary.config.product": Record({"version": "version", "build": "build"}),
    "config.cpuAllocation": Record({"reservation": "reservation", "limit": "limit"}),
    "config.memoryAllocation": Record({"reservation": "reservation", "limit": "limit"}),
    "summary": Record({"opaqueNetworkId": "id", "opaqueNetworkType": "type"}),
    # Only a single VLAN has its number here; trunks and private VLANs have other types.
    "config.defaultPortConfig": Record({"vlan": {"vlanId": "vlan"}}),
    "host": Record({"DatastoreHostMount": {"key": "hosts[]"}}),
}
_CLUSTERS = ("ClusterComputeResource", "ComputeResource")
_KINDS: Mapping[str, ItemKind] = {
    "ClusterComputeResource": "cluster",
    "ComputeResource": "cluster",
    "HostSystem": "host",
    "ResourcePool": "pool",
    "VirtualApp": "pool",
    "Datastore": "datastore",
    "StoragePod": "datastore",
    "Network": "network",
    "OpaqueNetwork": "network",
    "DistributedVirtualPortgroup": "network",
}
_GIB = 2**30
_NAMING = frozenset({"name", "parent", "vmFolder", "owner", "key", "summary"})
"""Paths whose change may show in what machines are said to be on."""


class Ground:
    """All of it, by reference; a few thousand objects at most."""

    def __init__(self) -> None:
        self._all: dict[str, Found] = {}
        self._networks: dict[str, str] = {}  # by what the backings of cards name them by
        self._folders: dict[str, str] = {}

    def take(self, found: Iterable[Found]) -> None:
        """Learn of objects, as they entered or as they were read."""
        for each in found:
            self._all[each.ref] = each
            values = each.values
            if each.type in ("Network", "OpaqueNetwork", "DistributedVirtualPortgroup"):
                opaque = values.get("summary") or {}
                for identity in (each.ref, values.get("key"), opaque.get("id")):
                    if identity:
                        self._networks[identity] = values.get("name", "")
        self._folders.clear()

    def name(self, ref: str | None) -> str:
        """Return the name of an object, "" when it is not known."""
        found = self._all.get(ref or "")
        return (found.values.get("name") or "") if found is not None else ""

    def network(self, identity: str) -> str:
        """Return the name of the network that a card's backing means."""
        return self._networks.get(identity, "")

    def cluster_of(self, host: str | None) -> str:
        """Return the name of the cluster of a host."""
        found = self._all.get(host or "")
        return self.name(found.values.get("parent")) if found is not None else ""

    def pool(self, ref: str | None) -> str:
        """Return the name of a pool; that of a cluster's own, root pool is "", since nobody chose it."""
        found = self._all.get(ref or "")
        if found is None or self._is_root(found):
            return ""
        return found.values.get("name") or ""

    def folder(self, ref: str | None) -> str:
        """Return a folder as a path below its datacenter's; with several datacenters theirs comes first."""
        if not ref:
            return ""
        known = self._folders.get(ref)
        if known is None:
            known = self._folders[ref] = self._path(ref)
        return known

    def _path(self, ref: str) -> str:
        tops = {found.values.get("vmFolder"): found for found in self._all.values() if found.type == "Datacenter"}
        names: list[str] = []
        here: str | None = ref
        for _ in range(64):  # a server that says a folder lies in itself must not keep us
            if here in tops:
                if len(tops) > 1:
                    names.append(tops[here].values.get("name") or "")
                break
            found = self._all.get(here or "")
            if found is None:
                break
            names.append(found.values.get("name") or "")
            here = found.values.get("parent")
        return "/".join(reversed(names))

    def items(self) -> Iterator[Item]:
        """Yield everything that the inventory lists of it."""
        for found in self._all.values():
            kind = _KINDS.get(found.type)
            if kind is None or (found.type == "DistributedVirtualPortgroup" and _uplink(found)):
                continue
            if kind == "pool" and self._is_root(found):
                continue
            facts = getattr(self, f"_{kind}")(found)
            known = {name: value for name, value in facts.items() if value not in (None, "")}
            yield Item(kind, found.ref, found.ref, found.values.get("name") or found.ref, known)

    def _is_root(self, pool: Found) -> bool:
        parent = self._all.get(pool.values.get("parent") or "")
        return parent is not None and parent.type in _CLUSTERS

    def _host(self, found: Found) -> dict[str, Any]:
        values = found.values
        hardware = values.get("summary.hardware") or {}
        product = values.get("summary.config.product") or {}
        cores = _number(hardware.get("cores"))
        state = values.get("runtime.connectionState") or ""
        return {
            "cluster": self.name(values.get("parent")),
            "state": "maintenance" if values.get("runtime.inMaintenanceMode") == "true" else state,
            "cpus": cores,
            "cpu_mhz": cores * _number(hardware.get("mhz")),
            "memory_mib": _number(hardware.get("memory")) >> 20,
            "model": " ".join(part for part in (hardware.get("vendor"), hardware.get("model")) if part),
            "version": product.get("version"),
        }

    def _cluster(self, found: Found) -> dict[str, Any]:
        hosts = [
            self._host(each)
            for each in self._all.values()
            if each.type == "HostSystem" and each.values.get("parent") == found.ref
        ]
        root = self._all.get(found.values.get("resourcePool") or "", Found()).values
        return {
            "hosts": len(hosts),
            "cpus": sum(host["cpus"] for host in hosts),
            "cpu_mhz": sum(host["cpu_mhz"] for host in hosts),
            "memory_mib": sum(host["memory_mib"] for host in hosts),
            "cpu_reserved_mhz": _number(root.get("runtime.cpu.reservationUsed")),
            "memory_reserved_mib": _number(root.get("runtime.memory.reservationUsed")) >> 20,
        }

    def _pool(self, found: Found) -> dict[str, Any]:
        cpu = found.values.get("config.cpuAllocation") or {}
        memory = found.values.get("config.memoryAllocation") or {}
        return {
            "cluster": self.name(found.values.get("owner")),
            "cpu_reserved_mhz": _number(cpu.get("reservation")),
            "memory_reserved_mib": _number(memory.get("reservation")),
            "cpu_limit_mhz": _limit(cpu.get("limit")),
            "memory_limit_mib": _limit(memory.get("limit")),
        }

    def _datastore(self, found: Found) -> dict[str, Any]:
        values = found.values
        capacity = _number(values.get("summary.capacity"))
        mounts = (values.get("host") or {}).get("hosts", ())
        maintenance = values.get("summary.maintenanceMode") or "normal"
        return {
            "type": _STORES.get((values.get("summary.type") or "").lower(), values.get("summary.type")),
            "capacity_gib": round(capacity / _GIB, 2),
            "free_gib": _rough(_number(values.get("summary.freeSpace")), capacity),
            "uncommitted_gib": _rough(_number(values.get("summary.uncommitted")), capacity),
            "accessible": values.get("summary.accessible") != "false",
            "maintenance": maintenance != "normal" or None,
            "hosts": len(mounts),
        }

    def _network(self, found: Found) -> dict[str, Any]:
        values = found.values
        if found.type == "Network":
            return {"type": "standard"}
        if found.type == "OpaqueNetwork":
            opaque = values.get("summary") or {}
            nsx = (opaque.get("type") or "").startswith("nsx")
            return {"type": "nsx" if nsx else opaque.get("type"), "segment": opaque.get("id")}
        vlan = (values.get("config.defaultPortConfig") or {}).get("vlan", "")
        return {
            "type": "nsx" if values.get("config.backingType") == "nsx" else "distributed",
            "vlan": int(vlan) if vlan.isdigit() else None,
            "switch": self.name(values.get("config.distributedVirtualSwitch")),
            "segment": values.get("config.segmentId") or values.get("config.logicalSwitchUuid"),
        }


_STORES = {"vmfs": "VMFS", "nfs": "NFS", "nfs41": "NFS 4.1", "vsan": "vSAN", "vvol": "vVol"}


def renames(found: Iterable[Found]) -> bool:
    """Tell whether a change of the ground may show in what machines are said to be on."""
    return any(each.change == "modify" and not _NAMING.isdisjoint(each.values) for each in found)


def gone(found: Found) -> tuple[ItemKind, str] | None:
    """Return what the inventory loses by an object that left."""
    kind = _KINDS.get(found.type)
    return (kind, found.ref) if kind is not None else None


def is_ground(found: Found) -> bool:
    """Tell the ground from machines."""
    return found.type != "VirtualMachine"


def _uplink(found: Found) -> bool:
    """Tell the port group that a switch is wired by; older servers give it away by its name only."""
    told = found.values.get("config.uplink")
    return told == "true" if told is not None else "-DVUplinks-" in (found.values.get("name") or "")


def _number(text: Any) -> int:
    try:
        return int(text or 0)
    except ValueError:
        return 0


def _limit(text: Any) -> int | None:
    number = _number(text)
    return number if number > 0 else None  # -1: unlimited


def _rough(size: int, capacity: int) -> float:
    """Return a size in GiB, to a thousandth of the capacity: what is written every minute is no news every minute."""
    step = max(capacity // 1000, _GIB // 10, 1)
    return round(size // step * step / _GIB, 2)
