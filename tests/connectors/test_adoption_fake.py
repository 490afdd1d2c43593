"""Adoption on the fake cloud."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.connectors.adoption_contract import AdoptionContract
from tests.connectors.test_contract_fake import FakeBench


class FakeEstate:
    def __init__(self, bench: FakeBench) -> None:
        self.bench = bench

    def stranger(self, name: str) -> str:
        identity = self.bench.control.put_machine(name, folder="Legacy")
        disks = [{"volume": None, "id": f"{identity}-{number}", "path": "", "size_gib": 4} for number in (1, 2)]
        self.bench.control.change(
            identity, power="on", on_since=0.0, annotation="do not touch", disks=disks, networks=["network-1"]
        )
        return identity

    def raw(self, machine: str) -> Any:
        return next(thing for thing in self.bench.control.things() if thing["id"] == machine)

    def power(self, machine: str) -> str:
        return str(self.raw(machine)["data"]["power"])

    def grown(self, machine: str) -> list[float]:
        return [disk["size_gib"] for disk in self.raw(machine)["data"]["disks"]]

    def make_template(self, machine: str) -> None:
        self.bench.control.change(machine, is_template=True)

    def destroy(self, machine: str) -> None:
        self.bench.control.delete(machine)


class TestFakeAdoption(AdoptionContract):
    @pytest.fixture
    def estate(self, tmp_path: Path) -> Iterator[FakeEstate]:
        bench = FakeBench(tmp_path / "cloud.sqlite")
        yield FakeEstate(bench)
        bench.control.close()
