"""PostgreSQL ends all sessions, as a restart or a fail-over does."""

from __future__ import annotations

import time

import pytest
from django.db import connection

from apps.operations.models import Operation
from tests.chaos.oracle import check, wait_for_end

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow, pytest.mark.timeout(600)]


def test_sessions_cut_off_again_and_again_lose_nothing(plant, order, factor):
    operations = [order(24, task_s=0.1) for _ in range(2)]
    ends = time.monotonic() + 4 * max(1, factor)
    cuts = 0
    while time.monotonic() < ends and Operation.objects.live().exists():
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity"
                " WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )
            cuts += cursor.fetchone()[0]
        time.sleep(0.25)
    assert cuts > 0
    wait_for_end(plant, *operations, timeout_s=60, relay="relay")
    check(plant, *operations)
