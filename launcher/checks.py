"""Run what must hold before a change is shared: tests, and everything that `make check` adds to them."""

from __future__ import annotations

import difflib
import os
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path

from launcher import environment
from launcher.places import CLONE, venv_program
from launcher.simulators import build_simulator, go_program
from launcher.terminal import complain, say
from portal.env import document

SETTINGS_DOC = CLONE / "docs" / "settings.md"
SCHEMA_DOC = CLONE / "docs" / "openapi.yaml"
FIRST_TABLE = "## Every process of the portal"


def run_tests(arguments: list[str]) -> int:
    """Run the given tests, or all: fast ones, slow ones, then the simulator's own in Go. Returns the exit code."""
    build_simulator()
    if arguments:
        return _run("pytest", *arguments)
    results = {
        "fast tests": _run("pytest", "-n", "2", "-m", "not slow", "-q"),
        "simulator's tests": _go_tests(),
        "slow tests": _run("pytest", "-n", "2", "-m", "slow", "-q", "--dist", "loadgroup"),
    }
    return _verdict(results)


def run_checks() -> int:
    """Run every check, go on after failures, and say at the end which failed. Returns the exit code."""
    results: dict[str, int] = {}
    for title, command in (
        ("format", ["ruff", "format", "--check", "--quiet", "."]),
        ("lint", ["ruff", "check", "--quiet", "."]),
        ("types", ["mypy"]),
        ("imports", ["lint-imports"]),
        ("migrations", ["python", "manage.py", "makemigrations", "--check", "--dry-run"]),
        ("system check", ["python", "manage.py", "check"]),
    ):
        say(f"== {title}")
        results[title] = _run(*command)
    say("== generated documents")
    results["generated documents"] = _compare_generated_docs()
    if "ESCALE_CHECK_WITHOUT_TESTS" not in os.environ:
        results["tests"] = run_tests([])
    return _verdict(results)


def write_generated_docs() -> int:
    """Write the tables of docs/settings.md and docs/openapi.yaml from the code."""
    for path, text in _generated().items():
        path.write_text(text, encoding="utf-8")
        say(f"wrote {path.relative_to(CLONE)}")
    return 0


def _compare_generated_docs() -> int:
    code = 0
    for path, text in _generated().items():
        name = str(path.relative_to(CLONE))
        kept = path.read_text(encoding="utf-8") if path.exists() else ""
        if kept != text:
            code = 1
            lines = difflib.unified_diff(kept.splitlines(), text.splitlines(), name, f"{name} from the code", n=1)
            complain("\n".join(list(lines)[:40]))
            complain(f"{name} is not what the code says - the code has changed - run `make docs` and commit the file.")
    return code


def _generated() -> dict[Path, str]:
    kept = SETTINGS_DOC.read_text(encoding="utf-8")
    schema = subprocess.run(
        [sys.executable, "manage.py", "spectacular", "--validate"],
        capture_output=True,
        text=True,
        check=False,
        env=_static_environ(),
    )
    if schema.returncode:
        raise SystemExit(schema.stderr)
    sys.stderr.write(schema.stderr)
    return {SETTINGS_DOC: kept[: kept.index(FIRST_TABLE)] + document(), SCHEMA_DOC: schema.stdout}


def _static_environ() -> dict[str, str]:
    return {**os.environ, **environment.placeholders()}


def _go_tests() -> int:
    command = [go_program(), "test", "./..."]
    return subprocess.run(command, cwd=CLONE / "sandbox" / "vcenter", check=False).returncode


def _run(program: str, *arguments: str) -> int:
    started = time.monotonic()
    code = subprocess.run([str(venv_program(program)), *arguments], check=False).returncode
    say(f"-- {program} {' '.join(arguments)}: {'ok' if code == 0 else f'exit code {code}'}"
        f" in {time.monotonic() - started:.0f} s")  # fmt: skip
    return code


def _verdict(results: Mapping[str, int]) -> int:
    failed = [name for name, code in results.items() if code]
    if failed:
        complain(f"Failed: {', '.join(failed)}.")
        return 1
    say(f"Good: {', '.join(results)}.")
    return 0
