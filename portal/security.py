"""Guard every page: a content security policy without inline script, and a brake on guessing passwords."""

from __future__ import annotations

import hashlib
import secrets

import redis
import structlog
from django.conf import settings
from django.core.cache import cache
from django.http import HttpRequest, HttpResponseBase
from django.shortcuts import render, resolve_url
from django.utils.functional import SimpleLazyObject

from portal.middleware import Handler, Middleware

log = structlog.get_logger(__name__)

LOGIN_WINDOW_S = 15 * 60
LOGIN_FAILURES_PER_ADDRESS = 30
LOGIN_FAILURES_PER_NAME = 40
LOGIN_FAILURES_PER_NAME_AND_ADDRESS = 8


class ContentSecurityPolicy(Middleware):
    """Send a policy that allows this origin's files, and scripts and styles that carry the request's nonce.

    Templates write `nonce="{{ request.csp_nonce }}"`; the nonce is made, and the header names it, only when asked
    for. A response that has set the header itself keeps its own.
    """

    def before(self, request: HttpRequest) -> None:
        """Lay the nonce at hand."""
        request.csp_nonce = SimpleLazyObject(lambda: _nonce(request))  # type: ignore[attr-defined]

    def after(self, request: HttpRequest, response: HttpResponseBase) -> HttpResponseBase:
        """Add the header."""
        nonce = getattr(request, "_csp_nonce", None)
        response.headers.setdefault("Content-Security-Policy", policy(nonce))
        response.headers.setdefault("Permissions-Policy", "camera=(), geolocation=(), microphone=()")
        return response


def _nonce(request: HttpRequest) -> str:
    value = secrets.token_urlsafe(16)
    request._csp_nonce = value  # type: ignore[attr-defined]
    return value


def policy(nonce: str | None = None) -> str:
    """Return the header's text; no inline script or style passes without the nonce."""
    own = f"'self' 'nonce-{nonce}'" if nonce else "'self'"
    return "; ".join([
        "default-src 'none'",
        f"script-src {own}",
        f"style-src {own}",
        "img-src 'self' data: blob:",
        "font-src 'self'",
        "connect-src 'self'",
        "manifest-src 'self'",
        "worker-src 'self'",
        "base-uri 'none'",
        "form-action 'self'",
        "frame-ancestors 'none'",
    ])  # fmt: skip


class LoginBrake(Middleware):
    """Refuse sign-ins from an address, or for a name, after too many failures within a quarter of an hour.

    Counts live in the cache, shared by every web process. When the cache is away, people may still sign in: the
    failure is logged.
    """

    def __init__(self, get_response: Handler) -> None:
        super().__init__(get_response)
        self.path = resolve_url(settings.LOGIN_URL)

    def blocks(self, request: HttpRequest) -> bool:
        """Keep the cache's network off the event loop."""
        return self._concerns(request)

    def _concerns(self, request: HttpRequest) -> bool:
        return request.method == "POST" and request.path == self.path

    def before(self, request: HttpRequest) -> HttpResponseBase | None:
        """Answer 429 when one of the counts is full."""
        if not self._concerns(request):
            return None
        counts = _counts([key for key, _limit in _keys(request)])
        if not any(counts.get(key, 0) >= limit for key, limit in _keys(request)):
            return None
        log.warning("login.braked", address=request.META.get("REMOTE_ADDR", ""))
        response = render(request, "tenancy/braked.html", status=429)
        response.headers["Retry-After"] = str(LOGIN_WINDOW_S)
        return response

    def after(self, request: HttpRequest, response: HttpResponseBase) -> HttpResponseBase:
        """Count a failure; a sign-in that worked redirects and clears the name's counts."""
        if self._concerns(request) and response.status_code != 429:
            keys = [key for key, _limit in _keys(request)]
            if response.status_code in (302, 303) or response.headers.get("HX-Redirect"):
                _forget(keys[1:])
            else:
                _count(keys)
        return response


def _keys(request: HttpRequest) -> list[tuple[str, int]]:
    address = request.META.get("REMOTE_ADDR", "")
    name = hashlib.sha256(request.POST.get("username", "").strip().lower().encode()).hexdigest()[:32]
    return [
        (f"login:address:{address}", LOGIN_FAILURES_PER_ADDRESS),
        # Low for one guesser, high for a name: nobody should be able to lock somebody else out with eight posts.
        (f"login:name-and-address:{name}:{address}", LOGIN_FAILURES_PER_NAME_AND_ADDRESS),
        (f"login:name:{name}", LOGIN_FAILURES_PER_NAME),
    ]


def _counts(keys: list[str]) -> dict[str, int]:
    try:
        return cache.get_many(keys)
    except redis.RedisError as error:
        log.warning("login.brake_unavailable", reason=type(error).__name__)
        return {}


def _count(keys: list[str]) -> None:
    try:
        for key in keys:
            cache.add(key, 0, LOGIN_WINDOW_S)
            cache.incr(key)
    except (redis.RedisError, ValueError) as error:  # ValueError: the count expired between the two calls
        log.warning("login.brake_unavailable", reason=type(error).__name__)


def _forget(keys: list[str]) -> None:
    try:
        cache.delete_many(keys)
    except redis.RedisError as error:
        log.warning("login.brake_unavailable", reason=type(error).__name__)
