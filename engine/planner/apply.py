"""Plan what makes the cloud as drawn."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from engine import graph
from engine.collector import paused_collector
from engine.found import FoundMachine
from engine.observed import ObservedResource, ObservedState
from engine.plan import Change, Plan, ResourceChange
from engine.planner import removal
from engine.planner.adopted import Adopter, release_gone
from engine.planner.comparison import Verdict, compare, spec_of
from engine.planner.ground import Ground
from engine.planner.openings import Openings
from engine.planner.sides import (
    Applied,
    fingerprint,
    machines,
    own_disks,
    read_prior,
)
from engine.planner.situation import FOLDER, MISSING, NEW, Situation
from engine.planner.steps import Steps, action_key
from engine.realise.desired import Desired
from engine.resources import Machine, Owner, to_json
from engine.wording import counted


def plan(
    desired: Desired,
    observed: ObservedState,
    prior: Mapping[str, Mapping[str, Any]],
    owner: Owner,
    target_name: str,
    *,
    adoptable: Mapping[str, FoundMachine] | None = None,
    restore: bool = False,
) -> Plan:
    """Return the plan that makes what exists as drawn; empty when nothing differs.

    ``prior``: resource key -> what was applied last (an ``Action.spec`` or a ``Plan.desired`` entry), optionally with
    ``state``: "running" tells that a machine which is off now was switched off by somebody, and stays off; without it a
    machine that is off is started. ``adoptable``: machines as they are now that the drawing adopts and that carry none
    of the deployment's markers, by identity. ``restore``: what somebody changed on the cloud is not kept but undone.
    A plan with error findings must not be executed.
    """
    with paused_collector():
        return _Planner(desired, observed, prior, owner, target_name, adoptable or {}, restore).run()


class _Planner:
    def __init__(
        self,
        desired: Desired,
        observed: ObservedState,
        prior: Mapping[str, Mapping[str, Any]],
        owner: Owner,
        target_name: str,
        adoptable: Mapping[str, FoundMachine],
        restore: bool,
    ) -> None:
        self.restore = restore
        self.desired, self.observed, self.owner, self.target = desired, observed, owner, target_name
        self.prior: dict[str, Applied] = read_prior(prior)
        self.base = fingerprint(observed, prior, adoptable)
        self.steps = Steps(owner)
        self.existing: Mapping[str, ObservedResource] = observed.resources
        self.now = Situation(desired.resources, self.existing, self.prior, self.steps)
        self.ground = Ground(self.now, restore=restore)
        self.openings = Openings(self.now, self.ground, restore=restore)
        self.adopter = Adopter(self.now, adoptable, restore=restore)
        self.releasing: set[str] = set()  # machines that are updated and give disks to others
        self.blocked: set[str] = set()  # machines that must not be deleted
        self._placed: dict[tuple[str, int], str] | None = None  # workload -> machine it was on
        self.doomed: dict[str, str] = {}  # machine that is deleted or replaced -> its last action

    def run(self) -> Plan:
        wanted = self.desired.resources
        removal.tell_strays(self.observed, self.steps)
        self.ground.folder()
        self.ground.networks()
        self.ground.volumes()
        self.openings.firewalls()
        gone = [key for key in sorted(self.existing) if key not in wanted]
        verdicts = self._compare()
        self._release(verdicts, gone)
        for machine in machines(wanted):
            if machine.adopted is not None:
                self.adopter.plan(machine)
            elif machine.key not in self.blocked or machine.key in verdicts:
                self._machine(machine, verdicts.get(machine.key))
        self.adopter.warn()
        self._order_starts()
        self.openings.balancers()
        remover = removal.Remover(self.steps, self.existing, self.prior, self.blocked, self.doomed)
        remover.remove(
            gone,
            cause=self._cause_of_removal,
            keep_folder=True,
            replaced_networks={
                key: reason for key, reason in self.ground.moved_networks.items() if key in self.existing
            },
        )
        release_gone(self.steps, self.prior, self.existing, wanted)
        actions = self.steps.actions()
        return Plan(
            owner=self.owner,
            target=self.target,
            actions=actions,
            changes=tuple(sorted(self.steps.changes, key=_display_order)),
            ledger=self.desired.ledger,
            findings=(*self.desired.findings, *self.steps.findings),
            requirements=self.desired.requirements,
            base=self.base,
            desired={key: to_json(resource) for key, resource in wanted.items()},
        )

    def _cause_of_removal(self, key: str) -> str:
        if key not in self.prior:
            return "is not drawn; an operation that did not finish left it"
        return "was removed from the drawing"

    # Machines.

    def _compare(self) -> dict[str, Verdict]:
        verdicts: dict[str, Verdict] = {}
        renewed = self.ground.renewed_volumes | self.openings.renewed
        for machine in machines(self.desired.resources):
            found = self.existing.get(machine.key)
            if found is None or machine.adopted is not None:
                continue
            if found.attributes.get("adopted"):
                self._adopted_before(machine, found)
                continue
            verdict = compare(
                machine,
                self.prior.get(machine.key),
                found,
                renewed,
                self.ground.moved_networks,
                self.restore,
            )
            verdicts[machine.key] = verdict
            for drift in verdict.kept:
                self.steps.finding(
                    "plan.drift_kept",
                    "info",
                    f"{machine.name}: {drift}; the drawing did not change there, so it is kept.",
                )
            if verdict.change == "replace" and self._may_go(found, machine.name, "replaced"):
                self.doomed[machine.key] = action_key(machine.key, "machine.delete")
        return verdicts

    def _adopted_before(self, machine: Machine, found: ObservedResource) -> None:
        """Refuse to make a machine in the place of one that was adopted: that would replace what was never ours."""
        self.blocked.add(machine.key)
        self.steps.finding(
            "plan.adopt_replaced",
            "error",
            f"{machine.key.partition(':')[2]} is an adopted machine ({found.attributes.get('name')}), and the drawing "
            "no longer says so (adopt), so a new one would take its name: say `adopt` again, or give the new machine "
            "another name; the adopted one is then released, and stays as it is.",
        )
        self.now.note(machine, "keep", "is an adopted machine, which is never replaced")

    def _may_go(self, found: ObservedResource, name: str, what: str) -> bool:
        problem = removal.objection(found, name, what)
        if problem is None:
            return True
        self.blocked.add(found.key)
        self.steps.findings.append(problem)
        return False

    def _machine(self, machine: Machine, verdict: Verdict | None) -> None:
        if verdict is None:
            cause = self._why_new(machine)
            self._make(machine, "create", cause, spec_of(machine, machine))
            self.now.note(machine, "create", cause, _content(machine))
            return
        if verdict.change == "keep":
            self.now.note(machine, "keep", verdict.cause)
            return
        found = self.existing[machine.key]
        self.now.note(machine, verdict.change, verdict.cause, verdict.details, verdict.change == "replace")
        if verdict.change == "replace":
            if machine.key in self.blocked:
                return
            self._tear_down(machine, found, verdict.cause)
            self._make(machine, "replace", verdict.cause, verdict.spec, [action_key(machine.key, "machine.delete")])
        else:
            self._update(machine, found, verdict)

    def _why_new(self, machine: Machine) -> str:
        if self.now.first:
            return NEW
        if machine.key in self.prior:
            return MISSING
        before = self._placement()
        if machine.plain:
            return "was added to the drawing"
        said: list[str] = []
        known = {service for service, _ in before}
        services = list(dict.fromkeys(workload.service for workload in machine.workloads))
        added = [service for service in services if service not in known]
        if added:
            said.append(f"{', '.join(added[:5])} {'was' if len(added) == 1 else 'were'} added to the drawing")
        copies = [workload for workload in machine.workloads if workload.service in known]
        scaled = [f"{copy.service}/{copy.replica}" for copy in copies if (copy.service, copy.replica) not in before]
        if scaled:
            said.append(f"scaled up: {', '.join(scaled[:5])}")
        moved = [
            f"{copy.service}/{copy.replica} from {before[copy.service, copy.replica].partition(':')[2]}"
            for copy in copies
            if (copy.service, copy.replica) in before
        ]
        if moved:
            said.append(f"takes over {', '.join(moved[:5])}")
        return "; ".join(said) or "was added to the drawing"

    def _placement(self) -> Mapping[tuple[str, int], str]:
        if self._placed is None:
            self._placed = {
                (workload.service, workload.replica): machine.key
                for applied in self.prior.values()
                if isinstance(machine := applied.resource, Machine)
                for workload in machine.workloads
            }
        return self._placed

    def _ground(self, machine: Machine) -> list[str]:
        """Return the actions that what a machine stands on and holds needs first."""
        needs = [action_key(FOLDER, "folder.create")]
        needs.extend(action_key(nic.network, "network.create") for nic in machine.nics)
        if machine.firewall:
            needs.append(action_key(machine.firewall, "firewall.create"))
        for disk in machine.disks:
            needs.append(action_key(disk.volume, "volume.create"))
            needs.append(action_key(disk.volume, "volume.extend"))
            holder = self.now.holder(disk.volume)
            if holder is not None and holder != machine.key:
                needs.append(action_key(holder, "machine.detach"))
        return needs

    def _release(self, verdicts: Mapping[str, Verdict], gone: Sequence[str]) -> None:
        """Note which machines give disks away to others: a disk is on one machine at a time.

        They detach first and attach what they keep with their update, so that two machines can exchange disks.
        """
        for machine in machines(self.desired.resources):
            verdict = verdicts.get(machine.key)
            if verdict is not None and verdict.change != "replace" and not verdict.applies:
                continue
            if machine.adopted is not None:
                continue
            for disk in machine.disks:
                holder = self.now.holder(disk.volume)
                if holder == machine.key or holder in self.doomed or holder in gone:
                    continue
                if holder is not None and verdicts[holder].applies:
                    self.releasing.add(holder)
                elif holder is not None or self._elsewhere(disk.volume):
                    where = holder.partition(":")[2] if holder else "a machine that this deployment never made"
                    self.steps.finding(
                        "plan.volume_in_use",
                        "error",
                        f"The volume {disk.volume.partition(':')[2]} is needed on {machine.name}, and somebody has "
                        f"attached it to {where}: detach it there and plan again.",
                    )

    def _elsewhere(self, volume: str) -> bool:
        found = self.existing.get(volume)
        attached = found.attributes.get("attached_to") if found else None
        return bool(attached) and all(attached != other.external_id for other in self.existing.values())

    def _make(
        self, machine: Machine, change: Change, cause: str, spec: Mapping[str, Any], after: Sequence[str] = ()
    ) -> None:
        key, name = machine.key, machine.name
        uses = [FOLDER, *_stands_on(machine)]
        made = self.steps.act(
            "machine.create", key, name, change, cause, after=[*self._ground(machine), *after], spec=spec, uses=uses
        )
        started = self.steps.act("machine.start", key, name, change, cause, after=[made], uses=[key])
        self.steps.act("machine.ready", key, name, change, cause, after=[started], spec=_awaited(machine), uses=[key])

    def _tear_down(self, machine: Machine, found: ObservedResource, cause: str) -> None:
        removal.delete_machine(self.steps, found, self.prior.get(machine.key), machine.name, "replace", cause)

    def _update(self, machine: Machine, found: ObservedResource, verdict: Verdict) -> None:
        key, name, external_id = machine.key, machine.name, found.external_id
        if verdict.rewires or key in self.releasing:
            self.now.check_snapshots(key, "its data disks would change")
        before: list[str] = []
        if verdict.power == "restart":
            before.append(
                self.steps.act("machine.stop", key, name, "update", verdict.cause, external_id=external_id, uses=[key])
            )
        if key in self.releasing:
            before.append(
                self.steps.act(
                    "machine.detach",
                    key,
                    name,
                    "update",
                    verdict.cause,
                    after=before[-1:],
                    external_id=external_id,
                    uses=[key, *own_disks(found, self.prior.get(key))],
                )
            )
        if verdict.applies:
            uses = [key, FOLDER, *_stands_on(machine)]
            before.append(
                self.steps.act(
                    "machine.update",
                    key,
                    name,
                    "update",
                    verdict.cause,
                    after=[*before[-1:], *self._ground(machine)],
                    spec=verdict.spec,
                    external_id=external_id,
                    uses=uses,
                )
            )
        if verdict.power in ("restart", "start"):
            started = self.steps.act(
                "machine.start",
                key,
                name,
                "update",
                verdict.cause,
                after=before[-1:],
                external_id=external_id,
                uses=[key],
            )
            self.steps.act(
                "machine.ready",
                key,
                name,
                "update",
                verdict.cause,
                after=[started],
                spec=_awaited(machine),
                external_id=external_id,
                uses=[key],
            )

    def _order_starts(self) -> None:
        """Let a machine start when those that its services depend on are ready; a round of waiting starts together."""
        starting = {
            machine.key: [
                other
                for other in self.desired.start_after.get(machine.key, ())
                if self.steps.has(other, "machine.ready")
            ]
            for machine in machines(self.desired.resources)
            if self.steps.has(machine.key, "machine.start")
        }
        order, rounds = graph.without_cycles(starting)
        for group in rounds:
            names = ", ".join(key.partition(":")[2] for key in group[:8])
            self.steps.finding(
                "plan.start_cycle",
                "warning",
                f"Services on {names} depend on each other across these machines, so the machines start together; "
                f"their "
                "containers wait for each other's ports. Put services that depend on each other in a round on one "
                "machine "
                "(x-escale.affinity) to have them start in order.",
            )
        for key, others in order.items():
            self.steps.order(action_key(key, "machine.start"), [action_key(other, "machine.ready") for other in others])


def _awaited(machine: Machine) -> dict[str, Any]:
    """Return what a connector must know to wait for a machine: a plain one may never report an address."""
    return {"plain": True} if machine.plain else {}


def _stands_on(machine: Machine) -> list[str]:
    """Return the networks, firewall and volumes that a machine is made with."""
    firewall = [machine.firewall] if machine.firewall else []
    return [*(nic.network for nic in machine.nics), *firewall, *(disk.volume for disk in machine.disks)]


def _content(machine: Machine) -> list[tuple[str, str, str]]:
    size = f"{counted(machine.cpus, 'CPU')}, {machine.memory_mib} MiB"
    if machine.size:
        size = f"{machine.size}{' (spot)' if machine.spot else ''}: {size}"
    details = [("template", "", machine.template), ("size", "", size)]
    times: dict[tuple[str, str], int] = {}
    for workload in machine.workloads:
        times[workload.service, workload.image] = times.get((workload.service, workload.image), 0) + 1
    details.extend(
        ("containers", "", f"{service} x{count}: {image}" if count > 1 else f"{service}: {image}")
        for (service, image), count in times.items()
    )
    details.extend(("data disk", "", disk.volume.partition(":")[2]) for disk in machine.disks)
    return details


_KINDS = {"folder": 0, "network": 1, "firewall": 2, "volume": 3, "machine": 4, "balancer": 5}


def _display_order(change: ResourceChange) -> tuple[int, str]:
    return _KINDS.get(change.kind, 9), change.resource
