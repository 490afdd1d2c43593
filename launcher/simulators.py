"""Run the simulated vCenters and the simulated AWS, one process each, and tell the portal how to reach them."""

from __future__ import annotations

import json
import signal
import subprocess
import time
from pathlib import Path
from typing import Any

from launcher import bootstrap
from launcher.home import Home
from launcher.places import venv_program
from launcher.processes import aws_program, simulator_program
from launcher.simulator_build import SimulatorsError, begin_build, build_simulator, ensure_go
from launcher.supervisor import Supervisor
from launcher.terminal import step
from sandbox.simulator import BINARY

READY_TIMEOUT_S = 60.0

# Name, flavour, title, where it is said to stand.
CLOUDS = (
    ("paris", "private", "Paris (private vSphere)", "Paris"),
    ("roubaix", "ovh", "Roubaix (OVH)", "Roubaix"),
    ("frankfurt", "ibm", "Frankfurt (IBM)", "Frankfurt"),
    ("oregon", "vmc", "Oregon (VMware Cloud on AWS)", "us-west-2"),
)

# The same of the simulated AWS, with the region that its machines stand in.
AWS, AWS_TITLE, AWS_PLACE, AWS_REGION = "ireland", "Ireland (AWS)", "Ireland", "eu-west-1"
NAMES = (*(name for name, *_rest in CLOUDS), AWS)

# Made up, nobody's offer: currency, and a month of one CPU, of one GiB of memory, of one GiB of disk.
EXAMPLE_PRICES = {
    "paris": ("EUR", "6.50", "2.80", "0.05"),
    "roubaix": ("EUR", "9.90", "3.90", "0.08"),
    "frankfurt": ("EUR", "12.40", "5.20", "0.11"),
    "oregon": ("USD", "14.00", "6.10", "0.12"),
    "ireland": ("USD", "15.80", "4.30", "0.09"),
}


class Simulators:
    """Run the simulated clouds of the sandbox under a supervisor; `ports` are entries like `paris=9001`."""

    def __init__(self, home: Home, supervisor: Supervisor, ports: list[str]) -> None:
        self.home = home
        self.supervisor = supervisor
        self.ports = _chosen(ports)
        self._build: subprocess.Popen[bytes] | None = None

    def begin(self) -> None:
        """Start building, so that other things can be started meanwhile."""
        ensure_go()
        if not BINARY.exists():
            step("building the simulated vCenters (one to two minutes the first time)")
        self._build = begin_build()
        bootstrap.ensure_moto(venv_program("python"))
        folder = self._folder(AWS)
        folder.mkdir(parents=True, exist_ok=True)
        self.supervisor.start(aws_program(AWS, folder, self._port(AWS), AWS_REGION))

    def wait(self) -> None:
        """Return when all of them serve; raises SimulatorsError with what the one that does not has said."""
        assert self._build is not None
        try:
            code = self._build.wait()
        except BaseException:
            self._build.send_signal(signal.SIGTERM)
            raise
        if code:
            build_simulator()  # again, in this process, for its words
        for name, flavour, _title, _place in CLOUDS:
            folder = self._folder(name)
            folder.mkdir(parents=True, exist_ok=True)
            self.supervisor.start(simulator_program(name, flavour, BINARY, folder, self._port(name)))
        until = time.monotonic() + READY_TIMEOUT_S
        while not all(self._ready(name) for name in NAMES):
            if time.monotonic() > until:
                silent = next(name for name in NAMES if not self._ready(name))
                kind = "AWS" if silent == AWS else "vCenter"
                log = self.supervisor.log_of(silent)
                said = log.read_text(encoding="utf-8", errors="replace")[-800:].strip()
                raise SimulatorsError(
                    f"The simulated {kind} {silent} does not answer - it said: {said or 'nothing'} - see {log}."
                )
            self.supervisor.tick()
            time.sleep(0.05)
        step(f"{len(CLOUDS)} simulated vCenters and a simulated AWS answer")

    def clouds(self) -> list[dict[str, Any]]:
        """Return what the portal needs to register each of them, credentials among it."""
        clouds = []
        for name, flavour, title, place in CLOUDS:
            ready = self._ready(name)
            username, password, *_rest = (self._folder(name) / "credentials").read_text(encoding="utf-8").splitlines()
            clouds.append({
                "name": name, "title": title, "kind": "vsphere", "flavour": flavour, "region": place,
                "address": ready["url"], "ca_pem": Path(ready["ca_file"]).read_text(encoding="ascii"),
                "thumbprint": ready["thumbprint_sha256"].replace(":", "").lower(),
                "username": username, "password": password, "prices": example_prices(name),
            })  # fmt: skip
        return [*clouds, self._aws()]

    def _aws(self) -> dict[str, Any]:
        ready = self._ready(AWS)
        (key, *_more) = json.loads(Path(ready["credentials_file"]).read_text(encoding="utf-8"))["keys"]
        return {
            "name": AWS, "title": AWS_TITLE, "kind": "aws", "flavour": "", "region": AWS_PLACE,
            "address": ready["url"], "ca_pem": Path(ready["ca_file"]).read_text(encoding="ascii"),
            "thumbprint": ready["thumbprint_sha256"].replace(":", "").lower(),
            "username": key["id"], "password": key["secret"], "prices": example_prices(AWS),
            "options": {"region": ready["region"]},
        }  # fmt: skip

    def _port(self, name: str) -> int:
        return self.home.port(name, self.ports.get(name, 0), "SIMULATOR_PORTS")

    def _folder(self, name: str) -> Path:
        return self.home.folder / "clouds" / name

    def _ready(self, name: str) -> dict[str, Any]:
        path = self._folder(name) / "ready.json"
        text = path.read_text(encoding="utf-8") if path.exists() else ""
        ready: dict[str, Any] = json.loads(text) if text.endswith("\n") else {}
        return ready


def example_prices(name: str) -> dict[str, str]:
    """Return the price list of a simulated cloud, which says itself that it is an example."""
    rates = dict(
        zip(("currency", "cpu_month", "memory_gib_month", "disk_gib_month"), EXAMPLE_PRICES[name], strict=True)
    )
    return {**rates, "note": "Example prices of the sandbox, nobody's offer."}


def _chosen(entries: list[str]) -> dict[str, int]:
    known = set(NAMES)
    chosen: dict[str, int] = {}
    for entry in entries:
        name, _sign, port = entry.partition("=")
        if name not in known or not port.isdigit():
            raise SimulatorsError(
                f"SIMULATOR_PORTS has {entry!r} - that is not the name of a simulated cloud and its port - "
                f"write it as paris=9001; the names are {', '.join(sorted(known))}."
            )
        chosen[name] = int(port)
    return chosen
