"""Show runs and labels as those who may use the cloud see them."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from apps.labels import issuing, reporting
from apps.labels.models import Label, Run
from apps.labels.standing import names_of, standing
from apps.labels.wording import wording


class ProbeCountsSerializer(serializers.Serializer):  # type: ignore[type-arg]
    """How many probes ended how; `left_out`: the flavour does not offer it; `advised`: failed, but only advisory."""

    passed = serializers.IntegerField()
    failed = serializers.IntegerField()
    skipped = serializers.IntegerField()
    error = serializers.IntegerField()
    left_out = serializers.IntegerField()
    advised = serializers.IntegerField()


class RunSerializer(serializers.ModelSerializer[Run]):
    """A conformance run. `operation` is null for those who may not see it: then this is polled instead."""

    cloud = serializers.CharField(source="cloud.name")
    operation = serializers.SerializerMethodField()
    counts = serializers.SerializerMethodField()
    label = serializers.SerializerMethodField()  # type: ignore[assignment]

    class Meta:
        model = Run
        fields = [
            "id", "cloud", "cloud_id", "state", "level", "cause", "product", "actor", "started_at", "finished_at",
            "cleaned_at", "operation", "counts", "label",
        ]  # fmt: skip
        read_only_fields = fields

    def to_representation(self, instance: Run) -> dict[str, Any]:
        """Name who started it to members of the owning organization alone."""
        data: dict[str, Any] = super().to_representation(instance)
        own = instance.organization_id == self.context["view"].principal.organization.pk
        return data if own else {**data, "actor": ""}

    def get_operation(self, run: Run) -> str | None:
        """Return the operation's id to members of the owning organization."""
        own = run.organization_id == self.context["view"].principal.organization.pk
        return str(run.operation_id) if own and run.operation_id else None

    @extend_schema_field(ProbeCountsSerializer)
    def get_counts(self, run: Run) -> dict[str, int]:
        """Return the verdicts in numbers."""
        return reporting.summary(run)

    def get_label(self, run: Run) -> str | None:
        """Return the id of the label that was issued on it."""
        newest = max(run.labels.all(), key=lambda row: row.created_at, default=None)
        return str(newest.pk) if newest is not None else None


class EvidenceSerializer(serializers.Serializer):  # type: ignore[type-arg]
    """What a probe found; `message` and `internals` only for the organization that owns the cloud."""

    probe = serializers.CharField()
    title = serializers.CharField()
    level = serializers.CharField()
    required = serializers.BooleanField()  # type: ignore[assignment]
    left_out = serializers.CharField()
    verdict = serializers.CharField()
    code = serializers.CharField()
    message = serializers.CharField(required=False)
    facts = serializers.DictField()
    internals = serializers.DictField(required=False)
    started_at = serializers.DateTimeField()
    finished_at = serializers.DateTimeField()


class RunDetailSerializer(RunSerializer):
    """A run with its evidence."""

    probes = serializers.SerializerMethodField()

    class Meta(RunSerializer.Meta):
        fields = [*RunSerializer.Meta.fields, "probes"]
        read_only_fields = fields

    @extend_schema_field(EvidenceSerializer(many=True))
    def get_probes(self, run: Run) -> list[dict[str, Any]]:
        """Return the probes in their order."""
        own = run.organization_id == self.context["view"].principal.organization.pk
        found: list[dict[str, Any]] = []
        for row in run.evidence.all():
            entry: dict[str, Any] = {
                name: getattr(row, name)
                for name in ("probe", "level", "required", "left_out", "verdict", "code", "facts", "started_at",
                             "finished_at")
            }  # fmt: skip
            entry["title"] = str(wording(row.probe).title)
            if own:
                entry["message"] = row.message
                entry["internals"] = {name: value for name, value in row.internals.items() if name != "salt"}
            found.append(entry)
        return found


class LabelSerializer(serializers.ModelSerializer[Label]):
    """A label. `standing` says whether it counts now; `names` what policies may demand of it."""

    name = serializers.CharField(source="__str__")
    names = serializers.SerializerMethodField()
    cloud = serializers.CharField(source="cloud.name")
    run = serializers.UUIDField(source="run_id")
    standing = serializers.SerializerMethodField()
    changed = serializers.SerializerMethodField()
    in_force = serializers.SerializerMethodField()
    why = serializers.SerializerMethodField()

    class Meta:
        model = Label
        fields = [
            "id", "name", "names", "cloud", "cloud_id", "run", "level", "standing", "in_force", "changed", "statement",
            "signer", "signed_at", "valid_until", "confirmed_at", "unconfirmed_since", "ended_at", "ended_by", "why",
            "created_at",
        ]  # fmt: skip
        read_only_fields = fields

    def get_names(self, label: Label) -> list[str]:
        """Return the labels that it stands for."""
        return names_of(label.level)

    def get_standing(self, label: Label) -> str:
        """Return where it stands now."""
        return standing(label).state

    def get_in_force(self, label: Label) -> bool:
        """Tell whether policies may rely on it now."""
        return standing(label).in_force

    def get_changed(self, label: Label) -> list[str]:
        """Return what of the cloud is not as it was probed, when it is suspended."""
        return list(standing(label).changed)

    def get_why(self, label: Label) -> str:
        """Return why it is lost or withdrawn; the words of a failed probe are its owner's."""
        own = label.organization_id == self.context["view"].principal.organization.pk
        if label.state == "lost" and not own:
            return str(label.ended_why.get("probe", ""))
        return issuing.lost_because(label)


class SignatureSerializer(serializers.Serializer):  # type: ignore[type-arg]
    """What an administrator vouches for."""

    statement = serializers.CharField(max_length=4000, trim_whitespace=False)
    days = serializers.IntegerField(required=False, allow_null=True, help_text="How long it holds; default: setting.")


class WithdrawalSerializer(serializers.Serializer):  # type: ignore[type-arg]
    """Why a label is taken away."""

    reason = serializers.CharField(max_length=4000)


class CheckedSerializer(serializers.Serializer):  # type: ignore[type-arg]
    """What is to be thought of a report file; see docs/labels.md."""

    authentic = serializers.BooleanField(allow_null=True)
    details = serializers.BooleanField(allow_null=True)
    valid = serializers.BooleanField()
    label = serializers.CharField(allow_null=True)  # type: ignore[assignment]
    signer = serializers.CharField(allow_null=True)
    valid_until = serializers.CharField(allow_null=True)
    standing = serializers.CharField()
