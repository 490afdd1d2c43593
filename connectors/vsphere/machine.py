"""A virtual machine as it is: read in one call, parsed once, recognised by its markers."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from connectors.base import ConnectorError
from connectors.vsphere import markers, properties
from connectors.vsphere.cloud import Cloud
from connectors.vsphere.markers import Marks
from connectors.vsphere.soap import Node, Ref
from engine.plan import Action
from engine.resources import Owner

PATHS = (
    "name", "parent", "config.instanceUuid", "config.uuid", "config.extraConfig", "config.annotation",
    "config.template", "config.hardware.numCPU", "config.hardware.numCoresPerSocket", "config.hardware.memoryMB",
    "config.hardware.device",
    "config.files.vmPathName", "config.cpuHotAddEnabled", "config.memoryHotAddEnabled", "runtime.powerState",
    "runtime.host", "guest.toolsRunningStatus", "guest.ipAddress", "guest.net", "snapshot.rootSnapshotList",
)  # fmt: skip
_POWER = {"poweredOn": "on", "poweredOff": "off", "suspended": "suspended"}


@dataclass(frozen=True, slots=True)
class Disk:
    """A virtual disk of a machine."""

    node: Node
    key: int
    controller: int
    unit: int
    path: str
    size_kib: int


@dataclass(frozen=True, slots=True)
class Machine:
    """One virtual machine."""

    ref: Ref
    name: str
    folder: Ref | None
    instance_uuid: str
    bios_uuid: str
    template: bool
    annotation: str
    cpus: int
    cores_per_socket: int
    memory_mib: int
    cpu_hot_add: bool
    memory_hot_add: bool
    power: str  # "on", "off", "suspended"
    host: Ref | None
    tools: bool
    addresses: tuple[str, ...]
    snapshots: int
    home: str  # "[nvme] host-1/"
    devices: tuple[Node, ...]
    marks: Marks

    @property
    def disks(self) -> tuple[Disk, ...]:
        """The machine's disks in the order of their keys."""
        found = [
            Disk(
                node=node,
                key=node.number("key"),
                controller=node.number("controllerKey"),
                unit=node.number("unitNumber"),
                path=node.get("backing.fileName"),
                size_kib=node.number("capacityInKB"),
            )
            for node in self.devices
            if node.type == "VirtualDisk"
        ]
        return tuple(sorted(found, key=lambda disk: disk.key))

    @property
    def nics(self) -> tuple[Node, ...]:
        """The machine's network cards in the order of their keys."""
        return tuple(sorted((node for node in self.devices if is_nic(node)), key=lambda node: node.number("key")))

    def owns(self, disk: Disk, owner: Owner) -> str | None:
        """Return the key of the volume that a disk is, None when it is none of ours."""
        intent = self.marks.intent
        for volume, path, _ in intent.disks if intent is not None else ():
            if same_path(path, disk.path):
                return volume
        directory, _, file = disk.path.rpartition("/")
        if directory.endswith("] " + markers.volume_directory(owner)):
            return markers.volume_key(re.sub(r"-\d{6}\.vmdk$", ".vmdk", file))  # a snapshot's delta
        return None

    def is_system(self, disk: Disk) -> bool:
        """Tell whether a disk came with the template.

        Its slot alone does not say so: somebody may have put another disk there. vSphere keeps the disks of a clone
        in the machine's own directory; one that lies elsewhere is not believed to be the template's.
        """
        if not same_path(disk.path.rpartition("/")[0] + "/", self.home):
            return False
        intent = self.marks.intent
        if intent is None:  # the marker was lost: only the first disk is sure to be the template's
            return disk.key == self.disks[0].key
        return disk.key in intent.system

    def facts(self) -> dict[str, Any]:
        """Return what ``machine.create`` and ``machine.update`` report."""
        return {
            "external_id": self.instance_uuid,
            "moref": self.ref.value,
            "bios_uuid": self.bios_uuid,
            "name": self.name,
        }


def is_nic(node: Node) -> bool:
    """Tell whether a device is a network card: all of its kinds have a MAC address."""
    return node.node("macAddress") is not None


def network_of(card: Node) -> str:
    """Return what a card names its network by (``Network.identity``)."""
    for path in ("backing.port.portgroupKey", "backing.opaqueNetworkId", "backing.network", "backing.deviceName"):
        if card.get(path):
            return card.get(path)
    return ""


def same_path(one: str, other: str) -> bool:
    """Compare two datastore paths."""
    return one.replace("] ", "]").casefold() == other.replace("] ", "]").casefold()


def parse(ref: Ref, facts: properties.Facts) -> Machine:
    """Build a machine from its properties."""
    path = facts.get("config.files.vmPathName", "")
    return Machine(
        ref=ref,
        name=facts.get("name", ref.value),
        folder=facts.get("parent"),
        instance_uuid=facts.get("config.instanceUuid", ""),
        bios_uuid=facts.get("config.uuid", ""),
        template=bool(facts.get("config.template")),
        annotation=facts.get("config.annotation") or "",
        cpus=facts.get("config.hardware.numCPU", 0),
        cores_per_socket=facts.get("config.hardware.numCoresPerSocket") or 1,
        memory_mib=facts.get("config.hardware.memoryMB", 0),
        cpu_hot_add=bool(facts.get("config.cpuHotAddEnabled")),
        memory_hot_add=bool(facts.get("config.memoryHotAddEnabled")),
        power=_POWER.get(facts.get("runtime.powerState", ""), "off"),
        host=facts.get("runtime.host"),
        tools=facts.get("guest.toolsRunningStatus") == "guestToolsRunning",
        addresses=addresses(facts),
        snapshots=_count(facts.get("snapshot.rootSnapshotList", ())),
        home=path.rpartition("/")[0] + "/",
        devices=tuple(node for node in facts.get("config.hardware.device", ()) if isinstance(node, Node)),
        marks=markers.read(facts.get("config.extraConfig", ())),
    )


