"""Plan for machines that run already: mark them, change what the drawing changes, let them go; never make or delete."""

from __future__ import annotations

from collections.abc import Container, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from engine.found import FoundMachine
from engine.observed import ObservedResource
from engine.plan import ResourceChange
from engine.planner.comparison import Detail, spec_of
from engine.planner.sides import Applied, snapshots
from engine.planner.situation import MISSING, Situation
from engine.planner.steps import Steps
from engine.resources import Machine, OwnDisk, config_hash
from engine.wording import counted, listed

MARKED = "runs already: it is marked as this machine, and nothing else of it is touched"
RELEASED = "Escale's markers are taken off, and the machine stays as it is"
STOPPED = (
    "it is stopped for that and started again; one without guest tools, or whose guest does not stop in time, is "
    "switched off hard"
)
_SIZES = (("cpus", "CPUs", ""), ("memory_mib", "memory", " MiB"))


@dataclass(slots=True)
class _Comparison:
    """How one adopted machine differs: what changes, what is left alone, what cannot be done."""

    effective: Machine
    causes: list[str] = field(default_factory=list)
    details: list[Detail] = field(default_factory=list)
    kept: list[str] = field(default_factory=list)
    hardware: bool = False  # more than a marker has to be written


class Adopter:
    """Add what becomes of a drawing's adopted machines to a plan.

    ``adoptable``: machines as they are now, by identity; those that are missing there do not exist. ``restore``: put
    the drawing's values back where somebody changed them on the cloud.
    """

    def __init__(self, now: Situation, adoptable: Mapping[str, FoundMachine], *, restore: bool) -> None:
        self.now, self.adoptable, self.restore = now, adoptable, restore
        self._stopped: list[str] = []  # machines that run now and are stopped for their changes

    def plan(self, machine: Machine) -> None:
        """Add what becomes of one machine."""
        found = self.now.existing.get(machine.key)
        applied = self.now.prior.get(machine.key)
        before = applied.resource if applied and isinstance(applied.resource, Machine) else None
        if found is None:
            self._adopt(machine, before)
        elif not found.attributes.get("adopted"):
            self._refuse(
                "plan.adopt_made",
                machine,
                f"{machine.name} is drawn as a machine that runs already, and this deployment made one of that name "
                f"itself ({found.external_id}): give the adopted machine another name in the drawing.",
            )
        elif found.external_id.lower() != machine.adopted:
            self._refuse(
                "plan.adopt_other",
                machine,
                f"{machine.key.partition(':')[2]} was {found.external_id}, and the drawing now names "
                f"{machine.adopted}: one cannot become the other. Give the new one a name of its own in the drawing.",
            )
        else:
            self._compare(machine, before, applied, found)

    def warn(self) -> None:
        """Add the finding that names the machines which run now and are stopped: once all machines are planned."""
        if self._stopped:
            self.now.steps.finding(
                "plan.restart",
                "warning",
                f"Running now, and stopped and started again by this plan: {listed(self._stopped, 10)}. What "
                "runs there is away meanwhile, and a machine without guest tools, or whose guest does not stop in "
                "time, is switched off hard: start the plan when that does no harm.",
            )

    def _refuse(self, code: str, machine: Machine, message: str) -> None:
        self.now.steps.finding(code, "error", message)
        self.now.note(machine, "keep", "cannot be adopted as drawn")

    # Machines that do not carry our markers yet.

    def _adopt(self, machine: Machine, before: Machine | None) -> None:
        assert machine.adopted is not None
        found = self.adoptable.get(machine.adopted)
        if found is None and before is not None and before.adopted == machine.adopted:
            self.now.steps.finding(
                "plan.adopt_gone",
                "warning",
                f"{machine.name} ({machine.adopted}) was adopted and is not on this cloud any more. It was not made "
                "here, so it cannot be made again: take it out of the drawing.",
            )
            self.now.note(machine, "keep", "is gone from the cloud")
            return
        if found is None:
            self._refuse(
                "plan.adopt_missing",
                machine,
                f"{machine.name} ({machine.adopted}) is not on this cloud, or its user may not see it: take it out of "
                "the drawing, or plan for the cloud that it is on.",
            )
            return
        reason = why_not(found)
        if reason:
            self._refuse("plan.adopt_refused", machine, f"{found.name} cannot be adopted: {reason}")
            return
        comparison = _Comparison(machine)
        _measure(machine, machine, _facts(found), comparison)
        if before is not None and before.adopted == machine.adopted:
            cause = f"its markers are {MISSING}; it is marked again, and nothing else of it is touched"
        else:
            cause = MARKED
        for drift in comparison.kept:
            self._keep(machine, drift, "it is adopted as it is")
        effective = comparison.effective
        self.now.steps.act(
            "machine.adopt",
            machine.key,
            found.name,
            "update",
            cause,
            spec=spec_of(effective, machine),
            external_id=found.id,
        )
        written = "escale.organization, escale.project, escale.deployment, escale.resource, escale.step, escale.hash"
        details = [
            ("markers", "", written),
            ("size, as it is", "", f"{counted(effective.cpus, 'CPU')}, {effective.memory_mib} MiB"),
            ("networks, as they are", "", ", ".join(found.networks) or "none"),
            (
                "disks, as they are",
                "",
                ", ".join(f"{disk.label}: {disk.size_mib / 1024:g} GiB" for disk in found.disks),
            ),
        ]
        self.now.note(machine, "update", cause, details)

    # Machines that carry them.

    def _compare(
        self, machine: Machine, before: Machine | None, applied: Applied | None, found: ObservedResource
    ) -> None:
        comparison = _Comparison(machine)
        was = before if before is not None else machine
        if machine.own_networks and was.own_networks and machine.own_networks != was.own_networks:
            self._refuse(
                "plan.adopt_networks",
                machine,
                f"The networks of {machine.name} are drawn anew ({', '.join(machine.own_networks)}), and its cards "
                f"were not made here, so they are never moved: draw {', '.join(was.own_networks)} again, or change the "
                "cards on the cloud first.",
            )
            return
        if not self._disks_can_change(machine, was):
            return
        _measure(machine, was, found.attributes, comparison, restore=self.restore)
        starts = self._power(applied, found, comparison)
        for drift in comparison.kept:
            self._keep(machine, drift, "the drawing did not change there, so it is kept")
        marked = found.config_hash == config_hash(machine)
        if marked and not comparison.causes:
            self.now.note(machine, "keep", "as drawn")
            return
        cause = (
            "; ".join(comparison.causes) or "the drawing says what is on the cloud already; only a marker is written"
        )
        if comparison.hardware and found.attributes.get("power") == "on":
            self._stopped.append(machine.name)
            comparison.details.append(("power", "on", "stopped, changed, started again"))
            cause = f"{cause}; {STOPPED}"
        self.now.note(machine, "update", f"adopted: {cause}", comparison.details)
        self._update(machine, found, comparison, cause, starts, marked)

    def _update(
        self,
        machine: Machine,
        found: ObservedResource,
        comparison: _Comparison,
        cause: str,
        starts: bool,
        marked: bool,
    ) -> None:
        key, name, external_id = machine.key, machine.name, found.external_id
        last: list[str] = []
        running = found.attributes.get("power") == "on"
        act = self.now.steps.act
        if comparison.hardware and running:
            last = [act("machine.stop", key, name, "update", cause, external_id=external_id, uses=[key])]
        if comparison.hardware or not marked:
            spec = spec_of(comparison.effective, machine)
            last = [
                act(
                    "machine.update", key, name, "update", cause, after=last, spec=spec, external_id=external_id,
                    uses=[key],
                )
            ]  # fmt: skip
        if (comparison.hardware and running) or starts:
            started = act("machine.start", key, name, "update", cause, after=last, external_id=external_id, uses=[key])
            act(
                "machine.ready", key, name, "update", cause, after=[started], spec={"plain": True},
                external_id=external_id, uses=[key],
            )  # fmt: skip

    def _power(self, applied: Applied | None, found: ObservedResource, comparison: _Comparison) -> bool:
        """Tell whether the machine is to be started: only on request, and only when it ran before."""
        power = str(found.attributes.get("power") or "on")
        if power == "on" or applied is None or applied.state != "running":
            return False
        told = f"it is {'switched off' if power == 'off' else power} on the cloud"
        if not self.restore:
            comparison.kept.append(told)
            return False
        comparison.causes.append(f"{told}, and is started again")
        comparison.details.append(("power", power, "on"))
        return True

    def _disks_can_change(self, machine: Machine, was: Machine) -> bool:
        if not machine.own_disks or not was.own_disks:
            return True
        old, new = {disk.label: disk for disk in was.own_disks}, {disk.label: disk for disk in machine.own_disks}
        if old.keys() != new.keys() or len(new) != len(machine.own_disks):
            self._refuse(
                "plan.adopt_disks",
                machine,
                f"The disks of {machine.name} are drawn anew ({', '.join(new)}), and they were not made here, so none "
                f"is added or taken off: draw {', '.join(old)} again.",
            )
            return False
        shrunk = [label for label, disk in new.items() if disk.size_mib < old[label].size_mib]
        if shrunk:
            self._refuse(
                "plan.volume_shrink",
                machine,
                f"{', '.join(shrunk)} of {machine.name} would become smaller: a disk cannot shrink without losing "
                "data. Draw at least its present size.",
            )
            return False
        grown = [label for label, disk in new.items() if disk.size_mib > old[label].size_mib]
        found = self.now.existing[machine.key]
        if grown and snapshots(found):
            self.now.check_snapshots(machine.key, f"{', '.join(grown)} would be extended")
            self.now.note(machine, "keep", "its disks cannot be extended now")
            return False
        return True

    def _keep(self, machine: Machine, drift: str, why: str) -> None:
        self.now.steps.finding("plan.drift_kept", "info", f"{machine.name}: {drift}; {why}.")


