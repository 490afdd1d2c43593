"""What people and clouds call things is text on every page, and nothing on a page is code."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

from django.test import Client

from tests.e2e.scene import HOSTILE, HOSTILE_ATTRIBUTE, Scene
from tests.pages.conftest import Tags, every_path

STATIC = Path(__file__).resolve().parents[2] / "static"
TEMPLATES = STATIC.parent / "templates"


def test_it_escapes_hostile_names_and_holds_no_inline_code(scene: Scene, as_: Callable[[str], Client]) -> None:
    alice = as_("alice")
    hostile_pages = 0
    for path in every_path(scene):
        response = alice.get(path)
        assert response.status_code == 200, path
        html = response.content.decode()
        assert HOSTILE not in html, path
        assert HOSTILE_ATTRIBUTE not in html, path
        assert "{%" not in html, path  # a tag over two lines is no tag
        assert "{{" not in html, path
        hostile_pages += "&lt;script&gt;alert" in html
        page = Tags(html)
        for tag, attributes in page.tags:
            assert "onerror" not in attributes, (path, tag)
            assert not [name for name in attributes if name.startswith("on")], (path, tag, attributes)
            assert "style" not in attributes, (path, tag, attributes)
            assert tag != "style", path
            if tag == "script":
                assert attributes.get("src") or attributes.get("type") == "application/json", (path, attributes)
            href = attributes.get("href") or ""
            assert not href.lower().startswith("javascript:"), (path, href)
    # The scene does put such names on many pages: a scene without them would prove nothing.
    assert hostile_pages >= 10


def test_it_escapes_what_the_findings_quote(scene: Scene, as_: Callable[[str], Client]) -> None:
    text = f"services:\n  web:\n    image: nginx\n    {HOSTILE}: 1\n"
    response = as_("alice").post("/designs/validate/", {"compose": text})
    html = response.content.decode()
    assert response.status_code == 200
    assert "<script>" not in html
    assert "&lt;script&gt;" in html


def test_it_escapes_what_was_typed_into_forms(scene: Scene, as_: Callable[[str], Client]) -> None:
    alice = as_("alice")
    for path, data in (
        ("/designs/new/", {"name": HOSTILE, "compose": HOSTILE_ATTRIBUTE, "environment": HOSTILE}),
        ("/settings/members/", {"username": HOSTILE, "role": "viewer"}),
        ("/clouds/new/?kind=vsphere", {"name": HOSTILE, "title": HOSTILE_ATTRIBUTE}),
        (f"/designs/{scene.designs['shop'].pk}/deploy/", {"name": HOSTILE, "cloud": HOSTILE}),
    ):
        response = alice.post(path, data)
        assert response.status_code >= 400, path
        assert HOSTILE not in response.content.decode(), path
        assert HOSTILE_ATTRIBUTE not in response.content.decode(), path


def test_every_icon_that_is_drawn_is_in_the_sprite_and_the_other_way_round() -> None:
    sprite = set(re.findall(r'<symbol id="([a-z0-9-]+)"', (STATIC / "icons.svg").read_text()))
    drawn = set()
    for template in TEMPLATES.rglob("*.html"):
        drawn |= set(re.findall(r'{% icon "([a-z0-9-]+)"', template.read_text()))
    sources = [*(STATIC.parent / "apps").rglob("*.py"), *(STATIC / "js").glob("*.js")]
    quoted = set()
    for source in sources:
        quoted |= set(re.findall(r'"([a-z0-9-]+)(?: spin)?"', source.read_text()))
    prefixes: tuple[str, ...] = ()
    for source in (STATIC.parent / "frontend" / "src").rglob("*.ts*"):
        text = source.read_text()
        drawn |= set(re.findall(r'<Icon[^>]*? name="([a-z0-9-]+)"', text))
        quoted |= set(re.findall(r'"([a-z0-9-]+)"', text))
        prefixes += tuple(re.findall(r"`([a-z0-9-]+-)\$\{", text))
    assert drawn - sprite == set()
    assert {name for name in sprite - drawn - quoted if not name.startswith(prefixes)} == set()
    listed = (STATIC.parent / "frontend/assets/icons.txt").read_text().split("\n")
    assert sprite == {line for line in listed if line and not line.startswith("#")}


def test_every_page_asks_for_no_file_of_others(scene: Scene, as_: Callable[[str], Client]) -> None:
    alice = as_("alice")
    for path in ("/", "/designs/new/", f"/plans/{scene.plans['create'].pk}/"):
        for tag, attributes in Tags(alice.get(path).content.decode()).tags:
            if tag in ("script", "link", "img", "use"):
                source = attributes.get("src") or attributes.get("href") or ""
                assert source.startswith("/"), (path, tag, source)
