"""Plan what machines stand on: the folder, networks and volumes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from engine.observed import ObservedResource
from engine.plan import Change
from engine.planner.sides import display_name, volumes
from engine.planner.situation import FOLDER, MISSING, Situation, spec
from engine.planner.steps import action_key
from engine.resources import Folder, Network, Resource, Volume


class Ground:
    """Compare folder, networks and volumes; remember what machines have to follow."""

    def __init__(self, now: Situation, *, restore: bool = False) -> None:
        self.now, self.restore = now, restore
        self.renewed_volumes: set[str] = set()
        self.moved_networks: dict[str, str] = {}  # network that is made anew -> why

    def folder(self) -> None:
        """Plan the folder; one that exists is kept whatever it is called."""
        folder = self.now.wanted.get(FOLDER)
        if not isinstance(folder, Folder):
            return
        if FOLDER in self.now.existing:
            self.now.note(folder, "keep", "as drawn")
            return
        cause = self.now.cause(FOLDER)
        self.now.steps.act("folder.create", FOLDER, "/".join(folder.path), "create", cause, spec=spec(folder))
        self.now.note(folder, "create", cause)

    def networks(self) -> None:
        """Plan the networks; existing ones of the cloud are only used."""
        for resource in self.now.wanted.values():
            if isinstance(resource, Network):
                self._network(resource)

    def _network(self, network: Network) -> None:
        key, found = network.key, self.now.existing.get(network.key)
        applied = self.now.prior.get(key)
        before = applied.resource if applied and isinstance(applied.resource, Network) else None
        if before is not None and network.aspects() != before.aspects():
            reason = f"the network {network.name} is made anew: {_difference(before, network)}"
            self.moved_networks[key] = reason
            if network.managed:
                self._create_network(network, reason, "replace", [action_key(key, "network.delete")])
            self.now.note(network, "replace", reason, destructive=found is not None)
            return
        if not network.managed:
            self.now.note(network, "keep", "exists already, and is only used")
        elif found is None:
            if before is not None:
                self.moved_networks[key] = f"the network {network.name} was {MISSING}"
            cause = self.now.cause(key)
            self._create_network(network, cause, "create", [])
            self.now.note(network, "create", cause)
        else:
            self._drift(network, found, {"vlan": network.vlan, "name": network.name})
            self.now.note(network, "keep", "as drawn")

    def _create_network(self, network: Network, cause: str, change: Change, after: list[str]) -> None:
        self.now.steps.act(
            "network.create",
            network.key,
            network.name,
            change,
            cause,
            after=[action_key(FOLDER, "folder.create"), *after],
            spec=spec(network),
            uses=[FOLDER],
        )

    def _drift(self, resource: Resource, found: ObservedResource, drawn: Mapping[str, Any]) -> None:
        for name, value in drawn.items():
            have = found.attributes.get(name)
            if have is not None and value is not None and have != value:
                self.now.steps.finding(
                    "plan.drift_kept",
                    "info",
                    f"{display_name(resource.key, resource)}: {name} is {have} on the cloud, {value} is drawn; the "
                    f"drawing "
                    "did not change there, so it is kept."
                    + (
                        " A disk cannot shrink, and a network is not renamed, so it cannot be restored."
                        if self.restore
                        else ""
                    ),
                )

    def volumes(self) -> None:
        """Plan the volumes; they grow, and never shrink."""
        for volume in volumes(self.now.wanted):
            self._volume(volume)

    def _volume(self, volume: Volume) -> None:
        key, found = volume.key, self.now.existing.get(volume.key)
        applied = self.now.prior.get(key)
        before = applied.resource if applied and isinstance(applied.resource, Volume) else None
        if found is None:
            cause = self.now.cause(key)
            self.now.steps.act(
                "volume.create",
                key,
                volume.name,
                "create",
                cause,
                after=[action_key(FOLDER, "folder.create")],
                spec=spec(volume),
                uses=[FOLDER],
            )
            self.now.note(volume, "create", cause, [("size", "", f"{volume.size_gib} GiB")])
            if before is not None:
                self.renewed_volumes.add(key)
                self.now.steps.finding(
                    "plan.volume_missing",
                    "warning",
                    f"The volume {volume.name} was made before and does not exist any more: a blank one takes its "
                    f"place. "
                    "If the data is needed, restore the disk before this plan is run.",
                )
            return
        size = int(float(found.attributes.get("size_gib") or (before.size_gib if before else volume.size_gib)))
        was = before.size_gib if before else size
        if volume.size_gib > size and (volume.size_gib != was or self.restore):
            cause = f"size changed: {size} -> {volume.size_gib} GiB"
            self.now.check_snapshots(self.now.holder(key), f"the volume {volume.name} would be extended")
            self.now.steps.act(
                "volume.extend",
                key,
                volume.name,
                "update",
                cause,
                spec=spec(volume),
                external_id=found.external_id,
                uses=[key],
            )
            self.now.note(volume, "update", cause, [("size", f"{size} GiB", f"{volume.size_gib} GiB")])
            return
        if volume.size_gib < was:
            self.now.steps.finding(
                "plan.volume_shrink",
                "error",
                f"The volume {volume.name} has {size} GiB and {volume.size_gib} GiB are drawn: a disk cannot shrink "
                f"without "
                f"losing data. Draw {size} GiB, or a new volume that the data is copied to.",
            )
        else:
            self._drift(volume, found, {"size_gib": volume.size_gib})
        self.now.note(volume, "keep", "as drawn")


def _difference(before: Network, network: Network) -> str:
    if before.managed != network.managed:
        return "it becomes a network of its own" if network.managed else "it becomes an existing network"
    if before.name != network.name:
        return f"name changed: {before.name} -> {network.name}"
    if before.access != network.access or (network.access and before.subnet != network.subnet):
        return f"subnet changed: {before.subnet} -> {network.subnet}"
    return f"VLAN changed: {before.vlan or 'none'} -> {network.vlan or 'none'}"
