"""Bring files, configs and secrets to the machine: where each stands there, and what it holds.

Files and configs travel in the user-data. A secret never does: the user-data only names the path, and the machine
fetches the content (``secret_files``).
"""

from __future__ import annotations

import hashlib
import posixpath
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from engine.compose.model import Project

FILES = "/opt/escale/files"
CONFIGS = "/opt/escale/configs"
SECRETS = "/var/lib/escale/secrets"


@dataclass(frozen=True, slots=True)
class Placed:
    """A secret or config on a machine. ``mode`` is octal text; ``uid`` and ``gid`` are numbers."""

    path: str
    source: str  # key of the secret or config
    alias: str  # its key in the machine's part of the Compose file
    uid: int = 0
    gid: int = 0
    mode: str = "0444"


def relative(path: str) -> str | None:
    """Return a path of the drawing relative to it, without ``./``; None when it is absolute or a home path."""
    if path.startswith(("/", "~")) or "\\" in path or path[1:2] == ":":
        return None
    return posixpath.normpath(path)


def supplied(project: Project, path: str) -> bytes | None:
    """Return the content of a file that was supplied beside the drawing."""
    if path in project.files:
        return project.files[path]
    wanted = relative(path)
    if wanted is None:
        return None
    for candidate in (wanted, f"./{wanted}"):
        if candidate in project.files:
            return project.files[candidate]
    return None


def below(project: Project, path: str) -> dict[str, bytes]:
    """Return the supplied files below a folder, by their path relative to the drawing."""
    found: dict[str, bytes] = {}
    for name, data in project.files.items():
        clean = relative(name)
        if clean is None:
            continue
        if clean.startswith(f"{path}/") or (path == "." and not clean.startswith("..")):
            found[clean] = data
    return found


def machine_path(path: str) -> str:
    """Return where a relative path of the drawing stands on the machine; it cannot leave that folder."""
    parts = ["__up" if part == ".." else part for part in path.split("/")]
    return posixpath.join(FILES, *(part for part in parts if part not in ("", ".")))


def file_mode(data: bytes) -> str:
    """Return the mode of a shipped file: uploads carry none, so what starts like a script may be executed."""
    return "0755" if data.startswith(b"#!") else "0644"


def content_of(project: Project, definition: Mapping[str, Any]) -> bytes | None:
    """Return the content of a secret or config, or None when the drawing came without it."""
    if definition.get("content") is not None:
        return str(definition["content"]).encode()
    if "file" in definition:
        return supplied(project, str(definition["file"]))
    if "environment" in definition:
        value = project.environment.get(str(definition["environment"]))
        return None if value is None else value.encode()
    return None


def attached(service: str, body: Mapping[str, Any], kind: str) -> list[tuple[int, Mapping[str, Any], Placed]]:
    """Return (position, attachment, place) of a service's ``secrets`` or ``configs``.

    What says its own owner or mode gets a file of its own, since the engine mounts files as they stand.
    """
    root = SECRETS if kind == "secrets" else CONFIGS
    found = []
    for position, attachment in enumerate(body.get(kind) or ()):
        source = str(attachment["source"])
        uid, gid, mode = attachment.get("uid"), attachment.get("gid"), attachment.get("mode")
        if uid is None and gid is None and mode is None:
            place = Placed(f"{root}/all/{component(source)}", source, source)
        else:
            place = Placed(
                f"{root}/of/{component(service)}/{component(source)}",
                source,
                f"{service}.{source}",
                _number(uid),
                _number(gid),
                _octal(mode),
            )
        found.append((position, attachment, place))
    return found


def secret_names(project: Project, services: Iterable[str], guarded: Mapping[str, str] | None = None) -> dict[str, str]:
    """Return path on the machine -> secret of all that these services get to see, and that was supplied."""
    known, drawn = project.services(), project.secrets()
    if not drawn:
        return {}
    guarded = secret_sources(project) if guarded is None else guarded
    names: dict[str, str] = {}
    for service in services:
        body = known.get(service) or {}
        for _, _, place in attached(service, body, "secrets"):
            if content_of(project, drawn.get(place.source) or {}) is not None:
                names[place.path] = place.source
        for mount in body.get("volumes") or ():
            if isinstance(mount, dict) and mount.get("type") == "bind":
                source = guarded.get(relative(str(mount.get("source") or "/")) or "")
                if source is not None:
                    names[shared_secret_path(source)] = source
        for _, _, place in attached(service, body, "configs"):
            source = config_secret(project, place.source, guarded)
            if source is not None:
                names[shared_secret_path(source)] = source
    return names


def secret_sources(project: Project) -> dict[str, str]:
    """Return relative path -> secret of the supplied files that are secrets: they must not travel as files."""
    sources: dict[str, str] = {}
    for name, definition in sorted(project.secrets().items()):
        if "file" in definition:
            path = relative(str(definition["file"]))
            if path is not None and supplied(project, str(definition["file"])) is not None:
                sources.setdefault(path, name)
    return sources


def config_secret(project: Project, config: str, guarded: Mapping[str, str]) -> str | None:
    """Return the secret whose file a config also names, or None."""
    definition = project.configs().get(config) or {}
    return guarded.get(relative(str(definition["file"])) or "") if "file" in definition else None


def shared_secret_path(secret: str) -> str:
    """Return where a secret stands that is mounted without an owner or mode of its own."""
    return f"{SECRETS}/all/{component(secret)}"


def component(name: str) -> str:
    """Return a key as one component of a path; Compose allows keys such as ``..``."""
    if name.startswith("."):
        return f"_{hashlib.sha256(name.encode()).hexdigest()[:8]}"
    return name


def _number(value: Any) -> int:
    text = str(value if value is not None else 0)
    return int(text) if text.isdigit() else 0


def _octal(value: Any) -> str:
    """Return a mode as four octal digits; the normal form gives octal text."""
    text = str(value if value is not None else "0444").lower().removeprefix("0o")
    return f"{int(text, 8) & 0o7777:04o}" if text and all(digit in "01234567" for digit in text) else "0444"
