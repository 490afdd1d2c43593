"""Onboardings in the API."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import status
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from apps.deployments.api.serializers import PlanDetailSerializer, plan_json
from apps.onboarding import services
from apps.onboarding.api.serializers import (
    OnboardingDetailSerializer,
    OnboardingInSerializer,
    OnboardingSerializer,
    onboarding_json,
)
from apps.onboarding.models import Onboarding
from apps.tenancy.access import find_project
from apps.tenancy.api.idempotency import idempotent
from apps.tenancy.api.views import ScopedViewSet
from apps.tenancy.models import Role


@extend_schema(tags=["onboarding"])
class OnboardingViewSet(ScopedViewSet):
    """Onboardings: machines that run already, chosen and drawn, to be adopted as they are."""

    queryset = Onboarding.objects.all()
    serializer_class = OnboardingSerializer
    scope = "project"
    ordering = ("-created_at", "id")
    roles = {
        "list": Role.VIEWER,
        "retrieve": Role.VIEWER,
        "create": Role.ARCHITECT,
        "destroy": Role.ARCHITECT,
        "plan": Role.ARCHITECT,
    }

    def get_queryset(self) -> Any:
        """Return the visible onboardings that the filters leave."""
        rows = super().get_queryset().select_related("project__organization", "cloud", "version", "created_by")
        if project := self.request.query_params.get("project"):
            rows = rows.filter(project=find_project(self.principal, project))
        return rows

    @extend_schema(parameters=[OpenApiParameter("project", description="Id or slug.")])
    def list(self, request: Request) -> Response:
        """List onboardings, the newest first."""
        page = self.paginate_queryset(self.get_queryset())
        return self.get_paginated_response([onboarding_json(one, detail=False) for one in page or ()])

    @extend_schema(responses=OnboardingDetailSerializer)
    def retrieve(self, request: Request, id: str) -> Response:
        """Return an onboarding with its drawing."""
        return Response(onboarding_json(self.get_object(), detail=True))

    @extend_schema(request=OnboardingInSerializer, responses={201: OnboardingDetailSerializer})
    @idempotent
    def create(self, request: Request) -> Response:
        """Look at running machines and draw them; nothing on the cloud is touched.

        Machines that cannot be adopted (templates, and what belongs to a deployment) are in `refused`, with the reason.
        """
        body = OnboardingInSerializer(data=request.data, context=self.get_serializer_context())
        body.is_valid(raise_exception=True)
        made = services.draw(self.principal, **body.validated_data)
        return Response(onboarding_json(made, detail=True), status=status.HTTP_201_CREATED)

    @extend_schema(responses={204: None})
    def destroy(self, request: Request, id: str) -> Response:
        """Forget a choice of machines; a design that was made of it stays."""
        services.discard(self.principal, self.get_object())
        return Response(status=status.HTTP_204_NO_CONTENT)

    @extend_schema(request=None, responses={201: PlanDetailSerializer})
    @action(detail=True, methods=["post"])
    @idempotent
    def plan(self, request: Request, id: str) -> Response:
        """Make a design of the drawing and plan it: the plan writes markers on the machines, and nothing else.

        Start it as any plan (`POST /api/v1/deployments/`).
        """
        made = services.plan(self.principal, self.get_object())
        made.exists = False  # type: ignore[attr-defined]
        return Response(plan_json(made, detail=True), status=status.HTTP_201_CREATED)
