"""Let other organizations deploy to a cloud: its owner offers, an administrator of theirs accepts.

The owner names an organization by its slug and learns nothing by it: a slug that stands for nothing looks like one
whose administrators have not answered. Whoever accepts sees what deploying needs, never the cloud's inside.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Sequence

from django.db import IntegrityError, transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from apps.audit.services import record
from apps.clouds import holdings
from apps.clouds.checking import Problems
from apps.clouds.models import Cloud, CloudGrant
from apps.tenancy.access import Actor, Principal, require
from apps.tenancy.faults import Fault, fault
from apps.tenancy.models import Organization, Project, Role
from apps.tenancy.querysets import as_uuid

_PARAM = {"code": "invalid"}


def share(who: Actor, cloud: Cloud, organization: str, project: str = "") -> CloudGrant:
    """Offer a cloud to an organization, by its slug; with `project`, to that project of it alone.

    Faults: `forbidden`, `not_found`, `invalid`, `cloud.shared_already`.
    """
    _owner(who, cloud)
    organization, project = organization.strip().lower(), project.strip().lower()
    for name, slug, needed in (("organization", organization, True), ("project", project, False)):
        if (needed and not slug) or len(slug) > 63 or not all(char.isalnum() or char in "-_" for char in slug):
            reason = _("is not a short name, such as the one in an organization’s settings")
            raise fault("invalid", count=1, params=[{"name": name, "reason": reason, **_PARAM}])
    if organization == cloud.organization.slug:
        reason = _("is the organization that the cloud belongs to")
        raise fault("invalid", count=1, params=[{"name": "organization", "reason": reason, **_PARAM}])
    holder, part = _meant(organization, project)
    grant = CloudGrant(cloud=cloud, organization_slug=organization, project_slug=project)
    grant.organization, grant.project = holder, part
    try:
        with transaction.atomic():
            grant.save(force_insert=True)
            record(
                who, "cloud.share", "cloud", cloud.pk, cloud.name, {"organization": organization, "project": project}
            )
    except IntegrityError:
        raise fault("cloud.shared_already", cloud=cloud.name, organization=str(grant)) from None
    return grant


def unshare(who: Actor, cloud: Cloud, grant_id: object) -> None:
    """Take an offer or a right back; fault `cloud.grant_in_use` while deployments live by it alone."""
    _owner(who, cloud)
    with transaction.atomic():
        locked = _locked(cloud)
        key = as_uuid(grant_id)
        grant = CloudGrant.objects.filter(cloud=locked, pk=key).first() if key else None
        if grant is None:
            raise fault("not_found")
        _refuse_if_used(locked, grant, named=False)
        record(who, "cloud.unshare", "cloud", cloud.pk, cloud.name,
               {"organization": grant.organization_slug, "project": grant.project_slug})  # fmt: skip
        grant.delete()


def own_projects(problems: Problems, cloud: Cloud, slugs: Sequence[str]) -> list[uuid.UUID]:
    """Return the ids of those projects of a cloud's own organization that alone may deploy to it; empty for all."""
    rows = dict(Project.objects.filter(organization=cloud.organization_id, slug__in=slugs).values_list("slug", "pk"))
    if missing := sorted(set(slugs) - set(rows)):
        reason = _("names “%(slug)s”, which is no project of your organization") % {"slug": missing[0][:63]}
        problems.add("projects", reason)
    return sorted(rows.values())


def refuse_if_shut_out(cloud: Cloud, projects: Sequence[uuid.UUID]) -> None:
    """Raise `cloud.grant_in_use` while projects of its own that would be shut out have deployments on a cloud."""
    if not projects:
        return
    using = [
        holding.name
        for holding in holdings.on(cloud)
        if holding.organization == cloud.organization_id and holding.project not in projects
    ]
    if using:
        names = sorted(using)
        whom = _("other projects")
        extra = {"used_by": names[:100]}
        raise fault("cloud.grant_in_use", count=len(names), cloud=cloud.name, organization=whom, extra=extra)


