"""Append to the audit log, and prove that nobody has changed it since."""

from __future__ import annotations

import hmac
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import asdict, dataclass
from typing import Any

from django.db import transaction
from django.utils import timezone

from apps.audit.chain import GENESIS, entry_hash, head_mac, newest_mac, plain
from apps.audit.models import Entry, Head
from apps.audit.redaction import redact
from apps.tenancy.access import Actor, Principal
from apps.tenancy.keys import keyring
from apps.tenancy.models import Organization


def record(
    who: Actor,
    action: str,
    object_type: str,
    object_id: object,
    object_name: str = "",
    data: Mapping[str, Any] | None = None,
) -> Entry:
    """Append what `who` (a Principal, or `System(organization)`) did, in the transaction of what was done.

    `action` is dotted ("cloud.create"). `data` is JSON-able; secrets are taken out of it. The organization's chain is
    locked until the transaction ends, so call this last, after slow work and after other locks. Within `gathered()`
    it is only locked, and the entry only gets its place, at the end.
    """
    entry = Entry(
        organization=who.organization,
        at=timezone.now(),
        actor=_fit(who.actor, "actor"),
        actor_id=who.user.pk if isinstance(who, Principal) else None,
        action=_fit(action, "action"),
        object_type=_fit(object_type, "object_type"),
        object_id=_fit(str(object_id), "object_id"),
        object_name=_fit(object_name, "object_name"),
        data=plain(redact(dict(data or {}))),
    )
    waiting = _waiting.get()
    if waiting is not None:
        waiting.append(entry)
    else:
        _append([entry])
    return entry


@contextmanager
def gathered() -> Iterator[None]:
    """Append what is recorded meanwhile at the end, in one go; nothing of it when an exception passes.

    For a transaction that goes on with slow work after it has recorded something: other writes of the organization
    need not wait for it. Use it inside of the transaction.
    """
    if _waiting.get() is not None:
        yield
        return
    entries: list[Entry] = []
    before = _waiting.set(entries)
    try:
        yield
    finally:
        _waiting.reset(before)
    _append(entries)


_waiting: ContextVar[list[Entry] | None] = ContextVar("audit entries that wait for the end", default=None)


def _append(entries: list[Entry]) -> None:
    if not entries:
        return
    with transaction.atomic():
        # Always in the same order, so that no two transactions wait for each other's chains.
        for entry in sorted(entries, key=lambda entry: entry.organization_id.bytes):
            head = _locked_head(entry.organization)
            entry.sequence, entry.previous_hash = head.sequence + 1, head.hash
            entry.hash = entry_hash(entry)
            entry.save(force_insert=True)
            head.sequence, head.hash = entry.sequence, entry.hash
            head.key_version, head.mac = newest_mac(head.organization_id, head.sequence, head.hash)
            head.save(update_fields=["sequence", "hash", "key_version", "mac"])


def _locked_head(organization: Organization) -> Head:
    rows = Head.objects.select_for_update().filter(organization=organization)
    head = rows.first()
    if head is None:
        version, mac = newest_mac(organization.pk, 0, GENESIS)
        fresh = Head(organization_id=organization.pk, sequence=0, hash=GENESIS, key_version=version, mac=mac)
        Head.objects.bulk_create([fresh], ignore_conflicts=True)
        head = rows.get()
    return head


def _fit(text: str, field: str) -> str:
    longest: int = getattr(Entry._meta.get_field(field), "max_length")  # noqa: B009 - not all fields have one
    return str(plain(redact(text)))[:longest]


@dataclass(frozen=True, slots=True)
class Anchor:
    """Hold where a chain stood at a time; keep it outside the database to notice that later entries vanished."""

    organization: str  # id
    sequence: int
    hash: str
    at: str

    def to_json(self) -> dict[str, Any]:
        """Return the anchor as plain data."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Break:
    """Say where a chain is broken. `code`: edited, missing, reordered, truncated, head, anchor, unknown_key."""

    code: str
    sequence: int
    message: str


def anchor(organization: Organization) -> Anchor:
    """Return the head of an organization's chain now."""
    head = Head.objects.filter(organization=organization).first()
    sequence, digest = (head.sequence, head.hash) if head is not None else (0, GENESIS)
    return Anchor(str(organization.pk), sequence, digest, timezone.now().isoformat(timespec="seconds"))


