"""What the command line does on the user's own machine: normal form, validation, logins, files that are sent along."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from cli.client import CliError, Login, login_path, read_login, write_login
from cli.files import as_json, beside

CORPUS = sorted((Path(__file__).parent.parent / "corpus" / "awesome-compose").glob("*/compose.y*ml"))


def escale(*arguments: str, cwd: Path | None = None, **environment: str) -> subprocess.CompletedProcess[str]:
    clean = {key: value for key, value in os.environ.items() if not key.startswith(("ESCALE_", "COMPOSE_"))}
    return subprocess.run(
        [sys.executable, "-m", "cli.app", *arguments],
        cwd=cwd,
        env={**clean, "PYTHONPATH": str(Path(__file__).parent.parent.parent), "COLUMNS": "200", **environment},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize("path", CORPUS[::5], ids=lambda path: path.parent.name)
def test_config_prints_what_the_reference_prints(path: Path) -> None:
    reference = shutil.which("docker-compose", path=str(Path(sys.executable).parent))
    assert reference, "the oracle is among the pinned packages"
    wanted = subprocess.run(
        [reference, "-f", str(path), "config", "--format", "json", "--no-path-resolution"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert escale("config", str(path), "--format", "json").stdout == wanted.stdout


def test_validate_names_line_and_column_and_fails(tmp_path: Path) -> None:
    file = tmp_path / "compose.yaml"
    file.write_text("services:\n  web:\n    image: nginx\n    portz: []\n")
    answer = escale("validate", str(file))
    assert answer.returncode == 1
    assert "4:5" in answer.stderr
    findings = json.loads(escale("validate", str(file), "--json").stdout)["findings"]
    assert (findings[0]["line"], findings[0]["column"]) == (4, 5)


def test_without_a_login_it_says_how_to_get_one(tmp_path: Path) -> None:
    answer = escale("clouds", XDG_CONFIG_HOME=str(tmp_path))
    assert answer.returncode == 3
    assert "escale login" in answer.stderr
    assert (
        json.loads(escale("clouds", "--json", XDG_CONFIG_HOME=str(tmp_path)).stdout)["error"]["code"] == "cli.no_login"
    )


def test_a_portal_that_is_not_there_is_named(tmp_path: Path) -> None:
    answer = escale("clouds", XDG_CONFIG_HOME=str(tmp_path), ESCALE_URL="http://127.0.0.1:9", ESCALE_TOKEN="escale_x_y")
    assert answer.returncode == 3
    assert "http://127.0.0.1:9" in answer.stderr
    assert "escale_x_y" not in answer.stderr


def test_deploy_without_a_cloud_is_wrong_usage(tmp_path: Path) -> None:
    (tmp_path / "compose.yaml").write_text("services: {web: {image: nginx}}\n")
    answer = escale("deploy", str(tmp_path), ESCALE_URL="http://127.0.0.1:9", ESCALE_TOKEN="escale_x_y")
    assert answer.returncode == 2
    assert "--to" in answer.stderr


def test_a_login_is_kept_for_its_owner_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    monkeypatch.delenv("ESCALE_URL", raising=False)
    monkeypatch.delenv("ESCALE_TOKEN", raising=False)
    write_login(Login("https://escale.example", "escale_a_b"))
    assert login_path().stat().st_mode & 0o777 == 0o600
    assert read_login().token == "escale_a_b"


def test_a_token_is_never_sent_to_another_address(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    monkeypatch.delenv("ESCALE_TOKEN", raising=False)
    write_login(Login("https://escale.example", "escale_a_b"))
    monkeypatch.setenv("ESCALE_URL", "https://other.example")
    with pytest.raises(CliError) as refused:
        read_login()
    assert refused.value.code == "cli.no_login"


def test_it_sends_what_the_file_refers_to_and_nothing_from_outside(tmp_path: Path) -> None:
    folder = tmp_path / "shop"
    (folder / "db").mkdir(parents=True)
    (folder / "db" / "password.txt").write_text("hush")
    (folder / "site").mkdir()
    (folder / "site" / "logo.bin").write_bytes(b"\xff\x00")
    (folder / "unrelated.txt").write_text("stays")
    (tmp_path / "outside.txt").write_text("stays")
    (folder / "link.txt").symlink_to(tmp_path / "outside.txt")
    text = b"""
services:
  web:
    image: nginx
    volumes: ["./site:/site:ro", ".:/all", "data:/data", "../outside.txt:/x", "./link.txt:/y"]
    env_file: [missing.env]
secrets:
  password: {file: ./db/password.txt}
"""
    found, notes = beside(folder / "compose.yaml", text)
    assert sorted(found) == ["db/password.txt", "site/logo.bin"]
    assert as_json(found) == {"db/password.txt": "hush", "site/logo.bin": {"base64": "/wA="}}
    assert any("outside" in note for note in notes)
