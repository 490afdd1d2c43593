"""Give a deployment a ground of its own: one address range for all its networks, where a cloud has no shared one.

Amazon's rules hold (https://docs.aws.amazon.com/vpc/latest/userguide/vpc-cidr-blocks.html and subnet-sizing.html): a
range is a /16 to a /28, fixed for its life, and of each subnet the first four addresses and the last are kept.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from ipaddress import IPv4Network

from engine.realise.prior import Prior
from engine.realise.settings import Settings
from engine.realise.subnets import Subnets, parse, prefix_for
from engine.resources import Owner

PUBLIC = "network:@public"
"""Key of the network that every machine has its first card on: it has a way to the internet."""
KEPT = 4
WIDEST, NARROWEST = 16, 28
_USUAL = 20  # sixteen subnets of 256 addresses; a hundred and more such ranges fit in the usual supernet


class Ground:
    """The address range of one deployment, and the subnets in it.

    ``wished``: subnets that the drawing asks for; ``networks``: how many hosts each network is to hold.
    """

    def __init__(
        self,
        owner: Owner,
        settings: Settings,
        prior: Prior,
        wished: Iterable[str],
        networks: Sequence[int],
        bridges: Iterable[str],
    ) -> None:
        taken = list(bridges)
        self.cidr = str(prior.folder.get("cidr") or "") or _range(owner, settings, wished, networks, taken)
        self._subnets = Subnets(self.cidr, [*taken, *prior.subnets.values()])
        before = ((key, parse(cidr)) for key, cidr in prior.subnets.items())
        self._given: dict[str, IPv4Network] = {key: subnet for key, subnet in before if subnet is not None}

    def wish(self, network: str, cidr: str) -> str | None:
        """Return a subnet as asked for by a network's key; None where the range cannot have it."""
        wished, whole = parse(cidr), parse(self.cidr)
        if wished is None or whole is None or not WIDEST <= wished.prefixlen <= NARROWEST:
            return None
        if not wished.subnet_of(whole) or any(
            wished.overlaps(other) for name, other in self._given.items() if name != network
        ):
            return None
        self._given[network] = wished
        self._subnets.take(str(wished))
        return str(wished)

    def carve(self, network: str, seed: str, hosts: int) -> str | None:
        """Return a free subnet for so many hosts; None when the range is full."""
        made = self._subnets.carve_range(seed, min(max(prefix_for(hosts + KEPT + 1), WIDEST), NARROWEST))
        if made is not None:
            self._given[network] = IPv4Network(made)
        return made


def _range(
    owner: Owner, settings: Settings, wished: Iterable[str], networks: Sequence[int], bridges: Sequence[str]
) -> str:
    """Return a range that nobody else on the target uses, as far as there is one; it can hold twice what is drawn."""
    for text in wished:
        subnet = parse(text)
        if subnet is not None and WIDEST <= subnet.prefixlen <= NARROWEST:
            return str(subnet.supernet(new_prefix=WIDEST))
    size = 2 * sum(2 ** (32 - prefix_for(hosts + KEPT + 1)) for hosts in networks)
    prefix = _USUAL
    while prefix > WIDEST and 2 ** (32 - prefix) < size:
        prefix -= 1
    # Ranges of different deployments may overlap: nothing leads from one to the other. It is only avoided.
    for taken in ((*settings.reserved_subnets, *bridges), bridges, ()):
        made = Subnets(settings.supernet, taken).carve_range(owner.deployment_id, prefix)
        if made is not None:
            return made
    raise AssertionError("a supernet without anything taken has room for a range")
