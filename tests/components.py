"""Programs of the system that some tests need: found, started, or missed in the open.

Where one is missing the test is skipped with "component missing: …". With ESCALE_REQUIRE_COMPONENTS=1, as CI sets
it, the same is a failure: a machine that should have it must not hide that it has not.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

import pytest

from portal.env import load

CHROMIUM = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")


def require_component(name: str, *programs: str) -> str:
    """Return the path of the first of the programs that exists; skips the test, or fails it, when none does."""
    for program in programs or (name,):
        path = shutil.which(program) or shutil.which(program, path="/usr/sbin:/sbin:/usr/local/sbin")
        if path:
            return path
    return missing(name, f"none of {', '.join(programs or (name,))} is on the PATH")


def missing(name: str, reason: str) -> NoReturn:
    """Skip the test for want of a component, or fail it where components are required."""
    text = f"component missing: {name} ({reason})"
    if load(os.environ, reader="tests")["ESCALE_REQUIRE_COMPONENTS"]:
        pytest.fail(text, pytrace=False)
    pytest.skip(text)


def chromium() -> str:
    """Return the path of a Chromium of the system, for Playwright's `executable_path`."""
    return require_component("Chromium", *CHROMIUM)


@dataclass(frozen=True)
class Engine:
    """A Docker engine: its `address`, and what to put before a command that shall reach its published ports."""

    address: str
    inside: tuple[str, ...] = ()


@contextmanager
def docker_engine() -> Iterator[Engine]:
    """Lend a Docker engine: DOCKER_HOST's, the system's, or a private one that ends with the test."""
    given = os.environ.get("DOCKER_HOST")
    if given:
        yield Engine(given)
        return
    if Path("/var/run/docker.sock").exists() and _answers("unix:///var/run/docker.sock"):
        yield Engine("unix:///var/run/docker.sock")
        return
    require_component("a Docker engine", "docker")
    dockerd = require_component("a Docker engine", "dockerd")
    if os.geteuid() != 0:
        missing("a Docker engine", "only root may start a private dockerd")
    with _private_engine(dockerd) as engine:
        yield engine


@contextmanager
def _private_engine(dockerd: str) -> Iterator[Engine]:
    """Start a dockerd in a network namespace of its own, so that this machine's own stays as it is."""
    busybox = require_component("busybox")
    # Not below pytest's folders: a socket's path may have no more than 107 characters.
    with tempfile.TemporaryDirectory(prefix="escale-dockerd-", ignore_cleanup_errors=True) as folder:
        home = Path(folder)
        address = f"unix://{home}/docker.sock"
        command = [
            "unshare", "--net", "--", "sh", "-c", f'{busybox} ifconfig lo up && exec "$@"', "sh",
            dockerd, "--host", address, "--data-root", f"{home}/data", "--exec-root", f"{home}/exec",
            "--pidfile", f"{home}/pid", "--storage-driver", "vfs",
        ]  # fmt: skip
        with (home / "log").open("wb") as log:
            process = subprocess.Popen(command, stdout=log, stderr=log, start_new_session=True)
        try:
            until = time.monotonic() + 30
            while not _answers(address):
                if process.poll() is not None or time.monotonic() > until:
                    missing("a Docker engine", f"dockerd does not start: {(home / 'log').read_text()[-300:]}")
                time.sleep(0.1)
            yield Engine(address, ("nsenter", f"--net=/proc/{process.pid}/ns/net", "--"))
        finally:
            process.terminate()
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _answers(address: str) -> bool:
    docker = shutil.which("docker")
    if docker is None:
        return False
    command = [docker, "--host", address, "version"]
    return subprocess.run(command, capture_output=True, check=False, timeout=10).returncode == 0
