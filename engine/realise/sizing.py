"""Give machines the sizes that a cloud sells: the smallest that holds what was asked for, with its cards."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from engine.observed import SizeFact, Target
from engine.realise.declared import Declarations
from engine.realise.notes import Notes
from engine.realise.prior import Prior
from engine.realise.settings import Settings
from engine.resources import Machine
from engine.sizes import ARCHITECTURE, choose
from engine.wording import counted, listed

_SHOWN = 8


class Sizer:
    """Choose the sizes of one drawing's machines, and whether they are spot: ones that the cloud may take away.

    Where a cloud makes machines of any size, they stay as they are. Error finding: ``realise.size_missing``. Info:
    ``realise.sizes``. ``drawn``: the top level of the drawing's extension.
    """

    def __init__(
        self,
        target: Target,
        settings: Settings,
        drawn: Mapping[str, Any],
        declarations: Declarations,
        prior: Prior,
        notes: Notes,
    ) -> None:
        self.settings, self.drawn, self.declarations, self.prior, self.notes = (
            settings,
            drawn,
            declarations,
            prior,
            notes,
        )
        self.sizes = {size.name: size for size in target.inventory.sizes}
        self.sells_spot = any(size.spot for size in target.inventory.sizes)
        self._told: set[tuple[int, int, int, int, bool]] = set()

    def fit(self, machines: Sequence[Machine]) -> list[Machine]:
        """Return the machines with their sizes; the keys that are about spot get their ledger entries."""
        spot = [self._spot(machine) for machine in machines]
        self._tell_spot()
        if not self.sizes:
            return list(machines)
        rooms = self._rooms(machines)
        made = [
            self._one(machine, is_spot, *rooms[self._alike(machine)])
            for machine, is_spot in zip(machines, spot, strict=True)
        ]
        self._tell_sizes(made)
        return made

    def _rooms(self, machines: Sequence[Machine]) -> dict[str, tuple[int, int]]:
        """Return how many cards, and addresses on one, machines that are alike need."""
        rooms: dict[str, tuple[int, int]] = {}
        for machine in machines:
            cards, addresses = rooms.get(self._alike(machine), (1, 1))
            most = max((1 + len(nic.aliases) for nic in machine.nics), default=1)
            rooms[self._alike(machine)] = max(cards, len(machine.nics)), max(addresses, most)
        return rooms

    def _alike(self, machine: Machine) -> str:
        """Return what machines of one pool share, and no other does."""
        declared = self.declarations.of_label.get(_label(machine))
        return declared.name if declared is not None and declared.pool else machine.key

    def _one(self, machine: Machine, spot: bool, cards: int, addresses: int) -> Machine:
        asked = (machine.cpus, machine.memory_mib)
        before = self.prior.machines.get(_label(machine), {})
        size = self.sizes.get(str(before.get("size")))
        # What was chosen once stays, though a new size may fit better by now: a machine is not stopped for that.
        settled = before.get("asked") and tuple(before["asked"]) == asked and bool(before.get("spot")) == spot
        if not (settled and size is not None and _holds(size, cards, addresses)):
            size = choose(self.sizes.values(), *asked, cards, addresses, spot)
        if size is None:
            self._missing(machine, asked, cards, addresses, spot)
            return replace(machine, asked=asked, spot=spot)
        return replace(machine, cpus=size.cpus, memory_mib=size.memory_mib, size=size.name, asked=asked, spot=spot)

    def _missing(self, machine: Machine, asked: tuple[int, int], cards: int, addresses: int, spot: bool) -> None:
        wish = (*asked, cards, addresses, spot)
        if wish in self._told:
            return
        self._told.add(wish)
        needs = f"{counted(asked[0], 'CPU')}, {asked[1]} MiB and {counted(cards, 'network card')}"
        if addresses > 1:
            needs += f" with {addresses} addresses on one"
        usable = [size for size in self.sizes.values() if size.architecture == ARCHITECTURE and (size.spot or not spot)]
        have = sorted(usable, key=lambda size: (size.cpus, size.memory_mib, size.nics, size.name))[-4:]
        largest = ", ".join(
            f"{size.name} has {size.cpus}, {size.memory_mib} MiB and {counted(size.nics, 'card')}"
            for size in reversed(have)
        )
        self.notes.finding(
            "realise.size_missing",
            "error",
            f"The machine {machine.name} needs {needs}, and this cloud sells no {'spot ' if spot else ''}machine of "
            f"that size ({largest or 'it sells none'}): ask for less (x-escale: {{cpus, memory}} of its services), let "
            f"services share networks{', or do without spot' if spot else ''}.",
            self._path(machine),
        )

    def _path(self, machine: Machine) -> tuple[str, ...]:
        declared = self.declarations.of_label.get(_label(machine))
        return declared.path if declared is not None else ()

    # Spot.

    def _spot(self, machine: Machine) -> bool:
        declared = self.declarations.of_label.get(_label(machine))
        own = declared.spot if declared is not None else None
        return self.sells_spot and (self.settings.spot if own is None else own)

    def _tell_spot(self) -> None:
        general = (self.drawn.get("machine") or {}).get("spot")
        if general is not None:
            self._tell_spot_at(("x-escale", "machine", "spot"), general)
        for declared in self.declarations.machines.values():
            if declared.spot is not None:
                self._tell_spot_at((*declared.path, "spot"), declared.spot)

    def _tell_spot_at(self, path: tuple[str, ...], wanted: bool) -> None:
        if self.sells_spot or not wanted:
            said = "is bought at the spot price, and the cloud may take it away at short notice"
            reason = said if wanted else "is never taken away by the cloud"
            self.notes.ledger(path, "honoured", reason, "x-escale.spot", covers=False)
        else:
            self.notes.ledger(
                path, "dropped", "this cloud sells no machines that it may take away; it is an ordinary one",
                "x-escale.spot", covers=False,
            )  # fmt: skip

    def _tell_sizes(self, machines: Sequence[Machine]) -> None:
        chosen: dict[str, list[str]] = {}
        for machine in machines:
            if machine.size:
                chosen.setdefault(f"{machine.size}{' (spot)' if machine.spot else ''}", []).append(_label(machine))
        if chosen:
            said = "; ".join(f"{size} for {listed(labels, _SHOWN)}" for size, labels in sorted(chosen.items()))
            self.notes.finding("realise.sizes", "info", f"The smallest sizes that fit were chosen: {said}.")


def _holds(size: SizeFact, cards: int, addresses: int) -> bool:
    return size.nics >= cards and size.addresses >= addresses


def _label(machine: Machine) -> str:
    return machine.key.removeprefix("machine:")
