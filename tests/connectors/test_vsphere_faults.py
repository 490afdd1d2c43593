"""One thing goes wrong in a whole plan, at each call that a plan makes: it gets through, and leaves nothing."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import pytest

from connectors.base import ConnectorError, Outcome
from engine.resources import Resource
from tests.connectors.bench import Site
from tests.connectors.vsphere_bench import VsphereBench

pytestmark = pytest.mark.slow

CALLS = (
    "Login",
    "FindChild",
    "CreateFolder",
    "RetrievePropertiesEx",
    "CreateContainerView",
    "AddDVPortgroup_Task",
    "SearchDatastore_Task",
    "MakeDirectory",
    "CreateVirtualDisk_Task",
    "FindAllByUuid",
    "CloneVM_Task",
    "ReconfigVM_Task",
    "PowerOnVM_Task",
    "ShutdownGuest",
    "PowerOffVM_Task",
    "DeleteVirtualDisk_Task",
    "Destroy_Task",
)
TASKS = [call for call in CALLS if call.endswith("_Task") and call != "SearchDatastore_Task"]


def persist(site: Site, verb: str, about: Resource | str) -> Outcome:
    """Run an action as the runner does: the same key again while its error may pass; polls go on after a broken one."""
    action = site.action(verb, about)
    error: ConnectorError | None = None
    for _ in range(6):
        try:
            outcome = site.start(action)
            while outcome.state == "running":
                assert outcome.handle
                time.sleep(0.005)
                try:
                    outcome = site.connector.poll([outcome.handle])[outcome.handle]
                except ConnectorError as broken:
                    if broken.permanent:
                        raise
        except ConnectorError as raised:
            outcome = Outcome.failed(raised)
        if outcome.state == "done":
            if "external_id" in outcome.result:
                site.facts[action.resource] = {**site.facts.get(action.resource, {}), **outcome.result}
            return outcome
        error = outcome.error
        assert error is not None
        assert not error.permanent, (action.key, error.code, error.message, error.detail)
    raise AssertionError((action.key, error and error.message))


def plan(site: Site) -> tuple[Sequence[tuple[str, Any]], Sequence[tuple[str, Any]]]:
    machine = site.machine(disk=True)
    build = [
        ("folder.create", site.folder),
        ("network.create", site.backnet()),
        ("network.create", site.frontnet()),
        ("volume.create", site.volume()),
        ("machine.create", machine),
        ("machine.start", machine.key),
        ("machine.ready", machine.key),
    ]
    raze = [
        ("machine.stop", machine.key),
        ("machine.detach", machine.key),
        ("machine.start", machine.key),  # so that the deletion has to power it off
        ("machine.delete", machine.key),
        ("volume.delete", site.volume()),
        ("network.delete", site.backnet()),
        ("folder.delete", site.folder),
    ]
    return build, raze


def go_through(site: Site, vcenter: VsphereBench, arm: Callable[[], object]) -> None:
    before = vcenter.listing()
    arm()
    site.owner = replace(site.owner, organization=f"o-{site.owner.organization_id[:6]}")
    build, raze = plan(site)
    for verb, about in build:
        persist(site, verb, about)
    seen = site.observe()
    assert sorted(seen.resources) == ["folder:deployment", "machine:host-1", "network:back", "volume:data"]
    assert not seen.strays
    assert vcenter.machines() == 1
    for verb, about in raze:
        persist(site, verb, about)
    assert vcenter.listing() == before


@pytest.mark.parametrize("call", CALLS)
def test_a_plan_survives_a_fault_of_each_call(site: Site, vcenter: VsphereBench, call: str) -> None:
    go_through(site, vcenter, lambda: vcenter.simulator.fault(call, "HostCommunication", count=1))
    assert vcenter.simulator.faults()[0]["hits"] == 1, "the call was never made"


@pytest.mark.parametrize("call", TASKS)
@pytest.mark.parametrize("after_effect", [False, True], ids=["undone", "done all the same"])
def test_a_plan_survives_a_failing_task_of_each_call(
    site: Site, vcenter: VsphereBench, call: str, after_effect: bool
) -> None:
    rule = {"count": 1, "after_effect": after_effect}
    go_through(site, vcenter, lambda: vcenter.simulator.fail_task(call, "HostCommunication", **rule))
    assert vcenter.simulator.faults()[0]["hits"] == 1, "the task was never begun"


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize("how", ["before", "after"])
def test_a_plan_survives_a_cut_at_each_call(site: Site, vcenter: VsphereBench, call: str, how: str) -> None:
    go_through(site, vcenter, lambda: vcenter.breaker.arm(call, how))
    assert not vcenter.breaker._rules[call], "the call was never made"


@pytest.mark.parametrize("call", ["FindAllByUuid", "RetrievePropertiesEx", "CloneVM_Task"])
def test_a_plan_survives_slow_calls(site: Site, vcenter: VsphereBench, call: str) -> None:
    go_through(site, vcenter, lambda: vcenter.simulator.delay(call, 60))
