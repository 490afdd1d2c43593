"""Answer for the audit log: administrators read it, nobody writes it."""

from __future__ import annotations

from typing import Any, ClassVar

from drf_spectacular.utils import OpenApiParameter, extend_schema, extend_schema_view
from rest_framework.mixins import ListModelMixin
from rest_framework.request import Request
from rest_framework.response import Response

from apps.audit.api.serializers import EntrySerializer
from apps.audit.models import Entry
from apps.audit.services import anchor, verify
from apps.tenancy.api.pagination import invalid_parameter
from apps.tenancy.api.views import ScopedView, ScopedViewSet
from apps.tenancy.models import Role

FILTERS = ("action", "actor", "object_type", "object_id")


@extend_schema_view(
    list=extend_schema(
        summary="List what was done, the latest first",
        parameters=[OpenApiParameter(name, str, description="exactly this") for name in FILTERS],
    )
)
class EntryViewSet(ListModelMixin, ScopedViewSet):
    """The audit log of the organization."""

    queryset = Entry.objects.order_by("-sequence")
    serializer_class = EntrySerializer
    scope = "organization"
    ordering = ("-sequence",)
    roles: ClassVar = {"list": Role.ADMIN}

    def get_queryset(self) -> Any:
        """Narrow by action, actor, and object."""
        rows = super().get_queryset()
        for name in FILTERS:
            value = self.request.query_params.get(name) if self.request else None
            if value is not None:
                if "\x00" in value:
                    raise invalid_parameter(name, "is not one")
                rows = rows.filter(**{name: value})
        return rows


class HeadView(ScopedView):
    """Where the chain stands, to be kept elsewhere."""

    roles: ClassVar = {"get": Role.ADMIN}

    @extend_schema(
        summary="Show the chain's head, and whether the chain is whole",
        responses={200: {"type": "object"}},
    )
    def get(self, request: Request) -> Response:
        """Answer {organization, sequence, hash, at, whole, breaks}."""
        organization = self.principal.organization
        head = anchor(organization)
        breaks = verify(organization)
        return Response(
            {
                **head.to_json(),
                "whole": not breaks,
                "breaks": [{"code": item.code, "sequence": item.sequence, "message": item.message} for item in breaks],
            }
        )
