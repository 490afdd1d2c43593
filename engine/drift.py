"""Say how a deployment differs on its cloud from what is drawn, and write what the cloud has into the drawing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from engine.compose.model import Project
from engine.compose.rewriting import CannotRewriteError, Path, Value, changed_at, put_all
from engine.observed import ObservedState
from engine.onboarding import size_text
from engine.wording import counted


@dataclass(frozen=True, slots=True)
class Difference:
    """One value that is another on the cloud than it was applied; both are texts with their units.

    ``what`` is stable: cpus, memory, power, name, networks, disk, size, missing, data_disk. ``path`` and ``value`` say
    how the drawing would say it; ``why_not`` why it cannot.
    """

    resource: str
    name: str
    what: str
    drawn: str
    found: str
    path: Path = ()
    value: Value = ""
    why_not: str = ""

    def to_json(self) -> dict[str, Any]:
        """Return the difference as plain data, without what only writing back needs."""
        return {
            "resource": self.resource,
            "name": self.name,
            "what": self.what,
            "drawn": self.drawn,
            "found": self.found,
            "writable": not self.why_not,
            "why_not": self.why_not,
        }


@dataclass(frozen=True, slots=True)
class Written:
    """A text with what the cloud has: what was written, and what was not, each with the reason why."""

    text: str
    made: tuple[Difference, ...] = ()
    left: tuple[tuple[Difference, str], ...] = ()


_POWER = "a drawing does not say whether a machine is on"
_PACKED = "no machine of that name is drawn: its size follows from its services"
_POOL = "it is one of a pool, whose machines are alike"
_MISSING = "it is not on the cloud: take it out of the drawing by hand, or restore it"
_ADOPTED_GONE = "it is gone, and a machine that was not made here cannot be made again: take it out of the drawing"
_DISK = "which data disks it has follows from its services"


def differences(
    drawing: Project, prior: Mapping[str, Mapping[str, Any]], observed: ObservedState
) -> tuple[Difference, ...]:
    """Return how what exists differs from what was applied, machine by machine and disk by disk."""
    found: list[Difference] = []
    machines = (drawing.extensions().get("x-escale") or {}).get("machines") or {}
    for key, spec in sorted(prior.items()):
        kind, name = spec.get("kind"), str(spec.get("name") or key.partition(":")[2])
        seen = observed.resources.get(key)
        if kind not in ("machine", "volume"):
            continue
        if seen is None:
            why_not = _ADOPTED_GONE if spec.get("adopted") else _MISSING
            found.append(Difference(key, name, "missing", "exists", "missing", why_not=why_not))
        elif kind == "machine":
            found.extend(_machine(key, name, {**spec, **(spec.get("drawn") or {})}, seen.attributes, machines))
        else:
            found.extend(_volume(key, name, spec, seen.attributes, drawing))
    return tuple(found)


def write_back(text: str, wanted: tuple[Difference, ...], deployed: str | None = None) -> Written:
    """Return the text with the cloud's values where a drawing can say them; all else of it stays as it is.

    ``deployed``: the text that was applied; what a newer text says otherwise than it is not overwritten.
    """
    reasons = {number: one.why_not for number, one in enumerate(wanted) if one.why_not}
    try:
        said = changed_at(text, deployed, [one.path for one in wanted if one.path]) if deployed is not None else set()
        reasons |= {
            number: "the drawing was changed there since it was deployed"
            for number, one in enumerate(wanted)
            if number not in reasons and one.path in said
        }
        put = [number for number in range(len(wanted)) if number not in reasons]
        text, refused = put_all(text, [(wanted[number].path, wanted[number].value) for number in put])
        reasons |= {put[position]: reason for position, reason in refused.items()}
    except CannotRewriteError as illegible:
        reasons |= {number: str(illegible) for number in range(len(wanted)) if number not in reasons}
    return Written(
        text,
        tuple(one for number, one in enumerate(wanted) if number not in reasons),
        tuple((wanted[number], reasons[number]) for number in sorted(reasons)),
    )


def _machine(
    key: str, name: str, drawn: Mapping[str, Any], found: Mapping[str, Any], machines: Mapping[str, Any]
) -> list[Difference]:
    label = key.partition(":")[2]
    place: Path = ("x-escale", "machines", label)
    why_not = "" if label in machines else _POOL if _in_pool(label, machines) else _PACKED
    if not why_not and (machines[label] or {}).get("count") is not None:
        why_not = _POOL
    told: list[Difference] = []
    cpus, have = drawn.get("cpus"), found.get("cpus")
    if cpus and have and int(have) != int(cpus):
        told.append(Difference(key, name, "cpus", _cpus(cpus), _cpus(have), (*place, "cpus"), int(have), why_not))
    memory, has = drawn.get("memory_mib"), found.get("memory_mib")
    if memory and has and int(has) != int(memory):
        value = size_text(int(has))
        told.append(
            Difference(key, name, "memory", _size(int(memory)), _size(int(has)), (*place, "memory"), value, why_not)
        )
    power = str(found.get("power") or "on")
    if drawn.get("state") == "running" and power != "on":
        told.append(Difference(key, name, "power", "on", power, why_not=_POWER))
    if drawn.get("adopted"):
        told.extend(_adopted(key, name, drawn, found, place, machines.get(label) or {}))
    elif found.get("disks") is not None:
        attached = {disk.get("volume") for disk in found["disks"]}
        gone = [str(disk["volume"]) for disk in drawn.get("disks") or () if disk["volume"] not in attached]
        told.extend(
            Difference(key, name, "data_disk", volume.partition(":")[2], "detached", why_not=_DISK) for volume in gone
        )
    return told


def _cpus(count: Any) -> str:
    return counted(int(count), "CPU")


def _size(size_mib: int) -> str:
    return f"{size_mib // 1024} GiB" if size_mib % 1024 == 0 else f"{size_mib} MiB"


def _in_pool(label: str, machines: Mapping[str, Any]) -> bool:
    name = label.rpartition("-")[0]
    return name in machines and (machines[name] or {}).get("count") is not None


def _adopted(
    key: str,
    name: str,
    drawn: Mapping[str, Any],
    found: Mapping[str, Any],
    place: Path,
    body: Mapping[str, Any],
) -> list[Difference]:
    told: list[Difference] = []
    known = (body.get("adopt") or {}).get("name")
    if known and found.get("name") and known != found["name"]:
        told.append(
            Difference(key, name, "name", str(known), str(found["name"]), (*place, "adopt", "name"), found["name"])
        )
    networks, cards = [str(one) for one in drawn.get("own_networks") or ()], list(found.get("own_networks") or ())
    if networks and cards != networks:
        told.append(
            Difference(
                key,
                name,
                "networks",
                ", ".join(networks),
                ", ".join(cards) or "none",
                (*place, "networks"),
                cards,
                "" if cards else "it has no network any more",
            )
        )
    have = {str(disk["label"]): disk for disk in found.get("own_disks") or ()}
    listed = [str(disk.get("label")) for disk in body.get("disks") or ()]
    for disk in drawn.get("own_disks") or ():
        label, size = str(disk["label"]), int(disk["size_mib"])
        there = have.pop(label, None)
        if there is None:
            told.append(Difference(key, name, "disk", f"{label}: {_size(size)}", "missing", why_not=_DISKS))
        elif int(there["size_mib"]) != size:
            value = size_text(int(there["size_mib"]))
            now = f"{label}: {_size(int(there['size_mib']))}"
            at: Path = (*place, "disks", listed.index(label), "size") if label in listed else ()
            told.append(
                Difference(
                    key, name, "disk", f"{label}: {_size(size)}", now, at, value,
                    "" if at else _DISKS,
                )
            )  # fmt: skip
    if drawn.get("own_disks"):
        for label, disk in have.items():
            size_found = f"{label}: {_size(int(disk['size_mib']))}"
            told.append(Difference(key, name, "disk", "none", size_found, why_not=_DISKS))
    return told


_DISKS = "disks that came or went are drawn by hand (x-escale.machines: disks)"


def _volume(
    key: str, name: str, spec: Mapping[str, Any], found: Mapping[str, Any], drawing: Project
) -> list[Difference]:
    drawn, have = spec.get("size_gib"), found.get("size_gib")
    if not drawn or have is None or int(float(have)) == int(drawn):
        return []
    value = f"{int(float(have))}GiB"
    label = key.partition(":")[2]
    body = drawing.volumes().get(label)
    extension = drawing.extensions("volumes", label).get("x-escale") if body is not None else None
    why_not = ""
    if extension is None or "size" not in extension:
        why_not = "its size is not drawn, it is the default (x-escale: {defaults: {volume_size: ...}})"
    path: Path = ("volumes", label, "x-escale", "size")
    return [Difference(key, name, "size", f"{drawn} GiB", f"{int(float(have))} GiB", path, value, why_not)]
