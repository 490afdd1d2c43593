import pytest
from pyVmomi import vim

from sandbox.simulator import Simulator
from tests.sandbox.vsphere import DEBIAN, UBUNTU, TaskError, VSphere


def test_it_clones_a_template_into_the_cluster_of_the_pool(vc: VSphere) -> None:
    vm = vc.clone("in-b", cluster="Compute-B")
    assert vm.runtime.host.parent.name == "Compute-B"
    assert vm in vm.runtime.host.vm
    assert vm in vm.resourcePool.vm
    assert not vm.config.template


def test_it_keeps_what_the_clone_specification_says(vc: VSphere) -> None:
    options = [vim.option.OptionValue(key="guestinfo.userdata", value="I2Nsb3VkLWNvbmZpZwo=")]
    vm = vc.clone("exact", numCPUs=4, memoryMB=8192, annotation="made by a test", extraConfig=options)
    assert (vm.config.hardware.numCPU, vm.config.hardware.memoryMB) == (4, 8192)
    assert vm.summary.config.memorySizeMB == 8192
    assert vm.config.annotation == "made by a test"
    assert {o.key: o.value for o in vm.config.extraConfig}["guestinfo.userdata"] == "I2Nsb3VkLWNvbmZpZwo="


def test_a_clone_inherits_annotation_and_guestinfo_of_its_source(vc: VSphere) -> None:
    vm, template = vc.clone("heir"), vc.get(vim.VirtualMachine, UBUNTU)
    assert vm.config.annotation == template.config.annotation
    assert {o.key: o.value for o in vm.config.extraConfig}["guestinfo.escale.template"] == "ubuntu-24.04"


def test_every_clone_has_its_own_uuids_and_address(vc: VSphere) -> None:
    machines = [vc.clone(f"own-{i}") for i in range(5)]
    template = vc.get(vim.VirtualMachine, UBUNTU)
    for read in (
        lambda vm: vm.config.uuid,
        lambda vm: vm.config.instanceUuid,
        lambda vm: vc.cards(vm)[0].macAddress,
        lambda vm: vc.disks(vm)[0].backing.uuid,
        lambda vm: vc.disks(vm)[0].backing.fileName,
    ):
        assert len({read(vm) for vm in [*machines, template]}) == 6


def test_a_machine_made_again_under_its_old_name_has_new_uuids(vc: VSphere) -> None:
    first = vc.clone("again")
    before = (first.config.instanceUuid, vc.disks(first)[0].backing.uuid)
    vc.remove(first)
    second = vc.clone("again")
    after = (second.config.instanceUuid, vc.disks(second)[0].backing.uuid)
    assert not set(before) & set(after)


def test_it_takes_given_uuids(vc: VSphere) -> None:
    wanted = "11111111-2222-4333-8444-555555555555"
    assert vc.clone("given", instanceUuid=wanted).config.instanceUuid == wanted


def test_the_disk_has_the_bytes_of_the_template(vc: VSphere) -> None:
    vm = vc.clone("bytes", template=DEBIAN)
    flat = vc.disks(vm)[0].backing.fileName.replace(".vmdk", "-flat.vmdk")
    assert vc.http("GET", flat, headers={"Range": "bytes=0-59"}).startswith(b"ESCALE-SANDBOX " + DEBIAN.encode())


def test_it_adds_disks_and_moves_the_card_while_cloning(vc: VSphere) -> None:
    template = vc.get(vim.VirtualMachine, UBUNTU)
    network = vc.get(vim.dvs.DistributedVirtualPortgroup, "backend")
    switch = network.config.distributedVirtualSwitch
    card = vc.cards(template)[0]
    card.macAddress = None
    card.backing = vim.vm.device.VirtualEthernetCard.DistributedVirtualPortBackingInfo(
        port=vim.dvs.PortConnection(portgroupKey=network.key, switchUuid=switch.uuid)
    )
    changes = [
        vim.vm.device.VirtualDeviceSpec(operation="edit", device=card),
        vc.new_disk(template, 5 * 1024),
    ]
    vm = vc.clone("changed", deviceChange=changes)
    assert [d.capacityInKB for d in vc.disks(vm)] == [16 << 20, 5 << 20]
    assert [d.key for d in vc.disks(vm)] == [2000, 2001]
    assert [n.name for n in vm.network] == ["backend"]
    assert len(vc.cards(vm)) == 1
    assert vc.cards(vm)[0].macAddress not in ("", vc.cards(template)[0].macAddress)
    assert vm in network.vm


