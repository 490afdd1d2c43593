"""What the parts of the wiring share: who stands where, and the networks that span machines."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from engine.realise.extension import Extensions
from engine.realise.notes import Notes
from engine.realise.subnets import Addresses

# In a network of up to so many services all know each other across machines; in a larger one only those that a
# service names, or hosts files would grow with the square of the drawing.
MESH = 50


@dataclass(slots=True)
class Span:
    """A network that spans machines, with the addresses that it gives them."""

    key: str
    machines: list[int]
    addresses: Addresses
    primary: dict[int, str] = field(default_factory=dict)
    aliases: dict[int, dict[str, str]] = field(default_factory=dict)

    def address(self, machine: int, service: str) -> str:
        """Return the address at which a service is reached on a machine: its own or the machine's."""
        own = self.aliases.get(machine, {}).get(service)
        return (own or self.primary[machine]).partition("/")[0]


class Scene:
    """Say which services stand on which machines, and which share networks. Machines count in order of ``labels``."""

    def __init__(
        self,
        config: Mapping[str, Any],
        extensions: Extensions,
        labels: Sequence[str],
        at: Mapping[str, Sequence[int]],
        notes: Notes,
        plain: frozenset[int] = frozenset(),
    ) -> None:
        self.services: Mapping[str, Any] = config.get("services") or {}
        self.networks: Mapping[str, Any] = config.get("networks") or {}
        self.extensions, self.labels, self.at, self.notes = extensions, labels, at, notes
        # Plain machines are on no network of the services, whatever stood in their place before.
        self.positions = {label: position for position, label in enumerate(labels) if position not in plain}
        self.where = {service: frozenset(machines) for service, machines in at.items()}
        self.members: dict[str, list[str]] = {}
        for service in at:
            body = self.services[service]
            if not body.get("network_mode"):
                for network in body.get("networks") or {}:
                    self.members.setdefault(network, []).append(service)
        self.inside = {network: frozenset(services) for network, services in self.members.items()}

    def subnet_full(self, network: str) -> None:
        """Report that a network has no address left."""
        self.notes.finding(
            "realise.subnet_full",
            "error",
            f"The subnet of the network {network!r} has fewer addresses than the drawing has machines in it: give it "
            "a larger one (x-escale: {subnet: ...} or ipam).",
            ("networks", network),
        )
