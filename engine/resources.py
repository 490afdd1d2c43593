"""Typed resources: what a drawing becomes on a target.

Every resource is plain data with a key that is unique within one deployment (``machine:host-1``),
a JSON form and a configuration hash. Nothing here knows a cloud's API.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any, ClassVar, Literal

Kind = Literal["folder", "network", "firewall", "volume", "machine", "balancer"]


_ENCODE = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode


def canonical_json(value: Any) -> str:
    """Return JSON with sorted keys and no spaces: equal values give equal text."""
    return _ENCODE(value)


def digest(value: Any) -> str:
    """Return the first 32 hexadecimal digits of the SHA-256 of a JSON value."""
    return hashlib.sha256(canonical_json(value).encode()).hexdigest()[:32]


@dataclass(frozen=True, slots=True)
class Owner:
    """Whom a thing on a cloud belongs to; every marker on a cloud carries these ids.

    Ids are UUID texts, the others are human names (slugs: ``[a-z0-9-]``) used for folders and titles.
    """

    organization_id: str
    organization: str
    project_id: str
    project: str
    deployment_id: str
    deployment: str

    def to_json(self) -> dict[str, str]:
        """Return the owner as plain data."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Folder:
    """The container of one deployment's machines on the target (a vSphere folder, a VPC).

    ``cidr`` and ``zone`` are set where a deployment gets a ground of its own (``Capability.OWN_GROUND``): the address
    range (a /16 at most) that the subnets of all its networks lie in, and the name of the one cluster, there an
    availability zone, that all of it stands in. Both are fixed for its life.
    """

    kind: ClassVar[Kind] = "folder"
    key: str  # always "folder:deployment"
    path: tuple[str, ...]  # ("escale", organization, project, deployment-1a2b3c4d)
    cidr: str | None = None
    zone: str | None = None

    def aspects(self) -> dict[str, Any]:
        """Return what can change about the folder."""
        return {"path": list(self.path), **self.ground()}

    def ground(self) -> dict[str, str]:
        """Return what of its own ground is given."""
        given = (("cidr", self.cidr), ("zone", self.zone))
        return {name: value for name, value in given if value is not None}


@dataclass(frozen=True, slots=True)
class Network:
    """A network that machines attach to; either found on the target or created for the deployment.

    ``access`` is set for a subnet of a deployment's own ground: "public" (machines get public addresses, and reach
    the internet through it) or "private". Its ``subnet`` is then the network's own, and fixed for its life; the
    subnet of a mere wire ("") is only what the machines' addresses are taken from.
    """

    kind: ClassVar[Kind] = "network"
    key: str  # "network:backnet"
    name: str  # name on the target
    managed: bool  # False: exists already and is never changed or deleted
    subnet: str | None = None  # CIDR of the static addresses, None: the network's own DHCP
    vlan: int | None = None
    access: str = ""

    def aspects(self) -> dict[str, Any]:
        """Return what can change about the network."""
        own = {"access": self.access, "subnet": self.subnet} if self.access else {}
        return {"network": {"name": self.name, "managed": self.managed, "vlan": self.vlan, **own}}


@dataclass(frozen=True, slots=True)
class Rule:
    """Ports that a firewall lets in: ``tcp`` or ``udp``, from one port to another, from an address range (CIDR)."""

    protocol: str
    first: int
    last: int
    source: str

    def to_json(self) -> dict[str, Any]:
        """Return the rule as plain data."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Firewall:
    """What reaches machines from outside of their networks, on targets that shut everything else out."""

    kind: ClassVar[Kind] = "firewall"
    key: str  # "firewall:host-1"
    name: str
    rules: tuple[Rule, ...]

    def aspects(self) -> dict[str, Any]:
        """Return what can change about the firewall."""
        return {"rules": [rule.to_json() for rule in self.rules]}


@dataclass(frozen=True, slots=True)
class Listener:
    """A port of a balancer, and the port of the machines that it leads to."""

    protocol: str  # "tcp" | "udp"
    port: int
    target_port: int

    def to_json(self) -> dict[str, Any]:
        """Return the listener as plain data."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Balancer:
    """One address for the ports that a service with replicas publishes from several machines."""

    kind: ClassVar[Kind] = "balancer"
    key: str  # "balancer:web"
    name: str
    listeners: tuple[Listener, ...]
    machines: tuple[str, ...]  # keys of the machines that it leads to
    network: str  # key of the network that its address is in

    def aspects(self) -> dict[str, Any]:
        """Return what can change apart from each other; the network only by replacing it."""
        return {
            "listeners": [listener.to_json() for listener in self.listeners],
            "machines": list(self.machines),
            "network": self.network,
        }


