"""Convert plain values to the types that the reference's structs have, with its rules of what is left out.

compose-go decodes with mapstructure and prints with encoding/json: empty values vanish (`omitempty`), texts become
numbers where a number is wanted, numbers become texts, sizes are printed as text, durations in Go's notation. A
converter gives the value to print, or None for nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from engine.compose.gotext import go_text
from engine.compose.quantities import (
    float32,
    format_duration,
    go_int64,
    parse_bool,
    parse_duration_ns,
    parse_float,
    parse_int,
    parse_size_bytes,
    plain_number,
)
from engine.compose.report import Refusal
from engine.compose.scalars import INT64_MAX, INT64_MIN
from engine.compose.shortforms import split_command

Converter = Callable[[Any], Any]


def wrong_type(wanted: str, value: Any) -> Refusal:
    """Refuse a value because the field needs something else."""
    shown = go_text(value)
    shown = shown if len(shown) <= 60 else shown[:57] + "..."
    return Refusal(
        "compose.value.type", f"`{shown}` is not {wanted} - this field takes nothing else - correct the value."
    )


_NOTHING = object()


class Struct:
    """Decode a mapping with known fields, in the order in which the reference prints them."""

    def __init__(self, fields: dict[str, Converter], *, names: dict[str, str] | None = None, **always: Any) -> None:
        self._fields = tuple(
            (key, (names or {}).get(key, key), convert, always.get(key, _NOTHING)) for key, convert in fields.items()
        )

    def __call__(self, value: Any) -> dict[str, Any]:
        """Give the fields that are not empty, and those that are always printed."""
        if value.__class__ is not dict:
            raise wrong_type("a mapping", value)
        decoded: dict[str, Any] = {}
        get = value.get
        for key, name, convert, default in self._fields:
            item = get(key)
            if item is not None:
                try:
                    item = convert(item)
                except Refusal as refusal:
                    raise refusal.below(key) from None
                if item is not None:
                    decoded[name] = item
                    continue
            if default is not _NOTHING:
                decoded[name] = default.copy() if default.__class__ is dict else default
        return decoded


def string(value: Any) -> str | None:
    """Take a text; whole numbers are written out; the empty text vanishes."""
    if value.__class__ is str:
        return value or None
    if value.__class__ is int and value <= INT64_MAX:
        return str(value)
    if isinstance(value, str):
        return str(value)
    raise wrong_type("text", value)


def kept_string(value: Any) -> str:
    """Take a text that stays even when it is empty, as an element of a list."""
    return string(value) or ""


def pointer_bool(value: Any) -> bool:
    """Take a truth value; false is printed too."""
    if value is True or value is False:
        return bool(value)
    if value.__class__ is str:
        try:
            return parse_bool(value)
        except ValueError:
            pass
    raise wrong_type("true or false", value)


def boolean(value: Any) -> bool | None:
    """Take a truth value; false vanishes."""
    return pointer_bool(value) or None


def pointer_int(value: Any) -> int:
    """Take an integer of 64 bits; fractions are cut off; zero is printed too."""
    kind = value.__class__
    if kind is int:
        return int(value) if value <= INT64_MAX else value - 2**64
    if kind is float:
        return go_int64(value)
    if kind is str:
        try:
            return parse_int(value)
        except ValueError:
            pass
    raise wrong_type("a whole number", value)


def integer(value: Any) -> int | None:
    """Take an integer; zero vanishes."""
    return pointer_int(value) or None


def pointer_unsigned(value: Any) -> int:
    """Take a whole number that is not negative; texts are refused, as the reference does."""
    kind = value.__class__
    if kind is int and value >= 0:
        return int(value)
    if kind is float and value >= 0:
        return go_int64(value) if value < 2.0**63 else min(int(value), 2**64 - 1)
    raise wrong_type("a whole number from 0 on", value)


def unsigned(bits: int = 64) -> Converter:
    """Take a whole number of some bits; what is above is cut off; zero vanishes."""
    mask = (1 << bits) - 1
    return lambda value: pointer_unsigned(value) & mask or None


def number32(value: Any) -> int | float | None:
    """Take a number of 32 bits; zero vanishes."""
    kind = value.__class__
    if kind is int or kind is float:
        number = float32(float(value))
    elif kind is str:
        try:
            number = float32(parse_float(value))
        except ValueError:
            raise wrong_type("a number", value) from None
    else:
        raise wrong_type("a number", value)
    if not -3.5e38 < number < 3.5e38:
        raise wrong_type("a number that can be written down", value)
    return plain_number(number) or None


def size(value: Any) -> str | None:
    """Take a size like `512M` or a number of bytes; it is printed as text; zero vanishes."""
    kind = value.__class__
    if kind is int:
        if value > INT64_MAX:
            return None
        bytes_ = value
    elif kind is str:
        try:
            bytes_ = parse_size_bytes(value)
        except ValueError as error:
            raise Refusal(
                "compose.value.size",
                f"`{value[:60]}` is {error} - sizes are written like `512M` or `1.5GiB` - correct it.",
            ) from None
    else:
        return None  # the reference ignores fractions of bytes
    return str(bytes_) if bytes_ else None


def duration_ns(value: Any) -> int:
    """Take a duration like `1m30s`, in nanoseconds."""
    text = go_text(value)
    try:
        return parse_duration_ns(text)
    except ValueError as error:
        raise Refusal(
            "compose.value.duration",
            f"`{text[:60]}` is {error} - durations are written like `30s` or `1m30s` - correct it.",
        ) from None


def pointer_duration(value: Any) -> str:
    """Take a duration; zero is printed too."""
    return format_duration(duration_ns(value))


def duration(value: Any) -> str | None:
    """Take a duration; zero vanishes."""
    nanoseconds = duration_ns(value)
    return format_duration(nanoseconds) if nanoseconds else None


def command(value: Any) -> list[str] | None:
    """Take a command as a line or as words; an empty one is printed as `[]`."""
    if value.__class__ is str:
        return split_command(value)
    if value.__class__ is list:
        for index, word in enumerate(value):
            if word.__class__ is not str:
                raise wrong_type("text", word).below(index)
        return value
    return None


def listed(convert: Converter) -> Converter:
    """Take a list; an empty one vanishes."""

    def decode(value: Any) -> list[Any] | None:
        if value.__class__ is not list:
            raise wrong_type("a list", value)
        decoded = []
        for index, item in enumerate(value):
            try:
                decoded.append(convert(item))
            except Refusal as refusal:
                raise refusal.below(index) from None
        return decoded or None

    return decode


strings = listed(lambda value: "" if value is None else kept_string(value))


def string_or_strings(value: Any) -> list[str] | None:
    """Take one text or a list of texts."""
    if value.__class__ is str:
        return [value]
    if value.__class__ is not list:
        raise wrong_type("text or a list of texts", value)
    for index, item in enumerate(value):
        if item.__class__ is not str:
            raise wrong_type("text", item).below(index)
    return value or None


def string_or_number_list(value: Any) -> list[str] | None:
    """Take a list of texts or numbers, printed as texts."""
    if value.__class__ is str:
        return [value]
    if value.__class__ is not list:
        raise wrong_type("a list", value)
    return [go_text(item) for item in value] or None


def mapped(convert: Converter, *, none: Any = None) -> Converter:
    """Take a mapping of anything of one kind, printed in the order of its keys; an empty one vanishes."""

    def decode(value: Any) -> dict[str, Any] | None:
        if value.__class__ is not dict:
            raise wrong_type("a mapping", value)
        decoded = {}
        for key in sorted(value):
            item = value[key]
            try:
                decoded[key] = none if item is None else convert(item)
            except Refusal as refusal:
                raise refusal.below(key) from None
        return decoded or None

    return decode


def _sorted_mapping(mapping: dict[str, Any]) -> dict[str, Any]:
    return {key: mapping[key] for key in sorted(mapping)} if len(mapping) > 1 else mapping


def variables(value: Any) -> dict[str, str | None] | None:
    """Take variables as a mapping or as a list of `KEY=value`; a key alone has no value."""
    decoded: dict[str, str | None]
    if value.__class__ is dict:
        decoded = {key: item if item.__class__ is str or item is None else go_text(item) for key, item in value.items()}
    elif value.__class__ is list:
        decoded = {}
        for index, item in enumerate(value):
            key, equals, text = (item if item.__class__ is str else go_text(item)).partition("=")
            if key and key.encode()[-1] in _SPACES:
                raise Refusal(
                    "compose.value.variable",
                    f"The variable `{key[:60]}` has a space before its `=` - the space would belong to the name -"
                    " remove it.",
                    (index,),
                )
            decoded[key] = text if equals else None
    else:
        raise wrong_type("a mapping or a list of `KEY=value`", value)
    return _sorted_mapping(decoded) or None


_SPACES = frozenset(b"\t\n\v\f\r \x85\xa0")


def labels(value: Any) -> dict[str, str] | None:
    """Take labels as a mapping or as a list of `key=value`; nothing is the empty text."""
    decoded: dict[str, str]
    if value.__class__ is dict:
        decoded = {
            key: item if item.__class__ is str else "" if item is None else go_text(item) for key, item in value.items()
        }
    elif value.__class__ is list:
        decoded = {}
        for item in value:
            key, _, text = (item if item.__class__ is str else go_text(item)).partition("=")
            decoded[key] = text
    else:
        raise wrong_type("a mapping or a list of `key=value`", value)
    return _sorted_mapping(decoded) or None


def options(value: Any) -> dict[str, str] | None:
    """Take options as a mapping; nothing is the empty text."""
    if value.__class__ is not dict:
        raise wrong_type("a mapping", value)
    return labels(value)


def multi_options(value: Any) -> dict[str, list[str]] | None:
    """Take options that may be repeated."""
    if value.__class__ is not dict:
        raise wrong_type("a mapping", value)
    decoded = {}
    for key in sorted(value):
        item = value[key]
        if item.__class__ is list:
            if item:
                decoded[key] = [go_text(element) for element in item]
        else:
            decoded[key] = [go_text(item)]
    return decoded or None


def hosts(value: Any) -> list[str] | None:
    """Take extra hosts as a mapping or as a list of `host=ip` or `host:ip`, printed as a sorted list."""
    addresses: dict[str, list[str]] = {}
    if value.__class__ is dict:
        for host, item in value.items():
            if item is None or isinstance(item, str):
                addresses[host] = [item or ""]
            elif item.__class__ is list:
                addresses[host] = [go_text(element) for element in item]
            else:
                raise wrong_type("an address or a list of addresses", item).below(host)
    elif value.__class__ is list:
        for index, item in enumerate(value):
            text = go_text(item)
            separator = "=" if "=" in text else ":"
            host, found, rest = text.partition(separator)
            if not found:
                raise Refusal(
                    "compose.value.host",
                    f"The host `{text[:60]}` has no address - write `{text[:60]}=10.0.0.5`.",
                    (index,),
                )
            addresses.setdefault(host, []).extend(rest.split(","))
    else:
        raise wrong_type("a mapping or a list of `host=address`", value)
    decoded = []
    for host, items in addresses.items():
        if not host or ":" in host or "=" in host:
            raise Refusal("compose.value.host", f"`{host[:60]}` is no host name - write `host=address`.")
        for item in items:
            if len(item) > 2 and item[0] == "[" and item[-1] == "]":
                item = item[1:-1]
            decoded.append(f"{host}={item}")
    return sorted(decoded) if value else None


def file_mode(value: Any) -> str:
    """Take the permissions of a file, a number or text of octal digits; printed as octal text."""
    if value.__class__ is int and value <= INT64_MAX:
        mode = value
    elif value.__class__ is str:
        digits = value[1:] if value[:1] in ("+", "-") else value
        if not digits or set(digits) - set("01234567") or len(digits) > 21:
            raise wrong_type("a file mode in octal digits", value)
        mode = int(value, 8)
        if not INT64_MIN <= mode <= INT64_MAX:
            raise wrong_type("a file mode in octal digits", value)
    else:
        raise wrong_type("a file mode in octal digits", value)
    return f"0{mode:o}"


def ulimit(value: Any) -> Any:
    """Take one limit, or a soft and a hard one."""
    if value.__class__ is int:
        return value or {}
    if value.__class__ is not dict:
        raise wrong_type("a whole number or a mapping with `soft` and `hard`", value)
    decoded = {}
    for key in ("soft", "hard"):
        if key in value:
            if value[key].__class__ is not int:
                raise wrong_type("a whole number", value[key]).below(key)
            if value[key]:
                decoded[key] = value[key]
    return decoded


def device_count(value: Any) -> int | None:
    """Take a number of devices; `all` is -1; zero vanishes."""
    if value.__class__ is int:
        return value or None
    if value.__class__ is str:
        if value.lower() == "all":
            return -1
        try:
            return parse_int(value) or None
        except ValueError:
            pass
    raise wrong_type("`all` or a whole number", value)


def ssh_keys(value: Any) -> list[str] | None:
    """Take the SSH keys of a build, printed as `id` or `id=path`."""
    if value.__class__ is not dict:
        raise wrong_type("a mapping", value)
    return [key if value[key] in (None, "") else f"{key}={go_text(value[key])}" for key in sorted(value)] or None
