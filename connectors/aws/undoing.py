"""The way back of a creation, wherever it had come to."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import replace

from connectors.aws import balancers, firewalls, folders, markers, networks, power, volumes
from connectors.aws.cloud import Cloud, Facts
from connectors.aws.notes import Note
from connectors.aws.seen import Seen
from connectors.base import Outcome
from engine.plan import Action

_Start = Callable[[Action, str], Outcome]


def undo(cloud: Cloud, action: Action, key: str, start: _Start) -> Outcome:
    """Remove what a step has made. Without its result, what carries its mark is looked for, and awaited a while."""
    kind = action.verb.partition(".")[0]
    if kind == "network" and not action.spec.get("managed", True):
        return Outcome.done("nothing to undo")
    if action.external_id or made_by(cloud, kind, action, key):
        found = action.external_id or made_by(cloud, kind, action, key)
        inverse = replace(action, verb=f"{kind}.delete", external_id=found)
        return start(inverse, key + "/undo")
    if key not in cloud.memory.uncertain and _nothing_can_come(cloud, kind, action, key):
        return Outcome.done("nothing to undo")
    note = Note("undo", key, action.resource, action.owner)
    return note.on(kind=kind, until=round(time.time() + cloud.settle_s, 2)).running("looking for what was made")


def _nothing_can_come(cloud: Cloud, kind: str, action: Action, key: str) -> bool:
    """Tell whether what the step made is known to be gone, so that nothing of it is on its way."""
    if kind != "machine":
        return False
    dead = cloud.instances(_of_step(action, key), dead=True)
    return bool(dead)


def advance(cloud: Cloud, note: Note, seen: Seen) -> Outcome:
    """Look once more for what the step has made."""
    kind = note.data["kind"]
    action = Action(
        f"{note.resource}/{kind}.delete", f"{kind}.delete", note.resource, "delete", "", "", note.owner,
        spec={} if kind != "network" else {"managed": True},
    )  # fmt: skip
    found = made_by(cloud, kind, action, note.key)
    if found:
        return _DELETE[kind](cloud, replace(action, external_id=found), note.key + "/undo")
    if time.time() < note.data["until"]:
        return note.running("looking for what was made")
    return Outcome.done("nothing to undo")


def made_by(cloud: Cloud, kind: str, action: Action, key: str) -> str:
    """Return the id of what a step has made, "" when nothing can be seen."""
    if kind == "balancer":
        found = balancers.of_deployment(cloud, action.owner.deployment_id)
        made = [each["LoadBalancerArn"] for each, marks in found if marks.get("step") == markers.step(key)]
        return str(made[0]) if made else ""
    look, field = {
        "folder": (cloud.vpcs, "VpcId"),
        "network": (cloud.subnets, "SubnetId"),
        "firewall": (cloud.groups, "GroupId"),
        "volume": (cloud.volumes, "VolumeId"),
        "machine": (cloud.instances, "InstanceId"),
    }[kind]
    things: list[Facts] = look(_of_step(action, key))
    return str(things[0][field]) if things else ""


def _of_step(action: Action, key: str) -> list[Facts]:
    step = {"Name": f"tag:{markers.PREFIX}step", "Values": [markers.step(key)]}
    return [*markers.filters(action.owner, action.resource), step]


_DELETE: Mapping[str, Callable[[Cloud, Action, str], Outcome]] = {
    "folder": folders.delete,
    "network": networks.delete,
    "firewall": firewalls.delete,
    "volume": volumes.delete,
    "machine": power.delete,
    "balancer": balancers.delete,
}
