"""List a vCenter: everything once, in pages; from then on what its property collector says has changed.

One collector watches two views: of what machines stand on (its names are needed first), and of machines. Its versions
run on from the first page of everything to the latest change, so a listing can be cut and resumed anywhere.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress

from connectors.base import Access, ConnectorError
from connectors.listing import Item, ItemKind, ListingPage
from connectors.vsphere import ground as grounds
from connectors.vsphere import listed, properties, watching
from connectors.vsphere.estate import missing
from connectors.vsphere.ground import Ground
from connectors.vsphere.session import Session
from connectors.vsphere.soap import Ref, VimFault
from connectors.vsphere.streaming import Found, Reader
from connectors.vsphere.tagging import Absent, Names, Tags
from connectors.vsphere.watching import Forgotten, Note, OwnSession, Watch

FORM = 1
"""Of notes; a release that watches other properties counts on, so that an older one's watch is not gone on with."""

TAGS_EVERY_S = 300.0
_SCRATCH, _AGAIN = "scratch", "again"
_UNHEARD = "?"
"""Instead of a digest: nobody has answered a question for tags so far, as while a vCenter starts."""


class Lister:
    """List for one connector; thread-safe. What it keeps between calls only saves time."""

    def __init__(self, access: Access, scope: str) -> None:
        self._access, self._scope = access, scope
        self._reader = Reader({**grounds.SHAPES, **listed.SHAPES})
        self._lock = threading.Lock()
        self._session: OwnSession | None = None
        # What stood there when it was last read, and the versions since which every change of it has come here.
        self._ground: tuple[Ground, list[tuple[str, str]]] | None = None
        self._tag_names: Names | None = None
        self._lost: list[tuple[ItemKind, str]] = []  # tags that the last reading found no more

    def pages(self, session: Session, cursor: str) -> Iterator[ListingPage]:
        """Yield pages; see ``connectors.listing.Listing``. ``session``: to look the datacenter up in."""
        note = Note.load(cursor, FORM)
        if note is not None and (note.scope, note.place) == (self._scope, watching.place(self._access)):
            with suppress(Forgotten):
                yield from self._go_on(Watch.resume(self._session_of(note), note))
                return
        # Before anything is made on the server: whoever only looks need not go on.
        yield ListingPage(full=True, start=True)
        yield from self._begin(session)

    def close(self) -> None:
        """Close the connections; the login stays, for whoever has the cursor."""
        with self._lock:
            kept, self._session = self._session, None
        if kept is not None:
            kept.leave()

    # Everything

    def _begin(self, session: Session) -> Iterator[ListingPage]:
        kinds = (list(grounds.PATHS), list(listed.PATHS))
        watch = Watch.begin(self._access, FORM, self._scope, self._root(session), kinds)
        handed_out = False
        try:
            for page in self._everything(watch):
                handed_out = handed_out or bool(page.cursor)
                yield page
        except Forgotten:
            raise ConnectorError(
                "cloud.busy",
                f"{watch.session.where} ended the session in which its inventory was being read - it restarts, or "
                "somebody ends sessions - it is tried again",
                retry_after=5.0,
            ) from None
        finally:
            if handed_out:
                self._keep(watch.session)
            else:
                watch.end()

    def _everything(self, watch: Watch) -> Iterator[ListingPage]:
        note = watch.note
        watch.watch(0, grounds.PATHS)
        ground = Ground()
        while (page := watch.updates(self._reader, note.version)) is not None:
            ground.take(page.found)
            note.version = page.version
            if not page.truncated:
                break
        watch.watch(1, listed.PATHS)
        note.stage = _SCRATCH
        with Tags(self._access, self._tag_names) as tags:
            tag_items = self._look_at_tags(tags, note, first=True)
            items = [*ground.items(), *tag_items]
            total = len(items) + watch.count(1)
            size = watching.PAGE
            for first in range(0, len(items), size):
                cursor = note.dump() if first + size >= len(items) else ""
                yield ListingPage(tuple(items[first : first + size]), full=True, cursor=cursor, total=total)
            yield from self._changes(watch, ground, tags, total)

    def _root(self, session: Session) -> Ref:
        top = session.manager("rootFolder")
        if not self._scope:
            return top
        found = properties.within(session, top, {"Datacenter": ["name"]})
        by_name = {str(facts.get("name")): ref for ref, facts in found.items()}
        if self._scope not in by_name:
            raise missing("datacenter", self._scope, list(by_name))
        return by_name[self._scope]

    # Changes

    def _go_on(self, watch: Watch) -> Iterator[ListingPage]:
        with Tags(self._access, self._tag_names) as tags:
            note = watch.note
            if note.tags and time.time() - note.tags_at >= TAGS_EVERY_S:
                known = note.tags
                items = self._look_at_tags(tags, note, first=known == _UNHEARD)
                if note.tags != known:
                    note.stage = note.stage or _AGAIN
                    yield ListingPage(tuple(items), tuple(self._lost), note.stage == _SCRATCH, cursor=note.dump())
            yield from self._changes(watch, None, tags)

    def _changes(
        self, watch: Watch, ground: Ground | None, tags: Tags, total: int | None = None
    ) -> Iterator[ListingPage]:
        """Yield what the collector has to tell, page by page, until it has no more."""
        note = watch.note
        full, again = note.stage == _SCRATCH, note.stage == _AGAIN
        if ground is not None:
            self._ground = (ground, [(note.collector, note.version)])
        else:
            ground = self._ground_at(note)
        while True:
            before = note.version
            page = watch.updates(self._reader, before)
            found = page.found if page is not None else []
            of_ground = [each for each in found if grounds.is_ground(each)]
            machines = [each for each in found if not grounds.is_ground(each)]
            items: list[Item] = []
            if of_ground:
                ground = None
                again = again or grounds.renames(of_ground)
            if ground is None and (found or again):
                ground = self._read_ground(watch)
                self._ground = (ground, [(note.collector, before)])
                if of_ground:
                    items += ground.items()
            gone = [lost for each in of_ground if each.change == "leave" and (lost := grounds.gone(each))]
            if machines:
                assert ground is not None
                items += self._machines(watch, machines, ground, tags, gone)
            more = page is not None and page.truncated
            if page is not None:
                note.version = page.version
                self._ground_holds(note, before)
            last = not more and (full or not again)
            if not more or not full:
                note.stage = _AGAIN if again else ""
            yield ListingPage(tuple(items), tuple(gone), full, last, note.dump(), total=total)
            if not more:
                break
        if again and not full:
            assert ground is not None
            yield from self._again(watch, ground, tags)

    def _machines(
        self,
        watch: Watch,
        found: Sequence[Found],
        ground: Ground,
        tags: Tags,
        gone: list[tuple[ItemKind, str]],
    ) -> Iterator[Item]:
        """Yield machines whole, as they are: of a change only what has changed is told, so the rest is read."""
        whole = [each for each in found if each.change == "enter"]
        parts = [Ref(each.type, each.ref) for each in found if each.change == "modify"]
        for page in watch.some(parts, listed.PATHS, self._reader):
            whole += page.found
        there = {each.ref for each in whole}
        for each in found:
            if each.ref not in there:
                gone += [("machine", each.ref), ("template", each.ref)]
        yield from self._items(whole, ground, tags, watch.note, gone)

    def _items(
        self,
        found: Sequence[Found],
        ground: Ground,
        tags: Tags,
        note: Note,
        gone: list[tuple[ItemKind, str]] | None = None,
    ) -> Iterator[Item]:
        tagged = self._tags_of([each.ref for each in found], tags, note)
        for each in found:
            item = listed.item(each, ground, tagged)
            if gone is not None:  # it may have been the other until now
                gone.append(("machine" if item.kind == "template" else "template", each.ref))
            yield item

    def _again(self, watch: Watch, ground: Ground, tags: Tags) -> Iterator[ListingPage]:
        """Yield all machines as they are: what they stand on was renamed, or tags have changed hands."""
        note = watch.note
        for page in watch.all(1, listed.PATHS, self._reader):
            last = not page.token
            if last:
                note.stage = ""
            items = tuple(self._items(page.found, ground, tags, note))
            yield ListingPage(items, last=last, cursor=note.dump() if last else "")

    def _ground_at(self, note: Note) -> Ground | None:
        """Return what is known of the ground, if nobody else can have been told of a change since."""
        known = self._ground
        return known[0] if known is not None and (note.collector, note.version) in known[1] else None

    def _ground_holds(self, note: Note, before: str) -> None:
        known = self._ground
        if known is not None and (note.collector, before) in known[1]:
            self._ground = (known[0], [*known[1][-7:], (note.collector, note.version)])

    def _read_ground(self, watch: Watch) -> Ground:
        ground = Ground()
        for page in watch.all(0, grounds.PATHS, self._reader):
            ground.take(page.found)
        return ground

    # Tags

    def _look_at_tags(self, tags: Tags, note: Note, *, first: bool = False) -> list[Item]:
        """Read all tags, and note who has them. A vCenter that shows none is taken at its word once and for all."""
        before = tags.names or {}
        try:
            tags.load()
            note.tags, note.tags_at = tags.digest(), time.time()
        except Absent:
            note.tags = ""
            return []
        except ConnectorError:
            if not first:
                raise  # rows that have tags must not lose them because nobody answers for a while
            note.tags, note.tags_at = _UNHEARD, time.time()
            return []
        self._tag_names = tags.names
        self._lost = [("tag", key) for key in before if key not in (tags.names or {})]
        return list(tags.items())

    def _tags_of(self, refs: Sequence[str], tags: Tags, note: Note) -> Mapping[str, Sequence[str]]:
        if note.tags in ("", _UNHEARD) or not refs:
            return {}
        try:
            if tags.names is None:
                tags.load()
                self._tag_names = tags.names
            return tags.of(refs)
        except Absent:
            note.tags = ""
            return {}

    # What is kept

    def _session_of(self, note: Note) -> OwnSession:
        with self._lock:
            if self._session is None or self._session.cookie != note.cookie:
                self._session = OwnSession(self._access, note.cookie)
            return self._session

    def _keep(self, session: OwnSession) -> None:
        with self._lock:
            self._session = session


def list_everything(lister: Lister, session: Session, cursor: str) -> Iterator[ListingPage]:
    """Yield a lister's pages, with what the protocol complains about explained."""
    from connectors.vsphere.faults import to_error

    try:
        yield from lister.pages(session, cursor)
    except VimFault as fault:
        raise to_error(fault, "The inventory could not be listed") from None
