"""Write values as Go's `fmt.Sprint` does: the text that a number or truth value becomes in a label or variable."""

from __future__ import annotations

import math
from typing import Any

from engine.compose.scalars import Timestamp


def go_text(value: Any) -> str:
    """Give the text of a scalar or of a nested value (`map[a:1 b:2]`, `[1 2]`)."""
    if value.__class__ is str:
        return str(value)
    if value is True:
        return "true"
    if value is False:
        return "false"
    if value is None:
        return "<nil>"
    if isinstance(value, float):
        return go_float(value)
    if isinstance(value, Timestamp):
        return _timestamp(value)
    if isinstance(value, dict):
        return "map[" + " ".join(f"{key}:{go_text(value[key])}" for key in sorted(value)) + "]"
    if isinstance(value, list):
        return "[" + " ".join(go_text(item) for item in value) + "]"
    return str(value)


def go_float(value: float) -> str:
    """Write a float as `%v`: shortest digits, an exponent from 1e+06 on and below 1e-04."""
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "+Inf" if value > 0 else "-Inf"
    digits, exponent = digits_and_exponent(value)
    if -4 <= exponent < 6:
        return positional(value, digits, exponent)
    return scientific(value, digits, exponent)


def digits_and_exponent(value: float) -> tuple[str, int]:
    """Give the shortest significant digits and the decimal exponent of the first one."""
    if value == 0:
        return "0", 0
    mantissa, exponent = f"{abs(value)!r}", 0
    if "e" in mantissa:
        mantissa, _, power = mantissa.partition("e")
        exponent = int(power)
    whole, _, fraction = mantissa.partition(".")
    digits = whole + fraction
    exponent += len(whole) - 1
    stripped = digits.lstrip("0")
    exponent -= len(digits) - len(stripped)
    return stripped.rstrip("0") or "0", exponent


def positional(value: float, digits: str, exponent: int) -> str:
    """Write digits without an exponent."""
    sign = "-" if math.copysign(1, value) < 0 else ""
    if exponent < 0:
        return f"{sign}0.{'0' * (-exponent - 1)}{digits}"
    whole = digits[: exponent + 1].ljust(exponent + 1, "0")
    fraction = digits[exponent + 1 :]
    return f"{sign}{whole}.{fraction}" if fraction else f"{sign}{whole}"


def scientific(value: float, digits: str, exponent: int, *, pad: int = 2) -> str:
    """Write digits with an exponent of at least `pad` figures."""
    sign = "-" if math.copysign(1, value) < 0 else ""
    mantissa = digits[0] + ("." + digits[1:] if len(digits) > 1 else "")
    return f"{sign}{mantissa}e{'-' if exponent < 0 else '+'}{abs(exponent):0{pad}d}"


def _timestamp(value: Timestamp) -> str:
    date, _, clock = value.partition("T")
    clock = clock.removesuffix("Z")
    if clock[-6:-5] in ("+", "-"):
        zone = clock[-6:].replace(":", "")
        return f"{date} {clock[:-6]} {zone} {zone}"
    return f"{date} {clock} +0000 UTC"
