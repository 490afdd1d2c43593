from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from apps.blueprints import files
from apps.blueprints.models import Blueprint
from tests.e2e.scene import COMPOSE, Scene

PLAIN = "# a page\nservices:\n  web:\n    image: nginx:1.29\n"


def test_it_keeps_the_text_byte_for_byte(bob: Any, shop: Any) -> None:
    response = bob.browser.post("/designs/new/", {"name": "page", "compose": PLAIN.replace("\n", "\r\n")})
    design = Blueprint.objects.get(name="page")
    assert response.headers["Location"] == f"/designs/{design.pk}/"
    assert design.versions.get().text == PLAIN
    given = bob.browser.get(f"/designs/{design.pk}/versions/1/compose.yaml")
    assert given.content == PLAIN.encode()
    assert given.headers["Content-Disposition"] == 'attachment; filename="page-v1.compose.yaml"'


def test_it_takes_an_uploaded_file_without_a_script(bob: Any, shop: Any) -> None:
    upload = SimpleUploadedFile("compose.yaml", PLAIN.encode())
    bob.browser.post("/designs/new/", {"name": "page", "compose": "", "compose_file": upload})
    assert Blueprint.objects.get(name="page").versions.get().text == PLAIN


@pytest.mark.parametrize(
    ("content", "code"), [(b"\xff\xfe\x00", "compose.upload_not_text"), (b"#" * 1_100_000, "compose.upload_too_large")]
)
def test_it_says_what_is_wrong_with_an_upload(content: bytes, code: str, bob: Any, shop: Any) -> None:
    upload = SimpleUploadedFile("compose.yaml", content)
    response = bob.browser.post("/designs/new/", {"name": "page", "compose": "", "compose_file": upload})
    assert response.status_code in (413, 422)
    assert code.encode() in response.content
    assert not Blueprint.objects.exists()


def test_a_mistake_is_shown_with_its_line_and_what_was_typed_stays(bob: Any, shop: Any) -> None:
    wrong = "services:\n  web:\n    imag: nginx\n"
    response = bob.browser.post("/designs/new/", {"name": "page", "compose": wrong})
    html = response.content.decode()
    assert response.status_code == 422
    assert re.search(r'data-line="3" data-column="\d+" data-severity="error"', html)
    assert "imag: nginx" in html
    assert 'value="page"' in html
    assert not Blueprint.objects.exists()


def test_live_checks_answer_a_piece_of_the_page(bob: Any, shop: Any) -> None:
    response = bob.browser.post("/designs/validate/", {"compose": "services: ["}, headers={"HX-Request": "true"})
    assert response.status_code == 200
    assert b"<html" not in response.content
    assert b'data-severity="error"' in response.content
    fine = bob.browser.post("/designs/validate/", {"compose": PLAIN})
    assert b"No mistakes" in fine.content
    assert b"Checked as you type" in bob.browser.post("/designs/validate/", {"compose": " "}).content


def test_files_beside_it_keep_their_paths(bob: Any, shop: Any) -> None:
    text = PLAIN + "    configs: [site]\nconfigs:\n  site:\n    file: ./conf/site.conf\n"
    upload = SimpleUploadedFile("site.conf", b"server {}")
    bob.browser.post(
        "/designs/new/", {"name": "page", "compose": text, "files": [upload], "file_path": ["conf/site.conf"]}
    )
    version = Blueprint.objects.get(name="page").versions.get()
    assert files.read(version) == {"conf/site.conf": b"server {}"}


def test_a_path_that_leaves_the_folder_is_refused(bob: Any, shop: Any) -> None:
    upload = SimpleUploadedFile("passwd", b"root")
    data = {"name": "page", "compose": PLAIN, "files": [upload], "file_path": ["../../etc/passwd"]}
    response = bob.browser.post("/designs/new/", data)
    assert response.status_code == 422
    assert b"blueprint.file_path" in response.content


