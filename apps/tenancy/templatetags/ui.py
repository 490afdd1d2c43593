"""Draw what every page is made of: icons, states, times, sizes, bars."""

from __future__ import annotations

import datetime
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from django import template
from django.forms import BoundField
from django.http import HttpRequest
from django.templatetags.static import static
from django.utils import formats, timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext, pgettext_lazy

from apps.tenancy.pages import Frame, frame_for

register = template.Library()

THEMES = ("light", "dark")


@register.simple_tag(takes_context=True)
def page_frame(context: template.Context) -> Frame | None:
    """Return what stands around the page for a signed-in member, else None."""
    request = context.get("request")
    return frame_for(request) if isinstance(request, HttpRequest) else None


@register.simple_tag(takes_context=True)
def theme(context: template.Context) -> str:
    """Return the theme that the reader has chosen, or nothing when the system decides."""
    request = context.get("request")
    chosen = request.COOKIES.get("theme", "") if isinstance(request, HttpRequest) else ""
    return chosen if chosen in THEMES else ""


@register.simple_tag
def icon(name: str, extra: str = "", label: str = "") -> SafeString:
    """Draw an icon of the sprite; without a label it is decoration."""
    return _drawn(name, extra, label)


@lru_cache(maxsize=2_048)  # a long list draws the same few icons again and again
def _drawn(name: str, extra: str, label: str) -> SafeString:
    source = static("icons.svg")
    if label:
        return format_html(
            '<svg class="icon {}" role="img" aria-label="{}"><use href="{}#{}"/></svg>', extra, label, source, name
        )
    return format_html('<svg class="icon {}" aria-hidden="true"><use href="{}#{}"/></svg>', extra, source, name)


