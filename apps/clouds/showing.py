"""Show clouds to people: their health as a report, and to strangers no more than whether it answers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from django.utils import formats
from django.utils.dateparse import parse_datetime
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from apps.clouds import certificates, circuits, kinds
from apps.clouds.kinds import Words
from apps.clouds.models import Cloud
from apps.tenancy.access import Principal
from apps.tenancy.models import Role

SKEW_S = 30.0
"""From how much on a clock's difference is trouble; connectors warn from there."""
SLOW_MS = 2_000.0

LIMIT_NAMES: Mapping[str, Words] = {
    "machines": gettext_lazy("Machines"),
    "cpus": gettext_lazy("CPUs"),
    "memory_gib": gettext_lazy("Memory, GiB"),
    "disk_gib": gettext_lazy("Disk, GiB"),
}
"""What `limits.KINDS` bound, in words."""


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a health report. ``tone``: good, warning, danger or quiet; ``items``: (what, why) below it."""

    title: str
    tone: str
    value: str
    note: str = ""
    items: tuple[tuple[str, str], ...] = field(default=())


def health_for(principal: Principal, cloud: Cloud, circuit: Mapping[str, Any] | None = None) -> dict[str, Any] | None:
    """Return the last probe's answer as a principal may read it; see `health`."""
    inside = cloud.organization_id == principal.organization.pk
    return health(cloud, circuit, inside=inside, full=inside and principal.may(Role.ADMIN))


def health(
    cloud: Cloud, circuit: Mapping[str, Any] | None = None, *, inside: bool = True, full: bool = True
) -> dict[str, Any] | None:
    """Return the last probe's answer with the circuit's state, or None when there was none.

    ``inside`` False: for those that a cloud is shared with; ``full`` False: for those who do not administer it. Texts
    of the cloud's own trouble name its address and its user.
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
    elif not full and not shown.get("ok"):
        shown |= {"summary": _("It does not answer as it should; an administrator can see why."), "findings": []}
    return {**shown, "circuit": dict(circuit if circuit is not None else circuits.CLOSED)}


def report(cloud: Cloud) -> list[Line]:
    """Return what the last test found, a line each; empty when there was none that reached the cloud."""
    facts: Mapping[str, Any] = (cloud.health or {}).get("facts") or {}
    if not facts:
        return []
    lines = [_version(facts), _privileges(facts), _clock(facts), _latency(facts), _certificate(facts)]
    lines += [
        Line(title, "quiet", str(facts[name])[:200])
        for name, title in _others().items()
        if facts.get(name) not in (None, "")
    ]
    return [line for line in lines if line is not None]


def findings(cloud: Cloud) -> list[dict[str, Any]]:
    """Return what the last test found beside what the page says already: its summary, and the report's lines."""
    health: Mapping[str, Any] = cloud.health or {}
    lines = {"cloud.clock", "cloud.clock_skew", "cloud.permission", "cloud.certificate_expiring"}
    told = lines if report(cloud) else set()
    summary = health.get("summary") if not health.get("ok") else None
    found: list[dict[str, Any]] = health.get("findings") or []
    return [each for each in found if each.get("code") not in told and each.get("message") != summary]


def asked(cloud: Cloud) -> list[tuple[Words, str]]:
    """Return what the cloud's kind asks for beside its address and credential, as it was answered."""
    kind = kinds.find(cloud.kind)
    options = kind.options if kind is not None else ()
    return [(ask.label, str(cloud.options[ask.option])) for ask in options if cloud.options.get(ask.option)]


def _version(facts: Mapping[str, Any]) -> Line | None:
    product = str(facts.get("product") or "")
    if not product:
        return None
    version = " ".join(str(facts[name]) for name in ("product", "version") if facts.get(name))
    notes = []
    if facts.get("api_version"):
        notes.append(_("API %(version)s") % {"version": facts["api_version"]})
    if facts.get("build"):
        notes.append(_("build %(build)s") % {"build": facts["build"]})
    return Line(_("Version"), "good", version, " · ".join(notes))


def _privileges(facts: Mapping[str, Any]) -> Line | None:
    """Show what the user lacks: privileges with what each is for (vSphere), or the names of permissions (AWS)."""
    if "privileges_missing" in facts:
        missing, wanted = facts["privileges_missing"], int(facts.get("privileges_asked") or 0)
    elif "missing_permissions" in facts:
        missing, wanted = facts["missing_permissions"], 0
    else:
        return None
    if missing is None:
        return Line(_("Privileges"), "quiet", _("not told"), _("The cloud does not say what its user may do."))
    if not missing:
        text = _("all %(count)d that are needed") % {"count": wanted} if wanted else _("all that are needed")
        return Line(_("Privileges"), "good", text)
    count = len(missing)
    text = ngettext("%(count)d is missing", "%(count)d are missing", count) % {"count": count}
    note = _("Steps that need them will fail. Add them to the role of the cloud’s user.")
    return Line(_("Privileges"), "warning", text, note, tuple(_named(each) for each in missing))


def _named(each: Any) -> tuple[str, str]:
    if isinstance(each, Mapping):
        return str(each.get("name", "")), str(each.get("for", ""))
    return str(each), ""


def _clock(facts: Mapping[str, Any]) -> Line | None:
    skew = facts.get("clock_skew_s")
    if not isinstance(skew, int | float):
        return None
    text = _("%(seconds)s s apart") % {"seconds": _number(abs(skew))}
    if abs(skew) < SKEW_S:
        return Line(_("Clock"), "good", text)
    side = _("The cloud is ahead") if skew > 0 else _("The cloud is behind")
    return Line(_("Clock"), "warning", text, side + ". " + _("Let both sides take their time from the same servers."))


def _latency(facts: Mapping[str, Any]) -> Line | None:
    latency = facts.get("latency_ms")
    if not isinstance(latency, int | float):
        return None
    slow = latency >= SLOW_MS
    note = _("That is slow; plans and pages will wait for it.") if slow else ""
    return Line(_("Answers in"), "warning" if slow else "good", f"{_number(latency)} ms", note)


def _certificate(facts: Mapping[str, Any]) -> Line | None:
    found = facts.get("certificate")
    if not isinstance(found, Mapping):
        return None
    until = parse_datetime(str(found.get("valid_until", "")))
    if until is None:
        return None
    left = certificates.days_left(until)
    date = formats.date_format(until, "DATE_FORMAT")
    note = _("issued by %(issuer)s") % {"issuer": found.get("issuer", "-")}
    if left < 0:
        return Line(_("Certificate"), "danger", _("expired on %(date)s") % {"date": date}, note)
    text = ngettext("valid for %(count)d day, until %(date)s", "valid for %(count)d days, until %(date)s", left)
    tone = "warning" if left < certificates.SOON_DAYS else "good"
    return Line(_("Certificate"), tone, text % {"count": left, "date": date}, note)


def _others() -> dict[str, str]:
    return {
        "datacenter": _("Datacenter"),
        "account": _("Account"),
        "region": _("Region"),
        "arn": _("Signed in as"),
        "instance_uuid": _("Instance"),
    }


def _number(value: float) -> str:
    return str(formats.number_format(round(value, 1), decimal_pos=0 if value >= 10 else 1))