def why_not(found: FoundMachine) -> str:
    """Return why a machine cannot be adopted and what now, empty when it can."""
    if found.owned:
        return (
            "it carries the markers of another deployment, which it belongs to. Release it there, or take it out of "
            "the drawing."
        )
    if found.copies > 1:
        return (
            f"{found.copies} machines have its identity ({found.id}), as copies made by hand do, and which one is "
            "meant cannot be told. Give the others identities of their own first."
        )
    if found.template:
        return "it is a template, which never runs. Make a machine of it first, or take it out of the drawing."
    return ""


def release(steps: Steps, found: ObservedResource, name: str, cause: str, spec: Mapping[str, Any]) -> str:
    """Add what takes the markers off a machine; return the action's key."""
    return steps.act(
        "machine.release",
        found.key,
        name,
        "update",
        f"{cause}: {RELEASED}",
        spec=spec,
        external_id=found.external_id,
        uses=[found.key],
    )


def release_gone(
    steps: Steps, prior: Mapping[str, Applied], existing: Mapping[str, Any], wanted: Container[str]
) -> None:
    """Add the release of machines that were adopted, are wanted no more, and cannot be found by their markers."""
    for key, applied in sorted(prior.items()):
        machine = applied.resource
        if key in existing or key in wanted or not isinstance(machine, Machine) or machine.adopted is None:
            continue
        cause = "it is not on the cloud any more, or has lost its markers; it is forgotten here"
        lost = ObservedResource(key, "machine", machine.adopted, "")
        release(steps, lost, machine.name, cause, spec_of(machine, machine))
        steps.change(ResourceChange(key, "machine", machine.name, "update", cause))


