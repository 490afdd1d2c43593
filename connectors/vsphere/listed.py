"""Machines and templates as the inventory lists them: which properties are read, and what they come to."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from connectors.listing import Item
from connectors.vsphere.ground import Ground
from connectors.vsphere.markers import PREFIX
from connectors.vsphere.streaming import Count, Found, Records, Shapes

# Leaves, so that a change elsewhere in `config` or `guest` is no news, and nothing large is read that nobody shows.
PATHS: Mapping[str, Sequence[str]] = {
    "VirtualMachine": (
        "name", "parent", "resourcePool", "runtime.host", "runtime.powerState", "config.template",
        "config.instanceUuid", "config.uuid", "config.hardware.numCPU", "config.hardware.memoryMB",
        "config.guestFullName", "config.annotation", "config.createDate", "config.extraConfig",
        "config.hardware.device", "guest.toolsRunningStatus", "guest.guestFullName", "guest.ipAddress", "guest.net",
        "datastore", "network", "snapshot",
    )
}  # fmt: skip

_CARDS = frozenset({
    "VirtualVmxnet", "VirtualVmxnet2", "VirtualVmxnet3", "VirtualVmxnet3Vrdma", "VirtualE1000", "VirtualE1000e",
    "VirtualPCNet32", "VirtualSriovEthernetCard",
})  # fmt: skip
SHAPES: Shapes = {
    "config.hardware.device": Records(
        {
            "key": "key",
            "deviceInfo": {"label": "label"},
            "capacityInKB": "capacity",
            "macAddress": "mac",
            "backing": {
                "fileName": "file",
                "datastore": "datastore",
                "deviceName": "network",
                "port": {"portgroupKey": "portgroup"},
                "opaqueNetworkId": "opaque",
            },
        },
        _CARDS | {"VirtualDisk"},
    ),
    "config.extraConfig": Records({"key": "key", "value": "value"}),
    "guest.net": Records({"macAddress": "mac", "deviceConfigId": "device", "ipAddress": "addresses[]"}),
    "snapshot": Count(frozenset({"rootSnapshotList", "childSnapshotList"})),
}
_POWER = {"poweredOn": "on", "poweredOff": "off", "suspended": "suspended"}
_TOOLS = {
    "guestToolsRunning": "running",
    "guestToolsNotRunning": "not running",
    "guestToolsExecutingScripts": "starting",
}
_NO_DATE = "1970-01-01"


def is_template(found: Found) -> bool:
    """Tell a template from a machine."""
    return bool(found.values.get("config.template") == "true")


def item(found: Found, ground: Ground, tags: Mapping[str, Sequence[str]]) -> Item:
    """Return a machine or template. Of one that no host can read, only little is known; its reference is its id."""
    values = found.values
    name = values.get("name") or found.ref
    identity = values.get("config.instanceUuid") or found.ref
    disks = _disks(values, ground)
    facts: dict[str, Any] = {
        "cpus": _number(values.get("config.hardware.numCPU")),
        "memory_mib": _number(values.get("config.hardware.memoryMB")),
        "disk_gib": round(sum(disk["size_gib"] for disk in disks), 2),
        "guest": values.get("guest.guestFullName") or values.get("config.guestFullName") or "",
        "folder": ground.folder(values.get("parent")),
    }
    marks = _marks(values.get("config.extraConfig") or ())
    if is_template(found):
        facts["container_host"] = "guestinfo.escale.engine" in marks
        return Item("template", identity, found.ref, name, facts)
    host = values.get("runtime.host")
    nics = _nics(values, ground)
    facts |= {
        "power": _POWER.get(values.get("runtime.powerState") or "", ""),
        "tools": _TOOLS.get(values.get("guest.toolsRunningStatus") or "", ""),
        "host": ground.name(host),
        "cluster": ground.cluster_of(host),
        "pool": ground.pool(values.get("resourcePool")),
        "addresses": _addresses(values, nics),
        "networks": _names(values.get("network"), ground),
        "datastores": _names(values.get("datastore"), ground),
        "snapshots": values.get("snapshot") or 0,
        "nics": nics,
        "disks": disks,
        "bios_uuid": values.get("config.uuid") or "",
    }
    if found.ref in tags:
        facts["tags"] = sorted(tags[found.ref])
    if values.get("config.annotation"):
        facts["annotation"] = values["config.annotation"]
    created = values.get("config.createDate") or _NO_DATE
    if not created.startswith(_NO_DATE):
        facts["created_at"] = created
    if marks.get(PREFIX + "deployment"):
        facts["owner"] = {
            "organization_id": marks.get(PREFIX + "organization", ""),
            "deployment_id": marks[PREFIX + "deployment"],
            "key": marks.get(PREFIX + "resource", ""),
        }
    if found.missing:
        facts["unknown"] = sorted(found.missing)  # the account may not read them
    return Item("machine", identity, found.ref, name, facts)


def _marks(options: Sequence[Mapping[str, str]]) -> dict[str, str]:
    return {
        option.get("key", ""): option.get("value", "")
        for option in options
        if option.get("key", "").startswith((PREFIX, "guestinfo.escale."))
    }


def _disks(values: Mapping[str, Any], ground: Ground) -> list[dict[str, Any]]:
    return [
        {
            "label": device.get("label", ""),
            "size_gib": round(_number(device.get("capacity")) / 2**20, 2),
            "datastore": ground.name(device.get("datastore")),
            "path": device.get("file", ""),
        }
        for device in values.get("config.hardware.device") or ()
        if device["kind"] == "VirtualDisk"
    ]


def _nics(values: Mapping[str, Any], ground: Ground) -> list[dict[str, Any]]:
    told = values.get("guest.net") or ()
    by_key = {each.get("device"): each for each in told}
    nics = []
    for device in values.get("config.hardware.device") or ():
        if device["kind"] not in _CARDS:
            continue
        identity = device.get("portgroup") or device.get("opaque")
        guest: Mapping[str, Any] = by_key.get(device.get("key"), {})
        nics.append(
            {
                "network": ground.network(identity) if identity else device.get("network", ""),
                "mac": device.get("mac", ""),
                "addresses": list(guest.get("addresses", ())),
            }
        )
    return nics


def _addresses(values: Mapping[str, Any], nics: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return the addresses on a machine's own cards, its main one first.

    Cards that the guest invented (bridges of a container engine) have no device; link-local addresses help nobody.
    """
    main = values.get("guest.ipAddress") or ""
    found = [address for nic in nics for address in nic["addresses"]]
    ordered = dict.fromkeys([*([main] if main in found or not found else []), *found])
    return [each for each in ordered if each and not each.lower().startswith(("fe80:", "169.254."))]


def _names(refs: Any, ground: Ground) -> list[str]:
    return sorted({name for ref in refs or () if (name := ground.name(ref))}) if isinstance(refs, list) else []


def _number(text: Any) -> int:
    try:
        return int(text or 0)
    except ValueError:
        return 0
