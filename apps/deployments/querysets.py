"""Reads of plans and deployments, each scoped to what a principal may see."""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

from apps.tenancy.querysets import ProjectScopedQuerySet

if TYPE_CHECKING:
    from apps.deployments.models import Deployment, Plan  # noqa: F401


class DeploymentQuerySet(ProjectScopedQuerySet["Deployment"]):
    """Show deployments to those who have a role in their project."""

    project_path = "project"

    def whole(self) -> Self:
        """Return the deployments that people see: a part on a further cloud is shown inside of its whole."""
        return self.filter(parent__isnull=True)


class PlanQuerySet(ProjectScopedQuerySet["Plan"]):
    """Show plans to those who have a role in their project."""

    project_path = "project"
