"""Describe the inventory to the schema, and read what people send."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from apps.inventory.models import View

Texts = serializers.ListField


class CloudRefSerializer(serializers.Serializer):  # type: ignore[type-arg]
    """A cloud, as rows refer to it."""

    id = serializers.UUIDField()
    name = serializers.CharField()


class MachineOwnerSerializer(serializers.Serializer):  # type: ignore[type-arg]
    """Whose a managed machine is."""

    deployment = serializers.UUIDField()
    key = serializers.CharField(help_text="Of the resource in the deployment: `machine:web-1`.")


class InventoryMachineSerializer(serializers.Serializer):  # type: ignore[type-arg]
    """A machine on a cloud. `uid` outlives moves between hosts and new loads of everything; `ref` may change."""

    id = serializers.UUIDField()
    cloud = CloudRefSerializer()
    uid = serializers.CharField()
    ref = serializers.CharField()
    name = serializers.CharField()
    power = serializers.CharField(help_text="on, off, suspended, or empty when the cloud does not tell.")
    tools = serializers.CharField()
    cpus = serializers.IntegerField()
    memory_mib = serializers.IntegerField()
    disk_gib = serializers.FloatField()
    host = serializers.CharField()
    cluster = serializers.CharField()
    pool = serializers.CharField()
    folder = serializers.CharField(help_text="A path.")
    guest = serializers.CharField()
    type = serializers.CharField(help_text="The instance type, on AWS.")
    addresses = Texts(child=serializers.CharField())
    networks = Texts(child=serializers.CharField())
    datastores = Texts(child=serializers.CharField())
    tags = Texts(child=serializers.CharField())
    snapshots = serializers.IntegerField()
    managed = serializers.BooleanField(help_text="Whether a deployment of the portal owns it.")
    owner = MachineOwnerSerializer(allow_null=True)
    first_seen_at = serializers.DateTimeField()
    changed_at = serializers.DateTimeField()


class InventoryMachineDetailSerializer(InventoryMachineSerializer):
    """A machine with everything that its cloud tells: cards, disks, notes."""

    facts = serializers.DictField()


class ThingSerializer(serializers.Serializer):  # type: ignore[type-arg]
    """A host, cluster, pool, datastore, network, template, tag, volume, VPC, firewall or balancer."""

    id = serializers.UUIDField()
    cloud = CloudRefSerializer()
    kind = serializers.CharField()
    uid = serializers.CharField()
    ref = serializers.CharField()
    name = serializers.CharField()
    facts = serializers.DictField()
    first_seen_at = serializers.DateTimeField()
    changed_at = serializers.DateTimeField()


class FacetSerializer(serializers.Serializer):  # type: ignore[type-arg]
    """How many machines have a value; `value` fits the filter of the same name."""

    value = serializers.CharField()
    count = serializers.IntegerField()


class TroubleSerializer(serializers.Serializer):  # type: ignore[type-arg]
    """Why a cloud cannot be followed now."""

    code = serializers.CharField()
    message = serializers.CharField()
    since = serializers.DateTimeField()


class SyncStateSerializer(serializers.Serializer):  # type: ignore[type-arg]
    """How far the rows of a cloud follow it; `synced_at`: they were as the cloud then."""

    cloud = CloudRefSerializer()
    synced_at = serializers.DateTimeField(allow_null=True)
    full_at = serializers.DateTimeField(allow_null=True)
    changed_at = serializers.DateTimeField(allow_null=True)
    loading = serializers.BooleanField(help_text="Everything is being loaded now.")
    trouble = TroubleSerializer(allow_null=True)
    counts = serializers.DictField(child=serializers.IntegerField(), help_text="Rows by kind.")
    operation = serializers.UUIDField(allow_null=True, help_text="The sync that is under way.")


class SummarySerializer(serializers.Serializer):  # type: ignore[type-arg]
    """How many machines there are of each sort, among those that the filters leave; and how fresh that is."""

    machines = serializers.IntegerField()
    cloud = FacetSerializer(many=True)
    power = FacetSerializer(many=True)
    cluster = FacetSerializer(many=True)
    owner = FacetSerializer(many=True)
    tag = FacetSerializer(many=True)
    network = FacetSerializer(many=True)
    syncs = SyncStateSerializer(many=True)


class CapacityPointSerializer(serializers.Serializer):  # type: ignore[type-arg]
    """What a cloud had, used and had promised at a time."""

    at = serializers.DateTimeField()
    machines = serializers.IntegerField()
    cpu_mhz = serializers.IntegerField()
    cpu_used_mhz = serializers.IntegerField()
    cpu_reserved_mhz = serializers.IntegerField()
    memory_mib = serializers.IntegerField()
    memory_used_mib = serializers.IntegerField()
    memory_reserved_mib = serializers.IntegerField()
    storage_gib = serializers.FloatField()
    storage_used_gib = serializers.FloatField()
    storage_reserved_gib = serializers.FloatField(help_text="Promised to thin disks, beyond what is used.")


class CloudCapacitySerializer(serializers.Serializer):  # type: ignore[type-arg]
    """The capacity of a cloud now, and as far back as was asked for."""

    now = CapacityPointSerializer(allow_null=True)
    history = CapacityPointSerializer(many=True)


class SyncInSerializer(serializers.Serializer):  # type: ignore[type-arg]
    """How to bring a cloud's rows up to date."""

    scratch = serializers.BooleanField(default=False, help_text="Load everything anew instead of only what changed.")


class ViewSerializer(serializers.ModelSerializer[View]):
    """A saved way to look at the inventory."""

    mine = serializers.SerializerMethodField()

    class Meta:
        model = View
        fields = ["id", "name", "kind", "filters", "columns", "sort", "shared", "mine", "created_at", "updated_at"]
        read_only_fields = fields

    def get_mine(self, view: View) -> bool:
        """Tell whether the caller saved it."""
        return bool(view.owner_id == self.context["view"].principal.user.pk)


class ViewInSerializer(serializers.Serializer):  # type: ignore[type-arg]
    """What is kept of a view; `apps.inventory.searching.check_view` has the rules."""

    name = serializers.CharField(max_length=80)
    kind = serializers.CharField(max_length=12, default="machine")
    filters = serializers.DictField(default=dict, help_text='Parameters of the list: {"power": "on", "tag": ["web"]}.')
    columns = serializers.ListField(child=serializers.CharField(max_length=40), default=list, max_length=40)
    sort = serializers.CharField(max_length=40, default="", allow_blank=True)
    shared = serializers.BooleanField(default=False)


class ViewChangeSerializer(ViewInSerializer):
    """What may be changed of a view: what is left out stays."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **{**kwargs, "partial": True})
