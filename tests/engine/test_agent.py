"""The agent on the machine, run by a real shell below another root, with fakes for what needs disks and engines."""

from __future__ import annotations

import ast
import base64
import datetime
import http.server
import json
import os
import shutil
import socket
import ssl
import stat
import subprocess
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from importlib.machinery import SourceFileLoader
from importlib.util import module_from_spec, spec_from_loader
from pathlib import Path
from typing import Any

import pytest

from engine.userdata import static

FOLDER = Path(__file__).parents[2] / "engine" / "userdata" / "machine"
BIOS = "VMware-56 4d 1f 42 a8 7f 60 fa-6a f6 a4 63 51 ce d0 eb"
UUID = "11111111-2222-3333-4444-555555555555"

FAKES = {
    "blkid": r"""
if [ "$1" = -p ]; then
    [ -s "$4.tags" ] || exit 2
    cat "$4.tags"
else
    found=$(grep -ls "^$4$" "$ESCALE_ROOT"/dev/*.tags) || exit 2
    for tags in $found; do echo "${tags%.tags}"; done
fi
""",
    "mkfs.ext4": 'printf "UUID=%s\\nTYPE=ext4\\n" "$3" > "$4.tags"',
    "mkfs.xfs": 'printf "UUID=%s\\nTYPE=xfs\\n" "${3#uuid=}" > "$4.tags"',
    "mountpoint": 'grep -qsx "$2" "$ESCALE_ROOT/mounts"',
    "mount": 'echo "$4" >> "$ESCALE_ROOT/mounts"; echo "$3" > "$4.device"',
    "findmnt": 'if [ "$3" = SOURCE ]; then cat "$4.device"; else echo ext4; fi',
    "resize2fs": ":",
    "docker": 'if [ "$2" = version ]; then echo "Docker Compose version v2.40.3"; fi; [ ! -e "$ESCALE_ROOT/broken" ]',
    "systemctl": ":",
}


