"""What a plan over several clouds is made from, and what it is."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from engine import graph
from engine.findings import Finding
from engine.found import FoundMachine
from engine.observed import ObservedState, Target
from engine.plan import LedgerEntry, Plan
from engine.resources import Owner, digest
from engine.userdata import addresses
from engine.userdata.addresses import Peer


@dataclass(frozen=True, slots=True)
class Side:
    """One cloud of a deployment, with what exists there.

    ``part`` starts the keys of what is there, and is empty for the deployment's main cloud; ``cloud`` is the cloud's
    name in the drawing. ``reported``: machine -> addresses that it told last. ``given``: machine -> the addresses of
    machines elsewhere that it was made with. ``reaches``: clouds whose private addresses are routed to from here.
    ``public``: machines get addresses there that can be reached from anywhere. ``adoptable`` and ``restore``: as for
    ``planner.plan``.
    """

    part: str
    cloud: str
    target: Target
    owner: Owner
    observed: ObservedState = field(default_factory=ObservedState)
    adoptable: Mapping[str, FoundMachine] = field(default_factory=dict)
    restore: bool = False
    prior: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    reported: Mapping[str, Sequence[str]] = field(default_factory=dict)
    given: Mapping[str, Mapping[Peer, str]] = field(default_factory=dict)
    reaches: frozenset[str] = frozenset()
    public: bool = False

    @property
    def exists(self) -> bool:
        """Tell whether anything was made there, or is there."""
        return bool(self.prior or self.observed.resources or self.observed.strays)


@dataclass(frozen=True, slots=True)
class Crossing:
    """One port by which a service reaches another over a border, and what that needs."""

    caller: str
    caller_cloud: str
    called: str
    called_cloud: str
    port: int
    container_port: int
    protocol: str
    machines: tuple[str, ...]  # names of the machines that are reached
    addresses: tuple[str, ...]  # theirs, as far as they are known
    firewall: str  # the rule of ours that lets it in; empty where none of ours stands before the machine
    waits: bool

    def to_json(self) -> dict[str, Any]:
        """Return the crossing as plain data."""
        return {
            "caller": self.caller,
            "caller_cloud": self.caller_cloud,
            "called": self.called,
            "called_cloud": self.called_cloud,
            "port": self.port,
            "container_port": self.container_port,
            "protocol": self.protocol,
            "machines": list(self.machines),
            "addresses": list(self.addresses),
            "firewall": self.firewall,
            "waits": self.waits,
        }


@dataclass(frozen=True, slots=True)
class Across:
    """A plan over several clouds.

    ``plans``: part -> the plan of its cloud. ``after``: action -> actions on other clouds that it waits for, by
    ``joined`` keys. ``findings`` and ``ledger`` speak of the borders alone.
    """

    plans: Mapping[str, Plan]
    regions: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    crossings: tuple[Crossing, ...] = ()
    after: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    findings: tuple[Finding, ...] = ()
    ledger: tuple[LedgerEntry, ...] = ()

    @property
    def hash(self) -> str:
        """Return the hash of all that would be executed, on all clouds."""
        return digest({"plans": {part: plan.hash for part, plan in self.plans.items()}, "after": dict(self.after)})

    @property
    def blocked(self) -> bool:
        """Tell whether an error finding forbids to run this plan."""
        return any(finding.severity == "error" for finding in self.all_findings())

    @property
    def empty(self) -> bool:
        """Tell whether there is nothing to do on any cloud."""
        return all(plan.empty for plan in self.plans.values())

    def all_findings(self) -> tuple[Finding, ...]:
        """Return the findings of borders and clouds, each once, errors first."""
        found = dict.fromkeys([*self.findings, *(one for plan in self.plans.values() for one in plan.findings)])
        return tuple(sorted(found, key=lambda finding: ("error", "warning", "info").index(finding.severity)))

    def order(self) -> list[str]:
        """Return the joined keys of all actions, each after those that it waits for."""
        return graph.in_order(waiting_for(self.plans, self.after))


def joined(part: str, key: str) -> str:
    """Return the key of a thing or action among those of all clouds."""
    return f"{part}/{key}" if part else key


def reachable(spec: Mapping[str, Any], reported: Iterable[object], *, connected: bool) -> str | None:
    """Return the address by which another cloud reaches a machine; None when it has reported none.

    ``spec``: the machine as applied. The cards with addresses of the plan's own are on networks that only this
    deployment's machines on this cloud see: they count only where it has no other card. A guest may tell of them
    first, and then the other one's address is still to come. ``connected``: private addresses are routed.
    """
    told, nics = list(reported), list(spec.get("nics") or ())
    internal = [nic["address"] for nic in nics if nic.get("address")]
    outside = addresses.choose(told, private_first=connected, internal=internal)
    if outside is not None or len(internal) < len(nics):
        return outside
    return addresses.choose(told, private_first=connected)


def waiting_for(plans: Mapping[str, Plan], after: Mapping[str, Sequence[str]]) -> dict[str, list[str]]:
    """Return what each action of all clouds waits for, by joined keys."""
    return {
        joined(part, action.key): [
            *(joined(part, need) for need in action.depends_on),
            *after.get(joined(part, action.key), ()),
        ]
        for part, plan in plans.items()
        for action in plan.actions
    }
