"""Reads of blueprints, each scoped to what a principal may see."""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

from django.db.models import Q

from apps.tenancy.querysets import ProjectScopedQuerySet, ScopedQuerySet

if TYPE_CHECKING:
    from apps.blueprints.models import Blueprint, BlueprintVersion, Draft, ShareLink  # noqa: F401
    from apps.tenancy.access import Principal


class BlueprintQuerySet(ProjectScopedQuerySet["Blueprint"]):
    """Show blueprints to those who have a role in their project."""

    project_path = "project"


class BlueprintVersionQuerySet(ProjectScopedQuerySet["BlueprintVersion"]):
    """Show versions to those who have a role in their blueprint's project."""

    project_path = "blueprint__project"


class DraftQuerySet(ScopedQuerySet["Draft"]):
    """Show a draft to the one who draws it, while that person has a role in its project."""

    def visible_to(self, principal: Principal) -> Self:
        """Return the principal's own drafts in the projects in which the principal has a role."""
        if principal.sees_all_projects:  # spares the list of projects: an autosave asks for this every second
            inside = Q(project__organization=principal.organization.pk)
        else:
            inside = Q(project__in=principal.project_ids)
        return self.filter(inside, created_by=principal.user.pk)


class ShareLinkQuerySet(ProjectScopedQuerySet["ShareLink"]):
    """Show share links to those who have a role in their blueprint's project; a token opens one for others, too."""

    project_path = "blueprint__project"
