"""Reads of blueprints, each scoped to what a principal may see."""

from __future__ import annotations

from typing import TYPE_CHECKING

from apps.tenancy.querysets import ProjectScopedQuerySet

if TYPE_CHECKING:
    from apps.blueprints.models import Blueprint, BlueprintVersion  # noqa: F401


class BlueprintQuerySet(ProjectScopedQuerySet["Blueprint"]):
    """Show blueprints to those who have a role in their project."""

    project_path = "project"


class BlueprintVersionQuerySet(ProjectScopedQuerySet["BlueprintVersion"]):
    """Show versions to those who have a role in their blueprint's project."""

    project_path = "blueprint__project"
