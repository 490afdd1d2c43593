"""Speak SOAP: requests are written by pyVmomi from its type tables, answers are read into plain nodes.

Answers are not read by pyVmomi on purpose. It fails on types that its tables lack (a newer vCenter's faults), on
tasks of managers that are no inventory objects, and on empty enumerations; the faults that it raises can neither be
pickled nor carry a traceback (vmware/pyvmomi#1116), which breaks a Celery worker; and it takes ten times as long.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any, NamedTuple
from xml.parsers.expat import ExpatError, ParserCreate

from pyVmomi import VmomiSupport
from pyVmomi import vim as _vim
from pyVmomi.SoapAdapter import SoapStubAdapterBase

from connectors.base import ConnectorError

# Every call that is made here existed in 6.7, and later servers (up to 9) still answer its callers.
_API_VERSION = "vim.version.version12"
_XSI = "http://www.w3.org/2001/XMLSchema-instance "


class Ref(NamedTuple):
    """A managed object reference: ``VirtualMachine:vm-42``."""

    type: str
    value: str

    def __str__(self) -> str:
        return f"{self.type}:{self.value}"

    @classmethod
    def parse(cls, text: str) -> Ref:
        """Rebuild a reference from its text form."""
        kind, _, value = text.partition(":")
        return cls(kind, value)


class Node:
    """One XML element: its name, ``xsi:type`` (without prefix), text and children."""

    __slots__ = ("children", "name", "ref_type", "text", "type")

    def __init__(self, name: str, xsi_type: str, ref_type: str) -> None:
        self.name, self.type, self.ref_type = name, xsi_type, ref_type
        self.text = ""
        self.children: list[Node] = []

    def all(self, name: str) -> Iterator[Node]:
        """Yield the children with a name."""
        return (child for child in self.children if child.name == name)

    def node(self, path: str) -> Node | None:
        """Return the first descendant on a dotted path."""
        found: Node | None = self
        for name in path.split("."):
            found = next(found.all(name), None) if found is not None else None
        return found

    def get(self, path: str, default: str = "") -> str:
        """Return the text at a path."""
        found = self.node(path)
        return default if found is None else found.text

    def number(self, path: str, default: int = 0) -> int:
        """Return the whole number at a path."""
        text = self.get(path)
        return int(text) if text else default

    def flag(self, path: str) -> bool:
        """Return the truth at a path; False when it is not said."""
        return self.get(path) in ("true", "1")

    def ref(self, path: str = "") -> Ref | None:
        """Return the reference at a path, or that the node itself is."""
        found = self.node(path) if path else self
        if found is None or not found.text:
            return None
        return Ref(found.ref_type or found.type, found.text)

    def refs(self, path: str) -> list[Ref]:
        """Return the references that are repeated at a path."""
        head, _, tail = path.rpartition(".")
        parent = self.node(head) if head else self
        return [] if parent is None else [ref for child in parent.all(tail) if (ref := child.ref()) is not None]


class VimFault(Exception):  # noqa: N818 - the API calls them faults
    """A fault as the API sent it; stays inside this connector. ``type`` without namespace: ``DuplicateName``."""

    def __init__(self, kind: str, message: str, detail: Node | None = None) -> None:
        super().__init__(f"{kind}: {message}")
        self.type, self.message, self.detail = kind, message, detail


class _Encoder(SoapStubAdapterBase):
    """The half of pyVmomi's adapter that writes requests."""

    def __init__(self, operation: str = "") -> None:
        super().__init__(version=_API_VERSION)  # type: ignore[no-untyped-call]
        self.requestContext = {"operationID": operation} if operation else {}


_types: Any = VmomiSupport
vim: Any = _vim  # built at run time: there is nothing for a type checker to see
_adapter: Any = _Encoder
_methods: dict[tuple[str, str], Any] = {}
_methods_lock = threading.Lock()

ACTION: str = _adapter().versionId
"""The ``SOAPAction`` header: which version of the API is spoken."""


def managed_type(kind: str) -> Any:
    """Return pyVmomi's class for the wire name of a type."""
    return _types.GuessWsdlType(kind)


def managed(ref: Ref) -> Any:
    """Return pyVmomi's object for a reference, for use as an argument; it has no connection and cannot be read."""
    return _types.GuessWsdlType(ref.type)(ref.value, None)


def encode(this: Ref, method: str, arguments: Mapping[str, Any], operation: str = "") -> bytes:
    """Write a request. ``method`` is the wire name (``CloneVM_Task``); Refs among the arguments are converted.

    ``operation`` goes into the ``operationID`` header, by which vCenter's logs tell requests apart.
    """
    info = _method(this.type, method)
    known = {parameter.name for parameter in info.params}
    if not known.issuperset(arguments):
        raise TypeError(f"{method} has no parameter {sorted(set(arguments) - known)}")
    values = [_argument(arguments.get(parameter.name), parameter.type) for parameter in info.params]
    request: bytes = _adapter(operation).SerializeRequest(managed(this), info, values)
    return request


