"""Answer for the inventory: lists, one of them, sums, CSV; syncs and saved views."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from datetime import timedelta
from typing import Any, ClassVar

from django.db.models import QuerySet
from django.http import HttpResponseBase, StreamingHttpResponse
from django.utils import timezone
from django.utils.translation import gettext as _
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, extend_schema
from rest_framework import status
from rest_framework.decorators import action
from rest_framework.mixins import ListModelMixin, RetrieveModelMixin
from rest_framework.renderers import BaseRenderer, JSONRenderer
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.reverse import reverse

from apps.clouds.models import Cloud
from apps.inventory import capacity, searching, services, showing
from apps.inventory.api.serializers import (
    CloudCapacitySerializer,
    InventoryMachineDetailSerializer,
    InventoryMachineSerializer,
    SummarySerializer,
    SyncInSerializer,
    SyncStateSerializer,
    ThingSerializer,
    ViewChangeSerializer,
    ViewInSerializer,
    ViewSerializer,
)
from apps.inventory.models import Machine, Thing, View
from apps.operations.api.serializers import OperationDetailSerializer
from apps.tenancy.access import find_named
from apps.tenancy.api.idempotency import idempotent
from apps.tenancy.api.pagination import invalid_parameter
from apps.tenancy.api.views import ScopedView, ScopedViewSet
from apps.tenancy.models import Role

_DAYS_MAX = 730


def _parameter(name: str, description: str = "", many: bool = True) -> OpenApiParameter:
    return OpenApiParameter(name, OpenApiTypes.STR, description=description, many=many)


MACHINE_PARAMETERS = [
    _parameter("q", "Words that name, address, guest or folder contain.", many=False),
    _parameter("cloud", "Id or name; repeated parameters mean any of their values."),
    _parameter("power", "on, off, suspended."),
    _parameter("cluster"),
    _parameter("host"),
    _parameter("pool"),
    _parameter("folder", "A path; what lies below is included."),
    _parameter("network"),
    _parameter("datastore"),
    _parameter("tag"),
    _parameter("address"),
    _parameter("guest", "A part of the name of the operating system."),
    _parameter("type"),
    _parameter("tools"),
    _parameter("owner", "managed, unmanaged, or the id of a deployment."),
    _parameter("snapshots", "yes or no."),
    _parameter("uid"),
]
SORT = _parameter("sort", f"{', '.join(searching.SORTS)}; with - before it descending.", many=False)


class CsvRenderer(BaseRenderer):
    """Make `Accept: text/csv` negotiable; the file itself is streamed past the framework."""

    media_type = "text/csv"
    format = "csv"
    charset = None

    def render(self, data: Any, accepted_media_type: str | None = None, renderer_context: Any = None) -> bytes:
        """Render what is no file, as a refusal: JSON."""
        return JSONRenderer().render(data)


class MachineViewSet(ScopedViewSet):
    """The machines of all clouds, whosever they are."""

    queryset = Machine.objects.all()
    serializer_class = InventoryMachineSerializer
    scope = "organization"
    not_found_code = "inventory.not_found"
    roles: ClassVar = {"list": Role.VIEWER, "retrieve": Role.VIEWER, "export": Role.VIEWER}

    @extend_schema(
        summary="List machines",
        parameters=[*MACHINE_PARAMETERS, SORT],
        responses=InventoryMachineSerializer(many=True),
    )
    def list(self, request: Request) -> Response:
        """List the machines that the filters leave."""
        rows = self._rows()
        page = self.paginate_queryset(rows.values(*showing.MACHINE_FIELDS))
        names = showing.Names(self.principal)
        return self.get_paginated_response([names.machine(row) for row in page or ()])

    @extend_schema(summary="Show a machine", responses=InventoryMachineDetailSerializer)
    def retrieve(self, request: Request, id: str) -> Response:
        """Show a machine with all that its cloud tells of it."""
        row: Any = self.get_object()
        data = {name: getattr(row, name) for name in (*showing.MACHINE_FIELDS, "facts")}
        return Response(showing.Names(self.principal).machine(data))

    @extend_schema(
        summary="Export machines as CSV",
        parameters=[*MACHINE_PARAMETERS, SORT, _parameter("column", "Which columns, in their order; all unless told.")],
        responses={(200, "text/csv"): OpenApiTypes.STR},
    )
    @action(detail=False, url_name="api-export", url_path="export", renderer_classes=[JSONRenderer, CsvRenderer])
    def export(self, request: Request) -> HttpResponseBase:
        """Stream all machines that the filters leave, as CSV; cells that a spreadsheet would calculate are defused."""
        columns = request.query_params.getlist("column")
        if unknown := [name for name in columns if name not in searching.COLUMNS]:
            raise invalid_parameter("column", _("“%(name)s” is no column") % {"name": unknown[0][:40]})
        rows = self._rows().order_by(*self.ordering or ()).values(*showing.MACHINE_FIELDS)
        names = showing.Names(self.principal)
        found = showing.csv_rows(rows.iterator(chunk_size=1_000), names, columns)
        response = StreamingHttpResponse(_csv(found), content_type="text/csv; charset=utf-8")
        response.headers["Content-Disposition"] = 'attachment; filename="machines.csv"'
        response.headers["X-Content-Type-Options"] = "nosniff"
        return response

    def _rows(self) -> QuerySet[Machine]:
        given = self.request.query_params
        self.__dict__["ordering"] = searching.order(given)
        return searching.machines(self.principal, given)


class _Line:
    """What `csv` writes to, one line at a time."""

    def write(self, text: str) -> str:
        """Return the line instead of keeping it."""
        return text


def _csv(rows: Iterator[list[str]]) -> Iterator[str]:
    writer: Any = csv.writer(_Line())
    yield "\ufeff"  # by which spreadsheets know UTF-8
    for row in rows:
        yield writer.writerow(row)


class ThingViewSet(RetrieveModelMixin, ScopedViewSet):
    """Hosts, clusters, pools, datastores, networks, templates, tags and the like."""

    queryset = Thing.objects.all()
    serializer_class = ThingSerializer
    scope = "organization"
    not_found_code = "inventory.not_found"
    roles: ClassVar = {"list": Role.VIEWER, "retrieve": Role.VIEWER}

    @extend_schema(
        summary="List hosts, datastores, networks, templates and the like",
        parameters=[_parameter("kind"), _parameter("cloud"), _parameter("q", many=False)],
        responses=ThingSerializer(many=True),
    )
    def list(self, request: Request) -> Response:
        """List the things of the kinds that are asked for."""
        given = request.query_params
        self.__dict__["ordering"] = searching.order(given, searching.THING_SORTS)
        page = self.paginate_queryset(searching.things(self.principal, given).values(*showing.THING_FIELDS))
        names = showing.Names(self.principal)
        return self.get_paginated_response([names.thing(row) for row in showing.with_use(page or ())])

    @extend_schema(summary="Show a host, datastore, network or the like", responses=ThingSerializer)
    def retrieve(self, request: Request, id: str) -> Response:
        """Show one thing."""
        row: Any = self.get_object()
        (data,) = showing.with_use([{name: getattr(row, name) for name in showing.THING_FIELDS}])
        return Response(showing.Names(self.principal).thing(data))


class SummaryView(ScopedView):
    """Sums over the inventory."""

    scope = "organization"
    roles: ClassVar = {"get": Role.VIEWER}

    @extend_schema(
        summary="Count machines by cloud, power, cluster, owner, tag and network",
        parameters=MACHINE_PARAMETERS,
        responses=SummarySerializer,
    )
    def get(self, request: Request) -> Response:
        """Count the machines that the filters leave, and say how fresh each cloud's rows are."""
        rows = searching.machines(self.principal, request.query_params)
        return Response({**showing.facets(rows), "syncs": showing.syncs(self.principal)})


