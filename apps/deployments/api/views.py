"""Plans and deployments in the API."""

from __future__ import annotations

from typing import Any

from django.db.models import Exists, OuterRef, Q
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import status
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.reverse import reverse

from apps.blueprints.models import BlueprintVersion
from apps.blueprints.services import find_blueprint, invalid_fault, load_project
from apps.clouds.models import Cloud
from apps.clouds.reading import find_cloud
from apps.deployments import mending, services, watching
from apps.deployments.across import live_parts_on
from apps.deployments.api.pictures import (
    CanvasSerializer,
    DriftReportSerializer,
    DriftSerializer,
    PreviewInSerializer,
    PreviewSerializer,
    WriteBackInSerializer,
    WriteBackSerializer,
    report_json,
)
from apps.deployments.api.serializers import (
    LIST_COLUMNS,
    DeploymentDetailSerializer,
    DeploymentInSerializer,
    DeploymentSerializer,
    PlanDetailSerializer,
    PlanInSerializer,
    PlanSerializer,
    deployment_json,
    find_deployment,
    plan_json,
    row_json,
)
from apps.deployments.models import Deployment, DriftReport, Plan
from apps.deployments.regions import cloud_of
from apps.operations.models import Operation
from apps.tenancy.access import Principal, find_project
from apps.tenancy.api.idempotency import idempotent
from apps.tenancy.api.views import ScopedViewSet
from apps.tenancy.faults import fault
from apps.tenancy.models import Role
from engine.compose import ComposeError


def plan_from(principal: Principal, data: dict[str, Any]) -> Plan:
    """Make the plan that a body asks for; Fault ``invalid`` naming what is missing."""
    deployment: Deployment | None = data.get("deployment")
    version: BlueprintVersion | None = data.get("version")
    if version is None and data.get("blueprint") is not None:
        version = data["blueprint"].versions.order_by("-number").first()
    if version is None and deployment is not None:
        version = deployment.version
    region: str = data.get("region", "")
    cloud = data.get("cloud") or (deployment.cloud if deployment else _drawn_for(principal, version, region))
    missing = [name for name, value in (("blueprint", version), ("cloud", cloud)) if value is None]
    if missing:
        raise fault(
            "invalid",
            count=len(missing),
            params=[{"name": name, "reason": "is missing", "code": "required"} for name in missing],
        )
    assert version is not None
    assert cloud is not None
    return services.make_plan(
        principal,
        project=version.blueprint.project,
        version=version,
        cloud=cloud,
        deployment=deployment,
        name=data.get("name"),
        images=data.get("images"),
        region=region,
    )


def _drawn_for(principal: Principal, version: BlueprintVersion | None, region: str) -> Cloud | None:
    """Return the cloud that the drawing names for the region, or for all of it, or None."""
    if version is None:
        return None
    try:
        drawn = cloud_of(load_project(version), region)
    except ComposeError as error:
        raise invalid_fault(error.findings) from None
    return find_cloud(principal, drawn) if drawn else None


