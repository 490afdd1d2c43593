"""Connect machines: which networks stay inside one, which span several, and how names lead across.

A network whose services all stand on one machine remains a bridge there. One that spans machines becomes a private
network between them; a container is then reached at its machine's private address, on its declared ports, by
entries in the hosts files of those that use it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from engine.observed import Target
from engine.realise.names import Introducer
from engine.realise.networks import NetworkMaker
from engine.realise.prior import Prior
from engine.realise.settings import Settings
from engine.realise.spans import Scene
from engine.resources import Network, Nic, Owner


@dataclass(frozen=True, slots=True)
class Wiring:
    """What connects the machines. Machines are counted in the order of the scene's labels."""

    resources: Mapping[str, Network]
    nics: Sequence[tuple[Nic, ...]]
    spanning: frozenset[str]
    hosts: Mapping[tuple[int, str], Mapping[str, Sequence[str]]]  # (machine, service) -> name -> addresses
    published: Mapping[tuple[int, str], Sequence[tuple[str, int, str]]]  # -> (address, port, protocol)
    waits: Mapping[int, Sequence[Mapping[str, Any]]]
    after: Mapping[int, frozenset[int]]  # machines that must be ready before
    ground: str | None = None  # address range of all networks, where the deployment has one of its own


def wire(scene: Scene, target: Target, owner: Owner, settings: Settings, prior: Prior) -> Wiring:
    """Return the wiring; everything that is less than what Compose does goes to the notes."""
    networks = NetworkMaker(scene, target, owner, settings, prior)
    networks.make()
    names = Introducer(scene, networks.spans)
    names.connect()
    waits, after = names.order()
    return Wiring(
        networks.resources,
        networks.cards(),
        frozenset(networks.spans),
        names.hosts,
        names.published,
        waits,
        after,
        networks.ground.cidr if networks.ground else None,
    )
