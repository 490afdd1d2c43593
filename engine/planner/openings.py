"""Plan what leads into machines from outside: their firewalls, and balancers in front of replicas."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from engine.observed import ObservedResource
from engine.planner.ground import Ground
from engine.planner.sides import display_name
from engine.planner.situation import FOLDER, Situation, spec
from engine.planner.steps import action_key
from engine.resources import Balancer, Firewall, canonical_json, config_hash
from engine.wording import listed

_SHOWN = 6


class Openings:
    """Compare firewalls and balancers; remember what machines have to follow."""

    def __init__(self, now: Situation, ground: Ground, *, restore: bool = False) -> None:
        self.now, self.ground, self.restore = now, ground, restore
        self.renewed: set[str] = set()  # firewalls that this plan makes again

    # Firewalls.

    def firewalls(self) -> None:
        """Plan the firewalls; machines are made once theirs exist."""
        for firewall in self.now.wanted.values():
            if isinstance(firewall, Firewall):
                self._firewall(firewall)

    def _firewall(self, firewall: Firewall) -> None:
        key, found = firewall.key, self.now.existing.get(firewall.key)
        applied = self.now.prior.get(key)
        before = applied.resource if applied and isinstance(applied.resource, Firewall) else None
        if found is None:
            cause = self.now.cause(key)
            if before is not None:
                self.renewed.add(key)
            self.now.steps.act(
                "firewall.create",
                key,
                firewall.name,
                "create",
                cause,
                after=[action_key(FOLDER, "folder.create")],
                spec=spec(firewall),
                uses=[FOLDER],
            )
            self.now.note(firewall, "create", cause, [("open", "", _rules(firewall))] if firewall.rules else ())
            return
        changed = _differs(firewall, before, found)
        drift = None if changed else _drift(found.attributes.get("rules"), firewall.aspects()["rules"], _rule)
        if drift and not self.restore:
            self._kept(firewall, drift)
        if not changed and not (drift and self.restore):
            self.now.note(firewall, "keep", "as drawn")
            return
        if before is not None and changed:
            cause = f"open ports changed: {_rules(before) or 'none'} -> {_rules(firewall) or 'none'}"
            details = [("open", _rules(before), _rules(firewall))]
        else:
            cause = f"changed on the cloud ({drift}), and is restored" if drift else _UNKNOWN
            details = [("open", "", _rules(firewall))]
        self.now.steps.act(
            "firewall.update",
            key,
            firewall.name,
            "update",
            cause,
            spec=spec(firewall),
            external_id=found.external_id,
            uses=[key, FOLDER],
        )
        self.now.note(firewall, "update", cause, details)

    # Balancers.

    def balancers(self) -> None:
        """Plan the balancers, once the machines are planned: they lead to machines that are ready."""
        for balancer in self.now.wanted.values():
            if isinstance(balancer, Balancer):
                self._balancer(balancer)

    def _balancer(self, balancer: Balancer) -> None:
        key, found = balancer.key, self.now.existing.get(balancer.key)
        applied = self.now.prior.get(key)
        before = applied.resource if applied and isinstance(applied.resource, Balancer) else None
        if found is None:
            cause = self.now.cause(key)
            self._make(balancer, "create", cause)
            self.now.note(balancer, "create", cause, _content(balancer))
            return
        moved = self.ground.moved_networks.get(balancer.network)
        if before is not None and before.network != balancer.network:
            moved = f"its network changed: {before.network.partition(':')[2]} -> {balancer.network.partition(':')[2]}"
        if moved:
            self._replace(balancer, found, moved)
            return
        causes = self._causes(balancer, before, found)
        if not causes:
            self.now.note(balancer, "keep", "as drawn")
            return
        cause = "; ".join(causes)
        self.now.steps.act(
            "balancer.update",
            key,
            balancer.name,
            "update",
            cause,
            after=self._awaited(balancer),
            spec=spec(balancer),
            external_id=found.external_id,
            uses=[key, *self._uses(balancer)],
        )
        if before is not None and not self._awaited(balancer):
            # Nothing is sent to a machine that is about to stop. Where new machines take over, they come first, and
            # may need the disks of those that stop: the balancer then learns by itself which ones answer.
            for machine in sorted(set(before.machines) - set(balancer.machines)):
                self.now.steps.order(action_key(machine, "machine.stop"), [action_key(key, "balancer.update")])
        self.now.note(balancer, "update", cause, _content(balancer))

    def _causes(self, balancer: Balancer, before: Balancer | None, found: ObservedResource) -> list[str]:
        """Return why an existing balancer is updated."""
        causes: list[str] = []
        if before is None:
            if found.config_hash != config_hash(balancer):
                causes.append(_UNKNOWN)
            was: set[str] = set()
        else:
            was = set(before.machines)
            if before.listeners != balancer.listeners:
                causes.append(f"ports changed: {_ports(before)} -> {_ports(balancer)}")
            for gone, what in ((was - set(balancer.machines), "no longer leads to"),
                               (set(balancer.machines) - was, "leads to")):  # fmt: skip
                if gone:
                    causes.append(f"{what} {_names(gone)}")
        renewed = [key for key in balancer.machines if key in was and self.now.steps.has(key, "machine.create")]
        if renewed:
            causes.append(f"{_names(renewed)} {'is' if len(renewed) == 1 else 'are'} made anew")
        if causes:
            return causes
        drift = self._drift(balancer, found)
        if drift and self.restore:
            return [f"changed on the cloud ({drift}), and is restored"]
        if drift:
            self._kept(balancer, drift)
        return []

    def _drift(self, balancer: Balancer, found: ObservedResource) -> str:
        """Say what somebody changed on a balancer; empty when nothing."""
        said = [_drift(found.attributes.get("listeners"), balancer.aspects()["listeners"], _listener)]
        leads_to = found.attributes.get("machines")
        if leads_to is not None:
            ours = {key: self.now.existing[key].external_id for key in balancer.machines if key in self.now.existing}
            lacks = sorted(key for key, external_id in ours.items() if external_id not in leads_to)
            more = sorted(set(map(str, leads_to)) - set(ours.values()))
            said.append(f"without {_names(lacks)}" if lacks else "")
            said.append(f"with {listed(more, _SHOWN)}" if more else "")
        return "; ".join(part for part in said if part)

    def _make(self, balancer: Balancer, change: Any, cause: str, after: tuple[str, ...] = ()) -> None:
        self.now.steps.act(
            "balancer.create",
            balancer.key,
            balancer.name,
            change,
            cause,
            after=[
                action_key(FOLDER, "folder.create"),
                action_key(balancer.network, "network.create"),
                *self._awaited(balancer),
                *after,
            ],
            spec=spec(balancer),
            uses=self._uses(balancer),
        )

    def _replace(self, balancer: Balancer, found: ObservedResource, cause: str) -> None:
        deleted = self.now.steps.act(
            "balancer.delete",
            balancer.key,
            balancer.name,
            "replace",
            cause,
            external_id=found.external_id,
            uses=[balancer.key],
            destructive=True,
        )
        self._make(balancer, "replace", cause, (deleted,))
        details = [*_content(balancer), ("address", str(found.attributes.get("address") or "known"), "another one")]
        self.now.note(balancer, "replace", cause, details, destructive=True)

    def _awaited(self, balancer: Balancer) -> list[str]:
        steps = self.now.steps
        return [action_key(key, "machine.ready") for key in balancer.machines if steps.has(key, "machine.ready")]

    def _uses(self, balancer: Balancer) -> list[str]:
        return [FOLDER, balancer.network, *balancer.machines]

    def _kept(self, resource: Firewall | Balancer, drift: str) -> None:
        self.now.steps.finding(
            "plan.drift_kept",
            "info",
            f"{display_name(resource.key, resource)}: changed on the cloud ({drift}); the drawing did not change "
            "there, so it is kept.",
        )


_UNKNOWN = "what was applied last is not known, and it carries another configuration"


def _differs(drawn: Firewall, before: Firewall | None, found: ObservedResource) -> bool:
    if before is None:
        return found.config_hash != config_hash(drawn)
    return before.aspects() != drawn.aspects()


def _drift(found: Any, drawn: list[dict[str, Any]], words: Any) -> str:
    """Say what a list on the cloud has more and less than the drawing; empty when they are equal, or not known."""
    if found is None:
        return ""
    have, want = {canonical_json(one): one for one in found}, {canonical_json(one): one for one in drawn}
    more = [words(have[text]) for text in sorted(have.keys() - want.keys())]
    less = [words(want[text]) for text in sorted(want.keys() - have.keys())]
    said = [f"with {listed(more, _SHOWN)}"] if more else []
    said += [f"without {listed(less, _SHOWN)}"] if less else []
    return ", ".join(said)


def _rule(rule: Mapping[str, Any]) -> str:
    first, last = rule.get("first"), rule.get("last")
    ports = str(first) if first == last else f"{first}-{last}"
    return f"{ports}/{rule.get('protocol')} from {rule.get('source')}"


def _listener(listener: Mapping[str, Any]) -> str:
    return f"{listener.get('port')}/{listener.get('protocol')}"


def _rules(firewall: Firewall) -> str:
    return ", ".join(_rule(rule.to_json()) for rule in firewall.rules)


def _ports(balancer: Balancer) -> str:
    return ", ".join(_listener(listener.to_json()) for listener in balancer.listeners)


def _names(keys: Any) -> str:
    return listed([str(key).partition(":")[2] for key in sorted(keys)], _SHOWN)


def _content(balancer: Balancer) -> list[tuple[str, str, str]]:
    return [("ports", "", _ports(balancer)), ("machines", "", _names(balancer.machines))]
