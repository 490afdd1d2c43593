"""Answer for organizations, projects, members, tokens, the caller, and the catalogue of problems."""

from __future__ import annotations

from typing import Any, ClassVar

from django.db import transaction
from drf_spectacular.utils import extend_schema, extend_schema_view
from rest_framework import status
from rest_framework.mixins import ListModelMixin, RetrieveModelMixin
from rest_framework.request import Request
from rest_framework.response import Response

from apps.tenancy import catalogue, services
from apps.tenancy.api.serializers import (
    IssuedTokenSerializer,
    MemberChangeSerializer,
    MemberSerializer,
    MeSerializer,
    NewMemberSerializer,
    NewProjectSerializer,
    NewTokenSerializer,
    OrganizationSerializer,
    ProjectChangeSerializer,
    ProjectSerializer,
    TokenSerializer,
)
from apps.tenancy.api.views import PUBLIC, ScopedView, ScopedViewSet
from apps.tenancy.faults import fault
from apps.tenancy.models import ApiToken, Membership, Organization, Project, Role


class Reading:
    """Read the body of a request."""

    def read(self, serializer: type[Any]) -> dict[str, Any]:
        """Return the checked values; the fault `invalid` lists what cannot be used."""
        body = serializer(data=self.request.data, context=self.get_serializer_context())  # type: ignore[attr-defined]
        body.is_valid(raise_exception=True)
        values: dict[str, Any] = body.validated_data
        return values


@extend_schema_view(
    list=extend_schema(summary="List the organizations that one belongs to"),
    retrieve=extend_schema(summary="Show an organization, by id or slug"),
)
class OrganizationViewSet(ListModelMixin, RetrieveModelMixin, ScopedViewSet):
    """Organizations; a token shows the one that it was issued for."""

    queryset = Organization.objects.order_by("name", "id")
    serializer_class = OrganizationSerializer
    name_field = "slug"
    scope = "organization"
    ordering = ("name", "id")
    roles: ClassVar = {"list": Role.VIEWER, "retrieve": Role.VIEWER}


@extend_schema_view(
    list=extend_schema(summary="List the projects that one may use"),
    retrieve=extend_schema(summary="Show a project, by id or slug"),
)
class ProjectViewSet(Reading, ListModelMixin, RetrieveModelMixin, ScopedViewSet):
    """Projects of the organization in which the caller has a role."""

    queryset = Project.objects.select_related("organization").order_by("slug", "id")
    serializer_class = ProjectSerializer
    name_field = "slug"
    not_found_code = "project.not_found"
    scope = "project"
    ordering = ("slug", "id")
    # Creating and changing are for administrators of the organization; the services require that.
    roles: ClassVar = {
        "list": Role.VIEWER,
        "retrieve": Role.VIEWER,
        "create": Role.ADMIN,
        "partial_update": Role.ADMIN,
    }

    @extend_schema(request=NewProjectSerializer, responses={201: ProjectSerializer}, summary="Create a project")
    def create(self, request: Request) -> Response:
        """Create a project; for administrators of the organization."""
        project = services.create_project(self.principal, **self.read(NewProjectSerializer))
        return Response(self._shown(project), status=status.HTTP_201_CREATED)

    @extend_schema(request=ProjectChangeSerializer, responses=ProjectSerializer, summary="Change a project")
    def partial_update(self, request: Request, id: str) -> Response:
        """Change a project's name or policy."""
        project = services.update_project(self.principal, self.get_object(), **self.read(ProjectChangeSerializer))
        return Response(self._shown(project))

    def _shown(self, project: Project) -> Any:
        self.principal.__dict__.pop("project_ids", None)  # the new one is visible, too
        return self.get_serializer(project).data


@extend_schema_view(list=extend_schema(summary="List the members"))
class MemberViewSet(Reading, ListModelMixin, ScopedViewSet):
    """The roles that users have in the organization and its projects."""

    queryset = Membership.objects.select_related("user", "project", "organization").order_by("created_at", "id")
    serializer_class = MemberSerializer
    scope = "organization"
    ordering = ("created_at", "id")
    roles: ClassVar = {
        "list": Role.ADMIN,
        "create": Role.ADMIN,
        "partial_update": Role.ADMIN,
        "destroy": Role.ADMIN,
    }

    def project_of(self, instance: Membership) -> None:
        """Members are managed by administrators of the organization as a whole."""
        return

    @extend_schema(request=NewMemberSerializer, responses={201: MemberSerializer}, summary="Add a member")
    def create(self, request: Request) -> Response:
        """Give an existing user a role; with a password, create the user first."""
        body = self.read(NewMemberSerializer)
        with transaction.atomic():
            if body.get("password"):
                user = services.create_user(self.principal, body["username"], body["password"], body.get("email") or "")
            else:
                user = services.find_user(body["username"])
            membership = services.add_member(self.principal, user, body["role"], body.get("project"))
        return Response(self.get_serializer(membership).data, status=status.HTTP_201_CREATED)

    @extend_schema(request=MemberChangeSerializer, responses=MemberSerializer, summary="Change a member's role")
    def partial_update(self, request: Request, id: str) -> Response:
        """Give a member another role."""
        body = self.read(MemberChangeSerializer)
        return Response(self.get_serializer(services.change_role(self.principal, self.get_object(), **body)).data)

    @extend_schema(responses={204: None}, summary="Remove a member")
    def destroy(self, request: Request, id: str) -> Response:
        """Take the role away."""
        services.remove_member(self.principal, self.get_object())
        return Response(status=status.HTTP_204_NO_CONTENT)


