import uuid

import pytest
from django.db import connection
from django.test import override_settings

pytestmark = pytest.mark.django_db


def test_this_machine_may_read_them(client):
    response = client.get("/metrics")
    assert response.status_code == 200
    assert "escale_http_request_seconds" in response.content.decode()


def test_strangers_may_not(client):
    assert client.get("/metrics", REMOTE_ADDR="192.0.2.7").status_code == 403


def test_a_proxy_on_this_machine_lends_nobody_its_address(client):
    assert client.get("/metrics", headers={"x-forwarded-for": "192.0.2.7"}).status_code == 403


@override_settings(METRICS_TOKEN="the scraper's own")
def test_a_token_opens_them_from_anywhere_and_nothing_else_does(client):
    headers = {"authorization": "Bearer the scraper's own"}
    assert client.get("/metrics", headers=headers, REMOTE_ADDR="192.0.2.7").status_code == 200
    assert client.get("/metrics").status_code == 401
    assert client.get("/metrics", headers={"authorization": "Bearer another"}).status_code == 401


def test_they_tell_how_old_the_oldest_poke_is(client):
    with connection.cursor() as cursor:
        cursor.execute(
            "insert into operations_outbox (operation_id, created_at) values (%s, clock_timestamp() - interval '90 s')",
            [uuid.uuid4()],
        )
    lines = client.get("/metrics").content.decode().splitlines()
    assert "escale_outbox_rows 1.0" in lines
    age = next(float(line.split()[1]) for line in lines if line.startswith("escale_outbox_age_seconds "))
    assert 89 < age < 120


def test_requests_are_counted_by_route_and_not_by_address(client):
    client.get("/no/such/page/nobody-asks-for-it")
    text = client.get("/metrics").content.decode()
    assert 'escale_http_requests_total{method="GET",route="(none)",status="404"}' in text
    assert "nobody-asks-for-it" not in text
