"""The contract that every cloud API is brought to: start, never wait; one error type; idempotent by key."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Literal, Protocol

from engine.findings import Finding
from engine.observed import Inventory, ObservedState
from engine.plan import Action
from engine.resources import Owner

if TYPE_CHECKING:
    from connectors.addressing import AddressPolicy

Handle = str
"""A connector's note (JSON text, at most 2 kB, no secrets) of a task under way; it survives the process."""


class Capability(StrEnum):
    """Name what a connector can do beside the verbs that all must have.

    ``FIREWALLS``: the cloud shuts machines off from outside of their networks, and has the verbs ``firewall.*``.
    ``BALANCERS``: it has the verbs ``balancer.*``. ``OWN_GROUND``: no network is shared, so that each deployment gets
    an address range of its own (``Folder.cidr``, ``Folder.zone``) and all its networks are made for it
    (``Network.access``). Whether machines come in sizes, and which of them may be spot, is told by the inventory.
    """

    CREATE_NETWORK = "create_network"
    DATA_DISKS = "data_disks"
    GUEST_ADDRESS = "guest_address"
    PROGRESS = "progress"
    CANCEL = "cancel"
    FIREWALLS = "firewalls"
    BALANCERS = "balancers"
    OWN_GROUND = "own_ground"


class ConnectorError(Exception):
    """The only exception that leaves a connector.

    ``code`` is stable (``cloud.unreachable``, ``cloud.not_authenticated``, ``cloud.trust``,
    ``cloud.permission``, ``cloud.not_found``, ``cloud.name_taken``, ``cloud.no_space``,
    ``cloud.invalid``, ``cloud.address_refused``, ``cloud.busy``, ``cloud.fault``, ``cloud.cancelled``,
    ``cloud.foreign``).
    ``permanent`` errors are not tried again; ``retry_after`` is in seconds. ``maybe_done`` tells that the
    cloud may have processed the call all the same: the step must reconcile by its key before it tries again.
    The message is for people: what, why, what now. It holds only text: SDK exceptions must not be chained
    into it (``raise … from None``), since some of them cannot be pickled and break the worker.
    """

    def __init__(
        self,
        code: str,
        message: str,
        *,
        permanent: bool = False,
        retry_after: float | None = None,
        maybe_done: bool = False,
        detail: str = "",
    ) -> None:
        super().__init__(message)
        self.code, self.message, self.permanent = code, message, permanent
        self.retry_after, self.maybe_done, self.detail = retry_after, maybe_done, detail

    def to_json(self) -> dict[str, Any]:
        """Return the error as plain data, without what only the runner needs."""
        return {"code": self.code, "message": self.message, "permanent": self.permanent, "detail": self.detail}

    def __reduce__(self) -> Any:
        return (_rebuild, (self.code, self.message, self.permanent, self.retry_after, self.maybe_done, self.detail))


def _rebuild(code: str, message: str, permanent: bool, retry: float | None, maybe: bool, detail: str) -> ConnectorError:
    return ConnectorError(code, message, permanent=permanent, retry_after=retry, maybe_done=maybe, detail=detail)


@dataclass(frozen=True, slots=True)
class Outcome:
    """Where a call stands. ``done`` has a result, ``running`` a handle, ``failed`` an error.

    ``result`` for create verbs holds ``external_id`` (UUID for machines, never a name) and what later
    actions need (``moref``, ``path``, ``addresses``, ``bios_uuid`` …); JSON-able, no secrets.
    ``progress`` in percent or None when the cloud does not tell.
    """

    state: Literal["done", "running", "failed"]
    handle: Handle | None = None
    progress: int | None = None
    result: Mapping[str, Any] = field(default_factory=dict)
    message: str = ""
    error: ConnectorError | None = None

    @classmethod
    def done(cls, message: str = "", **result: Any) -> Outcome:
        """Return the outcome of a call that has ended well; keywords are its result."""
        return cls("done", result=result, message=message, progress=100)

    @classmethod
    def running(cls, handle: Handle, progress: int | None = None, message: str = "") -> Outcome:
        """Return the outcome of a call whose task is under way."""
        return cls("running", handle=handle, progress=progress, message=message)

    @classmethod
    def failed(cls, error: ConnectorError) -> Outcome:
        """Return the outcome of a call that has failed."""
        return cls("failed", error=error, message=error.message)


@dataclass(frozen=True, slots=True)
class Health:
    """What a probe found. ``facts``: product, version, api_version, instance_uuid, latency_ms, clock_skew_s …"""

    ok: bool
    summary: str
    facts: Mapping[str, Any] = field(default_factory=dict)
    findings: tuple[Finding, ...] = ()


@dataclass(frozen=True, slots=True)
class Access:
    """How to reach a cloud: all that a connector is built from.

    ``address`` host:port or URL; ``thumbprint`` SHA-256 of the server's certificate in hexadecimal (pins it,
    no CA needed); ``ca_pem`` a CA bundle. With neither, the system's CAs decide. Never unverified.
    ``addresses``: what the address may lead to; `connectors.addressing.open_socket` makes every connection.
    """

    kind: str
    address: str
    username: str = field(repr=False)
    password: str = field(repr=False)
    flavour: str = ""
    ca_pem: str = ""
    thumbprint: str = ""
    timeout_s: float = 30.0
    options: Mapping[str, Any] = field(default_factory=dict)
    addresses: AddressPolicy | None = None


class Connector(Protocol):
    """One cloud, connected. Thread-safe; cheap to keep; ``close`` logs out.

    ``start`` must be idempotent by ``key`` (deterministic text of the step): it first looks whether the thing
    with that key's marker exists or a task for it is under way (and re-attaches), and only then creates. It
    never depends on the cloud refusing duplicates. Destructive verbs check the owner's marker on the object
    right before the call (``cloud.foreign`` when it is not ours) and succeed when the thing is gone already.
    """

    @property
    def capabilities(self) -> frozenset[Capability]:
        """Return what this cloud can do beside the verbs that all must have."""
        ...

    def probe(self) -> Health:
        """Sign in and say what answers, how fast, and what privileges are missing."""
        ...

    def inventory(self) -> Inventory:
        """Return what placement needs to know; raises ConnectorError."""
        ...

    def observe(self, owner: Owner) -> ObservedState:
        """Return everything that carries a deployment's marker."""
        ...

    def check(self, action: Action) -> list[Finding]:
        """Return what speaks against an action, without any side effect."""
        ...

    def start(self, action: Action, key: str) -> Outcome:
        """Start an action and return at once; find an earlier attempt's work by `key` first."""
        ...

    def poll(self, handles: Sequence[Handle]) -> dict[Handle, Outcome]:
        """Return where tasks stand, all in as few calls as the cloud allows."""
        ...

    def cancel(self, handle: Handle) -> None:
        """Ask for the end of a task; how it ended is learnt by `poll`."""
        ...

    def undo(self, action: Action, result: Mapping[str, Any], key: str) -> Outcome:
        """Take back what an action did, wherever it had come to."""
        ...

    def close(self) -> None:
        """Log out and drop connections."""
        ...
