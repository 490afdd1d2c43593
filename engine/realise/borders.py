"""Find what crosses from one cloud to another, say what it needs, and refuse what cannot work."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from engine.compose.model import Project
from engine.findings import Finding
from engine.plan import LedgerEntry
from engine.realise import regions
from engine.realise.notes import Notes, Path
from engine.realise.place import Homes, places
from engine.realise.references import declared_ports, linked, names_of, words
from engine.wording import listed

_EVERYWHERE = (None, "", "0.0.0.0", "::")  # noqa: S104 - compared with, never bound
_SHOWN = 8

Port = tuple[int, int, str]  # on the machine, in the container, protocol


@dataclass(frozen=True, slots=True)
class Call:
    """A service that reaches one on another cloud; ``ports`` are published there, ``names`` lead to its machines.

    ``sure``: the drawing shows that it calls; otherwise a setting only happens to hold the name. ``waits``: it starts
    when the other one listens.
    """

    caller: str
    callee: str
    ports: tuple[Port, ...]
    names: tuple[str, ...]
    path: Path
    sure: bool
    waits: bool


@dataclass(frozen=True, slots=True)
class Survey:
    """What leads over the borders of a drawing: calls, mere orders of start (service -> service before it), notes."""

    calls: tuple[Call, ...]
    orders: tuple[tuple[str, str], ...]
    findings: tuple[Finding, ...]
    ledger: tuple[LedgerEntry, ...]


def survey(project: Project, homes: Homes) -> Survey:
    """Return what crosses the borders between a drawing's clouds.

    Error findings: ``across.port_not_published``, ``across.volume_shared``, ``across.namespace_shared``,
    ``across.volumes_from``, ``across.affinity``. Warning: ``across.name_only``.
    """
    return _Surveyor(project, homes).run()


def introduced(project: Project, entries: Mapping[str, Sequence[tuple[str, str]]]) -> Project:
    """Return a drawing whose services know further names; ``entries``: service -> (name, address or its mark)."""
    services = dict(project.services())
    for name, hosts in entries.items():
        holder = _network_holder(services, name)
        body = dict(services[holder])
        own = {str(entry).replace("=", ":", 1).partition(":")[0] for entry in body.get("extra_hosts") or ()}
        known = set(body.get("extra_hosts") or ())
        added = [f"{host}={address}" for host, address in hosts if host not in own]
        body["extra_hosts"] = [*(body.get("extra_hosts") or ()), *dict.fromkeys(e for e in added if e not in known)]
        services[holder] = body
    return replace(project, config={**project.config, "services": services})


def _network_holder(services: Mapping[str, Any], name: str) -> str:
    """Return the service whose hosts file a service reads: another one's, when it shares that one's network."""
    seen = {name}
    while True:
        kind, _, other = str(services[name].get("network_mode") or "").partition(":")
        if kind != "service" or other not in services or other in seen:
            return name
        seen.add(other)
        name = other


class _Surveyor:
    def __init__(self, project: Project, homes: Homes) -> None:
        self.project, self.homes = project, homes.services
        self.places = dict(places(project, homes))
        self.services = project.services()
        self.order = {name: position for position, name in enumerate(self.services)}
        self.notes = Notes(project)
        self.calls: list[Call] = []
        self.orders: list[tuple[str, str]] = []
        self.known: dict[str, list[tuple[str, str]]] = {}  # name -> (service, network)
        for service, body in self.services.items():
            for network in body.get("networks") or {}:
                for name in names_of(service, body, network):
                    self.known.setdefault(name, []).append((service, network))

    def run(self) -> Survey:
        for path, cloud in self.places.items():
            self.notes.ledger(path, "honoured", f"stands on {cloud}", "x-escale.place")
        for name, body in self.services.items():
            self._refuse(name, body, regions.extension_of(self.project, name))
            self._calls(name, body, regions.extension_of(self.project, name))
        self._volumes()
        self._networks()
        return Survey(tuple(self.calls), tuple(self.orders), self.notes.findings, self.notes.entries)

    def _away(self, service: str, other: Any) -> bool:
        return str(other) in self.homes and self.homes[str(other)] != self.homes[service]

    # What cannot work.

    def _refuse(self, name: str, body: Mapping[str, Any], extension: Mapping[str, Any]) -> None:
        home = self.homes[name]
        for key in regions.SHARING:
            kind, _, other = str(body.get(key) or "").partition(":")
            if kind == "service" and self._away(name, other):
                self._error(
                    "across.namespace_shared",
                    f"{name} on {home} is to share the {'network' if key == 'network_mode' else key} of {other}, which "
                    f"stands on {self.homes[other]} ({key}: service:{other}): containers share it within one machine "
                    "only. Put both on one cloud, or let them talk over a published port.",
                    ("services", name, key),
                )
        for position, entry in enumerate(body.get("volumes_from") or ()):
            other = str(entry).partition(":")[0]
            if self._away(name, other):
                self._error(
                    "across.volumes_from",
                    f"{name} on {home} takes the volumes of {other}, which stands on {self.homes[other]}: a disk is on "
                    "one machine at a time. Put both on one cloud, or give each its own volume and copy the data.",
                    ("services", name, "volumes_from", position),
                )
        value = extension.get("affinity")
        for relation in value if isinstance(value, list) else [value]:
            listed = relation.get("services") if isinstance(relation, Mapping) else None
            away = [other for other in listed or () if isinstance(other, str) and self._away(name, other)]
            if not away or not isinstance(relation, Mapping):
                continue
            path = ("services", name, "x-escale", "affinity")
            if relation.get("mode", "hard") == "hard":
                self._error(
                    "across.affinity",
                    f"{name} on {home} must share a machine with {self._listed(away)} (x-escale.affinity, hard): they "
                    "stand on different clouds. Put them on one, or remove the affinity.",
                    path,
                )
            else:
                self.notes.ledger(path, "dropped", f"{self._listed(away)}: on another cloud", "across.affinity")

    def _volumes(self) -> None:
        users: dict[str, list[str]] = {}
        for name, body in self.services.items():
            for volume in regions.volumes_of(body):
                users.setdefault(volume, []).append(name)
        for volume, names in users.items():
            if len({self.homes[name] for name in names}) > 1:
                self._error(
                    "across.volume_shared",
                    f"The volume {volume} is used by {self._listed(list(dict.fromkeys(names)))}: a disk is on one "
                    "cloud, so they would not see each other's files. Put them on one cloud, or give each cloud a "
                    "volume of its own and copy what both need.",
                    ("volumes", volume),
                )

    def _networks(self) -> None:
        users: dict[str, dict[str, None]] = {}
        for name, body in self.services.items():
            for network in body.get("networks") or {}:
                users.setdefault(network, {})[self.homes[name]] = None
        for network, clouds in users.items():
            if len(clouds) > 1:
                self.notes.ledger(
                    ("networks", network),
                    "approximated",
                    f"a network on each of {', '.join(clouds)}: over the border services are reached by their names, "
                    "on published ports alone",
                    "across.networks",
                )

    # What calls what.

    def _calls(self, name: str, body: Mapping[str, Any], extension: Mapping[str, Any]) -> None:
        ours = body.get("networks") or {}
        said = words(body)
        links = linked(body)
        uses = set(regions.related(extension, "uses"))
        named: dict[str, set[int]] = {}
        for word, ports in said.items():
            for other, network in self.known.get(word, ()):
                if other != name and network in ours and self._away(name, other):
                    named.setdefault(other, set()).update(ports)
        needs = body.get("depends_on") or {}
        candidates = {other for other in (*needs, *links, *uses, *named) if self._away(name, other)}
        for other in sorted(candidates, key=self.order.__getitem__):
            waits = other in needs
            stated = other in links or other in uses
            if waits or stated or other in named:
                self._call(name, other, named.get(other), stated, waits, links.get(other, []))

    def _call(
        self, name: str, other: str, named: set[int] | None, stated: bool, waits: bool, aliases: Sequence[str]
    ) -> None:
        path: Path = ("services", name, "depends_on", other) if waits else ("services", name)
        sure = stated or bool(named) or (waits and named is not None)
        ports = self._ports(name, other, named or set(), sure)
        if ports is None:
            return  # told already
        if waits:
            how = "and it waits until that one listens" if ports else "no port is waited for, since none is published"
            self.notes.ledger(
                path,
                "approximated",
                f"{other} stands on {self.homes[other]}: its machine is ready before this one starts; {how}",
                "across.depends_on",
            )
        if not ports:
            if waits:
                self.orders.append((name, other))
            elif named is not None:
                self.notes.finding(
                    "across.name_only",
                    "warning",
                    f"A setting of {name} on {self.homes[name]} holds the name {other}, a service on "
                    f"{self.homes[other]} that publishes no port: if {name} calls it, it will not get there. Publish "
                    f'the port (services.{other}.ports: ["5432:5432"], for example), or say nothing of it if it is '
                    "only a word.",
                    path,
                )
            return
        ours = self.services[name].get("networks") or {}
        names = [other, *aliases]
        for network in self.services[other].get("networks") or {}:
            if network in ours:
                names.extend(names_of(other, self.services[other], network))
        for position, link in enumerate(self.services[name].get("links") or ()):
            if str(link).partition(":")[0] == other:
                self.notes.ledger(
                    ("services", name, "links", position),
                    "honoured",
                    f"the name leads to {other}'s machine on {self.homes[other]}",
                    "across.links",
                )
        self.calls.append(Call(name, other, ports, tuple(dict.fromkeys(names)), path, sure, waits))

    def _ports(self, name: str, other: str, named: set[int], sure: bool) -> tuple[Port, ...] | None:
        """Return the ports that a caller finds on the other's machine; None: it would find none, and that is told."""
        body = self.services[other]
        published = list(_published(body))
        reachable = [entry[:3] for entry in published if entry[3] in _EVERYWHERE]
        if str(body.get("network_mode") or "") == "host":
            declared = sorted(declared_ports(body))
            reachable = [(port, port, kind) for port, kind in declared]
            reachable += [(port, port, "tcp") for port in sorted(named) if (port, "tcp") not in declared]
        if not named:
            if reachable or not sure:
                return tuple(dict.fromkeys(reachable))
            wanted = sorted(port for port, _ in declared_ports(body))
            self._unpublished(name, other, wanted[0] if wanted else None, published)
            return None
        found: list[Port] = []
        for port in sorted(named):
            hits = [entry for entry in reachable if entry[0] == port]
            if not hits:
                self._unpublished(name, other, port, published)
                return None
            found.extend(hits)
        return tuple(dict.fromkeys(found))

    def _unpublished(
        self, name: str, other: str, port: int | None, published: Sequence[tuple[int, int, str, Any]]
    ) -> None:
        here, there = self.homes[name], self.homes[other]
        example = port or 5432
        inside = next((entry for entry in published if port is not None and entry[1] == port), None)
        if inside is not None and inside[3] not in _EVERYWHERE:
            why = f"it is published on {inside[3]} alone, where nobody else gets"
        elif inside is not None:
            why = f"its machine has it as {inside[0]}"
        elif published and port is not None:
            why = f"{other} publishes {', '.join(str(entry[0]) for entry in published[:_SHOWN])} only"
        else:
            why = f"{other} publishes no port with a fixed number"
        what = f"port {port} of {other}" if port else other
        self._error(
            "across.port_not_published",
            f"{name} on {here} calls {what} on {there}, and {why}: over a border a service is reached on a published "
            f'port of its machine alone. Publish it under its own number (services.{other}.ports: ["{example}:'
            f'{example}"]), or put both on one cloud.',
            ("services", other, "ports") if published else ("services", other),
        )

    def _error(self, code: str, message: str, path: Path) -> None:
        self.notes.finding(code, "error", message, path)

    def _listed(self, services: Sequence[str]) -> str:
        return listed([f"{name} ({self.homes[name]})" for name in services], _SHOWN)


def _published(body: Mapping[str, Any]) -> Iterator[tuple[int, int, str, Any]]:
    """Yield (port on the machine, in the container, protocol, host address) of each port published under one number.

    The loader has written ranges out; where one target still has a range, the engine takes any free port of it.
    """
    for mapping in body.get("ports") or ():
        published = str(mapping.get("published") or "")
        if published.isdigit():
            target = int(mapping.get("target") or published)
            yield int(published), target, str(mapping.get("protocol") or "tcp"), mapping.get("host_ip")
