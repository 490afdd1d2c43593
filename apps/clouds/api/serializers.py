"""Show clouds without what opens them, and read what administrators send."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from apps.clouds.models import Cloud
from apps.clouds.reading import capacity
from apps.tenancy.models import Role


class HealthSerializer(serializers.Serializer):  # type: ignore[type-arg]
    """What the last probe found; `code` is the connector's when it is not well."""

    ok = serializers.BooleanField()
    summary = serializers.CharField()
    code = serializers.CharField(allow_null=True)
    checked_at = serializers.DateTimeField()
    facts = serializers.DictField()
    findings = serializers.ListField(child=serializers.DictField())


class CapacitySerializer(serializers.Serializer):  # type: ignore[type-arg]
    """The sums of the last inventory."""

    clusters = serializers.IntegerField()
    hosts = serializers.IntegerField()
    machines = serializers.IntegerField()
    templates = serializers.IntegerField()
    networks = serializers.IntegerField()
    cpus = serializers.IntegerField()
    cpu_mhz = serializers.IntegerField()
    cpu_free_mhz = serializers.IntegerField()
    memory_mib = serializers.IntegerField()
    memory_free_mib = serializers.IntegerField()
    storage_gib = serializers.FloatField()
    storage_free_gib = serializers.FloatField()
    read_at = serializers.DateTimeField()


class PricesSerializer(serializers.Serializer):  # type: ignore[type-arg]
    """What a cloud costs: a month of one CPU, of one GiB of memory, of one GiB of disk; decimal texts."""

    currency = serializers.CharField(help_text="Three letters, as in ISO 4217.")
    cpu_month = serializers.CharField()
    memory_gib_month = serializers.CharField()
    disk_gib_month = serializers.CharField()
    note = serializers.CharField(required=False, help_text="Shown beside each price.")


class PricesField(serializers.Field):  # type: ignore[type-arg]
    """Take a price list as it comes; `apps.clouds.checking.prices` has the rules."""

    def to_internal_value(self, data: Any) -> Any:
        """Leave it to the check that page and API share."""
        return data

    def to_representation(self, value: Any) -> Any:
        """Show it as it is kept."""
        return value


class CloudSerializer(serializers.ModelSerializer[Cloud]):
    """A cloud as every member of its organization may see it; address and settings are for administrators."""

    health = serializers.SerializerMethodField()
    capacity = serializers.SerializerMethodField()
    prices = serializers.SerializerMethodField()

    ADMINS_ONLY = ("address", "thumbprint", "ca_pem", "options", "credential")
    credential = serializers.SerializerMethodField()

    class Meta:
        model = Cloud
        fields = [
            "id",
            "name",
            "title",
            "kind",
            "flavour",
            "region",
            "enabled",
            "health",
            "capacity",
            "capabilities",
            "defaults",
            "prices",
            "address",
            "thumbprint",
            "ca_pem",
            "options",
            "credential",
            "created_at",
        ]
        read_only_fields = fields

    def to_representation(self, instance: Cloud) -> dict[str, Any]:
        """Leave out what only administrators may see."""
        data = super().to_representation(instance)
        if not self.context["view"].principal.may(Role.ADMIN):
            for name in self.ADMINS_ONLY:
                data.pop(name, None)
        return data

    @extend_schema_field(HealthSerializer(allow_null=True))
    def get_health(self, cloud: Cloud) -> dict[str, Any] | None:
        """Return the last probe's answer, or null when there was none yet."""
        if not cloud.health:
            return None
        return {**cloud.health, "checked_at": cloud.health_at}

    @extend_schema_field(CapacitySerializer(allow_null=True))
    def get_capacity(self, cloud: Cloud) -> dict[str, Any] | None:
        """Return the sums of the inventory."""
        return capacity(cloud)

    @extend_schema_field(PricesSerializer(allow_null=True))
    def get_prices(self, cloud: Cloud) -> dict[str, Any] | None:
        """Return the price list, or null when nobody has given one."""
        return cloud.prices or None

    def get_credential(self, cloud: Cloud) -> dict[str, Any] | None:
        """Return when the credential was last exchanged; never more."""
        credential = getattr(cloud, "credential", None)
        return {"version": credential.version, "rotated_at": credential.rotated_at} if credential else None


class CredentialSerializer(serializers.Serializer):  # type: ignore[type-arg]
    """A user name and a password, which go in and never come out."""

    username = serializers.CharField(max_length=1024, write_only=True)
    password = serializers.CharField(max_length=1024, write_only=True, trim_whitespace=False)


class ChangeSerializer(serializers.Serializer):  # type: ignore[type-arg]
    """What can be changed of a cloud; `apps.clouds.checking` has the rules."""

    title = serializers.CharField(max_length=120, required=False, allow_blank=True)
    region = serializers.CharField(max_length=80, required=False, allow_blank=True)
    flavour = serializers.CharField(max_length=20, required=False, allow_blank=True)
    address = serializers.CharField(max_length=255, required=False)
    ca_pem = serializers.CharField(required=False, allow_blank=True, trim_whitespace=False)
    thumbprint = serializers.CharField(max_length=200, required=False, allow_blank=True)
    options = serializers.DictField(required=False)
    defaults = serializers.DictField(required=False)
    prices = extend_schema_field(PricesSerializer(allow_null=True))(PricesField)(
        required=False, allow_null=True, help_text="Rates are decimal texts or numbers; null or {} takes the list away."
    )
    enabled = serializers.BooleanField(required=False)
    username = serializers.CharField(max_length=1024, required=False, write_only=True)
    password = serializers.CharField(max_length=1024, required=False, write_only=True, trim_whitespace=False)

    def validate_options(self, value: dict[str, Any]) -> dict[str, Any]:
        """Refuse options that name files of the server; set-up code may set them."""
        if "state" in value:
            raise serializers.ValidationError("“state” cannot be set over the API.")
        return value


class NewCloudSerializer(ChangeSerializer):
    """What a new cloud needs."""

    name = serializers.CharField(max_length=63)
    kind = serializers.CharField(max_length=20)
    address = serializers.CharField(max_length=255)
    username = serializers.CharField(max_length=1024, write_only=True)
    password = serializers.CharField(max_length=1024, write_only=True, trim_whitespace=False)
    enabled = None  # type: ignore[assignment]  # a new cloud is enabled