def test_a_new_version_keeps_ticked_files_and_drops_the_others(scene: Scene, as_: Callable[[str], Client]) -> None:
    design = scene.designs["shop"]
    path = f"/designs/{design.pk}/edit/"
    bob = as_("bob")
    assert b"token.txt" in bob.get(path).content
    bob.post(path, {"compose": COMPOSE + "# more\n", "keep": ["token.txt"], "message": "More"})
    newest = design.versions.first()
    assert newest is not None
    assert (newest.number, newest.message) == (4, "More")
    assert files.read(newest) == {"token.txt": b"hush"}
    same = bob.post(path, {"compose": COMPOSE + "# more\n", "keep": ["token.txt"]}, follow=True)
    assert b"Nothing has changed" in same.content
    bob.post(path, {"compose": COMPOSE + "# more\n"})
    newest = design.versions.first()
    assert newest is not None
    assert (newest.number, files.read(newest)) == (5, {})


def test_two_versions_can_be_compared(scene: Scene, as_: Callable[[str], Client]) -> None:
    html = as_("victor").get(f"/designs/{scene.designs['shop'].pk}/difference/?from=1&to=3").content.decode()
    assert "From version 1 to 3" in html
    assert re.search(r'class="removed".*nginx:1\.27', html)
    assert re.search(r'class="added".*nginx:1\.29', html)
    assert as_("victor").get(f"/designs/{scene.designs['shop'].pk}/difference/?from=99").status_code == 404


def test_a_design_in_use_is_not_deleted(scene: Scene, as_: Callable[[str], Client]) -> None:
    bob = as_("bob")
    answer = bob.post(f"/designs/{scene.designs['shop'].pk}/delete/", follow=True)
    assert b"blueprint.in_use" in answer.content
    unused = scene.designs["long"]
    assert bob.post(f"/designs/{unused.pk}/delete/").headers["Location"] == "/designs/"
    assert not Blueprint.objects.filter(pk=unused.pk).exists()


@pytest.mark.parametrize("path", ["/designs/", "/deployments/", "/activity/", "/settings/audit/", "/", "/clouds/"])
def test_a_longer_list_asks_the_database_no_more(
    path: str, scene: Scene, as_: Callable[[str], Client], django_assert_max_num_queries: Any
) -> None:
    from django.db import connection
    from django.test.utils import CaptureQueriesContext

    from tests.e2e import scene as making

    alice = as_("alice")
    alice.get(path)
    with CaptureQueriesContext(connection) as before:
        alice.get(path)
    for number in range(12):
        design = making.design(scene, f"more-{number}", ["services:\n  w:\n    image: w\n"])
        scene.designs[design.name] = design
        made = making.deployment(scene, f"more-{number}", "paris", "running", design=design.name)
        making.operation(scene, f"Deploy more-{number}", "succeeded", made, kind="deploy")
    with CaptureQueriesContext(connection) as after:
        response = alice.get(path)
    assert response.status_code == 200
    assert len(after) <= len(before) + 1


def test_a_long_list_goes_on_by_cursor(scene: Scene, as_: Callable[[str], Client]) -> None:
    from tests.e2e import scene as making

    for number in range(60):
        making.design(scene, f"more-{number:02}", ["services:\n  w:\n    image: w\n"])
    alice = as_("alice")
    seen: list[str] = []
    address: str | None = "/designs/"
    pages = 0
    while address:
        html = alice.get(address).content.decode()
        seen += re.findall(r'class="main" href="/designs/[0-9a-f-]{36}/">([^<]+)<', html)
        found = re.search(r'rel="next" href="([^"]+)"', html)
        address = found.group(1).replace("&amp;", "&") if found else None
        pages += 1
    assert pages == 2
    assert len(seen) == len(set(seen)) == 64
    assert alice.get("/designs/?cursor=nonsense").status_code == 400


def test_checking_a_text_does_not_bring_out_the_files_of_a_design_that_one_may_only_read(
    bob: Any, viewer: Any, shop: Any
) -> None:
    given = {"project": "shop", "name": "page", "compose": PLAIN, "files": {"pw.txt": "hunter2-hunter2: [\n"}}
    bob.api.post("/api/v1/blueprints/", given)
    version = Blueprint.objects.get(name="page").versions.get()
    prying = {"compose": "include: [pw.txt]\n", "previous": str(version.pk), "keep": ["pw.txt"]}
    assert bob.browser.post("/designs/validate/", prying).status_code == 200
    assert viewer.browser.post("/designs/validate/", prying).status_code == 403
