"""A draft is one's own, survives everything, is never overwritten unawares, and becomes a design when it is saved."""

from __future__ import annotations

import threading
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from tests.people import Person, client_with

pytestmark = pytest.mark.django_db

SHOP = "services:\n  web:\n    image: nginx:1.27\n"
NEWER = SHOP.replace("1.27", "1.28")
BROKEN = "services:\n  web: [\n\timage: <script>"


def begin(person: Person, **body: Any) -> Any:
    return person.api.post("/api/v1/drafts/", {"project": "shop", "name": "web", "compose": SHOP} | body)


def begun(person: Person, **body: Any) -> dict[str, Any]:
    answer = begin(person, **body)
    assert answer.status_code == 201, answer.content
    draft: dict[str, Any] = answer.json()
    return draft


def path(draft: dict[str, Any], action: str = "") -> str:
    return f"/api/v1/drafts/{draft['id']}/{action}"


def write(person: Person, draft: dict[str, Any], revision: int, compose: str = NEWER, **body: Any) -> Any:
    return person.api.put(path(draft), {"revision": revision, "compose": compose} | body)


def save(person: Person, draft: dict[str, Any], revision: int, **body: Any) -> Any:
    return person.api.post(path(draft, "save/"), {"revision": revision} | body)


@pytest.fixture
def design(bob: Person) -> dict[str, Any]:
    body = {"project": "shop", "name": "web", "compose": SHOP, "description": "The shop",
            "files": {"key.txt": "canary-5f1c"}, "environment": {"TAG": "canary-tag-1"}}  # fmt: skip
    answer = bob.api.post("/api/v1/blueprints/", body)
    assert answer.status_code == 201, answer.content
    made: dict[str, Any] = answer.json()
    return made


# --- one's own ---


def test_a_draft_may_hold_anything_that_is_text(bob: Person) -> None:
    for text in ("", BROKEN, "# mine\r\n\ufeff\tñ 🐳\r\n", "x" * 1_048_576):
        draft = begun(bob, compose=text)
        assert bob.api.get(path(draft)).json()["compose"] == text


def test_a_draft_is_as_the_designer_expects_it(bob: Person, shop: Any) -> None:
    draft = begun(bob, files={"a.txt": "1"}, environment={"TAG": "x"})
    assert draft.pop("id")
    assert draft.pop("updated_at")
    assert draft == {
        "project": {"id": str(shop.pk), "name": "shop"},
        "blueprint": None,
        "base_version": None,
        "name": "web",
        "description": "",
        "compose": SHOP,
        "files": ["a.txt"],
        "environment": ["TAG"],
        "revision": 1,
        "created_by": "bob",
    }


@pytest.mark.parametrize(
    "members",
    [
        r'"compose": "a\u0000"',
        r'"compose": "\ud800"',
        r'"name": "\ud800", "compose": ""',
        r'"compose": "", "files": {"a\ud800": "x"}',
        r'"compose": "", "files": {"a": "\ud800"}',
        r'"compose": "", "environment": {"A\ud800": "x"}',
        r'"compose": "", "environment": {"A": "\ud800"}',
        r'"compose": "", "environment": {"A\u0000": "x"}',
    ],
)
def test_what_no_database_could_hold_is_refused(bob: Person, members: str) -> None:
    draft = begun(bob)
    for method, address, more in (
        ("PUT", path(draft), '"revision": 1'),
        ("POST", "/api/v1/drafts/", '"project": "shop"'),
    ):
        answer = bob.api.generic(method, address, f"{{{more}, {members}}}", content_type="application/json")
        assert answer.status_code in (400, 422), answer.content
    assert bob.api.get(path(draft)).json()["revision"] == 1


def test_a_text_of_more_than_a_mebibyte_is_refused(bob: Person) -> None:
    draft = begun(bob)
    answer = write(bob, draft, 1, "é" * 524_289)
    assert (answer.status_code, answer.json()["code"]) == (413, "draft.too_large")
    assert begin(bob, compose="x" * 1_048_577).json()["code"] == "draft.too_large"


def test_nobody_else_sees_it_not_even_an_administrator(alice: Person, bob: Person, charlie: Person) -> None:
    draft = begun(bob)
    for other in (alice, charlie):
        assert other.api.get(path(draft)).status_code == 404
        assert write(other, draft, 1).status_code == 404
        assert save(other, draft, 1).status_code == 404
        assert other.api.delete(path(draft)).status_code == 404
        assert other.api.get("/api/v1/drafts/").json()["results"] == []
    assert bob.api.get(path(draft)).json()["compose"] == SHOP


