"""Read clouds: find them, ask them how they are, keep their inventories, and show them to the realiser."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from django.db import connection
from django.utils import timezone
from django.utils.translation import gettext as _

from apps.clouds import certificates, connections, showing
from apps.clouds.models import Cloud
from apps.tenancy.access import Principal, find_named
from apps.tenancy.faults import Fault, fault, incident_id
from apps.tenancy.redaction import redact_text
from connectors.base import Connector, ConnectorError, Health
from engine.findings import Finding
from engine.observed import Inventory, Target

log = logging.getLogger(__name__)

LEASE_S = 120
"""For how long one process keeps others from reading the same cloud; it dies with the lease, not with a lock."""


def find_cloud(principal: Principal, reference: object) -> Cloud:
    """Return the cloud that an id or a name (`paris`) stands for, if one may use it; fault `cloud.unknown`."""
    visible = Cloud.objects.visible_to(principal).select_related("organization")
    return find_named(visible, reference, "name", "cloud.unknown")


def test_connection(cloud: Cloud) -> Health:
    """Sign in anew with the stored credential, ask the cloud how it is, and store the answer.

    Takes some ten seconds at most. Trouble is an answer as well, with the connector's code in a finding; nothing is
    raised for it.
    """
    try:
        with connections.connected_once(cloud) as connector:
            health, capabilities = _probe(connector), connector.capabilities
    except ConnectorError as error:
        health, capabilities = unwell(error), None
    except Exception as error:
        health, capabilities = _broken(cloud, error), None
    store_health(cloud, _with_certificate(cloud, health, anew=True), capabilities)
    if health.ok:
        connections.breaker_of(cloud.pk).reached()
    return health


test_connection.__test__ = False  # type: ignore[attr-defined]  # its name looks like a test's to pytest


def refresh(cloud: Cloud) -> Health:
    """Ask the cloud how it is and what it has, and store both; trouble is stored as its health, not raised.

    When it cannot be read, the last inventory stays, with the time it was taken.
    """
    try:
        connector = connections.connect(cloud)
        health, capabilities = _probe(connector), connector.capabilities
        inventory = connector.inventory() if health.ok else None
    except ConnectorError as error:
        health, capabilities, inventory = unwell(error), None, None
    except Exception as error:
        health, capabilities, inventory = _broken(cloud, error), None, None
    store_health(cloud, _with_certificate(cloud, health, anew=False), capabilities)
    if inventory is not None:
        cloud.inventory, cloud.inventory_at = inventory.to_json(), timezone.now()
        cloud.save(update_fields=["inventory", "inventory_at"])
    return health


def refresh_alone(cloud: Cloud) -> Health | None:
    """Refresh unless another process does; None: it does."""
    # A lease instead of an advisory lock: it also works behind a connection pooler, and ends with a killed worker.
    if not _take_lease(cloud):
        return None
    try:
        return refresh(cloud)
    finally:
        Cloud.objects.filter(pk=cloud.pk).update(refreshing_until=None)


def _take_lease(cloud: Cloud) -> bool:
    with connection.cursor() as cursor:
        cursor.execute(
            "update clouds_cloud set refreshing_until = clock_timestamp() + make_interval(secs => %s) "
            "where id = %s and (refreshing_until is null or refreshing_until < clock_timestamp())",
            [LEASE_S, cloud.pk],
        )
        return bool(cursor.rowcount == 1)


def target(cloud: Cloud) -> Target:
    """Return the cloud as the realiser sees it; one that was never read is read now.

    Faults: `cloud.disabled`, `cloud.not_read` (its code at the cloud in `extra`).
    """
    if not cloud.enabled:
        raise fault("cloud.disabled", cloud=cloud.name)
    if cloud.inventory is None:
        refresh(cloud)
    if cloud.inventory is None:
        health: Mapping[str, Any] = cloud.health or {}
        raise fault(
            "cloud.not_read",
            cloud=cloud.name,
            # Whoever plans need not administer the cloud, nor be of its organization.
            reason=str((showing.health(cloud, full=False) or {}).get("summary", "")),
            extra={"cloud_code": health.get("code")},
        )
    return Target(
        name=cloud.name,
        kind=cloud.kind,
        flavour=cloud.flavour,
        capabilities=frozenset(cloud.capabilities),
        inventory=Inventory.from_json(cloud.inventory),
        defaults=dict(cloud.defaults),
    )


def capacity(cloud: Cloud) -> dict[str, Any] | None:
    """Return the sums of the last inventory, with units in the names; None when there is none.

    A cloud that tells of no hosts has what its quotas allow, counted once; 0 stands for a total that nobody knows.
    """
    data = cloud.inventory
    if not data:
        return None
    clusters, datastores = data.get("clusters", ()), data.get("datastores", ())
    mhz = sum(cluster["cpu_mhz"] for cluster in clusters)
    sums = {
        "clusters": len(clusters),
        "hosts": sum(cluster["hosts"] for cluster in clusters),
        "machines": data.get("machines", 0),
        "templates": len(data.get("templates", ())),
        "networks": len(data.get("networks", ())),
        "cpus": sum(cluster["cpus"] for cluster in clusters),
        "cpu_mhz": mhz,
        "cpu_free_mhz": max(0, mhz - sum(cluster["cpu_used_mhz"] for cluster in clusters)),
        "memory_mib": sum(cluster["memory_mib"] for cluster in clusters),
        "memory_free_mib": sum(max(0, cluster["memory_mib"] - cluster["memory_used_mib"]) for cluster in clusters),
        "storage_gib": round(sum(store["capacity_gib"] for store in datastores), 1),
        "storage_free_gib": round(sum(store["free_gib"] for store in datastores if store.get("accessible", True)), 1),
        "memory_used_mib": sum(cluster["memory_used_mib"] for cluster in clusters),
        "read_at": cloud.inventory_at,
    }
    return sums | _by_quotas(data, clusters) if data.get("quotas") and not sums["hosts"] else sums


def _by_quotas(data: Mapping[str, Any], clusters: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return the sums that a region's quotas say: its zones share one, so that theirs must not be added up."""
    known = {quota["name"]: quota for quota in data["quotas"]}
    each_mhz = next((cluster["cpu_mhz"] // max(1, cluster["cpus"]) for cluster in clusters), 0)
    cpus = known.get("vcpus", {"limit": 0, "used": 0})
    volumes = [quota for name, quota in known.items() if name.startswith("volumes_")]
    return {
        "cpus": int(cpus["limit"]),
        "cpu_mhz": int(cpus["limit"]) * each_mhz,
        "cpu_free_mhz": max(0, int(cpus["limit"] - cpus["used"])) * each_mhz,
        "memory_mib": 0,
        "memory_free_mib": 0,
        "storage_gib": round(sum(quota["limit"] for quota in volumes), 1),
        "storage_free_gib": round(sum(max(0.0, quota["limit"] - quota["used"]) for quota in volumes), 1),
    }


def _probe(connector: Connector) -> Health:
    try:
        return connector.probe()
    except ConnectorError as error:
        return unwell(error)


def _with_certificate(cloud: Cloud, health: Health, *, anew: bool) -> Health:
    """Add when the cloud's certificate ends, which no API tells."""
    if not health.ok:
        return health
    found = certificates.known_facts(cloud, anew=anew)
    if found is None:
        return health
    soon = certificates.expiry(found)
    findings = (*health.findings, soon) if soon is not None else health.findings
    return replace(health, facts={**health.facts, "certificate": found}, findings=findings)


def unwell(error: ConnectorError) -> Health:
    """Return a connector's error as how the cloud is."""
    return Health(ok=False, summary=error.message, findings=(Finding(error.code, "error", error.message),))


def _broken(cloud: Cloud, error: Exception) -> Health:
    incident = incident_id()
    log.error("Incident %s: reading %s failed", incident, cloud.name, exc_info=error)
    text = _("The portal failed while it read this cloud; it was recorded as %(incident)s.") % {"incident": incident}
    return Health(ok=False, summary=text, findings=(Finding("internal", "error", text),))


def store_health(cloud: Cloud, health: Health | None, capabilities: Any) -> None:
    """Store how a cloud is, and what it can do if that is known; health None: nobody knows, until it is asked."""
    # A cloud may quote in its answer what it was sent.
    cloud.health = health and _without_secrets(
        {
            "ok": health.ok,
            "summary": health.summary,
            "code": connections.code_of(health),
            "facts": dict(health.facts),
            "findings": [finding.to_json() for finding in health.findings],
        }
    )
    cloud.health_at = timezone.now() if health else None
    fields = ["health", "health_at"]
    if capabilities is not None:
        cloud.capabilities = sorted(str(capability) for capability in capabilities)
        fields.append("capabilities")
    cloud.save(update_fields=fields)


def _without_secrets(value: Any) -> Any:
    if isinstance(value, str):
        return redact_text(value)
    if isinstance(value, Mapping):
        return {key: _without_secrets(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_without_secrets(item) for item in value]
    return value


def fault_of(cloud: Cloud) -> Fault | None:
    """Return what the last probe found wrong with a cloud, or None when it was well."""
    health: Mapping[str, Any] = cloud.health or {}
    if not health or health.get("ok"):
        return None
    return Fault(str(health.get("code") or "cloud.fault"), detail=str(health.get("summary", "")))
