"""What the apps above plug in: handlers that do a step's work, and what a kind of operation records about it.

Both are registered in the ``ready()`` of the app that owns them, and called by name; nothing here imports upward.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from connectors.base import Outcome

if TYPE_CHECKING:
    from apps.operations.models import Operation


class Link(Protocol):
    """How a step under way speaks to the journal; every method may be called from any thread."""

    def still_mine(self, step_id: int, fence: int) -> bool:
        """Tell whether the fence still stands."""
        ...

    def log(self, step_id: int, line: str) -> None:
        """Add a line to the step's log."""
        ...

    def cancelled(self) -> bool:
        """Tell whether the operation is being cancelled."""
        ...


@dataclass(frozen=True, slots=True)
class Undone:
    """The step that a compensation takes back: its key at the cloud, its result (empty when it had failed), its end."""

    key: str
    step_key: str
    result: Mapping[str, Any]
    handle: str
    error: Mapping[str, Any] | None


@dataclass(frozen=True, slots=True)
class StepContext:
    """All that a handler learns of a step: plain data, valid under one fence.

    ``key`` is deterministic (uuid5 of operation and step, as text) and the same in every attempt and after every
    takeover. ``results`` maps a group (the resource) to the merged results of the finished steps of this operation
    in that group. ``undoes`` is set for compensations, whose ``payload`` is that of the step they take back.
    ``handle`` is set when a cloud's task is under way. ``attempt`` counts from 1.
    """

    operation_id: uuid.UUID
    step_id: int
    key: str
    step_key: str
    title: str
    group: str
    verb: str
    change: str
    cloud_id: uuid.UUID | None
    payload: Mapping[str, Any]
    attempt: int
    fence: int
    handle: str
    results: Mapping[str, Mapping[str, Any]]
    undoes: Undone | None
    link: Link = field(repr=False, compare=False)

    def still_mine(self) -> bool:
        """Ask the database whether this worker still owns the step.

        Call it right before anything that cannot be taken back: before a create after the look-up by key found
        nothing, and before every delete. A worker that was suspended may have been replaced meanwhile. False:
        return at once (raise ``NotMine``); whatever is returned is dropped anyway.
        """
        return self.link.still_mine(self.step_id, self.fence)

    def require_mine(self) -> None:
        """Raise NotMine unless this worker still owns the step."""
        if not self.still_mine():
            raise NotMine(f"step {self.step_key} was taken over by another worker")

    def log(self, line: str) -> None:
        """Add a line to the step's log (an event ``step.log``); secrets are masked, long lines are cut."""
        self.link.log(self.step_id, line)

    @property
    def cancelled(self) -> bool:
        """Tell whether the operation is being cancelled now; long work inside ``start`` should look now and then."""
        return self.link.cancelled()


class NotMine(Exception):  # noqa: N818 - a fact, not a fault
    """The step belongs to another worker by now; whatever this one still does must not touch the cloud."""


class Handler(Protocol):
    """Do the work of the steps that name this handler. Thread-safe; keeps no state between calls.

    Errors leave as ``ConnectorError`` (raised or inside ``Outcome.failed``); anything else is a defect of ours: it
    is tried again a few times and then parked. Three optional attributes: ``inline = True`` for handlers that never
    wait (they run in the driver's own thread); ``needs_results = False`` for those that do not read ``results``;
    ``cancels = False`` for those whose tasks cannot be cancelled and are waited for instead.
    """

    def start(self, step: StepContext) -> Outcome:
        """Start the work, never wait for it. Idempotent by ``step.key``: look it up, re-attach, else create."""
        ...

    def poll(self, steps: Sequence[StepContext]) -> dict[int, Outcome]:
        """Return where the tasks of these steps stand, by step id, in one call; all have the same ``cloud_id``.

        A step that is left out counts as still running.
        """
        ...

    def cancel(self, step: StepContext) -> None:
        """Ask the cloud to stop the step's task; the end is learnt by ``poll`` (``cloud.cancelled``, or done)."""
        ...

    def undo(self, step: StepContext) -> Outcome:
        """Take back ``step.undoes``; idempotent. It may have failed half-way: then look by ``step.undoes.key``.

        Return ``Outcome.done`` when there is nothing to take back.
        """
        ...


@dataclass(frozen=True, slots=True)
class StepReport:
    """A step as the callbacks of a kind see it, after its transition. ``state``: succeeded or reverted."""

    id: int
    key: str
    title: str
    group: str
    verb: str
    change: str
    state: str
    payload: Mapping[str, Any]
    result: Mapping[str, Any]
    call_key: str
    """The key that the handler used at the cloud (``StepContext.key``)."""


@dataclass(frozen=True, slots=True)
class Kind:
    """What an app records about its operations. Each callback runs in the transaction of the transition itself.

    So it commits with it or not at all: never call a network from here. ``on_steps_done`` gets steps that have just
    succeeded, ``on_steps_reverted`` those that were just undone, ``on_finished`` the operation in its final state
    (it runs again at the end of a retry or rollback); ``on_resumed`` the operation that a person has just sent
    into a retry (state queued) or a rollback (state reverting). A callback that raises does not stop the journal:
    the step is parked, or the operation fails, with the defect in the log. ``quiet``: the portal starts such
    operations by itself, often; lists leave them out unless somebody asks for the kind.
    """

    name: str
    on_steps_done: Callable[[Operation, list[StepReport]], None] | None = None
    on_steps_reverted: Callable[[Operation, list[StepReport]], None] | None = None
    on_finished: Callable[[Operation], None] | None = None
    on_resumed: Callable[[Operation], None] | None = None
    quiet: bool = False


_handlers: dict[str, Handler] = {}
_kinds: dict[str, Kind] = {}


def register_handler(name: str, handler: Handler) -> None:
    """Add a handler under the name that ``StepSpec.handler`` uses; ValueError when another one has it."""
    if _handlers.setdefault(name, handler) is not handler:
        raise ValueError(f"the handler {name!r} is registered twice")


def register_kind(kind: Kind) -> None:
    """Add a kind of operation; ValueError when another one has its name."""
    if _kinds.setdefault(kind.name, kind) != kind:
        raise ValueError(f"the kind {kind.name!r} is registered twice")


def handler_named(name: str) -> Handler:
    """Return a handler; KeyError: nobody registered the name."""
    return _handlers[name]


def find_handler(name: str) -> Handler | None:
    """Return a handler, or None when nobody registered the name (an older or newer release did)."""
    return _handlers.get(name)


def kind_named(name: str) -> Kind:
    """Return a kind; KeyError: nobody registered the name."""
    return _kinds[name]


def find_kind(name: str) -> Kind | None:
    """Return a kind, or None when nobody registered the name."""
    return _kinds.get(name)


def quiet_kinds() -> list[str]:
    """Return the names of the kinds that lists leave out."""
    return [kind.name for kind in _kinds.values() if kind.quiet]


def call_key(operation_id: uuid.UUID, step_key: str) -> str:
    """Return the key that a step uses at its cloud: the same in every attempt and for every worker."""
    return str(uuid.uuid5(operation_id, step_key))