def test_it_grows_the_system_disk_while_cloning(vc: VSphere) -> None:
    disk = vc.disks(vc.get(vim.VirtualMachine, UBUNTU))[0]
    disk.capacityInKB, disk.capacityInBytes = 20 << 20, 20 << 30
    vm = vc.clone("grown", deviceChange=[vim.vm.device.VirtualDeviceSpec(operation="edit", device=disk)])
    grown = vc.disks(vm)[0]
    assert grown.capacityInBytes == 20 << 30
    assert grown.backing.fileName.endswith("grown.vmdk")


def test_it_goes_to_the_host_and_datastore_that_it_is_told(vc: VSphere) -> None:
    cluster = vc.get(vim.ClusterComputeResource, "Compute-A")
    host, datastore = cluster.host[2], vc.get(vim.Datastore, "nvme-a")
    location = vim.vm.RelocateSpec(pool=cluster.resourcePool, host=host, datastore=datastore)
    vm = vc.clone("told", location=location)
    assert vm.runtime.host == host
    assert list(vm.datastore) == [datastore]
    assert vm.config.files.vmPathName == "[nvme-a] told/told.vmx"


@pytest.mark.parametrize(
    ("cluster", "datastore", "fault"),
    [("Compute-B", "nvme-a", vim.fault.InvalidDatastore)],
)
def test_it_refuses_a_datastore_that_the_cluster_does_not_mount(
    vc: VSphere, cluster: str, datastore: str, fault: type
) -> None:
    location = vim.vm.RelocateSpec(pool=vc.root_pool(cluster), datastore=vc.get(vim.Datastore, datastore))
    with pytest.raises(TaskError) as failed:
        vc.clone("nowhere", location=location)
    assert isinstance(failed.value.fault, fault)
    assert "nowhere" not in vc.names()


def test_it_refuses_a_host_of_another_cluster(vc: VSphere) -> None:
    host = vc.get(vim.ClusterComputeResource, "Compute-B").host[0]
    with pytest.raises(TaskError) as failed:
        vc.clone("astray", location=vim.vm.RelocateSpec(pool=vc.root_pool(), host=host))
    assert failed.value.fault.invalidProperty == "host"


def test_a_template_needs_a_pool(vc: VSphere) -> None:
    with pytest.raises(TaskError) as failed:
        vc.clone("poolless", location=vim.vm.RelocateSpec())
    assert failed.value.fault.invalidProperty == "spec.location.pool"


def test_it_makes_templates(vc: VSphere) -> None:
    vm = vc.clone("golden", as_template=True)
    assert vm.config.template
    assert "resourcePool" not in vc.read(vim.VirtualMachine, "resourcePool")[vm]
    with pytest.raises(TaskError):
        vc.wait(vm.PowerOnVM_Task())


def test_a_vsan_datastore_takes_clones_too(vc: VSphere) -> None:
    location = vim.vm.RelocateSpec(pool=vc.root_pool("Compute-B"), datastore=vc.get(vim.Datastore, "vsan-b"))
    vm = vc.clone("on-vsan", location=location)
    assert vm.config.files.vmPathName.startswith("[vsan-b] ")
    vc.remove(vm)
    assert "on-vsan" not in vc.names()


@pytest.mark.parametrize("name", ["..", "../up", "a/b", "50% off", "étage \u2713"])
def test_a_strange_name_stays_inside_its_datastore(vc: VSphere, name: str) -> None:
    vm = vc.clone(name)
    path = vm.config.files.vmPathName
    assert path.startswith("[san-gold] ")
    assert ".." not in path.removeprefix("[san-gold] ").split("/")
    vc.remove(vm)
    assert vc.simulator.running


def test_names_may_repeat_in_a_lax_vcenter(vc: VSphere) -> None:
    assert vc.clone("twice") != vc.clone("twice")


def test_a_strict_vcenter_refuses_a_name_that_the_folder_has(tmp_path) -> None:  # type: ignore[no-untyped-def]
    from tests.sandbox.vsphere import session

    with Simulator("strict", home=tmp_path, strict=True, ephemeral=True) as simulator, session(simulator) as vc:
        first = vc.clone("once")
        with pytest.raises(TaskError) as failed:
            vc.clone("once")
        assert isinstance(failed.value.fault, vim.fault.DuplicateName)
        assert failed.value.fault.object == first
        other = vc.vm_folder.CreateFolder("elsewhere")
        vc.clone("once", folder=other)
        assert vc.names().count("once") == 2
