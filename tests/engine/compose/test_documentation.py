"""The document on Compose files names every code, limit and difference that there is, and no other."""

from __future__ import annotations

import re
from dataclasses import fields
from pathlib import Path

from engine.compose import Limits
from tests.engine.compose.test_deliberate_differences import DIFFERENCES

ROOT = Path(__file__).parents[3]
DOCUMENT = (ROOT / "docs" / "compose.md").read_text()
SOURCE = "\n".join(path.read_text() for path in sorted((ROOT / "engine" / "compose").glob("*.py")))


def codes_of_the_source() -> set[str]:
    codes = set(re.findall(r'"(compose\.[a-z_]+(?:\.[a-z_]+)?)"', SOURCE))
    codes |= {f"compose.schema.{name}" for name in re.findall(r'_refusal\(\s*"([a-z_]+)"', SOURCE)}
    kinds = re.findall(r'_undefined\([^"]*"([a-z]+)"', SOURCE)
    assert kinds
    return codes | {f"compose.reference.{kind}" for kind in kinds}


def codes_of_the_document() -> set[str]:
    codes: set[str] = set()
    table = DOCUMENT.partition("## Findings")[2].partition("## Speed")[0]
    for row in re.findall(r"^\| (`.*?) \|", table, re.MULTILINE):
        family = ""
        for code in re.findall(r"`([a-z_.]+)`", row):
            if code.startswith("compose."):
                family = code.rpartition(".")[0] if code.count(".") > 1 else code
                codes.add(code)
            elif code.startswith("."):
                codes.add(family + code)
    return codes


def test_every_code_is_documented() -> None:
    assert codes_of_the_source() - codes_of_the_document() == set()


def test_every_documented_code_exists() -> None:
    assert codes_of_the_document() - codes_of_the_source() == set()


def test_every_limit_is_documented_with_its_default() -> None:
    for limit in fields(Limits):
        (written,) = re.findall(rf"^\| `{limit.name}` \| ([0-9,]+)( MiB)? \|", DOCUMENT, re.MULTILINE)
        value = int(written[0].replace(",", "")) * (1024 * 1024 if written[1] else 1)
        assert value == limit.default


def test_every_deliberate_difference_is_documented() -> None:
    for row in DIFFERENCES:
        assert row.name in DOCUMENT
