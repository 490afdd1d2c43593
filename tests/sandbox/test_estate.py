"""Machines of others: ordinary ones in every flavour, and as many more as asked for."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from pyVmomi import vim

from sandbox.simulator import Simulator
from tests.sandbox.vsphere import VSphere, session

PATHS = [
    "name", "config.template", "config.uuid", "config.instanceUuid", "config.guestId", "config.hardware.numCPU",
    "config.hardware.memoryMB", "config.hardware.device", "config.annotation", "runtime.powerState", "runtime.host",
    "guest.ipAddress", "guest.net", "guest.toolsRunningStatus", "guest.toolsVersionStatus2", "resourcePool", "parent",
    "datastore", "network", "snapshot", "summary.config.vmPathName",
]  # fmt: skip


@pytest.fixture(scope="module")
def crowd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[VSphere]:
    home = tmp_path_factory.mktemp("crowd")
    with Simulator("crowd", home=home, ephemeral=True, machines=1200) as simulator, session(simulator) as vc:
        yield vc


def test_the_private_estate_has_ordinary_machines_in_folders(vc: VSphere) -> None:
    found = vc.read(vim.VirtualMachine, "name", "config.template", "parent")
    folders = {f: v["name"] for f, v in vc.read(vim.Folder, "name").items()}
    others = [v for v in found.values() if not v["config.template"]]
    assert len(others) >= 60
    assert {"Legacy", "Finance", "Web", "Infrastructure"} <= {folders[v["parent"]] for v in others}


def test_asked_for_machines_are_varied_and_spread(crowd: VSphere) -> None:
    found = crowd.read(vim.VirtualMachine, *PATHS, page=500)
    own = [v for v in found.values() if v["summary.config.vmPathName"].startswith("[estate-")]
    assert len(own) == 1200
    for path, at_least in (
        ("runtime.powerState", 3), ("config.guestId", 8), ("config.hardware.memoryMB", 6), ("runtime.host", 16),
        ("resourcePool", 8), ("parent", 15), ("guest.toolsVersionStatus2", 3), ("config.hardware.numCPU", 4),
    ):  # fmt: skip
        assert len({v.get(path) for v in own}) >= at_least, path
    assert len({ds for v in own for ds in v["datastore"]}) == 4
    assert len({net for v in own for net in v["network"]}) >= 5
    for kind in (vim.vm.device.VirtualDisk, vim.vm.device.VirtualEthernetCard):
        counts = {sum(isinstance(d, kind) for d in v["config.hardware.device"]) for v in own}
        assert {1, 2, 3} <= counts
    assert any("snapshot" in v for v in own)
    assert any("guest.ipAddress" not in v for v in own)


def test_machines_have_identities_of_their_own(crowd: VSphere) -> None:
    found = crowd.read(vim.VirtualMachine, "config.uuid", "config.instanceUuid", "config.hardware.device")
    for path in ("config.uuid", "config.instanceUuid"):
        assert len({v[path] for v in found.values()}) == len(found)
    macs = Counter(
        d.macAddress
        for v in found.values()
        for d in v["config.hardware.device"]
        if isinstance(d, vim.vm.device.VirtualEthernetCard)
    )
    assert max(macs.values()) == 1


def test_some_names_are_hostile(crowd: VSphere) -> None:
    names = crowd.names()
    for part in ("<script>", '"quoted"', "数据库", "%2f", "%25", "DROP TABLE", "\u202e"):
        assert any(part in name for name in names), part


def test_hosts_pools_datastores_and_networks_list_their_machines(crowd: VSphere) -> None:
    found = crowd.read(vim.VirtualMachine, "runtime.host", "resourcePool", "datastore", "network", "config.template")
    hosts, pools = crowd.read(vim.HostSystem, "vm"), crowd.read(vim.ResourcePool, "vm")
    stores, nets = crowd.read(vim.Datastore, "vm"), crowd.read(vim.Network, "vm")
    for vm, v in found.items():
        assert vm in hosts[v["runtime.host"]]["vm"]
        assert v["config.template"] or vm in pools[v["resourcePool"]]["vm"]
        assert all(vm in stores[ds]["vm"] for ds in v["datastore"])
        assert all(vm in nets[net]["vm"] for net in v["network"])


def test_the_crowd_fits_into_its_estate(crowd: VSphere) -> None:
    for values in crowd.read(vim.Datastore, "summary").values():
        assert 0 < values["summary"].freeSpace < values["summary"].capacity
    for host in crowd.read(vim.HostSystem, "summary").values():
        assert host["summary"].quickStats.overallMemoryUsage < host["summary"].hardware.memorySize >> 20
    assert any(v["summary"].uncommitted for v in crowd.read(vim.Datastore, "summary").values())


def test_a_machine_of_the_crowd_works_like_any_other(crowd: VSphere) -> None:
    vm = next(
        vm
        for vm, v in crowd.read(vim.VirtualMachine, "runtime.powerState", "config.template", "name").items()
        if v["runtime.powerState"] == "poweredOff" and not v["config.template"] and v["name"].startswith("rnd-")
    )
    crowd.reconfigure(vm, memoryMB=3072, deviceChange=[crowd.new_disk(vm, 64, unit=9)])
    assert vm.config.hardware.memoryMB == 3072
    spec = vim.vm.CloneSpec(location=vim.vm.RelocateSpec(pool=vm.resourcePool))
    clone = crowd.wait(vm.CloneVM_Task(folder=crowd.vm_folder, name="copy-of-another", spec=spec))
    flat = crowd.disks(clone)[0].backing.fileName.replace(".vmdk", "-flat.vmdk")
    assert crowd.http("GET", flat, headers={"Range": "bytes=0-15"}) == b"DISK OF ANOTHER "
    crowd.wait(vm.PowerOnVM_Task())
    crowd.remove(vm)
    assert vm not in crowd.all(vim.VirtualMachine)


def test_ten_thousand_machines_start_in_seconds() -> None:
    began = time.monotonic()
    with Simulator("big", ephemeral=True, machines=10_000) as simulator, session(simulator) as vc:
        assert time.monotonic() - began < 60
        assert len(vc.read(vim.VirtualMachine, "name", page=2000)) > 10_000
        memory = Path(f"/proc/{simulator.ready['pid']}/status").read_text()
        assert int(memory.split("VmHWM:")[1].split()[0]) < 700 * 1024


def test_a_crowd_comes_back_after_a_restart(tmp_path: Path) -> None:
    paths = ("name", "guest.net", "config.instanceUuid", "runtime.powerState")

    def inventory(vc: VSphere) -> dict[str, str]:
        found = vc.read(vim.VirtualMachine, *paths)
        return {vm._moId: str(v) for vm, v in found.items() if v["name"].startswith("fin-")}

    with Simulator("kept", home=tmp_path) as simulator:
        with session(simulator) as vc:
            before = inventory(vc)
        simulator.restart()
        with session(simulator) as vc:
            assert inventory(vc) == before
            vm = next(vm for vm in vc.all(vim.VirtualMachine) if vm.name in next(iter(before.values())))
            vc.reconfigure(vm, deviceChange=[vc.new_disk(vm, 64, unit=9)])
            assert len({d.backing.fileName for d in vc.disks(vm)}) == len(vc.disks(vm))
