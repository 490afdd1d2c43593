"""Put values into a Compose text, and leave every other character of it as it is: comments, order, anchors."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import yaml

Path = tuple[str | int, ...]
Value = str | int | list[str]
_MAX_BYTES = 2_000_000
_EMPTY = ("", "null", "~")
_PLAIN = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
WORDS = frozenset({"y", "n", "yes", "no", "on", "off", "true", "false", "null"})
"""Plain scalars that YAML 1.1 reads as something else than text."""
_LINE = re.compile(r"[^\r\n]*")


class CannotRewriteError(Exception):
    """Tell why a value cannot be put into a text, in words for people."""


def put(text: str, path: Path, value: Value) -> str:
    """Return a text in which the value at a path is another one; a key that is missing is added.

    Only the text of that value changes: what would change anything else (a value that an anchor shares), or would
    not be read back as the value, raises `CannotRewriteError`. The mapping around a new key must exist, or be empty.
    """
    text, refused = put_all(text, [(path, value)])
    if refused:
        raise CannotRewriteError(refused[0])
    return text


def put_all(text: str, edits: Sequence[tuple[Path, Value]]) -> tuple[str, dict[int, str]]:
    """Return a text with many values put as `put` does, and position of an edit -> why it could not be made.

    The text is read a few times, however many edits there are; a text that cannot be read raises
    `CannotRewriteError`.
    """
    refused: dict[int, str] = {}
    left = list(enumerate(edits))
    while left:
        before, root = _load(text), _compose(text)
        shared = _shared(root)
        pieces: list[_Piece] = []
        for number, (path, value) in left:
            try:
                start, end, written = _edit(text, root, path, value, shared)
            except CannotRewriteError as reason:
                refused[number] = str(reason)
            else:
                pieces.append(_Piece(start, end, written, number))
        now, later = _apart(pieces)
        changed = _spliced(text, now)
        if not now or _reads_as(changed, before, [edits[piece.number] for piece in now]):
            text = changed
        elif len(now) == 1:
            refused[now[0].number] = _SHARED
        else:  # one of them says more than it should: the halves tell which
            for half in (now[: len(now) // 2], now[len(now) // 2 :]):
                text, wrong = put_all(text, [edits[piece.number] for piece in half])
                refused.update((half[position].number, reason) for position, reason in wrong.items())
        left = [(piece.number, edits[piece.number]) for piece in later]
    return text, refused


def changed_at(text: str, other: str, paths: Iterable[Path]) -> set[Path]:
    """Return those of the paths at which two texts do not say the same; both may say nothing."""
    if text == other:
        return set()
    one, two = _load(text), _load(other)
    return {path for path in paths if _at(one, path) != _at(two, path)}


@dataclass(frozen=True, slots=True, order=True)
class _Piece:
    """What is written over a span of a text, for the edit of a number."""

    start: int
    end: int
    written: str
    number: int


_SHARED = "its place is shared with others by an anchor, or written in a way of its own"


def _apart(pieces: list[_Piece]) -> tuple[list[_Piece], list[_Piece]]:
    """Return the pieces that can be put in together, in their order, and those that meet one of these."""
    now: list[_Piece] = []
    later: list[_Piece] = []
    for piece in sorted(pieces, key=lambda one: (one.start, one.end, one.number)):
        meets = bool(now) and (piece.start < now[-1].end or piece.start == now[-1].start)
        (later if meets else now).append(piece)
    return now, later


def _spliced(text: str, pieces: Iterable[_Piece]) -> str:
    out: list[str] = []
    at = 0
    for piece in pieces:
        out += (text[at : piece.start], piece.written)
        at = piece.end
    return "".join(out) + text[at:]


def _reads_as(text: str, before: Any, edits: Iterable[tuple[Path, Value]]) -> bool:
    """Tell whether a text says what it said before, but for the edits."""
    wanted = _unshared(before)
    for path, value in edits:
        _set(wanted, path, value)
    try:
        return bool(_load(text) == wanted)
    except CannotRewriteError:
        return False


def _shared(root: yaml.Node) -> set[int]:
    """Return the ids of the nodes that stand at several places, by an anchor."""
    seen: set[int] = set()
    shared: set[int] = set()
    stack: list[yaml.Node] = [root]
    while stack:
        node = stack.pop()
        if id(node) in seen:
            shared.add(id(node))
            continue
        seen.add(id(node))
        if isinstance(node, yaml.MappingNode):
            stack.extend(part for pair in node.value for part in pair)
        elif isinstance(node, yaml.SequenceNode):
            stack.extend(node.value)
    return shared


def _at(data: Any, path: Path) -> Any:
    for part in path:
        if isinstance(data, dict):
            data = data.get(part)
        elif isinstance(data, list) and isinstance(part, int) and part < len(data):
            data = data[part]
        else:
            return None
    return data


def quoted(text: str) -> str:
    """Return a YAML scalar in double quotes that is exactly this text, for Compose too: no variable is read in it."""
    out: list[str] = []
    for character in text.replace("$", "$$"):
        code = ord(character)
        if character in '"\\':
            out.append("\\" + character)
        elif not code or 0xD800 <= code < 0xE000:  # what no file or database takes
            out.append("\\uFFFD")
        elif character.isprintable() and code != 0xFEFF:
            out.append(character)
        else:
            out.append(f"\\u{code:04X}" if code < 0x10000 else f"\\U{code:08X}")
    return '"' + "".join(out) + '"'


def _compose(text: str) -> yaml.Node:
    if len(text.encode()) > _MAX_BYTES:
        raise CannotRewriteError("the text is too long to be changed here")
    try:
        root = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.YAMLError:
        raise CannotRewriteError("the text is not one YAML document") from None
    if not isinstance(root, yaml.MappingNode):
        raise CannotRewriteError("the text is not one YAML document")
    return root


def _load(text: str) -> Any:
    try:
        return yaml.load(text, Loader=_Loader)  # noqa: S506  a safe loader that reads all scalars as text
    except (yaml.YAMLError, RecursionError, ValueError):
        raise CannotRewriteError("the text is not one YAML document") from None


class _Loader(yaml.SafeLoader):
    """Read scalars as the texts that they are, so that two readings can be compared."""


_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag == "tag:yaml.org,2002:merge"]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


def _set(place: Any, path: Path, value: Value) -> None:
    for part in path[:-1]:
        if isinstance(place, dict) and (part not in place or place[part] in (None, *_EMPTY)):
            place[part] = {}
        place = place[part]
    place[path[-1]] = [_read(item) for item in value] if isinstance(value, list) else _read(value)


def _unshared(data: Any) -> Any:
    """Copy data so that what an anchor shared is there twice: a change of one must not show in the other."""
    if isinstance(data, dict):
        return {key: _unshared(item) for key, item in data.items()}
    return [_unshared(item) for item in data] if isinstance(data, list) else data


def _read(value: str | int) -> str:
    return str(value).replace("$", "$$")


def _edit(text: str, root: yaml.Node, path: Path, value: Value, shared: set[int]) -> tuple[int, int, str]:
    node = root
    for depth, part in enumerate(path):
        child = _child(node, part)
        if child is None:
            if depth != len(path) - 1 or not isinstance(part, str):
                raise CannotRewriteError(f"the drawing has no {'.'.join(map(str, path[: depth + 1]))}")
            return _insert(text, node, part, value)
        if id(child) in shared:
            raise CannotRewriteError(_SHARED)
        node = child
        if depth < len(path) - 1 and _is_empty(node):
            if depth != len(path) - 2:
                raise CannotRewriteError(f"the drawing has no {'.'.join(map(str, path[: depth + 2]))}")
            return _fill(node, str(path[-1]), value)
    return _replace(text, node, value)


def _child(node: yaml.Node, part: str | int) -> yaml.Node | None:
    if isinstance(node, yaml.MappingNode):
        return next((value for key, value in node.value if key.value == part), None)
    if isinstance(node, yaml.SequenceNode) and isinstance(part, int) and part < len(node.value):
        found: yaml.Node = node.value[part]
        return found
    return None


def _is_empty(node: yaml.Node) -> bool:
    return isinstance(node, yaml.ScalarNode) and node.value in _EMPTY


def _replace(text: str, node: yaml.Node, value: Value) -> tuple[int, int, str]:
    start, end = node.start_mark.index, node.end_mark.index
    if isinstance(node, yaml.ScalarNode) and "$" in node.value:
        raise CannotRewriteError("its value comes from a variable")
    if isinstance(node, yaml.SequenceNode) and not node.flow_style:
        if not node.value:
            raise CannotRewriteError("its place is written in a way of its own")
        if not isinstance(value, list):
            raise CannotRewriteError("its place holds a list")
        return _items(text, node, value)
    return start, end, _flow(value)


def _items(text: str, node: yaml.SequenceNode, value: list[str]) -> tuple[int, int, str]:
    """Write a block's items over those that are others, so that what stands between them (comments) stays."""
    # A block's end is where the next thing begins; what follows its last item is not the block's.
    start, end = node.start_mark.index, node.value[-1].end_mark.index
    if not value:
        return start, end, "[]"
    written, at = "", start
    for item, wanted in zip(node.value, value, strict=False):
        same = isinstance(item, yaml.ScalarNode) and item.value == _read(wanted)
        into = item.end_mark.index if same else item.start_mark.index
        written += text[at:into] + ("" if same else _scalar(wanted))
        at = item.end_mark.index
    if len(value) < len(node.value):  # the others go with their lines
        written += text[at : _end_of_line(text, at)]
        end = _end_of_line(text, end)
    added = f"{_line_end(text)}{' ' * node.start_mark.column}- "
    return start, end, written + "".join(added + _scalar(item) for item in value[len(node.value) :])


