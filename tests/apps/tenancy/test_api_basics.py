"""What every address of the API has in common: authentication, problem documents, pages."""

import json

import pytest
from django.test import Client

from apps.tenancy import catalogue, services
from apps.tenancy.access import System
from apps.tenancy.models import ApiToken, Membership
from tests.people import client_with

pytestmark = pytest.mark.django_db

PROJECTS = "/api/v1/projects/"


def problem(answer, status, code):
    assert answer.status_code == status, answer.content
    assert answer["Content-Type"] == "application/problem+json"
    body = json.loads(answer.content)
    assert (body["status"], body["code"]) == (status, code)
    assert body["type"].endswith(f"/api/v1/problems/{code}/")
    assert {"title", "detail", "hint", "instance", "findings"} <= set(body)
    assert body["title"]
    return body


def test_without_a_token_the_answer_says_how_to_sign_in(anonymous):
    answer = anonymous.get(PROJECTS)
    assert problem(answer, 401, "not_authenticated")["instance"] == PROJECTS
    assert answer["WWW-Authenticate"].startswith("Bearer")


def test_a_wrong_token_is_a_401_and_not_taken_for_none(alice):
    answer = client_with("escale_aaaaaaaaaaaa_" + "A" * 43).get(PROJECTS)
    problem(answer, 401, "token.invalid")
    assert "WWW-Authenticate" in answer


def test_a_token_in_another_scheme_is_no_token(alice):
    client = client_with()
    client.credentials(HTTP_AUTHORIZATION=f"Token {alice.token_text}")
    problem(client.get(PROJECTS), 401, "not_authenticated")


def test_a_session_reads_and_needs_the_csrf_proof_to_write(alice):
    assert alice.browser.get(PROJECTS).status_code == 200
    strict = Client(enforce_csrf_checks=True, raise_request_exception=False)
    strict.force_login(alice.user)
    body = {"slug": "new", "name": "New"}
    problem(strict.post(PROJECTS, body, content_type="application/json"), 403, "csrf")
    strict.get("/api/v1/me/")
    strict.cookies["csrftoken"] = "a" * 32
    answer = strict.post(PROJECTS, body, content_type="application/json", headers={"X-CSRFToken": "a" * 32})
    assert answer.status_code == 201


def test_a_token_wins_over_the_session_of_somebody_else(alice, viewer):
    browser = alice.browser
    answer = browser.get("/api/v1/me/", headers={"Authorization": f"Bearer {viewer.token_text}"})
    assert answer.json()["username"] == "victor"


def test_an_unknown_address_under_api_is_a_problem_document(alice, anonymous):
    problem(alice.api.get("/api/v1/nothing/"), 404, "not_found")
    problem(anonymous.get("/api/nothing"), 404, "not_found")


def test_a_wrong_method_names_the_right_ones(alice):
    answer = alice.api.put(PROJECTS, {})
    problem(answer, 405, "method_not_allowed")
    assert "POST" in answer["Allow"]
    problem(alice.api.options(PROJECTS), 405, "method_not_allowed")
    problem(alice.api.generic("DESTROY", "/api/v1/me/"), 405, "method_not_allowed")


def test_a_body_that_is_no_json_is_malformed(alice):
    for body in (b"{", b"\xff\xfe", b"[1,", b'{"a": NaN}'):
        answer = alice.api.generic("POST", PROJECTS, body, content_type="application/json")
        problem(answer, 400, "malformed")


def test_a_body_that_is_no_object_is_invalid(alice):
    for body in ("[]", '"text"', "7"):
        problem(alice.api.generic("POST", PROJECTS, body, content_type="application/json"), 400, "invalid")


def test_a_form_is_not_understood(alice):
    answer = alice.api.generic("POST", PROJECTS, "slug=a", content_type="application/x-www-form-urlencoded")
    problem(answer, 415, "unsupported_media_type")


def test_a_form_that_cannot_be_produced_is_said(alice):
    problem(alice.api.get(PROJECTS, HTTP_ACCEPT="text/csv"), 406, "not_acceptable")


