"""A blueprint is a Compose file with a history, and nothing wrong is ever kept."""

from __future__ import annotations

from typing import Any

import pytest

from tests.people import Person

pytestmark = pytest.mark.django_db

SHOP = "services:\n  web:\n    image: nginx:1.27\n    ports: ['80:80']\n"


def make(person: Person, **extra: Any) -> Any:
    return person.api.post("/api/v1/blueprints/", {"project": "shop", "name": "web", "compose": SHOP, **extra})


def test_it_keeps_the_text_byte_for_byte(bob: Person) -> None:
    text = "# mine\r\nservices:\r\n  web:\r\n    image: nginx  # why\r\n\r\n"
    made = make(bob, compose=text)
    assert made.status_code == 201, made.content
    assert bob.api.get(f"/api/v1/blueprints/{made.json()['id']}/").json()["latest_version"]["compose"] == text


def test_it_numbers_versions_and_makes_none_for_the_same_text(bob: Person) -> None:
    path = f"/api/v1/blueprints/{make(bob).json()['id']}/versions/"
    assert bob.api.post(path, {"compose": SHOP}).json()["number"] == 1
    changed = SHOP.replace("1.27", "1.28")
    assert bob.api.post(path, {"compose": changed, "message": "newer"}).json()["number"] == 2
    assert [row["number"] for row in bob.api.get(path).json()["results"]] == [2, 1]
    assert bob.api.get(f"{path}1/").json()["compose"] == SHOP


def test_it_refuses_mistakes_with_line_and_column_and_keeps_nothing(bob: Person) -> None:
    answer = make(bob, compose="services:\n  web:\n    image: nginx\n    portz: ['80:80']\n")
    assert answer.status_code == 422
    body = answer.json()
    assert body["code"] == "compose.invalid"
    assert [(finding["line"], finding["column"]) for finding in body["findings"]] == [(4, 5)]
    assert bob.api.get("/api/v1/blueprints/").json()["results"] == []


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("services:\n  web:\n   image: nginx\n  image: [\n", None),
        ("services: {a: {image: x, depends_on: [b]}, b: {image: x, depends_on: [a]}}", 1),
        ("just text", 1),
        ("", None),
        ("a: &a [x,x]\nb: &b [*a,*a]\nc: &c [*b,*b]\nservices: {}\nservices: {}", None),
    ],
)
def test_it_refuses_every_kind_of_wrong_text(bob: Person, text: str, line: int | None) -> None:
    answer = make(bob, compose=text)
    assert answer.status_code in (400, 422), answer.content
    if line is not None:
        assert answer.json()["findings"][0]["line"] == line


def test_it_says_of_a_text_what_is_wrong_without_keeping_it(viewer: Person) -> None:
    answer = viewer.api.post("/api/v1/blueprints/validate/", {"compose": "services:\n  web: {}\n"})
    assert answer.status_code == 200
    assert answer.json()["valid"] is False


def test_it_takes_supplied_files_and_never_gives_them_back(bob: Person) -> None:
    text = SHOP + "    secrets: [key]\nsecrets:\n  key:\n    file: ./key.txt\n"
    made = make(bob, compose=text, files={"key.txt": "canary-5f1c", "bin": {"base64": "AAEC"}})
    assert made.status_code == 201, made.content
    assert made.json()["latest_version"]["files"] == ["bin", "key.txt"]
    from apps.blueprints.files import read
    from apps.blueprints.models import BlueprintVersion, SuppliedFile

    version = BlueprintVersion.objects.get()
    assert read(version) == {"key.txt": b"canary-5f1c", "bin": b"\0\1\2"}
    assert all(b"canary" not in bytes(file.sealed) for file in SuppliedFile.objects.all())
    assert "canary" not in bob.api.get(f"/api/v1/blueprints/{made.json()['id']}/").content.decode()


@pytest.mark.parametrize("path", ["/etc/passwd", "../up.txt", "a/../../up", "", "C:\\x", "nul\0"])
def test_it_refuses_files_outside_the_folder(bob: Person, path: str) -> None:
    answer = make(bob, files={path: "x"})
    assert (answer.status_code, answer.json()["code"]) == (422, "blueprint.file_path")


def test_it_takes_files_over_from_the_last_version(bob: Person) -> None:
    made = make(bob, files={"a.txt": "1"}).json()
    path = f"/api/v1/blueprints/{made['id']}/versions/"
    newer = bob.api.post(path, {"compose": SHOP.replace("1.27", "1.28")}).json()
    assert newer["files"] == ["a.txt"]
    assert bob.api.post(path, {"compose": SHOP.replace("1.27", "1.29"), "files": {}}).json()["files"] == []


def test_it_interpolates_given_values_and_never_the_servers(bob: Person, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TAG", "leaked")
    text = "services:\n  web:\n    image: nginx:${TAG:-none}\n"
    from apps.blueprints.models import BlueprintVersion
    from apps.blueprints.services import load_project

    make(bob, compose=text)
    assert load_project(BlueprintVersion.objects.get()).services()["web"]["image"] == "nginx:none"
    make(bob, compose=text, name="two", environment={"TAG": "given"})
    version = BlueprintVersion.objects.get(blueprint__name="two")
    assert load_project(version).services()["web"]["image"] == "nginx:given"


@pytest.mark.parametrize("name", ["", "a b", "-x", "x" * 64, "<script>", "../x"])
def test_it_refuses_names_that_no_machine_could_bear(bob: Person, name: str) -> None:
    answer = make(bob, name=name)
    assert answer.status_code in (400, 422)


def test_it_refuses_a_name_twice(bob: Person) -> None:
    make(bob)
    answer = make(bob)
    assert (answer.status_code, answer.json()["code"]) == (409, "blueprint.name_taken")


def test_a_viewer_reads_and_does_not_write(bob: Person, viewer: Person) -> None:
    made = make(bob).json()
    assert viewer.api.get(f"/api/v1/blueprints/{made['id']}/").status_code == 200
    assert make(viewer, name="mine").status_code == 403
    assert viewer.api.delete(f"/api/v1/blueprints/{made['id']}/").status_code == 403


def test_to_a_stranger_it_does_not_exist(bob: Person, charlie: Person) -> None:
    made = make(bob).json()
    assert charlie.api.get(f"/api/v1/blueprints/{made['id']}/").status_code == 404
    assert charlie.api.get("/api/v1/blueprints/").json()["results"] == []
    assert make(charlie).status_code == 404
