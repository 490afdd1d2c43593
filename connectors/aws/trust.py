"""Connect to where a cloud's API is, and decide whether the server there is the right one before anything is said."""

from __future__ import annotations

import hashlib
import hmac
import http.client
import re
import ssl
import time
from pathlib import Path

from connectors import addressing
from connectors.base import Access, ConnectorError

_BUNDLES = ("/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/cert.pem")


class Trust:
    """How the endpoints prove what they are: by a pinned certificate, by a CA file, or by the system's CAs.

    Environment variables (``AWS_CA_BUNDLE``, ``SSL_CERT_FILE``, proxies) have no say. There is no unverified mode.
    """

    def __init__(self, access: Access) -> None:
        self.pin, self.policy = _pin(access.thumbprint), access.addresses
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
            _load_system(context)
        self.context = context

    def connection(self, host: str, port: int, timeout_s: float) -> Connection:
        """Return a connection that is not yet open."""
        return Connection(host, port, timeout_s, self)

    def refusal(self, host: str, port: int, error: ssl.SSLCertVerificationError, timeout_s: float) -> ConnectorError:
        """Explain a certificate that no CA vouches for, and name its fingerprint so that it can be pinned."""
        try:
            shown = hashlib.sha256(addressing.shown_certificate(host, port, timeout_s, self.policy)).hexdigest()
        except (OSError, ConnectorError):
            shown = ""
        fingerprint = f" (its SHA-256 fingerprint is {_colons(shown)})" if shown else ""
        return ConnectorError(
            "cloud.trust",
            f"The certificate of {host}:{port} is not trusted{fingerprint} - {error.verify_message or 'not valid'} - "
            "give the cloud its CA certificate, or pin this fingerprint after you compared it with the server's own",
            permanent=True,
        )


class Connection(http.client.HTTPSConnection):
    """An HTTPS connection to exactly the address that was judged; the certificate is checked before a byte is sent."""

    def __init__(self, host: str, port: int, timeout_s: float, trust: Trust) -> None:
        super().__init__(host, port, timeout=timeout_s, context=trust.context)
        self._trust = trust
        self.used_at = time.monotonic()

    def connect(self) -> None:
        """Connect; ConnectorError ``cloud.trust`` or ``cloud.address_refused``, OSError otherwise."""
        timeout_s = self.timeout or 30.0
        opened = addressing.open_socket(self.host, self.port, timeout_s, self._trust.policy)
        try:
            self.sock = self._trust.context.wrap_socket(opened, server_hostname=self.host)
        except BaseException:
            opened.close()
            raise
        if not self._trust.pin:
            return
        presented = hashlib.sha256(self.sock.getpeercert(binary_form=True) or b"").hexdigest()
        if not hmac.compare_digest(presented, self._trust.pin):
            self.close()
            raise ConnectorError(
                "cloud.trust",
                f"{self.host}:{self.port} presented a certificate with the SHA-256 fingerprint {_colons(presented)}, "
                f"but {_colons(self._trust.pin)} is pinned - it was renewed, or somebody stands in between - "
                "compare it with the server's own, and pin the new one only if they agree",
                permanent=True,
            )


def _pin(thumbprint: str) -> str:
    digits = re.sub(r"[\s:]", "", thumbprint).lower()
    if digits and not re.fullmatch(r"[0-9a-f]{64}", digits):
        raise ConnectorError(
            "cloud.invalid",
            "The thumbprint is not a SHA-256 fingerprint - it must have 64 hexadecimal digits - take it from: "
            "openssl s_client -connect HOST:443 | openssl x509 -noout -fingerprint -sha256",
            permanent=True,
        )
    return digits


def _load_system(context: ssl.SSLContext) -> None:
    paths = ssl.get_default_verify_paths()
    cafile = next((file for file in (paths.openssl_cafile, *_BUNDLES) if Path(file).is_file()), None)
    capath = paths.openssl_capath if Path(paths.openssl_capath).is_dir() else None
    if cafile or capath:
        context.load_verify_locations(cafile, capath)


def _colons(digits: str) -> str:
    return ":".join(digits[at : at + 2] for at in range(0, len(digits), 2)).upper()
