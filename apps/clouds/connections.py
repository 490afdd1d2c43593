"""Hand out ready connectors: one per cloud and process, exchanged with its credential, never stuck on a dead one.

A connector is kept as long as nothing that it was built from changes (credential version, address, trust, options).
When something does, the next caller gets a new one, and the old one logs out when its last call has ended. Behind
every connector stands a circuit breaker: after a few calls in a row that did not reach the cloud, further ones fail at
once for some seconds, so that a dead cloud does not hold the workers that others need.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import threading
import time
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, TypeVar

from django.utils.translation import gettext as _

from apps.clouds import addresses, circuits
from apps.clouds.models import Cloud, Credential
from apps.tenancy import encryption
from apps.tenancy.faults import Fault
from apps.tenancy.redaction import remember_secret
from connectors import registry
from connectors.base import Access, Capability, Connector, ConnectorError, Handle, Health, Outcome
from engine.findings import Finding
from engine.observed import Inventory, ObservedState
from engine.plan import Action
from engine.resources import Owner, canonical_json

log = logging.getLogger(__name__)

FAILURES_TO_OPEN = 3
OPEN_FOR_S = 15.0
IDLE_FOR_S = 600.0
PROBE_TIMEOUT_S = 8.0
WORK_TIMEOUT_S = 30.0
REFUSED_FOR_S = 60.0
REFUSED_AT_MOST_S = 900.0
"""A refused credential is tried again after these pauses only: vCenter locks an account after five refusals."""
ASKED_AGAIN_S = 5.0
"""How soon whoever waits for another credential looks whether there is one; that costs the cloud nothing."""

T = TypeVar("T")


class Breaker:
    """Count the calls in a row that did not reach a cloud, and shut the way for a while when there are too many.

    After the while one call is let through; its end decides for the others. Thread-safe. One per cloud and process.
    `tell(open_for_s)` hears when it opens, and of 0 when it closes again.
    """

    def __init__(
        self, clock: Callable[[], float] = time.monotonic, tell: Callable[[float], None] = lambda open_for_s: None
    ) -> None:
        self._clock = clock
        self._tell = tell
        self._lock = threading.Lock()
        self._failures = 0
        self._open_until = 0.0
        self._trying_until = 0.0

    def admit(self) -> float:
        """Return 0 when a call may go, or the seconds to wait."""
        with self._lock:
            if self._failures < FAILURES_TO_OPEN:
                return 0.0
            now = self._clock()
            wait_s = max(self._open_until, self._trying_until) - now
            if wait_s > 0:
                return wait_s
            self._trying_until = now + OPEN_FOR_S  # this caller is the one that tries
            return 0.0

    def reached(self) -> None:
        """Note that the cloud answered."""
        with self._lock:
            was_open = self._failures >= FAILURES_TO_OPEN
            self._failures, self._open_until, self._trying_until = 0, 0.0, 0.0
        if was_open:
            self._tell(0.0)

    def missed(self) -> None:
        """Note that the cloud was not reached."""
        with self._lock:
            self._failures += 1
            self._trying_until = 0.0
            opens = self._failures >= FAILURES_TO_OPEN
            if opens:
                self._open_until = self._clock() + OPEN_FOR_S
        if opens:
            self._tell(OPEN_FOR_S)


class PooledConnector:
    """Be a connector that the pool may take out of service: calls that are under way end first."""

    def __init__(
        self, name: str, version: str, connector: Connector, breaker: Breaker, hidden: Mapping[str, str] | None = None
    ) -> None:
        self.version = version
        self.used_at = time.monotonic()
        self._name = name
        self._hidden = dict(hidden or {})
        self._connector = connector
        self._breaker = breaker
        self._lock = threading.Lock()
        self._calls = 0
        self._retired = False
        self._refusals = 0  # in a row, of this credential
        self._refused_until = 0.0

    def __repr__(self) -> str:
        return f"<PooledConnector {self._name}>"

    @property
    def capabilities(self) -> frozenset[Capability]:
        """Return what the connector can do."""
        return self._connector.capabilities

    def probe(self) -> Health:
        """Call through; a probe reports what is wrong instead of raising it."""
        return self._call(self._connector.probe, lambda health: code_of(health) == "cloud.unreachable")

    def inventory(self) -> Inventory:
        """Call through."""
        return self._call(self._connector.inventory)

    def observe(self, owner: Owner) -> ObservedState:
        """Call through."""
        return self._call(lambda: self._connector.observe(owner))

    def check(self, action: Action) -> list[Finding]:
        """Call through."""
        return self._call(lambda: self._connector.check(action))

    def start(self, action: Action, key: str) -> Outcome:
        """Call through."""
        return self._call(lambda: _raised(self._connector.start(action, key)))

    def poll(self, handles: Sequence[Handle]) -> dict[Handle, Outcome]:
        """Call through."""
        return self._call(lambda: self._connector.poll(handles))

    def cancel(self, handle: Handle) -> None:
        """Call through."""
        self._call(lambda: self._connector.cancel(handle))

    def undo(self, action: Action, result: Mapping[str, Any], key: str) -> Outcome:
        """Call through."""
        return self._call(lambda: _raised(self._connector.undo(action, result, key)))

    def use(self, work: Callable[[Any], T]) -> T:
        """Let `work` use the connector itself, for what lies beside the contract's verbs; the breaker counts it."""
        return self._call(lambda: work(self._connector))

    def close(self) -> None:
        """Take out of service: log out when the last call has ended."""
        with self._lock:
            if self._retired:
                return
            self._retired = True
            idle = self._calls == 0
        if idle:
            self._log_out()

    @property
    def idle_s(self) -> float:
        """Return for how long nobody has called; 0 while somebody does."""
        with self._lock:
            return 0.0 if self._calls else time.monotonic() - self.used_at

    def _call(self, work: Callable[[], T], missed: Callable[[T], bool] = lambda answer: False) -> T:
        wait_s = self._breaker.admit()
        if wait_s > 0:
            raise ConnectorError(
                "cloud.unreachable",
                _(
                    "%(cloud)s did not answer several times - it is not asked again for %(seconds)d seconds - "
                    "check that it runs and that the portal reaches its address"
                )
                % {"cloud": self._name, "seconds": int(wait_s) + 1},
                retry_after=wait_s,
            )
        if refused_s := self._refused_for_s():
            raise self._refusal(refused_s)
        with self._lock:
            self._calls += 1
        try:
            answer = work()
        except ConnectorError as error:
            if error.code == "cloud.unreachable":
                self._breaker.missed()
            else:
                self._breaker.reached()
            if error.code == "cloud.not_authenticated" and error.permanent:
                raise self._refusal(self._note_refusal()) from None
            raise self._discreet(error) from None
        except BaseException:
            self._breaker.reached()  # our own defect says nothing about the cloud, and must not block it
            raise
        else:
            if missed(answer):
                self._breaker.missed()
            else:
                self._breaker.reached()
                self._refusals = 0
            return answer
        finally:
            with self._lock:
                self._calls -= 1
                self.used_at = time.monotonic()
                last = self._retired and self._calls == 0
            if last:
                self._log_out()

    def _refused_for_s(self) -> float:
        """Return for how many seconds this credential is not tried again, lest the account is locked; 0: now."""
        with self._lock:
            return max(0.0, self._refused_until - time.monotonic()) if self._refusals else 0.0

    def _note_refusal(self) -> float:
        with self._lock:
            self._refusals += 1
            pause_s = min(REFUSED_FOR_S * 2 ** (self._refusals - 1), REFUSED_AT_MOST_S)
            self._refused_until = time.monotonic() + pause_s
            return pause_s

    def _refusal(self, pause_s: float) -> ConnectorError:
        """Return the error of a credential that the cloud refuses: whoever waits goes on when it was exchanged.

        Not permanent: each try asks for the newest credential (`connect_by_id`), and only that decides.
        """
        text = _(
            "%(cloud)s refuses the stored user name or password - they are wrong, or were changed there - an "
            "administrator can exchange the credential on the cloud's page; what waits then goes on by itself"
        )
        message = text % {"cloud": self._name}
        return ConnectorError("cloud.not_authenticated", message, retry_after=min(pause_s, ASKED_AGAIN_S))

    def _discreet(self, error: ConnectorError) -> ConnectorError:
        """Call the cloud by its name: where it is, and as whom we sign in, is for its administrators."""
        for text, instead in self._hidden.items():
            error.message = error.message.replace(text, instead)
            error.detail = error.detail.replace(text, instead)
        error.args = (error.message,)
        return error

    def _log_out(self) -> None:
        try:
            self._connector.close()
        except Exception as error:  # a cloud that is gone cannot be left politely
            log.info("Logging out of %s failed: %s", self._name, type(error).__name__)


