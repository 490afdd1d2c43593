"""Throughput: a file of the canary's own goes up to its datastore, comes back the same, and is deleted."""

from __future__ import annotations

import os
import time
from urllib.parse import quote, urlencode

from connectors.probing import Report
from connectors.vsphere.cloud import Cloud
from connectors.vsphere.faults import is_a
from connectors.vsphere.machine import Machine
from connectors.vsphere.soap import VimFault
from engine.resources import Owner

SIZE_MIB = 4
FLOOR_MIB_S = 5.0
"""Below this, moving a machine of 100 GiB takes over five hours. It is told, and does not fail the probe."""

FILE = "escale-probe.bin"


def examine(cloud: Cloud, found: Machine, owner: Owner) -> Report:
    """Measure both ways in MiB/s; what comes back must be what went up."""
    datastore, _, path = found.home.partition("] ")
    store = datastore.removeprefix("[")
    content = os.urandom(SIZE_MIB * 2**20)
    estate = cloud.estate()
    query = urlencode({"dcPath": estate.name, "dsName": store}, quote_via=quote)
    address = f"/folder/{quote(path)}{FILE}?{query}"
    try:
        started = time.perf_counter()
        cloud.session.upload(address, content)
        up_s = time.perf_counter() - started
        started = time.perf_counter()
        back = cloud.session.download(address, 2 * len(content))
        down_s = time.perf_counter() - started
    finally:
        _delete(cloud, f"{found.home}{FILE}")
    up, down = SIZE_MIB / max(up_s, 1e-6), SIZE_MIB / max(down_s, 1e-6)
    facts = {
        "size_mib": SIZE_MIB,
        "upload_mib_s": round(up, 1),
        "download_mib_s": round(down, 1),
        "floor_mib_s": FLOOR_MIB_S,
        "below_floor": min(up, down) < FLOOR_MIB_S,
    }
    if back != content:
        why = "A file came back from the datastore other than it went up - copies cannot be trusted - look at the way"
        return Report("failed", why, "label.transfer_differs", facts)
    return Report("passed", "", "", facts)


def _delete(cloud: Cloud, path: str) -> None:
    manager = cloud.session.manager("fileManager")
    try:
        task = cloud.session.act_task(
            manager, "DeleteDatastoreFile_Task", name=path, datacenter=cloud.estate().datacenter
        )
    except VimFault as fault:
        if not is_a(fault, "FileNotFound"):
            raise
        return
    end = cloud.wait([task])[task]
    if end.fault is not None and not is_a(end.fault, "FileNotFound"):
        raise end.fault
