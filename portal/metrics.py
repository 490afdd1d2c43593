"""Publish metrics for Prometheus at /metrics: requests of this process, and what the journal knows.

What the journal knows is read at each scrape, so any one web process tells the truth about all workers.
"""

from __future__ import annotations

import hmac
import os
from collections.abc import Iterator

from django.conf import settings
from django.db import connection
from django.http import HttpRequest, HttpResponse
from django.views.decorators.http import require_GET
from prometheus_client import (
    CONTENT_TYPE_LATEST,
    CollectorRegistry,
    Counter,
    Histogram,
    generate_latest,
    multiprocess,
    process_collector,
)
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

PROCESS = CollectorRegistry()
REQUESTS = Counter(
    "escale_http_requests", "Requests answered, by method, route and status.", ["method", "route", "status"],
    registry=PROCESS,
)  # fmt: skip
REQUEST_SECONDS = Histogram(
    "escale_http_request_seconds", "Time until the answer began, by method and route.", ["method", "route"],
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10), registry=PROCESS,
)  # fmt: skip
process_collector.ProcessCollector(registry=PROCESS)


class Journal(Collector):
    """Read operations, steps, outbox and worker beats from PostgreSQL, in four short queries."""

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """Yield one family for each question a person on call asks."""
        operations = GaugeMetricFamily("escale_operations", "Operations by state.", labels=["state"])
        steps = GaugeMetricFamily("escale_steps", "Steps of unfinished operations by state.", labels=["state"])
        outbox_rows = GaugeMetricFamily("escale_outbox_rows", "Pokes that the relay has not sent yet.")
        outbox_age = GaugeMetricFamily("escale_outbox_age_seconds", "Age of the oldest poke not sent; 0 when none.")
        beats = GaugeMetricFamily(
            "escale_worker_beat_age_seconds", "Time since a worker last proved that it consumes.", labels=["worker"]
        )
        # The ages are taken by the database's clock, as leases and fences are.
        with connection.cursor() as cursor:
            cursor.execute("select state, count(*) from operations_operation group by state")
            for state, count in cursor.fetchall():
                operations.add_metric([state], count)
            cursor.execute(
                "select s.state, count(*) from operations_step s join operations_operation o on o.id = s.operation_id"
                " where o.finished_at is null group by s.state"
            )
            for state, count in cursor.fetchall():
                steps.add_metric([state], count)
            cursor.execute(
                "select count(*), coalesce(extract(epoch from clock_timestamp() - min(created_at)), 0)"
                " from operations_outbox"
            )
            rows, age_s = cursor.fetchone()
            outbox_rows.add_metric([], rows)
            outbox_age.add_metric([], float(age_s))
            cursor.execute("select name, extract(epoch from clock_timestamp() - at) from operations_workerbeat")
            for name, age_s in cursor.fetchall():
                beats.add_metric([name], float(age_s))
        yield from (operations, steps, outbox_rows, outbox_age, beats)


JOURNAL = CollectorRegistry()
JOURNAL.register(Journal())


@require_GET
def metrics(request: HttpRequest) -> HttpResponse:
    """Answer the metrics to whoever bears METRICS_TOKEN, or, when none is set, to this machine alone."""
    if not _allowed(request):
        return HttpResponse(
            "Metrics are not for everybody. Send METRICS_TOKEN as a bearer token, or ask from the machine itself.\n",
            status=401 if settings.METRICS_TOKEN else 403,
            content_type="text/plain; charset=utf-8",
        )
    return HttpResponse(generate_latest(_process()) + generate_latest(JOURNAL), content_type=CONTENT_TYPE_LATEST)


def _process() -> CollectorRegistry:
    # Several processes behind one port (`uvicorn --workers`) share their counters through files.
    if not os.environ.get("PROMETHEUS_MULTIPROC_DIR"):
        return PROCESS
    registry = CollectorRegistry()
    multiprocess.MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
    return registry


def _allowed(request: HttpRequest) -> bool:
    if settings.METRICS_TOKEN:
        given = request.headers.get("Authorization", "").encode()
        return hmac.compare_digest(given, f"Bearer {settings.METRICS_TOKEN}".encode())
    # A proxy on this machine must not lend its own address to strangers.
    forwarded = "X-Forwarded-For" in request.headers or "Forwarded" in request.headers
    return request.META.get("REMOTE_ADDR") in ("127.0.0.1", "::1") and not forwarded
