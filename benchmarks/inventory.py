"""Measure how a vCenter's machines get into the tables: everything once, and then one per cent of it.

Everything runs against one simulated vCenter, a process of its own, and a durable PostgreSQL of its own, so that what
is counted here is what the portal itself spends: talking TLS, reading XML, handing pages to the database. Three
figures, each against something taken in the same run, alternately:

- the processor time of a full load ÷ that of reading the very same answers with expat and doing nothing with them;
- the time of a sync after one per cent of the machines changed ÷ that of a full load, by both clocks;
- with ``--peer``: the wall time of ``ansible-inventory`` with the collection ``community.vmware`` ÷ ours, on the same
  simulator with the same number of machines (``--peer-machines``: it takes minutes for a thousand). Ansible is
  installed from PyPI into a virtual environment of its own, in the folder that ``--peer`` names.

    python -m benchmarks.inventory [--machines 10000] [--rounds 3] [--peer FOLDER] [--peer-machines 1000]
"""

from __future__ import annotations

import argparse
import json
import os
import re
import resource
import statistics
import subprocess
import sys
import time
import uuid
import venv
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any
from xml.parsers.expat import ParserCreate

from benchmarks.stage import Stage
from sandbox.simulator import Simulator

# What the peer is asked for: the columns that people search by. Ours reads disks, cards and markers beside these.
PROPERTIES = (
    "name", "parent", "resourcePool", "runtime.host", "runtime.powerState", "config.template", "config.instanceUuid",
    "config.uuid", "config.hardware.numCPU", "config.hardware.memoryMB", "config.guestFullName", "guest.ipAddress",
)  # fmt: skip


