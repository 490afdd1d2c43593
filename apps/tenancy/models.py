"""Who may see and do what: organizations, projects, members with roles, API tokens, and their encryption keys."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING

from django.contrib.auth.models import AbstractUser
from django.db import models

from apps.tenancy.querysets import OrganizationQuerySet, OrganizationScopedQuerySet, ProjectQuerySet

if TYPE_CHECKING:
    from apps.tenancy.access import Principal


class Role(models.TextChoices):
    """Roles from the weakest to the strongest; each may do what the ones before it may."""

    VIEWER = "viewer", "Viewer"  # reads
    ARCHITECT = "architect", "Architect"  # draws, plans, deploys and destroys what the project owns
    OPERATOR = "operator", "Operator"  # besides: cancels, retries and rolls back anybody's operations
    ADMIN = "admin", "Admin"  # besides: clouds, credentials, members, tokens, settings


class User(AbstractUser):
    """A person who signs in."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)


class Organization(models.Model):
    """A tenant: nothing of it is visible to another one."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    slug = models.SlugField(max_length=63, unique=True)
    name = models.CharField(max_length=120)
    created_at = models.DateTimeField(auto_now_add=True)

    objects = OrganizationQuerySet.as_manager()

    class Meta:
        ordering = ["name", "id"]

    def __str__(self) -> str:
        return self.name


class Project(models.Model):
    """A part of an organization that owns blueprints and deployments."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    organization = models.ForeignKey(Organization, on_delete=models.PROTECT, related_name="projects")
    slug = models.SlugField(max_length=63)
    name = models.CharField(max_length=120)
    policy = models.JSONField(default=dict, blank=True)  # defaults for realisation: isolation, container engine, sizes
    created_at = models.DateTimeField(auto_now_add=True)

    objects = ProjectQuerySet.as_manager()

    class Meta:
        ordering = ["slug", "id"]
        constraints = [models.UniqueConstraint(fields=["organization", "slug"], name="project_slug_unique")]

    def __str__(self) -> str:
        return self.name


class Membership(models.Model):
    """A user's role in an organization (project empty) or in one of its projects."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="memberships")
    organization = models.ForeignKey(Organization, on_delete=models.CASCADE, related_name="memberships")
    project = models.ForeignKey(Project, null=True, blank=True, on_delete=models.CASCADE, related_name="memberships")
    role = models.CharField(max_length=16, choices=Role.choices)
    created_at = models.DateTimeField(auto_now_add=True)

    objects = OrganizationScopedQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["user", "organization", "project"], name="membership_unique", nulls_distinct=False
            )
        ]
        ordering = ["created_at", "id"]

    def __str__(self) -> str:
        return f"{self.user_id} is {self.role}"


class ApiToken(models.Model):
    """A bearer token: shown once, stored as a keyed digest, scoped to an organization, a role and perhaps a project.

    Text form: ``escale_<prefix>_<secret>``; the prefix finds the row, the digest proves the secret.
    """

    principal: Principal | None = None  # of the request that it authenticated; not a column

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="tokens")
    organization = models.ForeignKey(Organization, on_delete=models.CASCADE, related_name="tokens")
    project = models.ForeignKey(Project, null=True, blank=True, on_delete=models.CASCADE, related_name="tokens")
    name = models.CharField(max_length=120)
    prefix = models.CharField(max_length=16, unique=True)
    digest = models.CharField(max_length=64)
    pepper_version = models.PositiveSmallIntegerField(default=1)
    role = models.CharField(max_length=16, choices=Role.choices)  # never more than the user's own role, checked at use
    expires_at = models.DateTimeField(null=True, blank=True)
    revoked_at = models.DateTimeField(null=True, blank=True)
    last_used_at = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)

    objects = OrganizationScopedQuerySet.as_manager()

    class Meta:
        ordering = ["-created_at", "id"]

    def __str__(self) -> str:
        return f"{self.name} ({self.prefix})"


class DataKey(models.Model):
    """An organization's data key, wrapped by the key-encryption key of ``kek_version`` (never stored here)."""

    organization = models.ForeignKey(Organization, on_delete=models.CASCADE, related_name="data_keys")
    version = models.PositiveIntegerField()
    kek_version = models.PositiveSmallIntegerField()
    wrapped = models.BinaryField()
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["organization", "version"], name="data_key_unique")]

    def __str__(self) -> str:
        return f"data key {self.version} of {self.organization_id}"


class IdempotencyRecord(models.Model):
    """What a write with an ``Idempotency-Key`` answered, so that its repetition answers the same.

    The row commits together with the work, so there is never an answer without its work or the reverse.
    """

    organization = models.ForeignKey(Organization, on_delete=models.CASCADE)
    user = models.ForeignKey(User, on_delete=models.CASCADE)
    key = models.CharField(max_length=255)
    method = models.CharField(max_length=8)
    path = models.CharField(max_length=512)
    request_hash = models.CharField(max_length=64)
    status = models.PositiveSmallIntegerField()
    headers = models.JSONField(default=dict)
    body = models.TextField(blank=True)  # the answer's own text: JSON columns would reorder it
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["organization", "user", "key"], name="idempotency_unique")]
        indexes = [models.Index(fields=["created_at"], name="idempotency_age_idx")]

    def __str__(self) -> str:
        return f"{self.method} {self.path}"
