"""The agent on an EC2 instance: who it says it is, which disk is which, and how an update reaches it."""

from __future__ import annotations

import ctypes
import gzip
import http.server
import json
import struct
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from importlib.machinery import SourceFileLoader
from importlib.util import module_from_spec, spec_from_loader
from pathlib import Path
from typing import Any

import pytest

from engine.resources import device_name
from engine.userdata import document, materialise, render
from tests.engine.test_agent import (
    FOLDER,
    UUID,
    Computer,
    Portal,
    b64,
    computer,
    data_disk,
    offer,
    portal,
    secret,
)

__all__ = ["computer", "portal"]

INSTANCE = "i-0abc1234def567890"


@dataclass
class Metadata:
    """EC2's instance metadata service, version 2."""

    url: str
    answers: dict[str, bytes] = field(default_factory=dict)
    refused: list[str] = field(default_factory=list)


@pytest.fixture
def metadata() -> Iterator[Metadata]:
    class Service(http.server.BaseHTTPRequestHandler):
        def do_PUT(self) -> None:
            assert self.path == "/latest/api/token"
            assert self.headers["X-aws-ec2-metadata-token-ttl-seconds"]
            self._answer(200, b"a-token")

        def do_GET(self) -> None:
            if self.headers["X-aws-ec2-metadata-token"] != "a-token":
                found.refused.append(self.path)
                self._answer(401, b"")
            elif self.path in found.answers:
                self._answer(200, found.answers[self.path])
            else:
                self._answer(404, b"")

        def _answer(self, status: int, body: bytes) -> None:
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Service)
    found = Metadata(f"http://127.0.0.1:{server.server_address[1]}")
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield found
    server.shutdown()


def nitro(computer: Computer, *, tagged: bool = True) -> None:
    """Make the computer an instance; `tagged`: its firmware tells the instance id."""
    dmi = computer.root / "sys/class/dmi/id"
    (dmi / "sys_vendor").write_text("Amazon EC2\n")
    (dmi / "product_serial").write_text("ec21f1a2-0000-0000-0000-000000000000\n")
    (dmi / "product_uuid").write_text("ec21f1a2-0000-0000-0000-000000000000\n")
    if tagged:
        (dmi / "board_asset_tag").write_text(f"{INSTANCE}\n")


def tell(metadata: Metadata, computer: Computer, *, services: Any, packed: bool = True, **machine: Any) -> None:
    """Put user-data into the metadata service, as the connector does at an update."""
    compose = json.dumps({"name": "shop", "services": services})
    data = document(compose, {**computer.machine, **machine}, {"/opt/escale/files/a.txt": (b"\xff new", "0644")}, False)
    text = render(data, compact=packed).encode()
    metadata.answers["/latest/user-data"] = gzip.compress(text) if packed else text


# Who it is.


@pytest.mark.parametrize("tagged", [True, False])
def test_it_says_its_instance_id_to_the_portal(
    computer: Computer, portal: Portal, metadata: Metadata, tagged: bool
) -> None:
    nitro(computer, tagged=tagged)
    metadata.answers["/latest/meta-data/instance-id"] = INSTANCE.encode()
    computer.wants(secrets=[secret("password")])
    tell(metadata, computer, services=computer.services)
    portal.contents = {secret("password")["path"]: b64("x")}
    offer(computer, portal)
    done = computer.run(ESCALE_IMDS=metadata.url)
    assert done.returncode == 0, done.stdout
    assert portal.seen[0]["X-Escale-Machine"] == INSTANCE
    assert not metadata.refused


def test_a_machine_without_an_identity_says_so(computer: Computer, portal: Portal) -> None:
    (computer.root / "sys/class/dmi/id/product_serial").write_text("None\n")
    computer.wants(secrets=[secret("password")])
    offer(computer, portal)
    done = computer.run()
    assert done.returncode == 1
    assert "no identity" in done.stdout
    assert not portal.seen


# Which disk is which.


def test_a_disk_on_xen_is_found_by_its_name(computer: Computer, metadata: Metadata) -> None:
    dmi = computer.root / "sys/class/dmi/id"
    (dmi / "sys_vendor").write_text("Xen\n")
    (dmi / "product_uuid").write_text("EC21F1A2-0000-0000-0000-000000000000\n")
    computer.wants(disks=[data_disk(unit=2)])
    tell(metadata, computer, services=computer.services)
    for name in ("xvda", "xvdf", "xvdg"):
        (computer.root / "sys/class/block" / name).mkdir(parents=True)
        (computer.root / "dev" / name).write_bytes(bytes(1 << 16))
    done = computer.run("disks", ESCALE_IMDS=metadata.url)
    assert done.returncode == 0, done.stdout
    assert computer.called("mkfs.ext4") == [f"mkfs.ext4 -q -U {UUID} /dev/xvdg"]


def test_a_disk_that_is_not_attached_is_told_by_its_device_name(computer: Computer, metadata: Metadata) -> None:
    nitro(computer)
    computer.wants(disks=[data_disk(unit=3)])
    tell(metadata, computer, services=computer.services)
    done = computer.run("disks", ESCALE_IMDS=metadata.url)
    assert done.returncode == 1
    assert f"not attached as {device_name(3)}" in done.stdout
    assert not computer.called("mkfs.ext4")


