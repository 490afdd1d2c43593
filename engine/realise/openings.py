"""Open what a drawing publishes, on targets that shut machines off: firewalls, and balancers in front of replicas."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from engine.observed import Target
from engine.realise.ground import PUBLIC
from engine.realise.naming import machine_name, slug
from engine.realise.prior import Prior
from engine.realise.references import declared_ports
from engine.realise.settings import Settings
from engine.realise.spans import Scene
from engine.resources import Balancer, Firewall, Listener, Owner, Rule
from engine.wording import listed

ANYWHERE = "0.0.0.0/0"
_WILDCARDS = frozenset({"", "0.0.0.0", "::"})  # noqa: S104 - compared with, never bound

_PROTOCOLS = frozenset({"tcp", "udp"})

Opening = tuple[str, int, int]  # (protocol, first port, last port) on the machine


class Opener:
    """Make the firewalls and balancers of one drawing."""

    def __init__(self, scene: Scene, target: Target, owner: Owner, settings: Settings, prior: Prior) -> None:
        self.scene, self.owner, self.settings, self.prior = scene, owner, settings, prior
        self.shuts_off = "firewalls" in target.capabilities
        self.balances = "balancers" in target.capabilities
        self.resources: dict[str, Firewall | Balancer] = {}

    def open(self) -> None:
        """Fill ``resources``, and tell beside each port who reaches it."""
        if self.shuts_off:
            self._firewalls()
        if self.balances:
            for service, machines in sorted(self.scene.at.items()):
                if len(machines) > 1:
                    self._balancer(service, machines)

    def firewall_of(self, label: str) -> str | None:
        """Return the key of a machine's firewall."""
        key = f"firewall:{label}"
        return key if key in self.resources else None

    # Firewalls.

    def _firewalls(self) -> None:
        """Give each machine a firewall, also one that lets nothing in: ports can be opened in it later."""
        opened: dict[int, set[Opening]] = {}
        for service, machines in self.scene.at.items():
            openings = self._openings(service)
            for machine in machines:
                opened.setdefault(machine, set()).update(openings)
        for position, label in enumerate(self.scene.labels):
            key = f"firewall:{label}"
            rules = [
                Rule(protocol, first, last, source)
                for protocol, first, last in _merged(opened.get(position, set()))
                for source in self.settings.open_to
            ]
            self.resources[key] = Firewall(key, machine_name(self.owner.deployment, label), tuple(rules))

    def _openings(self, service: str) -> set[Opening]:
        """Return what a service's ports open on its machines; tells of each port how it fares."""
        body = self.scene.services[service]
        openings: set[Opening] = set()
        if body.get("network_mode") == "host":
            # Ports of such a container are the machine's own, whatever `ports` maps them to.
            openings.update(
                (protocol, target, target) for target, protocol in declared_ports(body) if protocol in _PROTOCOLS
            )
            self._tell_host(service, openings)
            return openings
        for position, mapping in enumerate(body.get("ports") or ()):
            path = ("services", service, "ports", position)
            opening = _published(mapping)
            address = str(mapping.get("host_ip") or "")
            if address not in _WILDCARDS:
                closed = f"bound to {address}, an address of the machine itself: the firewall opens nothing for it"
                self._tell(path, "honoured" if _loopback(address) else "approximated", closed, "ports.closed")
            elif opening is not None and opening[0] not in _PROTOCOLS:
                reason = f"{opening[0]} is not opened: only TCP and UDP are"
                self._tell(path, "dropped", reason, "ports.closed")
            elif opening is None:
                self._tell(
                    path,
                    "dropped",
                    "a port of the engine's choice, which nobody knows beforehand, so the firewall does not open it; "
                    "publish a number",
                    "ports.closed",
                )
            else:
                openings.add(opening)
                self._tell(path, "honoured", f"let in by the machine's firewall from {self._who()}", "ports.opened")
        return openings

    def _who(self) -> str:
        return "anywhere, by IPv4" if self.settings.open_to == (ANYWHERE,) else ", ".join(self.settings.open_to)

    def _tell_host(self, service: str, openings: set[Opening]) -> None:
        said = [f"{first}/{protocol}" for protocol, first, _ in sorted(openings)]
        shown = listed(said, 20) or "none"
        self._tell(
            ("services", service, "network_mode"),
            "approximated",
            f"the machine's network, whose firewall opens the declared ports alone ({shown}): declare others by "
            "`expose`",
            "network_mode.opened",
        )

    def _tell(self, path: tuple[str | int, ...], verdict: Any, reason: str, code: str) -> None:
        self.scene.notes.ledger(path, verdict, reason, code, covers=False)

    # Balancers.

    def _balancer(self, service: str, machines: Sequence[int]) -> None:
        body = self.scene.services[service]
        if body.get("network_mode") == "host":
            return
        listeners: dict[tuple[str, int], Listener] = {}
        for position, mapping in enumerate(body.get("ports") or ()):
            opening = _published(mapping)
            if opening is None or opening[0] not in _PROTOCOLS:
                continue
            if str(mapping.get("host_ip") or "") not in _WILDCARDS:
                continue
            protocol, first, last = opening
            path = ("services", service, "ports", position)
            if first != last:
                reason = "a range, of which each machine's engine takes one: no balancer can know which; publish one"
                self._tell(path, "approximated", reason, "ports.balanced")
                continue
            listeners[protocol, first] = Listener(protocol, first, first)
            reason = f"one address for the {len(machines)} machines: a balancer leads to those that answer"
            self._tell(path, "honoured", reason, "ports.balanced")
        if not listeners:
            return
        key = f"balancer:{service}"
        suffix = self.owner.deployment_id.replace("-", "")[:8]
        name = self.prior.balancers.get(key, {}).get("name")
        self.resources[key] = Balancer(
            key,
            # Amazon takes 32 characters.
            str(name or f"{slug(f'{self.owner.deployment}-{service}', 23)}-{suffix}"),
            tuple(listeners[place] for place in sorted(listeners)),
            tuple(f"machine:{self.scene.labels[machine]}" for machine in machines),
            PUBLIC,
        )


def _published(mapping: Mapping[str, Any]) -> Opening | None:
    """Return what a port mapping publishes, None when the engine chooses the port."""
    first, _, last = str(mapping.get("published") or "").partition("-")
    if not first.isdigit() or (last and not last.isdigit()):
        return None
    start, end = int(first), int(last or first)
    if not 0 < start <= end < 1 << 16:
        return None
    return str(mapping.get("protocol") or "tcp"), start, end


def _loopback(address: str) -> bool:
    return address.startswith("127.") or address == "::1"


def _merged(openings: set[Opening]) -> list[Opening]:
    """Return ranges that touch as one: clouds count rules."""
    merged: list[Opening] = []
    for protocol, first, last in sorted(openings):
        if merged and merged[-1][0] == protocol and first <= merged[-1][2] + 1:
            merged[-1] = (protocol, merged[-1][1], max(last, merged[-1][2]))
        else:
            merged.append((protocol, first, last))
    return merged
