"""Answer for operations: watch them, stop them, go on with them, take them back."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

from django.db.models import QuerySet
from django.http import HttpResponse, HttpResponseBase, StreamingHttpResponse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, extend_schema, extend_schema_view
from rest_framework import status
from rest_framework.decorators import action
from rest_framework.mixins import ListModelMixin, RetrieveModelMixin
from rest_framework.renderers import BaseRenderer, JSONRenderer
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.reverse import reverse

from apps.operations import services, showing, states
from apps.operations.api.serializers import (
    CancelSerializer,
    EventSerializer,
    OperationDetailSerializer,
    OperationSerializer,
    StepSerializer,
)
from apps.operations.models import Operation
from apps.operations.streaming import EventStream
from apps.tenancy.access import find_project, require
from apps.tenancy.api.idempotency import idempotent
from apps.tenancy.api.pagination import invalid_parameter
from apps.tenancy.api.views import ScopedViewSet
from apps.tenancy.models import Role
from apps.tenancy.querysets import as_uuid

LIVE = "live"
"""The filter value for every state that is not final."""


class EventStreamRenderer(BaseRenderer):
    """Make `Accept: text/event-stream` negotiable; the stream itself is no DRF response."""

    media_type = "text/event-stream"
    format = "event-stream"
    charset = None

    def render(self, data: Any, accepted_media_type: str | None = None, renderer_context: Any = None) -> bytes:
        """Render what is not a stream, as a refusal: JSON."""
        return JSONRenderer().render(data)


ACCEPTED = {202: OpenApiResponse(OperationDetailSerializer, description="`Location` holds its address.")}


@extend_schema_view(
    list=extend_schema(
        summary="List operations, the newest first",
        parameters=[
            OpenApiParameter("state", description="States by commas; `live` stands for all that are not final."),
            OpenApiParameter("project", description="Id or slug."),
            OpenApiParameter("subject", description="Id of the deployment or other thing that it is about."),
            OpenApiParameter("kind", description="`sync` is listed only when it is asked for, here or by `subject`."),
            OpenApiParameter("cloud", OpenApiTypes.UUID, description="Id."),
        ],
    ),
    retrieve=extend_schema(summary="Show an operation"),
)
class OperationViewSet(ListModelMixin, RetrieveModelMixin, ScopedViewSet):
    """Operations: what is being done and was done on the clouds."""

    queryset = Operation.objects.select_related("project__organization", "organization")
    serializer_class = OperationSerializer
    scope = "project"
    ordering = ("-created_at", "id")
    roles: ClassVar = {
        "list": Role.VIEWER,
        "retrieve": Role.VIEWER,
        "steps": Role.VIEWER,
        "events": Role.VIEWER,
        "cancel": Role.ARCHITECT,
        "retry": Role.ARCHITECT,
        "rollback": Role.ARCHITECT,
    }

    def get_queryset(self) -> QuerySet[Operation]:
        """Return the visible operations that the filters of a list leave."""
        rows = super().get_queryset()
        if self.action == "list":
            rows = self._filtered(rows)
        return rows

    def get_serializer_class(self) -> Any:
        """Return the short form for lists."""
        return OperationDetailSerializer if self.action == "retrieve" else OperationSerializer

    def _filtered(self, rows: Any) -> QuerySet[Operation]:
        given = self.request.query_params
        if "state" in given:
            wanted = {part for part in given["state"].split(",") if part}
            if LIVE in wanted:
                wanted |= set(states.OPERATION_STATES) - states.OPERATION_ENDS
            if unknown := wanted - {LIVE, *states.OPERATION_STATES}:
                raise invalid_parameter("state", f"is none of the states: {sorted(unknown)[0][:40]}")
            rows = rows.filter(state__in=wanted)
        if "project" in given:
            rows = rows.filter(project=find_project(self.principal, given["project"]))
        for name, column in (("subject", "subject_id"), ("cloud", "cloud_id")):
            if name in given:
                key = as_uuid(given[name])
                if key is None:
                    raise invalid_parameter(name, "is not an id")
                rows = rows.filter(**{column: key})
        if "kind" in given:
            if "\x00" in given["kind"]:
                raise invalid_parameter("kind", "is not one")
            rows = rows.filter(kind=given["kind"])
        elif "subject" not in given:
            rows = rows.noticeable()
        return rows

    @extend_schema(
        summary="List the steps of an operation in the order of the plan",
        responses=StepSerializer(many=True),
        parameters=[OpenApiParameter("state", description="States by commas.")],
    )
    @action(detail=True, url_name="api-steps")  # the pages have names like operation-steps
    def steps(self, request: Request, id: str) -> Response:
        """List the steps; those with `undoes` are the compensations of a rollback."""
        rows = self.get_object().steps.select_related("undoes").defer("payload")
        if "state" in request.query_params:
            wanted = {part for part in request.query_params["state"].split(",") if part}
            if unknown := wanted - set(states.STEP_STATES):
                raise invalid_parameter("state", f"is none of the states: {sorted(unknown)[0][:40]}")
            rows = rows.filter(state__in=wanted)
        page = self._page(rows, "position")
        return self.get_paginated_response(StepSerializer(page, many=True).data)

    @extend_schema(
        summary="List or follow the events of an operation",
        responses={
            (200, "application/json"): EventSerializer(many=True),
            (200, "text/event-stream"): OpenApiTypes.STR,
            204: OpenApiResponse(description="To a stream: it has ended, and everything was sent before."),
        },
        parameters=[
            OpenApiParameter("after", OpenApiTypes.INT, description="Only events with a greater `seq`."),
            OpenApiParameter(
                "Last-Event-ID", OpenApiTypes.INT, OpenApiParameter.HEADER, description="Streams: goes before `after`."
            ),
        ],
    )
    @action(detail=True, url_name="api-events", renderer_classes=[JSONRenderer, EventStreamRenderer])
    def events(self, request: Request, id: str) -> HttpResponseBase:
        """List the events, or follow them as Server-Sent Events when `Accept` asks for `text/event-stream`.

        The stream begins after `Last-Event-ID` (or `after`), misses nothing and repeats nothing, and ends with the
        event that ends the operation. It is cut every few minutes: come back with the last id, as browsers do.
        """
        operation = self.get_object()
        after = self._after(request)
        if getattr(request.accepted_renderer, "media_type", "") == EventStreamRenderer.media_type:
            return self._stream(operation, after)
        page = self._page(operation.events.filter(seq__gt=after), "seq")
        return self.get_paginated_response(EventSerializer(page, many=True).data)

    def _page(self, rows: QuerySet[Any], key: str) -> Any:
        """Return a page of what belongs to an operation, in its own order."""
        self.__dict__["ordering"] = (key, "id")
        return self.paginate_queryset(rows)

    def _after(self, request: Request) -> int:
        given = request.query_params.get("after", "0")
        header = request.headers.get("Last-Event-ID", "")
        streaming = getattr(request.accepted_renderer, "media_type", "") == EventStreamRenderer.media_type
        text = header if streaming and header else given
        if not (text.isascii() and text.isdigit() and len(text) < 19):
            raise invalid_parameter("after", "is not the number of an event")
        return int(text)

    def _stream(self, operation: Operation, after: int) -> HttpResponseBase:
        if operation.state in states.OPERATION_ENDS and after >= operation.last_seq:
            # The answer that keeps browsers from coming back.
            return HttpResponse(status=status.HTTP_204_NO_CONTENT)
        response = StreamingHttpResponse(
            EventStream(operation.pk, after, operation.last_seq), content_type=EventStreamRenderer.media_type
        )
        response.headers["Cache-Control"] = "no-store"
        response.headers["X-Accel-Buffering"] = "no"  # nginx would collect the events
        return response

    @extend_schema(summary="Cancel an operation", request=CancelSerializer, responses=ACCEPTED)
    @action(detail=True, methods=["post"], url_name="api-cancel")
    @idempotent
    def cancel(self, request: Request, id: str) -> Response:
        """Start nothing more and cancel what is open; with `revert`, then take back what was done."""
        body = CancelSerializer(data=request.data)
        body.is_valid(raise_exception=True)
        mode = body.validated_data["mode"]
        return self._steer(lambda operation: services.cancel(operation, mode, who=self.principal))

    @extend_schema(summary="Go on with a failed or cancelled operation", request=None, responses=ACCEPTED)
    @action(detail=True, methods=["post"], url_name="api-retry")
    @idempotent
    def retry(self, request: Request, id: str) -> Response:
        """Go on from what failed; what has succeeded is not done again. A rollback that failed is resumed."""
        return self._steer(lambda operation: services.retry(operation, who=self.principal))

    @extend_schema(summary="Take back what an operation did", request=None, responses=ACCEPTED)
    @action(detail=True, methods=["post"], url_name="api-rollback")
    @idempotent
    def rollback(self, request: Request, id: str) -> Response:
        """Take back, in the reverse order, what a failed or cancelled operation did."""
        return self._steer(lambda operation: services.rollback(operation, who=self.principal))

    def _steer(self, act: Callable[[Operation], Operation]) -> Response:
        operation = self.get_object()
        require(self.principal, showing.role_to_steer(self.principal, operation), operation.project)
        operation = act(operation)
        body = OperationDetailSerializer(operation, context=self.get_serializer_context()).data
        location = reverse("operation-detail", kwargs={"id": operation.pk})
        return Response(body, status=status.HTTP_202_ACCEPTED, headers={"Location": location})
