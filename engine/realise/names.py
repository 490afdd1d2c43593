"""Let containers find each other across machines: by name, on declared ports, and in the order of ``depends_on``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from engine.realise.references import Ports, declared_ports, linked, names_of, stated, words
from engine.realise.spans import MESH, Scene, Span


class Introducer:
    """Enter names in hosts files and publish ports, for one drawing."""

    def __init__(self, scene: Scene, spans: Mapping[str, Span]) -> None:
        self.scene, self.spans = scene, spans
        self.ports: dict[str, Ports] = {}
        self.said: dict[str, Mapping[str, set[int]]] = {}
        self.hosts: dict[tuple[int, str], dict[str, list[str]]] = {}
        self.published: dict[tuple[int, str], list[tuple[str, int, str]]] = {}

    def connect(self) -> None:
        """Fill ``hosts`` and ``published``."""
        if not self.spans:
            return
        known = {network: self._names(network) for network in self.spans}
        wild = self._wildcards()
        bound: dict[int, dict[tuple[str, int, str], str]] = {}
        used: dict[tuple[str, str], set[str]] = {}  # (network, service) -> services that use it from elsewhere
        certain: set[tuple[str, str]] = set()
        for network in self.spans:
            for service in self.scene.members[network]:
                here = self.scene.where[service]
                for other, sure in self._peers(network, service, known[network]):
                    if not here <= self.scene.where[other]:
                        used.setdefault((network, other), set()).add(service)
                        if sure:
                            certain.add((network, other))
        for (network, service), users in sorted(used.items()):
            self._publish(network, service, wild, bound)
            if (network, service) in certain and not self.ports[service]:
                self._undeclared(service, sorted(users))
            for user in sorted(users):
                self._introduce(network, service, user)

    def _names(self, network: str) -> dict[str, list[str]]:
        names: dict[str, list[str]] = {}
        for service in self.scene.members[network]:
            for name in names_of(service, self.scene.services[service], network):
                names.setdefault(name, []).append(service)
        return names

    def _peers(self, network: str, service: str, names: Mapping[str, list[str]]) -> list[tuple[str, bool]]:
        """Return the services that one service may call in a network, and whether the drawing shows that it does."""
        body = self.scene.services[service]
        inside = self.scene.inside[network]
        sure = {other for other in stated(body, self.scene.extensions.services.get(service, {})) if other in inside}
        for word, ports in self._words(service).items():
            for other in names.get(word, ()):
                if other == service:
                    continue
                sure.add(other)
                new = {(port, "tcp") for port in ports} - self._ports(other)
                if new and not self.scene.where[service] <= self.scene.where[other]:
                    self._infer(other, service, sorted(port for port, _ in new))
        if len(inside) <= MESH:
            return [(other, other in sure) for other in self.scene.members[network] if other != service]
        return [(other, True) for other in sorted(sure) if other != service]

    def _words(self, service: str) -> Mapping[str, set[int]]:
        if service not in self.said:
            self.said[service] = words(self.scene.services[service])
        return self.said[service]

    def _ports(self, service: str) -> Ports:
        if service not in self.ports:
            self.ports[service] = declared_ports(self.scene.services[service])
        return self.ports[service]

    def _infer(self, service: str, user: str, ports: Sequence[int]) -> None:
        shown = ", ".join(map(str, ports))
        self._ports(service).update((port, "tcp") for port in ports)
        self.scene.notes.ledger(
            ("services", service, "expose"),
            "approximated",
            f"not declared: the port {shown} was read from the settings of {user}; declare `expose: [{shown}]` to be "
            f"sure",
            "expose.inferred",
        )

    def _wildcards(self) -> dict[int, dict[tuple[int, str], str]]:
        """Return, for each machine, the ports that are published on all its addresses, and by which service."""
        wild: dict[int, dict[tuple[int, str], str]] = {}
        for service, machines in self.scene.at.items():
            for mapping in self.scene.services[service].get("ports") or ():
                published = str(mapping.get("published") or "")
                if published.isdigit() and mapping.get("host_ip") in (None, "", "0.0.0.0"):  # noqa: S104 - compared
                    for machine in machines:
                        key = (int(published), str(mapping.get("protocol") or "tcp"))
                        wild.setdefault(machine, {})[key] = service
        return wild

    def _publish(
        self,
        network: str,
        service: str,
        wild: Mapping[int, Mapping[tuple[int, str], str]],
        bound: dict[int, dict[tuple[str, int, str], str]],
    ) -> None:
        """Publish a service's declared ports on its machines' private address, each on its own number."""
        span, ports = self.spans[network], sorted(self._ports(service))
        straight = {
            (int(mapping["target"]), str(mapping.get("protocol") or "tcp"))
            for mapping in self.scene.services[service].get("ports") or ()
            if str(mapping.get("published") or "") == str(mapping.get("target"))
            and mapping.get("host_ip") in (None, "", "0.0.0.0")  # noqa: S104 - compared with, never bound
        }
        for machine in self.scene.at[service]:
            taken = bound.setdefault(machine, {})
            needed = [port for port in ports if port not in straight]
            for port, protocol in needed:
                holder = wild.get(machine, {}).get((port, protocol))
                if holder is not None and holder != service:
                    self._clash(service, holder, port, machine)
            needed = [port for port in needed if wild.get(machine, {}).get(port) in (None, service)]
            address = span.address(machine, service)
            if any(taken.get((address, *port), service) != service for port in needed):
                alias = span.addresses.give()
                if alias is None:
                    self.scene.subnet_full(network)
                    continue
                span.aliases.setdefault(machine, {})[service] = alias
                address = span.address(machine, service)
            listed = self.published.setdefault((machine, service), [])
            for port, protocol in needed:
                taken[address, port, protocol] = service
                if (address, port, protocol) not in listed:
                    listed.append((address, port, protocol))

    def _clash(self, service: str, holder: str, port: int, machine: int) -> None:
        self.scene.notes.finding(
            "realise.port_hidden",
            "warning",
            f"Services on other machines cannot reach port {port} of {service}: on {self.scene.labels[machine]} the "
            f"service {holder} publishes {port} on all addresses. Keep them apart (x-escale: {{anti_affinity: "
            f"{{services: [{holder}]}}}}) or publish {holder} elsewhere.",
            ("services", service),
        )

    def _undeclared(self, service: str, users: Sequence[str]) -> None:
        shown = ", ".join(users[:4]) + (" …" if len(users) > 4 else "")
        self.scene.notes.ledger(
            ("services", service, "expose"),
            "approximated",
            f"no port is declared, but {shown} on other machines may call it: only declared ports are reachable across "
            "machines; declare `expose: [<port>]`",
            "expose.undeclared",
        )
        self.scene.notes.finding(
            "realise.port_undeclared",
            "warning",
            f"{shown} cannot reach {service}, which stands on another machine and declares no port: add "
            f"`expose: [<port>]` to {service}, or keep them together (x-escale: "
            f"{{affinity: {{services: [{service}]}}}}).",
            ("services", service),
        )

    def _introduce(self, network: str, service: str, user: str) -> None:
        """Enter a service's names in the hosts file of a user of it, on machines that have no replica of it."""
        span, here = self.spans[network], set(self.scene.at[service])
        addresses = [span.address(machine, service) for machine in self.scene.at[service]]
        names = [
            *names_of(service, self.scene.services[service], network),
            *linked(self.scene.services[user]).get(service, ()),
        ]
        own = {
            str(entry).replace("=", ":", 1).partition(":")[0]
            for entry in self.scene.services[user].get("extra_hosts") or ()
        }
        for machine in self.scene.at[user]:
            if machine in here:
                continue  # the engine's own names lead to the replica on the same machine
            entries = self.hosts.setdefault((machine, user), {})
            for name in names:
                if name not in own:
                    known = entries.setdefault(name, [])
                    known.extend(address for address in addresses if address not in known)

    def order(self) -> tuple[dict[int, list[dict[str, Any]]], dict[int, frozenset[int]]]:
        """Return what each machine waits for before it starts a service, and which machines must be ready first."""
        waits: dict[int, list[dict[str, Any]]] = {}
        after: dict[int, set[int]] = {}
        for service, machines in self.scene.at.items():
            needs = self.scene.services[service].get("depends_on") or {}
            for needed in needs:
                homes = self.scene.at.get(needed)
                if not homes:
                    continue
                away = [machine for machine in machines if machine not in homes]
                if not away:
                    continue
                place = self._listening(service, needed)
                for machine in away:
                    after.setdefault(machine, set()).update(homes)
                    if place is not None:
                        wait = {"service": service, "for": needed, "address": place[0], "port": place[1]}
                        waits.setdefault(machine, []).append(wait)
                self.scene.notes.ledger(
                    ("services", service, "depends_on", needed),
                    "approximated",
                    f"{needed} stands on another machine: that one starts first, and {service} waits there until "
                    f"{needed} accepts connections on port {place[1]}"
                    if place
                    else f"{needed} stands on another machine and declares no TCP port that could be waited for: only "
                    "the machines start in order",
                    "depends_on.across",
                )
        return waits, {machine: frozenset(others - {machine}) for machine, others in after.items()}

    def _listening(self, service: str, needed: str) -> tuple[str, int] | None:
        ours = self.scene.services[service].get("networks") or {}
        ports = sorted(port for port, protocol in self._ports(needed) if protocol == "tcp")
        if not ports or self.scene.services[needed].get("network_mode"):
            return None
        for network in self.scene.services[needed].get("networks") or {}:
            if network in ours and network in self.spans:
                return self.spans[network].address(self.scene.at[needed][0], needed), ports[0]
        return None
