"""Everything that a canvas needs to paint a running deployment, from the journal alone: no cloud is asked.

Of containers nothing is known but the machine that they are on, since machines report their addresses and no more: a
service is called running when all of its machines are.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from django.db.models import Q

from apps.deployments.across import parts_of
from apps.deployments.models import Deployment, Plan, Resource
from apps.operations import states
from apps.operations.models import Operation, Step
from apps.operations.showing import progress
from engine.across import joined

WORDS = ("failed", "working", "pending", "missing", "stopped", "unknown", "running")
"""The states of a service, the one that is told first when its machines differ."""
_FAILED = frozenset({states.FAILED, states.PARKED, states.REVERT_FAILED})
_BUSY = frozenset({states.RUNNING, states.WAITING, states.REVERTING})
_OPEN = frozenset({states.PENDING, states.READY})
_DONE = frozenset({states.SUCCEEDED, states.REVERTED})
_LOOKED_AT = 20  # operations back, for the plan that tells what should be there


def canvas_of(deployment: Deployment) -> dict[str, Any]:
    """Return a deployment in the form of ``CanvasSerializer``."""
    operations = list(Operation.objects.about("deployment", deployment.id)[:_LOOKED_AT])
    latest = operations[0] if operations else None
    # What went well needs no looking at its steps: the resources tell all of it.
    steps = _Steps(latest) if latest is not None and latest.state != states.SUCCEEDED else None
    machines = _machines(deployment)
    planned, names = _planned(operations)
    for key, (name, cloud) in names.items():
        machines.setdefault(key, {"key": key, "name": name, "state": "missing", "addresses": [], "services": []})
        machines[key].setdefault("cloud", cloud or deployment.cloud.name)
    for machine in machines.values():
        machine["state"] = steps.state_of(machine["key"], machine["state"]) if steps else machine["state"]
    placed = _placed(machines, planned)
    return {
        "deployment": {
            "id": str(deployment.id),
            "name": deployment.name,
            "state": deployment.state,
            "version": deployment.version.number,
            "blueprint": {"id": str(deployment.version.blueprint_id), "name": deployment.version.blueprint.name},
            "region": deployment.region,
            "cloud": {
                "id": str(deployment.cloud_id),
                "name": deployment.cloud.name,
                "ok": (deployment.cloud.health or {}).get("ok"),
            },
            "parts": [
                {
                    "state": part.state,
                    "cloud": {
                        "id": str(part.cloud_id),
                        "name": part.cloud.name,
                        "ok": (part.cloud.health or {}).get("ok"),
                    },
                }
                for part in parts_of(deployment)
            ],
        },
        "services": {
            name: {
                "state": _service_state(name, [machines[key]["state"] for key in keys], steps),
                "machines": [_shown(machines[key]) for key in keys],
                "ports": planned.get(name, {}).get("ports", []),
            }
            for name, keys in sorted(placed.items())
        },
        "machines": [_shown(machine) for _, machine in sorted(machines.items())],
        "operation": _operation(latest) if steps and latest else None,
    }


class _Steps:
    """The steps of the latest operation, by resource and by service."""

    def __init__(self, operation: Operation) -> None:
        self.live = operation.state not in states.OPERATION_ENDS
        self.by_resource: dict[str, set[str]] = {}
        self.by_service: dict[str, set[str]] = {}
        rows = Step.objects.filter(operation=operation, undoes__isnull=True).order_by()
        for group, services, state in rows.values_list("group", "services", "state"):
            self.by_resource.setdefault(group, set()).add(state)
            for service in services:
                self.by_service.setdefault(service, set()).add(state)

    def state_of(self, machine: str, recorded: str) -> str:
        return self._word(self.by_resource.get(machine, set()), recorded)

    def state_of_service(self, service: str, recorded: str) -> str:
        return self._word(self.by_service.get(service, set()), recorded)

    def _word(self, found: set[str], recorded: str) -> str:
        if found & _FAILED:
            return "failed"
        if not self.live or not found:
            return recorded
        if found & _BUSY:
            return "working"
        if found & _OPEN:
            return "working" if found & _DONE else "pending"
        return recorded


def _service_state(name: str, of_machines: Iterable[str], steps: _Steps | None) -> str:
    found = set(of_machines)
    worst = next((word for word in WORDS if word in found), "missing")
    if steps is None:
        return worst
    own = steps.state_of_service(name, worst)
    return own if WORDS.index(own) < WORDS.index(worst) else worst


def _machines(deployment: Deployment) -> dict[str, dict[str, Any]]:
    # The user-data in a spec is large, so the database hands out what is needed of it.
    rows = Resource.objects.filter(
        Q(deployment=deployment) | Q(deployment__parent=deployment), kind="machine"
    ).values_list(
        "key", "name", "state", "spec__workloads", "facts__addresses", "deployment__part", "deployment__cloud__name"
    )
    return {
        joined(part, key): {
            "key": joined(part, key),
            "name": name,
            "state": state if state in ("running", "stopped", "missing") else "unknown",
            "addresses": [str(address) for address in addresses or ()],
            "services": sorted({str(workload["service"]) for workload in workloads or ()}),
            "cloud": cloud,
        }
        for key, name, state, workloads, addresses, part, cloud in rows
    }


def _planned(operations: list[Operation]) -> tuple[dict[str, dict[str, Any]], dict[str, tuple[str, str]]]:
    """Return what should be there by the plan last gone by: services with machines and ports, machines' names, clouds.

    What was taken back is no longer wanted; what a destroy removes was planned by the operation before it.
    """
    wanted = [one for one in operations if one.kind != "destroy" and one.state != states.REVERTED]
    plan_id = wanted[0].data.get("plan") if wanted else None
    if plan_id is None:
        return {}, {}
    rows = Plan.objects.filter(pk=plan_id).values_list("body__services", "body__machines")
    services, machines = rows.first() or (None, None)
    names = {machine["key"]: (machine["name"], machine.get("cloud", "")) for machine in machines or ()}
    wanted_services = {
        name: {"machines": [key for key in told["machines"] if key in names], "ports": told["ports"]}
        for name, told in (services or {}).items()
        if told["change"] not in (None, "delete")
    }
    return wanted_services, names


def _placed(
    machines: Mapping[str, Mapping[str, Any]], planned: Mapping[str, Mapping[str, Any]]
) -> dict[str, list[str]]:
    placed: dict[str, set[str]] = {name: set(told["machines"]) for name, told in planned.items()}
    for key, machine in machines.items():
        for service in machine["services"]:
            placed.setdefault(service, set()).add(key)
    return {name: sorted(keys) for name, keys in placed.items()}


def _shown(machine: Mapping[str, Any]) -> dict[str, Any]:
    return {name: machine[name] for name in ("key", "name", "state", "addresses", "cloud")}


def _operation(operation: Operation) -> dict[str, Any]:
    return {
        "id": str(operation.id),
        "kind": operation.kind,
        "state": operation.state,
        "percent": progress(operation).percent,
        "last_seq": operation.last_seq,
        "error": operation.error,
    }
