"""Read a Compose file and what stands beside it on the user's own machine."""

from __future__ import annotations

import base64
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from cli.client import CliError

MAX_FILE_BYTES = 1024 * 1024
MAX_TOTAL_BYTES = 4 * 1024 * 1024
MAX_FILES = 200
DEFAULT_NAMES = ("compose.yaml", "compose.yml", "docker-compose.yaml", "docker-compose.yml")


def find_compose(path: Path | None) -> Path:
    """Return the Compose file that was named, or the first usual name in the folder."""
    place = path or Path()
    candidates = [place / name for name in DEFAULT_NAMES] if place.is_dir() else [place]
    for candidate in candidates:
        if candidate.is_file():
            return candidate
    raise CliError(
        f"No Compose file at {place}.", code="cli.no_file", hint="Name one: `escale deploy path/to/compose.yaml …`."
    )


def read_text(path: Path) -> bytes:
    """Return the bytes of a Compose file; the engine checks size and encoding."""
    try:
        with path.open("rb") as file:
            return file.read(16 * 1024 * 1024)
    except OSError as error:
        raise CliError(f"{path} cannot be read: {error.strerror}", code="cli.no_file") from None


def beside(path: Path, text: bytes) -> tuple[dict[str, bytes], list[str]]:
    """Return the files that a Compose file refers to, by relative path, and notes on those that are left out.

    Only below the file's own folder, never through a link out of it; a folder that is mounted whole (``.``)
    is left out, since it holds more than what the services need.
    """
    folder = path.parent.resolve()
    found: dict[str, bytes] = {}
    notes: list[str] = []
    total = 0
    references = {".env", *_references(text)}
    for reference in sorted(references):
        source = Path(os.path.normpath(folder / reference))
        if source == folder or not source.resolve().is_relative_to(folder):
            if source != folder or reference not in ("", "."):
                notes.append(f"{reference}: outside the Compose file's folder, not sent")
            else:
                notes.append(f"{reference}: the whole folder, not sent")
            continue
        for file in _files_below(source):
            if not file.resolve().is_relative_to(folder):
                continue
            size = file.stat().st_size
            name = file.relative_to(folder).as_posix()
            if size > MAX_FILE_BYTES or total + size > MAX_TOTAL_BYTES or len(found) >= MAX_FILES:
                notes.append(f"{name}: too large to send along ({size} bytes)")
                continue
            total += size
            found[name] = file.read_bytes()
    return found, notes


def as_json(files: dict[str, bytes]) -> dict[str, Any]:
    """Return files in the API's form: text as it is, the rest as base64."""
    body: dict[str, Any] = {}
    for name, content in files.items():
        try:
            body[name] = content.decode()
        except UnicodeDecodeError:
            body[name] = {"base64": base64.b64encode(content).decode()}
    return body


def _files_below(source: Path) -> Iterator[Path]:
    if source.is_file():
        yield source
    elif source.is_dir():
        for file in sorted(source.rglob("*")):
            if file.is_file() and not any(part in (".git", "node_modules") for part in file.parts):
                yield file


def _references(text: bytes) -> Iterator[str]:
    """Yield the relative paths that configs, secrets, env files, extends, includes and bind mounts name."""
    try:
        document = yaml.load(text, Loader=yaml.CSafeLoader)
    except yaml.YAMLError:
        return  # the validation says where the mistake is
    if not isinstance(document, dict):
        return
    for section in ("configs", "secrets"):
        for item in _values(document.get(section)):
            if isinstance(item, dict) and isinstance(item.get("file"), str):
                yield item["file"]
    includes = document.get("include")
    for item in includes if isinstance(includes, list) else ():
        yield from _texts(item.get("path") if isinstance(item, dict) else item)
    for service in _values(document.get("services")):
        if not isinstance(service, dict):
            continue
        env_files = service.get("env_file")
        for item in env_files if isinstance(env_files, list) else [env_files]:
            yield from _texts(item.get("path") if isinstance(item, dict) else item)
        extends = service.get("extends")
        if isinstance(extends, dict):
            yield from _texts(extends.get("file"))
        volumes = service.get("volumes")
        for volume in volumes if isinstance(volumes, list) else ():
            source = volume.get("source") if isinstance(volume, dict) else str(volume).split(":")[0]
            if isinstance(source, str) and source.startswith(".") and (isinstance(volume, dict) or ":" in str(volume)):
                yield source


def _values(section: Any) -> list[Any]:
    return list(section.values()) if isinstance(section, dict) else []


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, list):
        yield from (item for item in value if isinstance(item, str))