@dataclass
class Computer:
    """A machine below a folder: its root, its programs, and what was called."""

    root: Path
    bin: Path
    machine: dict[str, Any] = field(default_factory=dict)
    services: dict[str, Any] = field(default_factory=lambda: {"web": {"image": "nginx"}})

    def install(self, *names: str) -> None:
        for name in names:
            path = self.bin / name
            path.write_text(f'#!/bin/sh\necho "{name} $*" >> "$ESCALE_ROOT/calls"\n{FAKES.get(name, ":")}\n')
            path.chmod(0o755)

    def remove(self, name: str) -> None:
        (self.bin / name).unlink()

    def disk(
        self, device: str, unit: int, content: bytes = b"", tags: str = "", host: int = 2, driver: str = "vmw_pvscsi"
    ) -> Path:
        (self.root / f"sys/class/scsi_device/{host}:0:{unit}:0/device/block/{device}").mkdir(parents=True)
        controller = self.root / f"sys/class/scsi_host/host{host}"
        controller.mkdir(exist_ok=True)
        (controller / "proc_name").write_text(f"{driver}\n")
        path = self.root / "dev" / device
        path.write_bytes(content or bytes(1 << 16))
        if tags:
            Path(f"{path}.tags").write_text(tags)
        return path

    def wants(self, **settings: Any) -> None:
        self.machine.update(settings)

    def run(self, command: str = "up", **environment: str) -> subprocess.CompletedProcess[str]:
        home = self.root / "opt/escale"
        (home / "machine.json").write_text(json.dumps(self.machine))
        (home / "compose.yaml").write_text(
            json.dumps({"name": "shop", **({"services": self.services} if self.services else {})})
        )
        return subprocess.run(
            ["/bin/sh", str(home / "agent.sh"), command],
            env={
                "PATH": f"{self.bin}:/usr/bin:/bin",
                "ESCALE_ROOT": str(self.root),
                "ESCALE_PATIENCE_S": "1",
                "ESCALE_PAUSE_S": "0.05",
                **environment,
            },
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    @property
    def calls(self) -> list[str]:
        path = self.root / "calls"
        return path.read_text().replace(str(self.root), "").splitlines() if path.exists() else []

    def called(self, name: str) -> list[str]:
        return [call for call in self.calls if call.split()[0] == name]

    @property
    def ups(self) -> list[str]:
        return [call.partition(" up -d ")[2] for call in self.calls if " up -d " in call]


@pytest.fixture
def computer(tmp_path: Path) -> Computer:
    root, programs = tmp_path / "root", tmp_path / "bin"
    programs.mkdir()
    for folder in ("opt/escale", "dev", "sys/class/dmi/id", "sys/class/scsi_host"):
        (root / folder).mkdir(parents=True)
    (root / "sys/class/dmi/id/product_serial").write_text(f"{BIOS}\n")
    for name in ("agent", "agent.sh"):
        shutil.copy(FOLDER / name, root / "opt/escale" / name)
    made = Computer(root, programs)
    made.install(*FAKES)
    made.wants(format=1, deployment="shop", machine="shop-host-1", engine="docker")
    made.wants(disks=[], secrets=[], owners=[], waits=[], after=[])
    return made


def data_disk(**changes: Any) -> dict[str, Any]:
    return {
        "volume": "data", "path": "/var/lib/escale/volumes/data", "unit": 1, "uuid": UUID, "filesystem": "ext4",
        **changes,
    }  # fmt: skip


# The files themselves.


def test_the_shell_and_old_pythons_can_read_the_files() -> None:
    subprocess.run(["sh", "-n", str(FOLDER / "agent.sh")], check=True)
    ast.parse(static("agent"), feature_version=(3, 6))
    assert "shell=True" not in static("agent")
    assert "os.system" not in static("agent")


def test_units_start_the_agent_in_order() -> None:
    disks, containers = static("escale-disks.service"), static("escale.service")
    assert "Before=docker.service" in disks
    assert "RequiredBy=docker.service" in disks
    assert "Requires=escale-disks.service" in containers
    if shutil.which("systemd-analyze"):
        done = subprocess.run(
            ["systemd-analyze", "verify", *(str(path) for path in FOLDER.glob("*.service"))],
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert "Unknown" not in done.stderr


def test_an_unknown_command_is_refused(computer: Computer) -> None:
    done = computer.run("format-everything")
    assert done.returncode == 2
    assert "usage" in done.stderr


def test_a_machine_without_python_says_so(computer: Computer) -> None:
    script = computer.root / "opt/escale/agent.sh"
    script.write_text(
        script.read_text().replace("/usr/bin/python3 /usr/libexec/platform-python /usr/local/bin/python3", "/none")
    )
    done = computer.run(PATH=str(computer.bin))
    assert done.returncode == 127
    assert "no Python 3" in done.stderr


# Disks.


def test_a_blank_disk_is_formatted_once_and_mounted_at_each_boot(computer: Computer) -> None:
    computer.disk("sdb", 1)
    computer.wants(disks=[data_disk()])
    assert computer.run("disks").returncode == 0
    assert computer.called("mkfs.ext4") == [f"mkfs.ext4 -q -U {UUID} /dev/sdb"]
    assert computer.called("mount") == ["mount -o noatime /dev/sdb /var/lib/escale/volumes/data"]
    assert (computer.root / "var/lib/escale/volumes/data/_data").is_dir()
    (computer.root / "mounts").unlink()  # the next boot
    assert computer.run("disks").returncode == 0
    assert len(computer.called("mkfs.ext4")) == 1
    assert len(computer.called("mount")) == 2
    assert computer.run("disks").returncode == 0
    assert len(computer.called("mount")) == 2


def test_a_disk_is_found_by_its_file_system_wherever_it_hangs(computer: Computer) -> None:
    computer.disk("sdb", 1)
    computer.disk("sdq", 9, tags=f"UUID={UUID}\nTYPE=ext4\n")
    computer.wants(disks=[data_disk()])
    assert computer.run("disks").returncode == 0
    assert not computer.called("mkfs.ext4")
    assert computer.called("mount") == ["mount -o noatime /dev/sdq /var/lib/escale/volumes/data"]


def test_each_blank_disk_is_told_from_the_others_by_its_unit(computer: Computer) -> None:
    computer.disk("sdc", 2)
    computer.disk("sdb", 5)
    other = data_disk(
        volume="logs", path="/var/lib/escale/volumes/logs", unit=5, uuid=UUID.replace("1", "9"), filesystem="xfs"
    )
    computer.wants(disks=[data_disk(unit=2), other])
    assert computer.run("disks").returncode == 0
    assert computer.called("mkfs.ext4") == [f"mkfs.ext4 -q -U {UUID} /dev/sdc"]
    assert computer.called("mkfs.xfs") == [f"mkfs.xfs -q -m uuid={UUID.replace('1', '9')} /dev/sdb"]


@pytest.mark.parametrize("kind", ["ext4", "xfs", "btrfs"])
def test_a_file_system_of_somebody_else_is_neither_mounted_nor_formatted(computer: Computer, kind: str) -> None:
    computer.disk("sdb", 1, tags=f"LABEL=payroll\nUUID={UUID.replace('1', '8')}\nTYPE={kind}\n")
    computer.wants(disks=[data_disk()])
    done = computer.run("up")
    assert done.returncode == 1
    for told in ("/dev/sdb", f"TYPE={kind}, LABEL=payroll", "left alone", f"blkdiscard -z {computer.root}/dev/sdb"):
        assert told in done.stdout
    assert not [call for call in computer.calls if call.startswith(("mkfs", "mount ", "docker"))]


def test_a_copy_of_the_file_system_is_a_question_for_people(computer: Computer) -> None:
    for device, unit in (("sdb", 1), ("sdc", 2)):
        computer.disk(device, unit, tags=f"UUID={UUID}\nTYPE=ext4\n")
    computer.wants(disks=[data_disk()])
    done = computer.run("disks")
    assert done.returncode == 1
    assert "detach the copies" in done.stdout
    assert not computer.called("mount")


@pytest.mark.parametrize("driver", ["mptspi", "ahci", "iscsi_tcp"])
def test_a_blank_disk_at_another_controller_is_no_candidate(computer: Computer, driver: str) -> None:
    computer.disk("sdb", 1, driver=driver)
    computer.wants(disks=[data_disk()])
    done = computer.run("disks")
    assert done.returncode == 1
    assert f"sdb hangs at another controller, {driver}" in done.stdout
    assert not [call for call in computer.calls if call.startswith(("mkfs", "mount "))]


@pytest.mark.parametrize(
    ("content", "tags"),
    [
        (b"", "PTTYPE=gpt\n"),
        (b"", "TYPE=crypto_LUKS\n"),
        (b"\0" * 1000 + b"precious" + b"\0" * 1000, ""),
        (bytes(3 << 20) + b"EFI PART" + bytes(504), ""),
    ],
)
def test_a_disk_that_is_not_blank_is_never_formatted(computer: Computer, content: bytes, tags: str) -> None:
    computer.disk("sdb", 1, content, tags)
    computer.wants(disks=[data_disk()])
    done = computer.run("up")
    assert done.returncode == 1
    assert "left alone" in done.stdout
    assert not [call for call in computer.calls if call.startswith(("mkfs", "mount ", "docker"))]


def test_a_partitioned_system_disk_at_the_same_unit_of_another_controller_is_no_candidate(computer: Computer) -> None:
    computer.disk("sdb", 1)
    computer.disk("sda", 1, host=0)
    (computer.root / "sys/class/scsi_device/0:0:1:0/device/block/sda/sda1").mkdir()
    computer.wants(disks=[data_disk()])
    assert computer.run("disks").returncode == 0
    assert computer.called("mount") == ["mount -o noatime /dev/sdb /var/lib/escale/volumes/data"]


def test_two_disks_at_one_unit_are_a_question_for_people(computer: Computer) -> None:
    computer.disk("sdb", 1)
    computer.disk("sdc", 1, host=3)
    computer.wants(disks=[data_disk()])
    done = computer.run("disks")
    assert done.returncode == 1
    assert "several disks" in done.stdout
    assert not computer.called("mkfs.ext4")


def test_a_missing_disk_keeps_the_containers_from_starting(computer: Computer) -> None:
    computer.wants(disks=[data_disk()])
    done = computer.run()
    assert done.returncode == 1
    assert "not at SCSI unit 1" in done.stdout
    assert not computer.ups


def test_a_disk_that_has_grown_is_filled_while_the_machine_runs(computer: Computer) -> None:
    computer.disk("sdb", 1)
    rescan = computer.root / "sys/class/block/sdb/device/rescan"
    rescan.parent.mkdir(parents=True)
    rescan.write_text("")
    computer.wants(disks=[data_disk()])
    computer.run("disks")
    assert computer.run("grow").returncode == 0
    assert rescan.read_text() == "1"
    assert computer.called("resize2fs") == ["resize2fs /dev/sdb"]


# Secrets.


@dataclass
class Portal:
    """A portal that hands out secrets once."""

    url: str
    ca: str
    contents: dict[str, str]
    status: int = 200
    refusals: int = 0  # how often it refuses before it answers
    seen: list[dict[str, str]] = field(default_factory=list)


@pytest.fixture
def portal(tmp_path: Path) -> Iterator[Portal]:
    certificate, key = _certificate(tmp_path)

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            made.seen.append(dict(self.headers) | {"path": self.path})
            self.rfile.read(int(self.headers.get("Content-Length", 0)))
            if made.refusals:
                made.refusals -= 1
                self.send_error(403)
                return
            self.send_response(made.status)
            if made.status == 302:
                self.send_header("Location", made.url + "elsewhere")
            self.end_headers()
            if made.status == 200:
                self.wfile.write(json.dumps(made.contents).encode())
                made.status = 403

        def log_message(self, *args: object) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    made = Portal(f"https://localhost:{server.server_port}/machine/v1/secrets/", certificate.read_text(), {})
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    yield made
    server.shutdown()
    server.server_close()
    thread.join()


def _certificate(folder: Path) -> tuple[Path, Path]:
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    now = datetime.datetime.now(datetime.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + datetime.timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), True)
        .sign(key, hashes.SHA256())
    )
    certificate, private = folder / "cert.pem", folder / "key.pem"
    certificate.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    private.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return certificate, private


