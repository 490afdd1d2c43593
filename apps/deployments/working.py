"""What every plan is made of: whose things they are, what exists of them, what was applied last, and the result."""

from __future__ import annotations

import hashlib
import hmac
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from django.conf import settings
from django.utils.text import slugify

from apps.blueprints.services import project_name
from apps.clouds.connections import connect
from apps.clouds.models import Cloud
from apps.deployments.models import Deployment
from apps.tenancy.faults import Fault, fault
from apps.tenancy.models import Project
from connectors.base import ConnectorError
from engine import pricing, standing
from engine.compose import Project as Drawing
from engine.findings import Finding
from engine.observed import ObservedState
from engine.plan import Plan as EnginePlan
from engine.resources import Owner
from engine.userdata.contents import content_of


@dataclass(frozen=True, slots=True)
class Worked:
    """A plan as it was worked out, with what people and canvases are told beside it."""

    plan: EnginePlan
    drawn: tuple[str, ...]  # services of the drawing, placed or not
    observed: ObservedState
    prior: Mapping[str, Mapping[str, Any]]
    prices: Mapping[str, Any]
    regions: Mapping[str, str] = field(default_factory=dict)  # machine -> region of the drawing

    @property
    def findings(self) -> tuple[Finding, ...]:
        """Return what is to be said of it."""
        return self.plan.findings

    @property
    def blocked(self) -> bool:
        """Tell whether an error finding forbids to start it."""
        return self.plan.blocked

    @property
    def empty(self) -> bool:
        """Tell whether there is nothing to do."""
        return self.plan.empty

    @property
    def shares(self) -> dict[str, Worked]:
        """Return what was worked out for each cloud, by what starts its keys."""
        return {"": self}

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


def policy_of(project: Project, drawing: Drawing) -> dict[str, Any]:
    """Return what the realiser goes by besides the drawing: the project's policy, and marks of the secrets."""
    return {**project.policy, "secret_marks": secret_marks(drawing)}


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
