"""Reads of plans and deployments, each scoped to what a principal may see."""

from __future__ import annotations

from typing import TYPE_CHECKING

from apps.tenancy.querysets import ProjectScopedQuerySet

if TYPE_CHECKING:
    from apps.deployments.models import Deployment, Plan  # noqa: F401


class DeploymentQuerySet(ProjectScopedQuerySet["Deployment"]):
    """Show deployments to those who have a role in their project."""

    project_path = "project"


class PlanQuerySet(ProjectScopedQuerySet["Plan"]):
    """Show plans to those who have a role in their project."""

    project_path = "project"
