"""Watch a vCenter's objects: a property collector in a session of its own, which any process can go on with.

Versions of updates belong to a collector and collectors to a session. So the note of a watch holds the session's
cookie, and whoever has the note asks on where another one stopped. It is a secret, and is kept as one.
https://developer.broadcom.com/xapis/vsphere-web-services-api/latest/vmodl.query.PropertyCollector.html
"""

from __future__ import annotations

import contextlib
import hashlib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, TypeVar
from xml.parsers.expat import ExpatError

from pyVmomi import vmodl

from connectors.base import Access, ConnectorError
from connectors.vsphere import soap
from connectors.vsphere.faults import is_a
from connectors.vsphere.session import Session
from connectors.vsphere.soap import Ref, VimFault, managed, managed_type, vim
from connectors.vsphere.streaming import Page, Reader

PAGE = 500
"""Objects in one answer: some megabytes, which is what a listing holds at a time."""

_PAGE_BYTES = 128 * 1024 * 1024
_collector: Any = vmodl.query.PropertyCollector

Paths = Mapping[str, Sequence[str]]
_T = TypeVar("_T")


class Forgotten(Exception):  # noqa: N818 - a fact, not a fault
    """The server knows the session, the collector or the version no more: everything has to be read anew.

    ``about``: the object that it does not know, when it says so.
    """

    def __init__(self, why: str, about: Ref | None = None) -> None:
        super().__init__(why)
        self.about = about


@dataclass(slots=True)
class Note:
    """Where a watch stands. ``views``: of the two sorts of objects; ``form``: of the release that wrote it.

    ``stage``: what a listing from scratch is at, "" once it has ended.
    """

    form: int
    server: str
    scope: str
    cookie: str
    collector: str
    views: tuple[str, str]
    version: str = ""
    stage: str = ""
    tags: str = ""  # digest of who has which tag; "" when there are none to be had
    tags_at: float = 0.0
    place: str = ""  # digest of the address and the user that the session is of; see `place`

    def dump(self) -> str:
        """Return the note as text."""
        return json.dumps(asdict(self), separators=(",", ":"))

    @classmethod
    def load(cls, text: str, form: int) -> Note | None:
        """Read a note; None when it is none of this release's."""
        try:
            data = json.loads(text)
            note = cls(**{**data, "views": tuple(data["views"])})
        except (ValueError, TypeError, KeyError):
            return None
        return note if note.form == form else None


def place(access: Access) -> str:
    """Return what a session may be used for alone: its address, and its user, who may be another one by now.

    A cookie is as good as the password was: said to another address, it would be given away.
    """
    return hashlib.sha256(f"{access.address}\0{access.username}".encode()).hexdigest()[:32]


class OwnSession(Session):
    """A login that outlives its process, and whose long answers are read as they are wanted."""

    def __init__(self, access: Access, cookie: str = "") -> None:
        super().__init__(access)
        self._cookie, self._logged_in = cookie, bool(cookie)

    @property
    def cookie(self) -> str:
        """Return what the session is known by."""
        return self._cookie

    def sign_in(self) -> None:
        """Log in now."""
        self._authenticated()

    def call(self, this: Ref, method: str, **arguments: Any) -> list[soap.Node]:
        """Call a method in the session as it is, without logging in again; Forgotten when it has ended."""
        return self._answer(soap.decode, this, method, arguments)

    def fetch(self, this: Ref, method: str, reader: Reader, **arguments: Any) -> Page:
        """Call a method of a property collector in the session as it is; Forgotten when it has ended."""
        return self._answer(reader.read, this, method, arguments)

    def _answer(self, read: Callable[[bytes], _T], this: Ref, method: str, arguments: Mapping[str, Any]) -> _T:
        headers = {
            "Content-Type": "text/xml; charset=UTF-8",
            "SOAPAction": soap.ACTION,
            "User-Agent": "escale",
            "Cookie": f'vmware_soap_session="{self._cookie}"',
        }
        body = soap.encode(this, method, arguments)
        reply = self.transport.request("POST", "/sdk", body, headers, repeatable=True, max_bytes=_PAGE_BYTES)
        if reply.status not in (200, 500):
            raise self._http_error(reply.status, repeatable=True)
        try:
            if reply.status == 500:
                soap.decode(reply.body)  # it holds a fault
            return read(reply.body)
        except VimFault as fault:
            if any(is_a(fault, kind) for kind in _LOST):
                raise Forgotten(fault.type, fault.detail.ref("obj") if fault.detail is not None else None) from None
            raise
        except (ExpatError, IndexError, ValueError) as error:
            raise soap.protocol_error(self.where, error) from None

    def leave(self) -> None:
        """Close the connections and leave the login as it is."""
        self.transport.close()


_LOST = ("NotAuthenticated", "InvalidCollectorVersion", "ManagedObjectNotFound")


