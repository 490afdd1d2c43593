"""Reads of operations, scoped to what a principal may see."""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

from apps.operations.registry import quiet_kinds
from apps.operations.states import OPERATION_ENDS
from apps.tenancy.querysets import ProjectScopedQuerySet

if TYPE_CHECKING:
    from apps.operations.models import Operation  # noqa: F401


class OperationQuerySet(ProjectScopedQuerySet["Operation"]):
    """Show the operations of a principal's projects, and the organization's own to those who see all of it."""

    project_path = "project"
    organization_path = "organization"

    def live(self) -> Self:
        """Return those that have not ended."""
        return self.exclude(state__in=OPERATION_ENDS)

    def noticeable(self) -> Self:
        """Return those that a person wants to see unasked: not what the portal does by itself every other minute."""
        return self.exclude(kind__in=quiet_kinds())

    def about(self, subject_type: str, subject_id: object) -> Self:
        """Return those about one subject, as ("deployment", its id)."""
        return self.filter(subject_type=subject_type, subject_id=subject_id)
