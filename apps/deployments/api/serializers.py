"""The forms of plans and deployments in the API."""

from __future__ import annotations

from typing import Any

from django.db.models import prefetch_related_objects
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from apps.blueprints.api.serializers import BlueprintField, FindingSerializer, LinkSerializer
from apps.blueprints.models import BlueprintVersion
from apps.clouds.reading import find_cloud
from apps.deployments import showing
from apps.deployments.across import parts_json, parts_of
from apps.deployments.models import Deployment, Plan, Resource
from apps.tenancy.access import Principal
from apps.tenancy.api.fields import ProjectField, ReferenceField
from apps.tenancy.faults import fault
from apps.tenancy.querysets import as_uuid
from engine.across import joined

STATES = ("new", "deploying", "running", "updating", "failed", "destroying", "destroyed")


def find_version(principal: Principal, reference: object) -> BlueprintVersion:
    """Return the visible blueprint version of an id."""
    rows = BlueprintVersion.objects.visible_to(principal).select_related("blueprint__project__organization")
    found = rows.filter(pk=as_uuid(reference)).first()
    if found is None:
        raise fault("not_found")
    return found


def find_plan(principal: Principal, reference: object) -> Plan:
    """Return the visible plan of an id."""
    rows = Plan.objects.visible_to(principal).select_related("project__organization", "cloud", "version__blueprint")
    found = rows.filter(pk=as_uuid(reference)).first()
    if found is None:
        raise fault("not_found")
    return found


def find_deployment(principal: Principal, reference: object) -> Deployment:
    """Return the visible deployment of an id, or of a name among those that are not destroyed."""
    rows = Deployment.objects.visible_to(principal).select_related(
        "project__organization", "cloud", "version__blueprint"
    )
    key = as_uuid(reference)
    named = rows.whole().filter(name=str(reference)).exclude(state="destroyed")
    found = list(rows.filter(pk=key) if key else named[:2])
    if len(found) != 1:
        raise fault("deployment.not_found", name=str(reference)[:80])
    return found[0]


class ImagesField(serializers.DictField):
    """Service -> image, for services that only say how to build."""

    child = serializers.CharField(max_length=500)


class RegionField(serializers.CharField):
    """The name of a region of the drawing; empty or left out for the whole drawing."""

    def __init__(self, **options: Any) -> None:
        defaults = {"required": False, "allow_blank": True, "max_length": 200, "help_text": "A region of the drawing."}
        super().__init__(**{**defaults, **options})


class PlanInSerializer(serializers.Serializer[Any]):
    """Hold what is to be planned."""

    blueprint = BlueprintField(required=False, help_text="Id or name; its latest version is planned.")
    version = ReferenceField(find_version, name="id", required=False, help_text="Id of a certain version.")
    cloud = ReferenceField(
        find_cloud,
        required=False,
        help_text="Id or name, of the cloud of all that the drawing does not place itself (x-escale.place); may be "
        "left out with a deployment, or where the drawing names one.",
    )
    region = RegionField(help_text="Plan this region of the drawing alone; a deployment keeps its own.")
    deployment = ReferenceField(find_deployment, required=False, help_text="Id or name of the one to update.")
    name = serializers.CharField(
        required=False, max_length=63, help_text="Name of the new one; the design's, and the region's, else."
    )
    images = ImagesField(required=False)


class DeploymentInSerializer(PlanInSerializer):
    """Hold a plan to start, or what is to be planned and started in one."""

    plan = ReferenceField(find_plan, name="id", required=False)
    accept_data_loss = serializers.BooleanField(required=False, default=False)


class PriceLineSerializer(serializers.Serializer[Any]):
    """Show what one kind of thing costs; amounts are decimal texts."""

    what = serializers.ChoiceField(["cpu", "memory", "disk"])
    quantity = serializers.FloatField()
    unit = serializers.CharField()
    rate = serializers.CharField(help_text="Of one unit for a month.")
    monthly = serializers.CharField()


class PriceSerializer(serializers.Serializer[Any]):
    """Show what the desired state costs by the cloud's price list; amounts are decimal texts."""

    currency = serializers.CharField()
    monthly = serializers.CharField()
    hourly = serializers.CharField(help_text="A 730th of a month.")
    monthly_before = serializers.CharField(allow_null=True, help_text="Of what exists now; null when nothing does.")
    lines = PriceLineSerializer(many=True)
    note = serializers.CharField()


