"""Run what must hold before a change is shared: tests, and everything that `make check` adds to them."""

from __future__ import annotations

import difflib
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from launcher import environment
from launcher.frontend import frontend_checks
from launcher.places import CLONE, venv_program
from launcher.simulator_build import build_simulator
from launcher.terminal import complain, say
from portal.env import document

SETTINGS_DOC = CLONE / "docs" / "settings.md"
SCHEMA_DOC = CLONE / "docs" / "openapi.yaml"
FIRST_TABLE = "## Every process of the portal"


def run_tests(arguments: list[str]) -> int:
    """Run the given tests, or all: the designer's, fast ones, the simulator's in Go, slow ones. Returns the exit code.

    When all is well, the last line is pytest's own summary.
    """
    build_simulator()
    if arguments:
        return _run("pytest", *arguments)
    results: dict[str, int] = frontend_checks()
    say("== fast tests")
    results["fast tests"] = _run_tests("not slow")
    say("== the simulator's tests")
    results["the simulator's tests"] = _go_tests()
    say("== slow tests")
    results["slow tests"] = _run_tests("slow")
    return _verdict(results)


def _run_tests(which: str) -> int:
    """Run tests side by side, and what failed then once more alone.

    A test that starts whole portals beside another one may run out of time on a busy machine. What passes only
    alone is named, so that it can be mended; what fails alone too has failed.
    """
    code = _run("pytest", "-n", "2", "-m", which, "-q", "--dist", "loadgroup")
    if code != 1:
        return code
    say("== unsteady or failed: what failed beside others runs once more, alone")
    return _run(
        "pytest", "-m", which, "-q", "-rA", "--show-capture=no", "--last-failed", "--last-failed-no-failures=none"
    )


def run_checks(*, tests: bool) -> int:
    """Run every check, tests last and only if wanted, go on after failures, and say at the end which failed."""
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
    if not tests:
        code = _verdict(results)
        if not code:
            say(f"Good: {', '.join(results)}.")
        return code
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
        [sys.executable, "manage.py", "spectacular", "--validate", "--fail-on-warn"],
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
    from sandbox.simulator import find_go

    command = [str(find_go()), "test", "./..."]
    return subprocess.run(command, cwd=CLONE / "sandbox" / "vcenter", check=False).returncode


def _run(program: str, *arguments: str) -> int:
    return subprocess.run([str(venv_program(program)), *arguments], check=False).returncode


def _verdict(results: Mapping[str, int]) -> int:
    failed = [name for name, code in results.items() if code]
    if failed:
        complain(f"Failed: {', '.join(failed)}.")
    return 1 if failed else 0
