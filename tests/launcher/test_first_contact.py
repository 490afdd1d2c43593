"""What is said before anything is installed."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from launcher import bootstrap, commands

CLONE = Path(__file__).resolve().parents[2]


def test_an_old_python_is_told_what_is_needed(tmp_path):
    # An old Python is simulated by its version number; the module's syntax is checked for one further below.
    code = "import sys; sys.version_info = (3, 8, 0); import launcher.__main__ as m; m.start()"
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        cwd=CLONE,
        env={"PATH": str(tmp_path)},
        check=False,
    )
    assert done.returncode == 1
    assert "Escale needs Python 3.11 or newer - this is Python 3.8" in done.stderr
    assert "apt install python3.11" in done.stderr
    assert "Traceback" not in done.stderr


def test_old_pythons_can_read_the_message():
    import ast

    for feature_version in ((3, 6), (3, 8)):
        ast.parse((CLONE / "launcher" / "__main__.py").read_text(), feature_version=feature_version)


def test_an_unknown_command_is_told_which_ones_there_are(capsys):
    assert commands.run_command(["rum"]) == 2
    assert "There is no command 'rum' - these exist: run, setup, test" in capsys.readouterr().err


def test_help_names_every_command(capsys):
    assert commands.run_command([]) == 0
    said = capsys.readouterr().out
    for name in commands.COMMANDS:
        assert f"\n  {name}" in said


def test_the_makefile_passes_every_command_on():
    makefile = (CLONE / "Makefile").read_text()
    (targets,) = [line for line in makefile.splitlines() if line.startswith(".PHONY")]
    assert set(targets.split()[1:]) == set(commands.COMMANDS) - {"changelog"}


def test_a_python_without_ensurepip_is_told_the_package(tmp_path, monkeypatch):
    monkeypatch.setenv("ESCALE_VENV", str(tmp_path / "venv"))
    monkeypatch.setattr(bootstrap.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(bootstrap.SetupError, match=r"apt install python3\.\d+-venv"):
        bootstrap.ensure_environment()


def test_an_installation_that_fails_says_why_and_where(tmp_path, monkeypatch):
    monkeypatch.setenv("ESCALE_HOME", str(tmp_path / "home"))
    with pytest.raises(bootstrap.SetupError) as caught:
        bootstrap._call([sys.executable, "-c", "raise SystemExit('no such wheel')"], "It cannot be installed")
    assert "It cannot be installed - no such wheel - see" in str(caught.value)
    assert str(tmp_path / "home" / "logs" / "setup.log") in str(caught.value)


def test_before_the_environment_exists_only_the_standard_library_is_needed(tmp_path):
    # -S leaves every installed package out, as on a machine that has none.
    code = "import launcher.commands, launcher.bootstrap, launcher.simulator_build; print('imported')"
    done = subprocess.run(
        [sys.executable, "-S", "-c", code], capture_output=True, text=True, cwd=CLONE,
        env={**os.environ, "PYTHONPATH": ""}, check=False,
    )  # fmt: skip
    assert done.stdout == "imported\n", done.stderr


def test_every_pinned_package_has_hashes_and_the_two_files_agree():
    def pins(name: str) -> dict[str, str]:
        lines = (CLONE / name).read_text().splitlines()
        found = dict(line.split(" ", 1)[0].split("==") for line in lines if "==" in line and line[0].isalnum())
        assert found
        for number, line in enumerate(lines):
            if line[:1].isalnum():
                assert lines[number + 1].strip().startswith("--hash=sha256:"), f"{name}: {line}"
        return found

    run, develop = pins("requirements.txt"), pins("requirements-dev.txt")
    pins("requirements-go.txt")
    assert {name: develop.get(name) for name in run} == run
