"""From a drawing and a cloud to a stored plan: observe, realise, compare, keep."""

from __future__ import annotations

import hashlib
import hmac
import uuid
from collections.abc import Mapping
from typing import Any

from django.conf import settings
from django.utils.text import slugify

from apps.audit.services import record
from apps.blueprints.models import BlueprintVersion
from apps.blueprints.services import check_name, invalid_fault, load_project, project_name
from apps.clouds import reading
from apps.clouds.connections import connect
from apps.clouds.models import Cloud
from apps.deployments.models import Deployment, Plan
from apps.tenancy.access import Principal, require
from apps.tenancy.faults import Fault, fault
from apps.tenancy.models import Project, Role
from connectors.base import ConnectorError
from engine import planner
from engine.compose import ComposeError
from engine.compose import Project as Drawing
from engine.observed import ObservedState
from engine.plan import Plan as EnginePlan
from engine.realise import realise
from engine.resources import Owner
from engine.userdata.contents import content_of

MAX_IMAGES = 1000


def make_plan(
    principal: Principal,
    *,
    project: Project,
    version: BlueprintVersion,
    cloud: Cloud,
    deployment: Deployment | None = None,
    name: str | None = None,
    images: Mapping[str, str] | None = None,
) -> Plan:
    """Plan what makes the cloud as drawn and store it; nothing outside is touched.

    Without a deployment the plan is for a new one called ``name`` (the blueprint's name by default). Faults:
    ``deployment.name_taken``, ``plan.cloud_differs``, ``deployment.destroyed``, ``compose.invalid``, ``cloud.*``.
    A plan with error findings is stored all the same, so that it can be read; it cannot be started.
    """
    require(principal, Role.ARCHITECT, project)
    if version.blueprint.project_id != project.id:
        raise fault("not_found")
    if cloud.organization_id != project.organization_id:
        raise fault("not_found")
    if deployment is not None:
        _check_target(deployment, project, cloud)
    deployment_name = deployment.name if deployment else check_name(name or version.blueprint.name, "deployment")
    if deployment is None and name_taken(project, deployment_name):
        raise name_fault(project, deployment_name)
    deployment_id = deployment.id if deployment else uuid.uuid4()
    given = check_images({**(deployment.images if deployment else {}), **(images or {})})
    owner = owner_of(project, deployment_id, deployment_name)
    try:
        drawing = load_project(version, name=deployment_name)
    except ComposeError as error:
        raise invalid_fault(error.findings) from None
    target = reading.target(cloud)
    prior = prior_of(deployment)
    desired = realise(drawing, target, owner, {**project.policy, "secret_marks": secret_marks(drawing)}, given, prior)
    observed = observe(cloud, owner) if deployment is not None else ObservedState()
    body = planner.plan(desired, observed, prior, owner, cloud.name)
    return _store(principal, project, cloud, version, deployment_id, deployment_name, "apply", given, body)


def make_destroy_plan(principal: Principal, deployment: Deployment) -> Plan:
    """Plan the removal of everything that a deployment has made, and of nothing else; store it."""
    project = deployment.project
    require(principal, Role.ARCHITECT, project)
    _check_target(deployment, project, deployment.cloud)
    owner = owner_of(project, deployment.id, deployment.name)
    observed = observe(deployment.cloud, owner)
    body = planner.plan_destroy(observed, prior_of(deployment), owner, deployment.cloud.name)
    return _store(
        principal,
        project,
        deployment.cloud,
        deployment.version,
        deployment.id,
        deployment.name,
        "destroy",
        deployment.images,
        body,
    )


def is_stale(plan: Plan) -> bool:
    """Tell whether the cloud or the deployment is no longer as it was when the plan was made."""
    deployment = Deployment.objects.filter(pk=plan.deployment_id).first()
    if deployment is None:
        observed, prior = ObservedState(), {}
    else:
        observed, prior = observe(plan.cloud, Owner(**plan.body["owner"])), prior_of(deployment)
    return planner.fingerprint(observed, prior) != plan.body["base"]


