"""Adoption on a simulated vCenter; what it looks at, it looks at with pyVmomi, past our own client."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from pyVmomi import vim

from connectors.vsphere import adoption
from tests.connectors.adoption_contract import AdoptionContract, drawn
from tests.connectors.bench import Site
from tests.connectors.vsphere_bench import CALLS, VsphereBench

pytestmark = pytest.mark.slow
CALLS.setdefault("machine.adopt", "ReconfigVM_Task")


class VsphereEstate:
    def __init__(self, bench: VsphereBench) -> None:
        self.bench = bench

    def stranger(self, name: str) -> str:
        device = vim.vm.device
        network = next(each for each in self.bench.all(vim.Network) if each.name == "VM Network")
        card = device.VirtualVmxnet3(
            key=-1,
            backing=device.VirtualEthernetCard.NetworkBackingInfo(deviceName=network.name, network=network),
        )
        controller = device.ParaVirtualSCSIController(key=-100, busNumber=0, sharedBus="noSharing")
        disks = [
            device.VirtualDisk(
                key=-200 - unit,
                controllerKey=-100,
                unitNumber=unit,
                capacityInKB=(1 + unit) * 2**20,
                backing=device.VirtualDisk.FlatVer2BackingInfo(
                    diskMode="persistent", thinProvisioned=True, fileName=""
                ),
            )
            for unit in (0, 1)
        ]
        changes: list[Any] = [device.VirtualDeviceSpec(operation="add", device=each) for each in (controller, card)]
        changes += [device.VirtualDeviceSpec(operation="add", fileOperation="create", device=disk) for disk in disks]
        spec = vim.vm.ConfigSpec(
            name=name,
            guestId="debian11_64Guest",
            numCPUs=1,
            memoryMB=256,
            annotation="Owner: bob\nDo not touch.",
            extraConfig=[vim.option.OptionValue(key="guestinfo.bob", value="café")],
            files=vim.vm.FileInfo(vmPathName="[san-gold]"),
            deviceChange=changes,
        )
        pool = self.bench.all(vim.ClusterComputeResource)[0].resourcePool
        made = self.bench.wait(self.bench.folder_named("Legacy").CreateVM_Task(config=spec, pool=pool))
        self.bench.wait(made.PowerOnVM_Task())
        return str(made.config.instanceUuid)

    def raw(self, machine: str) -> Any:
        found = self.bench.machine(machine)
        config = found.config
        # The server's own count and date of changes, which no change can leave alone.
        config.changeVersion, config.modified = "", datetime.fromtimestamp(0, UTC)
        config.extraConfig = sorted(config.extraConfig, key=lambda option: option.key)
        return repr(config).splitlines(), found.name, found.parent._moId, found.runtime.powerState

    def power(self, machine: str) -> str:
        return str(self.bench.machine(machine).runtime.powerState).removeprefix("powered").lower()

    def grown(self, machine: str) -> list[float]:
        devices = self.bench.machine(machine).config.hardware.device
        return [each.capacityInKB / 2**20 for each in devices if isinstance(each, vim.vm.device.VirtualDisk)]

    def make_template(self, machine: str) -> None:
        found = self.bench.machine(machine)
        self.bench.wait(found.PowerOffVM_Task())
        found.MarkAsTemplate()

    def destroy(self, machine: str) -> None:
        self.bench.wait(self.bench.machine(machine).PowerOffVM_Task())
        self.bench.destroy_machine(machine)


class TestVsphereAdoption(AdoptionContract):
    @pytest.fixture
    def estate(self, vcenter: VsphereBench) -> VsphereEstate:
        return VsphereEstate(vcenter)

    def test_marks_are_not_written_over_a_change_that_came_between(
        self, estate: VsphereEstate, connector: Any, site: Site, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        identity = estate.stranger("web")
        machine = drawn(connector.describe([identity])[0])
        look = adoption._the_one

        def look_and_be_overtaken(*args: Any, **options: Any) -> Any:
            found = look(*args, **options)
            estate.bench.reconfigure(estate.bench.machine(identity), {"guestinfo.bob": "changed"})
            return found

        monkeypatch.setattr(adoption, "_the_one", look_and_be_overtaken)
        action = self.action(site, "machine.adopt", machine)
        outcome = site.finish(site.start(action))
        assert outcome.error is not None
        assert (outcome.error.code, outcome.error.permanent) == ("cloud.busy", False)
        assert not connector.describe([identity])[0].owned
        monkeypatch.undo()
        assert site.finish(site.start(action)).state == "done"
        assert estate.bench.extra(estate.bench.machine(identity))["guestinfo.bob"] == "changed"

    @pytest.mark.parametrize(("cpus", "cores"), [(8, 2), (3, 1)])
    def test_sockets_of_an_adopted_machine_stay_as_large_as_they_were(
        self, estate: VsphereEstate, connector: Any, site: Site, cpus: int, cores: int
    ) -> None:
        identity = estate.stranger("web")
        found = estate.bench.machine(identity)
        estate.bench.wait(found.PowerOffVM_Task())
        estate.bench.wait(found.ReconfigVM_Task(vim.vm.ConfigSpec(numCPUs=4, numCoresPerSocket=2)))
        assert found.config.hardware.numCoresPerSocket == 2
        machine = drawn(connector.describe([identity])[0])
        self.adopt(site, machine)
        site.facts[machine.key] = {"external_id": identity}
        site.next_operation()
        outcome = site.finish(site.start(self.action(site, "machine.update", replace(machine, cpus=cpus))))
        assert outcome.state == "done", outcome.error
        hardware = found.config.hardware
        assert (hardware.numCPU, hardware.numCoresPerSocket) == (cpus, cores)
