"""What a fake cloud proves of itself: what can be looked at in its file."""

from __future__ import annotations

import statistics
import time
from typing import Any

from connectors.base import ConnectorError
from connectors.fake import world
from connectors.fake.effects import Effects
from connectors.probing import MACHINE, Canary, Probe, Report, usual

_CALLS = 5


def of_flavour(flavour: str) -> tuple[Probe, ...]:
    """Return what a fake cloud has to prove; it has no flavours of its own."""
    return usual()


def examine(probe: str, canary: Canary, effects: Effects) -> Report:
    """Look at one thing; KeyError for a probe that the fake cloud does not know."""
    if probe == "api":
        return Report("passed", facts={"product": "Fake cloud", "version": "1.0", "api_version": "1"})
    if probe == "latency":
        return _latency(effects)
    if probe in ("privileges.deploy", "privileges.move"):
        rows = [{"name": name, "held": True, "for": "everything"} for name in ("Everything.Read", "Everything.Write")]
        return Report("passed", facts={"privileges": rows, "held": len(rows), "asked": len(rows)})
    if probe == "policies":
        return Report("passed", facts={"policies": 1})
    if probe == "ground":
        return _ground(canary, effects)
    machine = _machine(canary, effects)
    if probe == "canary.placed":
        data = machine["data"]
        internals = {"host": data.get("host", f"{data['cluster']}-host-1"), "datastore": data["datastore"]}
        return Report("passed", facts={"cluster": True, "datastore": True}, internals=internals)
    if probe == "events":
        return Report("passed", facts={"events": 2, "creation_seen": True, "start_seen": True})
    if probe == "throughput":
        return _transfer(machine, effects)
    raise KeyError(probe)


def _latency(effects: Effects) -> Report:
    times: list[float] = []
    for _ in range(_CALLS):
        started = time.perf_counter()
        effects.db.execute("SELECT count(*) FROM thing").fetchone()
        times.append((time.perf_counter() - started) * 1000)
    facts = {"calls": _CALLS, "median_ms": round(statistics.median(times), 2), "slowest_ms": round(max(times), 2)}
    return Report("passed", facts=facts)


def _ground(canary: Canary, effects: Effects) -> Report:
    inventory = world.current(effects.db, effects.options)
    hosts = [fact for fact in inventory.templates if fact.container_host]
    facts = {"templates": len(inventory.templates), "container_host_templates": len(hosts)}
    if not hosts or not inventory.networks:
        why = "There is no template for container hosts, or no network - a canary needs both - make what is missing"
        return Report("failed", why, "cloud.no_template", facts)
    internals: dict[str, Any] = {
        "template": canary.defaults.get("template") or hosts[0].name,
        "network": canary.defaults.get("network") or inventory.networks[0].name,
        "cpus": 1,
        "memory_mib": 1024,
    }
    return Report("passed", facts=facts, internals=internals)


def _machine(canary: Canary, effects: Effects) -> dict[str, Any]:
    found = [each for each in effects.of_deployment(canary.owner.deployment_id) if each["resource"] == MACHINE]
    if not found:
        message = "The canary is gone - somebody deleted it on the cloud - run this again"
        raise ConnectorError("cloud.not_found", message, permanent=True)
    return found[0]


def _transfer(machine: dict[str, Any], effects: Effects) -> Report:
    """Write bytes into the cloud's file and read them back."""
    content = b"canary" * 100_000
    effects.db.execute("UPDATE thing SET content = ? WHERE id = ?", (content, machine["id"]))
    started = time.perf_counter()
    back = effects.db.execute("SELECT content FROM thing WHERE id = ?", (machine["id"],)).fetchone()["content"]
    seconds = time.perf_counter() - started
    effects.db.execute("UPDATE thing SET content = NULL WHERE id = ?", (machine["id"],))
    size_mib = len(content) / 2**20
    facts = {"size_mib": round(size_mib, 2), "download_mib_s": round(size_mib / max(seconds, 1e-6), 1)}
    return Report("passed" if back == content else "failed", facts=facts)
