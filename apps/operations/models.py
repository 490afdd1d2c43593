"""The journal: operations, their steps, claims, events and the outbox. States are in ``states``."""

from __future__ import annotations

import uuid

from django.conf import settings
from django.db import models
from django.db.models import Q

from apps.tenancy.models import Organization, Project


class Operation(models.Model):
    """One piece of work on the outside world, made of steps.

    ``subject_type``/``subject_id`` name what it is about ("deployment", id) without a foreign key, since
    this app lies below the apps whose work it does. ``last_seq`` numbers the operation's events without gaps.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    organization = models.ForeignKey(Organization, on_delete=models.PROTECT, related_name="operations")
    project = models.ForeignKey(Project, on_delete=models.PROTECT, related_name="operations", null=True)
    kind = models.CharField(max_length=40)  # "deploy", "update", "destroy", "probe", …: registered by the app above
    title = models.CharField(max_length=200)
    state = models.CharField(max_length=20, default="queued")
    subject_type = models.CharField(max_length=40, blank=True)
    subject_id = models.UUIDField(null=True, blank=True)
    cloud_id = models.UUIDField(null=True, blank=True)
    data = models.JSONField(default=dict)  # for the kind's callbacks; no secrets
    error = models.JSONField(null=True, blank=True)  # root cause: {code, message, step, hint}
    last_seq = models.BigIntegerField(default=0)
    steps_total = models.PositiveIntegerField(default=0)
    steps_done = models.PositiveIntegerField(default=0)
    cancel_mode = models.CharField(max_length=12, blank=True)  # "" | "stop" | "revert"
    created_by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+")
    actor = models.CharField(max_length=160, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)
    started_at = models.DateTimeField(null=True, blank=True)
    finished_at = models.DateTimeField(null=True, blank=True)
    due_at = models.DateTimeField(null=True, blank=True, db_index=True)  # when the sweeper should poke next

    class Meta:
        ordering = ["-created_at", "id"]
        indexes = [
            models.Index(fields=["project", "-created_at", "id"], name="operation_project_idx"),
            models.Index(fields=["organization", "-created_at", "id"], name="operation_org_idx"),
            models.Index(fields=["subject_type", "subject_id", "-created_at"], name="operation_subject_idx"),
            models.Index(
                fields=["state"],
                name="operation_live_idx",
                condition=~Q(state__in=["succeeded", "failed", "cancelled", "reverted", "revert_failed"]),
            ),
        ]


class Step(models.Model):
    """One call to a handler. Claimed by fence and lease; its intent commits before the call, its handle right after."""

    id = models.BigAutoField(primary_key=True)
    operation = models.ForeignKey(Operation, on_delete=models.CASCADE, related_name="steps")
    position = models.PositiveIntegerField()  # order of the plan, for people
    key = models.CharField(max_length=200)
    title = models.CharField(max_length=300)
    group = models.CharField(max_length=200, blank=True)  # the resource it belongs to
    verb = models.CharField(max_length=40, blank=True)
    change = models.CharField(max_length=12, blank=True)
    handler = models.CharField(max_length=40)
    payload = models.JSONField(default=dict)
    depends_on = models.JSONField(default=list)  # keys
    waiting_for = models.PositiveIntegerField(default=0)  # how many of depends_on are not yet succeeded
    state = models.CharField(max_length=16, default="pending")
    cloud_id = models.UUIDField(null=True, blank=True)
    serial = models.CharField(max_length=80, blank=True)
    attempt = models.PositiveIntegerField(default=0)
    max_attempts = models.PositiveIntegerField(default=5)
    fence = models.BigIntegerField(default=0)
    worker = models.CharField(max_length=120, blank=True)
    lease_until = models.DateTimeField(null=True, blank=True)
    due_at = models.DateTimeField(null=True, blank=True)  # next poll or next attempt
    intent_hash = models.CharField(max_length=64, blank=True)
    handle = models.TextField(blank=True)
    progress = models.PositiveSmallIntegerField(null=True, blank=True)
    message = models.TextField(blank=True)
    result = models.JSONField(default=dict)
    error = models.JSONField(null=True, blank=True)
    started_at = models.DateTimeField(null=True, blank=True)
    finished_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["operation", "position"]
        constraints = [
            models.UniqueConstraint(fields=["operation", "key"], name="step_key_unique"),
            # What must not run side by side on one cloud is kept apart by the database, not by good behaviour.
            models.UniqueConstraint(
                fields=["cloud_id", "serial"],
                condition=Q(state__in=["running", "waiting", "reverting"]) & ~Q(serial=""),
                name="step_serial_unique",
            ),
        ]
        indexes = [
            models.Index(fields=["operation", "state", "due_at"], name="step_due_idx"),
            models.Index(fields=["lease_until"], name="step_lease_idx", condition=Q(lease_until__isnull=False)),
        ]


class Claim(models.Model):
    """A hold of a live operation on something ("deployment:<id>"); exclusive ones exclude all others."""

    operation = models.ForeignKey(Operation, on_delete=models.CASCADE, related_name="claims")
    target = models.CharField(max_length=120)
    exclusive = models.BooleanField(default=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["operation", "target"], name="claim_once"),
            models.UniqueConstraint(fields=["target"], condition=Q(exclusive=True), name="claim_exclusive_unique"),
        ]


class Event(models.Model):
    """What happened, in order; ``seq`` has no gaps within an operation and is the cursor and the SSE id."""

    id = models.BigAutoField(primary_key=True)
    operation = models.ForeignKey(Operation, on_delete=models.CASCADE, related_name="events")
    seq = models.BigIntegerField()
    at = models.DateTimeField()
    type = models.CharField(max_length=40)  # "operation.state", "step.state", "step.progress", "step.log"
    step_key = models.CharField(max_length=200, blank=True)
    data = models.JSONField(default=dict)

    class Meta:
        ordering = ["operation", "seq"]
        constraints = [models.UniqueConstraint(fields=["operation", "seq"], name="event_seq_unique")]


class Outbox(models.Model):
    """A poke that commits with the state it speaks of; the relay sends it and deletes it."""

    id = models.BigAutoField(primary_key=True)
    operation_id = models.UUIDField()
    created_at = models.DateTimeField(auto_now_add=True)


class WorkerBeat(models.Model):
    """When a worker last proved that it consumes; readiness and the watchdog read it."""

    name = models.CharField(max_length=120, primary_key=True)
    at = models.DateTimeField()
