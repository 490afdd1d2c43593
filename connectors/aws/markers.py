"""Tags: how a thing on AWS says whose it is, what it is for, which step made it, and how far that is."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping
from typing import Any

from engine.resources import Owner

PREFIX = "escale:"
PLAIN_MARKS = ("organization", "project", "deployment", "resource", "step", "hash")
"""Marks that everything carries; the hash comes last, so that what is half made never looks finished."""
OTHER_MARKS = (
    "id", "size", "told", "before", "restart", "cancelled", "was", "path", "zone", "access", "adopted", "engine",
)  # fmt: skip

DETACHED = "detached"
_NOT_A_VALUE = re.compile(r"[^\w\s_.:/=+\-@]", re.UNICODE)

Tags = dict[str, str]


def step(key: str) -> str:
    """Return a step's key as a mark and as the stem of its client tokens: text of a fixed length, whatever the key."""
    return hashlib.sha256(key.encode()).hexdigest()[:56]


def token(key: str, burnt: int) -> str:
    """Return the client token of a step: 64 ASCII characters at most; another one once things of before are gone."""
    return step(key) if not burnt else f"{step(key)}.{burnt}"


def of(owner: Owner, resource: str, key: str, name: str, **more: str) -> Tags:
    """Return the tags of something new."""
    marks = {
        "organization": owner.organization_id,
        "project": owner.project_id,
        "deployment": owner.deployment_id,
        "resource": resource,
        "step": step(key),
        **more,
    }
    return {"Name": clean(name), **{PREFIX + mark: clean(value) for mark, value in marks.items()}}


def clean(text: str) -> str:
    """Return what may stand in a tag: 256 characters, of those that all services take."""
    return _NOT_A_VALUE.sub("_", text)[:256]


def as_list(tags: Mapping[str, str]) -> list[dict[str, str]]:
    """Return tags as AWS wants them."""
    return [{"Key": key, "Value": value} for key, value in tags.items()]


def specification(kinds: Iterable[str], tags: Mapping[str, str]) -> list[dict[str, Any]]:
    """Return tags for things that are made along with a call."""
    return [{"ResourceType": kind, "Tags": as_list(tags)} for kind in kinds]


def read(thing: Mapping[str, Any]) -> Tags:
    """Return a thing's tags, ours without their prefix."""
    return {
        str(tag["Key"]).removeprefix(PREFIX): str(tag.get("Value", ""))
        for tag in thing.get("Tags") or ()
        if tag["Key"] == "Name" or str(tag["Key"]).startswith(PREFIX)
    }


def filters(owner: Owner, resource: str | None = None) -> list[dict[str, Any]]:
    """Return the filters that find what is a deployment's, or one resource of it."""
    found = [{"Name": f"tag:{PREFIX}deployment", "Values": [owner.deployment_id]}]
    if resource is not None:
        found.append({"Name": f"tag:{PREFIX}resource", "Values": [clean(resource)]})
    return found
