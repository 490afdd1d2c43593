"""The agent of a machine fetches its secrets from the portal's own view over TLS, as on a booting machine."""

from __future__ import annotations

import json
import os
import shutil
import ssl
import stat
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

import pytest
from django.core.wsgi import get_wsgi_application
from django.db import connections

from apps.deployments.models import FetchGrant
from launcher.certificates import ensure_certificates
from tests.apps.deployments.test_it_hands_out_secrets_once import CANARY, FETCH, VAULT, find_fetch
from tests.people import Person

pytestmark = pytest.mark.django_db(transaction=True)

AGENT = Path(__file__).parents[3] / "engine" / "userdata" / "machine" / "agent"
TO_OWNER_ALONE = VAULT.replace("secrets: [password]\n", "secrets: [{source: password, mode: 0400}]\n", 1)


@dataclass
class Booted:
    """A machine's files below a folder, and what its cloud says of it."""

    root: Path
    bios_uuid: str

    def run(self, *, patience_s: float = 1) -> subprocess.CompletedProcess[str]:
        """Run the agent as systemd does at boot."""
        return subprocess.run(
            [sys.executable, "-I", str(AGENT), "up"],
            env={
                "PATH": f"{self.root}/bin:/usr/bin:/bin",
                "ESCALE_ROOT": str(self.root),
                "ESCALE_PATIENCE_S": str(patience_s),
                "ESCALE_PAUSE_S": "0.1",
            },
            capture_output=True, text=True, timeout=60, check=False,
        )  # fmt: skip

    @property
    def offer(self) -> Path:
        return self.root / "opt/escale/fetch.json"

    @property
    def secrets(self) -> dict[str, tuple[str, int]]:
        """Return name -> (content, mode) of the secrets that the machine has."""
        found = [path for path in (self.root / "var/lib/escale/secrets").rglob("*") if path.is_file()]
        return {path.name: (path.read_text(), stat.S_IMODE(path.stat().st_mode)) for path in found}


@dataclass
class Listener:
    """The portal at its HTTPS address, and the methods it was asked by."""

    url: str
    ca: str
    asked: list[str]


@pytest.fixture
def listener(tmp_path: Path, settings: Any) -> Iterator[Listener]:
    """The portal's whole application behind TLS, with the certificate that the sandbox makes."""
    files = ensure_certificates(tmp_path / "certificates", ["127.0.0.1"])
    settings.ALLOWED_HOSTS = [*settings.ALLOWED_HOSTS, "127.0.0.1"]
    portal = get_wsgi_application()
    asked: list[str] = []

    def application(environ: dict[str, Any], start: Any) -> Any:
        asked.append(f"{environ['REQUEST_METHOD']} {environ['PATH_INFO']}")
        try:
            return portal(environ, start)
        finally:
            connections.close_all()

    class Handler(WSGIRequestHandler):
        def get_environ(self) -> dict[str, Any]:
            return {**super().get_environ(), "HTTPS": "on" if isinstance(self.connection, ssl.SSLSocket) else "off"}

        def log_message(self, *args: object) -> None:
            pass

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(files.certificate, files.key)
    server = make_server("127.0.0.1", 0, application, server_class=WSGIServer, handler_class=Handler)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    yield Listener(f"https://127.0.0.1:{server.server_port}{FETCH}", files.authority.read_text(), asked)
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
def booted(
    tmp_path: Path, listener: Listener, bob: Person, paris: Any, blueprint: Any, drive: Any, control: Any
) -> Booted:
    """A machine as cloud-init leaves it: its files out of the user-data that the cloud holds, and a silent engine."""
    made = blueprint(TO_OWNER_ALONE, name="vault", files={"password.txt": CANARY})
    answer = bob.api.post("/api/v1/deployments/", {"blueprint": made["id"], "cloud": "paris", "name": "vault"}).json()
    assert drive(answer["operation"]).state == "succeeded"
    (machine,) = control.things("machine")
    resources = bob.api.get(f"/api/v1/deployments/{answer['id']}/").json()["resources"]
    facts = next(resource for resource in resources if resource["kind"] == "machine")["facts"]
    computer = Booted(tmp_path / "root", facts["bios_uuid"])
    _write_files(computer, machine)
    dmi = computer.root / "sys/class/dmi/id"
    dmi.mkdir(parents=True)
    (dmi / "product_serial").write_text("None\n")
    (dmi / "product_uuid").write_text(f"{computer.bios_uuid.upper()}\n")
    programs = computer.root / "bin"
    programs.mkdir()
    for name in ("docker", "systemctl"):
        (programs / name).write_text("#!/bin/sh\n")
        (programs / name).chmod(0o755)
    # The machine was told an address of the portal's settings; this portal listens elsewhere.
    offer = find_fetch(machine)
    computer.offer.write_text(json.dumps({**offer, "url": listener.url, "ca": listener.ca}))
    return computer


def _write_files(computer: Booted, machine: Any) -> None:
    from engine.userdata import read_file

    home = computer.root / "opt/escale"
    home.mkdir(parents=True)
    for name in ("machine.json", "compose.yaml"):
        text = read_file(machine["data"]["userdata"], f"/opt/escale/{name}")
        assert text is not None
        if name == "machine.json":
            settings = json.loads(text)
            for secret in settings["secrets"] if os.geteuid() else ():
                secret.update(uid=os.getuid(), gid=os.getgid())
            text = json.dumps(settings)
        (home / name).write_text(text)


def test_the_first_fetch_brings_them_and_the_token_is_good_for_no_second(booted: Booted, listener: Listener) -> None:
    used = booted.root / "used.json"
    shutil.copy(booted.offer, used)
    first = booted.run()
    assert first.returncode == 0, first.stdout + first.stderr
    assert booted.secrets == {"password": (CANARY, 0o400)}
    assert listener.asked == [f"POST {FETCH}"]
    assert CANARY not in first.stdout + first.stderr
    assert not booted.offer.exists()
    grant = FetchGrant.objects.get()
    assert grant.used_at is not None
    assert bytes(grant.sealed) == b""

    shutil.copy(used, booted.offer)
    second = booted.run()
    assert "refused to hand out the secrets (403)" in second.stdout
    assert second.returncode == 0, "what is there is used"
    assert booted.secrets == {"password": (CANARY, 0o400)}


def test_a_machine_whose_token_is_bound_late_gets_them_all_the_same(booted: Booted, listener: Listener) -> None:
    FetchGrant.objects.update(machine_uuid="")

    def bind_once_refused() -> None:
        try:
            for _ in range(600):
                if len(listener.asked) >= 2:
                    break
                over.wait(0.05)
            FetchGrant.objects.update(machine_uuid=booted.bios_uuid.lower())
        finally:
            connections.close_all()

    over = threading.Event()
    portal = threading.Thread(target=bind_once_refused)
    portal.start()
    done = booted.run(patience_s=40)
    portal.join()
    assert done.returncode == 0, done.stdout
    assert booted.secrets == {"password": (CANARY, 0o400)}
    assert len(listener.asked) >= 2  # the second may be answered after the binding already
