"""Walk every page as nobody, as a stranger, as the neighbour and as a viewer, from the URL resolver.

Pages declare no roles as the API does, so this looks at what comes out: where nobody is sent, that others' objects do
not exist, and that no request of theirs changes a row.
"""

from __future__ import annotations

import re
from typing import Any

import pytest
from django.test import Client

from tests.api import routes as table
from tests.api.world import Side, World, leaks, snapshot, text_of, undone

pytestmark = pytest.mark.django_db

PUBLIC = {"login", "language", "machine-secrets", "metrics"}  # the last two have keys of their own
OWN = {"logout", "theme", "profile", "tokens", "enter", "token-revoke", "inventory-view-save"}  # one's own

OBJECTS = {
    "operation_id": lambda side: side.operation.pk,
    "step_id": lambda side: side.step.pk,
    "design_id": lambda side: side.blueprint.pk,
    "plan_id": lambda side: side.plan.pk,
    "deployment_id": lambda side: side.deployment.pk,
    "number": lambda side: side.version.number,
    "name": lambda side: side.cloud.name,
    "grant_id": lambda side: side.offer.pk,
    "membership_id": lambda side: _membership(side),
    "token_id": lambda side: _token(side),
    "draft_id": lambda side: side.draft.pk,
    "run_id": lambda side: side.run.pk,
    "label_id": lambda side: side.label.pk,
    "token": lambda side: side.share_token,
    "machine_id": lambda side: side.machine.pk,
    "thing_id": lambda side: side.thing.pk,
    "view_id": lambda side: _saved_view(side),
    "onboarding_id": lambda side: side.onboarding.pk,
}
"""What the parameters of pages' addresses stand for; a page with another one must add it."""

SHARED = {
    "name",
    "grant_id",
    "run_id",
    "label_id",
    "membership_id",
    "token_id",
    "token",
    "machine_id",
    "thing_id",
    "view_id",
}
"""Parameters whose objects belong to the organization, so that the neighbour may know of them."""


def _membership(side: Side) -> Any:
    from apps.tenancy.models import Membership

    return Membership.objects.filter(organization=side.project.organization).order_by("pk").first().pk


def _saved_view(side: Side) -> Any:
    """Return the administrator's own: the viewer must not get at it."""
    return (side.views.get("alice") or next(iter(side.views.values()))).pk


def _token(side: Side) -> Any:
    from apps.tenancy.models import ApiToken

    return ApiToken.objects.filter(organization=side.project.organization).order_by("pk").first().pk


def _pages() -> list[tuple[str, str, tuple[str, ...]]]:
    from django.urls import get_resolver

    found = {
        (route.path, route.name, route.parameters)
        for route in table._walk(get_resolver().url_patterns, "", {})
        if not route.path.startswith("api/")
    }
    return sorted(found)


PAGES = [page for page in _pages() if page[1] not in PUBLIC]
WITH_OBJECT = [page for page in PAGES if page[2]]
NAMES = [f"/{path}" for path, _, _ in PAGES]


def address(page: tuple[str, str, tuple[str, ...]], side: Side) -> str:
    path, _, parameters = page
    for name in parameters:
        path = re.sub(rf"<(?:\w+:)?{name}>", str(OBJECTS[name](side)), path)
    return f"/{path}"


def browser(world: World, name: str) -> Client:
    client = Client(raise_request_exception=False)
    client.force_login(world.people[name].user)
    return client


def test_there_are_pages_to_walk():
    assert len(PAGES) >= 40
    assert len(WITH_OBJECT) >= 20


@pytest.mark.parametrize("page", PAGES, ids=NAMES)
def test_nobody_gets_further_than_the_sign_in(page, world):
    before = snapshot()
    for method in ("get", "post"):
        answer = getattr(Client(raise_request_exception=False), method)(address(page, world.shop))
        assert answer.status_code in (302, 401, 403, 405), (method, answer.status_code)
        if answer.status_code == 302:
            assert answer["Location"].startswith("/login/"), answer["Location"]
        sent = address(page, world.shop)
        assert not leaks(answer, world.shop.marks(outside=True), sent)
    assert snapshot() == before


@pytest.mark.parametrize("page", WITH_OBJECT, ids=[f"/{path}" for path, _, _ in WITH_OBJECT])
@pytest.mark.parametrize("caller", ["stranger", "neighbour"])
def test_what_belongs_to_others_has_no_page(page, caller, world):
    if caller == "neighbour" and SHARED & set(page[2]):
        return
    before, sent = snapshot(), address(page, world.shop)
    for method in ("get", "post"):
        answer = getattr(browser(world, caller), method)(sent)
        assert answer.status_code in (404, 405), (method, answer.status_code, text_of(answer)[:500])
        assert not leaks(answer, world.shop.marks(), sent)
    assert snapshot() == before


@pytest.mark.parametrize("page", [page for page in PAGES if not page[2]], ids=[f"/{p[0]}" for p in PAGES if not p[2]])
@pytest.mark.parametrize("caller", ["stranger", "neighbour"])
def test_pages_show_nothing_of_others(page, caller, world):
    answer = browser(world, caller).get(address(page, world.shop))
    assert answer.status_code in (200, 204, 302, 403, 405), answer.status_code
    assert not leaks(answer, world.shop.marks(outside=caller == "stranger"))


@pytest.mark.parametrize("page", PAGES, ids=NAMES)
def test_an_administrator_sees_every_page(page, world):
    """Shows that the refusals above are due to who asks."""
    answer = browser(world, "admin").get(address(page, world.shop))
    assert answer.status_code in (200, 204, 302, 405), (answer.status_code, text_of(answer)[:500])


@pytest.mark.parametrize("page", [page for page in PAGES if page[1] not in OWN], ids=lambda page: f"/{page[0]}")
def test_a_viewer_changes_nothing(page, world):
    before = snapshot()
    fields = {"confirm": "orchid-web", "name": "orchid-web", "typed": "orchid-web", "mode": "stop", "role": "admin"}
    with undone():
        answer = browser(world, "viewer").post(address(page, world.shop), fields)
        assert answer.status_code < 500, text_of(answer)[:500]
        assert snapshot() == before, answer.status_code
    for row in (world.shop.cloud, world.shop.deployment, world.shop.operation):
        fresh = type(row)._default_manager.get(pk=row.pk)
        assert getattr(fresh, "state", None) == getattr(row, "state", None)
        assert getattr(fresh, "enabled", None) == getattr(row, "enabled", None)
