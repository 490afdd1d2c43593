"""Show clouds to people: their health as a report, and to strangers no more than whether it answers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.utils.translation import gettext as _

from apps.clouds import circuits
from apps.clouds.models import Cloud


def health(cloud: Cloud, circuit: Mapping[str, Any] | None = None, *, inside: bool = True) -> dict[str, Any] | None:
    """Return the last probe's answer with the circuit's state, or None when there was none.

    ``inside`` False: for those that a cloud is shared with. Texts of the cloud's own name its address and its user.
    """
    if not cloud.health:
        return None
    shown = {**cloud.health, "checked_at": cloud.health_at}
    if not inside:
        well = bool(shown.get("ok"))
        shown |= {
            "summary": _("It answers.") if well else _("It does not answer as it should; its owner can see why."),
            "facts": {},
            "findings": [],
        }
    return {**shown, "circuit": dict(circuit if circuit is not None else circuits.CLOSED)}
