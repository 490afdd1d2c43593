from __future__ import annotations

from typing import Any

import pytest
from django.test import Client

from tests.people import PASSWORD


@pytest.fixture(autouse=True)
def _fresh_counts(settings: Any) -> None:
    from django.core.cache import cache

    settings.PASSWORD_HASHERS = [  # the first one is what verifying upgrades to: a slow one would only cost time
        "django.contrib.auth.hashers.MD5PasswordHasher", "django.contrib.auth.hashers.PBKDF2PasswordHasher"
    ]  # fmt: skip
    cache.clear()


def sign_in(client: Client, name: str, password: str = PASSWORD, **more: str) -> Any:
    return client.post("/login/", {"username": name, "password": password, **more})


def test_it_leads_on_to_the_page_that_was_asked_for(alice: Any) -> None:
    assert sign_in(Client(), "alice", next="/clouds/").headers["Location"] == "/clouds/"


def test_it_leads_to_no_other_site(alice: Any) -> None:
    for elsewhere in ("https://evil.example/", "//evil.example/", "javascript:alert(1)"):
        assert sign_in(Client(), "alice", next=elsewhere).headers["Location"] == "/"


def test_it_does_not_tell_whether_the_name_exists(alice: Any) -> None:
    wrong_password = sign_in(Client(), "alice", "wrong").content
    wrong_name = sign_in(Client(), "nobody", "wrong").content
    assert b"do not belong together" in wrong_password
    assert b"do not belong together" in wrong_name


def test_it_brakes_guesses_in_the_house_style(alice: Any) -> None:
    client = Client()
    for _ in range(8):
        assert sign_in(client, "alice", "wrong").status_code == 200
    braked = sign_in(client, "alice")
    assert braked.status_code == 429
    assert int(braked.headers["Retry-After"]) > 0
    assert b"Too many failed sign-ins" in braked.content
    assert b"</html>" in braked.content


def test_signing_out_needs_a_post(alice: Any) -> None:
    browser = alice.browser
    assert browser.get("/logout/").status_code == 405
    assert browser.post("/logout/").status_code == 302
    assert browser.get("/").status_code == 302


def test_somebody_without_an_organization_is_told_whom_to_ask(db: None) -> None:
    from apps.tenancy.models import User

    client = Client()
    client.force_login(User.objects.create(username="lost"))
    response = client.get("/")
    assert response.status_code == 403
    assert b"You belong to no organization" in response.content
    assert b"no_organization" in response.content
