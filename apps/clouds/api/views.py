"""Answer for clouds: everybody reads, administrators write, passwords only go in."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, cast

from drf_spectacular.utils import OpenApiResponse, extend_schema, extend_schema_view
from rest_framework import status
from rest_framework.decorators import action
from rest_framework.mixins import ListModelMixin, RetrieveModelMixin
from rest_framework.request import Request
from rest_framework.response import Response

from apps.clouds import certificates, circuits, holdings, kinds, services, sharing, showing
from apps.clouds.api.serializers import (
    AddressSerializer,
    CertificateSerializer,
    ChangeSerializer,
    CloudSerializer,
    CredentialSerializer,
    GrantSerializer,
    GrantsSerializer,
    HealthSerializer,
    KindsSerializer,
    NewCloudSerializer,
    NewGrantSerializer,
    OfferSerializer,
    UsageSerializer,
)
from apps.clouds.models import Cloud, CloudGrant
from apps.tenancy.api.idempotency import idempotent
from apps.tenancy.api.pagination import invalid_parameter
from apps.tenancy.api.views import ScopedViewSet
from apps.tenancy.models import Role

if TYPE_CHECKING:
    from apps.clouds.querysets import CloudQuerySet


@extend_schema_view(
    list=extend_schema(summary="List the clouds that can be deployed to"),
    retrieve=extend_schema(summary="Show a cloud, by id or name"),
)
class CloudViewSet(ListModelMixin, RetrieveModelMixin, ScopedViewSet):
    """The clouds that can be deployed to, with their health and capacity: own ones, and those that others share."""

    queryset = Cloud.objects.select_related("credential", "organization").order_by("name", "id")
    serializer_class = CloudSerializer
    name_field = "name"
    not_found_code = "cloud.unknown"
    scope = "organization"
    ordering = ("name", "id")
    roles: ClassVar = {
        "list": Role.VIEWER,
        "retrieve": Role.VIEWER,
        "inventory": Role.VIEWER,
        "kinds": Role.VIEWER,
        "usage": Role.VIEWER,
        "refresh": Role.OPERATOR,
        "test": Role.OPERATOR,
        "create": Role.ADMIN,
        "partial_update": Role.ADMIN,
        "destroy": Role.ADMIN,
        "credential": Role.ADMIN,
        "certificate": Role.ADMIN,
        "grants": Role.ADMIN,
        "add_grant": Role.ADMIN,
        "remove_grant": Role.ADMIN,
    }
    SHARED: ClassVar = {"list", "retrieve", "inventory"}
    """What those may see that a cloud is shared with; the rest is its owner's."""

    def get_queryset(self) -> Any:
        """Narrow by `kind` and `flavour`; what only the owner may do finds own clouds alone."""
        rows = super().get_queryset()
        if self.action not in self.SHARED and not getattr(self, "swagger_fake_view", False):
            rows = cast("CloudQuerySet[Cloud]", rows).owned_by(self.principal)
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
        return Response(showing.health_for(self.principal, cloud, circuits.read([cloud.pk])[cloud.pk]))

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
        found = dict(cloud.inventory or {})
        if cloud.organization_id != self.principal.organization.pk:
            found.pop("hosts", None)  # no placement goes by hosts: they are its owner's to see
        return Response({"read_at": cloud.inventory_at, **found})

    @extend_schema(responses=KindsSerializer, summary="List the kinds of clouds and what each asks for")
    @action(detail=False, methods=["get"])
    def kinds(self, request: Request) -> Response:
        """Answer with the kinds that can be added here."""
        return Response({"results": kinds.described()})

    @extend_schema(request=AddressSerializer, responses=CertificateSerializer, summary="Look at a certificate")
    @action(detail=False, methods=["post"])
    def certificate(self, request: Request) -> Response:
        """Show what the server at an address presents, to be compared and pinned; at most 20 times a minute."""
        return Response(certificates.presented(self.principal, self._read(AddressSerializer)["address"]))

    @extend_schema(responses=UsageSerializer, summary="Show the limits and what is held of them")
    @action(detail=True, methods=["get"])
    def usage(self, request: Request, id: str) -> Response:
        """Answer with machines, CPUs, memory and disk that deployments hold, and the limit of each."""
        return Response({"results": holdings.used(self.get_object())})

    @extend_schema(responses=GrantsSerializer, summary="List whom a cloud is offered to")
    @action(detail=True, methods=["get"])
    def grants(self, request: Request, id: str) -> Response:
        """Answer with each organization or project, and whether it has accepted."""
        return Response({"results": GrantSerializer(self.get_object().grants.all(), many=True).data})

    @extend_schema(request=NewGrantSerializer, responses={201: GrantSerializer}, summary="Offer a cloud to others")
    @grants.mapping.post
    def add_grant(self, request: Request, id: str) -> Response:
        """Offer it; it can be used when an administrator of theirs has accepted."""
        grant = sharing.share(self.principal, self.get_object(), **self._read(NewGrantSerializer))
        return Response(GrantSerializer(grant).data, status=status.HTTP_201_CREATED)

    @extend_schema(responses={204: None}, summary="Take an offer or a right back")
    @action(detail=True, methods=["delete"], url_path=r"grants/(?P<grant>[^/]+)", url_name="grant")
    def remove_grant(self, request: Request, id: str, grant: str) -> Response:
        """Refuse while deployments live by it."""
        sharing.unshare(self.principal, self.get_object(), grant)
        return Response(status=status.HTTP_204_NO_CONTENT)

    def _read(self, serializer: type[Any]) -> dict[str, Any]:
        body = serializer(data=self.request.data, context=self.get_serializer_context())
        body.is_valid(raise_exception=True)
        values: dict[str, Any] = body.validated_data
        return values

    def _answer(self, cloud: Cloud, code: int = status.HTTP_200_OK) -> Response:
        fresh = self.get_queryset().get(pk=cloud.pk)
        return Response(self.get_serializer(fresh).data, status=code)


@extend_schema_view(list=extend_schema(summary="List the clouds that others offer to the organization"))
class OfferViewSet(ListModelMixin, ScopedViewSet):
    """Clouds of other organizations, offered to one's own: accept them, or decline them and give them back."""

    queryset = CloudGrant.objects.select_related("cloud__organization").order_by("created_at", "id")
    serializer_class = OfferSerializer
    scope = "organization"
    ordering = ("created_at", "id")
    roles: ClassVar = {"list": Role.ADMIN, "accept": Role.ADMIN, "destroy": Role.ADMIN}

    def project_of(self, instance: Any) -> None:
        """Return none: who accepts, accepts for the organization."""
        return

    @extend_schema(request=None, responses=OfferSerializer, summary="Accept an offered cloud")
    @action(detail=True, methods=["post"])
    def accept(self, request: Request, id: str) -> Response:
        """Put it beside the organization's own clouds, for the projects that it is offered to."""
        return Response(OfferSerializer(sharing.accept(self.principal, self.get_object())).data)

    @extend_schema(responses={204: None}, summary="Decline an offered cloud, or give it back")
    def destroy(self, request: Request, id: str) -> Response:
        """Refuse while deployments of the organization run on it."""
        sharing.decline(self.principal, self.get_object())
        return Response(status=status.HTTP_204_NO_CONTENT)
