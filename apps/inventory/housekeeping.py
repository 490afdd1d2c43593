"""Forget what nobody looks at any more."""

from __future__ import annotations

from datetime import timedelta

from django.db.models import F, Window
from django.db.models.functions import RowNumber
from django.utils import timezone

from apps.inventory.models import Machine, Seen, SyncState, Thing
from apps.operations.models import Operation
from apps.operations.states import OPERATION_ENDS

KEEP_SYNCS = 10
KEEP_SYNCS_FOR = timedelta(days=1)
_AT_ONCE = 1_000


def forget_syncs() -> int:
    """Delete syncs that ended over a day ago, but for the last ten of each cloud; return how many."""
    ended = Operation.objects.filter(kind="sync", state__in=OPERATION_ENDS)
    ranked = ended.annotate(
        turn=Window(RowNumber(), partition_by=[F("cloud_id")], order_by=[F("created_at").desc(), F("id")])
    )
    old = ranked.filter(turn__gt=KEEP_SYNCS, finished_at__lt=timezone.now() - KEEP_SYNCS_FOR)
    ids = list(old.values_list("pk", flat=True)[:_AT_ONCE])
    Operation.objects.filter(pk__in=ids).delete()
    return len(ids)


def forget_removed() -> None:
    """Delete the rows of clouds that were removed from the portal."""
    for model in (Machine, Thing, Seen, SyncState):
        model._default_manager.filter(cloud__removed_at__isnull=False).delete()
