"""Write JSON byte for byte as Go's `json.MarshalIndent` does."""

from __future__ import annotations

import math
import re
from typing import Any

from engine.compose.gotext import digits_and_exponent, positional, scientific

_ESCAPED = re.compile('[\x00-\x1f"\\\\<>&\u2028\u2029\ud800-\udfff]')
_SHORT = {'"': '\\"', "\\": "\\\\", "\b": "\\b", "\f": "\\f", "\n": "\\n", "\r": "\\r", "\t": "\\t"}


def _escape(match: re.Match[str]) -> str:
    character = match.group()
    if "\ud800" <= character <= "\udfff":
        return "\\ufffd"
    return _SHORT.get(character) or f"\\u{ord(character):04x}"


def go_json(value: Any) -> str:
    """Write a value with two spaces of indentation; mappings keep their order."""
    parts: list[str] = []
    _write(value, "\n", parts)
    return "".join(parts)


def _quoted(text: str) -> str:
    return f'"{_ESCAPED.sub(_escape, text)}"'


def _write(value: Any, line: str, parts: list[str]) -> None:
    if value.__class__ is str:
        parts.append(_quoted(value))
    elif value.__class__ is dict:
        if not value:
            parts.append("{}")
            return
        inner = line + "  "
        separator = "{" + inner
        for key, item in value.items():
            parts.append(f"{separator}{_quoted(key)}: ")
            _write(item, inner, parts)
            separator = "," + inner
        parts.append(line + "}")
    elif value.__class__ is list:
        if not value:
            parts.append("[]")
            return
        inner = line + "  "
        separator = "[" + inner
        for item in value:
            parts.append(separator)
            _write(item, inner, parts)
            separator = "," + inner
        parts.append(line + "]")
    elif value is None:
        parts.append("null")
    elif value is True or value is False:
        parts.append("true" if value else "false")
    elif isinstance(value, float):
        parts.append(_number(value))
    elif isinstance(value, str):
        parts.append(_quoted(str(value)))
    else:
        parts.append(str(value))


def _number(value: float) -> str:
    if not math.isfinite(value):
        raise ValueError("JSON has no infinity and no not-a-number")
    digits, exponent = digits_and_exponent(value)
    if value and (abs(value) < 1e-6 or abs(value) >= 1e21):
        return scientific(value, digits, exponent, pad=1 if exponent < 0 else 2)
    return positional(value, digits, exponent)
