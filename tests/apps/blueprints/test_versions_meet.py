"""Versions are only ever added, never over somebody's head, and an old one comes back as a new one."""

from __future__ import annotations

import threading
from typing import Any

import pytest
from django.db import connection

from tests.people import Person, client_with

pytestmark = pytest.mark.django_db

SHOP = "services:\n  web:\n    image: nginx:1.27\n"
NEWER = SHOP.replace("1.27", "1.28")


@pytest.fixture
def design(bob: Person) -> str:
    body = {"project": "shop", "name": "web", "compose": SHOP, "files": {"a.txt": "1"}, "environment": {"TAG": "x"}}
    answer = bob.api.post("/api/v1/blueprints/", body)
    assert answer.status_code == 201, answer.content
    return f"/api/v1/blueprints/{answer.json()['id']}/"


def add(person: Person, design: str, compose: str, **body: Any) -> Any:
    return person.api.post(f"{design}versions/", {"compose": compose} | body)


def test_a_version_from_an_older_one_is_refused_with_the_latest(alice: Person, bob: Person, design: str) -> None:
    assert add(alice, design, NEWER, base_version=1).status_code == 201
    answer = add(bob, design, SHOP.replace("1.27", "1.29"), base_version=1)
    assert answer.status_code == 409
    body = answer.json()
    assert body["code"] == "blueprint.version_conflict"
    assert (body["base_version"], body["latest_version"], body["compose"]) == (1, 2, NEWER)
    assert (body["saved_by"], bool(body["saved_at"])) == ("alice", True)
    assert [row["number"] for row in bob.api.get(f"{design}versions/").json()["results"]] == [2, 1]


def test_the_same_text_as_the_latest_is_no_conflict(alice: Person, bob: Person, design: str) -> None:
    add(alice, design, NEWER)
    answer = add(bob, design, NEWER, base_version=1)
    assert (answer.status_code, answer.json()["number"]) == (201, 2)


def test_without_a_base_a_version_is_added_as_before(alice: Person, bob: Person, design: str) -> None:
    add(alice, design, NEWER)
    assert add(bob, design, SHOP.replace("1.27", "1.29")).json()["number"] == 3


@pytest.mark.django_db(transaction=True)
def test_of_those_who_save_at_once_from_the_same_version_exactly_one_succeeds(bob: Person) -> None:
    made = bob.api.post("/api/v1/blueprints/", {"project": "shop", "name": "web", "compose": SHOP}).json()
    path = f"/api/v1/blueprints/{made['id']}/versions/"
    start = threading.Barrier(4)
    codes: list[int] = []

    def run(number: int) -> None:
        try:
            start.wait(10)
            body = {"compose": SHOP.replace("1.27", f"2.{number}"), "base_version": 1}
            codes.append(client_with(bob.token_text).post(path, body).status_code)
        finally:
            connection.close()

    threads = [threading.Thread(target=run, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert sorted(codes) == [201, 409, 409, 409]
    assert len(bob.api.get(path).json()["results"]) == 2


def test_files_are_taken_over_from_what_was_saved_meanwhile(bob: Person, monkeypatch: pytest.MonkeyPatch) -> None:
    from apps.blueprints import files, services
    from apps.blueprints.models import Blueprint, BlueprintVersion

    body = {"project": "shop", "name": "web", "compose": SHOP, "files": {"a.txt": "1"}}
    blueprint = Blueprint.objects.get(pk=bob.api.post("/api/v1/blueprints/", body).json()["id"])
    real = services._refuse_invalid
    others = iter([{"b.txt": b"2"}])

    def refuse(text: str, **given: Any) -> None:
        real(text, **given)
        for other in others:  # somebody saves while this text is looked through
            services.save_version(bob.principal, blueprint, compose=SHOP, files=other)

    monkeypatch.setattr(services, "_refuse_invalid", refuse)
    version = services.save_version(bob.principal, blueprint, compose=NEWER)
    assert version.number == 3
    assert files.read(BlueprintVersion.objects.get(pk=version.pk)) == {"b.txt": b"2"}


def test_an_old_version_comes_back_as_a_new_one_with_its_files_and_values(bob: Person, design: str) -> None:
    from apps.blueprints import files
    from apps.blueprints.models import BlueprintVersion

    add(bob, design, NEWER, files={}, environment={})
    answer = bob.api.post(f"{design}versions/1/restore/", {"message": "back"})
    assert answer.status_code == 201, answer.content
    body = answer.json()
    assert (body["number"], body["compose"], body["message"]) == (3, SHOP, "back")
    restored = BlueprintVersion.objects.get(number=3)
    assert files.read(restored) == {"a.txt": b"1"}
    assert files.environment_of(restored) == {"TAG": "x"}
    assert [row["number"] for row in bob.api.get(f"{design}versions/").json()["results"]] == [3, 2, 1]


def test_a_restored_version_says_so_in_the_callers_language_and_in_the_audit_log(bob: Person, design: str) -> None:
    from apps.audit.models import Entry

    add(bob, design, NEWER)
    answer = bob.api.post(f"{design}versions/1/restore/", headers={"Accept-Language": "fr"})
    assert answer.json()["message"] == "Version 1 restaurée"
    entry = Entry.objects.order_by("-sequence").first()
    assert (entry.action, entry.data) == ("blueprint.version", {"version": 3, "restored": 1})


def test_restoring_the_latest_version_makes_no_new_one(bob: Person, design: str) -> None:
    assert bob.api.post(f"{design}versions/1/restore/").json()["number"] == 1


def test_a_version_that_is_not_there_cannot_be_restored(bob: Person, viewer: Person, design: str) -> None:
    missing = bob.api.post(f"{design}versions/9/restore/")
    assert (missing.status_code, missing.json()["code"]) == (404, "blueprint.no_version")
    assert viewer.api.post(f"{design}versions/1/restore/").status_code == 403
