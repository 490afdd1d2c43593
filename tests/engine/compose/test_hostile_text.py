"""Whatever the text, loading ends with a project or with located findings: never with anything else."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from engine.compose import DEFAULT_LIMITS, ComposeError, load, to_json
from tests.engine.compose.test_agreement_with_the_reference import CASES, CORPUS

TIGHT = replace(DEFAULT_LIMITS, max_nodes=20_000, max_alias_nodes=2_000, max_ports=500, max_interpolated_bytes=20_000)
RELAXED = settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
SOURCES = sorted(
    (path if path.is_file() else path / "compose.yaml").read_text(errors="replace") for path in CASES.iterdir()
) + [path.read_text() for path in CORPUS.glob("*/compose.y*ml")]
FRAGMENTS = st.sampled_from(
    [
        *("services:", "image:", "ports:", "volumes:", "networks:", "environment:", "depends_on:", "extends:"),
        *("include:", "deploy:", "build:", "x-a:", "name:", "{", "}", "[", "]", ":", ",", "-", "?", "|", ">", "'", '"'),
        *("&", "*", "&a", "*a", "!reset", "!override", "!!int", "<<", "#", "%", "@", "`", "$", "${", "}", "$$"),
        *("${A:-b}", "~", "null", "true", "1", "-1", "1.5", "1e400", "2001-01-01", "0o7", "a", "b", "web", "80:80"),
        *("./a:/b", "\n", "\n  ", "\n    ", " ", "\t", "\r", "\x00", "\x85", "\u2028", "\ufeff", "é"),
    ]
)


def loads_or_refuses(text: str | bytes, **more: Any) -> None:
    project, findings = None, ()
    try:
        project = load(text, name="project", limits=TIGHT, **more)
    except ComposeError as refused:
        findings = refused.findings
    if project is None:
        assert any(finding.severity == "error" for finding in findings)
    else:
        json.loads(to_json(project))
        json.dumps(project.config)
        findings = project.findings
        assert all(finding.severity != "error" for finding in findings)
    for finding in findings:
        assert finding.code.startswith("compose.")
        assert 0 < len(finding.message) < 2_000
        assert finding.line is None or finding.line >= 1
        json.dumps(finding.to_json())


@RELAXED
@given(st.text())
def test_any_text(text: str) -> None:
    loads_or_refuses(text)


@RELAXED
@given(st.binary())
@example(b"\xff\xfes\x00")
@example(b"\xef\xbb\xbfservices: {}")
@example("services: {}".encode("utf-16"))
@example(b"services: {}\x00")
@example(b"\x7fELF\x02\x01\x01")
def test_any_bytes(data: bytes) -> None:
    loads_or_refuses(data)


@RELAXED
@given(st.lists(FRAGMENTS, max_size=40))
def test_fragments_of_compose_in_any_order(fragments: list[str]) -> None:
    loads_or_refuses("".join(fragments))
    loads_or_refuses(" ".join(fragments))


@RELAXED
@given(st.sampled_from(SOURCES), st.data())
def test_good_files_with_a_piece_replaced(source: str, data: st.DataObject) -> None:
    start = data.draw(st.integers(0, len(source)))
    end = data.draw(st.integers(start, min(len(source), start + 20)))
    piece = data.draw(st.one_of(FRAGMENTS, st.text(max_size=5)))
    loads_or_refuses(source[:start] + piece + source[end:])


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8) | st.sampled_from(["a", "80", "$A"]),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)
KEYS = st.sampled_from(
    [
        *("image", "build", "ports", "volumes", "networks", "environment", "depends_on", "extends", "deploy"),
        *("healthcheck", "labels", "command", "secrets", "configs", "ulimits", "logging", "dns", "tmpfs", "env_file"),
        *("label_file", "gpus", "devices", "develop", "blkio_config", "models", "provider", "extra_hosts"),
        *("post_start", "scale", "cpus", "mem_limit"),
    ]
)


@RELAXED
@given(
    st.dictionaries(
        st.sampled_from(["services", "networks", "volumes", "secrets", "configs", "include", "models", "name", "x-a"]),
        st.one_of(
            json_values,
            st.dictionaries(st.sampled_from("ab"), st.one_of(json_values, st.dictionaries(KEYS, json_values))),
        ),
    )
)
def test_any_values_in_the_places_of_compose(model: dict[str, Any]) -> None:
    loads_or_refuses(json.dumps(model, allow_nan=True).replace("Infinity", ".inf").replace("NaN", ".nan"))


@RELAXED
@given(st.text(), st.text())
def test_any_supplied_files(env: str, base: str) -> None:
    text = (
        "services: {a: {image: x, env_file: e, label_file: e}, b: {extends: {file: b.yaml, service: b}}}\n"
        "include: [{path: b.yaml, env_file: e}]\n"
    )
    loads_or_refuses(text, files={"e": env, "b.yaml": base})


@RELAXED
@given(st.text(alphabet="$A{}:-+?b\n \\", max_size=60))
def test_any_template(template: str) -> None:
    loads_or_refuses(json.dumps({"x-a": template, "services": {}}), environment={"A": "$A", "b": ""})


@pytest.mark.parametrize(
    ("text", "code"),
    [
        (b"services: {web: {image: '\xff'}}", "compose.yaml.encoding"),
        (b"services: {web: {image: x}}\x00", "compose.yaml.character"),
        (b"\x89PNG\r\n\x1a\n", "compose.yaml.encoding"),
        ("services:\n\tweb: {image: x}\n", "compose.yaml.syntax"),
        ("services: {}\n\ufeffx-a: 1", "compose.yaml.character"),
        ("- a", "compose.yaml.root"),
        ("text", "compose.yaml.root"),
        ("", "compose.empty"),
        ("x-a: &a [*a]", "compose.yaml.recursion"),
        ("services: {a: {image: x, scale: " + "9" * 500 + "}}", "compose.value.cast"),
        ("services: {a: {image: x}}\n---\n- a\n", "compose.yaml.root"),
        ('services: {a: {image: x, labels: {a: "\\0"}}}', "compose.text.nul"),
        ("services: {a: {image: x, labels: {a: !!binary AAAA}}}", "compose.text.nul"),
    ],
)
def test_a_clear_reason_is_given(text: str | bytes, code: str) -> None:
    with pytest.raises(ComposeError) as refused:
        load(text, name="project")
    assert [finding.code for finding in refused.value.findings] == [code]
