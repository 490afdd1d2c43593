"""What goes over the wire: requests with their parameters, answers, and errors in each service's own form."""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from urllib.parse import parse_qsl, urlencode
from xml.etree import ElementTree
from xml.sax.saxutils import escape

Element = ElementTree.Element
_SCOPE = re.compile(r"Credential=([^/,\s]+)/(\d{8})/([^/,\s]+)/([^/,\s]+)/aws4_request")


@dataclass(frozen=True, slots=True)
class Request:
    """A request as it came: ``headers`` with lower-case names, ``params`` of the form, ``data`` of a JSON body."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes
    params: Mapping[str, str]
    data: Mapping[str, object]
    access_key: str = ""
    region: str = ""
    service: str = ""

    @property
    def action(self) -> str:
        """Return the name of the API's action."""
        target = self.headers.get("x-amz-target", "")
        return target.rpartition(".")[2] or self.params.get("Action", "")

    def ids(self) -> list[tuple[str, str]]:
        """Return parameter and value of all that names a thing; filters only search and name nothing."""
        return [
            (name, value)
            for name, value in self.params.items()
            if not name.startswith(("Filter.", "TagSpecification.", "Tag.")) and KIND.match(value)
        ]

    def with_params(self, changes: Mapping[str, str]) -> Request:
        """Return the request with other parameters in its form."""
        params = {**self.params, **changes}
        return Request(
            self.method, self.path, self.headers, urlencode(params).encode(), params, self.data,
            self.access_key, self.region, self.service,
        )  # fmt: skip


KIND = re.compile(r"^(i|vol|subnet|vpc|sg|igw|eni|ami)-[0-9a-f]{6,}$")


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer on its way back."""

    status: int
    body: bytes
    kind: str = "text/xml;charset=UTF-8"


class Refused(Exception):  # noqa: N818 - AWS's own word for it
    """An error that AWS would answer with."""

    def __init__(self, code: str, message: str, status: int = 400) -> None:
        super().__init__(code)
        self.code, self.message, self.status = code, message, status


def read(method: str, path: str, headers: Iterable[tuple[str, str]], body: bytes) -> Request:
    """Read a request; the service and the region stand in its signature."""
    known = {name.lower(): value for name, value in headers}
    scope = _SCOPE.search(known.get("authorization", ""))
    params: dict[str, str] = {}
    data: Mapping[str, object] = {}
    if known.get("content-type", "").startswith("application/x-www-form-urlencoded"):
        params = dict(parse_qsl(body.decode("utf-8", "replace"), keep_blank_values=True))
    elif "json" in known.get("content-type", ""):
        try:
            parsed = json.loads(body or b"{}")
        except ValueError:
            parsed = {}
        data = parsed if isinstance(parsed, dict) else {}
    access_key, region, service = (scope[1], scope[3], scope[4]) if scope else ("", "", "")
    return Request(method, path, known, body, params, data, access_key, region, service)


def error(request: Request, refused: Refused) -> Answer:
    """Return an error as the service in question writes it."""
    code, message = escape(refused.code), escape(refused.message)
    if request.service == "servicequotas":
        body = json.dumps({"__type": refused.code, "message": refused.message})
        return Answer(refused.status, body.encode(), "application/x-amz-json-1.1")
    if request.service == "ec2":
        text = (
            '<?xml version="1.0" encoding="UTF-8"?>\n<Response><Errors><Error>'
            f"<Code>{code}</Code><Message>{message}</Message></Error></Errors>"
            f"<RequestID>{uuid.uuid4()}</RequestID></Response>"
        )
    else:
        text = (
            f"<ErrorResponse><Error><Type>Sender</Type><Code>{code}</Code><Message>{message}</Message></Error>"
            f"<RequestId>{uuid.uuid4()}</RequestId></ErrorResponse>"
        )
    return Answer(refused.status, text.encode())


def parse(body: bytes) -> Element:
    """Read an answer of moto's without its namespaces, which no client looks at."""
    root = ElementTree.fromstring(body)  # noqa: S314 - moto's own answer
    for element in root.iter():
        element.tag = element.tag.rpartition("}")[2]
    return root


def dump(root: Element) -> bytes:
    """Write an answer."""
    return bytes(ElementTree.tostring(root, encoding="utf-8", xml_declaration=True))


def items(root: Element, listing: str) -> list[tuple[Element, Element]]:
    """Return (parent, item) of all lists of a name."""
    return [(parent, item) for parent in root.iter(listing) for item in list(parent) if item.tag == "item"]


def put(parent: Element, path: str, text: str) -> None:
    """Set the text of an element below another one, making what is missing."""
    element = parent
    for name in path.split("/"):
        found = element.find(name)
        element = ElementTree.SubElement(element, name) if found is None else found
    element.text = text
