"""Reads of the inventory, scoped by the clouds that a principal may see."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

from django.db.models import Q

from apps.tenancy.querysets import ScopedQuerySet

if TYPE_CHECKING:
    from apps.inventory.models import Machine, Thing, View  # noqa: F401
    from apps.tenancy.access import Principal


class ThingQuerySet(ScopedQuerySet["Thing"]):
    """Show hosts, networks and the like to the organization of their cloud: a lent one's inside is its owner's."""

    def visible_to(self, principal: Principal) -> Self:
        """Return what lies on the organization's own clouds."""
        own, _ = visible_clouds(principal)
        return self.filter(cloud_id__in=own)


class MachineQuerySet(ScopedQuerySet["Machine"]):
    """Show machines to the organization of their cloud; to one that the cloud is lent to, only its own."""

    def visible_to(self, principal: Principal) -> Self:
        """Return the machines on the organization's clouds, and its own on clouds that others lend to it."""
        own, lent = visible_clouds(principal)
        inside = Q(cloud_id__in=own)
        if lent:
            inside |= Q(cloud_id__in=lent, owner_organization=principal.organization.pk)
        return self.filter(inside)


class ViewQuerySet(ScopedQuerySet["View"]):
    """Show a person's own saved views, and those that the organization shares."""

    def visible_to(self, principal: Principal) -> Self:
        """Return the principal's own and the shared views of its organization."""
        return self.filter(Q(owner=principal.user) | Q(shared=True), organization=principal.organization.pk)


def visible_clouds(principal: Principal) -> tuple[list[Any], list[Any]]:
    """Return the ids of the visible clouds: the organization's own, and those that others lend to it.

    Ids instead of a join, so that the planner knows how selective they are.
    """
    own: list[Any] = []
    lent: list[Any] = []
    for cloud_id, _, organization_id in cloud_names(principal):
        (own if organization_id == principal.organization.pk else lent).append(cloud_id)
    return own, lent


def cloud_names(principal: Principal) -> list[tuple[Any, str, Any]]:
    """Return id, name and organization of the visible clouds by name; one query a principal, which lives shortly."""
    from apps.clouds.models import Cloud  # models import this module while they are being made

    known: list[tuple[Any, str, Any]] | None = getattr(principal, "_inventory_clouds", None)
    if known is None:
        rows = Cloud.objects.visible_to(principal).order_by("name")
        known = list(rows.values_list("pk", "name", "organization_id"))
        principal._inventory_clouds = known  # type: ignore[attr-defined]
    return known
