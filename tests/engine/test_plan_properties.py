"""Whatever is drawn, and whatever happens: applying a plan leaves nothing to plan, and touches nothing else."""

from __future__ import annotations

import json
from copy import deepcopy
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from engine import graph
from engine.compose.model import Project
from engine.observed import ObservedResource, Target
from engine.plan import Plan
from engine.planner import plan_text
from engine.realise import Desired
from tests.engine.cloud import TinyCloud
from tests.engine.drawings import AWS, TARGET, draw

NAMES = ["api", "cache", "db", "mail", "web", "worker"]
VOLUMES = ["alpha", "beta", "gamma"]


@st.composite
def drawings(draw_: Any) -> Project:
    """Drawings of up to six services with relations, volumes, sizes and places of all kinds."""
    names = draw_(st.lists(st.sampled_from(NAMES), unique=True, min_size=0, max_size=6))
    sizes = {volume: draw_(st.integers(5, 8)) for volume in VOLUMES}
    networks = ["default", "back"]
    services: dict[str, Any] = {}
    extensions: dict[str, Any] = {}
    used: set[str] = set()
    for position, name in enumerate(sorted(names)):
        body: dict[str, Any] = {
            "image": f"{name}:{draw_(st.integers(1, 2))}",
            "networks": dict.fromkeys(draw_(st.sampled_from([["default"], ["back"], networks]))),
        }
        extension: dict[str, Any] = {}
        if draw_(st.booleans()):
            body["expose"] = [str(8000 + position)]
        if draw_(st.integers(0, 2)) == 0:
            published = str(draw_(st.sampled_from([80, 443, 9000 + position])))
            body["ports"] = [{"mode": "ingress", "target": 80, "published": published, "protocol": "tcp"}]
        earlier = sorted(services)
        if earlier and draw_(st.booleans()):
            body["depends_on"] = {draw_(st.sampled_from(earlier)): {"condition": "service_started"}}
        if draw_(st.booleans()):
            volume = draw_(st.sampled_from(VOLUMES))
            used.add(volume)
            body["volumes"] = [{"type": "volume", "source": volume, "target": "/data", "volume": {}}]
        if draw_(st.booleans()):
            body["deploy"] = {"replicas": draw_(st.integers(0, 3))}
        if draw_(st.booleans()):
            extension["isolation"] = draw_(st.sampled_from(["shared", "machine"]))
        if draw_(st.integers(0, 3)) == 0:
            extension["memory"] = f"{draw_(st.integers(1, 9))}GiB"
        services[name] = body
        if extension:
            extensions[name] = {"x-escale": extension}
    config = {
        "name": "shop",
        "services": services,
        "networks": {network: {"name": f"shop_{network}", "ipam": {}} for network in networks},
        "volumes": {volume: {"name": f"shop_{volume}"} for volume in sorted(used)},
    }
    model = {
        "services": extensions,
        "volumes": {volume: {"x-escale": {"size": f"{sizes[volume]}GiB"}} for volume in used},
    }
    return Project("shop", config, model=model)


def check_shape(plan: Plan) -> None:
    """Every plan is a graph without cycles, in order, of known verbs, each with a cause."""
    keys = [action.key for action in plan.actions]
    assert len(set(keys)) == len(keys)
    dependencies = {action.key: action.depends_on for action in plan.actions}
    assert graph.find_cycle(dependencies) is None
    seen: set[str] = set()
    for action in plan.actions:
        assert set(action.depends_on) <= seen
        seen.add(action.key)
        assert action.cause
        assert action.title
    json.dumps(plan.to_json())


def apply(cloud: TinyCloud, project: Project) -> tuple[Desired, Plan]:
    desired = draw(project, on=cloud.target, prior=cloud.prior)
    plan = cloud.plan(desired)
    check_shape(plan)
    return desired, plan


TARGETS = st.sampled_from([TARGET, AWS])
COMMON = settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])


@given(drawings(), TARGETS)
@COMMON
def test_a_second_apply_is_empty_and_destroy_leaves_nothing(project: Project, target: Target) -> None:
    cloud = TinyCloud(target=target)
    _, plan = apply(cloud, project)
    if plan.blocked:
        return
    cloud.execute(plan)
    _, left = apply(cloud, project)
    assert left.empty, plan_text(left)
    end = cloud.plan_destroy()
    check_shape(end)
    cloud.execute(end)
    assert not cloud.things


