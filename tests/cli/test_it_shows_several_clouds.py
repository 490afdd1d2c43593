"""A plan over several clouds is printed with each cloud's share and what crosses the borders between them."""

from __future__ import annotations

from io import StringIO
from pathlib import Path
from typing import Any

import pytest
import typer
from rich.console import Console

from cli import app as cli
from cli import render
from tests.cli.test_it_plans_a_region import Portal


def part(name: str, services: list[str], monthly: str, currency: str) -> dict[str, Any]:
    return {
        "part": "" if name == "paris" else name,
        "cloud": {"id": "1", "name": name},
        "services": services,
        "counts": {"create": 1},
        "requirements": {},
        "price": {"monthly": monthly, "currency": currency},
    }


PLAN: dict[str, Any] = {
    "deployment_name": "shop",
    "region": "",
    "cloud": {"name": "paris"},
    "parts": [part("paris", ["db"], "10.00", "EUR"), part("ireland", ["web"], "12.00", "USD")],
    "changes": [
        {"change": "create", "kind": "machine", "name": "shop-host-1", "cloud": "ireland", "cause": "new deployment",
         "details": [], "data_loss": False},
    ],
    "empty": False,
    "crossings": [
        {"caller": "web", "caller_cloud": "ireland", "called": "db", "called_cloud": "paris", "port": 5432,
         "container_port": 5432, "protocol": "tcp", "machines": ["shop-host-1"], "addresses": [], "firewall": "",
         "waits": True},
    ],
    "ledger": [],
    "findings": [],
    "requirements": {"machines": 2, "cpus": 2, "memory_mib": 2048, "disk_gib": 20},
    "price": None,
}  # fmt: skip


def printed(monkeypatch: pytest.MonkeyPatch, plan: dict[str, Any]) -> str:
    console = Console(width=160, highlight=False, record=True, file=StringIO())
    monkeypatch.setattr(render, "out", console)
    render.print_plan(plan)
    return console.export_text()


def test_the_clouds_and_what_crosses_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    text = printed(monkeypatch, PLAN)
    assert "shop on paris and ireland" in text
    assert "ireland: web" in text
    assert "shop-host-1 on ireland" in text
    assert "What crosses a border" in text
    assert "web (ireland)" in text
    assert "5432/tcp" in text
    assert "of shop-host-1, when it runs" in text


def test_prices_of_different_currencies_are_not_added_up(monkeypatch: pytest.MonkeyPatch) -> None:
    text = printed(monkeypatch, PLAN)
    assert "Costs 10.00 EUR a month on paris." in text
    assert "Costs 12.00 USD a month on ireland." in text


def test_names_from_the_internet_are_text_and_no_markup(monkeypatch: pytest.MonkeyPatch) -> None:
    evil = {**PLAN["crossings"][0], "caller": "[red]web[/red]"}
    assert "[red]web[/red]" in printed(monkeypatch, {**PLAN, "crossings": [evil]})


def test_a_drawing_that_names_its_clouds_needs_none_on_the_command_line(tmp_path: Path) -> None:
    path = tmp_path / "compose.yaml"
    path.write_text("services: {a: {image: a, x-escale: {place: paris}}}\n")
    portal = Portal([])
    cli._plan(portal, path, "", "shop", "shop", None, True, region="", quiet=True)  # type: ignore[arg-type]
    assert "cloud" not in portal.sent["/api/v1/plans/"]
    path.write_text("services: {a: {image: a}}\n")
    with pytest.raises(typer.BadParameter):
        cli._plan(Portal([]), path, "", "shop", "shop", None, True, region="", quiet=True)  # type: ignore[arg-type]
