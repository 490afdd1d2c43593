"""Look at what exists of a deployment, with the machines that it adopted or is about to: they stand anywhere."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from django.db.models.expressions import RawSQL

from apps.clouds.connections import connect
from apps.clouds.models import Cloud
from apps.deployments.models import Deployment, Plan
from apps.deployments.working import cloud_fault, observe
from apps.tenancy.faults import Fault, fault
from connectors.base import ConnectorError
from engine.compose import Project as Drawing
from engine.found import FoundMachine
from engine.observed import ObservedResource, ObservedState
from engine.resources import Machine, Owner, Resource

_LAST_ADOPTED = '$.actions[*] ? (@.verb == "machine.adopt").external_id'


@dataclass(frozen=True, slots=True)
class Sight:
    """What exists of a deployment, and the machines that it may adopt, by identity."""

    observed: ObservedState = field(default_factory=ObservedState)
    adoptable: Mapping[str, FoundMachine] = field(default_factory=dict)


def look(
    cloud: Cloud,
    owner: Owner,
    deployment: Deployment | None,
    prior: Mapping[str, Mapping[str, Any]],
    desired: Iterable[str] = (),
    *,
    several: bool = False,
) -> Sight:
    """Return what a cloud has of a deployment now; ``desired``: identities that its drawing adopts.

    ``several``: it is one of several clouds, some of which may not be able to adopt: there they have no such machine.

    Faults: ``cloud.not_ready``, ``plan.adopt_unsupported``.
    """
    observed = observe(cloud, owner) if deployment is not None else ObservedState()
    applied = {str(spec["adopted"]): key for key, spec in prior.items() if spec.get("adopted")}
    ids = {*map(str.lower, desired), *applied}
    if deployment is not None:
        ids |= _begun(deployment)
    if not ids:
        return Sight(observed)
    try:
        found = describe(cloud, ids)
    except Fault as problem:
        if not several or problem.code != "plan.adopt_unsupported":
            raise
        return Sight(observed)
    return _with_adopted(observed, owner, found, applied)


def describe(cloud: Cloud, ids: Collection[str]) -> tuple[FoundMachine, ...]:
    """Return machines by identity as they are on a cloud now; copies of one identity say how many there are.

    Faults: ``cloud.not_ready``, ``plan.adopt_unsupported``.
    """
    try:
        found = connect(cloud).use(lambda connector: _describe(connector, sorted(ids)))
    except ConnectorError as error:
        raise cloud_fault(cloud, error) from None
    if found is None:
        raise fault("plan.adopt_unsupported", cloud=cloud.name)
    copies = Counter(one.id for one in found if not one.owned)
    return tuple(replace(one, copies=copies[one.id]) if copies[one.id] > 1 else one for one in found)


def adopted_in(resources: Mapping[str, Resource]) -> list[str]:
    """Return the identities of the machines that resources adopt."""
    return [one.adopted for one in resources.values() if isinstance(one, Machine) and one.adopted is not None]


def adopted_in_drawing(drawing: Drawing) -> list[str]:
    """Return the identities of the machines that a drawing means to adopt, on whatever cloud."""
    machines = (drawing.extensions().get("x-escale") or {}).get("machines") or {}
    bodies = machines.values() if isinstance(machines, Mapping) else ()
    adopted = [body.get("adopt") for body in bodies if isinstance(body, Mapping)]
    return [str(one["uuid"]).lower() for one in adopted if isinstance(one, Mapping) and one.get("uuid")]


def adopted_in_body(desired: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """Return the same of a stored plan's ``desired``."""
    return [str(spec["adopted"]) for spec in desired.values() if spec.get("adopted")]


def _describe(connector: Any, ids: list[str]) -> tuple[FoundMachine, ...] | None:
    read = getattr(connector, "describe", None)
    return None if read is None else read(ids)


def _begun(deployment: Deployment) -> set[str]:
    """Return what the last started plan was to adopt: an operation that broke off may have marked it unrecorded."""
    plans = Plan.objects.filter(deployment_id=deployment.id, operation_id__isnull=False).order_by("-created_at")
    found = plans.annotate(adopted=RawSQL("jsonb_path_query_array(body, %s::jsonpath)", [_LAST_ADOPTED]))
    return {str(identity).lower() for identity in found.values_list("adopted", flat=True).first() or ()}


def _with_adopted(
    observed: ObservedState, owner: Owner, found: Iterable[FoundMachine], applied: Mapping[str, str]
) -> Sight:
    resources = dict(observed.resources)
    strays = list(observed.strays)
    adoptable: dict[str, FoundMachine] = {}
    for one in found:
        if not one.is_of(owner):
            known = adoptable.get(one.id)
            if known is None or (known.owned and not one.owned):
                adoptable[one.id] = one
            continue
        seen = one.observed(adopted=applied.get(one.id) == one.resource)
        other: ObservedResource | None = resources.get(seen.key)
        if not one.resource or (other is not None and other.external_id != seen.external_id):
            strays.append(seen)
        elif seen.attributes["adopted"]:
            resources[seen.key] = seen
        elif other is None:
            strays.append(seen)
    for resource in resources.values():
        adoptable.pop(resource.external_id, None)
    return Sight(ObservedState(resources, tuple(strays)), adoptable)