@extend_schema_view(
    list=extend_schema(summary="List one's tokens; administrators see all"),
    retrieve=extend_schema(summary="Show a token, without its text"),
)
class TokenViewSet(Reading, ListModelMixin, RetrieveModelMixin, ScopedViewSet):
    """API tokens of the organization: one's own, or everybody's for administrators."""

    queryset = ApiToken.objects.select_related("user", "project", "organization").order_by("-created_at", "id")
    serializer_class = TokenSerializer
    scope = "organization"
    ordering = ("-created_at", "id")
    # One's own tokens need no more than being a member; others' are only visible to administrators.
    roles: ClassVar = {
        "list": Role.VIEWER,
        "retrieve": Role.VIEWER,
        "create": Role.VIEWER,
        "destroy": Role.VIEWER,
    }

    def get_queryset(self) -> Any:
        """Show others' tokens to administrators only."""
        rows = super().get_queryset()
        if getattr(self, "swagger_fake_view", False) or self.principal.may(Role.ADMIN):
            return rows
        return rows.filter(user=self.principal.user)

    def project_of(self, instance: ApiToken) -> None:
        """Tokens belong to their users."""
        return

    @extend_schema(request=NewTokenSerializer, responses={201: IssuedTokenSerializer}, summary="Issue a token")
    def create(self, request: Request) -> Response:
        """Issue a token for oneself; its text is in this answer and nowhere else."""
        body = self.read(NewTokenSerializer)
        token, text = services.issue_token(
            self.principal,
            body["name"],
            body["role"],
            project=body.get("project"),
            expires_at=body.get("expires_at"),
        )
        shown = {**self.get_serializer(token).data, "token": text}
        return Response(shown, status=status.HTTP_201_CREATED, headers={"Cache-Control": "no-store"})

    @extend_schema(responses={204: None}, summary="Revoke a token")
    def destroy(self, request: Request, id: str) -> Response:
        """Make the token worthless at once; its row stays as a record."""
        services.revoke_token(self.principal, self.get_object())
        return Response(status=status.HTTP_204_NO_CONTENT)


class MeView(ScopedView):
    """Who the caller is, and what the caller may do where."""

    roles: ClassVar = {"get": Role.VIEWER}

    @extend_schema(responses=MeSerializer, summary="Show who one is")
    def get(self, request: Request) -> Response:
        """Answer with user, organization, role, projects and, when one was used, the token."""
        who = self.principal
        projects = Project.objects.visible_to(who).order_by("slug")
        token = who.token
        role = who.organization_role
        return Response(
            {
                "username": who.user.username,
                "organization": {
                    "id": str(who.organization.pk),
                    "slug": who.organization.slug,
                    "name": who.organization.name,
                },
                "role": role.value if role is not None else None,
                "projects": [
                    {"id": str(project.pk), "slug": project.slug, "role": who.role_in(project)} for project in projects
                ],
                "token": {"name": token.name, "role": token.role, "expires_at": token.expires_at} if token else None,
            }
        )


class ProblemsView(ScopedView):
    """The codes that errors carry, with their texts."""

    authentication_classes: ClassVar = []
    roles: ClassVar = {"get": PUBLIC}

    @extend_schema(
        operation_id="problems_list", summary="List the codes of problems", responses={200: {"type": "object"}}, auth=[]
    )
    def get(self, request: Request) -> Response:
        """Answer with every code."""
        return Response({"results": [_shown(entry) for entry in catalogue.entries().values()]})


class ProblemView(ScopedView):
    """One code that errors carry: where their `type` leads."""

    authentication_classes: ClassVar = []
    roles: ClassVar = {"get": PUBLIC}

    @extend_schema(summary="Explain a code of problems", responses={200: {"type": "object"}}, auth=[])
    def get(self, request: Request, code: str) -> Response:
        """Answer with the code's texts."""
        entry = catalogue.find(code)
        if entry is None:
            raise fault("not_found")
        return Response(_shown(entry))


def _shown(entry: catalogue.Entry) -> dict[str, Any]:
    return {
        "code": entry.code,
        "status": entry.status,
        "title": str(entry.title),
        "detail": str(entry.detail),
        "hint": str(entry.hint),
    }