@dataclass(frozen=True, slots=True)
class Volume:
    """A data disk that outlives the machine it is attached to."""

    kind: ClassVar[Kind] = "volume"
    key: str  # "volume:db-data"
    name: str
    size_gib: int
    datastore: str | None = None  # None: the target's choice

    def aspects(self) -> dict[str, Any]:
        """Return what can change about the volume."""
        return {"size": self.size_gib}


@dataclass(frozen=True, slots=True)
class Nic:
    """Describe a network card: its network and its static address, if any."""

    network: str  # key of a Network
    address: str | None = None  # static "10.96.0.5/24", None: DHCP
    aliases: Mapping[str, str] = field(default_factory=dict)  # service -> a further static address of its own

    def to_json(self) -> dict[str, Any]:
        """Return the card as plain data."""
        return {"network": self.network, "address": self.address, "aliases": dict(self.aliases)}


@dataclass(frozen=True, slots=True)
class DiskMount:
    """Where a data disk stands on a machine.

    ``unit`` is the SCSI unit that the connector attaches the disk at, on a paravirtual controller (1-15 but 7; the
    agent takes no blank disk at any other): the guest finds a disk that is still blank by it, and by its file
    system's UUID from then on.
    Where a cloud names devices instead (EC2), unit n is the device ``device_name(n)``: 1 is /dev/sdf.
    A machine's mounts keep their units for life; new ones get the lowest that is free.
    """

    volume: str  # key of a Volume
    path: str  # where the machine mounts it
    unit: int | None = None

    def to_json(self) -> dict[str, Any]:
        """Return the mount as plain data."""
        return {"volume": self.volume, "path": self.path, "unit": self.unit}


def device_name(unit: int) -> str:
    """Return the device name that a data disk of a unit is attached as, where a cloud names devices: /dev/sdf is 1."""
    return f"/dev/sd{chr(ord('e') + unit)}"


@dataclass(frozen=True, slots=True)
class Workload:
    """One container of a service on a machine; changed with its machine, not by itself."""

    service: str
    replica: int  # from 1
    image: str
    container: str  # container name

    def to_json(self) -> dict[str, Any]:
        """Return the workload as plain data."""
        return {
            "service": self.service,
            "replica": self.replica,
            "image": self.image,
            "container": self.container,
        }