def verify(organization: Organization, known: Anchor | None = None) -> list[Break]:
    """Walk an organization's chain, and return every place where it does not hold; an empty list proves it whole.

    What was edited, deleted, reordered or cut off at the end is found from the database alone as long as the keys of
    ESCALE_KEYS are safe; `known`, an anchor kept elsewhere, also finds a chain and head that were set back together.
    """
    with transaction.atomic():
        # The lock keeps new entries out until the walk is done: a head that moves is not a break.
        head = Head.objects.select_for_update().filter(organization=organization).first()
        breaks, last_sequence, last_hash = _walk(organization, known)
    if head is None:
        if last_sequence:
            breaks.append(Break("head", last_sequence, "The head of the chain is gone although there are entries."))
        return breaks + _anchor_beyond(known, last_sequence)
    mac = head_mac(organization.pk, head.sequence, head.hash, head.key_version)
    if mac is None:
        text = f"The head is sealed with key version {head.key_version}, which ESCALE_KEYS does not hold."
        breaks.append(Break("unknown_key", head.sequence, text))
    elif not hmac.compare_digest(mac, head.mac):
        breaks.append(Break("head", head.sequence, "The head of the chain was written by somebody without the key."))
    if last_sequence < head.sequence:
        text = f"The chain ends at {last_sequence}, but {head.sequence} entries were written."
        breaks.append(Break("truncated", last_sequence + 1, text))
    elif (last_sequence, last_hash) != (head.sequence, head.hash):
        breaks.append(Break("head", head.sequence, "The last entry is not the one that the head names."))
    return breaks + _anchor_beyond(known, last_sequence)


def _walk(organization: Organization, known: Anchor | None) -> tuple[list[Break], int, str]:
    breaks: list[Break] = []
    sequence, digest = 0, GENESIS
    for entry in Entry.objects.filter(organization=organization).order_by("sequence").iterator(chunk_size=1_000):
        at = entry.sequence
        if at != sequence + 1:
            breaks.append(Break("missing", sequence + 1, f"Entries {sequence + 1} to {at - 1} are missing."))
        elif entry.previous_hash != digest:
            breaks.append(Break("reordered", at, f"Entry {at} does not follow the one before it."))
        if entry_hash(entry) != entry.hash:
            breaks.append(Break("edited", at, f"Entry {at} was changed after it was written."))
        if known is not None and at == known.sequence and entry.hash != known.hash:
            breaks.append(Break("anchor", at, f"Entry {at} is not the one of the anchor of {known.at}."))
        sequence, digest = at, entry.hash
    return breaks, sequence, digest


def _anchor_beyond(known: Anchor | None, last_sequence: int) -> list[Break]:
    if known is None or known.sequence <= last_sequence:
        return []
    text = f"The chain ends at {last_sequence}, but the anchor of {known.at} saw {known.sequence} entries."
    return [Break("truncated", last_sequence + 1, text)]


def seal_heads_anew() -> int:
    """Seal every intact head with the newest key; return how many. Part of the rotation of keys."""
    newest = keyring().newest
    renewed = 0
    for row in Head.objects.exclude(key_version=newest):
        with transaction.atomic():
            head = Head.objects.select_for_update().get(pk=row.pk)
            mac = head_mac(head.organization_id, head.sequence, head.hash, head.key_version)
            if mac is None or not hmac.compare_digest(mac, head.mac):
                continue  # sealing it anew would hide what `verify` must report
            head.key_version, head.mac = newest_mac(head.organization_id, head.sequence, head.hash)
            head.save(update_fields=["key_version", "mac"])
            renewed += 1
    return renewed
