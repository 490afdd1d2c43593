"""Show clouds without what opens them, and read what administrators send."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from apps.clouds import circuits, limits, showing
from apps.clouds.models import Cloud, CloudGrant
from apps.clouds.reading import capacity
from apps.tenancy.models import Project, Role


class CircuitSerializer(serializers.Serializer):  # type: ignore[type-arg]
    """Whether the portal asks the cloud for the moment: `open` when it missed several times and waits."""

    state = serializers.ChoiceField(choices=["closed", "open", "half_open"])
    asked_again_at = serializers.DateTimeField(allow_null=True)


class HealthSerializer(serializers.Serializer):  # type: ignore[type-arg]
    """What the last probe found; `code` is the connector's when it is not well.

    `facts` of a vSphere: product, version, api_version, latency_ms, clock_skew_s, privileges_missing ({name, for}; null
    when the vCenter does not tell), certificate ({subject, issuer, sha256, valid_until, days_left}) and more.
    """

    ok = serializers.BooleanField()
    summary = serializers.CharField()
    code = serializers.CharField(allow_null=True)
    checked_at = serializers.DateTimeField()
    facts = serializers.DictField()
    findings = serializers.ListField(child=serializers.DictField())
    circuit = CircuitSerializer()


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


class DegreesField(serializers.FloatField):
    """Take degrees; an integer that is too large for a float is none."""

    def to_internal_value(self, data: Any) -> float:
        """Return the number; `apps.clouds.checking.coordinate` has the bounds."""
        try:
            return float(super().to_internal_value(data))
        except OverflowError:
            self.fail("invalid")


class LimitsSerializer(serializers.Serializer):  # type: ignore[type-arg]
    """What the portal may put on a cloud at most; what is null or absent is not limited."""

    machines = serializers.IntegerField(required=False, allow_null=True)
    cpus = serializers.IntegerField(required=False, allow_null=True)
    memory_gib = serializers.IntegerField(required=False, allow_null=True)
    disk_gib = serializers.IntegerField(required=False, allow_null=True)


class LimitsField(serializers.Field):  # type: ignore[type-arg]
    """Take limits as they come; `apps.clouds.checking.limits` has the rules."""

    def to_internal_value(self, data: Any) -> Any:
        """Leave it to the check that page and API share."""
        return data

    def to_representation(self, value: Any) -> Any:
        """Show it as it is kept."""
        return value


class OwnerSerializer(serializers.Serializer):  # type: ignore[type-arg]
    """The organization that shares a cloud."""

    slug = serializers.CharField()
    name = serializers.CharField()


class CloudSerializer(serializers.ModelSerializer[Cloud]):
    """A cloud as every member of its organization may see it; address and settings are for administrators.

    Of a cloud that another organization shares (`owner` is not null), only what deploying to it needs is shown.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._circuits: dict[Any, dict[str, Any]] = {}
        self._slugs: dict[Any, str] | None = None

    owner = serializers.SerializerMethodField()
    limits = serializers.SerializerMethodField()

    health = serializers.SerializerMethodField()
    capacity = serializers.SerializerMethodField()
    prices = serializers.SerializerMethodField()

    ADMINS_ONLY = ("address", "thumbprint", "ca_pem", "options", "credential", "projects")
    credential = serializers.SerializerMethodField()
    projects = serializers.SerializerMethodField()

    class Meta:
        model = Cloud
        fields = [
            "id",
            "name",
            "title",
            "kind",
            "flavour",
            "owner",
            "region",
            "latitude",
            "longitude",
            "enabled",
            "health",
            "capacity",
            "capabilities",
            "defaults",
            "prices",
            "limits",
            "address",
            "thumbprint",
            "ca_pem",
            "options",
            "credential",
            "projects",
            "created_at",
        ]
        read_only_fields = fields

    def to_representation(self, instance: Cloud) -> dict[str, Any]:
        """Leave out what only administrators may see."""
        data = super().to_representation(instance)
        foreign = self._is_foreign(instance)
        if foreign or not self.context["view"].principal.may(Role.ADMIN):
            for name in self.ADMINS_ONLY:
                data.pop(name, None)
        if foreign:
            data["limits"] = None
        return data

    def _is_foreign(self, cloud: Cloud) -> bool:
        return bool(cloud.organization_id != self.context["view"].principal.organization.pk)

    @extend_schema_field(OwnerSerializer(allow_null=True))
    def get_owner(self, cloud: Cloud) -> dict[str, str] | None:
        """Return who shares the cloud; null when it is the organization's own."""
        if not self._is_foreign(cloud):
            return None
        return {"slug": cloud.organization.slug, "name": cloud.organization.name}

    @extend_schema_field(LimitsSerializer)
    def get_limits(self, cloud: Cloud) -> dict[str, Any]:
        """Return each limit, or null where there is none."""
        return {kind: cloud.limits.get(kind) for kind in limits.KINDS}

    @extend_schema_field(HealthSerializer(allow_null=True))
    def get_health(self, cloud: Cloud) -> dict[str, Any] | None:
        """Return the last probe's answer, or null when there was none yet."""
        return showing.health_for(self.context["view"].principal, cloud, self._circuit(cloud))

    def _circuit(self, cloud: Cloud) -> dict[str, Any]:
        """Read the circuits of all clouds that are shown in one go."""
        if cloud.pk not in self._circuits:
            shown = self.root.instance if isinstance(self.root.instance, list) else []
            self._circuits |= circuits.read({cloud.pk, *(each.pk for each in shown)})
        return self._circuits[cloud.pk]

    @extend_schema_field(CapacitySerializer(allow_null=True))
    def get_capacity(self, cloud: Cloud) -> dict[str, Any] | None:
        """Return the sums of the inventory."""
        return capacity(cloud)

    @extend_schema_field(PricesSerializer(allow_null=True))
    def get_prices(self, cloud: Cloud) -> dict[str, Any] | None:
        """Return the price list, or null when nobody has given one."""
        return cloud.prices or None

    @extend_schema_field(serializers.ListField(child=serializers.CharField()))
    def get_projects(self, cloud: Cloud) -> list[str]:
        """Return the slugs of those own projects that alone may deploy to it; empty for all."""
        if not cloud.own_projects or self._is_foreign(cloud):
            return []
        if self._slugs is None:  # of all clouds that are shown, in one go
            rows = Project.objects.filter(organization=cloud.organization_id)
            self._slugs = dict(rows.values_list("pk", "slug"))
        return sorted(self._slugs[key] for key in cloud.own_projects if key in self._slugs)

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
    latitude = DegreesField(required=False, allow_null=True, help_text="Degrees north, for the map.")
    longitude = DegreesField(required=False, allow_null=True, help_text="Degrees east.")
    flavour = serializers.CharField(max_length=20, required=False, allow_blank=True)
    address = serializers.CharField(max_length=255, required=False, allow_blank=True)
    ca_pem = serializers.CharField(required=False, allow_blank=True, trim_whitespace=False)
    thumbprint = serializers.CharField(max_length=200, required=False, allow_blank=True)
    options = serializers.DictField(required=False)
    defaults = serializers.DictField(required=False)
    prices = extend_schema_field(PricesSerializer(allow_null=True))(PricesField)(
        required=False, allow_null=True, help_text="Rates are decimal texts or numbers; null or {} takes the list away."
    )
    limits = extend_schema_field(LimitsSerializer(allow_null=True))(LimitsField)(
        required=False, allow_null=True, help_text="Replaces all limits; null or {} takes them away."
    )
    enabled = serializers.BooleanField(required=False)
    projects = serializers.ListField(
        child=serializers.CharField(max_length=63),
        required=False,
        max_length=500,
        help_text="Slugs of those own projects that alone may deploy to it; [] for all.",
    )
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
    address = serializers.CharField(
        max_length=255,
        required=False,
        allow_blank=True,
        default="",
        help_text="Needed unless the kind knows its own addresses (`GET /clouds/kinds/` says what each asks for).",
    )
    username = serializers.CharField(max_length=1024, write_only=True)
    password = serializers.CharField(max_length=1024, write_only=True, trim_whitespace=False)
    enabled = None  # type: ignore[assignment]  # a new cloud is enabled
    projects = None  # type: ignore[assignment]  # and open to all projects


