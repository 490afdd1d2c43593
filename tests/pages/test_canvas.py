"""The pages around the canvas: what they tell the designer, to whom they open, and what they never bring along."""

from __future__ import annotations

import html
import json
import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from apps.blueprints import drafts, services, sharing
from apps.blueprints.models import Blueprint, Draft
from apps.blueprints.starting_points import TEMPLATES
from tests.e2e.scene import Scene
from tests.pages.conftest import Tags

TEXT = "# a page\nservices:\n  web:\n    image: nginx:1.29 # </script><b>\n"
BOOT = re.compile(r'<script id="designer-boot" type="application/json">(.*?)</script>', re.DOTALL)


def boot_of(response: Any) -> dict[str, Any]:
    assert response.status_code == 200
    found = BOOT.findall(response.content.decode())
    assert len(found) == 1
    boot: dict[str, Any] = json.loads(found[0])
    return boot


@pytest.fixture
def page(bob: Any, shop: Any) -> Blueprint:
    return services.create_blueprint(bob.principal, shop, name="page", compose=TEXT)


def test_a_design_opens_on_its_latest_version_and_looking_writes_nothing(bob: Any, shop: Any, page: Blueprint) -> None:
    services.save_version(bob.principal, page, compose=TEXT + "# two\n")
    boot = boot_of(bob.browser.get(f"/designs/{page.pk}/canvas/"))
    assert boot.pop("csrf")
    assert boot == {
        "mode": "draft",
        "language": "en",
        "user": "bob",
        "project": {"id": str(shop.pk), "name": "Shop"},
        "blueprint": {"id": str(page.pk), "name": "page"},
        "draft": None,
        "version": 2,
        "name": "page",
        "text": TEXT + "# two\n",
        "deployment": None,
        "may": {"write": True, "deploy": True},
        "urls": {"designs": "/designs/", "api": "/api/v1/"},
    }
    assert not Draft.objects.exists()


def test_a_design_opens_on_ones_own_draft_and_on_nobody_elses(bob: Any, alice: Any, page: Blueprint) -> None:
    draft, _new = drafts.open_draft(bob.principal, blueprint=page)
    drafts.write_draft(bob.principal, draft, revision=1, compose="services: [broken")
    boot = boot_of(bob.browser.get(f"/designs/{page.pk}/canvas/"))
    assert (boot["draft"], boot["version"], boot["text"]) == (str(draft.pk), 1, "services: [broken")
    other = boot_of(alice.browser.get(f"/designs/{page.pk}/canvas/"))
    assert (other["draft"], other["text"]) == (None, TEXT)


def test_a_draft_keeps_the_version_that_it_was_made_from(bob: Any, page: Blueprint) -> None:
    drafts.open_draft(bob.principal, blueprint=page)
    services.save_version(bob.principal, page, compose=TEXT + "# by somebody else\n")
    assert boot_of(bob.browser.get(f"/designs/{page.pk}/canvas/"))["version"] == 1


def test_a_viewer_looks_and_may_not_draw(viewer: Any, bob: Any, page: Blueprint) -> None:
    drafts.open_draft(bob.principal, blueprint=page)
    boot = boot_of(viewer.browser.get(f"/designs/{page.pk}/canvas/"))
    assert boot["may"] == {"write": False, "deploy": False}
    assert boot["draft"] is None
    assert viewer.browser.get("/designs/canvas/new/").status_code == 403
    assert viewer.browser.get("/designs/templates/").status_code == 403


def test_a_stranger_finds_no_canvas(charlie: Any, bob: Any, page: Blueprint) -> None:
    draft, _new = drafts.open_draft(bob.principal, blueprint=page)
    share = sharing.create_share(bob.principal, page)
    token = sharing.url_of(share).rstrip("/").rpartition("/")[2]
    for path in (
        f"/designs/{page.pk}/canvas/",
        f"/designs/{page.pk}/versions/1/canvas/",
        f"/designs/drafts/{draft.pk}/",
        f"/designs/drafts/{draft.pk}/discard/",
        f"/shared/{token}/",
    ):
        assert charlie.browser.get(path).status_code == 404, path


def test_an_old_version_opens_read_only(bob: Any, page: Blueprint) -> None:
    services.save_version(bob.principal, page, compose=TEXT + "# two\n")
    drafts.open_draft(bob.principal, blueprint=page)
    boot = boot_of(bob.browser.get(f"/designs/{page.pk}/versions/1/canvas/"))
    assert (boot["mode"], boot["version"], boot["text"], boot["draft"]) == ("version", 1, TEXT, None)
    assert boot["may"]["write"] is False
    assert bob.browser.get(f"/designs/{page.pk}/versions/3/canvas/").status_code == 404


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        ("00000000-0000-0000-0000-00000000000A", "00000000-0000-0000-0000-00000000000a"),
        ("<script>", None),
        ("", None),
    ],
)
def test_the_deployment_that_is_asked_for_is_an_id_or_nothing(
    asked: str, told: str | None, bob: Any, page: Blueprint
) -> None:
    response = bob.browser.get(f"/designs/{page.pk}/canvas/", {"deployment": asked})
    assert boot_of(response)["deployment"] == told