def test_without_a_role_in_its_project_it_does_not_exist(alice: Person, bob: Person) -> None:
    from apps.tenancy import services
    from apps.tenancy.models import Membership

    draft = begun(bob)
    lab = services.create_project(alice.principal, "lab", "Lab")
    Membership.objects.filter(user=bob.user).update(project=lab)
    assert bob.api.get(path(draft)).status_code == 404
    assert write(bob, draft, 1).status_code == 404


def test_a_viewer_may_read_and_drop_what_was_begun_as_an_architect(bob: Person) -> None:
    from apps.tenancy.models import Membership

    draft = begun(bob)
    Membership.objects.filter(user=bob.user).update(role="viewer")
    assert bob.api.get(path(draft)).status_code == 200
    assert write(bob, draft, 1).status_code == 403
    assert begin(bob).status_code == 403
    assert bob.api.delete(path(draft)).status_code == 204


def test_the_list_names_ones_drafts_without_their_texts(bob: Person, design: dict[str, Any]) -> None:
    loose = begun(bob)
    bound = begun(bob, blueprint=design["id"])
    rows = bob.api.get("/api/v1/drafts/").json()["results"]
    assert [row["id"] for row in rows] == [bound["id"], loose["id"]]
    assert all("compose" not in row for row in rows)
    only = bob.api.get(f"/api/v1/drafts/?blueprint={design['id']}").json()["results"]
    assert [row["id"] for row in only] == [bound["id"]]
    assert len(bob.api.get("/api/v1/drafts/?project=shop").json()["results"]) == 2


def test_there_is_an_end_to_the_drafts_that_were_never_saved(bob: Person, monkeypatch: pytest.MonkeyPatch) -> None:
    from apps.blueprints import drafts

    monkeypatch.setattr(drafts, "MAX_UNSAVED", 2)
    begun(bob)
    last = begun(bob)
    answer = begin(bob)
    assert (answer.status_code, answer.json()["code"]) == (409, "draft.too_many")
    bob.api.delete(path(last))
    begun(bob)


def test_a_draft_needs_a_project_or_a_design(bob: Person) -> None:
    answer = bob.api.post("/api/v1/drafts/", {"compose": SHOP})
    assert answer.status_code == 400
    assert [param["name"] for param in answer.json()["params"]] == ["project"]


# --- of a design ---


def test_a_draft_of_a_design_starts_from_its_latest_version(bob: Person, design: dict[str, Any]) -> None:
    bob.api.post(f"/api/v1/blueprints/{design['id']}/versions/", {"compose": NEWER})
    answer = bob.api.post("/api/v1/drafts/", {"blueprint": design["id"]})
    assert answer.status_code == 201, answer.content
    draft = answer.json()
    assert (draft["compose"], draft["base_version"], draft["name"]) == (NEWER, 2, "web")
    assert (draft["files"], draft["environment"], draft["description"]) == (["key.txt"], ["TAG"], "The shop")
    assert draft["blueprint"] == {"id": design["id"], "name": "web"}


def test_one_has_one_draft_of_a_design_and_others_have_their_own(
    alice: Person, bob: Person, design: dict[str, Any]
) -> None:
    draft = begun(bob, blueprint=design["id"])
    write(bob, draft, 1, BROKEN)
    again = begin(bob, blueprint=design["id"])
    assert (again.status_code, again.json()["id"], again.json()["compose"]) == (200, draft["id"], BROKEN)
    assert begun(alice, blueprint=design["id"])["id"] != draft["id"]


def test_a_draft_of_a_design_in_another_project_is_refused(alice: Person, design: dict[str, Any]) -> None:
    from apps.tenancy import services

    services.create_project(alice.principal, "lab", "Lab")
    answer = begin(alice, project="lab", blueprint=design["id"])
    assert (answer.status_code, answer.json()["code"]) == (422, "draft.other_project")


