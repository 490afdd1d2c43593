"""Compute the hashes that chain audit entries, and the keyed seal of a chain's head. Pure but for the keys."""

from __future__ import annotations

import hashlib
import hmac
from typing import TYPE_CHECKING, Any

from apps.tenancy.faults import Defect
from apps.tenancy.keys import keyring
from engine.resources import canonical_json

if TYPE_CHECKING:
    from apps.audit.models import Entry

GENESIS = "0" * 64
"""What the first entry of a chain names as the hash before it."""

_PURPOSE = "audit head"


def entry_hash(entry: Entry) -> str:
    """Return the SHA-256 over everything an entry says and the hash of the one before it."""
    body = {
        "organization": str(entry.organization_id),
        "sequence": entry.sequence,
        "at": entry.at.isoformat(timespec="microseconds"),
        "actor": entry.actor,
        "actor_id": str(entry.actor_id) if entry.actor_id else None,
        "action": entry.action,
        "object_type": entry.object_type,
        "object_id": entry.object_id,
        "object_name": entry.object_name,
        "data": entry.data,
        "previous_hash": entry.previous_hash,
    }
    return hashlib.sha256(canonical_json(body).encode()).hexdigest()


def head_mac(organization_id: Any, sequence: int, digest: str, key_version: int) -> str | None:
    """Return the keyed seal of a head, or None when ESCALE_KEYS does not hold the key any more."""
    key = keyring().derived(key_version, _PURPOSE)
    if key is None:
        return None
    text = f"{organization_id}:{sequence}:{digest}"
    return hmac.new(key, text.encode(), hashlib.sha256).hexdigest()


def newest_mac(organization_id: Any, sequence: int, digest: str) -> tuple[int, str]:
    """Return the newest key's version and the seal under it."""
    version = keyring().newest
    mac = head_mac(organization_id, sequence, digest, version)
    if mac is None:
        raise Defect("the newest key is not in the ring")
    return version, mac


def plain(value: Any) -> Any:
    """Return a value as PostgreSQL's jsonb gives it back, so that the hash of what is read is that of what was written.

    Floats become texts (jsonb rewrites them), NUL and lone surrogates are replaced, keys become texts.
    """
    if value is None or isinstance(value, bool | int):
        return value
    if isinstance(value, dict):
        return {_text(str(key)): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [plain(item) for item in (sorted(value, key=str) if isinstance(value, set | frozenset) else value)]
    return _text(str(value))


def _text(value: str) -> str:
    return value.replace("\x00", "\ufffd").encode(errors="replace").decode()
