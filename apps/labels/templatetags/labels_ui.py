"""Show labels on the pages of other apps, and the states of runs, probes and labels everywhere."""

from __future__ import annotations

from typing import Any, cast

from django import template
from django.utils import formats
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, pgettext_lazy

from apps.clouds.models import Cloud
from apps.labels.models import Label
from apps.labels.standing import standing
from apps.tenancy.templatetags.ui import STATES
from connectors.probing import of_kind

register = template.Library()

_LOOKS: dict[str, dict[str, tuple[str, str, Any]]] = {}
_LOOKS["label"] = {
    "candidate": ("busy", "clock", pgettext_lazy("label", "Waits for a signature")),
    "valid": ("good", "shield-check", pgettext_lazy("label", "Labelled")),
    "expiring": ("warning", "shield-check", pgettext_lazy("label", "Labelled, ends soon")),
    "unconfirmed": ("warning", "shield-check", pgettext_lazy("label", "Labelled, not confirmed")),
    "lapsed": ("danger", "clock", pgettext_lazy("label", "Not confirmed for too long")),
    "expired": ("warning", "clock", pgettext_lazy("label", "Expired")),
    "suspended": ("warning", "player-pause", pgettext_lazy("label", "Suspended")),
    "broken": ("danger", "alert-octagon", pgettext_lazy("label", "Signature broken")),
    "lost": ("danger", "circle-x", pgettext_lazy("label", "Lost")),
    "withdrawn": ("quiet", "circle-minus", pgettext_lazy("label", "Withdrawn")),
    "replaced": ("quiet", "history", pgettext_lazy("label", "Replaced")),
    "none": ("quiet", "circle-dashed", pgettext_lazy("label", "No label")),
}
_LOOKS["conformance"] = {
    "running": ("busy", "loader-2 spin", pgettext_lazy("conformance", "Under way")),
    "passed": ("good", "circle-check", pgettext_lazy("conformance", "Passed")),
    "failed": ("danger", "circle-x", pgettext_lazy("conformance", "Failed")),
    "inconclusive": ("warning", "alert-triangle", pgettext_lazy("conformance", "Inconclusive")),
    "cancelled": ("quiet", "circle-minus", pgettext_lazy("conformance", "Cancelled")),
}
_LOOKS["probe"] = {
    "passed": ("good", "circle-check", pgettext_lazy("probe", "Passed")),
    "failed": ("danger", "circle-x", pgettext_lazy("probe", "Failed")),
    "advised": ("warning", "alert-triangle", pgettext_lazy("probe", "Failed, advisory")),
    "skipped": ("quiet", "circle-dashed", pgettext_lazy("probe", "Not tried")),
    "left_out": ("quiet", "circle-minus", pgettext_lazy("probe", "Not offered")),
    "error": ("warning", "cloud-off", pgettext_lazy("probe", "Not asked")),
}

cast("dict[str, Any]", STATES).update(_LOOKS)

LEVELS = {"deploy": gettext_lazy("deployments"), "mobility": gettext_lazy("deployments and moves")}
CAUSES = {
    "manual": gettext_lazy("started by hand"),
    "schedule": gettext_lazy("on schedule"),
    "renewal": gettext_lazy("before the label's end"),
    "sandbox": gettext_lazy("for the sandbox"),
}
_FACTS = {
    "product": gettext_lazy("Product"),
    "version": gettext_lazy("Version"),
    "build": gettext_lazy("Build"),
    "api_version": gettext_lazy("API version"),
    "clock_skew_s": gettext_lazy("Clock differs by"),
    "calls": gettext_lazy("Calls"),
    "median_ms": gettext_lazy("Median"),
    "p95_ms": gettext_lazy("One in twenty"),
    "slowest_ms": gettext_lazy("Slowest"),
    "ceiling_ms": gettext_lazy("Ceiling"),
    "held": gettext_lazy("Privileges held"),
    "asked": gettext_lazy("Privileges asked for"),
    "pools_closed": gettext_lazy("Pools closed"),
    "pools_open": gettext_lazy("Pools open"),
    "clusters": gettext_lazy("Clusters"),
    "hosts": gettext_lazy("Hosts"),
    "datastores": gettext_lazy("Datastores"),
    "networks": gettext_lazy("Networks"),
    "templates": gettext_lazy("Templates"),
    "container_host_templates": gettext_lazy("Templates for container hosts"),
    "policies": gettext_lazy("Policies"),
    "vsan_default": gettext_lazy("Default policy of vSAN"),
    "cluster": gettext_lazy("Cluster"),
    "datastore": gettext_lazy("Datastore"),
    "datastore_type": gettext_lazy("Type of datastore"),
    "resource_pool": gettext_lazy("Resource pool"),
    "folder": gettext_lazy("Folder"),
    "events": gettext_lazy("Events"),
    "creation_seen": gettext_lazy("Its making was told"),
    "start_seen": gettext_lazy("Its start was told"),
    "size_mib": gettext_lazy("File"),
    "upload_mib_s": gettext_lazy("Upload"),
    "download_mib_s": gettext_lazy("Download"),
    "floor_mib_s": gettext_lazy("Advised floor"),
    "below_floor": gettext_lazy("Below the advised floor"),
    "seconds": gettext_lazy("Took"),
    "left": gettext_lazy("Left on the cloud"),
}
_UNITS = {"_mib_s": "MiB/s", "_ms": "ms", "_mib": "MiB", "_s": "s"}


