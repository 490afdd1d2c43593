"""Read the machines and regions that a drawing declares, and what its services say of them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import Any

from engine.realise.extension import Extensions, mebibytes
from engine.realise.notes import Notes, Path

MAX_MACHINES = 5_000
"""More declared machines, pools counted whole, than one drawing may ask for."""
_STEP_MIB = 4  # vSphere takes memory in multiples of 4 MB (VirtualMachineConfigSpec, memoryMB)
_COMPARED = 50


@dataclass(frozen=True, slots=True)
class Declared:
    """A machine, or a pool of like ones, of ``x-escale: {machines}``."""

    name: str
    labels: tuple[str, ...]  # "front", or "workers-1", "workers-2", ... of a pool
    pool: bool
    region: str  # "" where the drawing has no regions
    cpus: int | None = None
    memory_mib: int | None = None
    template: str | None = None
    cluster: str | None = None
    datastore: str | None = None
    spot: bool | None = None  # None: as the drawing's machines are in general
    adopted: Mapping[str, Any] | None = None  # the body of a machine that runs already, with its ``adopt``

    @property
    def path(self) -> tuple[str, ...]:
        """Return where it stands in the drawing."""
        return ("x-escale", "machines", self.name)


@dataclass(frozen=True, slots=True)
class Declarations:
    """Hold what a drawing declares. ``pins``: service -> the machine that it names; both exist."""

    regions: tuple[str, ...] = ()
    machines: Mapping[str, Declared] = field(default_factory=dict)
    pins: Mapping[str, str] = field(default_factory=dict)
    of_label: Mapping[str, Declared] = field(default_factory=dict)
    named: frozenset[str] = frozenset()  # machines that services name: the others are plain
    adopted: Mapping[str, Declared] = field(default_factory=dict)  # machines that run already, by name

    def plain(self, label: str) -> bool:
        """Tell whether a machine is a plain one: declared, and named by no service."""
        declared = self.of_label.get(label)
        return declared is not None and declared.name not in self.named


def read_declarations(extensions: Extensions, services: Iterable[str], notes: Notes) -> Declarations:
    """Return what a drawing declares; what is wrong goes to the notes.

    Error findings: ``realise.region_unknown``, ``realise.region_conflict``, ``realise.machine_unknown``,
    ``realise.machine_name`` (two machines of one name), ``realise.too_many_machines``, ``realise.adopted_service``.
    """
    if not extensions.legible:
        return Declarations()
    regions = tuple(extensions.project.get("regions") or ())
    everything = _machines(extensions, regions, notes)
    adopted = {name: machine for name, machine in everything.items() if machine.adopted is not None}
    machines = {name: machine for name, machine in everything.items() if machine.adopted is None}
    pins: dict[str, str] = {}
    for service in services:
        extension = extensions.services.get(service)
        if extension is None:
            continue
        name = extension.get("machine")
        path = ("services", service, "x-escale")
        if name in adopted:
            notes.finding(
                "realise.adopted_service",
                "error",
                f"The service {service} is drawn on {name}, a machine that runs already and is adopted as it is: "
                "nothing is installed in it, so no container can start there. Draw the service on another machine.",
                (*path, "machine"),
            )
        elif name is not None and name not in machines:
            _unknown(notes, "machine", f"The service {service}", name, machines, (*path, "machine"))
        elif name is not None:
            pins[service] = name
        _check_region(service, extension, everything.get(name or ""), regions, notes)
    of_label = {label: machine for machine in machines.values() for label in machine.labels}
    return Declarations(regions, machines, pins, of_label, frozenset(pins.values()), adopted)


def _machines(extensions: Extensions, regions: tuple[str, ...], notes: Notes) -> dict[str, Declared]:
    drawn = extensions.project.get("machines") or {}
    total = sum((body or {}).get("count", 1) for body in drawn.values())
    if total > MAX_MACHINES:
        notes.finding(
            "realise.too_many_machines",
            "error",
            f"The drawing declares {total:,} machines, at most {MAX_MACHINES:,} are planned in one: lower the counts, "
            "or divide it into several drawings.",
            ("x-escale", "machines"),
        )
        return {}
    machines: dict[str, Declared] = {}
    holders: dict[str, str] = {}
    for name, body in drawn.items():
        body = body or {}
        path = ("x-escale", "machines", name)
        region = body.get("region")
        if region is not None and region not in regions:
            _unknown(notes, "region", f"The machine {name}", region, regions, (*path, "region"))
        pool = "count" in body
        labels = tuple(f"{name}-{number}" for number in range(1, body["count"] + 1)) if pool else (name,)
        for label in labels:
            other = holders.setdefault(label, name)
            if other != name:
                notes.finding(
                    "realise.machine_name",
                    "error",
                    f"The machine {name} would be called {label!r}, as one of {other} is, so they cannot be told "
                    "apart: rename one of them.",
                    path,
                )
        machines[name] = Declared(
            name,
            labels,
            pool,
            region if region in regions else regions[0] if regions else "",
            body.get("cpus"),
            _memory(body.get("memory")),
            body.get("template"),
            body.get("cluster"),
            body.get("datastore"),
            body.get("spot"),
            body if "adopt" in body else None,
        )
    return machines


def _memory(size: Any) -> int | None:
    return None if size is None else max(1, -(-mebibytes(size) // _STEP_MIB)) * _STEP_MIB


def _check_region(
    service: str, extension: Mapping[str, Any], machine: Declared | None, regions: tuple[str, ...], notes: Notes
) -> None:
    region = extension.get("region")
    path = ("services", service, "x-escale", "region")
    if region is None:
        return
    if region not in regions:
        _unknown(notes, "region", f"The service {service}", region, regions, path)
    elif machine is not None and machine.region != region:
        notes.finding(
            "realise.region_conflict",
            "error",
            f"The service {service} is drawn in the region {region}, and its machine {machine.name} in "
            f"{machine.region}: it cannot be in both. Remove the service's region, or name a machine of that region.",
            path,
        )


def _unknown(notes: Notes, kind: str, who: str, name: Any, known: Iterable[str], path: Path) -> None:
    names = sorted(known)
    # Looking for the nearest of many names takes milliseconds, and a drawing may hold thousands of wrong ones.
    close = get_close_matches(str(name), names[:_COMPARED], 1)
    if close:
        hint = f"did you mean {close[0]!r}?"
    elif names:
        hint = f"choose one of {', '.join(names[:20])}, or declare it (x-escale: {{{kind}s: ...}})."
    else:
        hint = f"declare it (x-escale: {{{kind}s: ...}}), or remove the name."
    notes.finding(
        f"realise.{kind}_unknown",
        "error",
        f"{who} names the {kind} {str(name)[:80]!r}, which the drawing does not have, so it has no place: {hint}",
        path,
    )
