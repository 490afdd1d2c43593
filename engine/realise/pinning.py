"""Put containers on the machines that the drawing names for them; replicas are spread over a pool."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from engine.realise.declared import Declarations, Declared
from engine.realise.extension import Extensions
from engine.realise.groups import reason_apart
from engine.realise.notes import Notes
from engine.realise.packing import Bounds, Host, Unit
from engine.realise.settings import OVERHEAD_MIB, replicas_of
from engine.wording import counted, listed

_SHOWN = 8


class Pinner:
    """Fill the declared machines of one drawing.

    Error findings: ``realise.machine_count`` (replicas that need different machines outnumber them),
    ``realise.machine_too_small``, ``realise.port_clash``, ``realise.affinity_conflict``. Warning:
    ``realise.machine_shared`` (a service wanted one of its own).
    """

    def __init__(
        self,
        declarations: Declarations,
        bounds: Bounds,
        services: Mapping[str, Any],
        extensions: Extensions,
        notes: Notes,
    ) -> None:
        self.declarations, self.bounds, self.services, self.extensions = declarations, bounds, services, extensions
        self.notes = notes
        self.told: set[tuple[str, ...]] = set()
        self.holders: dict[tuple[str, int], str] = {}  # (label, host port) -> the service that publishes it first

    def place(self, units: Sequence[Unit], prior: Mapping[tuple[str, int], str]) -> list[Host]:
        """Return every declared machine, also those without containers; ``units`` all have a pin."""
        of: dict[str, list[Unit]] = {}
        for unit in units:
            of.setdefault(unit.pin, []).append(unit)
        hosts: list[Host] = []
        for name, declared in self.declarations.machines.items():
            hosts.extend(self._fill(declared, of.get(name, ()), prior))
        return hosts

    def _fill(self, declared: Declared, units: Sequence[Unit], prior: Mapping[tuple[str, int], str]) -> list[Host]:
        hosts = [Host(label, False) for label in declared.labels]
        if not units:
            return hosts
        bounds = self._bounds(declared)
        pool = _Pool(hosts, bounds, self._shares(units, len(hosts)))
        late = []
        for unit in units:
            home = pool.home(unit, prior)
            if home is None:
                late.append(unit)
            else:
                self._join(unit, home, declared)
                pool.note(unit, home)
        for unit in late:
            home = pool.choose(unit)
            self._join(unit, home, declared)
            pool.note(unit, home)
        self._check(declared, hosts, bounds)
        return hosts

    def _bounds(self, declared: Declared) -> Bounds:
        return replace(
            self.bounds,
            millicpus=declared.cpus * 1000 if declared.cpus else self.bounds.millicpus,
            memory_mib=declared.memory_mib - OVERHEAD_MIB if declared.memory_mib else self.bounds.memory_mib,
        )

    def _shares(self, units: Sequence[Unit], machines: int) -> dict[str, int]:
        """Return service -> replicas that one machine takes at most, so that they are spread evenly."""
        names = {service for unit in units for service in unit.services}
        return {name: -(-replicas_of(self.services[name]) // machines) for name in names}

    def _join(self, unit: Unit, host: Host, declared: Declared) -> None:
        clashing = (unit.hard & host.services) | (host.refused & unit.services)
        for service in sorted(clashing & unit.services):
            self._count(service, declared)
        others = clashing - unit.services
        if others:
            self._enemies(min(unit.services), others, declared)
        for port in unit.ports:
            holder = self.holders.setdefault((host.label, port[1]), min(unit.services))
            if not clashing & unit.services and host.publishes(port):
                self._port(unit, port[1], holder, declared)
        host.add(unit)

    def _once(self, *key: str) -> bool:
        if key in self.told:
            return False
        self.told.add(key)
        return True

    def _count(self, service: str, declared: Declared) -> None:
        replicas = replicas_of(self.services[service])
        if replicas <= len(declared.labels) or not self._once("count", service):
            return  # there are enough machines; that they have no room is told elsewhere
        reason = reason_apart(service, self.services[service], self.extensions.services.get(service, {}))
        have = f"is a pool of {len(declared.labels)}" if declared.pool else "is one machine"
        self.notes.finding(
            "realise.machine_count",
            "error",
            f"The {replicas} replicas of {service} need a machine each, since {reason}, and {declared.name} {have}: "
            f"give it `count: {replicas}` (x-escale.machines.{declared.name}), or ask for fewer replicas.",
            ("services", service, "x-escale", "machine"),
        )

    def _enemies(self, service: str, others: set[str] | frozenset[str], declared: Declared) -> None:
        if self._once("enemies", service):
            shown = listed(sorted(others), _SHOWN)
            self.notes.finding(
                "realise.affinity_conflict",
                "error",
                f"The service {service} is drawn on {declared.name} with {shown}, and they must not share a machine "
                "(x-escale.anti_affinity): name another machine for one of them, or remove the anti-affinity.",
                ("services", service, "x-escale", "machine"),
            )

    def _port(self, unit: Unit, port: int, holder: str, declared: Declared) -> None:
        service = min(unit.services)
        if self._once("port", service, str(port)):
            self.notes.finding(
                "realise.port_clash",
                "error",
                f"The services {holder} and {service} are drawn on {declared.name} and both publish port {port}, which "
                "one machine has once: publish another port, or name another machine for one of them.",
                ("services", service, "ports"),
            )

    def _check(self, declared: Declared, hosts: Sequence[Host], bounds: Bounds) -> None:
        full = [host for host in hosts if host.millicpus > bounds.millicpus or host.memory_mib > bounds.memory_mib]
        if full:
            worst = max(full, key=lambda host: (host.memory_mib, host.millicpus))
            names = sorted(worst.services)
            shown = listed(names, _SHOWN)
            need, have = counted(worst.millicpus / 1000, "CPU"), counted(bounds.millicpus / 1000, "CPU")
            most = "" if declared.cpus and declared.memory_mib else " at most, unless it says more itself"
            self.notes.finding(
                "realise.machine_too_small",
                "error",
                f"The containers on the machine {worst.label} ({shown}) need {need} and "
                f"{worst.memory_mib} MiB; it has {have} and {max(bounds.memory_mib, 0)} MiB "
                f"besides the engine's {OVERHEAD_MIB}{most}: make it larger (x-escale.machines.{declared.name}: cpus, "
                "memory), let the services ask for less (x-escale: {cpus, memory}), or move one elsewhere.",
                declared.path,
            )
        for host in hosts:
            lonely = [min(unit.services) for unit in host.units if unit.dedicated] if len(host.units) > 1 else []
            company = sorted(host.services)[: _SHOWN + 1] if lonely else []
            for service in lonely:
                self._shared(service, [name for name in company if name != service], host)

    def _shared(self, service: str, others: Sequence[str], host: Host) -> None:
        if others and self._once("shared", service):
            self.notes.finding(
                "realise.machine_shared",
                "warning",
                f"The service {service} wants a machine of its own (x-escale.isolation), and stands on {host.label} "
                f"with others ({', '.join(others)}), as drawn: name another machine for it, or remove the isolation.",
                ("services", service, "x-escale", "isolation"),
            )


class _Pool:
    """Choose among like machines: each takes its share of a service's replicas; what stands, stays."""

    def __init__(self, hosts: Sequence[Host], bounds: Bounds, shares: Mapping[str, int]) -> None:
        self.hosts, self.bounds, self.shares = hosts, bounds, shares
        self.of_label = {host.label: host for host in hosts}
        self.standing: dict[tuple[str, str], int] = {}  # (service, label) -> replicas
        self.next = 0

    def home(self, unit: Unit, prior: Mapping[tuple[str, int], str]) -> Host | None:
        """Return the machine that a unit stands on already, where it may stay."""
        if len(self.hosts) == 1:
            return self.hosts[0]
        label = next((prior[workload] for workload in unit.workloads if workload in prior), "")
        host = self.of_label.get(label)
        if host is None or not self._share_left(unit, host) or (host.units and host.fit(unit, self.bounds) == "no"):
            return None
        return host

    def choose(self, unit: Unit) -> Host:
        """Return the next machine in turn that has room for a unit; where none has, the next in turn."""
        count = len(self.hosts)
        best, rank = self.next, 0
        for step in range(count):
            position = (self.next + step) % count
            host = self.hosts[position]
            if not self._share_left(unit, host):
                continue
            fit = {"yes": 3, "wish": 2, "no": 1}[host.fit(unit, self.bounds)]
            if fit > rank:
                best, rank = position, fit
            if rank == 3:
                break
        self.next = (best + 1) % count
        return self.hosts[best]

    def note(self, unit: Unit, host: Host) -> None:
        """Count a unit that has been put on a machine."""
        if len(unit.workloads) == 1:
            key = (unit.workloads[0][0], host.label)
            self.standing[key] = self.standing.get(key, 0) + 1

    def _share_left(self, unit: Unit, host: Host) -> bool:
        if len(unit.workloads) > 1:  # one piece, whose containers must share a machine
            return True
        service = unit.workloads[0][0]
        return self.standing.get((service, host.label), 0) < self.shares[service]
