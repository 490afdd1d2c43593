"""Write organizations, projects, members and tokens: one transaction each, authorized and audited.

`who` is a Principal, or `System(organization)` for set-up and commands. Only administrators of the organization
manage it; anybody may issue tokens for themselves, up to their own role.
"""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from typing import Any

from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from apps.tenancy import tokens
from apps.tenancy.access import Actor, Principal, System, rank, require
from apps.tenancy.auditing import record
from apps.tenancy.faults import Fault, fault
from apps.tenancy.models import ApiToken, Membership, Organization, Project, Role, User

SLUG = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")
LONGEST_LIFE = timedelta(days=3 * 366)


def create_organization(slug: str, name: str) -> Organization:
    """Create a tenant; only the portal's operator can, from the command line. Faults: `name_taken`, `invalid`."""
    _check_slug(slug)
    _check_title(name)
    with transaction.atomic():
        organization = _unique(
            lambda: Organization.objects.create(slug=slug, name=name.strip()), _("The organization"), slug
        )
        record(System(organization), "organization.create", "organization", organization.pk, slug, {"name": name})
    return organization


def create_project(
    who: Actor, slug: str, name: str, policy: dict[str, Any] | None = None, organization: Organization | None = None
) -> Project:
    """Create a project in the actor's organization. Faults: `forbidden`, `name_taken`, `invalid`."""
    owner = organization or who.organization
    _require_admin(who)
    _check_slug(slug)
    _check_title(name)
    with transaction.atomic():
        project = _unique(
            lambda: Project.objects.create(organization=owner, slug=slug, name=name.strip(), policy=policy or {}),
            _("The project"),
            slug,
        )
        record(who, "project.create", "project", project.pk, slug, {"name": name})
    return project


def update_project(
    who: Actor, project: Project, name: str | None = None, policy: dict[str, Any] | None = None
) -> Project:
    """Change a project's name or its defaults for realisation. Faults: `forbidden`, `invalid`."""
    _require_admin(who, project)
    changes: dict[str, Any] = {}
    if name is not None:
        _check_title(name)
        changes["name"] = name.strip()
    if policy is not None:
        changes["policy"] = policy
    with transaction.atomic():
        for field, value in changes.items():
            setattr(project, field, value)
        project.save(update_fields=list(changes))
        record(who, "project.update", "project", project.pk, project.slug, changes)
    return project


def create_user(who: Actor, username: str, password: str, email: str = "") -> User:
    """Create a person who can sign in; being a member of something is a step of its own.

    Faults: `forbidden`, `name_taken`, `invalid` (with the reasons why the password is too weak).
    """
    _require_admin(who)
    user = User(username=User.normalize_username(username), email=email)
    try:
        User.username_validator(user.username)
        validate_password(password, user)
    except ValidationError as error:
        field = "password" if any("password" in str(code) for code in _codes(error)) else "username"
        raise _invalid(field, *error.messages) from None
    user.set_password(password)
    with transaction.atomic():
        _unique(lambda: user.save(force_insert=True), _("The user"), username)
        record(who, "user.create", "user", user.pk, user.username, {"email": email})
    return user


def add_member(who: Actor, user: User, role: Role, project: Project | None = None) -> Membership:
    """Give a user a role in the organization, or in one of its projects. Faults: `forbidden`, `member.exists`."""
    _require_admin(who, project)
    with transaction.atomic():
        membership, created = Membership.objects.get_or_create(
            user=user, organization=who.organization, project=project, defaults={"role": role}
        )
        if not created:
            raise fault("member.exists", name=user.username, role=Role(membership.role).label)
        record(who, "member.add", "membership", membership.pk, user.username, _where(role, project))
    return membership


def change_role(who: Actor, membership: Membership, role: Role) -> Membership:
    """Give a member another role; it holds from the next request on. Faults: `forbidden`, `member.last_admin`."""
    _require_admin(who, membership.project)
    with transaction.atomic():
        membership = _locked(membership)
        if membership.role == role:
            return membership
        if role != Role.ADMIN:
            _keep_an_admin(membership)
        before, membership.role = membership.role, role
        membership.save(update_fields=["role"])
        data = {**_where(role, membership.project), "before": before}
        record(who, "member.role", "membership", membership.pk, membership.user.username, data)
    return membership


def remove_member(who: Actor, membership: Membership) -> None:
    """Take a role away, and revoke the tokens that stood on it alone. Faults: `forbidden`, `member.last_admin`."""
    _require_admin(who, membership.project)
    with transaction.atomic():
        membership = _locked(membership)
        _keep_an_admin(membership)
        user, key = membership.user, membership.pk
        membership.delete()
        if not Membership.objects.filter(user=user, organization=who.organization).exists():
            live = ApiToken.objects.filter(user=user, organization=who.organization, revoked_at__isnull=True)
            live.update(revoked_at=timezone.now())
        record(who, "member.remove", "membership", key, user.username, _where(membership.role, membership.project))