# (tone, icon, label) by kind of thing and state. The icon is the shape that speaks beside the colour.
STATES: Mapping[str, Mapping[str, tuple[str, str, Any]]] = {
    "operation": {
        "planning": ("busy", "progress", pgettext_lazy("operation", "Planning")),
        "awaiting_approval": ("warning", "hand-stop", pgettext_lazy("operation", "Awaiting approval")),
        "queued": ("quiet", "clock", pgettext_lazy("operation", "Queued")),
        "running": ("busy", "loader-2 spin", pgettext_lazy("operation", "Running")),
        "cancelling": ("warning", "player-stop", pgettext_lazy("operation", "Stopping")),
        "reverting": ("warning", "arrow-back-up", pgettext_lazy("operation", "Undoing")),
        "succeeded": ("good", "circle-check", pgettext_lazy("operation", "Succeeded")),
        "failed": ("danger", "alert-octagon", pgettext_lazy("operation", "Failed")),
        "cancelled": ("quiet", "circle-minus", pgettext_lazy("operation", "Stopped")),
        "reverted": ("quiet", "arrow-back-up", pgettext_lazy("operation", "Undone")),
        "revert_failed": ("danger", "alert-octagon", pgettext_lazy("operation", "Undoing failed")),
    },
    "step": {
        "pending": ("quiet", "circle-dashed", pgettext_lazy("step", "Pending")),
        "ready": ("quiet", "circle-dot", pgettext_lazy("step", "Ready")),
        "running": ("busy", "loader-2 spin", pgettext_lazy("step", "Running")),
        "waiting": ("busy", "loader-2 spin", pgettext_lazy("step", "In progress")),
        "reverting": ("warning", "arrow-back-up", pgettext_lazy("step", "Undoing")),
        "succeeded": ("good", "circle-check", pgettext_lazy("step", "Done")),
        "failed": ("danger", "alert-octagon", pgettext_lazy("step", "Failed")),
        "skipped": ("quiet", "circle-minus", pgettext_lazy("step", "Skipped")),
        "blocked": ("quiet", "lock", pgettext_lazy("step", "Blocked")),
        "reverted": ("quiet", "arrow-back-up", pgettext_lazy("step", "Undone")),
        "revert_failed": ("danger", "alert-octagon", pgettext_lazy("step", "Undoing failed")),
        "parked": ("warning", "player-pause", pgettext_lazy("step", "Parked")),
    },
    "deployment": {
        "new": ("quiet", "circle-dashed", pgettext_lazy("deployment", "New")),
        "deploying": ("busy", "loader-2 spin", pgettext_lazy("deployment", "Deploying")),
        "running": ("good", "circle-check", pgettext_lazy("deployment", "Running")),
        "updating": ("busy", "loader-2 spin", pgettext_lazy("deployment", "Updating")),
        "failed": ("danger", "alert-octagon", pgettext_lazy("deployment", "Failed")),
        "destroying": ("warning", "trash", pgettext_lazy("deployment", "Destroying")),
        "destroyed": ("quiet", "archive", pgettext_lazy("deployment", "Destroyed")),
    },
    "resource": {
        "creating": ("busy", "loader-2 spin", pgettext_lazy("resource", "Creating")),
        "present": ("good", "check", pgettext_lazy("resource", "Present")),
        "running": ("good", "power", pgettext_lazy("resource", "On")),
        "stopped": ("quiet", "power", pgettext_lazy("resource", "Off")),
        "suspended": ("quiet", "player-pause", pgettext_lazy("resource", "Suspended")),
        "missing": ("danger", "alert-triangle", pgettext_lazy("resource", "Missing")),
    },
    "drift": {
        "unchecked": ("quiet", "circle-dashed", pgettext_lazy("drift", "Not compared yet")),
        "clean": ("good", "circle-check", pgettext_lazy("drift", "As drawn")),
        "drifted": ("warning", "alert-triangle", pgettext_lazy("drift", "Drifted")),
        "unknown": ("quiet", "cloud-off", pgettext_lazy("drift", "Not known")),
    },
    "difference": {
        "cpus": ("quiet", "cpu", pgettext_lazy("difference", "CPUs")),
        "memory": ("quiet", "server", pgettext_lazy("difference", "Memory")),
        "power": ("quiet", "power", pgettext_lazy("difference", "Power")),
        "name": ("quiet", "id", pgettext_lazy("difference", "Name")),
        "networks": ("quiet", "network", pgettext_lazy("difference", "Networks")),
        "disk": ("quiet", "disc", pgettext_lazy("difference", "Disk")),
        "size": ("quiet", "disc", pgettext_lazy("difference", "Size")),
        "data_disk": ("quiet", "disc", pgettext_lazy("difference", "Data disk")),
        "missing": ("danger", "alert-triangle", pgettext_lazy("difference", "Missing")),
    },
    "power": {
        "on": ("good", "power", pgettext_lazy("power", "On")),
        "off": ("quiet", "power", pgettext_lazy("power", "Off")),
        "suspended": ("warning", "player-pause", pgettext_lazy("power", "Suspended")),
    },
    "cloud": {
        "up": ("good", "circle-check", pgettext_lazy("cloud", "Reachable")),
        "down": ("danger", "cloud-off", pgettext_lazy("cloud", "Unreachable")),
        "unknown": ("quiet", "circle-dashed", pgettext_lazy("cloud", "Not probed yet")),
        "disabled": ("quiet", "player-pause", pgettext_lazy("cloud", "Disabled")),
    },
    "token": {
        "valid": ("good", "circle-check", pgettext_lazy("token", "Valid")),
        "expired": ("warning", "clock", pgettext_lazy("token", "Expired")),
        "revoked": ("quiet", "circle-x", pgettext_lazy("token", "Revoked")),
    },
    "change": {
        "create": ("good", "plus", pgettext_lazy("change", "Create")),
        "update": ("warning", "pencil", pgettext_lazy("change", "Update")),
        "replace": ("busy", "refresh", pgettext_lazy("change", "Replace")),
        "delete": ("danger", "minus", pgettext_lazy("change", "Delete")),
        "keep": ("quiet", "equal", pgettext_lazy("change", "Keep")),
    },
    "verdict": {
        "honoured": ("good", "check", pgettext_lazy("verdict", "Honoured")),
        "approximated": ("warning", "alert-triangle", pgettext_lazy("verdict", "Approximated")),
        "dropped": ("danger", "x", pgettext_lazy("verdict", "Dropped")),
    },
    "severity": {
        "error": ("danger", "circle-x", pgettext_lazy("severity", "Error")),
        "warning": ("warning", "alert-triangle", pgettext_lazy("severity", "Warning")),
        "info": ("quiet", "info-circle", pgettext_lazy("severity", "Note")),
    },
}
_UNKNOWN = ("quiet", "circle-dot")


