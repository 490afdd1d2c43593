"""Writes of deployments: start a plan as an operation, destroy."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from django.db import IntegrityError, transaction

from apps.audit.services import record
from apps.clouds.models import Cloud
from apps.deployments import limiting
from apps.deployments.across import own_action
from apps.deployments.adopting import require_may_start
from apps.deployments.canvas import canvas_of
from apps.deployments.drifting import drift_of
from apps.deployments.models import Deployment, Plan
from apps.deployments.planning import is_stale, make_destroy_plan, make_plan, name_fault
from apps.deployments.previewing import Sketch, preview
from apps.deployments.recording import UNDER_WAY
from apps.operations import services as operations
from apps.operations.models import Operation
from apps.operations.services import ClaimSpec, StepSpec
from apps.tenancy.access import Principal, require
from apps.tenancy.faults import Fault, fault
from apps.tenancy.models import Role

__all__ = [
    "Sketch",
    "canvas_of",
    "destroy",
    "drift_of",
    "is_stale",
    "make_destroy_plan",
    "make_plan",
    "preview",
    "start",
]


def start(principal: Principal, plan: Plan, *, accept_data_loss: bool = False) -> tuple[Deployment, Operation]:
    """Start a plan as an operation and return its deployment with it.

    Faults, each with nothing changed: ``plan.blocked`` (error findings), ``plan.already_started``,
    ``plan.data_loss`` (needs ``accept_data_loss``), ``plan.stale``, ``deployment.name_taken``,
    ``operation.conflict`` (another operation holds the deployment), ``cloud.limit_reached``, ``cloud.not_shared``,
    ``cloud.*`` when it cannot be observed.
    """
    require(principal, Role.ARCHITECT, plan.project)
    require_may_start(principal, plan.project, plan.cloud, plan.body)
    _check_startable(plan, accept_data_loss)
    # Observed before the rows are locked, since a cloud may be slow to answer; what another operation did in between
    # shows in the epoch, which is compared under the lock.
    epoch = _epoch(plan)
    if is_stale(plan):
        raise fault("plan.stale")
    try:
        with transaction.atomic():
            return _start(principal, plan, epoch)
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


def _epoch(plan: Plan) -> int | None:
    """Return how many operations have been let in on the plan's deployment; None while it does not exist."""
    return Deployment.objects.filter(pk=plan.deployment_id).values_list("epoch", flat=True).first()


def _already_started(plan: Plan) -> Fault:
    return fault("plan.already_started", operation=plan.operation_id, extra={"operation": str(plan.operation_id)})


def _start(principal: Principal, plan: Plan, epoch: int | None) -> tuple[Deployment, Operation]:
    locked = Plan.objects.select_for_update(of=("self",)).get(pk=plan.pk)
    if locked.operation_id is not None:
        raise _already_started(locked)
    destroying = plan.purpose == "destroy"
    deployment = Deployment.objects.select_for_update(of=("self",)).filter(pk=plan.deployment_id).first()
    if deployment is not None and deployment.state == "destroyed":
        raise fault("deployment.destroyed", name=deployment.name)
    if (deployment.epoch if deployment is not None else None) != epoch:
        raise fault("plan.stale")
    kind = "destroy" if destroying else ("update" if deployment else "deploy")
    limiting.check(plan)
    if deployment is None:
        assert plan.version is not None  # only destroy plans of old deployments could lack one
        deployment = Deployment.objects.create(
            id=plan.deployment_id,
            project=plan.project,
            name=plan.deployment_name,
            cloud=plan.cloud,
            version=plan.version,
            region=plan.region,
            images=plan.images,
            created_by=principal.user,
        )
    deployment.epoch += 1
    deployment.state = UNDER_WAY[kind]
    deployment.save(update_fields=["epoch", "state", "updated_at"])
    parts = _parts(principal, plan, deployment)
    clouds = {part: row.cloud_id for part, row in parts.items()}
    names = " and ".join(dict.fromkeys(row.cloud.name for row in parts.values()))
    on = {change["resource"]: change.get("services", ()) for change in plan.body["changes"]}
    operation = operations.submit(
        kind=kind,
        title=f"{kind.capitalize()} {deployment.name} on {names}",
        organization=plan.project.organization,
        project=plan.project,
        actor=principal.actor,
        created_by=principal.user,
        steps=[_step(action, clouds, on.get(action["resource"], ())) for action in plan.body["actions"]],
        claims=[
            *(ClaimSpec(f"deployment:{row.id}") for row in parts.values()),
            *(ClaimSpec(f"cloud:{cloud_id}", exclusive=False) for cloud_id in clouds.values()),
        ],
        subject=("deployment", deployment.id),
        cloud_id=plan.cloud_id,
        data={
            "plan": str(plan.id),
            "epoch": deployment.epoch,
            "parts": {part: {"deployment": str(row.id), "cloud": row.cloud.name} for part, row in parts.items()},
        },
    )
    Plan.objects.filter(pk=plan.pk).update(operation_id=operation.id)
    plan.operation_id = operation.id
    record(
        principal,
        f"deployment.{kind}",
        "deployment",
        str(deployment.id),
        deployment.name,
        {"plan": plan.hash, "operation": str(operation.id), "cloud": names},
    )
    deployment.refresh_from_db()  # an operation without steps has finished in here already
    return deployment, operation


def _parts(principal: Principal, plan: Plan, deployment: Deployment) -> dict[str, Deployment]:
    """Return the deployment and its parts on further clouds, by what starts their keys; those that lack are made."""
    found = {"": deployment}
    for told in plan.body.get("parts", ()):
        if not told["part"]:
            continue
        cloud = Cloud.objects.get(pk=told["cloud"]["id"])
        part, _ = Deployment.objects.select_for_update(of=("self",)).get_or_create(
            id=told["deployment"],
            defaults={
                "project": plan.project,
                "name": deployment.name,
                "cloud": cloud,
                "version": deployment.version,
                "parent": deployment,
                "part": told["part"],
                "images": plan.images,
                "created_by": principal.user,
            },
        )
        part.state, part.destroyed_at = deployment.state, None
        part.save(update_fields=["state", "destroyed_at", "updated_at"])
        found[told["part"]] = part
    return found


def _step(action: dict[str, Any], clouds: Mapping[str, Any], services: Sequence[str]) -> StepSpec:
    return StepSpec(
        key=action["key"],
        title=action["title"],
        handler="cloud",
        payload=own_action(action),
        depends_on=tuple(action["depends_on"]),
        group=action["resource"],
        services=services,
        verb=action["verb"],
        change=action["change"],
        serial=action["serial"] or "",
        cloud_id=clouds[action.get("part", "")],
    )
