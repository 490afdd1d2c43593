"""Clouds that things are deployed to, and the credentials that open them."""

from __future__ import annotations

import uuid

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q

from apps.clouds.querysets import CloudQuerySet, GrantQuerySet
from apps.tenancy.models import Organization, Project


class Cloud(models.Model):
    """Something to deploy to. ``name`` is a slug: people and the CLI call it by it (``--to paris``).

    ``defaults``: see ``engine.observed.Target``. ``inventory``: last ``Inventory.to_json``.
    ``health``: last ``Health`` as JSON {ok, summary, code, facts, findings}. A removed cloud keeps its row, since
    the history of destroyed deployments refers to it; its credential is deleted.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    organization = models.ForeignKey(Organization, on_delete=models.PROTECT, related_name="clouds")
    name = models.SlugField(max_length=63)
    title = models.CharField(max_length=120, blank=True)
    kind = models.CharField(max_length=20)  # connectors.registry.kinds()
    flavour = models.CharField(max_length=20, blank=True)  # private, ovh, ibm, vmc, evs
    address = models.CharField(max_length=255, blank=True)  # empty for kinds that know their own addresses
    ca_pem = models.TextField(blank=True)
    thumbprint = models.CharField(max_length=64, blank=True)  # SHA-256, lower-case hexadecimal without colons
    region = models.CharField(max_length=80, blank=True)
    latitude = models.FloatField(null=True, blank=True)  # degrees north; for the map, together with the longitude
    longitude = models.FloatField(null=True, blank=True)  # degrees east
    options = models.JSONField(default=dict, blank=True)
    defaults = models.JSONField(default=dict, blank=True)
    prices = models.JSONField(default=dict, blank=True)  # checking.prices; empty: nobody has given any
    limits = models.JSONField(default=dict, blank=True)  # limits.KINDS; what is not named is not limited
    enabled = models.BooleanField(default=True)
    health = models.JSONField(null=True, blank=True)
    health_at = models.DateTimeField(null=True, blank=True)
    inventory = models.JSONField(null=True, blank=True)
    inventory_at = models.DateTimeField(null=True, blank=True)
    refreshing_until = models.DateTimeField(null=True, blank=True)  # lease of the process that reads the cloud now
    capabilities = models.JSONField(default=list, blank=True)  # of the connector, as of the last probe that worked
    own_projects = ArrayField(models.UUIDField(), default=list, blank=True)  # of its organization; empty: all of them
    created_at = models.DateTimeField(auto_now_add=True)
    removed_at = models.DateTimeField(null=True, blank=True)

    objects = CloudQuerySet.as_manager()

    class Meta:
        ordering = ["name", "id"]
        constraints = [
            models.UniqueConstraint(
                fields=["organization", "name"], condition=Q(removed_at__isnull=True), name="cloud_name_unique"
            )
        ]

    def __str__(self) -> str:
        return self.title or self.name


class Credential(models.Model):
    """A cloud's user name and password, sealed; write-only for everybody but the connector."""

    cloud = models.OneToOneField(Cloud, on_delete=models.CASCADE, related_name="credential")
    sealed = models.BinaryField()  # apps.tenancy.encryption.seal of JSON {"username", "password"}
    version = models.PositiveIntegerField(default=1)  # counts rotations
    rotated_at = models.DateTimeField(auto_now=True)

    def __str__(self) -> str:
        return f"credential {self.version} of {self.cloud_id}"


class CloudGrant(models.Model):
    """Another organization's right to deploy to a cloud: all of it, or one of its projects.

    ``organization`` is what the typed slug stood for when it was typed, null when it stood for nothing: its owner
    cannot tell the two apart. It holds from when an administrator of that organization has accepted it, lest anybody
    put a cloud of theirs in front of strangers.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    cloud = models.ForeignKey(Cloud, on_delete=models.CASCADE, related_name="grants")
    organization_slug = models.SlugField(max_length=63)  # as it was typed
    project_slug = models.SlugField(max_length=63, blank=True)  # as it was typed; empty: all projects
    organization = models.ForeignKey(
        Organization, null=True, on_delete=models.CASCADE, related_name="granted_clouds", editable=False
    )
    project = models.ForeignKey(
        Project, null=True, on_delete=models.CASCADE, related_name="granted_clouds", editable=False
    )
    accepted_at = models.DateTimeField(null=True, blank=True)
    accepted_by = models.CharField(max_length=160, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)

    objects = GrantQuerySet.as_manager()

    class Meta:
        ordering = ["organization_slug", "project_slug", "id"]
        constraints = [
            models.UniqueConstraint(fields=["cloud", "organization_slug", "project_slug"], name="cloud_grant_unique")
        ]
        indexes = [models.Index(fields=["organization", "accepted_at"], name="cloud_grant_holder_idx")]

    def __str__(self) -> str:
        return f"{self.organization_slug}/{self.project_slug or '*'}"