def look(kind: str, state: str) -> tuple[str, str, str]:
    """Return tone, icon and label of a state; a state that is not known is shown by its own name."""
    tone, symbol, label = STATES[kind].get(state, (*_UNKNOWN, state))
    return tone, symbol, str(label)


@register.simple_tag
def state(kind: str, value: str, text: str = "") -> SafeString:
    """Draw a state as a badge with shape, word and colour."""
    tone, symbol, label = look(kind, value)
    name, _space, extra = symbol.partition(" ")
    return format_html('<span class="state state-{}">{}{}</span>', tone, icon(name, extra), text or label)


@register.simple_tag
def state_icon(kind: str, value: str) -> SafeString:
    """Draw a state as its shape alone, named for those who cannot see it."""
    tone, symbol, label = look(kind, value)
    name, _space, extra = symbol.partition(" ")
    return icon(name, f"mark-{tone} {extra}".strip(), label)


@register.simple_tag
def state_tone(kind: str, value: str) -> str:
    """Return the tone of a state, for a class name."""
    return look(kind, value)[0]


@register.simple_tag
def state_label(kind: str, value: str) -> str:
    """Return the word for a state."""
    return look(kind, value)[2]


@register.simple_tag
def state_looks(kind: str) -> dict[str, list[str]]:
    """Return every state of a kind as [tone, icon, label], for the script that follows an operation."""
    return {name: [tone, symbol, str(label)] for name, (tone, symbol, label) in STATES[kind].items()}


FLAVOURS = {
    "private": gettext_lazy("private vSphere"),
    "ovh": gettext_lazy("OVHcloud"),
    "ibm": gettext_lazy("IBM Cloud"),
    "vmc": gettext_lazy("VMware Cloud on AWS"),
    "evs": gettext_lazy("Amazon EVS"),
    "aws": gettext_lazy("Amazon Web Services"),
}
"""The clouds that have a hue of their own, by flavour, or by kind where a kind has no flavours."""


@register.simple_tag
def cloud_mark(cloud: Any, extra: str = "") -> SafeString:
    """Draw the mark of a cloud in the hue of its flavour."""
    own = cloud.flavour or cloud.kind
    flavour = own if own in FLAVOURS else ("fake" if cloud.kind == "fake" else "private")
    symbol = "server-2" if flavour == "private" else "cloud"
    return format_html('<span class="cloud-mark cloud-{} {}">{}</span>', flavour, extra, icon(symbol))


@register.filter
def flavour_name(cloud: Any) -> str:
    """Return what a cloud is, in words."""
    own = cloud.flavour or cloud.kind
    return str(FLAVOURS.get(own, own))


def short_age(moment: datetime.datetime, now: datetime.datetime | None = None) -> str:
    """Return how long ago something was, in one short phrase; a date after a month."""
    seconds = ((now or timezone.now()) - moment).total_seconds()
    if seconds < -5:
        return _("in %(time)s") % {"time": duration(-seconds)}
    if seconds < 45:
        return _("just now")
    if seconds < 3_600:
        minutes = max(1, round(seconds / 60))
        return ngettext("%(count)d min ago", "%(count)d min ago", minutes) % {"count": minutes}
    if seconds < 86_400:
        hours = round(seconds / 3_600)
        return ngettext("%(count)d h ago", "%(count)d h ago", hours) % {"count": hours}
    if seconds < 30 * 86_400:
        days = round(seconds / 86_400)
        return ngettext("%(count)d day ago", "%(count)d days ago", days) % {"count": days}
    return formats.date_format(timezone.localtime(moment), "DATE_FORMAT")


@register.filter
def ago(moment: datetime.datetime | str | None) -> SafeString | str:
    """Show a moment as its age, with the absolute time on hover."""
    if isinstance(moment, str):
        try:
            moment = datetime.datetime.fromisoformat(moment)
        except ValueError:
            return str(moment)
    if not moment:
        return "–"
    absolute = formats.date_format(timezone.localtime(moment), "DATETIME_FORMAT")
    return format_html(
        '<time datetime="{}" title="{}" data-ago>{}</time>', moment.isoformat(), absolute, short_age(moment)
    )


