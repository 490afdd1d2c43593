"""Conformance runs, their evidence, and the labels that are issued on them."""

from __future__ import annotations

import uuid

from django.conf import settings
from django.db import models
from django.db.models import Q

from apps.clouds.models import Cloud
from apps.labels.querysets import LabelQuerySet, RunQuerySet
from apps.operations.models import Operation
from apps.tenancy.models import Organization


class Run(models.Model):
    """One conformance run against a cloud: an operation of probes, and what became of it.

    ``state``: running · passed (``level`` says what for) · failed (a required probe did) · inconclusive (the cloud
    could not be asked, or the run broke) · cancelled. ``basis``: what the cloud was when it was probed (kind, flavour,
    address, digest of the user name, instance UUID); a label stands as long as that is so. ``cleaned_at``: since when
    nothing of the canary is left, proved by a listing.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    organization = models.ForeignKey(Organization, on_delete=models.PROTECT, related_name="+")
    cloud = models.ForeignKey(Cloud, on_delete=models.PROTECT, related_name="conformance_runs")
    operation = models.OneToOneField(Operation, on_delete=models.PROTECT, related_name="+", null=True)
    cause = models.CharField(max_length=12, default="manual")  # manual, schedule, renewal, sandbox
    state = models.CharField(max_length=14, default="running")
    level = models.CharField(max_length=10, blank=True)  # deploy, mobility: what it has earned
    basis = models.JSONField(default=dict)
    product = models.JSONField(default=dict)  # what the cloud says it is: product, version, build, api_version
    actor = models.CharField(max_length=160, blank=True)
    started_at = models.DateTimeField()
    finished_at = models.DateTimeField(null=True, blank=True)
    cleaned_at = models.DateTimeField(null=True, blank=True)

    objects = RunQuerySet.as_manager()

    class Meta:
        ordering = ["-started_at", "id"]
        indexes = [
            models.Index(fields=["cloud", "-started_at", "id"], name="conformance_cloud_idx"),
            models.Index(fields=["state"], name="conformance_uncleaned_idx", condition=Q(cleaned_at__isnull=True)),
        ]

    def __str__(self) -> str:
        return f"{self.cloud_id} {self.started_at:%Y-%m-%d %H:%M}"


class Evidence(models.Model):
    """What one probe found. ``facts`` may be shown to a partner; ``internals`` and the message of a failure may not.

    ``verdict``: passed · failed · skipped (``left_out``: the flavour does not offer it, which does not count; else
    what it needs had not passed) · error (the cloud could not be asked).
    """

    run = models.ForeignKey(Run, on_delete=models.CASCADE, related_name="evidence")
    position = models.PositiveSmallIntegerField()
    probe = models.CharField(max_length=40)
    level = models.CharField(max_length=10)
    required = models.BooleanField()
    left_out = models.CharField(max_length=300, blank=True)
    verdict = models.CharField(max_length=8)
    code = models.CharField(max_length=60, blank=True)
    message = models.TextField(blank=True)
    facts = models.JSONField(default=dict)
    internals = models.JSONField(default=dict)
    started_at = models.DateTimeField()
    finished_at = models.DateTimeField()

    class Meta:
        ordering = ["run", "position"]
        constraints = [models.UniqueConstraint(fields=["run", "probe"], name="evidence_once")]

    def __str__(self) -> str:
        return f"{self.probe}: {self.verdict}"


class Label(models.Model):
    """A label of a cloud, issued on one run.

    ``state``: candidate (passed, waits for a signature) · valid (signed) · lost (a later run failed) · withdrawn (by
    an administrator) · replaced (by a newer one). Whether a valid one is in force now is `apps.labels.standing`'s to
    say: it expires, is suspended when the cloud is another one than was probed, and broken when its evidence was
    edited. ``signature``: {algorithm, key (version), public_key, value}.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    organization = models.ForeignKey(Organization, on_delete=models.PROTECT, related_name="+")
    cloud = models.ForeignKey(Cloud, on_delete=models.PROTECT, related_name="labels")
    run = models.ForeignKey(Run, on_delete=models.PROTECT, related_name="labels")
    level = models.CharField(max_length=10)
    state = models.CharField(max_length=10, default="candidate")
    created_at = models.DateTimeField()
    statement = models.TextField(blank=True)
    signed_by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+")
    signer = models.CharField(max_length=160, blank=True)
    signed_at = models.DateTimeField(null=True, blank=True)
    valid_until = models.DateTimeField(null=True, blank=True)
    signature = models.JSONField(default=dict)
    confirmed_at = models.DateTimeField(null=True, blank=True)  # when a run last passed for it
    unconfirmed_since = models.DateTimeField(null=True, blank=True)  # since when the cloud could not be asked
    ended_at = models.DateTimeField(null=True, blank=True)  # lost, withdrawn or replaced
    ended_by = models.CharField(max_length=160, blank=True)
    ended_why = models.JSONField(default=dict)  # {"probe", "code", "message", "run"} or {"reason"}

    objects = LabelQuerySet.as_manager()

    class Meta:
        ordering = ["-created_at", "id"]
        constraints = [
            models.UniqueConstraint(fields=["cloud"], condition=Q(state="valid"), name="label_one_valid"),
            models.UniqueConstraint(fields=["cloud"], condition=Q(state="candidate"), name="label_one_candidate"),
        ]

    def __str__(self) -> str:
        return f"escale:{self.level}"
