"""Writes of onboardings: look at chosen machines, draw them, and make a design and a plan of the drawing."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from django.db import transaction
from django.utils.translation import gettext as _

from apps.audit.services import record
from apps.blueprints.services import check_name, create_blueprint, project_name
from apps.clouds.models import Cloud
from apps.deployments import looking
from apps.deployments.adopting import require_adopter
from apps.deployments.models import Plan
from apps.deployments.planning import make_plan, name_fault, name_taken
from apps.onboarding.models import Onboarding
from apps.tenancy.access import Principal
from apps.tenancy.faults import fault
from apps.tenancy.models import Project
from engine import onboarding
from engine.found import FoundMachine


def draw(principal: Principal, *, project: Project, cloud: Cloud, name: str, machines: Sequence[str]) -> Onboarding:
    """Look at machines on their cloud now, draw those that can be adopted, and keep the drawing for review.

    ``machines``: identities. Nothing on the cloud is touched. Faults: ``not_found``, ``forbidden``, ``name.invalid``,
    ``deployment.name_taken``, ``onboarding.nothing``, ``onboarding.too_many``, ``cloud.not_ready``,
    ``plan.adopt_unsupported``.
    """
    require_adopter(principal, project, [cloud])
    check_name(name, "design")
    if name_taken(project, name):
        raise name_fault(project, name)
    ids = list(dict.fromkeys(identity.strip().lower() for identity in machines if identity.strip()))
    if len(ids) > onboarding.MAX_MACHINES:
        raise fault("onboarding.too_many", count=len(ids), limit=onboarding.MAX_MACHINES)
    found = looking.describe(cloud, ids) if ids else ()
    drawn = onboarding.draw(project_name(name), cloud.name, found)
    refused = [{"id": one.id, "name": one.name, "reason": one.reason} for one in drawn.refused]
    known = {one.id for one in found}
    gone = _("it is not on this cloud any more, or the cloud's user may not see it.")
    refused += [{"id": identity, "name": identity, "reason": gone} for identity in ids if identity not in known]
    if not drawn.names:
        first = f"{refused[0]['name']}: {refused[0]['reason']}" if refused else _("No machine was chosen.")
        raise fault("onboarding.nothing", first=first, extra={"refused": refused})
    with transaction.atomic():
        made = Onboarding.objects.create(
            project=project,
            cloud=cloud,
            name=name,
            text=drawn.text,
            machines=[_shown(one, drawn.names[one.id]) for one in _ordered(found, drawn.names)],
            refused=refused,
            warnings=list(drawn.warnings),
            created_by=principal.user,
        )
        record(
            principal,
            "onboarding.draw",
            "onboarding",
            str(made.id),
            name,
            {"cloud": cloud.name, "machines": len(drawn.names), "refused": len(refused)},
        )
    return made


def plan(principal: Principal, chosen: Onboarding) -> Plan:
    """Make a design of what was drawn, and plan it for the machines' cloud; return the plan, which only marks.

    Faults: as `draw`, ``onboarding.planned``, ``blueprint.name_taken``, ``deployment.name_taken``.
    """
    project, cloud = chosen.project, chosen.cloud
    require_adopter(principal, project, [cloud])
    with transaction.atomic():
        locked = Onboarding.objects.select_for_update(of=("self",)).get(pk=chosen.pk)
        if locked.version_id is not None:
            raise fault("onboarding.planned", name=chosen.name, extra={"plan": str(locked.plan_id or "")})
        blueprint = create_blueprint(
            principal,
            project,
            name=chosen.name,
            compose=chosen.text,
            description=_("Machines of %(cloud)s that run already.") % {"cloud": cloud.name},
            message=_("Drawn from %(count)d running machines") % {"count": len(chosen.machines)},
        )
        version = blueprint.versions.get()
        Onboarding.objects.filter(pk=chosen.pk).update(version=version)
    made = make_plan(principal, project=project, version=version, cloud=cloud, name=chosen.name)
    Onboarding.objects.filter(pk=chosen.pk).update(plan=made)
    return made


def discard(principal: Principal, chosen: Onboarding) -> None:
    """Forget a choice of machines; a design that was made of it stays."""
    require_adopter(principal, chosen.project, [chosen.cloud])
    with transaction.atomic():
        record(principal, "onboarding.discard", "onboarding", str(chosen.id), chosen.name, {})
        chosen.delete()


def _ordered(found: Iterable[FoundMachine], names: dict[str, str] | Any) -> list[FoundMachine]:
    by_id = {one.id: one for one in found if one.id in names}
    return [by_id[identity] for identity in names]


def _shown(one: FoundMachine, label: str) -> dict[str, Any]:
    return {
        "id": one.id,
        "label": label,
        "name": _clean(one.name),
        "folder": _clean(one.folder),
        "power": one.power,
        "cpus": one.cpus,
        "memory_mib": one.memory_mib,
        "disk_gib": round(sum(disk.size_mib for disk in one.disks) / 1024, 1),
        "networks": [_clean(network) for network in one.networks],
    }


def _clean(text: str) -> str:
    """Return a text that the database takes."""
    return text.replace("\0", "\ufffd").encode(errors="replace").decode()[:300]
