"""The journal: operations, their steps, claims, events and the outbox. States are in ``states``.

Rows change by the UPDATEs of ``transitions`` alone; nobody saves an Operation or a Step.
"""

from __future__ import annotations

import uuid

from django.conf import settings
from django.db import models
from django.db.models import Q

from apps.operations.querysets import OperationQuerySet
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
    holds = models.JSONField(default=list)  # what it claims while it is live: [{"target", "exclusive"}]
    error = models.JSONField(null=True, blank=True)  # root cause: {code, message, step, hint}
    last_seq = models.BigIntegerField(default=0)
    steps_total = models.PositiveIntegerField(default=0)
    steps_done = models.PositiveIntegerField(default=0)  # steps of the plan that have succeeded
    undo_total = models.PositiveIntegerField(default=0)  # compensations, once there is a rollback
    undo_done = models.PositiveIntegerField(default=0)
    concurrency = models.PositiveSmallIntegerField(null=True, blank=True)  # open tasks on a cloud; null: the setting
    cancel_mode = models.CharField(max_length=12, blank=True)  # "" | "stop" | "revert"
    created_by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+")
    actor = models.CharField(max_length=160, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)
    started_at = models.DateTimeField(null=True, blank=True)
    finished_at = models.DateTimeField(null=True, blank=True)
    # When somebody should look at it next: in the past means "now, and nobody does", null that it has ended.
    due_at = models.DateTimeField(null=True, blank=True, db_index=True)
    poked_at = models.DateTimeField(null=True, blank=True)

    objects = OperationQuerySet.as_manager()

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

    def __str__(self) -> str:
        return self.title


class Step(models.Model):
    """One call to a handler. Claimed by fence and lease; its intent commits before the call, its handle right after.

    A compensation is a step too: ``undoes`` names the step that it takes back, whose state follows it
    (reverting, reverted, revert_failed).
    """

    id = models.BigAutoField(primary_key=True)
    operation = models.ForeignKey(Operation, on_delete=models.CASCADE, related_name="steps", db_index=False)
    undoes = models.ForeignKey(
        "self", null=True, blank=True, on_delete=models.CASCADE, related_name="undone_by", db_index=False
    )
    position = models.PositiveIntegerField()  # order of the plan, for people
    rank = models.PositiveIntegerField(default=0)  # longest way to the end of the plan, in milliseconds: first served
    key = models.CharField(max_length=200)
    title = models.CharField(max_length=300)
    group = models.CharField(max_length=200, blank=True)  # the resource it belongs to
    # The drawing's services on that resource, for canvases. The database's own default serves older writers.
    services = models.JSONField(default=list, db_default=models.Value([], output_field=models.JSONField()))
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
    takeovers = models.PositiveSmallIntegerField(default=0)  # workers that were lost while they held it
    trouble_since = models.DateTimeField(null=True, blank=True)  # since when its cloud cannot be asked
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
                condition=Q(state__in=["running", "waiting"]) & ~Q(serial=""),
                name="step_serial_unique",
            ),
        ]
        indexes = [
            models.Index(fields=["operation", "state", "-rank", "position"], name="step_next_idx"),
            models.Index(
                fields=["cloud_id"],
                name="step_in_flight_idx",
                condition=Q(state__in=["running", "waiting"], cloud_id__isnull=False),
            ),
        ]

    def __str__(self) -> str:
        return self.title


class Claim(models.Model):
    """A hold of a live operation on something ("deployment:<id>"); exclusive ones exclude all others."""

    operation = models.ForeignKey(Operation, on_delete=models.CASCADE, related_name="claims", db_index=False)
    target = models.CharField(max_length=120)
    exclusive = models.BooleanField(default=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["operation", "target"], name="claim_once"),
            models.UniqueConstraint(fields=["target"], condition=Q(exclusive=True), name="claim_exclusive_unique"),
        ]

    def __str__(self) -> str:
        return self.target


class Event(models.Model):
    """What happened, in order; ``seq`` has no gaps within an operation and is the cursor and the SSE id."""

    id = models.BigAutoField(primary_key=True)
    operation = models.ForeignKey(Operation, on_delete=models.CASCADE, related_name="events", db_index=False)
    seq = models.BigIntegerField()
    at = models.DateTimeField()
    type = models.CharField(max_length=40)  # "operation.state", "step.state", "step.progress", "step.log"
    step_key = models.CharField(max_length=200, blank=True)
    data = models.JSONField(default=dict)

    class Meta:
        ordering = ["operation", "seq"]
        constraints = [models.UniqueConstraint(fields=["operation", "seq"], name="event_seq_unique")]

    def __str__(self) -> str:
        return f"{self.seq} {self.type}"


class Outbox(models.Model):
    """A poke that commits with the state it speaks of; the relay sends it and deletes it."""

    id = models.BigAutoField(primary_key=True)
    operation_id = models.UUIDField()
    created_at = models.DateTimeField(auto_now_add=True)

    def __str__(self) -> str:
        return str(self.operation_id)


class WorkerBeat(models.Model):
    """When a worker last proved that it consumes; readiness and the watchdog read it."""

    name = models.CharField(max_length=120, primary_key=True)
    at = models.DateTimeField()

    def __str__(self) -> str:
        return self.name
