"""Hostile files are refused quickly, in little memory, with a reason."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest

from engine.compose import DEFAULT_LIMITS, ComposeError, Limits, load

ROOT = Path(__file__).parents[3]


def short_bomb() -> str:
    """Give the classic: nine levels of nine aliases each, in 257 bytes."""
    lines = ["a: &a [" + ",".join("x" * 9) + "]"]
    lines += [f"{new}: &{new} [" + ",".join([f"*{old}"] * 9) + "]" for old, new in zip("abcdef", "bcdefg", strict=True)]
    return "\n".join(lines)[:257].rpartition(",")[0] + "]"


def refusal(text: str | bytes, *, limits: Limits = DEFAULT_LIMITS, **settings: object) -> str:
    with pytest.raises(ComposeError) as refused:
        load(text, name="project", limits=limits, **settings)  # type: ignore[arg-type]
    return refused.value.findings[0].code


# Processor time, so that a busy machine does not matter.
MEASURE = """
import json, resource, sys, time
from engine.compose import ComposeError, load
load("services: {web: {image: x}}", name="warm")  # the schema is compiled once
text = sys.stdin.buffer.read()
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
times, codes = [], []
for _ in range(5):
    start = time.process_time()
    try:
        load(text, name="project")
    except ComposeError as refused:
        codes = [finding.code for finding in refused.findings]
    times.append(time.process_time() - start)
print(json.dumps({
    "seconds": min(times),
    "megabytes": (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024,
    "codes": codes,
}))
"""


@pytest.mark.parametrize(
    ("text", "code"),
    [
        (short_bomb().encode(), "compose.limit.expansion"),
        (b"services: {web: {image: x}}\n#" + b" " * 10_000_000, "compose.limit.bytes"),
        (b"x-a: " + b"[" * 500_000, "compose.limit.depth"),
        (b"x-a: " + b"{a: " * 200_000, "compose.limit.depth"),
        (b"- " * 500_000, "compose.limit.depth"),
        (("x-a: " + "${A:-" * 20_000 + "}" * 20_000 + "\nservices: {}").encode(), "compose.limit.interpolation"),
    ],
    ids=["alias-bomb", "ten-megabytes", "brackets", "braces", "dashes", "nested-defaults"],
)
def test_a_bomb_is_refused_within_fifty_milliseconds_and_64_megabytes(text: bytes, code: str) -> None:
    ran = subprocess.run(
        [sys.executable, "-c", MEASURE], input=text, cwd=ROOT, capture_output=True, timeout=60, check=True
    )
    measured = json.loads(ran.stdout)
    assert measured["codes"] == [code]
    assert measured["megabytes"] < 64
    assert measured["seconds"] < 0.05


def test_the_alias_bomb_is_small() -> None:
    assert len(short_bomb()) <= 257


def test_a_whole_range_of_ports_passes_once_and_not_twice() -> None:
    assert len(load('services: {a: {image: x, ports: ["1-65535"]}}', name="p").services()["a"]["ports"]) == 65535
    twice = 'services: {a: {image: x, ports: ["1-65535"]}, b: {image: x, ports: ["1-65535"]}}'
    assert refusal(twice) == "compose.limit.ports"


def test_ports_are_counted_before_they_are_built() -> None:
    services = ", ".join(f's{n}: {{image: x, ports: ["1-65535"]}}' for n in range(2000))
    start = time.process_time()
    assert refusal(f"services: {{{services}}}") == "compose.limit.ports"
    assert time.process_time() - start < 10


def test_repeated_variables_are_counted_before_they_are_built() -> None:
    text = "x-a: " + "$BIG" * 20_000 + "\nservices: {}"
    assert refusal(text, environment={"BIG": "b" * 100_000}) == "compose.limit.interpolation"


def test_many_variables_on_one_line_take_linear_time() -> None:
    def seconds(count: int) -> float:
        text = 'x-a: "' + "${A:-b}" * count + '"\nservices: {}'
        best = 10.0
        for _ in range(3):
            start = time.process_time()
            load(text, name="project")
            best = min(best, time.process_time() - start)
        return best

    assert seconds(40_000) < 25 * max(seconds(4_000), 0.002)


def test_a_merge_bomb_is_refused() -> None:
    lines = ["x-0: &m0 {" + ", ".join(f"k{n}: v" for n in range(50)) + "}"]
    lines += [f"x-{n}: &m{n} {{<<: *m{n - 1}, a: *m{n - 1}, b: *m{n - 1}, c: *m{n - 1}}}" for n in range(1, 20)]
    assert refusal("\n".join([*lines, "services: {}"])) == "compose.limit.expansion"


def test_long_texts_that_aliases_or_extends_repeat_are_refused() -> None:
    aliases = f"x-a: &a {'z' * 190_000}\nservices: {{web: {{image: x, environment: {{"
    assert refusal(aliases + ", ".join(f"A{n}: *a" for n in range(3_000)) + "}}}") == "compose.limit.expansion"
    base = f"services:\n  base: {{image: x, labels: {{a: {'z' * 190_000}}}}}\n"
    more = "".join(f"  s{n}: {{extends: base}}\n" for n in range(3_000))
    assert refusal(base + more) == "compose.limit.expansion"


def test_an_include_bomb_is_refused() -> None:
    files = {f"{n}.yaml": f"include: [{n + 1}.yaml, ./x/../{n + 1}.yaml]" for n in range(30)}
    files["30.yaml"] = "services: {a: {image: x}}"
    assert refusal("include: [0.yaml]", files=files) == "compose.limit.sources"


def test_environment_files_are_counted_as_often_as_they_are_read() -> None:
    services = ", ".join(f"s{n}: {{image: x, env_file: a.env}}" for n in range(100))
    assert refusal(f"services: {{{services}}}", files={"a.env": "A=b\n" * 20_000}) == "compose.limit.interpolation"


def test_included_files_are_counted_together() -> None:
    files = {f"{n}.yaml": "x-a: [" + "1, " * 60_000 + "]\nservices: {}" for n in range(10)}
    assert refusal(f"include: {json.dumps(list(files))}", files=files) == "compose.limit.nodes"


def test_findings_are_bounded() -> None:
    services = "".join(f"  s{n}: {{image: x, networks: [m{n}]}}\n" for n in range(2_000))
    networks = "".join(f"  n{n}:\n" for n in range(2_000))
    start = time.process_time()
    with pytest.raises(ComposeError) as refused:
        load(f"services:\n{services}networks:\n{networks}", name="p")
    assert len(refused.value.findings) == 500
    assert time.process_time() - start < 5


def test_too_many_supplied_bytes_are_refused() -> None:
    limits = replace(DEFAULT_LIMITS, max_total_bytes=100)
    assert refusal("services: {}", limits=limits, files={"a": "x" * 60, "b": b"y" * 60}) == "compose.limit.files"


def test_the_limits_can_be_raised() -> None:
    services = "".join(f"  s{n}: {{image: x, ports: ['{n}:{n}'], labels: [a, b, c]}}\n" for n in range(1, 30_000))
    assert refusal("services:\n" + services) == "compose.limit.bytes"
    raised = Limits(max_bytes=10**8, max_nodes=10**8)
    assert len(load("services:\n" + services, name="p", limits=raised).services()) == 29_999
