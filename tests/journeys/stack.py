"""A whole portal with its sandbox, started as a newcomer starts it, for journeys from the outside."""

from __future__ import annotations

import json
import os
import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import httpx
import jsonschema

from tests.journeys.aws import AwsAccount
from tests.journeys.vcenter import VCenter

CLONE = Path(__file__).resolve().parent.parent.parent
SCHEMA = Path(__file__).parent.parent / "data" / "schema-cloud-config-v1.json"


class Stack:
    """One running portal: its address, a token, and the simulated vCenters behind it."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self._validator = jsonschema.Draft4Validator(json.loads(SCHEMA.read_text()))
        environment = {
            key: value
            for key, value in os.environ.items()
            if key not in ("DATABASE_URL", "REDIS_URL", "SECRET_KEY", "DJANGO_SETTINGS_MODULE", "LOG_FORMAT")
            and not key.startswith("ESCALE_")
        }
        self._output = (home / "output.txt").open("wb")
        self._process = subprocess.Popen(
            [sys.executable, "-m", "launcher", "run"],
            cwd=CLONE,
            env={**environment, "ESCALE_HOME": str(home), "PORT": "0", "ESCALE_VENV": sys.prefix},
            stdout=self._output,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
            start_new_session=True,
        )
        self._wait_until_ready()
        self.clouds = {cloud["name"]: cloud for cloud in json.loads((home / "run" / "clouds.json").read_text())}

    def _wait_until_ready(self, timeout_s: float = 240) -> None:
        deadline = time.monotonic() + timeout_s
        while time.monotonic() < deadline:
            if self._process.poll() is not None:
                raise AssertionError(f"the start ended by itself:\n{self.output()}")
            if "Ctrl-C stops everything." in self.output():
                lines = (self.home / "sandbox.env").read_text().splitlines()
                values = dict(line.split("=", 1) for line in lines if "=" in line)
                self.url, self.token = (shlex.split(values[key])[0] for key in ("ESCALE_URL", "ESCALE_TOKEN"))
                return
            time.sleep(0.25)
        raise AssertionError(f"not ready after {timeout_s} s:\n{self.output()}")

    @property
    def pid(self) -> int:
        """Return the process id of the launcher."""
        return self._process.pid

    def output(self) -> str:
        return (self.home / "output.txt").read_text(errors="replace")

    def client(self) -> httpx.Client:
        return httpx.Client(base_url=self.url, headers={"Authorization": f"Bearer {self.token}"}, timeout=60)

    def passwords(self) -> dict[str, str]:
        """Return the passwords that the first start printed, by user name."""
        found = {}
        for line in self.output().splitlines():
            words = line.split()
            if len(words) == 3 and words[0] in ("architect", "admin", "viewer"):
                found[words[0]] = words[1]
        return found

    def vcenter(self, name: str) -> VCenter:
        cloud = self.clouds[name]
        return VCenter(cloud["address"], cloud["username"], cloud["password"])

    def look_at(self, name: str) -> VCenter | AwsAccount:
        """Return eyes of our own on any of the clouds."""
        cloud = self.clouds[name]
        if cloud["kind"] == "aws":
            return AwsAccount(cloud, json.loads((self.home / "clouds" / name / "ready.json").read_text())["ca_file"])
        return self.vcenter(name)

    def wait_for_labels(self, timeout_s: float = 300) -> None:
        """Return once the clouds have earned their labels: until then canary machines come and go on them."""
        deadline = time.monotonic() + timeout_s
        while '"labels"' in (self.home / "run" / "processes.json").read_text():
            assert time.monotonic() < deadline, (self.home / "logs" / "labels.log").read_text()[-2000:]
            time.sleep(0.5)

    def program(self, name: str) -> str:
        return str(Path(sys.prefix) / "bin" / name)

    def cli_environment(self, home: Path) -> dict[str, str]:
        return {
            "PATH": os.environ["PATH"],
            "HOME": str(home),
            "ESCALE_URL": self.url,
            "ESCALE_TOKEN": self.token,
            "COLUMNS": "160",
        }

    def check_cloud_config(self, cloud_config: dict[str, Any], where: str) -> None:
        """Fail unless user-data passes cloud-init's own schema."""
        errors = [f"{list(error.path)}: {error.message}" for error in self._validator.iter_errors(cloud_config)]
        assert not errors, f"{where}: {errors[:3]}"

    def stop(self) -> None:
        """Stop as Ctrl-C does, and fail when that is not clean."""
        self._process.send_signal(signal.SIGINT)
        try:
            code = self._process.wait(90)
        except subprocess.TimeoutExpired:
            self._process.kill()
            raise AssertionError(f"Ctrl-C does not end it:\n{self.output()[-3000:]}") from None
        finally:
            self._output.close()
        assert code == 0, self.output()[-3000:]
