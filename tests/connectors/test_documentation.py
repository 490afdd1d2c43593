"""docs/connectors.md names what the code uses: markers, options, verbs' modules, scripted faults."""

from __future__ import annotations

import re
from pathlib import Path
from typing import get_args

import pytest

from connectors.fake.faults import Mode
from connectors.vsphere import markers
from connectors.vsphere.cloud import Cloud

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "connectors.md").read_text()


@pytest.mark.parametrize("mark", [*markers.PLAIN_MARKS, *markers.WORK_MARKS])
def test_every_marker_is_in_the_table(mark: str) -> None:
    assert re.search(rf"`(?:escale)?\.{mark}`", PAGE)


def test_every_option_is_named() -> None:
    options = re.findall(r"``(\w+)``", (Cloud.__doc__ or "").partition("optional:")[2])
    assert len(options) >= 8
    assert [name for name in options if f"`{name}`" not in PAGE] == []


def test_every_module_is_named() -> None:
    modules = {path.stem for path in (ROOT / "connectors" / "vsphere").glob("*.py")} - {"__init__"}
    assert sorted(name for name in modules if f"`{name}`" not in PAGE) == []


@pytest.mark.parametrize("mode", get_args(Mode))
def test_every_misfortune_of_the_fake_cloud_is_named(mode: str) -> None:
    assert f"`{mode}`" in PAGE
