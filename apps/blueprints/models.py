"""Drawings: a blueprint is a Compose file with a history; a draft is one that somebody is at work on."""

from __future__ import annotations

import uuid

from django.conf import settings
from django.db import models
from django.utils import timezone

from apps.blueprints.querysets import (
    BlueprintQuerySet,
    BlueprintVersionQuerySet,
    DraftQuerySet,
    ShareLinkQuerySet,
)
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


class Draft(models.Model):
    """What somebody is drawing and has not saved yet; nobody else sees it, and its text may be broken.

    `revision` counts the writes: a write names the revision that it was made from and fails when there is a newer
    one, so two tabs never overwrite each other. Supplied files and values are one sealed JSON document each, since
    they are only ever replaced as a whole; their names stand beside in clear, as they do for versions.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="drafts")
    # A design that is deleted leaves the drafts of it behind: what somebody else is writing is not lost with it.
    blueprint = models.ForeignKey(Blueprint, null=True, blank=True, on_delete=models.SET_NULL, related_name="drafts")
    base_version = models.PositiveIntegerField(null=True, blank=True)  # the version that the text was made from
    name = models.CharField(max_length=63, blank=True)
    description = models.TextField(null=True, blank=True)  # noqa: DJ001  None: as the design has it, whatever comes
    text = models.TextField(blank=True)
    file_paths = models.JSONField(default=list, blank=True)
    environment_names = models.JSONField(default=list, blank=True)
    sealed_files = models.BinaryField(default=b"", blank=True)  # JSON {path: base64}; empty: none
    sealed_environment = models.BinaryField(default=b"", blank=True)  # JSON {name: value}; empty: none
    revision = models.PositiveIntegerField(default=1)
    created_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+")
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(default=timezone.now)

    objects = DraftQuerySet.as_manager()

    class Meta:
        ordering = ["-updated_at", "id"]
        constraints = [models.UniqueConstraint(fields=["created_by", "blueprint"], name="draft_of_blueprint_unique")]
        indexes = [models.Index(fields=["updated_at"], name="draft_age_idx")]

    def __str__(self) -> str:
        return self.name or str(self.id)


class ShareLink(models.Model):
    """An address under which every member of the organization may read a design, with or without a role in it.

    The token is found by its digest, which needs no key: 256 random bits cannot be guessed. It is kept sealed
    besides, so that those who may write the design can see the address again.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    blueprint = models.ForeignKey(Blueprint, on_delete=models.CASCADE, related_name="shares")
    version_number = models.PositiveIntegerField(null=True, blank=True)  # None: always the latest
    digest = models.CharField(max_length=64, unique=True)  # SHA-256 of the token, hexadecimal
    sealed_token = models.BinaryField()
    created_by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+")
    created_at = models.DateTimeField(auto_now_add=True)
    expires_at = models.DateTimeField(null=True, blank=True)

    objects = ShareLinkQuerySet.as_manager()

    class Meta:
        ordering = ["-created_at", "id"]

    def __str__(self) -> str:
        return f"{self.blueprint_id} v{self.version_number or 'latest'}"
