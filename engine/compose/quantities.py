"""Read and write numbers, durations and sizes exactly as the reference's Go code does."""

from __future__ import annotations

import math
import re
import struct
from functools import lru_cache

from engine.compose.scalars import INT64_MAX, INT64_MIN

_INTEGER = re.compile(r"[+-]?[0-9]+")
_DIGITS = "[0-9](?:_?[0-9])*"
_DECIMAL = re.compile(rf"[+-]?({_DIGITS}(\.({_DIGITS})?)?|\.{_DIGITS})([eE][+-]?{_DIGITS})?")
_HEX_FLOAT = re.compile(r"[+-]?0[xX][0-9a-fA-F_]*(\.[0-9a-fA-F_]*)?[pP][+-]?[0-9]+")
_MAX_DIGITS = 400
_TRUE = frozenset(("true", "y", "yes", "on"))
_FALSE = frozenset(("false", "n", "no", "off"))
_NS_PER = {
    "ns": 1,
    "us": 1_000,
    "µs": 1_000,
    "μs": 1_000,
    "ms": 1_000_000,
    "s": 1_000_000_000,
    "m": 60 * 1_000_000_000,
    "h": 3600 * 1_000_000_000,
    "d": 24 * 3600 * 1_000_000_000,
    "w": 168 * 3600 * 1_000_000_000,
}
_BYTES_PER = {"k": 2**10, "m": 2**20, "g": 2**30, "t": 2**40, "p": 2**50}
_DURATION_PART = re.compile(r"([0-9]*)(?:(\.)([0-9]*))?([^.0-9]*)")


def parse_int(text: str) -> int:
    """Read a decimal integer of 64 bits; ValueError says in words what is wrong."""
    if not _INTEGER.fullmatch(text) or len(text) > _MAX_DIGITS:
        raise ValueError("not an integer")
    value = int(text)
    if not INT64_MIN <= value <= INT64_MAX:
        raise ValueError("an integer out of range")
    return value


def parse_bool(text: str) -> bool:
    """Read a truth value, YAML 1.1's words included."""
    word = text.lower()
    if word in _TRUE:
        return True
    if word in _FALSE:
        return False
    raise ValueError("neither true nor false")


def parse_float(text: str) -> float:
    """Read a number as Go's strconv.ParseFloat does."""
    word = text.lower()
    sign = word[:1] if word[:1] in ("+", "-") else ""
    bare = word[len(sign) :]
    if bare in ("inf", "infinity"):
        return -math.inf if sign == "-" else math.inf
    if bare == "nan" and not sign:
        return math.nan
    if len(text) > _MAX_DIGITS:
        raise ValueError("not a number")
    if _HEX_FLOAT.fullmatch(text):
        try:
            return float.fromhex(text.replace("_", ""))
        except (ValueError, OverflowError):
            raise ValueError("not a number") from None
    if not _DECIMAL.fullmatch(text):
        raise ValueError("not a number")
    value = float(text)
    if math.isinf(value):
        raise ValueError("a number out of range")
    return value


def parse_float32(text: str) -> float:
    """Read a number and round it to 32 bits."""
    return float32(parse_float(text))


@lru_cache(maxsize=4096)
def float32(value: float) -> float:
    """Round to 32 bits and give the shortest decimal that means it, which is what Go prints."""
    try:
        packed = struct.pack("<f", value)
    except OverflowError:
        return math.copysign(math.inf, value)
    rounded: float = struct.unpack("<f", packed)[0]
    if not math.isfinite(rounded):
        return rounded
    for digits in range(1, 10):
        short = float(f"{rounded:.{digits}g}")
        if struct.pack("<f", short) == packed:
            return short
    return rounded


def plain_number(value: float) -> int | float:
    """Give an integral float as an int, as JSON writes it; others unchanged."""
    return int(value) if value.is_integer() and abs(value) < 1e21 and (value or math.copysign(1, value) > 0) else value


