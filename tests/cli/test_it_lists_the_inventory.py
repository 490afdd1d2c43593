"""`escale inventory` asks for what is wanted, and shows what clouds call things without obeying it."""

from __future__ import annotations

import json
from typing import Any

import pytest
from typer.testing import CliRunner

from cli import app, inventory

ROW = {
    "cloud": {"name": "paris"}, "name": "web-\x1b[31m1 [bold]", "managed": True, "power": "on", "cpus": 2,
    "memory_mib": 2560, "host": "esx-1", "folder": "Apps", "addresses": ["10.0.0.1"],
}  # fmt: skip


class Portal:
    asked: list[tuple[str, dict[str, Any]]]

    def __init__(self, *_: Any) -> None:
        self.asked = asked

    def pages(self, path: str, **params: Any) -> Any:
        asked.append((path, params))
        host = {"cloud": {"name": "paris"}, "kind": "host", "name": "esx-1", "facts": {"cpus": 64, "nics": []}}
        yield from [ROW] * 300 if path == inventory.MACHINES else [host]

    def text(self, path: str, **params: Any) -> Any:
        asked.append((path, params))
        yield "\ufeffname\r\n"
        yield "web-1\r\n"

    def post(self, path: str, body: Any) -> Any:
        asked.append((path, body))
        return {"id": "7"}, None

    def get(self, path: str) -> Any:
        return {"counts": {"machine": 3, "host": 1}}


asked: list[tuple[str, dict[str, Any]]] = []


@pytest.fixture(autouse=True)
def portal(monkeypatch: pytest.MonkeyPatch) -> None:
    asked.clear()
    monkeypatch.setattr(inventory, "Client", Portal)
    monkeypatch.setattr(inventory, "read_login", lambda: None)


def run(*words: str) -> Any:
    return CliRunner(env={"COLUMNS": "200"}).invoke(app.app, list(words))


def test_filters_are_sent_as_they_are_given() -> None:
    shown = run("inventory", "--cloud", "paris", "--cloud", "roubaix", "--power", "on", "-q", "web", "--limit", "7")
    assert shown.exit_code == 0, shown.output
    assert asked == [(inventory.MACHINES, {"q": "web", "cloud": ["paris", "roubaix"], "power": ["on"], "limit": 7})]
    assert shown.output.count("esx-1") == 7
    assert "2.5 GiB" in shown.output


def test_a_name_moves_no_terminal_and_no_markup() -> None:
    shown = run("inventory", "--limit", "1").output
    assert "\x1b" not in shown
    assert "web-\ufffd[31m1 [bold]" in shown


def test_json_and_csv_are_for_programs() -> None:
    assert len(json.loads(run("inventory", "--json", "--limit", "300").stdout)) == 300
    asked.clear()
    assert run("inventory", "--csv", "--tag", "env-1").stdout.split() == ["name", "web-1"]
    assert asked == [(f"{inventory.MACHINES}export/", {"tag": ["env-1"]})]


def test_other_kinds_are_listed_by_name() -> None:
    shown = run("inventory", "hosts")
    assert asked == [(inventory.THINGS, {"kind": "host", "limit": 100})]
    assert "cpus=64" in shown.output
    assert run("inventory", "hosts", "--power", "on").exit_code != 0


def test_sync_starts_one_and_says_what_there_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inventory.render, "watch", lambda *_, **__: {"state": "succeeded", "error": None})
    shown = run("sync", "paris", "--scratch")
    assert asked == [("/api/v1/clouds/paris/sync/", {"scratch": True})]
    assert "1 host, 3 machine" in shown.output
    monkeypatch.setattr(
        inventory.render, "watch", lambda *_, **__: {"state": "failed", "error": {"code": "cloud.busy", "message": "x"}}
    )
    assert run("sync", "paris").exit_code == 1
