"""What operations record about a deployment, in the transaction of the transition that they speak of."""

from __future__ import annotations

from django.utils import timezone

from apps.clouds.models import Cloud
from apps.deployments import grants
from apps.deployments.models import Deployment, Plan, Resource
from apps.operations.models import Operation
from apps.operations.registry import StepReport

UNDER_WAY = {"deploy": "deploying", "update": "updating", "destroy": "destroying"}
_STATES = {
    "machine.create": "stopped",
    "machine.start": "running",
    "machine.ready": "running",
    "machine.stop": "stopped",
}
_APPLIES = frozenset({"folder.create", "network.create", "volume.create", "volume.extend", "machine.create",
                      "machine.update"})  # fmt: skip


def on_steps_done(operation: Operation, steps: list[StepReport]) -> None:
    """Record what finished steps made, changed or removed."""
    assert operation.subject_id is not None
    for step in steps:
        action, result = step.payload, dict(step.result or {})
        verb, key = action["verb"], action["resource"]
        if verb.endswith(".delete"):
            Resource.objects.filter(deployment_id=operation.subject_id, key=key).delete()
            continue
        resource, _ = Resource.objects.get_or_create(
            deployment_id=operation.subject_id,
            key=key,
            defaults={"kind": key.partition(":")[0], "name": action["spec"].get("name") or key.partition(":")[2]},
        )
        if external_id := result.pop("external_id", ""):
            resource.external_id = external_id
        resource.facts = {**resource.facts, **result}
        if verb in _APPLIES:
            resource.spec = action["spec"]
            resource.name = action["spec"].get("name") or resource.name
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
        if verb.endswith(".create"):
            Resource.objects.filter(deployment_id=operation.subject_id, key=key).delete()
        elif verb == "machine.start":
            Resource.objects.filter(deployment_id=operation.subject_id, key=key).update(state="stopped")


def on_finished(operation: Operation) -> None:
    """Bring the deployment to where its operation ended."""
    deployment = Deployment.objects.select_for_update(of=("self",)).get(pk=operation.subject_id)
    plan = Plan.objects.filter(pk=operation.data.get("plan")).first()
    succeeded = operation.state == "succeeded"
    if succeeded and operation.kind != "destroy":
        deployment.state = "running"
        if plan is not None:
            if plan.version_id is not None:
                deployment.version_id = plan.version_id
            deployment.images = plan.images
    elif (succeeded and operation.kind == "destroy") or (
        operation.kind == "deploy" and operation.state == "reverted" and not deployment.resources.exists()
    ):
        # A first deployment that was undone to the last piece leaves nothing behind, not even its name.
        deployment.state, deployment.destroyed_at = "destroyed", timezone.now()
        deployment.grants.all().delete()
    elif operation.state == "reverted" and operation.kind == "update":
        deployment.state = "running"
    else:
        deployment.state = "failed"
    deployment.save()


def on_resumed(operation: Operation) -> None:
    """Show that a retry or a rollback is under way."""
    Deployment.objects.filter(pk=operation.subject_id).update(state=UNDER_WAY[operation.kind])


def deployments_on(cloud: Cloud) -> list[str]:
    """Return the names of what still lives on a cloud."""
    return list(Deployment.objects.filter(cloud=cloud).exclude(state="destroyed").values_list("name", flat=True))
