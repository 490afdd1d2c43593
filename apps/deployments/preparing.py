"""What an action still lacks when its turn comes: facts of other resources, and the one-time fetch token."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from django.conf import settings

from apps.clouds.models import Cloud
from apps.deployments import across, grants
from apps.deployments.models import Plan, Resource
from apps.operations.models import Operation
from apps.operations.registry import StepContext
from connectors.base import ConnectorError
from engine import userdata
from engine.plan import Action
from engine.userdata import addresses


def prepare(step: StepContext, action: Action) -> Action:
    """Return the action as the connector needs it.

    The facts come from the resources' rows, which the journal writes in the transaction that finishes a step:
    they hold for steps of this operation and of all earlier ones, and after any crash.
    """
    keys = {*action.uses, action.resource}
    rows = Resource.objects.filter(deployment_id=action.owner.deployment_id, key__in=keys)
    inputs = {row.key: {**row.facts, "external_id": row.external_id} for row in rows if row.external_id}
    if missing := keys - inputs.keys():
        inputs |= _found_networks(step, missing, step.step_key.removesuffix(action.key))
    action = action.with_inputs(inputs)
    if action.verb in ("machine.create", "machine.update") and addresses.wanted(action.spec.get("userdata") or {}):
        action = replace(action, spec={**action.spec, "userdata": _addressed(step, action)})
    if action.verb in ("machine.create", "machine.update") and action.spec.get("fetches_secrets"):
        token = grants.mint(
            deployment_id=action.owner.deployment_id,
            step_key=step.key,
            machine_spec=dict(action.spec),
            operation_id=step.operation_id,
        )
        fetch = {"url": machine_endpoint(), "token": token, "ca": authority()}
        action = replace(action, spec={**action.spec, "userdata": userdata.materialise(action.spec["userdata"], fetch)})
    return action


def _addressed(step: StepContext, action: Action) -> dict[str, Any]:
    """Return a machine's user-data with the addresses of the machines on other clouds that it names."""
    parts = Operation.objects.filter(pk=step.operation_id).values_list("data__parts", flat=True).get() or {}
    cloud = Cloud.objects.get(pk=step.cloud_id)
    found = across.peers_of(action.spec["userdata"], parts, cloud)
    unheard = [peer for peer, address in found.items() if address is None]
    if unheard:
        across.ask_for(unheard, parts)
        found = across.peers_of(action.spec["userdata"], parts, cloud)
    for peer, address in found.items():
        if address is None:
            there = parts.get(peer.part, {}).get("cloud", peer.part)
            raise ConnectorError(
                "across.no_address",
                f"{action.spec.get('name')} cannot be told where {peer.label} on {there} is - that machine has "
                f"reported no address that another cloud could use - see on {there} whether it runs and has a "
                "network, then retry",
            )
    return addresses.filled(action.spec["userdata"], {peer: str(address) for peer, address in found.items()})


def _found_networks(step: StepContext, keys: set[str], start: str) -> dict[str, dict[str, Any]]:
    """Return networks that the drawing only uses, by name: nobody makes them, so no row speaks of them."""
    desired = Plan.objects.filter(operation_id=step.operation_id).values_list("body__desired", flat=True).first() or {}
    wanted = ((key, desired.get(start + key, {})) for key in keys)
    return {key: {"name": spec["name"]} for key, spec in wanted if spec.get("managed") is False}


def machine_endpoint() -> str:
    """Return the address at which machines fetch their secrets."""
    return f"{settings.ESCALE_MACHINE_URL}/machine/v1/secrets/"


def authority() -> str:
    """Return the PEM text of the authority that machines verify the portal by; empty: a public one."""
    path: Path | None = settings.ESCALE_MACHINE_CA
    return path.read_text() if path else ""
