"""The canary: what is made on a cloud to prove that it can be made, by the same verbs as any deployment."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from typing import Any

from connectors.probing import FOLDER, MACHINE, NETWORK, VOLUME, Canary, Probe
from engine.plan import Action
from engine.resources import (
    DiskMount,
    Folder,
    Machine,
    Network,
    Nic,
    Owner,
    Resource,
    Volume,
    config_hash,
    to_json,
)
from engine.userdata import plain_document

PROJECT = "conformance"
DEPLOYMENT = "canary"
_GROUND_NETWORK = "network:ground"
_NAMESPACE = uuid.UUID("0b7c2f5e-53d1-5d7a-9a53-2f1f0c7f1f4b")
_DISK_GIB = 1
# Of the range that is reserved for benchmarks (RFC 2544): nobody routes it, and no site has it.
_ADDRESS = "198.18.0.10/24"

CLEANED = (MACHINE, VOLUME, NETWORK, FOLDER)
"""What is removed, in this order."""


def owner(organization_id: uuid.UUID, organization: str, run_id: uuid.UUID) -> Owner:
    """Return whom a run's canary belongs to: a deployment of its own, which no deployment of the portal has."""
    return Owner(
        organization_id=str(organization_id),
        organization=organization,
        project_id=str(uuid.uuid5(_NAMESPACE, str(organization_id))),
        project=PROJECT,
        deployment_id=str(run_id),
        deployment=DEPLOYMENT,
    )


def name(canary: Owner) -> str:
    """Return what the canary's machine and network are called; it leads back to the run."""
    return f"escale-canary-{canary.deployment_id[:8]}"


def action(probe: Probe, canary: Canary) -> Action:
    """Return what is asked of the connector for a probe that is acted; KeyError when the ground is not known."""
    inputs = {
        resource: {key: value for key, value in found.items() if value}
        for resource, found in _made(canary.found).items()
    }
    spec: Mapping[str, Any] = {}
    uses: tuple[str, ...] = ()
    match probe.verb:
        case "folder.create" | "network.create" | "volume.create" | "machine.create":
            resource = _resource(probe.resource, canary)
            spec = {**to_json(resource), "config_hash": config_hash(resource)}
            uses = tuple(inputs)
        case "machine.ready":
            spec = {"timeout_s": probe.patience_s}
        case "machine.relocate":
            to = probe.key.rpartition(".")[2]
            spec = {"to": to, "from": canary.found["canary.placed"]["internals"][to]}
        case _:
            pass
    return Action(
        key=f"{probe.resource}/{probe.key}",
        verb=probe.verb,
        resource=probe.resource,
        change="create" if probe.verb.endswith(".create") else "update",
        title=probe.key,
        cause="conformance",
        owner=canary.owner,
        spec=spec,
        external_id=str(inputs.get(probe.resource, {}).get("external_id") or "") or None,
        uses=uses,
        inputs=inputs,
    )


def removal(resource: str, canary: Owner, external_id: str | None, verb: str = "") -> Action:
    """Return what removes a part of the canary, or does something else to it first."""
    verb = verb or f"{resource.partition(':')[0]}.delete"
    return Action(
        key=f"{resource}/{verb}",
        verb=verb,
        resource=resource,
        change="delete",
        title=f"Remove {resource}",
        cause="conformance",
        owner=canary,
        external_id=external_id,
        destructive=True,
    )


def _resource(key: str, canary: Canary) -> Resource:
    ground = canary.found.get("ground", {}).get("internals", {})
    own = name(canary.owner)
    match key:
        case "folder:deployment":
            short = canary.owner.deployment_id.replace("-", "")[:8]
            return Folder(FOLDER, ("escale", canary.owner.organization, PROJECT, f"{DEPLOYMENT}-{short}"))
        case "network:canary":
            return Network(NETWORK, own, managed=True)
        case "volume:canary":
            return Volume(VOLUME, own, _DISK_GIB, ground.get("datastore"))
        case _:
            pass
    nics = [Nic(_GROUND_NETWORK)]
    if NETWORK in _made(canary.found):
        nics.append(Nic(NETWORK, _ADDRESS))
    return Machine(
        key=MACHINE,
        name=own,
        template=ground["template"],
        cpus=ground["cpus"],
        memory_mib=ground["memory_mib"],
        nics=tuple(nics),
        disks=(DiskMount(VOLUME, "/canary", 1),),
        userdata=plain_document(own),
        cluster=ground.get("cluster"),
        datastore=ground.get("datastore"),
    )


_MAKERS = {"canary.folder": FOLDER, "canary.network": NETWORK, "canary.volume": VOLUME, "canary.clone": MACHINE}


def _made(found: Mapping[str, Mapping[str, Any]]) -> dict[str, Mapping[str, Any]]:
    """Return what earlier probes have made, by resource, as the verbs' inputs name it."""
    made: dict[str, Mapping[str, Any]] = {
        resource: found[probe]["internals"]
        for probe, resource in _MAKERS.items()
        if found.get(probe, {}).get("verdict") == "passed"
    }
    network = found.get("ground", {}).get("internals", {}).get("network")
    if network:
        made[_GROUND_NETWORK] = {"name": network}
    return made