def secret(name: str, **changes: Any) -> dict[str, Any]:
    path = f"/var/lib/escale/secrets/all/{name}"
    return {"path": path, "uid": 0, "gid": 0, "mode": "0444", "empty": False, **changes}


def offer(computer: Computer, portal: Portal, **changes: str) -> None:
    content = {"url": portal.url, "token": "one-time", "ca": portal.ca, **changes}
    (computer.root / "opt/escale/fetch.json").write_text(json.dumps(content))


def b64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def test_secrets_are_fetched_once_with_token_and_machine(computer: Computer, portal: Portal) -> None:
    computer.wants(secrets=[secret("password"), secret("token", mode="0400"), secret("absent", empty=True)])
    portal.contents = {secret(name)["path"]: b64(f"the {name}") for name in ("password", "token")}
    portal.contents["/etc/cron.d/evil"] = b64("* * * * * root reboot")
    offer(computer, portal)
    done = computer.run()
    assert done.returncode == 0, done.stdout
    assert "the password" not in done.stdout
    (request,) = portal.seen
    assert request["Authorization"] == "Bearer one-time"
    assert request["X-Escale-Machine"] == "564d1f42-a87f-60fa-6af6-a46351ced0eb"
    folder = computer.root / "var/lib/escale/secrets"
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    found = {path.name: (path.read_text(), stat.S_IMODE(path.stat().st_mode)) for path in (folder / "all").iterdir()}
    assert found == {"password": ("the password", 0o444), "token": ("the token", 0o400), "absent": ("", 0o444)}
    assert not (computer.root / "etc").exists()
    assert "not asked for" in done.stdout
    assert not (computer.root / "opt/escale/fetch.json").exists()
    assert computer.ups == ["--remove-orphans"]
    # A restart needs no portal.
    assert computer.run().returncode == 0
    assert len(portal.seen) == 1


