"""Decide who may do what: one principal per request, one question, one refusal that says whom to ask."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, cast

from django.db.models import QuerySet
from django.http import HttpRequest

from apps.tenancy.faults import fault
from apps.tenancy.models import ApiToken, Membership, Organization, Project, Role, User
from apps.tenancy.querysets import Row, as_uuid

if TYPE_CHECKING:
    from rest_framework.request import Request

SESSION_KEY = "organization"
"""Where the session keeps the organization that the user has chosen."""

_RANKS = {role: rank for rank, role in enumerate(Role)}


def rank(role: Role | str | None) -> int:
    """Return how much a role may do, for comparison; -1 for no role."""
    return -1 if role is None else _RANKS[Role(role)]


def lesser(one: Role | None, other: Role | None) -> Role | None:
    """Return the weaker of two roles; no role is the weakest."""
    return one if rank(one) <= rank(other) else other


class Principal:
    """Be a user acting in one organization, perhaps by a token that allows less than the user may.

    `project` is set when a token is bound to one project: then nothing outside of it may be changed or seen, but
    what the organization shares with all its members (its clouds) may be read. Roles are read from the database
    once per principal, so keep none of them for longer than a request or a task.
    """

    def __init__(
        self,
        user: User,
        organization: Organization,
        project: Project | None = None,
        token: ApiToken | None = None,
    ) -> None:
        self.user = user
        self.organization = organization
        self.project = project
        self.token = token

    def __repr__(self) -> str:
        return f"<Principal {self.actor} in {self.organization.slug}>"

    @property
    def actor(self) -> str:
        """Return who acts, as the audit log and operations show it."""
        name = self.user.get_username()
        return f"token {self.token.name} of {name}"[:160] if self.token is not None else name[:160]

    @cached_property
    def _roles(self) -> dict[uuid.UUID | None, Role]:
        """Return the roles by project id; None stands for the organization as a whole."""
        rows = Membership.objects.filter(user=self.user, organization=self.organization)
        return {project_id: Role(role) for project_id, role in rows.values_list("project_id", "role")}

    @cached_property
    def _ceiling(self) -> Role:
        return Role(self.token.role) if self.token is not None else Role.ADMIN

    @property
    def is_member(self) -> bool:
        """Tell whether the user has any role in the organization now."""
        if self.project is not None:
            return self.role_in(self.project) is not None
        return bool(self._roles)

    @property
    def organization_role(self) -> Role | None:
        """Return the role for what belongs to the organization as a whole.

        Members of single projects, and tokens bound to one, may read it.
        """
        if not self.is_member:
            return None
        whole = self._roles.get(None)
        if whole is None or self.project is not None:
            return Role.VIEWER
        return lesser(whole, self._ceiling)

    def role_in(self, project: Project) -> Role | None:
        """Return the role in a project, or None when the project does not exist for the principal."""
        if project.organization_id != self.organization.pk:
            return None
        if self.project is not None and project.pk != self.project.pk:
            return None
        strongest = max((self._roles.get(None), self._roles.get(project.pk)), key=rank)
        return lesser(strongest, self._ceiling)

    def may(self, role: Role, project: Project | None = None) -> bool:
        """Tell whether the principal has at least this role in the project, or in the organization as a whole."""
        own = self.role_in(project) if project is not None else self.organization_role
        return rank(own) >= rank(role)

    def may_somewhere(self, role: Role) -> bool:
        """Tell whether the principal has at least this role in the organization or in one of its projects."""
        roles = list(self._roles.items())
        if self.project is not None:
            roles = [(key, held) for key, held in roles if key in (None, self.project.pk)]
        return any(rank(lesser(held, self._ceiling)) >= rank(role) for _, held in roles)

    @property
    def sees_all_projects(self) -> bool:
        """Tell whether the role holds for every project of the organization."""
        return None in self._roles and self.project is None

    @cached_property
    def project_ids(self) -> list[uuid.UUID]:
        """Return the ids of the projects in which the principal has a role."""
        if self.project is not None:
            return [self.project.pk] if self.role_in(self.project) is not None else []
        if None in self._roles:
            return list(Project.objects.filter(organization=self.organization).values_list("pk", flat=True))
        return [key for key in self._roles if key is not None]


@dataclass(frozen=True, slots=True)
class System:
    """Be the portal itself, acting for an organization without a user: sweepers, refreshes, commands."""

    organization: Organization
    actor: str = "system"


Actor = Principal | System


def require(principal: Principal, role: Role, project: Project | None = None) -> None:
    """Raise a 403 fault unless the principal has the role; 404 when the project does not exist for the principal."""
    if principal.may(role, project):
        return
    own = principal.role_in(project) if project is not None else principal.organization_role
    if own is None:
        raise fault("not_found")
    raise refusal(principal, role, own, project)


def require_somewhere(principal: Principal, role: Role) -> None:
    """Raise a 403 fault unless the principal has the role in the organization or in one of its projects."""
    if not principal.may_somewhere(role):
        raise refusal(principal, role, principal.organization_role)


def refusal(principal: Principal, role: Role, own: Role | None, project: Project | None = None) -> Exception:
    """Return the 403 fault that names the missing role, the place, and the people who can grant it."""
    granters = granters_of(principal.organization)
    by_token = principal.token is not None and rank(principal.token.role) < rank(role)
    return fault(
        "forbidden.token" if by_token else "forbidden",
        needed=role.label,
        place=project.name if project is not None else principal.organization.name,
        role=own.label if own is not None else "-",
        token=principal.token.name if principal.token is not None else "",
        granters=", ".join(granters) or "-",
        extra={"needed_role": role.value, "role": own.value if own is not None else None, "granters": granters},
    )


def granters_of(organization: Organization, limit: int = 5) -> list[str]:
    """Return the names of the organization's administrators: they can grant roles."""
    rows = Membership.objects.filter(
        organization=organization, project__isnull=True, role=Role.ADMIN, user__is_active=True
    )
    return list(rows.order_by("user__username").values_list("user__username", flat=True)[:limit])


