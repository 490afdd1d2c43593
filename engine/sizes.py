"""Choose the size that a machine is bought in, on clouds that sell machines in fixed sizes."""

from __future__ import annotations

from collections.abc import Iterable

from engine.observed import SizeFact

ARCHITECTURE = "x86_64"


def choose(
    sizes: Iterable[SizeFact],
    cpus: int,
    memory_mib: int,
    nics: int = 1,
    addresses: int = 1,
    spot: bool = False,
    *,
    architecture: str = ARCHITECTURE,
) -> SizeFact | None:
    """Return the smallest size that fits, or None when none does.

    ``nics`` is the number of cards, ``addresses`` the most that one card has, the first one included. The smallest has
    the least CPUs, then the least memory, then the least cards and addresses; equal ones are told apart by name, so
    that the answer depends on nothing but the set of sizes.
    """
    fitting = [
        size
        for size in sizes
        if size.cpus >= cpus
        and size.memory_mib >= memory_mib
        and size.nics >= nics
        and size.addresses >= addresses
        and size.architecture == architecture
        and (size.spot or not spot)
    ]
    return min(
        fitting, key=lambda size: (size.cpus, size.memory_mib, size.nics, size.addresses, size.name), default=None
    )