def _facts(found: FoundMachine) -> Mapping[str, Any]:
    return found.observed().attributes


def _measure(
    drawn: Machine, was: Machine, found: Mapping[str, Any], comparison: _Comparison, *, restore: bool = False
) -> None:
    """Compare sizes, networks and disks: apply what the drawing changed, keep or undo what the cloud changed."""
    sizes: dict[str, int] = {}
    for name, title, unit in _SIZES:
        wanted, before = getattr(drawn, name), getattr(was, name)
        have = int(found.get(name) or wanted or before)
        if not wanted or wanted == have:
            sizes[name] = have
            continue
        if wanted == before and not restore:
            sizes[name] = have
            comparison.kept.append(
                f"it has {f'{have}{unit} of memory' if unit else counted(have, 'CPU')} on the cloud, "
                f"{wanted} {'is' if wanted == 1 else 'are'} drawn"
            )
            continue
        sizes[name] = wanted
        comparison.hardware = True
        again = "; the drawing's value is restored" if wanted == before else ""
        comparison.causes.append(f"{title} changed: {have}{unit} -> {wanted}{unit}{again}")
        comparison.details.append((title, f"{have}{unit}", f"{wanted}{unit}"))
    networks = tuple(map(str, found.get("own_networks") or ()))
    if drawn.own_networks and networks != drawn.own_networks:
        comparison.kept.append(
            f"its cards are on {', '.join(networks) or 'no network'}, {', '.join(drawn.own_networks)} are drawn"
            + (", and cards of an adopted machine are never moved" if restore else "")
        )
    comparison.effective = replace(
        drawn,
        cpus=sizes["cpus"],
        memory_mib=sizes["memory_mib"],
        own_disks=_own_disks(drawn, was, found, comparison, restore),
        own_networks=networks if drawn.own_networks else (),
    )


def _own_disks(
    drawn: Machine, was: Machine, found: Mapping[str, Any], comparison: _Comparison, restore: bool
) -> tuple[OwnDisk, ...]:
    have = {str(disk["label"]): OwnDisk(**disk) for disk in found.get("own_disks") or ()}
    before = {disk.label: disk.size_mib for disk in was.own_disks}
    if not drawn.own_disks:
        return ()
    effective: list[OwnDisk] = []
    for disk in drawn.own_disks:
        there = have.get(disk.label)
        if there is None:
            comparison.kept.append(f"its disk {disk.label} is not on the cloud any more")
            effective.append(disk)
        elif there.size_mib > disk.size_mib:
            comparison.kept.append(
                f"its disk {disk.label} has {there.size_mib / 1024:g} GiB on the cloud, {disk.size_mib / 1024:g} are "
                "drawn" + (", and a disk cannot shrink" if restore else "")
            )
            effective.append(there)
        elif there.size_mib < disk.size_mib and (restore or disk.size_mib != before.get(disk.label)):
            size, wanted = f"{there.size_mib / 1024:g} GiB", f"{disk.size_mib / 1024:g} GiB"
            comparison.hardware = True
            comparison.causes.append(f"{disk.label} grows: {size} -> {wanted}")
            comparison.details.append((disk.label, size, wanted))
            effective.append(disk)
        elif there.size_mib < disk.size_mib:
            comparison.kept.append(
                f"its disk {disk.label} has {there.size_mib / 1024:g} GiB on the cloud, {disk.size_mib / 1024:g} are "
                "drawn"
            )
            effective.append(there)
        else:
            effective.append(disk)
    added = sorted(have.keys() - {disk.label for disk in drawn.own_disks})
    if added:
        comparison.kept.append(f"it has a disk that is not drawn ({listed(added, 4)})")
    return tuple(effective)
