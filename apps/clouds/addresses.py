"""Decide which addresses the portal may be sent to: an administrator's typing must not reach what is not a cloud.

Private networks are where most vCenters live, so they are allowed, unless ESCALE_CLOUD_NETWORKS names the networks that
clouds may be in. The rules stand in `connectors.addressing`, which judges again what each connection leads to; here are
their words, and what a text must look like to be an address at all.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from urllib.parse import urlsplit

from django.conf import settings
from django.utils.translation import gettext as _

from apps.tenancy.faults import Fault, fault
from connectors import addressing
from connectors.addressing import AddressPolicy, IPAddress, Refusal

Resolver = Callable[[str], Iterable[str]]

LOOKUP_TIMEOUT_S = 5.0

_HOST = re.compile(r"(?=.{1,253}$)[A-Za-z0-9_]([A-Za-z0-9_-]{0,62})(\.[A-Za-z0-9_]([A-Za-z0-9_-]{0,62}))*\.?$")
_PORTS_OF_OTHERS = {2375, 2379, 3306, 5432, 6379, 6443, 8500, 9200, 11211, 27017}


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where a cloud's API listens."""

    host: str
    port: int


def policy() -> AddressPolicy:
    """Return where clouds may be, by the portal's settings."""
    return AddressPolicy(allowed=tuple(settings.CLOUD_NETWORKS), loopback=bool(settings.SANDBOX))


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

    A name that does not resolve now is let through: the test of the connection will say so, and each connection is
    judged by what the name leads to then.
    """
    endpoint = parse(address)
    if endpoint.host.rstrip(".").lower() in addressing.METADATA_NAMES:
        raise _refused(address, _("it is where a cloud tells its machines their secrets"))
    for found in _addresses(endpoint, resolve):
        reason = why_not(found)
        if reason:
            raise _refused(address, reason)
    return endpoint


def why_not(found: IPAddress) -> str:
    """Return why the portal must not connect to an IP address, or an empty text."""
    refusal = policy().verdict(found)
    if refusal is None:
        return ""
    return {
        Refusal.METADATA: _("it leads to a link-local address, where clouds tell machines their secrets"),
        Refusal.NOWHERE: _("it leads to an address that is no host's"),
        Refusal.LOOPBACK: _("it leads back to the portal's own machine"),
        Refusal.NOT_ALLOWED: _(
            "it leads outside of the networks that clouds may be in, which the portal's operator has set"
        ),
    }[refusal]


def _is_literal(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def _addresses(endpoint: Endpoint, resolve: Resolver | None) -> list[IPAddress]:
    itself = addressing.literal(endpoint.host)
    if itself is not None:
        return [itself]
    try:
        texts = (
            resolve(endpoint.host)
            if resolve is not None
            else addressing.looked_up(endpoint.host, endpoint.port, LOOKUP_TIMEOUT_S)
        )
    except OSError:
        return []
    return [ipaddress.ip_address(text) for text in texts]


def _refused(address: str, reason: str) -> Fault:
    return fault("cloud.address_refused", address=address[:120], reason=reason)