def test_secrets_that_are_no_longer_used_are_removed(computer: Computer, portal: Portal) -> None:
    computer.wants(secrets=[secret("old")])
    portal.contents = {secret("old")["path"]: b64("x")}
    offer(computer, portal)
    computer.run()
    computer.wants(secrets=[])
    assert computer.run().returncode == 0
    assert not (computer.root / "var/lib/escale/secrets/all/old").exists()


@pytest.mark.parametrize("status", [401, 404, 405, 410, 302])
def test_a_refusal_keeps_the_containers_from_starting(computer: Computer, portal: Portal, status: int) -> None:
    computer.wants(secrets=[secret("password")])
    portal.status = status
    offer(computer, portal)
    done = computer.run()
    assert done.returncode == 1
    assert "refused" in done.stdout
    assert len(portal.seen) == 1, "a refusal is final, and a redirect is not followed"
    assert not computer.ups


def test_a_machine_that_boots_before_its_token_is_bound_asks_again(computer: Computer, portal: Portal) -> None:
    computer.wants(secrets=[secret("password")])
    portal.contents = {secret("password")["path"]: b64("x")}
    portal.refusals = 3
    offer(computer, portal)
    done = computer.run(ESCALE_PATIENCE_S="20")
    assert done.returncode == 0, done.stdout
    assert len(portal.seen) == 4
    assert computer.ups


