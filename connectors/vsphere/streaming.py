"""Read long answers of a property collector without building them: keep what is wanted, pass over the rest.

``soap.decode`` makes a node of every element, which is right for answers of a screen's length and ten times too slow
for those about ten thousand machines. Here a shape says what of a property's value matters. Document types are
refused, so there are no entities to expand, and so is what is nested deeper than any answer of a vCenter.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from xml.parsers.expat import ExpatError, ParserCreate

DEEPEST = 64

Fields = Mapping[str, Any]
"""Name of an element -> the label that its text is kept under, or the Fields inside it; ``label[]`` keeps all of
several in a list. Names that are missing are passed over."""


@dataclass(frozen=True, slots=True)
class Records:
    """Read a list of data objects, each as {label: text} with its type under ``kind``; ``only`` those of some types."""

    fields: Fields
    only: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Record:
    """Read one data object as {label: text}."""

    fields: Fields


@dataclass(frozen=True, slots=True)
class Count:
    """Count the elements with some names, at any depth."""

    names: frozenset[str]


Shapes = Mapping[str, Records | Record | Count]
"""Property path -> how its value is read; all others give their text, or the list of their children's texts."""


@dataclass(slots=True)
class Found:
    """What an answer says of an object: ``change`` is enter, modify or leave.

    A property that is named without a value has become unset: its value is None. ``missing``: paths whose values the
    server would not tell.
    """

    type: str = ""
    ref: str = ""
    change: str = "enter"
    values: dict[str, Any] = field(default_factory=dict)
    missing: list[str] = field(default_factory=list)


@dataclass(slots=True)
class Page:
    """One answer. ``token``: the rest of a retrieval is fetched by it; ``truncated``: more updates are waiting."""

    found: list[Found] = field(default_factory=list)
    version: str = ""
    token: str = ""
    truncated: bool = False


class _Rule:
    """What an element at some place means: what its beginning and its end do, and the rules of those inside."""

    __slots__ = ("inside", "kind", "label", "many", "only")

    def __init__(
        self, kind: int, inside: dict[str, _Rule] | None = None, label: str = "", only: frozenset[str] = frozenset()
    ) -> None:
        self.kind, self.inside, self.only = kind, inside if inside is not None else {}, only
        self.many = label.endswith("[]")
        self.label = label.removesuffix("[]")


# Kinds of rules: a box that only holds others; texts of the page, of an object, of a property's name; a value that is
# not shaped, and an item of its list; shaped values and their fields.
_BOX, _OF_PAGE, _OBJECT, _REF, _CHANGE, _MISSING, _PATH = range(7)
_VALUE, _PLAIN, _ITEM, _RECORDS, _RECORD, _ONE, _FIELD, _COUNT = range(7, 15)

_METHODS = ("WaitForUpdatesEx", "RetrievePropertiesEx", "ContinueRetrievePropertiesEx")


def _frame() -> dict[str, _Rule]:
    """Return the rules of an answer as far as the values of properties."""
    change = _Rule(_BOX, {"name": _Rule(_PATH), "op": _Rule(_BOX), "val": _Rule(_VALUE)})
    entry = {
        "obj": _Rule(_REF),
        "kind": _Rule(_CHANGE),
        "changeSet": change,
        "propSet": change,
        "missingSet": _Rule(_BOX, {"path": _Rule(_MISSING)}),
    }
    result = {name: _Rule(_OF_PAGE, label=name) for name in ("version", "token", "truncated")}
    result["filterSet"] = _Rule(_BOX, {"objectSet": _Rule(_OBJECT, entry)})
    result["objects"] = _Rule(_OBJECT, entry)
    answer = _Rule(_BOX, {"returnval": _Rule(_BOX, result)})
    body = _Rule(_BOX, {f"{method}Response": answer for method in _METHODS})
    return {"Envelope": _Rule(_BOX, {"Body": body})}


_FRAME = _frame()


def _fields(fields: Fields) -> dict[str, _Rule]:
    return {
        name: _Rule(_FIELD, label=what) if isinstance(what, str) else _Rule(_BOX, _fields(what))
        for name, what in fields.items()
    }


def _rule(shape: Records | Record | Count) -> _Rule:
    if isinstance(shape, Records):
        return _Rule(_RECORDS, {"*": _Rule(_RECORD, _fields(shape.fields), only=shape.only)})
    if isinstance(shape, Record):
        return _Rule(_ONE, _fields(shape.fields))
    return _Rule(_COUNT, only=shape.names)


class Reader:
    """Read answers by the same shapes, one after the other."""

    def __init__(self, shapes: Shapes) -> None:
        self._values = {path: _rule(shape) for path, shape in shapes.items()}

    def read(self, body: bytes) -> Page:
        """Return what an answer says; ExpatError when it is no answer of a property collector."""
        page = Page()
        answered = _read(body, self._values, page)
        if not answered:
            raise ExpatError("no answer of a property collector")
        return page


