import re

import pytest
from django.core.cache import cache
from django.http import HttpResponse
from django.test import RequestFactory

from portal import security
from portal.security import ContentSecurityPolicy, LoginBrake, policy


@pytest.fixture(autouse=True)
def _empty_cache():
    cache.clear()
    yield
    cache.clear()


def post(name="alice", address="192.0.2.7"):
    return RequestFactory().post("/login/", {"username": name, "password": "wrong"}, REMOTE_ADDR=address)


def refuse(_request):
    return HttpResponse("wrong password", status=200)


def accept(_request):
    return HttpResponse(status=302, headers={"Location": "/"})


def test_the_policy_allows_nothing_inline_and_nothing_foreign():
    text = policy()
    assert "unsafe-inline" not in text
    assert "unsafe-eval" not in text
    assert "default-src 'none'" in text
    assert "frame-ancestors 'none'" in text


def test_every_answer_carries_the_policy(client):
    response = client.get("/no/such/page")
    assert "default-src 'none'" in response.headers["Content-Security-Policy"]
    assert response.headers["X-Frame-Options"] == "DENY"
    assert response.headers["Referrer-Policy"] == "same-origin"
    assert response.headers["X-Content-Type-Options"] == "nosniff"


def test_the_header_names_the_nonce_that_the_page_used():
    middleware = ContentSecurityPolicy(lambda request: HttpResponse(f"{request.csp_nonce}"))
    response = middleware(RequestFactory().get("/"))
    assert f"'nonce-{response.content.decode()}'" in response.headers["Content-Security-Policy"]


def test_a_nonce_is_never_used_twice():
    middleware = ContentSecurityPolicy(lambda request: HttpResponse(f"{request.csp_nonce}"))
    assert middleware(RequestFactory().get("/")).content != middleware(RequestFactory().get("/")).content


def test_the_api_documentation_has_no_inline_script(client):
    response = client.get("/api/docs/")
    assert response.status_code == 200
    page = response.content.decode()
    assert not re.search(r"<script(?![^>]*\bsrc=)", page)
    nonce = re.search(r'<style nonce="([^"]+)"', page)
    assert nonce
    assert f"'nonce-{nonce[1]}'" in response.headers["Content-Security-Policy"]
    assert re.findall(r'(?:src|href)="(https?:|//)', page) == []


def test_guessing_for_one_name_is_braked():
    brake = LoginBrake(refuse)
    for _ in range(security.LOGIN_FAILURES_PER_NAME_AND_ADDRESS):
        assert brake(post()).status_code == 200
    response = brake(post())
    assert response.status_code == 429
    assert int(response.headers["Retry-After"]) > 0


def test_a_braked_guesser_does_not_lock_the_owner_out_elsewhere():
    brake = LoginBrake(refuse)
    for _ in range(security.LOGIN_FAILURES_PER_NAME_AND_ADDRESS + 1):
        brake(post(address="203.0.113.9"))
    assert brake(post(address="192.0.2.7")).status_code == 200


def test_guessing_for_many_names_from_one_address_is_braked():
    brake = LoginBrake(refuse)
    for number in range(security.LOGIN_FAILURES_PER_ADDRESS):
        assert brake(post(name=f"name{number}")).status_code == 200
    assert brake(post(name="somebody-else")).status_code == 429


def test_guessing_for_one_name_from_many_addresses_is_braked():
    brake = LoginBrake(refuse)
    for number in range(security.LOGIN_FAILURES_PER_NAME):
        assert brake(post(address=f"198.51.100.{number}")).status_code == 200
    assert brake(post(address="203.0.113.1")).status_code == 429


def test_a_sign_in_that_works_clears_the_name():
    for _ in range(security.LOGIN_FAILURES_PER_NAME_AND_ADDRESS - 1):
        LoginBrake(refuse)(post())
    LoginBrake(accept)(post())
    assert LoginBrake(refuse)(post()).status_code == 200


def test_sign_in_works_while_the_cache_is_away(settings):
    settings.CACHES = {
        "default": {"BACKEND": "django.core.cache.backends.redis.RedisCache", "LOCATION": "redis://127.0.0.1:1/0"}
    }
    assert LoginBrake(refuse)(post()).status_code == 200
