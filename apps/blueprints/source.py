"""Show Compose text: lines with their tokens coloured, lines with what is wrong in them, and two texts side by side."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from django.utils.html import conditional_escape, format_html
from django.utils.safestring import SafeString, mark_safe

LONGEST_COLOURED_LINE = 2_000
MAX_DIFF_LINES = 20_000
CONTEXT_LINES = 3

# The same rules as in static/js/editor.js, so that a text looks the same while it is written and afterwards.
_KEY = re.compile(r"""(\s*(?:-\s+)*)((?:"[^"]*"|'[^']*'|[^\s#'"{}\[\],&*!|>%@`:-][^#:]*?|<<))(\s*:)(?=\s|$)""")
_TOKEN = re.compile(
    r"""(?P<comment>(?:(?<=\s)|^)\#.*)
    |(?P<string>"(?:\\.|[^"\\])*"|'(?:''|[^'])*')
    |(?P<anchor>(?:(?<=\s)|^)[&*][\w-]+|\$\{[^}]*\}|\$\w+)
    |(?P<number>(?<![\w./:-])(?:-?\d+(?:\.\d+)?|true|false|null|yes|no|on|off)(?![\w./:-]))""",
    re.VERBOSE,
)
_BLOCK = re.compile(r"(?:^|[:\s-])\s*[|>][+-]?\d?[+-]?\s*(?:\#.*)?$")


def coloured(text: str) -> list[SafeString]:
    """Return the text's lines as HTML, each with its tokens in spans; everything of the author's is escaped."""
    return list(_coloured(text.removesuffix("\n").split("\n")))


def _coloured(lines: Iterable[str]) -> Iterator[SafeString]:
    block_indent: int | None = None
    for line in lines:
        indent = len(line) - len(line.lstrip(" "))
        if block_indent is not None:
            if not line.strip() or indent > block_indent:
                yield _span("string", line) if line else SafeString("")
                continue
            block_indent = None
        if _BLOCK.search(line) and not line.lstrip().startswith("#"):
            block_indent = indent
        yield colour_line(line)


def colour_line(line: str) -> SafeString:
    """Return one line as HTML with its tokens in spans."""
    if len(line) > LONGEST_COLOURED_LINE:
        return conditional_escape(line)
    pieces: list[SafeString] = []
    at = 0
    key = _KEY.match(line)
    if key:
        pieces += [conditional_escape(key[1]), _span("key", key[2]), conditional_escape(key[3])]
        at = key.end()
    for token in _TOKEN.finditer(line, at):
        pieces += [conditional_escape(line[at : token.start()]), _span(str(token.lastgroup), token[0])]
        at = token.end()
    pieces.append(conditional_escape(line[at:]))
    return mark_safe("".join(pieces))  # noqa: S308  every piece was escaped above


def _span(kind: str, text: str) -> SafeString:
    return format_html('<span class="tok-{}">{}</span>', kind, text)


@dataclass(frozen=True, slots=True)
class Excerpt:
    """Hold a finding with the line that it speaks of, cut where a page would overflow."""

    finding: Mapping[str, Any]
    text: str


def excerpts(text: str, findings: Iterable[Mapping[str, Any]]) -> list[Excerpt]:
    """Return the findings, errors first and then by line, each with its line's text."""
    lines = text.split("\n")
    ordered = sorted(findings, key=lambda f: (f["severity"] != "error", f["line"] or 0, f["column"] or 0))
    return [Excerpt(finding, _line(lines, finding["line"])) for finding in ordered]


def _line(lines: list[str], number: int | None) -> str:
    return lines[number - 1].strip()[:200] if number and 0 < number <= len(lines) else ""


@dataclass(frozen=True, slots=True)
class DiffLine:
    """Hold one line of a difference: `kind` is same, added, removed or gap (then `text` counts what is left out)."""

    kind: str
    old: int | None
    new: int | None
    text: str


def difference(old: str, new: str, context: int = CONTEXT_LINES) -> list[DiffLine]:
    """Return what changed from one text to the other, with some lines around it; empty when they are equal."""
    before, after = old.split("\n"), new.split("\n")
    if old == new:
        return []
    if len(before) + len(after) > MAX_DIFF_LINES:
        removed = [DiffLine("removed", number, None, line) for number, line in enumerate(before, 1)]
        return removed + [DiffLine("added", None, number, line) for number, line in enumerate(after, 1)]
    matcher = difflib.SequenceMatcher(None, before, after, autojunk=len(before) + len(after) > 4_000)
    result: list[DiffLine] = []
    shown = 0
    for group in matcher.get_grouped_opcodes(context):
        first = group[0][1]
        if first > shown:
            result.append(DiffLine("gap", None, None, str(first - shown)))
        for tag, old_from, old_to, new_from, new_to in group:
            if tag == "equal":
                pairs = zip(range(old_from, old_to), range(new_from, new_to), strict=True)
                result += [DiffLine("same", a + 1, b + 1, before[a]) for a, b in pairs]
            else:
                result += [DiffLine("removed", a + 1, None, before[a]) for a in range(old_from, old_to)]
                result += [DiffLine("added", None, b + 1, after[b]) for b in range(new_from, new_to)]
        shown = group[-1][2]
    if shown < len(before):
        result.append(DiffLine("gap", None, None, str(len(before) - shown)))
    return result
