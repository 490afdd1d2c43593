"""Decide which containers must share a machine, and make the pieces that are packed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from engine.realise.declared import Declarations
from engine.realise.extension import Extensions, relations
from engine.realise.notes import Notes
from engine.realise.packing import Port, Unit
from engine.realise.settings import Settings, replicas_of, service_demand

# A network of more services than this says nothing on which of them belong together.
_NEIGHBOURS = 50
_SHARING = ("network_mode", "ipc", "pid")


@dataclass(frozen=True, slots=True)
class Bond:
    """Why two services share a machine. A weak bond gives way where it does not fit."""

    one: str
    other: str
    reason: str
    weak: bool = False
    volume: str = ""  # what they share, when that is the reason


def bonds(
    services: Mapping[str, Any], disks_used: Mapping[str, Sequence[str]], extensions: Extensions
) -> Iterator[Bond]:
    """Yield what ties services together."""
    for volume, users in disks_used.items():
        for user in users[1:]:
            yield Bond(users[0], user, f"share the volume {volume}, a disk of one machine", volume=volume)
    for name, body in services.items():
        for key in _SHARING:
            kind, _, other = str(body.get(key) or "").partition(":")
            if kind == "service" and other in services:
                yield Bond(name, other, f"{name} uses the {key.removesuffix('_mode')} of {other}")
        for entry in body.get("volumes_from") or ():
            other = str(entry).partition(":")[0]
            if other in services:
                yield Bond(name, other, f"{name} has volumes_from {other}")
        for other, mode in relations(extensions.services.get(name, {}), "affinity"):
            if mode == "hard" and other in services:
                yield Bond(name, other, f"x-escale.affinity of {name}")
        for other, need in (body.get("depends_on") or {}).items():
            if (need or {}).get("condition") == "service_completed_successfully" and other in services:
                yield Bond(
                    name, other, f"{name} waits until {other} has completed, which only one engine can see", True
                )


def make_units(
    services: Mapping[str, Any],
    extensions: Extensions,
    settings: Settings,
    disks_used: Mapping[str, Sequence[str]],
    declarations: Declarations,
    notes: Notes,
) -> list[Unit]:
    """Return the pieces to pack, in an order that keeps together what calls each other.

    What is tied to a service that names a declared machine follows it there. Services that are tied and name
    different machines are error findings: ``realise.volume_pinned_apart``, ``realise.pinned_apart``.
    """
    demands = {
        name: service_demand(body, extensions.services.get(name, {}), settings) for name, body in services.items()
    }
    counts = {name: replicas_of(body) for name, body in services.items()}
    disks: dict[str, list[str]] = {}
    for volume, users in disks_used.items():
        for user in users:
            disks.setdefault(user, []).append(volume)
    pins = declarations.pins
    groups, ties = _group(services, extensions, settings, demands, counts, disks_used, declarations, notes)
    hard, soft = _aversions(services, extensions, settings, counts, declarations)
    units: list[Unit] = []
    for members in _ordered(services, groups):
        pin = _pin(members, declarations)
        units.extend(_units_of(members, services, extensions, settings, demands, counts, disks, hard, soft, pin, notes))
        if len(members) > 1:
            if pin and any(pins.get(name, pin) != pin for name in members):
                _pinned_apart(members, ties, disks, pins, notes)
            else:
                _explain(members, ties, services, extensions, settings, notes)
    return units


def reason_apart(name: str, service: Mapping[str, Any], extension: Mapping[str, Any]) -> str:
    """Say why each replica of a service that names a machine needs another one; empty when none does.

    What the project or the cloud prefers does not count: the drawing names the machine.
    """
    ports = fixed_ports(service)
    if ports:
        return f"it publishes port {ports[0][1]}, which one machine has once"
    if extension.get("isolation") == "machine":
        return "x-escale.isolation gives each a machine of its own"
    if extension.get("placement") == "SPREAD":
        return "x-escale.placement is SPREAD"
    if any(other == name and mode == "hard" for other, mode in relations(extension, "anti_affinity")):
        return "x-escale.anti_affinity names the service itself"
    return ""


def _pinned_apart(
    members: Sequence[str],
    ties: Sequence[Bond],
    disks: Mapping[str, Sequence[str]],
    pins: Mapping[str, str],
    notes: Notes,
) -> None:
    """Report services that must share a machine and name different ones: by volume, or by what else ties them."""
    told = False
    for volume in sorted({volume for name in members for volume in disks.get(name, ())}):
        users = [name for name in sorted(members) if name in pins and volume in disks.get(name, ())]
        if len({pins[name] for name in users}) > 1:
            told = True
            where = ", ".join(f"{name} on {pins[name]}" for name in users[:8])
            notes.finding(
                "realise.volume_pinned_apart",
                "error",
                f"The volume {volume} is a disk of one machine, and the services that share it stand on different ones "
                f"({where}): put them on one machine (x-escale.machine), or give each a volume of its own.",
                ("services", users[-1], "x-escale", "machine"),
            )
    if told:
        return
    inside = set(members)
    reasons = "; ".join(dict.fromkeys(bond.reason for bond in ties if bond.one in inside))[:400]
    users = [name for name in sorted(members) if name in pins]
    where = ", ".join(f"{name} on {pins[name]}" for name in users[:8])
    notes.finding(
        "realise.pinned_apart",
        "error",
        f"Services that must share a machine are drawn on different ones ({where}), but {reasons}: put them on one "
        "machine (x-escale.machine), or remove what ties them.",
        ("services", users[-1], "x-escale", "machine"),
    )


def _isolated(name: str, extensions: Extensions, settings: Settings) -> bool:
    return bool(extensions.services.get(name, {}).get("isolation", settings.isolation) == "machine")


def _group(
    services: Mapping[str, Any],
    extensions: Extensions,
    settings: Settings,
    demands: Mapping[str, tuple[int, int]],
    counts: Mapping[str, int],
    disks_used: Mapping[str, Sequence[str]],
    declarations: Declarations,
    notes: Notes,
) -> tuple[dict[str, list[str]], list[Bond]]:
    """Return leading service -> services of its group, for every service, and the bonds that made groups."""
    leader = {name: name for name in services}
    members = {name: [name] for name in services}

    def find(name: str) -> str:
        while leader[name] != name:
            leader[name] = leader[leader[name]]
            name = leader[name]
        return name

    def join(one: str, other: str) -> None:
        first, second = sorted((find(one), find(other)))
        if first != second:
            leader[second] = first
            members[first].extend(members.pop(second))

    ties: list[Bond] = []
    weak: list[Bond] = []
    for bond in bonds(services, disks_used, extensions):
        if bond.weak:
            weak.append(bond)
        else:
            join(bond.one, bond.other)
            ties.append(bond)
    for bond in weak:
        one, other = find(bond.one), find(bond.other)
        if one == other:
            continue
        pin, other_pin = (_pin(members[name], declarations) for name in (one, other))
        if pin and pin == other_pin and not declarations.machines[pin].pool:
            continue  # on one machine anyway, where the engine sees to the order
        together = [*members[one], *members[other]]
        memory = sum(demands[name][1] * counts[name] for name in together)
        cpus = sum(demands[name][0] * counts[name] for name in together)
        apart = any(_isolated(name, extensions, settings) for name in together)
        if pin != other_pin or apart or memory > settings.max_memory_mib // 2 or cpus > settings.max_cpus * 500:
            notes.ledger(
                ("services", bond.one, "depends_on", bond.other),
                "approximated",
                f"{bond.other} may run on another machine, where its completion cannot be seen: only the machines "
                f"start "
                "in order; keep them together by x-escale.affinity",
                "depends_on.completed",
            )
        else:
            join(bond.one, bond.other)
            ties.append(bond)
    return members, ties


def _pin(members: Sequence[str], declarations: Declarations) -> str:
    """Return the machine that a group stands on because a member names it; empty when none does."""
    pins = declarations.pins
    return next((pins[name] for name in members if name in pins), "") if pins else ""


def _aversions(
    services: Mapping[str, Any],
    extensions: Extensions,
    settings: Settings,
    counts: Mapping[str, int],
    declarations: Declarations,
) -> tuple[dict[str, set[str]], dict[str, set[str]]]:
    """Return service -> services that it must not, and should not, share a machine with; both ways."""
    hard: dict[str, set[str]] = {}
    soft: dict[str, set[str]] = {}
    for name in services:
        extension = extensions.services.get(name, {})
        for other, mode in relations(extension, "anti_affinity"):
            if other in services:
                kind = hard if mode == "hard" else soft
                kind.setdefault(name, set()).add(other)
                kind.setdefault(other, set()).add(name)
        if counts[name] > 1 and name in declarations.pins:
            if reason_apart(name, services[name], extension):
                hard.setdefault(name, set()).add(name)
            elif declarations.machines[declarations.pins[name]].pool:
                soft.setdefault(name, set()).add(name)
        elif counts[name] > 1:
            placement = extension.get("placement", settings.placement)
            if placement == "SPREAD" or fixed_ports(services[name]):
                hard.setdefault(name, set()).add(name)
            elif placement == "DEFAULT":
                soft.setdefault(name, set()).add(name)
    return hard, soft


def fixed_ports(service: Mapping[str, Any]) -> tuple[Port, ...]:
    """Return the host ports that a service publishes under fixed numbers: two containers cannot share them."""
    return tuple(
        (str(mapping.get("host_ip") or ""), int(mapping["published"]), str(mapping.get("protocol") or "tcp"))
        for mapping in service.get("ports") or ()
        if str(mapping.get("published") or "").isdigit() and int(mapping["published"]) > 0
    )


def _units_of(
    members: Sequence[str],
    services: Mapping[str, Any],
    extensions: Extensions,
    settings: Settings,
    demands: Mapping[str, tuple[int, int]],
    counts: Mapping[str, int],
    disks: Mapping[str, Sequence[str]],
    hard: Mapping[str, set[str]],
    soft: Mapping[str, set[str]],
    pin: str,
    notes: Notes,
) -> Iterator[Unit]:
    volumes = {volume for name in members for volume in disks.get(name, ())}
    together = len(members) > 1 or bool(volumes)
    copies = [(name, replica) for name in members for replica in range(1, counts[name] + 1)]
    if not copies:
        return
    refused = frozenset(other for name in members for other in hard.get(name, ()))
    avoided = frozenset(other for name in members for other in soft.get(name, ()))
    ports = tuple(port for name in members for port in fixed_ports(services[name]))
    networks = frozenset(
        network
        for name in members
        if not services[name].get("network_mode")
        for network in services[name].get("networks") or {}
    )
    likes = tuple(
        other
        for name in members
        for other, mode in relations(extensions.services.get(name, {}), "affinity")
        if mode == "soft"
    )
    dedicated = any(_isolated(name, extensions, settings) for name in members)
    if pin:  # what the cloud prefers does not count where the drawing names the machine
        dedicated = any(extensions.services.get(name, {}).get("isolation") == "machine" for name in members)
    if together:
        _check_together(members, services, counts, refused, ports, volumes, notes)
        yield Unit(
            tuple(copies),
            sum(demands[name][0] * counts[name] for name in members),
            sum(demands[name][1] * counts[name] for name in members),
            networks,
            len(volumes),
            ports,
            dedicated,
            refused - set(members),
            avoided - set(members),
            likes,
            pin,
        )
        return
    cpus, memory = demands[members[0]]
    for copy in copies:
        yield Unit((copy,), cpus, memory, networks, 0, ports, dedicated, refused, avoided, likes, pin)


def _check_together(
    members: Sequence[str],
    services: Mapping[str, Any],
    counts: Mapping[str, int],
    refused: frozenset[str],
    ports: Sequence[Port],
    volumes: set[str],
    notes: Notes,
) -> None:
    for name in members:
        if counts[name] > 1 and fixed_ports(services[name]):
            why = f"share the volume {min(volumes)}" if volumes else "are tied to another service"
            notes.finding(
                "realise.port_clash",
                "error",
                f"The {counts[name]} replicas of {name} {why}, so they stand on one machine, where they cannot all "
                f"publish "
                f"port {fixed_ports(services[name])[0][1]}: publish no fixed port, or give each replica its own "
                f"volume.",
                ("services", name, "ports"),
            )
    clashing = refused & set(members)
    for name in sorted(clashing):
        if len(members) > 1 and any(name != other for other in members):
            if counts[name] > 1 and fixed_ports(services[name]):
                continue
            notes.finding(
                "realise.affinity_conflict",
                "error",
                f"The service {name} must share a machine with {', '.join(sorted(set(members) - {name}))} and must "
                f"not: "
                "remove the anti-affinity, or what ties them (a shared volume, network_mode, affinity).",
                ("services", name, "x-escale"),
            )


def _explain(
    members: Sequence[str],
    ties: Sequence[Bond],
    services: Mapping[str, Any],
    extensions: Extensions,
    settings: Settings,
    notes: Notes,
) -> None:
    isolated = [name for name in members if extensions.services.get(name, {}).get("isolation") == "machine"]
    inside = set(members)
    reasons = [bond.reason for bond in ties if bond.one in inside]
    shown = "; ".join(dict.fromkeys(reasons[:4]))
    notes.finding(
        "realise.together",
        "warning" if isolated else "info",
        f"{', '.join(sorted(members)[:8])} stand on one machine: {shown}."
        + (f" So {', '.join(isolated)} cannot have a machine of its own (x-escale.isolation)." if isolated else ""),
        ("services", sorted(members)[0]),
    )


def _ordered(services: Mapping[str, Any], groups: Mapping[str, list[str]]) -> list[list[str]]:
    """Return the groups in the order in which they are packed: neighbours in the drawing next to each other.

    First come apart the islands that share neither a dependency nor a network of moderate size, then, inside an
    island, the depth-first order of ``depends_on``.
    """
    of = {name: members for members in groups.values() for name in members}
    island = _islands(services, groups)
    seen: set[str] = set()
    order: list[list[str]] = []
    needed = {other for body in services.values() for other in body.get("depends_on") or {}}
    roots = sorted(services, key=lambda name: (island[name], name in needed, name))
    for root in roots:
        stack = [root]
        while stack:
            name = stack.pop()
            if name in seen or name not in of:
                continue
            members = sorted(of[name])
            seen.update(members)
            order.append(members)
            below = {other for member in members for other in services[member].get("depends_on") or {}}
            stack.extend(sorted(below - seen, reverse=True))
    return order


def _islands(services: Mapping[str, Any], groups: Mapping[str, list[str]]) -> dict[str, str]:
    """Return service -> the first name of its island."""
    leader = {name: name for name in services}

    def find(name: str) -> str:
        while leader[name] != name:
            leader[name] = leader[leader[name]]
            name = leader[name]
        return name

    def join(one: str, other: str) -> None:
        first, second = sorted((find(one), find(other)))
        leader[second] = first

    networks: dict[str, list[str]] = {}
    for name, body in services.items():
        for other in body.get("depends_on") or ():
            if other in leader:
                join(name, other)
        for network in body.get("networks") or ():
            networks.setdefault(network, []).append(name)
    for members in (*networks.values(), *groups.values()):
        if len(members) <= _NEIGHBOURS:
            for other in members[1:]:
                join(members[0], other)
    return {name: find(name) for name in services}