class _CloudView(ScopedView):
    """What concerns the inventory of one cloud."""

    scope = "organization"

    def cloud(self, reference: str) -> Cloud:
        """Return the organization's own cloud that an id or a name stands for; of a lent one, the inside is hidden."""
        rows = Cloud.objects.owned_by(self.principal).select_related("organization", "sync_state")
        return find_named(rows, reference, "name", "cloud.unknown")


class SyncView(_CloudView):
    """The sync of one cloud."""

    roles: ClassVar = {"get": Role.VIEWER, "post": Role.OPERATOR}

    @extend_schema(summary="Show how far the inventory of a cloud is up to date", responses=SyncStateSerializer)
    def get(self, request: Request, id: str) -> Response:
        """Show when the rows were last as the cloud, and what hinders."""
        return Response(showing.sync_of(self.cloud(id)))

    @extend_schema(
        summary="Bring the inventory of a cloud up to date",
        request=SyncInSerializer,
        responses={202: OpenApiResponse(OperationDetailSerializer, description="`Location` holds its address.")},
    )
    @idempotent
    def post(self, request: Request, id: str) -> Response:
        """Start a sync, or answer with the one that is under way."""
        body = SyncInSerializer(data=request.data)
        body.is_valid(raise_exception=True)
        operation = services.sync(self.cloud(id), self.principal, scratch=body.validated_data["scratch"])
        address = reverse("operation-detail", kwargs={"id": operation.pk}, request=request)
        data = OperationDetailSerializer(operation, context={"request": request, "view": self}).data
        return Response(data, status=status.HTTP_202_ACCEPTED, headers={"Location": address})