class PartSerializer(serializers.Serializer[Any]):
    """Show what a plan is on one of its clouds; ``part`` starts the keys of what is there, "" on the main cloud."""

    part = serializers.CharField()
    cloud = LinkSerializer()
    services = serializers.ListField(child=serializers.CharField())
    counts = serializers.DictField(child=serializers.IntegerField())
    requirements = serializers.DictField(child=serializers.IntegerField())
    price = PriceSerializer(allow_null=True)


class CrossingSerializer(serializers.Serializer[Any]):
    """Show a port by which a service reaches one on another cloud, and what that needs."""

    caller = serializers.CharField(help_text="The service that calls.")
    caller_cloud = serializers.CharField()
    called = serializers.CharField(help_text="The service that is called.")
    called_cloud = serializers.CharField()
    port = serializers.IntegerField(help_text="On the machine.")
    container_port = serializers.IntegerField()
    protocol = serializers.CharField()
    machines = serializers.ListField(child=serializers.CharField(), help_text="Names of those that are reached.")
    addresses = serializers.ListField(
        child=serializers.CharField(), help_text="Of these, as known now; others are known when the machine runs."
    )
    firewall = serializers.CharField(help_text="The rule that lets it in; empty where the portal keeps no firewall.")
    waits = serializers.BooleanField(help_text="The caller starts when the other one listens.")


class PlanSerializer(serializers.Serializer[Plan]):
    """A plan; ``changes``, ``actions`` and ``ledger`` are only in the detail."""

    id = serializers.UUIDField()
    project = ProjectField()
    cloud = LinkSerializer(help_text="The main one, of all that is placed nowhere else.")
    clouds = LinkSerializer(many=True, help_text="All clouds of the plan, the main one first.")
    blueprint = LinkSerializer()
    version = serializers.IntegerField()
    deployment = serializers.UUIDField(allow_null=True, help_text="None while the deployment does not exist.")
    deployment_name = serializers.CharField()
    region = serializers.CharField(help_text="Empty for the whole drawing.")
    purpose = serializers.ChoiceField(["apply", "destroy"])
    images = ImagesField()
    hash = serializers.CharField()
    empty = serializers.BooleanField()
    blocked = serializers.BooleanField(help_text="True when an error finding forbids to start it.")
    counts = serializers.DictField(child=serializers.IntegerField())
    requirements = serializers.DictField(child=serializers.IntegerField())
    price = PriceSerializer(
        allow_null=True,
        help_text="By the clouds' prices when it was planned; null where one has none, or they differ in currency.",
    )
    parts = PartSerializer(many=True, help_text="The plan's clouds, side by side.")
    data_loss = serializers.ListField(child=serializers.CharField())
    findings = FindingSerializer(many=True)
    operation = serializers.UUIDField(allow_null=True)
    created_at = serializers.DateTimeField()


class ChangeSerializer(serializers.Serializer[Any]):
    """Show what happens to one resource; ``services`` are those that stand on it, before or after."""

    resource = serializers.CharField()
    kind = serializers.CharField()
    name = serializers.CharField()
    change = serializers.ChoiceField(["create", "update", "replace", "delete", "keep"])
    cause = serializers.CharField()
    details = serializers.ListField(child=serializers.ListField(child=serializers.CharField()))
    destructive = serializers.BooleanField()
    data_loss = serializers.BooleanField()
    services = serializers.ListField(child=serializers.CharField())
    cloud = serializers.CharField(required=False, help_text="In plans over several clouds.")


class PlannedWorkloadSerializer(serializers.Serializer[Any]):
    """Show one container on a machine."""

    service = serializers.CharField()
    replica = serializers.IntegerField()
    image = serializers.CharField()


class MachineSerializer(serializers.Serializer[Any]):
    """Show a machine as it will be."""

    key = serializers.CharField()
    name = serializers.CharField()
    cluster = serializers.CharField(allow_null=True)
    cpus = serializers.IntegerField()
    memory_mib = serializers.IntegerField()
    workloads = PlannedWorkloadSerializer(many=True)
    disks = serializers.ListField(child=serializers.CharField(), help_text="Names of the volumes on it.")
    plain = serializers.BooleanField(help_text="True for a machine that hosts no containers.")
    region = serializers.CharField()
    cloud = serializers.CharField(required=False, help_text="In plans over several clouds.")


