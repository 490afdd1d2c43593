"""Plan removals: only what the deployment made, never what somebody else put there, and never by accident."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence

from engine import graph
from engine.findings import Finding
from engine.observed import ObservedResource, ObservedState
from engine.plan import Change, ResourceChange
from engine.planner.adopted import RELEASED, release
from engine.planner.comparison import lost_with
from engine.planner.sides import Applied, display_name, foreign_disks, own_disks, snapshots
from engine.planner.situation import spec
from engine.planner.steps import Steps, action_key
from engine.resources import Balancer, Machine
from engine.userdata import HOME, read_file
from engine.wording import counted


def tell_strays(observed: ObservedState, steps: Steps) -> None:
    """Report things that carry the deployment's marker twice or unreadably: they are shown and left alone."""
    for stray in sorted(observed.strays, key=lambda stray: (stray.key, stray.external_id)):
        steps.finding(
            "plan.stray",
            "warning",
            f"{stray.attributes.get('name') or stray.external_id} carries the marker of "
            f"{stray.key or 'this deployment'}, but "
            "another one does too, or the marker cannot be read: it is left alone. Look at it on the cloud, and "
            "delete it "
            "there or remove its marker.",
        )


def objection(found: ObservedResource, name: str, what: str) -> Finding | None:
    """Return why a machine must not be deleted: with it, the cloud would destroy what the drawing never made."""
    disks = foreign_disks(found)
    if disks:
        return Finding(
            "plan.foreign_disk",
            "error",
            f"{name} would be {what}, and has a disk that the drawing never made ({', '.join(disks[:4])}), which "
            f"would be "
            "destroyed with it: detach the disk on the cloud and plan again.",
        )
    count = snapshots(found)
    if count:
        return Finding(
            "plan.snapshots",
            "error",
            f"{name} would be {what}, and has {counted(count, 'snapshot')} that somebody took: its "
            f"data disks "
            "cannot be detached, and the snapshots would be destroyed. Delete or consolidate them on the cloud and "
            "plan again.",
        )
    return None


def delete_machine(
    steps: Steps, found: ObservedResource, applied: Applied | None, name: str, change: Change, cause: str
) -> None:
    """Add what deletes a machine and leaves its data disks."""
    key, external_id = found.key, found.external_id
    last: list[str] = []
    if found.attributes.get("power") != "off":
        last = [steps.act("machine.stop", key, name, change, cause, external_id=external_id, uses=[key])]
    disks = own_disks(found, applied)
    if disks:
        last = [
            steps.act(
                "machine.detach", key, name, change, cause, after=last, external_id=external_id, uses=[key, *disks]
            )
        ]
    steps.act(
        "machine.delete",
        key,
        name,
        change,
        cause,
        after=last,
        external_id=external_id,
        uses=[key],
        destructive=True,
    )


