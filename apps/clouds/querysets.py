"""Read clouds: those of the principal's organization, and those that others let it use."""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

from django.db.models import Q, QuerySet

from apps.tenancy.querysets import OrganizationScopedQuerySet, Row, ScopedQuerySet

if TYPE_CHECKING:
    from apps.clouds.models import CloudGrant
    from apps.tenancy.access import Principal
    from apps.tenancy.models import Organization, Project


class CloudQuerySet(OrganizationScopedQuerySet[Row]):
    """Show the clouds of an organization to each of its members, and shared ones to those they are shared with."""

    def present(self) -> Self:
        """Return those that were not removed."""
        return self.filter(removed_at__isnull=True)

    def visible_to(self, principal: Principal) -> Self:
        """Return the present clouds that the principal may deploy to in some project: own ones and shared ones.

        Of a shared one only what deploying needs may be shown; its inside belongs to its owner (`owned_by`).
        """
        grants = _grants(principal.organization)
        if not principal.sees_all_projects:
            grants = grants.filter(Q(project=None) | Q(project__in=principal.project_ids))
        own = Q(organization=principal.organization.pk)
        if not principal.sees_all_projects:
            own &= Q(own_projects=[]) | Q(own_projects__overlap=list(principal.project_ids))
        return self.present().filter(own | Q(pk__in=grants.values("cloud")))

    def owned_by(self, principal: Principal) -> Self:
        """Return the present clouds of the principal's organization itself, inside and all."""
        return super().visible_to(principal).present()

    def usable_by(self, project: Project) -> Self:
        """Return the present clouds that a project may deploy to."""
        grants = _grants(project.organization).filter(Q(project=None) | Q(project=project.pk))
        own = Q(organization=project.organization_id) & (Q(own_projects=[]) | Q(own_projects__contains=[project.pk]))
        return self.present().filter(own | Q(pk__in=grants.values("cloud")))


class GrantQuerySet(ScopedQuerySet[Row]):
    """Show the right to use a cloud to the organization that has it."""

    def visible_to(self, principal: Principal) -> Self:
        """Return the rights that the principal's organization was given, on clouds that are still there."""
        return self.filter(organization=principal.organization.pk, cloud__removed_at__isnull=True)


def _grants(organization: Organization) -> QuerySet[CloudGrant]:
    # Not by an import at the top: the models import this module.
    from apps.clouds.models import CloudGrant

    return CloudGrant.objects.filter(organization=organization, accepted_at__isnull=False)
