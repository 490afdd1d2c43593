"""Compare one machine as drawn with the one applied last and the one that exists: what to do with it, and why."""

from __future__ import annotations

import json
from collections.abc import Mapping, Set
from dataclasses import dataclass, field, replace
from typing import Any

from engine.observed import ObservedResource
from engine.plan import Change
from engine.planner.sides import Applied
from engine.resources import Machine, config_hash, to_json
from engine.userdata import HOME, read_file
from engine.wording import counted, listed

Detail = tuple[str, str, str]
_COMPOSE = f"{HOME}/compose.yaml"
_SETTINGS = f"{HOME}/machine.json"
_SIZES = ("cpus", "memory_mib", "size", "own_networks", "own_disks")  # what drift is kept of


@dataclass(slots=True)
class Verdict:
    """What to do with one machine.

    ``applies``: its configuration changes, and not only its power. ``power``: "keep", "start", or "restart" (stop,
    change, start).
    """

    change: Change
    causes: list[str] = field(default_factory=list)
    details: list[Detail] = field(default_factory=list)
    spec: dict[str, Any] = field(default_factory=dict)
    applies: bool = False
    rewires: bool = False  # data disks are attached or detached
    power: str = "keep"
    there: bool = False  # the cloud has all of it already, so that only a marker is written
    kept: list[str] = field(default_factory=list)  # drift that is left alone

    @property
    def cause(self) -> str:
        """Return the reasons as one text."""
        return "; ".join(dict.fromkeys(self.causes)) or "as drawn"


def compare(
    drawn: Machine,
    applied: Applied | None,
    observed: ObservedResource,
    renewed: Set[str],
    moved_networks: Mapping[str, str],
    restore: bool = False,
) -> Verdict:
    """Return what to do with a machine that exists.

    ``renewed`` are volumes and firewalls that this plan makes again, ``moved_networks`` network -> why cards on it must
    be new. ``restore``: undo what somebody changed on the cloud, where it would be kept otherwise.
    """
    before = applied.resource if applied and isinstance(applied.resource, Machine) else None
    verdict = Verdict("keep")
    marks = {config_hash(drawn)}
    effective = _effective(drawn, before, observed, verdict)
    marks.add(config_hash(effective))
    if restore and effective is not drawn:
        _restore(drawn, effective, verdict)
        effective = drawn
    if before is None:
        if observed.config_hash not in marks:
            verdict.change, verdict.applies = "update", True
            verdict.causes.append("what was applied last is not known, and the machine carries another configuration")
    else:
        _replacement(drawn, before, observed, moved_networks, verdict)
        if verdict.change != "replace" and observed.config_hash not in marks:
            _update(observed, drawn, before, verdict)
    _attach(drawn, applied, observed, renewed, verdict, restore)
    if drawn.firewall in renewed and verdict.change == "keep":
        verdict.change, verdict.applies = "update", True
        verdict.causes.append(f"the firewall {_short(str(drawn.firewall))} is made anew")
    for disk in drawn.disks:
        if disk.volume in renewed and verdict.change == "keep":
            verdict.change, verdict.applies = "update", True
            verdict.causes.append(f"the data disk {_short(disk.volume)} is made anew")
    _power(applied, observed, verdict, restore)
    verdict.spec = spec_of(drawn if verdict.change == "replace" else effective, drawn)
    return verdict


def spec_of(effective: Machine, drawn: Machine) -> dict[str, Any]:
    """Return the spec of an action: what to apply, the marker to write, and the drawing's own values beside drift."""
    spec = {**to_json(effective), "config_hash": config_hash(drawn)}
    differ = [name for name in _SIZES if getattr(drawn, name) != getattr(effective, name)]
    if differ:
        body = to_json(drawn)
        spec["drawn"] = {name: body[name] for name in differ}
    return spec


