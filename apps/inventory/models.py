"""What the clouds have, as rows: machines with the columns that people search by, and everything else.

Rows are written by ``writing`` alone, in bulk. No other table refers to one by its key: whoever wants to remember
a machine keeps its cloud and ``uid``, which outlive a new load of everything.
"""

from __future__ import annotations

import uuid

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.contrib.postgres.indexes import GinIndex
from django.db import models
from django.db.models import Q

from apps.clouds.models import Cloud
from apps.inventory.querysets import MachineQuerySet, ThingQuerySet, ViewQuerySet
from apps.tenancy.models import Organization

THING_KINDS = (
    "template", "host", "cluster", "pool", "datastore", "network", "tag", "volume", "vpc", "firewall", "balancer",
)  # fmt: skip
"""Kinds of ``connectors.listing`` that are no machines."""


def _names() -> ArrayField:
    return ArrayField(models.TextField(), default=list, blank=True)


class Machine(models.Model):
    """A machine on a cloud, whosever it is. ``uid`` is its identity for life, ``ref`` what the API calls it now.

    ``facts`` holds what is not a column (see ``connectors.listing.Item``). ``digest`` is over everything that came,
    so that a row is written only when something has changed. ``search`` is what the free text is looked for in.
    """

    id = models.UUIDField(primary_key=True, editable=False)
    cloud = models.ForeignKey(Cloud, on_delete=models.CASCADE, related_name="machines", db_index=False)
    uid = models.TextField()
    ref = models.TextField()
    name = models.TextField()
    power = models.CharField(max_length=12, default="")  # on, off, suspended, "": not told
    tools = models.CharField(max_length=40, default="")
    cpus = models.IntegerField(default=0)
    memory_mib = models.BigIntegerField(default=0)
    disk_gib = models.FloatField(default=0.0)
    host = models.TextField(default="")
    cluster = models.TextField(default="")
    pool = models.TextField(default="")
    folder = models.TextField(default="")  # a path: Production/Web
    guest = models.TextField(default="")
    type = models.TextField(default="")  # of an EC2 instance
    snapshots = models.IntegerField(default=0)
    addresses = _names()
    networks = _names()
    datastores = _names()
    tags = _names()
    owner_organization = models.UUIDField(null=True)
    owner_deployment = models.UUIDField(null=True)
    owner_key = models.TextField(default="")
    facts = models.JSONField(default=dict)
    search = models.TextField(default="")
    digest = models.BinaryField(max_length=16)
    first_seen_at = models.DateTimeField()
    changed_at = models.DateTimeField()

    objects = MachineQuerySet.as_manager()

    class Meta:
        ordering = ["name", "id"]
        constraints = [models.UniqueConstraint(fields=["cloud", "ref"], name="inventory_machine_ref")]
        indexes = [
            models.Index(fields=["cloud", "uid"], name="inventory_machine_uid"),
            models.Index(fields=["cloud", "name", "id"], name="inventory_machine_cloud"),
            # One for each order that the list offers; those of texts also serve the filters by them.
            models.Index(fields=["name", "id"], name="inventory_machine_name"),
            models.Index(fields=["host", "id"], name="inventory_machine_host"),
            models.Index(fields=["cluster", "id"], name="inventory_machine_cluster"),
            models.Index(fields=["cpus", "id"], name="inventory_machine_cpus"),
            models.Index(fields=["memory_mib", "id"], name="inventory_machine_memory"),
            models.Index(fields=["disk_gib", "id"], name="inventory_machine_disk"),
            models.Index(fields=["changed_at", "id"], name="inventory_machine_changed"),
            models.Index(
                fields=["owner_deployment"], name="inventory_machine_owner", condition=Q(owner_deployment__isnull=False)
            ),
            GinIndex(fields=["networks", "datastores", "tags", "addresses"], name="inventory_machine_names"),
        ]

    def __str__(self) -> str:
        return self.name


class Thing(models.Model):
    """Anything on a cloud that is no machine: a host, a datastore, a network, a template, a tag."""

    id = models.UUIDField(primary_key=True, editable=False)
    cloud = models.ForeignKey(Cloud, on_delete=models.CASCADE, related_name="things", db_index=False)
    kind = models.CharField(max_length=12)
    uid = models.TextField()
    ref = models.TextField()
    name = models.TextField()
    facts = models.JSONField(default=dict)
    search = models.TextField(default="")
    digest = models.BinaryField(max_length=16)
    first_seen_at = models.DateTimeField()
    changed_at = models.DateTimeField()

    objects = ThingQuerySet.as_manager()

    class Meta:
        ordering = ["name", "id"]
        constraints = [models.UniqueConstraint(fields=["cloud", "kind", "ref"], name="inventory_thing_ref")]
        indexes = [
            models.Index(fields=["cloud", "kind", "name", "id"], name="inventory_thing_cloud"),
            models.Index(fields=["kind", "name", "id"], name="inventory_thing_kind"),
        ]

    def __str__(self) -> str:
        return self.name


