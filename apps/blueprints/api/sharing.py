"""Share links in the API: made and revoked beside a design, followed by any member of the organization."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from drf_spectacular.utils import extend_schema
from rest_framework import serializers, status
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from apps.blueprints import sharing
from apps.blueprints.models import BlueprintVersion, ShareLink
from apps.tenancy.api.views import ScopedView
from apps.tenancy.models import Role

if TYPE_CHECKING:
    from apps.tenancy.api.views import ScopedViewSet as _Base
else:
    _Base = object


class ShareInSerializer(serializers.Serializer[Any]):
    """Say what a link leads to, and how long."""

    version = serializers.IntegerField(
        required=False, allow_null=True, min_value=1, max_value=2**31 - 1, help_text="None: always the latest version."
    )
    expires_at = serializers.DateTimeField(required=False, allow_null=True)


class ShareSerializer(serializers.ModelSerializer[ShareLink]):
    """Show a link; its address only to those who may write the design (`context["may_write"]`)."""

    url = serializers.SerializerMethodField(help_text="Null for those who may not write the design.")
    version = serializers.IntegerField(source="version_number", allow_null=True)
    created_by = serializers.CharField(source="created_by.username", default=None)

    class Meta:
        model = ShareLink
        fields = ("id", "url", "version", "created_by", "created_at", "expires_at")

    def get_url(self, share: ShareLink) -> str | None:
        """Return the address that the link stands for."""
        return sharing.url_of(share) if self.context.get("may_write") else None


class SharedSerializer(serializers.Serializer[BlueprintVersion]):
    """Show what a link leads to."""

    name = serializers.CharField(source="blueprint.name")
    version = serializers.IntegerField(source="number")
    compose = serializers.CharField(source="text")
    saved_at = serializers.DateTimeField(source="created_at")


class ShareActions(_Base):
    """Add the links of a design to its view."""

    @extend_schema(responses=ShareSerializer(many=True))
    @action(detail=True, methods=["get"], ordering=("-created_at", "id"))
    def shares(self, request: Request, id: str) -> Response:
        """List the links to a design; their addresses are for those who may write it."""
        blueprint = self.get_object()
        rows = blueprint.shares.select_related("created_by", "blueprint__project__organization")
        page = self.paginate_queryset(rows)
        context = {"may_write": self.principal.may(Role.ARCHITECT, blueprint.project)}
        return self.get_paginated_response(ShareSerializer(page, many=True, context=context).data)

    @extend_schema(request=ShareInSerializer, responses={201: ShareSerializer})
    @shares.mapping.post
    def add_share(self, request: Request, id: str) -> Response:
        """Make an address under which every member of the organization may read the design; each call makes one."""
        body = ShareInSerializer(data=request.data)
        body.is_valid(raise_exception=True)
        share = sharing.create_share(self.principal, self.get_object(), **body.validated_data)
        return Response(ShareSerializer(share, context={"may_write": True}).data, status=status.HTTP_201_CREATED)

    @extend_schema(responses={204: None})
    @action(detail=True, methods=["delete"], url_path=r"shares/(?P<share>[^/]+)")
    def remove_share(self, request: Request, id: str, share: str) -> Response:
        """Revoke a link at once."""
        sharing.delete_share(self.principal, self.get_object(), share)
        return Response(status=status.HTTP_204_NO_CONTENT)


@extend_schema(tags=["blueprints"])
class SharedView(ScopedView):
    """What a share link leads to."""

    roles = {"get": Role.VIEWER}

    @extend_schema(operation_id="shared_retrieve", responses=SharedSerializer)
    def get(self, request: Request, token: str) -> Response:
        """Return the shared version to any member of its organization; 404 to others, and once it has expired."""
        return Response(SharedSerializer(sharing.open_shared(self.principal, token)).data)
