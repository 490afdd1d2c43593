"""What is on the cloud is written into the drawing where it can be said, and nothing else of the text changes."""

from __future__ import annotations

import difflib
from dataclasses import replace
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.compose import rewriting
from engine.compose.rewriting import CannotRewriteError, put, put_all
from engine.drift import Difference, differences, write_back
from engine.observed import ObservedResource, ObservedState
from engine.resources import to_json
from tests.engine.drawings import draw, load
from tests.engine.test_onboarding import DB, WEB, drawing

TEXT = """\
# head
name: shop
services: {}   # none
x-escale:
  machines:
    web:   # the web
      cpus: 2  # two
      networks:
        - a   # first
        - "b"

    # next
    db: {memory: 4GiB}
    none:
    tilde: ~
    variable: {cpus: "${CPUS:-2}"}
    shared: &shared {cpus: 1}
    other: *shared
"""
AT = ("x-escale", "machines")


def changed(old: str, new: str) -> list[str]:
    lines = difflib.unified_diff(old.splitlines(), new.splitlines(), lineterm="", n=0)
    return [line for line in lines if line[:1] in "+-" and not line.startswith(("---", "+++"))]


@pytest.mark.parametrize(
    ("path", "value", "lines"),
    [
        (("web", "cpus"), 4, ["-      cpus: 2  # two", "+      cpus: 4  # two"]),
        (("web", "memory"), "8GiB", ["+      memory: 8GiB"]),
        (("db", "memory"), "5GiB", ["-    db: {memory: 4GiB}", "+    db: {memory: 5GiB}"]),
        (("db", "cpus"), 3, ["-    db: {memory: 4GiB}", "+    db: {cpus: 3, memory: 4GiB}"]),
        (("none", "cpus"), 3, ["-    none:", "+    none: {cpus: 3}"]),
        (("tilde", "cpus"), 3, ["-    tilde: ~", "+    tilde: {cpus: 3}"]),
        (
            ("web", "networks"),
            ["a", "no", "x $y"],
            ['-        - "b"', '+        - "no"', '+        - "x $$y"'],
        ),
        (("web", "networks"), ["z", "b"], ["-        - a   # first", "+        - z   # first"]),
        (("web", "networks"), ["a"], ['-        - "b"']),
        (("web", "networks", 1), "c", ['-        - "b"', "+        - c"]),
    ],
)
def test_only_the_text_of_the_value_changes(path: tuple[Any, ...], value: Any, lines: list[str]) -> None:
    assert changed(TEXT, put(TEXT, (*AT, *path), value)) == lines


def test_lines_end_as_the_others_do() -> None:
    windows = TEXT.replace("\n", "\r\n")
    for path, value in ((("web", "memory"), "8GiB"), (("web", "networks"), ["a", "b", "c"])):
        assert put(windows, (*AT, *path), value) == put(TEXT, (*AT, *path), value).replace("\n", "\r\n")


@pytest.mark.parametrize(
    ("path", "why"),
    [
        (("gone", "cpus"), "the drawing has no x-escale.machines.gone"),
        (("variable", "cpus"), "comes from a variable"),
        (("shared", "cpus"), "anchor"),
        (("other", "cpus"), "anchor"),
        (("web", "networks", 7), "the drawing has no"),
    ],
)
def test_what_would_change_more_is_refused_with_the_reason(path: tuple[Any, ...], why: str) -> None:
    with pytest.raises(CannotRewriteError, match=why):
        put(TEXT, (*AT, *path), 4)


def test_many_values_are_put_as_one_after_the_other_would_be() -> None:
    edits: list[tuple[Any, Any]] = [
        ((*AT, "web", "cpus"), 4),
        ((*AT, "shared", "cpus"), 3),
        ((*AT, "none", "cpus"), 3),
        ((*AT, "none", "memory"), "5GiB"),
        ((*AT, "db", "cpus"), 3),
        ((*AT, "db", "description"), "x"),
        ((*AT, "variable", "cpus"), 3),
        ((*AT, "web", "networks"), ["c"]),
        ((*AT, "web", "description"), "y"),
    ]
    text, refused = put_all(TEXT, edits)
    assert sorted(refused) == [1, 6]
    alone = TEXT
    for number, (path, value) in enumerate(edits):
        alone = alone if number in refused else put(alone, path, value)
    read, expected = yaml.safe_load(text), yaml.safe_load(alone)
    assert read == expected
    assert text.count("#") == TEXT.count("#")