@extend_schema(tags=["plans"])
class PlanViewSet(ScopedViewSet):
    """Plans: what would be done, why, and how each Compose line fares; nothing is touched."""

    queryset = Plan.objects.all()
    serializer_class = PlanSerializer
    scope = "project"
    ordering = ("-created_at", "id")
    roles = {"list": Role.VIEWER, "retrieve": Role.VIEWER, "create": Role.ARCHITECT, "preview": Role.ARCHITECT}

    def get_queryset(self) -> Any:
        """Return the visible plans that the filters leave."""
        rows = super().get_queryset().select_related("project", "cloud", "version__blueprint")
        rows = rows.annotate(exists=Exists(Deployment.objects.filter(pk=OuterRef("deployment_id"))))
        if project := self.request.query_params.get("project"):
            rows = rows.filter(project=find_project(self.principal, project))
        if deployment := self.request.query_params.get("deployment"):
            rows = rows.filter(deployment_id=find_deployment(self.principal, deployment).id)
        return rows

    def list(self, request: Request) -> Response:
        """List plans, the newest first; filters: project, deployment."""
        page = self.paginate_queryset(self.get_queryset())
        return self.get_paginated_response([plan_json(plan, detail=False) for plan in page or ()])

    @extend_schema(responses=PlanDetailSerializer)
    def retrieve(self, request: Request, id: str) -> Response:
        """Return a plan with its changes, actions and ledger."""
        return Response(plan_json(self.get_object(), detail=True))

    @extend_schema(request=PlanInSerializer, responses={201: PlanDetailSerializer})
    @idempotent
    def create(self, request: Request) -> Response:
        """Plan a drawing for a cloud, as a new deployment or as an update of one."""
        body = PlanInSerializer(data=request.data, context=self.get_serializer_context())
        body.is_valid(raise_exception=True)
        plan = plan_from(self.principal, body.validated_data)
        plan.exists = body.validated_data.get("deployment") is not None  # type: ignore[attr-defined]
        return Response(plan_json(plan, detail=True), status=status.HTTP_201_CREATED)

    @extend_schema(request=PreviewInSerializer, responses=PreviewSerializer)
    @action(detail=False, methods=["post"])
    def preview(self, request: Request) -> Response:
        """Say what a text that is being drawn would become: changes, price, machines and findings; nothing is kept.

        A text with mistakes is answered 200 with `valid` false. With a deployment, its cloud is asked what exists.
        """
        body = PreviewInSerializer(data=request.data, context=self.get_serializer_context())
        body.is_valid(raise_exception=True)
        data = body.validated_data
        about = ("project", "compose", "blueprint", "draft", "files", "environment", "name")
        shown = services.preview(
            self.principal,
            services.Sketch(**{name: data[name] for name in about if name in data}),
            cloud=data.get("cloud"),
            find_cloud=lambda name: find_cloud(self.principal, name),
            deployment=data.get("deployment"),
            images=data.get("images"),
            region=data.get("region", ""),
        )
        return Response(shown)


