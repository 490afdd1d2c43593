"""Find the line and column of a path, in a second pass over the source that runs only when somebody asks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import yaml
from yaml.cyaml import CParser  # type: ignore[attr-defined]
from yaml.events import (
    AliasEvent,
    DocumentStartEvent,
    MappingEndEvent,
    MappingStartEvent,
    ScalarEvent,
    SequenceEndEvent,
    SequenceStartEvent,
)

from engine.compose.model import Position
from engine.compose.report import Locator, Path


class _Node:
    """Know where a value starts and, in a mapping, where its key stands."""

    __slots__ = ("block", "children", "column", "elements", "line", "merged", "text")

    def __init__(self, line: int, column: int, block: bool, text: str | None = None) -> None:
        self.line = line
        self.column = column
        self.block = block  # a block collection or nothing: its key is the better place to point at
        self.text = text  # of a scalar
        # Most nodes are scalars and never get children: they share what is empty.
        self.children = _CHILDLESS
        self.merged: Sequence[_Node] = ()
        self.elements: dict[str, tuple[Position | None, _Node]] | None = None

    def find(self, key: str | int) -> tuple[Position | None, _Node] | None:
        found = self.children.get(key)
        if found is None:
            for base in self.merged:
                found = base.find(key)
                if found is not None:
                    return found
            if isinstance(key, str):
                found = self._find_element(key)
        return found

    def _find_element(self, key: str) -> tuple[Position | None, _Node] | None:
        """Find what a long form calls by name in the list that the short form is: `db`, `KEY=value`, `name:rest`."""
        if self.elements is None:
            self.elements = {}
            for part, found in self.children.items():
                text = found[1].text
                if part.__class__ is int and text:
                    for name in (text, text.partition("=")[0], text.partition(":")[0]):
                        self.elements.setdefault(name, found)
        return self.elements.get(key)


_CHILDLESS: dict[str | int, tuple[Position | None, _Node]] = {}


class SourceLocator(Locator):
    """Locate the nodes of one YAML text; the index is built at the first question and kept."""

    def __init__(self, text: str, name: str = "") -> None:
        self.name = name
        self._text = text
        self._roots: list[_Node] | None = None

    def position(self, path: Path, *, of_key: bool = False) -> Position | None:
        """Find a node; a path that leads nowhere gives the nearest ancestor that exists.

        A scalar or a flow collection is located at itself, a block collection at its key.
        """
        if self._roots is None:
            self._roots = _index(self._text)
        best: Position | None = None
        best_depth = -1
        for root in self._roots:
            found, depth = _descend(root, path, of_key)
            if depth >= best_depth:  # the last document wins, as it does when documents are merged
                best, best_depth = found, depth
        return best


def _descend(root: _Node, path: Path, of_key: bool) -> tuple[Position, int]:
    node, key_position = root, None
    depth = 0
    for part in path:
        step = node.find(part)
        if step is None:
            break
        key_position, node = step
        depth += 1
    at_key = key_position is not None and (node.block or (of_key and depth == len(path)))
    if at_key and key_position is not None:
        return key_position, depth
    return Position(node.line, node.column), depth


def _index(text: str) -> list[_Node]:
    parser: Any = CParser(text)
    roots: list[_Node] = []
    try:
        while parser.check_event():
            if type(parser.get_event()) is DocumentStartEvent:
                roots.append(_Node(1, 1, False))
                _index_document(parser, roots)
    except yaml.YAMLError:
        pass  # what stands before a syntax error can still be located
    return roots


def _index_document(parser: Any, roots: list[_Node]) -> None:
    anchors: dict[str, _Node] = {}
    stack: list[_Node] = []
    counters: list[int] = []  # -1 for mappings, else the next index
    keys: list[tuple[str, Position] | None] = []
    while True:
        event = parser.get_event()
        kind = type(event)
        if kind is MappingEndEvent or kind is SequenceEndEvent:
            stack.pop()
            counters.pop()
            keys.pop()
            if not stack:
                return
            continue
        mark = event.start_mark
        if kind is ScalarEvent:
            is_key = bool(stack) and counters[-1] < 0 and keys[-1] is None
            if is_key:
                keys[-1] = (event.value, Position(mark.line + 1, mark.column + 1))
                if event.anchor is not None:
                    anchors[event.anchor] = _Node(mark.line + 1, mark.column + 1, False)
                continue
            node = _Node(mark.line + 1, mark.column + 1, not event.value and not event.style, event.value)
        elif kind is AliasEvent:
            target = anchors.get(event.anchor)
            if stack and counters[-1] < 0 and keys[-1] is None:
                keys[-1] = ("", Position(mark.line + 1, mark.column + 1))
                continue
            # An alias is located where it stands; what is below it, where the anchor is.
            node = _Node(mark.line + 1, mark.column + 1, False)
            if target is not None:
                node.merged = [target]
        elif kind is MappingStartEvent or kind is SequenceStartEvent:
            node = _Node(mark.line + 1, mark.column + 1, not event.flow_style)
            node.children = {}
        else:
            return
        if kind is not AliasEvent and event.anchor is not None:
            anchors[event.anchor] = node
        _attach(node, roots, stack, counters, keys)
        if kind is MappingStartEvent or kind is SequenceStartEvent:
            stack.append(node)
            counters.append(-1 if kind is MappingStartEvent else 0)
            keys.append(None)
        elif not stack:
            return


def _attach(
    node: _Node,
    roots: list[_Node],
    stack: list[_Node],
    counters: list[int],
    keys: list[tuple[str, Position] | None],
) -> None:
    if not stack:
        roots[-1] = node
        return
    parent = stack[-1]
    if counters[-1] >= 0:
        parent.children[counters[-1]] = (None, node)
        counters[-1] += 1
        return
    key = keys[-1]
    keys[-1] = None
    if key is None:  # a collection as a key: nothing can ask for it
        keys[-1] = ("", Position(node.line, node.column))
        return
    if key[0] == "<<":
        parent.merged = [*parent.merged, node]
    else:
        parent.children.setdefault(key[0], (key[1], node))
