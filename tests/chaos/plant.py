"""Workers, relays and web processes of the portal, as real processes over one PostgreSQL and one Redis of their own."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

from launcher.embedded import Redis, free_port, wait_until_it_answers
from tests.chaos.filecloud import FileCloud

ROOT = Path(__file__).resolve().parents[2]
FIGURES = {
    "lease_s": 1.5,
    "heartbeat_s": 0.4,
    "budget_s": 5.0,
    "slice_s": 0.5,
    "glance_s": 0.2,
    "poll_min_s": 0.05,
    "backoff_base_s": 0.05,
    "repoke_s": 1.0,
    "sweep_s": 0.5,
    "relay_tick_s": 0.05,
    "session_idle_s": 1.0,
    "max_takeovers": 60,
    "beat_s": 1.0,
}


class Plant:
    """Start and end processes of the portal against a test database; each has its log in the plant's folder."""

    def __init__(self, folder: Path, database: dict[str, Any]) -> None:
        self.folder = folder
        self.cloud = FileCloud(str(folder / "cloud.sqlite"))
        self.redis = Redis(folder / "redis", free_port(), "chaos")
        self._redis_process: subprocess.Popen[bytes] | None = None
        self._processes: dict[str, subprocess.Popen[bytes]] = {}
        self._commands: dict[str, list[str]] = {}
        self.environ = {
            **os.environ,
            "DATABASE_URL": "postgresql://{USER}:{PASSWORD}@{HOST}:{PORT}/{NAME}".format(**database),
            "REDIS_URL": self.redis.url(),
            "DJANGO_SETTINGS_MODULE": "tests.chaos.settings",
            "CHAOS_CLOUD": self.cloud.path,
            "CHAOS_FIGURES": json.dumps(FIGURES),
            "LOG_LEVEL": "INFO",
            "PYTHONPATH": str(ROOT),
        }

    # Redis ------------------------------------------------------------------------------------------------------

    def start_redis(self) -> None:
        log = self.folder / "redis.log"
        with log.open("ab") as output:
            self._redis_process = subprocess.Popen(self.redis.command(), stdout=output, stderr=output, cwd="/")
        wait_until_it_answers(self.redis, self._redis_process, log)

    def kill_redis(self) -> None:
        assert self._redis_process is not None
        self._redis_process.kill()
        self._redis_process.wait(10)

    def flush_redis(self) -> None:
        import redis

        with redis.Redis.from_url(self.redis.url()) as client:
            client.flushall()

    # Processes --------------------------------------------------------------------------------------------------

    def start_worker(self, name: str = "worker", concurrency: int = 2) -> str:
        return self._start(name, [
            sys.executable, "-m", "celery", "-A", "portal.celery", "--quiet", "worker", "--hostname", f"{name}@chaos",
            "--concurrency", str(concurrency), "--without-gossip", "--without-mingle", "--without-heartbeat",
            "--loglevel", "WARNING",
        ])  # fmt: skip

    def start_relay(self, name: str = "relay") -> str:
        return self._start(name, [sys.executable, "manage.py", "relay"])

    def start_web(self, name: str) -> str:
        """Start a web process and return its address once it answers."""
        port = free_port()
        self._start(name, [
            sys.executable, "-m", "uvicorn", "portal.asgi:application", "--host", "127.0.0.1", "--port", str(port),
            "--log-level", "warning", "--timeout-graceful-shutdown", "2",
        ])  # fmt: skip
        address = f"http://127.0.0.1:{port}"
        until(lambda: _answers(f"{address}/healthz"), 40, f"{name} does not answer", self)
        return address

    def _start(self, name: str, command: list[str]) -> str:
        self._commands[name] = command
        with (self.folder / f"{name}.log").open("ab") as output:
            self._processes[name] = subprocess.Popen(
                command, stdout=output, stderr=output, cwd=ROOT, env=self.environ, start_new_session=True
            )
        return name

    def restart_if_dead(self, name: str) -> bool:
        """Do what a supervisor does; tells whether it was necessary."""
        if self._processes[name].poll() is None:
            return False
        self._start(name, self._commands[name])
        return True

    def kill(self, name: str) -> None:
        """End a process and its children at once, as a lost machine does."""
        process = self._processes.pop(name)
        os.killpg(process.pid, signal.SIGKILL)
        process.wait(10)

    def stop(self, name: str, timeout_s: float = 20) -> float:
        """Ask a process to end and return how long that took."""
        process = self._processes.pop(name)
        began = time.monotonic()
        process.terminate()
        try:
            process.wait(timeout_s)
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
        return time.monotonic() - began

    def running(self) -> list[str]:
        return list(self._processes)

    def workers_ready(self, *names: str, timeout_s: float = 60) -> None:
        """Wait until workers have proved that they consume."""
        from apps.operations.models import WorkerBeat

        wanted = {f"{name}@chaos" for name in names}
        until(lambda: wanted <= set(WorkerBeat.objects.values_list("name", flat=True)), timeout_s, "no beat", self)

    def close(self) -> None:
        for pid in self.cloud.stopped():
            _signal(pid, signal.SIGCONT)
        for name in self.running():
            self.kill(name)
        if self._redis_process is not None and self._redis_process.poll() is None:
            self.kill_redis()

    def logs(self) -> str:
        """Return the ends of all logs, for a failure's message."""
        return "\n".join(
            f"--- {log.name}\n{log.read_text(errors='replace')[-2_500:]}" for log in sorted(self.folder.glob("*.log"))
        )


def until(condition: Callable[[], object], timeout_s: float, complaint: str, plant: Plant | None = None) -> None:
    """Wait for a condition; AssertionError with the processes' logs when it does not come about."""
    ends = time.monotonic() + timeout_s
    while not condition():
        if time.monotonic() > ends:
            raise AssertionError(f"{complaint} after {timeout_s} s\n{plant.logs() if plant else ''}")
        time.sleep(0.05)


def _answers(address: str) -> bool:
    try:
        with urllib.request.urlopen(address, timeout=2) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False


def _signal(pid: int, number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, number)
