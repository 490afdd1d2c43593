"""What operations record about a deployment, in the transaction of the transition that they speak of."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.utils import timezone
from django.utils.translation import gettext as _

from apps.clouds.models import Cloud
from apps.deployments import across, grants
from apps.deployments.models import Deployment, Plan, Resource
from apps.operations import states
from apps.operations.models import Operation, Step
from apps.operations.registry import StepReport

UNDER_WAY = {"deploy": "deploying", "update": "updating", "destroy": "destroying"}
_STATES = {
    "machine.create": "stopped",
    "machine.start": "running",
    "machine.ready": "running",
    "machine.stop": "stopped",
}
_APPLIES = frozenset({"folder.create", "network.create", "volume.create", "volume.extend", "machine.create",
                      "machine.update", "machine.adopt", "firewall.create", "firewall.update", "balancer.create",
                      "balancer.update"})  # fmt: skip


def on_steps_done(operation: Operation, steps: list[StepReport]) -> None:
    """Record what finished steps made, changed or removed."""
    assert operation.subject_id is not None
    for step in steps:
        action, result = step.payload, dict(step.result or {})
        verb, key = action["verb"], action["resource"]
        deployment_id = action["owner"]["deployment_id"]  # of the part that it is a step of
        if verb.endswith(".delete") or verb == "machine.release":
            Resource.objects.filter(deployment_id=deployment_id, key=key).delete()
            continue
        resource, _ = Resource.objects.get_or_create(
            deployment_id=deployment_id,
            key=key,
            defaults={"kind": key.partition(":")[0], "name": action["spec"].get("name") or key.partition(":")[2]},
        )
        if external_id := result.pop("external_id", ""):
            resource.external_id = external_id
        resource.facts = {**resource.facts, **result}
        if verb in _APPLIES:
            resource.spec = action["spec"]
            resource.name = action["spec"].get("name") or resource.name
        if verb in ("machine.create", "machine.update"):
            resource.facts["peers"] = _peers(operation, action["spec"], resource)
        if verb == "machine.adopt":
            resource.state = "running" if resource.facts.get("power") == "on" else "stopped"
        resource.state = _STATES.get(verb, "present" if resource.state == "creating" else resource.state)
        resource.save()
        if verb in ("machine.create", "machine.update"):
            grants.bind(operation, step, resource)
        elif verb == "machine.start":
            grants.prolong(resource)


def on_steps_reverted(operation: Operation, steps: list[StepReport]) -> None:
    """Forget what was undone."""
    for step in steps:
        verb, key = step.payload.get("verb", ""), step.payload.get("resource", "")
        deployment_id = step.payload.get("owner", {}).get("deployment_id", operation.subject_id)
        if verb.endswith(".create") or verb == "machine.adopt":
            Resource.objects.filter(deployment_id=deployment_id, key=key).delete()
        elif verb == "machine.start":
            Resource.objects.filter(deployment_id=deployment_id, key=key).update(state="stopped")
        elif verb == "machine.release" and step.payload["spec"].get("adopted"):
            _remember(deployment_id, step.payload)


def _remember(deployment_id: Any, action: Mapping[str, Any]) -> None:
    """Keep a machine whose release was taken back: it is adopted again."""
    spec = action["spec"]
    Resource.objects.update_or_create(
        deployment_id=deployment_id,
        key=action["resource"],
        defaults={
            "kind": "machine",
            "name": spec["name"],
            "external_id": spec["adopted"],
            "spec": spec,
            "state": "present",
        },
    )


def on_finished(operation: Operation) -> None:
    """Bring the deployment, and its parts on further clouds, to where their operation ended."""
    deployment = Deployment.objects.select_for_update(of=("self",)).get(pk=operation.subject_id)
    plan = Plan.objects.filter(pk=operation.data.get("plan")).first()
    parts = list(Deployment.objects.select_for_update(of=("self",)).filter(pk__in=_part_ids(operation)))
    succeeded = operation.state == "succeeded"
    left = any(one.resources.exists() for one in (deployment, *parts))
    if succeeded and operation.kind != "destroy":
        deployment.state = "running"
        if plan is not None:
            if plan.version_id is not None:
                deployment.version_id = plan.version_id
            deployment.images = plan.images
    elif (succeeded and operation.kind == "destroy") or (
        operation.kind == "deploy" and operation.state == "reverted" and not left
    ):
        # A first deployment that was undone to the last piece leaves nothing behind, not even its name.
        _end(deployment)
    elif operation.state == "reverted" and operation.kind == "update":
        deployment.state = "running"
    else:
        deployment.state = "failed"
    deployment.save()
    for part in parts:
        _finish_part(operation, deployment, part)


def _finish_part(operation: Operation, deployment: Deployment, part: Deployment) -> None:
    """Bring a part to where the operation ended: a cloud on which nothing of it is left has no part any more."""
    part.version_id, part.images = deployment.version_id, deployment.images
    gone = not part.resources.exists()
    if deployment.state == "destroyed" or (gone and operation.state in ("succeeded", "reverted")):
        _end(part)
    elif deployment.state == "failed":
        steps = Step.objects.filter(operation=operation, key__startswith=f"{part.part}/", undoes__isnull=True)
        part.state = "failed" if steps.exclude(state=states.SUCCEEDED).exists() else "running"
    else:
        part.state = deployment.state
    part.save()


def _end(deployment: Deployment) -> None:
    deployment.state, deployment.destroyed_at = "destroyed", timezone.now()
    deployment.grants.all().delete()


def _part_ids(operation: Operation) -> list[str]:
    parts = operation.data.get("parts") or {}
    return [told["deployment"] for part, told in parts.items() if part]


def _peers(operation: Operation, spec: Mapping[str, Any], resource: Resource) -> dict[str, str]:
    """Return the addresses on other clouds that a machine was given, so that a later plan notices when they change."""
    parts = operation.data.get("parts") or {}
    if len(parts) < 2:
        return {}
    found = across.peers_of(spec.get("userdata") or {}, parts, resource.deployment.cloud)
    return across.peers_json({peer: address for peer, address in found.items() if address is not None})


def on_resumed(operation: Operation) -> None:
    """Show that a retry or a rollback is under way."""
    ids = [operation.subject_id, *_part_ids(operation)]
    Deployment.objects.filter(pk__in=ids).update(state=UNDER_WAY[operation.kind])


def deployments_on(cloud: Cloud) -> list[str]:
    """Return the names of what still lives on a cloud; what others call theirs is not for its owner."""
    rows = Deployment.objects.filter(cloud=cloud).exclude(state="destroyed")
    return [
        name if organization == cloud.organization_id else _("one of another organization")
        for name, organization in rows.values_list("name", "project__organization")
    ]
