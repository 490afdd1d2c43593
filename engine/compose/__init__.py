"""Load Compose files into the specification's normal form: `load`, `Project`, `to_json`.

Nothing here reads the disk, the clock or the process's environment; the caller supplies all of it. The reference
implementation is Docker Compose v2.40.3 with compose-go v2.9.1.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping

from engine.compose.envfiles import merged_environment
from engine.compose.gojson import go_json
from engine.compose.interpolation import Interpolator, TextBudget
from engine.compose.loader import load_project
from engine.compose.model import DEFAULT_LIMITS, ComposeError, Limits, Position, Project
from engine.compose.report import Refusal
from engine.findings import Finding

__all__ = [
    "DEFAULT_LIMITS",
    "ComposeError",
    "Finding",
    "Limits",
    "Position",
    "Project",
    "load",
    "parse_env_file",
    "to_json",
]


def load(
    text: str | bytes,
    *,
    name: str | None = None,
    environment: Mapping[str, str] | None = None,
    files: Mapping[str, str | bytes] | None = None,
    profiles: Collection[str] = (),
    limits: Limits = DEFAULT_LIMITS,
) -> Project:
    """Load a Compose file into its normal form.

    `name` is the project name when the file has no `name:` (the reference takes the name of the folder). `environment`
    is all that `${VARIABLES}` see, together with a supplied `.env`; `COMPOSE_PROJECT_NAME` and `COMPOSE_PROFILES` in it
    count as they do for the reference. `files` are the files that the Compose file refers to (`env_file`, `extends`,
    `include`, …), by relative path. Raises `ComposeError` with every error that could be found, each with its place.
    """
    return load_project(text, name, environment, files, profiles, limits)


def parse_env_file(text: str) -> dict[str, str]:
    """Return the variables of an env file, by the reference's rules for `.env`; raises `ComposeError`."""
    try:
        return merged_environment({}, text, Interpolator({}, TextBudget(DEFAULT_LIMITS)))
    except Refusal as refusal:
        raise ComposeError([Finding(refusal.code, "error", refusal.message)]) from None


def to_json(project: Project) -> str:
    """Print a project byte for byte as `docker-compose config --format json --no-path-resolution` does."""
    return go_json(project.config).replace("$", "$$")
