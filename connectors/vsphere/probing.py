"""Probes of a vCenter: which there are for a flavour, and what is looked at in each examination."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from datetime import UTC, datetime

from connectors.base import Capability
from connectors.probing import MACHINE, Canary, Probe, Report, usual
from connectors.vsphere import (
    flavours,
    folders,
    machine,
    placement,
    probing_events,
    probing_policies,
    probing_privileges,
    probing_transfer,
    properties,
    survey,
)
from connectors.vsphere.cloud import Cloud
from connectors.vsphere.machine import Machine
from connectors.vsphere.soap import Ref, moment, service_instance

OLDEST_API = (6, 7)
MAX_SKEW_S = 30.0
LATENCY_CALLS = 25
LATENCY_CEILING_MS = 2000.0
_VSAN_FLAVOURS = frozenset({"vmc", "evs"})


def of_flavour(name: str) -> tuple[Probe, ...]:
    """Return what a vCenter of a flavour has to prove."""
    rules = flavours.flavour(name)
    makes_networks = Capability.CREATE_NETWORK in rules.capabilities
    vsan = rules.name in _VSAN_FLAVOURS
    return usual(
        network_left_out="" if makes_networks else "Networks are segments that the provider's own console makes.",
        datastore_left_out="The provider gives its customers one datastore." if len(rules.datastores) == 1
        and rules.datastores != ("*",) else "",
        policies_required=vsan,
        boundary=rules.pool is not None,
    )  # fmt: skip


def examine(cloud: Cloud, probe: str, canary: Canary) -> Report:
    """Look at one thing; see ``connectors.probing.Probing``."""
    return _EXAMINATIONS[probe](cloud, canary)


def _api(cloud: Cloud, canary: Canary) -> Report:
    now = moment(cloud.session.read(service_instance(), "CurrentTime")[0].text)
    skew_s = (now - datetime.now(UTC)).total_seconds()
    about = cloud.session.content().node("about")
    assert about is not None
    version = about.get("apiVersion")
    facts = {
        "product": about.get("name"),
        "version": about.get("version"),
        "build": about.get("build"),
        "api_version": version,
        "clock_skew_s": round(skew_s, 1),
    }
    internals = {"instance_uuid": about.get("instanceUuid"), "where": cloud.where}
    if about.get("apiType") != "VirtualCenter":
        why = "What answers is no vCenter - a single host lacks what deployments need - give the vCenter's address"
        return Report("failed", why, "label.api_kind", facts, internals)
    if _numbers(version) < OLDEST_API:
        oldest = ".".join(map(str, OLDEST_API))
        why = f"The API is version {version} - calls that are made need {oldest} - upgrade the vCenter"
        return Report("failed", why, "label.api_version", facts, internals)
    if abs(skew_s) > MAX_SKEW_S:
        why = f"The clock differs by {skew_s:.0f} s - one-time links would be refused - let both sides use NTP"
        return Report("failed", why, "label.clock", facts, internals)
    return Report("passed", "", "", facts, internals)


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split(".")[:2] if part.isdigit())


def _latency(cloud: Cloud, canary: Canary) -> Report:
    """Ask for the time again and again: the cheapest call that goes all the way."""
    cloud.session.read(service_instance(), "CurrentTime")  # connects, so that the handshake is not measured
    times: list[float] = []
    for _ in range(LATENCY_CALLS):
        started = time.perf_counter()
        cloud.session.read(service_instance(), "CurrentTime")
        times.append((time.perf_counter() - started) * 1000)
    p95 = statistics.quantiles(times, n=20)[-1]
    facts = {
        "calls": LATENCY_CALLS,
        "median_ms": round(statistics.median(times), 2),
        "p95_ms": round(p95, 2),
        "slowest_ms": round(max(times), 2),
        "ceiling_ms": LATENCY_CEILING_MS,
    }
    if p95 > LATENCY_CEILING_MS:
        why = f"One call in twenty takes {p95:.0f} ms or more - pages and steps wait for it - look at the way between"
        return Report("failed", why, "label.slow", facts)
    return Report("passed", "", "", facts)


def _ground(cloud: Cloud, canary: Canary) -> Report:
    """Find what a canary is made of and stands on, by the rules that deployments go by."""
    cloud.surveyor.forget()
    inventory = survey.inventory(cloud)
    facts = {
        "clusters": len(inventory.clusters),
        "hosts": sum(fact.hosts for fact in inventory.clusters),
        "datastores": len(inventory.datastores),
        "networks": len(inventory.networks),
        "templates": len(inventory.templates),
    }
    wanted = canary.defaults
    templates = [fact for fact in inventory.templates if fact.container_host]
    template = next((fact for fact in inventory.templates if fact.name == wanted.get("template")), None)
    if template is None and templates:
        template = min(templates, key=lambda fact: (fact.disk_gib, fact.name))
    if template is None:
        why = "There is no template for container hosts - machines are cloned from one - make one on the vCenter"
        return Report("failed", why, "cloud.no_template", facts)
    if not any(fact.hosts for fact in inventory.clusters):
        why = "No cluster that may be used has a host in service - nothing can run - look at the hosts"
        return Report("failed", why, "cloud.no_hosts", facts)
    # Where networks are segments, the standard ones that are there too are the provider's.
    segments = Capability.CREATE_NETWORK not in cloud.flavour.capabilities
    names = [fact.name for fact in sorted(inventory.networks, key=lambda fact: segments and fact.type != "nsx")]
    network = wanted.get("network") if wanted.get("network") in names else (names[0] if names else None)
    usable = sorted(placement.offered(cloud), key=lambda each: -each.free)
    if network is None or not usable:
        what = "network" if network is None else "datastore"
        why = f"There is no {what} that may be used - a machine needs one - look at the cloud's settings"
        return Report("failed", why, f"cloud.no_{what}", facts)
    internals = {
        "template": template.name, "network": network, "cluster": wanted.get("cluster"),
        "datastore": wanted.get("datastore"), "cpus": 1, "memory_mib": 1024,
    }  # fmt: skip
    return Report("passed", "", "", facts | {"container_host_templates": len(templates)}, internals)


def _placed(cloud: Cloud, canary: Canary) -> Report:
    """See that the canary lies where the flavour's customers may put things, and nowhere else."""
    found = _machine(cloud, canary)
    facts = properties.of_object(cloud.session, found.ref, ["datastore", "resourcePool", "parent"]) or {}
    estate = cloud.estate(0.0)
    host = estate.hosts.get(found.host) if found.host is not None else None
    cluster = next((each for each in estate.clusters if host is not None and each.ref == host.cluster), None)
    store = next((each for each in estate.datastores if f"[{each.name}]" == found.home.partition(" ")[0]), None)
    internals = {
        "host": found.host.value if found.host is not None else "",
        "host_name": host.name if host is not None else "",
        "cluster": cluster.name if cluster is not None else "",
        "datastore": store.ref.value if store is not None else "",
        "datastore_name": store.name if store is not None else "",
    }
    wrong: list[str] = []
    if cluster is None or not cloud.flavour.offers_cluster(cluster.name):
        wrong.append("cluster")
    if store is None or store not in placement.offered(cloud):
        wrong.append("datastore")
    if cluster is not None and facts.get("resourcePool") != placement.pool(cloud, cluster):
        wrong.append("resource pool")
    if not folders.path_to(cloud, found.folder or Ref("Folder", "")):
        wrong.append("folder")
    told = {"cluster": "cluster" not in wrong, "datastore": "datastore" not in wrong,
            "resource_pool": "resource pool" not in wrong, "folder": "folder" not in wrong}  # fmt: skip
    if wrong:
        why = f"The canary lies in another {' and '.join(wrong)} than it was put in - the cloud moved it - look there"
        return Report("failed", why, "label.misplaced", told, internals)
    return Report("passed", "", "", told | {"datastore_type": store.type if store is not None else ""}, internals)


def _machine(cloud: Cloud, canary: Canary) -> Machine:
    found = machine.of_resource(cloud, canary.owner, MACHINE)
    if not found:
        raise machine.gone(MACHINE)
    return found[0]


def _events(cloud: Cloud, canary: Canary) -> Report:
    return probing_events.examine(cloud, _machine(cloud, canary))


def _throughput(cloud: Cloud, canary: Canary) -> Report:
    return probing_transfer.examine(cloud, _machine(cloud, canary), canary.owner)


def _policies(cloud: Cloud, canary: Canary) -> Report:
    wanted = cloud.flavour.name in _VSAN_FLAVOURS
    return probing_policies.examine(cloud, vsan=wanted)


_EXAMINATIONS: dict[str, Callable[[Cloud, Canary], Report]] = {
    "api": _api,
    "latency": _latency,
    "privileges.deploy": lambda cloud, canary: probing_privileges.examine(cloud, canary, probing_privileges.DEPLOY),
    "privileges.move": lambda cloud, canary: probing_privileges.examine(cloud, canary, probing_privileges.MOVE),
    "boundary": probing_privileges.boundary,
    "ground": _ground,
    "policies": _policies,
    "canary.placed": _placed,
    "events": _events,
    "throughput": _throughput,
}
