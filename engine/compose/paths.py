"""Make the paths of an included or extended file relative to the file that uses it.

Source of the rules: compose-go v2.9.1 `paths/*.go`. Nothing here looks at a disk.
"""

from __future__ import annotations

import posixpath
from collections.abc import Callable, Mapping
from typing import Any

from engine.compose.report import Refusal
from engine.compose.shortforms import clean_path

_REMOTE_CONTEXTS = ("https://", "http://", "git://", "ssh://", "github.com/", "git@")
_REMOTE_FILES = ("https://", "http://", "git://", "ssh://", "oci://", "github.com/", "git@")


def is_remote(reference: str) -> bool:
    """Tell whether a file reference leads to another machine."""
    return reference.startswith(_REMOTE_FILES) or "://" in reference


def join(folder: str, path: str) -> str:
    """Join and shorten; an absolute path stays what it is."""
    return path if path.startswith("/") else clean_path(posixpath.join(folder, path))


class PathResolver:
    """Prefix the relative paths of a canonical model with a folder."""

    def __init__(self, folder: str, environment: Mapping[str, str]) -> None:
        self._folder = folder
        self._home = environment.get("HOME")

    def resolve(self, model: dict[str, Any]) -> None:
        """Rewrite a model in place; raises `Refusal` for a bind mount without a source."""
        services = model.get("services")
        for name, service in services.items() if services.__class__ is dict else ():
            if service.__class__ is dict:
                try:
                    self._service(service)
                except Refusal as refusal:
                    raise refusal.below("services", name) from None
        for section in ("configs", "secrets"):
            for resource in _mappings(model.get(section)):
                _rewrite(resource, "file", self._host_path)
        for volume in _mappings(model.get("volumes")):
            driver_options = volume.get("driver_opts")
            if (
                volume.get("driver") == "local"
                and driver_options.__class__ is dict
                and driver_options.get("o") == "bind"
            ):
                _rewrite(driver_options, "device", self._host_path)

    def _service(self, service: dict[str, Any]) -> None:
        build = service.get("build")
        if build.__class__ is dict:
            _rewrite(build, "context", self._context)
            for key, rewrite in (("additional_contexts", self._context), ("ssh", self._host_path)):
                if build.get(key).__class__ is dict:
                    for name in build[key]:
                        _rewrite(build[key], name, rewrite)
        for env_file in _mappings(service.get("env_file")):
            _rewrite(env_file, "path", self._path)
        label_files = service.get("label_file")
        if label_files.__class__ is list:
            service["label_file"] = [self._path(path) if path.__class__ is str else path for path in label_files]
        if service.get("extends").__class__ is dict:
            _rewrite(service["extends"], "file", lambda path: path if is_remote(path) else self._path(path))
        develop = service.get("develop")
        if develop.__class__ is dict:
            for trigger in _mappings(develop.get("watch")):
                _rewrite(trigger, "path", self._path)
        volumes = service.get("volumes")
        for index, volume in enumerate(volumes if volumes.__class__ is list else ()):
            if volume.__class__ is dict and volume.get("type") == "bind":
                if "source" not in volume:
                    raise Refusal(
                        "compose.volume.source",
                        "This bind mount has no `source` - nobody knows what to mount - add the path on the host.",
                        ("volumes", index),
                    )
                _rewrite(volume, "source", self._host_path)

    def _expanded(self, path: str) -> str:
        if path.startswith("~") and self._home is not None:
            return clean_path(posixpath.join(self._home, path[1:].lstrip("/")))
        return path

    def _path(self, path: str) -> str:
        path = self._expanded(path)
        return join(self._folder, path) if path and path[0] != "~" else path

    def _host_path(self, path: str) -> str:
        path = self._expanded(path)
        return path if _is_windows_absolute(path) or path[:1] == "~" else join(self._folder, path)

    def _context(self, path: str) -> str:
        if "://" in path or path.startswith("service:") or path.startswith(_REMOTE_CONTEXTS):
            return path
        return self._path(path)


def _mappings(value: Any) -> list[dict[str, Any]]:
    items = value.values() if value.__class__ is dict else value if value.__class__ is list else ()
    return [item for item in items if item.__class__ is dict]


def _rewrite(mapping: dict[str, Any], key: str, rewrite: Callable[[str], str]) -> None:
    if mapping.get(key).__class__ is str:
        mapping[key] = rewrite(mapping[key])


def _is_windows_absolute(path: str) -> bool:
    if path.startswith(("\\\\", "//")):
        return True
    return len(path) > 2 and path[0].isascii() and path[0].isalpha() and path[1] == ":" and path[2] in "\\/"
