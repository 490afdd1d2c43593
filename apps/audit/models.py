"""Append-only audit entries, hash-chained per organization."""

from __future__ import annotations

from django.db import models

from apps.tenancy.models import Organization
from apps.tenancy.querysets import OrganizationScopedQuerySet


class Entry(models.Model):
    """Who did what to which object; ``hash`` covers the entry and the one before it."""

    organization = models.ForeignKey(Organization, on_delete=models.PROTECT, related_name="audit_entries")
    sequence = models.BigIntegerField()
    at = models.DateTimeField()
    actor = models.CharField(max_length=160)  # user name, "token <name> of <user>", or "system"
    actor_id = models.UUIDField(null=True)
    action = models.CharField(max_length=80)  # "deployment.create", "credential.rotate", …
    object_type = models.CharField(max_length=60)
    object_id = models.CharField(max_length=64)
    object_name = models.CharField(max_length=200, blank=True)
    data = models.JSONField(default=dict)
    previous_hash = models.CharField(max_length=64)
    hash = models.CharField(max_length=64)

    objects = OrganizationScopedQuerySet.as_manager()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["organization", "sequence"], name="audit_sequence_unique")]
        ordering = ["organization", "sequence"]

    def __str__(self) -> str:
        return f"{self.sequence} {self.action}"


class Head(models.Model):
    """The last entry of an organization's chain; its row is the lock under which entries are appended.

    ``mac`` is keyed from outside the database: whoever can write tables can still not make up a head.
    """

    organization = models.OneToOneField(Organization, on_delete=models.PROTECT, related_name="audit_head")
    sequence = models.BigIntegerField(default=0)
    hash = models.CharField(max_length=64)
    key_version = models.PositiveSmallIntegerField()
    mac = models.CharField(max_length=64)

    def __str__(self) -> str:
        return f"{self.organization_id} {self.sequence}"
