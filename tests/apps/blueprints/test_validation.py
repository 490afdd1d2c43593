"""A text is looked through with the files and values that its draft or design has, and nothing is kept."""

from __future__ import annotations

from typing import Any

import pytest

from tests.people import Person

pytestmark = pytest.mark.django_db

TEXT = "services:\n  web:\n    image: nginx:${TAG:?choose one}\n    env_file: [web.env]\n"
GIVEN = {"files": {"web.env": "A=1\n"}, "environment": {"TAG": "1.27"}}


def check(person: Person, compose: str = TEXT, **body: Any) -> Any:
    return person.api.post("/api/v1/blueprints/validate/", {"compose": compose} | body)


def codes(answer: Any) -> list[str]:
    assert answer.status_code == 200, answer.content
    return [finding["code"] for finding in answer.json()["findings"]]


def test_files_and_values_come_from_a_draft(bob: Person) -> None:
    draft = bob.api.post("/api/v1/drafts/", {"project": "shop", "compose": "", **GIVEN}).json()
    assert codes(check(bob)) != []
    assert codes(check(bob, draft=draft["id"])) == []


def test_files_and_values_come_from_the_latest_version_of_a_design(bob: Person, viewer: Person) -> None:
    made = bob.api.post("/api/v1/blueprints/", {"project": "shop", "name": "web", "compose": TEXT, **GIVEN}).json()
    assert codes(check(viewer, blueprint=made["id"])) == []
    bob.api.post(f"/api/v1/blueprints/{made['id']}/versions/", {"compose": "services: {a: {image: b}}", "files": {}})
    assert codes(check(viewer, blueprint="web")) != []


def test_what_is_given_besides_comes_over_them(bob: Person) -> None:
    draft = bob.api.post("/api/v1/drafts/", {"project": "shop", "compose": "", **GIVEN}).json()
    more = TEXT + "  db:\n    image: postgres\n    env_file: [db.env]\n"
    assert codes(check(bob, more, draft=draft["id"])) != []
    assert codes(check(bob, more, draft=draft["id"], files={"db.env": "B=2\n"})) == []
    assert codes(check(bob, more, draft=draft["id"], files={"db.env": "B=2\n"}, environment={"TAG": ""})) != []


def test_somebody_elses_draft_or_design_is_no_help(alice: Person, bob: Person, charlie: Person) -> None:
    draft = bob.api.post("/api/v1/drafts/", {"project": "shop", "compose": "", **GIVEN}).json()
    made = bob.api.post("/api/v1/blueprints/", {"project": "shop", "name": "web", "compose": TEXT, **GIVEN}).json()
    assert check(alice, draft=draft["id"]).status_code == 404
    assert check(charlie, draft=draft["id"]).status_code == 404
    assert check(charlie, blueprint=made["id"]).status_code == 404


def test_a_finding_carries_its_fix_and_all_it_had_before(bob: Person) -> None:
    answer = check(bob, "services:\n  web:\n    image: nginx\n    portz: []\n").json()
    assert answer["valid"] is False
    (finding,) = answer["findings"]
    assert finding.pop("message")
    assert finding == {
        "code": "compose.schema.unknown_key",
        "severity": "error",
        "path": ["services", "web", "portz"],
        "line": 4,
        "column": 5,
        "hint": "Did you mean `ports`?",
        "fix": [
            {
                "title": "Rename “portz” to “ports”",
                "edits": [{"path": ["services", "web", "portz"], "op": "rename", "value": "ports"}],
            }
        ],
    }


def test_a_machine_that_is_not_drawn_is_told_where_it_stands(bob: Person) -> None:
    answer = check(bob, "services:\n  web:\n    image: nginx\n    x-escale: {machine: front}\n").json()
    (finding,) = answer["findings"]
    assert (finding["code"], finding["line"]) == ("realise.machine_unknown", 4)
    assert finding["fix"][0]["edits"] == [{"path": ["x-escale", "machines", "front"], "op": "set", "value": {}}]
