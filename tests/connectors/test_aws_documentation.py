"""docs/connectors.md names what the AWS connector uses: tags, options, modules."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from connectors.aws import markers
from connectors.aws.cloud import Cloud

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "connectors.md").read_text().partition("\n## AWS\n")[2].partition("\n## The fake cloud\n")[0]


@pytest.mark.parametrize("mark", [*markers.PLAIN_MARKS, *markers.OTHER_MARKS])
def test_every_tag_is_in_the_table(mark: str) -> None:
    assert f"`{mark}`" in PAGE


def test_every_option_is_named() -> None:
    told = (Cloud.__doc__ or "").partition("all optional:")[2]
    options = [
        name for name in re.findall(r"``([a-z_]+)``", told) if "_" in name or name in ("region", "zone", "types")
    ]
    assert len(options) >= 15
    assert [name for name in options if f"`{name}`" not in PAGE] == []


def test_every_option_that_is_read_is_documented() -> None:
    sources = "".join(path.read_text() for path in (ROOT / "connectors" / "aws").glob("*.py"))
    read = set(re.findall(r"""option\(\s*"(\w+)\"""", sources)) | set(
        re.findall(r"""options\.get\("(\w+)\"""", sources)
    )
    assert sorted(name for name in read if f"`{name}`" not in PAGE) == []


def test_every_module_is_named() -> None:
    modules = {path.stem for path in (ROOT / "connectors" / "aws").glob("*.py")} - {"__init__"}
    assert sorted(name for name in modules if f"`{name}`" not in PAGE) == []
