"""Turn named volumes into data disks, and leave to the engine of a machine what is no disk."""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from engine.realise.extension import Extensions, gibibytes
from engine.realise.naming import slug
from engine.realise.notes import Notes
from engine.realise.prior import Prior
from engine.realise.settings import MAX_DATA_DISKS, Settings
from engine.resources import DiskMount, Owner, Volume
from engine.userdata.contents import component

MOUNTS = "/var/lib/escale/volumes"
_SPACE = uuid.UUID("6f1d2d0e-6a53-5c0c-9f4e-5d1f6d0b8a51")  # name space of the file systems' UUIDs
# Drivers whose volumes are a disk of the machine; "vsphere" and "photon" are those of the vSphere volume service.
_DISK_DRIVERS = frozenset({"", "local", "vsphere", "photon", "vmdk"})
_UNITS = tuple(unit for unit in range(1, 16) if unit != 7)  # 7 is the controller's own


@dataclass(frozen=True, slots=True)
class DiskPlan:
    """A named volume that is a data disk."""

    volume: Volume
    filesystem: str
    uuid: str  # of the file system that a blank disk gets

    @property
    def path(self) -> str:
        """Return where the machine mounts the disk."""
        return f"{MOUNTS}/{component(self.volume.key.removeprefix('volume:'))}"

    @property
    def data(self) -> str:
        """Return the folder that containers see: below the mount, so that it is missing where the disk is."""
        return f"{self.path}/_data"


def used_volumes(services: Mapping[str, Any]) -> dict[str, list[str]]:
    """Return named volume -> services that mount it, in order."""
    used: dict[str, list[str]] = {}
    for service, body in services.items():
        for mount in body.get("volumes") or ():
            if mount.get("type") == "volume" and mount.get("source"):
                users = used.setdefault(str(mount["source"]), [])
                if service not in users:
                    users.append(service)
    return used


def is_disk(definition: Mapping[str, Any]) -> bool:
    """Tell whether a named volume is a data disk; NFS, tmpfs and plug-in volumes belong to the machine's engine."""
    options = definition.get("driver_opts") or {}
    return str(definition.get("driver") or "") in _DISK_DRIVERS and not options.keys() & {"type", "o", "device"}


def plan_disks(
    volumes: Mapping[str, Any],
    used: Mapping[str, Sequence[str]],
    extensions: Extensions,
    settings: Settings,
    owner: Owner,
    prior: Prior,
    notes: Notes,
) -> dict[str, DiskPlan]:
    """Return named volume -> data disk for all volumes that services mount."""
    disks: dict[str, DiskPlan] = {}
    for name, users in used.items():
        definition = volumes.get(name) or {}
        if not is_disk(definition):
            _tell_engine(name, definition, notes)
            continue
        extension = extensions.volumes.get(name, {})
        key = f"volume:{name}"
        before = prior.volumes.get(key, {})
        volume = Volume(
            key,
            str(before.get("name") or slug(f"{owner.deployment}-{name}", 80)),
            _size(name, definition, extension, settings, notes),
            before.get("datastore") or extension.get("datastore"),
        )
        filesystem = str(extension.get("filesystem") or "ext4")
        disks[name] = DiskPlan(volume, filesystem, str(uuid.uuid5(_SPACE, f"{owner.deployment_id}/{name}")))
        _tell_disk(name, definition, users, volume, notes)
    return disks


def _size(
    name: str, definition: Mapping[str, Any], extension: Mapping[str, Any], settings: Settings, notes: Notes
) -> int:
    wanted = extension.get("size") or (definition.get("driver_opts") or {}).get("size")
    if not wanted:
        return settings.volume_size_gib
    try:
        return max(1, gibibytes(wanted))
    except ValueError:
        notes.finding(
            "realise.volume_size",
            "error",
            f"The size {wanted!r} of the volume {name!r} cannot be read, so its disk cannot be made: write it as "
            f"20GiB.",
            ("volumes", name, "driver_opts", "size"),
        )
        return settings.volume_size_gib


def _tell_disk(name: str, definition: Mapping[str, Any], users: Sequence[str], volume: Volume, notes: Notes) -> None:
    together = f"; {', '.join(users)} share it and stay on one machine" if len(users) > 1 else ""
    notes.ledger(
        ("volumes", name),
        "honoured",
        f"a data disk of {volume.size_gib} GiB that outlives its machine{together}",
        "volumes",
    )
    if definition.get("external"):
        notes.ledger(
            ("volumes", name, "external"),
            "approximated",
            "new machines have no volumes yet: a data disk is made, and starts empty",
            "volumes.external",
        )
        notes.finding(
            "realise.volume_external",
            "warning",
            f"The volume {name!r} is external, but a new machine has none: a data disk of {volume.size_gib} GiB is "
            f"made "
            "and starts empty. Copy the data in after the first deploy.",
            ("volumes", name),
        )


def _tell_engine(name: str, definition: Mapping[str, Any], notes: Notes) -> None:
    driver = str(definition.get("driver") or "local")
    if driver == "local":
        reason = "mounted by the engine of each machine with the given options; no disk is made"
    else:
        reason = f"the template's container engine must have the volume driver {driver!r}; no disk is made"
    verdict = "honoured" if driver == "local" else "approximated"
    notes.ledger(("volumes", name), verdict, reason, "volumes.engine")  # type: ignore[arg-type]


def mount_disks(label: str, plans: Sequence[DiskPlan], prior: Prior, notes: Notes) -> tuple[DiskMount, ...]:
    """Return the mounts of one machine; a disk keeps its unit for life, new ones get the lowest that is free."""
    before = prior.units(label)
    units: dict[str, int] = {
        plan.volume.key: before[plan.volume.key] for plan in plans if before.get(plan.volume.key) in _UNITS
    }
    # A unit that a disk leaves in this very update is not given away: the guest could take one disk for the other.
    free = [unit for unit in _UNITS if unit not in units.values() and unit not in before.values()]
    free += [unit for unit in _UNITS if unit not in units.values() and unit not in free]
    for plan in sorted(plans, key=lambda plan: plan.volume.key):
        if plan.volume.key in units:
            continue
        if not free:
            notes.finding(
                "realise.too_many_volumes",
                "error",
                f"The machine {label} would need {len(plans)} data disks, a controller holds {MAX_DATA_DISKS}: "
                f"spread the "
                "services that share them, or join volumes.",
            )
            break
        units[plan.volume.key] = free.pop(0)
    return tuple(
        DiskMount(plan.volume.key, plan.path, units[plan.volume.key])
        for plan in sorted(plans, key=lambda plan: units.get(plan.volume.key, 99))
        if plan.volume.key in units
    )
