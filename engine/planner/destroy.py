"""Plan the removal of everything that a deployment made, and of nothing else."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from engine.observed import ObservedState
from engine.plan import Plan
from engine.planner import removal
from engine.planner.adopted import release_gone
from engine.planner.sides import fingerprint, read_prior
from engine.planner.steps import Steps
from engine.resources import Owner

_CAUSE = "the deployment is destroyed"


def plan_destroy(
    observed: ObservedState, prior: Mapping[str, Mapping[str, Any]], owner: Owner, target_name: str
) -> Plan:
    """Return the plan that removes what exists of a deployment; data disks too, marked as loss of data.

    A machine with a foreign disk or a snapshot stays, with an error finding, and so does what it stands on. A folder
    that holds strays stays too, with a warning, since deleting it would take them along.
    """
    steps = Steps(owner)
    removal.tell_strays(observed, steps)
    applied = read_prior(prior)
    remover = removal.Remover(steps, observed.resources, applied, set(), {})
    remover.remove(
        sorted(observed.resources),
        cause=lambda key: _CAUSE,
        keep_folder=bool(observed.strays),
        replaced_networks={},
    )
    if observed.strays:
        steps.finding(
            "plan.folder_kept",
            "warning",
            "The deployment's folder is kept, since things that are left alone may stand in it: delete them on the "
            "cloud, "
            "then destroy again.",
        )
    release_gone(steps, applied, observed.resources, ())
    actions = steps.actions()
    order = {"balancer": 0, "machine": 1, "volume": 2, "firewall": 3, "network": 4, "folder": 5}
    return Plan(
        owner=owner,
        target=target_name,
        actions=actions,
        changes=tuple(sorted(steps.changes, key=lambda change: (order.get(change.kind, 9), change.resource))),
        findings=tuple(steps.findings),
        base=fingerprint(observed, prior),
    )