@dataclass(frozen=True, slots=True)
class OwnDisk:
    """A disk that an adopted machine came with; ``label`` is what the cloud calls it, unique on its machine."""

    label: str
    size_mib: int
    datastore: str | None = None

    def to_json(self) -> dict[str, Any]:
        """Return the disk as plain data."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Machine:
    """A virtual machine that hosts containers, or a plain one that is only cloned and named.

    ``userdata`` is a cloud-config document as data (see ``engine.userdata``), with placeholders
    where a one-time fetch token stands at run time, so that the plan never holds a secret.
    ``adopted``: the cloud's identity (instance UUID, EC2 id) of a machine that somebody else made; such a machine has
    no template, and its networks and disks are known by the cloud's names, since they are only looked at.
    """

    kind: ClassVar[Kind] = "machine"
    key: str  # "machine:host-1"
    name: str
    template: str
    cpus: int
    memory_mib: int
    nics: tuple[Nic, ...]
    disks: tuple[DiskMount, ...] = ()
    workloads: tuple[Workload, ...] = ()
    userdata: Mapping[str, Any] = field(default_factory=dict)
    fetches_secrets: bool = False
    cluster: str | None = None  # None: the target's choice
    anti_affinity: str | None = None  # machines with the same value want different hosts
    system_disk_gib: int | None = None  # size of the template's disk, for the requirements only
    datastore: str | None = None  # where the system disk is made; None: the target's choice
    firewall: str | None = None  # key of a Firewall, on targets that shut everything else out
    spot: bool = False  # may be taken away by the cloud, for a lower price
    plain: bool = False  # nothing of ours runs in it, and nobody knows whether its guest reports anything
    # Where machines come in sizes only (Inventory.sizes): the size's name, whose CPUs and memory ``cpus`` and
    # ``memory_mib`` then are, and the CPUs and MiB that were asked for.
    size: str | None = None
    asked: tuple[int, int] | None = None
    adopted: str | None = None
    own_networks: tuple[str, ...] = ()  # of an adopted machine, in the order of its cards
    own_disks: tuple[OwnDisk, ...] = ()

    def aspects(self) -> dict[str, Any]:
        """Return what can change apart from each other; the planner compares aspect by aspect.

        ``template``, ``cluster`` and ``nics`` can only be changed by replacing the machine. ``addresses`` are
        part of the metadata that the guest reads at its next boot. ``datastore`` matters at creation alone.
        What only some targets have stands in it where it is given.
        """
        if self.adopted is not None:
            return {
                "adopted": self.adopted,
                "cpus": self.cpus,
                "memory_mib": self.memory_mib,
                "own_networks": list(self.own_networks),
                "own_disks": [[disk.label, disk.size_mib] for disk in self.own_disks],
            }
        given = (("size", self.size), ("firewall", self.firewall), ("spot", self.spot))
        return {
            **{name: value for name, value in given if value},
            "template": self.template,
            "cluster": self.cluster,
            "nics": [nic.network for nic in self.nics],
            "addresses": [[nic.address, dict(nic.aliases)] for nic in self.nics],
            "cpus": self.cpus,
            "memory_mib": self.memory_mib,
            "disks": [disk.to_json() for disk in self.disks],
            "workloads": [workload.to_json() for workload in self.workloads],
            "userdata": digest(self.userdata),
        }


Resource = Folder | Network | Firewall | Volume | Machine | Balancer


def to_json(resource: Resource) -> dict[str, Any]:
    """Return a resource as JSON-able data with its kind; nested data is shared with the resource, not copied."""
    match resource:
        case Folder():
            return {"kind": "folder", "key": resource.key, "path": list(resource.path), **resource.ground()}
        case Machine():
            body: dict[str, Any] = {"kind": "machine", **{name: getattr(resource, name) for name in _MACHINE_FIELDS}}
            body["nics"] = [nic.to_json() for nic in resource.nics]
            body["disks"] = [disk.to_json() for disk in resource.disks]
            body["workloads"] = [workload.to_json() for workload in resource.workloads]
            body["asked"] = None if resource.asked is None else list(resource.asked)
            if resource.adopted is not None:
                body["adopted"] = resource.adopted
                body["own_networks"] = list(resource.own_networks)
                body["own_disks"] = [disk.to_json() for disk in resource.own_disks]
            return body
        case Firewall():
            return {
                "kind": "firewall",
                "key": resource.key,
                "name": resource.name,
                "rules": [rule.to_json() for rule in resource.rules],
            }
        case Balancer():
            return {
                "kind": "balancer",
                "key": resource.key,
                "name": resource.name,
                "listeners": [listener.to_json() for listener in resource.listeners],
                "machines": list(resource.machines),
                "network": resource.network,
            }
        case Network() | Volume():
            return {"kind": resource.kind, **{name: getattr(resource, name) for name in _FIELDS[resource.kind]}}


# Written out once: `asdict` copies deeply, and a plan asks for thousands of these.
_FIELDS: dict[str, tuple[str, ...]] = {
    kind.kind: tuple(field.name for field in fields(kind)) for kind in (Network, Volume)
}
_OF_ADOPTED = ("adopted", "own_networks", "own_disks")  # written for adopted machines alone
_MACHINE_FIELDS = tuple(field.name for field in fields(Machine) if field.name not in _OF_ADOPTED)

# Notes that travel beside a resource's own fields: its hash, and what the planner writes into an action's spec.
_BESIDE = frozenset({"kind", "config_hash", "drawn", "state"})


def from_json(data: Mapping[str, Any]) -> Resource:
    """Rebuild a resource from ``to_json``'s form; KeyError or TypeError when the form is foreign."""
    body = {key: value for key, value in data.items() if key not in _BESIDE}
    match data["kind"]:
        case "folder":
            return Folder(**{**body, "path": tuple(body["path"])})
        case "network":
            return Network(**body)
        case "firewall":
            return Firewall(body["key"], body["name"], tuple(Rule(**rule) for rule in body["rules"]))
        case "balancer":
            body["listeners"] = tuple(Listener(**listener) for listener in body["listeners"])
            body["machines"] = tuple(body["machines"])
            return Balancer(**body)
        case "volume":
            return Volume(**body)
        case "machine":
            body["nics"] = tuple(Nic(**nic) for nic in body["nics"])
            body["disks"] = tuple(DiskMount(**disk) for disk in body["disks"])
            body["workloads"] = tuple(Workload(**workload) for workload in body["workloads"])
            body["asked"] = tuple(body["asked"]) if body.get("asked") else None
            if "adopted" in body:
                body["own_networks"] = tuple(body["own_networks"])
                body["own_disks"] = tuple(OwnDisk(**disk) for disk in body["own_disks"])
            return Machine(**body)
        case other:
            raise KeyError(f"unknown resource kind {other!r}")


def config_hash(resource: Resource) -> str:
    """Return the hash that is marked on the thing on the cloud."""
    return digest({"kind": resource.kind, "key": resource.key, "aspects": resource.aspects()})