def _raised(outcome: Outcome) -> Outcome:
    """Raise what says that the call was not heard, so that it is treated alike however a connector tells it."""
    error = outcome.error
    if (
        outcome.state == "failed"
        and error is not None
        and error.code in ("cloud.not_authenticated", "cloud.unreachable")
    ):
        raise error
    return outcome


def code_of(health: Health) -> str | None:
    """Return the connector's code of what is wrong with a cloud, or None when nothing is."""
    if health.ok:
        return None
    errors = [finding.code for finding in health.findings if finding.severity == "error"]
    return errors[0] if errors else "cloud.fault"


_lock = threading.Lock()
_pool: dict[uuid.UUID, PooledConnector] = {}
_breakers: dict[uuid.UUID, Breaker] = {}


def connect(cloud: Cloud) -> PooledConnector:
    """Return the connector of a cloud, ready to be called from any thread; opens no connection by itself.

    What the cloud is now is read from the database. ConnectorError: `cloud.disabled`, `cloud.unknown` (removed),
    `cloud.not_authenticated` (no readable credential), `cloud.invalid` (its kind or address cannot be used).
    """
    return connect_by_id(cloud.pk)


def connect_by_id(cloud_id: uuid.UUID) -> PooledConnector:
    """Return the connector of the cloud with an id; see `connect`."""
    row = Credential.objects.select_related("cloud__organization").filter(cloud_id=cloud_id).first()
    if row is None or row.cloud.removed_at is not None:
        drop(cloud_id)
        raise ConnectorError(
            "cloud.unknown", _("The cloud was removed from the portal - nothing can be done on it."), permanent=True
        )
    cloud = row.cloud
    if not cloud.enabled:
        drop(cloud_id)
        raise ConnectorError(
            "cloud.disabled",
            _("%(cloud)s is switched off - an administrator can switch it on again.") % {"cloud": cloud.name},
            retry_after=30,
        )
    version = _version(row)
    with _lock:
        known = _pool.get(cloud_id)
        if known is not None and known.version == version:
            return known
    fresh = PooledConnector(
        cloud.name, version, _build(row, WORK_TIMEOUT_S), breaker_of(cloud_id), hidden=_hidden(cloud)
    )
    with _lock:
        known = _pool.get(cloud_id)
        if known is not None and known.version == version:
            return known  # somebody was faster; the fresh one has opened nothing
        _pool[cloud_id] = fresh
        retired = [known] if known is not None else []
        retired += [_pool.pop(key) for key, item in list(_pool.items()) if item.idle_s > IDLE_FOR_S]
    for item in retired:
        item.close()
    return fresh