def owner_of(project: Project, deployment_id: uuid.UUID, name: str) -> Owner:
    """Return whom the things of a deployment belong to, as their markers say it."""
    organization = project.organization
    return Owner(
        organization_id=str(organization.id),
        organization=organization.slug,
        project_id=str(project.id),
        project=project.slug,
        deployment_id=str(deployment_id),
        deployment=slugify(project_name(name).replace("_", "-")) or "deployment",
    )


def prior_of(deployment: Deployment | None) -> dict[str, Mapping[str, Any]]:
    """Return what was last applied, by resource key: the third side of the comparison."""
    if deployment is None:
        return {}
    return {row.key: {**row.spec, "state": row.state} for row in deployment.resources.all() if row.spec}


def secret_marks(drawing: Drawing) -> dict[str, str]:
    """Return a keyed digest for each supplied secret, so that a plan notices new contents without holding any."""
    key = hashlib.sha256(b"escale secret marks\0" + settings.SECRET_KEY.encode()).digest()
    contents = ((name, content_of(drawing, secret)) for name, secret in drawing.secrets().items())
    return {
        name: hmac.new(key, name.encode() + b"\0" + content, hashlib.sha256).hexdigest()[:24]
        for name, content in contents
        if content is not None
    }


def observe(cloud: Cloud, owner: Owner) -> ObservedState:
    """Ask the cloud what exists of a deployment; Fault with the connector's code when it cannot be asked."""
    try:
        return connect(cloud).observe(owner)
    except ConnectorError as error:
        raise cloud_fault(cloud, error) from None


def cloud_fault(cloud: Cloud, error: ConnectorError) -> Fault:
    """Return the fault for a cloud that could not be asked; the connector's code stays in `extra`."""
    return fault("cloud.not_ready", cloud=cloud.name, reason=error.message, extra={"cloud_code": error.code})


def name_taken(project: Project, name: str) -> bool:
    """Tell whether a deployment that is not destroyed bears the name."""
    return Deployment.objects.filter(project=project, name=name).exclude(state="destroyed").exists()


def name_fault(project: Project, name: str) -> Fault:
    """Return the fault for a name that is taken."""
    return fault("deployment.name_taken", project=project.slug, name=name)


def check_images(images: Mapping[str, Any]) -> dict[str, str]:
    """Return service -> image; Fault ``plan.images`` when it is not a map of texts."""
    if len(images) > MAX_IMAGES or any(
        not isinstance(image, str) or not image.strip() or len(image) > 500 or any(ord(c) < 33 for c in image.strip())
        for image in images.values()
    ):
        raise fault("plan.images")
    return {service: image.strip() for service, image in images.items()}


def _check_target(deployment: Deployment, project: Project, cloud: Cloud) -> None:
    if deployment.project_id != project.id:
        raise fault("not_found")
    if deployment.state == "destroyed":
        raise fault("deployment.destroyed", name=deployment.name)
    if deployment.cloud_id != cloud.id:
        raise fault("plan.cloud_differs", name=deployment.name, runs_on=deployment.cloud.name, cloud=cloud.name)


def _store(
    principal: Principal,
    project: Project,
    cloud: Cloud,
    version: BlueprintVersion,
    deployment_id: uuid.UUID,
    name: str,
    purpose: str,
    images: Mapping[str, str],
    body: EnginePlan,
) -> Plan:
    data = body.to_json()
    plan = Plan.objects.create(
        project=project,
        cloud=cloud,
        version=version,
        deployment_id=deployment_id,
        deployment_name=name,
        purpose=purpose,
        images=dict(images),
        body=data,
        hash=data["hash"],
        created_by=principal.user,
    )
    record(principal, "plan.create", "plan", str(plan.id), name, {"cloud": cloud.name, "counts": data["counts"]})
    return plan
