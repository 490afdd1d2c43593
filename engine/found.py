"""Machines of a running estate, as plain data: what is looked at before anything is adopted."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from engine.observed import ObservedResource
from engine.resources import Owner


@dataclass(frozen=True, slots=True)
class FoundDisk:
    """A disk of a machine: what the cloud calls it, how large it is, and where it lies."""

    label: str
    size_mib: int
    datastore: str = ""


@dataclass(frozen=True, slots=True)
class FoundMachine:
    """A machine as it is on its cloud now, whosever it is.

    ``id`` outlives a move to another host and a new name (vSphere's instance UUID); ``ref`` is what the API calls it.
    ``organization_id`` to ``adopted`` are what its markers say, empty without any. ``folder``: path of names.
    """

    id: str
    ref: str
    name: str
    power: str  # "on", "off", "suspended"
    cpus: int
    memory_mib: int
    folder: str = ""
    networks: tuple[str, ...] = ()  # of its cards, in their order
    disks: tuple[FoundDisk, ...] = ()
    template: bool = False
    cluster: str = ""
    host: str = ""
    guest: str = ""
    bios_uuid: str = ""
    addresses: tuple[str, ...] = ()
    snapshots: int = 0
    tools: bool = False
    annotation: str = ""
    organization_id: str = ""
    deployment_id: str = ""
    resource: str = ""
    config_hash: str = ""
    adopted: bool = False
    copies: int = 1  # machines without markers that share the identity

    @property
    def owned(self) -> bool:
        """Tell whether the machine carries anybody's markers."""
        return bool(self.deployment_id or self.organization_id or self.resource)

    def is_of(self, owner: Owner) -> bool:
        """Tell whether the machine carries a deployment's markers."""
        return self.deployment_id == owner.deployment_id

    def to_json(self) -> dict[str, Any]:
        """Return the machine as plain data."""
        return asdict(self)

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> FoundMachine:
        """Rebuild a machine from ``to_json``'s form."""
        body = dict(data)
        body["disks"] = tuple(FoundDisk(**disk) for disk in body.get("disks", ()))
        body["networks"], body["addresses"] = tuple(body.get("networks", ())), tuple(body.get("addresses", ()))
        return cls(**body)

    def stable(self) -> list[Any]:
        """Return what a plan to adopt the machine depends on; addresses and hosts change by themselves."""
        disks = [[disk.label, disk.size_mib] for disk in self.disks]
        marks = [self.organization_id, self.deployment_id, self.resource]
        return [
            self.id,
            self.name,
            self.cpus,
            self.memory_mib,
            list(self.networks),
            disks,
            self.template,
            self.copies,
            marks,
        ]

    def observed(self, *, adopted: bool = False) -> ObservedResource:
        """Return the machine as a thing that carries a deployment's markers.

        ``adopted``: it is known to have been adopted, whatever became of the marker that says so.
        """
        attributes: dict[str, Any] = {
            "name": self.name,
            "power": self.power,
            "cpus": self.cpus,
            "memory_mib": self.memory_mib,
            "addresses": list(self.addresses),
            "host": self.host,
            "cluster": self.cluster,
            "instance_uuid": self.id,
            "bios_uuid": self.bios_uuid,
            "moref": self.ref,
            "disks": [
                {"volume": None, "path": disk.label, "size_gib": disk.size_mib / 1024, "system": True}
                for disk in self.disks
            ],
            "tools": self.tools,
            "snapshots": self.snapshots,
            "adopted": self.adopted or adopted,
            "own_networks": list(self.networks),
            "own_disks": [asdict(disk) for disk in self.disks],
        }
        return ObservedResource(self.resource, "machine", self.id, self.config_hash, attributes)
