"""Stand in for addresses that are known only when a machine on another cloud runs.

A plan holds a mark in place of the address, in the machine's part of the Compose file and in what its agent waits for;
the address takes its place right before the machine is made. So a stored plan, and what was applied last, say whose
address it is and not which, and a machine that gets another address changes nothing by itself.
"""

from __future__ import annotations

import base64
import binascii
import ipaddress
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from engine.userdata import HOME, yaml_safe

_FILES = frozenset({f"{HOME}/compose.yaml", f"{HOME}/machine.json"})
_SETTINGS = f"{HOME}/machine.json"
_MARK = re.compile(r"@escale:address/1/(\d{1,9})/([A-Za-z0-9_-]{0,63})/([a-z0-9-]{1,63})@")


@dataclass(frozen=True, slots=True, order=True)
class Peer:
    """A machine of the same deployment on another cloud; ``part`` is empty for the deployment's main cloud."""

    part: str
    label: str

    @property
    def machine(self) -> str:
        """Return the key of the machine in its part."""
        return f"machine:{self.label}"


def mark(peer: Peer, number: int) -> str:
    """Return what stands for a machine's address; another number tells that the address has to be written anew."""
    return f"@escale:address/1/{number}/{peer.part}/{peer.label}@"


def wanted(userdata: Mapping[str, Any]) -> dict[Peer, int]:
    """Return the machines whose addresses user-data waits for, each with its number."""
    found: dict[Peer, int] = {}
    for entry in userdata.get("write_files", ()):
        if entry.get("path") in _FILES:
            for number, part, label in _MARK.findall(_text(entry)):
                peer = Peer(part, label)
                found[peer] = max(int(number), found.get(peer, 0))
    return dict(sorted(found.items()))


def filled(userdata: Mapping[str, Any], addresses: Mapping[Peer, str]) -> dict[str, Any]:
    """Return user-data with the addresses in place; KeyError names the machine of one that is missing."""

    def put(match: re.Match[str]) -> str:
        return addresses[Peer(match[2], match[3])]

    entries = []
    for entry in userdata.get("write_files", ()):
        text = _text(entry) if entry.get("path") in _FILES else ""
        put_in = _MARK.sub(put, text)
        entries.append(entry if put_in == text else {**entry, "content": _encoded(put_in)})
    return {**userdata, "write_files": entries}


def with_waits(userdata: Mapping[str, Any], waits: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return user-data whose agent also waits for these ports before it starts a service.

    Each is ``{service, for, address, port}``, as the agent reads it; the address may be a mark.
    """
    entries = []
    for entry in userdata.get("write_files", ()):
        if entry.get("path") == _SETTINGS and waits:
            settings = json.loads(_text(entry))
            settings["waits"] = [*settings.get("waits", ()), *waits]
            text = yaml_safe(json.dumps(settings, sort_keys=True, ensure_ascii=False))
            entry = {**entry, "content": _encoded(text)}
        entries.append(entry)
    return {**userdata, "write_files": entries}


def choose(reported: Iterable[object], *, private_first: bool = False, internal: Iterable[object] = ()) -> str | None:
    """Return the address by which another cloud reaches a machine, of those that it reports; None without any.

    ``internal``: addresses and subnets of networks that no other cloud can see. A public address comes first, unless
    the clouds are connected (``private_first``); IPv4 comes before IPv6.
    """
    hidden = [network for network in map(_network, internal) if network is not None]
    usable = []
    for text in reported:
        try:
            address = ipaddress.ip_address(str(text))
        except ValueError:
            continue
        if address.is_loopback or address.is_link_local or address.is_multicast or address.is_unspecified:
            continue
        if not any(address.version == network.version and address in network for network in hidden):
            usable.append(address)
    if not usable:
        return None
    best = min(usable, key=lambda address: (address.is_global == private_first, address.version))
    return str(best)


def is_public(address: str) -> bool:
    """Tell whether an address can be reached from anywhere, as far as addresses tell."""
    try:
        return ipaddress.ip_address(address).is_global
    except ValueError:
        return False


def _network(text: object) -> ipaddress.IPv4Network | ipaddress.IPv6Network | None:
    try:
        return ipaddress.ip_network(str(text), strict=False)
    except ValueError:
        return None


def _text(entry: Mapping[str, Any]) -> str:
    try:
        return base64.b64decode(str(entry.get("content", "")), validate=True).decode()
    except (binascii.Error, ValueError):
        return ""  # the agent's own files, which are put in later


def _encoded(text: str) -> str:
    return base64.b64encode(text.encode()).decode("ascii")
