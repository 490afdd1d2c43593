"""vSphere: private vCenters, and those of OVHcloud, IBM Cloud and VMware Cloud on AWS (``Access.flavour``)."""

from __future__ import annotations

from connectors.base import Access, Connector
from connectors.vsphere.connector import VsphereConnector


def connect(access: Access) -> Connector:
    """Return a connector to a vCenter; it logs in at the first call."""
    return VsphereConnector(access)
