"""What a machine gets as its part of the drawing, run by a real engine as the machine's agent runs it.

The folders of the machine stand below a temporary one here, and the image is made of the system's busybox.
"""

import base64
import io
import json
import os
import subprocess
import sys
import tarfile
import time
from pathlib import Path

import pytest

from launcher.embedded import free_port
from tests.components import Engine, docker_engine, require_component
from tests.engine.drawings import draw, machines

pytestmark = [pytest.mark.slow, pytest.mark.component, pytest.mark.xdist_group("engine")]

IMAGE = "escale/shell:test"
SHOP = """\
services:
  web:
    image: escale/shell:test
    command: [httpd, -f, -p, "8080", -h, /www]
    ports: ["127.0.0.1:{port}:8080"]
    configs: [{{source: page, target: /www/index.html}}]
    environment: {{GREETING: "it's $$5 `date`; \\"rm\\" -rf /"}}
    depends_on: {{db: {{condition: service_healthy}}}}
  db:
    image: escale/shell:test
    command: [sh, -c, "echo kept > /data/ready; exec sleep 600"]
    healthcheck: {{test: [CMD, test, -f, /data/ready], interval: 1s, retries: 20}}
    volumes: ["data:/data"]
configs:
  page: {{content: "hello from the machine"}}
volumes:
  data:
"""


@pytest.fixture(scope="module")
def engine():
    """Lend a Docker engine that has the image."""
    busybox = Path(require_component("busybox"))
    with docker_engine() as lent:
        docker = ["docker", "--host", lent.address]
        archive = io.BytesIO()
        with tarfile.open(fileobj=archive, mode="w") as tar:
            tar.add(busybox, "bin/busybox")
            for applet in ("sh", "httpd", "sleep", "test", "printenv", "cat", "wget"):
                link = tarfile.TarInfo(f"bin/{applet}")
                link.type, link.linkname = tarfile.SYMTYPE, "busybox"
                tar.addfile(link)
        command = [*docker, "import", "--change", "ENV PATH=/bin", "-", IMAGE]
        subprocess.run(command, input=archive.getvalue(), check=True, capture_output=True)
        yield lent
        subprocess.run([*docker, "image", "rm", "--force", IMAGE], check=False, capture_output=True)


class Machine:
    """A machine's files below a folder, and its part of the drawing under Compose."""

    def __init__(self, folder: Path, engine: Engine, port: int) -> None:
        self.folder = folder
        self.port = port
        self.environ = {**os.environ, "DOCKER_HOST": engine.address}
        self.inside = engine.inside
        ((_label, machine),) = machines(draw(SHOP.format(port=port))).items()
        for entry in machine.userdata["write_files"]:
            if entry["path"].startswith("/opt/escale/") and not entry["content"].startswith("escale:"):
                self._write(entry["path"], base64.b64decode(entry["content"]), int(entry["permissions"], 8))
        for disk in json.loads(self.path("/opt/escale/machine.json").read_text())["disks"]:
            self.path(f"{disk['path']}/_data").mkdir(parents=True)

    def path(self, path: str) -> Path:
        return self.folder / path.lstrip("/")

    def _write(self, path: str, content: bytes, mode: int) -> None:
        if path.endswith("/compose.yaml"):
            for own in ("/opt/escale/", "/var/lib/escale/"):
                content = content.replace(own.encode(), f"{self.folder}{own}".encode())
        self.path(path).parent.mkdir(parents=True, exist_ok=True)
        self.path(path).write_bytes(content)
        self.path(path).chmod(mode)

    def compose(self, *arguments: str) -> None:
        file = self.path("/opt/escale/compose.yaml")
        command = [Path(sys.executable).with_name("docker-compose"), "--file", file, *arguments]
        done = subprocess.run(command, env=self.environ, capture_output=True, text=True, timeout=100, check=False)
        assert done.returncode == 0, done.stderr

    def fetch(self, path: str) -> str:
        """Return what the published port answers, asked from where the engine publishes it."""
        url = f"http://127.0.0.1:{self.port}{path}"
        code = f"import urllib.request as u; print(u.urlopen({url!r}, timeout=5).read().decode(), end='')"
        end = time.monotonic() + 10
        while True:
            done = subprocess.run(
                [*self.inside, sys.executable, "-c", code], capture_output=True, text=True, check=False
            )
            if done.returncode == 0:
                return done.stdout
            assert time.monotonic() < end, done.stderr
            time.sleep(0.2)

    def run(self, service: str, *command: str) -> str:
        """Run a command in a service's container; return what it prints."""
        label = f"label=com.docker.compose.service={service}"
        ids = self._docker("ps", "--quiet", "--filter", label, "--filter", "label=com.docker.compose.project=shop")
        (container,) = ids.split()
        return self._docker("exec", container, *command)

    def _docker(self, *arguments: str) -> str:
        command = ["docker", *arguments]
        return subprocess.run(command, env=self.environ, capture_output=True, text=True, timeout=60, check=True).stdout


@pytest.fixture
def machine(tmp_path, engine):
    made = Machine(tmp_path, engine, free_port())
    yield made
    made.compose("down", "--volumes", "--timeout", "1")


def test_it_starts_in_order_and_serves_what_was_drawn(machine):
    machine.compose("up", "--wait", "--pull", "never", "--quiet-pull")
    assert machine.fetch("/index.html") == "hello from the machine"
    assert machine.run("web", "sh", "-c", 'echo "$GREETING"') == 'it\'s $5 `date`; "rm" -rf /\n'
    assert machine.path("/var/lib/escale/volumes/data/_data/ready").read_text() == "kept\n"


def test_what_is_on_the_disk_outlives_its_containers(machine):
    machine.compose("up", "--wait", "--pull", "never", "--quiet-pull", "db")
    disk = machine.path("/var/lib/escale/volumes/data/_data")
    (disk / "written-before").write_text("kept too\n")
    machine.compose("down", "--volumes", "--timeout", "1")
    machine.compose("up", "--wait", "--pull", "never", "--quiet-pull", "db")
    assert machine.run("db", "cat", "/data/written-before") == "kept too\n"
