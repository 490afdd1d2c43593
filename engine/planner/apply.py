"""Plan what makes the cloud as drawn."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from engine import graph
from engine.observed import ObservedResource, ObservedState
from engine.plan import Change, Plan, ResourceChange
from engine.planner import removal
from engine.planner.comparison import Verdict, compare, spec_of
from engine.planner.sides import (
    Applied,
    display_name,
    fingerprint,
    machines,
    own_disks,
    read_prior,
    volumes,
)
from engine.planner.steps import Steps, action_key
from engine.realise.desired import Desired
from engine.resources import Folder, Machine, Network, Owner, Resource, Volume, config_hash, to_json

_FOLDER = "folder:deployment"
_NEW = "new deployment"
_MISSING = "missing on the cloud"


def plan(
    desired: Desired,
    observed: ObservedState,
    prior: Mapping[str, Mapping[str, Any]],
    owner: Owner,
    target_name: str,
) -> Plan:
    """Return the plan that makes what exists as drawn; empty when nothing differs.

    ``prior``: resource key -> what was applied last (an ``Action.spec`` or a ``Plan.desired`` entry), optionally with
    ``state``: "running" tells that a machine which is off now was switched off by somebody, and stays off; without it a
    machine that is off is started. A plan with error findings must not be executed.
    """
    return _Planner(desired, observed, prior, owner, target_name).run()


class _Planner:
    def __init__(
        self,
        desired: Desired,
        observed: ObservedState,
        prior: Mapping[str, Mapping[str, Any]],
        owner: Owner,
        target_name: str,
    ) -> None:
        self.desired, self.observed, self.owner, self.target = desired, observed, owner, target_name
        self.prior: dict[str, Applied] = read_prior(prior)
        self.base = fingerprint(observed, prior)
        self.steps = Steps(owner)
        self.first = not prior and not observed.resources
        self.existing: Mapping[str, ObservedResource] = observed.resources
        self.renewed_volumes: set[str] = set()
        self.moved_networks: dict[str, str] = {}  # network that is made anew -> why
        self.blocked: set[str] = set()  # machines that must not be deleted
        self._placed: dict[tuple[str, int], str] | None = None  # workload -> machine it was on
        self._holders: dict[str, str] | None = None  # volume -> machine that has it
        self.doomed: dict[str, str] = {}  # machine that is deleted or replaced -> its last action

    def run(self) -> Plan:
        wanted = self.desired.resources
        removal.tell_strays(self.observed, self.steps)
        self._folder()
        self._networks()
        self._volumes()
        gone = [key for key in sorted(self.existing) if key not in wanted]
        verdicts = self._compare()
        for machine in machines(wanted):
            self._machine(machine, verdicts.get(machine.key))
        self._order_starts()
        remover = removal.Remover(self.steps, self.existing, self.prior, self.blocked, self.doomed)
        remover.remove(
            gone,
            cause=self._cause_of_removal,
            keep_folder=True,
            replaced_networks={key: reason for key, reason in self.moved_networks.items() if key in self.existing},
        )
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

    def _cause(self, key: str) -> str:
        if self.first:
            return _NEW
        return _MISSING if key in self.prior else "was added to the drawing"

    def _cause_of_removal(self, key: str) -> str:
        if key not in self.prior:
            return "is not drawn; an operation that did not finish left it"
        return "was removed from the drawing"

    def _note(
        self,
        resource: Resource,
        change: Change,
        cause: str,
        details: Sequence[tuple[str, str, str]] = (),
        destructive: bool = False,
    ) -> None:
        name = display_name(resource.key, resource)
        self.steps.change(ResourceChange(resource.key, resource.kind, name, change, cause, tuple(details), destructive))

    # Folder, networks, volumes.

    def _folder(self) -> None:
        folder = self.desired.resources.get(_FOLDER)
        if not isinstance(folder, Folder):
            return
        if _FOLDER in self.existing:
            self._note(folder, "keep", "as drawn")
            return
        cause = self._cause(_FOLDER)
        self.steps.act("folder.create", _FOLDER, "/".join(folder.path), "create", cause, spec=_spec(folder))
        self._note(folder, "create", cause)

    def _networks(self) -> None:
        for resource in self.desired.resources.values():
            if isinstance(resource, Network):
                self._network(resource)

    def _network(self, network: Network) -> None:
        key, found = network.key, self.existing.get(network.key)
        applied = self.prior.get(key)
        before = applied.resource if applied and isinstance(applied.resource, Network) else None
        if before is not None and network.aspects() != before.aspects():
            reason = f"the network {network.name} is made anew: {_difference(before, network)}"
            self.moved_networks[key] = reason
            if network.managed:
                self._create_network(network, reason, "replace", [action_key(key, "network.delete")])
            self._note(network, "replace", reason, destructive=found is not None)
            return
        if not network.managed:
            self._note(network, "keep", "exists already, and is only used")
        elif found is None:
            if before is not None:
                self.moved_networks[key] = f"the network {network.name} was {_MISSING}"
            cause = self._cause(key)
            self._create_network(network, cause, "create", [])
            self._note(network, "create", cause)
        else:
            self._drift(network, found, {"vlan": network.vlan, "name": network.name})
            self._note(network, "keep", "as drawn")

    def _create_network(self, network: Network, cause: str, change: Change, after: list[str]) -> None:
        self.steps.act(
            "network.create",
            network.key,
            network.name,
            change,
            cause,
            after=[action_key(_FOLDER, "folder.create"), *after],
            spec=_spec(network),
            uses=[_FOLDER],
        )

    def _drift(self, resource: Resource, found: ObservedResource, drawn: Mapping[str, Any]) -> None:
        for name, value in drawn.items():
            have = found.attributes.get(name)
            if have is not None and value is not None and have != value:
                self.steps.finding(
                    "plan.drift_kept",
                    "info",
                    f"{display_name(resource.key, resource)}: {name} is {have} on the cloud, {value} is drawn; the "
                    f"drawing "
                    "did not change there, so it is kept.",
                )

    def _volumes(self) -> None:
        for volume in volumes(self.desired.resources):
            self._volume(volume)

    def _volume(self, volume: Volume) -> None:
        key, found = volume.key, self.existing.get(volume.key)
        applied = self.prior.get(key)
        before = applied.resource if applied and isinstance(applied.resource, Volume) else None
        if found is None:
            cause = self._cause(key)
            self.steps.act(
                "volume.create",
                key,
                volume.name,
                "create",
                cause,
                after=[action_key(_FOLDER, "folder.create")],
                spec=_spec(volume),
                uses=[_FOLDER],
            )
            self._note(volume, "create", cause, [("size", "", f"{volume.size_gib} GiB")])
            if before is not None:
                self.renewed_volumes.add(key)
                self.steps.finding(
                    "plan.volume_missing",
                    "warning",
                    f"The volume {volume.name} was made before and does not exist any more: a blank one takes its "
                    f"place. "
                    "If the data is needed, restore the disk before this plan is run.",
                )
            return
        size = int(float(found.attributes.get("size_gib") or (before.size_gib if before else volume.size_gib)))
        was = before.size_gib if before else size
        if volume.size_gib > size and volume.size_gib != was:
            cause = f"size changed: {size} -> {volume.size_gib} GiB"
            self.steps.act(
                "volume.extend",
                key,
                volume.name,
                "update",
                cause,
                spec=_spec(volume),
                external_id=found.external_id,
                uses=[key],
            )
            self._note(volume, "update", cause, [("size", f"{size} GiB", f"{volume.size_gib} GiB")])
            return
        if volume.size_gib < was:
            self.steps.finding(
                "plan.volume_shrink",
                "error",
                f"The volume {volume.name} has {size} GiB and {volume.size_gib} GiB are drawn: a disk cannot shrink "
                f"without "
                f"losing data. Draw {size} GiB, or a new volume that the data is copied to.",
            )
        else:
            self._drift(volume, found, {"size_gib": volume.size_gib})
        self._note(volume, "keep", "as drawn")

    # Machines.

    def _compare(self) -> dict[str, Verdict]:
        verdicts: dict[str, Verdict] = {}
        for machine in machines(self.desired.resources):
            found = self.existing.get(machine.key)
            if found is None:
                continue
            verdict = compare(machine, self.prior.get(machine.key), found, self.renewed_volumes, self.moved_networks)
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
            self._note(machine, "create", cause, _content(machine))
            return
        if verdict.change == "keep":
            self._note(machine, "keep", verdict.cause)
            return
        found = self.existing[machine.key]
        self._note(machine, verdict.change, verdict.cause, verdict.details, verdict.change == "replace")
        if verdict.change == "replace":
            if machine.key in self.blocked:
                return
            self._tear_down(machine, found, verdict.cause)
            self._make(machine, "replace", verdict.cause, verdict.spec, [action_key(machine.key, "machine.delete")])
        else:
            self._update(machine, found, verdict)

    def _why_new(self, machine: Machine) -> str:
        if self.first:
            return _NEW
        if machine.key in self.prior:
            return _MISSING
        before = self._placement()
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
        needs = [action_key(_FOLDER, "folder.create")]
        needs.extend(action_key(nic.network, "network.create") for nic in machine.nics)
        for disk in machine.disks:
            needs.append(action_key(disk.volume, "volume.create"))
            needs.append(action_key(disk.volume, "volume.extend"))
            holder = self._holder(disk.volume)
            if holder is not None and holder != machine.key:
                # A disk can be on one machine at a time: the other one gives it away first.
                needs.append(action_key(holder, "machine.update"))
                needs.append(action_key(holder, "machine.detach"))
        return needs

    def _holder(self, volume: str) -> str | None:
        if self._holders is None:
            self._holders = {
                disk: key
                for key, found in self.existing.items()
                if found.kind == "machine"
                for disk in own_disks(found, self.prior.get(key))
            }
        return self._holders.get(volume)

    def _make(
        self, machine: Machine, change: Change, cause: str, spec: Mapping[str, Any], after: Sequence[str] = ()
    ) -> None:
        key, name = machine.key, machine.name
        uses = [_FOLDER, *(nic.network for nic in machine.nics), *(disk.volume for disk in machine.disks)]
        made = self.steps.act(
            "machine.create", key, name, change, cause, after=[*self._ground(machine), *after], spec=spec, uses=uses
        )
        started = self.steps.act("machine.start", key, name, change, cause, after=[made], uses=[key])
        self.steps.act("machine.ready", key, name, change, cause, after=[started], uses=[key])

    def _tear_down(self, machine: Machine, found: ObservedResource, cause: str) -> None:
        removal.delete_machine(self.steps, found, self.prior.get(machine.key), machine.name, "replace", cause)

    def _update(self, machine: Machine, found: ObservedResource, verdict: Verdict) -> None:
        key, name, external_id = machine.key, machine.name, found.external_id
        before: list[str] = []
        if verdict.power == "restart":
            before.append(
                self.steps.act("machine.stop", key, name, "update", verdict.cause, external_id=external_id, uses=[key])
            )
        if verdict.applies:
            uses = [key, _FOLDER, *(nic.network for nic in machine.nics), *(disk.volume for disk in machine.disks)]
            before.append(
                self.steps.act(
                    "machine.update",
                    key,
                    name,
                    "update",
                    verdict.cause,
                    after=[*before, *self._ground(machine)],
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


def _spec(resource: Resource) -> dict[str, Any]:
    return {**to_json(resource), "config_hash": config_hash(resource)}


def _content(machine: Machine) -> list[tuple[str, str, str]]:
    details = [
        ("template", "", machine.template),
        ("size", "", f"{machine.cpus} CPUs, {machine.memory_mib} MiB"),
    ]
    counted: dict[tuple[str, str], int] = {}
    for workload in machine.workloads:
        counted[workload.service, workload.image] = counted.get((workload.service, workload.image), 0) + 1
    details.extend(
        ("containers", "", f"{service} x{count}: {image}" if count > 1 else f"{service}: {image}")
        for (service, image), count in counted.items()
    )
    details.extend(("data disk", "", disk.volume.partition(":")[2]) for disk in machine.disks)
    return details


def _difference(before: Network, network: Network) -> str:
    if before.managed != network.managed:
        return "it becomes a network of its own" if network.managed else "it becomes an existing network"
    if before.name != network.name:
        return f"name changed: {before.name} -> {network.name}"
    return f"VLAN changed: {before.vlan or 'none'} -> {network.vlan or 'none'}"


_KINDS = {"folder": 0, "network": 1, "volume": 2, "machine": 3}


def _display_order(change: ResourceChange) -> tuple[int, str]:
    return _KINDS.get(change.kind, 9), change.resource
