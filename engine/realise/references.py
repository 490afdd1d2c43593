"""Find which services a service calls by name, and on which ports: declared, or read from its settings."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

Ports = set[tuple[int, str]]  # (port in the container, protocol)

_WORD = re.compile(r"([A-Za-z0-9][A-Za-z0-9_.-]*)(?::(\d{1,5})(?![\w.]))?")
_MAX_RANGE = 1000


def declared_ports(service: Mapping[str, Any]) -> Ports:
    """Return the container ports that ``expose`` and ``ports`` name."""
    ports: Ports = set()
    for text in service.get("expose") or ():
        span, _, protocol = str(text).partition("/")
        first, _, last = span.partition("-")
        if first.isdigit() and (not last or last.isdigit()):
            end = min(int(last or first), int(first) + _MAX_RANGE)
            ports.update((port, protocol or "tcp") for port in range(int(first), end + 1))
    for mapping in service.get("ports") or ():
        if mapping.get("target"):
            ports.add((int(mapping["target"]), str(mapping.get("protocol") or "tcp")))
    return ports


def names_of(service: str, body: Mapping[str, Any], network: str) -> list[str]:
    """Return the names that a network's services know a service by."""
    attachment = (body.get("networks") or {}).get(network) or {}
    names = [service, *(str(alias) for alias in attachment.get("aliases") or ())]
    if body.get("container_name"):
        names.append(str(body["container_name"]))
    return list(dict.fromkeys(names))


def linked(body: Mapping[str, Any]) -> dict[str, list[str]]:
    """Return service -> extra names, of ``links``."""
    found: dict[str, list[str]] = {}
    for link in body.get("links") or ():
        service, _, alias = str(link).partition(":")
        found.setdefault(service, []).append(alias or service)
    return found


def stated(body: Mapping[str, Any], extension: Mapping[str, Any]) -> set[str]:
    """Return the services that a service says it needs: ``depends_on``, ``links``, ``x-escale: {uses}``."""
    return {*(body.get("depends_on") or ()), *linked(body), *extension.get("uses", ())}


def words(body: Mapping[str, Any]) -> dict[str, set[int]]:
    """Return word -> ports of all that may be a name in a service's environment or command (``db:5432``).

    A service's name that only happens to be a word there costs one line in a hosts file.
    """
    texts: list[str] = []
    environment = body.get("environment")
    if environment:
        texts.extend(str(value) for value in environment.values() if value)
    for key in ("command", "entrypoint"):
        value = body.get(key)
        if value:
            texts.extend(map(str, value) if isinstance(value, list) else (str(value),))
    found: dict[str, set[int]] = {}
    for word, port in _WORD.findall("\n".join(texts)):
        ports = found.setdefault(word.rstrip(".-_"), set())
        if port and 0 < int(port) < 65536:
            ports.add(int(port))
    return found
