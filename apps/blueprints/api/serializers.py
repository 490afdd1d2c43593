"""The forms of blueprints in the API."""

from __future__ import annotations

import base64
import binascii
from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from apps.blueprints import drafts, services
from apps.blueprints import files as supplied
from apps.blueprints.models import Blueprint, BlueprintVersion
from apps.tenancy.api.fields import ProjectField, ReferenceField
from apps.tenancy.faults import fault


@extend_schema_field(
    {
        "type": "object",
        "additionalProperties": {
            "oneOf": [
                {"type": "string"},
                {"type": "object", "required": ["base64"], "properties": {"base64": {"type": "string"}}},
            ]
        },
        "description": "Files that stand beside the Compose file, by relative path; text, or {base64} for the rest.",
    }
)
class FilesField(serializers.Field):  # type: ignore[type-arg]
    """Read {path: text or {"base64": …}} into {path: bytes}; never shown again."""

    default_error_messages = {"invalid": "Give a map from relative path to content."}

    def to_internal_value(self, data: Any) -> dict[str, bytes]:
        """Read text as UTF-8 and {"base64": …} as what it encodes; fault `blueprint.file_content`."""
        if not isinstance(data, dict):
            self.fail("invalid")
        return {str(path): _content(str(path), content) for path, content in data.items()}

    def to_representation(self, value: Any) -> Any:
        """Show nothing: contents are write-only."""
        return None


def _content(path: str, content: Any) -> bytes:
    try:
        if isinstance(content, str):
            return content.encode()
        if isinstance(content, dict) and isinstance(content.get("base64"), str):
            return base64.b64decode(content["base64"], validate=True)
    except (binascii.Error, UnicodeEncodeError):
        pass
    raise fault("blueprint.file_content", path=path[:100])


class BlueprintField(ReferenceField):
    """Accept a design that the caller may see, by id, or by a name that only one of them has."""

    def __init__(self, **options: Any) -> None:
        super().__init__(services.find_blueprint, **options)


class DraftField(ReferenceField):
    """Accept a draft of the caller's own, by id."""

    def __init__(self, **options: Any) -> None:
        super().__init__(drafts.find_draft, **options)


class LinkSerializer(serializers.Serializer[Any]):
    """Point at something by id and name."""

    id = serializers.UUIDField()
    name = serializers.CharField()


class EditSerializer(serializers.Serializer[Any]):
    """Show one change of the text that a fix makes."""

    op = serializers.ChoiceField(["set", "delete", "rename"])
    path = serializers.ListField(child=serializers.JSONField(), help_text="Keys and indexes from the top level.")
    value = serializers.JSONField(
        required=False, allow_null=True, help_text="set: the value; rename: the new key. Missing mappings are made."
    )


class FixSerializer(serializers.Serializer[Any]):
    """Show a way to mend what a finding says."""

    title = serializers.CharField()
    edits = EditSerializer(many=True)


class FindingSerializer(serializers.Serializer[Any]):
    """A finding, as ``engine.findings.Finding`` gives it."""

    code = serializers.CharField()
    severity = serializers.ChoiceField(["error", "warning", "info"])
    message = serializers.CharField()
    path = serializers.ListField(child=serializers.JSONField())
    line = serializers.IntegerField(allow_null=True)
    column = serializers.IntegerField(allow_null=True)
    hint = serializers.CharField()


class FixableFindingSerializer(FindingSerializer):
    """A finding with the ways to mend it by one click; the key is missing where there is none."""

    fix = FixSerializer(many=True, required=False)


class DrawingSerializer(serializers.Serializer[Any]):
    """A Compose text with what stands beside it."""

    compose = serializers.CharField(trim_whitespace=False, help_text="The text of the Compose file.")
    files = FilesField(required=False)
    environment = serializers.DictField(
        child=serializers.CharField(allow_blank=True, trim_whitespace=False),
        required=False,
        help_text="Values for interpolation; the server's own environment is never used.",
    )


class VersionInSerializer(DrawingSerializer):
    """Hold what a new version is made of."""

    message = serializers.CharField(required=False, allow_blank=True, max_length=300)
    base_version = serializers.IntegerField(
        required=False, min_value=1, help_text="The version that the text was made from; 409 when there is a newer one."
    )


class RestoreSerializer(serializers.Serializer[Any]):
    """Hold what is said of a restored version."""

    message = serializers.CharField(required=False, allow_blank=True, max_length=300)


class ValidationInSerializer(DrawingSerializer):
    """Hold a text to look through, and where its files and values come from when they are not given."""

    draft = DraftField(required=False, help_text="Id of a draft of one's own: its files and values are used.")
    blueprint = BlueprintField(required=False, help_text="A design: the files and values of its latest version.")