def test_a_draft_outlives_its_design(alice: Person, bob: Person, design: dict[str, Any]) -> None:
    draft = begun(bob, blueprint=design["id"])
    write(bob, draft, 1)
    assert alice.api.delete(f"/api/v1/blueprints/{design['id']}/").status_code == 204
    left = bob.api.get(path(draft)).json()
    assert (left["compose"], left["blueprint"], left["base_version"]) == (NEWER, None, None)
    assert save(bob, draft, 2).json()["version"]["number"] == 1


# --- writes ---


def test_a_write_from_an_old_revision_is_refused_with_what_is_stored(bob: Person) -> None:
    draft = begun(bob)
    assert write(bob, draft, 1, NEWER).json()["revision"] == 2
    answer = write(bob, draft, 1, BROKEN)
    assert answer.status_code == 409
    body = answer.json()
    assert (body["code"], body["revision"], body["compose"]) == ("draft.conflict", 2, NEWER)
    assert body["updated_at"] == bob.api.get(path(draft)).json()["updated_at"]
    assert write(bob, draft, 3).status_code == 409
    assert bob.api.get(path(draft)).json()["compose"] == NEWER


def test_an_autosave_costs_four_queries_and_no_look_at_the_text(bob: Person, monkeypatch: pytest.MonkeyPatch) -> None:
    from engine import compose

    draft = begun(bob, files={"a.txt": "1"}, environment={"TAG": "x"})
    assert write(bob, draft, 1).status_code == 200
    monkeypatch.setattr(compose, "load", None)
    with CaptureQueriesContext(
        connection,
    ) as queries:
        answer = write(bob, draft, 2, BROKEN, name="web2")
    assert answer.status_code == 200, answer.content
    assert (answer.json()["compose"], answer.json()["name"]) == (BROKEN, "web2")
    assert (answer.json()["files"], answer.json()["environment"]) == (["a.txt"], ["TAG"])
    assert len(queries) <= 4, [query["sql"][:100] for query in queries]


def test_an_autosave_is_not_audited_and_a_save_is(bob: Person) -> None:
    from apps.audit.models import Entry

    before = Entry.objects.count()
    draft = begun(bob)
    write(bob, draft, 1)
    assert Entry.objects.count() == before
    save(bob, draft, 2)
    assert Entry.objects.order_by("-sequence").first().action == "blueprint.create"


def test_files_and_values_are_replaced_kept_and_dropped(bob: Person) -> None:
    from apps.blueprints.drafts import contents_of
    from apps.blueprints.models import Draft

    draft = begun(bob, files={"a.txt": "1", "b.txt": "2"}, environment={"A": "1", "B": "2"})
    answer = write(
        bob, draft, 1, files={"a.txt": None, "./c/d.bin": {"base64": "AAEC"}}, environment={"A": None, "C": "3"}
    )
    assert (answer.json()["files"], answer.json()["environment"]) == (["a.txt", "c/d.bin"], ["A", "C"])
    assert contents_of(Draft.objects.get()) == ({"a.txt": b"1", "c/d.bin": b"\0\1\2"}, {"A": "1", "C": "3"})
    for body in ({"files": {"b.txt": None}}, {"environment": {"B": None}}):
        refused = write(bob, draft, 2, **body)
        assert (refused.status_code, refused.json()["code"]) == (422, "draft.not_stored")
    assert write(bob, draft, 2, files={"../up": "x"}).json()["code"] == "blueprint.file_path"


def test_files_and_values_are_sealed_and_never_given_back(bob: Person) -> None:
    draft = begun(bob, files={"key.txt": "canary-5f1c"}, environment={"TAG": "canary-91aa"})
    with connection.cursor() as cursor:
        cursor.execute("select d::text, sealed_files, sealed_environment from blueprints_draft d")
        row = cursor.fetchone()
    assert "canary" not in row[0]
    assert all(b"canary" not in bytes(column) and len(column) > 40 for column in row[1:])
    assert b"canary" not in bob.api.get(path(draft)).content


def test_a_sealed_content_opens_in_no_other_draft(bob: Person) -> None:
    from apps.blueprints.drafts import contents_of
    from apps.blueprints.models import Draft
    from apps.tenancy.faults import Fault

    one, two = begun(bob, files={"a": "1"}), begun(bob, files={"a": "2"})
    Draft.objects.filter(pk=two["id"]).update(sealed_files=Draft.objects.get(pk=one["id"]).sealed_files)
    with pytest.raises(Fault) as caught:
        contents_of(Draft.objects.get(pk=two["id"]))
    assert caught.value.code == "encryption.tampered"


