"""A deployment over several small clouds: what the portal keeps of each, without the portal."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from engine import across
from engine.across import Across, Side, joined
from engine.compose.model import Project
from engine.observed import Target
from engine.plan import Plan
from engine.planner import plan_text
from engine.realise.place import Clouds, homes
from engine.resources import Machine, Owner
from engine.userdata import addresses
from engine.userdata.addresses import Peer
from tests.engine.cloud import TinyCloud
from tests.engine.drawings import OWNER, TARGET, load


@dataclass
class Sky:
    """Hold some clouds, of which the first is the main one; addresses are public and told by each ready machine."""

    names: Sequence[str] = ("paris", "roubaix")
    targets: Mapping[str, Target] = field(default_factory=dict)
    labels: Mapping[str, Sequence[str]] = field(default_factory=dict)
    reaches: Mapping[str, frozenset[str]] = field(default_factory=dict)
    required: str = ""
    clouds: dict[str, TinyCloud] = field(default_factory=dict)
    addresses: dict[str, dict[str, list[str]]] = field(default_factory=dict)
    given: dict[str, dict[str, dict[Peer, str]]] = field(default_factory=dict)
    log: list[str] = field(default_factory=list)
    counted: int = 0

    def __post_init__(self) -> None:
        self.clouds = {name: TinyCloud() for name in self.names}
        self.addresses = {name: {} for name in self.names}
        self.given = {name: {} for name in self.names}

    def part(self, cloud: str) -> str:
        """Return what starts the keys of a cloud."""
        return "" if cloud == self.names[0] else cloud

    def owner(self, cloud: str) -> Owner:
        """Return the owner of what a cloud has."""
        return OWNER if cloud == self.names[0] else replace(OWNER, deployment_id=f"7c9e6679-{cloud}")

    def side(self, cloud: str) -> Side:
        """Return a cloud as the planner sees it."""
        tiny = self.clouds[cloud]
        return Side(
            part=self.part(cloud),
            cloud=cloud,
            target=self.targets.get(cloud, replace(TARGET, name=cloud)),
            owner=self.owner(cloud),
            observed=tiny.observe(),
            prior=json.loads(json.dumps(tiny.prior)),
            reported=self.addresses[cloud],
            given=self.given[cloud],
            reaches=self.reaches.get(cloud, frozenset()),
        )

    def plan(self, text: str | Project, **options: Any) -> Across:
        """Plan a drawing over the clouds."""
        project = load(text) if isinstance(text, str) else text
        known = sorted(self.names, key=lambda name: not self.clouds[name].prior)
        where = homes(project, self.names[0], Clouds(known, self.labels, self.required))
        sides = {name: self.side(name) for name in self.names if name in where.clouds or self.side(name).exists}
        return across.plan(project, where, sides, options.get("policy", {}), options.get("images", {}))

    def plan_destroy(self) -> Across:
        """Plan the end of it all."""
        return across.plan_destroy([self.side(name) for name in self.names if self.side(name).exists])

    def deploy(self, text: str | Project, **options: Any) -> Across:
        """Plan and execute."""
        plan = self.plan(text, **options)
        assert not plan.blocked, [one.message for one in plan.all_findings() if one.severity == "error"]
        self.execute(plan)
        return plan

    def execute(self, plan: Across, stop_after: int | None = None) -> None:
        """Execute a plan in its order, filling in the addresses as they become known."""
        actions = {
            joined(part, action.key): (part, action) for part, each in plan.plans.items() for action in each.actions
        }
        order = plan.order()
        assert sorted(order) == sorted(actions)
        place = {key: position for position, key in enumerate(order)}
        for key, needs in plan.after.items():
            assert all(place[need] < place[key] for need in needs)
        for key in order[:stop_after]:
            part, action = actions[key]
            cloud = part or self.names[0]
            if action.verb in ("machine.create", "machine.update"):
                peers = {peer: self._address(peer) for peer in addresses.wanted(action.spec["userdata"])}
                assert not addresses.wanted(addresses.filled(action.spec["userdata"], peers))
                self.given[cloud][action.resource] = peers
            self.clouds[cloud].execute(Plan(action.owner, cloud, (replace(action, depends_on=()),)))
            if action.verb == "machine.ready":
                self.addresses[cloud][action.resource] = [self._new()]  # a public one lasts until the next start
            if action.verb == "machine.delete":
                self.addresses[cloud].pop(action.resource, None)
                self.given[cloud].pop(action.resource, None)
            self.log.append(key)

    def _new(self) -> str:
        self.counted += 1
        return f"8.8.{self.counted // 250}.{self.counted % 250 + 1}"

    def _address(self, peer: Peer) -> str:
        cloud = peer.part or self.names[0]
        if self.clouds[cloud].find(peer.machine)["power"] == "on":  # started, and nobody was left to hear of it
            self.addresses[cloud].setdefault(peer.machine, [self._new()])
        return self.addresses[cloud][peer.machine][0]

    def machine(self, cloud: str, label: str) -> Machine:
        """Return a machine as it was applied last."""
        from engine.resources import from_json

        found = from_json(self.clouds[cloud].prior[f"machine:{label}"])
        assert isinstance(found, Machine)
        return found


def codes(plan: Across, severity: str = "error") -> list[str]:
    """Return the codes of the findings of a severity."""
    return [finding.code for finding in plan.all_findings() if finding.severity == severity]


def messages(plan: Across, code: str) -> str:
    """Return what is said under a code."""
    return "\n".join(finding.message for finding in plan.all_findings() if finding.code == code)


def text_of(plan: Across) -> str:
    """Return a plan over several clouds as lines: each cloud's plan, then what ties them together."""
    lines = [plan_text(each) for each in plan.plans.values()]
    for crossing in plan.crossings:
        where = ", ".join(crossing.addresses) or "known when it runs"
        lines.append(
            f"@ {crossing.caller} ({crossing.caller_cloud}) -> {crossing.called} ({crossing.called_cloud}) "
            f"{crossing.protocol} {crossing.port} to {crossing.container_port} on {', '.join(crossing.machines)}: "
            f"{where}; {crossing.firewall or 'no firewall'}{'; waits' if crossing.waits else ''}\n"
        )
    lines += [f"> {key} after {', '.join(needs)}\n" for key, needs in plan.after.items()]
    lines += [
        f"# {'.'.join(map(str, entry.path))} {entry.verdict}: {entry.reason} ({entry.code})\n" for entry in plan.ledger
    ]
    lines += [f"? {one.severity} {one.code}: {one.message}\n" for one in plan.findings]
    return "".join(lines)
