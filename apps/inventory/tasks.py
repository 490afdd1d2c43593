"""Let the inventory follow the clouds, and forget what is old."""

from __future__ import annotations

import logging

from celery import shared_task
from django.db import connection

from apps.clouds.models import Cloud
from apps.inventory import capacity, housekeeping, services
from apps.inventory.models import SyncState
from apps.tenancy.querysets import as_uuid

log = logging.getLogger(__name__)

LEASE_S = 120


@shared_task(expires=50)
def check_clouds() -> None:
    """Send a message for every cloud that is switched on; beat does this each minute."""
    for cloud_id in Cloud.objects.present().filter(enabled=True).values_list("pk", flat=True):
        check_cloud.delay(str(cloud_id))


@shared_task(expires=50, soft_time_limit=90, time_limit=100)
def check_cloud(cloud_id: str) -> bool:
    """Look whether one cloud has changed; False when another worker looks already, or the cloud is gone."""
    # An inventory is only opened when a sample of the capacity is due.
    rows = Cloud.objects.present().select_related("organization").defer("inventory", "ca_pem")
    cloud = rows.filter(pk=as_uuid(cloud_id), enabled=True).first()
    if cloud is None or not _take_lease(cloud):
        return False
    try:
        services.check(cloud)
    finally:
        SyncState.objects.filter(pk=cloud.pk).update(checking_until=None)
    return True


@shared_task(expires=3000)
def tidy_up() -> None:
    """Thin out old capacities, and forget old syncs and the rows of clouds that were removed; beat does this hourly."""
    capacity.thin_out()
    housekeeping.forget_syncs()
    housekeeping.forget_removed()


def _take_lease(cloud: Cloud) -> bool:
    # As in apps.clouds.reading: it also works behind a connection pooler, and ends with a killed worker.
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO inventory_syncstate AS s"
            " (cloud_id, sealed, serial, loading, incremental, counts, report, checking_until)"
            " VALUES (%s, '', 0, false, true, '{}', '{}', clock_timestamp() + make_interval(secs => %s))"
            " ON CONFLICT (cloud_id) DO UPDATE SET checking_until = excluded.checking_until"
            " WHERE s.checking_until IS NULL OR s.checking_until < clock_timestamp()",
            [cloud.pk, LEASE_S],
        )
        return bool(cursor.rowcount == 1)