def test_an_estate_that_drifted_everywhere_is_read_a_few_times(monkeypatch: pytest.MonkeyPatch) -> None:
    machines = [replace(WEB, id=f"{WEB.id[:-3]}{number:03}", name=f"vm-{number}") for number in range(40)]
    text = drawing(*machines)
    wanted = tuple(
        Difference(f"machine:vm-{number}", f"vm-{number}", "cpus", "2", "4", (*AT, f"vm-{number}", "cpus"), 4)
        for number in range(40)
    )
    read: list[str] = []
    load = rewriting._load
    monkeypatch.setattr(rewriting, "_load", lambda text: read.append(text) or load(text))  # type: ignore[func-returns-value]
    written = write_back(text, wanted, text + "# since")
    assert len(written.made) == 40
    assert written.text == text.replace("cpus: 2", "cpus: 4")
    assert len(read) <= 4


@pytest.mark.parametrize("text", ["", "- a", "a: [", "a: 1\n---\nb: 2\n", "a: !reset null", "x" * 2_000_001])
def test_a_text_that_is_no_drawing_is_refused(text: str) -> None:
    with pytest.raises(CannotRewriteError):
        put(text, ("a",), 1)


@settings(deadline=None)
@given(st.text(alphabet=st.characters(codec="utf-8", exclude_categories=("Cs", "Cc")), max_size=60))
def test_whatever_is_written_is_read_back_as_it_is(value: str) -> None:
    text = put(TEXT, (*AT, "web", "networks"), [value])
    read = yaml.safe_load(text)["x-escale"]["machines"]["web"]["networks"]
    assert read == [value.replace("$", "$$")]


def seen(*found: Any) -> ObservedState:
    return ObservedState({one.resource: one.observed(adopted=True) for one in found})


def applied(text: str) -> dict[str, dict[str, Any]]:
    return {key: {**to_json(one), "state": "running"} for key, one in draw(text).resources.items()}


def test_drift_of_adopted_machines_is_written_into_their_drawing() -> None:
    text = drawing(WEB, DB)
    web = replace(
        WEB,
        resource="machine:web-01",
        name='web "renamed"',
        cpus=6,
        memory_mib=5000,
        networks=("frontend",),
        disks=(replace(WEB.disks[0], size_mib=50 * 1024), WEB.disks[1]),
        power="off",
    )
    found = differences(load(text), applied(text), seen(web))
    assert [(one.resource, one.what) for one in found] == [
        ("machine:db", "missing"),
        ("machine:web-01", "cpus"),
        ("machine:web-01", "memory"),
        ("machine:web-01", "power"),
        ("machine:web-01", "name"),
        ("machine:web-01", "networks"),
        ("machine:web-01", "disk"),
    ]
    written = write_back(text, found)
    assert [one.what for one, _ in written.left] == ["missing", "power"]
    assert sorted(changed(text, written.text)) == [
        "+          size: 50GiB",
        '+        name: "web \\"renamed\\""',
        "+      cpus: 6",
        "+      memory: 5000MiB",
        "-          size: 40GiB",
        '-        - "backend"',
        '-        name: "web 01"',
        "-      cpus: 2",
        "-      memory: 4GiB",
    ]
    assert len(written.made) == 5
    again = differences(load(written.text), applied(written.text), seen(replace(web, power="on")))
    assert [one.what for one in again] == ["missing"]


def test_what_a_drawing_cannot_say_is_left_with_the_reason() -> None:
    text = """
    services:
      web: {image: nginx, volumes: ["data:/d"]}
      job: {image: job, x-escale: {machine: workers}}
      api: {image: api, x-escale: {machine: front}}
    volumes: {data: {}}
    x-escale: {machines: {workers: {count: 2}, front: {}}}
    """
    prior = applied(text)
    found = {
        key: ObservedResource(key, spec["kind"], "id", "", {**spec, "cpus": 7, "size_gib": 99, "power": "on"})
        for key, spec in prior.items()
    }
    told = differences(load(text), prior, ObservedState(found))
    reasons = {(one.resource, one.what): one.why_not for one in told}
    assert "pool" in reasons["machine:workers-1", "cpus"]
    assert "its services" in reasons["machine:host-1", "cpus"]
    assert "default" in reasons["volume:data", "size"]
    assert reasons["machine:front", "cpus"] == ""
    assert [one.resource for one in write_back(text, told).made] == ["machine:front"]


def test_a_drawn_volume_takes_its_larger_size() -> None:
    text = """
    services: {web: {image: nginx, volumes: ["data:/d"]}}
    volumes:
      data:
        x-escale:
          size: 20GiB  # enough
    """
    prior = applied(text)
    found = {
        key: ObservedResource(key, spec["kind"], "id", "", {**spec, "size_gib": 40.0, "power": "on"})
        for key, spec in prior.items()
    }
    told = differences(load(text), prior, ObservedState(found))
    assert [(one.what, one.drawn, one.found) for one in told if one.resource == "volume:data"] == [
        ("size", "20 GiB", "40 GiB")
    ]
    assert "size: 40GiB  # enough" in write_back(text, told).text
