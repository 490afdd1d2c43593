"""Look for drift where a sync has seen something change."""

from __future__ import annotations

from celery import shared_task

from apps.deployments import watching
from apps.tenancy.querysets import as_uuid


@shared_task(expires=50)
def look_for_drift() -> None:
    """Send a message for every deployment that is due; beat does this each minute, since messages may be lost."""
    for deployment_id in watching.overdue():
        check_drift.delay(str(deployment_id))


@shared_task(expires=600, soft_time_limit=90, time_limit=100)
def check_drift(deployment_id: str) -> str:
    """Look at one deployment that is due; the answer is for the log."""
    return watching.look_at_due(as_uuid(deployment_id))
