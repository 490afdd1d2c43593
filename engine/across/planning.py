"""Work out the parts of a drawing for their clouds, and the order and addresses between them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from engine import graph, planner
from engine.across.model import Across, Crossing, Side, joined, reachable, waiting_for
from engine.compose.model import Project
from engine.findings import Finding
from engine.plan import Plan
from engine.realise import Desired, realise
from engine.realise import place as placing
from engine.realise.borders import Call, Survey, introduced, survey
from engine.realise.naming import natural
from engine.realise.place import Homes
from engine.resources import Firewall, Machine, Volume
from engine.userdata import addresses
from engine.userdata.addresses import Peer

_SHOWN = 8


def plan(
    project: Project,
    homes: Homes,
    sides: Mapping[str, Side],
    policy: Mapping[str, Any],
    images: Mapping[str, str],
) -> Across:
    """Return the plan that makes all clouds as drawn; ``sides``: cloud -> what is there, for each that has or gets any.

    Raises nothing for a drawing: what cannot be done is an error finding (``across.*``, ``realise.*``, …).
    """
    return _Planner(project, homes, sides, policy, images).run()


def plan_destroy(sides: Sequence[Side]) -> Across:
    """Return the plan that removes what a deployment made on all clouds: who calls goes before whom it calls."""
    plans = {side.part: planner.plan_destroy(side.observed, side.prior, side.owner, side.target.name) for side in sides}
    after: dict[str, list[str]] = {}
    for side in sides:
        for key, spec in side.prior.items():
            gone = f"{key}/machine.delete"
            if not any(action.key == gone for action in plans[side.part].actions):
                continue
            for peer in addresses.wanted(spec.get("userdata") or {}):
                for action in plans[peer.part].actions if peer.part in plans else ():
                    if action.resource == peer.machine:
                        after.setdefault(joined(peer.part, action.key), []).append(joined(side.part, gone))
    kept = {key: tuple(needs) for key, needs in after.items()}
    if graph.find_cycle(waiting_for(plans, kept)) is not None:  # of an older drawing, or of marks that somebody wrote
        kept = {}
    return Across(plans, after=kept)


@dataclass(slots=True)
class _Share:
    """What one cloud gets of the drawing."""

    side: Side
    drawing: Project
    plain: Desired  # without the names of other clouds' services
    desired: Desired
    plan: Plan


class _Planner:
    def __init__(
        self,
        project: Project,
        homes: Homes,
        sides: Mapping[str, Side],
        policy: Mapping[str, Any],
        images: Mapping[str, str],
    ) -> None:
        self.project, self.homes, self.sides, self.policy, self.images = project, homes, sides, policy, images
        self.by_part = {side.part: cloud for cloud, side in sides.items()}
        self.survey: Survey = survey(project, homes)
        self.calls: list[Call] = list(self.survey.calls)
        self.orders: list[tuple[str, str]] = list(self.survey.orders)
        self.findings: list[Finding] = [*homes.findings, *self.survey.findings]
        self.shares: dict[str, _Share] = {}
        self.stands: dict[str, list[Peer]] = {}  # service -> machines
        self.numbers: dict[tuple[str, Peer], int] = {}  # (cloud of the caller, callee's machine) -> number of its mark
        self.known: set[tuple[str, Peer]] = set()  # those that the machines there have been told before
        self.reasons: dict[tuple[str, Peer], str] = {}  # why a machine's address is written anew

    def run(self) -> Across:
        for cloud, side in self.sides.items():
            self._share(cloud, side)
        for cloud, share in self.shares.items():
            for machine in _machines(share.plain):
                for service in dict.fromkeys(workload.service for workload in machine.workloads):
                    peer = Peer(self.sides[cloud].part, machine.key.partition(":")[2])
                    self.stands.setdefault(service, []).append(peer)
        for peers in self.stands.values():
            peers.sort(key=lambda peer: natural(peer.label))
        self._break_rounds()
        self._read_numbers()
        self._plan_all(self.shares)
        while moved := self._moved():
            for key, reason in moved.items():
                self.numbers[key] += 1
                self.reasons[key] = reason
            self._plan_all({cloud for cloud, _ in moved})
        for cloud in {cloud for cloud, _ in self.reasons}:
            self._explain(cloud)
        self._check_data()
        crossings = tuple(self._crossings())
        plans = {share.side.part: share.plan for share in self.shares.values()}
        after = self._after()
        if graph.find_cycle(waiting_for(plans, after)) is not None and not self._has("across.cycle"):
            self._error(
                "across.cycle",
                "The steps of the clouds wait for each other in a round, so none of them could start: put the services "
                "that need each other's addresses on one cloud, or each on a machine of its own (x-escale: "
                "{isolation: machine}).",
            )
        if self._has("across.cycle"):
            after = {}
        return Across(
            plans,
            {share.side.part: share.desired.regions for share in self.shares.values()},
            crossings,
            after,
            tuple(self.findings),
            self.survey.ledger,
        )

    # Each cloud by itself.

    def _share(self, cloud: str, side: Side) -> None:
        drawing = placing.part(self.project, self.homes, cloud)
        if not self._drawn(cloud):
            if side.exists:
                self.shares[cloud] = _Share(side, drawing, Desired(), Desired(), _removal(side))
            return
        desired = self._realised(cloud, side, drawing)
        self.shares[cloud] = _Share(side, drawing, desired, desired, Plan(side.owner, side.target.name))

    def _drawn(self, cloud: str) -> bool:
        return cloud in self.homes.clouds

    def _realised(self, cloud: str, side: Side, drawing: Project) -> Desired:
        here, everything = drawing.services(), self.project.services()
        first = cloud == self.homes.clouds[0]
        images = {
            name: image for name, image in self.images.items() if name in here or (first and name not in everything)
        }
        desired = realise(drawing, side.target, side.owner, self.policy, images, side.prior)
        return replace(
            desired,
            findings=tuple(one for one in desired.findings if one.code != "realise.regions_joined"),
            ledger=tuple(one for one in desired.ledger if not self._ours(one.path)),
        )

    def _ours(self, path: tuple[str | int, ...]) -> bool:
        """Tell whether an entry speaks of names that only this module has added."""
        return path[2:3] == ("extra_hosts",) and not self.project.services()[str(path[1])].get("extra_hosts")

    def _plan_all(self, clouds: Iterable[str]) -> None:
        for cloud in clouds:
            share = self.shares[cloud]
            if not self._drawn(cloud):
                continue
            side = share.side
            entries: dict[str, list[tuple[str, str]]] = {}
            waits: dict[str, list[dict[str, Any]]] = {}
            for call in self._calls_from(cloud):
                marks = [addresses.mark(peer, self.numbers[cloud, peer]) for peer in self.stands.get(call.callee, ())]
                entries.setdefault(call.caller, []).extend((name, mark) for name in call.names for mark in marks)
                tcp = [port for port, _, kind in call.ports if kind == "tcp"]
                if call.waits and tcp and marks:
                    wait = {"service": call.caller, "for": call.callee, "address": marks[0], "port": tcp[0]}
                    waits.setdefault(call.caller, []).append(wait)
            desired = share.plain
            if entries:
                desired = self._realised(cloud, side, introduced(share.drawing, entries))
            share.desired = _waiting(desired, waits)
            share.plan = planner.plan(
                share.desired,
                side.observed,
                side.prior,
                side.owner,
                side.target.name,
                adoptable=side.adoptable,
                restore=side.restore,
            )

    def _calls_from(self, cloud: str) -> Iterator[Call]:
        return (call for call in self.calls if self.homes.services[call.caller] == cloud)

    # Rounds.

    def _break_rounds(self) -> None:
        """Give up what is not needed of waiting in a round; what is needed is an error."""
        rounds = self._rounds()
        if not rounds:
            return
        inside = [set(group) for group in rounds]
        kept_orders = [order for order in self.orders if not self._within(*order, inside)]
        for service, other in self.orders:
            if (service, other) not in kept_orders:
                self._warn(
                    "across.order_dropped",
                    f"{service} is to start after {other} on another cloud, which waits for it in turn: they start "
                    "together. Remove one of the dependencies to have them start in order.",
                    ("services", service, "depends_on", other),
                )
        self.orders = kept_orders
        inside = [set(group) for group in self._rounds()]
        if inside:
            unsure = [call for call in self.calls if not call.sure and self._within(call.caller, call.callee, inside)]
            for call in unsure:
                self._warn(
                    "across.name_dropped",
                    f"A setting of {call.caller} holds the name {call.callee}, a service on another cloud that needs "
                    f"the address of {call.caller}'s side first: the name leads nowhere there. If {call.caller} does "
                    f"call it, put both on one cloud.",
                    call.path,
                )
            self.calls = [call for call in self.calls if call not in unsure]
        for group in self._rounds():
            within = [set(group)]
            pairs = [call for call in self.calls if self._within(call.caller, call.callee, within)]
            told = ", ".join(
                f"{call.caller} ({self.homes.services[call.caller]}) calls {call.callee} "
                f"({self.homes.services[call.callee]})"
                for call in pairs[:_SHOWN]
            )
            self._error(
                "across.cycle",
                f"Machines on both sides of a border need each other's addresses before they can be made: {told}. Put "
                "these services on one cloud, let one side do without the other's name, or give each a machine of its "
                "own (x-escale: {isolation: machine}) if only their machines go round.",
                pairs[0].path if pairs else (),
            )

    def _within(self, service: str, other: str, groups: Sequence[set[str]]) -> bool:
        ours, theirs = self._nodes(service), self._nodes(other)
        return any(group.intersection(ours) and group.intersection(theirs) for group in groups)

    def _nodes(self, service: str) -> list[str]:
        return [joined(peer.part, peer.machine) for peer in self.stands.get(service, ())]

    def _rounds(self) -> list[list[str]]:
        """Return the machines that wait for each other over a border, a group a round."""
        needs: dict[str, dict[str, None]] = {}
        for cloud, share in self.shares.items():
            part, after = self.sides[cloud].part, share.plain.start_after
            inner = {machine.key: list(after.get(machine.key, ())) for machine in _machines(share.plain)}
            for key, others in graph.without_cycles(inner)[0].items():
                needs[joined(part, key)] = dict.fromkeys(joined(part, other) for other in others)
        for service, other in [*((call.caller, call.callee) for call in self.calls), *self.orders]:
            for node in self._nodes(service):
                needs[node].update(dict.fromkeys(self._nodes(other)))
        found = graph.components({node: list(of) for node, of in needs.items()})
        return [group for group in found if len(group) > 1]

    # Addresses that change.

    def _read_numbers(self) -> None:
        for cloud, share in self.shares.items():
            for spec in share.side.prior.values():
                for peer, number in addresses.wanted(spec.get("userdata") or {}).items():
                    self.numbers[cloud, peer] = max(number, self.numbers.get((cloud, peer), 1))
                    self.known.add((cloud, peer))
            for call in self._calls_from(cloud):
                for peer in self.stands.get(call.callee, ()):
                    self.numbers.setdefault((cloud, peer), 1)

    def _moved(self) -> dict[tuple[str, Peer], str]:
        """Return the addresses that machines were given and that change with this plan, or have changed, and why."""
        found: dict[tuple[str, Peer], str] = {}
        for cloud, peer in self.known - self.reasons.keys():
            there = self.shares.get(self.by_part.get(peer.part, ""))
            if there is None or not any(peer in self.stands.get(call.callee, ()) for call in self._calls_from(cloud)):
                continue
            reason = self._new_address(there, peer) or self._other_address(cloud, there, peer)
            if reason:
                found[cloud, peer] = reason
        return found

    def _new_address(self, there: _Share, peer: Peer) -> str:
        made = {action.verb for action in there.plan.actions if action.resource == peer.machine}
        now = self._address(there.side, peer, connected=False)
        if "machine.create" in made:
            change = next((one for one in there.plan.changes if one.resource == peer.machine), None)
            return f"its machine is made anew ({change.cause})" if change else "its machine is made anew"
        if "machine.start" in made and now is not None and addresses.is_public(now):
            return "its machine is started anew, and a public address may be another one then"
        return ""

    def _other_address(self, cloud: str, there: _Share, peer: Peer) -> str:
        now = self._address(there.side, peer, connected=there.side.cloud in self.sides[cloud].reaches)
        told = {given[peer] for given in self.sides[cloud].given.values() if peer in given}
        return f"it is {now} by now" if now is not None and told - {now} else ""

    def _address(self, side: Side, peer: Peer, *, connected: bool) -> str | None:
        found = side.observed.resources.get(peer.machine)
        seen = list(found.attributes.get("addresses") or ()) if found else []
        reported = seen or side.reported.get(peer.machine, ())
        return reachable(side.prior.get(peer.machine, {}), reported, connected=connected)

    def _explain(self, cloud: str) -> None:
        """Put the reason on the changes that only another cloud causes."""
        share = self.shares[cloud]
        causes: dict[str, str] = {}
        for machine in _machines(share.desired):
            said = [
                f"the address of {self._on(peer)} changes: {self.reasons[cloud, peer]}"
                for peer in addresses.wanted(machine.userdata)
                if (cloud, peer) in self.reasons
            ]
            if said:
                causes[machine.key] = "; ".join(said)
        share.plan = replace(
            share.plan,
            changes=tuple(_because(change, causes.get(change.resource)) for change in share.plan.changes),
            actions=tuple(_because(action, causes.get(action.resource)) for action in share.plan.actions),
        )

    def _on(self, peer: Peer) -> str:
        services = sorted(service for service, peers in self.stands.items() if peer in peers)
        return f"{', '.join(services[:_SHOWN])} on {self.by_part[peer.part]}"

    # What ties the parts together.

    def _after(self) -> dict[str, tuple[str, ...]]:
        ready = {
            Peer(share.side.part, action.resource.partition(":")[2]): joined(share.side.part, action.key)
            for share in self.shares.values()
            for action in share.plan.actions
            if action.verb == "machine.ready"
        }
        after: dict[str, dict[str, None]] = {}
        for share in self.shares.values():
            resources = share.desired.resources
            for action in share.plan.actions:
                machine = resources.get(action.resource)
                if not isinstance(machine, Machine):
                    continue
                peers: list[Peer] = []
                if action.verb in ("machine.create", "machine.update"):
                    peers = list(addresses.wanted(machine.userdata))
                elif action.verb == "machine.start":
                    here = {workload.service for workload in machine.workloads}
                    peers = [peer for one, other in self.orders if one in here for peer in self.stands.get(other, ())]
                waits = [ready[peer] for peer in peers if peer in ready]
                if waits:
                    after.setdefault(joined(share.side.part, action.key), {}).update(dict.fromkeys(waits))
        return {key: tuple(needs) for key, needs in after.items()}

    def _crossings(self) -> Iterator[Crossing]:
        routes: set[tuple[str, str]] = set()
        for call in self.calls:
            here, there = self.homes.services[call.caller], self.homes.services[call.callee]
            if here not in self.shares or there not in self.shares:
                continue
            share, near = self.shares[there], self.sides[here]
            peers = self.stands.get(call.callee, [])
            machines = [share.desired.resources[peer.machine] for peer in peers]
            found = [self._address(share.side, peer, connected=there in near.reaches) for peer in peers]
            known = tuple(address for address in found if address is not None)
            public = bool(known) and len(known) == len(peers) and all(map(addresses.is_public, known))
            if not public and there not in near.reaches and (here, there) not in routes:
                routes.add((here, there))
                self._route(call, here, there, known)
            for port, inside, kind in call.ports:
                yield Crossing(
                    call.caller,
                    here,
                    call.callee,
                    there,
                    port,
                    inside,
                    kind,
                    tuple(machine.name for machine in machines if isinstance(machine, Machine)),
                    known,
                    self._firewall(call, share, machines, port, kind),
                    call.waits,
                )

    def _route(self, call: Call, here: str, there: str, known: Sequence[str]) -> None:
        if self.sides[there].public and not known:
            return
        which = f"which is private ({known[0]})" if known else "which may be a private one"
        self._warn(
            "across.route",
            f"{call.caller} on {here} reaches {call.callee} by the address of its machine on {there}, {which}: "
            f"something must route from {here} to there, a VPN or a direct connection. Where the clouds are "
            f'connected, an administrator says so in the options of {here} ({{"reaches": ["{there}"]}}), and this '
            "is no longer asked.",
            call.path,
        )

    def _firewall(self, call: Call, share: _Share, machines: Sequence[Any], port: int, kind: str) -> str:
        said: dict[str, None] = {}
        for machine in machines:
            wall = share.desired.resources.get(machine.firewall) if machine.firewall else None
            if not isinstance(wall, Firewall):
                continue
            rules = [one for one in wall.rules if one.protocol == kind and one.first <= port <= one.last]
            said.update(dict.fromkeys(f"{wall.name}: {kind} {port} from {rule.source}" for rule in rules))
            if not rules:
                self._error(
                    "across.firewall",
                    f"{call.caller} calls {call.callee} on {share.side.cloud} at {kind} {port}, and the firewall of "
                    f"{machine.name} does not let it in: publish the port on all addresses of the machine.",
                    ("services", call.callee, "ports"),
                )
        return ", ".join(said)

    def _check_data(self) -> None:
        """Refuse to leave a volume's data behind where its service leaves."""
        for cloud, share in self.shares.items():
            for key, resource in share.desired.resources.items():
                if not isinstance(resource, Volume) or key in share.side.prior or key in share.side.observed.resources:
                    continue
                for other, left in self.shares.items():
                    had = key in left.side.prior or key in left.side.observed.resources
                    if other != cloud and had and key not in left.desired.resources:
                        name = key.partition(":")[2]
                        self._error(
                            "across.data_stays",
                            f"The volume {name} is on {other} with its data, and is drawn on {cloud} now: a plan moves "
                            f"no data, and would make it anew there, empty. Leave its service on {other}, move it "
                            "with a mobility plan, or draw a volume of another name to start without the data.",
                            ("volumes", name),
                        )

    # Notes.

    def _has(self, code: str) -> bool:
        return any(finding.code == code for finding in self.findings)

    def _error(self, code: str, message: str, path: tuple[str | int, ...] = ()) -> None:
        self._note(code, "error", message, path)

    def _warn(self, code: str, message: str, path: tuple[str | int, ...]) -> None:
        self._note(code, "warning", message, path)

    def _note(self, code: str, severity: Any, message: str, path: tuple[str | int, ...]) -> None:
        at = self.project.locate(path) if path else None
        found = Finding(code, severity, message, path, at.line if at else None, at.column if at else None)
        if found not in self.findings:
            self.findings.append(found)


