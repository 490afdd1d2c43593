"""Carve private subnets and hand out addresses: from a hash, so that every run gives the same ones."""

from __future__ import annotations

import hashlib
from bisect import bisect_left
from collections.abc import Iterable
from ipaddress import IPv4Network, ip_network

_FIRST_HOST = 10  # the addresses below are left to gateways and people


class Subnets:
    """Hand out subnets of one supernet that overlap neither each other nor what is taken."""

    def __init__(self, supernet: str, taken: Iterable[str]) -> None:
        self._super = IPv4Network(supernet, strict=False)
        self._ranges: list[tuple[int, int]] = []
        for cidr in taken:
            self.take(cidr)

    def take(self, cidr: str) -> None:
        """Mark a subnet as used; what is no IPv4 subnet takes nothing."""
        network = parse(cidr)
        if network is not None:
            first = int(network.network_address)
            self._insert(first, first + network.num_addresses - 1)

    def carve(self, seed: str, hosts: int) -> str | None:
        """Return a subnet for so many hosts, chosen by the hash of ``seed``; None when the supernet is full."""
        return self.carve_range(seed, prefix_for(hosts))

    def carve_range(self, seed: str, prefix: int) -> str | None:
        """Return a subnet with a prefix of this length, or of the supernet's where that is longer."""
        prefix = max(prefix, self._super.prefixlen)
        size = 2 ** (32 - prefix)
        count = self._super.num_addresses // size
        start = int.from_bytes(hashlib.sha256(seed.encode()).digest()[:8], "big") % count
        base = int(self._super.network_address)
        for step in range(count):
            first = base + (start + step) % count * size
            if self._free(first, first + size - 1):
                self._insert(first, first + size - 1)
                return f"{dotted(first)}/{prefix}"
        return None

    def _free(self, first: int, last: int) -> bool:
        position = bisect_left(self._ranges, (first, first))
        if position < len(self._ranges) and self._ranges[position][0] <= last:
            return False
        return position == 0 or self._ranges[position - 1][1] < first

    def _insert(self, first: int, last: int) -> None:
        # Ranges given by people may overlap; they are merged, so that one neighbour on each side tells all.
        position = bisect_left(self._ranges, (first, first))
        if position and self._ranges[position - 1][1] >= first:
            position -= 1
            first = self._ranges[position][0]
        end = position
        while end < len(self._ranges) and self._ranges[end][0] <= last:
            last = max(last, self._ranges[end][1])
            end += 1
        self._ranges[position:end] = [(first, last)]


def prefix_for(hosts: int) -> int:
    """Return the prefix of a subnet that so many hosts fit in, and as many again."""
    prefix = 24
    while prefix > 0 and 2 ** (32 - prefix) < 2 * hosts + _FIRST_HOST:
        prefix -= 1
    return prefix


class Addresses:
    """Hand out the addresses of one subnet, as "10.96.5.10/24".

    The first ``kept`` addresses are not given away: the network's own, and what a cloud keeps for itself.
    """

    def __init__(self, cidr: str, taken: Iterable[str] = (), kept: int = 1) -> None:
        network = ip_network(cidr, strict=False)
        if not isinstance(network, IPv4Network):
            raise ValueError(f"{cidr} is not an IPv4 subnet")
        self._network, self._prefix = network, network.prefixlen
        self._first, self._last = int(network.network_address) + kept - 1, int(network.broadcast_address)
        self._taken: set[int] = set()
        low = _FIRST_HOST if network.num_addresses >= 4 * _FIRST_HOST else 2
        self._next = int(network.network_address) + max(low, kept)
        self._turned = False
        self._low = self._first + 1
        for address in taken:
            self.take(address)

    def take(self, address: str) -> str | None:
        """Reserve an address, with or without its prefix; return it with the prefix, or None when it is foreign."""
        value = number(address.partition("/")[0])
        if value is None or not self._first < value < self._last:
            return None
        self._taken.add(value)
        return f"{dotted(value)}/{self._prefix}"

    def free(self, address: str) -> bool:
        """Tell whether an address belongs to the subnet and was not handed out yet."""
        value = number(address.partition("/")[0])
        return value is not None and self._first < value < self._last and value not in self._taken

    def give(self) -> str | None:
        """Return the next free address, or None when the subnet is full."""
        while True:
            while self._next in self._taken:
                self._next += 1
            if self._next < self._last:
                self._taken.add(self._next)
                return f"{dotted(self._next)}/{self._prefix}"
            if self._turned:
                return None
            self._turned, self._next = True, self._low


def parse(cidr: str) -> IPv4Network | None:
    """Return an IPv4 subnet, or None when the text is none."""
    try:
        network = ip_network(cidr, strict=False)
    except ValueError:
        return None
    return network if isinstance(network, IPv4Network) else None


def number(address: str) -> int | None:
    """Return an IPv4 address as a number, or None."""
    parts = address.split(".")
    if len(parts) != 4 or not all(part.isdigit() and part.isascii() and int(part) < 256 for part in parts):
        return None
    return int.from_bytes(bytes(int(part) for part in parts), "big")


def dotted(value: int) -> str:
    """Return a number as an IPv4 address."""
    return f"{value >> 24}.{value >> 16 & 255}.{value >> 8 & 255}.{value & 255}"