def issue_token(
    who: Actor,
    name: str,
    role: Role,
    *,
    user: User | None = None,
    project: Project | None = None,
    expires_at: datetime | None = None,
) -> tuple[ApiToken, str]:
    """Issue a token and return it with its text, which nobody can read again.

    For oneself, or by `System` for a `user`. A token cannot issue a stronger, wider or longer one than itself.
    Faults: `token.role_too_high`, `invalid`, `not_found` (a project of others).
    """
    owner = who.user if isinstance(who, Principal) else user
    if owner is None or (user is not None and user != owner):
        raise fault("not_found")
    _check_title(name)
    now = timezone.now()
    if expires_at is not None and not now < expires_at <= now + LONGEST_LIFE:
        raise _invalid("expires_at", _("is in the past or more than three years away"))
    ceiling = who if isinstance(who, Principal) else Principal(owner, who.organization)
    project = _token_project(ceiling, project)
    if ceiling.token is not None and ceiling.token.expires_at is not None:
        expires_at = min(expires_at or ceiling.token.expires_at, ceiling.token.expires_at)
    own = ceiling.role_in(project) if project is not None else _widest_role(ceiling)
    if own is None:
        raise fault("not_found")
    if rank(role) > rank(own):
        raise fault("token.role_too_high", role=own.label, asked=Role(role).label)
    minted = tokens.mint()
    with transaction.atomic():
        token = ApiToken.objects.create(
            user=owner,
            organization=who.organization,
            project=project,
            name=name.strip(),
            prefix=minted.prefix,
            digest=minted.digest,
            pepper_version=minted.pepper_version,
            role=role,
            expires_at=expires_at,
        )
        data = {**_where(role, project), "prefix": token.prefix, "expires_at": str(expires_at or "")}
        record(who, "token.issue", "token", token.pk, token.name, data)
    return token, minted.text


def revoke_token(who: Actor, token: ApiToken) -> None:
    """Make a token worthless from the next request on; its owner and administrators can. Again: nothing happens."""
    if isinstance(who, Principal):
        if token.organization_id != who.organization.pk:
            raise fault("not_found")
        if token.user_id != who.user.pk:
            require(who, Role.ADMIN)
    with transaction.atomic():
        changed = ApiToken.objects.filter(pk=token.pk, revoked_at__isnull=True).update(revoked_at=timezone.now())
        if changed:
            record(who, "token.revoke", "token", token.pk, token.name, {"prefix": token.prefix})
    token.refresh_from_db(fields=["revoked_at"])


def find_user(username: str) -> User:
    """Return the active user of a name; fault `member.unknown`."""
    user = User.objects.filter(username=username, is_active=True).first() if "\x00" not in username else None
    if user is None:
        raise fault("member.unknown", name=username[:80])
    return user


def _token_project(ceiling: Principal, project: Project | None) -> Project | None:
    """Return the project a new token is bound to: a token that is bound to one issues only such tokens."""
    if ceiling.project is not None and project is None:
        return ceiling.project
    return project


def _widest_role(ceiling: Principal) -> Role | None:
    """Return the role that a token of the whole organization may carry; a member of projects has theirs there."""
    for role in reversed(Role):
        if ceiling.may_somewhere(role):
            return role
    return None


def _require_admin(who: Actor, project: Project | None = None) -> None:
    if not isinstance(who, Principal):
        return
    if project is not None and project.organization_id != who.organization.pk:
        raise fault("not_found")
    require(who, Role.ADMIN)


def _locked(membership: Membership) -> Membership:
    # The organization's row is locked, too: two last administrators must not remove each other at once.
    Organization.objects.select_for_update().get(pk=membership.organization_id)
    found = Membership.objects.select_for_update(of=("self",)).filter(pk=membership.pk).first()
    if found is None:
        raise fault("not_found")
    return found


def _keep_an_admin(membership: Membership) -> None:
    if membership.project_id is not None or membership.role != Role.ADMIN:
        return
    others = Membership.objects.filter(
        organization_id=membership.organization_id, project__isnull=True, role=Role.ADMIN, user__is_active=True
    ).exclude(pk=membership.pk)
    if not others.exists():
        raise fault("member.last_admin", name=membership.user.username, organization=membership.organization.name)


def _where(role: Role | str, project: Project | None) -> dict[str, Any]:
    return {"role": Role(role).value, "project": project.slug if project is not None else None}


def _check_slug(slug: str) -> None:
    if not SLUG.fullmatch(slug):
        raise _invalid("slug", _("takes 1 to 63 lower-case letters, digits and hyphens, and no hyphen at its ends"))


def _check_title(name: str) -> None:
    if not name.strip() or len(name) > 120 or not name.strip().isprintable():
        raise _invalid("name", _("takes 1 to 120 printable characters"))


def _invalid(field: str, *reasons: str) -> Fault:
    params = [{"name": field, "reason": reason, "code": "invalid"} for reason in reasons]
    return fault("invalid", count=len(params), params=params)


def _codes(error: ValidationError) -> list[str]:
    return [str(item.code) for item in error.error_list]


def _unique(create: Any, what: str, name: str) -> Any:
    try:
        with transaction.atomic():
            return create()
    except IntegrityError:
        raise fault("name_taken", what=what, name=name) from None