def _effective(drawn: Machine, before: Machine | None, observed: ObservedResource, verdict: Verdict) -> Machine:
    """Return the machine with the sizes that somebody gave it on the cloud, where the drawing did not change them."""
    if before is None:
        return drawn
    kept: dict[str, int] = {}
    for name, unit in (("cpus", ""), ("memory_mib", " MiB of memory")):
        wanted, was, found = getattr(drawn, name), getattr(before, name), observed.attributes.get(name)
        if wanted == was and found is not None and int(found) != wanted:
            kept[name] = int(found)
            have = f"{found}{unit}" if unit else counted(int(found), "CPU")
            verdict.kept.append(f"it has {have} on the cloud, {wanted} {'was' if wanted == 1 else 'were'} applied")
    size, found = drawn.size, observed.attributes.get("size")
    if size is not None and size == before.size and found is not None and found != size:
        verdict.kept.append(f"it is of the size {found} on the cloud, {size} was applied")
        size = str(found)
    if not kept and size == drawn.size:
        return drawn
    return replace(
        drawn, cpus=kept.get("cpus", drawn.cpus), memory_mib=kept.get("memory_mib", drawn.memory_mib), size=size
    )


def _restore(drawn: Machine, effective: Machine, verdict: Verdict) -> None:
    """Turn sizes that were kept into a change back to the drawing's."""
    verdict.change, verdict.applies, verdict.kept = "update", True, []
    for name, title, unit in (("cpus", "CPUs", ""), ("memory_mib", "memory", " MiB")):
        have, wanted = getattr(effective, name), getattr(drawn, name)
        if have != wanted:
            verdict.causes.append(f"{title} changed on the cloud: {have}{unit} -> {wanted}{unit} is restored")
            verdict.details.append((title, f"{have}{unit}", f"{wanted}{unit}"))
    if effective.size != drawn.size:
        verdict.causes.append(f"size changed on the cloud: {effective.size} -> {drawn.size} is restored")
        verdict.details.append(("size", str(effective.size), str(drawn.size)))


def _replacement(
    drawn: Machine,
    before: Machine,
    observed: ObservedResource,
    moved_networks: Mapping[str, str],
    verdict: Verdict,
) -> None:
    causes: list[str] = []
    if drawn.plain and not before.plain:
        # Its containers would go on running: a plain machine has nobody who could stop them.
        causes.append("it becomes a plain machine, without the containers and the engine that it had")
    if drawn.template and before.template and drawn.template != before.template:
        causes.append(f"template changed: {before.template} -> {drawn.template}")
        verdict.details.append(("template", before.template, drawn.template))
    if drawn.cluster and before.cluster and drawn.cluster not in (before.cluster, observed.attributes.get("cluster")):
        causes.append(f"cluster changed: {before.cluster} -> {drawn.cluster}")
        verdict.details.append(("cluster", before.cluster, drawn.cluster))
    if drawn.spot != before.spot:
        causes.append("it becomes a spot machine" if drawn.spot else "it is a spot machine no longer")
        verdict.details.append(("spot", str(before.spot).lower(), str(drawn.spot).lower()))
    old, new = [nic.network for nic in before.nics], [nic.network for nic in drawn.nics]
    if old != new:
        for network in new:
            if network not in old:
                causes.append(f"a network card on {_short(network)} is needed")
        for network in old:
            if network not in new:
                causes.append(f"the network card on {_short(network)} is no longer drawn")
        if set(old) == set(new):
            causes.append("the order of the network cards changed")
        verdict.details.append(("networks", ", ".join(map(_short, old)), ", ".join(map(_short, new))))
    else:
        causes.extend(reason for network, reason in moved_networks.items() if network in new)
    if causes:
        verdict.change = "replace"
        verdict.causes.extend(causes)
        lost = lost_with(before)
        if lost:
            verdict.details.append(("lost with the system disk", ", ".join(lost), ""))


