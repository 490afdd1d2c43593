"""Decide whether the server at the other end is the right one, before anything secret is said to it."""

from __future__ import annotations

import hashlib
import hmac
import http.client
import re
import ssl

from connectors.addressing import AddressPolicy, load_authorities, open_socket, shown_certificate
from connectors.base import Access, ConnectorError


class PinnedConnection(http.client.HTTPSConnection):
    """An HTTPS connection that compares the leaf certificate of its own handshake before it sends a byte."""

    timeout: float

    def __init__(
        self,
        host: str,
        port: int,
        *,
        timeout: float,
        context: ssl.SSLContext,
        pin: str,
        addresses: AddressPolicy | None,
    ) -> None:
        super().__init__(host, port, timeout=timeout, context=context)
        self._pin, self._tls, self._addresses = pin, context, addresses

    def connect(self) -> None:
        """Connect to the address that was judged, and prove the name on top of it.

        ConnectorError: ``cloud.address_refused``, ``cloud.trust`` when the certificate is not the pinned one.
        """
        opened = open_socket(self.host, self.port, self.timeout, self._addresses)
        try:
            self.sock = self._tls.wrap_socket(opened, server_hostname=self.host)
        except BaseException:
            opened.close()
            raise
        if not self._pin:
            return
        presented = hashlib.sha256(self.sock.getpeercert(binary_form=True) or b"").hexdigest()
        if not hmac.compare_digest(presented, self._pin):
            self.close()
            raise ConnectorError(
                "cloud.trust",
                f"{self.host}:{self.port} presented a certificate with the SHA-256 fingerprint {_colons(presented)}, "
                f"but {_colons(self._pin)} is pinned - the certificate was renewed, or somebody stands in between - "
                "compare it with the one that the server itself shows, and pin the new one only if they agree",
                permanent=True,
            )


class Trust:
    """How one cloud proves what it is: by a pinned certificate, by a CA file, or by the system's CAs.

    Environment variables (``SSL_CERT_FILE``, ``REQUESTS_CA_BUNDLE``, ``AWS_CA_BUNDLE``, proxies) have no say: what is
    trusted depends on the cloud's settings alone. There is no unverified mode. ``ValueError`` texts become
    ``cloud.invalid``.
    """

    def __init__(self, access: Access) -> None:
        self.pin = _pin(access.thumbprint)
        self.addresses = access.addresses
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        if self.pin:
            # The pin is compared with the very connection's certificate, so no chain is needed.
            context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        elif access.ca_pem:
            try:
                context.load_verify_locations(cadata=access.ca_pem)
            except (ssl.SSLError, ValueError):
                raise ConnectorError(
                    "cloud.invalid",
                    "The CA certificate cannot be read - it is not in PEM form - paste the text that begins with "
                    "-----BEGIN CERTIFICATE-----",
                    permanent=True,
                ) from None
        else:
            load_authorities(context)
        self.context = context

    def connection(self, host: str, port: int, timeout_s: float) -> PinnedConnection:
        """Return a connection that is not yet open."""
        return PinnedConnection(
            host, port, timeout=timeout_s, context=self.context, pin=self.pin, addresses=self.addresses
        )


def refusal(
    host: str, port: int, error: ssl.SSLCertVerificationError, timeout_s: float, addresses: AddressPolicy | None
) -> ConnectorError:
    """Explain a certificate that no CA vouches for, and name its fingerprint so that it can be pinned."""
    shown = presented(host, port, timeout_s, addresses)
    fingerprint = f" (its SHA-256 fingerprint is {_colons(shown)})" if shown else ""
    return ConnectorError(
        "cloud.trust",
        f"The certificate of {host}:{port} is not trusted{fingerprint} - {error.verify_message or 'it is not valid'} - "
        "give the cloud its CA certificate, or pin this fingerprint after you compared it with the server's own",
        permanent=True,
    )


def presented(host: str, port: int, timeout_s: float, addresses: AddressPolicy | None) -> str:
    """Return the fingerprint of the certificate that a server shows, "" when it shows none; sends nothing to it."""
    try:
        certificate = shown_certificate(host, port, timeout_s, addresses)
    except (OSError, ConnectorError):
        return ""
    return hashlib.sha256(certificate).hexdigest()


def _pin(thumbprint: str) -> str:
    digits = re.sub(r"[\s:]", "", thumbprint).lower()
    if digits and not re.fullmatch(r"[0-9a-f]{64}", digits):
        raise ConnectorError(
            "cloud.invalid",
            "The thumbprint is not a SHA-256 fingerprint - it must have 64 hexadecimal digits (older ones are SHA-1) - "
            "take it from: openssl s_client -connect HOST:443 | openssl x509 -noout -fingerprint -sha256",
            permanent=True,
        )
    return digits


def _colons(digits: str) -> str:
    return ":".join(digits[at : at + 2] for at in range(0, len(digits), 2)).upper()
