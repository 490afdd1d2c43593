"""Share a design within its organization by an address that only those who are given it know."""

from __future__ import annotations

import hashlib
import re
import secrets
from datetime import datetime
from typing import Any

from django.conf import settings
from django.db import transaction
from django.db.models import Q
from django.utils import timezone

from apps.audit.services import record
from apps.blueprints import services
from apps.blueprints.models import Blueprint, BlueprintVersion, ShareLink
from apps.tenancy import encryption
from apps.tenancy.access import Principal, require
from apps.tenancy.faults import fault
from apps.tenancy.models import Role
from apps.tenancy.querysets import as_uuid
from apps.tenancy.redaction import remember_secret

MAX_LINKS = 100
"""Links to one design."""
_FORM = re.compile(r"[A-Za-z0-9_-]{43}")


def create_share(
    principal: Principal, blueprint: Blueprint, *, version: int | None = None, expires_at: datetime | None = None
) -> ShareLink:
    """Make a link to a version of a design, or to whatever is its latest one.

    Faults: ``blueprint.no_version``, ``share.expiry``, ``share.too_many``.
    """
    require(principal, Role.ARCHITECT, blueprint.project)
    if version is not None:
        services.find_version(blueprint, version)
    if expires_at is not None and expires_at <= timezone.now():
        raise fault("share.expiry", when=expires_at.isoformat(timespec="seconds"))
    if blueprint.shares.count() >= MAX_LINKS:
        raise fault("share.too_many", limit=MAX_LINKS, name=blueprint.name)
    token = secrets.token_urlsafe(32)
    remember_secret(token)
    share = ShareLink(
        blueprint=blueprint,
        version_number=version,
        digest=_digest(token),
        created_by=principal.user,
        expires_at=expires_at,
    )
    share.sealed_token = encryption.seal(blueprint.project.organization, purpose_of(share), token.encode())
    with transaction.atomic():
        share.save(force_insert=True)
        record(principal, "blueprint.share", "blueprint", str(blueprint.pk), blueprint.name, _noted(share))
    return share


def delete_share(principal: Principal, blueprint: Blueprint, reference: object) -> None:
    """Revoke a link of a design at once; 404 fault when it has none of this id."""
    require(principal, Role.ARCHITECT, blueprint.project)
    with transaction.atomic():
        share = blueprint.shares.select_for_update().filter(pk=as_uuid(reference)).first()
        if share is None:
            raise fault("not_found")
        noted = _noted(share)
        share.delete()
        record(principal, "blueprint.unshare", "blueprint", str(blueprint.pk), blueprint.name, noted)


def url_of(share: ShareLink) -> str:
    """Return the address that a link stands for; only for those who may write the design."""
    token = encryption.open_sealed(share.blueprint.project.organization, purpose_of(share), bytes(share.sealed_token))
    remember_secret(token.decode())
    return f"{settings.ESCALE_URL}/shared/{token.decode()}/"


def open_shared(principal: Principal, token: str) -> BlueprintVersion:
    """Return the version that a token leads a member of the same organization to; 404 fault in every other case.

    A role in the design's project is not needed. A session may act in another organization of the same user's.
    """
    if not _FORM.fullmatch(token):
        raise fault("not_found")
    live = ShareLink.objects.filter(Q(expires_at__isnull=True) | Q(expires_at__gt=timezone.now()))
    share = live.select_related("blueprint__project__organization").filter(digest=_digest(token)).first()
    if share is None:
        raise fault("not_found")
    remember_secret(token)  # the address is logged
    organization = share.blueprint.project.organization
    if principal.token is None and principal.organization != organization:
        principal = Principal(principal.user, organization)
    if principal.organization != organization or not principal.is_member:
        raise fault("not_found")
    rows = share.blueprint.versions.order_by("-number")
    if share.version_number is not None:
        rows = rows.filter(number=share.version_number)
    version = rows.first()
    if version is None:
        raise fault("not_found")
    version.blueprint = share.blueprint
    return version


def purpose_of(share: ShareLink) -> str:
    """Return what a link's token is sealed for: exactly this link."""
    return f"share-link:{share.pk}"


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()


def _noted(share: ShareLink) -> dict[str, Any]:
    until = share.expires_at.isoformat(timespec="seconds") if share.expires_at else None
    return {"share": str(share.pk), "version": share.version_number, "expires_at": until}
