"""Know where things are: the clone, the virtual environment, and the folder of everything that is kept."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from pathlib import Path

CLONE = Path(__file__).resolve().parent.parent


def venv_folder(environ: Mapping[str, str] = os.environ) -> Path:
    """Return the folder of the virtual environment (ESCALE_VENV)."""
    return _folder(environ.get("ESCALE_VENV"), CLONE / ".venv")


def home_folder(environ: Mapping[str, str] = os.environ) -> Path:
    """Return the folder of everything that is kept (ESCALE_HOME)."""
    return _folder(environ.get("ESCALE_HOME"), CLONE / ".escale")


def _folder(text: str | None, default: Path) -> Path:
    return Path(os.path.abspath(Path(text).expanduser())) if text else default


def venv_program(name: str, environ: Mapping[str, str] = os.environ) -> Path:
    """Return the path of a program inside the virtual environment."""
    return venv_folder(environ) / "bin" / name


def inside_venv() -> bool:
    """Tell whether this very process runs in the project's virtual environment."""
    return Path(sys.prefix).resolve() == venv_folder().resolve()