def principal_for(request: HttpRequest | Request) -> Principal:
    """Return who acts: the token's user, or the session's user in the organization that the session has chosen.

    Faults: `not_authenticated` (401), `no_organization` (403). The answer is kept on the request.
    """
    known = getattr(request, "_principal", None)
    if known is not None:
        return cast(Principal, known)
    principal = _principal_for(request)
    request._principal = principal  # type: ignore[union-attr]
    return principal


def _principal_for(request: Any) -> Principal:
    user = getattr(request, "user", None)
    if user is None or not user.is_authenticated:
        raise fault("not_authenticated")
    token = getattr(request, "auth", None)
    if isinstance(token, ApiToken):
        return token.principal or Principal(user, token.organization, token.project, token)
    return Principal(user, _chosen_organization(request, user))


def organizations_of(user: User) -> list[Organization]:
    """Return the organizations that a user is a member of, the one joined first in front.

    That one is where a session acts until the user chooses: being added to another organization by its administrator
    must not carry anybody over there unawares.
    """
    rows = Membership.objects.filter(user=user).select_related("organization").order_by("created_at", "id")
    return list({row.organization_id: row.organization for row in rows}.values())


def _chosen_organization(request: Any, user: User) -> Organization:
    mine = organizations_of(user)
    if not mine:
        raise fault("no_organization", user=user.get_username())
    session = getattr(request, "session", None)
    chosen = as_uuid(session.get(SESSION_KEY)) if session is not None else None
    return next((organization for organization in mine if organization.pk == chosen), mine[0])


def choose_organization(request: HttpRequest, organization_id: object) -> Organization:
    """Make the session act in another of the user's organizations; 404 fault when it is none of them."""
    wanted = as_uuid(organization_id)
    for organization in organizations_of(cast(User, request.user)):
        if organization.pk == wanted:
            request.session[SESSION_KEY] = str(organization.pk)
            return organization
    raise fault("not_found")


def find_project(principal: Principal, reference: object) -> Project:
    """Return the project that an id or a slug names, if the principal may see it; 404 fault otherwise."""
    visible = Project.objects.visible_to(principal).select_related("organization")
    return find_named(visible, reference, "slug", "project.not_found")


def find_named(visible: QuerySet[Row], reference: object, name_field: str, code: str) -> Row:
    """Return the row that an id or a name stands for; `code` is the 404 fault, its placeholder is {name}.

    An id wins over a name that looks like one. Use it on a query that is scoped already.
    """
    key, text = as_uuid(reference), str(reference)
    found = visible.filter(pk=key).first() if key is not None else None
    if found is None and name_field and "\x00" not in text:
        found = visible.filter(**{name_field: text}).first()
    if found is None:
        raise fault(code, name=text[:80])
    return found
