"""The regions of a drawing: its parts that go to different clouds, planned together or each by itself."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from engine.compose import Project as Drawing
from engine.realise.place import main_named
from engine.realise.regions import names


@dataclass(frozen=True, slots=True)
class Region:
    """One region; ``cloud`` is the name of the cloud that it is drawn for, empty when the drawing names none."""

    name: str
    title: str
    cloud: str


def regions_of(drawing: Drawing) -> list[Region]:
    """Return the regions in the order of the drawing; what is not one is left to the realiser's findings."""
    named = names(drawing)
    bodies: Mapping[str, Any] = drawing.extensions()["x-escale"]["regions"] if named else {}
    return [_region(name, bodies[name] if isinstance(bodies[name], Mapping) else {}) for name in named]


def cloud_of(drawing: Drawing, region: str) -> str:
    """Return the name of the cloud that a region is drawn for, or nothing; of no region: the main one of all of it."""
    if not region:
        return main_named(drawing)
    return next((found.cloud for found in regions_of(drawing) if found.name == region), "")


def _region(name: str, body: Mapping[str, Any]) -> Region:
    title, cloud = body.get("title"), body.get("cloud")
    return Region(name, title if isinstance(title, str) and title else name, cloud if isinstance(cloud, str) else "")
