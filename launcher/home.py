"""Keep what a copy of the sandbox remembers between two starts: keys, ports, addresses, and who runs."""

from __future__ import annotations

import base64
import fcntl
import json
import os
import secrets
import shlex
import socket
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Any

from launcher.embedded import LOOPBACK, free_port


class HomeError(RuntimeError):
    """The folder or a port in it cannot be used; the text says what, why and what now."""


class Home:
    """Stand for $ESCALE_HOME. Made with mode 0700, what is secret in it with 0600."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.logs = folder / "logs"
        self.run = folder / "run"
        self.sandbox_env = folder / "sandbox.env"
        self._lock: IO[str] | None = None

    def open(self, *, enterable: bool = False) -> None:
        """Make the folders; `enterable` lets other users pass through them (0711), though not look.

        Raises HomeError when the place cannot be written.
        """
        try:
            for folder in (self.folder, self.logs, self.run):
                folder.mkdir(parents=True, exist_ok=True)
            self.folder.chmod(0o711 if enterable else 0o700)
        except OSError as error:
            raise HomeError(
                f"The folder {self.folder} cannot be used - {error.strerror} - "
                "choose another one by ESCALE_HOME=/some/folder."
            ) from None

    def take(self) -> None:
        """Become the only launcher of this folder until the process ends; raises HomeError when another one is."""
        file = (self.folder / "launcher.lock").open("a+")
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.seek(0)
            raise HomeError(
                f"Escale already runs from {self.folder} (process {file.read().strip() or 'unknown'}) - two copies "
                "cannot share a folder - stop it, or start this one with ESCALE_HOME=/another/folder PORT=0."
            ) from None
        file.truncate(0)
        file.write(str(os.getpid()))
        file.flush()
        self._lock = file

    def secrets(self) -> dict[str, str]:
        """Return the generated secrets, made at the first start and never changed after."""
        path = self.folder / "secrets.json"
        kept: dict[str, str] = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
        made = {
            "secret_key": secrets.token_urlsafe(50),
            "escale_keys": "1:" + base64.b64encode(secrets.token_bytes(32)).decode("ascii"),
            "postgres_password": secrets.token_urlsafe(24),
            "redis_password": secrets.token_urlsafe(24),
        }
        if made.keys() - kept.keys():
            kept = {**made, **kept}
            write_private(path, json.dumps(kept, indent=2))
        return kept

    def port(self, name: str, wanted: int, variable: str) -> int:
        """Return the port to listen at: the one wanted, else the one remembered if it is still free, else a free one.

        Raises HomeError naming the variable when the wanted one is taken.
        """
        if wanted:
            if not port_is_free(wanted):
                raise HomeError(
                    f"Port {wanted} is taken - another program listens there - "
                    f"choose another one by {variable}=8001, or {variable}=0 for any free one."
                )
            return wanted
        path = self.folder / "ports.json"
        kept: dict[str, int] = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
        if name not in kept or not port_is_free(kept[name]):
            taken = set(kept.values())
            port = free_port()
            while port in taken:
                port = free_port()
            kept[name] = port
            path.write_text(json.dumps(kept, indent=2), encoding="utf-8")
        return kept[name]

    def write_sandbox_env(self, url: str, token: str) -> None:
        """Write the file that scripts source to use the API."""
        write_private(
            self.sandbox_env,
            f"ESCALE_URL={shlex.quote(url)}\nESCALE_TOKEN={shlex.quote(token)}\nexport ESCALE_URL ESCALE_TOKEN\n",
        )

    def token(self) -> str:
        """Return the API token written at an earlier start, or nothing."""
        return read_env(self.sandbox_env).get("ESCALE_TOKEN", "")

    def keep_until_shown(self, people: list[dict[str, str]]) -> None:
        """Keep people whose passwords were not shown yet; an empty list forgets them."""
        path = self.run / "not-yet-shown.json"
        if people:
            write_private(path, as_json(people))
        else:
            path.unlink(missing_ok=True)

    def not_yet_shown(self) -> list[dict[str, str]]:
        """Return the people that an earlier start made and did not come to show."""
        path = self.run / "not-yet-shown.json"
        people: list[dict[str, str]] = json.loads(path.read_text(encoding="utf-8")) if path.exists() else []
        return people

    def write_runtime_env(self, environ: Mapping[str, str]) -> None:
        """Keep the settings of the running processes, for `manage.py` typed by hand."""
        write_private(self.run / "runtime.env", "".join(f"{k}={shlex.quote(v)}\n" for k, v in environ.items()))

    def runtime_env(self) -> dict[str, str]:
        """Return the settings that the latest start wrote, or nothing."""
        return read_env(self.run / "runtime.env")


def read_env(path: Path) -> dict[str, str]:
    """Return the NAME=value lines of a file as written by this module; nothing when there is none."""
    if not path.exists():
        return {}
    values: dict[str, str] = {}
    for line in path.read_text(encoding="utf-8").splitlines():
        name, sign, value = line.partition("=")
        if sign:
            values[name] = "".join(shlex.split(value))
    return values


def write_private(path: Path, text: str) -> None:
    """Write a file that its owner alone may read, all of it or nothing."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
    temporary.replace(path)


def port_is_free(port: int, host: str = LOOPBACK) -> bool:
    """Tell whether one may listen at the port now."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError:
            return False
    return True


def as_json(value: Any) -> str:
    """Return JSON for a file that people may read too."""
    return json.dumps(value, indent=2, sort_keys=True)
