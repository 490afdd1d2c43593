"""Keep labels honest: probe labelled clouds again on schedule, and remove what broken runs have left."""

from __future__ import annotations

import logging
from datetime import datetime, timedelta

from celery import shared_task
from django.utils import timezone

from apps.labels import basis, running
from apps.labels.models import Label, Run
from apps.labels.standing import expiring, run_every, standing
from apps.operations.models import Operation
from apps.tenancy.access import System
from apps.tenancy.faults import Fault
from apps.tenancy.querysets import as_uuid

log = logging.getLogger(__name__)

AGAIN = timedelta(hours=1)
"""After how long a run that could not ask the cloud, or a removal that failed, is tried again."""


@shared_task(expires=600)
def keep_labels() -> list[str]:
    """Start the runs and the removals that are due; beat does this every few minutes. Returns what was started."""
    return [*probe_what_is_due(), *clean_what_is_left()]


@shared_task(expires=600)
def clean_up(run_id: str) -> bool:
    """Remove what one run has left; False when there is nothing to do, or another operation holds the cloud."""
    run = (
        Run.objects.to_clean().select_related("cloud__organization", "organization").filter(pk=as_uuid(run_id)).first()
    )
    return run is not None and _clean(run)


def probe_what_is_due(now: datetime | None = None) -> list[str]:
    """Start a run for each labelled cloud that was not probed for long enough, or whose label ends soon."""
    now = now or timezone.now()
    started: list[str] = []
    signed = Label.objects.filter(state="valid", cloud__enabled=True, cloud__removed_at__isnull=True)
    for label in signed.select_related("cloud__organization", "cloud__credential", "run").prefetch_related(
        "run__evidence"
    ):
        cause = due(label, now)
        if not cause:
            continue
        try:
            running.start(System(label.cloud.organization), label.cloud, cause)
        except Fault as problem:
            log.info("The label of %s is not probed now: %s", label.cloud.name, problem.message)
        else:
            started.append(label.cloud.name)
    return started


def due(label: Label, now: datetime) -> str:
    """Return why a labelled cloud should be probed now: "schedule", "renewal", or "" when it need not be."""
    stands = standing(label, now)
    if stands.state in ("broken", "expired"):
        return ""
    last = Run.objects.filter(cloud=label.cloud).order_by("-started_at").first()
    since = now - last.started_at if last is not None else run_every()
    if since >= (AGAIN if label.unconfirmed_since is not None else run_every()):
        return "schedule"
    assert label.valid_until is not None
    if label.valid_until - now > expiring():
        return ""
    waits = Label.objects.filter(cloud=label.cloud, state="candidate").exists()
    # Once into the time before its end, and then only when nothing waits to be signed.
    fresh = last is not None and last.started_at >= label.valid_until - expiring()
    return "" if waits or fresh else "renewal"


def clean_what_is_left(now: datetime | None = None) -> list[str]:
    """Start the removal of what ended runs may have left; one that was tried within the hour waits."""
    lately = (now or timezone.now()) - AGAIN
    rows = Run.objects.to_clean().filter(cloud__enabled=True, cloud__removed_at__isnull=True)
    started: list[str] = []
    busy: set[object] = set()
    for run in rows.select_related("cloud__organization", "organization").order_by("started_at")[:50]:
        tried = Operation.objects.about("conformance", run.pk).filter(kind=running.CLEANING, created_at__gt=lately)
        if tried.exists() or basis.moved(run.basis, run.cloud):
            continue
        if run.cloud_id not in busy and _clean(run):
            started.append(run.cloud.name)
        busy.add(run.cloud_id)  # one at a time; the next one waits for the next look
    return started


def _clean(run: Run) -> bool:
    try:
        running.clean(run)
    except Fault as problem:
        log.info("The canary of %s is not removed now: %s", run.cloud.name, problem.message)
        return False
    return True
