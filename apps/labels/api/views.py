"""Answer for labels: who may use a cloud reads them, operators of its owner probe, administrators sign."""

from __future__ import annotations

from typing import Any, ClassVar

from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, extend_schema, extend_schema_view
from rest_framework import status
from rest_framework.decorators import action
from rest_framework.mixins import ListModelMixin, RetrieveModelMixin
from rest_framework.request import Request
from rest_framework.response import Response

from apps.clouds.models import Cloud
from apps.labels import issuing, reporting, running, signing
from apps.labels.api.serializers import (
    CheckedSerializer,
    LabelSerializer,
    RunDetailSerializer,
    RunSerializer,
    SignatureSerializer,
    WithdrawalSerializer,
)
from apps.labels.models import Label, Run
from apps.tenancy.access import find_named
from apps.tenancy.api.idempotency import idempotent
from apps.tenancy.api.pagination import invalid_parameter
from apps.tenancy.api.views import ScopedViewSet
from apps.tenancy.models import Role

RUNS = Run.objects.select_related("cloud", "organization", "operation").prefetch_related("evidence", "labels")
LABELS = Label.objects.select_related(
    "cloud__organization", "cloud__credential", "run", "organization"
).prefetch_related("run__evidence")


@extend_schema_view(list=extend_schema(summary="List a cloud's conformance runs, the newest first"))
class CloudConformanceViewSet(ListModelMixin, ScopedViewSet):
    """The conformance runs of one cloud."""

    queryset = RUNS
    serializer_class = RunSerializer
    scope = "organization"
    ordering = ("-started_at", "id")
    roles: ClassVar = {"list": Role.VIEWER, "create": Role.OPERATOR}

    def _cloud(self) -> Cloud:
        visible = Cloud.objects.visible_to(self.principal).select_related("organization")
        return find_named(visible, self.kwargs["id"], "name", "cloud.unknown")

    def get_queryset(self) -> Any:
        """Return the runs of the cloud that the address names."""
        rows = super().get_queryset()
        return rows if getattr(self, "swagger_fake_view", False) else rows.filter(cloud=self._cloud())

    @extend_schema(request=None, responses={202: RunSerializer}, summary="Probe a cloud for a label")
    @idempotent
    def create(self, request: Request, id: str) -> Response:
        """Begin a run; `operation` shows its progress."""
        run = running.start(self.principal, self._cloud())
        shown = RUNS.get(pk=run.pk)
        headers = {"Location": f"/api/v1/conformance/{run.pk}/"}
        return Response(self.get_serializer(shown).data, status=status.HTTP_202_ACCEPTED, headers=headers)


@extend_schema_view(retrieve=extend_schema(summary="Show a conformance run with its evidence"))
class ConformanceViewSet(RetrieveModelMixin, ScopedViewSet):
    """Conformance runs, by id."""

    queryset = RUNS
    serializer_class = RunDetailSerializer
    scope = "organization"
    roles: ClassVar = {"retrieve": Role.VIEWER, "report": Role.VIEWER}

    @extend_schema(
        parameters=[OpenApiParameter("edition", enum=["partner", "full"], description="full: owner's people only.")],
        responses={200: OpenApiResponse({"type": "object"}, description="docs/labels.md has the schema.")},
        summary="Export a run's report, signed if it was",
    )
    def report(self, request: Request, id: str) -> Response:
        """Answer the edition for partners, or the full one to members of the organization that owns the cloud."""
        run = self.get_object()
        edition = request.query_params.get("edition", "partner")
        if edition not in ("partner", "full"):
            raise invalid_parameter("edition", "is neither partner nor full")
        own = run.organization_id == self.principal.organization.pk
        file = reporting.report(run, "full" if edition == "full" and own else "partner")
        name = f"conformance-{run.cloud.name}-{run.started_at:%Y-%m-%d}.json"
        return Response(file, headers={"Content-Disposition": f'attachment; filename="{name}"'})


@extend_schema_view(
    list=extend_schema(
        summary="List labels, the newest first", parameters=[OpenApiParameter("cloud", description="Id or name.")]
    ),
    retrieve=extend_schema(summary="Show a label"),
)
class LabelViewSet(ListModelMixin, RetrieveModelMixin, ScopedViewSet):
    """Labels that clouds carry, have carried, or wait for."""

    queryset = LABELS
    serializer_class = LabelSerializer
    scope = "organization"
    ordering = ("-created_at", "id")
    roles: ClassVar = {
        "list": Role.VIEWER,
        "retrieve": Role.VIEWER,
        "sign": Role.ADMIN,
        "withdraw": Role.ADMIN,
        "verify": Role.VIEWER,
        "keys": Role.VIEWER,
    }

    def get_queryset(self) -> Any:
        """Narrow by `cloud`."""
        rows = super().get_queryset()
        wanted = self.request.query_params.get("cloud") if self.request else None
        if wanted is None:
            return rows
        visible = Cloud.objects.visible_to(self.principal)
        return rows.filter(cloud=find_named(visible, wanted, "name", "cloud.unknown"))

    @extend_schema(request=SignatureSerializer, responses=LabelSerializer, summary="Sign a label that waits for it")
    @action(detail=True, methods=["post"])
    def sign(self, request: Request, id: str) -> Response:
        """Vouch for the run: the label counts from now on."""
        body = self._read(SignatureSerializer)
        label = issuing.sign(self.principal, self.get_object(), body["statement"], days=body.get("days"))
        return self._answer(label)

    @extend_schema(request=WithdrawalSerializer, responses=LabelSerializer, summary="Take a label away")
    @action(detail=True, methods=["post"])
    def withdraw(self, request: Request, id: str) -> Response:
        """End the label now, and tell why."""
        return self._answer(
            issuing.withdraw(self.principal, self.get_object(), self._read(WithdrawalSerializer)["reason"])
        )

    @extend_schema(
        request={"application/json": {"type": "object", "additionalProperties": True}},
        responses=CheckedSerializer,
        summary="Check an exported report",
    )
    @action(detail=False, methods=["post"])
    def verify(self, request: Request) -> Response:
        """Say whether a report is this installation's, unchanged, and where its label stands now."""
        return Response(reporting.check(request.data))

    @extend_schema(
        responses={200: OpenApiResponse({"type": "object"}, description="version: base64 of the Ed25519 key")},
        summary="Show the public keys that check signatures of reports",
    )
    @action(detail=False, methods=["get"])
    def keys(self, request: Request) -> Response:
        """Answer all of them by version, for those who check for themselves."""
        return Response({"algorithm": signing.ALGORITHM, "keys": signing.public_keys()})

    def _read(self, serializer: type[Any]) -> dict[str, Any]:
        body = serializer(data=self.request.data, context=self.get_serializer_context())
        body.is_valid(raise_exception=True)
        values: dict[str, Any] = body.validated_data
        return values

    def _answer(self, label: Label) -> Response:
        return Response(self.get_serializer(LABELS.get(pk=label.pk)).data)
