"""Keep connections for the next request, and read answers within a deadline: what all HTTPS connectors share."""

from __future__ import annotations

import http.client
import os
import select
import threading
import time

from connectors.trust import PinnedConnection, Trust

_POOL_SIZE = 8  # for each server


class Pool:
    """Connections at rest, for each server some; thread-safe; survives forks (a child opens its own)."""

    def __init__(self, trust: Trust, timeout_s: float, idle_s: float) -> None:
        self._trust, self._timeout_s, self._idle_s = trust, timeout_s, idle_s
        self._lock, self._pid = threading.Lock(), os.getpid()
        self._idle: dict[tuple[str, int], list[tuple[PinnedConnection, float]]] = {}

    def new(self, host: str, port: int) -> PinnedConnection:
        """Return a connection that is not yet open."""
        return self._trust.connection(host, port, self._timeout_s)

    def take(self, host: str, port: int) -> tuple[PinnedConnection, bool]:
        """Return a connection, and whether it was kept from before; one that might be closing is not."""
        with self._lock:
            if self._pid != os.getpid():
                # The parent's sockets are shared with it: closing them here would say goodbye in its name.
                self._idle, self._pid = {}, os.getpid()
            kept = self._idle.get((host, port), [])
            while kept:
                connection, since = kept.pop()
                if time.monotonic() - since < self._idle_s and not _ended(connection):
                    return connection, True
                connection.close()
        return self.new(host, port), False

    def give_back(self, connection: PinnedConnection) -> None:
        """Keep a connection whose answer was read to its end."""
        with self._lock:
            kept = self._idle.setdefault((connection.host, connection.port), [])
            if len(kept) < _POOL_SIZE and self._pid == os.getpid():
                kept.append((connection, time.monotonic()))
                return
        connection.close()

    def close(self) -> None:
        """Close all connections that are at rest."""
        with self._lock:
            idle = [connection for kept in self._idle.values() for connection, _ in kept]
            self._idle = {}
        for connection in idle:
            connection.close()


def left(deadline: float) -> float:
    """Return the seconds until a time of the monotonic clock; TimeoutError when it has passed."""
    seconds = deadline - time.monotonic()
    if seconds <= 0:
        raise TimeoutError("deadline")
    return seconds


def read(connection: PinnedConnection, response: http.client.HTTPResponse, deadline: float, max_bytes: int) -> bytes:
    """Read a body piece by piece, so that a server that drips bytes meets the deadline all the same.

    HTTPException when it is longer than `max_bytes` or shorter than announced.
    """
    pieces: list[bytes] = []
    size = 0
    while True:
        if connection.sock is not None:
            connection.sock.settimeout(left(deadline))
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
