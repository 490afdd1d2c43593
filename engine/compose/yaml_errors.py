"""Say in plain words what libyaml stumbled over."""

from __future__ import annotations

import yaml

from engine.compose.model import Position

_ADVICE: tuple[tuple[str, str, str], ...] = (
    (
        "cannot start any token",
        "a character that cannot start a value",
        "Quote the value; if the line starts with a tab, use spaces instead.",
    ),
    (
        "mapping values are not allowed",
        "a `:` where no key can stand",
        "Check the indentation, and quote a value that contains `: `.",
    ),
    (
        "could not find expected ':'",
        "a key without its `:`",
        "Write `key: value`, or indent the line to continue a value.",
    ),
    (
        "did not find expected key",
        "a line that fits neither the list nor the mapping around it",
        "Align the line with its neighbours; the line before it may lack a quote or a bracket.",
    ),
    (
        "did not find expected '-' indicator",
        "a line inside a list that does not start with `- `",
        "Align the line with its neighbours or start it with `- `.",
    ),
    ("did not find expected ',' or", "a list or mapping in brackets that is not closed", "Close the bracket."),
    ("found unexpected end of stream", "a quote that is never closed", "Close the quote."),
    ("found undefined tag handle", "a tag that is not defined", "Remove the `!…` tag or quote the value."),
    (
        "block sequence entries are not allowed",
        "a `-` where no list can stand",
        "Put the list on its own lines below its key.",
    ),
    ("found a tab character", "a tab used for indentation", "Use spaces; YAML does not allow tabs there."),
    ("found unknown escape character", "a backslash sequence that YAML does not know", "Use single quotes, or `\\\\`."),
    (
        "did not find expected alphabetic",
        "an anchor or alias without a name",
        "Quote a value that starts with `*` or `&`.",
    ),
    ("found character that cannot", "a character that cannot stand here", "Quote the value."),
)

_POINT_AT_OPENING = ("did not find expected ',' or", "found unexpected end of stream")


def explain_yaml_error(error: yaml.YAMLError, text: str) -> tuple[str, str, Position | None, str]:
    """Give the code, the message, the position and a hint for an error of the YAML parser."""
    problem = str(getattr(error, "problem", None) or getattr(error, "reason", None) or "unreadable text")
    mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
    if any(fragment in problem for fragment in _POINT_AT_OPENING):
        mark = getattr(error, "context_mark", None) or mark
    position = Position(mark.line + 1, mark.column + 1) if mark is not None else None
    what, hint = problem, "Correct the YAML at this place."
    for fragment, plain, advice in _ADVICE:
        if fragment in problem:
            what, hint = plain, advice
            break
    line = _line(text, position.line) if position else ""
    if "\t" in line[: (position.column if position else 0)]:
        what, hint = "a tab used for indentation", "Use spaces; YAML does not allow tabs there."
    context = str(getattr(error, "context", None) or "")
    where = f" ({context})" if context else ""
    message = f"The file is not valid YAML: {what}{where} - nothing after it can be read - {_lower(hint)}"
    return "compose.yaml.syntax", message, position, hint


def _line(text: str, number: int) -> str:
    lines = text.split("\n", number)
    return lines[number - 1] if len(lines) >= number else ""


def _lower(hint: str) -> str:
    return hint[0].lower() + hint[1:]
