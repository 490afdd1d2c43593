"""A vCenter behind the breaking proxy, and one that is built anew: what a client would meet in a bad hour."""

from __future__ import annotations

import http.client
import time
from collections.abc import Iterator
from typing import Any
from xml.parsers.expat import ExpatError

import pytest
from pyVim.connect import Disconnect, SmartConnect
from pyVmomi import vim, vmodl

from sandbox.simulator import Simulator
from tests.connectors.breaker import Breaker
from tests.sandbox.vsphere import UBUNTU, VSphere, session

CUT = (OSError, http.client.HTTPException)


@pytest.fixture(scope="module")
def proxy(paris: Simulator, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Breaker]:
    with Breaker(paris.port, tmp_path_factory.mktemp("breaker")) as breaker:
        yield breaker


@pytest.fixture
def behind(proxy: Breaker, paris: Simulator) -> Iterator[VSphere]:
    """Lend a session through the proxy."""
    client = object.__new__(VSphere)
    client.simulator, client._standing = paris, {}
    client.si = SmartConnect(
        host="127.0.0.1", port=proxy.port, user=paris.username, pwd=paris.password, disableSslCertValidation=True
    )
    client.content = client.si.RetrieveContent()
    yield client
    proxy.disarm()
    client.close()
    paris.reset()


def test_a_cut_before_leaves_nothing_behind(behind: VSphere, proxy: Breaker, vc: VSphere) -> None:
    folder = behind.vm_folder
    proxy.arm("CreateFolder", "before")
    with pytest.raises(CUT):
        folder.CreateFolder("cut-before")
    assert "cut-before" not in vc.names(vim.Folder)


@pytest.mark.parametrize("how", ["after", "half"])
def test_a_cut_after_leaves_the_work_done(behind: VSphere, proxy: Breaker, vc: VSphere, how: str) -> None:
    folder = behind.vm_folder
    proxy.arm("CreateFolder", how)
    with pytest.raises((*CUT, ExpatError)):
        folder.CreateFolder(f"cut-{how}")
    assert vc.names(vim.Folder).count(f"cut-{how}") == 1


def test_faults_come_in_their_order(behind: VSphere, proxy: Breaker) -> None:
    folder = behind.vm_folder
    proxy.arm("CreateFolder", "fault:Timedout")
    proxy.arm("CreateFolder", "fault:NoPermission")
    with pytest.raises(vim.fault.Timedout):
        folder.CreateFolder("never")
    with pytest.raises(vim.fault.NoPermission):
        folder.CreateFolder("never")
    assert folder.CreateFolder("at-last").name == "at-last"


def test_a_gateway_answers_for_a_vcenter_that_starts(behind: VSphere, proxy: Breaker) -> None:
    proxy.arm("CurrentTime", "status:503")
    with pytest.raises(http.client.HTTPException):
        behind.si.CurrentTime()
    assert behind.si.CurrentTime()


def test_a_slow_call_comes_through(behind: VSphere, proxy: Breaker) -> None:
    proxy.arm("CurrentTime", "delay:0.3")
    began = time.monotonic()
    behind.si.CurrentTime()
    assert time.monotonic() - began > 0.3


def test_a_session_ends_in_the_middle_of_a_clone(behind: VSphere, proxy: Breaker, vc: VSphere) -> None:
    behind.simulator.delay("CloneVM_Task", 300)
    proxy.arm("CloneVM_Task", "logout")
    behind.clone_task("orphan")
    with pytest.raises(vim.fault.NotAuthenticated):
        behind.vm_folder.CreateFolder("never")
    vc.eventually(lambda: "orphan" in vc.names(), 10)


def test_a_vcenter_dies_in_the_middle_of_a_clone(tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = tmp_path_factory.mktemp("dying")
    with (
        Simulator("dying", home=folder / "home", ephemeral=True, method_delays={"CloneVM_Task": 5000}) as simulator,
        Breaker(simulator.port, folder) as proxy,
    ):
        si = SmartConnect(
            host="127.0.0.1", port=proxy.port, user=simulator.username, pwd=simulator.password,
            disableSslCertValidation=True,
        )  # fmt: skip
        with session(simulator) as vc:
            template = vim.VirtualMachine(vc.standing(vim.VirtualMachine, UBUNTU)._moId, si._stub)
            target = vim.Folder(vc.vm_folder._moId, si._stub)
            pool = vim.ResourcePool(vc.root_pool()._moId, si._stub)
        proxy.arm("CloneVM_Task", simulator.kill)
        spec = vim.vm.CloneSpec(location=vim.vm.RelocateSpec(pool=pool))
        task = template.CloneVM_Task(folder=target, name="lost", spec=spec)
        assert not simulator.running
        with pytest.raises(CUT):
            _ = task.info
        simulator.start()
        with session(simulator) as vc:
            assert "lost" not in vc.names()


def test_a_vcenter_built_anew_knows_none_of_its_references() -> None:
    def references(vc: VSphere) -> dict[str, set[str]]:
        kinds = (vim.VirtualMachine, vim.HostSystem, vim.Datastore, vim.ResourcePool, vim.Datacenter)
        found: dict[str, set[str]] = {kind.__name__: {o._moId for o in vc.all(kind)} for kind in kinds}
        found["uuid"] = {v["config.instanceUuid"] for v in vc.read(vim.VirtualMachine, "config.instanceUuid").values()}
        return found

    with Simulator("reborn", ephemeral=True) as simulator:
        with session(simulator) as vc:
            before, names, uuid = references(vc), vc.names(), vc.content.about.instanceUuid
            old: Any = vc.get(vim.VirtualMachine, "dc01")
        port, thumbprint, password = simulator.port, simulator.thumbprint_sha256, simulator.password
        simulator.rebuild()
        assert (simulator.port, simulator.thumbprint_sha256, simulator.password) == (port, thumbprint, password)
        with session(simulator) as vc:
            after = references(vc)
            assert vc.names() == names
            assert vc.content.about.instanceUuid != uuid
            for kind, refs in before.items():
                assert not refs & after[kind], kind
            with pytest.raises(vmodl.fault.ManagedObjectNotFound):
                _ = vim.VirtualMachine(old._moId, vc.si._stub).name
            vm = vc.clone("works")
            assert vm.name == "works"
            Disconnect(vc.si)
