"""Show clouds on the pages of other apps."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from django import template
from django.utils import formats
from django.utils.translation import gettext as _

from apps.clouds.models import Cloud
from apps.clouds.services import capacity

register = template.Library()


@register.filter
def cloud_state(cloud: Cloud) -> str:
    """Return how a cloud is, as one word of the states of clouds."""
    if not cloud.enabled:
        return "disabled"
    if not cloud.health:
        return "unknown"
    return "up" if cloud.health.get("ok") else "down"


@register.inclusion_tag("clouds/_badge.html")
def cloud_badge(cloud: Cloud) -> dict[str, Any]:
    """Draw a cloud's mark and name, leading to its page."""
    return {"cloud": cloud}


@register.simple_tag
def room_of(cloud: Cloud) -> dict[str, Any] | None:
    """Return the sums of what a cloud has and what is free, or None when it was never read."""
    return capacity(cloud)


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