def test_every_field_that_cannot_be_used_is_listed(alice):
    body = problem(alice.api.post(PROJECTS, {"policy": []}), 400, "invalid")
    assert {param["name"] for param in body["params"]} == {"slug", "name", "policy"}
    assert all(param["reason"] for param in body["params"])
    body = problem(alice.api.post(PROJECTS, {"slug": "No!", "name": "x"}), 400, "invalid")
    assert body["params"][0]["name"] == "slug"


def test_a_failure_of_ours_shows_a_number_and_nothing_else(alice, monkeypatch, caplog):
    def broken(*args, **kwargs):
        raise RuntimeError("the secret inside")

    monkeypatch.setattr("apps.tenancy.services.create_project", broken)
    answer = alice.api.post(PROJECTS, {"slug": "new", "name": "New"})
    body = problem(answer, 500, "internal")
    assert "secret inside" not in answer.content.decode()
    assert body["incident"] in body["detail"]
    assert body["incident"] in caplog.text


def test_nul_bytes_and_odd_names_are_not_found_instead_of_failing(alice):
    for name in ("%00", "a%00b", "x" * 300, "%F0%9F%92%A9", "..%2f..%2fetc"):
        for path in (PROJECTS, "/api/v1/clouds/", "/api/v1/tokens/", "/api/v1/members/"):
            assert alice.api.get(f"{path}{name}/").status_code in (404, 405), (path, name)


def test_a_name_that_looks_like_an_id_is_still_found(alice):
    slug = "0b4c2f6e-7f8a-4a49-9f7d-1f0d0b6c1a11"
    services.create_project(alice.principal, slug, "Odd")
    assert alice.api.get(f"{PROJECTS}{slug}/").json()["slug"] == slug


def test_an_address_that_keeps_guessing_tokens_must_wait_and_others_need_not(alice, monkeypatch):
    from django.core.cache import cache

    from apps.tenancy.api import authentication

    cache.delete("api:failures:203.0.113.9")
    monkeypatch.setattr(authentication, "FAILURES", 3)
    guesser = client_with("escale_aaaaaaaaaaaa_" + "A" * 43)
    codes = [guesser.get(PROJECTS, REMOTE_ADDR="203.0.113.9").status_code for _ in range(5)]
    assert codes == [401, 401, 401, 429, 429]
    answer = guesser.get(PROJECTS, REMOTE_ADDR="203.0.113.9")
    problem(answer, 429, "throttled")
    assert int(answer["Retry-After"]) > 0
    assert alice.api.get(PROJECTS, REMOTE_ADDR="203.0.113.9").status_code == 200


def test_a_cache_that_is_away_shuts_nobody_out(alice, monkeypatch):
    from apps.tenancy.api import authentication

    class Away:
        def add(self, *args):
            raise ConnectionError

    monkeypatch.setattr(authentication, "cache", Away())
    problem(client_with("escale_aaaaaaaaaaaa_" + "A" * 43).get(PROJECTS), 401, "token.invalid")