@register.simple_tag(takes_context=True)
def label_state(context: dict[str, Any], cloud: Cloud) -> dict[str, Any] | None:
    """Return the label of a cloud and where it stands, None without one; all of a page's clouds in one query."""
    request = context.get("request")
    known: dict[Any, dict[str, Any]] | None = getattr(request, "_labels", None)
    if known is None:
        known = {}
        rows = Label.objects.filter(state="valid", cloud__removed_at__isnull=True)
        frame = getattr(request, "_principal", None)
        if frame is not None:
            rows = Label.objects.visible_to(frame).filter(state="valid")
        for label in rows.select_related("cloud__organization", "cloud__credential", "run").prefetch_related(
            "run__evidence"
        ):
            known[label.cloud_id] = {"label": label, "state": standing(label).state}
        if request is not None:
            request._labels = known
    return known.get(cloud.pk)


@register.inclusion_tag("labels/_badge.html", takes_context=True)
def label_badge(context: dict[str, Any], cloud: Cloud) -> dict[str, Any]:
    """Draw a cloud's label, if it carries one."""
    return {"shown": label_state(context, cloud), "cloud": cloud}


@register.inclusion_tag("labels/_panel.html", takes_context=True)
def label_panel(context: dict[str, Any], cloud: Cloud) -> dict[str, Any]:
    """Show on a cloud's page what label it has, and the way to its runs."""
    rows = list(Label.objects.filter(cloud=cloud).shown().select_related("cloud__organization", "run")[:5])
    chosen = next((row for row in rows if row.state == "valid"), rows[0] if rows else None)
    offered = bool(of_kind(cloud.kind, cloud.flavour))
    state = standing(chosen).state if chosen else "none"
    return {"cloud": cloud, "label": chosen, "state": state, "offered": offered}


@register.filter
def level_name(level: str) -> str:
    """Return what a level stands for, in words."""
    return str(LEVELS.get(level, level))


@register.filter
def cause_name(cause: str) -> str:
    """Return why a run was made, in words."""
    return str(CAUSES.get(cause, cause))


@register.filter
def verdict_of(evidence: Any) -> str:
    """Return the state that a probe is shown in."""
    if evidence.left_out:
        return "left_out"
    return "advised" if evidence.verdict == "failed" and not evidence.required else str(evidence.verdict)


@register.filter
def fact_name(name: str) -> str:
    """Return what a fact is called; one that is not known by its own name."""
    return str(_FACTS.get(name, name.replace("_", " ")))


@register.filter
def fact_value(value: Any, name: str) -> str:
    """Return a fact with its unit, which its name ends with."""
    if isinstance(value, bool):
        return _("yes") if value else _("no")
    if not isinstance(value, int | float):
        return str(value)
    text = formats.number_format(value, use_l10n=True)
    if name == "seconds":
        return f"{text} s"
    return next((f"{text} {unit}" for ending, unit in _UNITS.items() if name.endswith(ending)), text)


@register.filter
def part_names(parts: tuple[str, ...]) -> str:
    """Return what of a cloud has changed, in words."""
    names = {
        "kind": _("its kind"),
        "flavour": _("its flavour"),
        "address": _("its address"),
        "user": _("the account"),
        "estate": _("the part of it that is used"),
        "instance_uuid": _("the instance that answers there"),
    }
    return ", ".join(names.get(part, part) for part in parts)
