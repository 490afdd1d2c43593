"""What botocore sends its requests through: our own connections, deadlines, and no redirects."""

from __future__ import annotations

import http.client
import os
import select
import ssl
import threading
import time
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import urlsplit

from botocore.awsrequest import AWSPreparedRequest, AWSResponse

from connectors.aws.trust import Connection, Trust
from connectors.base import Access, ConnectorError

_IDLE_S = 20.0
_POOL_SIZE = 8
_MAX_BYTES = 64 << 20


class Body:
    """An answer's body that was read already, in the form that botocore expects."""

    def __init__(self, content: bytes) -> None:
        self._content = content

    def stream(self, amt: int = 0, decode_content: bool | None = None) -> Iterator[bytes]:
        """Yield the body."""
        yield self._content

    def read(self, amt: int = -1) -> bytes:
        """Return the body."""
        return self._content


class Transport:
    """Send requests; takes the place of botocore's HTTP session. Thread-safe.

    Raises ConnectorError alone. ``maybe_done`` tells that the request may have reached the server.
    """

    def __init__(self, access: Access) -> None:
        self._trust, self.timeout_s = Trust(access), access.timeout_s
        self._idle: dict[tuple[str, int], list[Connection]] = {}
        self._lock, self._pid = threading.Lock(), os.getpid()
        self.skew_s = 0.0  # what the server's clock is ahead of ours, by its last answer

    def send(self, request: AWSPreparedRequest) -> AWSResponse:
        """Send a prepared request and return the whole answer."""
        parts = urlsplit(request.url)
        if parts.scheme != "https" or not parts.hostname:
            raise ConnectorError(
                "cloud.invalid", f"{request.url!r} is no https address - correct the cloud's endpoints", permanent=True
            )
        host, port = parts.hostname, parts.port or 443
        path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        deadline = time.monotonic() + self.timeout_s
        status, headers, content = self._exchange(host, port, request, path, deadline)
        if 300 <= status < 400:
            raise ConnectorError(
                "cloud.invalid",
                f"{host}:{port} answered with a redirection - no API of AWS does that - correct the cloud's endpoints",
                permanent=True,
            )
        return AWSResponse(request.url, status, headers, Body(content))  # type: ignore[arg-type]

    def close(self) -> None:
        """Drop the connections that rest."""
        with self._lock:
            idle = [connection for pool in self._idle.values() for connection in pool]
            self._idle.clear()
        for connection in idle:
            connection.close()

    def _exchange(
        self, host: str, port: int, request: Any, path: str, deadline: float
    ) -> tuple[int, Mapping[str, str], bytes]:
        connection = self._take(host, port)
        sent = False
        try:
            if connection.sock is None:
                connection.timeout = _left(deadline)
                connection.connect()
            connection.sock.settimeout(_left(deadline))
            sent = True
            headers = {_text(name): _text(value) for name, value in request.headers.items()}
            connection.request(request.method, path, request.body or None, headers)
            began = time.time()
            response = connection.getresponse()
            content = _read(connection, response, deadline)
            self._compare_clocks(response.headers.get("Date"), (began + time.time()) / 2)
        except ConnectorError:
            connection.close()
            raise
        except ssl.SSLCertVerificationError as error:
            connection.close()
            raise self._trust.refusal(host, port, error, self.timeout_s) from None
        except (OSError, http.client.HTTPException) as error:
            connection.close()
            raise _unreachable(host, port, error, self.timeout_s, sent) from None
        if response.will_close:
            connection.close()
        else:
            self._give_back(connection)
        return response.status, dict(response.headers.items()), content

    def _compare_clocks(self, told: str | None, ours: float) -> None:
        from email.utils import parsedate_to_datetime

        try:
            # The header has whole seconds.
            self.skew_s = parsedate_to_datetime(told or "").timestamp() + 0.5 - ours
        except (TypeError, ValueError):
            return

    def _take(self, host: str, port: int) -> Connection:
        with self._lock:
            if self._pid != os.getpid():
                # The parent's sockets are shared with it: closing them here would say goodbye in its name.
                self._idle, self._pid = {}, os.getpid()
            pool = self._idle.get((host, port), [])
            while pool:
                connection = pool.pop()
                if time.monotonic() - connection.used_at < _IDLE_S and not _ended(connection):
                    return connection
                connection.close()
        return self._trust.connection(host, port, self.timeout_s)

    def _give_back(self, connection: Connection) -> None:
        connection.used_at = time.monotonic()
        with self._lock:
            pool = self._idle.setdefault((connection.host, connection.port), [])
            if len(pool) < _POOL_SIZE and self._pid == os.getpid():
                pool.append(connection)
                return
        connection.close()


def _unreachable(host: str, port: int, error: Exception, timeout_s: float, sent: bool) -> ConnectorError:
    where = f"{host}:{port}"
    if isinstance(error, TimeoutError):
        what, why = f"{where} did not answer in {timeout_s:g} s", "it is overloaded, or a firewall drops packets"
    elif isinstance(error, ConnectionRefusedError):
        what, why = f"{where} refused the connection", "nothing listens there"
    elif isinstance(error, OSError) and not isinstance(error, ssl.SSLError) and error.errno is None:
        what, why = f"{where} cannot be reached", "its name cannot be resolved or the connection broke"
    else:
        what, why = f"The connection to {where} broke", "the network is unsteady"
    return ConnectorError(
        "cloud.unreachable",
        f"{what} - {why} - it is tried again; check the cloud's region and endpoints if this lasts",
        retry_after=2.0,
        maybe_done=sent,
        detail=f"{type(error).__name__}: {error}"[:500],
    )


def _text(value: Any) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)


def _left(deadline: float) -> float:
    left = deadline - time.monotonic()
    if left <= 0:
        raise TimeoutError("deadline")
    return left


def _read(connection: Connection, response: http.client.HTTPResponse, deadline: float) -> bytes:
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
        if size > _MAX_BYTES:
            raise http.client.HTTPException("response too large")
        pieces.append(piece)
    if response.length:  # fewer bytes than announced
        raise http.client.IncompleteRead(b"", response.length)
    response.read()  # mark it as finished, so that the connection can be used again
    return b"".join(pieces)


def _ended(connection: Connection) -> bool:
    """Tell whether the server has closed a connection at rest (or said something unasked)."""
    if connection.sock is None:
        return True
    try:
        return bool(select.select([connection.sock], [], [], 0)[0])
    except (OSError, ValueError):
        return True
