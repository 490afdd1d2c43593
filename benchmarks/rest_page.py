"""Measure a REST page of 100 deployments against the same SQL with ``json.dumps``, and count its queries.

The peer fetches the same columns of the same 100 rows over psycopg and dumps them: it knows no users, no roles,
no cursors and no forms. Both are taken alternately in one run; the figures are medians of processor time and of
wall time. Goal: ratio ≤ 3 and a query count that is the same at 100 and at 10,000 rows.

    python -m benchmarks.rest_page
"""

from __future__ import annotations

import json
import os
import statistics
import time
from collections.abc import Callable
from typing import Any

ROUNDS = 60


def main() -> None:
    """Lend a database, measure, and print."""
    from tests.services import Services

    os.environ.update(Services().join())
    os.environ.update(
        {
            "DJANGO_SETTINGS_MODULE": "portal.settings",
            "ESCALE_SANDBOX": "1",
            "SECRET_KEY": "the key of a benchmark, which protects nothing",
            "ESCALE_KEYS": "1:" + "VGVzdHMgdXNlIHRoaXMga2V5OyAzMiBieXRlcyBsb24=",
            "ESCALE_URL": "http://testserver",
            "LOG_LEVEL": "ERROR",
        }
    )
    import django
    from django.test.utils import get_runner, setup_test_environment

    django.setup()
    setup_test_environment()
    from django.conf import settings

    runner = get_runner(settings)(verbosity=0, interactive=False)
    databases = runner.setup_databases()
    try:
        measure()
    finally:
        runner.teardown_databases(databases)


def measure() -> None:
    """Print both figures for a short and a long table, and whether the queries grow."""
    from django.db import connection
    from django.test.utils import CaptureQueriesContext

    person, project, make = _people()
    counts = {}
    person.get("/api/v1/projects/")  # the first use of a token is noted in its row
    for rows in (100, 10_000):
        make(rows)
        with CaptureQueriesContext(connection) as queries:
            assert len(person.get("/api/v1/deployments/?limit=100").json()["results"]) == 100
        counts[rows] = len(queries)
        page = _medians(lambda: person.get("/api/v1/deployments/?limit=100").content, lambda: _bare(project.id))
        (ours_cpu, ours_wall), (bare_cpu, bare_wall) = page
        print(
            f"{rows:>6} rows: page {ours_wall * 1e3:.2f} ms wall, {ours_cpu * 1e3:.2f} ms cpu; bare SQL + json.dumps "
            f"{bare_wall * 1e3:.2f} ms wall, {bare_cpu * 1e3:.2f} ms cpu; ratio {ours_wall / bare_wall:.2f} wall, "
            f"{ours_cpu / bare_cpu:.2f} cpu (goal <= 3); {counts[rows]} queries"
        )
    print(f"queries grow: {'yes' if counts[100] != counts[10_000] else 'no'} {counts}")


def _medians(*calls: Callable[[], Any]) -> list[tuple[float, float]]:
    samples: list[list[tuple[float, float]]] = [[] for _ in calls]
    for number in range(ROUNDS + 5):
        for place, call in enumerate(calls):
            wall, cpu = time.perf_counter(), time.process_time()
            call()
            if number >= 5:  # the first ones warm caches up
                samples[place].append((time.process_time() - cpu, time.perf_counter() - wall))
    return [
        (statistics.median(cpu for cpu, _ in sample), statistics.median(wall for _, wall in sample))
        for sample in samples
    ]


def _bare(project_id: Any) -> str:
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute(
            """SELECT d.id, d.name, d.state, d.created_at, d.updated_at, d.project_id, p.slug, d.cloud_id, c.name,
                      v.number, v.blueprint_id, b.name
               FROM deployments_deployment d
               JOIN tenancy_project p ON p.id = d.project_id
               JOIN clouds_cloud c ON c.id = d.cloud_id
               JOIN blueprints_blueprintversion v ON v.id = d.version_id
               JOIN blueprints_blueprint b ON b.id = v.blueprint_id
               WHERE d.project_id = %s AND d.state <> 'destroyed'
               ORDER BY d.created_at DESC, d.id LIMIT 101""",
            [project_id],
        )
        names = [column.name for column in cursor.description or ()]
        return json.dumps({"results": [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]}, default=str)


def _people() -> tuple[Any, Any, Callable[[int], None]]:
    from rest_framework.test import APIClient

    from apps.blueprints.models import Blueprint, BlueprintVersion
    from apps.clouds.models import Cloud
    from apps.deployments.models import Deployment
    from apps.tenancy import services
    from apps.tenancy.access import System
    from apps.tenancy.models import User

    organization = services.create_organization("acme", "Acme")
    project = services.create_project(System(organization), "shop", "Shop")
    user = User.objects.create(username="alice")
    services.add_member(System(organization), user, "viewer")
    _, text = services.issue_token(System(organization), "benchmark", "viewer", user=user)
    cloud = Cloud.objects.create(organization=organization, name="paris", kind="fake", address="fake.example")
    blueprint = Blueprint.objects.create(project=project, name="shop")
    version = BlueprintVersion.objects.create(blueprint=blueprint, number=1, text="services: {}", digest="0" * 64)

    def make(total: int) -> None:
        have = Deployment.objects.count()
        Deployment.objects.bulk_create(
            Deployment(project=project, name=f"shop-{number}", cloud=cloud, version=version, state="running")
            for number in range(have, total)
        )

    client = APIClient()
    client.credentials(HTTP_AUTHORIZATION=f"Bearer {text}")
    return client, project, make


if __name__ == "__main__":
    main()
