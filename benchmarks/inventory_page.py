"""Measure the list of machines at 100,000 rows: its queries, and its time beside that of the bare statement.

The peer runs the very statement that the list runs for its page, over psycopg, and dumps the rows with
``json.dumps``: it knows no users, no roles, no cursors and no names of clouds. Both are taken alternately in one run.
Five questions: the first page, a filter, a search, another order, and a page far into the list.
Goal: p95 ≤ 3 times the bare statement's, and as many queries at 100,000 rows as at 100.

    python -m benchmarks.inventory_page
"""

from __future__ import annotations

import json
import os
import time
import uuid
from collections.abc import Callable
from functools import partial
from typing import Any

from connectors.listing import Item

ROUNDS = 100
LIST = "/api/v1/inventory/machines/?limit=100"
QUESTIONS = {
    "first page": "",
    "filter": "&power=off&cluster=cluster-7&tag=env-1",
    "search": "&q=payment&q=10.3.",
    "by memory": "&sort=-memory_mib",
    "far page": "",
}


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
    """Print the figures of each question, and whether the queries grow."""
    from django.db import connection
    from django.test.utils import CaptureQueriesContext

    client, clouds = _people()
    client.get(LIST)  # the first use of a token is noted in its row
    counts: dict[int, set[int]] = {}
    for total in (100, 100_000):
        began = time.perf_counter()
        _fill(clouds, total)
        with connection.cursor() as cursor:
            cursor.execute("VACUUM ANALYZE inventory_machine")
        print(f"{total:>7} rows, written in {time.perf_counter() - began:.1f} s")
        for question, parameters in QUESTIONS.items():
            address = LIST + parameters
            if question == "far page":
                address = _far(client, total // 2)
            client.get(address)  # every now and then the use of a token is noted; this time that is over then
            with CaptureQueriesContext(connection) as captured:
                rows = client.get(address).json()["results"]
            queries = [each["sql"] for each in captured.captured_queries]
            counts.setdefault(total, set()).add(len(queries))
            statement = next(each for each in queries if 'FROM "inventory_machine"' in each)
            ours, bare = _alternately(partial(_page, client, address), partial(_bare, statement))
            print(
                f"  {question:<11} {len(rows):>3} rows, {len(queries)} queries; p50 {_at(ours, 50):5.1f} ms ÷ "
                f"{_at(bare, 50):5.1f} = {_at(ours, 50) / _at(bare, 50):.2f}; p95 {_at(ours, 95):5.1f} ms ÷ "
                f"{_at(bare, 95):5.1f} = {_at(ours, 95) / _at(bare, 95):.2f} (goal <= 3)"
            )
    print(f"queries grow: {'yes' if counts[100] != counts[100_000] else 'no'} {counts}")


def _far(client: Any, skipped: int) -> str:
    """Return the address of a page behind so many rows, as the list itself would give it."""
    import base64

    from apps.inventory.models import Machine

    row = Machine.objects.order_by("name", "id")[skipped]
    text = json.dumps({"b": False, "v": [row.name, str(row.pk)]}, separators=(",", ":"))
    return f"{LIST}&cursor={base64.urlsafe_b64encode(text.encode()).decode().rstrip('=')}"


def _alternately(*calls: Callable[[], Any]) -> list[list[float]]:
    samples: list[list[float]] = [[] for _ in calls]
    for number in range(ROUNDS + 5):
        for place, call in enumerate(calls):
            began = time.perf_counter()
            call()
            if number >= 5:  # the first ones warm caches up
                samples[place].append((time.perf_counter() - began) * 1e3)
    return [sorted(each) for each in samples]


def _at(samples: list[float], percent: int) -> float:
    return samples[min(len(samples) - 1, len(samples) * percent // 100)]


def _page(client: Any, address: str) -> bytes:
    content: bytes = client.get(address).content
    return content


def _bare(statement: str) -> str:
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute(statement)
        names = [column.name for column in cursor.description or ()]
        return json.dumps([dict(zip(names, row, strict=True)) for row in cursor.fetchall()], default=str)


def _fill(clouds: list[Any], total: int) -> None:
    from django.db import transaction

    from apps.inventory import writing

    for place, cloud in enumerate(clouds):
        numbers = range(place, total, len(clouds))
        for first in range(0, len(numbers), 1_000):
            with transaction.atomic():
                writing.store(cloud.pk, [_machine(number) for number in numbers[first : first + 1_000]], (), full=False)


def _machine(number: int) -> Item:
    team = ("payment", "orders", "search", "mail", "billing", "logs", "auth", "stock")[number % 8]
    return Item(
        "machine",
        str(uuid.UUID(int=number + 1)),
        f"vm-{number}",
        f"{team}-{number * 7919 % 1_000_003:07}",
        {
            "power": "off" if number % 5 == 0 else "on",
            "tools": "running",
            "cpus": 1 << number % 5,
            "memory_mib": 1024 << number % 7,
            "disk_gib": 10.0 + number % 490,
            "host": f"esx-{number % 320:03}",
            "cluster": f"cluster-{number % 16}",
            "pool": "Production",
            "folder": f"Apps/{team.title()}/Stage {number % 3}",
            "guest": "Debian GNU/Linux 12 (64-bit)",
            "addresses": [f"10.{number % 7}.{number // 256 % 256}.{number % 256}"],
            "networks": [f"net-{number % 40}"],
            "datastores": [f"nvme-{number % 25}"],
            "tags": [f"env-{number % 3}", f"tier-{number % 4}"],
            "snapshots": number % 2,
            "nics": [{"network": f"net-{number % 40}", "mac": "00:50:56:00:00:01", "addresses": []}],
        },
    )


def _people() -> tuple[Any, list[Any]]:
    from rest_framework.test import APIClient

    from apps.clouds.models import Cloud
    from apps.tenancy import services
    from apps.tenancy.access import System
    from apps.tenancy.models import User

    organization = services.create_organization("acme", "Acme")
    user = User.objects.create(username="alice")
    services.add_member(System(organization), user, "viewer")
    _, text = services.issue_token(System(organization), "benchmark", "viewer", user=user)
    clouds = [
        Cloud.objects.create(organization=organization, name=name, kind="fake", address="fake.example")
        for name in ("paris", "roubaix", "frankfurt", "oregon")
    ]
    client = APIClient()
    client.credentials(HTTP_AUTHORIZATION=f"Bearer {text}")
    return client, clouds


if __name__ == "__main__":
    main()