def test_a_token_that_stays_refused_ends_with_what_to_do(computer: Computer, portal: Portal) -> None:
    computer.wants(secrets=[secret("password")])
    portal.status = 403
    offer(computer, portal)
    done = computer.run()
    assert done.returncode == 1
    assert "refused to hand out the secrets (403)" in done.stdout
    assert "deploy again" in done.stdout
    assert len(portal.seen) > 2
    assert not computer.ups


def test_an_offer_that_was_used_by_an_interrupted_run_does_no_harm(computer: Computer, portal: Portal) -> None:
    computer.wants(secrets=[secret("password")])
    portal.contents = {secret("password")["path"]: b64("x")}
    offer(computer, portal)
    assert computer.run().returncode == 0
    offer(computer, portal)  # as if it had died before it removed the offer
    done = computer.run()
    assert done.returncode == 0
    assert "secrets of before are used" in done.stdout


def test_a_portal_that_is_away_is_waited_for(computer: Computer, portal: Portal) -> None:
    computer.wants(secrets=[secret("password")])
    portal.status = 503
    offer(computer, portal)
    done = computer.run()
    assert done.returncode == 1
    assert "cannot be reached" in done.stdout
    assert len(portal.seen) > 2


@pytest.mark.parametrize("changes", [{"ca": ""}, {"url": "http://127.0.0.1:9/"}])
def test_a_portal_that_does_not_prove_who_it_is_gets_no_token(
    computer: Computer, portal: Portal, changes: dict[str, str]
) -> None:
    computer.wants(secrets=[secret("password")])
    offer(computer, portal, **changes)
    assert computer.run().returncode == 1
    assert not portal.seen


def test_the_product_uuid_is_the_second_choice(computer: Computer, portal: Portal) -> None:
    (computer.root / "sys/class/dmi/id/product_serial").write_text("None\n")
    (computer.root / "sys/class/dmi/id/product_uuid").write_text("564D1F42-A87F-60FA-6AF6-A46351CED0EB\n")
    computer.wants(secrets=[secret("password")])
    portal.contents = {secret("password")["path"]: b64("x")}
    offer(computer, portal)
    assert computer.run().returncode == 0
    assert portal.seen[0]["X-Escale-Machine"] == "564d1f42-a87f-60fa-6af6-a46351ced0eb"


# Engine and containers.


def test_the_containers_are_started_by_compose(computer: Computer) -> None:
    assert computer.run().returncode == 0
    assert computer.calls[-1] == (
        "docker compose --project-directory /opt/escale -f /opt/escale/compose.yaml up -d --remove-orphans"
    )
    assert "systemctl enable --now docker.service" in computer.calls


def test_a_machine_without_services_takes_down_what_ran_there(computer: Computer) -> None:
    computer.services = {}
    assert computer.run().returncode == 0
    assert computer.calls[-1].endswith(" -f /opt/escale/compose.yaml down --remove-orphans")
    assert not computer.ups


def test_a_missing_engine_is_installed(computer: Computer) -> None:
    computer.remove("docker")
    apt = computer.bin / "apt-get"
    apt.write_text(
        '#!/bin/sh\necho "apt-get $*" >> "$ESCALE_ROOT/calls"\n'
        'case "$*" in *compose-v2*) exit 100;; *docker-compose*) cp "$ESCALE_ROOT/docker" "${0%/*}/docker";; esac\n'
    )
    apt.chmod(0o755)
    computer.install("docker")
    shutil.move(computer.bin / "docker", computer.root / "docker")
    done = computer.run(PATH=f"{computer.bin}:{_python_only(computer)}")
    assert done.returncode == 0, done.stdout
    assert computer.called("apt-get") == [
        "apt-get update",
        "apt-get install -y --no-install-recommends docker.io docker-compose-v2",
        "apt-get install -y --no-install-recommends docker.io docker-compose",
    ]
    assert computer.ups


def _python_only(computer: Computer) -> Path:
    """Return a folder with no package manager and no engine in it."""
    folder = computer.root / "tools"
    folder.mkdir()
    for name in ("sh", "cat", "grep", "cp", "env"):
        found = shutil.which(name)
        assert found
        os.symlink(found, folder / name)
    return folder


