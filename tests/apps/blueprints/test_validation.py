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


def test_files_and_values_come_from_the_latest_version_of_a_design(bob: Person) -> None:
    made = bob.api.post("/api/v1/blueprints/", {"project": "shop", "name": "web", "compose": TEXT, **GIVEN}).json()
    assert codes(check(bob, blueprint=made["id"])) == []
    bob.api.post(f"/api/v1/blueprints/{made['id']}/versions/", {"compose": "services: {a: {image: b}}", "files": {}})
    assert codes(check(bob, blueprint="web")) != []


def test_who_only_reads_a_design_has_each_version_looked_through_with_its_own(bob: Person, viewer: Person) -> None:
    made = bob.api.post("/api/v1/blueprints/", {"project": "shop", "name": "web", "compose": TEXT, **GIVEN}).json()
    bob.api.post(f"/api/v1/blueprints/{made['id']}/versions/", {"compose": "services: {a: {image: b}}", "files": {}})
    assert codes(check(viewer, blueprint="web")) == []
    assert codes(check(viewer, "services: {a: {image: b}}", blueprint="web")) == []


def test_no_text_of_ones_own_brings_out_what_one_may_only_read(bob: Person, viewer: Person) -> None:
    secret = {"environment": {"TAG": "hunter2-hunter2"}, "files": {"web.env": "hunter2-hunter2: [\n"}}
    text = TEXT.replace("env_file: [web.env]", "restart: always")
    bob.api.post("/api/v1/blueprints/", {"project": "shop", "name": "web", "compose": text, **secret})
    prying = "services:\n  web:\n    image: nginx\n    ports: ['${TAG}']\n"
    assert "hunter2" in check(bob, prying, blueprint="web").content.decode()  # he may write it
    merging = {"files": [{"name": "a", "compose": prying}], "blueprint": "web"}
    answers = [
        check(viewer, prying, blueprint="web"),
        check(viewer, "include: [web.env]\n", blueprint="web"),
        check(viewer, text, blueprint="web", files={"a": "b"}),
        check(viewer, text, blueprint="web", environment={"A": "b"}),
        viewer.api.post("/api/v1/blueprints/merge/", merging),
    ]
    assert [answer.status_code for answer in answers] == [403] * 5
    assert all("hunter2" not in answer.content.decode() for answer in answers)


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