@register.filter
def clock(moment: datetime.datetime | None) -> SafeString | str:
    """Show the time of day to the second, with the date on hover."""
    if not moment:
        return "–"
    local = timezone.localtime(moment)
    return format_html(
        '<time datetime="{}" title="{}">{}</time>',
        moment.isoformat(),
        formats.date_format(local, "DATETIME_FORMAT"),
        local.strftime("%H:%M:%S"),
    )


@register.filter
def duration(seconds: float | None) -> str:
    """Show a length of time: 4 s, 3 min 12 s, 2 h 5 min."""
    if seconds is None:
        return "–"
    whole = max(0, int(seconds))
    if whole < 60:
        return _("%(s)d s") % {"s": whole}
    if whole < 3_600:
        return _("%(m)d min %(s)02d s") % {"m": whole // 60, "s": whole % 60}
    return _("%(h)d h %(m)02d min") % {"h": whole // 3_600, "m": whole % 3_600 // 60}


@register.filter
def gib(mib: float | None) -> str:
    """Show mebibytes as GiB, with one decimal below ten."""
    return _("%(size)s GiB") % {"size": number((mib or 0) / 1024)}


@register.filter
def in_gib(size_gib: float | None) -> str:
    """Show a number of GiB with its unit, with one decimal below ten."""
    return _("%(size)s GiB") % {"size": number(size_gib)}


@register.filter
def number(value: float | None) -> str:
    """Show a number for comparing: grouped thousands, one decimal below ten unless it is whole."""
    value = value or 0
    places = 0 if abs(value) >= 10 or value == int(value) else 1
    return formats.number_format(round(value, places), decimal_pos=places, use_l10n=True, force_grouping=True)


@register.filter
def file_size(size_bytes: int) -> str:
    """Show the size of a file in B, KiB or MiB."""
    if size_bytes < 1024:
        return _("%(size)d B") % {"size": size_bytes}
    if size_bytes < 1024 * 1024:
        return _("%(size)s KiB") % {"size": number(size_bytes / 1024)}
    return _("%(size)s MiB") % {"size": number(size_bytes / 1024 / 1024)}


@register.inclusion_tag("ui/_bar.html")
def bar(used: float, total: float, want: float = 0) -> dict[str, Any]:
    """Draw what is used, and what a plan would add, out of a total; decoration beside its numbers."""
    whole = max(float(total), 0.001)
    used_share = min(100.0, 100 * used / whole)
    want_share = min(100.0 - used_share, 100 * want / whole) if want else 0.0
    return {
        "used": f"{used_share:.2f}",
        "want": f"{want_share:.2f}",
        "tone": "over" if used + want > total else ("high" if used_share + want_share > 85 else "used"),
        "want_tone": "over" if used + want > total else "want",
    }


@register.inclusion_tag("ui/_field.html")
def field(bound: BoundField, hint: str = "") -> dict[str, Any]:
    """Draw a form field with its label, hint and errors, tied together for screen readers."""
    return {"field": bound, "hint": hint or bound.help_text}


@register.filter
def initials(name: str) -> str:
    """Return up to two letters that stand for a person."""
    words = [word for word in name.replace(".", " ").replace("-", " ").replace("_", " ").split() if word]
    return "".join(word[0] for word in words[:2]) or "?"


@register.filter
def get(mapping: Mapping[str, Any] | None, key: str) -> Any:
    """Return the item of a mapping by a key that only the template knows."""
    return (mapping or {}).get(key)


@register.simple_tag(takes_context=True)
def with_query(context: template.Context, **values: Any) -> str:
    """Return the current address with some parameters changed (None removes one) and the cursor forgotten."""
    request: HttpRequest = context["request"]
    query = request.GET.copy()
    query.pop("cursor", None)
    for name, value in values.items():
        query.pop(name, None)
        if value not in (None, ""):
            query[name] = str(value)
    return f"{request.path}?{query.urlencode()}" if query else request.path