# --- saving ---


def test_the_first_save_makes_a_design_and_the_draft_stays_on_top_of_it(bob: Person) -> None:
    draft = begun(bob, files={"key.txt": "1"}, environment={"TAG": "x"}, description="The shop")
    answer = save(bob, draft, 1, message="first")
    assert answer.status_code == 201, answer.content
    body = answer.json()
    assert (body["blueprint"]["name"], body["blueprint"]["description"]) == ("web", "The shop")
    assert (body["version"]["number"], body["version"]["message"], body["version"]["compose"]) == (1, "first", SHOP)
    assert (body["version"]["files"], body["version"]["environment"]) == (["key.txt"], ["TAG"])
    assert (body["draft"]["base_version"], body["draft"]["revision"]) == (1, 2)
    assert body["draft"]["blueprint"] == {"id": body["blueprint"]["id"], "name": "web"}
    assert bob.api.get(path(draft)).json() == body["draft"]


def test_later_saves_make_versions_and_the_same_text_makes_none(bob: Person, design: dict[str, Any]) -> None:
    draft = begun(bob, blueprint=design["id"])
    same = save(bob, draft, 1)
    assert (same.status_code, same.json()["version"]["number"]) == (200, 1)
    write(bob, draft, 2, NEWER, description="Newer")
    answer = save(bob, draft, 3)
    assert (answer.status_code, answer.json()["version"]["number"]) == (201, 2)
    assert answer.json()["blueprint"]["description"] == "Newer"
    assert bob.api.get(f"/api/v1/blueprints/{design['id']}/").json()["latest_version"]["compose"] == NEWER


def test_a_text_with_mistakes_is_not_saved_and_stays_a_draft(bob: Person) -> None:
    draft = begun(bob, compose="services:\n  web:\n    imag: nginx\n")
    answer = save(bob, draft, 1)
    assert (answer.status_code, answer.json()["code"]) == (422, "compose.invalid")
    assert answer.json()["findings"][0]["line"] == 3
    assert bob.api.get(path(draft)).json()["revision"] == 1
    assert bob.api.get("/api/v1/blueprints/").json()["results"] == []


@pytest.mark.parametrize("name", ["", "a b", "<script>"])
def test_a_design_needs_a_usable_name(bob: Person, name: str) -> None:
    draft = begun(bob, name=name)
    assert save(bob, draft, 1).json()["code"] == "name.invalid"
    assert save(bob, draft, 1, name="web").status_code == 201


def test_a_save_of_an_older_revision_is_refused(bob: Person) -> None:
    draft = begun(bob)
    write(bob, draft, 1)
    assert save(bob, draft, 1).json()["code"] == "draft.conflict"


def test_who_saves_second_is_told_what_the_first_saved_and_merges(
    alice: Person, bob: Person, design: dict[str, Any]
) -> None:
    mine, hers = begun(bob, blueprint=design["id"]), begun(alice, blueprint=design["id"])
    write(alice, hers, 1, NEWER)
    assert save(alice, hers, 2).status_code == 201
    merged = NEWER + "  db:\n    image: postgres:17\n"
    write(bob, mine, 1, SHOP + "  db:\n    image: postgres:17\n")
    answer = save(bob, mine, 2)
    assert answer.status_code == 409
    body = answer.json()
    assert body["code"] == "blueprint.version_conflict"
    assert (body["base_version"], body["latest_version"]) == (1, 2)
    assert (body["compose"], body["saved_by"]) == (NEWER, "alice")
    assert body["saved_at"]
    write(bob, mine, 2, merged)
    saved = save(bob, mine, 3, base_version=2)
    assert (saved.status_code, saved.json()["version"]["number"]) == (201, 3)
    assert saved.json()["draft"]["base_version"] == 3


def test_one_may_save_over_a_newer_version_on_purpose(alice: Person, bob: Person, design: dict[str, Any]) -> None:
    mine = begun(bob, blueprint=design["id"])
    alice.api.post(f"/api/v1/blueprints/{design['id']}/versions/", {"compose": NEWER})
    write(bob, mine, 1, SHOP.replace("1.27", "1.29"))
    assert save(bob, mine, 2).status_code == 409
    assert save(bob, mine, 2, force=True).json()["version"]["number"] == 3


