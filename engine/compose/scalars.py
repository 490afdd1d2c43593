"""Read YAML scalars the way go-yaml v3 does, which is what the reference implementation uses.

That is YAML 1.2's core schema plus a few habits of 1.1: `0777` is octal, `1_000` is a number, `yes` is a string,
`2001-01-01` is a date. Source of the rules: go.yaml.in/yaml/v3 v3.0.4, `resolve.go`.
"""

from __future__ import annotations

import base64
import binascii
import calendar
import re
from typing import Any

from engine.compose.report import Refusal

INT64_MAX = 2**63 - 1
INT64_MIN = -(2**63)
UINT64_MAX = 2**64 - 1

_WORDS: dict[str, Any] = {
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
    **dict.fromkeys(("", "~", "null", "Null", "NULL"), None),
    **dict.fromkeys((".nan", ".NaN", ".NAN"), float("nan")),
    **dict.fromkeys((".inf", ".Inf", ".INF", "+.inf", "+.Inf", "+.INF"), float("inf")),
    **dict.fromkeys(("-.inf", "-.Inf", "-.INF"), float("-inf")),
}
PLAIN_TEXT_UNLESS = frozenset("0123456789+-.~nNtTfF")
"""First characters of plain scalars that may be something else than text (the empty scalar aside)."""

_INT = re.compile(r"([+-]?)(?:0[xX]([0-9a-fA-F]+)|0[bB]([01]+)|0[oO]?([0-7]+)|(0|[1-9][0-9]*))")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_POINT_FLOAT = re.compile(r"\.[0-9](_?[0-9])*([eE][-+]?[0-9](_?[0-9])*)?")
_DATE = re.compile(
    r"(?P<year>\d{4})-(?P<month>\d{1,2})-(?P<day>\d{1,2})"
    r"(?:(?:[Tt](?P<h>\d{1,2}):(?P<m>\d{1,2}):(?P<s>\d{1,2})(?P<f>[.,]\d+)?(?P<zone>Z|[+-]\d\d:\d\d))"
    r"|(?: (?P<h2>\d{1,2}):(?P<m2>\d{1,2}):(?P<s2>\d{1,2})(?P<f2>[.,]\d+)?))?",
    re.ASCII,
)
_MAX_DIGITS = 400  # more digits than any float has: such a "number" stays text, as in the reference


class Timestamp(str):
    """Hold a date or time as RFC 3339 text; the specification allows dates in `x-` extensions only."""

    __slots__ = ()


def resolve_plain(text: str) -> Any:
    """Give the value of an untagged plain scalar: text, bool, int, float, `Timestamp` or None."""
    if text in _WORDS:
        return _WORDS[text]
    first = text[0]
    if first not in PLAIN_TEXT_UNLESS:
        return text
    if first == ".":
        return _float(text, _POINT_FLOAT, text)
    if first in "0123456789+-":
        stamp = _timestamp(text)
        return _number(text) if stamp is None else stamp
    return text


def resolve_tagged(tag: str, text: str) -> Any:
    """Give the value of a scalar with an explicit tag; unknown tags leave the text as it is."""
    kind = tag.removeprefix("tag:yaml.org,2002:")
    if kind == tag or kind not in ("str", "binary", "bool", "int", "float", "null", "timestamp"):
        return text
    if kind == "str":
        return text
    if kind == "binary":
        return _binary(text)
    value = resolve_plain(text) if kind == "timestamp" or _timestamp(text) is None else _number(text)
    if kind == "float" and isinstance(value, int) and not isinstance(value, bool) and value <= INT64_MAX:
        return float(value)
    if _kind_of(value) != kind:
        raise Refusal(
            "compose.yaml.tag",
            f"`{_shortened(text)}` is tagged `!!{kind}` but is not one - remove the tag or correct the value.",
        )
    return value


def _kind_of(value: Any) -> str:
    if value is None:
        return "null"
    if isinstance(value, Timestamp):
        return "timestamp"
    return {bool: "bool", int: "int", float: "float", str: "str"}[type(value)]


def _binary(text: str) -> str:
    try:
        data = base64.b64decode(text.replace("\n", "").replace("\r", ""), validate=True)
    except (binascii.Error, ValueError):
        raise Refusal(
            "compose.yaml.tag", "A `!!binary` value is not valid base64 - encode it again or drop the tag."
        ) from None
    if b"\0" in data:
        raise Refusal(
            "compose.text.nul",
            "A `!!binary` value holds the character NUL - no container, file or database takes it - use a file.",
        )
    return data.decode(errors="replace")


def _number(text: str) -> Any:
    plain = text.replace("_", "")
    match = _INT.fullmatch(plain) if len(plain) < _MAX_DIGITS else None
    if match:
        sign, hexadecimal, binary, octal, decimal = match.groups()
        if hexadecimal:
            value = int(hexadecimal, 16)
        elif binary:
            value = int(binary, 2)
        elif octal:
            value = int(octal, 8)
        else:
            value = int(decimal)
        if sign == "-":
            value = -value
        if INT64_MIN <= value <= INT64_MAX or (not sign and value <= UINT64_MAX):
            return value
    return _float(plain, _FLOAT, text)


def _float(plain: str, pattern: re.Pattern[str], text: str) -> Any:
    if not pattern.fullmatch(plain):
        return text
    value = float(plain)
    return text if value in (float("inf"), float("-inf")) else value


def _timestamp(text: str) -> Timestamp | None:
    if len(text) < 8 or text[4] != "-":
        return None
    match = _DATE.fullmatch(text)
    if not match:
        return None
    year, month, day = int(match["year"]), int(match["month"]), int(match["day"])
    if not 1 <= month <= 12 or not 1 <= day <= _days(year, month):
        return None
    hour, minute, second = (int(match[name] or match[name + "2"] or 0) for name in "hms")
    if hour > 23 or minute > 59 or second > 59:
        return None
    fraction = (match["f"] or match["f2"] or "")[1:10].rstrip("0")
    zone = match["zone"] or "Z"
    if zone != "Z":
        if int(zone[1:3]) > 24 or int(zone[4:6]) > 59:
            return None
        zone = "Z" if zone[1:] == "00:00" else zone
    clock = f"{hour:02}:{minute:02}:{second:02}" + (f".{fraction}" if fraction else "")
    return Timestamp(f"{year:04}-{month:02}-{day:02}T{clock}{zone}")


def _days(year: int, month: int) -> int:
    if month == 2:
        return 29 if calendar.isleap(year) else 28
    return 30 if month in (4, 6, 9, 11) else 31


def _shortened(text: str) -> str:
    return text if len(text) <= 40 else text[:37] + "..."
