"""What an action still lacks when its turn comes: facts of other resources, and the one-time fetch token."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from django.conf import settings

from apps.deployments import grants
from apps.deployments.models import Resource
from apps.operations.registry import StepContext
from engine import userdata
from engine.plan import Action


def prepare(step: StepContext, action: Action) -> Action:
    """Return the action as the connector needs it.

    The facts come from the resources' rows, which the journal writes in the transaction that finishes a step:
    they hold for steps of this operation and of all earlier ones, and after any crash.
    """
    keys = {*action.uses, action.resource}
    rows = Resource.objects.filter(deployment_id=action.owner.deployment_id, key__in=keys)
    inputs = {row.key: {**row.facts, "external_id": row.external_id} for row in rows if row.external_id}
    action = action.with_inputs(inputs)
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


def machine_endpoint() -> str:
    """Return the address at which machines fetch their secrets."""
    return f"{settings.ESCALE_MACHINE_URL}/machine/v1/secrets/"


def authority() -> str:
    """Return the PEM text of the authority that machines verify the portal by; empty: a public one."""
    path: Path | None = settings.ESCALE_MACHINE_CA
    return path.read_text() if path else ""
