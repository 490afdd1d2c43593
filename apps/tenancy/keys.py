"""Hold the versioned keys of ESCALE_KEYS, and derive from each one what other secrets are keyed with."""

from __future__ import annotations

import base64
import binascii
from functools import lru_cache

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured

KEY_BYTES = 32


class Keyring:
    """Give keys by version; the first one named in ESCALE_KEYS is used for everything new."""

    def __init__(self, keys: dict[int, bytes]) -> None:
        if not keys:
            raise ImproperlyConfigured("ESCALE_KEYS holds no key - set it to version:base64-of-32-bytes.")
        self._keys = keys
        self.newest = next(iter(keys))

    def __repr__(self) -> str:
        return f"<Keyring versions {list(self._keys)}>"

    @property
    def versions(self) -> list[int]:
        """Return the versions, the one in use first."""
        return list(self._keys)

    def key(self, version: int) -> bytes | None:
        """Return the key of a version, or None when it is not in the ring any more."""
        return self._keys.get(version)

    def derived(self, version: int, purpose: str) -> bytes | None:
        """Return 32 bytes that only this key and this purpose give (HKDF-SHA256), or None without the key."""
        key = self._keys.get(version)
        if key is None:
            return None
        return HKDF(hashes.SHA256(), KEY_BYTES, salt=None, info=f"escale {purpose}".encode()).derive(key)


def parse(text: str) -> Keyring:
    """Read `version:base64,…`, the newest first; ImproperlyConfigured says which part is wrong, never its value."""
    keys: dict[int, bytes] = {}
    for position, part in enumerate((part.strip() for part in text.split(",") if part.strip()), start=1):
        version, _, encoded = part.partition(":")
        try:
            key = base64.b64decode(encoded, validate=True)
        except (binascii.Error, ValueError):
            key = b""
        if not version.isdigit() or int(version) > 32_767 or len(key) != KEY_BYTES or int(version) in keys:
            raise ImproperlyConfigured(
                f"ESCALE_KEYS, part {position}, cannot be used - each part must be version:base64, the version a whole "
                f"number up to 32767 that no other part has, the base64 exactly {KEY_BYTES} bytes - make a key by: "
                "python -c 'import base64, os; print(base64.b64encode(os.urandom(32)).decode())'."
            )
        keys[int(version)] = key
    return Keyring(keys)


def keyring() -> Keyring:
    """Return the keys of the settings, read anew when a test or a reload changed them."""
    return _cached(settings.ESCALE_KEYS)


@lru_cache(maxsize=4)
def _cached(text: str) -> Keyring:
    return parse(text)
