"""Show deployments on the pages of other apps."""

from __future__ import annotations

from typing import Any

from django import template
from django.db.models import Q
from django.utils.translation import gettext_lazy

from apps.blueprints.models import Blueprint
from apps.clouds.models import Cloud
from apps.deployments.across import live_parts_on
from apps.deployments.models import Deployment
from apps.tenancy.access import principal_for

register = template.Library()

SHOWN = 8
KINDS = {
    "machine": gettext_lazy("machine"),
    "volume": gettext_lazy("data disk"),
    "network": gettext_lazy("network"),
    "folder": gettext_lazy("folder"),
    "firewall": gettext_lazy("firewall"),
    "balancer": gettext_lazy("balancer"),
}


@register.simple_tag
def kind_name(kind: str) -> str:
    """Return the word for a kind of resource."""
    return str(KINDS.get(kind, kind))


@register.inclusion_tag("deployments/_short.html", takes_context=True)
def deployments_of(context: template.Context, blueprint: Blueprint) -> dict[str, Any]:
    """List the deployments that came from a design and still exist."""
    return _short(context, version__blueprint=blueprint)


@register.inclusion_tag("deployments/_short.html", takes_context=True)
def deployments_on(context: template.Context, cloud: Cloud) -> dict[str, Any]:
    """List the deployments that live on a cloud, as far as the reader may see them."""
    return _short(context, cloud=cloud)


def _short(context: template.Context, **lookup: Any) -> dict[str, Any]:
    cloud = lookup.pop("cloud", None)
    rows = Deployment.objects.visible_to(principal_for(context["request"])).whole().filter(**lookup)
    if cloud is not None:
        rows = rows.filter(Q(cloud=cloud) | Q(pk__in=live_parts_on(cloud)))
    found = list(rows.exclude(state="destroyed").select_related("cloud", "version")[: SHOWN + 1])
    return {"rows": found[:SHOWN], "more": len(found) > SHOWN, "cloud": cloud}
