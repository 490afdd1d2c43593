"""From a drawing and a cloud to a stored plan: observe, realise, compare, keep."""

from __future__ import annotations

import hashlib
import hmac
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
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
from engine import planner, pricing, standing
from engine.compose import ComposeError
from engine.compose import Project as Drawing
from engine.observed import ObservedState
from engine.plan import Plan as EnginePlan
from engine.realise import realise
from engine.resources import Owner
from engine.userdata.contents import content_of

MAX_IMAGES = 1000


@dataclass(frozen=True, slots=True)
class Worked:
    """A plan as it was worked out, with what people and canvases are told beside it."""

    plan: EnginePlan
    drawn: tuple[str, ...]  # services of the drawing, placed or not
    observed: ObservedState
    prior: Mapping[str, Mapping[str, Any]]
    prices: Mapping[str, Any]
    regions: Mapping[str, str] = field(default_factory=dict)  # machine -> region of the drawing

    def to_json(self) -> dict[str, Any]:
        """Return the plan as it is stored: `engine.plan.Plan.to_json` and `services`, `machines` and `price`.

        Each change names the services that stand on what changes, before or after.
        """
        data = self.plan.to_json()
        after, before = standing.Side(data["desired"]), standing.Side(self.prior)
        on = standing.services_on(after, before)
        for change in data["changes"]:
            change["services"] = on.get(change["resource"], [])
        fates = {change["resource"]: change["change"] for change in data["changes"]}
        data["services"] = standing.service_changes(after, before, fates, self.drawn)
        data["machines"] = standing.machines(data["desired"], self.regions)
        data["price"] = self._price(data["requirements"])
        return data

    def _price(self, requirements: Mapping[str, Any]) -> dict[str, Any] | None:
        if self.plan.blocked and not self.plan.desired:
            return None  # nothing could be worked out, which is not the same as costing nothing
        return pricing.price(requirements, self.prices, pricing.needed(self.prior) if self.prior else None)


def make_plan(
    principal: Principal,
    *,
    project: Project,
    version: BlueprintVersion,
    cloud: Cloud,
    deployment: Deployment | None = None,
    name: str | None = None,
    images: Mapping[str, str] | None = None,
    region: str = "",
) -> Plan:
    """Plan what makes the cloud as drawn and store it; nothing outside is touched.

    Without a deployment the plan is for a new one called ``name`` (by default the blueprint's name, and the region's
    with it). ``region``: plan that region of the drawing alone; a deployment keeps its own. Faults:
    ``deployment.name_taken``, ``plan.cloud_differs``, ``plan.region_differs``, ``deployment.destroyed``,
    ``compose.invalid``, ``cloud.*``. A plan with error findings is stored all the same, so that it can be read; it
    cannot be started.
    """
    require(principal, Role.ARCHITECT, project)
    if version.blueprint.project_id != project.id:
        raise fault("not_found")
    region = check_target(project, cloud, deployment, region)
    deployment_name = (
        deployment.name
        if deployment
        else check_name(name or default_name(version.blueprint.name, region), "deployment")
    )
    if deployment is None and name_taken(project, deployment_name):
        raise name_fault(project, deployment_name)
    deployment_id = deployment.id if deployment else uuid.uuid4()
    given = images_of(deployment, images)
    owner = owner_of(project, deployment_id, deployment_name)
    try:
        drawing = load_project(version, name=deployment_name)
    except ComposeError as error:
        raise invalid_fault(error.findings) from None
    worked = work_out(drawing, project, cloud, owner, deployment, given, region)
    return _store(principal, project, cloud, version, deployment_id, deployment_name, "apply", given, region, worked)


def make_destroy_plan(principal: Principal, deployment: Deployment) -> Plan:
    """Plan the removal of everything that a deployment has made, and of nothing else; store it."""
    project, cloud = deployment.project, deployment.cloud
    require(principal, Role.ARCHITECT, project)
    region = check_target(project, cloud, deployment, "")
    owner = owner_of(project, deployment.id, deployment.name)
    observed, prior = observe(cloud, owner), prior_of(deployment)
    worked = Worked(planner.plan_destroy(observed, prior, owner, cloud.name), (), observed, prior, cloud.prices)
    return _store(
        principal,
        project,
        cloud,
        deployment.version,
        deployment.id,
        deployment.name,
        "destroy",
        deployment.images,
        region,
        worked,
    )


def work_out(
    drawing: Drawing,
    project: Project,
    cloud: Cloud,
    owner: Owner,
    deployment: Deployment | None,
    images: Mapping[str, str],
    region: str,
) -> Worked:
    """Realise a drawing on a cloud, observe what a deployment has there, and compare; nothing is stored or touched.

    The one way to a plan: what is planned, previewed and looked at for drift cannot differ. Faults: ``cloud.*``.
    """
    target = reading.target(cloud)
    prior = prior_of(deployment)
    policy = {**project.policy, "secret_marks": secret_marks(drawing)}
    desired = realise(drawing, target, owner, policy, images, prior, region=region or None)
    observed = observe(cloud, owner) if deployment is not None else ObservedState()
    made = planner.plan(desired, observed, prior, owner, cloud.name)
    return Worked(made, tuple(drawing.services()), observed, prior, cloud.prices, desired.regions)


def check_target(project: Project, cloud: Cloud, deployment: Deployment | None, region: str) -> str:
    """Return the region that is planned; Fault unless cloud, region and deployment belong to the project and together.

    Faults: ``not_found``, ``deployment.destroyed``, ``plan.cloud_differs``, ``plan.region_differs``.
    """
    if cloud.organization_id != project.organization_id:
        raise fault("not_found")
    if deployment is None:
        return region
    if deployment.project_id != project.id:
        raise fault("not_found")
    if deployment.state == "destroyed":
        raise fault("deployment.destroyed", name=deployment.name)
    if deployment.cloud_id != cloud.id:
        raise fault("plan.cloud_differs", name=deployment.name, runs_on=deployment.cloud.name, cloud=cloud.name)
    if region and region != deployment.region:
        raise fault("plan.region_differs", name=deployment.name, region=region[:80], own=deployment.region or "-")
    return deployment.region


def default_name(name: str, region: str) -> str:
    """Return what a deployment is called unless somebody says otherwise: after its design, and its region's name."""
    if not region:
        return name
    end = f"-{slugify(region)}"[:32]
    return name[: 63 - len(end)] + end


def name_from(text: str) -> str:
    """Return a name that a deployment may have, made of what somebody typed; empty when nothing of it can be used."""
    return slugify(text)[:63].strip("-_")


def images_of(deployment: Deployment | None, images: Mapping[str, str] | None) -> dict[str, str]:
    """Return the images that a plan goes by: a deployment's own, and those that are given over them."""
    return check_images({**(deployment.images if deployment else {}), **(images or {})})


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


def _store(
    principal: Principal,
    project: Project,
    cloud: Cloud,
    version: BlueprintVersion,
    deployment_id: uuid.UUID,
    name: str,
    purpose: str,
    images: Mapping[str, str],
    region: str,
    worked: Worked,
) -> Plan:
    data = worked.to_json()
    plan = Plan.objects.create(
        project=project,
        cloud=cloud,
        version=version,
        deployment_id=deployment_id,
        deployment_name=name,
        purpose=purpose,
        region=region,
        images=dict(images),
        body=data,
        hash=data["hash"],
        created_by=principal.user,
    )
    record(
        principal,
        "plan.create",
        "plan",
        str(plan.id),
        name,
        {"cloud": cloud.name, **({"region": region} if region else {}), "counts": data["counts"]},
    )
    return plan
