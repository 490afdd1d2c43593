"""Let the rows of a cloud follow it: take the pages of a listing and commit each one with the cursor behind it.

A page, what vanished and the cursor commit together, on condition that nobody else has written since (``serial``). So
a page that comes twice changes nothing, two workers at once do no harm, and one that is killed is followed by another
from the last page on.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from apps.clouds.connections import connect
from apps.clouds.models import Cloud
from apps.inventory import writing
from apps.inventory.models import Seen, SyncState
from apps.inventory.writing import Written
from apps.tenancy import encryption
from apps.tenancy.faults import Fault, fault
from apps.tenancy.redaction import redact_text
from connectors.base import ConnectorError
from connectors.listing import ListingPage


class Overtaken(Exception):  # noqa: N818 - a fact, not a fault
    """Somebody else has written the cloud's rows meanwhile; this one's pages are out of date."""


@dataclass(slots=True)
class Slice:
    """What a part of a sync came to. ``ended``: the rows are as the cloud is; otherwise there is more."""

    ended: bool = False
    full: bool = False
    read: int = 0
    total: int | None = None
    written: Written = field(default_factory=Written)


def state_of(cloud: Cloud) -> SyncState:
    """Return how far a cloud's rows follow it, as it is now."""
    return SyncState.objects.get_or_create(cloud=cloud)[0]


def purpose(state: SyncState) -> str:
    """Return what a cursor is sealed for: exactly its cloud."""
    return f"inventory-cursor:{state.pk}"


def cursor_of(cloud: Cloud, state: SyncState) -> str:
    """Return where the next listing begins; "" (from scratch) also when it cannot be opened any more."""
    if not state.sealed:
        return ""
    try:
        return encryption.open_sealed(cloud.organization, purpose(state), bytes(state.sealed)).decode()
    except Fault:
        return ""


def pages(cloud: Cloud, cursor: str, take: Callable[[Iterator[ListingPage]], Any]) -> Any:
    """Let `take` read the listing of a cloud behind its circuit breaker, and end the listing when it has enough.

    ConnectorError as everywhere; fault `inventory.unsupported` when the cloud cannot be listed.
    """

    def work(connector: Any) -> Any:
        listing = getattr(connector, "listing", None)
        if listing is None:
            raise fault("inventory.unsupported", cloud=cloud.name)
        found = listing(cursor)
        try:
            return take(found)
        finally:
            if hasattr(found, "close"):  # a listing that is left early gives back what it holds on the cloud
                found.close()

    return connect(cloud).use(work)


def follow(cloud: Cloud, budget_s: float, *, from_scratch: bool = False) -> Slice:
    """Take pages until the rows are as the cloud is, or until the budget is used up and the listing can be resumed.

    Overtaken; ConnectorError, after which everything that was committed stays.
    """
    state = state_of(cloud)
    cursor = "" if from_scratch else cursor_of(cloud, state)
    done = Slice(full=state.loading and bool(cursor))
    until = time.monotonic() + budget_s

    def take(found: Iterator[ListingPage]) -> None:
        begun = bool(cursor) and state.loading  # a load of everything that an earlier slice has begun
        for page in found:
            begins = page.full and (page.start or not begun)
            _commit(cloud, state, page, done, begins=begins, asked_anew=bool(cursor) and not done.full)
            begun = begun or page.full
            if page.last:
                done.ended = True
                return
            if page.cursor and time.monotonic() > until:
                return
        raise ConnectorError("cloud.fault", _("%(cloud)s broke its listing off; it is tried again.") % {"cloud": cloud})

    pages(cloud, cursor, take)
    return done


