"""Realise machines that run already: they are described, and nothing is made for them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from engine.realise.declared import Declared
from engine.realise.extension import mebibytes
from engine.realise.notes import Notes
from engine.resources import Machine, OwnDisk
from engine.wording import counted

_OF_NEW = ("template", "cluster", "datastore", "count")
_OF_ADOPTED = ("networks", "disks")


def adopted_machines(declared: Mapping[str, Declared], notes: Notes) -> list[Machine]:
    """Return the machines that a drawing adopts; a size that is not drawn is 0: it is whatever it is.

    Error findings: ``realise.adopted_key`` (a key that only a new machine can have), ``realise.adopted_twice``.
    """
    machines: list[Machine] = []
    holders: dict[str, str] = {}
    for one in declared.values():
        body = one.adopted
        assert body is not None
        identity = str(body["adopt"]["uuid"]).lower()
        other = holders.setdefault(identity, one.name)
        if other != one.name:
            notes.finding(
                "realise.adopted_twice",
                "error",
                f"{other} and {one.name} adopt the same machine ({identity}), and it can be only one of them: remove "
                "one.",
                (*one.path, "adopt"),
            )
        for key in _OF_NEW:
            if key in body:
                notes.finding(
                    "realise.adopted_key",
                    "error",
                    f"The machine {one.name} runs already, so its {key} cannot be chosen: remove the key, or remove "
                    "`adopt` to have a new machine made.",
                    (*one.path, key),
                )
        machine = _machine(one, body, identity)
        machines.append(machine)
        size = (
            f"{counted(machine.cpus, 'CPU')} and {machine.memory_mib} MiB"
            if machine.cpus and machine.memory_mib
            else "as found"
        )
        # What the machine has now is not known here: the plan says what changes, and who is stopped for it.
        touched = (
            "it gets Escale's markers; where CPUs, memory or disks are drawn anew they are changed, which stops and "
            "starts a machine that runs"
            if machine.cpus or machine.memory_mib or machine.own_disks
            else "it gets Escale's markers, and nothing else is touched"
        )
        reason = f"a machine that runs already ({size}): {touched}"
        notes.ledger(one.path, "honoured", reason, "x-escale.machines")
    return sorted(machines, key=lambda machine: machine.key)


def refuse_stray_keys(declared: Mapping[str, Declared], bodies: Mapping[str, Any], notes: Notes) -> None:
    """Refuse networks and disks of a machine that is new: its own come from services and the cloud's defaults."""
    for one in declared.values():
        for key in _OF_ADOPTED:
            if key in (bodies.get(one.name) or {}):
                notes.finding(
                    "realise.adopted_key",
                    "error",
                    f"The machine {one.name} is made anew, and `{key}` describes one that runs already: remove the "
                    "key, or say which machine it is (`adopt: {uuid: ...}`).",
                    (*one.path, key),
                )


def _machine(one: Declared, body: Mapping[str, Any], identity: str) -> Machine:
    disks = tuple(
        OwnDisk(str(disk["label"]), mebibytes(disk["size"]), disk.get("datastore")) for disk in body.get("disks") or ()
    )
    return Machine(
        key=f"machine:{one.name}",
        name=str(body["adopt"].get("name") or one.name),
        template="",
        cpus=one.cpus or 0,
        memory_mib=one.memory_mib or 0,
        nics=(),
        system_disk_gib=-(-sum(disk.size_mib for disk in disks) // 1024) or None,
        plain=True,
        adopted=identity,
        own_networks=tuple(map(str, body.get("networks") or ())),
        own_disks=disks,
    )
