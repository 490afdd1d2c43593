"""Scope every query to what a principal may see: another tenant's object does not exist.

A model takes `objects = ProjectScopedQuerySet.as_manager()`, or a subclass that says how to get to its project:

    class VersionQuerySet(ProjectScopedQuerySet["BlueprintVersion"]):
        project_path = "blueprint__project"
"""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, ClassVar, Self, TypeVar

from django.db import models
from django.db.models import Q

if TYPE_CHECKING:
    from apps.tenancy.access import Principal

Row = TypeVar("Row", bound=models.Model)


class ScopedQuerySet(models.QuerySet[Row]):
    """Be the base of all scoped query sets; a subclass says what a principal sees."""

    def visible_to(self, principal: Principal) -> Self:
        """Return what the principal may see; never more."""
        raise NotImplementedError


class OrganizationScopedQuerySet(ScopedQuerySet[Row]):
    """Show what belongs to the principal's organization as a whole to each of its members."""

    organization_path: ClassVar[str] = "organization"

    def visible_to(self, principal: Principal) -> Self:
        """Return the rows of the principal's organization."""
        return self.filter(**{self.organization_path: principal.organization.pk})


class ProjectScopedQuerySet(ScopedQuerySet[Row]):
    """Show what belongs to a project to those who have a role in it.

    `project_path` leads to the project. With `organization_path` set, rows without a project are shown to the
    members of the organization whose role or token is not bound to single projects.
    """

    project_path: ClassVar[str] = "project"
    organization_path: ClassVar[str] = ""

    def visible_to(self, principal: Principal) -> Self:
        """Return the rows of the projects in which the principal has a role."""
        # Ids instead of a join: the (project, -created_at, id) indexes serve a page in order.
        inside = Q(**{f"{self.project_path}__in": principal.project_ids})
        if self.organization_path and principal.sees_all_projects:
            inside |= Q(**{f"{self.project_path}__isnull": True, self.organization_path: principal.organization.pk})
        return self.filter(inside)


class ProjectQuerySet(ScopedQuerySet[Row]):
    """Show projects to those who have a role in them."""

    def visible_to(self, principal: Principal) -> Self:
        """Return the projects in which the principal has a role."""
        return self.filter(pk__in=principal.project_ids)


class OrganizationQuerySet(ScopedQuerySet[Row]):
    """Show organizations to their members; a token shows the one it was issued for."""

    def visible_to(self, principal: Principal) -> Self:
        """Return the organizations that the principal is a member of."""
        if principal.token is not None:
            return self.filter(pk=principal.organization.pk)
        return self.filter(memberships__user=principal.user).distinct()


def as_uuid(text: object) -> uuid.UUID | None:
    """Return the UUID that a text spells, or None."""
    if isinstance(text, uuid.UUID):
        return text
    try:
        return uuid.UUID(str(text))
    except ValueError:
        return None
