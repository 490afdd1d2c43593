"""Carry requests to a vCenter and bytes back: pooled connections, deadlines, one error type."""

from __future__ import annotations

import http.client
import socket
import ssl
import time
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

from connectors import wire
from connectors.base import Access, ConnectorError
from connectors.trust import PinnedConnection, Trust, refusal

MAX_RESPONSE_BYTES = 256 * 1024 * 1024
_IDLE_S = 60.0  # vCenter's reverse proxy closes idle connections; one that might be closing is not worth the risk


@dataclass(frozen=True, slots=True)
class Reply:
    """What came back over HTTP."""

    status: int
    headers: http.client.HTTPMessage
    body: bytes


class Transport:
    """HTTPS to one address; thread-safe; survives forks (a child opens its own connections)."""

    def __init__(self, access: Access) -> None:
        self.host, self.port = endpoint(access.address)
        self.timeout_s = access.timeout_s
        self._trust = Trust(access)
        self._pool = wire.Pool(self._trust, access.timeout_s, _IDLE_S)

    def request(
        self,
        method: str,
        path: str,
        body: bytes = b"",
        headers: Mapping[str, str] | None = None,
        *,
        repeatable: bool,
        max_bytes: int = MAX_RESPONSE_BYTES,
    ) -> Reply:
        """Send one request and read the whole answer within the deadline.

        ``repeatable``: the request changes nothing, so it is sent again (once, on a new connection) when a
        kept connection turns out dead. Others never are: their error says ``maybe_done`` once a byte was sent.
        """
        deadline = time.monotonic() + self.timeout_s
        connection, kept = self._pool.take(self.host, self.port)
        if repeatable and kept:
            try:
                return self._exchange(connection, method, path, body, headers or {}, deadline, True, max_bytes)
            except ConnectorError as error:
                if error.code != "cloud.unreachable" or time.monotonic() >= deadline:
                    raise
                connection = self._pool.new(self.host, self.port)
        return self._exchange(connection, method, path, body, headers or {}, deadline, repeatable, max_bytes)

    def close(self) -> None:
        """Close all connections that are at rest."""
        self._pool.close()

    def _exchange(
        self,
        connection: PinnedConnection,
        method: str,
        path: str,
        body: bytes,
        headers: Mapping[str, str],
        deadline: float,
        repeatable: bool,
        max_bytes: int,
    ) -> Reply:
        sent = False
        try:
            if connection.sock is None:
                connection.timeout = wire.left(deadline)
                connection.connect()
            connection.sock.settimeout(wire.left(deadline))
            sent = True
            connection.request(method, path, body or None, dict(headers))
            response = connection.getresponse()
            content = wire.read(connection, response, deadline, max_bytes)
        except ConnectorError:
            connection.close()
            raise
        except ssl.SSLCertVerificationError as error:
            connection.close()
            raise refusal(self.host, self.port, error, self.timeout_s, self._trust.addresses) from None
        except (OSError, http.client.HTTPException) as error:
            connection.close()
            raise self._unreachable(error, maybe_done=sent and not repeatable) from None
        if response.will_close:
            connection.close()
        else:
            self._pool.give_back(connection)
        return Reply(response.status, response.headers, content)

    def _unreachable(self, error: Exception, *, maybe_done: bool) -> ConnectorError:
        where = f"{self.host}:{self.port}"
        if isinstance(error, TimeoutError):
            what, why = (
                f"{where} did not answer in {self.timeout_s:g} s",
                "it is overloaded, or a firewall drops packets",
            )
        elif isinstance(error, ConnectionRefusedError):
            what, why = (
                f"{where} refused the connection",
                "nothing listens there: the vCenter is down or the port wrong",
            )
        elif isinstance(error, socket.gaierror):
            what, why = f"{where} cannot be reached", "its name leads nowhere"
        else:
            what, why = f"The connection to {where} broke", "the vCenter restarts, or the network is unsteady"
        return ConnectorError(
            "cloud.unreachable",
            f"{what} - {why} - it is tried again; check the cloud's address if this lasts",
            retry_after=2.0,
            maybe_done=maybe_done,
            detail=f"{type(error).__name__}: {error}",
        )


def endpoint(address: str) -> tuple[str, int]:
    """Split ``host``, ``host:port`` or ``https://host[:port][/sdk]``; ConnectorError ``cloud.invalid`` otherwise."""
    try:
        parts = urlsplit(address if "//" in address else f"https://{address}")
        host, port = parts.hostname, parts.port
    except ValueError:
        host, port = None, None
    else:
        if parts.scheme != "https" or parts.username or parts.password:
            host = None
    if not host:
        raise ConnectorError(
            "cloud.invalid",
            f"{address!r} is no vCenter address - it must be a host, host:port or an https:// URL - correct it",
            permanent=True,
        )
    return host, port or 443
