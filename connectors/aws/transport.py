"""What botocore sends its requests through: our own connections, deadlines, and no redirects."""

from __future__ import annotations

import http.client
import ssl
import time
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import urlsplit

from botocore.awsrequest import AWSPreparedRequest, AWSResponse

from connectors import wire
from connectors.base import Access, ConnectorError
from connectors.trust import Trust, refusal

_IDLE_S = 20.0
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
        self._pool = wire.Pool(self._trust, access.timeout_s, _IDLE_S)
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
        self._pool.close()

    def _exchange(
        self, host: str, port: int, request: Any, path: str, deadline: float
    ) -> tuple[int, Mapping[str, str], bytes]:
        connection, _ = self._pool.take(host, port)
        sent = False
        try:
            if connection.sock is None:
                connection.timeout = wire.left(deadline)
                connection.connect()
            connection.sock.settimeout(wire.left(deadline))
            sent = True
            headers = {_text(name): _text(value) for name, value in request.headers.items()}
            connection.request(request.method, path, request.body or None, headers)
            began = time.time()
            response = connection.getresponse()
            content = wire.read(connection, response, deadline, _MAX_BYTES)
            self._compare_clocks(response.headers.get("Date"), (began + time.time()) / 2)
        except ConnectorError:
            connection.close()
            raise
        except ssl.SSLCertVerificationError as error:
            connection.close()
            raise refusal(host, port, error, self.timeout_s, self._trust.addresses) from None
        except (OSError, http.client.HTTPException) as error:
            connection.close()
            raise _unreachable(host, port, error, self.timeout_s, sent) from None
        if response.will_close:
            connection.close()
        else:
            self._pool.give_back(connection)
        return response.status, dict(response.headers.items()), content

    def _compare_clocks(self, told: str | None, ours: float) -> None:
        from email.utils import parsedate_to_datetime

        try:
            # The header has whole seconds.
            self.skew_s = parsedate_to_datetime(told or "").timestamp() + 0.5 - ours
        except (TypeError, ValueError):
            return


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
