"""Hold what the loader returns: the project in its normal form, and the errors that stopped it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from engine.findings import Finding


@dataclass(frozen=True, slots=True)
class Position:
    """Point at a character of the source; both numbers start at 1."""

    line: int
    column: int


@dataclass(frozen=True, slots=True)
class Limits:
    """Bound what an untrusted file may cost; each bound is checked before the thing it bounds is built.

    `max_bytes` counts each source separately, all others count everything together. `max_nodes` counts YAML events,
    `max_alias_nodes` and `max_alias_characters` values, and texts in them, that aliases, merge keys and `extends`
    repeat, `max_interpolated_bytes` texts with variables replaced and environment files, as often as they are read.
    """

    max_bytes: int = 1024 * 1024
    max_total_bytes: int = 16 * 1024 * 1024
    max_depth: int = 100
    max_nodes: int = 250_000
    max_aliases: int = 10_000
    max_alias_nodes: int = 100_000
    max_alias_characters: int = 4 * 1024 * 1024
    max_interpolated_bytes: int = 4 * 1024 * 1024
    max_ports: int = 70_000
    max_sources: int = 100


DEFAULT_LIMITS = Limits()


class ComposeError(Exception):
    """Refuse a file; `findings` holds at least one error, and every other one that could be found in the same pass."""

    findings: tuple[Finding, ...]

    def __init__(self, findings: tuple[Finding, ...] | list[Finding]) -> None:
        self.findings = tuple(findings)
        super().__init__("; ".join(finding.message for finding in self.findings))


def _nowhere(path: tuple[str | int, ...]) -> Position | None:
    return None


@dataclass(frozen=True)
class Project:
    """Hold a loaded Compose file.

    `config` is the normal form: JSON-able, and what `docker-compose config --format json --no-path-resolution` prints,
    except that a dollar sign stands for itself (`to_json` doubles it, as the reference does when it prints).
    `findings` holds warnings and infos only. `files` holds the files that were supplied beside the Compose file, by
    the relative path that the Compose file uses for them. `environment` is what was supplied, together with `.env`: a
    secret that names a variable takes its content from it.
    """

    name: str
    config: dict[str, Any]
    findings: tuple[Finding, ...] = ()
    files: Mapping[str, bytes] = field(default_factory=dict)
    locate: Callable[[tuple[str | int, ...]], Position | None] = field(default=_nowhere, repr=False, compare=False)
    model: Mapping[str, Any] = field(default_factory=dict, repr=False, compare=False)
    environment: Mapping[str, str] = field(default_factory=dict, repr=False, compare=False)

    def position(self, *path: str | int) -> Position | None:
        """Find the source position of the node at a path, or of its nearest ancestor that the source has.

        A scalar is located at itself, a block of lines at its key. An element of a list can also be named by its text
        (`position("services", "web", "depends_on", "db")`).
        """
        return self.locate(path)

    def services(self) -> dict[str, Any]:
        """Give the services by name."""
        return self._section("services")

    def networks(self) -> dict[str, Any]:
        """Give the networks by key (the key that services use, not the platform name)."""
        return self._section("networks")

    def volumes(self) -> dict[str, Any]:
        """Give the named volumes by key."""
        return self._section("volumes")

    def secrets(self) -> dict[str, Any]:
        """Give the secrets by key."""
        return self._section("secrets")

    def configs(self) -> dict[str, Any]:
        """Give the configs by key."""
        return self._section("configs")

    def extensions(self, *path: str | int) -> dict[str, Any]:
        """Give the `x-` keys at a path of the merged model; without a path, those of the top level.

        The normal form keeps extensions at the top level only, as the reference prints it; those of a service are found
        with `extensions("services", "web")`.
        """
        node: Any = self.model or self.config
        for part in path:
            try:
                node = node[part]
            except (KeyError, IndexError, TypeError):
                return {}
        if not isinstance(node, dict):
            return {}
        return {key: value for key, value in node.items() if isinstance(key, str) and key.startswith("x-")}

    def _section(self, key: str) -> dict[str, Any]:
        section = self.config.get(key)
        return section if isinstance(section, dict) else {}
