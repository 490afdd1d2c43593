"""Compose text is coloured without being changed, and differences are told line by line."""

from __future__ import annotations

import html
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.blueprints.forms import environment_text, read_environment
from apps.blueprints.source import coloured, difference
from apps.tenancy.faults import Fault


def plain(line: str) -> str:
    return html.unescape(re.sub(r"</?span[^>]*>", "", line))


@given(st.text(alphabet=st.sampled_from(" abc:-#'\"&*|>{}[]<>$\\\n\t1.5é"), max_size=200))
def test_colouring_changes_no_character(text: str) -> None:
    shown = [plain(line) for line in coloured(text)]
    assert shown == text.removesuffix("\n").split("\n")


def test_it_tells_keys_strings_numbers_and_comments_apart() -> None:
    line = coloured('  - name: "web" # the page')[0]
    assert '<span class="tok-key">name</span>' in line
    assert '<span class="tok-string">&quot;web&quot;</span>' in line
    assert '<span class="tok-comment"># the page</span>' in line
    assert '<span class="tok-number">5432</span>' in coloured("port: 5432")[0]
    assert '<span class="tok-anchor">${TAG}</span>' in coloured("image: nginx:${TAG}")[0]


def test_a_block_of_text_is_a_string_until_it_ends() -> None:
    lines = coloured("command: |\n  echo: not a key\n\n  more\nimage: x")
    assert lines[1] == '<span class="tok-string">  echo: not a key</span>'
    assert lines[3].startswith('<span class="tok-string">')
    assert '<span class="tok-key">image</span>' in lines[4]


def test_a_difference_keeps_the_numbers_of_both_sides() -> None:
    old = "\n".join(f"line {number}" for number in range(1, 31))
    new = old.replace("line 15\n", "line fifteen\nand more\n")
    lines = difference(old, new)
    assert [(line.kind, line.text) for line in lines if line.kind != "same"] == [
        ("gap", "11"), ("removed", "line 15"), ("added", "line fifteen"), ("added", "and more"), ("gap", "12"),
    ]  # fmt: skip
    assert next(line.old for line in lines if line.kind == "removed") == 15
    assert [line.new for line in lines if line.kind == "added"] == [15, 16]
    assert difference(old, old) == []


@given(st.text(max_size=80), st.text(max_size=80))
def test_a_difference_rebuilds_both_texts(old: str, new: str) -> None:
    if old == new:
        return
    lines = difference(old, new, context=1_000)
    assert "\n".join(line.text for line in lines if line.old is not None) == old
    assert "\n".join(line.text for line in lines if line.new is not None) == new


NAMES = st.text(alphabet="ABCDEF_1", min_size=1, max_size=8)


@given(st.dictionaries(NAMES, st.text(max_size=40), max_size=5))
def test_values_come_back_from_the_form_as_they_were(values: dict[str, str]) -> None:
    assert read_environment(environment_text(values)) == values


def test_a_line_that_is_no_value_is_named() -> None:
    with pytest.raises(Fault) as caught:
        read_environment("# about\nTAG=1\n\nnonsense\n")
    assert caught.value.code == "blueprint.environment_line"
    assert "Line 4" in caught.value.detail
