"""A stranger finds nothing, a viewer changes nothing, and the refusal says who can help."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client

from tests.e2e.scene import Scene
from tests.pages.conftest import Tags, every_path

OWN = ("/designs/new/", "/designs/canvas/new/", "/designs/templates/", "/clouds/new/", "/activity/running/")
SHARED = ("/", "/designs/", "/deployments/", "/clouds/", "/activity/", "/settings/", "/search/")


def test_it_asks_everybody_to_sign_in(scene: Scene) -> None:
    for path in every_path(scene):
        response = Client().get(path)
        assert response.status_code == 302, path
        assert response.headers["Location"].startswith("/login/?next="), path


def test_it_sends_a_piece_of_a_page_to_sign_in_as_a_whole(scene: Scene) -> None:
    response = Client().get(
        "/activity/running/count/",
        headers={"HX-Request": "true", "HX-Current-URL": "http://testserver/clouds/?a=b"},
    )
    assert response.status_code == 204
    assert response.headers["HX-Redirect"] == "/login/?next=/clouds/%3Fa%3Db"


def test_a_stranger_finds_nothing_of_it(scene: Scene, charlie: Any) -> None:
    stranger = charlie.browser
    for path in every_path(scene):
        response = stranger.get(path)
        if any(path.partition("?")[0] == shared or path.startswith("/settings/") for shared in SHARED):
            assert scene.deployments["shop-staging"].name not in response.content.decode(), path
        elif path.partition("?")[0] in OWN:
            continue
        else:
            assert response.status_code == 404, path


WRITES = [
    "/designs/new/", "/designs/templates/", "/designs/{designs.shop}/edit/", "/designs/{designs.shop}/delete/",
    "/designs/{designs.shop}/deploy/",
    "/plans/{plans.create}/start/", "/plans/{plans.create}/again/", "/deployments/{deployments.shop}/destroy/",
    "/deployments/{deployments.shop}/update/", "/operations/{operations.running}/cancel/",
    "/operations/{operations.failed}/retry/", "/operations/{operations.failed}/undo/", "/clouds/new/",
    "/clouds/paris/edit/", "/clouds/paris/credential/", "/clouds/paris/test/", "/clouds/paris/read/",
    "/clouds/paris/switch/", "/clouds/paris/remove/", "/settings/members/", "/settings/members/new/",
    "/settings/projects/",
]  # fmt: skip


@pytest.mark.parametrize("path", WRITES)
def test_a_viewer_writes_nothing(path: str, scene: Scene, as_: Callable[[str], Client]) -> None:
    response = as_("victor").post(
        _filled(path, scene), {"name": "x", "slug": "x", "compose": "services: {}", "confirm": "shop"}
    )
    assert response.status_code == 403, path
    assert b"alice" in response.content  # who can grant it


def _filled(path: str, scene: Scene) -> str:
    for kind in ("designs", "plans", "deployments", "operations"):
        for name, row in getattr(scene, kind).items():
            path = path.replace(f"{{{kind}.{name}}}", str(row.pk))
    return path


def test_a_viewer_sees_no_button_that_would_be_refused(scene: Scene, as_: Callable[[str], Client]) -> None:
    victor = as_("victor")
    allowed = ("/enter/", "/logout/", "/language/", "/settings/theme/", "/settings/tokens/", "/settings/profile/")
    for path in every_path(scene):
        response = victor.get(path)
        if response.status_code == 403:
            continue
        for tag, attributes in Tags(response.content.decode()).tags:
            if tag == "form" and (attributes.get("method") or "get").lower() == "post":
                target = attributes.get("action") or path.partition("?")[0]
                assert target.startswith(allowed), (path, target)


def test_it_says_which_role_stopping_and_retrying_needs(scene: Scene, as_: Callable[[str], Client]) -> None:
    failed = scene.operations["failed"]
    assert b"Retry from what failed" in as_("bob").get(f"/operations/{failed.pk}/").content
    page = as_("victor").get(f"/operations/{failed.pk}/").content
    assert b"Retry from what failed" not in page
    assert b"needs the role Architect" in page


def test_a_post_without_its_proof_is_refused(scene: Scene) -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(scene.people["alice"])
    response = client.post("/enter/", {"project": str(scene.lab.pk)})
    assert response.status_code == 403
    assert b"The form has expired" in response.content
