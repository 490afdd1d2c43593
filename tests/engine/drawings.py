"""Load drawings and realise them on a realistic vSphere, as alice does in most of these tests."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from textwrap import dedent
from typing import Any

from engine import compose
from engine.compose.model import Project
from engine.findings import Finding
from engine.observed import (
    ClusterFact,
    DatastoreFact,
    Inventory,
    NetworkFact,
    QuotaFact,
    SizeFact,
    Target,
    TemplateFact,
)
from engine.plan import LedgerEntry
from engine.realise import Desired, realise
from engine.resources import Machine, Owner
from engine.userdata import read_file

OWNER = Owner(
    organization_id="0b3c9a52-5f0e-4c53-9a5e-0a2a7e1f9b10",
    organization="acme",
    project_id="5d1f3c74-55a7-4d9b-8f27-64a36ac2b7f1",
    project="web",
    deployment_id="7c9e6679-7425-40de-944b-e07fc1f90ae7",
    deployment="shop",
)

INVENTORY = Inventory(
    templates=(
        TemplateFact("vm-11", "debian-12-minimal", 1, 1024, 8, "debian12_64Guest"),
        TemplateFact("vm-12", "container-host-debian-12", 2, 2048, 16, "debian12_64Guest", container_host=True),
        TemplateFact("vm-13", "container-host-photon-5", 2, 2048, 12, "vmwarePhoton64Guest", container_host=True),
    ),
    clusters=(
        ClusterFact("domain-c8", "compute", 4, 64, 166_400, 41_600, 1_048_576, 262_144),
        ClusterFact("domain-c9", "edge", 2, 16, 41_600, 20_800, 65_536, 49_152),
    ),
    datastores=(
        DatastoreFact("datastore-21", "vsan", "vsan", 20_480, 12_288, ("compute",)),
        DatastoreFact("datastore-22", "nfs", "NFS", 10_240, 4_096),
        DatastoreFact("datastore-23", "old", "VMFS", 1_024, 900, (), accessible=False),
    ),
    networks=(
        NetworkFact("network-31", "VM Network", "standard"),
        NetworkFact("dvportgroup-32", "dmz", "distributed", 110),
    ),
    switches=("DSwitch",),
)

TARGET = Target("paris", "vsphere", "private", frozenset({"create_network", "data_disks"}), INVENTORY)

# Sizes, cards and addresses as DescribeInstanceTypes tells them; an availability zone tells no capacity.
AWS = Target(
    "ireland",
    "aws",
    "",
    frozenset({"create_network", "data_disks", "firewalls", "balancers", "own_ground"}),
    Inventory(
        templates=(TemplateFact("ami-1", "escale-container-host-debian-12", 0, 0, 8, "linux", container_host=True),),
        clusters=tuple(ClusterFact(f"euw1-az{n}", f"eu-west-1{n}", 0, 0, 0, 0, 0, 0) for n in "abc"),
        datastores=(DatastoreFact("gp3", "gp3", "gp3", 0, 0), DatastoreFact("gp2", "gp2", "gp2", 0, 0)),
        sizes=(
            SizeFact("t3.micro", 2, 1024, 2, 2),
            SizeFact("t3.small", 2, 2048, 3, 4),
            SizeFact("t3.medium", 2, 4096, 3, 6),
            SizeFact("t3.large", 2, 8192, 3, 12),
            SizeFact("m5.xlarge", 4, 16384, 4, 15),
            SizeFact("m5.4xlarge", 16, 65536, 8, 30),
            SizeFact("hs1.8xlarge", 17, 119_808, 8, 30, spot=False),
            SizeFact("a1.medium", 1, 2048, 2, 4, architecture="arm64"),
        ),
        quotas=(
            QuotaFact("vcpus", 64, 4, "L-1216C47A"),
            QuotaFact("spot_vcpus", 32, 0, "L-34B43A08"),
            QuotaFact("vpcs", 5, 1, "L-F678F1CE"),
        ),
        userdata_bytes=16_384,
    ),
)


def load(text: str, files: Mapping[str, str | bytes] | None = None, **environment: str) -> Project:
    """Load a drawing."""
    return compose.load(dedent(text), name="shop", files=files, environment=environment)


def target(capabilities: set[str] | None = None, defaults: Mapping[str, Any] | None = None, **inventory: Any) -> Target:
    """Return the usual target with other capabilities, defaults, or parts of its inventory."""
    return replace(
        TARGET,
        capabilities=TARGET.capabilities if capabilities is None else frozenset(capabilities),
        defaults=defaults or {},
        inventory=replace(INVENTORY, **inventory),
    )


def draw(
    text: str | Project,
    *,
    files: Mapping[str, str | bytes] | None = None,
    on: Target = TARGET,
    policy: Mapping[str, Any] | None = None,
    images: Mapping[str, str] | None = None,
    prior: Mapping[str, Any] | None = None,
    owner: Owner = OWNER,
    region: str | None = None,
    **environment: str,
) -> Desired:
    """Realise a drawing, or one region of it."""
    project = text if isinstance(text, Project) else load(text, files, **environment)
    return realise(project, on, owner, policy or {}, images or {}, prior, region=region)


def machines(desired: Desired) -> dict[str, Machine]:
    """Return the machines by label."""
    return {
        key.removeprefix("machine:"): resource
        for key, resource in desired.resources.items()
        if isinstance(resource, Machine)
    }


def placed(desired: Desired) -> dict[str, list[str]]:
    """Return label -> containers ("web/1") of each machine."""
    return {
        label: [f"{workload.service}/{workload.replica}" for workload in machine.workloads]
        for label, machine in machines(desired).items()
    }


def part(desired: Desired, label: str) -> dict[str, Any]:
    """Return a machine's part of the Compose file."""
    text = read_file(machines(desired)[label].userdata, "/opt/escale/compose.yaml")
    assert text is not None
    return dict(json.loads(text))


def settings(desired: Desired, label: str) -> dict[str, Any]:
    """Return a machine's machine.json."""
    text = read_file(machines(desired)[label].userdata, "/opt/escale/machine.json")
    assert text is not None
    return dict(json.loads(text))


def found(desired: Desired, code: str) -> list[Finding]:
    """Return the findings of a code."""
    return [finding for finding in desired.findings if finding.code == code]


def errors(desired: Desired) -> list[str]:
    """Return the codes of the errors."""
    return [finding.code for finding in desired.findings if finding.severity == "error"]


def entry(desired: Desired, *path: str | int) -> LedgerEntry:
    """Return the only ledger entry of a path."""
    entries = [entry for entry in desired.ledger if entry.path == path]
    assert len(entries) == 1, (path, entries)
    return entries[0]