@pytest.fixture
def agent(computer: Computer, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Return the agent as a module on a Nitro instance."""
    nitro(computer)
    monkeypatch.setenv("ESCALE_ROOT", str(computer.root))
    loader = SourceFileLoader("escale_agent_on_ec2", str(FOLDER / "agent"))
    spec = spec_from_loader("escale_agent_on_ec2", loader)
    assert spec is not None
    module = module_from_spec(spec)
    loader.exec_module(module)
    return module


def controllers(agent: Any, root: Path, monkeypatch: pytest.MonkeyPatch, told: dict[str, tuple[str, str]]) -> None:
    """Make NVMe disks whose controllers tell a model and a device name."""
    for name in told:
        (root / "sys/class/block" / name).mkdir(parents=True)
        (root / "dev" / name).write_bytes(b"")

    def ioctl(disk: Any, request: int, command: bytes) -> None:
        assert request == 0xC0484E41
        opcode, _, _, _, _, _, _, address, _, length, which = struct.unpack("=BBHIIIQQIII", command[:44])
        assert (opcode, length, which) == (6, 4096, 1)
        model, device = told[Path(disk.name).name]
        ctypes.memmove(address + 24, model.ljust(40).encode(), 40)
        ctypes.memmove(address + 3072, device.ljust(32).encode(), 32)

    monkeypatch.setattr(agent.fcntl, "ioctl", ioctl)


EBS = "Amazon Elastic Block Store"


def test_a_disk_on_nitro_is_found_by_what_its_controller_tells(
    agent: Any, computer: Computer, monkeypatch: pytest.MonkeyPatch
) -> None:
    controllers(
        agent,
        computer.root,
        monkeypatch,
        {
            "nvme0n1": (EBS, "/dev/sda1"),
            "nvme1n1": (EBS, "/dev/sdg"),
            "nvme2n1": (EBS, "sdf"),
            "nvme3n1": ("Amazon EC2 NVMe Instance Storage", "sdf"),
        },
    )
    assert agent.by_name(1) == (f"{computer.root}/dev/nvme2n1", [])
    assert agent.by_name(2)[0] == f"{computer.root}/dev/nvme1n1"
    assert agent.by_name(3) == (None, [])


def test_a_partitioned_disk_is_no_candidate_and_two_of_one_name_are_a_question_for_people(
    agent: Any, computer: Computer, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = {"nvme1n1": (EBS, "sdf"), "nvme2n1": (EBS, "sdg"), "nvme3n1": (EBS, "sdg")}
    controllers(agent, computer.root, monkeypatch, told)
    (computer.root / "sys/class/block/nvme1n1/nvme1n1p1").mkdir()
    assert agent.by_name(1) == (None, ["nvme1n1 has partitions"])
    with pytest.raises(agent.Trouble, match="detach the foreign one"):
        agent.by_name(2)


# How an update reaches it.


@pytest.mark.parametrize("packed", [True, False])
def test_new_user_data_is_taken_at_the_next_boot_and_once(computer: Computer, metadata: Metadata, packed: bool) -> None:
    nitro(computer)
    tell(metadata, computer, services={"web": {"image": "nginx"}}, packed=packed)
    assert computer.run("install", ESCALE_IMDS=metadata.url).returncode == 0
    assert "escale.service" in " ".join(computer.called("systemctl"))
    assert "took the files" not in computer.run("up", ESCALE_IMDS=metadata.url).stdout
    tell(metadata, computer, services={"web": {"image": "nginx"}, "api": {"image": "api:2"}}, packed=packed)
    done = computer.run("disks", ESCALE_IMDS=metadata.url)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "took the files" in done.stdout
    home = computer.root / "opt/escale"
    assert "api" in json.loads((home / "compose.yaml").read_text())["services"]
    assert (home / "files/a.txt").read_bytes() == b"\xff new"
    assert (home / "agent").stat().st_mode & 0o777 == 0o755
    assert "took the files" not in computer.run("up", ESCALE_IMDS=metadata.url).stdout


def test_a_used_offer_is_not_brought_back_by_a_restart(computer: Computer, portal: Portal, metadata: Metadata) -> None:
    nitro(computer)
    computer.wants(secrets=[secret("password")])
    data = document(json.dumps({"services": computer.services}), computer.machine, {}, True)
    text = render(materialise(data, {"url": portal.url, "token": "one-time", "ca": portal.ca}), compact=True)
    metadata.answers["/latest/user-data"] = gzip.compress(text.encode())
    assert computer.run("install", ESCALE_IMDS=metadata.url).returncode == 0
    portal.contents = {secret("password")["path"]: b64("x")}
    offer(computer, portal)
    for _ in range(3):
        assert computer.run("up", ESCALE_IMDS=metadata.url).returncode == 0
    assert len(portal.seen) == 1


def test_user_data_of_somebody_else_stops_it_before_anything_is_written(computer: Computer, metadata: Metadata) -> None:
    nitro(computer)
    metadata.answers["/latest/user-data"] = b"#!/bin/sh\nrm -rf /\n"
    done = computer.run("disks", ESCALE_IMDS=metadata.url)
    assert done.returncode == 1
    assert "none of this portal's" in done.stdout


def test_elsewhere_nobody_is_asked(computer: Computer, metadata: Metadata) -> None:
    metadata.answers["/latest/user-data"] = b"#!/bin/sh\n"
    assert computer.run("up", ESCALE_IMDS=metadata.url).returncode == 0


def test_what_every_machine_is_sent_leaves_room_in_sixteen_kibibytes(computer: Computer) -> None:
    data = document(json.dumps({"services": computer.services}), computer.machine, {}, False)
    packed = len(gzip.compress(render(data, compact=True).encode()))
    assert packed < 10_000
    assert packed < 0.75 * len(gzip.compress(render(data).encode()))