@lru_cache(maxsize=4096)
def parse_duration_ns(text: str) -> int:
    """Read `1h30m`, `1.5s`, `2d` or `1w` as nanoseconds.

    Source: github.com/xhit/go-str2duration/v2 v2.1.0.
    """
    rest = text
    negative = rest[:1] == "-"
    if rest[:1] in ("-", "+"):
        rest = rest[1:]
    if rest == "0":
        return 0
    if not rest:
        raise ValueError("not a duration")
    total = 0
    while rest:
        match = _DURATION_PART.match(rest)
        if match is None:
            raise ValueError("not a duration")
        whole, point, fraction, unit = match.groups()
        if not whole and not fraction:
            raise ValueError("not a duration")
        if not unit:
            raise ValueError("a duration without a unit")
        if unit not in _NS_PER:
            raise ValueError(f"a duration with the unknown unit `{unit}`")
        scale = _NS_PER[unit]
        value = int(whole[:_MAX_DIGITS] or 0)
        if value > INT64_MAX // scale:
            raise ValueError("a duration out of range")
        value *= scale
        if point and fraction:
            digits = _fraction_digits(fraction)
            if digits:
                value += int(float(int(digits)) * (float(scale) / float(10 ** len(digits))))
        total += value
        if total > INT64_MAX:
            raise ValueError("a duration out of range")
        rest = rest[match.end() :]
    return -total if negative else total


def _fraction_digits(fraction: str) -> str:
    """Keep the digits that fit into 63 bits, as the reference does."""
    value = 0
    for index, digit in enumerate(fraction):
        if value > INT64_MAX // 10 or value * 10 + int(digit) > INT64_MAX:
            return fraction[:index]
        value = value * 10 + int(digit)
    return fraction


@lru_cache(maxsize=4096)
def format_duration(duration_ns: int) -> str:
    """Write nanoseconds as Go's time.Duration does: `1m30s`, `1.5ms`, `0s`."""
    if duration_ns == 0:
        return "0s"
    sign = "-" if duration_ns < 0 else ""
    left = abs(duration_ns)
    if left < 1_000_000_000:
        for unit, scale in (("ns", 1), ("µs", 1_000), ("ms", 1_000_000)):
            if left < scale * 1000:
                return f"{sign}{_decimal(left, scale)}{unit}"
    minutes, seconds_ns = divmod(left, 60 * 1_000_000_000)
    hours, minutes = divmod(minutes, 60)
    text = f"{hours}h" if hours else ""
    if hours or minutes:
        text += f"{minutes}m"
    return f"{sign}{text}{_decimal(seconds_ns, 1_000_000_000)}s"


def _decimal(value: int, scale: int) -> str:
    whole, fraction = divmod(value, scale)
    if not fraction:
        return str(whole)
    digits = len(str(scale)) - 1
    return f"{whole}.{fraction:0{digits}d}".rstrip("0")


@lru_cache(maxsize=4096)
def parse_size_bytes(text: str) -> int:
    """Read `512M`, `1.5 GiB` or `1024` as bytes; units are powers of 1024.

    Source: github.com/docker/go-units v0.5.0, `RAMInBytes`.
    """
    separator = max(text.rfind(character) for character in "0123456789. ")
    if separator < 0:
        raise ValueError("not a size")
    number, suffix = text[: separator + 1], text[separator + 1 :]
    if text[separator] == " ":
        number = text[:separator]
    size = parse_float(number)
    if size < 0:
        raise ValueError("a negative size")
    if suffix:
        if len(suffix.encode()) > 3:
            raise ValueError(f"a size with the unknown unit `{suffix}`")
        unit = suffix.lower()
        if unit[0] == "b":
            if len(unit) > 1:
                raise ValueError(f"a size with the unknown unit `{suffix}`")
        elif unit[0] not in _BYTES_PER or unit[1:] not in ("", "b", "ib"):
            raise ValueError(f"a size with the unknown unit `{suffix}`")
        else:
            size *= float(_BYTES_PER[unit[0]])
    return go_int64(size)


def go_int64(value: float) -> int:
    """Convert a float to an integer as Go does on amd64: what does not fit becomes the smallest integer."""
    if math.isnan(value) or not -(2.0**63) <= value < 2.0**63:
        return INT64_MIN
    return int(value)
