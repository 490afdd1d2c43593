"""Keep what deployments were last seen to differ in: looked at after each sync of their cloud, and on request."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterable
from datetime import timedelta
from typing import Any

from django.core.serializers.json import DjangoJSONEncoder
from django.db import transaction
from django.db.models import Q
from django.db.models.functions import Coalesce
from django.utils import timezone

from apps.clouds.models import Cloud
from apps.deployments.drifting import drift_of
from apps.deployments.models import Deployment, DriftReport, Resource
from apps.tenancy.access import Principal, require
from apps.tenancy.faults import Fault
from apps.tenancy.models import Role
from apps.tenancy.redaction import redact_text

log = logging.getLogger(__name__)

STATES = ("unchecked", "clean", "drifted", "unknown")
_AGAIN_AFTER = timedelta(seconds=60)
_BATCH = 500


def check(principal: Principal, deployment: Deployment) -> DriftReport:
    """Look at a deployment's clouds now and keep what was found; a cloud that does not answer gives ``unknown``.

    Faults: ``forbidden``, ``deployment.is_part``, ``deployment.destroyed``, ``deployment.changing``.
    """
    require(principal, Role.ARCHITECT, deployment.project)
    return look_and_keep(deployment)


def look_and_keep(deployment: Deployment) -> DriftReport:
    """Look, and keep what was found. Faults: as `check`, but for ``forbidden``."""
    now = timezone.now()
    try:
        body = json.loads(json.dumps(drift_of(deployment), cls=DjangoJSONEncoder))
    except Fault as problem:
        if problem.code.startswith("deployment."):
            raise
        kept: dict[str, Any] = {"state": "unknown", "reason": redact_text(problem.message)}
    else:
        kept = {"state": "drifted" if body["drifted"] else "clean", "reason": "", "body": body}
    report, _ = DriftReport.objects.update_or_create(
        deployment=deployment, defaults={**kept, "checked_at": now, "due_at": None}
    )
    return report


def on_synced(cloud: Cloud, changed: Iterable[tuple[str, str]]) -> None:
    """Note which deployments have to be looked at, since a sync saw something of theirs change; send for a look."""
    ids = {uid.lower() for _, uid in changed}
    rows = Resource.objects.filter(deployment__cloud=cloud, kind__in=("machine", "volume")).exclude(
        deployment__state="destroyed"
    )
    # What is ours is far less than what a first listing of a large cloud tells, so it is read whole, once.
    ours = rows.annotate(whole=Coalesce("deployment__parent", "deployment")).values_list("external_id", "whole")
    due = {whole for external_id, whole in ours.iterator(chunk_size=5000) if external_id.lower() in ids}
    if due:
        mark_due(due)


def mark_due(deployments: Iterable[Any]) -> None:
    """Note that deployments have to be looked at, and send for it when that is committed."""
    from apps.deployments.tasks import check_drift  # tasks import this module

    ids = sorted(deployments)
    now = timezone.now()
    with transaction.atomic():
        for deployment_id in ids:
            DriftReport.objects.get_or_create(deployment_id=deployment_id, defaults={"state": "unchecked"})
        DriftReport.objects.filter(pk__in=ids).update(due_at=now)
        transaction.on_commit(lambda: [check_drift.delay(str(deployment_id)) for deployment_id in ids] and None)


def take_due(deployment_id: Any) -> Deployment | None:
    """Take a deployment that is due, so that nobody else looks at it as well; None when it is not due any more."""
    ready = DriftReport.objects.filter(pk=deployment_id, due_at__lte=timezone.now())
    # Due again by itself, should this worker be lost while it looks.
    if not ready.update(due_at=timezone.now() + _AGAIN_AFTER):
        return None
    return Deployment.objects.select_related("project__organization", "cloud", "version__blueprint").get(
        pk=deployment_id
    )


def look_at_due(deployment_id: Any) -> str:
    """Look at a deployment that is due; return the state that is kept, or why there is none."""
    deployment = take_due(deployment_id)
    if deployment is None:
        return "not due"
    try:
        return look_and_keep(deployment).state
    except Fault as problem:
        if problem.code != "deployment.changing":  # destroyed, or a part of another
            DriftReport.objects.filter(pk=deployment_id).update(due_at=None)
        return problem.code


def overdue() -> list[Any]:
    """Return the deployments that are due, the longest first."""
    rows = DriftReport.objects.filter(due_at__lte=timezone.now()).exclude(deployment__state="destroyed")
    return list(rows.order_by("due_at").values_list("pk", flat=True)[:_BATCH])


def drifted(deployments: Iterable[Any]) -> set[Any]:
    """Return those of deployments (ids) that were last seen to have drifted."""
    rows = DriftReport.objects.filter(Q(pk__in=list(deployments)), state="drifted")
    return set(rows.values_list("pk", flat=True))
