"""Tell what stands where: which services are on which machine, disk and network, and how each of them fares.

Reads resources in their JSON form (``resources.to_json``, also as stored with what was applied), so that a plan, a
preview and the journal can all ask, whatever side of a plan they have.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from engine.userdata import HOME, read_file

Spec = Mapping[str, Any]
Specs = Mapping[str, Spec]

_COMPOSE = f"{HOME}/compose.yaml"
_TOUCHED = frozenset({"create", "update", "replace", "delete"})


@dataclass(slots=True)
class _Service:
    """One service on one side: machine -> its containers there, and its part of the Compose file."""

    placed: dict[str, list[tuple[int, str]]] = field(default_factory=dict)
    parts: dict[str, Mapping[str, Any]] = field(default_factory=dict)
    volumes: set[str] = field(default_factory=set)


class Side:
    """One side of a plan (what is drawn, or what was applied last), read once."""

    def __init__(self, specs: Specs) -> None:
        self.services: dict[str, _Service] = {}
        self.on: dict[str, set[str]] = {}  # resource -> services
        for key, spec in specs.items():
            if spec.get("kind") == "machine":
                self._read(key, spec)

    def _read(self, key: str, spec: Spec) -> None:
        names: set[str] = set()
        parts = _parts(spec)
        for workload in spec.get("workloads") or ():
            name = str(workload["service"])
            names.add(name)
            service = self.services.setdefault(name, _Service())
            service.placed.setdefault(key, []).append((int(workload["replica"]), str(workload["image"])))
            if name in parts:
                service.parts[key] = parts[name]
        self.on.setdefault(key, set()).update(names)
        for disk in spec.get("disks") or ():
            volume = str(disk["volume"])
            users = _users(names, parts, "volumes", volume.partition(":")[2])
            self.on.setdefault(volume, set()).update(users)
            for name in users:
                self.services[name].volumes.add(volume)
        for nic in spec.get("nics") or ():
            network = str(nic["network"])
            # "network:@…" is the machine's own card: everything on it goes over it.
            drawn = network.partition(":")[2]
            users = names if drawn.startswith("@") else _users(names, parts, "networks", drawn)
            self.on.setdefault(network, set()).update(users)


def services_on(*sides: Side) -> dict[str, list[str]]:
    """Return resource key -> services that stand on it on any of the sides, sorted."""
    found: dict[str, set[str]] = {}
    for side in sides:
        for key, names in side.on.items():
            found.setdefault(key, set()).update(names)
    return {key: sorted(names) for key, names in found.items()}


def service_changes(
    desired: Side, prior: Side, changes: Mapping[str, str], drawn: Iterable[str] = ()
) -> dict[str, dict[str, Any]]:
    """Return service -> {machines, change, restarted, ports}.

    ``changes``: resource key -> what becomes of it. ``drawn``: services of the drawing; those that stand nowhere
    (another region's, or scaled to none) are told with ``change`` None. ``machines`` are those that it will be on, or
    was on when it goes. ``restarted``: it stays as it is, but its machine is changed and restarts it.
    """
    names = sorted({*desired.services, *prior.services, *drawn})
    found = {name: _fate(name, desired.services.get(name), prior.services.get(name), changes) for name in names}
    for machine, change in changes.items():
        # A machine that changes for reasons of its own changes all that is on it.
        on_it = desired.on.get(machine, set())
        if change == "update" and on_it and all(found[name]["change"] == "keep" for name in on_it):
            for name in on_it:
                found[name] |= {"change": "update", "restarted": False}
    return found


def machines(specs: Specs, regions: Mapping[str, str] | None = None) -> list[dict[str, Any]]:
    """Return the machines among resources as a canvas shows them, without their user-data.

    ``regions``: machine -> region of the drawing, for those that belong to one.
    """
    return [
        {
            "key": key,
            "name": spec["name"],
            "cluster": spec.get("cluster"),
            "cpus": spec["cpus"],
            "memory_mib": spec["memory_mib"],
            "workloads": [
                {"service": one["service"], "replica": one["replica"], "image": one["image"]}
                for one in spec.get("workloads") or ()
            ],
            "disks": [str(disk["volume"]).partition(":")[2] for disk in spec.get("disks") or ()],
            "plain": bool(spec.get("plain", False)),
            "region": (regions or {}).get(key, ""),
        }
        for key, spec in specs.items()
        if spec.get("kind") == "machine"
    ]


def _fate(name: str, after: _Service | None, before: _Service | None, changes: Mapping[str, str]) -> dict[str, Any]:
    there = after or before
    if there is None:
        return {"machines": [], "change": None, "restarted": False, "ports": []}
    about = {changes.get(machine) for machine in there.placed}
    if after is None:
        change = "delete"
    elif before is None or about == {"create"}:
        change = "create"
    elif "replace" in about:
        change = "replace"
    elif _differs(after, before) or about & {"create", "delete"} or _touched(after.volumes, changes):
        change = "update"
    else:
        change = "keep"
    return {
        "machines": sorted(there.placed),
        "change": change,
        "restarted": change == "keep" and "update" in about,
        "ports": _ports(there.parts.values()),
    }


def _differs(after: _Service, before: _Service) -> bool:
    if {key: sorted(copies) for key, copies in after.placed.items()} != {
        key: sorted(copies) for key, copies in before.placed.items()
    }:
        return True
    return any(after.parts[key] != before.parts[key] for key in after.parts.keys() & before.parts.keys())


def _touched(volumes: Iterable[str], changes: Mapping[str, str]) -> bool:
    return any(changes.get(volume) in _TOUCHED for volume in volumes)


def _parts(spec: Spec) -> Mapping[str, Mapping[str, Any]]:
    text = read_file(spec.get("userdata") or {}, _COMPOSE)
    try:
        found = json.loads(text)["services"] if text else {}
    except (ValueError, KeyError, TypeError):
        return {}
    return found if isinstance(found, dict) else {}


def _users(names: set[str], parts: Mapping[str, Mapping[str, Any]], section: str, wanted: str) -> set[str]:
    """Return the services on a machine that use one volume or network; all of them where their part does not tell."""
    users = {name for name in names if wanted in _named(parts.get(name, {}).get(section))}
    return users or names


def _named(value: Any) -> set[str]:
    if isinstance(value, Mapping):
        return set(value)
    return {str(item.get("source")) for item in value or () if isinstance(item, Mapping)}


def _ports(parts: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return the published ports, each once, in the order of the drawing."""
    found: dict[tuple[str, int, str], dict[str, Any]] = {}
    for part in parts:
        ports: Sequence[Any] = part.get("ports") or ()
        for port in ports:
            if not port.get("published"):
                continue
            published, target = str(port["published"]), int(port.get("target") or 0)
            protocol = str(port.get("protocol") or "tcp")
            entry = {"published": published, "target": target, "protocol": protocol}
            found.setdefault((published, target, protocol), entry)
    return list(found.values())