def test_an_engine_that_cannot_be_had_is_an_error_that_says_so(computer: Computer) -> None:
    computer.remove("docker")
    done = computer.run(PATH=f"{computer.bin}:{_python_only(computer)}")
    assert done.returncode == 1
    assert "use a template with a container engine" in done.stdout


def test_compose_of_the_first_generation_is_not_enough(computer: Computer) -> None:
    computer.remove("docker")
    old = computer.bin / "docker-compose"
    old.write_text('#!/bin/sh\necho "docker-compose version 1.29.2, build unknown"\n')
    old.chmod(0o755)
    done = computer.run(PATH=f"{computer.bin}:{_python_only(computer)}")
    assert done.returncode == 1
    assert not computer.ups


def test_compose_is_tried_again(computer: Computer) -> None:
    (computer.root / "broken").write_text("")
    docker = computer.bin / "docker"
    docker.write_text(
        docker.read_text().replace(
            '[ ! -e "$ESCALE_ROOT/broken" ]',
            'case "$*" in *" up "*) [ ! -e "$ESCALE_ROOT/broken" ] || { rm "$ESCALE_ROOT/broken"; exit 1; };; esac',
        )
    )
    assert computer.run().returncode == 0
    assert len(computer.ups) == 2


def test_what_waits_for_another_machine_starts_when_that_listens(computer: Computer) -> None:
    server = socket.create_server(("127.0.0.1", 0))
    free = socket.create_server(("127.0.0.1", 0))
    closed = free.getsockname()[1]
    free.close()
    computer.services = {"web": {"depends_on": {"api": {}}}, "api": {}, "job": {}, "late": {}}
    computer.wants(
        waits=[
            {"service": "api", "for": "db", "address": "127.0.0.1", "port": server.getsockname()[1]},
            {"service": "late", "for": "gone", "address": "127.0.0.1", "port": closed},
        ]
    )
    done = computer.run()
    server.close()
    assert done.returncode == 0
    # `late` waits on until patience ends, and holds nobody else back.
    assert computer.ups == ["api job web", "--remove-orphans"]
    assert "late is started although gone does not listen" in done.stdout


def test_what_waits_holds_back_its_own_dependants_only(computer: Computer) -> None:
    computer.services = {"web": {"depends_on": {"api": {}}}, "api": {}, "job": {}}
    probe = socket.create_server(("127.0.0.1", 0))
    port = probe.getsockname()[1]
    probe.close()
    computer.wants(waits=[{"service": "api", "for": "db", "address": "127.0.0.1", "port": port}])
    assert computer.run().returncode == 0
    assert computer.ups == ["job", "--remove-orphans"]


def test_files_get_their_owner_and_mode(computer: Computer) -> None:
    path = computer.root / "opt/escale/configs/of/web/c"
    path.parent.mkdir(parents=True)
    path.write_text("x")
    computer.wants(
        owners=[{"path": "/opt/escale/configs/of/web/c", "uid": os.getuid(), "gid": os.getgid(), "mode": "0440"}]
    )
    assert computer.run().returncode == 0
    assert stat.S_IMODE(path.stat().st_mode) == 0o440


def test_install_hands_over_to_systemd(computer: Computer) -> None:
    assert computer.run("install").returncode == 0
    assert computer.called("systemctl") == [
        "systemctl daemon-reload",
        "systemctl enable escale-disks.service escale.service escale-grow.timer",
        "systemctl start escale-grow.timer",
        "systemctl start escale.service",
    ]


def test_values_never_become_shell(computer: Computer) -> None:
    hostile = "$(touch pwned); `touch pwned`"
    computer.disk("sdb", 1)
    computer.wants(machine=hostile, disks=[data_disk(volume=hostile, path=f"/mnt/{hostile.replace('/', '')}")])
    computer.services = {hostile: {"image": hostile}}
    assert computer.run().returncode == 0
    assert not list(computer.root.rglob("pwned"))
    assert not Path("pwned").exists()


def test_the_agent_can_be_imported_without_doing_anything() -> None:
    loader = SourceFileLoader("escale_agent", str(FOLDER / "agent"))
    spec = spec_from_loader("escale_agent", loader)
    assert spec is not None
    module = module_from_spec(spec)
    loader.exec_module(module)
    assert set(module.COMMANDS) == {"disks", "grow", "install", "up"}
