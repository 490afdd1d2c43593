"""Make a write repeatable: the same `Idempotency-Key` with the same request gives the same answer, done once.

The view and the record of its answer commit in one transaction, under an advisory lock on the key. So a worker that
is killed in between leaves neither; a repetition meanwhile is told that the first is under way; and what failed
leaves no record, so that it can be corrected and sent again under the same key.
"""

from __future__ import annotations

import functools
import hashlib
import hmac
from collections.abc import Callable
from datetime import timedelta
from typing import Any, TypeVar, cast

from django.db import connection, transaction
from django.http import HttpResponse
from django.utils import timezone
from rest_framework.renderers import JSONRenderer
from rest_framework.request import Request
from rest_framework.response import Response

from apps.tenancy import auditing
from apps.tenancy.access import Principal, principal_for
from apps.tenancy.faults import fault
from apps.tenancy.keys import keyring
from apps.tenancy.models import IdempotencyRecord

KEPT_FOR = timedelta(hours=24)
KEPT_HEADERS = ("Location",)
View = TypeVar("View", bound=Callable[..., Any])


def idempotent(method: View) -> View:
    """Honour `Idempotency-Key` on an action of a `ScopedViewSet`; without the header nothing changes.

    For POST and DELETE that start work. Do not use it on answers that hold a secret: they are kept for a day.
    The action runs in one transaction; pokes and calls that must follow the commit belong in `on_commit`.
    """

    @functools.wraps(method)
    def wrapped(view: Any, request: Request, *args: Any, **kwargs: Any) -> HttpResponse:
        key = request.headers.get("Idempotency-Key")
        if key is None:
            return cast(HttpResponse, method(view, request, *args, **kwargs))
        if not (1 <= len(key) <= 255 and key.isascii() and key.isprintable() and not key.isspace()):
            raise fault("idempotency.invalid")
        principal, digests = principal_for(request), request_hashes(request)
        with transaction.atomic():
            _lock(principal, key)
            known = _record(principal, key)
            if known is not None:
                return _replay(known, digests)
            with auditing.gathered():
                response = method(view, request, *args, **kwargs)
            if response.status_code < 400:
                _keep(principal, key, request, digests[0], response)
            else:
                transaction.set_rollback(True)
            return cast(HttpResponse, response)

    return cast(View, wrapped)


def request_hashes(request: Request) -> list[str]:
    """Return what makes two requests the same (method, address with its query, body) under each key, the newest first.

    Keyed, since a body may hold a password that a plain hash would let somebody guess.
    """
    parts = (str(request.method).encode(), request.get_full_path().encode(), canonical_body(request))
    text = b"".join(len(part).to_bytes(8, "big") + part for part in parts)
    ring = keyring()
    keys = (ring.derived(version, "idempotency") for version in ring.versions)
    return [hmac.new(key, text, hashlib.sha256).hexdigest() for key in keys if key is not None]


def canonical_body(request: Request) -> bytes:
    """Return the body as text that does not depend on spaces or the order of members."""
    from engine.resources import canonical_json

    return canonical_json(request.data).encode(errors="surrogatepass") if request.data else b""


def forget_expired(batch: int = 5_000) -> int:
    """Delete the records older than a day, and return how many there were."""
    old = IdempotencyRecord.objects.filter(created_at__lt=timezone.now() - KEPT_FOR)
    keys = list(old.values_list("pk", flat=True)[:batch])
    return IdempotencyRecord.objects.filter(pk__in=keys).delete()[0]


def _lock(principal: Principal, key: str) -> None:
    name = f"idempotency:{principal.organization.pk}:{principal.user.pk}:{key}"
    number = int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "big", signed=True)
    with connection.cursor() as cursor:
        cursor.execute("select pg_try_advisory_xact_lock(%s)", [number])
        if not cursor.fetchone()[0]:
            raise fault("idempotency.concurrent", retry_after_s=1)


def _record(principal: Principal, key: str) -> IdempotencyRecord | None:
    rows = IdempotencyRecord.objects.filter(organization=principal.organization, user=principal.user, key=key)
    record = rows.first()
    if record is not None and record.created_at < timezone.now() - KEPT_FOR:
        record.delete()
        return None
    return record


def _replay(record: IdempotencyRecord, digests: list[str]) -> HttpResponse:
    if record.request_hash not in digests:
        raise fault("idempotency.mismatch")
    response = HttpResponse(record.body, status=record.status, content_type="application/json")
    for name, value in record.headers.items():
        response.headers[name] = value
    response.headers["Idempotency-Replayed"] = "true"
    return response


def _keep(principal: Principal, key: str, request: Request, digest: str, response: Response) -> None:
    data = getattr(response, "data", None)
    IdempotencyRecord.objects.create(
        organization=principal.organization,
        user=principal.user,
        key=key,
        method=str(request.method),
        path=request.path[:512],
        request_hash=digest,
        status=response.status_code,
        headers={name: response.headers[name] for name in KEPT_HEADERS if name in response.headers},
        body=JSONRenderer().render(data).decode() if data is not None else "",
    )
