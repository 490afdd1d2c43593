"""What guests are told, and how machines are equipped and placed."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import replace

import pytest
from pyVmomi import vim

from engine.resources import DiskMount, Nic, Volume
from engine.userdata import render
from tests.connectors.bench import Site
from tests.connectors.vsphere_bench import VsphereBench

pytestmark = pytest.mark.slow


def test_a_guest_is_told_its_user_data_and_name(site: Site, vcenter: VsphereBench) -> None:
    site.lay_ground()
    machine = site.machine(userdata={"write_files": [], "runcmd": [["echo", "$(reboot); 'quoted'"]]})
    site.run("machine.create", machine)
    identity = site.facts[machine.key]["external_id"]
    assert vcenter.userdata(identity) == render(machine.userdata)
    found = vcenter.machine(identity)
    assert machine.name in found.config.annotation
    assert found.config.instanceUuid == identity
    assert found.runtime.powerState == "poweredOff"
    site.run("machine.start", machine.key)
    site.run("machine.ready", machine.key)
    assert found.guest.hostName == machine.name


def test_long_user_data_reaches_the_guest_compressed(site: Site, vcenter: VsphereBench) -> None:
    site.lay_ground()
    machine = site.machine(userdata={"write_files": [], "runcmd": [["echo", "x" * 50_000]]})
    site.run("machine.create", machine)
    identity = site.facts[machine.key]["external_id"]
    assert vcenter.extra(vcenter.machine(identity))["guestinfo.userdata.encoding"] == "gzip+base64"
    assert vcenter.userdata(identity) == render(machine.userdata)


def test_cards_are_on_the_drawn_networks_and_addressed_by_their_mac(site: Site, vcenter: VsphereBench) -> None:
    site.lay_ground()
    site.run("network.create", site.backnet())
    nics = (Nic("network:back", "10.9.0.5/24"), Nic("network:front"))
    machine = site.machine(nics=nics)
    site.run("machine.create", machine)
    identity = site.facts[machine.key]["external_id"]
    found = vcenter.machine(identity)
    cards = [each for each in found.config.hardware.device if isinstance(each, vim.vm.device.VirtualEthernetCard)]
    assert [type(card).__name__ for card in cards] == ["vim.vm.device.VirtualVmxnet3"] * 2
    facts = json.loads(vcenter._document(identity, "metadata"))
    by_network = {card.backing.port.portgroupKey: card.macAddress for card in cards}
    ethernets = facts["network"]["ethernets"]
    assert ethernets["nic0"]["match"]["macaddress"] == by_network[site.facts["network:back"]["external_id"]]
    assert ethernets["nic0"]["addresses"] == ["10.9.0.5/24"]
    assert ethernets["nic1"]["match"]["macaddress"] == by_network[site.facts["network:front"]["external_id"]]
    site.run("machine.start", machine.key)
    addresses = site.run("machine.ready", machine.key).result["addresses"]
    assert addresses[0] == "10.9.0.5"
    assert len(addresses) == 2
    assert site.observe().resources[machine.key].config_hash


def test_a_standard_network_can_be_attached_too(site: Site, vcenter: VsphereBench) -> None:
    site.lay_ground()
    standard = replace(site.frontnet(), name="VM Network")
    site.run("network.create", standard)
    site.run("machine.create", site.machine())
    found = vcenter.machine(site.facts["machine:host-1"]["external_id"])
    cards = [each for each in found.config.hardware.device if isinstance(each, vim.vm.device.VirtualEthernetCard)]
    assert [card.backing.deviceName for card in cards] == ["VM Network"]


def test_disks_stand_at_their_units_on_a_paravirtual_controller(site: Site, vcenter: VsphereBench) -> None:
    site.lay_ground()
    mounts = []
    for name, unit in (("a", 5), ("b", 1), ("c", None)):
        site.run("volume.create", Volume(f"volume:{name}", name, 1))
        mounts.append(DiskMount(f"volume:{name}", f"/{name}", unit))
    site.run("machine.create", site.machine(disks=tuple(mounts)))
    found = vcenter.machine(site.facts["machine:host-1"]["external_id"])
    controllers = {
        each.key: each for each in found.config.hardware.device if isinstance(each, vim.vm.device.VirtualSCSIController)
    }
    units = {}
    for disk in found.config.hardware.device:
        if isinstance(disk, vim.vm.device.VirtualDisk) and "escale-" in disk.backing.fileName:
            assert isinstance(controllers[disk.controllerKey], vim.vm.device.ParaVirtualSCSIController)
            units[disk.backing.fileName.rpartition("/")[2]] = disk.unitNumber
    assert units["a.vmdk"] == 5
    assert units["b.vmdk"] == 1
    assert units["c.vmdk"] not in (0, 1, 5, 7)


def test_machines_of_a_deployment_are_spread_over_hosts(site: Site, vcenter: VsphereBench) -> None:
    site.lay_ground()
    for number in range(1, 5):
        site.run("machine.create", site.machine(number, cluster="Compute-A"))
        vcenter.new_process()
    hosts = Counter(
        seen.attributes["host"] for key, seen in site.observe().resources.items() if key.startswith("machine:")
    )
    assert set(hosts.values()) == {1}


def test_a_machine_goes_where_its_disks_can_be_reached(site: Site, vcenter: VsphereBench) -> None:
    """The vSAN datastore belongs to one cluster; its directories are namespace objects."""
    before = vcenter.listing()
    site.lay_ground()
    site.run("volume.create", Volume("volume:data", "data", 1, datastore="vsan-b"))
    assert site.facts["volume:data"]["path"].startswith("[vsan-b] ")
    site.run("machine.create", site.machine(disk=True))
    seen = site.observe()
    assert seen.resources["machine:host-1"].attributes["cluster"] == "Compute-B"
    assert seen.resources["volume:data"].attributes["attached_to"]
    site.run("machine.delete", "machine:host-1")
    site.run("volume.delete", "volume:data")
    site.run("folder.delete", site.folder)
    assert vcenter.listing() == before


def test_no_place_is_explained_cluster_by_cluster(site: Site) -> None:
    site.lay_ground()
    error = site.fails("machine.create", site.machine(memory_mib=9_000_000))
    assert "Compute-A" in error.message
    assert "Compute-B" in error.message
    assert error.permanent


def test_polling_is_one_read_however_many_are_open(site: Site, vcenter: VsphereBench) -> None:
    site.lay_ground()
    vcenter.slow("machine.create", 5.0)
    ready = site.machine(50)
    site.run("network.create", site.frontnet())
    handles = [site.start(site.action("machine.create", site.machine(number))).handle for number in range(1, 11)]
    calls = vcenter.breaker.seen.total()
    outcomes = site.connector.poll([handle for handle in handles if handle])
    assert vcenter.breaker.seen.total() - calls == 1
    assert {outcome.state for outcome in outcomes.values()} == {"running"}
    for handle in handles:
        assert handle
        site.connector.cancel(handle)
    for handle in handles:
        assert handle
        assert site.finish(outcomes[handle]).state == "failed"
    assert ready


def test_a_machine_that_is_watched_is_read_in_the_same_call(site: Site, vcenter: VsphereBench) -> None:
    site.lay_ground()
    machine = site.machine()
    site.run("machine.create", machine)
    vcenter.silence()
    site.run("machine.start", machine.key)
    watching = site.start(site.action("machine.ready", machine.key))
    vcenter.slow("machine.create", 5.0)
    cloning = site.start(site.action("machine.create", site.machine(2)))
    assert watching.handle
    assert cloning.handle
    calls = vcenter.breaker.seen.total()
    site.connector.poll([watching.handle, cloning.handle])
    assert vcenter.breaker.seen.total() - calls == 1
    site.connector.cancel(cloning.handle)
    site.finish(cloning)
