"""Merge what target, policy and drawing say into one set of settings; the drawing wins, then the policy."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from engine.observed import Target
from engine.realise.extension import gibibytes, mebibytes

# The operating system, the container engine and their caches: what a machine needs before its first container.
OVERHEAD_MIB = 512
MEMORY_STEP_MIB = 512
MAX_NICS = 10  # of a virtual machine: "Configuration Maximums" of vSphere 8
MAX_DATA_DISKS = 14  # one paravirtual SCSI controller: 16 units less its own (7) and the system disk's (0)


@dataclass(frozen=True, slots=True)
class Settings:
    """Hold what a drawing is realised with. Sizes in MiB and GiB, CPUs in thousandths where named so."""

    isolation: str
    placement: str
    engine: str
    template: str | None
    cluster: str | None
    datastore: str | None
    network: str | None
    container_millicpus: int
    container_memory_mib: int
    volume_size_gib: int
    min_cpus: int
    max_cpus: int
    min_memory_mib: int
    max_memory_mib: int
    cpu_overcommit: float
    supernet: str
    reserved_subnets: tuple[str, ...]
    spot: bool = False  # machines may be ones that the cloud takes away, where the drawing says nothing of it
    open_to: tuple[str, ...] = ("0.0.0.0/0",)  # who reaches published ports, on targets that shut machines off


def settle(target: Target, policy: Mapping[str, Any], extension: Mapping[str, Any]) -> Settings:
    """Return the settings of one drawing.

    ``policy`` may hold the same keys as ``Target.defaults`` and ``reserved_subnets`` (CIDRs that other
    deployments on this cloud use). A machine is never larger than the largest host.
    """
    given: dict[str, Any] = {**target.defaults, **{key: value for key, value in policy.items() if value is not None}}
    defaults, machine = extension.get("defaults", {}), extension.get("machine", {})
    largest_cpus, largest_memory = _largest_host(target)
    max_cpus = int(machine.get("max_cpus") or given.get("max_machine_cpus") or min(8, largest_cpus))
    max_memory = int(
        mebibytes(machine["max_memory"])
        if "max_memory" in machine
        else given.get("max_machine_memory_mib") or min(16 * 1024, largest_memory)
    )
    max_memory = max(max_memory // MEMORY_STEP_MIB * MEMORY_STEP_MIB, 2 * MEMORY_STEP_MIB)
    min_memory = int(
        mebibytes(machine["min_memory"]) if "min_memory" in machine else given.get("machine_memory_mib") or 1024
    )
    return Settings(
        isolation=str(extension.get("isolation") or given.get("isolation") or "shared"),
        placement=str(extension.get("placement") or given.get("placement") or "DEFAULT"),
        engine=str(extension.get("engine") or given.get("container_engine") or "docker"),
        template=extension.get("template") or given.get("template") or None,
        cluster=extension.get("cluster") or given.get("cluster") or None,
        datastore=extension.get("datastore") or given.get("datastore") or None,
        network=extension.get("network") or given.get("network") or None,
        container_millicpus=round(1000 * float(defaults.get("cpus") or given.get("container_cpus") or 0.5)),
        container_memory_mib=int(
            mebibytes(defaults["memory"]) if "memory" in defaults else given.get("container_memory_mib") or 512
        ),
        volume_size_gib=int(
            gibibytes(defaults["volume_size"]) if "volume_size" in defaults else given.get("volume_size_gib") or 10
        ),
        min_cpus=min(int(machine.get("min_cpus") or given.get("machine_cpus") or 1), max_cpus),
        max_cpus=max_cpus,
        min_memory_mib=min(_step(min_memory), max_memory),
        max_memory_mib=max_memory,
        cpu_overcommit=float(given.get("cpu_overcommit") or 4.0),
        supernet=str(given.get("private_supernet") or "10.96.0.0/12"),
        reserved_subnets=tuple(given.get("reserved_subnets") or ()),
        spot=bool(machine["spot"] if "spot" in machine else given.get("spot", False)),
        open_to=tuple(given.get("open_to") or ("0.0.0.0/0",)),
    )


def most_cards(target: Target) -> int:
    """Return how many network cards a machine has at most: those of the largest size, where machines come in sizes."""
    return max((size.nics for size in target.inventory.sizes), default=MAX_NICS)


def machine_size(settings: Settings, millicpus: int, memory_mib: int) -> tuple[int, int]:
    """Return CPUs and MiB of a machine whose containers want so much; within the bounds of the settings."""
    cpus = min(max(-(-millicpus // 1000), settings.min_cpus), settings.max_cpus)
    memory = min(max(_step(memory_mib + OVERHEAD_MIB), settings.min_memory_mib), settings.max_memory_mib)
    return cpus, memory


def service_demand(service: Mapping[str, Any], extension: Mapping[str, Any], settings: Settings) -> tuple[int, int]:
    """Return thousandths of a CPU and MiB that placement reckons with for one container of a service.

    In order: ``x-escale``, reservations, limits, the default. What a container is promised decides, not what
    it may burst to.
    """
    resources = (service.get("deploy") or {}).get("resources") or {}
    reserved, limits = resources.get("reservations") or {}, resources.get("limits") or {}
    cpus = extension.get("cpus") or reserved.get("cpus") or limits.get("cpus") or service.get("cpus")
    memory = (
        extension.get("memory")
        or reserved.get("memory")
        or service.get("mem_reservation")
        or limits.get("memory")
        or service.get("mem_limit")
    )
    return (
        max(1, round(1000 * float(cpus))) if cpus else settings.container_millicpus,
        max(1, mebibytes(memory)) if memory else settings.container_memory_mib,
    )


def replicas_of(service: Mapping[str, Any]) -> int:
    """Return how many containers of a service are drawn; ``scale`` and ``deploy.replicas`` are the same thing."""
    count = service.get("scale")
    if count is None:
        count = (service.get("deploy") or {}).get("replicas")
    return 1 if count is None else int(count)


def _largest_host(target: Target) -> tuple[int, int]:
    """Return cores and MiB of the largest average host, or size; what is unknown bounds nothing."""
    sizes = target.inventory.sizes
    if sizes:
        return max(size.cpus for size in sizes), max(size.memory_mib for size in sizes)
    hosts = [cluster for cluster in target.inventory.clusters if cluster.hosts > 0]
    cpus = max((cluster.cpus // cluster.hosts for cluster in hosts if cluster.cpus), default=1 << 20)
    memory = max((cluster.memory_mib // cluster.hosts for cluster in hosts if cluster.memory_mib), default=1 << 30)
    return max(cpus, 1), max(memory, 2 * MEMORY_STEP_MIB)


def _step(memory_mib: int) -> int:
    return -(-memory_mib // MEMORY_STEP_MIB) * MEMORY_STEP_MIB
