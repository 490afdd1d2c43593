"""Several files become one that means what they mean together."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from engine import compose
from engine.compose.joining import join, write

CORPUS = Path(__file__).resolve().parents[2] / "corpus" / "awesome-compose"
FILES = sorted([*CORPUS.glob("*/compose.yaml"), *CORPUS.glob("*/compose.yml")])

BASE = """\
# the base
services:
  web:
    image: nginx:${TAG:-1.27}
    ports: ["80:80"]
    environment: {A: "1", B: "on"}
    command: |
      one
      two
volumes:
  data:
"""


def joined(*texts: str, **options: Any) -> tuple[str, list[str]]:
    text, findings = join([(f"{number}.yaml", text) for number, text in enumerate(texts)], name="x", **options)
    return text, [finding.code for finding in findings]


def model(text: str, **options: Any) -> Any:
    return compose.load(text, name="x", **options).model


def outcome(text: str) -> Any:
    """Return the model of a text, or the codes of what is wrong with it."""
    try:
        return model(text)
    except compose.ComposeError as error:
        return {finding.code for finding in error.findings}


def refused(*texts: str) -> list[tuple[str, str, int | None]]:
    with pytest.raises(compose.ComposeError) as caught:
        joined(*texts)
    return [(finding.code, finding.message[:10], finding.line) for finding in caught.value.findings]


def test_a_later_file_comes_over_an_earlier_one() -> None:
    over = "services:\n  web:\n    ports: ['443:443']\n    environment: [A=2]\n    x-escale: {machine: front}\n"
    text, codes = joined(BASE, over + "  db:\n    image: postgres\n    volumes: ['data:/x']\n")
    assert codes == []
    assert (
        text
        == """\
services:
  web:
    image: nginx:${TAG:-1.27}
    ports:
      - 80:80
      - 443:443
    environment:
      - A=2
      - B=on
    command: |
      one
      two
    x-escale:
      machine: front
  db:
    image: postgres
    volumes:
      - data:/x
volumes:
  data:
"""
    )


def test_variables_stay_variables() -> None:
    text, _ = joined(BASE, "services: {db: {image: 'postgres:${PG:?choose}'}}", environment={"PG": "17"})
    assert "${TAG:-1.27}" in text
    assert "postgres:${PG:?choose}" in text


def test_resets_are_done_and_not_repeated() -> None:
    text, codes = joined(BASE, "services: {web: {ports: !reset [], environment: !override {Z: z}}}")
    assert codes == []
    assert model(text)["services"]["web"]["environment"] == {"Z": "z"}
    assert "ports" not in text


def test_where_variables_cannot_stay_it_says_so_and_still_means_the_same() -> None:
    over = "services: {web: {extends: base, tty: true}, base: {image: 'y:${TAG:-1}', environment: {Q: '$$x'}}}"
    text, codes = joined(BASE, over)
    assert codes == ["compose.join.resolved"]
    assert "x_data" not in text  # a name that would tie every project to the same volume
    loaded = model(text)
    assert loaded == model(BASE + "---\n" + over)
    assert "Q=$$x" in text


@pytest.mark.parametrize(
    "text", ["0o17", "0777", "1e3", "1_000", "~", "null", "yes", "2001-01-01", "", " x ", "a: b", "#", "${A}", "é 🐳",
             "a\nb", "a\n\n", "\ta\n b", "- a", "!x", "=", "<<", ".5", "12:30:45", "true", "x" * 300]
)  # fmt: skip
def test_text_stays_the_same_text(text: str) -> None:
    from engine.compose.model import DEFAULT_LIMITS
    from engine.compose.positions import SourceLocator
    from engine.compose.report import Report
    from engine.compose.source import Spent, read_documents

    for data in ({"x-k": text}, {"x-k": {text: [text, {"a": text}]}}):
        written = write(data)
        (document,) = read_documents(written, DEFAULT_LIMITS, Report(), SourceLocator(written, ""), Spent())
        assert document.root == data


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.parent.name)
def test_one_file_of_the_wild_stays_what_it_is(path: Path) -> None:
    files = {str(file.relative_to(path.parent)): file.read_bytes() for file in path.parent.rglob("*") if file.is_file()}
    text, codes = joined(path.read_text(), files=files)
    assert codes == []
    assert model(text, files=files) == model(path.read_text(), files=files)


@pytest.mark.parametrize(("one", "other"), list(pairwise(FILES)), ids=lambda path: path.parent.name)
def test_any_two_files_of_the_wild_join_as_the_reference_joins_them(one: Path, other: Path) -> None:
    together = f"---\n{one.read_text()}\n---\n{other.read_text()}\n"
    text, _ = joined(one.read_text(), other.read_text())
    assert outcome(text) == outcome(together)


@pytest.mark.parametrize(
    "first", ["", "# only a remark\n", "\ufeff", "---\n", "%YAML 1.2\n---\n", "services: {}\n---\n"]
)
def test_files_may_begin_in_every_way(first: str) -> None:
    text, codes = joined(BASE, first + "services: {db: {image: postgres}}\n")
    assert codes == []
    assert set(model(text)["services"]) == {"web", "db"}


def test_mistakes_name_the_file_and_the_line() -> None:
    assert refused(BASE, "services:\n  web: [\n") == [("compose.yaml.syntax", "In 1.yaml:", 3)]
    assert refused(BASE, "services:\n  web: [a]\n") == [("compose.merge.conflict", "In 1.yaml:", 2)]
    assert refused(BASE, "- a\n") == [("compose.yaml.root", "In 1.yaml:", 1)]


def test_what_would_be_too_large_is_refused_before_it_is_read() -> None:
    half = "#" * 600_000 + "\n" + BASE
    assert refused(half, half) == [("compose.limit.bytes", "These file", None)]


def test_aliases_that_explode_are_refused() -> None:
    bomb = "x-a: &a [x,x,x,x,x,x,x,x,x,x]\n"
    for one, other in pairwise("abcdefgh"):
        bomb += f"x-{other}: &{other} [" + ",".join([f"*{one}"] * 10) + "]\n"
    assert refused(BASE, bomb)


def test_texts_that_aliases_repeat_are_counted_before_they_are_written_out() -> None:
    repeated = "x-long: &long " + "z" * 500_000 + "\nx-many: [*long, *long, *long]\n" + BASE
    assert refused(repeated) == [("compose.limit.bytes", "These file", None)]
