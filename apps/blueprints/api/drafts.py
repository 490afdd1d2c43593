"""Drafts in the API: what one draws and has not saved yet, for oneself alone."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import extend_schema, extend_schema_field
from rest_framework import serializers, status
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from apps.blueprints import drafts, services
from apps.blueprints.api.serializers import (
    BlueprintField,
    BlueprintSerializer,
    FilesField,
    LinkSerializer,
    VersionSerializer,
)
from apps.blueprints.models import Draft
from apps.tenancy.access import find_project
from apps.tenancy.api.fields import ProjectField
from apps.tenancy.api.idempotency import idempotent
from apps.tenancy.api.views import ScopedViewSet
from apps.tenancy.models import Role

LONGEST_DESCRIPTION = 10_000


@extend_schema_field(
    {
        "type": "object",
        "additionalProperties": {
            "nullable": True,
            "oneOf": [
                {"type": "string"},
                {"type": "object", "required": ["base64"], "properties": {"base64": {"type": "string"}}},
            ],
        },
        "description": "All files that stand beside the Compose file, by relative path: text, {base64} for the rest, "
        "null for a content that stays as it is stored. What is not listed is dropped.",
    }
)
class KeptFilesField(FilesField):
    """Read files of which some may stay as they are stored: null, given on as None."""

    def to_internal_value(self, data: Any) -> dict[str, bytes | None]:  # type: ignore[override]
        """Read as `FilesField` does, and null as None."""
        if not isinstance(data, dict):
            self.fail("invalid")
        given = super().to_internal_value({path: content for path, content in data.items() if content is not None})
        return {str(path): given.get(str(path)) for path in data}


class DraftInSerializer(serializers.Serializer[Any]):
    """Hold what a draft starts from."""

    project = ProjectField(required=False, help_text="Id or slug of the project; may be left out with a blueprint.")
    blueprint = BlueprintField(required=False, help_text="Id or name of the design that the draft will change.")
    name = serializers.CharField(required=False, allow_blank=True, max_length=63)
    description = serializers.CharField(required=False, allow_blank=True, max_length=LONGEST_DESCRIPTION)
    compose = serializers.CharField(
        required=False, allow_blank=True, trim_whitespace=False, help_text="The text as it is; it may have mistakes."
    )
    files = FilesField(required=False)
    environment = serializers.DictField(
        child=serializers.CharField(allow_blank=True, trim_whitespace=False), required=False
    )

    def validate(self, attrs: Any) -> Any:
        """Require the project or the design."""
        if "project" not in attrs and "blueprint" not in attrs:
            missing = self.fields["project"].error_messages["required"]
            raise serializers.ValidationError({"project": missing}, code="required")
        return attrs


class DraftWriteSerializer(serializers.Serializer[Any]):
    """Hold what a draft becomes; what is left out stays."""

    revision = serializers.IntegerField(min_value=1, help_text="The revision that this change was made from.")
    compose = serializers.CharField(allow_blank=True, trim_whitespace=False)
    name = serializers.CharField(required=False, allow_blank=True, max_length=63)
    description = serializers.CharField(required=False, allow_blank=True, max_length=LONGEST_DESCRIPTION)
    files = KeptFilesField(required=False)
    environment = serializers.DictField(
        child=serializers.CharField(allow_blank=True, allow_null=True, trim_whitespace=False),
        required=False,
        help_text="All values for interpolation; null for one that stays as it is stored.",
    )


class DraftSaveSerializer(serializers.Serializer[Any]):
    """Say how a draft is saved."""

    revision = serializers.IntegerField(min_value=1)
    name = serializers.CharField(
        required=False, allow_blank=True, max_length=63, help_text="Name of the new design; the draft's own else."
    )
    message = serializers.CharField(required=False, allow_blank=True, max_length=300)
    base_version = serializers.IntegerField(
        required=False, allow_null=True, min_value=1, help_text="The latest version that the text contains, by merge."
    )
    force = serializers.BooleanField(required=False, default=False, help_text="Save over any newer version.")


class DraftRowSerializer(serializers.ModelSerializer[Draft]):
    """Show a draft as a list does: without its text."""

    project = ProjectField()
    blueprint = LinkSerializer(allow_null=True)
    base_version = serializers.SerializerMethodField()
    description = serializers.SerializerMethodField()
    files = serializers.ListField(
        source="file_paths", child=serializers.CharField(), help_text="Paths; contents are write-only."
    )
    environment = serializers.ListField(
        source="environment_names", child=serializers.CharField(), help_text="Names; values are write-only."
    )
    created_by = serializers.CharField(source="created_by.username")

    class Meta:
        model = Draft
        fields: tuple[str, ...] = (
            "id", "project", "blueprint", "base_version", "name", "description", "files", "environment", "revision",
            "updated_at", "created_by",
        )  # fmt: skip

    def get_base_version(self, draft: Draft) -> int | None:
        """Return the version that the text was made from; None without a design."""
        return draft.base_version if draft.blueprint_id is not None else None

    def get_description(self, draft: Draft) -> str:
        """Return the draft's own description, or its design's as long as it has none."""
        if draft.description is None and draft.blueprint is not None:
            return draft.blueprint.description
        return draft.description or ""


class DraftSerializer(DraftRowSerializer):
    """Show a draft with its text."""

    compose = serializers.CharField(source="text")

    class Meta(DraftRowSerializer.Meta):
        fields = (*DraftRowSerializer.Meta.fields, "compose")


class DraftSavedSerializer(serializers.Serializer[Any]):
    """Show what a draft was saved as."""

    blueprint = BlueprintSerializer()
    version = VersionSerializer()
    draft = DraftSerializer()


@extend_schema(tags=["drafts"])
class DraftViewSet(ScopedViewSet):
    """What one is drawing; nobody else sees it."""

    queryset = Draft.objects.all()
    serializer_class = DraftSerializer
    scope = "project"
    ordering = ("-updated_at", "id")
    roles = {
        "list": Role.VIEWER,
        "retrieve": Role.VIEWER,
        "destroy": Role.VIEWER,  # it is one's own, also after a role was taken away
        "create": Role.ARCHITECT,
        "update": Role.ARCHITECT,
        "save": Role.ARCHITECT,
    }

    def get_queryset(self) -> Any:
        """Return the caller's drafts that the filters leave."""
        rows = super().get_queryset().select_related("project__organization", "blueprint", "created_by")
        if self.action == "update":
            rows = rows.defer("text", "sealed_files", "sealed_environment")  # about to be replaced, and large
        if self.action == "list":
            rows = rows.defer("text", "sealed_files", "sealed_environment")
            if project := self.request.query_params.get("project"):
                rows = rows.filter(project=find_project(self.principal, project))
            if blueprint := self.request.query_params.get("blueprint"):
                rows = rows.filter(blueprint=services.find_blueprint(self.principal, blueprint))
        return rows

    @extend_schema(responses=DraftRowSerializer(many=True))
    def list(self, request: Request) -> Response:
        """List one's own drafts, without their texts; filters: project, blueprint."""
        page = self.paginate_queryset(self.get_queryset())
        return self.get_paginated_response(DraftRowSerializer(page, many=True).data)

    @extend_schema(responses=DraftSerializer)
    def retrieve(self, request: Request, id: str) -> Response:
        """Return a draft with its text."""
        return Response(DraftSerializer(self.get_object()).data)

    @extend_schema(request=DraftInSerializer, responses={200: DraftSerializer, 201: DraftSerializer})
    @idempotent
    def create(self, request: Request) -> Response:
        """Begin a draft; with a blueprint, return one's draft of it (200), or begin with its latest version."""
        body = DraftInSerializer(data=request.data, context=self.get_serializer_context())
        body.is_valid(raise_exception=True)
        data = dict(body.validated_data)
        draft, new = drafts.open_draft(self.principal, data.pop("project", None), **data)
        return Response(DraftSerializer(draft).data, status=status.HTTP_201_CREATED if new else status.HTTP_200_OK)

    @extend_schema(request=DraftWriteSerializer, responses=DraftSerializer)
    def update(self, request: Request, id: str) -> Response:
        """Replace what a draft holds, unless it was written elsewhere since `revision` (409); nothing is validated."""
        draft = self.get_object()
        body = DraftWriteSerializer(data=request.data)
        body.is_valid(raise_exception=True)
        return Response(DraftSerializer(drafts.write_draft(self.principal, draft, **body.validated_data)).data)

    @extend_schema(responses={204: None})
    def destroy(self, request: Request, id: str) -> Response:
        """Throw a draft away; the design that it belongs to stays as it is."""
        self.get_object().delete()
        return Response(status=status.HTTP_204_NO_CONTENT)

    @extend_schema(request=DraftSaveSerializer, responses={200: DraftSavedSerializer, 201: DraftSavedSerializer})
    @action(detail=True, methods=["post"])
    @idempotent
    def save(self, request: Request, id: str) -> Response:
        """Make a design or a new version of it (201); 200 when the latest version is the same already."""
        draft = self.get_object()
        body = DraftSaveSerializer(data=request.data)
        body.is_valid(raise_exception=True)
        blueprint, version, new = drafts.save_draft(self.principal, draft, **body.validated_data)
        answer = {
            "blueprint": BlueprintSerializer(blueprint).data,
            "version": VersionSerializer(version).data,
            "draft": DraftSerializer(draft).data,
        }
        return Response(answer, status=status.HTTP_201_CREATED if new else status.HTTP_200_OK)
