from collections.abc import Iterator

import pytest
from pyVmomi import vim

from sandbox.simulator import Simulator
from tests.sandbox.vsphere import DEBIAN, UBUNTU, VSphere, session

KINDS = [
    vim.VirtualMachine, vim.HostSystem, vim.ClusterComputeResource, vim.ResourcePool, vim.Datastore, vim.Network,
    vim.dvs.DistributedVirtualPortgroup, vim.DistributedVirtualSwitch, vim.Folder, vim.Datacenter,
]  # fmt: skip


@pytest.fixture(scope="module", params=["private", "ovh", "ibm", "vmc", "evs"])
def any_flavour(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[VSphere]:
    flavour = request.param
    home = tmp_path_factory.mktemp(flavour)
    with Simulator(flavour, flavour, home, ephemeral=True, guest_delay_ms=10) as simulator, session(simulator) as vc:
        yield vc


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_pyvmomi_reads_every_property_of_every_object(any_flavour: VSphere, kind: type) -> None:
    found = any_flavour.read(kind)
    assert found
    assert all(values["name"] for values in found.values())


def test_there_are_clusters_of_several_hosts_that_could_run_something(any_flavour: VSphere) -> None:
    clusters = any_flavour.read(vim.ClusterComputeResource, "summary", "host")
    assert len(clusters) >= (1 if any_flavour.simulator.flavour == "evs" else 2)
    for values in clusters.values():
        hosts = len(values["host"])
        assert hosts >= 2
        assert values["summary"].numHosts == values["summary"].numEffectiveHosts == hosts
        assert values["summary"].totalMemory >= hosts * (128 << 30)
        assert values["summary"].totalCpu >= hosts * 20_000
    for host in any_flavour.read(vim.HostSystem, "summary", "runtime").values():
        hardware = host["summary"].hardware
        assert hardware.numCpuThreads == 2 * hardware.numCpuCores
        assert host["runtime"].connectionState == "connected"
        assert host["summary"].quickStats.overallMemoryUsage < hardware.memorySize >> 20


def test_container_host_templates_are_ready_to_clone(any_flavour: VSphere) -> None:
    machines = {v["name"]: v["config"] for v in any_flavour.read(vim.VirtualMachine, "name", "config").values()}
    for name in (UBUNTU, DEBIAN):
        config = machines[name]
        assert config.template
        assert (config.hardware.numCPU, config.hardware.memoryMB) == (2, 2048)
        assert sum(isinstance(d, vim.vm.device.VirtualDisk) for d in config.hardware.device) == 1
        assert sum(isinstance(d, vim.vm.device.VirtualVmxnet3) for d in config.hardware.device) == 1
        assert config.annotation.startswith("Escale container host")


def test_there_are_machines_of_others(any_flavour: VSphere) -> None:
    others = [
        v for v in any_flavour.read(vim.VirtualMachine, "name", "config.template").values() if not v["config.template"]
    ]
    assert others


def test_free_space_is_some_of_the_capacity(any_flavour: VSphere) -> None:
    for values in any_flavour.read(vim.Datastore, "summary", "host").values():
        summary = values["summary"]
        assert 0 < summary.freeSpace < summary.capacity
        assert summary.accessible
        assert len(values["host"]) >= 2


def test_a_machine_runs_on_each_cluster_and_gets_an_address(any_flavour: VSphere) -> None:
    vc = any_flavour
    datastores = vc.read(vim.Datastore, "host")
    for number, cluster in enumerate(vc.all(vim.ClusterComputeResource)):
        hosts = set(cluster.host)
        datastore = next(d for d, v in datastores.items() if hosts <= {mount.key for mount in v["host"]})
        location = vim.vm.RelocateSpec(pool=cluster.resourcePool, datastore=datastore)
        vm = vc.clone(f"everywhere-{number}", location=location, power_on=True)
        assert vm.runtime.host in hosts
        assert vc.eventually(lambda vm=vm: vc.read(vim.VirtualMachine, "guest.ipAddress")[vm].get("guest.ipAddress"))
        vc.remove(vm)


def test_vmware_cloud_on_aws_has_its_names(tmp_path_factory: pytest.TempPathFactory) -> None:
    with Simulator("oregon", "vmc", ephemeral=True) as oregon, session(oregon) as vc:
        assert oregon.username == "cloudadmin@vmc.local"
        assert "Compute-ResourcePool" in vc.names(vim.ResourcePool)
        assert "WorkloadDatastore" in vc.names(vim.Datastore)
        assert "Workloads" in vc.names(vim.Folder)


def test_pools_reserve_a_share_and_hosts_are_of_several_makes(any_flavour: VSphere) -> None:
    models = {v["summary"].hardware.model for v in any_flavour.read(vim.HostSystem, "summary").values()}
    assert all(models)
    for values in any_flavour.read(vim.ResourcePool, "config", "parent").values():
        if isinstance(values["parent"], vim.ResourcePool):
            assert values["config"].memoryAllocation.reservation >= 0
    reserved = [v["config"].cpuAllocation.reservation for v in any_flavour.read(vim.ResourcePool, "config").values()]
    assert any_flavour.simulator.flavour == "evs" or max(reserved) > 10_000


def test_segments_of_nsx_are_told_by_their_backing() -> None:
    with Simulator("oregon", "vmc", ephemeral=True) as oregon, session(oregon) as vc:
        found = {
            v["name"]: v["config"] for v in vc.read(vim.dvs.DistributedVirtualPortgroup, "name", "config").values()
        }
        segment = found["compute-segment"]
        assert segment.backingType == "nsx"
        assert segment.segmentId == "/infra/tier-1s/cgw/segments/compute-segment"
        assert segment.logicalSwitchUuid
        assert {c.backingType for name, c in found.items() if "Uplink" in name} != {"nsx"}


def test_amazon_evs_is_one_cluster_of_bare_metal_on_vsan() -> None:
    with Simulator("ireland", "evs", ephemeral=True) as ireland, session(ireland) as vc:
        assert ireland.username == "administrator@vsphere.local"
        hosts = vc.read(vim.HostSystem, "summary").values()
        assert [h["summary"].hardware.model for h in hosts] == ["i4i.metal"] * 4
        assert {v["summary"].type for v in vc.read(vim.Datastore, "summary").values()} == {"vsan"}


def test_references_are_the_same_at_every_start_and_unlike_in_another_flavour(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    def inventory() -> dict[str, str]:
        with Simulator("paris", home=home, ephemeral=True) as simulator, session(simulator) as vc:
            return {values["name"]: obj._moId for kind in KINDS for obj, values in vc.read(kind, "name").items()}

    home = tmp_path_factory.mktemp("stable")
    assert inventory() == inventory()
