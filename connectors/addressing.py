"""Connect to clouds by addresses that were judged: resolve once, check every answer, connect to exactly that answer.

An administrator types where a cloud is, and so do thieves of an administrator's session: the portal must not become
their way into what only it can reach (server-side request forgery). A check before the connection is not enough,
since the name may lead elsewhere a moment later (rebinding). So the very answer that was checked is connected to;
TLS on top of the socket verifies the *name*, or the pinned certificate.
"""

from __future__ import annotations

import ipaddress
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from pathlib import Path

from connectors.base import ConnectorError

IPAddress = ipaddress.IPv4Address | ipaddress.IPv6Address
IPNetwork = ipaddress.IPv4Network | ipaddress.IPv6Network
Lookup = Callable[[str, int], Iterable[str]]

METADATA_NAMES = frozenset(
    {"metadata", "metadata.google.internal", "metadata.goog", "instance-data", "instance-data.ec2.internal"}
)
"""Names under which clouds tell machines their secrets, wherever they lead."""

_LINK_LOCAL = [
    ipaddress.ip_network(text)
    for text in (
        "169.254.0.0/16",
        "fe80::/10",
        "fd00:ec2::/32",  # Amazon: metadata, and credentials of EKS pods
        "fd20:ce::254/128",  # Google
        "fd00:c1::a9fe:a9fe/128",  # Oracle
        "100.100.100.200/32",  # Alibaba
        "192.0.0.192/32",  # Oracle, formerly
        "168.63.129.16/32",  # Azure's wire server
    )
]
_NOWHERE = [ipaddress.ip_network(text) for text in ("0.0.0.0/8", "240.0.0.0/4")]
_MAPPED = ipaddress.IPv6Network("::ffff:0:0/96")
# Where an IPv4 address stands in the last 32 bits: RFC 4291 (compatible), 2765 (translated), 6052 and 8215 (NAT64).
_CARRIED_LAST = [ipaddress.IPv6Network(text) for text in ("::/96", "::ffff:0:0:0/96", "64:ff9b::/96")]
_NAT64_LOCAL = ipaddress.IPv6Network("64:ff9b:1::/48")
_ISATAP = {0x00005EFE, 0x02005EFE}  # RFC 5214: the upper half of an interface identifier
# Where distributions keep their CAs, for builds of Python whose OpenSSL looks elsewhere.
_BUNDLES = ("/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/cert.pem")
_V6_ITSELF = {ipaddress.IPv6Address("::"), ipaddress.IPv6Address("::1")}


class Refusal(StrEnum):
    """Name why an address is refused; `AddressPolicy.why_not` has the words."""

    METADATA = "metadata"
    NOWHERE = "nowhere"
    LOOPBACK = "loopback"
    NOT_ALLOWED = "not_allowed"


_WORDS = {
    Refusal.METADATA: "it leads to a link-local address, where clouds tell machines their secrets",
    Refusal.NOWHERE: "it leads to an address that is no host's",
    Refusal.LOOPBACK: "it leads back to the portal's own machine",
    Refusal.NOT_ALLOWED: "it leads outside of the networks that clouds may be in (ESCALE_CLOUD_NETWORKS)",
}


@lru_cache(maxsize=32)
def _networks(allowed: tuple[str, ...]) -> tuple[IPNetwork, ...]:
    return tuple(ipaddress.ip_network(text) for text in allowed)


@dataclass(frozen=True, slots=True)
class AddressPolicy:
    """Say where clouds may be. ``allowed`` networks in CIDR form, empty for everywhere; ``loopback`` for sandboxes.

    Link-local and metadata addresses, unspecified, multicast and reserved ones are refused whatever is allowed, in
    every spelling and every form that carries an IPv4 address inside an IPv6 one. ValueError: no network.
    """

    allowed: tuple[str, ...] = ()
    loopback: bool = False

    def __post_init__(self) -> None:
        _networks(self.allowed)

    def verdict(self, ip: IPAddress | str) -> Refusal | None:
        """Return why an address must not be connected to, or None."""
        found = ipaddress.ip_address(ip)
        if getattr(found, "scope_id", None):
            return Refusal.METADATA  # only link-local addresses need a scope; others have no business with one
        forms = _forms(found)
        for form in forms:
            if any(form in network for network in _LINK_LOCAL if network.version == form.version):
                return Refusal.METADATA
            if form.is_unspecified or form.is_multicast or any(form in network for network in _NOWHERE):
                return Refusal.NOWHERE
        if any(form.is_loopback for form in forms):
            return None if self.loopback else Refusal.LOOPBACK
        # A mapped address is the IPv4 address itself to the kernel. Other carriers are roads of their own (a NAT64
        # gateway): whoever allows them lists their network.
        itself = found.ipv4_mapped or found if isinstance(found, ipaddress.IPv6Address) else found
        networks = _networks(self.allowed)
        if networks and not any(itself in network for network in networks if network.version == itself.version):
            return Refusal.NOT_ALLOWED
        return None

    def why_not(self, ip: IPAddress | str) -> str:
        """Return why an address must not be connected to as half a sentence, or an empty text."""
        refusal = self.verdict(ip)
        return _WORDS[refusal] if refusal else ""


