"""Keep health and inventories of the clouds fresh."""

from __future__ import annotations

from celery import shared_task

from apps.clouds.models import Cloud
from apps.clouds.reading import refresh_alone
from apps.tenancy.querysets import as_uuid


@shared_task(expires=50)
def refresh_clouds() -> None:
    """Send a message for every cloud that is switched on; beat does this each minute."""
    for cloud_id in Cloud.objects.present().filter(enabled=True).values_list("pk", flat=True):
        refresh_cloud.delay(str(cloud_id))


@shared_task(expires=50, soft_time_limit=90, time_limit=100)
def refresh_cloud(cloud_id: str) -> bool:
    """Read one cloud; False when another worker is at it, or the cloud is gone."""
    cloud = Cloud.objects.present().filter(pk=as_uuid(cloud_id), enabled=True).first()
    return cloud is not None and refresh_alone(cloud) is not None