def _end_of_line(text: str, at: int) -> int:
    found = _LINE.match(text, at)
    return found.end() if found else at


def _line_end(text: str) -> str:
    return "\r\n" if "\r\n" in text else "\n"


def _insert(text: str, node: yaml.Node, key: str, value: Value) -> tuple[int, int, str]:
    if not isinstance(node, yaml.MappingNode):
        raise CannotRewriteError("its place is written in a way of its own")
    if node.flow_style:
        start = node.start_mark.index + 1
        return start, start, f"{_scalar(key)}: {_flow(value)}" + (", " if node.value else "")
    first = node.value[0][0]
    start = first.start_mark.index
    return start, start, f"{_scalar(key)}: {_flow(value)}{_line_end(text)}{' ' * first.start_mark.column}"


def _fill(node: yaml.Node, key: str, value: Value) -> tuple[int, int, str]:
    start, end = node.start_mark.index, node.end_mark.index
    return start, end, f"{'' if end > start else ' '}{{{_scalar(key)}: {_flow(value)}}}"


def _flow(value: Value) -> str:
    if isinstance(value, list):
        return "[" + ", ".join(_scalar(item) for item in value) + "]"
    return _scalar(value)


def _scalar(value: str | int) -> str:
    text = str(value)
    if isinstance(value, int) or (_PLAIN.fullmatch(text) and text.lower() not in WORDS and not _is_number(text)):
        return text
    return quoted(text)


def _is_number(text: str) -> bool:
    return bool(re.fullmatch(r"[0-9._]+|0[xob][0-9a-fA-F_]+|[0-9.]+[eE][0-9]+", text))