def test_a_new_drawing_is_empty(bob: Any, shop: Any) -> None:
    boot = boot_of(bob.browser.get("/designs/canvas/new/"))
    assert (boot["mode"], boot["blueprint"], boot["draft"], boot["version"]) == ("draft", None, None, None)
    assert (boot["name"], boot["text"]) == ("", "")
    assert boot["project"]["id"] == str(shop.pk)
    assert not Draft.objects.exists()


def test_every_template_opens_as_it_is(bob: Any, shop: Any) -> None:
    browser = bob.browser
    assert {bool(template.files) for template in TEMPLATES.values()} == {True, False}
    for name, template in TEMPLATES.items():
        response = browser.get("/designs/canvas/new/", {"template": name})
        if template.files:  # its files need a draft, which is made by a press of a button
            assert response.headers["Location"] == f"/designs/templates/#{name}"
        else:
            boot = boot_of(response)
            assert (boot["name"], boot["text"]) == (name, template.compose)
        made = browser.post("/designs/templates/", {"template": name})
        draft = Draft.objects.get(name=name)
        assert made.headers["Location"] == f"/designs/drafts/{draft.pk}/"
        assert drafts.contents_of(draft)[0] == {path: text.encode() for path, text in template.files.items()}
        assert boot_of(browser.get(made.headers["Location"]))["text"] == template.compose
    assert browser.get("/designs/canvas/new/?template=../../etc").status_code == 404
    assert browser.post("/designs/templates/", {"template": "none"}).status_code == 404


def test_a_draft_is_found_again_on_the_list_and_can_be_discarded(bob: Any, viewer: Any, shop: Any) -> None:
    draft, _new = drafts.open_draft(bob.principal, shop, name="sketch", compose="services: {")
    browser = bob.browser
    path = f"/designs/drafts/{draft.pk}/"
    assert f'href="{path}"' in browser.get("/designs/").content.decode()
    assert "sketch" not in viewer.browser.get("/designs/").content.decode()
    boot = boot_of(browser.get(path))
    assert (boot["draft"], boot["name"], boot["text"]) == (str(draft.pk), "sketch", "services: {")
    assert "sketch" in browser.get(f"{path}discard/").content.decode()
    assert Draft.objects.exists()
    assert browser.post(f"{path}discard/").headers["Location"] == "/designs/"
    assert not Draft.objects.exists()


def test_a_draft_that_equals_its_version_is_no_change_on_the_list(bob: Any, alice: Any, shop: Any) -> None:
    vault = services.create_blueprint(
        bob.principal, shop, name="vault", compose=TEXT, files={"pw.txt": b"one"}, environment={"A": "1"}
    )
    draft, _new = drafts.open_draft(bob.principal, blueprint=vault)

    def listed() -> bool:
        return f"/designs/drafts/{draft.pk}/" in bob.browser.get("/designs/").content.decode()

    assert not listed()
    services.save_version(alice.principal, vault, compose=TEXT + "# newer\n")
    assert not listed()  # somebody else's version is no change of bob's
    same: dict[str, Any] = {"compose": TEXT, "files": {"pw.txt": b"one"}, "environment": {"A": "1"}}
    for change in (
        {"compose": TEXT + "# mine\n"},
        {"files": {"pw.txt": b"two"}},
        {"files": {}},
        {"environment": {"A": "2"}},
        {"environment": {}},
        {"description": "another one"},
    ):
        draft = drafts.write_draft(bob.principal, draft, revision=draft.revision, **(same | change))
        assert listed(), change
        draft.description = None
        draft.save()
        draft = drafts.write_draft(bob.principal, draft, revision=draft.revision, **same)
        assert not listed(), change


def test_a_draft_of_a_design_is_the_designs_canvas(bob: Any, page: Blueprint) -> None:
    draft, _new = drafts.open_draft(bob.principal, blueprint=page)
    response = bob.browser.get(f"/designs/drafts/{draft.pk}/")
    assert response.headers["Location"] == f"/designs/{page.pk}/canvas/"


