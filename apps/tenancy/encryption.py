"""Seal secrets at rest: AES-256-GCM under a data key per organization, itself wrapped by a key of ESCALE_KEYS.

The key-encryption keys never reach the database, and SECRET_KEY plays no part. What is authenticated beside the
content (AAD) is the organization, the version of the data key and the purpose, which names the row: a sealed value
that is moved to another row or another organization does not open.

Sealed form: format (1 byte, 1), version of the data key (4 bytes, big endian), nonce (12), ciphertext with tag (16).
"""

from __future__ import annotations

import os
import uuid
from dataclasses import dataclass

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from django.db import transaction

from apps.tenancy.faults import Defect, fault
from apps.tenancy.keys import KEY_BYTES, keyring
from apps.tenancy.models import DataKey, Organization

FORMAT = 1
NONCE_BYTES = 12
_HEADER_BYTES = 1 + 4 + NONCE_BYTES
_WRAPPING = "data key wrapping"


@dataclass(frozen=True, slots=True)
class _Opened:
    version: int
    key: bytes

    def __repr__(self) -> str:
        return f"<data key {self.version}>"


def seal(organization: Organization, purpose: str, data: bytes) -> bytes:
    """Return the data encrypted for one row: `purpose` must name it and never change ("cloud-credential:<id>")."""
    current = _current(organization)
    nonce = os.urandom(NONCE_BYTES)
    box = AESGCM(current.key).encrypt(nonce, data, _aad(organization.pk, current.version, purpose))
    return bytes([FORMAT]) + current.version.to_bytes(4, "big") + nonce + box


def open_sealed(organization: Organization, purpose: str, blob: bytes) -> bytes:
    """Return what was sealed for this organization and purpose.

    Faults: `encryption.tampered` when it was changed or belongs elsewhere, `encryption.key_missing` when ESCALE_KEYS
    lacks the key that the data key is wrapped with.
    """
    blob = bytes(blob)
    if len(blob) < _HEADER_BYTES + 16 or blob[0] != FORMAT:
        raise fault("encryption.tampered")
    version = version_of(blob)
    row = DataKey.objects.filter(organization=organization, version=version).first()
    if row is None:
        raise fault("encryption.tampered")
    nonce, box = blob[5:_HEADER_BYTES], blob[_HEADER_BYTES:]
    try:
        return AESGCM(unwrap(row)).decrypt(nonce, box, _aad(organization.pk, version, purpose))
    except InvalidTag:
        raise fault("encryption.tampered") from None


def version_of(blob: bytes) -> int:
    """Return the version of the data key that a sealed value was encrypted with."""
    return int.from_bytes(bytes(blob)[1:5], "big")


def unwrap(row: DataKey) -> bytes:
    """Return a data key; faults as in `open_sealed`."""
    wrapping = keyring().derived(row.kek_version, _WRAPPING)
    if wrapping is None:
        raise fault("encryption.key_missing", version=row.kek_version)
    wrapped = bytes(row.wrapped)
    try:
        return AESGCM(wrapping).decrypt(
            wrapped[:NONCE_BYTES], wrapped[NONCE_BYTES:], _wrap_aad(row.organization_id, row.version, row.kek_version)
        )
    except InvalidTag:
        raise fault("encryption.tampered") from None


def wrap(organization_id: uuid.UUID, version: int, kek_version: int, key: bytes) -> bytes:
    """Return a data key wrapped by the key of `kek_version`; Defect when that one is not in ESCALE_KEYS."""
    wrapping = keyring().derived(kek_version, _WRAPPING)
    if wrapping is None:
        raise Defect(f"ESCALE_KEYS holds no version {kek_version}")
    nonce = os.urandom(NONCE_BYTES)
    return nonce + AESGCM(wrapping).encrypt(nonce, key, _wrap_aad(organization_id, version, kek_version))


def add_data_key(organization: Organization, version: int) -> DataKey:
    """Make the data key of a version, unless somebody was faster; return the one that is kept."""
    newest = keyring().newest
    wrapped = wrap(organization.pk, version, newest, os.urandom(KEY_BYTES))
    fresh = DataKey(organization=organization, version=version, kek_version=newest, wrapped=wrapped)
    with transaction.atomic():
        DataKey.objects.bulk_create([fresh], ignore_conflicts=True)
    return DataKey.objects.get(organization=organization, version=version)


def _current(organization: Organization) -> _Opened:
    row = DataKey.objects.filter(organization=organization).order_by("-version").first()
    if row is None:
        row = add_data_key(organization, 1)
    return _Opened(row.version, unwrap(row))


def _aad(organization_id: uuid.UUID, version: int, purpose: str) -> bytes:
    return b"escale sealed\x01" + organization_id.bytes + version.to_bytes(4, "big") + purpose.encode()


def _wrap_aad(organization_id: uuid.UUID, version: int, kek_version: int) -> bytes:
    return b"escale data key\x01" + organization_id.bytes + version.to_bytes(4, "big") + kek_version.to_bytes(2, "big")
