"""Inventory for placement, and health: what the cloud is, how it answers, what we may not do on it."""

from __future__ import annotations

import time
from collections.abc import Sequence
from datetime import UTC, datetime
from fnmatch import fnmatchcase
from typing import Any

from connectors.base import Capability, ConnectorError, Health
from connectors.vsphere import markers, placement, properties
from connectors.vsphere.cloud import Cloud
from connectors.vsphere.faults import is_a
from connectors.vsphere.probing_privileges import DEPLOY
from connectors.vsphere.soap import Node, Ref, VimFault, moment, service_instance
from engine.findings import Finding
from engine.observed import ClusterFact, DatastoreFact, HostFact, Inventory, NetworkFact, TemplateFact

_GIB = 2**30
_SKEW_S = 30.0
_CONTAINER_HOSTS = ("escale-container-host*",)
_TEMPLATE_PATHS = (
    "name", "config.hardware.numCPU", "config.hardware.memoryMB", "config.hardware.device", "config.guestId",
    "config.extraConfig",
)  # fmt: skip

# What the verbs need, on the datacenter and below: docs/connectors.md says which verb needs which.
PRIVILEGES = (
    "Datastore.AllocateSpace",
    "Datastore.Browse",
    "Datastore.FileManagement",
    "Folder.Create",
    "Folder.Delete",
    "Network.Assign",
    "Resource.AssignVMToPool",
    "VirtualMachine.Config.AddExistingDisk",
    "VirtualMachine.Config.AddRemoveDevice",
    "VirtualMachine.Config.AdvancedConfig",
    "VirtualMachine.Config.Annotation",
    "VirtualMachine.Config.CPUCount",
    "VirtualMachine.Config.DiskExtend",
    "VirtualMachine.Config.EditDevice",
    "VirtualMachine.Config.Memory",
    "VirtualMachine.Config.RemoveDisk",
    "VirtualMachine.Config.Settings",
    "VirtualMachine.Interact.PowerOff",
    "VirtualMachine.Interact.PowerOn",
    "VirtualMachine.Inventory.CreateFromExisting",
    "VirtualMachine.Inventory.Delete",
    "VirtualMachine.Provisioning.DeployTemplate",
)
_NETWORK_PRIVILEGES = ("DVPortgroup.Create", "DVPortgroup.Delete")


def inventory(cloud: Cloud) -> Inventory:
    """Return what placement needs to know."""
    estate = cloud.estate(1.0)
    clusters = tuple(
        ClusterFact(
            id=cluster.ref.value,
            name=cluster.name,
            hosts=len(cluster.hosts),
            cpus=sum(host.cores for host in cluster.hosts),
            cpu_mhz=sum(host.mhz for host in cluster.hosts),
            cpu_used_mhz=sum(host.mhz_used for host in cluster.hosts),
            memory_mib=sum(host.memory_mib for host in cluster.hosts),
            memory_used_mib=sum(host.memory_used_mib for host in cluster.hosts),
        )
        for cluster in estate.clusters
        if cloud.flavour.offers_cluster(cluster.name)
    )
    offered = {datastore.ref for datastore in placement.offered(cloud)}
    names = {fact.name for fact in clusters}
    datastores = tuple(
        DatastoreFact(
            id=datastore.ref.value,
            name=datastore.name,
            type=datastore.type,
            capacity_gib=round(datastore.capacity / _GIB, 2),
            free_gib=round(datastore.free / _GIB, 2),
            clusters=tuple(
                cluster.name for cluster in estate.clusters if cluster.name in names and cluster.reaches(datastore.ref)
            ),
            accessible=datastore.usable,
        )
        for datastore in estate.datastores
        if datastore.ref in offered or not datastore.usable
    )
    networks = tuple(NetworkFact(each.ref.value, each.name, each.type, each.vlan) for each in estate.networks)
    may_make = Capability.CREATE_NETWORK in cloud.flavour.capabilities
    switches = tuple(each.name for each in estate.switches) if may_make else ()
    templates, machines = _templates(cloud), cloud.surveyor.machines()
    hosts = tuple(
        HostFact(host.ref.value, host.name, host.mhz_used, host.memory_used_mib)
        for cluster in estate.clusters
        if cluster.name in names
        for host in cluster.hosts
    )
    return Inventory(templates, clusters, datastores, networks, switches, machines, hosts=hosts)


