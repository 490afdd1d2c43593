"""The commands behind the Makefile: `python3 -m launcher <command>`, for machines with and without `make`."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable

from launcher.bootstrap import DEVELOP, RUN, SetupError, ensure_environment
from launcher.places import CLONE, inside_venv, venv_folder, venv_program
from launcher.simulator_build import SimulatorsError, begin_build, build_simulator
from launcher.terminal import complain, say, started_at

Command = Callable[[list[str]], int]


def run_command(arguments: list[str]) -> int:
    """Carry out one command; returns the exit code."""
    name, rest = (arguments[0], arguments[1:]) if arguments else ("help", [])
    if name not in COMMANDS:
        complain(f"There is no command {name!r} - these exist: {', '.join(COMMANDS)}.")
        return 2
    needs, command = COMMANDS[name]
    os.chdir(CLONE)
    try:
        if needs and not (inside_venv() and os.environ.get("ESCALE_LAUNCHED") == name):
            if command not in (_manage, _frontend):
                begin_build()
            ensure_environment(needs)
            os.environ["ESCALE_LAUNCHED"] = name
            os.environ["ESCALE_STARTED_AT"] = started_at()
            python = str(venv_program("python"))
            sys.stdout.flush()
            os.execv(python, [python, "-m", "launcher", *arguments])
        return command(rest)
    except (SetupError, SimulatorsError) as error:
        complain(str(error))
        return 1
    except KeyboardInterrupt:
        return 130


def _run(_arguments: list[str]) -> int:
    from launcher.serving import Serving
    from portal.env import SettingsError

    try:
        serving = Serving(os.environ)
    except SettingsError as error:
        complain(str(error))
        return 1
    return serving.run()


def _setup(_arguments: list[str]) -> int:
    build_simulator()
    say(f"Everything is set up in {venv_folder()}.")
    return 0


def _test(arguments: list[str]) -> int:
    from launcher.checks import run_tests

    return run_tests(arguments)


def _check(_arguments: list[str]) -> int:
    from launcher.checks import run_checks

    return run_checks(tests=True)


def _lint(_arguments: list[str]) -> int:
    from launcher.checks import run_checks

    return run_checks(tests=False)


def _fmt(_arguments: list[str]) -> int:
    code = _call("ruff", "check", "--fix", "--quiet", ".")
    return _call("ruff", "format", ".") or code


def _docs(_arguments: list[str]) -> int:
    from launcher.checks import write_generated_docs

    return write_generated_docs()


def _frontend(_arguments: list[str]) -> int:
    from launcher.frontend import build_frontend

    return build_frontend()


def _lock(_arguments: list[str]) -> int:
    """Pin anew; the development file is bound to the versions of the other one, so that both fit one environment."""
    compile_ = ("uv", "pip", "compile", "--universal", "--python-version", "3.11", "--quiet", "--generate-hashes",
                "--upgrade")  # fmt: skip
    return (
        _call(*compile_, "requirements.in", "-o", "requirements.txt")
        or _call(*compile_, "-c", "requirements.txt", "requirements-dev.in", "-o", "requirements-dev.txt")
        or _call(*compile_, "-c", "requirements-dev.txt", "requirements-moto.in", "-o", "requirements-moto.txt")
        or _call(*compile_, "requirements-go.in", "-o", "requirements-go.txt")
        or _call(*compile_, "requirements-node.in", "-o", "requirements-node.txt")
    )


def _manage(arguments: list[str]) -> int:
    return _call("python", "manage.py", *arguments)


def _changelog(arguments: list[str]) -> int:
    from launcher.changelog import release

    if len(arguments) != 1:
        complain("Which version is released is missing - say it as in: python3 -m launcher changelog 0.2.0.")
        return 2
    return release(arguments[0])


def _help(_arguments: list[str]) -> int:
    say((__doc__ or "").strip())
    say()
    for name, (_needs, command) in COMMANDS.items():
        say(f"  {name:<10} {_MEANING[command]}")
    say()
    say("Settings: docs/settings.md")
    return 0


def _call(program: str, *arguments: str) -> int:
    return subprocess.run([str(venv_program(program)), *arguments], check=False).returncode


COMMANDS: dict[str, tuple[tuple[str, ...], Command]] = {
    "run": (RUN, _run),
    "setup": (DEVELOP, _setup),
    "test": (DEVELOP, _test),
    "check": (DEVELOP, _check),
    "lint": (DEVELOP, _lint),
    "fmt": (DEVELOP, _fmt),
    "docs": (DEVELOP, _docs),
    "frontend": (DEVELOP, _frontend),
    "lock": (DEVELOP, _lock),
    "manage": (RUN, _manage),
    "changelog": ((), _changelog),
    "help": ((), _help),
}
_MEANING: dict[Command, str] = {
    _run: "start everything and serve until Ctrl-C",
    _setup: "make the virtual environment and build the simulator, for development",
    _test: "run all tests; what follows goes to pytest instead (make test T='tests/engine -x')",
    _check: "format, lint, types, imports, migrations, generated documents, tests",
    _lint: "the same without the tests",
    _fmt: "format the code and mend what can be mended",
    _docs: "write the generated documents again (settings, OpenAPI)",
    _frontend: "build the designer into static/designer (Node.js is installed when it is missing)",
    _lock: "pin the newest versions that requirements*.in allow, with their hashes",
    _manage: "run a command of Django with the sandbox's settings",
    _changelog: "join the fragments of changes/ into CHANGELOG.md under a version",
    _help: "say this",
}
