import threading

import pytest
from pyVmomi import vim, vmodl

from sandbox.simulator import Simulator
from tests.sandbox.vsphere import UBUNTU, VSphere, session


def test_fifty_clones_at_once_do_not_block_each_other(vc: VSphere) -> None:
    vc.simulator.delay("CloneVM_Task", 400)
    folder = vc.vm_folder.CreateFolder("herd")
    tasks = [vc.clone_task(f"herd-{i}", folder=folder, power_on=True) for i in range(50)]
    machines = [vc.wait(task, timeout_s=60) for task in tasks]
    values = vc.read(vim.VirtualMachine, "config.uuid", "runtime.host", "runtime.powerState")
    mine = [values[vm] for vm in machines]
    assert len({v["config.uuid"] for v in mine}) == 50
    assert {v["runtime.powerState"] for v in mine} == {"poweredOn"}
    per_host = [len([v for v in mine if v["runtime.host"] == host]) for host in {v["runtime.host"] for v in mine}]
    assert max(per_host) - min(per_host) <= 3, "they are spread over the hosts"
    for task in [vm.PowerOffVM_Task() for vm in machines]:
        vc.wait(task)
    vc.wait(folder.Destroy_Task(), timeout_s=60)
    assert not [name for name in vc.names() if name.startswith("herd")]


def test_many_sessions_change_and_read_at_once(paris: Simulator) -> None:
    errors: list[BaseException] = []

    def work(number: int) -> None:
        try:
            with session(paris) as vc:
                for turn in range(3):
                    folder = vc.vm_folder.CreateFolder(f"busy-{number}-{turn}")
                    vm = vc.clone(f"busy-{number}-{turn}", folder=folder, power_on=True)
                    vc.read(vim.VirtualMachine, "runtime", "guest", "config.hardware")
                    vc.reconfigure(vm, annotation="x", deviceChange=[vc.new_disk(vm, 4)])
                    vc.wait(vm.PowerOffVM_Task())
                    vc.wait(folder.Destroy_Task())
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=work, args=(i,)) for i in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=90)
        assert not thread.is_alive(), paris.log_end()
    assert not errors, errors


def test_calls_that_end_the_stock_simulator_do_not_end_this_one(vc: VSphere) -> None:
    vm = vc.clone("victim")
    snapshots = [vc.wait(vm.CreateSnapshot_Task(name=f"s{i}", memory=False, quiesce=False)) for i in range(3)]
    vc.wait(snapshots[0].RevertToSnapshot_Task())
    attempts = [
        lambda: snapshots[0].RemoveSnapshot_Task(removeChildren=False),
        lambda: vm.RelocateVM_Task(spec=vim.vm.RelocateSpec(host=vim.HostSystem("host-999999", vc.si._stub))),
        lambda: vm.RelocateVM_Task(spec=vim.vm.RelocateSpec(datastore=vim.Datastore("datastore-999999", vc.si._stub))),
        lambda: vc.content.virtualDiskManager.DeleteVirtualDisk_Task(name="nonsense", datacenter=vc.datacenter),
    ]
    for attempt in attempts:
        vc.end(attempt())
    assert vc.simulator.running
    assert vm.name == "victim", "it can still be read"
    vc.remove(vm)


def test_a_method_that_is_not_there_is_refused_as_such(vc: VSphere) -> None:
    with pytest.raises(vmodl.fault.MethodNotFound):
        vc.get(vim.VirtualMachine, UBUNTU).ExportVm()


def test_three_hundred_machines_are_read_page_by_page_and_saved(tmp_path) -> None:  # type: ignore[no-untyped-def]
    with Simulator("crowd", home=tmp_path, guest_delay_ms=10) as simulator, session(simulator) as vc:
        folder, template = vc.vm_folder, vc.get(vim.VirtualMachine, UBUNTU)
        spec = vim.vm.CloneSpec(location=vim.vm.RelocateSpec(pool=vc.root_pool()), powerOn=True)
        tasks = [template.CloneVM_Task(folder=folder, name=f"m-{i:03}", spec=spec) for i in range(300)]
        machines = [vc.wait(task, timeout_s=60) for task in tasks]
        paths = (
            "name",
            "runtime.powerState",
            "guest.ipAddress",
            "config.instanceUuid",
            "config.hardware.device",
            "customValue",
        )
        found = vc.read(vim.VirtualMachine, *paths)
        assert len([v for v in found.values() if v["name"].startswith("m-")]) == 300
        pages = vc.read(vim.VirtualMachine, *paths, page=50)
        assert {v["name"] for v in pages.values()} == {v["name"] for v in found.values()}
        vc.eventually(
            lambda: all("guest.ipAddress" in v for m, v in vc.read(vim.VirtualMachine, *paths).items() if m in machines)
        )
        addresses = [v["guest.ipAddress"] for m, v in vc.read(vim.VirtualMachine, *paths).items() if m in machines]
        assert len(set(addresses)) == 300
        simulator.restart()
        with session(simulator) as again:
            assert len(again.names()) == len(found)