def addresses(facts: properties.Facts) -> tuple[str, ...]:
    """Return the addresses that a guest reports on its own cards, in their order, then its main one.

    Cards that the guest invented (bridges of a container engine) have no device; link-local addresses help nobody.
    """
    found: list[str] = []
    cards = [card for card in facts.get("guest.net", ()) if isinstance(card, Node)]
    for card in sorted(cards, key=lambda card: card.number("deviceConfigId")):
        if card.number("deviceConfigId", -1) > 0:
            found.extend(address.text for address in card.all("ipAddress"))
    main = facts.get("guest.ipAddress")
    if isinstance(main, str) and main and not cards:
        found.append(main)
    useful = [text for text in dict.fromkeys(found) if text and not text.lower().startswith(("fe80:", "169.254."))]
    return tuple(sorted(useful, key=lambda text: ":" in text))  # IPv4 first; the sort keeps the order otherwise


def load(cloud: Cloud, refs: Iterable[Ref]) -> dict[Ref, Machine]:
    """Return machines by reference; those that are gone are absent."""
    found = properties.of_objects(cloud.session, refs, {"VirtualMachine": PATHS})
    return {ref: parse(ref, facts) for ref, facts in found.items()}


def by_uuid(cloud: Cloud, uuid: str, *, instance: bool) -> list[Machine]:
    """Return the machines with an instance or BIOS UUID, wherever they are, oldest first."""
    nodes = cloud.session.read(
        cloud.session.manager("searchIndex"), "FindAllByUuid", uuid=uuid, vmSearch=True, instanceUuid=instance
    )
    refs = [ref for node in nodes if (ref := node.ref()) is not None]
    return sorted(load(cloud, refs).values(), key=age)


def of_resource(cloud: Cloud, owner: Owner, resource: str) -> list[Machine]:
    """Return the machines that carry a resource's markers, whichever step made them, oldest first."""
    found = by_uuid(cloud, markers.bios_uuid(owner, resource), instance=False)
    return [machine for machine in found if machine.marks.belong_to(owner, resource) and not machine.template]


def age(machine: Machine) -> tuple[int, str]:
    """Order machines by when they were made: references count up."""
    digits = re.search(r"\d+$", machine.ref.value)
    return (int(digits[0]) if digits else 0, machine.ref.value)


def target(action: Action) -> str | None:
    """Return the external id of the machine that an action is about."""
    known: Mapping[str, Any] = action.inputs.get(action.resource, {})
    found = action.external_id or action.spec.get("external_id") or known.get("external_id")
    return None if found is None else str(found)


def locate(cloud: Cloud, action: Action) -> Machine | None:
    """Return the machine that an action is about, None when it is gone.

    ConnectorError ``cloud.foreign`` when there is one with this id, but not with our markers.
    """
    external_id = target(action)
    if external_id is None:
        raise ConnectorError(
            "cloud.invalid",
            f"{action.resource} has no recorded machine - the step that makes it left no result - retry that step",
            permanent=True,
        )
    found = by_uuid(cloud, external_id, instance=True)
    ours = [machine for machine in found if machine.marks.belong_to(action.owner, action.resource)]
    if found and not ours:
        raise foreign(found[0], action.resource)
    return ours[0] if ours else None


def required(cloud: Cloud, action: Action) -> Machine:
    """Return the machine that an action is about; ConnectorError when it is gone or not ours."""
    found = locate(cloud, action)
    if found is None:
        raise gone(action.resource)
    return found


def gone(resource: str) -> ConnectorError:
    """Say that a machine is not there any more."""
    return ConnectorError(
        "cloud.not_found",
        f"The machine of {resource} is gone - somebody deleted it on the vCenter - plan again",
        permanent=True,
    )


def foreign(machine: Machine, resource: str) -> ConnectorError:
    """Say that a machine is not ours to touch."""
    return ConnectorError(
        "cloud.foreign",
        f"The machine {machine.name} was left alone - it does not carry the markers of this deployment's {resource}: "
        "somebody changed them, or it is another machine - look at it on the vCenter and plan again",
        permanent=True,
    )


def refuse_snapshots(found: Machine, what: str) -> None:
    """Refuse to take disks off a machine with snapshots: they stay in the chain, and would be destroyed with it."""
    if found.snapshots:
        raise ConnectorError(
            "cloud.foreign",
            f"The machine {found.name} was not {what} - it has {found.snapshots} "
            f"snapshot{'s' if found.snapshots > 1 else ''}, which hold its disks: data would be destroyed - "
            "delete or consolidate the snapshots on the vCenter, then retry",
            permanent=True,
        )


def _count(trees: Iterable[Any]) -> int:
    return sum(1 + _count(tree.all("childSnapshotList")) for tree in trees if isinstance(tree, Node))
