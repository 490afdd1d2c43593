"""The forms of what a canvas asks: previews of a text, drift, and a running deployment in one answer."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from apps.blueprints.api.serializers import (
    BlueprintField,
    DraftField,
    DrawingSerializer,
    FindingSerializer,
    FixableFindingSerializer,
    LinkSerializer,
)
from apps.clouds.api.serializers import CapacitySerializer
from apps.clouds.reading import find_cloud
from apps.deployments import watching
from apps.deployments.api.serializers import (
    ChangeSerializer,
    CrossingSerializer,
    ImagesField,
    LedgerSerializer,
    MachineSerializer,
    PartSerializer,
    PriceSerializer,
    RegionField,
    ServiceFateSerializer,
    find_deployment,
)
from apps.deployments.models import DriftReport
from apps.tenancy.api.fields import ProjectField, ReferenceField

FOUND_STATES = ("running", "stopped", "missing", "unknown")
"""What a machine may be on the cloud."""
CANVAS_STATES = ("pending", "working", "running", "stopped", "failed", "missing", "unknown")
"""What a card may show: besides, how far the steps have got that work on it."""


class PreviewInSerializer(DrawingSerializer):
    """Hold a text that is being drawn, and where it should go."""

    compose = serializers.CharField(trim_whitespace=False, allow_blank=True, help_text="The text as it is now.")
    project = ProjectField(help_text="Id or slug of the project.")
    cloud = ReferenceField(
        find_cloud,
        required=False,
        help_text="Id or name; without it that of the deployment, or the one that the drawing names.",
    )
    region = RegionField()
    deployment = ReferenceField(find_deployment, required=False, help_text="Compare with this one, and observe it.")
    images = ImagesField(required=False)
    blueprint = BlueprintField(
        required=False, help_text="The files and values of its latest version count; given ones go over them."
    )
    draft = DraftField(
        required=False, help_text="Instead of the design's, the files and values of this draft of one's own count."
    )
    name = serializers.CharField(required=False, max_length=63, help_text="Name of the new deployment.")


class PreviewNetworkSerializer(serializers.Serializer[Any]):
    """Show a network that is made or used."""

    key = serializers.CharField()
    name = serializers.CharField()
    managed = serializers.BooleanField(help_text="False: it exists on the cloud and is only used.")
    subnet = serializers.CharField(allow_null=True)
    vlan = serializers.IntegerField(allow_null=True)
    services = serializers.ListField(child=serializers.CharField())


class PreviewVolumeSerializer(serializers.Serializer[Any]):
    """Show a data disk."""

    key = serializers.CharField()
    name = serializers.CharField()
    size_gib = serializers.IntegerField()
    datastore = serializers.CharField(allow_null=True)
    services = serializers.ListField(child=serializers.CharField())


class RegionSerializer(serializers.Serializer[Any]):
    """Show a region of the drawing."""

    name = serializers.CharField()
    title = serializers.CharField()
    cloud = serializers.CharField(help_text="Name of the cloud that it is drawn for; empty for none.")


class PreviewPartSerializer(PartSerializer):
    """Show what a text would become on one of its clouds."""

    capacity = CapacitySerializer(allow_null=True)


class PreviewSerializer(serializers.Serializer[Any]):
    """Say what a text would become; with ``valid`` false only the findings tell something."""

    valid = serializers.BooleanField(help_text="False: the text cannot be read, and the findings say why.")
    blocked = serializers.BooleanField(help_text="True when an error finding forbids to start such a plan.")
    empty = serializers.BooleanField()
    findings = FixableFindingSerializer(many=True)
    ledger = LedgerSerializer(many=True)
    changes = ChangeSerializer(many=True)
    counts = serializers.DictField(child=serializers.IntegerField())
    requirements = serializers.DictField(child=serializers.IntegerField(), allow_null=True)
    capacity = CapacitySerializer(allow_null=True)
    price = PriceSerializer(allow_null=True)
    cloud = LinkSerializer(allow_null=True)
    clouds = LinkSerializer(many=True)
    parts = PreviewPartSerializer(many=True, help_text="The clouds side by side.")
    crossings = CrossingSerializer(many=True, help_text="What crosses a border between clouds.")
    region = serializers.CharField()
    regions = RegionSerializer(many=True, help_text="All regions of the drawing, in its order.")
    deployment_name = serializers.CharField()
    machines = MachineSerializer(many=True)
    networks = PreviewNetworkSerializer(many=True)
    volumes = PreviewVolumeSerializer(many=True)
    services = serializers.DictField(child=ServiceFateSerializer())
    data_loss = serializers.ListField(child=serializers.CharField())


class DifferenceSerializer(serializers.Serializer[Any]):
    """Show one thing that somebody changed on the cloud."""

    what = serializers.ChoiceField(["cpus", "memory_mib", "power"])
    applied = serializers.CharField()
    found = serializers.CharField()


class DriftMachineSerializer(serializers.Serializer[Any]):
    """Show a machine as it is on the cloud now."""

    key = serializers.CharField()
    name = serializers.CharField()
    state = serializers.ChoiceField(FOUND_STATES)
    addresses = serializers.ListField(child=serializers.CharField())
    differences = DifferenceSerializer(many=True)


class DriftServiceSerializer(ServiceFateSerializer):
    """Show how a service fares, and whether its machines run."""

    state = serializers.ChoiceField(FOUND_STATES)


class DriftValueSerializer(serializers.Serializer[Any]):
    """A value that is another on the cloud than it was deployed."""

    resource = serializers.CharField(help_text="Key of the machine or volume.")
    name = serializers.CharField()
    what = serializers.CharField(
        help_text="cpus, memory, power, name, networks, disk, size, data_disk, or missing: the whole of it."
    )
    drawn = serializers.CharField(help_text="What was deployed, with its unit.")
    found = serializers.CharField(help_text="What is on the cloud.")
    writable = serializers.BooleanField(help_text="Whether the drawing can say it.")
    why_not = serializers.CharField(allow_blank=True)


class DriftSerializer(serializers.Serializer[Any]):
    """Say how the cloud differs from the deployed version."""

    checked_at = serializers.DateTimeField()
    version = serializers.IntegerField()
    region = serializers.CharField()
    drifted = serializers.BooleanField()
    differences = DriftValueSerializer(many=True)
    changes = ChangeSerializer(many=True, help_text="What an update to the same version would do.")
    findings = FindingSerializer(many=True, help_text="What an update would leave alone, among others.")
    machines = DriftMachineSerializer(many=True)
    services = serializers.DictField(child=DriftServiceSerializer())


class DriftReportSerializer(serializers.Serializer[Any]):
    """Say how the cloud differed when somebody, or a sync, last looked."""

    state = serializers.ChoiceField(watching.STATES, help_text="`unknown`: the cloud did not answer; see `reason`.")
    reason = serializers.CharField(allow_blank=True)
    checked_at = serializers.DateTimeField(allow_null=True)
    due = serializers.BooleanField(help_text="A sync has seen something change since, and it is looked at soon.")
    drift = DriftSerializer(allow_null=True, help_text="What was found last; null: nobody has looked yet.")


class WriteBackInSerializer(serializers.Serializer[Any]):
    """Ask for a preview, or for the version."""

    preview = serializers.BooleanField(default=False, help_text="Only say what would be written.")
    base_version = serializers.IntegerField(
        required=False,
        min_value=1,
        help_text="The version that a preview was made from; refused when there is a newer.",
    )


class WriteBackSerializer(serializers.Serializer[Any]):
    """Say what is written into the drawing, and what cannot be."""

    base_version = serializers.IntegerField()
    version = serializers.IntegerField(allow_null=True, help_text="The new version; null in a preview.")
    diff = serializers.CharField(help_text="Of the text, in unified form.")
    compose = serializers.CharField()
    written = DriftValueSerializer(many=True)
    left = DriftValueSerializer(many=True, help_text="What the drawing cannot say, each with `why_not`.")


def report_json(report: DriftReport | None) -> dict[str, Any]:
    """Return a kept report as plain data; None is one that nobody has made yet."""
    if report is None:
        return {"state": "unchecked", "reason": "", "checked_at": None, "due": False, "drift": None}
    return {
        "state": report.state,
        "reason": report.reason,
        "checked_at": report.checked_at,
        "due": report.due_at is not None,
        "drift": report.body or None,
    }


class CanvasMachineSerializer(serializers.Serializer[Any]):
    """Show a machine as the journal knows it."""

    key = serializers.CharField()
    name = serializers.CharField()
    state = serializers.ChoiceField(CANVAS_STATES)
    addresses = serializers.ListField(child=serializers.CharField())
    cloud = serializers.CharField()


class PortSerializer(serializers.Serializer[Any]):
    """Show a published port."""

    published = serializers.CharField(help_text="A port or a range.")
    target = serializers.IntegerField()
    protocol = serializers.CharField()


class CanvasServiceSerializer(serializers.Serializer[Any]):
    """Show a service: the worst state of its machines, and of the steps that work on what it stands on."""

    state = serializers.ChoiceField(CANVAS_STATES)
    machines = CanvasMachineSerializer(many=True)
    ports = PortSerializer(many=True)


class CanvasCloudSerializer(LinkSerializer):
    """Point at the cloud; ``ok`` is its health as last seen, null when it was never asked."""

    ok = serializers.BooleanField(allow_null=True)


class CanvasPartSerializer(serializers.Serializer[Any]):
    """Show where else a deployment runs."""

    state = serializers.CharField()
    cloud = CanvasCloudSerializer()


class CanvasDeploymentSerializer(serializers.Serializer[Any]):
    """Show the deployment itself."""

    id = serializers.UUIDField()
    name = serializers.CharField()
    state = serializers.CharField()
    version = serializers.IntegerField()
    blueprint = LinkSerializer()
    region = serializers.CharField()
    cloud = CanvasCloudSerializer()
    parts = CanvasPartSerializer(many=True, help_text="On further clouds.")


class CanvasOperationSerializer(serializers.Serializer[Any]):
    """Show the latest operation while it is under way, or when it did not succeed."""

    id = serializers.UUIDField()
    kind = serializers.CharField()
    state = serializers.CharField()
    percent = serializers.IntegerField()
    last_seq = serializers.IntegerField(help_text="Follow its events after this one.")
    error = serializers.DictField(allow_null=True)


class CanvasSerializer(serializers.Serializer[Any]):
    """Everything that a canvas needs to paint a deployment."""

    deployment = CanvasDeploymentSerializer()
    services = serializers.DictField(child=CanvasServiceSerializer())
    machines = CanvasMachineSerializer(many=True)
    operation = CanvasOperationSerializer(allow_null=True)
