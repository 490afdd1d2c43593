"""What one look at the cloud has shown of all that handles wait for."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from connectors.aws import faults
from connectors.aws.cloud import Cloud, Facts
from connectors.aws.faults import Complaint
from connectors.aws.notes import Note
from connectors.base import Outcome


@dataclass(slots=True)
class Seen:
    """Things by id. ``checks``: instances whose guests answer."""

    instances: dict[str, Facts] = field(default_factory=dict)
    volumes: dict[str, Facts] = field(default_factory=dict)
    subnets: dict[str, Facts] = field(default_factory=dict)
    vpcs: dict[str, Facts] = field(default_factory=dict)
    checks: set[str] = field(default_factory=set)


def look(cloud: Cloud, notes: list[Note]) -> Seen:
    """Look at everything that handles wait for, a call for each kind of thing."""
    wanted: dict[str, set[str]] = {kind: set() for kind in ("machine", "volume", "network", "folder")}
    checked: set[str] = set()
    for note in notes:
        kind = note.verb.partition(".")[0]
        if note.thing and kind in wanted:
            wanted[kind].add(note.thing)
        if note.verb == "machine.ready":
            checked.add(note.thing)
    seen = Seen()
    if wanted["machine"]:
        seen.instances = cloud.by_id(cloud.instances, "instance-id", wanted["machine"], dead=True)
    if wanted["volume"]:
        seen.volumes = cloud.by_id(cloud.volumes, "volume-id", wanted["volume"])
    if wanted["network"]:
        seen.subnets = cloud.by_id(cloud.subnets, "subnet-id", wanted["network"])
    if wanted["folder"]:
        seen.vpcs = cloud.by_id(cloud.vpcs, "vpc-id", wanted["folder"])
    if checked:
        seen.checks = _answering(cloud, checked & set(seen.instances))
    return seen


def _answering(cloud: Cloud, ids: set[str]) -> set[str]:
    running = sorted(ids)
    passed: set[str] = set()
    for at in range(0, len(running), 100):
        told = [{"Name": "instance-status.reachability", "Values": ["passed"]}]
        statuses = cloud.account.pages(
            "ec2", "DescribeInstanceStatus", "InstanceStatuses", InstanceIds=running[at : at + 100], Filters=told
        )
        passed.update(each["InstanceId"] for each in statuses if each["InstanceStatus"]["Status"] == "ok")
    return passed


_PASSING = frozenset({"IncorrectState", "IncorrectInstanceState", "VolumeInUse", "ConcurrentTagAccess"})


def patient(cloud: Cloud, note: Note, work: Callable[[], Outcome]) -> Outcome:
    """Go on with work; what cannot be seen yet, or is on its way to another state, is waited for a while."""
    try:
        return work()
    except Complaint as complaint:
        passing = complaint.code in _PASSING or faults.gone(complaint.code)
        if passing and note.age_s < cloud.settle_s:
            return note.running("waiting for AWS")
        raise
