"""A choice of running machines, and what was drawn of it: kept for review before anything is marked."""

from __future__ import annotations

import uuid

from django.conf import settings
from django.db import models

from apps.blueprints.models import BlueprintVersion
from apps.clouds.models import Cloud
from apps.deployments.models import Plan
from apps.onboarding.querysets import OnboardingQuerySet
from apps.tenancy.models import Project


class Onboarding(models.Model):
    """Machines of a cloud that somebody chose, as they were looked at then, and the drawing that was made of them.

    ``machines``: [{id, label, name, folder, power, cpus, memory_mib, disk_gib, networks}] of those that are drawn.
    ``refused``: [{id, name, reason}]. ``version`` and ``plan`` come with the design that is made of it.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="onboardings")
    cloud = models.ForeignKey(Cloud, on_delete=models.CASCADE, related_name="onboardings")
    name = models.SlugField(max_length=63)
    text = models.TextField()
    machines = models.JSONField(default=list)
    refused = models.JSONField(default=list)
    warnings = models.JSONField(default=list)
    version = models.ForeignKey(BlueprintVersion, null=True, on_delete=models.SET_NULL, related_name="+")
    plan = models.ForeignKey(Plan, null=True, on_delete=models.SET_NULL, related_name="+")
    created_by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+")
    created_at = models.DateTimeField(auto_now_add=True)

    objects = OnboardingQuerySet.as_manager()

    class Meta:
        ordering = ["-created_at", "id"]
        indexes = [models.Index(fields=["project", "-created_at", "id"], name="onboarding_page_idx")]

    def __str__(self) -> str:
        return self.name