def _templates(cloud: Cloud) -> tuple[TemplateFact, ...]:
    templates = cloud.surveyor.templates(max_age_s=1.0)
    found = properties.of_objects(
        cloud.session, [template.ref for template in templates], {"VirtualMachine": _TEMPLATE_PATHS}
    )
    patterns: Sequence[str] = cloud.option("container_hosts", _CONTAINER_HOSTS)
    facts: list[TemplateFact] = []
    for template in templates:
        known = found.get(template.ref)
        if known is None:
            continue
        disks = [node for node in known.get("config.hardware.device", ()) if _is_disk(node)]
        capable = markers.read(known.get("config.extraConfig", ())).container_host
        facts.append(
            TemplateFact(
                id=template.ref.value,
                name=template.name,
                cpus=known.get("config.hardware.numCPU", 0),
                memory_mib=known.get("config.hardware.memoryMB", 0),
                disk_gib=-(-sum(disk.number("capacityInKB") for disk in disks) // 2**20),
                guest=known.get("config.guestId", ""),
                container_host=capable or any(fnmatchcase(template.name, pattern) for pattern in patterns),
            )
        )
    return tuple(facts)


def _is_disk(node: Any) -> bool:
    return isinstance(node, Node) and node.type == "VirtualDisk"


def probe(cloud: Cloud) -> Health:
    """Say how a cloud is. It does not raise for what is wrong with the cloud: that is what it reports."""
    started = time.monotonic()
    try:
        now = cloud.session.read(service_instance(), "CurrentTime")[0]
        latency_ms = (time.monotonic() - started) * 1000
        skew_s = (moment(now.text) - datetime.now(UTC)).total_seconds()
        about = cloud.session.content().node("about")
        cloud.session.read(cloud.session.manager("searchIndex"), "FindByInventoryPath", inventoryPath="/")
        estate = cloud.estate(0.0)
        missing = _missing(cloud, estate.datacenter, _wanted(cloud))
        findings = [*_clock(skew_s), *_ground(cloud), *_privileges(cloud, missing or [])]
    except ConnectorError as error:
        return Health(False, error.message, findings=(Finding(error.code, "error", error.message),))
    assert about is not None
    facts = {
        "product": about.get("name"),
        "full_name": about.get("fullName"),
        "version": about.get("version"),
        "build": about.get("build"),
        "api_version": about.get("apiVersion"),
        "instance_uuid": about.get("instanceUuid"),
        "datacenter": estate.name,
        "flavour": cloud.flavour.title,
        "latency_ms": round(latency_ms, 1),
        "clock_skew_s": round(skew_s, 1),
        "privileges_asked": len(_wanted(cloud)),
        # None: the vCenter does not tell which its user has.
        "privileges_missing": None if missing is None else [{"name": each, "for": DEPLOY[each]} for each in missing],
    }
    bad = [finding for finding in findings if finding.severity == "error"]
    summary = bad[0].message if bad else f"{facts['product']} {facts['version']}, datacenter {estate.name}"
    return Health(not bad, summary, facts, tuple(findings))


def _clock(skew_s: float) -> list[Finding]:
    if abs(skew_s) < _SKEW_S:
        return []
    message = (
        f"The vCenter's clock differs by {skew_s:.0f} s - certificates and one-time links may be refused - "
        "let both sides take their time from the same NTP servers"
    )
    return [Finding("cloud.clock", "warning", message)]


def _ground(cloud: Cloud) -> list[Finding]:
    """Report what a first deployment would stumble over."""
    estate, findings = cloud.estate(), []
    if not any(cluster.hosts for cluster in estate.clusters):
        message = f"No cluster of {estate.name} has a host that is connected and out of maintenance - nothing can run"
        findings.append(Finding("cloud.no_hosts", "error", message + " - look at the hosts on the vCenter"))
    if not placement.offered(cloud):
        message = "No datastore may be used - they are inaccessible, in maintenance or excluded by the settings"
        findings.append(Finding("cloud.no_datastore", "error", message + " - look at the datastores on the vCenter"))
    if not any(fact.container_host for fact in _templates(cloud)):
        message = (
            "There is no template for container hosts - machines are cloned from one with cloud-init and a container "
            "engine - make one, and name it in the option 'container_hosts' unless it begins with escale-container-host"
        )
        findings.append(Finding("cloud.no_template", "warning", message))
    return findings


def _wanted(cloud: Cloud) -> tuple[str, ...]:
    networks = _NETWORK_PRIVILEGES if Capability.CREATE_NETWORK in cloud.flavour.capabilities else ()
    return (*PRIVILEGES, *networks)


def _privileges(cloud: Cloud, missing: Sequence[str]) -> list[Finding]:
    if not missing:
        return []
    message = (
        f"The cloud's user lacks {len(missing)} privileges on {cloud.estate().name} ({', '.join(missing)}) - steps "
        "that need them will fail - add them to its role on the vCenter"
    )
    return [Finding("cloud.permission", "warning", message)]


def _missing(cloud: Cloud, entity: Ref, wanted: Sequence[str]) -> list[str] | None:
    """Ask which privileges the user lacks; a server that cannot tell (None) is not suspected."""
    manager = cloud.session.content().ref("authorizationManager")
    if manager is None:
        return None
    try:
        sessions = cloud.session.manager("sessionManager")
        facts = properties.of_object(cloud.session, sessions, ["currentSession"]) or {}
        current = facts.get("currentSession")
        if isinstance(current, Node):
            answers = cloud.session.read(
                manager,
                "HasPrivilegeOnEntity",
                entity=entity,
                sessionId=current.get("key"),
                privId=list(wanted),
            )
            if len(answers) == len(wanted):
                return [name for name, answer in zip(wanted, answers, strict=True) if answer.text != "true"]
    except VimFault as fault:
        if not (is_a(fault, "MethodNotFound") or is_a(fault, "NotSupported") or is_a(fault, "NoPermission")):
            raise
    return None
