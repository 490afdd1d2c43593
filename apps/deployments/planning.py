"""From a drawing and a cloud to a stored plan: observe, realise, compare, keep."""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from typing import Any

from django.db.models import Max
from django.utils.text import slugify

from apps.audit.services import record
from apps.blueprints.models import BlueprintVersion
from apps.blueprints.services import check_name, invalid_fault, load_project
from apps.clouds import reading
from apps.clouds.models import Cloud
from apps.deployments import across, limiting
from apps.deployments.across import Spread
from apps.deployments.adopting import require_may_look, require_may_start
from apps.deployments.looking import adopted_in, adopted_in_body, look
from apps.deployments.models import Deployment, Plan
from apps.deployments.working import Worked, owner_of, policy_of, prior_of
from apps.tenancy.access import Principal, require
from apps.tenancy.faults import Fault, fault
from apps.tenancy.models import Project, Role
from engine import planner
from engine.compose import ComposeError
from engine.compose import Project as Drawing
from engine.findings import Finding
from engine.realise import realise
from engine.resources import Owner

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
    region: str = "",
    restore: bool = False,
) -> Plan:
    """Plan what makes the cloud as drawn and store it; nothing outside is touched.

    A drawing that names places stands on several clouds: ``cloud`` is then that of all that names none, and the plan
    is one over all of them. Without a deployment the plan is for a new one called ``name`` (by default the
    blueprint's name, and the region's with it). ``region``: plan that region of the drawing alone; a deployment keeps
    its own. ``restore``: put the drawing's values back where somebody changed them on the cloud; without, they are
    kept. Faults: ``deployment.name_taken``, ``plan.cloud_differs``, ``plan.region_differs``,
    ``deployment.destroyed``, ``deployment.is_part``, ``compose.invalid``, ``cloud.*``. A plan with error findings is
    stored all the same, so that it can be read; it cannot be started.
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
    try:
        drawing = load_project(version, name=deployment_name)
    except ComposeError as error:
        raise invalid_fault(error.findings) from None
    cloud = across.main_cloud(drawing, project, cloud, deployment, region)
    owner = owner_of(project, deployment_id, deployment_name)
    worked = work_out(drawing, project, cloud, owner, deployment, given, region, restore)
    extra = _newer(version) if restore else []
    return _store(
        principal, project, cloud, version, deployment_id, deployment_name, "apply", given, region, worked, extra
    )


def _newer(version: BlueprintVersion) -> list[Finding]:
    """Return the warning that a design has been drawn anew since: restoring would undo what was written back."""
    latest = version.blueprint.versions.aggregate(latest=Max("number"))["latest"]
    if latest is None or latest <= version.number:
        return []
    message = (
        f"This puts the values of version {version.number} back, and the design has version {latest}: what was "
        f"written back or drawn since would be undone on the cloud. Plan an update to version {latest} instead, unless "
        "that is what you want."
    )
    return [Finding("plan.newer_version", "warning", message)]


def make_destroy_plan(principal: Principal, deployment: Deployment) -> Plan:
    """Plan the removal of everything that a deployment has made, and of nothing else; store it."""
    project, cloud = deployment.project, deployment.cloud
    require(principal, Role.ARCHITECT, project)
    region = check_target(project, cloud, deployment, "")
    owner = owner_of(project, deployment.id, deployment.name)
    worked: Worked | Spread
    if across.parts_of(deployment):
        worked = across.work_out_destroy(deployment, owner)
    else:
        prior = prior_of(deployment)
        observed = look(cloud, owner, deployment, prior).observed
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
    restore: bool = False,
) -> Worked | Spread:
    """Realise a drawing on its clouds, observe what a deployment has there, and compare; nothing is stored or touched.

    The one way to a plan: what is planned, previewed and looked at for drift cannot differ. ``restore``: what somebody
    changed on the cloud is undone instead of kept. Faults: ``cloud.*``, ``plan.adopt_unsupported``.
    """
    division = across.divide(drawing, project, cloud, deployment, region)
    if division is not None and division.several:
        return across.work_out(drawing, project, division, owner, deployment, images, restore)
    target = reading.target(cloud)
    prior = prior_of(deployment)
    desired = realise(drawing, target, owner, policy_of(project, drawing), images, prior, region=region or None)
    if division is not None:
        desired = division.told(desired)
    seen = look(cloud, owner, deployment, prior, adopted_in(desired.resources))
    made = planner.plan(desired, seen.observed, prior, owner, cloud.name, adoptable=seen.adoptable, restore=restore)
    return Worked(made, tuple(drawing.services()), seen.observed, prior, cloud.prices, desired.regions)


def require_may_read(
    principal: Principal, project: Project, cloud: Cloud, worked: Worked | Spread, data: Mapping[str, Any]
) -> None:
    """Refuse a plan that tells of machines which the principal may not adopt. Faults: ``not_found``, ``forbidden``."""
    clouds = worked.clouds.values() if isinstance(worked, Spread) else [cloud]
    priors = [share.prior for share in worked.shares.values()]
    require_may_look(principal, project, clouds, adopted_in_body(data["desired"]), priors)


def check_target(project: Project, cloud: Cloud, deployment: Deployment | None, region: str) -> str:
    """Return the region that is planned; Fault unless cloud, region and deployment belong to the project and together.

    Faults: ``not_found``, ``deployment.destroyed``, ``plan.cloud_differs``, ``plan.region_differs``.
    """
    if (deployment is None or deployment.cloud_id != cloud.id) and not limiting.usable(cloud, project):
        raise fault("not_found")
    if deployment is None:
        return region
    if deployment.project_id != project.id:
        raise fault("not_found")
    if deployment.parent_id is not None:
        raise fault("deployment.is_part", name=deployment.name, cloud=deployment.cloud.name)
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
    if plan.purpose == "apply" and _stands_elsewhere(plan, deployment):
        return True
    if plan.body.get("parts"):
        return across.is_stale(plan)
    prior = prior_of(deployment)
    seen = look(plan.cloud, Owner(**plan.body["owner"]), deployment, prior, adopted_in_body(plan.body["desired"]))
    adoptable = seen.adoptable if plan.purpose == "apply" else None
    return planner.fingerprint(seen.observed, prior, adoptable) != plan.body["base"]


def _stands_elsewhere(plan: Plan, deployment: Deployment | None) -> bool:
    """Tell whether labels that were lost since, or clouds that came and went, place the drawing's services anew."""
    if plan.version is None:
        return False
    try:
        drawing = load_project(plan.version, name=plan.deployment_name)
    except ComposeError:
        return True
    division = across.divide(drawing, plan.project, plan.cloud, deployment, plan.region)
    if division is None:
        return False
    planned = {name: part["cloud"]["name"] for part in plan.body.get("parts", ()) for name in part["services"]}
    return any(finding.code == "placement.label_missing" for finding in division.homes.findings) or any(
        home != planned.get(name, plan.cloud.name) for name, home in division.homes.services.items()
    )


def name_taken(project: Project, name: str) -> bool:
    """Tell whether a deployment that is not destroyed bears the name."""
    return Deployment.objects.whole().filter(project=project, name=name).exclude(state="destroyed").exists()


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
    worked: Worked | Spread,
    extra: Sequence[Finding] = (),
) -> Plan:
    data = worked.to_json()
    data["findings"].extend(finding.to_json() for finding in extra)
    require_may_read(principal, project, cloud, worked, data)
    require_may_start(principal, project, cloud, data)
    if purpose == "apply":
        for where, finding in limiting.findings(data, cloud, deployment_id):
            data["findings"].append({**finding.to_json(), **({"cloud": where.name} if data.get("parts") else {})})
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
        {
            "cloud": cloud.name,
            **({"clouds": [part["cloud"]["name"] for part in data["parts"]]} if data.get("parts") else {}),
            **({"region": region} if region else {}),
            "counts": data["counts"],
        },
    )
    return plan