def accept(principal: Principal, grant: CloudGrant) -> CloudGrant:
    """Take an offered cloud into the organization's list; fault `cloud.name_in_use` when a cloud is called so."""
    require(principal, Role.ADMIN)
    with transaction.atomic():
        # One at a time for an organization: two clouds of one name must not both come in.
        Organization.objects.select_for_update(no_key=True).get(pk=principal.organization.pk)
        grant = _mine(principal, grant)
        if grant.accepted_at is not None:
            return grant
        others = taken_names(principal.organization, except_cloud=grant.cloud_id)
        if grant.cloud.name in others:
            raise fault("cloud.name_in_use", name=grant.cloud.name)
        grant.accepted_at, grant.accepted_by = timezone.now(), principal.actor
        grant.save(update_fields=["accepted_at", "accepted_by"])
        record(principal, "cloud.accept", "cloud", grant.cloud_id, grant.cloud.name)
    return grant


def decline(principal: Principal, grant: CloudGrant) -> None:
    """Refuse an offered cloud, or give an accepted one back; fault `cloud.grant_in_use` while one deploys to it."""
    require(principal, Role.ADMIN)
    with transaction.atomic():
        locked = _locked(grant.cloud)
        grant = _mine(principal, grant)
        if grant.accepted_at is not None:
            _refuse_if_used(locked, grant, named=True)
        record(principal, "cloud.decline", "cloud", grant.cloud_id, grant.cloud.name)
        grant.delete()


def taken_names(organization: Organization, except_cloud: uuid.UUID | None = None) -> set[str]:
    """Return the names by which an organization calls clouds already, its own and those it was given."""
    own = Cloud.objects.present().filter(organization=organization)
    given = Cloud.objects.present().filter(grants__organization=organization, grants__accepted_at__isnull=False)
    rows = [*own.values_list("pk", "name"), *given.values_list("pk", "name")]
    return {name for key, name in rows if key != except_cloud}


def _meant(organization: str, project: str) -> tuple[Organization | None, Project | None]:
    holder = Organization.objects.filter(slug=organization).first()
    if not project:
        return holder, None
    part = Project.objects.filter(organization__slug=organization, slug=project).first()
    # A project that does not exist makes the whole grant one that stands for nothing.
    return (holder, part) if part is not None else (None, None)


def _refuse_if_used(cloud: Cloud, grant: CloudGrant, *, named: bool) -> None:
    if grant.organization_id is None or grant.accepted_at is None:
        return
    rest = CloudGrant.objects.filter(cloud=cloud, organization=grant.organization_id, accepted_at__isnull=False)
    still = list(rest.exclude(pk=grant.pk).values_list("project_id", flat=True))
    using = [
        holding
        for holding in holdings.on(cloud)
        if holding.organization == grant.organization_id
        and (grant.project_id in (None, holding.project))
        and not (None in still or holding.project in still)
    ]
    if using:
        raise _in_use(cloud, grant, using, named)


def _in_use(cloud: Cloud, grant: CloudGrant, using: Iterable[holdings.Holding], named: bool) -> Fault:
    names = sorted(holding.name for holding in using)
    # Its owner learns how many there are, not what another organization calls them.
    extra = {"used_by": names[:100]} if named else {}
    return fault("cloud.grant_in_use", count=len(names), cloud=cloud.name, organization=str(grant), extra=extra)


def _owner(who: Actor, cloud: Cloud) -> None:
    if who.organization.pk != cloud.organization_id:
        raise fault("not_found")
    if isinstance(who, Principal):
        require(who, Role.ADMIN)


def _locked(cloud: Cloud) -> Cloud:
    row = Cloud.objects.present().select_for_update(of=("self",), no_key=True).filter(pk=cloud.pk).first()
    if row is None:
        raise fault("cloud.unknown", name=cloud.name)
    return row


def _mine(principal: Principal, grant: CloudGrant) -> CloudGrant:
    rows = CloudGrant.objects.visible_to(principal).select_related("cloud").select_for_update(of=("self",))
    found = rows.filter(pk=grant.pk).first()
    if found is None:
        raise fault("not_found")
    return found
