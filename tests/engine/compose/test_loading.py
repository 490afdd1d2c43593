"""What a caller can rely on: names, extensions, positions, supplied files, and that nothing else is touched."""

from __future__ import annotations

import builtins
import copy
import json
import os
from textwrap import dedent
from typing import Any, NoReturn

import pytest

from engine.compose import ComposeError, Position, load, parse_env_file, to_json

SHOP = dedent(
    """\
    # the shop
    x-escale: {canvas: 1}
    services:
      web:
        image: nginx
        x-escale: {isolation: machine}
        environment:
          - A=1
          - B
        depends_on: [db]
        ports:
          - "80:80"
          - target: 443
            published: "443"
        deploy:
          resources:
            limits: {cpus: "0.5"}
      db: &db
        image: postgres
        volumes:
          - data:/var/lib/postgresql/data
      copy:
        <<: *db
        command: sleep
    volumes:
      data:
    """
)


@pytest.mark.parametrize(
    ("path", "line", "column"),
    [
        (("services",), 3, 1),
        (("services", "web"), 4, 3),
        (("services", "web", "image"), 5, 12),
        (("services", "web", "environment", 1), 9, 9),
        (("services", "web", "environment", "A"), 8, 9),
        (("services", "web", "depends_on", "db"), 10, 18),
        (("services", "web", "ports"), 11, 5),
        (("services", "web", "ports", 1, "published"), 14, 20),
        (("services", "web", "deploy", "resources", "limits", "cpus"), 17, 24),
        (("services", "web", "deploy", "resources", "reservations"), 16, 7),
        (("services", "copy", "image"), 19, 12),
        (("services", "copy", "command"), 24, 14),
        (("volumes", "data"), 26, 3),
        (("volumes", "data", "name"), 26, 3),
        (("x-escale", "canvas"), 2, 20),
        ((), 2, 1),
        (("nowhere",), 2, 1),
    ],
)
def test_positions_lead_to_the_source(path: tuple[str | int, ...], line: int, column: int) -> None:
    assert load(SHOP, name="shop").position(*path) == Position(line, column)


def test_extensions_are_found_everywhere() -> None:
    project = load(SHOP, name="shop")
    assert project.extensions() == {"x-escale": {"canvas": 1}}
    assert project.extensions("services", "web") == {"x-escale": {"isolation": "machine"}}
    assert project.extensions("services", "db") == {}
    assert project.extensions("services", "nope", "deploy") == {}


def test_extensions_of_a_base_are_inherited() -> None:
    text = "services: {a: {extends: b, x-escale: {y: 2}}, b: {image: x, x-escale: {x: 1}}}"
    assert load(text, name="p").extensions("services", "a") == {"x-escale": {"x": 1, "y": 2}}


def test_sections_are_at_hand() -> None:
    project = load(SHOP, name="shop")
    assert list(project.services()) == ["copy", "db", "web"]
    assert project.volumes() == {"data": {"name": "shop_data"}}
    assert project.networks() == {"default": {"name": "shop_default", "ipam": {}}}
    assert project.secrets() == {}
    assert project.configs() == {}


def test_the_file_names_the_project_before_the_caller_does() -> None:
    assert load("name: Mine\nservices: {}", name="yours").name == "mine"
    assert load("services: {}", name="My Yours!").name == "myyours"
    assert load("services: {}", name="x", environment={"COMPOSE_PROJECT_NAME": "imposed"}).name == "imposed"


def test_a_project_needs_a_name() -> None:
    with pytest.raises(ComposeError) as refused:
        load("services: {web: {image: x}}")
    assert [finding.code for finding in refused.value.findings] == ["compose.name.missing"]


def test_dollar_signs_stand_for_themselves_until_they_are_printed() -> None:
    project = load("services: {a: {image: x, command: [echo, $$HOME]}}", name="p")
    assert project.services()["a"]["command"] == ["echo", "$HOME"]
    assert '"$$HOME"' in to_json(project)


