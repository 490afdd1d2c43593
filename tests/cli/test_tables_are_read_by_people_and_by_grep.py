"""Tables break no name or id: piped they are as wide as needed, on a terminal the least columns give way."""

from __future__ import annotations

import io
from typing import Any

import pytest
from rich.console import Console

from cli import inventory, render

HEADS = ["CLOUD", "NAME", "POWER", "ADDRESSES"]
ROWS = [["paris", f"fin-app-0{n}-of-the-finance-department", "on", "10.0.0.1 10.0.0.2 fe80::1"] for n in range(3)]


def shown(monkeypatch: pytest.MonkeyPatch, *, width: int, terminal: bool) -> str:
    paper = io.StringIO()
    console = Console(file=paper, width=width, force_terminal=terminal, color_system=None, soft_wrap=not terminal)
    monkeypatch.setattr(render, "out", console)
    render.table(HEADS, ROWS, "")
    return paper.getvalue()


def test_a_pipe_gets_each_row_whole_on_a_line(monkeypatch: pytest.MonkeyPatch) -> None:
    lines = shown(monkeypatch, width=30, terminal=False).splitlines()
    assert [line.split() for line in lines[1:]] == [" ".join(row).split() for row in ROWS]


@pytest.mark.parametrize("width", [80, 60, 50, 20])
def test_a_terminal_keeps_names_whole_and_says_what_it_leaves_out(monkeypatch: pytest.MonkeyPatch, width: int) -> None:
    text = shown(monkeypatch, width=width, terminal=True)
    assert all(row[1] in text for row in ROWS)
    assert ("ADDRESSES" in text.splitlines()[0]) == ("No room for" not in text)
    if width >= 60:
        assert all(len(line) <= width for line in text.splitlines() if "No room" not in line)


@pytest.mark.parametrize(
    ("synced", "told"),
    [
        ([None, None], "being listed for the first time"),
        (["2026-01-01T00:00:00Z", None], "Not listed yet: b."),
        (["2026-01-01T00:00:00Z"] * 2, "No machine is found."),
        ([], "No machine is found."),
    ],
)
def test_an_empty_inventory_tells_whether_clouds_were_listed(synced: list[Any], told: str) -> None:
    class Portal:
        def get(self, path: str) -> Any:
            assert path == inventory.SUMMARY
            return {"syncs": [{"cloud": {"name": "ab"[n]}, "synced_at": at} for n, at in enumerate(synced)]}

    client: Any = Portal()
    assert told in inventory._why_empty(client, "No machine is found.")
