"""A share link shows a design to every member of its organization, to nobody else, and only while it holds."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.utils import timezone

from tests.people import Person, make_person

pytestmark = pytest.mark.django_db

SHOP = "services:\n  web:\n    image: nginx:1.27\n"
NEWER = SHOP.replace("1.27", "1.28")


@pytest.fixture
def design(bob: Person) -> str:
    answer = bob.api.post("/api/v1/blueprints/", {"project": "shop", "name": "web", "compose": SHOP})
    assert answer.status_code == 201, answer.content
    return f"/api/v1/blueprints/{answer.json()['id']}/"


@pytest.fixture
def nina(alice: Person, acme: Any) -> Person:
    """A member of acme with a role in another project alone."""
    from apps.tenancy import services

    return make_person("nina", acme, "viewer", services.create_project(alice.principal, "lab", "Lab"))


def share(person: Person, design: str, **body: Any) -> dict[str, Any]:
    answer = person.api.post(f"{design}shares/", body)
    assert answer.status_code == 201, answer.content
    made: dict[str, Any] = answer.json()
    return made


def api_of(made: dict[str, Any]) -> str:
    """Return the API's address for a link."""
    token = made["url"].removeprefix("http://testserver/shared/").removesuffix("/")
    assert len(token) == 43
    return f"/api/v1/shared/{token}/"


def test_any_member_may_follow_it_even_without_a_role_in_the_project(bob: Person, nina: Person, design: str) -> None:
    made = share(bob, design)
    assert nina.api.get(design).status_code == 404
    for client in (nina.api, nina.browser, bob.api):
        answer = client.get(api_of(made))
        assert answer.status_code == 200, answer.content
        body = answer.json()
        assert body.pop("saved_at")
        assert body == {"name": "web", "version": 1, "compose": SHOP}


def test_to_everybody_else_it_leads_nowhere(bob: Person, charlie: Person, anonymous: Any, design: str) -> None:
    made = share(bob, design)
    assert charlie.api.get(api_of(made)).status_code == 404
    assert charlie.browser.get(api_of(made)).status_code == 404
    assert anonymous.get(api_of(made)).status_code == 401


def test_a_token_of_another_organization_of_the_same_users_leads_nowhere_and_a_session_does(
    bob: Person, charlie: Person, acme: Any, design: str
) -> None:
    from apps.tenancy import services
    from apps.tenancy.access import System

    made = share(bob, design)
    services.add_member(System(acme), charlie.user, "viewer")
    assert charlie.api.get(api_of(made)).status_code == 404  # the token is globex's
    assert charlie.browser.get(api_of(made)).status_code == 200  # the session acts in globex until charlie chooses


@pytest.mark.parametrize("token", ["x", "A" * 43, "%00", "A" * 42 + "é", "a" * 5000, "' or 1=1 --"])
def test_a_token_that_nobody_was_given_leads_nowhere(bob: Person, design: str, token: str) -> None:
    share(bob, design)
    assert bob.api.get(f"/api/v1/shared/{token}/").status_code == 404


def test_it_shows_the_latest_version_or_the_one_that_was_chosen(bob: Person, nina: Person, design: str) -> None:
    latest, first = share(bob, design), share(bob, design, version=1)
    bob.api.post(f"{design}versions/", {"compose": NEWER})
    assert nina.api.get(api_of(latest)).json()["compose"] == NEWER
    assert nina.api.get(api_of(first)).json()["compose"] == SHOP
    assert (latest["version"], first["version"]) == (None, 1)
    missing = bob.api.post(f"{design}shares/", {"version": 7})
    assert (missing.status_code, missing.json()["code"]) == (404, "blueprint.no_version")


def test_it_ends_when_it_expires(bob: Person, nina: Person, design: str) -> None:
    from apps.blueprints.models import ShareLink

    made = share(bob, design, expires_at=(timezone.now() + timedelta(hours=1)).isoformat())
    assert nina.api.get(api_of(made)).status_code == 200
    ShareLink.objects.update(expires_at=timezone.now())
    assert nina.api.get(api_of(made)).status_code == 404
    past = bob.api.post(f"{design}shares/", {"expires_at": "2020-01-01T00:00:00Z"})
    assert (past.status_code, past.json()["code"]) == (422, "share.expiry")


def test_it_ends_at_once_when_it_is_revoked_and_with_its_design(bob: Person, nina: Person, design: str) -> None:
    one, two = share(bob, design), share(bob, design)
    assert bob.api.delete(f"{design}shares/{one['id']}/").status_code == 204
    assert nina.api.get(api_of(one)).status_code == 404
    assert nina.api.get(api_of(two)).status_code == 200
    assert bob.api.delete(f"{design}shares/{one['id']}/").status_code == 404
    assert bob.api.delete(f"{design}shares/no-id/").status_code == 404
    bob.api.delete(design)
    assert nina.api.get(api_of(two)).status_code == 404


def test_a_link_is_revoked_through_its_own_design_alone(bob: Person, design: str) -> None:
    made = share(bob, design)
    other = bob.api.post("/api/v1/blueprints/", {"project": "shop", "name": "two", "compose": SHOP}).json()["id"]
    assert bob.api.delete(f"/api/v1/blueprints/{other}/shares/{made['id']}/").status_code == 404
    assert bob.api.get(api_of(made)).status_code == 200


def test_who_may_write_sees_the_address_again_and_who_may_read_sees_that_there_is_one(
    alice: Person, bob: Person, viewer: Person, design: str
) -> None:
    made = share(bob, design)
    assert made["created_by"] == "bob"
    assert alice.api.get(f"{design}shares/").json()["results"] == [made]
    assert viewer.api.get(f"{design}shares/").json()["results"] == [{**made, "url": None}]
    assert viewer.api.post(f"{design}shares/", {}).status_code == 403
    assert viewer.api.delete(f"{design}shares/{made['id']}/").status_code == 403


def test_neither_the_database_nor_the_log_holds_the_token(
    bob: Person, nina: Person, design: str, caplog: pytest.LogCaptureFixture
) -> None:
    from apps.tenancy.redaction import redact_text

    made = share(bob, design)
    token = api_of(made).split("/")[-2]
    nina.api.get(api_of(made))
    with connection.cursor() as cursor:
        for table in ("blueprints_sharelink", "audit_entry"):
            cursor.execute(f"select t::text from {table} t")
            rows = [row for (row,) in cursor.fetchall()]
            assert rows
            assert not any(token in row or token.encode().hex() in row for row in rows)
    assert token not in redact_text(f"GET {api_of(made)}")


def test_making_and_revoking_is_audited(bob: Person, design: str) -> None:
    from apps.audit.models import Entry

    made = share(bob, design)
    bob.api.delete(f"{design}shares/{made['id']}/")
    entries = list(Entry.objects.filter(action__in=["blueprint.share", "blueprint.unshare"]).order_by("sequence"))
    assert [entry.action for entry in entries] == ["blueprint.share", "blueprint.unshare"]
    assert all(entry.data["share"] == made["id"] and entry.actor_id == bob.user.pk for entry in entries)


def test_there_is_an_end_to_the_links_of_a_design(bob: Person, design: str, monkeypatch: pytest.MonkeyPatch) -> None:
    from apps.blueprints import sharing

    monkeypatch.setattr(sharing, "MAX_LINKS", 1)
    share(bob, design)
    answer = bob.api.post(f"{design}shares/", {})
    assert (answer.status_code, answer.json()["code"]) == (409, "share.too_many")