class AddressSerializer(serializers.Serializer):  # type: ignore[type-arg]
    """Where to look for a certificate."""

    address = serializers.CharField(max_length=255)


class CertificateSerializer(serializers.Serializer):  # type: ignore[type-arg]
    """What a server shows of itself; send `sha256` as `thumbprint` to pin it, after it was compared."""

    address = serializers.CharField()
    host = serializers.CharField()
    port = serializers.IntegerField()
    subject = serializers.CharField()
    issuer = serializers.CharField()
    self_signed = serializers.BooleanField()
    names = serializers.ListField(child=serializers.CharField())
    valid_from = serializers.DateTimeField()
    valid_until = serializers.DateTimeField()
    days_left = serializers.IntegerField()
    sha256 = serializers.CharField()
    trusted = serializers.BooleanField(help_text="The system's authorities vouch for it and for its name.")


class AskSerializer(serializers.Serializer):  # type: ignore[type-arg]
    """One thing that a kind of cloud asks for; `name` is where it goes, such as `options.region`."""

    name = serializers.CharField()
    label = serializers.CharField()  # type: ignore[assignment]
    help = serializers.CharField()
    required = serializers.BooleanField()  # type: ignore[assignment]
    secret = serializers.BooleanField()
    example = serializers.CharField()


class FlavourSerializer(serializers.Serializer):  # type: ignore[type-arg]
    """One flavour of a kind."""

    name = serializers.CharField()
    title = serializers.CharField()
    summary = serializers.CharField()


