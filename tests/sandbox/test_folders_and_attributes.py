import pytest
from pyVmomi import vim, vmodl

from tests.sandbox.vsphere import TaskError, VSphere


def test_folders_nest_and_refuse_a_name_twice(vc: VSphere) -> None:
    top = vc.vm_folder.CreateFolder("Escale")
    inner = top.CreateFolder("acme").CreateFolder("shop")
    assert (inner.parent.parent, inner.parent.name) == (top, "acme")
    with pytest.raises(vim.fault.DuplicateName) as refused:
        top.CreateFolder("acme")
    assert refused.value.object == inner.parent
    vc.vm_folder.CreateFolder("acme")


def test_destroying_a_folder_takes_everything_below(vc: VSphere) -> None:
    top = vc.vm_folder.CreateFolder("doomed")
    inner = top.CreateFolder("inner")
    vm = vc.clone("below", folder=inner)
    before = vc.names()
    assert vm.parent == inner
    vc.wait(top.Destroy_Task())
    assert set(before) - set(vc.names()) == {"below"}
    assert not {"doomed", "inner"} & set(vc.names(vim.Folder))
    assert not (vc.simulator.home / "datastores" / "san-gold" / "below").exists()
    with pytest.raises(vmodl.fault.ManagedObjectNotFound):
        _ = inner.name


def test_a_folder_with_a_running_machine_stays_whole(vc: VSphere) -> None:
    top = vc.vm_folder.CreateFolder("alive")
    vc.clone("asleep", folder=top)
    vc.clone("awake", folder=top, power_on=True)
    with pytest.raises(TaskError) as failed:
        vc.wait(top.Destroy_Task())
    assert isinstance(failed.value.fault, vim.fault.InvalidPowerState)
    assert {"asleep", "awake"} <= set(vc.names())


def test_a_running_machine_is_not_destroyed(vc: VSphere) -> None:
    with pytest.raises(TaskError) as failed:
        vc.wait(vc.get(vim.VirtualMachine, "dc01").Destroy_Task())
    assert isinstance(failed.value.fault, vim.fault.InvalidPowerState)


def test_a_machine_moves_between_folders(vc: VSphere) -> None:
    target = vc.vm_folder.CreateFolder("target")
    vm = vc.clone("mover")
    vc.wait(target.MoveIntoFolder_Task(list=[vm]))
    assert vm.parent == target
    assert list(target.childEntity) == [vm]


def test_custom_attributes_are_defined_set_and_found(vc: VSphere) -> None:
    manager = vc.content.customFieldsManager
    definition = manager.AddCustomFieldDef(name="escale.key", moType=vim.VirtualMachine)
    assert definition.key > 0
    with pytest.raises(vim.fault.DuplicateName):
        manager.AddCustomFieldDef(name="escale.key", moType=vim.VirtualMachine)
    vm = vc.clone("tagged")
    manager.SetField(entity=vm, key=definition.key, value="shop/web-1")
    vm.setCustomValue(key="escale.key", value="shop/web-2")
    values = vc.read(vim.VirtualMachine, "customValue", "availableField")[vm]
    assert {v.key: v.value for v in values["customValue"]} == {definition.key: "shop/web-2"}
    assert definition.name in [f.name for f in values["availableField"]]


def test_a_machine_is_found_by_its_instance_uuid(vc: VSphere) -> None:
    vm = vc.clone("findable")
    index = vc.content.searchIndex
    assert index.FindByUuid(None, vm.config.instanceUuid, True, True) == vm
    assert index.FindByUuid(None, vm.config.uuid, True, False) == vm
    vc.remove(vm)
    assert index.FindByUuid(None, "0" * 8 + "-0000-4000-8000-" + "0" * 12, True, True) is None


def test_a_machine_is_created_from_nothing(vc: VSphere) -> None:
    spec = vim.vm.ConfigSpec(
        name="bare", guestId="otherLinux64Guest", numCPUs=1, memoryMB=512,
        files=vim.vm.FileInfo(vmPathName="[nvme-a]"),
    )  # fmt: skip
    vm = vc.wait(vc.vm_folder.CreateVM_Task(config=spec, pool=vc.root_pool()))
    assert vm.config.files.vmPathName == "[nvme-a] bare/bare.vmx"
    assert vm.runtime.host.parent.name == "Compute-A"


def test_a_template_becomes_a_machine_and_back(vc: VSphere) -> None:
    vm = vc.clone("chameleon")
    vm.MarkAsTemplate()
    assert vm.config.template
    assert vm not in vc.root_pool().vm
    vm.MarkAsVirtualMachine(pool=vc.root_pool("Compute-B"))
    assert not vm.config.template
    assert vm.runtime.host.parent.name == "Compute-B"
    vc.wait(vm.PowerOnVM_Task())
    with pytest.raises(vim.fault.InvalidPowerState):
        vm.MarkAsTemplate()


def test_a_machine_is_renamed_and_annotated(vc: VSphere) -> None:
    vm = vc.clone("before")
    vc.wait(vm.Rename_Task(newName="after"))
    vc.reconfigure(vm, annotation="noted")
    assert (vm.name, vm.config.name, vm.summary.config.name, vm.config.annotation) == ("after",) * 3 + ("noted",)