def test_a_link_opens_the_drawing_for_a_member_without_a_role_in_its_project(bob: Any, page: Blueprint) -> None:
    from apps.tenancy.access import System
    from apps.tenancy.services import create_project
    from tests.people import make_person

    elsewhere = create_project(System(bob.organization), "elsewhere", "Elsewhere")
    reader = make_person("rita", bob.organization, "viewer", elsewhere)
    assert reader.browser.get(f"/designs/{page.pk}/canvas/").status_code == 404
    share = sharing.create_share(bob.principal, page, expires_at=timezone.now() + timedelta(hours=1))
    path = sharing.url_of(share).partition("/shared/")[2]
    response = reader.browser.get(f"/shared/{path}")
    boot = boot_of(response)
    assert (boot["mode"], boot["name"], boot["text"], boot["version"]) == ("shared", "page", TEXT, 1)
    # The link opens the drawing alone: nothing that leads into the project.
    assert (boot["project"], boot["blueprint"]) == ({"id": "", "name": ""}, None)
    assert boot["may"] == {"write": False, "deploy": False}
    assert str(page.pk) not in response.content.decode()
    type(share).objects.update(expires_at=timezone.now() - timedelta(seconds=1))
    assert reader.browser.get(f"/shared/{path}").status_code == 404


def test_the_text_cannot_leave_the_script_element(bob: Any, page: Blueprint) -> None:
    response = bob.browser.get(f"/designs/{page.pk}/canvas/")
    assert b"</script><b>" not in response.content
    assert boot_of(response)["text"] == TEXT


def test_the_page_runs_only_files_of_its_own_and_names_its_nonce(bob: Any, page: Blueprint) -> None:
    response = bob.browser.get(f"/designs/{page.pk}/canvas/")
    tags = Tags(response.content.decode())
    scripts = [attributes for tag, attributes in tags.tags if tag == "script"]
    assert [script for script in scripts if not script.get("src")] == [
        {"id": "designer-boot", "type": "application/json"}
    ]
    modules = [script["src"] or "" for script in scripts if script.get("type") == "module"]
    assert len(modules) == 1
    assert re.fullmatch(r"/static/designer/assets/designer-[\w-]{8}\.js", modules[0])
    nonce = next(attributes["content"] for tag, attributes in tags.tags if attributes.get("name") == "csp-nonce")
    policy = response.headers["Content-Security-Policy"]
    assert f"style-src 'self' 'nonce-{nonce}'" in policy
    assert "worker-src 'self'" in policy
    assert "unsafe" not in policy


def test_the_page_leaves_keys_drops_and_dialogs_to_the_designer(bob: Any, page: Blueprint) -> None:
    text = bob.browser.get(f"/designs/{page.pk}/canvas/").content.decode()
    tags = Tags(text)
    ids = {attributes["id"] for _tag, attributes in tags.tags if "id" in attributes}
    assert {"designer", "running"} <= ids
    assert not {"palette", "shortcuts", "drop-veil"} & ids
    assert not [a for tag, a in tags.tags if tag == "script" and "drop" in (a.get("src") or "")]
    root = next(attributes for tag, attributes in tags.tags if tag == "html")
    assert "data-own-keys" in root
    assert (root["data-icons"] or "").startswith("/static/icons")


def test_without_a_script_the_page_leads_to_the_text(bob: Any, viewer: Any, page: Blueprint, shop: Any) -> None:
    def plain(browser: Client, path: str) -> str:
        return re.findall(r"<noscript>(.*?)</noscript>", browser.get(path).content.decode(), re.DOTALL)[0]

    assert f"/designs/{page.pk}/edit/" in plain(bob.browser, f"/designs/{page.pk}/canvas/")
    assert f"/designs/{page.pk}/versions/1/" in plain(viewer.browser, f"/designs/{page.pk}/canvas/")
    assert "/designs/new/" in plain(bob.browser, "/designs/canvas/new/")
    token = sharing.url_of(sharing.create_share(bob.principal, page)).partition("/shared/")[2]
    assert html.escape(TEXT) in plain(viewer.browser, f"/shared/{token}")


def test_the_designer_is_told_the_language(bob: Any, page: Blueprint) -> None:
    response = bob.browser.get(f"/designs/{page.pk}/canvas/", headers={"Accept-Language": "fr"})
    assert boot_of(response)["language"] == "fr"


def test_designs_and_deployments_lead_to_the_canvas(scene: Scene, as_: Callable[[str], Client]) -> None:
    design, deployment = scene.designs["shop"], scene.deployments["shop"]
    bob = as_("bob")
    assert f'href="/designs/{design.pk}/canvas/"' in bob.get("/designs/").content.decode()
    assert (
        f'class="button primary" href="/designs/{design.pk}/canvas/"'
        in bob.get(f"/designs/{design.pk}/").content.decode()
    )
    old = bob.get(f"/designs/{design.pk}/versions/1/").content.decode()
    assert f'href="/designs/{design.pk}/versions/1/canvas/"' in old
    live = f"/designs/{deployment.version.blueprint_id}/canvas/?deployment={deployment.pk}"
    assert f'href="{live}"' in bob.get(f"/deployments/{deployment.pk}/").content.decode()
    assert boot_of(bob.get(live))["deployment"] == str(deployment.pk)
    for path in ("/designs/canvas/new/", "/designs/new/", "/designs/templates/"):
        assert f'href="{path}"' in bob.get("/designs/").content.decode()