@contextmanager
def connected_once(
    cloud: Cloud, timeout_s: float = PROBE_TIMEOUT_S, username: str | None = None, password: str | None = None
) -> Iterator[Connector]:
    """Give a connector that is built anew and closed afterwards, past the pool and the breaker; for tests of access.

    With `username` and `password` it tries these instead of the stored ones.
    """
    if username is not None and password is not None:
        connector = _connector(cloud, username, password, timeout_s)
    else:
        connector = _build(Credential.objects.select_related("cloud__organization").get(cloud=cloud), timeout_s)
    try:
        yield connector
    finally:
        try:
            connector.close()
        except Exception as error:
            log.info("Logging out of %s failed: %s", cloud.name, type(error).__name__)


def breaker_of(cloud_id: uuid.UUID) -> Breaker:
    """Return this process's breaker of a cloud."""
    with _lock:
        known = _breakers.get(cloud_id)
        if known is None:
            known = _breakers[cloud_id] = Breaker(tell=lambda open_for_s: circuits.tell(cloud_id, open_for_s))
        return known


def drop(cloud_id: uuid.UUID) -> None:
    """Take a cloud's connector out of the pool and close it."""
    with _lock:
        known = _pool.pop(cloud_id, None)
    if known is not None:
        known.close()


def close_all() -> None:
    """Log out everywhere; for the end of a process and of a test."""
    with _lock:
        items = list(_pool.values())
        _pool.clear()
        _breakers.clear()
    for item in items:
        item.close()


