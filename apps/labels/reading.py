"""Which labels clouds carry now: what placement and mobility policies ask."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from apps.clouds.models import Cloud
from apps.labels.models import Label
from apps.labels.standing import NAMES, names_of, standing


def labels_of(clouds: Iterable[Cloud], now: datetime | None = None) -> dict[str, list[str]]:
    """Return the names of the labels that are in force, by the name of the cloud; clouds without any have []."""
    rows = list(clouds)
    found: dict[str, list[str]] = {cloud.name: [] for cloud in rows}
    names = {cloud.pk: cloud.name for cloud in rows}
    signed = Label.objects.filter(cloud__in=list(names), state="valid")
    for label in signed.select_related("cloud__organization", "cloud__credential", "run").prefetch_related(
        "run__evidence"
    ):
        if standing(label, now).in_force:
            found[names[label.cloud_id]] = names_of(label.level)
    return found


def wanted_label(policy: Mapping[str, Any]) -> str:
    """Return the label that a project's policy demands; "" when it demands none.

    ``require_label`` is true for the label of deployments, or a label's name.
    """
    value = policy.get("require_label")
    if value is True:
        return NAMES["deploy"]
    return value if isinstance(value, str) else ""


def has_label(cloud: Cloud, name: str, now: datetime | None = None) -> bool:
    """Tell whether a cloud carries a label now; mobility asks for "escale:mobility" of both ends of a move."""
    return name in labels_of([cloud], now)[cloud.name]