class Seen(models.Model):
    """What a load of everything has come across so far; what is not among it has vanished when the load ends."""

    id = models.BigAutoField(primary_key=True)
    cloud = models.ForeignKey(Cloud, on_delete=models.CASCADE, related_name="+", db_index=False)
    kind = models.CharField(max_length=12)
    ref = models.TextField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["cloud", "kind", "ref"], name="inventory_seen_once")]

    def __str__(self) -> str:
        return f"{self.kind} {self.ref}"


class SyncState(models.Model):
    """How far the rows of a cloud follow it.

    ``sealed``: the connector's cursor, sealed (apps.tenancy.encryption), since it may hold a session's key; empty:
    everything has to be loaded. ``serial`` counts what was written: a writer that finds another number than it read
    has been overtaken. ``loading``: a load of everything is under way, whose pages stand in ``Seen``.
    """

    cloud = models.OneToOneField(Cloud, on_delete=models.CASCADE, primary_key=True, related_name="sync_state")
    sealed = models.BinaryField(default=bytes)
    serial = models.BigIntegerField(default=0)
    loading = models.BooleanField(default=False)
    incremental = models.BooleanField(default=True)  # the cloud tells changes; believed until it lists all again
    synced_at = models.DateTimeField(null=True)  # the rows were as the cloud then
    full_at = models.DateTimeField(null=True)  # when the last load of everything ended
    changed_at = models.DateTimeField(null=True)  # when a sync last wrote a row
    trouble = models.JSONField(null=True)  # {code, message, since}: why it cannot be followed now
    counts = models.JSONField(default=dict)  # rows by kind
    report = models.JSONField(default=dict)  # of the last sync that wrote: {full, read, written, vanished, seconds}
    checking_until = models.DateTimeField(null=True)  # lease of the process that looks for changes now

    def __str__(self) -> str:
        return f"sync of {self.cloud_id}"


class CapacitySample(models.Model):
    """What a cloud had and used at a time; old ones are thinned out."""

    id = models.BigAutoField(primary_key=True)
    cloud = models.ForeignKey(Cloud, on_delete=models.CASCADE, related_name="capacity_samples", db_index=False)
    at = models.DateTimeField()
    machines = models.IntegerField(default=0)
    cpu_mhz = models.BigIntegerField(default=0)
    cpu_used_mhz = models.BigIntegerField(default=0)
    cpu_reserved_mhz = models.BigIntegerField(default=0)
    memory_mib = models.BigIntegerField(default=0)
    memory_used_mib = models.BigIntegerField(default=0)
    memory_reserved_mib = models.BigIntegerField(default=0)
    storage_gib = models.FloatField(default=0.0)
    storage_used_gib = models.FloatField(default=0.0)
    storage_reserved_gib = models.FloatField(default=0.0)  # promised to thin disks beside what is used

    class Meta:
        ordering = ["at"]
        constraints = [models.UniqueConstraint(fields=["cloud", "at"], name="inventory_capacity_once")]

    def __str__(self) -> str:
        return f"{self.cloud_id} at {self.at}"


class View(models.Model):
    """A saved way to look at the inventory: filters, columns and order, of one person or shared with all."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    organization = models.ForeignKey(Organization, on_delete=models.CASCADE, related_name="+")
    owner = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+")
    name = models.CharField(max_length=80)
    kind = models.CharField(max_length=12, default="machine")
    filters = models.JSONField(default=dict)  # parameters of the list: {"power": "on", "q": "web"}
    columns = models.JSONField(default=list)  # names, in order; empty: the usual ones
    sort = models.CharField(max_length=40, blank=True, default="")
    shared = models.BooleanField(default=False)
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    objects = ViewQuerySet.as_manager()

    class Meta:
        ordering = ["name", "id"]
        constraints = [
            models.UniqueConstraint(fields=["organization", "owner", "name"], name="inventory_view_name_unique")
        ]

    def __str__(self) -> str:
        return self.name
