"""Writes of deployments: start a plan, destroy, and what the operation's steps record when they are done."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.db import IntegrityError, transaction
from django.utils import timezone

from apps.audit.services import record
from apps.deployments.models import Deployment, Plan, Resource
from apps.deployments.planning import is_stale, make_destroy_plan, make_plan, name_fault
from apps.operations import services as operations
from apps.operations.models import Operation
from apps.operations.services import ClaimSpec, StepSpec
from apps.tenancy.access import Principal, require
from apps.tenancy.faults import Fault, fault
from apps.tenancy.models import Role

__all__ = ["destroy", "is_stale", "make_destroy_plan", "make_plan", "start"]


def start(principal: Principal, plan: Plan, *, accept_data_loss: bool = False) -> tuple[Deployment, Operation]:
    """Start a plan as an operation and return its deployment with it.

    Faults, each with nothing changed: ``plan.blocked`` (error findings), ``plan.already_started``,
    ``plan.data_loss`` (needs ``accept_data_loss``), ``plan.stale``, ``deployment.name_taken``,
    ``operation.conflict`` (another operation holds the deployment), ``cloud.*`` when it cannot be observed.
    """
    require(principal, Role.ARCHITECT, plan.project)
    _check_startable(plan, accept_data_loss)
    # Observed before the transaction: no row stays locked while a cloud is slow to answer. What changes in
    # between is caught by the deployment's exclusive claim and by the connector's own checks of markers.
    if is_stale(plan):
        raise fault("plan.stale")
    try:
        with transaction.atomic():
            return _start(principal, plan)
    except IntegrityError as error:
        if "deployment_name_unique" in str(error):
            raise name_fault(plan.project, plan.deployment_name) from None
        raise


def destroy(principal: Principal, deployment: Deployment) -> Operation:
    """Plan and start the removal of everything the deployment made, data disks included."""
    plan = make_destroy_plan(principal, deployment)
    _, operation = start(principal, plan, accept_data_loss=True)
    return operation


def _check_startable(plan: Plan, accept_data_loss: bool) -> None:
    errors = [finding for finding in plan.body["findings"] if finding["severity"] == "error"]
    if errors:
        raise fault("plan.blocked", first=errors[0]["message"], findings=errors)
    if plan.operation_id is not None:
        raise _already_started(plan)
    lost = [change["name"] for change in plan.body["changes"] if change["data_loss"]]
    if lost and not accept_data_loss:
        raise fault("plan.data_loss", names=", ".join(lost), extra={"data_loss": lost})


def _already_started(plan: Plan) -> Fault:
    return fault("plan.already_started", operation=plan.operation_id, extra={"operation": str(plan.operation_id)})


def _start(principal: Principal, plan: Plan) -> tuple[Deployment, Operation]:
    locked = Plan.objects.select_for_update(of=("self",)).get(pk=plan.pk)
    if locked.operation_id is not None:
        raise _already_started(locked)
    destroying = plan.purpose == "destroy"
    deployment = Deployment.objects.select_for_update(of=("self",)).filter(pk=plan.deployment_id).first()
    kind = "destroy" if destroying else ("update" if deployment else "deploy")
    if deployment is None:
        assert plan.version is not None  # only destroy plans of old deployments could lack one
        deployment = Deployment.objects.create(
            id=plan.deployment_id,
            project=plan.project,
            name=plan.deployment_name,
            cloud=plan.cloud,
            version=plan.version,
            images=plan.images,
            created_by=principal.user,
        )
    deployment.epoch += 1
    deployment.state = {"deploy": "deploying", "update": "updating", "destroy": "destroying"}[kind]
    deployment.save(update_fields=["epoch", "state", "updated_at"])
    operation = operations.submit(
        kind=kind,
        title=f"{kind.capitalize()} {deployment.name} on {plan.cloud.name}",
        organization=plan.project.organization,
        project=plan.project,
        actor=principal.actor,
        created_by=principal.user,
        steps=[_step(action, plan) for action in plan.body["actions"]],
        claims=[ClaimSpec(f"deployment:{deployment.id}"), ClaimSpec(f"cloud:{plan.cloud_id}", exclusive=False)],
        subject=("deployment", deployment.id),
        cloud_id=plan.cloud_id,
        data={"plan": str(plan.id), "epoch": deployment.epoch},
    )
    Plan.objects.filter(pk=plan.pk).update(operation_id=operation.id)
    plan.operation_id = operation.id
    record(
        principal,
        f"deployment.{kind}",
        "deployment",
        str(deployment.id),
        deployment.name,
        {"plan": plan.hash, "operation": str(operation.id), "cloud": plan.cloud.name},
    )
    deployment.refresh_from_db()  # an operation without steps has finished in here already
    return deployment, operation


def _step(action: dict[str, Any], plan: Plan) -> StepSpec:
    return StepSpec(
        key=action["key"],
        title=action["title"],
        handler="cloud",
        payload=action,
        depends_on=tuple(action["depends_on"]),
        group=action["resource"],
        verb=action["verb"],
        change=action["change"],
        serial=action["serial"] or "",
        cloud_id=plan.cloud_id,
    )


# What the journal calls, in the transaction of the transition that it speaks of.

_STATES = {
    "machine.create": "stopped",
    "machine.start": "running",
    "machine.ready": "running",
    "machine.update": "running",
    "machine.stop": "stopped",
}
_APPLIES = frozenset({"folder.create", "network.create", "volume.create", "volume.extend", "machine.create",
                      "machine.update"})  # fmt: skip


def on_steps_done(operation: Operation, steps: list[Any]) -> None:
    """Record what finished steps made, changed or removed."""
    from apps.deployments import grants

    assert operation.subject_id is not None
    for step in steps:
        action, result = step.payload, dict(step.result or {})
        if not isinstance(action, dict) or "verb" not in action:
            continue
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


def on_steps_reverted(operation: Operation, steps: list[Any]) -> None:
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


def machine_endpoint() -> str:
    """Return the address at which machines fetch their secrets."""
    return f"{settings.ESCALE_MACHINE_URL}/machine/v1/secrets/"
