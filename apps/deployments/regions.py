"""The regions of a drawing: its parts that go to different clouds, each of which is a deployment of its own."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from engine.compose import Project as Drawing


@dataclass(frozen=True, slots=True)
class Region:
    """One region; ``cloud`` is the name of the cloud that it is drawn for, empty when the drawing names none."""

    name: str
    title: str
    cloud: str


def regions_of(drawing: Drawing) -> list[Region]:
    """Return the regions in the order of the drawing; what is not one is left to the realiser's findings."""
    top = drawing.extensions().get("x-escale")
    found: Any = top.get("regions") if isinstance(top, Mapping) else None
    if not isinstance(found, Mapping):
        return []
    return [_region(str(name), body if isinstance(body, Mapping) else {}) for name, body in found.items()]


def cloud_of(drawing: Drawing, region: str) -> str:
    """Return the name of the cloud that a region is drawn for, or nothing."""
    return next((found.cloud for found in regions_of(drawing) if found.name == region), "")


def _region(name: str, body: Mapping[str, Any]) -> Region:
    title, cloud = body.get("title"), body.get("cloud")
    return Region(name, title if isinstance(title, str) and title else name, cloud if isinstance(cloud, str) else "")