class ServiceFateSerializer(serializers.Serializer[Any]):
    """Show how one service fares."""

    machines = serializers.ListField(
        child=serializers.CharField(), help_text="Keys of the machines it will be on, or was on when it goes."
    )
    change = serializers.ChoiceField(
        ["create", "update", "replace", "delete", "keep"],
        allow_null=True,
        help_text="Null: it is drawn and stands nowhere, being of another region or scaled to none.",
    )
    restarted = serializers.BooleanField(help_text="It stays as it is, and its machine restarts.")
    ports = serializers.ListField(child=serializers.DictField(), help_text="{published, target, protocol}")
    cloud = serializers.CharField(required=False, help_text="In plans over several clouds.")


class LedgerSerializer(serializers.Serializer[Any]):
    """Show how one Compose key fares on the target."""

    path = serializers.ListField(child=serializers.JSONField())
    verdict = serializers.ChoiceField(["honoured", "approximated", "dropped"])
    reason = serializers.CharField()
    code = serializers.CharField()
    line = serializers.IntegerField(allow_null=True)
    cloud = serializers.CharField(
        required=False, help_text="In plans over several clouds; empty where all have it alike, or it is of a border."
    )


class PlanDetailSerializer(PlanSerializer):
    """Show a plan whole."""

    changes = ChangeSerializer(many=True)
    actions = serializers.ListField(child=serializers.DictField())
    ledger = LedgerSerializer(many=True)
    machines = MachineSerializer(many=True)
    services = serializers.DictField(child=ServiceFateSerializer())
    crossings = CrossingSerializer(many=True, help_text="What crosses a border between clouds.")


def plan_json(plan: Plan, *, detail: bool) -> dict[str, Any]:
    """Return a plan in the form of the serializers above."""
    body = plan.body
    parts = parts_json(body, plan.cloud)
    data = {
        "id": str(plan.id),
        "project": {"id": str(plan.project_id), "name": plan.project.slug},
        "cloud": {"id": str(plan.cloud_id), "name": plan.cloud.name},
        "clouds": [part["cloud"] for part in parts],
        "parts": parts,
        "blueprint": None,
        "version": None,
        "deployment": str(plan.deployment_id) if plan.operation_id or getattr(plan, "exists", True) else None,
        "deployment_name": plan.deployment_name,
        "region": plan.region,
        "purpose": plan.purpose,
        "images": plan.images,
        "hash": plan.hash,
        "empty": not body["actions"],
        "blocked": any(finding["severity"] == "error" for finding in body["findings"]),
        "counts": body["counts"],
        "requirements": body["requirements"],
        "price": body.get("price"),
        "data_loss": [change["name"] for change in body["changes"] if change["data_loss"]],
        "findings": body["findings"],
        "operation": str(plan.operation_id) if plan.operation_id else None,
        "created_at": plan.created_at,
    }
    if plan.version is not None:
        blueprint = plan.version.blueprint
        data["blueprint"] = {"id": str(blueprint.id), "name": blueprint.name}
        data["version"] = plan.version.number
    if detail:
        # Plans that were made before there were services, machines and prices go without.
        data |= {
            "changes": [{"services": [], **change} for change in body["changes"]],
            "actions": body["actions"],
            "ledger": body["ledger"],
            "machines": body.get("machines", []),
            "services": body.get("services", {}),
            "crossings": body.get("crossings", []),
        }
    return data


class ResourceSerializer(serializers.ModelSerializer[Resource]):
    """Show one thing that exists on the cloud."""

    key = serializers.SerializerMethodField()
    cloud = serializers.SerializerMethodField()
    addresses = serializers.SerializerMethodField()
    workloads = serializers.SerializerMethodField()
    adopted = serializers.SerializerMethodField()

    class Meta:
        model = Resource
        fields = (
            "key", "kind", "name", "cloud", "external_id", "state", "adopted", "addresses", "workloads", "facts",
            "updated_at",
        )  # fmt: skip

    def get_adopted(self, resource: Resource) -> bool:
        """Tell whether somebody else made it: it is released with the deployment, and not deleted."""
        return bool(resource.spec.get("adopted"))

    def get_key(self, resource: Resource) -> str:
        """Return its key; that of a thing on a further cloud starts with the part's name."""
        return joined(resource.deployment.part, resource.key)

    def get_cloud(self, resource: Resource) -> str:
        """Return the name of the cloud that it is on."""
        return resource.deployment.cloud.name

    def get_addresses(self, resource: Resource) -> list[str]:
        """Return the addresses that the guest reported."""
        return list(resource.facts.get("addresses", ()))

    @extend_schema_field(serializers.ListField(child=serializers.DictField()))
    def get_workloads(self, resource: Resource) -> list[Any]:
        """Return the containers on a machine."""
        return list(resource.spec.get("workloads", ()))


