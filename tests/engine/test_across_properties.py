"""Whatever is drawn over several clouds: the parts together are the whole, and a plan can be run and is done then."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from engine.compose.model import Project
from engine.realise.place import Clouds, homes, part
from engine.userdata.addresses import wanted
from tests.engine.across import Sky, text_of
from tests.engine.drawings import draw, errors, placed
from tests.engine.test_plan_properties import drawings

CLOUDS = ("paris", "roubaix", "ireland")


@st.composite
def spread(pick: Any) -> Project:
    """The drawings of the plans' properties, whose services name clouds, publish what they expose, and call others."""
    project = pick(drawings())
    names = list(project.services())
    bodies: dict[str, Any] = {}
    services: dict[str, Any] = {}
    for position, name in enumerate(names):
        extension = dict(project.extensions("services", name).get("x-escale") or {})
        cloud = pick(st.sampled_from([None, *CLOUDS]))
        if cloud is not None:
            extension["place"] = cloud
        bodies[name] = {"x-escale": extension} if extension else {}
        body = dict(project.services()[name])
        port = 7000 + position
        body["ports"] = [
            *(body.get("ports") or ()),
            {"mode": "ingress", "target": port, "published": str(port), "protocol": "tcp"},
        ]
        # Only earlier ones are called, so that most drawings can be run.
        called = pick(st.lists(st.sampled_from(names[:position]), unique=True, max_size=2)) if position else []
        body["environment"] = {
            **(body.get("environment") or {}),
            **{f"CALLS_{other.upper()}": f"http://{other}:{7000 + names.index(other)}" for other in called},
        }
        services[name] = body
    config = {**project.config, "services": services}
    return replace(project, config=config, model={**project.model, "services": bodies})


@given(spread())
@settings(max_examples=60, deadline=None)
def test_the_parts_together_are_the_whole(project: Project) -> None:
    found = homes(project, "paris", Clouds(CLOUDS, {}))
    parts = {cloud: part(project, found, cloud) for cloud in found.clouds}
    services = [name for one in parts.values() for name in one.services()]
    assert sorted(services) == sorted(project.services())
    for section in ("networks", "volumes"):
        assert {name for one in parts.values() for name in one.config[section]} == set(project.config[section])
    for cloud, one in parts.items():
        assert {found.services[name] for name in one.services()} <= {cloud}
        assert all(set(body.get("depends_on") or ()) <= set(one.services()) for body in one.services().values())
        again = homes(one, cloud, Clouds(CLOUDS, {}))
        assert again.clouds == (cloud,)
        assert part(one, again, cloud) == one
    whole = draw(project)
    if errors(whole) or any(errors(draw(one)) for one in parts.values()):
        return
    alone = [key for one in parts.values() for keys in placed(draw(one)).values() for key in keys]
    assert sorted(alone) == sorted(key for keys in placed(whole).values() for key in keys)


@given(spread(), st.integers(0, 40))
@settings(max_examples=60, deadline=None)
def test_a_plan_that_is_not_blocked_can_be_run_in_its_order_and_leaves_nothing_to_do(
    project: Project, stop: int
) -> None:
    sky = Sky(CLOUDS)
    plan = sky.plan(project)
    order = plan.order()  # also a blocked plan can be read
    if plan.blocked:
        return
    sky.execute(plan, stop_after=stop)
    rest = sky.plan(project)
    assert not rest.blocked, [one.message for one in rest.findings if one.severity == "error"]
    sky.execute(rest)
    assert sky.plan(project).empty
    assert len(order) == sum(len(one.actions) for one in plan.plans.values())
    told_right(sky)
    end = sky.plan_destroy()
    sky.execute(end)
    assert not any(cloud.things for cloud in sky.clouds.values())


@given(spread(), spread(), st.integers(0, 40))
@settings(max_examples=80, deadline=None)
def test_any_drawing_can_follow_any_other_or_is_refused_before_anything_happens(
    before: Project, after: Project, stop: int
) -> None:
    sky = Sky(CLOUDS)
    first = sky.plan(before)
    if first.blocked:
        return
    sky.execute(first)
    change = sky.plan(after)
    change.order()
    if change.blocked:
        assert sky.plan(before).empty
        return
    sky.execute(change, stop_after=stop)
    rest = sky.plan(after)
    if rest.blocked:  # a volume that is still on its old cloud, since the operation stopped before it went
        assert {one.code for one in rest.all_findings() if one.severity == "error"} == {"across.data_stays"}
        return
    sky.execute(rest)
    again = sky.plan(after)
    assert again.empty, text_of(again)
    told_right(sky)


def told_right(sky: Sky) -> None:
    """Assert that each machine was given the addresses that the machines elsewhere have now."""
    for cloud in CLOUDS:
        for key, spec in sky.clouds[cloud].prior.items():
            for peer in wanted(spec.get("userdata") or {}):
                there = peer.part or CLOUDS[0]
                assert there != cloud
                assert sky.given[cloud][key][peer] == sky.addresses[there][peer.machine][0]