def test_supplied_files_are_found_by_any_spelling_of_their_path() -> None:
    text = "services: {a: {image: x, env_file: [./conf/../conf/a.env, conf/b.env]}}"
    project = load(text, name="p", files={"./conf/a.env": "A=1", "conf//b.env": b"B=2"})
    assert project.services()["a"]["environment"] == {"A": "1", "B": "2"}
    assert project.files == {"conf/a.env": b"A=1", "conf/b.env": b"B=2"}


def test_a_supplied_dot_env_counts_less_than_the_environment() -> None:
    project = load(
        "services: {a: {image: '$A-$B'}}", name="p", environment={"A": "env"}, files={".env": "A=file\nB=file"}
    )
    assert project.services()["a"]["image"] == "env-file"


@pytest.mark.parametrize("reference", ["https://example.com/compose.yaml", "git@github.com:a/b.git", "oci://a/b"])
def test_nothing_is_fetched_from_elsewhere(reference: str) -> None:
    for text in (f"include: ['{reference}']", f"services: {{a: {{extends: {{file: '{reference}', service: a}}}}}}"):
        with pytest.raises(ComposeError) as refused:
            load(text, name="p")
        assert refused.value.findings[0].code == "compose.file.remote"


def test_neither_the_disk_nor_the_environment_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    load(SHOP, name="warm")  # the packaged schema is read once

    def forbidden(*arguments: Any, **more: Any) -> NoReturn:
        raise AssertionError(f"the loader must not do this: {arguments}")

    monkeypatch.setattr(builtins, "open", forbidden)
    monkeypatch.setattr(os, "open", forbidden)
    monkeypatch.setattr(os, "stat", forbidden)
    monkeypatch.setattr(os, "getenv", forbidden)
    monkeypatch.setenv("A", "leaked")
    text = "services: {a: {image: 'x:$A', env_file: a.env, volumes: ['~/a:/a'], extends: {file: b, service: b}}}"
    project = load(text, name="p", files={"a.env": "B=$A", "b": "services: {b: {volumes: ['~/b:/b']}}"})
    assert "leaked" not in to_json(project)


def test_loading_twice_gives_the_same_and_shares_nothing() -> None:
    first, second = load(SHOP, name="shop"), load(SHOP, name="shop")
    before = copy.deepcopy(second.config)
    assert first.config == second.config

    def ruin(value: Any) -> None:
        for item in list(value.values()) if isinstance(value, dict) else list(value):
            if isinstance(item, (dict, list)):
                ruin(item)
        value.clear()

    ruin(first.config)
    assert second.config == before
    assert load(SHOP, name="shop").config == before


def test_what_the_caller_supplies_is_not_changed() -> None:
    environment = {"A": "1"}
    files: dict[str, str | bytes] = {"a.env": "B=2"}
    load("services: {a: {image: x, env_file: a.env}}", name="p", environment=environment, files=files)
    assert environment == {"A": "1"}
    assert files == {"a.env": "B=2"}


def test_the_normal_form_is_plain_data() -> None:
    config = load(SHOP, name="shop").config
    assert json.loads(json.dumps(config)) == config


def test_text_and_bytes_and_other_encodings_give_the_same() -> None:
    text = "services: {a: {image: 'ü☃'}}\n"
    expected = load(text, name="p").config
    assert load(text.encode(), name="p").config == expected
    assert load(b"\xef\xbb\xbf" + text.encode(), name="p").config == expected
    assert load(text.encode("utf-16"), name="p").config == expected
    assert load(text.replace("\n", "\r\n"), name="p").config == expected


def test_an_env_file_can_be_read_by_itself() -> None:
    assert parse_env_file('A=1\nB="two ${A}"\n') == {"A": "1", "B": "two 1"}
    with pytest.raises(ComposeError) as refused:
        parse_env_file("A B=1")
    assert [finding.code for finding in refused.value.findings] == ["compose.env_file.syntax"]
