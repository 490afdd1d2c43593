"""Findings say what is wrong, why, what to do, and where: code, path, line and column."""

from __future__ import annotations

from textwrap import dedent
from typing import Any

import pytest

from engine.compose import ComposeError, Finding, load


def errors(text: str, **settings: Any) -> list[Finding]:
    with pytest.raises(ComposeError) as refused:
        load(dedent(text), name="project", **settings)
    return [finding for finding in refused.value.findings if finding.severity == "error"]


def places(text: str, **settings: Any) -> list[tuple[str, int | None, int | None]]:
    return [(finding.code, finding.line, finding.column) for finding in errors(text, **settings)]


def test_all_mistakes_of_a_file_are_found_at_once() -> None:
    found = places(
        """\
        version: "3"
        services:
          web:
            imgae: nginx
            restart: 1
            depends_on:
              - db
              - cache
            networks: [front]
          cache:
            image: redis
            ports:
              - 80:http
            healthcheck:
              interval: soon
          empty: {}
        volums: {}
        """
    )
    assert found == [
        ("compose.schema.unknown_key", 4, 5),
        ("compose.schema.type", 5, 14),
        ("compose.reference.service", 7, 9),
        ("compose.reference.network", 9, 16),
        ("compose.value.port", 13, 9),
        ("compose.value.duration", 15, 17),
        ("compose.service.image", 16, 3),
        ("compose.schema.unknown_key", 17, 1),
    ]


@pytest.mark.parametrize(
    ("text", "code", "line", "column", "path"),
    [
        ("services:\n  web:\n    image: a: b\n", "compose.yaml.syntax", 3, 13, ()),
        ("services:\n  web:\n    image: 'x\n", "compose.yaml.syntax", 3, 12, ()),
        ("services:\n\tweb: {}\n", "compose.yaml.syntax", 2, 1, ()),
        (
            "services:\n  web:\n    image: x\n    image: y\n",
            "compose.yaml.duplicate_key",
            4,
            5,
            ("services", "web", "image"),
        ),
        ("services:\n  web:\n    image: x\n  1: {image: y}\n", "compose.yaml.key", 4, 3, ("services",)),
        ("services: {web: {image: 5}}", "compose.schema.type", 1, 25, ("services", "web", "image")),
        (
            "services:\n  web:\n    image: x\n    ports:\n      80: 80\n",
            "compose.yaml.key",
            5,
            7,
            ("services", "web", "ports"),
        ),
        (
            "services:\n  web:\n    image: x\n    ports: {a: b}\n",
            "compose.schema.type",
            4,
            12,
            ("services", "web", "ports"),
        ),
        (
            "services:\n  web:\n    image: x\n    volumes:\n      - data:/data\n",
            "compose.reference.volume",
            5,
            9,
            ("services", "web", "volumes", 0),
        ),
        (
            "services:\n  web:\n    image: x:${TAG:?which one}\n",
            "compose.interpolation.required",
            3,
            12,
            ("services", "web", "image"),
        ),
        (
            "services:\n  web:\n    image: x:${TAG\n",
            "compose.interpolation.syntax",
            3,
            12,
            ("services", "web", "image"),
        ),
        ("services:\n  web:\n    extends: nope\n", "compose.extends.service", 3, 14, ("services", "web", "extends")),
        ("services:\n  web:\n    command: ls\n", "compose.service.image", 2, 3, ("services", "web")),
        ("name: a\nnetworks:\n  n:\n    subnet: x\nservices: {}\n", "compose.schema.unknown_key", 4, 5, None),
        ("services:\n  my web:\n    image: x\n", "compose.schema.name", 2, 3, ("services", "my web")),
    ],
)
def test_a_mistake_is_located(text: str, code: str, line: int, column: int, path: tuple[str | int, ...] | None) -> None:
    (finding,) = errors(text)
    assert (finding.code, finding.line, finding.column) == (code, line, column)
    if path is not None:
        assert finding.path == path


def test_a_cycle_is_named() -> None:
    (finding,) = errors(
        """\
        services:
          a: {image: x, depends_on: [b]}
          b: {image: x, depends_on: [c]}
          c:
            image: x
            depends_on:
              - a
        """
    )
    assert finding.code == "compose.cycle"
    assert "a -> b -> c -> a" in finding.message
    assert (finding.line, finding.column) == (7, 9)


def test_a_long_cycle_is_found_without_recursion() -> None:
    services = "".join(f"  s{n}: {{image: x, depends_on: [s{(n + 1) % 3000}]}}\n" for n in range(3000))
    (finding,) = errors("services:\n" + services)
    assert finding.code == "compose.cycle"
    assert len(finding.message) < 500