def _method(kind: str, name: str) -> Any:
    with _methods_lock:  # pyVmomi loads its types on first use
        found = _methods.get((kind, name))
        if found is None:
            for method in _types.GuessWsdlType(kind)._GetMethodList():
                _methods[kind, method.wsdlName] = method
            found = _methods[kind, name]
        return found


def _argument(value: Any, declared: Any) -> Any:
    if isinstance(value, Ref):
        return managed(value)
    if isinstance(value, list):
        items = [managed(item) if isinstance(item, Ref) else item for item in value]
        return declared(items) if isinstance(declared, type) and issubclass(declared, list) else items
    return value


def decode(body: bytes) -> list[Node]:
    """Read an answer: the ``returnval`` nodes. VimFault when it is a fault; ExpatError when it is not XML."""
    root = parse(body)
    content = root.node("Body")
    if content is None or not content.children:
        raise ExpatError("no SOAP body")
    answer = content.children[0]
    if answer.name != "Fault":
        return list(answer.all("returnval"))
    details = answer.node("detail")
    detail = details.children[0] if details is not None and details.children else None
    kind = ""
    if detail is not None:
        kind = detail.type or detail.name.removesuffix("Fault")
    raise VimFault(kind or "RuntimeFault", answer.get("faultstring"), detail)


def parse(body: bytes) -> Node:
    """Read XML into nodes. Document types are refused, so there are no entities to expand."""
    top = Node("", "", "")
    stack = [top]
    texts: list[list[str]] = [[]]

    def start(tag: str, attributes: dict[str, str]) -> None:
        name = tag.rpartition(" ")[2]
        kind = attributes.get(_XSI + "type", "").rpartition(":")[2]
        node = Node(name, kind, attributes.get("type", ""))
        stack[-1].children.append(node)
        stack.append(node)
        texts.append([])

    def end(_tag: str) -> None:
        node, text = stack.pop(), texts.pop()
        if not node.children:
            node.text = "".join(text)

    def refuse(*_details: Any) -> None:
        raise ExpatError("document types are not accepted")

    parser = ParserCreate(namespace_separator=" ")
    parser.buffer_text = True
    parser.StartElementHandler = start
    parser.EndElementHandler = end
    parser.CharacterDataHandler = lambda data: texts[-1].append(data)
    parser.StartDoctypeDeclHandler = refuse
    parser.Parse(body, True)
    return top.children[0]


_NUMBERS = frozenset({"int", "long", "short", "byte"})


def value(node: Node) -> Any:
    """Return a property's value: text, number, truth, time, Ref, list of these, or the Node of a data object."""
    kind = node.type
    if kind in _NUMBERS:
        return int(node.text)
    if kind == "string":
        return node.text
    if kind == "boolean":
        return node.text in ("true", "1")
    if node.ref_type or kind == "ManagedObjectReference":
        return Ref(node.ref_type, node.text)
    if kind == "dateTime":
        return moment(node.text)
    if kind in ("double", "float"):
        return float(node.text)
    if kind.startswith("ArrayOf"):
        return [_item(child) for child in node.children]
    return node.text if node.text and not node.children else node


def _item(child: Node) -> Any:
    if child.ref_type:
        return Ref(child.ref_type, child.text)
    if child.type:
        return value(child)
    if child.children:
        return child
    return int(child.text) if child.name in _NUMBERS else child.text


def moment(text: str) -> datetime:
    """Return a time that the API wrote; without a zone it is UTC."""
    parsed = datetime.fromisoformat(text)
    return parsed if parsed.tzinfo else parsed.replace(tzinfo=UTC)


def service_instance() -> Ref:
    """Return the reference that every conversation starts with."""
    return Ref("ServiceInstance", "ServiceInstance")


def ancestry(kind: str) -> tuple[str, ...]:
    """Return the wire names of a fault type and of its parents, nearest first; of an unknown one only its own."""
    try:
        found = _types.GuessWsdlType(kind)
    except KeyError:
        return (kind,)
    return tuple(getattr(parent, "_wsdlName", parent.__name__) for parent in found.__mro__)


def protocol_error(where: str, error: Exception) -> ConnectorError:
    """Explain an answer that is no SOAP."""
    return ConnectorError(
        "cloud.fault",
        f"{where} answered something that is not the vSphere API - a proxy or another product may be in the way - "
        "check the cloud's address",
        detail=f"{type(error).__name__}: {error}",
    )


__all__ = [
    "ACTION",
    "Node",
    "Ref",
    "VimFault",
    "ancestry",
    "decode",
    "encode",
    "managed",
    "managed_type",
    "parse",
    "value",
    "vim",
]
