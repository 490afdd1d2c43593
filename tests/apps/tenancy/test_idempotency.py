"""A repeated request is answered again, not done again."""

import threading
from datetime import timedelta

import pytest
from django.db import connection
from django.utils import timezone

from apps.tenancy.api import idempotency
from apps.tenancy.models import IdempotencyRecord
from tests.apps.clouds.conftest import PASSWORD, fresh_pool, make_cloud, state  # noqa: F401
from tests.people import client_with

CLOUDS = "/api/v1/clouds/"


def body(name="paris", **changes):
    facts = {"name": name, "kind": "fake", "address": "fake.example", "username": "u", "password": PASSWORD}
    return {**facts, **changes}


def post(person, data, key="key-1"):
    return person.api.post(CLOUDS, data, headers={"Idempotency-Key": key})


def test_the_same_request_with_the_same_key_gives_the_same_answer_once_done(alice):
    first = post(alice, body())
    again = post(alice, dict(reversed(body().items())))
    assert first.status_code == again.status_code == 201
    assert again.content == first.content
    assert again["Idempotency-Replayed"] == "true"
    assert "Idempotency-Replayed" not in first
    assert alice.organization.clouds.count() == 1


def test_without_a_key_it_is_done_again(alice):
    assert alice.api.post(CLOUDS, body()).status_code == 201
    assert alice.api.post(CLOUDS, body()).status_code == 409


@pytest.mark.parametrize("change", [{"name": "other"}, {"password": "another"}, {"title": "T"}])
def test_the_same_key_with_another_body_is_refused(alice, change):
    post(alice, body())
    answer = post(alice, body(**change))
    assert (answer.status_code, answer.json()["code"]) == (422, "idempotency.mismatch")


def test_keys_of_people_and_organizations_do_not_touch(alice, charlie):
    assert post(alice, body()).status_code == 201
    assert post(charlie, body()).status_code == 201
    assert "Idempotency-Replayed" not in post(charlie, body("other"), "key-2")


def test_what_failed_can_be_corrected_and_sent_again_under_its_key(alice):
    assert post(alice, body(kind="mainframe")).status_code == 400
    assert not IdempotencyRecord.objects.exists()
    assert post(alice, body()).status_code == 201


def test_a_role_that_was_lost_meanwhile_is_not_answered_from_memory(alice, bob):
    from apps.tenancy import services
    from apps.tenancy.models import Membership

    services.change_role(alice.principal, Membership.objects.get(user=bob.user), "admin")
    services.issue_token(bob.principal, "strong", "admin")
    _, text = services.issue_token(bob.principal, "strong", "admin")
    strong = client_with(text)
    assert strong.post(CLOUDS, body(), headers={"Idempotency-Key": "k"}).status_code == 201
    services.change_role(alice.principal, Membership.objects.get(user=bob.user), "viewer")
    assert strong.post(CLOUDS, body(), headers={"Idempotency-Key": "k"}).status_code == 403


@pytest.mark.parametrize("key", ["", "x" * 256, "é", "a\tb", "  "])
def test_a_key_that_cannot_be_kept_is_refused(alice, key):
    answer = post(alice, body(), key)
    assert answer.status_code == 400, answer.content
    assert answer.json()["code"] == "idempotency.invalid"


def test_an_answer_is_kept_for_a_day(alice):
    post(alice, body())
    IdempotencyRecord.objects.update(created_at=timezone.now() - idempotency.KEPT_FOR - timedelta(seconds=1))
    assert post(alice, body()).status_code == 409  # done again: the name is taken
    post(alice, body("other"), "key-2")
    IdempotencyRecord.objects.update(created_at=timezone.now() - idempotency.KEPT_FOR - timedelta(seconds=1))
    assert idempotency.forget_expired() >= 1
    assert not IdempotencyRecord.objects.exists()


def test_the_record_holds_neither_the_password_nor_a_plain_hash_of_the_request(alice):
    post(alice, body())
    row = str(IdempotencyRecord.objects.values().get())
    assert PASSWORD not in row


@pytest.mark.django_db(transaction=True)
def test_a_repetition_while_the_first_is_under_way_is_told_so(alice, monkeypatch):
    from apps.clouds import services

    register, inside, leave = services.register_cloud, threading.Event(), threading.Event()

    def slow(*args, **kwargs):
        inside.set()
        assert leave.wait(20)
        return register(*args, **kwargs)

    monkeypatch.setattr(services, "register_cloud", slow)
    answers = []

    def first():
        try:
            answers.append(post(alice, body()))
        finally:
            connection.close()

    thread = threading.Thread(target=first)
    thread.start()
    assert inside.wait(20)
    meanwhile = client_with(alice.token_text).post(CLOUDS, body(), headers={"Idempotency-Key": "key-1"})
    leave.set()
    thread.join(20)
    assert (meanwhile.status_code, meanwhile.json()["code"]) == (409, "idempotency.concurrent")
    assert answers[0].status_code == 201
    assert post(alice, body())["Idempotency-Replayed"] == "true"
    assert alice.organization.clouds.count() == 1


@pytest.mark.django_db(transaction=True)
def test_a_worker_that_dies_before_the_answer_leaves_neither_the_work_nor_a_record(alice, monkeypatch):
    from apps.clouds.models import Cloud

    def dies(*args, **kwargs):
        raise KeyboardInterrupt  # nothing catches it: as good as a kill for what is committed

    monkeypatch.setattr(idempotency, "_keep", dies)
    with pytest.raises(KeyboardInterrupt):
        post(alice, body())
    assert not Cloud.objects.exists()
    assert not IdempotencyRecord.objects.exists()
    monkeypatch.undo()
    assert post(alice, body()).status_code == 201