_UNSHAPED = _Rule(_PLAIN, {"*": _Rule(_ITEM)})


def _read(body: bytes, shaped: Mapping[str, _Rule], page: Page) -> bool:
    """Fill a page. One function, since handlers that share their state as local names run twice as fast."""
    parser = ParserCreate()
    parser.buffer_text = parser.ordered_attributes = True
    chunks: list[str] = []  # of the text that is being read
    stack: list[_Rule] = []
    rule = _Rule(_BOX, _FRAME)
    found, path = Found(), ""
    value: Any = None  # of the property that is being read
    record: dict[str, Any] = {}
    skipped, depth = "", 0
    answered = False

    def start(tag: str, attributes: list[str]) -> None:
        nonlocal rule, found, record, value, depth, answered
        inside = rule.inside
        into = inside.get(tag) or inside.get("*")
        if into is None and len(stack) < 3:
            into = inside.get(tag.rpartition(":")[2])  # the envelope's names carry a prefix
        if into is None:
            pass_over(tag)
            return
        kind = into.kind
        if kind == _VALUE:
            into = shaped.get(path, _UNSHAPED)
            kind, value = into.kind, None
            if kind == _RECORDS:
                value = []
            elif kind == _ONE:
                value = record = {}
            elif kind == _COUNT:
                value, depth = 0, 1
                parser.StartElementHandler, parser.EndElementHandler = start_counted, end_counted
        elif kind == _RECORD:
            named = _type(attributes)
            if into.only and named not in into.only:
                pass_over(tag)
                return
            record = {"kind": named}
            value.append(record)
        elif kind == _OBJECT:
            found = Found()
            page.found.append(found)
        elif kind == _REF:
            found.type = _attribute(attributes, "type")
        stack.append(rule)
        if len(stack) > DEEPEST:
            raise ExpatError("the answer is nested too deeply")
        answered = answered or len(stack) == 3
        rule = into
        chunks.clear()

    def end(_tag: str) -> None:
        nonlocal rule, path, value
        ended, rule = rule, stack.pop()
        kind = ended.kind
        if kind == _FIELD:
            if ended.many:
                record.setdefault(ended.label, []).append("".join(chunks))
            else:
                record[ended.label] = "".join(chunks)
        elif kind == _PATH:
            path = "".join(chunks)
            found.values[path] = None
        elif kind == _PLAIN:
            found.values[path] = "".join(chunks) if value is None else value
        elif kind == _ITEM:
            if value is None:
                value = []
            value.append("".join(chunks))
        elif kind in (_RECORDS, _ONE):
            found.values[path] = value
        elif kind == _REF:
            found.ref = "".join(chunks)
        elif kind == _CHANGE:
            found.change = "".join(chunks)
        elif kind == _MISSING:
            found.missing.append("".join(chunks))
        elif kind == _OF_PAGE:
            text = "".join(chunks)
            setattr(page, ended.label, text in ("true", "1") if ended.label == "truncated" else text)

    def pass_over(tag: str) -> None:
        nonlocal skipped, depth
        skipped, depth = tag, 1
        # The items of lists are named by their types, with a capital, and hold none of their own name. So what is
        # inside of them need not even be called back for.
        parser.StartElementHandler = None if tag[0].isupper() else start_passed
        parser.EndElementHandler, parser.CharacterDataHandler = end_passed, None

    def start_passed(tag: str, _attributes: list[str]) -> None:
        nonlocal depth
        if tag == skipped:
            depth += 1

    def end_passed(tag: str) -> None:
        nonlocal depth
        if tag == skipped:
            depth -= 1
            if not depth:
                parser.StartElementHandler, parser.EndElementHandler = start, end
                parser.CharacterDataHandler = chunks.append

    def start_counted(tag: str, _attributes: list[str]) -> None:
        nonlocal depth, value
        depth += 1
        value += tag in rule.only

    def end_counted(_tag: str) -> None:
        nonlocal depth, rule
        depth -= 1
        if not depth:
            found.values[path] = value
            rule = stack.pop()
            parser.StartElementHandler, parser.EndElementHandler = start, end

    parser.StartElementHandler, parser.EndElementHandler = start, end
    parser.CharacterDataHandler = chunks.append
    parser.StartDoctypeDeclHandler = _refuse
    try:
        parser.Parse(body, True)
    except IndexError:
        raise ExpatError("the answer is not built as it should be") from None
    return answered


def _attribute(attributes: list[str], name: str) -> str:
    for place in range(0, len(attributes), 2):
        if attributes[place] == name:
            return attributes[place + 1]
    return ""


def _type(attributes: list[str]) -> str:
    """Return the xsi:type of an element without its prefix; servers name the namespace as they like."""
    for place in range(0, len(attributes), 2):
        if attributes[place].endswith(":type"):
            return attributes[place + 1].rpartition(":")[2]
    return ""


def _refuse(*_details: Any) -> None:
    raise ExpatError("document types are not accepted")
