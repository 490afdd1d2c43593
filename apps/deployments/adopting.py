"""Who may adopt machines that run already."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from apps.clouds.models import Cloud
from apps.tenancy.access import Principal, require
from apps.tenancy.faults import fault
from apps.tenancy.models import Project, Role


def require_adopter(principal: Principal, project: Project, clouds: Iterable[Cloud]) -> None:
    """Refuse whoever may not adopt machines of clouds into a project.

    What runs on a cloud may be anybody's in the organization, so a role in one project is not enough; and what runs on
    a cloud that another organization lends is never the guest's. Faults: ``not_found``, ``forbidden``.
    """
    own = principal.organization.pk
    if project.organization_id != own or any(cloud.organization_id != own for cloud in clouds):
        raise fault("not_found")
    require(principal, Role.ARCHITECT, project)
    require(principal, Role.ARCHITECT)


def require_may_look(
    principal: Principal,
    project: Project,
    clouds: Iterable[Cloud],
    drawn: Iterable[str],
    priors: Iterable[Mapping[str, Mapping[str, Any]]],
) -> None:
    """Refuse what a plan or preview tells of machines (identities) that the deployment has not adopted yet.

    It tells their names, sizes and networks, or whose they are, so whoever may not adopt them must not read it either.
    """
    known = {str(spec["adopted"]) for prior in priors for spec in prior.values() if spec.get("adopted")}
    if set(drawn) - known:
        require_adopter(principal, project, clouds)


def require_may_start(principal: Principal, project: Project, cloud: Cloud, body: Mapping[str, Any]) -> None:
    """Refuse a plan that adopts machines to whoever may not; ``body``: the plan as it is stored."""
    if not any(action["verb"] == "machine.adopt" for action in body["actions"]):
        return
    others = [part["cloud"]["id"] for part in body.get("parts") or ()]
    require_adopter(principal, project, [cloud, *Cloud.objects.filter(pk__in=others)])
