"""Load Compose files into the specification's normal form: `load`, `Project`, `to_json`.

Nothing here reads the disk, the clock or the process's environment; the caller supplies all of it.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping

from engine.compose.model import DEFAULT_LIMITS, ComposeError, Limits, Position, Project
from engine.findings import Finding

__all__ = ["DEFAULT_LIMITS", "ComposeError", "Finding", "Limits", "Position", "Project", "load", "to_json"]


def load(
    text: str | bytes,
    *,
    name: str | None = None,
    environment: Mapping[str, str] | None = None,
    files: Mapping[str, str | bytes] | None = None,
    profiles: Collection[str] = (),
    limits: Limits = DEFAULT_LIMITS,
) -> Project:
    """Load a Compose file; raise `ComposeError` with every error found."""
    raise NotImplementedError


def to_json(project: Project) -> str:
    """Print the project byte for byte as `docker-compose config --format json --no-path-resolution` does."""
    raise NotImplementedError