class SourceSerializer(serializers.Serializer[Any]):
    """Hold one of several Compose files."""

    name = serializers.CharField(max_length=200, help_text="What findings call it.")
    compose = serializers.CharField(trim_whitespace=False)


class MergeInSerializer(serializers.Serializer[Any]):
    """Hold Compose files of which each is laid over those before it."""

    files = serializers.ListField(child=SourceSerializer(), min_length=1, max_length=20)
    environment = serializers.DictField(
        child=serializers.CharField(allow_blank=True, trim_whitespace=False), required=False
    )
    draft = DraftField(required=False, help_text="Id of a draft of one's own: its files and values are used.")
    blueprint = BlueprintField(required=False, help_text="A design: the files and values of its latest version.")


class MergedSerializer(serializers.Serializer[Any]):
    """Show the one text that several files make, and the findings on it."""

    compose = serializers.CharField()
    findings = FixableFindingSerializer(many=True)


class BlueprintInSerializer(DrawingSerializer):
    """Hold what a new blueprint is made of."""

    message = serializers.CharField(required=False, allow_blank=True, max_length=300)
    project = ProjectField(help_text="Id or slug of the project.")
    name = serializers.CharField(max_length=63)
    description = serializers.CharField(required=False, allow_blank=True)


class ValidationSerializer(serializers.Serializer[Any]):
    """Say whether a text is valid, and everything that was found."""

    valid = serializers.BooleanField()
    findings = FixableFindingSerializer(many=True)


class TemplateRowSerializer(serializers.Serializer[Any]):
    """Show a design to start from; its texts in the caller's language."""

    name = serializers.CharField()
    title = serializers.CharField()
    description = serializers.CharField()


class TemplateSerializer(TemplateRowSerializer):
    """Show a design to start from with all that it consists of."""

    compose = serializers.CharField()
    files = serializers.DictField(child=serializers.CharField(), help_text="Texts by relative path.")


class VersionSerializer(serializers.ModelSerializer[BlueprintVersion]):
    """Show one version with its text and the paths of its files."""

    compose = serializers.CharField(source="text")
    files = serializers.SerializerMethodField(help_text="Paths of the supplied files; contents are write-only.")
    environment = serializers.SerializerMethodField(help_text="Names of the given values; the values are write-only.")
    created_by = serializers.CharField(source="created_by.username", default=None)

    class Meta:
        model = BlueprintVersion
        fields = ("id", "number", "message", "compose", "environment", "files", "digest", "created_by", "created_at")

    def get_environment(self, version: BlueprintVersion) -> list[str]:
        """Return the names of the given values."""
        return sorted(supplied.environment_of(version))

    def get_files(self, version: BlueprintVersion) -> list[str]:
        """Return the paths of the supplied files."""
        return [file.path for file in version.files.all()]


class BlueprintSerializer(serializers.ModelSerializer[Blueprint]):
    """Show a blueprint as a list does."""

    project = ProjectField()
    created_by = serializers.CharField(source="created_by.username", default=None)
    version = serializers.SerializerMethodField(help_text="Number of the latest version.")

    class Meta:
        model = Blueprint
        fields: tuple[str, ...] = (
            "id", "project", "name", "description", "version", "created_by", "created_at", "updated_at"
        )  # fmt: skip

    def get_version(self, blueprint: Blueprint) -> int | None:
        """Return the latest version's number, from the list's annotation where there is one."""
        annotated: int | None = getattr(blueprint, "latest", None)
        if annotated is not None:
            return annotated
        return blueprint.versions.order_by("-number").values_list("number", flat=True).first()


class BlueprintDetailSerializer(BlueprintSerializer):
    """Show a blueprint with its latest version and what the loader remarks on it."""

    latest_version = serializers.SerializerMethodField()
    findings = serializers.SerializerMethodField(help_text="Warnings and remarks on the latest version.")

    class Meta(BlueprintSerializer.Meta):
        fields = (*BlueprintSerializer.Meta.fields, "latest_version", "findings")

    @extend_schema_field(VersionSerializer)
    def get_latest_version(self, blueprint: Blueprint) -> Any:
        """Return the latest version, or None."""
        last = blueprint.versions.order_by("-number").first()
        return VersionSerializer(last).data if last else None

    @extend_schema_field(FindingSerializer(many=True))
    def get_findings(self, blueprint: Blueprint) -> Any:
        """Return warnings and remarks on the latest version."""
        last = blueprint.versions.order_by("-number").first()
        if last is None:
            return []
        found = services.validate(
            last.text, name=blueprint.name, files=supplied.read(last), environment=supplied.environment_of(last)
        )
        return [finding.to_json() for finding in found]
