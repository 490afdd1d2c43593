"""What people ask of the inventory: bring it up to date now; keep ways to look at it. One transaction each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

from django.db import IntegrityError, transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from apps.audit.services import record
from apps.clouds.models import Cloud
from apps.inventory import capacity, searching, syncing
from apps.inventory.models import SyncState, View
from apps.operations.models import Claim, Operation
from apps.operations.services import ClaimSpec, StepSpec, submit
from apps.tenancy.access import Principal, require
from apps.tenancy.faults import Fault, fault
from apps.tenancy.models import Role
from connectors.base import ConnectorError

KIND = "sync"
FULL_EVERY = timedelta(hours=24)
"""After this long everything is loaded anew, whatever the cloud says: a second net under the changes that it tells."""

FULL_AT_MOST_EVERY = timedelta(minutes=5)
"""Clouds that tell no changes are listed whole no more often than this."""

TRY_AGAIN_AFTER = timedelta(minutes=5)
"""A load of everything that ended in trouble is begun anew no more often: each try is an operation of its own."""

_NOBODY_ASKED = "system"


def sync(cloud: Cloud, who: Principal | None = None, *, scratch: bool = False) -> Operation:
    """Start bringing a cloud's rows up to date, or return the operation that is at it already.

    `scratch`: everything is loaded anew. Faults: `cloud.disabled`, `inventory.lent`.
    """
    if who is not None and who.organization.pk != cloud.organization_id:
        raise fault("inventory.lent", cloud=cloud.name)
    if not cloud.enabled:
        raise fault("cloud.disabled", cloud=cloud.name)
    running = running_sync(cloud)
    if running is not None:
        return running
    step = StepSpec(
        key="sync",
        title=_("Bring the inventory of %(cloud)s up to date") % {"cloud": cloud.name},
        handler="sync",
        payload={"scratch": scratch},
        verb="inventory.sync",
        cloud_id=cloud.pk,
        max_attempts=3,
    )
    try:
        return submit(
            kind=KIND,
            title=_("Sync %(cloud)s") % {"cloud": cloud.name},
            organization=cloud.organization,
            project=None,
            actor=who.actor if who is not None else _NOBODY_ASKED,
            created_by=who.user if who is not None else None,
            steps=[step],
            claims=[ClaimSpec(_target(cloud))],
            subject=("cloud", cloud.pk),
            cloud_id=cloud.pk,
        )
    except Fault as problem:
        if problem.code != "operation.conflict":
            raise
        return Operation.objects.get(pk=problem.extra["operation"])  # somebody was faster


def running_sync(cloud: Cloud) -> Operation | None:
    """Return the operation that brings the cloud's rows up to date now."""
    claim = Claim.objects.filter(target=_target(cloud)).select_related("operation").first()
    return claim.operation if claim is not None else None


def _target(cloud: Cloud) -> str:
    return f"inventory:{cloud.pk}"


def check(cloud: Cloud) -> Operation | None:
    """Look whether a cloud has changed, and start a sync when it has or when everything is due; beat does this.

    Trouble is noted, not raised. Nothing is written when nothing has changed, but for the time and the capacity.
    """
    if not cloud.enabled or running_sync(cloud) is not None:
        return None
    capacity.sample(cloud)
    state = syncing.state_of(cloud)
    now = timezone.now()
    fresh = state.full_at is not None and now - state.full_at < FULL_AT_MOST_EVERY
    try:
        if state.full_at is not None and now - state.full_at >= FULL_EVERY:
            return None if _failed_lately(cloud, state) else sync(cloud, scratch=True)
        if (not state.sealed or state.loading) and _failed_lately(cloud, state):
            return None
        if syncing.look(cloud, full_wanted=not fresh):
            return sync(cloud)
    except ConnectorError as error:
        syncing.note_trouble(cloud, error)
    except Fault as problem:
        if problem.code != "inventory.unsupported":
            raise
    except syncing.Overtaken:
        pass  # somebody is at it
    return None


def _failed_lately(cloud: Cloud, state: SyncState) -> bool:
    if state.trouble is None:
        return False
    tries = Operation.objects.filter(kind=KIND, cloud_id=cloud.pk, created_at__gt=timezone.now() - TRY_AGAIN_AFTER)
    return tries.exists()


# Saved views ----------------------------------------------------------------------------------------------------


def save_view(
    who: Principal,
    view: View | None,
    *,
    name: str,
    kind: str = "machine",
    filters: Mapping[str, Any] | None = None,
    columns: Sequence[str] = (),
    sort: str = "",
    shared: bool = False,
) -> View:
    """Keep a way to look at the inventory, or change one (`view`); sharing it is for operators.

    Only the owner changes a private one; a shared one is also the administrators'. Faults: `invalid`, `forbidden`,
    `inventory.view_name`.
    """
    if view is not None:
        _require_mine(who, view)
    if shared or (view is not None and view.shared):
        require(who, Role.OPERATOR)
    name = name.strip()
    if not name:
        raise searching.invalid_field("name", _("is needed"))
    searching.check_view(kind, filters or {}, columns, sort)
    row = view or View(organization=who.organization, owner=who.user)
    row.name, row.kind, row.filters, row.columns = name, kind, dict(filters or {}), list(columns)
    row.sort, row.shared = sort, shared
    try:
        with transaction.atomic():
            row.save()
            if shared:
                record(who, "inventory.view.share", "inventory_view", row.pk, row.name)
    except IntegrityError:
        raise fault("inventory.view_name", name=name) from None
    return row


def delete_view(who: Principal, view: View) -> None:
    """Forget a saved view; a shared one is also the administrators' to delete."""
    _require_mine(who, view)
    view.delete()


def _require_mine(who: Principal, view: View) -> None:
    if view.owner_id != who.user.pk:
        require(who, Role.ADMIN)
