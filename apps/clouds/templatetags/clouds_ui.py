"""Show clouds on the pages of other apps."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from django import template
from django.utils import formats
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _

from apps.clouds.kinds import Kind
from apps.clouds.models import Cloud
from apps.clouds.showing import LIMIT_NAMES, health_for
from apps.tenancy.access import principal_for
from apps.tenancy.templatetags.ui import FLAVOURS, cloud_mark, icon, look

register = template.Library()


@register.filter
def cloud_state(cloud: Cloud) -> str:
    """Return how a cloud is, as one word of the states of clouds."""
    if not cloud.enabled:
        return "disabled"
    if not cloud.health:
        return "unknown"
    return "up" if cloud.health.get("ok") else "down"


_TONES = {"good": "circle-check", "warning": "alert-triangle", "danger": "alert-octagon", "quiet": "info-circle"}


@register.simple_tag
def cloud_hue(cloud: Cloud) -> str:
    """Return the class that gives a cloud its hue."""
    own = cloud.flavour or cloud.kind
    return f"cloud-{own}" if own in FLAVOURS else ("cloud-fake" if cloud.kind == "fake" else "cloud-private")


@register.simple_tag
def kind_mark(kind: Kind, flavour: str, extra: str = "") -> SafeString:
    """Draw the mark that clouds of a kind and flavour will bear."""
    return cloud_mark(Cloud(kind=kind.name, flavour=flavour), extra)


@register.simple_tag
def state_word(kind: str, value: str) -> str:
    """Return a state's word alone."""
    return str(look(kind, value)[2])


@register.simple_tag
def tone_icon(tone: str) -> SafeString:
    """Draw how a line of a report is, named for those who cannot see it."""
    names = {"good": _("good"), "warning": _("warning"), "danger": _("bad"), "quiet": _("for information")}
    return icon(_TONES[tone], f"mark-{tone}", names[tone])


@register.simple_tag
def limit_name(kind: str) -> str:
    """Return what a limit bounds, in words."""
    return str(LIMIT_NAMES[kind])


@register.filter
def fingerprint(digits: str) -> str:
    """Return a fingerprint as people compare it: pairs, with colons."""
    return ":".join(digits[at : at + 2] for at in range(0, len(digits), 2)).upper()


@register.filter
def unlocalized(number: float) -> str:
    """Return a number as SVG and addresses want it, whatever the page's language."""
    return f"{number:g}"


@register.inclusion_tag("clouds/_badge.html")
def cloud_badge(cloud: Cloud) -> dict[str, Any]:
    """Draw a cloud's mark and name, leading to its page."""
    return {"cloud": cloud}


@register.simple_tag(takes_context=True)
def why_down(context: template.Context, cloud: Cloud) -> str:
    """Return what is wrong with a cloud, as far as the reader may know it."""
    return str((health_for(principal_for(context["request"]), cloud) or {}).get("summary", ""))


@register.simple_tag
def money(amount: str | None, currency: str) -> str:
    """Write an amount of money as the language does: two decimals, and more only where the price list has them."""
    value = Decimal(amount or "0")
    places = max(2, -int(value.as_tuple().exponent))
    shown = formats.number_format(value, decimal_pos=places, use_l10n=True, force_grouping=True)
    return _("%(amount)s %(currency)s") % {"amount": shown, "currency": currency}


@register.filter
def minus(one: float, other: float) -> float:
    """Return the difference: what is used of what there is."""
    return (one or 0) - (other or 0)


@register.filter
def cores_used(room: dict[str, Any]) -> float:
    """Return how many cores' worth of CPU is used, from the megahertz."""
    if not room["cpu_mhz"]:
        return 0.0
    return float(room["cpus"]) * (room["cpu_mhz"] - room["cpu_free_mhz"]) / float(room["cpu_mhz"])
