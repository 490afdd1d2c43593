"""Be the base of every API view: who acts, what role the action needs, and what is visible at all.

Each view declares the least role of each of its actions in `roles`; an action without one is refused as our own
defect, and `tests/api/test_matrix.py` walks all of them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Final, Literal, cast

from django.db.models import Model, QuerySet
from rest_framework.request import Request
from rest_framework.views import APIView
from rest_framework.viewsets import GenericViewSet

from apps.tenancy.access import Principal, find_named, principal_for, require, require_somewhere
from apps.tenancy.api.pagination import refuse_nul
from apps.tenancy.faults import Defect, fault
from apps.tenancy.models import Project, Role
from apps.tenancy.querysets import ScopedQuerySet

PUBLIC: Final = "public"
"""Declared for what anybody may read without signing in."""

Declared = Role | Literal["public"]


class ScopedView(APIView):
    """Check the declared role before anything else runs; `roles` maps methods ("get") to the least role.

    `scope` "organization": the role must hold in the organization as a whole. "project": it must hold in the
    project of the object concerned; before that is known, in any project.
    """

    roles: ClassVar[Mapping[str, Declared]] = {}
    scope: ClassVar[Literal["organization", "project"]] = "organization"
    permission_classes: ClassVar[Any] = ()  # the roles decide; nothing else does

    @property
    def principal(self) -> Principal:
        """Return who acts."""
        return principal_for(self.request)

    @property
    def action_name(self) -> str:
        """Return the key of `roles` that applies to this request."""
        return str(self.request.method or "").lower()

    @property
    def needed_role(self) -> Declared:
        """Return the declared role of this action."""
        name = self.action_name
        declared = self.roles.get("get" if name == "head" else name)
        if declared is None:
            raise Defect(f"{type(self).__name__} declares no role for {name!r}")
        return declared

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        """Refuse what the declared role forbids, before the body is looked at."""
        super().initial(request, *args, **kwargs)
        _refuse_nul(request, kwargs)
        method = str(request.method).lower()
        if method == "options" or method not in self.http_method_names or not hasattr(self, method):
            return  # answered 405 by the framework
        role = self.needed_role
        if role == PUBLIC:
            return
        if self.scope == "organization":
            require(self.principal, role)
        else:
            require_somewhere(self.principal, role)

    def require_in(self, project: Project) -> None:
        """Raise a fault unless the principal has this action's role in the project."""
        require(self.principal, cast(Role, self.needed_role), project)


def _refuse_nul(request: Request, kwargs: Mapping[str, Any]) -> None:
    """Turn away what PostgreSQL cannot even compare with, before any view puts it into a query."""
    if any("\x00" in str(value) for value in kwargs.values()):
        raise fault("not_found")
    refuse_nul(request.query_params)


class ScopedViewSet(ScopedView, GenericViewSet):  # type: ignore[type-arg]
    """Serve one model: `roles` maps actions ("list", "retrieve", "cancel") to the least role.

    `get_queryset` shows what the principal may see; `get_object` besides requires the action's role in the
    object's project. With `name_field`, an address may hold the name instead of the id.
    """

    lookup_value_regex = "[^/]+"
    lookup_url_kwarg = "id"
    name_field: ClassVar[str] = ""
    not_found_code: ClassVar[str] = "not_found"
    ordering: ClassVar[tuple[str, ...] | None] = None

    @property
    def action_name(self) -> str:
        """Return the key of `roles` that applies to this request."""
        return str(self.action)

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        """Let the framework answer 405 to a method that no action is bound to."""
        if self.action is None:
            APIView.initial(self, request, *args, **kwargs)
            return
        super().initial(request, *args, **kwargs)

    def get_queryset(self) -> QuerySet[Any]:
        """Return what the principal may see."""
        rows = super().get_queryset()
        if getattr(self, "swagger_fake_view", False):
            return rows.none()
        if not isinstance(rows, ScopedQuerySet):
            raise Defect(f"{type(self).__name__} serves {rows.model.__name__}, whose queries are not scoped")
        return rows.visible_to(self.principal)

    def project_of(self, instance: Any) -> Project | None:
        """Return the project that the object belongs to; None: the organization as a whole."""
        if isinstance(instance, Project):
            return instance
        return cast("Project | None", getattr(instance, "project", None))

    def get_object(self) -> Any:
        """Return the object of the address; 404 unless it is visible, 403 unless the role suffices."""
        instance = self.find(self.kwargs[self.lookup_url_kwarg])
        role = self.needed_role
        if role != PUBLIC:
            require(self.principal, role, self.project_of(instance))
        return instance

    def find(self, reference: object) -> Model:
        """Return the visible object that an id, or a name where the view has `name_field`, stands for."""
        rows = self.filter_queryset(self.get_queryset())
        return find_named(rows, reference, self.name_field, self.not_found_code)
