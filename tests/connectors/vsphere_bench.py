"""The simulated vCenter as a bench; what it looks at, it looks at with pyVmomi, past our own client."""

from __future__ import annotations

import base64
import gzip
import http.client
import json
import ssl
import time
import urllib.parse
import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pyVim.connect import Disconnect, SmartConnect
from pyVmomi import vim

from connectors.base import Access, Connector
from connectors.registry import connect
from connectors.vsphere import cloud as process
from sandbox.simulator import Simulator
from tests.connectors.breaker import Breaker

# The call that makes a verb happen.
CALLS = {
    "network.create": "AddDVPortgroup_Task",
    "volume.create": "CreateVirtualDisk_Task",
    "machine.create": "CloneVM_Task",
    "machine.update": "ReconfigVM_Task",
}
_FAULTS = {
    "cloud.permission": "NoPermission",
    "cloud.busy": "TaskInProgress",
    "cloud.no_space": "NoDiskSpace",
    "cloud.invalid": "InvalidArgument",
}


class VsphereBench:
    template = "escale-container-host-debian-12"
    network = "frontend"
    datastore = "san-gold"
    supports_cancel = True
    creates_running = False
    snapshots_hold_disks = True
    shows_progress = True
    tells_hosts = True

    def __init__(self, simulator: Simulator, breaker: Breaker) -> None:
        self.simulator, self.breaker = simulator, breaker
        self._service: Any = None

    # The contract's side

    def access(self, **changes: Any) -> Access:
        defaults: dict[str, Any] = {
            "address": f"127.0.0.1:{self.breaker.port}",
            "username": self.simulator.username,
            "password": self.simulator.password,
            "thumbprint": self.breaker.thumbprint,
            "timeout_s": 10.0,
        }
        return Access("vsphere", **{**defaults, **changes})

    def connect(self, **changes: Any) -> Connector:
        return connect(self.access(**changes))

    def new_process(self) -> None:
        for memories in process._memories.values():
            memories.__init__()  # type: ignore[misc]  # open connectors hold it

    def listing(self) -> list[str]:
        entities = self.all(vim.ManagedEntity)
        lines = [f"{type(entity).__name__} {entity._moId}" for entity in entities]
        # A deployment's directory lives as long as its folder does.
        live = {name.rpartition("-")[2] for name in self.folders()}
        root = self.simulator.home / "datastores"
        for path in root.rglob("*"):
            if path.is_dir() and path.name.startswith("escale-") and path.name.rpartition("-")[2] in live:
                continue
            lines.append(str(path.relative_to(root)))
        return sorted(lines)

    def slow(self, verb: str, seconds: float) -> None:
        self.simulator.delay(CALLS[verb], int(seconds * 1000))

    def refuse(self, verb: str, code: str) -> None:
        self.simulator.fault(CALLS[verb], _FAULTS[code], count=1)

    def fail_midway(self, verb: str) -> None:
        self.simulator.delay(CALLS[verb], 100)
        self.simulator.fail_task(CALLS[verb], "HostCommunication", after_ms=50, count=1)

    def cut_after(self, verb: str) -> None:
        self.breaker.arm(CALLS[verb], "after")

    def lose(self, verb: str) -> None:
        self.breaker.arm(CALLS[verb], "before")

    def fill(self) -> None:
        for datastore in self.all(vim.Datastore):
            self.simulator.set_free(datastore.name, 100 << 20)

    def silence(self) -> Mapping[str, Any]:
        for machine in self.all(vim.VirtualMachine):
            if "escale.step" in self.extra(machine):
                self.reconfigure(machine, {"escale.sandbox.guest": "silent"})
        return {}

    def put_machine(self, folder: Mapping[str, Any], name: str) -> str:
        cluster = self.all(vim.ClusterComputeResource)[0]
        spec = vim.vm.ConfigSpec(
            name=name, guestId="otherGuest64", numCPUs=1, memoryMB=64, files=vim.vm.FileInfo(vmPathName="[san-gold]")
        )
        target = vim.Folder(folder["external_id"], self.service._stub)
        return self.wait(target.CreateVM_Task(config=spec, pool=cluster.resourcePool))._moId

    def put_disk(self, machine: str) -> None:
        found = self.machine(machine)
        controller = next(
            each.key for each in found.config.hardware.device if isinstance(each, vim.vm.device.VirtualSCSIController)
        )
        disk = vim.vm.device.VirtualDisk(
            key=-1,
            controllerKey=controller,
            unitNumber=9,
            capacityInKB=1024,
            backing=vim.vm.device.VirtualDisk.FlatVer2BackingInfo(
                diskMode="persistent", thinProvisioned=True, fileName=""
            ),
        )
        change = vim.vm.device.VirtualDeviceSpec(operation="add", fileOperation="create", device=disk)
        self.wait(found.ReconfigVM_Task(spec=vim.vm.ConfigSpec(deviceChange=[change])))

    def hold(self, volume: Mapping[str, Any]) -> str:
        cluster = self.all(vim.ClusterComputeResource)[0]
        place = str(volume["path"]).partition("]")[0] + "]"
        spec = vim.vm.ConfigSpec(
            name=f"somebody-elses-{uuid.uuid4().hex[:6]}",
            guestId="otherGuest64",
            numCPUs=1,
            memoryMB=64,
            files=vim.vm.FileInfo(vmPathName=place),
            deviceChange=[
                vim.vm.device.VirtualDeviceSpec(
                    operation="add",
                    device=vim.vm.device.ParaVirtualSCSIController(key=-100, busNumber=0, sharedBus="noSharing"),
                )
            ],
        )
        made = self.wait(self.folder_named("Legacy").CreateVM_Task(config=spec, pool=cluster.resourcePool))
        self.attach(made, str(volume["path"]), unit=1)
        return str(made.config.instanceUuid)

    def release(self, machine: str, volume: Mapping[str, Any]) -> None:
        self.take_off(self.machine(machine), str(volume["path"]))

    def snapshot(self, machine: str) -> None:
        task = self.machine(machine).CreateSnapshot_Task(name="before", description="", memory=False, quiesce=False)
        self.wait(task)

    def disown(self, machine: str) -> None:
        self.reconfigure(self.machine(machine), {"escale.deployment": str(uuid.uuid4())})

    def copy_machine(self, machine: str) -> None:
        found = self.machine(machine)
        pool = self.all(vim.ClusterComputeResource)[0].resourcePool
        spec = vim.vm.CloneSpec(location=vim.vm.RelocateSpec(pool=pool), powerOn=False, template=False)
        self.wait(found.CloneVM_Task(folder=found.parent, name="copy of " + found.name, spec=spec))

    def destroy_machine(self, machine: str) -> None:
        self.wait(self.machine(machine).Destroy_Task())

    def write(self, volume: Mapping[str, Any], content: bytes) -> None:
        path = self._flat(volume)
        assert len(content) < path.stat().st_size
        with path.open("r+b") as file:
            file.write(content)

    def read(self, volume: Mapping[str, Any], size: int) -> bytes:
        """Read the disk's first bytes through the datastore's HTTP service."""
        datastore, _, file = str(volume["path"]).removeprefix("[").partition("] ")
        query = urllib.parse.urlencode({"dcPath": "Paris", "dsName": datastore})
        connection = http.client.HTTPSConnection(
            "127.0.0.1", self.simulator.port, context=ssl._create_unverified_context()
        )
        cookie = self.service._stub.cookie
        path = f"/folder/{file.replace('.vmdk', '-flat.vmdk')}?{query}"
        connection.request("GET", path, headers={"Cookie": cookie})
        response = connection.getresponse()
        assert response.status == 200, response.read()
        content = response.read(size)
        connection.close()
        return content

    def userdata(self, machine: str) -> str:
        return self._document(machine, "userdata")

    def instance_id(self, machine: str) -> str:
        return str(json.loads(self._document(machine, "metadata"))["instance-id"])

    def machines(self) -> int:
        return sum(1 for machine in self.all(vim.VirtualMachine) if "escale.step" in self.extra(machine))

    # pyVmomi's side

    @property
    def service(self) -> Any:
        if self._service is None:
            self._service = SmartConnect(
                host="127.0.0.1",
                port=self.simulator.port,
                user=self.simulator.username,
                pwd=self.simulator.password,
                disableSslCertValidation=True,
            )
        return self._service

    def close(self) -> None:
        if self._service is not None:
            Disconnect(self._service)
            self._service = None

    def all(self, kind: Any) -> list[Any]:
        content = self.service.RetrieveContent()
        view = content.viewManager.CreateContainerView(content.rootFolder, [kind], True)
        found = list(view.view)
        view.Destroy()
        return found

    def datastores(self) -> list[Any]:
        return self.all(vim.Datastore)

    def folders(self) -> list[str]:
        return [folder.name for folder in self.all(vim.Folder)]

    def folder_named(self, name: str) -> Any:
        return next(folder for folder in self.all(vim.Folder) if folder.name == name)

    def machine(self, uuid: str) -> Any:
        found = self.service.RetrieveContent().searchIndex.FindByUuid(None, uuid, True, True)
        assert found is not None
        return found

    def extra(self, machine: Any) -> dict[str, str]:
        return {option.key: option.value for option in machine.config.extraConfig}

    def reconfigure(self, machine: Any, extra: Mapping[str, str]) -> None:
        options = [vim.option.OptionValue(key=key, value=value) for key, value in extra.items()]
        self.wait(machine.ReconfigVM_Task(spec=vim.vm.ConfigSpec(extraConfig=options)))

    def attach(self, machine: Any, path: str, *, unit: int, key: int = -1) -> None:
        """Attach an existing file to a machine's first SCSI controller."""
        controller = next(
            each.key for each in machine.config.hardware.device if isinstance(each, vim.vm.device.VirtualSCSIController)
        )
        backing = vim.vm.device.VirtualDisk.FlatVer2BackingInfo(diskMode="persistent", fileName=path)
        disk = vim.vm.device.VirtualDisk(
            key=key, controllerKey=controller, unitNumber=unit, capacityInKB=1024, backing=backing
        )
        change = vim.vm.device.VirtualDeviceSpec(operation="add", device=disk)
        self.wait(machine.ReconfigVM_Task(spec=vim.vm.ConfigSpec(deviceChange=[change])))

    def take_off(self, machine: Any, path: str) -> None:
        """Detach a file from a machine and keep it."""
        disk = next(each for each in machine.config.hardware.device if self._file(each) == path)
        change = vim.vm.device.VirtualDeviceSpec(operation="remove", device=disk)
        self.wait(machine.ReconfigVM_Task(spec=vim.vm.ConfigSpec(deviceChange=[change])))

    def _file(self, device: Any) -> str:
        return device.backing.fileName if isinstance(device, vim.vm.device.VirtualDisk) else ""

    def wait(self, task: Any) -> Any:
        while task.info.state not in ("success", "error"):
            time.sleep(0.01)
        if task.info.state == "error":
            raise task.info.error
        return task.info.result

    def _document(self, machine: str, name: str) -> str:
        extra = self.extra(self.machine(machine))
        content = base64.b64decode(extra[f"guestinfo.{name}"])
        encoding = extra[f"guestinfo.{name}.encoding"]
        assert encoding in ("base64", "gzip+base64")
        return (gzip.decompress(content) if encoding == "gzip+base64" else content).decode()

    def _flat(self, volume: Mapping[str, Any]) -> Path:
        datastore, _, file = str(volume["path"]).removeprefix("[").partition("] ")
        return self.simulator.home / "datastores" / datastore / file.replace(".vmdk", "-flat.vmdk")
