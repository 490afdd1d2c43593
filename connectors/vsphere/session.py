"""One login per address and user, shared by all connectors of a process: lazy, thread-safe, renewed when it ends."""

from __future__ import annotations

import contextlib
import hashlib
import hmac
import http.cookies
import os
import secrets
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any
from xml.parsers.expat import ExpatError

from connectors.base import Access, ConnectorError
from connectors.vsphere import soap
from connectors.vsphere.faults import explained, is_a
from connectors.vsphere.soap import Node, Ref, VimFault
from connectors.vsphere.transport import Reply, Transport

_COOKIE = "vmware_soap_session"
_REFUSED_S = 20.0  # how long a refused login is believed without asking again, lest accounts are locked


class SessionLostError(Exception):
    """The server had no session for a call that changes something: it was not done; look things up, then repeat."""


class Session:
    """A conversation with one vCenter."""

    def __init__(self, access: Access) -> None:
        self.transport = Transport(access)
        self.where = f"{self.transport.host}:{self.transport.port}"
        self._username, self._password = access.username, access.password
        self._lock = threading.Lock()
        self._cookie = ""  # servers give one before the login too
        self._logged_in = False
        self._generation = 0
        self._content: Node | None = None
        self._refused: tuple[float, ConnectorError] | None = None
        self._pid = os.getpid()

    # Calls

    def read(self, this: Ref, method: str, **arguments: Any) -> list[Node]:
        """Call a method that changes nothing; logs in when needed and repeats what a lost session cost."""
        for _ in range(2):
            generation = self._authenticated()
            try:
                return self._invoke(this, method, arguments, repeatable=True)
            except VimFault as fault:
                if not is_a(fault, "NotAuthenticated"):
                    raise
                self._forget(generation)
        raise self._unstable()

    def act(self, this: Ref, method: str, *, operation: str = "", **arguments: Any) -> Node | None:
        """Call a method that changes something, once.

        SessionLostError: the server refused for want of a session. ``operation`` is noted in vCenter's logs.
        """
        generation = self._authenticated()
        try:
            nodes = self._invoke(this, method, arguments, repeatable=False, operation=operation)
        except VimFault as fault:
            if not is_a(fault, "NotAuthenticated"):
                raise
            self._forget(generation)
            raise SessionLostError from None
        return nodes[0] if nodes else None

    def act_task(self, this: Ref, method: str, *, operation: str = "", **arguments: Any) -> Ref:
        """Start a task and return it."""
        node = self.act(this, method, operation=operation, **arguments)
        task = node.ref() if node is not None else None
        if task is None:
            raise soap.protocol_error(self.where, ValueError(f"{method} returned no task"))
        return task

    def download(self, path: str, max_bytes: int) -> bytes:
        """Return a small file of a datastore (``/folder/…``)."""
        for _ in range(2):
            generation = self._authenticated()
            headers = {"Cookie": f'{_COOKIE}="{self._cookie}"'}
            reply = self.transport.request("GET", path, headers=headers, repeatable=True, max_bytes=max_bytes)
            if reply.status == 401:
                self._forget(generation)
                continue
            if reply.status == 404:
                raise VimFault("FileNotFound", path)
            if reply.status != 200:
                raise VimFault("CannotAccessFile", f"HTTP {reply.status}")
            return reply.body
        raise self._unstable()

    def upload(self, path: str, content: bytes) -> None:
        """Put a small file on a datastore (``/folder/…``), whole; one of that name is replaced."""
        for _ in range(2):
            generation = self._authenticated()
            headers = {"Cookie": f'{_COOKIE}="{self._cookie}"', "Content-Type": "application/octet-stream"}
            reply = self.transport.request("PUT", path, content, headers, repeatable=True)
            if reply.status == 401:
                self._forget(generation)
                continue
            if reply.status not in (200, 201, 204):
                raise VimFault("CannotAccessFile", f"HTTP {reply.status}")
            return
        raise self._unstable()

    def post_beside(self, path: str, body: Callable[[str], bytes], action: str) -> Reply:
        """Call a service beside the vCenter's own that changes nothing; ``body`` is given the session's cookie."""
        generation = self._authenticated()
        for last in (False, True):
            headers = {
                "Content-Type": "text/xml; charset=UTF-8",
                "SOAPAction": action,
                "User-Agent": "escale",
                "Cookie": f'{_COOKIE}="{self._cookie}"',
            }
            reply = self.transport.request("POST", path, body(self._cookie), headers, repeatable=True)
            if last or reply.status != 401:
                break
            self._forget(generation)
            generation = self._authenticated()
        return reply

    # The service's own objects

    def content(self) -> Node:
        """Return the service content (``about`` and the managers); needs no login."""
        if self._content is None:
            nodes = self._invoke(soap.service_instance(), "RetrieveServiceContent", {}, repeatable=True)
            self._content = nodes[0]
        return self._content

    def manager(self, name: str) -> Ref:
        """Return a manager by its name in the service content (``propertyCollector``)."""
        found = self.content().ref(name)
        if found is None:
            raise ConnectorError(
                "cloud.invalid",
                f"{self.where} has no {name} - it is an ESXi host or too old - use a vCenter 6.7 or newer",
                permanent=True,
            )
        return found

    def close(self) -> None:
        """Log out if we are logged in; errors do not matter any more."""
        if self._logged_in and self._pid == os.getpid():
            with contextlib.suppress(ConnectorError, VimFault):
                self._invoke(self.manager("sessionManager"), "Logout", {}, repeatable=True)
        self._cookie, self._logged_in = "", False
        self.transport.close()

    # Details

    def _authenticated(self) -> int:
        """Make sure that somebody has logged in; return which login that was."""
        with self._lock:
            if self._pid != os.getpid():  # forked: the login belongs to the parent, who may log out
                self._cookie, self._logged_in, self._pid = "", False, os.getpid()
            if not self._logged_in:
                self._login()
            return self._generation

    def _login(self) -> None:
        if self._refused is not None and time.monotonic() - self._refused[0] < _REFUSED_S:
            raise self._refused[1]
        try:
            with explained(f"{self.where} refused the login of {self._username}"):
                self._invoke(
                    self.manager("sessionManager"),
                    "Login",
                    {"userName": self._username, "password": self._password},
                    repeatable=True,
                )
        except ConnectorError as error:
            if error.code == "cloud.not_authenticated":
                self._refused = (time.monotonic(), error)
            raise
        self._refused, self._logged_in = None, True
        self._generation += 1

    def _forget(self, generation: int) -> None:
        with self._lock:
            if generation == self._generation:  # else somebody has logged in anew already
                self._cookie, self._logged_in = "", False

    def _invoke(
        self, this: Ref, method: str, arguments: Mapping[str, Any], *, repeatable: bool, operation: str = ""
    ) -> list[Node]:
        body = soap.encode(this, method, arguments, operation)
        headers = {"Content-Type": "text/xml; charset=UTF-8", "SOAPAction": soap.ACTION, "User-Agent": "escale"}
        if self._cookie:
            headers["Cookie"] = f'{_COOKIE}="{self._cookie}"'
        reply = self.transport.request("POST", "/sdk", body, headers, repeatable=repeatable)
        if reply.status not in (200, 500):
            raise self._http_error(reply.status, repeatable=repeatable)
        try:
            nodes = soap.decode(reply.body)
        except (ExpatError, IndexError, ValueError) as error:
            failure = soap.protocol_error(self.where, error)
            failure.maybe_done = not repeatable
            raise failure from None
        self._keep_cookie(reply.headers.get_all("Set-Cookie") or [])
        return nodes

    def _keep_cookie(self, headers: list[str]) -> None:
        for header in headers:
            cookie = http.cookies.SimpleCookie(header).get(_COOKIE)
            if cookie is not None:
                self._cookie = cookie.value

    def _http_error(self, status: int, *, repeatable: bool) -> ConnectorError:
        # The reverse proxy of a vCenter answers 503 while the services behind it start.
        starting = status in (502, 503, 504)
        why = "the vCenter is starting" if starting else "a proxy or another product may be in the way"
        return ConnectorError(
            "cloud.unreachable" if starting else "cloud.fault",
            f"{self.where} answered with HTTP status {status} - {why} - it is tried again; check the address",
            retry_after=10.0 if starting else None,
            maybe_done=not repeatable and starting,
        )

    def _unstable(self) -> ConnectorError:
        return ConnectorError(
            "cloud.not_authenticated",
            f"{self.where} ends its sessions at once - somebody logs them out, or its session limit is reached - "
            "it is tried again",
            retry_after=5.0,
        )


_shared: dict[str, tuple[Session, int]] = {}
_shared_lock = threading.Lock()
_salt = secrets.token_bytes(16)


def acquire(access: Access) -> tuple[str, Session]:
    """Return the process's session for an access, and the name to release it by.

    Accesses share one only if all that makes them is equal; the password counts by a keyed digest.
    """
    identity = "\0".join(
        (access.address, access.username, access.password, access.thumbprint, access.ca_pem, str(access.timeout_s))
    )
    name = hmac.new(_salt, identity.encode(), hashlib.sha256).hexdigest()
    with _shared_lock:
        session, users = _shared.get(name, (None, 0))
        if session is None:
            session = Session(access)
        _shared[name] = (session, users + 1)
    return name, session


def release(name: str) -> None:
    """Give a session back; the last user logs out."""
    with _shared_lock:
        session, users = _shared.get(name, (None, 0))
        if session is None:
            return
        if users > 1:
            _shared[name] = (session, users - 1)
            return
        del _shared[name]
    session.close()
