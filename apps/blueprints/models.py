"""Drawings: a blueprint is a Compose file with a history."""

from __future__ import annotations

import uuid

from django.conf import settings
from django.db import models

from apps.blueprints.querysets import BlueprintQuerySet, BlueprintVersionQuerySet
from apps.tenancy.models import Project


class Blueprint(models.Model):
    """A named drawing of a project; its text lives in the versions."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    project = models.ForeignKey(Project, on_delete=models.PROTECT, related_name="blueprints")
    name = models.SlugField(max_length=63)
    description = models.TextField(blank=True)
    created_by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+")
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    objects = BlueprintQuerySet.as_manager()

    class Meta:
        ordering = ["-updated_at", "id"]
        constraints = [models.UniqueConstraint(fields=["project", "name"], name="blueprint_name_unique")]

    def __str__(self) -> str:
        return self.name


class BlueprintVersion(models.Model):
    """A frozen text. ``environment_sealed`` holds the values for interpolation that were given with it.

    They may be secrets (``secrets: {token: {environment: TOKEN}}``), so they are sealed and shown to nobody but those
    who may write the blueprint: ``apps.blueprints.files.environment_of``.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    blueprint = models.ForeignKey(Blueprint, on_delete=models.CASCADE, related_name="versions")
    number = models.PositiveIntegerField()
    text = models.TextField()
    environment_sealed = models.BinaryField(default=b"", blank=True)  # JSON {name: value}; empty: no values
    message = models.CharField(max_length=300, blank=True)
    digest = models.CharField(max_length=64)
    created_by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+")
    created_at = models.DateTimeField(auto_now_add=True)

    objects = BlueprintVersionQuerySet.as_manager()

    class Meta:
        ordering = ["blueprint", "-number"]
        constraints = [models.UniqueConstraint(fields=["blueprint", "number"], name="blueprint_version_unique")]

    def __str__(self) -> str:
        return f"{self.blueprint.name} v{self.number}"


class SuppliedFile(models.Model):
    """A file that came beside the Compose file (secrets, configs, env files, bind sources); sealed at rest."""

    version = models.ForeignKey(BlueprintVersion, on_delete=models.CASCADE, related_name="files")
    path = models.CharField(max_length=400)  # relative, normalised, never outside the file's folder
    sealed = models.BinaryField()
    size_bytes = models.PositiveIntegerField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["version", "path"], name="supplied_file_unique")]

    def __str__(self) -> str:
        return self.path
