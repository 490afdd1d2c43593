"""Two ways out of drift: write what the cloud has into the drawing, or plan what puts the drawing's values back."""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from typing import Any

from django.utils.translation import gettext as _

from apps.blueprints.models import BlueprintVersion
from apps.blueprints.services import save_version
from apps.deployments.drifting import look
from apps.deployments.models import Deployment, Plan
from apps.deployments.planning import make_plan
from apps.tenancy.access import Principal, require
from apps.tenancy.faults import fault
from apps.tenancy.models import Role
from engine import drift

_CONTEXT = 3


@dataclass(frozen=True, slots=True)
class Rewriting:
    """The drawing with what the cloud has, and the version that was made of it, if it was kept."""

    base: BlueprintVersion
    written: drift.Written
    version: BlueprintVersion | None = None

    @property
    def diff(self) -> str:
        """Return what changes in the text, as a unified diff."""
        names = f"v{self.base.number}", f"v{self.version.number}" if self.version else _("as on the cloud")
        old, new = self.base.text.splitlines(), self.written.text.splitlines()
        return "\n".join(difflib.unified_diff(old, new, *names, n=_CONTEXT, lineterm=""))

    def to_json(self) -> dict[str, Any]:
        """Return it as `WriteBackSerializer` shows it."""
        return {
            "base_version": self.base.number,
            "diff": self.diff,
            "compose": self.written.text,
            "written": [one.to_json() for one in self.written.made],
            "left": [{**one.to_json(), "writable": False, "why_not": why} for one, why in self.written.left],
            "version": self.version.number if self.version else None,
        }


def write_back(
    principal: Principal, deployment: Deployment, *, keep: bool, base_version: int | None = None
) -> Rewriting:
    """Write what the cloud has into the deployment's drawing where it can say that; ``keep``: as a new version.

    The text is that of the design's latest version, so that nothing which was drawn since is lost; ``base_version``
    is the one that a preview was made from. Faults: ``forbidden``, ``deployment.*``, ``cloud.*``, ``drift.nothing``
    (there is nothing that a drawing could say), ``blueprint.version_conflict``.
    """
    require(principal, Role.ARCHITECT, deployment.project)
    seen = look(deployment)
    latest = deployment.version.blueprint.versions.order_by("-number").first()
    assert latest is not None
    written = drift.write_back(latest.text, seen.differences, deployment.version.text)
    made = Rewriting(latest, written)
    if not keep:
        return made
    if not written.made or written.text == latest.text:
        raise fault("drift.nothing", name=deployment.name)
    version = save_version(
        principal,
        deployment.version.blueprint,
        compose=written.text,
        message=_("Written back from %(name)s") % {"name": deployment.name},
        base_version=base_version or latest.number,
    )
    return Rewriting(latest, written, version)


def restore(principal: Principal, deployment: Deployment) -> Plan:
    """Plan what puts the deployed drawing's values back, those included that an update would leave alone.

    Nothing is touched until the plan is started. Faults: as ``make_plan``.
    """
    require(principal, Role.ARCHITECT, deployment.project)
    return make_plan(
        principal,
        project=deployment.project,
        version=deployment.version,
        cloud=deployment.cloud,
        deployment=deployment,
        restore=True,
    )
