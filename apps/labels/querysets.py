"""Read runs and labels: those of the clouds that the principal may use, shared ones among them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

from apps.tenancy.querysets import Row, ScopedQuerySet

if TYPE_CHECKING:
    from apps.labels.models import Label, Run  # noqa: F401
    from apps.tenancy.access import Principal


class OfCloudQuerySet(ScopedQuerySet[Row]):
    """Show what is said of a cloud to whoever may use the cloud."""

    def visible_to(self, principal: Principal) -> Self:
        """Return what belongs to clouds that the principal may see."""
        # Not by an import at the top: the models import this module.
        from apps.clouds.models import Cloud

        return self.filter(cloud__in=Cloud.objects.visible_to(principal).values("pk"))


class RunQuerySet(OfCloudQuerySet["Run"]):
    """Show runs."""

    def live(self) -> Self:
        """Return those that are under way."""
        return self.filter(state="running")

    def to_clean(self) -> Self:
        """Return those that have ended, and of whose canary something may be left."""
        return self.exclude(state="running").filter(cleaned_at__isnull=True)


class LabelQuerySet(OfCloudQuerySet["Label"]):
    """Show labels."""

    def shown(self) -> Self:
        """Return those that a cloud's page speaks of: not the ones that newer ones stand in for."""
        return self.exclude(state="replaced")