class CapacityView(_CloudView):
    """The capacity of one cloud."""

    roles: ClassVar = {"get": Role.VIEWER}

    @extend_schema(
        summary="Show what a cloud has, uses and has promised, now and before",
        parameters=[
            OpenApiParameter("days", OpenApiTypes.INT, description="How far back; 7 unless told, 730 at most.")
        ],
        responses=CloudCapacitySerializer,
    )
    def get(self, request: Request, id: str) -> Response:
        """Show capacity as a series of at most 400 points."""
        text = request.query_params.get("days", "7")
        if not (text.isascii() and text.isdigit() and len(text) < 5 and 1 <= int(text) <= _DAYS_MAX):
            raise invalid_parameter("days", _("is not a whole number from 1 to %(largest)s") % {"largest": _DAYS_MAX})
        cloud = self.cloud(id)
        since = timezone.now() - timedelta(days=int(text))
        return Response({"now": capacity.now(cloud), "history": capacity.history(cloud, since)})


class ViewViewSet(ListModelMixin, RetrieveModelMixin, ScopedViewSet):
    """Saved ways to look at the inventory: one's own, and those that the organization shares."""

    queryset = View.objects.all()
    serializer_class = ViewSerializer
    scope = "organization"
    not_found_code = "inventory.view_not_found"
    ordering = ("name", "id")
    roles: ClassVar = {
        "list": Role.VIEWER,
        "retrieve": Role.VIEWER,
        "create": Role.VIEWER,
        "partial_update": Role.VIEWER,
        "destroy": Role.VIEWER,
    }

    @extend_schema(summary="Save a view", request=ViewInSerializer, responses={201: ViewSerializer})
    @idempotent
    def create(self, request: Request) -> Response:
        """Keep filters, columns and order under a name; sharing it is for operators."""
        body = ViewInSerializer(data=request.data)
        body.is_valid(raise_exception=True)
        view = services.save_view(self.principal, None, **body.validated_data)
        return Response(self.get_serializer(view).data, status=status.HTTP_201_CREATED)

    @extend_schema(summary="Change a saved view", request=ViewChangeSerializer, responses=ViewSerializer)
    def partial_update(self, request: Request, id: str) -> Response:
        """Change what is sent."""
        view = self.get_object()
        body = ViewChangeSerializer(data=request.data)
        body.is_valid(raise_exception=True)
        kept = {name: getattr(view, name) for name in ("name", "kind", "filters", "columns", "sort", "shared")}
        view = services.save_view(self.principal, view, **{**kept, **body.validated_data})
        return Response(self.get_serializer(view).data)

    @extend_schema(summary="Forget a saved view", responses={204: None})
    def destroy(self, request: Request, id: str) -> Response:
        """Forget it; a shared one is gone for everybody."""
        services.delete_view(self.principal, self.get_object())
        return Response(status=status.HTTP_204_NO_CONTENT)
