"""Find out who calls: a bearer token, or the session of a signed-in page (with its CSRF proof)."""

from __future__ import annotations

import logging
from typing import Any

from django.core.cache import cache
from rest_framework import authentication
from rest_framework.exceptions import PermissionDenied
from rest_framework.request import Request

from apps.tenancy import tokens
from apps.tenancy.faults import Fault, fault
from apps.tenancy.models import ApiToken, User

log = logging.getLogger(__name__)

FAILURES = 30
"""Wrong tokens that one address may send in a window before it must wait."""
WINDOW_S = 60


class BearerTokenAuthentication(authentication.BaseAuthentication):
    """Accept `Authorization: Bearer escale_<prefix>_<secret>`.

    An address that keeps sending wrong tokens is answered 429 for a while; valid tokens are never slowed down.
    """

    def authenticate(self, request: Request) -> tuple[User, ApiToken] | None:
        """Return the token's user and the token; None when no bearer token was sent."""
        scheme, _, text = request.headers.get("Authorization", "").strip().partition(" ")
        if scheme.lower() != "bearer":
            return None
        try:
            token = tokens.authenticate(text.strip())
        except Fault:
            _count_failure(request.META.get("REMOTE_ADDR", ""))
            raise
        return token.user, token

    def authenticate_header(self, request: Request) -> str:
        """Return the challenge of a 401 answer."""
        return 'Bearer realm="escale"'


class SessionAuthentication(authentication.SessionAuthentication):
    """Accept the session of a page, and ask for its CSRF proof."""

    def enforce_csrf(self, request: Request) -> None:
        """Raise the catalogue's fault instead of a bare sentence."""
        try:
            super().enforce_csrf(request)
        except PermissionDenied:
            raise fault("csrf") from None


def _count_failure(address: str) -> None:
    key = f"api:failures:{address}"
    try:
        cache.add(key, 0, WINDOW_S)
        failures = cache.incr(key)
    except Exception as error:  # the cache may be away: then nobody is slowed down, and nobody is shut out
        log.warning("The brake on wrong tokens cannot count: %s", type(error).__name__)
        return
    if failures > FAILURES:
        raise fault("throttled", wait_s=WINDOW_S, retry_after_s=WINDOW_S)


def schema_extension() -> Any:
    """Describe the bearer token to the OpenAPI schema; returns the extension's class."""
    from drf_spectacular.extensions import OpenApiAuthenticationExtension

    class BearerTokenScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
        target_class = "apps.tenancy.api.authentication.BearerTokenAuthentication"
        name = "token"

        def get_security_definition(self, auto_schema: Any) -> dict[str, str]:
            return {"type": "http", "scheme": "bearer", "bearerFormat": "escale_<prefix>_<secret>"}

    class SessionScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
        target_class = "apps.tenancy.api.authentication.SessionAuthentication"
        name = "session"

        def get_security_definition(self, auto_schema: Any) -> dict[str, str]:
            return {"type": "apiKey", "in": "cookie", "name": "sessionid"}

    return BearerTokenScheme, SessionScheme
