"""Say what a text that is being drawn would become, by the very way that plans take; nothing is kept or touched."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from apps.blueprints.checking import supplies_of
from apps.blueprints.fixes import with_fixes
from apps.blueprints.models import Blueprint, Draft
from apps.blueprints.services import check_name, load_text
from apps.clouds.models import Cloud
from apps.clouds.services import capacity
from apps.deployments import limiting, planning
from apps.deployments.across import Spread, main_cloud, parts_json
from apps.deployments.models import Deployment
from apps.deployments.regions import cloud_of, regions_of
from apps.deployments.working import owner_of
from apps.tenancy.access import Principal, require
from apps.tenancy.faults import fault
from apps.tenancy.models import Project, Role
from engine.compose import ComposeError
from engine.findings import Finding

_SPACE = uuid.UUID("7c1b3c36-2f9b-5d0e-8c55-0d5c3f2a9e11")
UNNAMED = "design"


@dataclass(frozen=True, slots=True)
class Sketch:
    """A text as its author has it now, with what stands beside it: the draft's or design's, and what is given over."""

    project: Project
    compose: str
    blueprint: Blueprint | None = None
    draft: Draft | None = None
    files: Mapping[str, bytes] = field(default_factory=dict)
    environment: Mapping[str, str] = field(default_factory=dict)
    name: str = ""


def preview(
    principal: Principal,
    sketch: Sketch,
    *,
    cloud: Cloud | None,
    find_cloud: Callable[[str], Cloud],
    deployment: Deployment | None = None,
    images: Mapping[str, str] | None = None,
    region: str = "",
) -> dict[str, Any]:
    """Return what planning the text would give, in the form of ``PreviewSerializer``.

    A text with mistakes is an answer too: ``valid`` is false and the findings say why. Without a cloud, the one that
    the deployment runs on or the region is drawn for is taken. Faults: ``not_found``, ``invalid`` (no cloud),
    ``name.invalid``, ``plan.*``, ``deployment.destroyed``, ``cloud.*``.
    """
    project = sketch.project
    require(principal, Role.ARCHITECT, project)
    for thing in (sketch.blueprint, sketch.draft, deployment):
        # Whoever may plan here need not be allowed to read what stands beside the drawings of another project.
        if thing is not None and thing.project_id != project.id:
            raise fault("not_found")
    name = _name(sketch, deployment, region)
    files, environment = supplies_of(
        files=sketch.files, environment=sketch.environment, draft=sketch.draft, blueprint=sketch.blueprint
    )
    try:
        drawing = load_text(sketch.compose, name=name, files=files, environment=environment)
    except ComposeError as error:
        return _invalid(error.findings)
    if cloud is None and deployment is not None:
        cloud = deployment.cloud
    if cloud is None:
        drawn = cloud_of(drawing, region)
        if not drawn:
            missing = {"name": "cloud", "reason": "is missing", "code": "required"}
            raise fault("invalid", count=1, params=[missing])
        cloud = find_cloud(drawn)
    region = planning.check_target(project, cloud, deployment, region)
    cloud = main_cloud(drawing, project, cloud, deployment, region)
    # The same text gives the same names each time: an id of its own for each preview would make the canvas flicker.
    deployment_id = deployment.id if deployment else uuid.uuid5(_SPACE, f"{project.id}/{name}")
    owner = owner_of(project, deployment_id, name)
    given = planning.images_of(deployment, images)
    worked = planning.work_out(drawing, project, cloud, owner, deployment, given, region)
    data = worked.to_json()
    planning.require_may_read(principal, project, cloud, worked, data)
    limited = [finding for _cloud, finding in limiting.findings(data, cloud, deployment_id)]
    findings = list(dict.fromkeys([*drawing.findings, *worked.findings, *limited]))
    several = worked.clouds if isinstance(worked, Spread) else {"": cloud}
    on = {change["resource"]: change["services"] for change in data["changes"]}
    return {
        "valid": True,
        "blocked": worked.blocked,
        "empty": worked.empty,
        "findings": with_fixes(findings),
        "ledger": data["ledger"],
        "changes": data["changes"],
        "counts": data["counts"],
        "requirements": data["requirements"],
        "capacity": capacity(cloud),
        "price": data["price"],
        "cloud": {"id": str(cloud.id), "name": cloud.name},
        "clouds": [{"id": str(one.id), "name": one.name} for one in several.values()],
        "parts": [{**part, "capacity": capacity(several[part["part"]])} for part in parts_json(data, cloud)],
        "crossings": data.get("crossings", []),
        "region": region,
        "regions": [{"name": found.name, "title": found.title, "cloud": found.cloud} for found in regions_of(drawing)],
        "deployment_name": name,
        "machines": data["machines"],
        "networks": [
            {**_picked(spec, "name", "managed", "subnet", "vlan"), "key": key, "services": on.get(key, [])}
            for key, spec in data["desired"].items()
            if spec["kind"] == "network"
        ],
        "volumes": [
            {**_picked(spec, "name", "size_gib", "datastore"), "key": key, "services": on.get(key, [])}
            for key, spec in data["desired"].items()
            if spec["kind"] == "volume"
        ],
        "services": data["services"],
        "data_loss": [change["name"] for change in data["changes"] if change["data_loss"]],
    }


def _name(sketch: Sketch, deployment: Deployment | None, region: str) -> str:
    if deployment is not None:
        return deployment.name
    if sketch.name:
        return check_name(sketch.name, "deployment")
    if sketch.blueprint is not None:
        return planning.default_name(sketch.blueprint.name, region)
    # The name of a draft is whatever has been typed so far.
    typed = planning.name_from(sketch.draft.name if sketch.draft else "") or UNNAMED
    return planning.default_name(typed, region)


def _picked(spec: Mapping[str, Any], *names: str) -> dict[str, Any]:
    return {name: spec.get(name) for name in names}


def _invalid(findings: tuple[Finding, ...]) -> dict[str, Any]:
    return {
        "valid": False,
        "blocked": True,
        "empty": True,
        "findings": with_fixes(findings),
        "ledger": [],
        "changes": [],
        "counts": dict.fromkeys(("create", "update", "replace", "delete", "keep"), 0),
        "requirements": None,
        "capacity": None,
        "price": None,
        "cloud": None,
        "clouds": [],
        "parts": [],
        "crossings": [],
        "region": "",
        "regions": [],
        "deployment_name": "",
        "machines": [],
        "networks": [],
        "volumes": [],
        "services": {},
        "data_loss": [],
    }