def _machines(desired: Desired) -> list[Machine]:
    return [resource for resource in desired.resources.values() if isinstance(resource, Machine)]


def _waiting(desired: Desired, waits: Mapping[str, Sequence[Mapping[str, Any]]]) -> Desired:
    """Return the resources with machines that also wait for ports on other clouds."""
    if not waits:
        return desired
    resources = dict(desired.resources)
    for machine in _machines(desired):
        here = dict.fromkeys(workload.service for workload in machine.workloads)
        own = [wait for service in here for wait in waits.get(service, ())]
        if own:
            resources[machine.key] = replace(machine, userdata=addresses.with_waits(machine.userdata, own))
    return replace(desired, resources=resources)


def _removal(side: Side) -> Plan:
    """Return the plan for a cloud that nothing of the drawing stands on any more."""
    made = planner.plan_destroy(side.observed, side.prior, side.owner, side.target.name)
    cause = f"nothing of the drawing stands on {side.cloud} any more"
    return replace(
        made,
        changes=tuple(replace(change, cause=cause) for change in made.changes),
        actions=tuple(replace(action, cause=cause) for action in made.actions),
    )


def _because(item: Any, cause: str | None) -> Any:
    if cause is None or item.change != "update":
        return item
    others = [
        said for said in item.cause.split("; ") if not said.endswith((": extra_hosts", "what it waits for changed"))
    ]
    return replace(item, cause="; ".join([cause, *others]))