@extend_schema(tags=["deployments"])
class DeploymentViewSet(ScopedViewSet):
    """Deployments: drawings that run."""

    queryset = Deployment.objects.all()
    serializer_class = DeploymentSerializer
    scope = "project"
    name_field = ""
    ordering = ("-created_at", "id")
    roles = {
        "list": Role.VIEWER,
        "retrieve": Role.VIEWER,
        "create": Role.ARCHITECT,
        "destroy": Role.ARCHITECT,
        "canvas": Role.VIEWER,
        "drift": Role.ARCHITECT,  # it sends the portal to the cloud, as planning does
        "drift_report": Role.VIEWER,
        "drift_check": Role.ARCHITECT,
        "drift_restore": Role.ARCHITECT,
        "drift_write_back": Role.ARCHITECT,
    }

    def get_queryset(self) -> Any:
        """Return the visible deployments that the filters leave; a list leaves out destroyed ones unless asked.

        Parts on further clouds are inside of their whole, also where a cloud is asked for.
        """
        rows = super().get_queryset().filter(parent__isnull=True)
        parameters = self.request.query_params
        if project := parameters.get("project"):
            rows = rows.filter(project=find_project(self.principal, project))
        if cloud := parameters.get("cloud"):
            found = find_cloud(self.principal, cloud)
            rows = rows.filter(Q(cloud=found) | Q(pk__in=live_parts_on(found)))
        if blueprint := parameters.get("blueprint"):
            rows = rows.filter(version__blueprint=find_blueprint(self.principal, blueprint))
        if name := parameters.get("name"):
            rows = rows.filter(name=name)
        if state := parameters.get("state"):
            rows = rows.filter(state__in=state.split(","))
        elif self.action == "list":
            rows = rows.exclude(state="destroyed")
        return rows

    def find(self, reference: object) -> Deployment:
        """Return a deployment by id, or by name among those that are not destroyed."""
        return find_deployment(self.principal, reference)

    @extend_schema(
        parameters=[
            OpenApiParameter("project", description="Id or slug."),
            OpenApiParameter("cloud", description="Id or name."),
            OpenApiParameter("blueprint", description="Id, or a name that only one design has."),
            OpenApiParameter("name"),
            OpenApiParameter("state", description="One or several by commas; without it all but destroyed ones."),
        ]
    )
    def list(self, request: Request) -> Response:
        """List deployments, the newest first."""
        page = self.paginate_queryset(self.get_queryset().values(*LIST_COLUMNS))
        return self.get_paginated_response([row_json(row) for row in page or ()])

    @extend_schema(responses=DeploymentDetailSerializer)
    def retrieve(self, request: Request, id: str) -> Response:
        """Return a deployment with what exists of it."""
        deployment = self.get_object()
        last = Operation.objects.filter(subject_type="deployment", subject_id=deployment.id).first()
        return Response(self._body(deployment, last))

    @extend_schema(
        request=DeploymentInSerializer,
        responses={202: DeploymentDetailSerializer},
        description="Start a plan ({plan}), or plan and start in one ({blueprint, cloud, region, name, images}). The "
        "address of the operation is in `Location`.",
    )
    @idempotent
    def create(self, request: Request) -> Response:
        """Start a deployment, or the update of one."""
        body = DeploymentInSerializer(data=request.data, context=self.get_serializer_context())
        body.is_valid(raise_exception=True)
        data = dict(body.validated_data)
        plan = data.get("plan") or plan_from(self.principal, data)
        deployment, operation = services.start(self.principal, plan, accept_data_loss=data["accept_data_loss"])
        return self._accepted(deployment, operation)

    @extend_schema(responses={202: DeploymentDetailSerializer})
    @idempotent
    def destroy(self, request: Request, id: str) -> Response:
        """Remove everything that the deployment has made, its data disks included."""
        deployment = self.get_object()
        operation = services.destroy(self.principal, deployment)
        deployment.refresh_from_db()
        return self._accepted(deployment, operation)

    @extend_schema(responses=CanvasSerializer)
    @action(detail=True, methods=["get"])
    def canvas(self, request: Request, id: str) -> Response:
        """Return what a canvas needs to paint the deployment as the journal knows it; no cloud is asked."""
        return Response(services.canvas_of(self.get_object()))

    @extend_schema(responses=DriftSerializer)
    @action(detail=True, methods=["get"])
    def drift(self, request: Request, id: str) -> Response:
        """Ask the cloud how it differs from what was deployed; nothing is kept."""
        return Response(services.drift_of(self.get_object()))

    @extend_schema(responses=DriftReportSerializer)
    @action(detail=True, methods=["get"], url_path="drift/report")
    def drift_report(self, request: Request, id: str) -> Response:
        """Return how the cloud differed when somebody, or a sync, last looked; no cloud is asked."""
        return Response(report_json(DriftReport.objects.filter(deployment=self.get_object()).first()))

    @extend_schema(request=None, responses=DriftReportSerializer)
    @action(detail=True, methods=["post"], url_path="drift/check")
    def drift_check(self, request: Request, id: str) -> Response:
        """Ask the cloud how it differs from what was deployed, and keep the answer as the report."""
        return Response(report_json(watching.check(self.principal, self.get_object())))

    @extend_schema(request=None, responses={201: PlanDetailSerializer})
    @action(detail=True, methods=["post"], url_path="drift/restore")
    @idempotent
    def drift_restore(self, request: Request, id: str) -> Response:
        """Plan what puts the drawing's values back, those included that an update would leave alone.

        Start it as any plan; nothing is touched before.
        """
        plan = mending.restore(self.principal, self.get_object())
        plan.exists = True  # type: ignore[attr-defined]
        return Response(plan_json(plan, detail=True), status=status.HTTP_201_CREATED)

    @extend_schema(request=WriteBackInSerializer, responses=WriteBackSerializer)
    @action(detail=True, methods=["post"], url_path="drift/write-back")
    @idempotent
    def drift_write_back(self, request: Request, id: str) -> Response:
        """Write what the cloud has into the drawing, as a new version of the design; with `preview`, only say how."""
        body = WriteBackInSerializer(data=request.data, context=self.get_serializer_context())
        body.is_valid(raise_exception=True)
        data = body.validated_data
        made = mending.write_back(
            self.principal, self.get_object(), keep=not data["preview"], base_version=data.get("base_version")
        )
        return Response(made.to_json())

    def _accepted(self, deployment: Deployment, operation: Operation) -> Response:
        body = self._body(deployment, operation)
        return Response(body, status=status.HTTP_202_ACCEPTED, headers={"Location": body["operation_url"]})

    def _body(self, deployment: Deployment, operation: Operation | None) -> dict[str, Any]:
        url = reverse("operation-detail", kwargs={"id": operation.id}) if operation else None
        return deployment_json(deployment, operation.id if operation else None, url)
