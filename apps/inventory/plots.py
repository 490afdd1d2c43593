"""Lay out capacity plots: the geometry of areas and lines, for templates that draw them as SVG."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.utils.translation import gettext as _

WIDTH, HEIGHT = 600, 120
"""The coordinates that plots are laid out in; they are stretched to the room there is."""

_HEADROOM = 1.08


@dataclass(frozen=True, slots=True)
class Plot:
    """One measure over time: SVG points of what is used, reserved and there at all; empty when nothing is to draw."""

    key: str
    title: str
    unit: str
    used: str
    used_area: str
    reserved: str
    limit: str
    top: float
    now_used: float
    now_reserved: float
    now_total: float
    start: datetime | None
    end: datetime | None

    @property
    def now_free(self) -> float:
        """Return what is free now, in the plot's unit."""
        return max(0.0, self.now_total - self.now_used)

    @property
    def share(self) -> int:
        """Return how much of it is used now, in percent."""
        return round(100 * self.now_used / self.now_total) if self.now_total else 0


# Key, and what one of the plot's unit is in the samples' unit.
_MEASURES = (("cpu", "cpu_mhz", "cpu_used_mhz", "cpu_reserved_mhz", 1000.0),
             ("memory", "memory_mib", "memory_used_mib", "memory_reserved_mib", 1024.0),
             ("storage", "storage_gib", "storage_used_gib", "storage_reserved_gib", 1.0))  # fmt: skip


def plots(now: Mapping[str, Any] | None, history: Sequence[Mapping[str, Any]]) -> list[Plot]:
    """Return the plots of CPU (GHz), memory (GiB) and storage (GiB); none when the cloud was never read."""
    if now is None:
        return []
    titles = {"cpu": (_("CPU"), _("GHz")), "memory": (_("Memory"), _("GiB")), "storage": (_("Storage"), _("GiB"))}
    # Without a total (a cloud that sells machines tells of none) there is nothing to draw the use against.
    return [_plot(measure, *titles[measure[0]], now, history) for measure in _MEASURES if now[measure[1]]]


def _plot(
    measure: tuple[str, str, str, str, float], title: str, unit: str, now: Mapping[str, Any], history: Sequence[Any]
) -> Plot:
    key, total, used, reserved, scale = measure
    rows = list(history)
    if now.get("at") and (not rows or rows[-1]["at"] < now["at"]):
        rows.append(now)
    top = max([row[name] / scale for row in (*rows, now) for name in (total, used, reserved)] or [0.0]) * _HEADROOM
    top = top or 1.0

    def points(name: str) -> list[tuple[float, float]]:
        return [(_x(row["at"], rows), HEIGHT - HEIGHT * row[name] / scale / top) for row in rows]

    y = HEIGHT - HEIGHT * now[total] / scale / top
    line = points(used) if len(rows) > 1 else []
    promised = points(reserved) if len(rows) > 1 and any(row[reserved] for row in rows) else []
    area = [(line[0][0], float(HEIGHT)), *line, (line[-1][0], float(HEIGHT))] if line else []
    return Plot(
        key=key,
        title=title,
        unit=unit,
        used=_text(line),
        used_area=_text(area),
        reserved=_text(promised),
        limit=_text(points(total) if len(rows) > 1 else [(0.0, y), (float(WIDTH), y)]),
        top=top,
        now_used=now[used] / scale,
        now_reserved=now[reserved] / scale,
        now_total=now[total] / scale,
        start=rows[0]["at"] if rows else None,
        end=rows[-1]["at"] if rows else None,
    )


def _x(at: datetime, rows: Sequence[Mapping[str, Any]]) -> float:
    span = (rows[-1]["at"] - rows[0]["at"]).total_seconds()
    return WIDTH * (at - rows[0]["at"]).total_seconds() / span if span else 0.0


def _text(points: Sequence[tuple[float, float]]) -> str:
    return " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
