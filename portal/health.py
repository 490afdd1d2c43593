"""Tell supervisors and load balancers whether this portal lives and whether it can do its work.

Both answers come before every other middleware: a probe knows neither host names nor tokens.
"""

from __future__ import annotations

import redis
import structlog
from django.conf import settings
from django.db import DatabaseError, connection
from django.http import HttpRequest, HttpResponseBase, JsonResponse

from portal.middleware import Middleware

log = structlog.get_logger(__name__)

BROKER_TIMEOUT_S = 2.0
BEAT_TOO_OLD_S = 45.0


class Probes(Middleware):
    """Answer `/healthz` and `/readyz`, and pass everything else on."""

    def before(self, request: HttpRequest) -> HttpResponseBase | None:
        """Answer the two addresses."""
        if request.path == "/healthz":
            return alive()
        if request.path == "/readyz":
            return ready()
        return None

    def blocks(self, request: HttpRequest) -> bool:
        """Keep the checks' waiting off the event loop."""
        return request.path == "/readyz"


def alive() -> JsonResponse:
    """Answer that this process runs; says nothing about what it depends on."""
    return _uncached(JsonResponse({"status": "alive"}))


def ready() -> JsonResponse:
    """Check database, broker and workers; 503 names every check that fails, in words that give nothing away."""
    checks = {"database": _database(), "broker": _broker(), "worker": ""}
    checks["worker"] = _worker() if not checks["database"] else "It cannot be told while the database is away."
    failed = {name: problem for name, problem in checks.items() if problem}
    if failed:
        log.warning("not_ready", **failed)
    body = {
        "status": "not_ready" if failed else "ready",
        "checks": {name: {"ok": not problem, "problem": problem} for name, problem in checks.items()},
    }
    return _uncached(JsonResponse(body, status=503 if failed else 200))


def _database() -> str:
    try:
        with connection.cursor() as cursor:
            cursor.execute("select 1")
    except DatabaseError as error:
        log.warning("database_unavailable", reason=str(error))
        return "PostgreSQL does not answer. See DATABASE_URL and the server's log."
    return ""


def _broker() -> str:
    try:
        with redis.Redis.from_url(
            settings.REDIS_URL, socket_timeout=BROKER_TIMEOUT_S, socket_connect_timeout=BROKER_TIMEOUT_S
        ) as client:
            client.ping()
    except redis.RedisError as error:
        log.warning("broker_unavailable", reason=str(error))
        return "Redis does not answer. See REDIS_URL and the server's log."
    return ""


def _worker() -> str:
    try:
        with connection.cursor() as cursor:
            cursor.execute("select extract(epoch from clock_timestamp() - max(at)) from operations_workerbeat")
            row = cursor.fetchone()
    except DatabaseError as error:
        log.warning("worker_beat_unreadable", reason=str(error))
        return "The tables are not there yet. Run `python manage.py migrate`."
    age_s = row[0] if row else None
    if age_s is None:
        return "No worker has consumed anything yet. Start one, and the relay that pokes it."
    if age_s > BEAT_TOO_OLD_S:
        return f"No worker has consumed anything for {int(age_s)} s. See the workers' and the relay's logs."
    return ""


def _uncached(response: JsonResponse) -> JsonResponse:
    response.headers["Cache-Control"] = "no-store"
    return response
