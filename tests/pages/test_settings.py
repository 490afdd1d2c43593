from __future__ import annotations

import re
from typing import Any

from apps.tenancy.models import ApiToken, Membership, User
from tests.people import PASSWORD, client_with

DORA = {"username": "dora", "password": "a long way to tipperary", "role": "viewer"}


def test_a_token_is_shown_once_and_works_until_it_is_revoked(bob: Any, shop: Any) -> None:
    browser = bob.browser
    answer = browser.post("/settings/tokens/", {"name": "pipeline", "role": "viewer", "days": "30"})
    assert answer.status_code == 201
    assert "no-store" in answer.headers["Cache-Control"]
    found = re.search(r'<code id="secret">(escale_[a-z0-9]{12}_[A-Za-z0-9]{43})</code>', answer.content.decode())
    assert found is not None
    text = found[1]
    token = ApiToken.objects.get(name="pipeline")
    assert client_with(text).get("/api/v1/projects/").status_code == 200
    assert text.encode() not in browser.get("/settings/tokens/").content
    browser.post(f"/settings/tokens/{token.pk}/revoke/")
    assert client_with(text).get("/api/v1/projects/").status_code == 401
    assert b"Revoked" in browser.get("/settings/tokens/").content


def test_nobody_issues_a_token_that_can_more_than_they(bob: Any, shop: Any) -> None:
    answer = bob.browser.post("/settings/tokens/", {"name": "big", "role": "admin", "days": "30"})
    assert answer.status_code == 422
    assert not ApiToken.objects.filter(name="big").exists()


def test_an_administrator_manages_members(alice: Any, bob: Any, charlie: Any) -> None:
    browser = alice.browser
    browser.post("/settings/members/new/", DORA)
    dora = Membership.objects.get(user__username="dora")
    browser.post(f"/settings/members/{dora.pk}/", {"role": "operator"})
    dora.refresh_from_db()
    assert dora.role == "operator"
    browser.post(f"/settings/members/{dora.pk}/", {"remove": "1"})
    assert not Membership.objects.filter(user__username="dora").exists()
    assert (
        b"There is no such user" in browser.post("/settings/members/", {"username": "nobody", "role": "viewer"}).content
    )
    theirs = Membership.objects.get(user=charlie.user)
    assert browser.post(f"/settings/members/{theirs.pk}/", {"remove": "1"}).status_code == 404


def test_the_last_administrator_stays(alice: Any) -> None:
    own = Membership.objects.get(user=alice.user)
    answer = alice.browser.post(f"/settings/members/{own.pk}/", {"remove": "1"}, follow=True)
    assert b"An organization needs an administrator" in answer.content
    assert Membership.objects.filter(pk=own.pk).exists()


def test_a_weak_password_is_refused_beside_its_field(alice: Any) -> None:
    answer = alice.browser.post("/settings/members/new/", {**DORA, "password": "short"})
    assert answer.status_code == 422
    assert re.search(rb'id="id_password_error".*?too short', answer.content, re.DOTALL)
    assert not User.objects.filter(username="dora").exists()


def test_one_changes_ones_own_password(bob: Any) -> None:
    new = "another way over the sea"
    form = {"old_password": PASSWORD, "new_password1": new, "new_password2": new}
    browser = bob.browser
    assert browser.post("/settings/profile/", {**form, "old_password": "wrong"}).status_code == 422
    assert browser.post("/settings/profile/", form).status_code == 302
    assert browser.get("/settings/profile/").status_code == 200  # this session goes on
    bob.user.refresh_from_db()
    assert bob.user.check_password(new)


def test_the_theme_is_in_the_first_paint(bob: Any) -> None:
    browser = bob.browser
    browser.post("/settings/theme/", {"theme": "dark"})
    assert b'data-theme="dark"' in browser.get("/").content
    browser.post("/settings/theme/", {"theme": '"><script>'})
    assert b"data-theme" not in browser.get("/").content.split(b"<head>")[0]


def test_moving_to_another_organization_is_only_for_its_members(bob: Any, globex: Any, attic: Any) -> None:
    assert bob.browser.post("/enter/", {"organization": str(globex.pk)}).status_code == 404
    assert bob.browser.post("/enter/", {"project": str(attic.pk)}).status_code == 404


def test_the_audit_log_is_for_administrators_and_holds_no_secret(alice: Any, bob: Any) -> None:
    alice.browser.post("/settings/members/new/", DORA)
    page = alice.browser.get("/settings/audit/").content
    assert b"user.create" in page
    assert b"tipperary" not in page
    assert b"user.create" not in alice.browser.get("/settings/audit/?action=cloud.").content
    assert bob.browser.get("/settings/audit/").status_code == 403