class KindSerializer(serializers.Serializer):  # type: ignore[type-arg]
    """A kind of cloud that can be added, and what it asks for."""

    name = serializers.CharField()
    title = serializers.CharField()
    summary = serializers.CharField()
    flavours = FlavourSerializer(many=True)
    certificate = serializers.BooleanField()
    asks = AskSerializer(many=True)


class KindsSerializer(serializers.Serializer):  # type: ignore[type-arg]
    """The kinds of clouds that can be added."""

    results = KindSerializer(many=True)


class LimitUsageSerializer(serializers.Serializer):  # type: ignore[type-arg]
    """One limit and what deployments hold of it."""

    kind = serializers.ChoiceField(choices=limits.KINDS)
    limit = serializers.IntegerField(allow_null=True)
    held = serializers.FloatField()


class UsageSerializer(serializers.Serializer):  # type: ignore[type-arg]
    """All limits and what deployments hold of them."""

    results = LimitUsageSerializer(many=True)


class GrantSerializer(serializers.ModelSerializer[CloudGrant]):
    """To whom a cloud was offered; `accepted` stays false for a slug that stands for nothing."""

    organization = serializers.CharField(source="organization_slug")
    project = serializers.CharField(source="project_slug")
    accepted = serializers.SerializerMethodField()

    class Meta:
        model = CloudGrant
        fields = ["id", "organization", "project", "accepted", "created_at"]
        read_only_fields = fields

    def get_accepted(self, grant: CloudGrant) -> bool:
        """Tell whether an administrator of theirs has accepted."""
        return grant.accepted_at is not None


class GrantsSerializer(serializers.Serializer):  # type: ignore[type-arg]
    """All to whom a cloud was offered."""

    results = GrantSerializer(many=True)


class NewGrantSerializer(serializers.Serializer):  # type: ignore[type-arg]
    """Whom to offer a cloud: an organization by its slug, and perhaps one project of it."""

    organization = serializers.CharField(max_length=63)
    project = serializers.CharField(max_length=63, required=False, allow_blank=True, default="")


class OfferedCloudSerializer(serializers.Serializer):  # type: ignore[type-arg]
    """What one is told of a cloud before one accepts it."""

    id = serializers.UUIDField()
    name = serializers.CharField()
    title = serializers.CharField()
    kind = serializers.CharField()
    flavour = serializers.CharField()
    region = serializers.CharField()


class OfferSerializer(serializers.ModelSerializer[CloudGrant]):
    """A cloud that another organization offers to one's own."""

    cloud = OfferedCloudSerializer()
    owner = OwnerSerializer(source="cloud.organization")
    project = serializers.CharField(source="project_slug", help_text="Empty: all projects.")
    accepted = serializers.SerializerMethodField()

    class Meta:
        model = CloudGrant
        fields = ["id", "cloud", "owner", "project", "accepted", "accepted_at", "created_at"]
        read_only_fields = fields

    def get_accepted(self, grant: CloudGrant) -> bool:
        """Tell whether it was accepted."""
        return grant.accepted_at is not None
