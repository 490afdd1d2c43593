"""Lend PostgreSQL and Redis to the test session, shared by every worker and by sessions side by side.

The cluster lives in the temporary folder of the user, made once and started again by each session that finds it
stopped. The last session to leave stops the servers. Locks are `flock`s, so a session that is killed leaves none;
servers that such a session left running are used, and stopped, by the next one.
"""

from __future__ import annotations

import atexit
import fcntl
import hashlib
import json
import os
import secrets
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from launcher.embedded import Postgres, Redis, free_port, wait_until_it_answers

CLONE = Path(__file__).resolve().parent.parent
SLOTS = 16  # test sessions side by side
DATABASES_PER_SLOT = 8  # Redis databases of one session: one a worker

# Speed over safety: the data of a test lives for seconds.
POSTGRES_OPTIONS = {
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "shared_buffers": "64MB",
    "max_connections": "400",
    "autovacuum": "off",
}


def home() -> Path:
    """Return the folder of this clone's test servers, open to this user alone."""
    digest = hashlib.sha256(f"{CLONE}:{sys.prefix}:{CLONE.stat().st_ino}".encode()).hexdigest()[:12]
    folder = Path(tempfile.gettempdir()) / f"escale-tests-{os.getuid()}-{digest}"
    folder.mkdir(mode=0o700, exist_ok=True)
    if folder.stat().st_uid != os.getuid():
        raise RuntimeError(f"{folder} belongs to somebody else - set TMPDIR to a folder of your own.")
    return folder


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    with path.open("a") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


class Services:
    """Hold this session's place among the users of the servers; `leave` gives it back."""

    def __init__(self) -> None:
        self.folder = home()
        self.state_file = self.folder / "state.json"
        self._presence: IO[str] = (self.folder / "present.lock").open("a")
        self._slot_file: IO[str] | None = None
        self.slot = -1

    def join(self) -> dict[str, str]:
        """Start what is not running, take a slot, and return DATABASE_URL and REDIS_URL."""
        with _locked(self.folder / "start.lock"):
            fcntl.flock(self._presence, fcntl.LOCK_SH)
            self._take_slot()
            state = self._state()
            postgres, redis = self._servers(state)
            for name, server in (("postgres", postgres), ("redis", redis)):
                if not server.answers():
                    state["pids"][name] = self._start(name, server)
            self.state_file.write_text(json.dumps(state))
            postgres.ensure_database(f"escale_{self.slot}")
        atexit.register(self.leave)
        return {
            "DATABASE_URL": postgres.url(f"escale_{self.slot}"),
            "REDIS_URL": redis.url(self.slot * DATABASES_PER_SLOT),
        }

    def leave(self) -> None:
        """Give the place back, and stop the servers when nobody else is present."""
        if self._presence.closed:
            return
        with _locked(self.folder / "start.lock"):
            try:
                fcntl.flock(self._presence, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                pass
            else:
                self._stop()
            self._presence.close()
            if self._slot_file:
                self._slot_file.close()

    def _take_slot(self) -> None:
        for slot in range(SLOTS):
            file = (self.folder / f"slot-{slot}.lock").open("a")
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                file.close()
                continue
            self.slot, self._slot_file = slot, file
            return
        raise RuntimeError(f"{SLOTS} test sessions run already - wait for one of them to end.")

    def _state(self) -> dict[str, Any]:
        if self.state_file.exists():
            state: dict[str, Any] = json.loads(self.state_file.read_text())
            return state
        self.state_file.touch(mode=0o600)
        return {
            "password": secrets.token_hex(16),
            "ports": {"postgres": free_port(), "redis": free_port()},
            "pids": {},
        }

    def _servers(self, state: dict[str, Any]) -> tuple[Postgres, Redis]:
        return (
            Postgres(self.folder / "postgres", state["ports"]["postgres"], state["password"], POSTGRES_OPTIONS),
            Redis(self.folder / "redis", state["ports"]["redis"], state["password"], SLOTS * DATABASES_PER_SLOT),
        )

    def _start(self, name: str, server: Postgres | Redis) -> int:
        if isinstance(server, Postgres):
            server.prepare()
        log = self.folder / f"{name}.log"
        # Not tied to this process: another session may still be using the server when this one ends.
        argv = _untied(server.command())
        with log.open("ab") as output:
            process = subprocess.Popen(
                argv, stdout=output, stderr=output, stdin=subprocess.DEVNULL, start_new_session=True, cwd="/"
            )
        wait_until_it_answers(server, process, log)
        return process.pid

    def _stop(self) -> None:
        state = self._state()
        for name, number in (("postgres", signal.SIGINT), ("redis", signal.SIGTERM)):
            pid = state["pids"].pop(name, None)
            if pid and _is_ours(pid, self.folder):
                os.kill(pid, number)
                _wait_for_end(pid)
        self.state_file.write_text(json.dumps(state))


def _untied(argv: list[str]) -> list[str]:
    start = argv.index("--parent")
    return argv[:start] + argv[start + 2 :]


def _is_ours(pid: int, folder: Path) -> bool:
    """Tell whether the process is a server of this folder, and not another one that got its number since."""
    try:
        return Path(f"/proc/{pid}/cwd").resolve().is_relative_to(folder)
    except OSError:
        return False


def _wait_for_end(pid: int, timeout_s: float = 10) -> None:
    until = time.monotonic() + timeout_s
    while time.monotonic() < until:
        try:
            if os.waitpid(pid, os.WNOHANG)[0]:
                return
        except ChildProcessError:
            if not Path(f"/proc/{pid}").exists():
                return
        time.sleep(0.02)
    os.kill(pid, signal.SIGKILL)