def main() -> None:
    """Measure and print."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--machines", type=int, default=10_000)
    options.add_argument("--rounds", type=int, default=3)
    options.add_argument("--peer", type=Path)
    options.add_argument("--peer-machines", type=int, default=1_000)
    asked = options.parse_args()
    stage = Stage()
    try:
        with Simulator("bench", ephemeral=True, machines=asked.machines) as simulator:
            full = measure(simulator, asked.rounds)
            measure_changes(simulator, asked.rounds, asked.machines // 100, full)
        peak_mib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        print(f"peak memory of the whole process: {peak_mib:.0f} MiB (goal <= 300)")
        if asked.peer is not None:
            with Simulator("peer", ephemeral=True, machines=asked.peer_machines) as simulator:
                measure_peer(simulator, asked.rounds, asked.peer)
    finally:
        stage.close()


def measure(simulator: Simulator, rounds: int) -> tuple[float, float]:
    """Print what a full load costs beside reading its bytes; return its processor and wall time."""
    ours: list[tuple[float, float]] = []
    floor: list[tuple[float, float]] = []
    sizes: set[int] = set()
    rows = 0
    for _ in range(rounds):
        floor.append(clocked(lambda: sizes.add(read_and_forget(simulator))))
        cloud = fresh_cloud(simulator)
        ours.append(clocked(partial(follow, cloud)))
        rows = machines_of(cloud)
        forget(cloud)
    (cpu, wall), (floor_cpu, floor_wall) = medians(ours), medians(floor)
    print(
        f"full load: {rows} machines, {max(sizes) / 1e6:.0f} MB; ours {cpu:.2f} s cpu, {wall:.1f} s wall; "
        f"expat doing nothing {floor_cpu:.2f} s cpu, {floor_wall:.1f} s wall; "
        f"ratio {cpu / floor_cpu:.2f} cpu (goal <= 6), {wall / floor_wall:.2f} wall"
    )
    return cpu, wall


def measure_changes(simulator: Simulator, rounds: int, count: int, full: tuple[float, float]) -> None:
    """Print what a sync costs after some machines have changed, with and without the look that comes before it."""
    from apps.inventory import syncing

    cloud = fresh_cloud(simulator)
    follow(cloud)
    syncs: list[tuple[float, float]] = []
    looks: list[tuple[float, float]] = []
    idle: list[tuple[float, float]] = []
    for number in range(rounds + 1):
        changed = simulator.churn(count, seed=number + 1)
        looked: list[bool] = []
        looks.append(clocked(lambda looked=looked: looked.append(syncing.look(cloud))))  # type: ignore[misc]
        written: list[Any] = []
        syncs.append(clocked(lambda written=written: written.append(follow(cloud))))  # type: ignore[misc]
        idle.append(clocked(lambda: syncing.look(cloud)))
        assert looked == [True]
        assert written[0].read >= len(changed) == count, (written[0].read, len(changed))
        assert not written[0].full
    # The first one warms up: names of the ground, connections.
    for name, samples in (("sync", syncs[1:]), ("look before it", looks[1:]), ("look at nothing new", idle[1:])):
        cpu, wall = medians(samples)
        print(
            f"{count} machines changed: {name} {cpu * 1e3:.0f} ms cpu, {wall * 1e3:.0f} ms wall; "
            f"÷ full {cpu / full[0]:.4f} cpu, {wall / full[1]:.4f} wall" + (" (goal <= 0.02)" if name == "sync" else "")
        )
    forget(cloud)


def measure_peer(simulator: Simulator, rounds: int, folder: Path) -> None:
    """Print how long the peer takes to read the same vCenter, and how long we take to have it in the tables.

    Ours is taken twice: with the very properties that the peer is asked for, and with all that the listing reads.
    """
    command, environ, version = peer(simulator, folder)
    theirs: list[float] = []
    same: list[float] = []
    ours: list[float] = []
    for _ in range(min(rounds, 2)):
        with the_same_properties():
            cloud = fresh_cloud(simulator)
            same.append(clocked(partial(follow, cloud))[1])
            forget(cloud)
        cloud = fresh_cloud(simulator)
        ours.append(clocked(partial(follow, cloud))[1])
        rows = machines_of(cloud)
        forget(cloud)
        began = time.perf_counter()
        done = subprocess.run(command, env=environ, capture_output=True, text=True)
        theirs.append(time.perf_counter() - began)
        found = len(json.loads(done.stdout or "{}").get("_meta", {}).get("hostvars", {}))
        if done.returncode or found < rows:
            raise SystemExit(f"the peer found {found} of {rows} machines:\n{done.stderr[-2000:]}")
    their = statistics.median(theirs)
    print(f"{rows} machines, {len(PROPERTIES)} properties: {version} {their:.1f} s wall")
    for what, samples in (("the same properties", same), ("all that the listing reads", ours)):
        our = statistics.median(samples)
        print(f"  ours, {what}, into PostgreSQL: {our:.2f} s; ratio {their / our:.0f} (goal >= 30)")


@contextmanager
def the_same_properties() -> Iterator[None]:
    """Have the listing read no more of a machine than the peer is asked for."""
    from connectors.vsphere import listed

    usual = listed.PATHS
    listed.PATHS = {"VirtualMachine": PROPERTIES}  # type: ignore[misc]
    try:
        yield
    finally:
        listed.PATHS = usual  # type: ignore[misc]


# The ways to read


def follow(cloud: Any) -> Any:
    """Sync a cloud to the end."""
    from apps.inventory import syncing

    done = syncing.follow(cloud, 3_600.0)
    assert done.ended
    return done


class Nothing:
    """Read answers with expat, without a handler."""

    def __init__(self) -> None:
        self.bytes = 0

    def read(self, body: bytes) -> Any:
        """Parse, and return as much as asking on needs."""
        from connectors.vsphere.streaming import Page

        self.bytes += len(body)
        ParserCreate().Parse(body, True)
        version = re.search(rb"<version>([^<]*)</version>", body[:2_000])
        return Page(version=version[1].decode() if version else "", truncated=b"<truncated>true" in body[-500:])


def read_and_forget(simulator: Simulator) -> int:
    """Ask a collector for everything that the listing asks for; return the bytes of the answers."""
    from connectors.vsphere import ground, listed
    from connectors.vsphere.listing import FORM
    from connectors.vsphere.session import Session
    from connectors.vsphere.watching import Watch

    session = Session(access(simulator))
    watch = Watch.begin(
        access(simulator), FORM, "", session.manager("rootFolder"), (list(ground.PATHS), ["VirtualMachine"])
    )
    reader: Any = Nothing()
    watch.watch(0, ground.PATHS)
    watch.watch(1, listed.PATHS)
    version = ""
    while (page := watch.updates(reader, version)) is not None:
        version = page.version
        if not page.truncated:
            break
    watch.end()
    session.close()
    return int(reader.bytes)


def peer(simulator: Simulator, folder: Path) -> tuple[list[str], dict[str, str], str]:
    """Install the peer if it is not there yet; return how it is called, and which it is."""
    program = folder / "bin" / "ansible-inventory"
    if not program.exists():
        venv.create(folder, with_pip=True)
        subprocess.run(
            [folder / "bin" / "python", "-m", "pip", "install", "--quiet", "ansible>=12,<13", "pyvmomi", "requests"],
            check=True,
        )
    source = folder / "bench.vmware.yml"
    lines = "".join(f"  - {name}\n" for name in PROPERTIES)
    source.write_text(
        "plugin: community.vmware.vmware_vm_inventory\nstrict: false\nvalidate_certs: false\nwith_tags: false\n"
        f"with_path: false\nhostname: {simulator.host}\nport: {simulator.port}\nusername: {simulator.username}\n"
        f"password: {simulator.password}\nproperties:\n{lines}hostnames:\n  - config.instanceUuid\n"
    )
    environ = {
        "PATH": f"{folder / 'bin'}:{os.environ['PATH']}",
        "HOME": str(folder),
        "ANSIBLE_HOME": str(folder / "home"),
        "ANSIBLE_INVENTORY_ENABLED": "community.vmware.vmware_vm_inventory",
        "ANSIBLE_DEPRECATION_WARNINGS": "False",
        "LC_ALL": "C.UTF-8",
        "no_proxy": "*",
    }
    shown = subprocess.run([program, "--version"], env=environ, capture_output=True, text=True, check=True).stdout
    return [str(program), "-i", str(source), "--list"], environ, shown.splitlines()[0]


# Parts


def clocked(work: Callable[[], object]) -> tuple[float, float]:
    """Return the processor time of this process and the wall time of some work."""
    cpu, wall = time.process_time(), time.perf_counter()
    work()
    return time.process_time() - cpu, time.perf_counter() - wall


def medians(samples: list[tuple[float, float]]) -> tuple[float, float]:
    """Return the medians of processor and wall time."""
    return statistics.median(cpu for cpu, _ in samples), statistics.median(wall for _, wall in samples)


def access(simulator: Simulator) -> Any:
    """Return how the simulator is reached."""
    from connectors.base import Access

    return Access(
        "vsphere",
        f"{simulator.host}:{simulator.port}",
        simulator.username,
        simulator.password,
        thumbprint=simulator.thumbprint_sha256,
        timeout_s=120.0,
    )


def fresh_cloud(simulator: Simulator) -> Any:
    """Register the simulator as a cloud of an organization of its own."""
    from apps.clouds import services as clouds
    from apps.tenancy import services

    name = f"bench-{uuid.uuid4().hex[:8]}"
    return clouds.register_cloud(
        None,
        services.create_organization(name, name),
        name=name,
        kind="vsphere",
        flavour="private",
        address=f"{simulator.host}:{simulator.port}",
        username=simulator.username,
        password=simulator.password,
        thumbprint=simulator.thumbprint_sha256,
    )


def machines_of(cloud: Any) -> int:
    """Return how many rows of machines a cloud has."""
    from apps.inventory.models import Machine

    return Machine.objects.filter(cloud=cloud).count()


def forget(cloud: Any) -> None:
    """Remove a cloud's rows, so that the next round finds the tables as this one did."""
    from apps.clouds import connections
    from apps.inventory.models import Machine, SyncState, Thing

    connections.drop(cloud.pk)
    for model in (Machine, Thing, SyncState):
        model._default_manager.filter(cloud=cloud).delete()


if __name__ == "__main__":
    sys.exit(main())
