"""Hold what all parts of a plan look at: the drawing, what exists, what was applied last, and the plan so far."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from engine.observed import ObservedResource
from engine.plan import Change, ResourceChange
from engine.planner.sides import Applied, display_name, own_disks, snapshots
from engine.planner.steps import Steps
from engine.resources import Resource, config_hash, to_json

FOLDER = "folder:deployment"
NEW = "new deployment"
MISSING = "missing on the cloud"


class Situation:
    """Answer questions on one comparison, and take its results."""

    def __init__(
        self,
        wanted: Mapping[str, Resource],
        existing: Mapping[str, ObservedResource],
        prior: Mapping[str, Applied],
        steps: Steps,
    ) -> None:
        self.wanted, self.existing, self.prior, self.steps = wanted, existing, prior, steps
        self.first = not prior and not existing
        self._holders: dict[str, str] | None = None  # volume -> machine that has it

    def cause(self, key: str) -> str:
        """Return why something is made."""
        if self.first:
            return NEW
        return MISSING if key in self.prior else "was added to the drawing"

    def note(
        self,
        resource: Resource,
        change: Change,
        cause: str,
        details: Sequence[tuple[str, str, str]] = (),
        destructive: bool = False,
    ) -> None:
        """Add what happens to a resource, for people."""
        name = display_name(resource.key, resource)
        self.steps.change(ResourceChange(resource.key, resource.kind, name, change, cause, tuple(details), destructive))

    def holder(self, volume: str) -> str | None:
        """Return the machine that has a volume attached."""
        if self._holders is None:
            self._holders = {
                disk: key
                for key, found in self.existing.items()
                if found.kind == "machine"
                for disk in own_disks(found, self.prior.get(key))
            }
        return self._holders.get(volume)

    def check_snapshots(self, machine: str | None, what: str) -> None:
        """Report that a disk of a machine cannot be changed: snapshots stand on it."""
        found = self.existing.get(machine) if machine else None
        if found is not None and snapshots(found):
            name = display_name(found.key, None, found)
            self.steps.finding(
                "plan.snapshots",
                "error",
                f"{name} has snapshots that somebody took, and {what}, which a cloud refuses while they exist: delete "
                "or consolidate them on the cloud and plan again.",
            )


def spec(resource: Resource) -> dict[str, Any]:
    """Return what an action carries: the resource and the hash to mark it with."""
    return {**to_json(resource), "config_hash": config_hash(resource)}
