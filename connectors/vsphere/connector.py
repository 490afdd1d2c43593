"""The contract on a vCenter: verbs to modules, faults to errors, and one session for all threads."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, TypeVar

from connectors.base import Access, Capability, ConnectorError, Handle, Health, Outcome
from connectors.listing import ListingPage
from connectors.probing import Canary, Report
from connectors.vsphere import (
    adoption,
    changing,
    checks,
    cloning,
    faults,
    folders,
    listing,
    moving,
    networks,
    observation,
    polling,
    power,
    probing,
    removal,
    session,
    survey,
    undoing,
    volumes,
)
from connectors.vsphere.cloud import Cloud
from connectors.vsphere.faults import is_a
from connectors.vsphere.flavours import flavour
from connectors.vsphere.notes import Note
from connectors.vsphere.session import SessionLostError
from connectors.vsphere.soap import VimFault
from engine.findings import Finding
from engine.found import FoundMachine
from engine.observed import Inventory, ObservedState
from engine.plan import Action
from engine.resources import Owner

_Result = TypeVar("_Result")
_Verb = Callable[[Cloud, Action, str], Outcome]
_VERBS: dict[str, _Verb] = {
    "folder.create": folders.create,
    "folder.delete": folders.delete,
    "network.create": networks.create,
    "network.delete": networks.delete,
    "volume.create": volumes.create,
    "volume.extend": volumes.extend,
    "volume.delete": volumes.delete,
    "machine.create": cloning.create,
    "machine.start": power.start,
    "machine.ready": power.ready,
    "machine.stop": power.stop,
    "machine.update": adoption.or_change,
    "machine.detach": changing.detach,
    "machine.delete": removal.delete,
    "machine.adopt": adoption.adopt,
    "machine.release": adoption.release,
    "machine.snapshot": moving.snapshot,
    "machine.unsnapshot": moving.unsnapshot,
    "machine.relocate": moving.relocate,
}
_INVERSE = {
    "folder.create": "folder.delete",
    "network.create": "network.delete",
    "volume.create": "volume.delete",
    "machine.start": "machine.stop",
    "machine.stop": "machine.start",
    "machine.adopt": "machine.release",
    "machine.release": "machine.adopt",
}
_IRREVERSIBLE = frozenset({"folder.delete", "network.delete", "volume.delete", "machine.delete"})


class VsphereConnector:
    """One vCenter, from 6.7 on. See ``Cloud`` for the options."""

    def __init__(self, access: Access) -> None:
        self.capabilities: frozenset[Capability] = flavour(access.flavour).capabilities
        self._access = access
        self._lock = threading.Lock()
        self._cloud: Cloud | None = None
        self._lease = ""
        self._lister = listing.Lister(access, str(access.options.get("datacenter") or ""))

    def probe(self) -> Health:
        """Say how the vCenter is: facts when it answers, findings for all that is wrong."""
        try:
            return self._explained("The vCenter could not be examined", survey.probe)
        except ConnectorError as error:
            return Health(False, error.message, findings=(Finding(error.code, "error", error.message),))

    def inventory(self) -> Inventory:
        """Return templates, clusters, datastores, networks and switches."""
        return self._explained("The inventory could not be read", survey.inventory)

    def observe(self, owner: Owner) -> ObservedState:
        """Return all that carries a deployment's markers."""
        return self._explained(
            f"The deployment {owner.deployment} could not be looked at", lambda cloud: observation.observe(cloud, owner)
        )

    def describe(self, ids: Sequence[str]) -> tuple[FoundMachine, ...]:
        """Return machines by instance UUID as they are now, whosever they are."""
        return self._explained("The machines could not be looked at", lambda cloud: adoption.describe(cloud, ids))

    def check(self, action: Action) -> list[Finding]:
        """Return what an action would stumble over; changes nothing."""
        return self._explained(f"{action.title} could not be checked", lambda cloud: checks.check(cloud, action))

    def start(self, action: Action, key: str) -> Outcome:
        """Begin an action, or find what another try of its key has begun or finished."""
        verb = _VERBS.get(action.verb)
        if verb is None:
            raise ConnectorError(
                "cloud.invalid", f"vSphere knows no verb {action.verb!r} - report this", permanent=True
            )
        return self._explained(_failed(action), lambda cloud: verb(cloud, action, key))

    def poll(self, handles: Sequence[Handle]) -> dict[Handle, Outcome]:
        """Return where handles stand, all read in one call."""
        if not handles:
            return {}
        return self._explained("The tasks could not be looked at", lambda cloud: polling.poll(cloud, handles))

    def cancel(self, handle: Handle) -> None:
        """Ask the vCenter to stop a task; polling tells whether it did. What has ended already is left at that."""
        note = Note.load(handle)

        def stop(cloud: Cloud) -> None:
            if note.task is None:
                return
            try:
                cloud.session.act(note.task, "CancelTask", operation=note.key)
            except VimFault as fault:
                if not any(is_a(fault, kind) for kind in ("InvalidState", "NotSupported", "ManagedObjectNotFound")):
                    raise

        self._explained(f"{note.resource}: {note.verb} could not be cancelled", stop)

    def undo(self, action: Action, result: Mapping[str, Any], key: str) -> Outcome:
        """Begin the inverse of what a step did; what it found and did not make stays."""
        verb, back = action.verb, key + "/undo"
        if verb in _IRREVERSIBLE:
            message = f"{action.resource} cannot be brought back - it was deleted - deploy again"
            return Outcome.failed(ConnectorError("cloud.invalid", message, permanent=True))
        if result.get("created") is False or result.get("gone"):
            return Outcome.done("nothing to undo")
        external_id = result.get("external_id") or action.external_id
        inverse = replace(action, external_id=external_id)
        if verb == "machine.create":
            return self._explained(_failed(action), lambda cloud: cloning.undo(cloud, inverse, key))
        if verb == "machine.detach":
            return self._explained(_failed(action), lambda cloud: changing.restore(cloud, inverse, back))
        if verb == "machine.update" and action.spec.get("previous"):
            return self.start(replace(inverse, spec=action.spec["previous"]), back)
        if verb in ("volume.create", "network.create") and not external_id:
            return self._explained(_failed(action), lambda cloud: undoing.undo(cloud, inverse, key))
        if verb in _INVERSE:
            return self.start(replace(inverse, verb=_INVERSE[verb]), back)
        return Outcome.done("nothing to undo")

    def examine(self, probe: str, canary: Canary) -> Report:
        """Look at one thing that a label needs."""
        return self._explained(
            f"The probe {probe} could not be made", lambda cloud: probing.examine(cloud, probe, canary)
        )

    def listing(self, cursor: str) -> Iterator[ListingPage]:
        """Yield what changed since a cursor, or everything; see ``connectors.listing``."""
        return listing.list_everything(self._lister, self._opened().session, cursor)

    def close(self) -> None:
        """Give the session back; the process's last connector logs out."""
        self._lister.close()
        with self._lock:
            lease, self._lease, self._cloud = self._lease, "", None
        if lease:
            session.release(lease)

    def _opened(self) -> Cloud:
        with self._lock:
            if self._cloud is None:
                self._lease, shared = session.acquire(self._access)
                self._cloud = Cloud(self._access, shared)
            return self._cloud

    def _explained(self, what: str, work: Callable[[Cloud], _Result]) -> _Result:
        """Run work on the cloud; only ConnectorErrors come out, with nothing of the protocol chained to them.

        A session that was lost in the middle of a change means that the change was refused: the whole work is done
        again, beginning with its look at what exists, instead of sending the same call again.
        """
        cloud = self._opened()
        for _ in range(2):
            try:
                return work(cloud)
            except SessionLostError:
                continue
            except VimFault as fault:
                raise faults.to_error(fault, what) from None
        raise ConnectorError(
            "cloud.not_authenticated",
            f"{what} - the vCenter ends our sessions at once: somebody logs them out, or its limit is reached - "
            "it is tried again",
            retry_after=5.0,
        )


_DONE = {
    "folder.create": "The folder could not be made",
    "folder.delete": "The folder could not be removed",
    "network.create": "The network could not be made",
    "network.delete": "The network could not be removed",
    "volume.create": "The disk could not be made",
    "volume.extend": "The disk could not be grown",
    "volume.delete": "The disk could not be deleted",
    "machine.create": "The machine could not be cloned",
    "machine.start": "The machine could not be powered on",
    "machine.ready": "The machine could not be looked at",
    "machine.stop": "The machine could not be stopped",
    "machine.update": "The machine could not be changed",
    "machine.detach": "The machine's disks could not be detached",
    "machine.delete": "The machine could not be deleted",
    "machine.adopt": "The machine could not be marked",
    "machine.release": "The machine's markers could not be taken off",
    "machine.snapshot": "A snapshot could not be made",
    "machine.unsnapshot": "The snapshots could not be removed",
    "machine.relocate": "The machine could not be moved",
}


def _failed(action: Action) -> str:
    return f"{_DONE.get(action.verb, action.verb)} ({action.resource})"
