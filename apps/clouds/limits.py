"""Bound what the portal puts on a cloud: pure arithmetic over requirements as `engine.plan.Requirements` gives them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

KINDS = ("machines", "cpus", "memory_gib", "disk_gib")
"""What can be limited, in whole units."""

MIB = 1024


@dataclass(frozen=True, slots=True)
class Excess:
    """One limit that would be passed. Figures are in the limit's unit; memory may have decimals."""

    kind: str
    limit: float
    held: float
    wanted: float

    def to_json(self) -> dict[str, Any]:
        """Return it as plain data."""
        return {"kind": self.kind, "limit": self.limit, "held": self.held, "wanted": self.wanted}


def amounts(requirements: Mapping[str, Any]) -> dict[str, float]:
    """Return requirements ({machines, cpus, memory_mib, disk_gib}) in the units of limits."""
    return {
        "machines": float(requirements.get("machines") or 0),
        "cpus": float(requirements.get("cpus") or 0),
        "memory_gib": round(float(requirements.get("memory_mib") or 0) / MIB, 3),
        "disk_gib": float(requirements.get("disk_gib") or 0),
    }


def larger(one: Mapping[str, Any], other: Mapping[str, Any]) -> dict[str, float]:
    """Return the larger of two requirements, each figure by itself: what exists while one becomes the other."""
    names = ("machines", "cpus", "memory_mib", "disk_gib")
    return {name: max(float(one.get(name) or 0), float(other.get(name) or 0)) for name in names}


def total(requirements: Iterable[Mapping[str, Any]]) -> dict[str, float]:
    """Return the sums in the units of limits."""
    sums = dict.fromkeys(KINDS, 0.0)
    for each in requirements:
        for kind, amount in amounts(each).items():
            sums[kind] = round(sums[kind] + amount, 3)
    return sums


def exceeded(
    limits: Mapping[str, Any],
    held: Iterable[Mapping[str, Any]],
    wanted: Mapping[str, Any],
    before: Mapping[str, Any] | None = None,
) -> list[Excess]:
    """Return the limits that a plan would pass. ``held``: what others hold; ``before``: what it holds itself now.

    A plan that needs no more of a thing than it holds already is let through, so that what was put there before a
    limit was lowered can still be changed and made smaller.
    """
    sums, needs, own = total(held), amounts(wanted), amounts(before or {})
    found = []
    for kind in KINDS:
        limit = limits.get(kind)
        if limit is None or needs[kind] <= own[kind]:
            continue
        if sums[kind] + needs[kind] > float(limit):
            found.append(Excess(kind, float(limit), sums[kind], needs[kind]))
    return found