def _forget_after_fork() -> None:
    """Start a child process with nothing: sessions and locks of the parent are the parent's."""
    global _lock
    _lock = threading.Lock()
    _pool.clear()
    _breakers.clear()


os.register_at_fork(after_in_child=_forget_after_fork)


def purpose(credential: Credential) -> str:
    """Return what a credential is sealed for: exactly its cloud."""
    return f"cloud-credential:{credential.cloud_id}"


def _hidden(cloud: Cloud) -> dict[str, str]:
    """Return the texts that must not stand in errors that every member reads, longest first, and what stands there."""
    try:
        endpoint = addresses.parse(cloud.address)
    except Fault:
        return {}
    # A host without a dot may be any word.
    hosts = [f"{endpoint.host}:{endpoint.port}", *([endpoint.host] if "." in endpoint.host else [])]
    return dict.fromkeys(hosts, cloud.name)


def _version(row: Credential) -> str:
    cloud = row.cloud
    parts = [cloud.kind, cloud.flavour, cloud.address, cloud.ca_pem, cloud.thumbprint, cloud.options, row.version]
    return hashlib.sha256(canonical_json(parts).encode() + bytes(row.sealed)).hexdigest()


def _build(row: Credential, timeout_s: float) -> Connector:
    try:
        opened = encryption.open_sealed(row.cloud.organization, purpose(row), bytes(row.sealed))
    except Fault as problem:
        raise ConnectorError("cloud.not_authenticated", problem.message, permanent=True) from None
    login = json.loads(opened)
    return _connector(row.cloud, login["username"], login["password"], timeout_s)


def _connector(cloud: Cloud, username: str, password: str, timeout_s: float) -> Connector:
    remember_secret(password)
    try:
        if cloud.address:  # else the connector knows its own addresses, and judges what they lead to
            addresses.check(cloud.address)
    except Fault as problem:
        raise ConnectorError(problem.code, problem.message, permanent=True) from None
    access = Access(
        kind=cloud.kind,
        address=cloud.address,
        username=username,
        password=password,
        flavour=cloud.flavour,
        ca_pem=cloud.ca_pem,
        thumbprint=cloud.thumbprint,
        timeout_s=timeout_s,
        options=dict(cloud.options),
        addresses=addresses.policy(),
    )
    try:
        return registry.connect(access)
    except KeyError:
        text = _("Clouds of the kind %(kind)s cannot be connected by this release.") % {"kind": cloud.kind}
        raise ConnectorError("cloud.invalid", text, permanent=True) from None
