"""Put counts and lists into words, as the texts of plans and findings do."""

from __future__ import annotations

from collections.abc import Sequence


def counted(number: float, noun: str) -> str:
    """Return a number with its noun, which takes an "s" for all numbers but one."""
    shown = f"{number:g}" if isinstance(number, float) else str(number)
    return f"{shown} {noun}" if number == 1 else f"{shown} {noun}s"


def listed(names: Sequence[str], most: int) -> str:
    """Return the first names in a row, and how many more there are."""
    return ", ".join(names[:most]) + (f" and {len(names) - most} more" if len(names) > most else "")
