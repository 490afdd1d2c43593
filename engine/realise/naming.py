"""Make names that DNS and clouds accept: lower case, digits and hyphens, at most 63 characters, unique by hash."""

from __future__ import annotations

import hashlib
import re

MAX_NAME = 63


def slug(text: str, limit: int = MAX_NAME) -> str:
    """Return a DNS label for any text; whatever had to be changed is told apart by a hash of the whole."""
    clean = re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")
    if clean == text and len(clean) <= limit:
        return clean
    # "web_1" and "web-1" would meet in the same label.
    tail = hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:6]
    return f"{clean[: limit - 7].strip('-')}-{tail}".strip("-")


def host_label(service: str) -> str:
    """Return the label of a machine that is made for one service."""
    return slug(service, 40)


def machine_name(deployment: str, label: str) -> str:
    """Return ``<deployment>-<label>``; a name that is too long keeps its end and a hash."""
    name = f"{deployment}-{label}"
    if len(name) <= MAX_NAME:
        return name
    tail = hashlib.sha256(name.encode()).hexdigest()[:6]
    return f"{name[: MAX_NAME - 7].strip('-')}-{tail}"


def natural(text: str) -> tuple[tuple[int, int, str], ...]:
    """Return a sort key that puts ``host-2`` before ``host-10``."""
    return tuple(
        (0, int(part), "") if part.isdigit() and part.isascii() else (1, 0, part)
        for part in re.split(r"(\d+)", text)
        if part
    )
