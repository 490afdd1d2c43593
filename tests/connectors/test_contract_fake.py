"""The contract suite on the fake cloud."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from connectors.base import Access, Capability, Connector
from connectors.fake.control import Control
from connectors.registry import connect
from tests.connectors.contract import ConnectorContract
from tests.connectors.openings_contract import OpeningsContract

_THUMBPRINT = "ab" * 32


class FakeBench:
    template = "container-host"
    network = "VM Network"
    datastore = "bronze"
    supports_cancel = True
    creates_running = False
    snapshots_hold_disks = True
    shows_progress = True
    tells_hosts = True

    def __init__(self, state: Path, **options: Any) -> None:
        self.state, self.control, self.options = state, Control(str(state)), options

    def access(self, **changes: Any) -> Access:
        options = {
            "state": str(self.state),
            "duration_s": 0.01,
            "boot_s": 0.01,
            "password_sha256": hashlib.sha256(b"correct horse").hexdigest(),
            "thumbprint": _THUMBPRINT,
            **self.options,
        }
        defaults: dict[str, Any] = {"username": "alice", "password": "correct horse", "thumbprint": _THUMBPRINT}
        return Access(
            "fake", "fake.example", options={**options, **changes.pop("options", {})}, **{**defaults, **changes}
        )

    def connect(self, **changes: Any) -> Connector:
        return connect(self.access(**changes))

    def new_process(self) -> None:
        pass  # it remembers nothing

    def listing(self) -> list[str]:
        return [f"{each['kind']} {each['name']} {each['id']}" for each in self.control.things()]

    def slow(self, verb: str, seconds: float) -> None:
        self.control.fault(verb, "slow", times=-1, seconds=seconds)

    def refuse(self, verb: str, code: str) -> None:
        permanent = code in ("cloud.permission", "cloud.no_space", "cloud.invalid")
        self.control.fault(verb, "refuse", code=code, permanent=permanent)

    def fail_midway(self, verb: str) -> None:
        self.control.fault(verb, "fail")

    def cut_after(self, verb: str) -> None:
        self.control.fault(verb, "cut")

    def lose(self, verb: str) -> None:
        self.control.fault(verb, "lose")

    def fill(self) -> None:
        self.control.fill("bronze", 4096)
        self.control.fill("silver", 2048)

    def silence(self) -> Mapping[str, Any]:
        self.control.fault("machine.start", "hang")
        for machine in self.control.things("machine"):
            self.control.change(machine["id"], power="on", on_since=9e12)
        return {}

    def put_machine(self, folder: Mapping[str, Any], name: str) -> str:
        return self.control.put_machine(name, folder=folder["path"])

    def put_disk(self, machine: str) -> None:
        self.control.put_disk(machine)

    def hold(self, volume: Mapping[str, Any]) -> str:
        return self.control.hold(volume["external_id"])

    def release(self, machine: str, volume: Mapping[str, Any]) -> None:
        self.control.change(machine, disks=[])

    def snapshot(self, machine: str) -> None:
        self.control.change(machine, snapshots=1)

    def disown(self, machine: str) -> None:
        self.control.disown(machine)

    def copy_machine(self, machine: str) -> None:
        self.control.copy(machine)

    def destroy_machine(self, machine: str) -> None:
        self.control.delete(machine)

    def write(self, volume: Mapping[str, Any], content: bytes) -> None:
        self.control.write(volume["external_id"], content)

    def read(self, volume: Mapping[str, Any], size: int) -> bytes:
        return self.control.read(volume["external_id"])[:size]

    def userdata(self, machine: str) -> str:
        return json.dumps(self._data(machine)["userdata"])

    def instance_id(self, machine: str) -> str:
        return str(self._data(machine)["instance_id"])

    def machines(self) -> int:
        return sum(1 for each in self.control.things("machine") if each["deployment"])

    def _data(self, machine: str) -> dict[str, Any]:
        return next(each["data"] for each in self.control.things("machine") if each["id"] == machine)


class TestFake(ConnectorContract):
    @pytest.fixture
    def bench(self, tmp_path: Path) -> Iterator[FakeBench]:
        bench = FakeBench(tmp_path / "cloud.sqlite")
        yield bench
        bench.control.close()


class TestFakeOpenings(OpeningsContract):
    """A fake cloud like EC2: with firewalls, balancers and a ground for each deployment."""

    @pytest.fixture
    def bench(self, tmp_path: Path) -> Iterator[FakeBench]:
        bench = FakeBench(tmp_path / "cloud.sqlite", capabilities=sorted(Capability))
        yield bench
        bench.control.close()
