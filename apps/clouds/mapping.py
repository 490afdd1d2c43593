"""Lay clouds out on the drawn world (static/world.svg): an equirectangular map, true to shape at 37 degrees."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, field

from apps.clouds.models import Cloud

WIDTH, HEIGHT = 288.0, 136.0
"""The map's size in its own units; it shows what lies between 80 degrees north and 56 south."""

_NORTH, _SQUEEZE = 80.0, 0.8
_NEAR = 5.5
"""Pins that are nearer than this would cover each other."""
_RING = 6
"""Up to so many stand around their place side by side; more become one pin that counts them."""


@dataclass
class Pin:
    """One cloud on the map, or several where they stand too close. ``x`` and ``y`` in the map's units."""

    x: float
    y: float
    clouds: list[Cloud] = field(default_factory=list)

    @property
    def cloud(self) -> Cloud:
        """Return the only cloud, or the first of several."""
        return self.clouds[0]

    @property
    def at(self) -> str:
        """Return where it stands as SVG's `transform`, which knows no comma of the page's language."""
        return f"translate({self.x:.1f} {self.y:.1f})"


def point(latitude: float, longitude: float) -> tuple[float, float]:
    """Return where a place is on the map; places beyond its edges stand at them."""
    x = (longitude + 180.0) * _SQUEEZE
    y = _NORTH - latitude
    return min(max(x, 4.0), WIDTH - 4.0), min(max(y, 4.0), HEIGHT - 4.0)


def pins(clouds: Iterable[Cloud]) -> list[Pin]:
    """Return the pins of all clouds whose place is known, from west to east, none upon another.

    Clouds of nearly one place stand in a ring around it, or share a pin when they are many.
    """
    groups: list[Pin] = []
    for cloud in clouds:
        if cloud.latitude is None or cloud.longitude is None:
            continue
        x, y = point(cloud.latitude, cloud.longitude)
        near = next((pin for pin in groups if math.hypot(pin.x - x, pin.y - y) < _NEAR), None)
        if near is None:
            groups.append(Pin(x, y, [cloud]))
        else:
            near.clouds.append(cloud)
    return sorted((pin for group in groups for pin in _spread(group)), key=lambda pin: (pin.x, pin.y))


def _spread(group: Pin) -> list[Pin]:
    count = len(group.clouds)
    if count == 1 or count > _RING:
        return [group]
    radius = _NEAR / (2 * math.sin(math.pi / count)) if count > 2 else _NEAR / 2
    spread = []
    for index, cloud in enumerate(group.clouds):
        angle = 2 * math.pi * index / count
        spread.append(Pin(group.x + radius * math.cos(angle), group.y + radius * math.sin(angle), [cloud]))
    return spread
