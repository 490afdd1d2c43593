"""What kinds of vCenter differ in: where customers may put things, and what they may do there."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase

from connectors.base import Capability, ConnectorError

_ALL = frozenset(Capability) - {Capability.FIREWALLS, Capability.BALANCERS, Capability.OWN_GROUND}


@dataclass(frozen=True, slots=True)
class Flavour:
    """House rules of a provider; ``Access.options`` of a cloud override the names.

    Patterns are shell patterns. ``folder`` is a path below the datacenter's machine folder, ``pool`` a resource
    pool of each cluster (default: its root pool). What is avoided is used only when it is asked for by name.
    """

    name: str
    title: str
    folder: tuple[str, ...] = ()
    pool: str | None = None
    datastores: tuple[str, ...] = ("*",)
    avoid_datastores: tuple[str, ...] = ()
    avoid_clusters: tuple[str, ...] = ()
    capabilities: frozenset[Capability] = _ALL

    def offers_datastore(self, name: str) -> bool:
        """Tell whether a datastore may be chosen without being named."""
        return _matches(name, self.datastores) and not _matches(name, self.avoid_datastores)

    def offers_cluster(self, name: str) -> bool:
        """Tell whether a cluster may be chosen without being named."""
        return not _matches(name, self.avoid_clusters)


FLAVOURS = {
    flavour.name: flavour
    for flavour in (
        Flavour("private", "Private vSphere"),
        # The provider's appliances live in the same datacenter; its customers have all rights on their own objects.
        Flavour("ovh", "OVHcloud Hosted Private Cloud"),
        # Gateways and management have their own cluster and share.
        Flavour(
            "ibm",
            "IBM Cloud for VMware",
            avoid_datastores=("management*",),
            avoid_clusters=("*edge*", "*mgmt*", "*management*"),
        ),
        # CloudAdmin has no rights outside of these, and networks are NSX segments made elsewhere:
        # https://docs.vmware.com/en/VMware-Cloud-on-AWS/services/com.vmware.vsphere.vmc-aws-manage-vms.doc/
        Flavour(
            "vmc",
            "VMware Cloud on AWS",
            folder=("Workloads",),
            pool="Compute-ResourcePool",
            datastores=("WorkloadDatastore*",),
            capabilities=_ALL - {Capability.CREATE_NETWORK},
        ),
        # Customers run all of it themselves and have all rights. One cluster holds management and what customers run
        # (a consolidated domain), so none is avoided: https://docs.aws.amazon.com/evs/latest/userguide/concepts.html
        Flavour("evs", "Amazon EVS"),
    )
}


def flavour(name: str) -> Flavour:
    """Return the rules of a flavour; no name means a private vSphere."""
    found = FLAVOURS.get(name or "private")
    if found is None:
        raise ConnectorError(
            "cloud.invalid",
            f"There is no flavour {name!r} of vSphere - known are {', '.join(FLAVOURS)} - correct the cloud's settings",
            permanent=True,
        )
    return found


def _matches(name: str, patterns: Sequence[str]) -> bool:
    return any(fnmatchcase(name.lower(), pattern.lower()) for pattern in patterns)
