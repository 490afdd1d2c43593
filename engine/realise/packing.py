"""Pack containers into machines: first fit over two resources, with relations that hold and ones that are wished.

Deterministic, and stable: what was placed before stays where it is as long as it fits there. The cost is about
linear in the number of containers, since an index finds the first machine with room and a scan is cut short.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from engine.realise.naming import host_label, natural

# How many machines with room are looked at for one container before a new machine is opened.
_MAX_TRIES = 64
_WILDCARDS = frozenset({"", "0.0.0.0", "::"})  # noqa: S104 - compared with, never bound

Port = tuple[str, int, str]  # (address on the host, port, protocol)


@dataclass(frozen=True, slots=True)
class Unit:
    """What is placed as one piece: a container, or several that must share a machine."""

    workloads: tuple[tuple[str, int], ...]  # (service, replica)
    millicpus: int
    memory_mib: int
    networks: frozenset[str] = frozenset()
    disks: int = 0
    ports: tuple[Port, ...] = ()
    dedicated: bool = False
    hard: frozenset[str] = frozenset()  # services that it never shares a machine with
    soft: frozenset[str] = frozenset()  # services that it avoids
    likes: tuple[str, ...] = ()  # services whose machines it tries first
    pin: str = ""  # name of the declared machine, or pool, that it stands on; not packed here, but in pinning.py

    services: frozenset[str] = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "services", frozenset([service for service, _ in self.workloads]))


@dataclass(slots=True)
class Host:
    """A machine being filled."""

    label: str  # "host-1": unique within the deployment
    dedicated: bool
    units: list[Unit] = field(default_factory=list)
    millicpus: int = 0
    memory_mib: int = 0
    disks: int = 0
    networks: set[str] = field(default_factory=set)
    services: set[str] = field(default_factory=set)
    refused: set[str] = field(default_factory=set)  # services that a container in here keeps out
    avoided: set[str] = field(default_factory=set)
    ports: dict[tuple[int, str], set[str]] = field(default_factory=dict)

    @property
    def workloads(self) -> list[tuple[str, int]]:
        """Return (service, replica) of its containers, sorted."""
        return sorted(workload for unit in self.units for workload in unit.workloads)

    def fit(self, unit: Unit, bounds: Bounds) -> str:
        """Tell whether a unit may join: "yes", "wish" (against a soft relation only) or "no"."""
        if (
            self.dedicated
            or self.millicpus + unit.millicpus > bounds.millicpus
            or self.memory_mib + unit.memory_mib > bounds.memory_mib
            or self.disks + unit.disks > bounds.disks
            or not unit.hard.isdisjoint(self.services)
            or not self.refused.isdisjoint(unit.services)
            or self._crowded(unit, bounds)
            or any(self.publishes(port) for port in unit.ports)
        ):
            return "no"
        if not unit.soft.isdisjoint(self.services) or not self.avoided.isdisjoint(unit.services):
            return "wish"
        return "yes"

    def _crowded(self, unit: Unit, bounds: Bounds) -> bool:
        more = len(unit.networks - self.networks)
        return more > 0 and len(self.networks) + more > bounds.networks

    def add(self, unit: Unit) -> None:
        """Take a unit in, whether it fits or not."""
        self.units.append(unit)
        self.millicpus += unit.millicpus
        self.memory_mib += unit.memory_mib
        self.disks += unit.disks
        self.services |= unit.services
        self.refused |= unit.hard
        self.avoided |= unit.soft
        for address, port, protocol in unit.ports:
            self.ports.setdefault((port, protocol), set()).add("" if address in _WILDCARDS else address)
        self.networks |= unit.networks

    def publishes(self, port: Port) -> bool:
        """Tell whether a host port, at this address or all, is taken by a container in here."""
        address, number, protocol = port
        bound = self.ports.get((number, protocol))
        return bool(bound) and (address in _WILDCARDS or "" in bound or address in bound)  # type: ignore[operator]


@dataclass(frozen=True, slots=True)
class Bounds:
    """What one machine holds at most."""

    millicpus: int
    memory_mib: int
    networks: int
    disks: int


def pack(
    units: Sequence[Unit], bounds: Bounds, prior: Mapping[tuple[str, int], str], taken: Iterable[str] = ()
) -> list[Host]:
    """Return the machines with their containers; ``prior`` names the machine label of workloads placed before.

    Units are placed in the given order. A unit that exceeds the bounds gets a machine of its own, for the
    caller to complain about. ``taken``: labels of machines that are declared: no unit stays on one, and no other
    machine is called so.
    """
    return _Packer(bounds, prior, frozenset(taken)).run(units)


class _Packer:
    def __init__(self, bounds: Bounds, prior: Mapping[tuple[str, int], str], taken: frozenset[str]) -> None:
        self.bounds = bounds
        self.prior = {workload: label for workload, label in prior.items() if label not in taken} if taken else prior
        self.hosts: list[Host] = []
        self.index = _Index()
        self.taken = {*taken, *prior.values()}  # a name of before is never given to another machine
        self.homes: dict[str, list[int]] = {}  # service -> hosts
        self.crowded: dict[str, list[int]] = {}  # network -> hosts that can join no further network
        self.cursor: dict[frozenset[str], int] = {}

    def run(self, units: Sequence[Unit]) -> list[Host]:
        late = self._keep(units)
        for unit in late:
            self._place(unit)
        return [host for host in self.hosts if host.units]

    def _keep(self, units: Sequence[Unit]) -> list[Unit]:
        """Put units where they were; return those that are new or no longer fit."""
        at: dict[str, list[Unit]] = {}
        late: list[Unit] = []
        for unit in units:
            label = next((self.prior[workload] for workload in unit.workloads if workload in self.prior), None)
            (late if label is None else at.setdefault(label, [])).append(unit)
        for label in sorted(at, key=natural):
            dedicated = len(at[label]) == 1 and at[label][0].dedicated
            position = self._open(label, dedicated)
            for unit in at[label]:
                host = self.hosts[position]
                if (host.units and unit.dedicated) or (host.units and host.fit(unit, self.bounds) == "no"):
                    late.append(unit)
                else:
                    self._put(unit, position)
        order = {id(unit): place for place, unit in enumerate(units)}
        return sorted(late, key=lambda unit: order[id(unit)])

    def _place(self, unit: Unit) -> None:
        if unit.dedicated or unit.millicpus > self.bounds.millicpus or unit.memory_mib > self.bounds.memory_mib:
            service, replica = unit.workloads[0]
            self._put(unit, self._open(self._name(f"{host_label(service)}-{replica}"), True))
            return
        self._put(unit, self._find(unit))

    def _find(self, unit: Unit) -> int:
        for service in unit.likes:
            for position in self.homes.get(service, ())[-4:]:
                if self.hosts[position].fit(unit, self.bounds) == "yes":
                    return position
        alternative = -1
        services = unit.services
        apart = bool(unit.hard & services)
        position = self.cursor.get(services, 0) if apart else 0
        for _ in range(_MAX_TRIES):
            position = self.index.first(position, unit.millicpus, unit.memory_mib)
            if position < 0:
                break
            fit = self.hosts[position].fit(unit, self.bounds)
            if fit == "yes":
                if apart:
                    self.cursor[services] = position + 1
                return position
            if fit == "wish" and alternative < 0:
                alternative = position
            position += 1
        if alternative < 0:
            for network in sorted(unit.networks)[:1]:
                for position in reversed(self.crowded.get(network, ())[-8:]):
                    if self.hosts[position].fit(unit, self.bounds) == "yes":
                        return position
        return alternative if alternative >= 0 else self._open(self._name(""), False)

    def _open(self, label: str, dedicated: bool) -> int:
        self.hosts.append(Host(label, dedicated))
        self.taken.add(label)
        bounds = self.bounds
        self.index.append(-1 if dedicated else bounds.millicpus, -1 if dedicated else bounds.memory_mib)
        return len(self.hosts) - 1

    def _put(self, unit: Unit, position: int) -> None:
        host = self.hosts[position]
        crowded = len(host.networks) >= self.bounds.networks
        host.add(unit)
        for service in unit.services:
            self.homes.setdefault(service, []).append(position)
        if host.dedicated:
            return
        if len(host.networks) >= self.bounds.networks:
            # Only containers of its own networks can still come: found by network, not by room.
            self.index.set(position, -1, -1)
            if not crowded:
                for network in host.networks:
                    self.crowded.setdefault(network, []).append(position)
        else:
            self.index.set(position, self.bounds.millicpus - host.millicpus, self.bounds.memory_mib - host.memory_mib)

    def _name(self, wanted: str) -> str:
        """Return a free label: the wanted one, or the next ``host-<n>``."""
        if wanted and wanted not in self.taken:
            return wanted
        stem, number = (f"{wanted}-", 2) if wanted else ("host-", len(self.hosts) + 1)
        if not wanted:
            # Counting starts at the number of machines, so that a thousand of them need no thousand tries each.
            number = next((n for n in range(1, 9) if f"host-{n}" not in self.taken), number)
        while f"{stem}{number}" in self.taken:
            number += 1
        return f"{stem}{number}"


class _Index:
    """Find the first machine with enough of two resources: a segment tree of maxima over all machines."""

    def __init__(self) -> None:
        self.size, self.count = 1, 0
        self.cpus: list[int] = [-1, -1]
        self.memory: list[int] = [-1, -1]

    def append(self, cpus: int, memory: int) -> None:
        if self.count == self.size:
            leaves = list(zip(self.cpus[self.size :], self.memory[self.size :], strict=True))
            self._rebuild(leaves, 2 * self.size)
        self.count += 1
        self.set(self.count - 1, cpus, memory)

    def set(self, position: int, cpus: int, memory: int) -> None:
        node = position + self.size
        self.cpus[node], self.memory[node] = cpus, memory
        while node > 1:
            node >>= 1
            self.cpus[node] = max(self.cpus[2 * node], self.cpus[2 * node + 1])
            self.memory[node] = max(self.memory[2 * node], self.memory[2 * node + 1])

    def first(self, start: int, cpus: int, memory: int) -> int:
        """Return the first position from ``start`` with room for both, or -1."""
        if start >= self.size:
            return -1
        node = start + self.size
        while True:
            if self.cpus[node] >= cpus and self.memory[node] >= memory:
                if node >= self.size:
                    return node - self.size
                node *= 2
                continue
            while node & 1:
                node >>= 1
            if node == 0:
                return -1
            node += 1

    def _rebuild(self, leaves: Iterable[tuple[int, int]], size: int) -> None:
        self.size = size
        self.cpus, self.memory = [-1] * (2 * size), [-1] * (2 * size)
        for position, (cpus, memory) in enumerate(leaves):
            self.cpus[size + position], self.memory[size + position] = cpus, memory
        for node in range(size - 1, 0, -1):
            self.cpus[node] = max(self.cpus[2 * node], self.cpus[2 * node + 1])
            self.memory[node] = max(self.memory[2 * node], self.memory[2 * node + 1])