def _commit(cloud: Cloud, state: SyncState, page: ListingPage, done: Slice, *, begins: bool, asked_anew: bool) -> None:
    """Write a page and the cursor behind it, both or none. `asked_anew`: it was asked for what has changed."""
    with transaction.atomic():
        now = timezone.now()
        changes: dict[str, Any] = {}
        if page.full:
            changes["loading"] = not page.last
        if page.cursor:
            changes["sealed"] = encryption.seal(cloud.organization, purpose(state), page.cursor.encode())
        elif begins:
            changes["sealed"] = b""  # the old one leads into a history that this load replaces
        if page.last:
            changes |= {"synced_at": now, "trouble": None}
            changes |= {"full_at": now} if page.full else {"incremental": True}
        if page.full and asked_anew:
            changes["incremental"] = False  # until it tells changes again, it may be one of those that never do
        # First of all, since it locks: the other writer waits here and then finds another number.
        _advance(state, changes)
        if begins:
            writing.begin_load(cloud.pk)
        written = writing.store(cloud.pk, page.items, page.gone, full=page.full)
        if page.full and page.last:
            written.add(writing.end_load(cloud.pk))
        if written:
            changed: dict[str, Any] = {"changed_at": now}
            if page.last:
                changed["counts"] = writing.counts(cloud.pk)
            SyncState.objects.filter(pk=state.pk).update(**changed)
    if begins:
        done.read = 0
    done.full = done.full or page.full
    done.read += len(page.items)
    done.total = page.total if page.total is not None else done.total
    done.written.add(written)


def _advance(state: SyncState, changes: dict[str, Any]) -> None:
    found = SyncState.objects.filter(pk=state.pk, serial=state.serial)
    if not found.update(serial=state.serial + 1, **changes):
        raise Overtaken(str(state.pk))
    state.serial += 1
    for name, value in changes.items():
        setattr(state, name, value)


def look(cloud: Cloud, *, full_wanted: bool = True) -> bool:
    """Tell whether the cloud has changed in a way that the rows do not show; if not, move the cursor along.

    Cheap when nothing has changed: nothing is written but the time. `full_wanted` is the answer for a cloud that
    tells no changes but lists everything. ConnectorError, Overtaken.
    """
    state = state_of(cloud)
    cursor = cursor_of(cloud, state)
    if not cursor or state.loading:
        return True

    def take(found: Iterator[ListingPage]) -> bool:
        for page in found:
            if page.full:
                return full_wanted or state.incremental
            if writing.differs(cloud.pk, page.items, page.gone):
                return True
            if page.last:
                changes: dict[str, Any] = {"synced_at": timezone.now(), "trouble": None, "incremental": True}
                if page.cursor and page.cursor != cursor:
                    changes["sealed"] = encryption.seal(cloud.organization, purpose(state), page.cursor.encode())
                _advance(state, changes)
                return False
        return False

    return bool(pages(cloud, cursor, take))


def note_trouble(cloud: Cloud, error: ConnectorError) -> None:
    """Keep why the cloud cannot be followed, and since when; its rows stay as they are."""
    state = state_of(cloud)
    known = state.trouble or {}
    since = known.get("since") if known.get("code") == error.code else None
    trouble = {
        "code": error.code,
        "message": redact_text(error.message)[:1_000],
        "since": since or timezone.now().isoformat(),
    }
    SyncState.objects.filter(pk=state.pk).update(trouble=trouble)


def report(cloud: Cloud, found: dict[str, Any]) -> None:
    """Keep what a sync came to, and how many rows there are now."""
    SyncState.objects.filter(pk=cloud.pk).update(report=found, counts=writing.counts(cloud.pk))


def progress(state: SyncState, read: int, total: int | None) -> tuple[int | None, str]:
    """Return how far a load is, in percent where that can be told, and as a sentence."""
    expected = total or sum(state.counts.values()) or None
    if not expected:
        return None, _("%(read)d things read") % {"read": read}
    percent = min(99, 100 * read // max(expected, 1))
    return percent, _("%(read)d of about %(total)d things read") % {"read": read, "total": max(read, expected)}


def seen(cloud_id: uuid.UUID) -> int:
    """Return how many things the load under way has come across."""
    return Seen.objects.filter(cloud_id=cloud_id).count()