@given(drawings(), drawings(), st.integers(0, 60), st.booleans(), TARGETS)
@COMMON
def test_any_update_converges_also_after_an_interruption(
    before: Project, after: Project, cut: int, regret: bool, target: Target
) -> None:
    cloud = TinyCloud(target=target)
    _, first = apply(cloud, before)
    if first.blocked:
        return
    cloud.execute(first)
    _, second = apply(cloud, after)
    if second.blocked:
        return
    cloud.execute(second, stop_after=cut)
    final = before if regret else after
    _, rest = apply(cloud, final)
    if rest.blocked:
        return
    cloud.execute(rest)
    _, left = apply(cloud, final)
    assert left.empty, plan_text(left)
    for thing in cloud.things.values():
        if thing["key"].startswith("volume:"):
            wanted = [key for key, spec in cloud.prior.items() if thing["key"] in _disks(spec)]
            assert len(wanted) < 2
            assert bool(cloud.observe().resources[thing["key"]].attributes["attached_to"]) == bool(wanted)
    assert all(thing["power"] == "on" for thing in cloud.things.values() if thing["key"].startswith("machine:"))


def _disks(spec: Any) -> list[str]:
    return [disk["volume"] for disk in spec.get("disks", ())]


@given(drawings(), drawings(), TARGETS, st.data())
@COMMON
def test_what_the_drawing_did_not_make_is_never_touched(
    before: Project, after: Project, target: Target, data: Any
) -> None:
    cloud = TinyCloud(target=target)
    _, first = apply(cloud, before)
    if first.blocked:
        return
    cloud.execute(first)
    machines = [thing for thing in cloud.things.values() if thing["key"].startswith("machine:")]
    for machine in machines:
        if data.draw(st.integers(0, 2)) == 0:
            machine["disks"].append({"volume": None, "path": f"[ds] foreign/{machine['id']}.vmdk", "size_gib": 7})
    foreign = {machine["id"] for machine in machines if any(disk.get("path") for disk in machine["disks"])}
    cloud.strays.append(ObservedResource("machine:host-1", "machine", "stray-1", "", {"name": "stray"}))
    _, second = apply(cloud, after)
    for plan in (second, cloud.plan_destroy()):
        check_shape(plan)
        assert not any(action.external_id == "stray-1" for action in plan.actions)
        lethal = {action.external_id for action in plan.actions if action.verb == "machine.delete"}
        assert not lethal & foreign
        if not plan.blocked:
            # The cloud refuses whatever would take a disk along that is not the template's.
            deepcopy(cloud).execute(plan)


@given(drawings(), TARGETS)
@COMMON
def test_what_is_lost_comes_back(project: Project, target: Target) -> None:
    cloud = TinyCloud(target=target)
    _, plan = apply(cloud, project)
    if plan.blocked:
        return
    cloud.execute(plan)
    for key in [thing["key"] for thing in cloud.things.values() if thing["key"].startswith("machine:")][:2]:
        cloud.lose(key)
    _, repair = apply(cloud, project)
    assert all(change.cause == "missing on the cloud" for change in repair.changes if change.change == "create")
    cloud.execute(repair)
    _, left = apply(cloud, project)
    assert left.empty, plan_text(left)


@given(drawings(), TARGETS)
@COMMON
def test_the_same_drawing_gives_the_same_plan_to_the_byte(project: Project, target: Target) -> None:
    one, other = (TinyCloud().plan(draw(project, on=target)) for _ in range(2))
    assert json.dumps(one.to_json()) == json.dumps(other.to_json())
    assert one.hash == other.hash


@given(drawings(), st.sampled_from(NAMES))
@COMMON
def test_a_service_that_is_added_moves_no_other(project: Project, name: str) -> None:
    if name in project.services():
        return
    cloud = TinyCloud()
    _, plan = apply(cloud, project)
    if plan.blocked:
        return
    cloud.execute(plan)
    config = {**project.config, "services": {**project.services(), name: {"image": f"{name}:1"}}}
    more = Project("shop", config, model=project.model)
    before = _placement(draw(project, prior=cloud.prior))
    after = _placement(draw(more, prior=cloud.prior))
    assert {workload: machine for workload, machine in after.items() if workload[0] != name} == before


def _placement(desired: Desired) -> dict[tuple[str, int], str]:
    return {
        (workload.service, workload.replica): key
        for key, machine in desired.resources.items()
        if key.startswith("machine:")
        for workload in machine.workloads  # type: ignore[union-attr]
    }
