import time

import pytest
from pyVmomi import vim, vmodl

from tests.sandbox.vsphere import TaskError, VSphere


def progress(vc: VSphere, task: object) -> list[int]:
    seen: list[int] = []
    until = time.monotonic() + 20
    while time.monotonic() < until:
        info = task.info  # type: ignore[attr-defined]
        if info.progress is not None and (not seen or seen[-1] != info.progress):
            seen.append(info.progress)
        if info.state in {"success", "error"}:
            break
        time.sleep(0.01)
    return seen


def test_a_delayed_task_takes_its_time_and_shows_progress(vc: VSphere) -> None:
    vc.simulator.delay("CloneVM_Task", 2500)
    began = time.monotonic()
    task = vc.clone_task("slow")
    assert time.monotonic() - began < 2, "the call answers at once"
    seen = progress(vc, task)
    assert time.monotonic() - began >= 2.5
    assert seen == sorted(seen)
    assert seen[-1] == 100
    assert len([p for p in seen if 0 < p < 100]) > 4


def test_reading_does_not_wait_for_a_running_task(vc: VSphere) -> None:
    vm = vc.clone("read-me")
    vc.simulator.delay("PowerOnVM_Task", 3000)
    task = vm.PowerOnVM_Task()
    began = time.monotonic()
    assert vm.runtime.powerState == "poweredOff"
    assert time.monotonic() - began < 2
    vc.wait(task)
    assert vm.runtime.powerState == "poweredOn"


def test_a_task_says_whose_it_is_and_on_what(vc: VSphere) -> None:
    vm = vc.clone("subject")
    task = vm.PowerOnVM_Task()
    vc.wait(task)
    info = task.info
    assert (info.entity, info.entityName) == (vm, "subject")
    assert info.reason.userName == vc.simulator.username
    assert info.descriptionId == "VirtualMachine.powerOn"
    assert info.key == info.task._moId
    assert info.completeTime >= info.startTime
    assert task in vc.content.taskManager.recentTask


def test_a_cancelled_clone_stops_and_leaves_nothing(vc: VSphere) -> None:
    vc.simulator.delay("CloneVM_Task", 20_000)
    task = vc.clone_task("never")
    vc.eventually(lambda: task.info.progress)
    began = time.monotonic()
    task.CancelTask()
    with pytest.raises(TaskError) as failed:
        vc.wait(task)
    assert time.monotonic() - began < 10
    assert isinstance(failed.value.fault, vmodl.fault.RequestCanceled)
    assert task.info.cancelled
    time.sleep(0.3)
    assert task.info.state == "error", "it does not flip to success later"
    assert "never" not in vc.names()
    assert not list((vc.simulator.home / "datastores").glob("*/never*"))


def test_a_task_that_is_over_cannot_be_cancelled(vc: VSphere) -> None:
    task = vc.clone_task("done")
    vc.wait(task)
    with pytest.raises(vim.fault.InvalidState):
        task.CancelTask()


def test_a_task_fails_half_way(vc: VSphere) -> None:
    vc.simulator.delay("CloneVM_Task", 2000)
    vc.simulator.fail_task("CloneVM_Task", "InsufficientResourcesFault", after_ms=800, count=1)
    task = vc.clone_task("half")
    with pytest.raises(TaskError) as failed:
        vc.wait(task)
    assert isinstance(failed.value.fault, vim.fault.InsufficientResourcesFault)
    assert 20 <= task.info.progress < 100
    assert "half" not in vc.names()
    vc.simulator.delay("CloneVM_Task", 0)
    vc.clone("half")
    assert "half" in vc.names()


def test_a_task_reports_failure_although_its_work_is_done(vc: VSphere) -> None:
    vc.simulator.fail_task("CloneVM_Task", "Timedout", after_effect=True, count=1)
    with pytest.raises(TaskError) as failed:
        vc.clone("in-doubt")
    assert isinstance(failed.value.fault, vim.fault.Timedout)
    assert "in-doubt" in vc.names()


def test_a_rule_can_be_for_one_name(vc: VSphere) -> None:
    vc.simulator.fail_task("CloneVM_Task", "NoDiskSpace", match="unlucky", properties={"datastore": "san-gold"})
    vc.clone("lucky")
    with pytest.raises(TaskError) as failed:
        vc.clone("unlucky-1")
    assert failed.value.fault.datastore == "san-gold"


def test_a_collector_is_told_of_progress_and_end(vc: VSphere) -> None:
    vc.simulator.delay("CloneVM_Task", 500)
    task = vc.clone_task("watched")
    collector = vc.content.propertyCollector.CreatePropertyCollector()
    spec = vmodl.query.PropertyCollector.FilterSpec(
        objectSet=[vmodl.query.PropertyCollector.ObjectSpec(obj=task)],
        propSet=[
            vmodl.query.PropertyCollector.PropertySpec(
                type=vim.Task, pathSet=["info.state", "info.progress", "info.result"]
            )
        ],
    )
    collector.CreateFilter(spec, True)
    version, states, progresses = "", [], []
    while "success" not in states:
        update = collector.WaitForUpdatesEx(version, vmodl.query.PropertyCollector.WaitOptions(maxWaitSeconds=10))
        assert update, "nothing came within ten seconds"
        version = update.version
        for filters in update.filterSet:
            for changed in filters.objectSet:
                for change in changed.changeSet:
                    if change.name == "info.state":
                        states.append(change.val)
                    if change.name == "info.progress" and change.val is not None:
                        progresses.append(change.val)
    assert progresses[-1] == 100
    assert len(progresses) > 3
    collector.DestroyPropertyCollector()