def test_a_wide_diamond_is_walked_once() -> None:
    layers = "".join(
        f"  l{layer}-{n}: {{image: x, depends_on: [{', '.join(f'l{layer - 1}-{m}' for m in range(5))}]}}\n"
        for layer in range(1, 100)
        for n in range(5)
    )
    first = "".join(f"  l0-{n}: {{image: x}}\n" for n in range(5))
    assert len(load("services:\n" + first + layers, name="p").services()) == 500


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("services: {web: {imgae: x}}", "image"),
        ("services: {web: {image: x, enviroment: {}}}", "environment"),
        ("servces: {}", "services"),
        ("services: {web: {image: x, volumes: [dta:/data]}}\nvolumes: {data: }", "data"),
        ("services: {web: {image: x, networks: [fronte]}}\nnetworks: {front: }", "front"),
    ],
)
def test_a_similar_name_is_suggested(text: str, hint: str) -> None:
    (finding,) = errors(text)
    assert finding.hint == f"Did you mean `{hint}`?"


def test_a_key_of_the_top_level_in_a_service_is_recognised() -> None:
    (finding,) = errors("services: {web: {image: x, services: {}}}")
    assert "belongs to the top level" in finding.message


def test_every_duplicate_key_is_reported() -> None:
    assert [code for code, _, _ in places("a: 1\na: 2\nb: {c: 1, c: 2}\n")] == ["compose.yaml.duplicate_key"] * 2


def test_a_consequence_of_a_mistake_is_not_reported_as_another() -> None:
    found = errors(
        """\
        services:
          web: {image: 5, volumes: [data:/data], secrets: [token], networks: [front]}
        volumes: {data: wrong}
        secrets: {token: {}}
        networks: {front: {drver: x}}
        """
    )
    assert [finding.path[:2] for finding in found] == [
        ("services", "web"),
        ("volumes", "data"),
        ("secrets", "token"),
        ("networks", "front"),
    ]


def test_mistakes_in_supplied_files_name_the_file() -> None:
    files = {"base.yaml": "services:\n  base: {image: 'x}\n", "more.yaml": "services:\n  more: {imgae: x}\n"}
    (syntax,) = errors("services: {a: {extends: {file: base.yaml, service: base}}}", files=files)
    assert syntax.message.startswith("In base.yaml: ")
    assert (syntax.line, syntax.column) == (2, 17)
    unknown = errors("include: [more.yaml]\nservices: {a: {image: x}}", files=files)[0]
    assert unknown.message.startswith("In more.yaml: ")
    assert (unknown.line, unknown.column) == (2, 10)


def test_unset_variables_are_warned_of_once_each() -> None:
    project = load("services:\n  a: {image: 'x:$TAG'}\n  b: {image: 'y:$TAG-$OTHER'}\n", name="p")
    assert [(found.code, found.severity, found.line) for found in project.findings] == [
        ("compose.interpolation.unset", "warning", 2),
        ("compose.interpolation.unset", "warning", 3),
    ]
    assert project.services()["b"]["image"] == "y:-"


def test_an_obsolete_version_is_warned_of() -> None:
    (finding,) = load("version: '3'\nservices: {a: {image: x}}", name="p").findings
    assert (finding.code, finding.severity, finding.line, finding.column) == (
        "compose.version.obsolete",
        "warning",
        1,
        1,
    )


def test_what_has_no_effect_is_warned_of() -> None:
    text = """\
        services:
          web:
            image: x
            command: serve | tee log
            entrypoint: sh -c "a; b"
            mem_limit: 1.5
            networks: [n]
            env_file: web.env
        networks:
          n: {ipam: {options: {a: b}}}
        """
    project = load(dedent(text), name="p", files={"web.env": "A=$NOWHERE"})
    assert [(found.code, found.severity, found.line) for found in project.findings] == [
        ("compose.value.command_cut", "warning", 4),
        ("compose.value.ignored", "warning", 6),
        ("compose.interpolation.unset", "warning", 8),
        ("compose.value.ignored", "warning", 10),
    ]
    assert "`| tee log`" in project.findings[0].message


def test_findings_are_plain_data() -> None:
    (finding,) = errors("services: {web: {imgae: x}}")
    assert finding.to_json() == {
        "code": "compose.schema.unknown_key",
        "severity": "error",
        "message": finding.message,
        "path": ["services", "web", "imgae"],
        "line": 1,
        "column": 18,
        "hint": "Did you mean `image`?",
    }


def test_a_message_has_what_why_and_what_now() -> None:
    for finding in errors("services: {web: {imgae: x, depends_on: [db], restart: 1}}\nother: 1"):
        assert finding.message.count(" - ") >= 2, finding.message
