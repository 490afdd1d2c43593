"""Several Compose files are imported as one, and nothing of it is kept."""

from __future__ import annotations

from typing import Any

import pytest

from tests.people import Person

pytestmark = pytest.mark.django_db

BASE = "services:\n  web:\n    image: nginx:1.27\n    ports: ['80:80']\n"


def merge(person: Person, *texts: str, **body: Any) -> Any:
    files = [{"name": f"{number}.yaml", "compose": text} for number, text in enumerate(texts)]
    return person.api.post("/api/v1/blueprints/merge/", {"files": files} | body)


def test_it_answers_the_text_and_what_is_wrong_with_it(viewer: Person) -> None:
    answer = merge(viewer, BASE, "services:\n  web:\n    image: nginx:1.28\n    volumes: ['data:/x']\n")
    assert answer.status_code == 200, answer.content
    body = answer.json()
    assert body["compose"] == (
        "services:\n  web:\n    image: nginx:1.28\n    ports:\n      - 80:80\n    volumes:\n      - data:/x\n"
    )
    (finding,) = body["findings"]
    assert (finding["code"], finding["line"]) == ("compose.reference.volume", 7)
    assert finding["fix"][0]["edits"][0]["path"] == ["volumes", "data"]


def test_files_that_cannot_be_merged_are_refused_by_name(bob: Person) -> None:
    answer = merge(bob, BASE, "services: [")
    assert (answer.status_code, answer.json()["code"]) == (422, "compose.invalid")
    assert answer.json()["findings"][0]["message"].startswith("In 1.yaml: ")


def test_files_and_values_of_a_draft_are_used(bob: Person, alice: Person) -> None:
    draft = bob.api.post("/api/v1/drafts/", {"project": "shop", "compose": "", "files": {"web.env": "A=1\n"}}).json()
    over = "services:\n  web:\n    env_file: web.env\n"
    assert merge(bob, BASE, over).json()["findings"] != []
    assert merge(bob, BASE, over, draft=draft["id"]).json()["findings"] == []
    assert merge(alice, BASE, over, draft=draft["id"]).status_code == 404


def test_too_many_files_none_and_huge_ones_are_refused(bob: Person) -> None:
    assert merge(bob).status_code == 400
    assert merge(bob, *[BASE] * 21).status_code == 400
    assert merge(bob, "#" * 700_000, "#" * 700_000).json()["findings"][0]["code"] == "compose.limit.bytes"
    assert merge(bob, "a: \0").status_code == 400
