"""Collect the actions and changes of a plan, with what depends on what, and put them in order."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from engine import graph
from engine.findings import Finding, Severity
from engine.plan import Action, Change, ResourceChange
from engine.resources import Owner

_SERIAL = {"folder.create": "folders", "folder.delete": "folders"}
_WORDS = {
    "folder.create": "Create the folder",
    "folder.delete": "Delete the folder",
    "network.create": "Create the network",
    "network.delete": "Delete the network",
    "firewall.create": "Create the firewall",
    "firewall.update": "Update the firewall",
    "firewall.delete": "Delete the firewall",
    "volume.create": "Create the volume",
    "volume.extend": "Extend the volume",
    "volume.delete": "Delete the volume",
    "machine.create": "Create the machine",
    "machine.start": "Start the machine",
    "machine.ready": "Wait for the machine",
    "machine.stop": "Stop the machine",
    "machine.update": "Update the machine",
    "machine.detach": "Detach the data disks of the machine",
    "machine.delete": "Delete the machine",
    "balancer.create": "Create the balancer",
    "balancer.update": "Update the balancer",
    "balancer.delete": "Delete the balancer",
    "machine.adopt": "Write Escale's markers on",
    "machine.release": "Take Escale's markers off",
}
# In the order in which a person expects them, where dependencies leave a choice.
_RANK = {verb: rank for rank, verb in enumerate(_WORDS)}


def action_key(resource: str, verb: str) -> str:
    """Return the key of an action: unique in its plan, since no verb is used twice on one resource."""
    return f"{resource}/{verb}"


class Steps:
    """Gather a plan's actions; dependencies on actions that the plan does not have fall away at the end."""

    def __init__(self, owner: Owner) -> None:
        self.owner = owner
        self.changes: list[ResourceChange] = []
        self.findings: list[Finding] = []
        self._actions: dict[str, dict[str, Any]] = {}
        self._needs: dict[str, dict[str, None]] = {}

    def act(
        self,
        verb: str,
        resource: str,
        name: str,
        change: Change,
        cause: str,
        *,
        after: Iterable[str] = (),
        spec: Mapping[str, Any] | None = None,
        external_id: str | None = None,
        uses: Iterable[str] = (),
        destructive: bool = False,
        data_loss: bool = False,
    ) -> str:
        """Add an action and return its key; ``after`` may name actions that are added later, or never."""
        key = action_key(resource, verb)
        self._actions[key] = {
            "key": key,
            "verb": verb,
            "resource": resource,
            "change": change,
            "title": f"{_WORDS[verb]} {name}",
            "cause": cause,
            "owner": self.owner,
            "spec": spec or {},
            "external_id": external_id,
            "uses": tuple(dict.fromkeys(uses)),
            "serial": _SERIAL.get(verb),
            "destructive": destructive,
            "data_loss": data_loss,
        }
        self._needs.setdefault(key, {}).update(dict.fromkeys(after))
        return key

    def order(self, key: str, after: Iterable[str]) -> None:
        """Let an action wait for others too."""
        self._needs.setdefault(key, {}).update(dict.fromkeys(after))

    def has(self, resource: str, verb: str) -> bool:
        """Tell whether the plan has an action."""
        return action_key(resource, verb) in self._actions

    def change(self, change: ResourceChange) -> None:
        """Add what happens to a resource, for people."""
        self.changes.append(change)

    def finding(self, code: str, severity: Severity, message: str) -> None:
        """Report a finding."""
        self.findings.append(Finding(code, severity, message))

    def actions(self) -> tuple[Action, ...]:
        """Return the actions in an order that respects the dependencies; CycleError would be a mistake in here."""
        needs = {key: [need for need in self._needs[key] if need in self._actions] for key in self._actions}
        ranked = sorted(self._actions, key=lambda key: _RANK[self._actions[key]["verb"]])
        ordered = graph.in_order({key: needs[key] for key in ranked})
        return tuple(Action(**self._actions[key], depends_on=tuple(needs[key])) for key in ordered)
