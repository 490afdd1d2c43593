"""Compute what a desired state costs a month, from a cloud's price list: exact decimals, no floats."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

HOURS_A_MONTH = 730
"""Hours of an average month (8,760 / 12): what clouds that bill by the hour reckon with."""

_CENT = Decimal("0.01")
_HOURLY = Decimal("0.0001")
_LINES = (
    ("cpu", "cpus", 1, "cpu", "cpu_month"),
    ("memory", "memory_mib", 1024, "GiB", "memory_gib_month"),
    ("disk", "disk_gib", 1, "GiB", "disk_gib_month"),
)
RATES = tuple(rate for *_, rate in _LINES)
"""The rates of a price list: of one CPU, one GiB of memory and one GiB of disk for a month."""


def price(
    requirements: Mapping[str, Any], prices: Mapping[str, Any], before: Mapping[str, Any] | None = None
) -> dict[str, Any] | None:
    """Return what ``requirements`` (``engine.plan.Requirements.to_json``) cost; None without a price list.

    ``{currency, monthly, hourly, monthly_before, lines: [{what, quantity, unit, rate, monthly}], note}``: amounts are
    decimal texts, lines are rounded to cents and add up to ``monthly``. ``before``: the requirements of what exists,
    for ``monthly_before``; None when nothing exists.
    """
    if not prices:
        return None
    lines = [_line(requirements, prices, *line) for line in _LINES]
    monthly = sum((Decimal(line["monthly"]) for line in lines), Decimal(0))
    earlier = None
    if before is not None:
        earlier = sum((Decimal(_line(before, prices, *line)["monthly"]) for line in _LINES), Decimal(0))
    return {
        "currency": prices["currency"],
        "monthly": _text(monthly, _CENT),
        "hourly": _text(monthly / HOURS_A_MONTH, _HOURLY),
        "monthly_before": None if earlier is None else _text(earlier, _CENT),
        "lines": lines,
        "note": prices.get("note", ""),
    }


def needed(specs: Mapping[str, Mapping[str, Any]]) -> dict[str, int]:
    """Return the requirements of resources in their JSON form, by key: what has been applied, for ``before``."""
    # An adopted machine runs and is paid for already, wherever that is reckoned: no deployment made it.
    machines = [spec for spec in specs.values() if spec.get("kind") == "machine" and not spec.get("adopted")]
    volumes = sum(int(spec.get("size_gib") or 0) for spec in specs.values() if spec.get("kind") == "volume")
    return {
        "machines": len(machines),
        "cpus": sum(int(machine.get("cpus") or 0) for machine in machines),
        "memory_mib": sum(int(machine.get("memory_mib") or 0) for machine in machines),
        "disk_gib": volumes + sum(int(machine.get("system_disk_gib") or 0) for machine in machines),
    }


def _line(
    requirements: Mapping[str, Any], prices: Mapping[str, Any], what: str, need: str, divisor: int, unit: str, rate: str
) -> dict[str, Any]:
    quantity = Decimal(int(requirements.get(need) or 0)) / divisor
    each = Decimal(str(prices.get(rate, 0)))
    whole = quantity == quantity.to_integral_value()
    return {
        "what": what,
        "quantity": int(quantity) if whole else float(quantity),
        "unit": unit,
        "rate": format(each, "f"),
        "monthly": _text(quantity * each, _CENT),
    }


def _text(amount: Decimal, step: Decimal) -> str:
    return format(amount.quantize(step, rounding=ROUND_HALF_UP), "f")
