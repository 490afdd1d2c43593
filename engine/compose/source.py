"""Read YAML text into plain data under a budget, event by event, before anything grows.

The reference decodes with go-yaml v3 and a pre-pass for `!reset` and `!override`
(compose-go v2.9.1, `loader/reset.go`); this module gives the same data from libyaml's event stream.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import yaml
from yaml.cyaml import CParser  # type: ignore[attr-defined]
from yaml.events import (
    AliasEvent,
    DocumentEndEvent,
    DocumentStartEvent,
    MappingEndEvent,
    MappingStartEvent,
    ScalarEvent,
    SequenceEndEvent,
    SequenceStartEvent,
    StreamEndEvent,
    StreamStartEvent,
)

from engine.compose.model import Limits, Position
from engine.compose.positions import SourceLocator
from engine.compose.report import Path, Refusal, Report
from engine.compose.scalars import PLAIN_TEXT_UNLESS, Timestamp, resolve_plain, resolve_tagged
from engine.compose.yaml_errors import explain_yaml_error

_FORBIDDEN = re.compile("[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_INNER_MARK = re.compile("[\n\r\x85\u2028\u2029]\ufeff")
_MAX_DOCUMENTS = 16  # each is merged over, and checked together with, all before it
_MERGE = object()
_NO_KEY = object()
_DROPPED = object()


@dataclass(slots=True)
class Document:
    """Hold one YAML document as plain data.

    `resets` are the paths tagged `!reset` or `!override`; `has_timestamps` tells that a date is somewhere in it.
    """

    root: Any
    resets: list[Path] = field(default_factory=list)
    has_timestamps: bool = False


@dataclass(slots=True)
class _Anchor:
    value: Any
    nodes: int
    height: int
    overrides: list[Path]
    closed: bool = True
    characters: int = -1  # counted when an alias first asks


class _Frame:
    """Hold a collection that is still open."""

    __slots__ = (
        "anchor",
        "height",
        "index",
        "is_map",
        "items",
        "key",
        "merges",
        "mode",
        "nodes_before",
        "resets_before",
        "tag",
    )

    def __init__(self, items: Any, *, is_map: bool, mode: str) -> None:
        self.items = items
        self.is_map = is_map
        self.mode = mode  # "", "reset", "override": what the tag of this collection or of one around it asks for
        self.index = 0
        self.key: Any = _NO_KEY
        self.merges: list[dict[str, Any]] | None = None
        self.height = 1
        self.tag = ""  # the mode that begins here
        self.anchor: str | None = None
        self.nodes_before = 0
        self.resets_before = 0


def decode_text(raw: str | bytes, limits: Limits, report: Report, *, name: str = "") -> str | None:
    """Give the text of a source, or None after reporting why it is no text that YAML allows."""
    prefix = f"In {name}: " if name else ""
    if len(raw) > limits.max_bytes:
        report.error(
            "compose.limit.bytes",
            f"{prefix}The file has more than {limits.max_bytes:,} bytes - a Compose file that large is refused before"
            " it is read - split it or remove generated data.",
        )
        return None
    if isinstance(raw, str):
        text = raw.removeprefix("\ufeff")
    else:
        encoding = "utf-8"
        if raw.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
            encoding = "utf-16"
        try:
            text = raw.decode(encoding).removeprefix("\ufeff")
        except UnicodeDecodeError as error:
            good = raw[: error.start].decode(encoding, errors="replace")
            report.error(
                "compose.yaml.encoding",
                f"{prefix}The file is not valid {encoding.upper()} - YAML is Unicode text - save it as UTF-8.",
                position=_position_at(good, len(good)),
            )
            return None
    forbidden = _FORBIDDEN.search(text)
    if forbidden:
        report.error(
            "compose.yaml.character",
            f"{prefix}The character U+{ord(forbidden.group()):04X} is not allowed in YAML"
            " - the file may be binary or damaged - remove it.",
            position=_position_at(text, forbidden.start()),
        )
        return None
    mark = _INNER_MARK.search(text)
    if mark:
        report.error(
            "compose.yaml.character",
            f"{prefix}A byte order mark stands inside the file - two files were probably joined - remove it.",
            position=_position_at(text, mark.start() + 1),
        )
        return None
    return text


def _position_at(text: str, offset: int) -> Position:
    line = text.count("\n", 0, offset) + 1
    return Position(line, offset - (text.rfind("\n", 0, offset) + 1) + 1)


@dataclass
class Spent:
    """Count what all sources of one project have cost together."""

    nodes: int = 0
    repeated_nodes: int = 0
    repeated_characters: int = 0
    aliases: int = 0


def read_documents(
    text: str, limits: Limits, report: Report, locator: SourceLocator, spent: Spent | None = None
) -> list[Document]:
    """Read all documents of a text; problems go to the report and end the reading."""
    reader = _Reader(text, limits, report, locator, spent or Spent())
    documents: list[Document] = []
    try:
        documents.extend(reader.documents())
    except yaml.YAMLError as error:
        code, message, position, hint = explain_yaml_error(error, text)
        if locator.name:
            message = f"In {locator.name}: {message}"
        report.error(code, message, position=position, hint=hint)
    except Refusal as refusal:
        report.refused(refusal, locator)
    return documents


class _Reader:
    def __init__(self, text: str, limits: Limits, report: Report, locator: SourceLocator, spent: Spent) -> None:
        self._parser: Any = CParser(text)
        self._limits = limits
        self._report = report
        self._locator = locator
        self._spent = spent

    def documents(self) -> Iterator[Document]:
        get_event = self._parser.get_event
        documents = 0
        while True:
            event = get_event()
            kind = type(event)
            if kind is StreamEndEvent:
                return
            if kind is StreamStartEvent or kind is DocumentEndEvent:
                continue
            assert kind is DocumentStartEvent
            documents += 1
            if documents > _MAX_DOCUMENTS:
                raise _too_many("compose.limit.documents", f"more than {_MAX_DOCUMENTS} YAML documents", event)
            yield self._document()

    def _document(self) -> Document:
        document = Document(None)
        limits = self._limits
        max_nodes, max_depth = limits.max_nodes, limits.max_depth
        get_event = self._parser.get_event
        anchors: dict[str, _Anchor] = {}
        spent = self._spent
        nodes = spent.nodes
        stack: list[_Frame] = []
        frame: _Frame | None = None
        seen: dict[str, Any] = {}  # plain scalars resolved before
        keys: dict[str, str] = {}  # one copy of each key: there are few, and they come again and again
        while True:
            event = get_event()
            kind = type(event)
            nodes += 1
            if nodes > max_nodes:
                raise _too_many("compose.limit.nodes", f"more than {max_nodes:,} values", event)
            value: Any
            if kind is ScalarEvent:
                text, tag = event.value, event.tag
                if event.style == '"' and "\0" in text:  # no other style can spell it
                    raise _nul(event)
                if tag is not None and tag != "!":
                    value = self._tagged_scalar(event, document, stack)
                elif event.style:  # quoted or block
                    value = text
                elif text[:1] not in PLAIN_TEXT_UNLESS and text:
                    value = _MERGE if text == "<<" and frame and frame.is_map and frame.key is _NO_KEY else text
                elif text in seen:
                    value = seen[text]
                else:
                    value = seen[text] = resolve_plain(text)
                    if value.__class__ is Timestamp:
                        document.has_timestamps = True
                if event.anchor is not None:
                    anchors[event.anchor] = _Anchor(value, 1, 0, [])
            elif kind is MappingStartEvent or kind is SequenceStartEvent:
                if len(stack) >= max_depth:
                    raise _too_many("compose.limit.depth", f"more than {max_depth} levels of nesting", event)
                is_map = kind is MappingStartEvent
                if frame is not None and frame.is_map and frame.key is _NO_KEY:
                    raise self._complex_key(stack)
                new = _Frame({} if is_map else [], is_map=is_map, mode=frame.mode if frame is not None else "")
                if event.tag is not None and not new.mode and event.tag in ("!reset", "!override"):
                    document.resets.append(_path(stack))
                    new.mode = new.tag = event.tag[1:]
                if event.anchor is not None:
                    new.anchor = event.anchor
                    new.nodes_before = nodes + spent.repeated_nodes
                    new.resets_before = len(document.resets)
                    anchors[event.anchor] = _Anchor(new.items, 0, 0, [], closed=False)
                stack.append(new)
                frame = new
                continue
            elif kind is MappingEndEvent or kind is SequenceEndEvent:
                assert frame is not None
                if frame.merges is not None:
                    _apply_merges(frame.items, frame.merges)
                value = frame.items
                if frame.anchor is not None:
                    self._close_anchor(frame, anchors, document, stack, nodes)
                if frame.tag == "reset":
                    value = _DROPPED
                height = frame.height
                stack.pop()
                frame = stack[-1] if stack else None
                if frame is not None and height >= frame.height:
                    frame.height = height + 1
            elif kind is AliasEvent:
                spent.aliases += 1
                if spent.aliases > limits.max_aliases:
                    raise _too_many("compose.limit.aliases", f"more than {limits.max_aliases:,} aliases", event)
                value = self._alias(event, anchors, document, stack)
            else:  # the end of the document
                spent.nodes = nodes
                return document
            # Put the value where it belongs.
            if frame is None:
                document.root = None if value is _DROPPED else value
            elif frame.is_map:
                key = frame.key
                if key is _NO_KEY:
                    if value.__class__ is str and value not in frame.items:
                        frame.key = keys.setdefault(value, value)
                    else:
                        frame.key = self._key(value, event, stack)
                    continue
                frame.key = _NO_KEY
                if value is _DROPPED:
                    continue
                if key is _MERGE:
                    self._merge(frame, value, event, stack)
                else:
                    frame.items[key] = value
            else:
                frame.index += 1
                if value is not _DROPPED:
                    frame.items.append(value)

    def _tagged_scalar(self, event: Any, document: Document, stack: list[_Frame]) -> Any:
        tag, mode = event.tag, stack[-1].mode if stack else ""
        is_key = bool(stack) and stack[-1].is_map and stack[-1].key is _NO_KEY
        if not mode and not is_key and tag in ("!reset", "!override"):
            document.resets.append(_path(stack))
            return _DROPPED if tag == "!reset" else event.value
        try:
            value = resolve_tagged(tag, event.value)
        except Refusal as refusal:
            raise refusal.below(*_path(stack)) from None
        if isinstance(value, Timestamp):
            document.has_timestamps = True
        return value

    def _key(self, value: Any, event: Any, stack: list[_Frame]) -> Any:
        frame = stack[-1]
        if value is _MERGE:
            if frame.merges is None:
                frame.merges = []
                return value
            self._duplicate("<<", event, stack)
            return value
        if value.__class__ is not str:
            if value is _DROPPED:
                value = None
            kind = {bool: "a truth value", int: "a number", float: "a number", Timestamp: "a date"}.get(
                type(value), "empty" if value is None else "a collection"
            )
            written = f"`{event.value}` " if type(event) is ScalarEvent and event.value else ""
            self._report.error(
                "compose.yaml.key",
                f"{self._prefix()}The key {written}is {kind} - Compose keys are text - put it in quotes.",
                _path(stack),
                position=_mark(event),
            )
            return str(value)
        self._duplicate(value, event, stack)
        return value

    def _duplicate(self, key: str, event: Any, stack: list[_Frame]) -> None:
        path = (*_path(stack[:-1]), key)
        first = self._locator.position(path, of_key=True)
        where = f" (first on line {first.line})" if first else ""
        self._report.error(
            "compose.yaml.duplicate_key",
            f"{self._prefix()}The key `{key}` stands twice in the same mapping{where}"
            " - only one of them could count - remove or rename one.",
            path,
            position=_mark(event),
        )

    def _prefix(self) -> str:
        return f"In {self._locator.name}: " if self._locator.name else ""

    def _complex_key(self, stack: list[_Frame]) -> Refusal:
        return Refusal(
            "compose.yaml.key",
            "A mapping or a list is used as a key - Compose keys are text - write a plain word before the colon"
            " (a stray `{` or `[` often causes this, as in `{{ template }}` without quotes).",
            _path(stack[:-1]),
        )

    def _alias(self, event: Any, anchors: dict[str, _Anchor], document: Document, stack: list[_Frame]) -> Any:
        anchor = anchors.get(event.anchor)
        if anchor is None:
            raise Refusal(
                "compose.yaml.alias",
                f"The alias `*{event.anchor}` has no anchor - write `&{event.anchor}` where the value is defined"
                " before it.",
                _path(stack),
            )
        if not anchor.closed:
            raise Refusal(
                "compose.yaml.recursion",
                f"The anchor `&{event.anchor}` contains itself - it would never end - remove the alias inside it.",
                _path(stack),
            )
        limits = self._limits
        self._spent.repeated_nodes += anchor.nodes
        if self._spent.repeated_nodes > limits.max_alias_nodes:
            raise _too_many(
                "compose.limit.expansion", f"aliases that grow to more than {limits.max_alias_nodes:,} values", event
            )
        if anchor.characters < 0:
            anchor.characters = count_characters(anchor.value)
        self._spent.repeated_characters += anchor.characters
        if self._spent.repeated_characters > limits.max_alias_characters:
            raise _too_many(
                "compose.limit.expansion",
                f"aliases that grow to more than {limits.max_alias_characters:,} characters",
                event,
            )
        if len(stack) + anchor.height > limits.max_depth:
            raise _too_many("compose.limit.depth", f"more than {limits.max_depth} levels of nesting", event)
        if stack:
            stack[-1].height = max(stack[-1].height, anchor.height + 1)
        if anchor.overrides and not stack[-1].mode:
            here = _path(stack)
            document.resets.extend(here + path for path in anchor.overrides)
        value = anchor.value
        return copy_tree(value) if value.__class__ is dict or value.__class__ is list else value

    def _close_anchor(
        self, frame: _Frame, anchors: dict[str, _Anchor], document: Document, stack: list[_Frame], nodes: int
    ) -> None:
        assert frame.anchor is not None
        here = _path(stack[:-1])
        overrides = [path[len(here) :] for path in document.resets[frame.resets_before :]]
        if frame.tag == "override":
            overrides.append(())
        size = nodes + self._spent.repeated_nodes - frame.nodes_before + 1
        anchors[frame.anchor] = _Anchor(frame.items, size, frame.height, overrides)

    def _merge(self, frame: _Frame, value: Any, event: Any, stack: list[_Frame]) -> None:
        assert frame.merges is not None
        values = value if value.__class__ is list else [value]
        if any(item.__class__ is not dict for item in values):
            raise Refusal(
                "compose.yaml.merge",
                "`<<` needs a mapping or a list of mappings - nothing else can be merged - point it to an anchor of"
                " a mapping.",
                (*_path(stack[:-1]), "<<"),
            )
        frame.merges.extend(values)


def count_characters(value: Any) -> int:
    """Return how many characters the texts and keys of nested dicts and lists have, as often as they stand there."""
    total, left = 0, [value]
    while left:
        item = left.pop()
        if isinstance(item, str):
            total += len(item)
        elif isinstance(item, dict):
            total += sum(map(len, filter(_is_text, item)))
            left.extend(item.values())
        elif isinstance(item, list):
            left.extend(item)
    return total


def _is_text(value: Any) -> bool:
    return isinstance(value, str)


def copy_tree(value: Any) -> Any:
    """Copy nested dicts and lists; leaves are immutable and shared."""
    if value.__class__ is dict:
        return {
            key: copy_tree(item) if item.__class__ is dict or item.__class__ is list else item
            for key, item in value.items()
        }
    if value.__class__ is list:
        return [copy_tree(item) if item.__class__ is dict or item.__class__ is list else item for item in value]
    return value


def _apply_merges(items: Any, merges: list[dict[str, Any]]) -> None:
    for merged in merges:
        for key, value in merged.items():
            if key not in items:
                items[key] = value


def _path(stack: list[_Frame]) -> Path:
    """Give the path of the value that comes next; merge keys are left out, as in the reference."""
    path: list[str | int] = []
    for frame in stack:
        if not frame.is_map:
            path.append(frame.index)
        elif frame.key is not _NO_KEY and frame.key is not _MERGE:
            path.append(frame.key)
    return tuple(path)


def _mark(event: Any) -> Position:
    return Position(event.start_mark.line + 1, event.start_mark.column + 1)


def _nul(event: Any) -> Refusal:
    return Refusal(
        "compose.text.nul",
        "A text holds the character NUL - no container, file or database takes it - remove the \\0 or \\x00.",
        position=_mark(event),
    )


def _too_many(code: str, what: str, event: Any) -> Refusal:
    return Refusal(
        code,
        f"The file has {what} - it is refused because reading it could exhaust the server - make it smaller"
        " or split it.",
        position=_mark(event),
    )
