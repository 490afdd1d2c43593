"""The forms of onboardings in the API."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from apps.blueprints.api.serializers import LinkSerializer
from apps.clouds.reading import find_cloud
from apps.onboarding.models import Onboarding
from apps.tenancy.api.fields import ProjectField, ReferenceField
from engine.onboarding import MAX_MACHINES


class OnboardingInSerializer(serializers.Serializer[Any]):
    """Hold which machines are to be drawn, and into which project."""

    project = ProjectField()
    cloud = ReferenceField(find_cloud, help_text="Id or name of one of the organization's own clouds.")
    name = serializers.CharField(max_length=63, help_text="Name of the design, and of the deployment.")
    machines = serializers.ListField(
        child=serializers.CharField(max_length=100),
        min_length=1,
        max_length=MAX_MACHINES * 2,
        help_text="Identities of machines, as the inventory tells them (`uid`).",
    )


class DrawnMachineSerializer(serializers.Serializer[Any]):
    """A machine as it was when it was drawn; `label` is its name in the drawing."""

    id = serializers.CharField()
    label = serializers.CharField()  # type: ignore[assignment]  # the name that users see, and a field's own caption
    name = serializers.CharField()
    folder = serializers.CharField()
    power = serializers.CharField()
    cpus = serializers.IntegerField()
    memory_mib = serializers.IntegerField()
    disk_gib = serializers.FloatField()
    networks = serializers.ListField(child=serializers.CharField())


class RefusedMachineSerializer(serializers.Serializer[Any]):
    """A machine that cannot be adopted, and why."""

    id = serializers.CharField()
    name = serializers.CharField()
    reason = serializers.CharField()


class OnboardingSerializer(serializers.Serializer[Onboarding]):
    """An onboarding in a list."""

    id = serializers.UUIDField()
    name = serializers.CharField()
    project = LinkSerializer()
    cloud = LinkSerializer()
    count = serializers.IntegerField(help_text="Machines that are drawn.")
    blueprint = serializers.UUIDField(allow_null=True, help_text="The design that was made of it.")
    version = serializers.UUIDField(allow_null=True)
    plan = serializers.UUIDField(allow_null=True)
    created_by = serializers.CharField(allow_null=True)
    created_at = serializers.DateTimeField()


class OnboardingDetailSerializer(OnboardingSerializer):
    """An onboarding with what was drawn."""

    compose = serializers.CharField(help_text="The drawing: a Compose file.")
    machines = DrawnMachineSerializer(many=True)
    refused = RefusedMachineSerializer(many=True)
    warnings = serializers.ListField(child=serializers.CharField())


def onboarding_json(one: Onboarding, *, detail: bool) -> dict[str, Any]:
    """Return an onboarding as plain data."""
    body: dict[str, Any] = {
        "id": one.id,
        "name": one.name,
        "project": {"id": one.project_id, "name": one.project.slug},
        "cloud": {"id": one.cloud_id, "name": one.cloud.name},
        "count": len(one.machines),
        "blueprint": one.version.blueprint_id if one.version else None,
        "version": one.version_id,
        "plan": one.plan_id,
        "created_by": one.created_by.get_username() if one.created_by else None,
        "created_at": one.created_at,
    }
    if detail:
        body |= {"compose": one.text, "machines": one.machines, "refused": one.refused, "warnings": one.warnings}
    return body
