"""Decide which networks machines are on: existing ones, and private ones where a drawing's network spans machines."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from engine.observed import Target
from engine.realise.ground import KEPT, PUBLIC, Ground
from engine.realise.naming import machine_name, slug
from engine.realise.prior import Prior
from engine.realise.settings import Settings, most_cards
from engine.realise.spans import MESH, Scene, Span
from engine.realise.subnets import Addresses, Subnets, parse
from engine.resources import Network, Nic, Owner
from engine.wording import listed


class NetworkMaker:
    """Make the networks of one drawing, and the cards of its machines."""

    def __init__(self, scene: Scene, target: Target, owner: Owner, settings: Settings, prior: Prior) -> None:
        self.scene, self.target, self.owner, self.settings, self.prior = scene, target, owner, settings, prior
        self.resources: dict[str, Network] = {}
        self.spans: dict[str, Span] = {}
        self.default: str | None = None
        self.outside: dict[str, str] = {}
        self.ground: Ground | None = None

    def make(self) -> None:
        """Fill ``resources`` and ``spans``; on targets without shared networks also ``ground``."""
        if "own_ground" in self.target.capabilities:
            self.ground = self._lay_ground()
            self.default = self._public_network(self.ground)
            self._tell_ground()
        else:
            self.default = self._default_network()
            self.outside = self._external_networks()
        self._span(self.default, self.outside)

    def cards(self) -> list[tuple[Nic, ...]]:
        """Return the cards of each machine, once all addresses are given."""
        return self._nics(self.default, self.outside)

    # A ground of its own.

    def _lay_ground(self) -> Ground:
        """Return the deployment's address range."""
        spanning: list[int] = []
        wished: list[str] = []
        bridges: list[str] = []
        for network, services in sorted(self.scene.members.items()):
            hosts = len({machine for service in services for machine in self.scene.at[service]})
            drawn = self._drawn_subnets(network)
            if hosts > 1:
                spanning.append(hosts + len(services))
                wished.extend(drawn)
            else:
                bridges.extend(drawn)
        machines = len(self.scene.labels)
        return Ground(self.owner, self.settings, self.prior, wished, [machines, *spanning], bridges)

    def _public_network(self, ground: Ground) -> str | None:
        hosts = len(self.scene.labels)
        before = self.prior.subnets.get(PUBLIC)
        subnet = before or ground.carve(PUBLIC, f"{self.owner.deployment_id}/{PUBLIC}", hosts)
        if subnet is None:
            self._exhausted("of its machines", ())
            return None
        name = self.prior.network_name(PUBLIC) or self._name("public")
        self.resources[PUBLIC] = Network(PUBLIC, name, managed=True, subnet=subnet, access="public")
        return PUBLIC

    def _tell_ground(self) -> None:
        """Enter in the ledger what names networks that no cloud of this kind shares."""
        notes = self.scene.notes
        if self.scene.extensions.project.get("network"):
            notes.ledger(
                ("x-escale", "network"),
                "dropped",
                "this cloud shares no network between deployments: the machines' first card is on one of its own",
                "x-escale.network",
            )
        for network in self.scene.members:
            body = self.scene.networks.get(network) or {}
            if body.get("external"):
                name = str(body.get("name") or network)
                notes.ledger(
                    ("networks", network, "external"),
                    "dropped",
                    f"this cloud shares no network between deployments: {name!r} is made for this one alone",
                    "networks.external",
                )
                notes.finding(
                    "realise.network_external_own",
                    "warning",
                    f"The drawing expects a network {name!r} that others are on too, and on this cloud each "
                    "deployment has networks of its own: one is made for this deployment alone, and what stands on "
                    "the other one is only reached by its public addresses.",
                    ("networks", network),
                )
            if self.scene.extensions.networks.get(network, {}).get("vlan") is not None:
                notes.ledger(
                    ("networks", network, "x-escale", "vlan"),
                    "dropped",
                    "this cloud has no VLANs: the network is a subnet that only its members reach",
                    "networks.x-escale.vlan",
                )

    def _exhausted(self, whose: str, path: tuple[str, ...]) -> None:
        where = self.ground.cidr if self.ground else self.settings.supernet
        fixed = self.ground is not None and self.prior.folder.get("cidr")
        self.scene.notes.finding(
            "realise.subnets_exhausted",
            "error",
            f"No private subnet is left in {where} for the network {whose}: "
            + (
                "this range is fixed for the deployment's life, so let services share networks, or deploy anew."
                if fixed
                else "give the cloud a larger private_supernet, or the network a subnet of its own (x-escale: "
                "{subnet: ...})."
            ),
            path,
        )

    def _name(self, network: str) -> str:
        suffix = self.owner.deployment_id.replace("-", "")[:8]
        return f"{slug(f'{self.owner.deployment}-{network}', 60)}-{suffix}"

    # Existing networks.

    def _default_network(self) -> str | None:
        known = [network.name for network in self.target.inventory.networks]
        drawn = self.scene.extensions.project.get("network")
        wanted = drawn or self.prior.default_network or self.settings.network
        if wanted is None and known:
            wanted = min(known, key=lambda name: (name != "VM Network", name))
        if wanted is None:
            self.scene.notes.finding(
                "realise.network_missing",
                "error",
                "No network of this cloud is known, so machines would have no address: synchronise the cloud's "
                "inventory, or name a network in the cloud's defaults.",
            )
            return None
        if known and wanted not in known and wanted != self.prior.default_network:
            self.scene.notes.finding(
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
        for network in self.scene.members:
            body = self.scene.networks.get(network) or {}
            if not body.get("external"):
                continue
            name = str(body.get("name") or network)
            if known and name not in known:
                self.scene.notes.finding(
                    "realise.network_external_missing",
                    "error",
                    f"The drawing expects a network {name!r} on the cloud, which has none of that name: create it, "
                    f"correct the name, or remove `external` (the cloud has {', '.join(sorted(known)[:20])}).",
                    ("networks", network),
                )
                continue
            outside[network] = self._existing(name)
            self.scene.notes.ledger(
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
        for network in self.scene.networks.values():
            for pool in ((network or {}).get("ipam") or {}).get("config") or ():
                subnets.take(str(pool.get("subnet") or ""))
        for subnet in self.prior.subnets.values():
            subnets.take(subnet)
        managed = self.ground is not None or (
            "create_network" in self.target.capabilities
            and bool(self.target.inventory.switches or not self.target.inventory.networks)
        )
        for network, services in sorted(self.scene.members.items()):
            machines = sorted({machine for service in services for machine in self.scene.at[service]})
            # A network that once spanned machines keeps its cards: taking one away would replace the machine.
            before = self.prior.machines_on(f"network:{network}", self.scene.positions)
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
    ) -> Span | None:
        key = f"network:{network}"
        base = outside.get(network) or default
        if base is None and not managed:
            return None
        subnet = self._subnet(network, len(machines) + len(services), subnets)
        if subnet is None:
            self._exhausted(repr(network), ("networks", network))
            return None
        extension = self.scene.extensions.networks.get(network, {})
        if managed and network not in outside:
            name = self.prior.network_name(key) or self._name(network)
            resource = Network(
                key,
                name,
                managed=True,
                subnet=subnet,
                vlan=None if self.ground else extension.get("vlan"),
                access="private" if self.ground else "",
            )
        else:
            assert base is not None
            resource = Network(key, self.resources[base].name, managed=False, subnet=subnet)
        self.resources[key] = resource
        span = Span(key, machines, Addresses(subnet, kept=KEPT if self.ground else 1))
        self._address(network, services, span)
        self._tell(network, services, resource)
        return span

    def _subnet(self, network: str, hosts: int, subnets: Subnets) -> str | None:
        drawn = self._drawn_subnets(network)
        if drawn and self.ground is None:
            return drawn[0]
        key, seed = f"network:{network}", f"{self.owner.deployment_id}/{network}"
        if drawn and self.ground is not None:
            own = self.ground.wish(key, drawn[0])
            if own is not None:
                return own
            self.scene.notes.ledger(
                ("networks", network, "subnet"),
                "approximated",
                f"not {drawn[0]}: a subnet here is a /28 to a /16 of the deployment's range {self.ground.cidr}, and "
                "overlaps no other",
                "networks.subnet",
            )
        before = self.prior.subnets.get(key)
        wished = parse(before) if before else None
        if wished is not None and wished.num_addresses > hosts + 12:
            return str(wished)
        return self.ground.carve(key, seed, hosts) if self.ground else subnets.carve(seed, hosts)

    def _drawn_subnets(self, network: str) -> list[str]:
        """Return the subnets that the drawing gives to a network, the one that holds first."""
        body = self.scene.networks.get(network) or {}
        drawn = self.scene.extensions.networks.get(network, {}).get("subnet")
        pools = ((body.get("ipam") or {}).get("config")) or ()
        found = (parse(str(text)) for text in (drawn, *(pool.get("subnet") for pool in pools)) if text)
        return [str(subnet) for subnet in found if subnet is not None]

    def _address(self, network: str, services: Sequence[str], span: Span) -> None:
        """Give the machines their addresses: those of before first, then what the drawing asks for, then free ones."""
        pools = ((self.scene.networks.get(network) or {}).get("ipam") or {}).get("config") or ()
        for pool in pools:
            for reserved in (pool.get("gateway"), *(pool.get("aux_addresses") or {}).values()):
                span.addresses.take(str(reserved or ""))
        before = self.prior.addresses(span.key)
        wished: dict[int, dict[str, str]] = {}
        for service in services:
            attachment = (self.scene.services[service].get("networks") or {}).get(network) or {}
            address = attachment.get("ipv4_address")
            if not address:
                continue
            path = ("services", service, "networks", network, "ipv4_address")
            if len(self.scene.at[service]) > 1 or not span.addresses.free(str(address)):
                self.scene.notes.ledger(
                    path, "dropped", "several machines, or an address that is taken or outside of the subnet", "ipv4"
                )
                continue
            own = span.addresses.take(str(address))
            assert own is not None
            wished.setdefault(self.scene.at[service][0], {})[service] = own
            self.scene.notes.ledger(
                path,
                "approximated",
                f"the machine {self.scene.labels[self.scene.at[service][0]]} has this address, and publishes the "
                "declared ports on it",
                "ipv4",
            )
        span.aliases.update(wished)
        for machine in span.machines:
            primary, aliases = before.get(self.scene.labels[machine], (None, {}))
            if primary and span.addresses.free(primary):
                span.primary[machine] = span.addresses.take(primary) or ""
            for service, alias in sorted(aliases.items()):
                if machine in self.scene.at.get(service, ()) and span.addresses.free(alias):
                    own = span.addresses.take(alias)
                    if own is not None:
                        span.aliases.setdefault(machine, {}).setdefault(service, own)
        for machine in span.machines:
            if machine not in span.primary:
                given = span.addresses.give()
                if given is None:
                    self.scene.subnet_full(network)
                    given = "0.0.0.0/0"
                span.primary[machine] = given

    def _tell(self, network: str, services: Sequence[str], resource: Network) -> None:
        machines = sorted({self.scene.labels[machine] for service in services for machine in self.scene.at[service]})
        shown = listed(machines, 4)
        body = self.scene.networks.get(network) or {}
        if resource.access:
            kind, apart = "a subnet of its own that only its members reach,", ""
        else:
            kind = "a port group of its own" if resource.managed else f"the existing network {resource.name!r}"
            apart = "" if resource.vlan or not resource.managed else " (without a VLAN it is not isolated on the wire)"
        shared = "" if resource.managed else "; others on that network can reach the published ports"
        reached = (
            "names lead to the machines' addresses, on declared ports"
            if len(services) <= MESH
            else f"among more than {MESH} services only those know each other across machines that name each other "
            "(depends_on, links, environment, command, x-escale.uses)"
        )
        self.scene.notes.ledger(
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
                self.scene.notes.ledger(("networks", network, key), verdict, reason, f"networks.{key}")  # type: ignore[arg-type]

    def _nics(self, default: str | None, outside: Mapping[str, str]) -> list[tuple[Nic, ...]]:
        wanted: list[dict[str, Nic]] = [({default: Nic(default)} if default else {}) for _ in self.scene.labels]
        for network, key in sorted(outside.items()):
            for service in self.scene.members[network]:
                for machine in self.scene.at[service]:
                    wanted[machine].setdefault(key, Nic(key))
        for _, span in sorted(self.spans.items()):
            for machine in span.machines:
                wanted[machine][span.key] = Nic(span.key, span.primary[machine], span.aliases.get(machine, {}))
        result = []
        for machine, cards in enumerate(wanted):
            # Cards keep the order they were made in; another order would replace the machine.
            before = [key for key in self.prior.nics(self.scene.labels[machine]) if key in cards]
            order = [*before, *(key for key in cards if key not in before)]
            most = most_cards(self.target)
            if len(order) > most:
                self.scene.notes.finding(
                    "realise.too_many_networks",
                    "error",
                    f"The machine {machine_name(self.owner.deployment, self.scene.labels[machine])} would need "
                    f"{len(order)} network cards, a virtual machine has at most {most}: let its services share "
                    "networks.",
                )
            result.append(tuple(cards[key] for key in order))
        return result