class TestPages:
    def walk(self, client, address):
        rows = []
        while address:
            answer = client.get(address)
            assert answer.status_code == 200, answer.content
            body = answer.json()
            assert set(body) == {"results", "next", "previous"}
            rows.append([row["slug"] for row in body["results"]])
            address = body["next"]
        return rows, body

    @pytest.fixture
    def many(self, acme, alice):
        return [services.create_project(System(acme), f"p{number:02}", "P").slug for number in range(10)] + ["shop"]

    def test_pages_show_every_row_once_in_both_directions(self, alice, many):
        pages, last = self.walk(alice.api, f"{PROJECTS}?limit=3")
        assert [slug for page in pages for slug in page] == many
        assert [len(page) for page in pages] == [3, 3, 3, 2]
        back = []
        while last["previous"]:
            last = alice.api.get(last["previous"]).json()
            back.insert(0, [row["slug"] for row in last["results"]])
        assert back == pages[:-1]
        assert last["previous"] is None

    def test_a_row_that_comes_or_goes_meanwhile_moves_no_other_one(self, alice, many, acme):
        first = alice.api.get(f"{PROJECTS}?limit=4").json()
        services.create_project(System(acme), "a-new-first", "P")
        from apps.tenancy.models import Project

        Project.objects.filter(slug="p03").delete()
        second = alice.api.get(first["next"]).json()
        assert [row["slug"] for row in second["results"]] == many[4:8]

    @pytest.mark.parametrize("limit", ["0", "-1", "501", "1e3", "ten", "", "99999999999999999999", "１"])
    def test_a_limit_out_of_bounds_is_refused(self, alice, limit):
        body = problem(alice.api.get(PROJECTS, {"limit": limit}), 400, "invalid")
        assert body["params"][0]["name"] == "limit"

    @pytest.mark.parametrize(
        "cursor",
        ["x", "%00", "bnVsbA", "e30", "A" * 2000, "eyJiIjp0cnVlLCJ2IjpbXX0", "eyJiIjp0cnVlLCJ2IjpbMSwyXX0", "é"],
    )
    def test_a_cursor_that_was_not_given_out_is_refused(self, alice, cursor):
        body = problem(alice.api.get(f"{PROJECTS}?cursor={cursor}"), 400, "invalid")
        assert body["params"][0]["name"] == "cursor"

    def test_the_number_of_queries_does_not_grow_with_the_rows(self, alice, many, django_assert_max_num_queries):
        with django_assert_max_num_queries(6):
            assert len(alice.api.get(PROJECTS).json()["results"]) == 11

    def test_an_empty_list_is_a_page_as_well(self, alice):
        ApiToken.objects.all().delete()
        browser = alice.browser
        assert browser.get("/api/v1/tokens/").json() == {"results": [], "next": None, "previous": None}


def test_the_catalogue_explains_every_code_without_a_token(anonymous):
    listed = anonymous.get("/api/v1/problems/").json()["results"]
    assert {entry["code"] for entry in listed} == set(catalogue.entries())
    assert anonymous.get("/api/v1/problems/forbidden/").json()["status"] == 403
    problem(anonymous.get("/api/v1/problems/unheard_of/"), 404, "not_found")


def test_every_text_of_the_catalogue_says_what_and_what_now():
    for entry in catalogue.entries().values():
        assert str(entry.title), entry.code
        assert not str(entry.title).endswith("."), entry.code
        assert 400 <= entry.status < 600, entry.code


def test_somebody_without_an_organization_is_told_so(alice):
    Membership.objects.all().delete()
    problem(alice.browser.get(PROJECTS), 403, "no_organization")


def test_being_added_elsewhere_carries_nobody_over_unawares(alice):
    trap = services.create_organization("aaa", "AAA comes first")
    services.add_member(System(trap), alice.user, "viewer")
    assert alice.browser.get("/api/v1/me/").json()["organization"]["slug"] == "acme"
    assert alice.api.get("/api/v1/me/").json()["organization"]["slug"] == "acme"


def test_the_session_acts_in_the_organization_that_was_chosen(alice, globex):
    from django.test import RequestFactory

    from apps.tenancy.access import SESSION_KEY, choose_organization
    from apps.tenancy.faults import Fault

    services.add_member(System(globex), alice.user, "viewer")
    browser = alice.browser
    assert browser.get("/api/v1/me/").json()["organization"]["slug"] == "acme"
    session = browser.session
    session[SESSION_KEY] = str(globex.pk)
    session.save()
    assert browser.get("/api/v1/me/").json()["organization"]["slug"] == "globex"
    request = RequestFactory().get("/")
    request.user, request.session = alice.user, {}
    assert choose_organization(request, str(globex.pk)) == globex
    Membership.objects.filter(organization=globex).delete()
    with pytest.raises(Fault):
        choose_organization(request, str(globex.pk))
    assert browser.get("/api/v1/me/").json()["organization"]["slug"] == "acme"
