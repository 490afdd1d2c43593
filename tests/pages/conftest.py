"""Lend the page tests the scene, in the test's own transaction, and signed-in browsers."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from html.parser import HTMLParser
from typing import TYPE_CHECKING, Any

import pytest

from tests.people import PASSWORD

if TYPE_CHECKING:  # this file is loaded before Django is set up
    from django.test import Client

    from tests.e2e.scene import Scene


@pytest.fixture
def scene(db: None, settings: Any) -> Scene:
    """Everything that the pages show, in each state."""
    from tests.e2e.scene import make_scene

    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
    return make_scene(PASSWORD)


@pytest.fixture(autouse=True)
def _english() -> Iterator[None]:
    """Take back the language that the last request of a test has left active in this thread."""
    from django.utils import translation

    yield
    translation.deactivate()


@pytest.fixture
def as_(scene: Scene) -> Callable[[str], Client]:
    """Return a browser in which a person of the scene is signed in, and looks at the shop."""

    from django.test import Client

    def signed_in(name: str) -> Client:
        client = Client()
        client.force_login(scene.people[name])
        client.post("/enter/", {"project": str(scene.shop.pk)})
        return client

    return signed_in


class Tags(HTMLParser):
    """Hold every tag of a page with its attributes, and the text between script tags."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.scripts: list[str] = []
        self._in_script = False
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        self._in_script = tag == "script"
        if self._in_script:
            self.scripts.append("")

    def handle_endtag(self, tag: str) -> None:
        self._in_script = False

    def handle_data(self, data: str) -> None:
        if self._in_script:
            self.scripts[-1] += data


def every_path(scene: Scene) -> list[str]:
    """Return the address of every page that shows something of the scene."""
    paths = [
        "/", "/designs/", "/designs/new/", "/designs/templates/", "/designs/canvas/new/",
        "/deployments/", "/deployments/?state=destroyed", "/clouds/", "/clouds/new/", "/clouds/new/?kind=vsphere",
        "/activity/", "/activity/?in=all", "/activity/running/", "/settings/profile/", "/settings/tokens/",
        "/settings/tokens/?of=all", "/settings/members/", "/settings/members/new/", "/settings/projects/",
        "/settings/audit/", "/search/", "/search/?q=script", "/search/?q=s",
    ]  # fmt: skip
    for cloud in scene.clouds.values():
        base = f"/clouds/{cloud.name}/"
        paths += [base, f"{base}edit/", f"{base}credential/", f"{base}remove/"]
    for design in scene.designs.values():
        base = f"/designs/{design.pk}/"
        paths += [
            base,
            f"{base}canvas/",
            f"{base}edit/",
            f"{base}versions/",
            f"{base}versions/1/",
            f"{base}versions/1/canvas/",
            f"{base}difference/",
            f"{base}deploy/",
        ]
        paths.append(f"{base}delete/")
    paths += [f"/plans/{plan.pk}/" for plan in scene.plans.values()]
    for deployment in scene.deployments.values():
        paths += [f"/deployments/{deployment.pk}/", f"/deployments/{deployment.pk}/update/"]
    for operation in scene.operations.values():
        base = f"/operations/{operation.pk}/"
        paths += [base, f"{base}head/", f"{base}steps/"]
        paths += [f"{base}steps/{step.pk}/" for step in operation.steps.all()]
    return paths
