"""Say how each process of the portal is started."""

from __future__ import annotations

import signal
import sys
from collections.abc import Mapping
from pathlib import Path

from launcher.certificates import Certificates
from launcher.embedded import Postgres, Redis, wrapped
from launcher.supervisor import Program

# What others need starts earlier and stops later.
SERVERS, CLOUDS, WORKERS, TRIGGERS, WEB = 0, 2, 3, 4, 5

PAGES_POOL = {"DATABASE_POOL_MAX": "20"}


def manage(*arguments: str) -> list[str]:
    """Return the arguments that run one of Django's commands."""
    return [sys.executable, "manage.py", *arguments]


def postgres_program(server: Postgres) -> Program:
    """Run the embedded PostgreSQL; an interrupt is its fast, clean shutdown."""
    return Program("postgres", server.command, SERVERS, stop_signal=signal.SIGINT, stop_timeout_s=20)


def redis_program(server: Redis) -> Program:
    """Run the embedded Redis."""
    return Program("redis", server.command, SERVERS + 1)


def simulator_program(name: str, flavour: str, binary: Path, folder: Path, port: int) -> Program:
    """Run one simulated vCenter; what it prints when it is ready goes to `ready.json` in its folder."""
    command = [
        str(binary), "--name", name, "--flavour", flavour, "--home", str(folder), "--listen", f"127.0.0.1:{port}",
    ]  # fmt: skip
    return Program(name, lambda: wrapped(command), CLOUDS, stop_timeout_s=20, output=folder / "ready.json")


def aws_program(name: str, folder: Path, port: int, region: str) -> Program:
    """Run the simulated AWS, which is told apart from a vCenter by nothing but its words: `ready.json` as theirs."""
    command = [
        sys.executable, "-m", "sandbox.aws", "--home", str(folder), "--port", str(port), "--region", region,
    ]  # fmt: skip
    return Program(name, lambda: wrapped(command), CLOUDS, stop_timeout_s=20, output=folder / "ready.json")


def web_program(environ: Mapping[str, str], host: str, port: int) -> Program:
    """Run the pages and the API."""
    return Program("web", lambda: wrapped(_uvicorn(host, port)), WEB, {**PAGES_POOL, **environ})


def machine_program(environ: Mapping[str, str], host: str, port: int, files: Certificates) -> Program:
    """Run the HTTPS listener for deployed machines: the same application, under a certificate they can check."""
    tls = ["--ssl-certfile", str(files.certificate), "--ssl-keyfile", str(files.key)]
    return Program("machine", lambda: wrapped([*_uvicorn(host, port), *tls]), WEB, {**PAGES_POOL, **environ})


def worker_program(environ: Mapping[str, str], number: int) -> Program:
    """Run a Celery worker without the parts that were seen to silence it (portal/celery.py says which).

    The first one reads the clouds too; the others stay free for operations while a cloud hangs.
    """
    queues = "celery,inventory" if number == 1 else "celery"
    command = [
        sys.executable, "-m", "celery", "-A", "portal.celery", "--quiet", "worker",
        "--hostname", f"worker-{number}@%h", "--queues", queues,
        "--concurrency", "2", "--without-gossip", "--without-mingle", "--without-heartbeat", "--loglevel", "INFO",
    ]  # fmt: skip
    return Program(f"worker-{number}", lambda: wrapped(command), WORKERS, environ, stop_timeout_s=20)


def relay_program(environ: Mapping[str, str]) -> Program:
    """Run the relay, which turns outbox rows into pokes, and the sweeper, which pokes what is due."""
    return Program("relay", lambda: wrapped(manage("relay")), TRIGGERS, environ)


def beat_program(environ: Mapping[str, str], folder: Path) -> Program:
    """Run Celery's clock."""
    command = [
        sys.executable, "-m", "celery", "-A", "portal.celery", "--quiet", "beat", "--loglevel", "WARNING",
        "--schedule", str(folder / "beat-schedule"), "--pidfile", "",
    ]  # fmt: skip
    return Program("beat", lambda: wrapped(command), TRIGGERS, environ)


def labels_program(environ: Mapping[str, str]) -> Program:
    """Let the simulated clouds earn their labels, once, while everything else serves already."""
    return Program("labels", lambda: wrapped(manage("label_sandbox")), TRIGGERS, environ, once=True)


def _uvicorn(host: str, port: int) -> list[str]:
    # Event streams are cut after three seconds; browsers come back to where they were by themselves.
    return [
        sys.executable, "-m", "uvicorn", "portal.asgi:application", "--host", host, "--port", str(port),
        "--lifespan", "off", "--no-access-log", "--no-server-header", "--timeout-graceful-shutdown", "3",
    ]  # fmt: skip
