"""Read clouds: those of the principal's organization that were not removed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

from apps.tenancy.querysets import OrganizationScopedQuerySet, Row

if TYPE_CHECKING:
    from apps.tenancy.access import Principal


class CloudQuerySet(OrganizationScopedQuerySet[Row]):
    """Show the clouds of an organization to each of its members."""

    def present(self) -> Self:
        """Return those that were not removed."""
        return self.filter(removed_at__isnull=True)

    def visible_to(self, principal: Principal) -> Self:
        """Return the present clouds of the principal's organization."""
        return super().visible_to(principal).present()