class Remover:
    """Add the removal of things that are no longer wanted: machines, then volumes and networks, then the folder."""

    def __init__(
        self,
        steps: Steps,
        existing: Mapping[str, ObservedResource],
        prior: Mapping[str, Applied],
        blocked: set[str],
        doomed: dict[str, str],
    ) -> None:
        self.steps, self.existing, self.prior = steps, existing, prior
        self.blocked, self.doomed = blocked, doomed
        self.by_id = {found.external_id: key for key, found in existing.items() if found.kind == "machine"}
        self.holders: dict[str | None, list[str]] = {}  # firewall -> machines; None: those whose firewall is not known
        for machine in self.by_id.values():
            applied = prior.get(machine)
            before = applied.resource if applied else None
            if not isinstance(before, Machine):
                self.holders.setdefault(None, []).append(machine)
            elif before.firewall:
                self.holders.setdefault(before.firewall, []).append(machine)

    def remove(
        self,
        keys: Sequence[str],
        *,
        cause: Callable[[str], str],
        keep_folder: bool,
        replaced_networks: Mapping[str, str],
    ) -> None:
        """Add the removal of existing things by key."""
        going = {key: self.existing[key] for key in keys}
        for key, found in going.items():
            if found.kind == "balancer":
                self._balancer(key, found, cause(key))
        for key, found in going.items():
            if found.kind == "machine":
                self._machine(key, found, cause(key))
        self._order_stops([key for key, found in going.items() if found.kind == "machine"])
        for key, found in going.items():
            if found.kind == "volume":
                self._volume(key, found, cause(key))
        for key, found in going.items():
            if found.kind == "firewall":
                self._firewall(key, found, cause(key))
        for key, found in going.items():
            if found.kind == "network":
                self._network(key, found, cause(key))
                self._note(key, found, "delete", cause(key))
        for key, reason in replaced_networks.items():
            self._network(key, self.existing[key], reason)
        if not keep_folder:
            for key, found in going.items():
                if found.kind == "folder":
                    self._folder(key, found, cause(key))

    def _note(self, key: str, found: ObservedResource, change: Change, cause: str, data_loss: bool = False) -> None:
        applied = self.prior.get(key)
        resource = applied.resource if applied else None
        details: list[tuple[str, str, str]] = []
        if isinstance(resource, Machine):
            lost = lost_with(resource)
            if lost:
                details.append(("lost with the system disk", ", ".join(lost), ""))
        if found.kind == "volume":
            details.append(("data", f"{found.attributes.get('size_gib', '?')} GiB", "destroyed"))
        self.steps.change(
            ResourceChange(
                key,
                found.kind,
                display_name(key, resource, found),
                change,
                cause,
                tuple(details),
                destructive=True,
                data_loss=data_loss,
            )
        )

    def _name(self, key: str, found: ObservedResource) -> str:
        applied = self.prior.get(key)
        return display_name(key, applied.resource if applied else None, found)

    def _machine(self, key: str, found: ObservedResource, cause: str) -> None:
        name = self._name(key, found)
        if found.attributes.get("adopted"):
            self._let_go(key, found, name, cause)
            return
        problem = objection(found, name, "deleted")
        self._note(key, found, "delete", cause)
        if problem is not None:
            self.blocked.add(key)
            self.steps.findings.append(problem)
            return
        self.doomed[key] = action_key(key, "machine.delete")
        delete_machine(self.steps, found, self.prior.get(key), name, "delete", cause)

    def _let_go(self, key: str, found: ObservedResource, name: str, cause: str) -> None:
        """Release an adopted machine: it was there before us, and it stays."""
        applied = self.prior.get(key)
        resource = applied.resource if applied else None
        release(self.steps, found, name, cause, spec(resource) if isinstance(resource, Machine) else {})
        details = (("markers", "escale.*", ""),)
        self.steps.change(ResourceChange(key, found.kind, name, "update", f"{cause}: {RELEASED}", details))

    def _order_stops(self, keys: Iterable[str]) -> None:
        """Stop what depends on others before the others."""
        doomed = [key for key in keys if self.steps.has(key, "machine.stop")]
        inside = set(doomed)
        needs = {key: [other for other in self._after(key) if other in inside] for key in doomed}
        order, _ = graph.without_cycles(needs)
        for key, others in order.items():
            for other in others:
                self.steps.order(action_key(other, "machine.stop"), [action_key(key, "machine.stop")])

    def _after(self, key: str) -> list[str]:
        """Return the machines that a machine was started after; its own files know."""
        applied = self.prior.get(key)
        if applied is None or not isinstance(applied.resource, Machine):
            return []
        try:
            settings = json.loads(read_file(applied.resource.userdata, f"{HOME}/machine.json") or "{}")
        except ValueError:
            return []
        return [str(other) for other in settings.get("after") or ()]

    def _volume(self, key: str, found: ObservedResource, cause: str) -> None:
        name = self._name(key, found)
        holder = self._holder(key, found)
        self._note(key, found, "delete", cause, data_loss=True)
        if isinstance(holder, str) and holder.startswith("?"):
            self.steps.finding(
                "plan.volume_in_use",
                "error",
                f"The volume {name} would be deleted, and is attached to a machine ({holder[1:]}) that this "
                f"deployment never "
                "made: detach it there and plan again.",
            )
            return
        if holder in self.blocked:
            return
        after: list[str] = []
        if holder is not None:
            after = [action_key(holder, verb) for verb in ("machine.update", "machine.detach", "machine.delete")]
            if not any(self.steps.has(holder, verb) for verb in ("machine.update", "machine.detach", "machine.delete")):
                self.steps.finding(
                    "plan.volume_in_use",
                    "error",
                    f"The volume {name} would be deleted, and somebody attached it to "
                    f"{self._name(holder, self.existing[holder])}"
                    ", which this plan does not change: detach it there and plan again.",
                )
                return
        self.steps.act(
            "volume.delete",
            key,
            name,
            "delete",
            cause,
            after=after,
            external_id=found.external_id,
            uses=[key],
            destructive=True,
            data_loss=True,
        )

    def _holder(self, key: str, found: ObservedResource) -> str | None:
        """Return the machine that a volume is attached to: a key of ours, "?<external id>" of another, or None."""
        for machine in self.by_id.values():
            if key in own_disks(self.existing[machine], self.prior.get(machine)):
                return machine
        attached = found.attributes.get("attached_to")
        if not attached:
            return None
        return self.by_id.get(str(attached), f"?{attached}")

    def _balancer(self, key: str, found: ObservedResource, cause: str) -> None:
        """Delete a balancer; what it leads to stops after it, so that nobody is sent to a machine that is gone."""
        self._note(key, found, "delete", cause)
        deleted = self._delete("balancer.delete", key, found, cause, [])
        applied = self.prior.get(key)
        before = applied.resource if applied else None
        members = before.machines if isinstance(before, Balancer) else tuple(self.by_id.values())
        for machine in members:
            self.steps.order(action_key(machine, "machine.stop"), [deleted])

    def _firewall(self, key: str, found: ObservedResource, cause: str) -> None:
        holders = [*self.holders.get(key, ()), *self.holders.get(None, ())]
        self._note(key, found, "delete", cause)
        if any(machine in self.blocked for machine in holders):
            return
        after = [action_key(machine, verb) for machine in holders for verb in ("machine.update", "machine.delete")]
        self._delete("firewall.delete", key, found, cause, after)

    def _delete(self, verb: str, key: str, found: ObservedResource, cause: str, after: Sequence[str]) -> str:
        return self.steps.act(
            verb,
            key,
            self._name(key, found),
            "delete",
            cause,
            after=after,
            external_id=found.external_id,
            uses=[key],
            destructive=True,
        )

    def _network(self, key: str, found: ObservedResource, cause: str) -> None:
        if any(self._on(machine, key) for machine in self.blocked):
            return
        name = self._name(key, found)
        self.steps.act(
            "network.delete",
            key,
            name,
            "delete",
            cause,
            after=[
                *(last for machine, last in self.doomed.items() if self._on(machine, key)),
                *(action_key(other, "balancer.delete") for other in self.existing),
            ],
            external_id=found.external_id,
            uses=[key],
            destructive=True,
        )

    def _on(self, machine: str, network: str) -> bool:
        applied = self.prior.get(machine)
        if applied is None or not isinstance(applied.resource, Machine):
            return True  # not known: better to wait for it
        return any(nic.network == network for nic in applied.resource.nics)

    def _folder(self, key: str, found: ObservedResource, cause: str) -> None:
        self._note(key, found, "delete", cause)
        if self.blocked:
            return
        waits = [
            action_key(other, verb)
            for other in self.existing
            for verb in ("balancer.delete", "machine.delete", "volume.delete", "firewall.delete", "network.delete")
        ]
        self.steps.act(
            "folder.delete",
            key,
            self._name(key, found),
            "delete",
            cause,
            after=waits,
            external_id=found.external_id,
            uses=[key],
            destructive=True,
        )
