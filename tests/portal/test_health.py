import pytest
from asgiref.sync import async_to_sync
from django.db import connection
from django.test import Client, override_settings

pytestmark = pytest.mark.django_db


def beat(age_s: float = 0) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "insert into operations_workerbeat (name, at) values ('w1', clock_timestamp() - %s * interval '1 second')",
            [age_s],
        )


@pytest.fixture
def client():
    return Client(raise_request_exception=False)


def test_it_is_alive_without_asking_anybody(client, django_assert_num_queries):
    with django_assert_num_queries(0):
        response = client.get("/healthz")
    assert response.status_code == 200
    assert response.json() == {"status": "alive"}


def test_it_is_ready_when_database_broker_and_a_worker_are(client):
    beat()
    response = client.get("/readyz")
    assert response.status_code == 200, response.json()
    assert response.json()["status"] == "ready"


def test_it_is_not_ready_before_a_worker_has_consumed(client):
    response = client.get("/readyz")
    assert response.status_code == 503
    checks = response.json()["checks"]
    assert checks["database"]["ok"]
    assert checks["broker"]["ok"]
    assert "No worker has consumed anything yet" in checks["worker"]["problem"]


def test_it_is_not_ready_when_the_last_beat_is_old(client):
    beat(age_s=300)
    response = client.get("/readyz")
    assert response.status_code == 503
    assert "for 300 s" in response.json()["checks"]["worker"]["problem"]


def test_it_names_the_broker_when_that_is_away(client):
    beat()
    with override_settings(REDIS_URL="redis://:very-secret@127.0.0.1:1/0"):
        response = client.get("/readyz")
    assert response.status_code == 503
    assert not response.json()["checks"]["broker"]["ok"]
    assert "very-secret" not in response.content.decode()
    assert response.json()["checks"]["database"]["ok"]


def test_a_probe_needs_no_host_name_and_no_token(client):
    beat()
    assert client.get("/readyz", headers={"host": "10.0.0.7"}).status_code == 200
    assert client.get("/metrics", headers={"host": "10.0.0.7"}).status_code == 400


def test_it_answers_on_the_event_loop_too(async_client):
    response = async_to_sync(async_client.get)("/healthz")
    assert response.status_code == 200
