"""Draw machines that run already: a Compose file that says what they are, and asks nothing of them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from engine.compose.rewriting import WORDS, quoted
from engine.found import FoundMachine
from engine.planner.adopted import why_not
from engine.realise.naming import natural
from engine.wording import counted

MAX_MACHINES = 1000
"""As many as one drawing may hold (``x-escale.machines``)."""
_MAX_LABEL = 40
_APPLIANCES = re.compile(
    r"vcenter|vcsa|vcls|\bnsx|nsx-|platform services|hcx|srm|vrops|aria|vra\b|vsan.?witness|vmware", re.IGNORECASE
)


@dataclass(frozen=True, slots=True)
class Refused:
    """A machine that cannot be adopted, and why."""

    id: str
    name: str
    reason: str


@dataclass(frozen=True, slots=True)
class Drawn:
    """A drawing of running machines. ``names``: machine's identity -> its name in the drawing."""

    text: str
    names: Mapping[str, str] = field(default_factory=dict)
    refused: tuple[Refused, ...] = ()
    warnings: tuple[str, ...] = ()


def draw(name: str, cloud: str, machines: Iterable[FoundMachine]) -> Drawn:
    """Return the drawing of those machines that can be adopted; equal machines give equal text, in any order.

    ``name``: what the design is called (``[a-z0-9][a-z0-9_-]*``). Whatever machines are called, their names stand
    quoted in the text and are never variables; the names of the drawing are made from them, and are unique.
    """
    known = {machine.id: machine for machine in machines}
    ordered = sorted(known.values(), key=lambda one: (natural(one.folder), natural(one.name), one.id))
    refused = tuple(Refused(one.id, one.name, reason) for one in ordered if (reason := why_not(one)))
    chosen = [one for one in ordered if not why_not(one)]
    names = labels(chosen)
    lines = [
        f"# Drawn by Escale from {counted(len(chosen), 'machine')} on {_comment(cloud)}.",
        "# Each is adopted as it is: it gets Escale's markers, and nothing else of it is touched.",
        f"name: {quoted(name)}",
        "services: {}",
        "x-escale:",
        "  machines:" if chosen else "  machines: {}",
    ]
    folder: str | None = None
    for machine in chosen:
        if machine.folder != folder:
            folder = machine.folder
            lines.append(f"    # Folder {_comment(folder) or 'of no name'}")
        lines.extend(_machine(names[machine.id], machine))
    return Drawn("\n".join(lines) + "\n", names, refused, tuple(_warnings(chosen)))


def labels(machines: Sequence[FoundMachine]) -> dict[str, str]:
    """Return what each machine is called in a drawing: its own name as far as a host name can hold it, made unique."""
    taken: set[str] = set()
    given: dict[str, str] = {}
    for machine in machines:
        plain = re.sub(r"[^a-z0-9]+", "-", machine.name.lower()).strip("-")[:_MAX_LABEL].strip("-") or "machine"
        label, number = plain, 1
        while label in taken:
            number += 1
            end = f"-{number}"
            label = plain[: _MAX_LABEL - len(end)].rstrip("-") + end
        taken.add(label)
        given[machine.id] = label
    return given


def size_text(size_mib: int) -> str:
    """Return a size as a drawing writes it: in GiB where they are whole."""
    return f"{size_mib // 1024}GiB" if size_mib and size_mib % 1024 == 0 else f"{size_mib}MiB"


def _machine(label: str, machine: FoundMachine) -> Iterable[str]:
    # Numbers ("0x1f", "1e3", "12") and words such as "on" would be read as other things than names.
    plain = label not in WORDS and not label[0].isdigit()
    yield f"    {label}:" if plain else f'    "{label}":'
    yield "      adopt:"
    yield f"        uuid: {quoted(machine.id.lower())}"
    yield f"        name: {quoted(machine.name[:200] or label)}"
    if machine.guest:
        yield f"      description: {quoted(machine.guest[:200])}"
    yield f"      cpus: {max(1, machine.cpus)}"
    yield f"      memory: {size_text(machine.memory_mib)}"
    if machine.networks:
        yield "      networks:"
        yield from (f"        - {quoted(network[:200])}" for network in machine.networks)
    if machine.disks:
        yield "      disks:"
        for disk in machine.disks:
            yield f"        - label: {quoted(disk.label[:200])}"
            yield f"          size: {size_text(disk.size_mib)}"
            if disk.datastore:
                yield f"          datastore: {quoted(disk.datastore[:200])}"


def _warnings(machines: Iterable[FoundMachine]) -> Iterable[str]:
    for machine in machines:
        if _APPLIANCES.search(machine.name) or _APPLIANCES.search(machine.annotation):
            yield (
                f"{machine.name} looks like an appliance that manages the cloud itself: adopting it changes nothing, "
                "but think twice before you resize it from here."
            )


def _comment(text: str) -> str:
    """Return a text that stays inside of its comment."""
    return "".join(character if character.isprintable() else " " for character in text[:200]).strip()
