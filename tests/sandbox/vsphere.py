"""A plain pyVmomi client for the tests of the simulator: no retries, no caching, nothing of the connector."""

from __future__ import annotations

import contextlib
import ssl
import time
import urllib.request
from collections.abc import Callable, Iterator
from typing import Any

from pyVim.connect import Disconnect, SmartConnect
from pyVmomi import vim, vmodl

from sandbox.simulator import Simulator

UBUNTU = "escale-container-host-ubuntu-24.04"
DEBIAN = "escale-container-host-debian-12"


class TaskError(Exception):
    """Carries the vSphere fault of a task, which pytest cannot raise itself."""

    def __init__(self, fault: Any) -> None:
        super().__init__(f"{type(fault).__name__}: {fault.msg}")
        self.fault = fault


class VSphere:
    """One session at a simulated vCenter."""

    def __init__(self, simulator: Simulator) -> None:
        self.simulator = simulator
        self.tls = ssl.create_default_context(cafile=str(simulator.ca_file))
        self.si = SmartConnect(
            host=simulator.host,
            port=simulator.port,
            user=simulator.username,
            pwd=simulator.password,
            sslContext=self.tls,
        )
        self.content = self.si.RetrieveContent()
        self._standing: dict[tuple[str, str], Any] = {}

    def close(self) -> None:
        with contextlib.suppress(Exception):
            Disconnect(self.si)

    def all(self, kind: type) -> list[Any]:
        view = self.content.viewManager.CreateContainerView(self.content.rootFolder, [kind], True)
        try:
            return list(view.view)
        finally:
            view.Destroy()

    def read(self, kind: type, *paths: str, page: int | None = None) -> dict[Any, dict[str, Any]]:
        """Read properties (all of them when no path is given) of all objects of a kind, through all pages."""
        collector = self.content.propertyCollector
        view = self.content.viewManager.CreateContainerView(self.content.rootFolder, [kind], True)
        traversal = vmodl.query.PropertyCollector.TraversalSpec(
            name="view", path="view", skip=False, type=vim.view.ContainerView
        )
        spec = vmodl.query.PropertyCollector.FilterSpec(
            objectSet=[vmodl.query.PropertyCollector.ObjectSpec(obj=view, skip=True, selectSet=[traversal])],
            propSet=[vmodl.query.PropertyCollector.PropertySpec(type=kind, all=not paths, pathSet=list(paths))],
        )
        found: dict[Any, dict[str, Any]] = {}
        result = collector.RetrievePropertiesEx([spec], vmodl.query.PropertyCollector.RetrieveOptions(maxObjects=page))
        while result:
            for item in result.objects:
                found[item.obj] = {p.name: p.val for p in item.propSet}
            result = collector.ContinueRetrievePropertiesEx(result.token) if result.token else None
        view.Destroy()
        return found

    def standing(self, kind: type, name: str) -> Any:
        """Get an object that the flavour has from the start; ask for it once."""
        key = (kind.__name__, name)
        if key not in self._standing:
            self._standing[key] = self.get(kind, name)
        return self._standing[key]

    def get(self, kind: type, name: str) -> Any:
        found = [obj for obj, values in self.read(kind, "name").items() if values["name"] == name]
        assert len(found) == 1, f"{len(found)} of {kind.__name__} {name}"
        return found[0]

    def names(self, kind: type = vim.VirtualMachine) -> list[str]:
        return sorted(values["name"] for values in self.read(kind, "name").values())

    @property
    def vm_folder(self) -> Any:
        return self.all(vim.Datacenter)[0].vmFolder

    @property
    def datacenter(self) -> Any:
        return self.all(vim.Datacenter)[0]

    def root_pool(self, cluster: str = "Compute-A") -> Any:
        return self.standing(vim.ClusterComputeResource, cluster).resourcePool

    def wait(self, task: Any, timeout_s: float = 30.0) -> Any:
        """Wait for a task and return its result; raises TaskError with its fault."""
        until = time.monotonic() + timeout_s
        while time.monotonic() < until:
            info = task.info
            if info.state == "success":
                return info.result
            if info.state == "error":
                raise TaskError(info.error)
            time.sleep(0.01)
        raise AssertionError(f"task {task} is still {info.state} after {timeout_s} s")

    def end(self, task: Any) -> Any:
        """Wait for a task and return its result or its fault."""
        try:
            return self.wait(task)
        except TaskError as failed:
            return failed.fault

    def clone_task(self, name: str, template: str = UBUNTU, cluster: str = "Compute-A", **given: Any) -> Any:
        location = given.pop("location", None) or vim.vm.RelocateSpec(pool=self.root_pool(cluster))
        folder = given.pop("folder", None) or self.vm_folder
        spec = vim.vm.CloneSpec(
            location=location, powerOn=given.pop("power_on", False), template=given.pop("as_template", False)
        )
        if given:
            spec.config = vim.vm.ConfigSpec(**given)
        return self.standing(vim.VirtualMachine, template).CloneVM_Task(folder=folder, name=name, spec=spec)

    def clone(self, name: str, **given: Any) -> Any:
        return self.wait(self.clone_task(name, **given))

    def remove(self, vm: Any) -> None:
        if vm.runtime.powerState != "poweredOff":
            self.wait(vm.PowerOffVM_Task())
        self.wait(vm.Destroy_Task())

    def eventually(self, ask: Callable[[], Any], timeout_s: float = 10.0) -> Any:
        until = time.monotonic() + timeout_s
        while time.monotonic() < until:
            if value := ask():
                return value
            time.sleep(0.02)
        raise AssertionError("it did not happen in time")

    # Devices

    def disks(self, vm: Any) -> list[Any]:
        return [d for d in vm.config.hardware.device if isinstance(d, vim.vm.device.VirtualDisk)]

    def cards(self, vm: Any) -> list[Any]:
        return [d for d in vm.config.hardware.device if isinstance(d, vim.vm.device.VirtualEthernetCard)]

    def controller(self, vm: Any) -> Any:
        return next(d for d in vm.config.hardware.device if isinstance(d, vim.vm.device.VirtualSCSIController))

    def new_disk(self, vm: Any, size_mib: int, unit: int = 1, file: str = "", create: bool = True) -> Any:
        disk = vim.vm.device.VirtualDisk(
            key=-1,
            controllerKey=self.controller(vm).key,
            unitNumber=unit,
            capacityInKB=size_mib * 1024,
            backing=vim.vm.device.VirtualDisk.FlatVer2BackingInfo(
                fileName=file, diskMode="persistent", thinProvisioned=True
            ),
        )
        change = vim.vm.device.VirtualDeviceSpec(operation="add", device=disk)
        if create:
            change.fileOperation = "create"
        return change

    def reconfigure(self, vm: Any, **given: Any) -> Any:
        return self.wait(vm.ReconfigVM_Task(spec=vim.vm.ConfigSpec(**given)))

    def detach(self, vm: Any, disk: Any) -> None:
        change = vim.vm.device.VirtualDeviceSpec(operation="remove", device=disk)
        self.reconfigure(vm, deviceChange=[change])

    # Files

    def file_url(self, path: str) -> str:
        datastore, _, name = path.removeprefix("[").partition("] ")
        return f"https://127.0.0.1:{self.simulator.port}/folder/{name}?dcPath={self.datacenter.name}&dsName={datastore}"

    def http(self, method: str, path: str, data: bytes | None = None, headers: dict[str, str] | None = None) -> bytes:
        cookie = self.si._stub.cookie.split(";")[0]
        request = urllib.request.Request(
            self.file_url(path), method=method, data=data, headers={"Cookie": cookie, **(headers or {})}
        )
        handlers = [urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=self.tls)]
        with urllib.request.build_opener(*handlers).open(request, timeout=30) as response:
            return bytes(response.read())


@contextlib.contextmanager
def session(simulator: Simulator) -> Iterator[VSphere]:
    client = VSphere(simulator)
    try:
        yield client
    finally:
        client.close()
