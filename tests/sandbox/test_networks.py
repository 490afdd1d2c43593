import pytest
from pyVmomi import vim

from tests.sandbox.vsphere import UBUNTU, TaskError, VSphere


def portgroup_spec(name: str, vlan: int = 0, description: str = "") -> vim.dvs.DistributedVirtualPortgroup.ConfigSpec:
    port = vim.dvs.VmwareDistributedVirtualSwitch.VmwarePortConfigPolicy(
        vlan=vim.dvs.VmwareDistributedVirtualSwitch.VlanIdSpec(vlanId=vlan, inherited=False)
    )
    return vim.dvs.DistributedVirtualPortgroup.ConfigSpec(
        name=name, type="earlyBinding", numPorts=8, description=description, defaultPortConfig=port
    )


def create(vc: VSphere, name: str, **given: object) -> vim.dvs.DistributedVirtualPortgroup:
    switch = vc.all(vim.DistributedVirtualSwitch)[0]
    return vc.wait(switch.CreateDVPortgroup_Task(spec=portgroup_spec(name, **given)))  # type: ignore[arg-type]


def connect(vc: VSphere, vm: vim.VirtualMachine, network: vim.dvs.DistributedVirtualPortgroup) -> None:
    card = vc.cards(vm)[0]
    switch = network.config.distributedVirtualSwitch
    card.backing = vim.vm.device.VirtualEthernetCard.DistributedVirtualPortBackingInfo(
        port=vim.dvs.PortConnection(portgroupKey=network.key, switchUuid=switch.uuid)
    )
    vc.reconfigure(vm, deviceChange=[vim.vm.device.VirtualDeviceSpec(operation="edit", device=card)])


def test_a_port_group_has_its_vlan_and_description(vc: VSphere) -> None:
    network = create(vc, "shop-front", vlan=321, description="deployment shop")
    assert network.config.defaultPortConfig.vlan.vlanId == 321
    assert network.config.description == "deployment shop"
    assert network in vc.all(vim.DistributedVirtualSwitch)[0].portgroup
    assert network in vc.get(vim.HostSystem, "esx-a01.paris.example").network


def test_add_without_a_result_works_too(vc: VSphere) -> None:
    switch = vc.all(vim.DistributedVirtualSwitch)[0]
    assert vc.wait(switch.AddDVPortgroup_Task(spec=[portgroup_spec("added-1"), portgroup_spec("added-2")])) is None
    assert {"added-1", "added-2"} <= set(vc.names(vim.dvs.DistributedVirtualPortgroup))


def test_a_name_that_is_taken_is_refused(vc: VSphere) -> None:
    first = create(vc, "single")
    with pytest.raises(TaskError) as failed:
        create(vc, "single")
    assert isinstance(failed.value.fault, vim.fault.DuplicateName)
    assert failed.value.fault.object == first


def test_a_port_group_in_use_cannot_be_destroyed_until_it_is_free(vc: VSphere) -> None:
    network = create(vc, "busy")
    vm = vc.clone("user")
    connect(vc, vm, network)
    assert list(network.vm) == [vm]
    with pytest.raises(TaskError) as failed:
        vc.wait(network.Destroy_Task())
    assert isinstance(failed.value.fault, vim.fault.ResourceInUse)
    vc.remove(vm)
    vc.wait(network.Destroy_Task())
    assert "busy" not in vc.names(vim.dvs.DistributedVirtualPortgroup)
    for kind in (vim.HostSystem, vim.ClusterComputeResource, vim.Datacenter):
        for values in vc.read(kind, "network").values():
            assert network not in values["network"], "nobody refers to it any more"


def test_the_uplinks_cannot_be_destroyed(vc: VSphere) -> None:
    uplinks = vc.all(vim.DistributedVirtualSwitch)[0].portgroup[0]
    with pytest.raises(TaskError) as failed:
        vc.wait(uplinks.Destroy_Task())
    assert isinstance(failed.value.fault, vim.fault.ResourceInUse)


def test_a_reconfiguration_keeps_what_it_does_not_name(vc: VSphere) -> None:
    network = create(vc, "kept", vlan=5, description="before")
    spec = vim.dvs.DistributedVirtualPortgroup.ConfigSpec(
        configVersion=network.config.configVersion, description="after"
    )
    vc.wait(network.ReconfigureDVPortgroup_Task(spec=spec))
    assert network.config.description == "after"
    assert network.config.defaultPortConfig.vlan.vlanId == 5
    assert network.name == network.config.name == "kept"


def test_a_card_on_a_standard_network_works_too(vc: VSphere) -> None:
    template = vc.get(vim.VirtualMachine, UBUNTU)
    card = vc.cards(template)[0]
    card.macAddress = None
    card.backing = vim.vm.device.VirtualEthernetCard.NetworkBackingInfo(deviceName="VM Network")
    vm = vc.clone("plain", deviceChange=[vim.vm.device.VirtualDeviceSpec(operation="edit", device=card)])
    assert [n.name for n in vm.network] == ["VM Network"]


def test_a_second_card_gets_another_address(vc: VSphere) -> None:
    vm = vc.clone("twocards")
    network = vc.get(vim.dvs.DistributedVirtualPortgroup, "backend")
    card = vim.vm.device.VirtualVmxnet3(
        key=-1,
        backing=vim.vm.device.VirtualEthernetCard.DistributedVirtualPortBackingInfo(
            port=vim.dvs.PortConnection(
                portgroupKey=network.key, switchUuid=network.config.distributedVirtualSwitch.uuid
            )
        ),
    )
    vc.reconfigure(vm, deviceChange=[vim.vm.device.VirtualDeviceSpec(operation="add", device=card)])
    cards = vc.cards(vm)
    assert [c.key for c in cards] == [4000, 4001]
    assert [c.deviceInfo.label for c in cards] == ["Network adapter 1", "Network adapter 2"]
    assert cards[0].macAddress != cards[1].macAddress