_UNLISTED = AddressPolicy(loopback=True)
"""What holds for a connector that nobody gave a policy: the portal always gives one, tools and tests need not."""


def literal(host: str) -> IPAddress | None:
    """Return the address that a text is by itself, or None for a name.

    ``2852039166``, ``0xa9fea9fe`` and ``169.254.43518`` are names to us, but IPv4 addresses to a system's resolver.
    """
    try:
        return ipaddress.ip_address(host.strip("[]"))
    except ValueError:
        pass
    try:
        return ipaddress.IPv4Address(socket.inet_aton(host))
    except (OSError, ValueError):
        return None


def system_lookup(host: str, port: int) -> list[str]:
    """Ask the system's resolver; OSError when it does not know the name."""
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except UnicodeError:
        raise socket.gaierror(socket.EAI_NONAME, "no such name") from None
    return [_scoped(entry[4]) for entry in found]


def looked_up(host: str, port: int, timeout_s: float | None, lookup: Lookup | None = None) -> list[str]:
    """Ask the resolver within a deadline; OSError when it does not know the name or does not answer."""
    return list(dict.fromkeys(_within(timeout_s, lambda: list((lookup or system_lookup)(host, port)))))


def resolve(
    host: str,
    port: int,
    policy: AddressPolicy | None,
    *,
    timeout_s: float | None = None,
    lookup: Lookup | None = None,
) -> tuple[IPAddress, ...]:
    """Return the addresses of a host in the order to try them, each of them checked.

    One address that is refused refuses the host: whoever mixes them wants the portal to fall back to it.
    ConnectorError ``cloud.address_refused`` (permanent); OSError when the name is not known or the resolver does not
    answer in time.
    """
    policy = policy or _UNLISTED
    if not host or host.rstrip(".").lower() in METADATA_NAMES:
        raise refused(host, _WORDS[Refusal.METADATA] if host else "it names no host")
    itself = literal(host)
    if itself is not None:
        found: list[IPAddress] = [itself]
    else:
        found = [ipaddress.ip_address(text) for text in looked_up(host, port, timeout_s, lookup)]
    if not found:
        raise socket.gaierror(socket.EAI_NONAME, f"{host} has no address")
    for address in found:
        reason = policy.why_not(address)
        if reason:
            raise refused(host, reason)
    return tuple(found)


def open_socket(
    host: str, port: int, timeout_s: float, policy: AddressPolicy | None, *, lookup: Lookup | None = None
) -> socket.socket:
    """Resolve a host once, check what it leads to, and connect to exactly that; TLS is the caller's.

    Addresses are tried in the resolver's order, each with its share of the time. The socket is left with what
    remains of ``timeout_s`` as its timeout. No proxy has a say. ConnectorError ``cloud.address_refused``; OSError
    (TimeoutError among them) as ``socket.create_connection``.
    """
    deadline = time.monotonic() + timeout_s
    addresses = resolve(host, port, policy, timeout_s=timeout_s, lookup=lookup)
    last: OSError = TimeoutError("deadline")
    for index, address in enumerate(addresses):
        left = deadline - time.monotonic()
        if left <= 0:
            break
        try:
            return _connected(address, port, left / (len(addresses) - index), deadline)
        except OSError as error:
            last = error
    raise last


