"""Read the sides of the comparison: what was applied last, what exists, and the fingerprint of both."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from engine.found import FoundMachine
from engine.observed import ObservedResource, ObservedState
from engine.resources import Machine, Resource, Volume, canonical_json, digest, from_json

# What a plan depends on. Addresses, hosts and tools change by themselves and make no plan stale.
_STABLE = {
    "machine": ("name", "power", "cpus", "memory_mib", "cluster", "snapshots", "size"),
    "volume": ("size_gib", "attached_to"),
    "network": ("name", "vlan"),
    "folder": ("path",),
    "firewall": ("name", "rules"),
    "balancer": ("name", "listeners", "machines"),
}
_UNORDERED = frozenset({"rules", "listeners", "machines"})


@dataclass(frozen=True, slots=True)
class Applied:
    """What was applied last for one key. ``resource`` is None when its form cannot be read any more.

    ``state`` is what the journal knows of it ("running", "stopped", "creating", …), None when it was not told.
    """

    key: str
    resource: Resource | None
    state: str | None = None


def read_prior(prior: Mapping[str, Mapping[str, Any]]) -> dict[str, Applied]:
    """Return what was applied last, by key; a stored ``Action.spec`` is as good as a ``Plan.desired`` entry."""
    found: dict[str, Applied] = {}
    for key, body in sorted(prior.items()):
        state = body.get("state")
        drawn = body.get("drawn") or {}
        plain = {name: value for name, value in body.items() if name not in ("state", "drawn")}
        resource: Resource | None
        try:
            resource = from_json({**plain, **drawn})
        except (KeyError, TypeError, ValueError):
            resource = None
        found[key] = Applied(key, resource, str(state) if state else None)
    return found


def fingerprint(
    observed: ObservedState,
    prior: Mapping[str, Mapping[str, Any]],
    adoptable: Mapping[str, FoundMachine] | None = None,
) -> str:
    """Return the fingerprint of what a plan was made from; another one means that the plan is stale."""
    adopted = {"adoptable": [found.stable() for _, found in sorted(adoptable.items())]} if adoptable else {}
    return digest(
        {
            **adopted,
            "observed": [_stable(resource) for _, resource in sorted(observed.resources.items())],
            "strays": sorted([stray.key, stray.kind, stray.external_id] for stray in observed.strays),
            "prior": {
                key: {name: value for name, value in body.items() if name != "state"} for key, body in prior.items()
            },
        }
    )


def _stable(resource: ObservedResource) -> list[Any]:
    attributes = resource.attributes
    kept = {
        name: sorted(attributes[name], key=canonical_json) if name in _UNORDERED else attributes[name]
        for name in _STABLE.get(resource.kind, ())
        if name in attributes
    }
    if resource.kind == "machine":
        kept["disks"] = sorted(
            [str(disk.get("volume")), disk.get("size_gib"), bool(disk.get("system"))]
            for disk in attributes.get("disks") or ()
        )
    return [resource.key, resource.kind, resource.external_id, resource.config_hash, kept]


def foreign_disks(observed: ObservedResource) -> list[str]:
    """Return the disks of a machine that are neither its template's nor ours: deleting it would destroy them."""
    return [
        str(disk.get("path") or f"a disk of {disk.get('size_gib')} GiB")
        for disk in observed.attributes.get("disks") or ()
        if disk.get("volume") is None and not disk.get("system")
    ]


def own_disks(observed: ObservedResource, applied: Applied | None) -> list[str]:
    """Return the keys of our volumes that a machine has attached."""
    if observed.attributes.get("disks") is not None:
        return sorted(str(disk["volume"]) for disk in observed.attributes["disks"] if disk.get("volume"))
    machine = applied.resource if applied else None
    return sorted(disk.volume for disk in machine.disks) if isinstance(machine, Machine) else []


def snapshots(observed: ObservedResource) -> int:
    """Return how many snapshots a machine has."""
    value = observed.attributes.get("snapshots")
    return int(value) if value else 0


def display_name(key: str, resource: Resource | None, observed: ObservedResource | None = None) -> str:
    """Return what people call a thing: its name on the cloud, or the end of its key."""
    name = getattr(resource, "name", None)
    if name is None and observed is not None:
        name = observed.attributes.get("name")
    return str(name or key.partition(":")[2])


def machines(resources: Mapping[str, Resource]) -> Iterator[Machine]:
    """Yield the machines among resources."""
    return (resource for resource in resources.values() if isinstance(resource, Machine))


def volumes(resources: Mapping[str, Resource]) -> Iterator[Volume]:
    """Yield the volumes among resources."""
    return (resource for resource in resources.values() if isinstance(resource, Volume))
