"""Log and count every request once, under its route and without its query, which may carry what is private."""

from __future__ import annotations

import re
import time
import uuid

import structlog
from django.http import HttpRequest, HttpResponseBase

from portal.logs import monotonic_ms
from portal.metrics import REQUEST_SECONDS, REQUESTS
from portal.middleware import Middleware

log = structlog.get_logger("portal.requests")

METHODS = {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"}
WELL_FORMED_ID = re.compile(r"[A-Za-z0-9._-]{8,64}")


class RequestLog(Middleware):
    """Bind a request id to everything logged meanwhile, answer it as `X-Request-Id`, and write one line at the end.

    An id that a client or proxy sends is kept when it is well-formed.
    """

    def before(self, request: HttpRequest) -> None:
        """Name the request and start its clock."""
        given = request.headers.get("X-Request-Id", "")
        request.request_id = given if WELL_FORMED_ID.fullmatch(given) else uuid.uuid4().hex  # type: ignore[attr-defined]
        structlog.contextvars.clear_contextvars()
        structlog.contextvars.bind_contextvars(request_id=request.request_id)  # type: ignore[attr-defined]
        request.started = time.perf_counter()  # type: ignore[attr-defined]

    def after(self, request: HttpRequest, response: HttpResponseBase) -> HttpResponseBase:
        """Count and log it."""
        started: float = request.started  # type: ignore[attr-defined]
        route = request.resolver_match.route if request.resolver_match else "(none)"
        method = request.method if request.method in METHODS else "OTHER"
        REQUESTS.labels(method, route, str(response.status_code)).inc()
        REQUEST_SECONDS.labels(method, route).observe(time.perf_counter() - started)
        response.headers["X-Request-Id"] = request.request_id  # type: ignore[attr-defined]
        log.info(
            "request",
            method=method,
            route=route,
            path=request.path,
            status=response.status_code,
            duration_ms=monotonic_ms(started),
        )
        return response