def shown_certificate(host: str, port: int, timeout_s: float, policy: AddressPolicy | None) -> bytes:
    """Return the certificate that a server shows, in DER form, without trusting it; nothing is sent to it.

    For people to compare, never to decide by. Errors as `open_socket`; OSError also when it speaks no TLS.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    opened = open_socket(host, port, timeout_s, policy)
    try:
        with context.wrap_socket(opened, server_hostname=host) as secured:
            return secured.getpeercert(binary_form=True) or b""
    finally:
        opened.close()


def is_vouched_for(host: str, port: int, timeout_s: float, policy: AddressPolicy | None) -> bool:
    """Tell whether the system's authorities vouch for the certificate of a host and its name; errors as above."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    load_authorities(context)
    opened = open_socket(host, port, timeout_s, policy)
    try:
        with context.wrap_socket(opened, server_hostname=host):
            return True
    except (ssl.SSLError, ValueError):
        return False
    finally:
        opened.close()


def load_authorities(context: ssl.SSLContext) -> None:
    """Let a context trust the system's authorities; the environment (``SSL_CERT_FILE``) has no say."""
    paths = ssl.get_default_verify_paths()
    cafile = next((file for file in (paths.openssl_cafile, *_BUNDLES) if Path(file).is_file()), None)
    capath = paths.openssl_capath if Path(paths.openssl_capath).is_dir() else None
    if cafile or capath:
        context.load_verify_locations(cafile, capath)


def refused(host: str, reason: str) -> ConnectorError:
    """Return the error of a host that the portal must not connect to."""
    return ConnectorError(
        "cloud.address_refused",
        f"{host[:120]!r} is not connected to - {reason} - correct the cloud's address, or what its name leads to",
        permanent=True,
    )


def _connected(address: IPAddress, port: int, share_s: float, deadline: float) -> socket.socket:
    family = socket.AF_INET if address.version == 4 else socket.AF_INET6
    opened = socket.socket(family, socket.SOCK_STREAM)
    try:
        opened.settimeout(share_s)
        opened.connect((str(address), port))
        opened.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        opened.settimeout(max(deadline - time.monotonic(), 0.001))
    except BaseException:
        opened.close()
        raise
    return opened


def _within(timeout_s: float | None, work: Callable[[], list[str]]) -> list[str]:
    """Run a lookup that cannot be given a deadline, and leave it behind when it takes too long."""
    if timeout_s is None:
        return work()
    answers: list[list[str]] = []
    errors: list[BaseException] = []

    def run() -> None:
        try:
            answers.append(work())
        except BaseException as error:  # handed to the thread that waits
            errors.append(error)

    thread = threading.Thread(target=run, name="lookup", daemon=True)
    thread.start()
    thread.join(timeout_s)
    if errors:
        raise errors[0]
    if not answers:
        raise TimeoutError("the name server did not answer")
    return answers[0]


def _scoped(sockaddr: Sequence[object]) -> str:
    # Some systems tell the scope beside the address instead of in it.
    text = str(sockaddr[0])
    return f"{text}%{sockaddr[3]}" if len(sockaddr) == 4 and sockaddr[3] and "%" not in text else text


def _forms(found: IPAddress) -> list[IPAddress]:
    """Return an address and every IPv4 address that it carries inside."""
    if isinstance(found, ipaddress.IPv4Address) or found in _V6_ITSELF:
        return [found]
    number = int(found)
    carried: list[ipaddress.IPv4Address | None] = [found.ipv4_mapped, found.sixtofour, *(found.teredo or ())]
    last = ipaddress.IPv4Address(number & 0xFFFFFFFF)
    if any(found in network for network in _CARRIED_LAST) or (number >> 32) & 0xFFFFFFFF in _ISATAP:
        carried.append(last)
    if found in _NAT64_LOCAL:
        # The gateway's owner chooses the length of the prefix (RFC 6052): 96 bits, or 48 bits, 16 bits, the octet
        # "u", 16 bits. The reading that is wrong gives zeros, which mean nothing.
        split = ipaddress.IPv4Address((number >> 64 & 0xFFFF) << 16 | number >> 40 & 0xFFFF)
        carried += [address for address in (last, split) if int(address) >> 24]
    # In a mapped address only the IPv4 address counts: the carrier itself is never on the wire.
    rest: list[IPAddress] = [address for address in carried if address is not None]
    return rest if found in _MAPPED else [found, *rest]