class Watch:
    """One collector with what it watches."""

    def __init__(self, session: OwnSession, note: Note) -> None:
        self.session, self.note = session, note
        self._collector = Ref("PropertyCollector", note.collector)

    @classmethod
    def begin(
        cls, access: Access, form: int, scope: str, root: Ref, kinds: tuple[Sequence[str], Sequence[str]]
    ) -> Watch:
        """Log in and make a collector, and a view of each of two sorts of objects below a folder or datacenter."""
        session = OwnSession(access)
        session.sign_in()
        try:
            manager = session.manager("viewManager")
            views = []
            for names in kinds:
                nodes = session.read(
                    manager,
                    "CreateContainerView",
                    container=root,
                    type=[managed_type(name) for name in names],
                    recursive=True,
                )
                views.append(_ref(nodes).value)
            collector = _ref(session.read(session.manager("propertyCollector"), "CreatePropertyCollector"))
        except BaseException:
            with contextlib.suppress(ConnectorError, VimFault):
                session.close()
            raise
        server = session.content().get("about.instanceUuid")
        note = Note(form, server, scope, session.cookie, collector.value, (views[0], views[1]))
        note.place = place(access)
        return cls(session, note)

    @classmethod
    def resume(cls, session: OwnSession, note: Note) -> Watch:
        """Go on with a watch; Forgotten when the address leads to another vCenter by now."""
        if session.content().get("about.instanceUuid") != note.server:
            raise Forgotten("another vCenter")
        return cls(session, note)

    def watch(self, place: int, paths: Paths) -> None:
        """Have the collector tell of one of the views from now on."""
        self.session.call(self._collector, "CreateFilter", spec=self._through(place, paths), partialUpdates=False)

    def updates(self, reader: Reader, version: str) -> Page | None:
        """Return what has changed since a version, at most a page of it; None: nothing. Forgotten."""
        options = _collector.WaitOptions(maxWaitSeconds=0, maxObjectUpdates=PAGE)
        page = self.session.fetch(self._collector, "WaitForUpdatesEx", reader, version=version, options=options)
        return page if page.version else None

    def all(self, place: int, paths: Paths, reader: Reader) -> Iterator[Page]:
        """Yield the objects of a view as they are now, in pages."""
        yield from self._retrieve(self._through(place, paths), reader)

    def some(self, refs: Sequence[Ref], paths: Paths, reader: Reader) -> Iterator[Page]:
        """Yield objects as they are now, in pages; those that are gone are left out."""
        for first in range(0, len(refs), PAGE):
            wanted = list(refs[first : first + PAGE])
            while wanted:
                objects = [_collector.ObjectSpec(obj=managed(ref), skip=False) for ref in wanted]
                try:
                    found = list(self._retrieve(self._spec(objects, paths), reader))
                except Forgotten as lost:
                    # A vCenter refuses to tell of any when one has been deleted since the change was told.
                    if lost.about not in wanted:
                        raise
                    wanted.remove(lost.about)
                else:
                    yield from found
                    break

    def count(self, place: int) -> int:
        """Return how many objects a view shows, for people who wait."""
        view = Ref("ContainerView", self.note.views[place])
        for page in self.some([view], {"ContainerView": ["view"]}, Reader({})):
            for found in page.found:
                members = found.values.get("view")
                return len(members) if isinstance(members, list) else 0
        return 0

    def end(self) -> None:
        """Log out; for a watch whose note nobody has."""
        with contextlib.suppress(ConnectorError, VimFault):
            self.session.close()

    def _retrieve(self, spec: Any, reader: Reader) -> Iterator[Page]:
        options = _collector.RetrieveOptions(maxObjects=PAGE)
        page = self.session.fetch(self._collector, "RetrievePropertiesEx", reader, specSet=[spec], options=options)
        yield page
        while page.token:
            page = self.session.fetch(self._collector, "ContinueRetrievePropertiesEx", reader, token=page.token)
            yield page

    def _through(self, place: int, paths: Paths) -> Any:
        view = managed(Ref("ContainerView", self.note.views[place]))
        step = _collector.TraversalSpec(name="view", type=vim.view.ContainerView, path="view", skip=False)
        return self._spec([_collector.ObjectSpec(obj=view, skip=True, selectSet=[step])], paths)

    @staticmethod
    def _spec(objects: list[Any], paths: Paths) -> Any:
        return _collector.FilterSpec(
            objectSet=objects,
            propSet=[
                _collector.PropertySpec(type=managed_type(kind), all=False, pathSet=list(names))
                for kind, names in paths.items()
            ],
            reportMissingObjectsInResults=True,
        )


def _ref(nodes: Sequence[soap.Node]) -> Ref:
    ref = nodes[0].ref() if nodes else None
    if ref is None:
        raise VimFault("RuntimeFault", "nothing was made")
    return ref
