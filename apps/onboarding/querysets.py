"""Reads of onboardings, scoped to what a principal may see."""

from __future__ import annotations

from typing import TYPE_CHECKING

from apps.tenancy.querysets import ProjectScopedQuerySet

if TYPE_CHECKING:
    from apps.onboarding.models import Onboarding  # noqa: F401


class OnboardingQuerySet(ProjectScopedQuerySet["Onboarding"]):
    """Show onboardings to those who have a role in their project."""

    project_path = "project"
