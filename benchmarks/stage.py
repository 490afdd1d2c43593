"""Bring up a durable PostgreSQL, a Redis, workers and a relay of one's own for a measurement, and take them down."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from launcher.embedded import Postgres, Redis, free_port, wait_until_it_answers

ROOT = Path(__file__).resolve().parent.parent


class Stage:
    """Own the servers and processes of one benchmark; PostgreSQL runs with its defaults: every commit is durable."""

    def __init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="escale-benchmark-"))
        self.folder.chmod(0o755)
        self._processes: dict[str, subprocess.Popen[bytes]] = {}
        postgres = Postgres(self.folder / "postgres", free_port(), "benchmark", {})
        redis = Redis(self.folder / "redis", free_port(), "benchmark")
        postgres.prepare()
        for name, server in (("postgres", postgres), ("redis", redis)):
            process = self._spawn(name, server.command(), cwd="/")
            wait_until_it_answers(server, process, self.folder / f"{name}.log")
        postgres.ensure_database("escale")
        self.environ = {
            "DATABASE_URL": postgres.url("escale"),
            "REDIS_URL": redis.url(),
            "DJANGO_SETTINGS_MODULE": "benchmarks.settings",
            "ESCALE_SANDBOX": "1",
            "SECRET_KEY": "the key of the benchmarks, which protects nothing at all and nobody",
            "ESCALE_KEYS": "1:" + "VGVzdHMgdXNlIHRoaXMga2V5OyAzMiBieXRlcyBsb24=",
            "LOG_FORMAT": "console",
            "LOG_LEVEL": "WARNING",
            "PYTHONPATH": str(ROOT),
        }
        os.environ.update(self.environ)
        import django

        django.setup()
        from django.core.management import call_command

        call_command("migrate", verbosity=0)

    def start_worker(self, concurrency: int, name: str = "worker", app: str = "portal.celery") -> None:
        """Start a Celery worker with so many processes."""
        self._spawn(name, [
            sys.executable, "-m", "celery", "-A", app, "--quiet", "worker", "--hostname", f"{name}@benchmark",
            "--concurrency", str(concurrency), "--without-gossip", "--without-mingle", "--without-heartbeat",
            "--loglevel", "WARNING",
        ])  # fmt: skip

    def start_relay(self) -> None:
        """Start the relay."""
        self._spawn("relay", [sys.executable, "manage.py", "relay"])

    def stop(self, name: str) -> None:
        """End one process."""
        process = self._processes.pop(name)
        process.send_signal(signal.SIGINT if name == "postgres" else signal.SIGTERM)
        try:
            process.wait(40)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()

    def close(self) -> None:
        """End everything and remove the folder."""
        for name in reversed(list(self._processes)):
            self.stop(name)
        shutil.rmtree(self.folder, ignore_errors=True)

    def _spawn(self, name: str, command: list[str], cwd: str | Path = ROOT) -> subprocess.Popen[bytes]:
        with (self.folder / f"{name}.log").open("ab") as output:
            self._processes[name] = subprocess.Popen(
                command, stdout=output, stderr=output, cwd=cwd, start_new_session=True
            )
        return self._processes[name]


def until(condition: Callable[[], object], timeout_s: float = 120, pause_s: float = 0.005) -> None:
    """Wait for a condition."""
    ends = time.monotonic() + timeout_s
    while not condition():
        if time.monotonic() > ends:
            raise TimeoutError("the benchmark does not come to an end")
        time.sleep(pause_s)
