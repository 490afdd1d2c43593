"""Look at a cloud and say how a deployment differs there from what was deployed; nothing is kept."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from django.utils import timezone

from apps.blueprints.services import invalid_fault, load_project
from apps.deployments import planning
from apps.deployments.across import Spread
from apps.deployments.models import Deployment
from apps.deployments.working import Worked, owner_of
from apps.operations.models import Operation
from apps.tenancy.faults import fault
from engine.across import joined
from engine.compose import ComposeError
from engine.drift import Difference, differences
from engine.observed import ObservedResource

_POWER = {"on": "running", "off": "stopped", "suspended": "stopped"}
_WORST = ("missing", "stopped", "unknown", "running")
_NOT_DRIFT = frozenset({"plan.start_cycle", "plan.restart", "plan.newer_version"})


@dataclass(frozen=True, slots=True)
class Look:
    """What a deployment's clouds have, compared with the deployed version, value by value."""

    worked: Worked | Spread
    differences: tuple[Difference, ...]


def look(deployment: Deployment) -> Look:
    """Look at a deployment's clouds now; nothing is kept.

    Faults: ``deployment.is_part``, ``deployment.destroyed``, ``deployment.changing``, ``compose.invalid``, ``cloud.*``.
    """
    if deployment.parent_id is not None:
        raise fault("deployment.is_part", name=deployment.name, cloud=deployment.cloud.name)
    if deployment.state == "destroyed":
        raise fault("deployment.destroyed", name=deployment.name)
    under_way = Operation.objects.about("deployment", deployment.id).live().values_list("id", flat=True).first()
    if under_way is not None:
        raise fault("deployment.changing", name=deployment.name, extra={"operation": str(under_way)})
    project, cloud = deployment.project, deployment.cloud
    try:
        drawing = load_project(deployment.version, name=deployment.name)
    except ComposeError as error:
        raise invalid_fault(error.findings) from None
    owner = owner_of(project, deployment.id, deployment.name)
    worked = planning.work_out(drawing, project, cloud, owner, deployment, deployment.images, deployment.region)
    found = [
        replace(one, resource=joined(part, one.resource))
        for part, share in worked.shares.items()
        for one in differences(drawing, share.prior, share.observed)
    ]
    return Look(worked, tuple(found))


def drift_of(deployment: Deployment) -> dict[str, Any]:
    """Return how the cloud differs from the deployed version, in the form of ``DriftSerializer``.

    ``differences`` are values that are others on the cloud; ``changes`` is what an update to the very same version
    would do; what somebody changed on the cloud and an update would leave alone is told by findings
    (``plan.drift_kept``, ``plan.stray``). Faults: as `look`.
    """
    seen = look(deployment)
    worked = seen.worked
    data = worked.to_json()
    changes = [change for change in data["changes"] if change["change"] != "keep"]
    findings = [
        finding.to_json()
        for finding in worked.findings
        if finding.code.startswith("plan.") and finding.code not in _NOT_DRIFT
    ]
    machines = {
        joined(part, key): _machine(joined(part, key), spec, share.observed.resources.get(key))
        for part, share in worked.shares.items()
        for key, spec in share.prior.items()
        if spec.get("kind") == "machine"
    }
    return {
        "checked_at": timezone.now(),
        "version": deployment.version.number,
        "region": deployment.region,
        "drifted": bool(changes or findings or seen.differences),
        "differences": [one.to_json() for one in seen.differences],
        "changes": changes,
        "findings": findings,
        "machines": list(machines.values()),
        "services": {
            name: {**told, "state": _state([machines[key]["state"] for key in told["machines"] if key in machines])}
            for name, told in data["services"].items()
            if told["change"] is not None  # another region's, or scaled to none: not missed on this cloud
        },
    }


def _machine(key: str, spec: Mapping[str, Any], found: ObservedResource | None) -> dict[str, Any]:
    told: dict[str, Any] = {"key": key, "name": spec.get("name", ""), "state": "missing"}
    if found is None:
        return {**told, "addresses": [], "differences": []}
    attributes = found.attributes
    differences = [
        {"what": name, "applied": str(spec[name]), "found": str(attributes[name])}
        for name in ("cpus", "memory_mib")
        if attributes.get(name) is not None and spec.get(name) is not None and attributes[name] != spec[name]
    ]
    state = _POWER.get(str(attributes.get("power")), "unknown")
    if spec.get("state") == "running" and state == "stopped":
        differences.append({"what": "power", "applied": "on", "found": str(attributes["power"])})
    addresses = [str(address) for address in attributes.get("addresses") or ()]
    return {**told, "state": state, "addresses": addresses, "differences": differences}


def _state(states: list[str]) -> str:
    return next((state for state in _WORST if state in states), "missing")
