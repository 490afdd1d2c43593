"""Connect machines: which networks stay inside one, which span several, and how names lead across.

A network whose services all stand on one machine remains a bridge there. One that spans machines becomes a private
network between them; a container is then reached at its machine's private address, on its declared ports, by
entries in the hosts files of those that use it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from engine.observed import Target
from engine.realise.extension import Extensions
from engine.realise.naming import machine_name, slug
from engine.realise.notes import Notes
from engine.realise.prior import Prior
from engine.realise.references import Ports, declared_ports, linked, names_of, stated, words
from engine.realise.settings import MAX_NICS, Settings
from engine.realise.subnets import Addresses, Subnets, parse
from engine.resources import Network, Nic, Owner

# In a network of up to so many services all know each other across machines; in a larger one only those that a
# service names, or hosts files would grow with the square of the drawing.
MESH = 50


@dataclass(frozen=True, slots=True)
class Wiring:
    """What connects the machines. Machines are counted in the order of ``labels``."""

    resources: Mapping[str, Network]
    nics: Sequence[tuple[Nic, ...]]
    spanning: frozenset[str]
    hosts: Mapping[tuple[int, str], Mapping[str, Sequence[str]]]  # (machine, service) -> name -> addresses
    published: Mapping[tuple[int, str], Sequence[tuple[str, int, str]]]  # -> (address, port, protocol)
    waits: Mapping[int, Sequence[Mapping[str, Any]]]
    after: Mapping[int, frozenset[int]]  # machines that must be ready before


@dataclass(slots=True)
class _Span:
    """A network that spans machines."""

    key: str
    machines: list[int]
    addresses: Addresses
    primary: dict[int, str] = field(default_factory=dict)
    aliases: dict[int, dict[str, str]] = field(default_factory=dict)

    def address(self, machine: int, service: str) -> str:
        own = self.aliases.get(machine, {}).get(service)
        return (own or self.primary[machine]).partition("/")[0]


class Wirer:
    """Build the wiring of one drawing; ``at`` says on which machines each service stands."""

    def __init__(
        self,
        config: Mapping[str, Any],
        extensions: Extensions,
        labels: Sequence[str],
        at: Mapping[str, Sequence[int]],
        target: Target,
        owner: Owner,
        settings: Settings,
        prior: Prior,
        notes: Notes,
    ) -> None:
        self.services: Mapping[str, Any] = config.get("services") or {}
        self.networks: Mapping[str, Any] = config.get("networks") or {}
        self.extensions, self.labels, self.at = extensions, labels, at
        self.target, self.owner, self.settings, self.prior, self.notes = target, owner, settings, prior, notes
        self.resources: dict[str, Network] = {}
        self.positions = {label: position for position, label in enumerate(labels)}
        self.where = {service: frozenset(machines) for service, machines in at.items()}
        self.members: dict[str, list[str]] = {}
        for service in at:
            body = self.services[service]
            if not body.get("network_mode"):
                for network in body.get("networks") or {}:
                    self.members.setdefault(network, []).append(service)
        self.inside = {network: frozenset(services) for network, services in self.members.items()}
        self.spans: dict[str, _Span] = {}
        self.ports: dict[str, Ports] = {}
        self.said: dict[str, Mapping[str, set[int]]] = {}
        self.hosts: dict[tuple[int, str], dict[str, list[str]]] = {}
        self.published: dict[tuple[int, str], list[tuple[str, int, str]]] = {}

    def run(self) -> Wiring:
        """Return the wiring; everything that is less than what Compose does goes to the notes."""
        default = self._default_network()
        outside = self._external_networks()
        self._span(default, outside)
        self._connect()
        nics = self._nics(default, outside)
        waits, after = self._order()
        return Wiring(self.resources, nics, frozenset(self.spans), self.hosts, self.published, waits, after)

    # Existing networks.

    def _default_network(self) -> str | None:
        known = [network.name for network in self.target.inventory.networks]
        drawn = self.extensions.project.get("network")
        wanted = drawn or self.prior.default_network or self.settings.network
        if wanted is None and known:
            wanted = min(known, key=lambda name: (name != "VM Network", name))
        if wanted is None:
            self.notes.finding(
                "realise.network_missing",
                "error",
                "No network of this cloud is known, so machines would have no address: synchronise the cloud's "
                "inventory, or name a network in the cloud's defaults.",
            )
            return None
        if known and wanted not in known and wanted != self.prior.default_network:
            self.notes.finding(
                "realise.network_missing",
                "error",
                f"The network {wanted!r} does not exist on this cloud, so machines cannot be connected: choose one of "
                f"{', '.join(sorted(known)[:20])}.",
                ("x-escale", "network") if drawn else (),
            )
        return self._existing(wanted)

    def _existing(self, name: str) -> str:
        key = f"network:@{name}"
        self.resources.setdefault(key, Network(key, name, managed=False))
        return key

    def _external_networks(self) -> dict[str, str]:
        """Return Compose network -> key of the existing network, for ``external`` ones."""
        known = {network.name for network in self.target.inventory.networks}
        outside: dict[str, str] = {}
        for network in self.members:
            body = self.networks.get(network) or {}
            if not body.get("external"):
                continue
            name = str(body.get("name") or network)
            if known and name not in known:
                self.notes.finding(
                    "realise.network_external_missing",
                    "error",
                    f"The drawing expects a network {name!r} on the cloud, which has none of that name: create it, "
                    f"correct the name, or remove `external` (the cloud has {', '.join(sorted(known)[:20])}).",
                    ("networks", network),
                )
                continue
            outside[network] = self._existing(name)
            self.notes.ledger(
                ("networks", network, "external"),
                "approximated",
                f"the machines of its services get a card on the cloud's network {name!r}; containers are reached "
                f"there "
                "by their published ports",
                "networks.external",
            )
        return outside

    # Networks between machines.

    def _span(self, default: str | None, outside: Mapping[str, str]) -> None:
        subnets = Subnets(self.settings.supernet, self.settings.reserved_subnets)
        for network in self.networks.values():
            for pool in ((network or {}).get("ipam") or {}).get("config") or ():
                subnets.take(str(pool.get("subnet") or ""))
        for subnet in self.prior.subnets.values():
            subnets.take(subnet)
        managed = "create_network" in self.target.capabilities and bool(
            self.target.inventory.switches or not self.target.inventory.networks
        )
        for network, services in sorted(self.members.items()):
            machines = sorted({machine for service in services for machine in self.at[service]})
            # A network that once spanned machines keeps its cards: taking one away would replace the machine.
            before = self.prior.machines_on(f"network:{network}", self.positions)
            machines = sorted({*machines, *before})
            if len(machines) < 2 and not before:
                continue
            span = self._make(network, services, machines, managed, default, outside, subnets)
            if span is not None:
                self.spans[network] = span

    def _make(
        self,
        network: str,
        services: Sequence[str],
        machines: list[int],
        managed: bool,
        default: str | None,
        outside: Mapping[str, str],
        subnets: Subnets,
    ) -> _Span | None:
        key = f"network:{network}"
        base = outside.get(network) or default
        if base is None and not managed:
            return None
        subnet = self._subnet(network, len(machines) + len(services), subnets)
        if subnet is None:
            self.notes.finding(
                "realise.subnets_exhausted",
                "error",
                f"No private subnet is left in {self.settings.supernet} for the network {network!r}: give the cloud a "
                "larger private_supernet, or the network a subnet of its own (x-escale: {subnet: ...}).",
                ("networks", network),
            )
            return None
        extension = self.extensions.networks.get(network, {})
        if managed and network not in outside:
            suffix = self.owner.deployment_id.replace("-", "")[:8]
            name = self.prior.network_name(key) or f"{slug(f'{self.owner.deployment}-{network}', 60)}-{suffix}"
            resource = Network(key, name, managed=True, subnet=subnet, vlan=extension.get("vlan"))
        else:
            assert base is not None
            resource = Network(key, self.resources[base].name, managed=False, subnet=subnet)
        self.resources[key] = resource
        span = _Span(key, machines, Addresses(subnet))
        self._address(network, services, span)
        self._tell(network, services, resource)
        return span

    def _subnet(self, network: str, hosts: int, subnets: Subnets) -> str | None:
        body = self.networks.get(network) or {}
        drawn = self.extensions.networks.get(network, {}).get("subnet")
        pools = ((body.get("ipam") or {}).get("config")) or ()
        for text in (drawn, *(pool.get("subnet") for pool in pools)):
            wished = parse(str(text)) if text else None
            if wished is not None:
                return str(wished)
        before = self.prior.subnets.get(f"network:{network}")
        wished = parse(before) if before else None
        if wished is not None and wished.num_addresses > hosts + 12:
            return str(wished)
        return subnets.carve(f"{self.owner.deployment_id}/{network}", hosts)

    def _address(self, network: str, services: Sequence[str], span: _Span) -> None:
        """Give the machines their addresses: those of before first, then what the drawing asks for, then free ones."""
        pools = ((self.networks.get(network) or {}).get("ipam") or {}).get("config") or ()
        for pool in pools:
            for reserved in (pool.get("gateway"), *(pool.get("aux_addresses") or {}).values()):
                span.addresses.take(str(reserved or ""))
        before = self.prior.addresses(span.key)
        wished: dict[int, dict[str, str]] = {}
        for service in services:
            attachment = (self.services[service].get("networks") or {}).get(network) or {}
            address = attachment.get("ipv4_address")
            if not address:
                continue
            path = ("services", service, "networks", network, "ipv4_address")
            if len(self.at[service]) > 1 or not span.addresses.free(str(address)):
                self.notes.ledger(
                    path, "dropped", "several machines, or an address that is taken or outside of the subnet", "ipv4"
                )
                continue
            own = span.addresses.take(str(address))
            assert own is not None
            wished.setdefault(self.at[service][0], {})[service] = own
            self.notes.ledger(
                path,
                "approximated",
                f"the machine {self.labels[self.at[service][0]]} has this address, and publishes the declared ports "
                f"on it",
                "ipv4",
            )
        span.aliases.update(wished)
        for machine in span.machines:
            primary, aliases = before.get(self.labels[machine], (None, {}))
            if primary and span.addresses.free(primary):
                span.primary[machine] = span.addresses.take(primary) or ""
            for service, alias in sorted(aliases.items()):
                if machine in self.at.get(service, ()) and span.addresses.free(alias):
                    own = span.addresses.take(alias)
                    if own is not None:
                        span.aliases.setdefault(machine, {}).setdefault(service, own)
        for machine in span.machines:
            if machine not in span.primary:
                given = span.addresses.give()
                if given is None:
                    self._full(network)
                    given = "0.0.0.0/0"
                span.primary[machine] = given

    def _full(self, network: str) -> None:
        self.notes.finding(
            "realise.subnet_full",
            "error",
            f"The subnet of the network {network!r} has fewer addresses than the drawing has machines in it: give it "
            "a larger one (x-escale: {subnet: ...} or ipam).",
            ("networks", network),
        )

    def _tell(self, network: str, services: Sequence[str], resource: Network) -> None:
        machines = sorted({self.labels[machine] for service in services for machine in self.at[service]})
        shown = ", ".join(machines[:4]) + (f" and {len(machines) - 4} more" if len(machines) > 4 else "")
        body = self.networks.get(network) or {}
        kind = "a port group of its own" if resource.managed else f"the existing network {resource.name!r}"
        apart = "" if resource.vlan or not resource.managed else " (without a VLAN it is not isolated on the wire)"
        shared = "" if resource.managed else "; others on that network can reach the published ports"
        reached = (
            "names lead to the machines' addresses, on declared ports"
            if len(services) <= MESH
            else f"among more than {MESH} services only those know each other across machines that name each other "
            "(depends_on, links, environment, command, x-escale.uses)"
        )
        self.notes.ledger(
            ("networks", network),
            "approximated",
            f"spans {shown}: {kind}{apart} with the subnet {resource.subnet} between the machines{shared}; {reached}",
            "networks.spanning",
        )
        for key, reason in (
            ("internal", "would hide the ports that the machines publish to each other; the bridge is not internal"),
            ("ipam", "its subnet is that of the machines; each machine's bridge has one of its engine's choice"),
        ):
            if body.get(key):
                verdict = "dropped" if key == "internal" else "approximated"
                self.notes.ledger(("networks", network, key), verdict, reason, f"networks.{key}")  # type: ignore[arg-type]

    # Names and ports across machines.

    def _connect(self) -> None:
        if not self.spans:
            return
        known = {network: self._names(network) for network in self.spans}
        wild = self._wildcards()
        bound: dict[int, dict[tuple[str, int, str], str]] = {}
        used: dict[tuple[str, str], set[str]] = {}  # (network, service) -> services that use it from elsewhere
        certain: set[tuple[str, str]] = set()
        for network in self.spans:
            for service in self.members[network]:
                here = self.where[service]
                for other, sure in self._peers(network, service, known[network]):
                    if not here <= self.where[other]:
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
        for service in self.members[network]:
            for name in names_of(service, self.services[service], network):
                names.setdefault(name, []).append(service)
        return names

    def _peers(self, network: str, service: str, names: Mapping[str, list[str]]) -> list[tuple[str, bool]]:
        """Return the services that one service may call in a network, and whether the drawing shows that it does."""
        body = self.services[service]
        inside = self.inside[network]
        sure = {other for other in stated(body, self.extensions.services.get(service, {})) if other in inside}
        for word, ports in self._words(service).items():
            for other in names.get(word, ()):
                if other == service:
                    continue
                sure.add(other)
                new = {(port, "tcp") for port in ports} - self._ports(other)
                if new and not self.where[service] <= self.where[other]:
                    self._infer(other, service, sorted(port for port, _ in new))
        if len(inside) <= MESH:
            return [(other, other in sure) for other in self.members[network] if other != service]
        return [(other, True) for other in sorted(sure) if other != service]

    def _words(self, service: str) -> Mapping[str, set[int]]:
        if service not in self.said:
            self.said[service] = words(self.services[service])
        return self.said[service]

    def _ports(self, service: str) -> Ports:
        if service not in self.ports:
            self.ports[service] = declared_ports(self.services[service])
        return self.ports[service]

    def _infer(self, service: str, user: str, ports: Sequence[int]) -> None:
        shown = ", ".join(map(str, ports))
        self._ports(service).update((port, "tcp") for port in ports)
        self.notes.ledger(
            ("services", service, "expose"),
            "approximated",
            f"not declared: the port {shown} was read from the settings of {user}; declare `expose: [{shown}]` to be "
            f"sure",
            "expose.inferred",
        )

    def _wildcards(self) -> dict[int, dict[tuple[int, str], str]]:
        """Return, for each machine, the ports that are published on all its addresses, and by which service."""
        wild: dict[int, dict[tuple[int, str], str]] = {}
        for service, machines in self.at.items():
            for mapping in self.services[service].get("ports") or ():
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
            for mapping in self.services[service].get("ports") or ()
            if str(mapping.get("published") or "") == str(mapping.get("target"))
            and mapping.get("host_ip") in (None, "", "0.0.0.0")  # noqa: S104 - compared with, never bound
        }
        for machine in self.at[service]:
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
                    self._full(network)
                    continue
                span.aliases.setdefault(machine, {})[service] = alias
                address = span.address(machine, service)
            listed = self.published.setdefault((machine, service), [])
            for port, protocol in needed:
                taken[address, port, protocol] = service
                if (address, port, protocol) not in listed:
                    listed.append((address, port, protocol))

    def _clash(self, service: str, holder: str, port: int, machine: int) -> None:
        self.notes.finding(
            "realise.port_hidden",
            "warning",
            f"Services on other machines cannot reach port {port} of {service}: on {self.labels[machine]} the service "
            f"{holder} publishes {port} on all addresses. Keep them apart (x-escale: {{anti_affinity: {{services: "
            f"[{holder}]}}}}) or publish {holder} elsewhere.",
            ("services", service),
        )

    def _undeclared(self, service: str, users: Sequence[str]) -> None:
        shown = ", ".join(users[:4]) + (" …" if len(users) > 4 else "")
        self.notes.ledger(
            ("services", service, "expose"),
            "approximated",
            f"no port is declared, but {shown} on other machines may call it: only declared ports are reachable across "
            "machines; declare `expose: [<port>]`",
            "expose.undeclared",
        )
        self.notes.finding(
            "realise.port_undeclared",
            "warning",
            f"{shown} cannot reach {service}, which stands on another machine and declares no port: add "
            f"`expose: [<port>]` to {service}, or keep them together (x-escale: "
            f"{{affinity: {{services: [{service}]}}}}).",
            ("services", service),
        )

    def _introduce(self, network: str, service: str, user: str) -> None:
        """Enter a service's names in the hosts file of a user of it, on machines that have no replica of it."""
        span, here = self.spans[network], set(self.at[service])
        addresses = [span.address(machine, service) for machine in self.at[service]]
        names = [*names_of(service, self.services[service], network), *linked(self.services[user]).get(service, ())]
        own = {
            str(entry).replace("=", ":", 1).partition(":")[0] for entry in self.services[user].get("extra_hosts") or ()
        }
        for machine in self.at[user]:
            if machine in here:
                continue  # the engine's own names lead to the replica on the same machine
            entries = self.hosts.setdefault((machine, user), {})
            for name in names:
                if name not in own:
                    known = entries.setdefault(name, [])
                    known.extend(address for address in addresses if address not in known)

    # Cards and order.

    def _nics(self, default: str | None, outside: Mapping[str, str]) -> list[tuple[Nic, ...]]:
        wanted: list[dict[str, Nic]] = [({default: Nic(default)} if default else {}) for _ in self.labels]
        for network, key in sorted(outside.items()):
            for service in self.members[network]:
                for machine in self.at[service]:
                    wanted[machine].setdefault(key, Nic(key))
        for _, span in sorted(self.spans.items()):
            for machine in span.machines:
                wanted[machine][span.key] = Nic(span.key, span.primary[machine], span.aliases.get(machine, {}))
        result = []
        for machine, cards in enumerate(wanted):
            # Cards keep the order they were made in; another order would replace the machine.
            before = [key for key in self.prior.nics(self.labels[machine]) if key in cards]
            order = [*before, *(key for key in cards if key not in before)]
            if len(order) > MAX_NICS:
                self.notes.finding(
                    "realise.too_many_networks",
                    "error",
                    f"The machine {machine_name(self.owner.deployment, self.labels[machine])} would need {len(order)} "
                    f"network cards, a virtual machine has at most {MAX_NICS}: let its services share networks.",
                )
            result.append(tuple(cards[key] for key in order))
        return result

    def _order(self) -> tuple[dict[int, list[dict[str, Any]]], dict[int, frozenset[int]]]:
        """Return what each machine waits for before it starts a service, and which machines must be ready first."""
        waits: dict[int, list[dict[str, Any]]] = {}
        after: dict[int, set[int]] = {}
        for service, machines in self.at.items():
            needs = self.services[service].get("depends_on") or {}
            for needed in needs:
                homes = self.at.get(needed)
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
                self.notes.ledger(
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
        ours = self.services[service].get("networks") or {}
        ports = sorted(port for port, protocol in self._ports(needed) if protocol == "tcp")
        if not ports or self.services[needed].get("network_mode"):
            return None
        for network in self.services[needed].get("networks") or {}:
            if network in ours and network in self.spans:
                return self.spans[network].address(self.at[needed][0], needed), ports[0]
        return None
