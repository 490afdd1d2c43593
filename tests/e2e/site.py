"""Run the whole portal for a browser: a database of its own, web, worker and relay as processes."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit
from urllib.request import urlopen

import psycopg
from psycopg import sql

from launcher.embedded import LOOPBACK, free_port

CLONE = Path(__file__).resolve().parents[2]
PASSWORD = "a harbour on the way there"
READY_S = 60


@dataclass
class Site:
    """Hold the address of a running portal and the ids of what it shows."""

    url: str
    ids: dict[str, dict[str, str]]
    folder: Path
    processes: list[subprocess.Popen[bytes]] = field(default_factory=list)

    def address(self, path: str) -> str:
        """Return the address of a path; `{designs.shop}` stands for the id of the design shop."""
        for kind, known in self.ids.items():
            for name, key in known.items():
                path = path.replace(f"{{{kind}.{name}}}", key)
        return self.url + path


@contextmanager
def running_site(folder: Path) -> Iterator[Site]:
    """Start everything, lend it, and end it; the database goes with it."""
    port = free_port()
    name = f"escale_browser_{os.getpid()}"
    admin = os.environ["DATABASE_URL"]
    parts = urlsplit(admin)
    environment = {
        **os.environ,
        "DATABASE_URL": urlunsplit(parts._replace(path=f"/{name}")),
        "REDIS_URL": _next_redis_database(os.environ["REDIS_URL"]),
        "ESCALE_URL": f"http://{LOOPBACK}:{port}",
        "PYTHONPATH": str(CLONE),
        "LOG_LEVEL": "WARNING",
    }
    # No connection of the caller's database must be open: PostgreSQL copies nothing that is in use.
    with psycopg.connect(admin, autocommit=True) as connection:
        connection.execute(sql.SQL("create database {}").format(sql.Identifier(name)))
    site = Site(environment["ESCALE_URL"], {}, folder)
    try:
        _run(environment, "manage.py", "migrate", "--verbosity", "0")
        site.ids = json.loads(_run(environment, "-m", "tests.e2e.seed", PASSWORD, str(folder)))
        uvicorn = ["-m", "uvicorn", "portal.asgi:application", "--host", LOOPBACK, "--port", str(port),
                   "--lifespan", "off", "--log-level", "warning", "--timeout-graceful-shutdown", "1"]  # fmt: skip
        worker = ["-m", "celery", "-A", "portal.celery", "worker", "--queues", "celery", "--concurrency", "1",
                  "--without-gossip", "--without-mingle", "--without-heartbeat", "--loglevel", "WARNING"]  # fmt: skip
        for title, argv in (("web", uvicorn), ("worker", worker), ("relay", ["manage.py", "relay"])):
            log = (folder / f"{title}.log").open("wb")
            site.processes.append(
                subprocess.Popen([sys.executable, *argv], env=environment, cwd=CLONE, stdout=log, stderr=log)
            )
        _wait_until_it_answers(site)
        yield site
    finally:
        for process in reversed(site.processes):
            process.send_signal(signal.SIGTERM)
        for process in site.processes:
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        with psycopg.connect(admin, autocommit=True) as connection:
            connection.execute(sql.SQL("drop database if exists {} with (force)").format(sql.Identifier(name)))


def _next_redis_database(url: str) -> str:
    """Return the address of the last Redis database of the session's own, which no worker of pytest uses."""
    from tests.services import DATABASES_PER_SLOT

    parts = urlsplit(url)
    first = int(parts.path.strip("/") or 0)
    return urlunsplit(parts._replace(path=f"/{first - first % DATABASES_PER_SLOT + DATABASES_PER_SLOT - 1}"))


def _run(environment: dict[str, str], *argv: str) -> str:
    result = subprocess.run([sys.executable, *argv], env=environment, cwd=CLONE, capture_output=True, text=True)
    if result.returncode:
        raise RuntimeError(f"{' '.join(argv)} failed:\n{result.stderr[-3000:]}")
    return result.stdout


def _wait_until_it_answers(site: Site) -> None:
    until = time.monotonic() + READY_S
    while True:
        try:
            urlopen(f"{site.url}/login/", timeout=5).close()
            return
        except OSError:
            dead = [process for process in site.processes if process.poll() is not None]
            if dead or time.monotonic() > until:
                logs = "\n".join(log.read_text(errors="replace")[-1500:] for log in site.folder.glob("*.log"))
                raise RuntimeError(f"the portal does not answer at {site.url}:\n{logs}") from None
            time.sleep(0.1)
