"""What a cloud has and uses, now and before: a row every few minutes, fewer the older they are."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from django.db import connection
from django.utils import timezone

from apps.clouds.models import Cloud
from apps.clouds.reading import capacity as capacity_of
from apps.inventory.models import CapacitySample, Thing

EVERY = timedelta(minutes=5)

# (older than, one row per): a day whole, a quarter by the hour, then by the day for two years.
_THINNING = ((timedelta(days=1), "hour"), (timedelta(days=90), "day"))
_KEEP = timedelta(days=730)

FIELDS = (
    "machines", "cpu_mhz", "cpu_used_mhz", "cpu_reserved_mhz", "memory_mib", "memory_used_mib", "memory_reserved_mib",
    "storage_gib", "storage_used_gib", "storage_reserved_gib",
)  # fmt: skip


def sample(cloud: Cloud) -> CapacitySample | None:
    """Note what the cloud has and uses, unless that was done minutes ago or nothing new was read of it since."""
    read_at = cloud.inventory_at
    if read_at is None or timezone.now() - read_at > EVERY:
        return None
    last = CapacitySample.objects.filter(cloud=cloud).order_by("-at").values_list("at", flat=True).first()
    if last is not None and read_at - last < EVERY:
        return None
    sums = capacity_of(cloud)
    if sums is None:
        return None
    # In an own row by its time, so that two workers at once make one.
    row, _ = CapacitySample.objects.get_or_create(cloud=cloud, at=read_at, defaults=_figures(cloud, sums))
    return row


def _figures(cloud: Cloud, sums: dict[str, Any]) -> dict[str, Any]:
    reserved = {"cpu": 0, "memory": 0, "storage": 0.0}
    things = Thing.objects.filter(cloud=cloud, kind__in=("cluster", "datastore")).values_list("kind", "facts")
    for kind, facts in things:
        if kind == "cluster":
            reserved["cpu"] += int(facts.get("cpu_reserved_mhz") or 0)
            reserved["memory"] += int(facts.get("memory_reserved_mib") or 0)
        else:
            reserved["storage"] += float(facts.get("uncommitted_gib") or 0)
    return {
        "machines": sums["machines"],
        "cpu_mhz": sums["cpu_mhz"],
        "cpu_used_mhz": max(0, sums["cpu_mhz"] - sums["cpu_free_mhz"]),
        "cpu_reserved_mhz": reserved["cpu"],
        "memory_mib": sums["memory_mib"],
        "memory_used_mib": max(0, sums["memory_used_mib"]),
        "memory_reserved_mib": reserved["memory"],
        "storage_gib": sums["storage_gib"],
        "storage_used_gib": round(max(0.0, sums["storage_gib"] - sums["storage_free_gib"]), 1),
        "storage_reserved_gib": round(reserved["storage"], 1),
    }


def now(cloud: Cloud) -> dict[str, Any] | None:
    """Return what the cloud has and uses, with `at`; None when it was never read."""
    sums = capacity_of(cloud)
    if sums is None:
        return None
    return {"at": sums["read_at"], **_figures(cloud, sums)}


def history(cloud: Cloud, since: datetime, points: int = 400) -> list[dict[str, Any]]:
    """Return the samples since a time, the oldest first, evenly thinned to at most so many."""
    step = (timezone.now() - since) / points
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT DISTINCT ON (bucket) at, {', '.join(FIELDS)} FROM ("  # noqa: S608 - constants
            " SELECT *, floor(extract(epoch FROM at) / greatest(%s, 1)) AS bucket FROM inventory_capacitysample"
            " WHERE cloud_id = %s AND at >= %s) s ORDER BY bucket, at DESC",
            [step.total_seconds(), cloud.pk, since],
        )
        names = ["at", *FIELDS]
        return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]


def thin_out() -> int:
    """Delete samples that are denser than their age deserves; return how many."""
    deleted = 0
    at = timezone.now()
    with connection.cursor() as cursor:
        for age, unit in _THINNING:
            cursor.execute(
                "DELETE FROM inventory_capacitysample s USING inventory_capacitysample later"
                " WHERE s.at < %s AND later.cloud_id = s.cloud_id AND later.at > s.at"
                " AND date_trunc(%s, later.at) = date_trunc(%s, s.at)",
                [at - age, unit, unit],
            )
            deleted += cursor.rowcount
        cursor.execute("DELETE FROM inventory_capacitysample WHERE at < %s", [at - _KEEP])
        return int(deleted + cursor.rowcount)
