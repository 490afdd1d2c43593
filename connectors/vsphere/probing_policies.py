"""Storage policies, by the policy service that stands beside the vCenter's own API (PBM, `/pbm`).

Three calls of it are needed, so they are written by hand: *VMware Storage Policy SDK Programming Guide*,
`PbmRetrieveServiceContent`, `PbmQueryProfile`, `PbmRetrieveContent`. The vCenter's session is handed over in a header.
"""

from __future__ import annotations

from xml.parsers.expat import ExpatError
from xml.sax.saxutils import escape

from connectors.base import ConnectorError
from connectors.probing import Report
from connectors.vsphere import soap
from connectors.vsphere.cloud import Cloud
from connectors.vsphere.faults import is_a
from connectors.vsphere.soap import Node, VimFault

_PATHS = ("/pbm/sdk", "/pbm")
_ACTION = "urn:pbm/2.0"
VSAN_DEFAULT_ID = "aa6d5a82-1c88-45da-85d3-3d74b91a5bad"
"""The identifier that vSAN gives its default policy on every vCenter."""

_SHOWN = 50


def examine(cloud: Cloud, *, vsan: bool) -> Report:
    """List the policies; where the flavour promises vSAN, its default one must be among them."""
    try:
        found = policies(cloud)
    except VimFault as fault:
        if not (is_a(fault, "NoPermission") or is_a(fault, "InvalidLogin") or is_a(fault, "NotAuthenticated")):
            raise
        why = "The cloud's user may not read storage policies - a move cannot keep them - give it StorageProfile.View"
        return Report("failed", why, "label.policies_refused")
    if found is None:
        why = "The vCenter has no policy service - storage policies cannot be kept in a move - look at its services"
        return Report("failed", why, "label.policies_missing")
    default = any(identifier == VSAN_DEFAULT_ID for identifier, _name in found)
    facts = {"policies": len(found), "vsan_default": default}
    internals = {"names": [name for _identifier, name in found[:_SHOWN]]}
    if vsan and not default:
        why = "The default policy of vSAN is missing - the flavour promises vSAN - ask the provider to restore it"
        return Report("failed", why, "label.vsan_default", facts, internals)
    if not found:
        why = "There are no storage policies - disks cannot be given one - make one on the vCenter"
        return Report("failed", why, "label.no_policies", facts, internals)
    return Report("passed", "", "", facts, internals)


def policies(cloud: Cloud) -> list[tuple[str, str]] | None:
    """Return identifier and name of the policies for machines' disks; None when there is no such service."""
    path = None
    content: list[Node] | None = None
    for path in _PATHS:
        content = _call(cloud, path, "PbmRetrieveServiceContent", "PbmServiceInstance", "ServiceInstance", "")
        if content is not None:
            break
    if path is None or not content:
        return None
    manager = content[0].ref("profileManager")
    if manager is None:
        return None
    kind, name = manager
    query = "<resourceType><resourceType>STORAGE</resourceType></resourceType>"
    found = _call(cloud, path, "PbmQueryProfile", kind, name, query) or []
    identifiers = [node.get("uniqueId") for node in found if node.get("uniqueId")]
    if not identifiers:
        return []
    wanted = "".join(f"<profileIds><uniqueId>{escape(each)}</uniqueId></profileIds>" for each in identifiers)
    profiles = _call(cloud, path, "PbmRetrieveContent", kind, name, wanted) or []
    named = [
        (profile.get("profileId.uniqueId"), profile.get("name"))
        for profile in profiles
        if profile.get("profileCategory", "REQUIREMENT") == "REQUIREMENT"
    ]
    return sorted(named, key=lambda pair: pair[1])


def _call(cloud: Cloud, path: str, method: str, kind: str, name: str, inside: str) -> list[Node] | None:
    """Make one call that changes nothing; None when nothing is served at the path."""

    def body(cookie: str) -> bytes:
        text = (
            '<?xml version="1.0" encoding="UTF-8"?>'
            '<soapenv:Envelope xmlns:soapenv="http://schemas.xmlsoap.org/soap/envelope/">'
            f"<soapenv:Header><vcSessionCookie>{escape(cookie)}</vcSessionCookie></soapenv:Header><soapenv:Body>"
            f'<{method} xmlns="urn:pbm"><_this type="{escape(kind)}">{escape(name)}</_this>{inside}</{method}>'
            "</soapenv:Body></soapenv:Envelope>"
        )
        return text.encode()

    reply = cloud.session.post_beside(path, body, _ACTION)
    if reply.status in (404, 405):
        return None
    if reply.status not in (200, 500):
        raise ConnectorError(
            "cloud.fault",
            f"The policy service of {cloud.where} answered with HTTP status {reply.status} - it may be starting - "
            "it is tried again",
            retry_after=5.0,
        )
    try:
        return soap.decode(reply.body)
    except (ExpatError, IndexError, ValueError) as error:
        raise soap.protocol_error(cloud.where, error) from None
