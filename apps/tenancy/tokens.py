"""Make, recognise and check API tokens: `escale_<prefix>_<secret>`.

The prefix finds the row; the secret (256 bits) is proven by HMAC-SHA256 of the whole text under a pepper that is
derived from a versioned key outside the database. Secret scanners match `escale_[a-z0-9]{12}_[A-Za-z0-9]{43}`.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
import string
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db.models import Q
from django.utils import timezone

from apps.tenancy.access import Principal
from apps.tenancy.faults import fault
from apps.tenancy.keys import keyring
from apps.tenancy.models import ApiToken
from apps.tenancy.redaction import remember_secret

SCHEME = "escale"
PEPPER = "api token pepper"
USE_NOTED_EVERY = timedelta(minutes=1)
_FORM = re.compile(r"escale_([a-z0-9]{12})_([A-Za-z0-9]{43})")
_PREFIX_ALPHABET = string.ascii_lowercase + string.digits
_SECRET_ALPHABET = string.ascii_letters + string.digits


@dataclass(frozen=True, slots=True)
class Minted:
    """Hold a new token's text, which is shown once, and what the database keeps of it."""

    text: str
    prefix: str
    digest: str
    pepper_version: int

    def __repr__(self) -> str:
        return f"<Minted token {self.prefix}>"


def mint() -> Minted:
    """Return a new token text with its digest under the newest pepper."""
    prefix = "".join(secrets.choice(_PREFIX_ALPHABET) for _ in range(12))
    secret = "".join(secrets.choice(_SECRET_ALPHABET) for _ in range(43))
    text = f"{SCHEME}_{prefix}_{secret}"
    version = keyring().newest
    digest = _digest(text, version)
    assert digest is not None  # the newest key is always in the ring
    remember_secret(text)
    return Minted(text, prefix, digest, version)


def authenticate(text: str) -> ApiToken:
    """Return the valid token that a text is, with its user, organization and project.

    Faults, all 401: `token.invalid`, `token.expired`, `token.no_access`. Whether a prefix exists is not told by
    the answer. The use is noted at most once a minute, and a digest under an old pepper is renewed.
    """
    match = _FORM.fullmatch(text)
    if match is None:
        raise fault("token.invalid")
    remember_secret(text)
    token = (
        ApiToken.objects.select_related("user", "organization", "project__organization")
        .filter(prefix=match.group(1))
        .first()
    )
    digest = _digest(text, token.pepper_version if token is not None else keyring().newest)
    # Compared in every case, so that the time taken does not tell an existing prefix from another one.
    genuine = hmac.compare_digest(digest or "-", token.digest if token is not None else "")
    if token is None or not genuine or token.revoked_at is not None or not token.user.is_active:
        raise fault("token.invalid")
    now = timezone.now()
    if token.expires_at is not None and token.expires_at <= now:
        raise fault("token.expired", name=token.name, expired_at=token.expires_at.isoformat(timespec="seconds"))
    principal = Principal(token.user, token.organization, token.project, token)
    if not principal.is_member:
        raise fault("token.no_access", name=token.name, user=token.user.get_username())
    token.principal = principal  # its roles are read already, and hold for this request
    _note_use(token, text, now)
    return token


def _digest(text: str, version: int) -> str | None:
    pepper = keyring().derived(version, PEPPER)
    return hmac.new(pepper, text.encode(), hashlib.sha256).hexdigest() if pepper is not None else None


def _note_use(token: ApiToken, text: str, now: datetime) -> None:
    row = ApiToken.objects.filter(pk=token.pk)
    if token.last_used_at is None or token.last_used_at < now - USE_NOTED_EVERY:
        row.filter(Q(last_used_at__isnull=True) | Q(last_used_at__lt=now - USE_NOTED_EVERY)).update(last_used_at=now)
    newest = keyring().newest
    if token.pepper_version != newest:
        row.filter(pepper_version=token.pepper_version).update(digest=_digest(text, newest), pepper_version=newest)
