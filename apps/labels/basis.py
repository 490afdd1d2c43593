"""What a cloud is, as far as a label speaks of it: when any of this changes, the label is about another cloud."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from apps.clouds import connections
from apps.clouds.models import Cloud, Credential
from apps.tenancy import encryption
from apps.tenancy.faults import Fault
from engine.resources import canonical_json

PARTS = ("kind", "flavour", "address", "user", "estate")
_ESTATE = ("datacenter", "folder", "pool", "datastores", "avoid_datastores", "switch")
"""Options that choose which part of what answers at the address is used: another datacenter is another cloud."""

# Lists ask for many at once, and opening a seal asks the database each time. What is sealed anew is another text.
_digests: dict[tuple[object, bytes], str] = {}
_MOST_DIGESTS = 1000


def of(cloud: Cloud) -> dict[str, str]:
    """Return kind, flavour, address, digests of the user's name and of the part in use, and the instance there."""
    health: Mapping[str, Any] = cloud.health or {}
    return {
        "kind": cloud.kind,
        "flavour": cloud.flavour,
        "address": cloud.address,
        "user": _user(cloud),
        "estate": _estate(cloud),
        "instance_uuid": str((health.get("facts") or {}).get("instance_uuid") or ""),
    }


def changed(basis: Mapping[str, Any], cloud: Cloud) -> list[str]:
    """Return which parts of a cloud are not what they were; an instance that nobody has seen is not suspected."""
    now = of(cloud)
    parts = [part for part in PARTS if basis.get(part, "") != now[part]]
    before, instance = basis.get("instance_uuid", ""), now["instance_uuid"]
    if before and instance and before != instance:
        parts.append("instance_uuid")
    return parts


def moved(basis: Mapping[str, Any], cloud: Cloud) -> bool:
    """Tell whether another cloud stands now where a run was: what the run left is not to be found here."""
    return not {"kind", "address", "instance_uuid"}.isdisjoint(changed(basis, cloud))


def _estate(cloud: Cloud) -> str:
    """Return a digest of the options that choose a part of the cloud; empty when none does."""
    chosen = {name: cloud.options[name] for name in _ESTATE if cloud.options.get(name)}
    return hashlib.sha256(canonical_json(chosen).encode()).hexdigest()[:32] if chosen else ""


def _user(cloud: Cloud) -> str:
    """Return a digest of the user's name: another password is the same user, another user has other rights."""
    row: Credential | None = getattr(cloud, "credential", None)  # read beside the cloud where there are many
    if row is None:
        return ""
    sealed = bytes(row.sealed)
    if (cloud.pk, sealed) in _digests:
        return _digests[cloud.pk, sealed]
    try:
        opened = encryption.open_sealed(cloud.organization, connections.purpose(row), sealed)
    except Fault:
        return ""
    name = str(json.loads(opened).get("username", ""))
    if len(_digests) >= _MOST_DIGESTS:
        _digests.clear()
    digest = _digests[cloud.pk, sealed] = hashlib.sha256(f"{cloud.pk}\0{name}".encode()).hexdigest()[:32]
    return digest