class DeploymentSerializer(serializers.Serializer[Deployment]):
    """Show a deployment as a list does."""

    id = serializers.UUIDField()
    project = ProjectField()
    name = serializers.CharField()
    state = serializers.ChoiceField(STATES)
    cloud = LinkSerializer()
    region = serializers.CharField(help_text="Of the drawing; empty for the whole of it.")
    blueprint = LinkSerializer()
    version = serializers.IntegerField()
    created_at = serializers.DateTimeField()
    updated_at = serializers.DateTimeField()


class DeploymentPartSerializer(serializers.Serializer[Any]):
    """Show a deployment on one of its clouds."""

    cloud = LinkSerializer()
    part = serializers.CharField(help_text="Starts the keys of what is there; empty on the main cloud.")
    state = serializers.ChoiceField(STATES)
    machines = serializers.IntegerField()
    price = PriceSerializer(allow_null=True)


class DeploymentDetailSerializer(DeploymentSerializer):
    """Show a deployment with what exists of it."""

    images = ImagesField()
    price = PriceSerializer(
        allow_null=True,
        help_text="Of what exists, by the present prices; null where a cloud has none, or they differ in currency.",
    )
    parts = DeploymentPartSerializer(many=True, help_text="Its clouds, the main one first.")
    resources = ResourceSerializer(many=True)
    operation = serializers.UUIDField(allow_null=True, help_text="The latest operation on it.")
    operation_url = serializers.CharField(allow_null=True)


LIST_COLUMNS = (
    "id",
    "name",
    "state",
    "region",
    "created_at",
    "updated_at",
    "project_id",
    "project__slug",
    "cloud_id",
    "cloud__name",
    "version__number",
    "version__blueprint_id",
    "version__blueprint__name",
)


def row_json(row: dict[str, Any]) -> dict[str, Any]:
    """Return a list row from ``values(*LIST_COLUMNS)``: one query and no model instances per page."""
    return {
        "id": str(row["id"]),
        "project": {"id": str(row["project_id"]), "name": row["project__slug"]},
        "name": row["name"],
        "state": row["state"],
        "cloud": {"id": str(row["cloud_id"]), "name": row["cloud__name"]},
        "region": row["region"],
        "blueprint": {"id": str(row["version__blueprint_id"]), "name": row["version__blueprint__name"]},
        "version": row["version__number"],
        "created_at": row["created_at"],
        "updated_at": row["updated_at"],
    }


def deployment_json(deployment: Deployment, operation_id: Any, operation_url: str | None) -> dict[str, Any]:
    """Return a deployment in the form of ``DeploymentDetailSerializer``."""
    blueprint = deployment.version.blueprint
    # Once for prices and list: each holds a machine's user-data.
    everywhere = [deployment, *parts_of(deployment)]
    prefetch_related_objects(everywhere, "resources")
    resources = [resource for one in everywhere for resource in _resources(one)]
    return {
        "id": str(deployment.id),
        "project": {"id": str(deployment.project_id), "name": deployment.project.slug},
        "name": deployment.name,
        "state": deployment.state,
        "cloud": {"id": str(deployment.cloud_id), "name": deployment.cloud.name},
        "region": deployment.region,
        "blueprint": {"id": str(blueprint.id), "name": blueprint.name},
        "version": deployment.version.number,
        "created_at": deployment.created_at,
        "updated_at": deployment.updated_at,
        "images": deployment.images,
        "price": showing.price_of_all(everywhere),
        "parts": [_part_json(one) for one in everywhere],
        "resources": ResourceSerializer(resources, many=True).data,
        "operation": str(operation_id) if operation_id else None,
        "operation_url": operation_url,
    }


def _resources(deployment: Deployment) -> list[Resource]:
    rows = list(deployment.resources.all())
    for row in rows:
        row.deployment = deployment  # known already, cloud and all
    return rows


def _part_json(deployment: Deployment) -> dict[str, Any]:
    return {
        "cloud": {"id": str(deployment.cloud_id), "name": deployment.cloud.name},
        "part": deployment.part,
        "state": deployment.state,
        "machines": sum(resource.kind == "machine" for resource in deployment.resources.all()),
        "price": showing.price_of(deployment),
    }
