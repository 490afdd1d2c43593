"""Answer for clouds: everybody reads, administrators write, passwords only go in."""

from __future__ import annotations

from typing import Any, ClassVar

from drf_spectacular.utils import OpenApiResponse, extend_schema, extend_schema_view
from rest_framework import status
from rest_framework.decorators import action
from rest_framework.mixins import ListModelMixin, RetrieveModelMixin
from rest_framework.request import Request
from rest_framework.response import Response

from apps.clouds import services
from apps.clouds.api.serializers import (
    ChangeSerializer,
    CloudSerializer,
    CredentialSerializer,
    HealthSerializer,
    NewCloudSerializer,
)
from apps.clouds.models import Cloud
from apps.tenancy.api.idempotency import idempotent
from apps.tenancy.api.pagination import invalid_parameter
from apps.tenancy.api.views import ScopedViewSet
from apps.tenancy.models import Role


@extend_schema_view(
    list=extend_schema(summary="List the clouds that can be deployed to"),
    retrieve=extend_schema(summary="Show a cloud, by id or name"),
)
class CloudViewSet(ListModelMixin, RetrieveModelMixin, ScopedViewSet):
    """The clouds of the organization, with their health and capacity."""

    queryset = Cloud.objects.select_related("credential").order_by("name", "id")
    serializer_class = CloudSerializer
    name_field = "name"
    not_found_code = "cloud.unknown"
    scope = "organization"
    ordering = ("name", "id")
    roles: ClassVar = {
        "list": Role.VIEWER,
        "retrieve": Role.VIEWER,
        "inventory": Role.VIEWER,
        "refresh": Role.OPERATOR,
        "test": Role.OPERATOR,
        "create": Role.ADMIN,
        "partial_update": Role.ADMIN,
        "destroy": Role.ADMIN,
        "credential": Role.ADMIN,
    }

    def get_queryset(self) -> Any:
        """Narrow by `kind` and `flavour`."""
        rows = super().get_queryset()
        for name in ("kind", "flavour"):
            value = self.request.query_params.get(name) if self.request else None
            if value is None:
                continue
            if len(value) > 20 or not value.isprintable():
                raise invalid_parameter(name, "is not one")
            rows = rows.filter(**{name: value})
        return rows

    @extend_schema(request=NewCloudSerializer, responses={201: CloudSerializer}, summary="Register a cloud")
    @idempotent
    def create(self, request: Request) -> Response:
        """Register a cloud with its credential; test it next."""
        body = self._read(NewCloudSerializer)
        cloud = services.register_cloud(self.principal, **body)
        return self._answer(cloud, status.HTTP_201_CREATED)

    @extend_schema(request=ChangeSerializer, responses=CloudSerializer, summary="Change a cloud")
    def partial_update(self, request: Request, id: str) -> Response:
        """Change what is sent; a new address needs the credential again."""
        return self._answer(services.update_cloud(self.principal, self.get_object(), **self._read(ChangeSerializer)))

    @extend_schema(responses={204: None}, summary="Remove a cloud that nothing runs on")
    def destroy(self, request: Request, id: str) -> Response:
        """Remove the cloud from the portal and forget its credential; the cloud itself is left alone."""
        services.remove_cloud(self.principal, self.get_object())
        return Response(status=status.HTTP_204_NO_CONTENT)

    @extend_schema(request=None, responses=HealthSerializer, summary="Sign in anew and ask the cloud how it is")
    @action(detail=True, methods=["post"])
    def test(self, request: Request, id: str) -> Response:
        """Answer 200 with the health, also when it is bad."""
        cloud = self.get_object()
        services.test_connection(cloud)
        return Response({**cloud.health, "checked_at": cloud.health_at})

    @extend_schema(request=None, responses=CloudSerializer, summary="Read the cloud's inventory now")
    @action(detail=True, methods=["post"])
    def refresh(self, request: Request, id: str) -> Response:
        """Answer with the cloud as it was found."""
        cloud = self.get_object()
        services.refresh(cloud)
        return self._answer(cloud)

    @extend_schema(request=CredentialSerializer, responses={204: None}, summary="Exchange the credential")
    @action(detail=True, methods=["put"])
    def credential(self, request: Request, id: str) -> Response:
        """Try the new user name and password, then use them from the next call on."""
        body = self._read(CredentialSerializer)
        services.rotate_credential(self.principal, self.get_object(), body["username"], body["password"])
        return Response(status=status.HTTP_204_NO_CONTENT)

    @extend_schema(
        responses={200: OpenApiResponse({"type": "object"}, description="read_at, and the lists of what was found")},
        summary="Show what the cloud has",
    )
    @action(detail=True, methods=["get"])
    def inventory(self, request: Request, id: str) -> Response:
        """Answer with templates, clusters, datastores, networks and switches as of `read_at` (null: never read)."""
        cloud = self.get_object()
        return Response({"read_at": cloud.inventory_at, **(cloud.inventory or {})})

    def _read(self, serializer: type[Any]) -> dict[str, Any]:
        body = serializer(data=self.request.data, context=self.get_serializer_context())
        body.is_valid(raise_exception=True)
        values: dict[str, Any] = body.validated_data
        return values

    def _answer(self, cloud: Cloud, code: int = status.HTTP_200_OK) -> Response:
        fresh = self.get_queryset().get(pk=cloud.pk)
        return Response(self.get_serializer(fresh).data, status=code)
