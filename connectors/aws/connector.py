"""The contract on AWS: verbs to modules, complaints to errors."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, TypeVar

from connectors.aws import (
    adoption,
    balancers,
    changing,
    checks,
    faults,
    firewalls,
    folders,
    making,
    networks,
    observation,
    power,
    survey,
    undoing,
    volumes,
)
from connectors.aws import listing as everything
from connectors.aws.account import shared
from connectors.aws.cloud import Cloud
from connectors.aws.faults import Complaint
from connectors.aws.notes import Note
from connectors.aws.seen import Seen, look, patient
from connectors.base import Access, Capability, ConnectorError, Handle, Health, Outcome
from connectors.listing import ListingPage
from engine.findings import Finding
from engine.found import FoundMachine
from engine.observed import Inventory, ObservedState
from engine.plan import Action
from engine.resources import Owner

_Result = TypeVar("_Result")
_Verb = Callable[[Cloud, Action, str], Outcome]
_Advance = Callable[[Cloud, Note, Seen], Outcome]

_VERBS: dict[str, _Verb] = {
    "folder.create": folders.create,
    "folder.delete": folders.delete,
    "network.create": networks.create,
    "network.delete": networks.delete,
    "firewall.create": firewalls.create,
    "firewall.update": firewalls.update,
    "firewall.delete": firewalls.delete,
    "volume.create": volumes.create,
    "volume.extend": volumes.extend,
    "volume.delete": volumes.delete,
    "machine.create": making.create,
    "machine.start": power.start,
    "machine.ready": power.ready,
    "machine.stop": power.stop,
    "machine.update": changing.update,
    "machine.detach": changing.detach,
    "machine.restore": changing.restore,
    "machine.delete": power.delete,
    "machine.adopt": adoption.adopt,
    "machine.release": adoption.release,
    "balancer.create": balancers.create,
    "balancer.update": balancers.update,
    "balancer.delete": balancers.delete,
}
_ADVANCES: dict[str, _Advance] = {
    "folder.create": folders.advance,
    "network.create": networks.advance,
    "firewall.create": firewalls.advance,
    "volume.create": volumes.advance,
    "volume.extend": volumes.advance_extend,
    "machine.create": making.advance,
    "machine.start": power.advance_start,
    "machine.ready": power.watch_ready,
    "machine.stop": power.advance_stop,
    "machine.update": changing.advance,
    "machine.detach": changing.advance_detach,
    "machine.restore": changing.advance_restore,
    "machine.delete": power.advance_delete,
    "balancer.create": balancers.advance,
    "balancer.update": balancers.advance,
    "balancer.delete": balancers.advance_delete,
    "undo": undoing.advance,
}


class AwsConnector:
    """One account in one region. See ``Cloud`` for the options."""

    capabilities = frozenset(
        {
            Capability.CREATE_NETWORK,
            Capability.DATA_DISKS,
            Capability.GUEST_ADDRESS,
            Capability.CANCEL,
            Capability.FIREWALLS,
            Capability.BALANCERS,
            Capability.OWN_GROUND,
        }
    )

    def __init__(self, access: Access) -> None:
        self._access = access
        self._lock = threading.Lock()
        self._cloud: Cloud | None = None

    def probe(self) -> Health:
        """Say how the account is: facts when it answers, findings for all that is wrong."""
        try:
            return self._explained("The account could not be examined", survey.probe)
        except ConnectorError as error:
            return Health(False, error.message, findings=(Finding(error.code, "error", error.message),))

    def inventory(self) -> Inventory:
        """Return images, zones, volume types, subnets, instance types and quotas."""
        return self._explained("The inventory could not be read", survey.inventory)

    def listing(self, cursor: str) -> Iterator[ListingPage]:
        """Yield everything, or nothing when it is as the cursor knows it."""
        cloud = self._opened()
        try:
            yield from everything.pages(cloud, cursor)
        except Complaint as complaint:
            raise faults.to_error(complaint, "The account's things could not be listed") from None

    def observe(self, owner: Owner) -> ObservedState:
        """Return all that carries a deployment's tags."""
        what = f"The deployment {owner.deployment} could not be looked at"
        return self._explained(what, lambda cloud: observation.observe(cloud, owner))

    def describe(self, ids: Sequence[str]) -> tuple[FoundMachine, ...]:
        """Return machines by their identity as they are now, whosever they are."""
        return self._explained("The machines could not be looked at", lambda cloud: adoption.describe(cloud, ids))

    def check(self, action: Action) -> list[Finding]:
        """Return what an action would stumble over; changes nothing."""
        return self._explained(f"{action.title} could not be checked", lambda cloud: checks.check(cloud, action))

    def start(self, action: Action, key: str) -> Outcome:
        """Begin an action, or find what another try of its key has begun or finished."""
        verb = _VERBS.get(action.verb)
        if verb is None:
            raise ConnectorError("cloud.invalid", f"AWS knows no verb {action.verb!r} - report this", permanent=True)
        return self._explained(_failed(action.verb, action.resource), lambda cloud: verb(cloud, action, key))

    def poll(self, handles: Sequence[Handle]) -> dict[Handle, Outcome]:
        """Return where handles stand: a look for each kind of thing, then the next call for each that is ready."""
        outcomes: dict[Handle, Outcome] = {}
        notes: dict[Handle, Note] = {}
        for handle in dict.fromkeys(handles):
            try:
                note = Note.load(handle)
                if note.verb not in _ADVANCES:
                    Note.load("{}")
                notes[handle] = note
            except ConnectorError as error:
                outcomes[handle] = Outcome.failed(error)
        if not notes:
            return outcomes
        seen = self._explained("The tasks could not be looked at", lambda cloud: look(cloud, list(notes.values())))
        for handle, note in notes.items():
            outcomes[handle] = self._advance(note, seen)
        return outcomes

    def _advance(self, note: Note, seen: Seen) -> Outcome:
        cloud = self._opened()
        try:
            return patient(cloud, note, lambda: _ADVANCES[note.verb](cloud, note, seen))
        except Complaint as complaint:
            return Outcome.failed(faults.to_error(complaint, _failed(note.verb, note.resource)))
        except ConnectorError as error:
            # What could not be asked may be asked at the next look: nothing has failed yet.
            if error.code in ("cloud.unreachable", "cloud.busy") and error.retry_after and note.age_s < _PATIENCE_S:
                return note.running("waiting for AWS")
            return Outcome.failed(error)

    def cancel(self, handle: Handle) -> None:
        """End an instance that is being made; other work is done before it could be cancelled."""
        note = Note.load(handle)
        if note.verb == "machine.create" and note.thing:
            what = f"{note.resource}: {note.verb} could not be cancelled"
            self._explained(what, lambda cloud: making.cancel(cloud, note))

    def undo(self, action: Action, result: Mapping[str, Any], key: str) -> Outcome:
        """Begin the inverse of what a step did; what it found and did not make stays."""
        verb, back = action.verb, key + "/undo"
        if verb in ("folder.delete", "network.delete", "firewall.delete", "volume.delete", "machine.delete") or (
            verb == "balancer.delete"
        ):
            message = f"{action.resource} cannot be brought back - it was deleted - deploy again"
            return Outcome.failed(ConnectorError("cloud.invalid", message, permanent=True))
        if result.get("created") is False or result.get("gone"):
            return Outcome.done("nothing to undo")
        external_id = result.get("external_id") or action.external_id
        inverse = replace(action, external_id=external_id)
        if verb.endswith(".create"):
            what = _failed(verb, action.resource)
            return self._explained(what, lambda cloud: undoing.undo(cloud, inverse, key, self.start))
        if verb in ("machine.update", "firewall.update", "balancer.update") and action.spec.get("previous"):
            return self.start(replace(inverse, spec=action.spec["previous"]), back)
        opposite = {
            "machine.start": "machine.stop",
            "machine.stop": "machine.start",
            "machine.detach": "machine.restore",
            "machine.adopt": "machine.release",
            "machine.release": "machine.adopt",
        }
        if verb in opposite:
            return self.start(replace(inverse, verb=opposite[verb]), back)
        return Outcome.done("nothing to undo")

    def close(self) -> None:
        """Let go of the account; the process keeps its clients for whoever comes next."""
        with self._lock:
            self._cloud = None

    def _opened(self) -> Cloud:
        with self._lock:
            if self._cloud is None:
                self._cloud = Cloud(self._access, shared(self._access))
            return self._cloud

    def _explained(self, what: str, work: Callable[[Cloud], _Result]) -> _Result:
        """Run work on the cloud; only ConnectorErrors come out, with nothing of the SDK chained to them."""
        cloud = self._opened()
        try:
            return work(cloud)
        except Complaint as complaint:
            raise faults.to_error(complaint, what) from None


_PATIENCE_S = 300.0
_NAMES = {
    "folder": "The VPC",
    "network": "The subnet",
    "firewall": "The security group",
    "volume": "The volume",
    "machine": "The machine",
    "balancer": "The balancer",
}
_DONE = {
    "create": "could not be made",
    "delete": "could not be deleted",
    "update": "could not be changed",
    "extend": "could not be grown",
    "start": "could not be started",
    "stop": "could not be stopped",
    "ready": "could not be looked at",
    "detach": "could not be relieved of its disks",
    "adopt": "could not be marked",
    "release": "could not be relieved of our tags",
    "restore": "could not be given its disks back",
}


def _failed(verb: str, resource: str) -> str:
    kind, _, what = verb.partition(".")
    return f"{_NAMES.get(kind, 'It')} {_DONE.get(what, 'could not be taken back')} ({resource})"
