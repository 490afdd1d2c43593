"""House rules of providers: where machines and disks go on VMware Cloud on AWS and on IBM Cloud."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import replace

import pytest

from connectors.base import Capability, ConnectorError
from sandbox.simulator import Simulator
from tests.connectors.bench import Site
from tests.connectors.breaker import Breaker
from tests.connectors.vsphere_bench import VsphereBench

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def vmc(tmp_path_factory: pytest.TempPathFactory) -> Iterator[VsphereBench]:
    with (
        Simulator("oregon", flavour="vmc", ephemeral=True, guest_delay_ms=10) as simulator,
        Breaker(simulator.port, tmp_path_factory.mktemp("breaker")) as breaker,
    ):
        bench = VsphereBench(simulator, breaker)
        bench.network = "compute-segment"
        yield bench
        bench.close()


@pytest.fixture
def site(vmc: VsphereBench) -> Iterator[Site]:
    connector = vmc.connect(flavour="vmc")
    yield Site(vmc, connector)
    connector.close()


def test_customers_of_vmware_cloud_stay_in_their_part_of_it(site: Site, vmc: VsphereBench) -> None:
    before = vmc.listing()
    site.lay_ground(volume=True)
    site.run("machine.create", site.machine(disk=True))
    found = vmc.machine(site.facts["machine:host-1"]["external_id"])
    assert found.resourcePool.name == "Compute-ResourcePool"
    assert {datastore.name for datastore in found.datastore} <= {"WorkloadDatastore", "WorkloadDatastore-2"}
    folder, names = found.parent, []
    while folder.name != "vm":
        names.append(folder.name)
        folder = folder.parent
    assert names[-1] == "Workloads"
    site.run("machine.start", "machine:host-1")
    site.run("machine.ready", "machine:host-1")
    assert site.observe().resources["folder:deployment"].attributes["path"] == list(site.folder.path)
    for verb, about in (
        ("machine.delete", "machine:host-1"),
        ("volume.delete", "volume:data"),
        ("folder.delete", "folder:deployment"),
    ):
        site.run(verb, about)
    assert vmc.listing() == before


def test_networks_are_not_made_on_vmware_cloud(site: Site) -> None:
    assert Capability.CREATE_NETWORK not in site.connector.capabilities
    error = site.fails("network.create", site.backnet())
    assert (error.code, error.permanent) == ("cloud.permission", True)
    assert [finding.code for finding in site.connector.check(site.action("network.create", site.backnet()))] == [
        "cloud.permission"
    ]
    assert site.connector.inventory().switches == ()


def test_the_providers_own_datastores_are_not_offered(site: Site) -> None:
    assert {fact.name for fact in site.connector.inventory().datastores} == {"WorkloadDatastore", "WorkloadDatastore-2"}


def test_settings_override_the_flavour(vmc: VsphereBench) -> None:
    connector = vmc.connect(flavour="vmc", options={"folder": "Templates", "datastores": ["vsanDatastore"]})
    site = Site(vmc, connector)
    assert {fact.name for fact in connector.inventory().datastores} == {"vsanDatastore"}
    site.run("folder.create", site.folder)
    assert vmc.folder_named("escale").parent.name == "Templates"
    site.run("folder.delete", "folder:deployment")
    connector.close()


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"flavour": "azure"}, "cloud.invalid"),
        ({"options": {"datacenter": "Nowhere"}}, "cloud.not_found"),
        ({"flavour": "vmc", "options": {"folder": "No/Such"}}, "cloud.not_found"),
    ],
)
def test_wrong_settings_are_named(vmc: VsphereBench, changes: dict[str, object], code: str) -> None:
    def begin() -> None:
        with contextlib.closing(vmc.connect(**changes)) as connector:
            connector.start(Site(vmc, connector).action("folder.create", Site(vmc, connector).folder), "key")

    with pytest.raises(ConnectorError) as caught:
        begin()
    assert (caught.value.code, caught.value.permanent) == (code, True)


def test_a_pool_that_is_missing_is_named(vmc: VsphereBench) -> None:
    connector = vmc.connect(flavour="vmc", options={"pool": "Nothing"})
    site = Site(vmc, connector)
    site.lay_ground()
    error = site.fails("machine.create", site.machine())
    assert "Compute-ResourcePool" in error.message
    assert replace(site.machine(), cpus=1)
    connector.close()
