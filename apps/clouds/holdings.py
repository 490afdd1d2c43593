"""Know what is held on a cloud, as the apps above tell it: for limits, for sharing, for removal."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from apps.clouds import limits
from apps.clouds.models import Cloud


@dataclass(frozen=True, slots=True)
class Holding:
    """What one deployment has on a cloud, or may have by the time its operation ends.

    ``requirements``: {machines, cpus, memory_mib, disk_gib}.
    """

    deployment: uuid.UUID
    project: uuid.UUID
    organization: uuid.UUID
    name: str
    requirements: Mapping[str, Any]


Finder = Callable[[Cloud], list[Holding]]

_finders: list[Finder] = []


def register_holdings(find: Finder) -> None:
    """Let an app above tell what is held: `find(cloud)` returns it for every deployment that is not gone."""
    if find not in _finders:
        _finders.append(find)


def on(cloud: Cloud) -> list[Holding]:
    """Return all that is held on a cloud, by whomever."""
    return [holding for find in _finders for holding in find(cloud)]


def used(cloud: Cloud) -> list[dict[str, Any]]:
    """Return the limits of a cloud with what is held of each: {kind, limit, held}; limit None where there is none."""
    held = limits.total(holding.requirements for holding in on(cloud))
    return [{"kind": kind, "limit": cloud.limits.get(kind), "held": held[kind]} for kind in limits.KINDS]