def test_a_save_that_is_repeated_under_its_key_is_done_once(bob: Person) -> None:
    draft = begun(bob)
    answers = [
        bob.api.post(path(draft, "save/"), {"revision": 1}, headers={"Idempotency-Key": "once"}) for _ in range(2)
    ]
    assert [answer.status_code for answer in answers] == [201, 201]
    assert answers[0].json() == answers[1].json()


# --- at the same moment ---


def at_once(*calls: Any) -> list[Any]:
    """Call all of them in threads that start together; each has a connection of its own."""
    start = threading.Barrier(len(calls))
    found: list[Any] = [None] * len(calls)

    def run(place: int, call: Any) -> None:
        try:
            start.wait(10)
            found[place] = call()
        finally:
            connection.close()

    threads = [threading.Thread(target=run, args=(place, call)) for place, call in enumerate(calls)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    return found


@pytest.fixture
def slow_reads(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let every writer have read before the first of them writes."""
    from apps.blueprints import drafts

    gate = threading.Barrier(4)
    real = drafts._advance

    def together(*arguments: Any) -> None:
        gate.wait(10)
        real(*arguments)

    monkeypatch.setattr(drafts, "_advance", together)


@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("slow_reads")
def test_of_writers_from_the_same_revision_exactly_one_wins(bob: Person) -> None:
    draft = begun(bob)
    texts = [SHOP.replace("1.27", f"1.{number}") for number in range(4)]
    answers = at_once(
        *(
            lambda text=text: client_with(bob.token_text).put(path(draft), {"revision": 1, "compose": text})
            for text in texts
        )
    )
    assert sorted(answer.status_code for answer in answers) == [200, 409, 409, 409]
    (winner,) = (text for text, answer in zip(texts, answers, strict=True) if answer.status_code == 200)
    stored = bob.api.get(path(draft)).json()
    assert (stored["revision"], stored["compose"]) == (2, winner)
    assert {answer.json()["compose"] for answer in answers} == {winner}


@pytest.mark.django_db(transaction=True)
def test_a_design_that_is_opened_in_two_tabs_at_once_has_one_draft(bob: Person) -> None:
    made = bob.api.post("/api/v1/blueprints/", {"project": "shop", "name": "web", "compose": SHOP}).json()
    answers = at_once(
        *[lambda: client_with(bob.token_text).post("/api/v1/drafts/", {"blueprint": made["id"]}) for _ in range(4)]
    )
    assert {answer.status_code for answer in answers} <= {200, 201}
    assert len({answer.json()["id"] for answer in answers}) == 1


@pytest.mark.django_db(transaction=True)
def test_a_draft_that_is_saved_twice_at_once_is_saved_once(bob: Person) -> None:
    draft = begun(bob)
    answers = at_once(
        *[lambda: client_with(bob.token_text).post(path(draft, "save/"), {"revision": 1}) for _ in range(3)]
    )
    assert sorted(answer.status_code for answer in answers) == [201, 409, 409], [a.content for a in answers]
    assert {answer.json().get("code") for answer in answers} == {None, "draft.conflict"}
    (row,) = bob.api.get("/api/v1/blueprints/").json()["results"]
    assert row["version"] == 1


# --- age ---


def test_drafts_that_were_abandoned_half_a_year_ago_are_forgotten(bob: Person) -> None:
    from apps.blueprints.models import Draft
    from portal.tasks import forget_expired

    old, young = begun(bob), begun(bob)
    Draft.objects.filter(pk=old["id"]).update(updated_at=timezone.now() - timedelta(days=181))
    Draft.objects.filter(pk=young["id"]).update(updated_at=timezone.now() - timedelta(days=179))
    forget_expired()
    assert bob.api.get(path(old)).status_code == 404
    assert bob.api.get(path(young)).status_code == 200


def test_a_draft_that_says_nothing_of_the_description_leaves_a_newer_one_alone(
    alice: Person, bob: Person, design: dict[str, Any]
) -> None:
    idle = begun(alice, blueprint=design["id"])
    draft = begun(bob, blueprint=design["id"])
    write(bob, draft, 1, SHOP, description="Newer")
    assert save(bob, draft, 2).json()["blueprint"]["description"] == "Newer"
    answer = save(alice, idle, 1)
    assert answer.status_code == 200, answer.content
    assert answer.json()["blueprint"]["description"] == "Newer"
    assert alice.api.get(path(idle)).json()["description"] == "Newer"
