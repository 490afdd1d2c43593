"""Carry requests to a vCenter and bytes back: pooled connections, deadlines, one error type."""

from __future__ import annotations

import http.client
import os
import select
import socket
import ssl
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

from connectors.base import Access, ConnectorError
from connectors.vsphere.trust import PinnedConnection, Trust, refusal

MAX_RESPONSE_BYTES = 256 * 1024 * 1024
_POOL_SIZE = 8
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
        self._lock = threading.Lock()
        self._idle: list[tuple[PinnedConnection, float]] = []
        self._pid = os.getpid()

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
        connection, kept = self._take()
        if repeatable and kept:
            try:
                return self._exchange(connection, method, path, body, headers or {}, deadline, True, max_bytes)
            except ConnectorError as error:
                if error.code != "cloud.unreachable" or time.monotonic() >= deadline:
                    raise
                connection = self._new()
        return self._exchange(connection, method, path, body, headers or {}, deadline, repeatable, max_bytes)

    def close(self) -> None:
        """Close all connections that are at rest."""
        with self._lock:
            idle, self._idle = self._idle, []
        for connection, _ in idle:
            connection.close()

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
                connection.timeout = _left(deadline)
                connection.connect()
            connection.sock.settimeout(_left(deadline))
            sent = True
            connection.request(method, path, body or None, dict(headers))
            response = connection.getresponse()
            content = _read(connection, response, deadline, max_bytes)
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
            self._give_back(connection)
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

    def _new(self) -> PinnedConnection:
        return self._trust.connection(self.host, self.port, self.timeout_s)

    def _take(self) -> tuple[PinnedConnection, bool]:
        with self._lock:
            if self._pid != os.getpid():
                # The parent's sockets are shared with it: closing them here would not say goodbye to the server.
                self._idle, self._pid = [], os.getpid()
            while self._idle:
                connection, since = self._idle.pop()
                if time.monotonic() - since < _IDLE_S and not _ended(connection):
                    return connection, True
                connection.close()
        return self._new(), False

    def _give_back(self, connection: PinnedConnection) -> None:
        with self._lock:
            if len(self._idle) < _POOL_SIZE and self._pid == os.getpid():
                self._idle.append((connection, time.monotonic()))
                return
        connection.close()


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


def _left(deadline: float) -> float:
    left = deadline - time.monotonic()
    if left <= 0:
        raise TimeoutError("deadline")
    return left


def _read(connection: PinnedConnection, response: http.client.HTTPResponse, deadline: float, max_bytes: int) -> bytes:
    """Read a body piece by piece, so that a server that drips bytes meets the deadline all the same."""
    pieces: list[bytes] = []
    size = 0
    while True:
        if connection.sock is not None:
            connection.sock.settimeout(_left(deadline))
        piece = response.read1(1 << 16)
        if not piece:
            break
        size += len(piece)
        if size > max_bytes:
            raise http.client.HTTPException("response too large")
        pieces.append(piece)
    if response.length:  # fewer bytes than announced
        raise http.client.IncompleteRead(b"", response.length)
    response.read()  # mark it as finished, so that the connection can be used again
    return b"".join(pieces)


def _ended(connection: PinnedConnection) -> bool:
    """Tell whether the server has closed a connection at rest (or said something unasked)."""
    if connection.sock is None:
        return True
    try:
        return bool(select.select([connection.sock], [], [], 0)[0])
    except (OSError, ValueError):
        return True
