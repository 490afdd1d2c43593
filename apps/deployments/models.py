"""What was planned and what runs: plans, deployments, their resources, and one-time secret fetches."""

from __future__ import annotations

import uuid

from django.conf import settings
from django.db import models
from django.db.models import Q

from apps.blueprints.models import BlueprintVersion
from apps.clouds.models import Cloud
from apps.deployments.querysets import DeploymentQuerySet, PlanQuerySet
from apps.tenancy.models import Project


class Deployment(models.Model):
    """A drawing that runs on a cloud. States: ``new, deploying, running, updating, failed, destroying, destroyed``.

    One that runs on several clouds has a part on each further cloud: a deployment of its own that names it as its
    ``parent``, shares its name and every operation, and is never planned alone.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    project = models.ForeignKey(Project, on_delete=models.PROTECT, related_name="deployments")
    name = models.SlugField(max_length=63)
    cloud = models.ForeignKey(Cloud, on_delete=models.PROTECT, related_name="deployments")
    version = models.ForeignKey(BlueprintVersion, on_delete=models.PROTECT, related_name="deployments")
    region = models.CharField(max_length=200, blank=True, default="")  # of the drawing; empty: the whole drawing
    parent = models.ForeignKey("self", null=True, blank=True, on_delete=models.CASCADE, related_name="parts")
    part = models.CharField(max_length=63, blank=True, default="")  # starts the keys of what is there; "" for a whole
    images = models.JSONField(default=dict, blank=True)  # service -> image for services that only say how to build
    state = models.CharField(max_length=16, default="new")
    epoch = models.PositiveIntegerField(default=0)  # +1 for each operation that was let in: one writer at a time
    created_by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+")
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)
    destroyed_at = models.DateTimeField(null=True, blank=True)

    objects = DeploymentQuerySet.as_manager()

    class Meta:
        ordering = ["-created_at", "id"]
        constraints = [
            models.UniqueConstraint(
                fields=["project", "name"],
                condition=Q(parent__isnull=True) & ~Q(state="destroyed"),
                name="deployment_name_unique",
            ),
            models.UniqueConstraint(
                fields=["parent", "cloud"], condition=Q(parent__isnull=False), name="deployment_part_unique"
            ),
        ]
        indexes = [models.Index(fields=["project", "-created_at", "id"], name="deployment_page_idx")]

    def __str__(self) -> str:
        return self.name


class Plan(models.Model):
    """A stored ``engine.plan.Plan``. ``deployment_id`` may name a deployment that does not exist yet."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    project = models.ForeignKey(Project, on_delete=models.PROTECT, related_name="plans")
    cloud = models.ForeignKey(Cloud, on_delete=models.PROTECT, related_name="plans")
    version = models.ForeignKey(BlueprintVersion, null=True, on_delete=models.PROTECT, related_name="plans")
    deployment_id = models.UUIDField()
    deployment_name = models.SlugField(max_length=63)
    region = models.CharField(max_length=200, blank=True, default="")
    purpose = models.CharField(max_length=10, default="apply")  # "apply" | "destroy"
    images = models.JSONField(default=dict, blank=True)
    body = models.JSONField()  # planning.Worked.to_json(): the engine's plan, with services, machines and price
    hash = models.CharField(max_length=64)
    operation_id = models.UUIDField(null=True, blank=True)  # set once, when it was started
    created_by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+")
    created_at = models.DateTimeField(auto_now_add=True)

    objects = PlanQuerySet.as_manager()

    class Meta:
        ordering = ["-created_at", "id"]
        indexes = [models.Index(fields=["project", "-created_at", "id"], name="plan_page_idx")]

    def __str__(self) -> str:
        return f"{self.purpose} {self.deployment_name}"


class Resource(models.Model):
    """One thing of a deployment on its cloud; ``spec`` is what was last applied (the planner's third side)."""

    id = models.BigAutoField(primary_key=True)
    deployment = models.ForeignKey(Deployment, on_delete=models.CASCADE, related_name="resources")
    key = models.CharField(max_length=200)
    kind = models.CharField(max_length=20)
    name = models.CharField(max_length=200)
    external_id = models.CharField(max_length=400, blank=True)
    state = models.CharField(max_length=16, default="creating")  # creating, present, running, stopped, missing
    spec = models.JSONField(default=dict)
    facts = models.JSONField(default=dict)  # results of the connector: moref, path, addresses, …
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        ordering = ["deployment", "key"]
        constraints = [models.UniqueConstraint(fields=["deployment", "key"], name="resource_key_unique")]

    def __str__(self) -> str:
        return self.key


class DriftReport(models.Model):
    """How a deployment differed on its cloud when somebody, or a sync, last looked.

    ``state``: unchecked, clean, drifted, or unknown (the cloud did not answer, or the drawing cannot be planned any
    more; why is in ``reason``). ``body`` is ``drifting.drift_of`` as JSON; of an unknown state, the last known one.
    """

    deployment = models.OneToOneField(
        Deployment, on_delete=models.CASCADE, primary_key=True, related_name="drift_report"
    )
    state = models.CharField(max_length=10, default="unchecked")
    reason = models.TextField(blank=True, default="")
    body = models.JSONField(default=dict)
    checked_at = models.DateTimeField(null=True)
    due_at = models.DateTimeField(null=True)  # a sync saw something change, and nobody has looked since

    class Meta:
        indexes = [models.Index(fields=["due_at"], name="drift_due_idx", condition=Q(due_at__isnull=False))]

    def __str__(self) -> str:
        return f"{self.deployment} {self.state}"


class FetchGrant(models.Model):
    """A machine's right to fetch its secrets once: token digest, machine's BIOS UUID, expiry, use."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    deployment = models.ForeignKey(Deployment, on_delete=models.CASCADE, related_name="grants")
    machine_key = models.CharField(max_length=200)
    machine_uuid = models.CharField(max_length=36)
    digest = models.CharField(max_length=64, unique=True)
    sealed = models.BinaryField()  # JSON {path: base64 content}, sealed; emptied at use
    expires_at = models.DateTimeField()
    used_at = models.DateTimeField(null=True, blank=True)
    used_from = models.GenericIPAddressField(null=True, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)

    def __str__(self) -> str:
        return f"fetch of {self.machine_key}"
