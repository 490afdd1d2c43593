"""Read what was applied last, so that things stay where they are: placement, addresses, disks' units, templates."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from engine.realise.subnets import parse


class Prior:
    """Answer what a deployment looked like.

    ``resources`` holds the resources' JSON by key, as stored after the last apply; or at least where each workload
    stood (``{"web/1": "machine:host-1"}``), from which only the placement is kept.
    """

    def __init__(self, resources: Mapping[str, Any] | None) -> None:
        self.resources: Mapping[str, Any] = resources or {}
        self.placement: dict[tuple[str, int], str] = {}
        self.subnets: dict[str, str] = {}
        self.volumes: dict[str, Mapping[str, Any]] = {}
        self.machines: dict[str, Mapping[str, Any]] = {}  # by label
        self.folder: Mapping[str, Any] = {}
        self.balancers: dict[str, Mapping[str, Any]] = {}
        self._networks: dict[str, Mapping[str, Any]] = {}
        self._cards: dict[str, list[tuple[str, Mapping[str, Any]]]] = {}  # network -> (label, card)
        for key, body in (resources or {}).items():
            if isinstance(body, str):
                service, _, replica = key.rpartition("/")
                if replica.isdigit():
                    self.placement[service, int(replica)] = body.removeprefix("machine:")
            elif isinstance(body, Mapping):
                self._read(key, body)

        for network, cards in self._cards.items():
            # A network that only borrows an existing one leaves no trace of its own but its addresses.
            for _, card in cards:
                subnet = parse(str(card.get("address") or ""))
                if subnet is not None and not network.startswith("network:@"):
                    self.subnets.setdefault(network, str(subnet))

    def _read(self, key: str, body: Mapping[str, Any]) -> None:
        kind = body.get("kind")
        if kind == "machine":
            label = key.removeprefix("machine:")
            self.machines[label] = body
            for workload in body.get("workloads") or ():
                self.placement[str(workload["service"]), int(workload["replica"])] = label
            for card in body.get("nics") or ():
                self._cards.setdefault(str(card["network"]), []).append((label, card))
        elif kind == "network":
            self._networks[key] = body
            if body.get("subnet"):
                self.subnets[key] = str(body["subnet"])
        elif kind == "volume":
            self.volumes[key] = body
        elif kind == "folder":
            self.folder = body
        elif kind == "balancer":
            self.balancers[key] = body

    @property
    def default_network(self) -> str | None:
        """Return the name of the existing network that the machines have their first card on."""
        for label in sorted(self.machines):
            for card in self.machines[label].get("nics") or ():
                key = str(card["network"])
                if key.startswith("network:@"):
                    return key.removeprefix("network:@")
        return None

    def cluster(self, labels: Iterable[str]) -> str | None:
        """Return the cluster that most of these machines were made on."""
        bodies = [self.machines[label] for label in labels]
        names = [str(body["cluster"]) for body in bodies if body.get("cluster")]
        return max(sorted(set(names)), key=names.count) if names else None

    def network_name(self, key: str) -> str | None:
        """Return the name of a managed network."""
        body = self._networks.get(key)
        return str(body["name"]) if body and body.get("managed") else None

    def machines_on(self, key: str, labels: Mapping[str, int]) -> list[int]:
        """Return the positions of machines that have a card on a network; ``labels`` maps label to position."""
        return [labels[label] for label, _ in self._cards.get(key, ()) if label in labels]

    def addresses(self, key: str) -> dict[str, tuple[str | None, Mapping[str, str]]]:
        """Return label -> (address, service -> further address) on a network."""
        return {label: (card.get("address"), card.get("aliases") or {}) for label, card in self._cards.get(key, ())}

    def nics(self, label: str) -> list[str]:
        """Return the networks of a machine's cards, in the order of the cards."""
        return [str(card["network"]) for card in self.machines.get(label, {}).get("nics") or ()]

    def units(self, label: str) -> dict[str, int]:
        """Return volume -> SCSI unit of a machine's data disks."""
        disks: Sequence[Mapping[str, Any]] = self.machines.get(label, {}).get("disks") or ()
        return {str(disk["volume"]): int(disk["unit"]) for disk in disks if disk.get("unit") is not None}
