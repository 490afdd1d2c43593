"""What the clouds of the scene have: machines of others, hostile names among them, and how full they were."""

from __future__ import annotations

import uuid
from datetime import timedelta
from typing import Any

from django.utils import timezone

from apps.clouds.models import Cloud
from apps.inventory import syncing, writing
from apps.inventory.models import CapacitySample, Machine, SyncState
from connectors.listing import Item

ODD_NAMES = (
    "<script>alert('x')</script>",
    '"><img src=x onerror=alert(1)>',
    "a-name-that-goes-on-and-on-without-any-place-where-it-could-be-broken-0123456789-abcdefghijklmnop",
    "=1+1",
    "наме 名前 ✓",
)


def fill_estate(cloud: Cloud, down: Cloud) -> dict[str, str]:
    """Fill one cloud, let another one be out of reach; return the ids that pages are looked at by."""
    machines = [_machine(number) for number in range(70)]
    things = [
        Item("host", "host-1", "host-1", "esx-01.example", {
            "cluster": "Compute-A", "state": "connected", "cpus": 32, "cpu_mhz": 64_000, "cpu_used_mhz": 41_000,
            "memory_mib": 524_288, "memory_used_mib": 401_000, "model": "PowerEdge R750", "version": "8.0.3"}),
        Item("datastore", "datastore-1", "datastore-1", "nvme-a", {
            "type": "VMFS", "capacity_gib": 20_480.0, "free_gib": 1_900.0, "uncommitted_gib": 4_000.0, "hosts": 4,
            "accessible": True}),
        Item("network", "network-1", "network-1", ODD_NAMES[0], {"type": "nsx", "segment": ODD_NAMES[2], "vlan": 7}),
    ]  # fmt: skip
    writing.store(cloud.pk, [*machines, *things], (), full=False)
    state = syncing.state_of(cloud)
    SyncState.objects.filter(pk=state.pk).update(counts=writing.counts(cloud.pk), synced_at=timezone.now())
    trouble = {"code": "cloud.unreachable", "message": "The cloud does not answer.", "since": "2026-01-31T12:00:00Z"}
    SyncState.objects.filter(pk=syncing.state_of(down).pk).update(trouble=trouble)
    now = timezone.now()
    CapacitySample.objects.bulk_create(
        CapacitySample(
            cloud=cloud, at=now - timedelta(hours=60 - hours), machines=hours, cpu_mhz=448_000,
            cpu_used_mhz=160_000 + hours * 2_000, cpu_reserved_mhz=60_000, memory_mib=2_000_000,
            memory_used_mib=900_000 + hours * 5_000, memory_reserved_mib=300_000, storage_gib=20_480.0,
            storage_used_gib=9_000.0 + hours * 100, storage_reserved_gib=4_000.0,
        )
        for hours in range(60)
    )  # fmt: skip
    odd = Machine.objects.get(cloud=cloud, ref="vm-0")
    return {"odd": str(odd.pk), "store": str(cloud.things.get(kind="datastore").pk)}


def _machine(number: int) -> Item:
    name = ODD_NAMES[number] if number < len(ODD_NAMES) else f"web-{number:03}"
    facts: dict[str, Any] = {
        "power": ("on", "off", "suspended")[number % 3],
        "tools": "running",
        "cpus": 1 + number % 8,
        "memory_mib": 1024 * (1 + number % 16),
        "disk_gib": 40.0,
        "host": "esx-01.example",
        "cluster": "Compute-A",
        "folder": f"Legacy/{ODD_NAMES[0]}" if number == 0 else "Legacy",
        "guest": "Debian GNU/Linux 12 (64-bit)",
        "addresses": [f"10.0.0.{number}"],
        "networks": ["VM Network"],
        "datastores": ["nvme-a"],
        "tags": [ODD_NAMES[1]] if number == 0 else ["production"],
        "annotation": "\n".join(ODD_NAMES),
        "nics": [{"network": "VM Network", "mac": "00:50:56:00:00:01", "addresses": [f"10.0.0.{number}"]}],
        "disks": [
            {"label": "Hard disk 1", "size_gib": 40, "datastore": "nvme-a", "path": f"[nvme-a] {name}/disk.vmdk"}
        ],
    }
    return Item("machine", str(uuid.UUID(int=number + 1)), f"vm-{number}", name, facts)
