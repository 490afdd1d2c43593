"""Decide which addresses the portal may be sent to: an administrator's typing must not reach what is not a cloud.

Private networks are where most vCenters live, so they are allowed. Always refused: link-local and metadata addresses
in every spelling (IPv6-mapped, NAT64, 6to4, decimal), unspecified, multicast and reserved ones; outside of the
sandbox also the portal's own loopback. The name is resolved and checked when it is entered and again before each
connection is built; connecting to exactly the address that was checked is left to a later change.
"""

from __future__ import annotations

import ipaddress
import re
import socket
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from urllib.parse import urlsplit

from django.conf import settings
from django.utils.translation import gettext as _

from apps.tenancy.faults import Fault, fault

IPAddress = ipaddress.IPv4Address | ipaddress.IPv6Address
Resolver = Callable[[str], Iterable[str]]

_HOST = re.compile(r"(?=.{1,253}$)[A-Za-z0-9_]([A-Za-z0-9_-]{0,62})(\.[A-Za-z0-9_]([A-Za-z0-9_-]{0,62}))*\.?$")
_METADATA_NAMES = {"metadata", "metadata.google.internal", "instance-data", "instance-data.ec2.internal"}
_METADATA_NETWORKS = [
    ipaddress.ip_network(text)
    for text in ("169.254.0.0/16", "fe80::/10", "fd00:ec2::254/128", "100.100.100.200/32", "192.0.0.192/32")
]
_NAT64 = [ipaddress.IPv6Network("64:ff9b::/96"), ipaddress.IPv6Network("64:ff9b:1::/48")]
_PORTS_OF_OTHERS = {2375, 2379, 3306, 5432, 6379, 6443, 8500, 9200, 11211, 27017}


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where a cloud's API listens."""

    host: str
    port: int


def parse(address: str) -> Endpoint:
    """Return host and port of `host`, `host:port` or `https://host[:port][/path]`; fault `cloud.address_refused`."""
    text = address.strip()
    if not text or len(text) > 255 or not text.isascii() or any(ord(char) < 33 or char in "\\@#?" for char in text):
        raise _refused(address, _("it is empty, too long, or holds characters that no address has"))
    if "://" not in text:
        text = f"https://{text}"
    try:
        parts = urlsplit(text)
        host, port = parts.hostname or "", parts.port or 443
    except ValueError:
        raise _refused(address, _("its host or port is not one")) from None
    if parts.scheme != "https":
        raise _refused(address, _("only https:// keeps the password secret on its way"))
    if not _is_literal(host) and not _HOST.fullmatch(host):
        raise _refused(address, _("its host is not one"))
    if port != 443 and (port < 1024 or port in _PORTS_OF_OTHERS):
        raise _refused(address, _("port %(port)s belongs to another kind of service") % {"port": port})
    return Endpoint(host, port)


def check(address: str, resolve: Resolver | None = None) -> Endpoint:
    """Return the endpoint if the portal may connect to it; fault `cloud.address_refused`.

    A name that does not resolve now is let through: the test of the connection will say so.
    """
    endpoint = parse(address)
    if endpoint.host.rstrip(".").lower() in _METADATA_NAMES:
        raise _refused(address, _("it is where a cloud tells its machines their secrets"))
    for found in _addresses(endpoint.host, resolve or _system_resolver):
        reason = why_not(found)
        if reason:
            raise _refused(address, reason)
    return endpoint


def why_not(found: IPAddress) -> str:
    """Return why the portal must not connect to an IP address, or an empty text."""
    for form in _forms(found):
        if any(form in network for network in _METADATA_NETWORKS if network.version == form.version):
            return _("it leads to a link-local address, where clouds tell machines their secrets")
        if form.is_unspecified or form.is_multicast or (form.version == 4 and form.is_reserved):
            return _("it leads to an address that is no host's")
        if form.is_loopback and not settings.SANDBOX:
            return _("it leads back to the portal's own machine")
    return ""


def _forms(found: IPAddress) -> list[IPAddress]:
    """Return the address and every IPv4 address that it carries inside."""
    forms: list[IPAddress] = [found]
    if isinstance(found, ipaddress.IPv6Address):
        carried = [found.ipv4_mapped, found.sixtofour, *(found.teredo or ())]
        if any(found in network for network in _NAT64) or int(found) >> 32 == 0:
            carried.append(ipaddress.IPv4Address(int(found) & 0xFFFFFFFF))
        forms += [address for address in carried if address is not None]
        if found in (ipaddress.IPv6Address("::1"), ipaddress.IPv6Address("::")):
            return [found]
    return forms


def _is_literal(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def _addresses(host: str, resolve: Resolver) -> list[IPAddress]:
    if _is_literal(host):
        return [ipaddress.ip_address(host)]
    try:
        # 2852039166, 0xa9fea9fe and 169.254.43518 are names to us, but IPv4 addresses to the system's resolver.
        return [ipaddress.IPv4Address(socket.inet_aton(host))]
    except OSError:
        pass
    return [ipaddress.ip_address(text.partition("%")[0]) for text in resolve(host)]


def _system_resolver(host: str) -> list[str]:
    try:
        found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        return []
    return [str(entry[4][0]) for entry in found]


def _refused(address: str, reason: str) -> Fault:
    return fault("cloud.address_refused", address=address[:120], reason=reason)
