"""Read `.env` files the way the reference does.

Source of the rules: compose-go v2.9.1 `dotenv/parser.go`. The text comes from the caller; nothing is read from disk.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

from engine.compose.interpolation import Interpolator
from engine.compose.report import Refusal

Lookup = Callable[[str], str | None]

_ESCAPE = re.compile(r'\\(?:[abcfnrtv$"\\]|0[0-9]{0,3})')
_ESCAPED = {"a": "\a", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v", '"': '"', "\\": "\\"}
_SPACE = "\t\v\f\r \x85\xa0"
_ANY_SPACE = (
    _SPACE + "\n\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a\u2028\u2029\u202f\u205f\u3000"
)
_EXPORT = re.compile(r"export[\t\n\f\r ]+")


def parse_env_file(text: str, variables: dict[str, str], lookup: Lookup, interpolator: Interpolator) -> None:
    """Add the variables of a file to `variables`, in place.

    A value may use variables that `lookup` knows and those that stand before it. Raises `Refusal` with the line that
    cannot be read.
    """
    interpolator.budget.charge(len(text))
    _Parser(text.removeprefix("\ufeff"), variables, lookup, interpolator).parse()


def parse_raw_env_file(text: str, variables: dict[str, str], lookup: Lookup) -> None:
    """Add the variables of a file in the format `raw`: nothing is unquoted, nothing replaced.

    Source of the rules: docker/cli v28.5.1 `pkg/kvfile`. Raises `Refusal` with the line that cannot be read.
    """
    for number, written in enumerate(text.removeprefix("\ufeff").split("\n"), 1):
        line = written.removesuffix("\r").lstrip(_ANY_SPACE)
        if not line or line[0] == "#":
            continue
        key, equals, value = line.partition("=")
        if not key or " " in key or "\t" in key:
            raise Refusal(
                "compose.env_file.syntax",
                f"Line {number} cannot be read: the name `{_short(key)}` is {'blank' if not key else 'not one word'} -"
                " a line is `NAME=value` - correct it.",
            )
        if not equals:
            found = lookup(key)
            if found is not None:
                variables[key] = found
        else:
            variables[key] = value


class _Parser:
    def __init__(self, text: str, variables: dict[str, str], lookup: Lookup, interpolator: Interpolator) -> None:
        self._text = text
        self._variables = variables
        self._lookup = lookup
        self._interpolator = interpolator
        self._at = 0

    def parse(self) -> None:
        while self._next_statement():
            key, inherited = self._key()
            if " " in key:
                raise self._refuse(f"the name `{_short(key)}` contains a space")
            if inherited:
                value = self._lookup(key)
                if value is not None:
                    self._variables[key] = value
            else:
                self._variables[key] = self._value()

    def _refuse(self, why: str) -> Refusal:
        line = self._text.count("\n", 0, self._at) + 1
        return Refusal(
            "compose.env_file.syntax", f"Line {line} cannot be read: {why} - a line is `NAME=value` - correct it."
        )

    def _next_statement(self) -> bool:
        text = self._text
        while True:
            while self._at < len(text) and text[self._at] in _ANY_SPACE:
                self._at += 1
            if self._at >= len(text):
                return False
            if text[self._at] != "#":
                return True
            end = text.find("\n", self._at)
            if end < 0:
                return False
            self._at = end

    def _key(self) -> tuple[str, bool]:
        text = self._text
        export = _EXPORT.match(text, self._at)
        if export:
            self._at += len("export")
            while self._at < len(text) and text[self._at] in _SPACE:
                self._at += 1
        start = self._at
        for index in range(start, len(text)):
            character = text[index]
            if character in _SPACE:
                continue
            if character in "=:\n":
                self._at = index + 1
                self._skip_spaces()
                return text[start:index].rstrip(_ANY_SPACE), character == "\n"
            if character not in "_.-[]" and not character.isalpha() and not character.isnumeric():
                line = text[start:].partition("\n")[0]
                raise self._refuse(f"unexpected character `{character}` in the name `{_short(line)}`")
        if start >= len(text):
            raise self._refuse("there is no name")
        # The last line has no separator: the reference takes it for a variable without a name and reads it again
        # as its value.
        self._at = start
        self._skip_spaces()
        return "", False

    def _skip_spaces(self) -> None:
        while self._at < len(self._text) and self._text[self._at] in _SPACE:
            self._at += 1

    def _value(self) -> str:
        text = self._text
        quote = text[self._at : self._at + 1]
        if quote not in ('"', "'") or not quote:
            end = text.find("\n", self._at)
            value = text[self._at :] if end < 0 else text[self._at : end]
            value = value.partition(" #")[0].rstrip(_ANY_SPACE)
            value = self._expand(value)
            self._at = len(text) if end < 0 else end + 1
            return value
        characters: list[str] = []
        escaped = False
        for index in range(self._at + 1, len(text)):
            character = text[index]
            if character != quote:
                if character == "\\" and not escaped:
                    escaped = True
                    continue
                if escaped:
                    escaped = False
                    characters.append("\\")
                characters.append(character)
                continue
            if escaped:
                escaped = False
                characters.append(character)
                continue
            value = "".join(characters)
            if quote == '"':
                value = self._expand(_ESCAPE.sub(_unescape, value))
            self._at = index + 1
            return value
        raise self._refuse("a quote is not closed")

    def _expand(self, value: str) -> str:
        def find(name: str) -> str | None:
            found = self._lookup(name)
            return self._variables.get(name) if found is None else found

        return self._interpolator.substitute(value, find)


def _unescape(match: re.Match[str]) -> str:
    sequence = match.group()
    if sequence == "\\$":
        return "$$"
    if sequence[1] == "0":
        digits = sequence[2:]
        if len(digits) == 3 and set(digits) <= set("01234567") and int(digits, 8) < 256:
            return chr(int(digits, 8))
        return "\\" + digits
    return _ESCAPED.get(sequence[1], sequence)


def _short(text: str) -> str:
    return text if len(text) <= 40 else text[:37] + "..."


def merged_environment(environment: Mapping[str, str], text: str | None, interpolator: Interpolator) -> dict[str, str]:
    """Give an environment with the variables of a `.env` file added where they are not set already."""
    merged = dict(environment)
    if text is not None:
        variables: dict[str, str] = {}
        parse_env_file(text, variables, environment.get, interpolator)
        for key, value in variables.items():
            merged.setdefault(key, value)
    return merged