def _update(observed: ObservedResource, drawn: Machine, before: Machine, verdict: Verdict) -> None:
    ours, theirs = drawn.aspects(), before.aspects()
    changed = [
        name
        for name in ("cpus", "memory_mib", "size", "firewall", "disks", "addresses", "workloads", "userdata")
        if ours.get(name) != theirs.get(name)
    ]
    if not changed:
        return
    verdict.change, verdict.applies = "update", True
    verdict.there = all(
        name in ("cpus", "memory_mib", "size") and observed.attributes.get(name) == ours.get(name) for name in changed
    )
    for name, title, unit in (("cpus", "CPUs", ""), ("memory_mib", "memory", " MiB")):
        if name in changed and verdict.there:
            have = f"{ours[name]}{unit}" if unit else counted(ours[name], "CPU")
            verdict.causes.append(f"the drawing now says {have}, as it is on the cloud")
        elif name in changed:
            verdict.causes.append(f"{title} changed: {theirs[name]}{unit} -> {ours[name]}{unit}")
            verdict.details.append((title, f"{theirs[name]}{unit}", f"{ours[name]}{unit}"))
    if "size" in changed:
        if not verdict.there:
            verdict.causes.append(f"size changed: {before.size or 'any'} -> {drawn.size or 'any'}")
        verdict.details.append(("size", str(before.size or ""), str(drawn.size or "")))
    if "firewall" in changed:
        verdict.causes.append("it gets a firewall of its own" if drawn.firewall else "it has no firewall any more")
    if "disks" in changed:
        _disks(drawn, before, verdict)
    if "addresses" in changed:
        old = ", ".join(nic.address for nic in before.nics if nic.address)
        new = ", ".join(nic.address for nic in drawn.nics if nic.address)
        verdict.causes.append("private addresses changed")
        verdict.details.append(("addresses", old, new))
    if "workloads" in changed or "userdata" in changed:
        explain_services(before, drawn, verdict)


def _attach(
    drawn: Machine,
    applied: Applied | None,
    observed: ObservedResource,
    renewed: Set[str],
    verdict: Verdict,
    restore: bool,
) -> None:
    """See to it that data disks which an interrupted operation took off are attached again."""
    if verdict.change == "replace" or observed.attributes.get("disks") is None:
        return
    attached = {disk.get("volume") for disk in observed.attributes["disks"]}
    missing = [disk.volume for disk in drawn.disks if disk.volume not in attached and disk.volume not in renewed]
    if not missing or verdict.rewires:
        return
    shown = ", ".join(map(_short, missing))
    if applied is not None and applied.state == "running" and not verdict.applies and not restore:
        verdict.kept.append(f"its data disk {shown} was detached on the cloud")
        return
    verdict.change, verdict.applies, verdict.rewires = "update", True, True
    verdict.causes.append(f"the data disk {shown} is not attached")


def _disks(drawn: Machine, before: Machine, verdict: Verdict) -> None:
    verdict.rewires = True
    old, new = {disk.volume: disk for disk in before.disks}, {disk.volume: disk for disk in drawn.disks}
    for volume in sorted(new.keys() - old.keys()):
        verdict.causes.append(f"the data disk {_short(volume)} is attached")
        verdict.details.append(("data disk", "", _short(volume)))
    for volume in sorted(old.keys() - new.keys()):
        verdict.causes.append(f"the data disk {_short(volume)} is detached")
        verdict.details.append(("data disk", _short(volume), ""))


def explain_services(before: Machine, drawn: Machine, verdict: Verdict) -> None:
    """Say which services of a machine change, how, and what becomes of the others' containers."""
    old, new = _placed(before), _placed(drawn)
    old_part, new_part = _services(before), _services(drawn)
    renewed: list[str] = []
    for service in sorted(new.keys() - old.keys()):
        verdict.causes.append(f"{service} was added to the machine")
        verdict.details.append(("containers", "", f"{service} x{new[service][1]}"))
        renewed.append(service)
    for service in sorted(old.keys() - new.keys()):
        verdict.causes.append(f"{service} was removed from the machine")
        verdict.details.append(("containers", f"{service} x{old[service][1]}", ""))
    for service in sorted(new.keys() & old.keys()):
        (image, count), (was_image, was_count) = new[service], old[service]
        if image != was_image:
            verdict.causes.append(f"image of {service} changed: {was_image} -> {image}")
            verdict.details.append((f"image of {service}", was_image, image))
        if count != was_count:
            verdict.causes.append(f"replicas of {service} here changed: {was_count} -> {count}")
            verdict.details.append(("containers", f"{service} x{was_count}", f"{service} x{count}"))
        keys = _changed_keys(old_part.get(service), new_part.get(service)) - {"image", "scale"}
        if keys:
            verdict.causes.append(f"configuration of {service} changed: {', '.join(sorted(keys))}")
            verdict.details.append((f"configuration of {service}", "", ", ".join(sorted(keys))))
        if image != was_image or keys:
            renewed.append(service)
    files = _changed_files(before, drawn)
    if files:
        shown = listed(files, 5)
        verdict.causes.append(f"files changed: {shown}")
        verdict.details.append(("files", "", shown))
    if not verdict.causes:
        verdict.causes.append(_other(before, drawn))
    staying = sorted((new.keys() & old.keys()) - set(renewed))
    if renewed:
        verdict.details.append(("containers made anew", "", ", ".join(renewed)))
    if staying:
        verdict.details.append(("containers restarted with the machine, not made anew", "", ", ".join(staying)))


