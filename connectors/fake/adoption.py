"""Machines that somebody else made: look at them, mark them, and let them go, on the fake cloud."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from connectors.base import ConnectorError
from engine.found import FoundDisk, FoundMachine

if TYPE_CHECKING:
    from connectors.fake.effects import Effects, Payload, Result


def describe(effects: Effects, ids: Sequence[str]) -> tuple[FoundMachine, ...]:
    """Return machines by id as they are now."""
    things = (effects.thing(identity) for identity in sorted({identity.lower() for identity in ids}))
    return tuple(described(effects, thing) for thing in things if thing is not None and thing["kind"] == "machine")


def described(effects: Effects, thing: Mapping[str, Any]) -> FoundMachine:
    """Return one machine as it is now."""
    data = thing["data"]
    networks = []
    for network in data["networks"]:
        made = effects.thing(network)
        networks.append(made["name"] if made else str(network))
    return FoundMachine(
        id=thing["id"],
        ref="vm-" + thing["id"][:8],
        name=thing["name"],
        power=data["power"],
        cpus=data["cpus"],
        memory_mib=data["memory_mib"],
        folder=data["folder"],
        networks=tuple(networks),
        disks=tuple(
            FoundDisk(label_of(disk, position), int(float(disk.get("size_gib", 0)) * 1024), data["datastore"])
            for position, disk in enumerate(data["disks"])
        ),
        template=bool(data.get("is_template")),
        cluster=data["cluster"],
        host=f"{data['cluster']}-host-1",
        guest=data.get("guest", ""),
        bios_uuid=data["bios_uuid"],
        snapshots=int(data.get("snapshots") or 0),
        tools=data["power"] == "on",
        annotation=data.get("annotation", ""),
        organization_id=data.get("organization", ""),
        deployment_id=thing["deployment"],
        resource=thing["resource"],
        config_hash=data.get("hash", "") if thing["deployment"] else "",
        adopted=bool(data.get("adopted")),
    )


def label_of(disk: Mapping[str, Any], position: int) -> str:
    """Return what a disk is called on its machine."""
    return str(disk.get("label") or f"Hard disk {position + 1}")


def adopt(effects: Effects, payload: Payload) -> Result:
    """Write markers on a machine that carries none."""
    found = effects.thing(payload["external_id"])
    if found is None:
        raise ConnectorError(
            "cloud.not_found",
            f"The machine of {payload['resource']} is gone - somebody deleted it on the cloud - plan again",
            permanent=True,
        )
    ours = found["deployment"] == payload["owner"]["deployment_id"] and found["resource"] == payload["resource"]
    if found["deployment"] and not ours:
        raise ConnectorError(
            "cloud.foreign",
            f"The machine {found['name']} was left alone - it carries the markers of another deployment by now: "
            "somebody else adopted it - take it out of the drawing and plan again",
            permanent=True,
        )
    data = found["data"]
    if data.get("is_template"):
        raise ConnectorError(
            "cloud.invalid",
            f"{found['name']} was left alone - it is a template by now - take it out of the drawing and plan again",
            permanent=True,
        )
    organization = payload["owner"]["organization_id"]
    data.update(adopted=True, organization=organization, hash=payload["spec"].get("config_hash", ""))
    effects.save(found["id"], data)
    _mark(effects, found["id"], payload["owner"]["deployment_id"], payload["resource"], payload["key"])
    return {**effects.machine_facts(found["id"], found["name"], data), "power": data["power"], "created": True}


def release(effects: Effects, payload: Payload) -> Result:
    """Take the markers off an adopted machine."""
    found = effects.thing(payload["external_id"])
    if found is None:
        return {"gone": True}
    if not found["deployment"]:
        return {"external_id": found["id"]}
    effects.owned(payload)
    data = found["data"]
    if not data.pop("adopted", False):
        raise ConnectorError(
            "cloud.foreign",
            f"The machine {found['name']} was left alone - this deployment made it, and such a machine is deleted "
            "and never released - plan again",
            permanent=True,
        )
    data.pop("organization", None)
    data["hash"] = ""
    effects.save(found["id"], data)
    _mark(effects, found["id"], "", "", "")
    return {"external_id": found["id"]}


def update(effects: Effects, payload: Payload) -> Result:
    """Give an adopted machine other sizes; its disks grow by their labels."""
    found, spec = effects.machine(payload), payload["spec"]
    data = found["data"]
    wanted = {str(disk["label"]): int(disk["size_mib"]) / 1024 for disk in spec.get("own_disks", ())}
    for position, disk in enumerate(data["disks"]):
        size_gib = wanted.get(label_of(disk, position), 0)
        if size_gib > float(disk.get("size_gib", 0)):
            disk["size_gib"] = size_gib
    data.update(cpus=spec["cpus"], memory_mib=spec["memory_mib"], hash=spec.get("config_hash", ""))
    effects.save(found["id"], data)
    return effects.machine_facts(found["id"], found["name"], data)


def _mark(effects: Effects, external_id: str, deployment: str, resource: str, step: str) -> None:
    effects.db.execute(
        "UPDATE thing SET deployment = ?, resource = ?, step = ? WHERE id = ?",
        (deployment, resource, step, external_id),
    )
