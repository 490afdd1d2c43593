"""Blueprints in the API: drawings, their versions, and validation of a text that is not kept."""

from __future__ import annotations

from typing import Any

from django.db.models import Max
from drf_spectacular.utils import extend_schema
from rest_framework import status
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from apps.blueprints import checking, services
from apps.blueprints.api.serializers import (
    BlueprintDetailSerializer,
    BlueprintInSerializer,
    BlueprintSerializer,
    MergedSerializer,
    MergeInSerializer,
    RestoreSerializer,
    TemplateRowSerializer,
    TemplateSerializer,
    ValidationInSerializer,
    ValidationSerializer,
    VersionInSerializer,
    VersionSerializer,
)
from apps.blueprints.api.sharing import ShareActions
from apps.blueprints.models import Blueprint
from apps.blueprints.starting_points import TEMPLATES, find_template
from apps.tenancy.access import find_project
from apps.tenancy.api.idempotency import idempotent
from apps.tenancy.api.views import ScopedViewSet
from apps.tenancy.models import Role


@extend_schema(tags=["blueprints"])
class BlueprintViewSet(ShareActions, ScopedViewSet):
    """Drawings: Compose files with their history."""

    queryset = Blueprint.objects.all()
    serializer_class = BlueprintSerializer
    scope = "project"
    ordering = ("-updated_at", "id")
    roles = {
        "list": Role.VIEWER,
        "retrieve": Role.VIEWER,
        "versions": Role.VIEWER,
        "version": Role.VIEWER,
        "validate": Role.VIEWER,
        "merge": Role.VIEWER,
        "templates": Role.VIEWER,
        "template": Role.VIEWER,
        "shares": Role.VIEWER,
        "create": Role.ARCHITECT,
        "add_version": Role.ARCHITECT,
        "restore": Role.ARCHITECT,
        "add_share": Role.ARCHITECT,
        "remove_share": Role.ARCHITECT,
        "destroy": Role.ARCHITECT,
    }

    def get_queryset(self) -> Any:
        """Return the visible blueprints that the filters leave."""
        rows = super().get_queryset().select_related("project__organization", "created_by")
        rows = rows.annotate(latest=Max("versions__number"))
        if project := self.request.query_params.get("project"):
            rows = rows.filter(project=find_project(self.principal, project))
        if name := self.request.query_params.get("name"):
            rows = rows.filter(name=name)
        return rows

    def list(self, request: Request) -> Response:
        """List the drawings of the projects that the caller may see; filters: project, name."""
        page = self.paginate_queryset(self.get_queryset())
        return self.get_paginated_response(BlueprintSerializer(page, many=True).data)

    @extend_schema(responses=BlueprintDetailSerializer)
    def retrieve(self, request: Request, id: str) -> Response:
        """Return a drawing with its latest version."""
        return Response(BlueprintDetailSerializer(self.get_object()).data)

    @extend_schema(request=BlueprintInSerializer, responses={201: BlueprintDetailSerializer})
    @idempotent
    def create(self, request: Request) -> Response:
        """Keep a Compose file as a new drawing; one with mistakes is refused with every line and column."""
        body = BlueprintInSerializer(data=request.data, context=self.get_serializer_context())
        body.is_valid(raise_exception=True)
        data = dict(body.validated_data)
        blueprint = services.create_blueprint(self.principal, data.pop("project"), **data)
        return Response(BlueprintDetailSerializer(blueprint).data, status=status.HTTP_201_CREATED)

    @extend_schema(responses={204: None})
    def destroy(self, request: Request, id: str) -> Response:
        """Delete a drawing with its history, unless deployments came from it."""
        services.delete_blueprint(self.principal, self.get_object())
        return Response(status=status.HTTP_204_NO_CONTENT)

    @extend_schema(responses=VersionSerializer(many=True))
    @action(detail=True, methods=["get"], ordering=("-number", "id"))
    def versions(self, request: Request, id: str) -> Response:
        """List the versions of a drawing, the newest first."""
        rows = self.get_object().versions.select_related("created_by").prefetch_related("files")
        page = self.paginate_queryset(rows.order_by("-number"))
        return self.get_paginated_response(VersionSerializer(page, many=True).data)

    @extend_schema(request=VersionInSerializer, responses={201: VersionSerializer})
    @versions.mapping.post
    def add_version(self, request: Request, id: str) -> Response:
        """Freeze a new version; files and environment that are left out are taken over from the last one."""
        body = VersionInSerializer(data=request.data)
        body.is_valid(raise_exception=True)
        version = services.save_version(self.principal, self.get_object(), **body.validated_data)
        return Response(VersionSerializer(version).data, status=status.HTTP_201_CREATED)

    @extend_schema(responses=VersionSerializer)
    @action(detail=True, methods=["get"], url_path=r"versions/(?P<number>[0-9]{1,9})")
    def version(self, request: Request, id: str, number: str) -> Response:
        """Return one version of a drawing."""
        return Response(VersionSerializer(services.find_version(self.get_object(), int(number))).data)

    @extend_schema(request=RestoreSerializer, responses={201: VersionSerializer})
    @action(detail=True, methods=["post"], url_path=r"versions/(?P<number>[0-9]{1,9})/restore")
    @idempotent
    def restore(self, request: Request, id: str, number: str) -> Response:
        """Freeze a new version that equals an old one in text, files and values."""
        found = services.find_version(self.get_object(), int(number))
        body = RestoreSerializer(data=request.data)
        body.is_valid(raise_exception=True)
        version = services.restore_version(self.principal, found, **body.validated_data)
        return Response(VersionSerializer(version).data, status=status.HTTP_201_CREATED)

    @extend_schema(request=ValidationInSerializer, responses=ValidationSerializer)
    @action(detail=False, methods=["post"])
    def validate(self, request: Request) -> Response:
        """Say everything that is wrong with a Compose text, by line and column; nothing is kept."""
        body = ValidationInSerializer(data=request.data, context=self.get_serializer_context())
        body.is_valid(raise_exception=True)
        findings = checking.look_through_for(self.principal, **body.validated_data)
        valid = not any(finding["severity"] == "error" for finding in findings)
        return Response({"valid": valid, "findings": findings})

    @extend_schema(request=MergeInSerializer, responses=MergedSerializer)
    @action(detail=False, methods=["post"])
    def merge(self, request: Request) -> Response:
        """Make one Compose text of several, each laid over those before it; comments are lost, and nothing is kept."""
        body = MergeInSerializer(data=request.data, context=self.get_serializer_context())
        body.is_valid(raise_exception=True)
        data = dict(body.validated_data)
        sources = [(source["name"], source["compose"]) for source in data.pop("files")]
        text, findings = checking.join_files(self.principal, sources, **data)
        return Response({"compose": text, "findings": findings})

    @extend_schema(responses=TemplateRowSerializer(many=True))
    @action(detail=False, methods=["get"])
    def templates(self, request: Request) -> Response:
        """List designs to start from, in the order in which they are to be offered; there is one page."""
        rows = TemplateRowSerializer(list(TEMPLATES.values()), many=True).data
        return Response({"results": rows, "next": None, "previous": None})

    @extend_schema(responses=TemplateSerializer)
    @action(detail=False, methods=["get"], url_path=r"templates/(?P<template>[^/]+)")
    def template(self, request: Request, template: str) -> Response:
        """Return a design to start from, with the files that stand beside it."""
        return Response(TemplateSerializer(find_template(template)).data)
