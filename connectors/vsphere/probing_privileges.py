"""Privileges by name: what each is for, asked where it is needed, and where a customer must have none."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from connectors.base import Capability
from connectors.probing import Canary, Report
from connectors.vsphere import folders, placement, properties
from connectors.vsphere.cloud import Cloud
from connectors.vsphere.faults import is_a
from connectors.vsphere.soap import Node, Ref, VimFault

DEPLOY: Mapping[str, str] = {
    "Datastore.AllocateSpace": "make machines and disks",
    "Datastore.Browse": "find disks",
    "Datastore.FileManagement": "make and delete data disks",
    "DVPortgroup.Create": "make networks",
    "DVPortgroup.Delete": "remove networks",
    "Folder.Create": "make a deployment's folder",
    "Folder.Delete": "remove a deployment's folder",
    "Network.Assign": "connect machines to networks",
    "Resource.AssignVMToPool": "put machines into the resource pool",
    "VirtualMachine.Config.AddExistingDisk": "attach data disks",
    "VirtualMachine.Config.AddRemoveDevice": "exchange network cards",
    "VirtualMachine.Config.AdvancedConfig": "mark machines and hand over user-data",
    "VirtualMachine.Config.Annotation": "write what a machine is",
    "VirtualMachine.Config.CPUCount": "size machines",
    "VirtualMachine.Config.DiskExtend": "grow disks",
    "VirtualMachine.Config.EditDevice": "change network cards",
    "VirtualMachine.Config.Memory": "size machines",
    "VirtualMachine.Config.RemoveDisk": "detach data disks",
    "VirtualMachine.Config.Settings": "set identifiers",
    "VirtualMachine.Interact.PowerOff": "stop machines",
    "VirtualMachine.Interact.PowerOn": "start machines",
    "VirtualMachine.Inventory.CreateFromExisting": "clone templates",
    "VirtualMachine.Inventory.Delete": "delete machines",
    "VirtualMachine.Provisioning.DeployTemplate": "clone templates",
}
MOVE: Mapping[str, str] = {
    "Resource.ColdMigrate": "move machines that are off",
    "Resource.HotMigrate": "move machines that run",
    "StorageProfile.View": "read storage policies",
    "VirtualMachine.Config.DiskLease": "read a machine's disks for a copy",
    "VirtualMachine.Provisioning.DiskRandomRead": "read a machine's disks for a copy",
    "VirtualMachine.State.CreateSnapshot": "hold disks still while they are copied",
    "VirtualMachine.State.RemoveSnapshot": "let go of disks after the copy",
}
_ENTERS = "Resource.AssignVMToPool"
_NETWORKS = ("DVPortgroup.Create", "DVPortgroup.Delete")


def examine(cloud: Cloud, canary: Canary, wanted: Mapping[str, str]) -> Report:
    """Ask for each privilege on the kind of object that it is used on."""
    names = [name for name in wanted if name not in _NETWORKS or _makes_networks(cloud)]
    held = _held(cloud, canary, names)
    if held is None:
        why = "The vCenter does not say which privileges its user has - they cannot be proved - let it read its own"
        return Report("failed", why, "label.privileges_unknown", {"asked": len(names)})
    rows = [{"name": name, "held": name in held, "for": wanted[name]} for name in names]
    missing = [name for name in names if name not in held]
    facts = {"privileges": rows, "held": len(names) - len(missing), "asked": len(names)}
    if missing:
        why = (
            f"The cloud's user lacks {len(missing)} of {len(names)} privileges ({', '.join(missing)}) - steps that "
            "need them would fail - add them to its role on the vCenter, then run this again"
        )
        return Report("failed", why, "cloud.permission", facts)
    return Report("passed", "", "", facts)


def boundary(cloud: Cloud, canary: Canary) -> Report:
    """See that the user may put nothing into the provider's own resource pools."""
    estate = cloud.estate(0.0)
    wanted = cloud.option("pool", cloud.flavour.pool)
    others = {
        f"{cluster.name}/{name}": ref
        for cluster in estate.clusters
        for name, ref in cluster.pools.items()
        if name != wanted and ref != cluster.pool
    }
    open_pools = [name for name, ref in others.items() if _ask(cloud, ref, [_ENTERS])]
    facts = {"pools_closed": len(others) - len(open_pools), "pools_open": len(open_pools)}
    if open_pools:
        why = (
            f"The cloud's user may put machines into {', '.join(open_pools)} - the provider keeps that for itself - "
            "give the portal an account with the customer's role"
        )
        return Report("failed", why, "label.boundary", facts, {"open": open_pools})
    return Report("passed", "", "", facts)


def _makes_networks(cloud: Cloud) -> bool:
    return Capability.CREATE_NETWORK in cloud.flavour.capabilities


def _held(cloud: Cloud, canary: Canary, names: Sequence[str]) -> set[str] | None:
    """Return which privileges the user has, each where the verbs use it; None when the vCenter does not tell."""
    by_place: dict[Ref, list[str]] = {}
    for name in names:
        place = _place(cloud, canary, name)
        if place is not None:
            by_place.setdefault(place, []).append(name)
    held: set[str] = set()
    for place, wanted in by_place.items():
        answer = _ask(cloud, place, wanted)
        if answer is None:
            return None
        held |= answer
    return held


def _place(cloud: Cloud, canary: Canary, name: str) -> Ref | None:
    """Return an object on which a privilege is needed; None when the cloud has none such."""
    estate = cloud.estate()
    area = name.partition(".")[0]
    if area == "Datastore":
        return next((each.ref for each in placement.offered(cloud)), None)
    if area == "Network":
        wanted = canary.defaults.get("network")
        networks = sorted(estate.networks, key=lambda each: each.name != wanted)
        return networks[0].ref if networks else None
    if area == "DVPortgroup":
        option = cloud.option("switch")
        return next((each.ref for each in estate.switches if option in (None, each.name)), None)
    if area == "Resource":
        clusters = [each for each in estate.clusters if each.hosts and cloud.flavour.offers_cluster(each.name)]
        return placement.pool(cloud, clusters[0]) if clusters else None
    if area == "StorageProfile":
        return cloud.session.content().ref("rootFolder")
    return folders.base(cloud)


def _ask(cloud: Cloud, entity: Ref, wanted: Sequence[str]) -> set[str] | None:
    manager = cloud.session.content().ref("authorizationManager")
    if manager is None:
        return None
    sessions = cloud.session.manager("sessionManager")
    current = (properties.of_object(cloud.session, sessions, ["currentSession"]) or {}).get("currentSession")
    if not isinstance(current, Node):
        return None
    try:
        answers = cloud.session.read(
            manager, "HasPrivilegeOnEntity", entity=entity, sessionId=current.get("key"), privId=list(wanted)
        )
    except VimFault as fault:
        if is_a(fault, "NoPermission"):
            return set()
        if is_a(fault, "MethodNotFound") or is_a(fault, "NotSupported"):
            return None
        raise
    if len(answers) != len(wanted):
        return None
    return {name for name, answer in zip(wanted, answers, strict=True) if answer.text == "true"}