def _placed(machine: Machine) -> dict[str, tuple[str, int]]:
    """Return service -> (image, number of containers)."""
    found: dict[str, tuple[str, int]] = {}
    for workload in machine.workloads:
        found[workload.service] = (workload.image, found.get(workload.service, ("", 0))[1] + 1)
    return found


def _services(machine: Machine) -> Mapping[str, Mapping[str, Any]]:
    text = read_file(machine.userdata, _COMPOSE)
    try:
        found = json.loads(text)["services"] if text else {}
    except (ValueError, KeyError, TypeError):
        return {}
    return found if isinstance(found, dict) else {}


def _changed_keys(old: Mapping[str, Any] | None, new: Mapping[str, Any] | None) -> set[str]:
    if old is None or new is None:
        return set()
    return {key for key in old.keys() | new.keys() if old.get(key) != new.get(key)}


def _changed_files(before: Machine, drawn: Machine) -> list[str]:
    """Return the shipped files that differ, by their path on the machine; what the engine writes is told otherwise."""
    old = {entry["path"]: entry.get("content") for entry in before.userdata.get("write_files", ())}
    new = {entry["path"]: entry.get("content") for entry in drawn.userdata.get("write_files", ())}
    return sorted(
        path
        for path in old.keys() | new.keys()
        if old.get(path) != new.get(path) and path.startswith((f"{HOME}/files/", f"{HOME}/configs/"))
    )


def _other(before: Machine, drawn: Machine) -> str:
    try:
        old, new = (json.loads(read_file(machine.userdata, _SETTINGS) or "{}") for machine in (before, drawn))
    except ValueError:
        return "its user-data changed"
    keys = [key for key in sorted(old.keys() | new.keys()) if old.get(key) != new.get(key)]
    names = {"waits": "what it waits for", "after": "the order of start", "engine": "the container engine"}
    if keys:
        return f"{', '.join(names.get(key, key) for key in keys)} changed"
    return "networks, volumes or secrets of its containers changed"


def _power(applied: Applied | None, observed: ObservedResource, verdict: Verdict, restore: bool) -> None:
    power = str(observed.attributes.get("power") or "on")
    state = applied.state if applied else None
    if verdict.change == "replace":
        verdict.power = "restart"
        return
    if power == "on":
        verdict.power = "restart" if verdict.change == "update" and not verdict.there else "keep"
        return
    if state == "running" and not restore and not (power == "suspended" and verdict.change == "update"):
        # It ran when the last operation was done with it, so a person switched it off since.
        verdict.kept.append(f"it is {'switched off' if power == 'off' else power} on the cloud")
        return
    verdict.power = "restart" if power == "suspended" else "start"
    if verdict.change == "keep":
        verdict.change = "update"
        verdict.causes.append("it is not running" if power == "off" else f"it is {power}")


def lost_with(machine: Machine) -> list[str]:
    """Return what lies on the system disk of a machine because its services put it there."""
    found: list[str] = []
    for service, body in _services(machine).items():
        for mount in body.get("volumes") or ():
            source = str(mount.get("source") or "")
            if mount.get("type") == "volume" and not source:
                found.append(f"{mount.get('target')} of {service}")
            elif (
                mount.get("type") == "bind"
                and not mount.get("read_only")
                and not source.startswith((HOME, "/var/lib/escale/", "/var/run/", "/run/", "/proc", "/sys", "/dev"))
            ):
                found.append(f"{source} of {service}")
    return found


def _short(key: str) -> str:
    return key.partition(":")[2].removeprefix("@")
