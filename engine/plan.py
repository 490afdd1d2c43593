"""The plan: plain data that is stored, hashed, shown, approved and executed without further decisions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Literal

from engine.findings import Finding
from engine.resources import Owner, digest

Change = Literal["create", "update", "replace", "delete", "keep"]

VERBS = frozenset(
    {
        "folder.create",
        "folder.delete",
        "network.create",
        "network.delete",
        "firewall.create",
        "firewall.update",
        "firewall.delete",
        "balancer.create",
        "balancer.update",
        "balancer.delete",
        "volume.create",
        "volume.extend",
        "volume.delete",
        "machine.create",  # clone, configured and powered off
        "machine.start",
        "machine.ready",  # waits until the guest reports an address; spec.plain: it may also never do
        "machine.stop",  # guest shutdown, then power off after a deadline
        "machine.update",  # cpus, memory, user-data, attached disks
        "machine.detach",  # all data disks that are ours, so that delete cannot take them along
        "machine.delete",
        "machine.adopt",  # write our markers on a machine that somebody else made, and nothing else
        "machine.release",  # take our markers off again; the machine stays as it is
    }
)


@dataclass(frozen=True, slots=True)
class Action:
    """One call on a connector, with the reason for it.

    ``uses`` names resources whose recorded facts the connector needs; the runner fills ``inputs``
    (resource key -> {"external_id": …, and what the connector returned as result}) just before the call.
    ``serial``: actions of one cloud with the same value never run at the same time.
    ``spec``: the resource's JSON form for create and update, with its ``config_hash`` (the marker to write).
    Where somebody changed a thing on the cloud and the drawing did not (drift that is kept), ``spec`` holds the
    value to apply, which is the cloud's, and ``spec["drawn"]`` the drawing's: a stored ``spec`` is a valid prior.
    ``external_id`` names the existing thing.
    """

    key: str  # "machine:host-1/machine.create"
    verb: str
    resource: str
    change: Change
    title: str
    cause: str
    owner: Owner
    depends_on: tuple[str, ...] = ()
    spec: Mapping[str, Any] = field(default_factory=dict)
    external_id: str | None = None
    uses: tuple[str, ...] = ()
    inputs: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    serial: str | None = None
    destructive: bool = False
    data_loss: bool = False

    def to_json(self) -> dict[str, Any]:
        """Return the action as JSON-able data without ``inputs``; ``spec`` is shared, not copied."""
        return {
            "key": self.key,
            "verb": self.verb,
            "resource": self.resource,
            "change": self.change,
            "title": self.title,
            "cause": self.cause,
            "owner": self.owner.to_json(),
            "depends_on": list(self.depends_on),
            "spec": self.spec,
            "external_id": self.external_id,
            "uses": list(self.uses),
            "serial": self.serial,
            "destructive": self.destructive,
            "data_loss": self.data_loss,
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Action:
        """Rebuild an action from ``to_json``'s form."""
        """Rebuild an action from `to_json`."""
        body = dict(data)
        body["owner"] = Owner(**body["owner"])
        body["depends_on"], body["uses"] = tuple(body["depends_on"]), tuple(body["uses"])
        return cls(**body)

    def with_inputs(self, inputs: Mapping[str, Mapping[str, Any]]) -> Action:
        """Return the action with the facts that its connector needs."""
        """Return the action with the facts that its call needs."""
        return replace(self, inputs=inputs)


@dataclass(frozen=True, slots=True)
class ResourceChange:
    """What happens to one resource, as a person reads it. ``details``: attribute, before, after."""

    resource: str
    kind: str
    name: str
    change: Change
    cause: str
    details: tuple[tuple[str, str, str], ...] = ()
    destructive: bool = False
    data_loss: bool = False

    def to_json(self) -> dict[str, Any]:
        """Return the change as plain data."""
        data = asdict(self)
        data["details"] = [list(detail) for detail in self.details]
        return data


@dataclass(frozen=True, slots=True)
class LedgerEntry:
    """How one Compose key fares on the target.

    ``path`` in the source text (("services", "web", "ports")), ``line`` 1-based or None when it is a default.
    """

    path: tuple[str | int, ...]
    verdict: Literal["honoured", "approximated", "dropped"]
    reason: str
    code: str = ""  # stable id of the rule, e.g. "ledger.build"
    line: int | None = None

    def to_json(self) -> dict[str, Any]:
        """Return the entry as plain data."""
        return {
            "path": list(self.path),
            "verdict": self.verdict,
            "reason": self.reason,
            "code": self.code,
            "line": self.line,
        }


@dataclass(frozen=True, slots=True)
class Requirements:
    """What the desired state needs on the target, in total."""

    machines: int = 0
    cpus: int = 0
    memory_mib: int = 0
    disk_gib: int = 0  # system disks and data disks
    networks: int = 0

    def to_json(self) -> dict[str, int]:
        """Return the sums as plain data."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Plan:
    """Actions with their causes; ``hash`` covers all that would be executed.

    ``base`` is the fingerprint of what was observed; a plan is stale when a new observation gives another one.
    """

    owner: Owner
    target: str
    actions: tuple[Action, ...] = ()
    changes: tuple[ResourceChange, ...] = ()
    ledger: tuple[LedgerEntry, ...] = ()
    findings: tuple[Finding, ...] = ()
    requirements: Requirements = Requirements()
    base: str = ""
    desired: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)  # key -> resources.to_json

    @property
    def hash(self) -> str:
        """Return the hash of all that would be executed."""
        """Return the hash of the base and of everything that would be executed."""
        return digest({"base": self.base, "actions": [action.to_json() for action in self.actions]})

    @property
    def empty(self) -> bool:
        """Tell whether there is nothing to do."""
        """Tell whether there is nothing to do."""
        return not self.actions

    @property
    def data_loss(self) -> tuple[str, ...]:
        """Return the resources whose data would be destroyed."""
        """Return the keys of resources whose data would be lost."""
        return tuple(change.resource for change in self.changes if change.data_loss)

    @property
    def blocked(self) -> bool:
        """Tell whether an error finding forbids to run this plan."""
        return any(finding.severity == "error" for finding in self.findings)

    def counts(self) -> dict[str, int]:
        """Return how many resources fare in which way."""
        """Return how many resources change in which way."""
        counts = dict.fromkeys(("create", "update", "replace", "delete", "keep"), 0)
        for change in self.changes:
            counts[change.change] += 1
        return counts

    def to_json(self) -> dict[str, Any]:
        """Return the plan as plain data, as it is stored."""
        return {
            "format": 1,
            "hash": self.hash,
            "owner": self.owner.to_json(),
            "target": self.target,
            "base": self.base,
            "counts": self.counts(),
            "requirements": self.requirements.to_json(),
            "findings": [finding.to_json() for finding in self.findings],
            "changes": [change.to_json() for change in self.changes],
            "actions": [action.to_json() for action in self.actions],
            "ledger": [entry.to_json() for entry in self.ledger],
            "desired": {key: dict(value) for key, value in self.desired.items()},
        }


def actions_from_json(data: Sequence[Mapping[str, Any]]) -> tuple[Action, ...]:
    """Rebuild actions from their plain data."""
    return tuple(Action.from_json(item) for item in data)
