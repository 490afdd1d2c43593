"""Start, order about and stop a simulated AWS as a process of its own; needs nothing but the standard library."""

from __future__ import annotations

import json
import shutil
import ssl
import subprocess
import sys
import tempfile
import threading
import urllib.error
import urllib.request
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

ROOT = Path(__file__).resolve().parents[2]


class AwsError(Exception):
    """Say what went wrong with a simulated AWS, why, and what to do now."""


class Aws:
    """Run one simulated AWS; without ``home`` it lives in a temporary folder that goes away with `stop`.

    ``python`` must have moto and cryptography: the portal's own, or the sandbox's environment.
    """

    def __init__(
        self,
        home: Path | str | None = None,
        port: int = 0,
        *,
        python: str = sys.executable,
        delays: Mapping[str, int] | None = None,
        buckets: str = "off",
        ready_timeout_s: float = 90.0,
    ) -> None:
        self.port, self._python, self._delays = port, python, dict(delays or {})
        self._temporary = tempfile.mkdtemp(prefix="escale-aws-") if home is None else None
        self.home = Path(home or self._temporary or "")
        self._buckets, self._patience_s = buckets, ready_timeout_s
        self._process: subprocess.Popen[str] | None = None
        self.ready: dict[str, Any] = {}

    def start(self) -> Self:
        """Start it and wait until it serves; AwsError when it does not."""
        command = [self._python, "-m", "sandbox.aws", "--home", str(self.home), "--port", str(self.port)]
        command += ["--stop-on-eof", "--buckets", self._buckets]
        for kind, ms in self._delays.items():
            command += ["--delay", f"{kind}:{ms}"]
        self.home.mkdir(parents=True, exist_ok=True)
        with (self.home / "aws.log").open("a") as log:
            self._process = subprocess.Popen(  # noqa: S603 - our own module
                command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, text=True
            )
        line = self._first_line()
        if not line:
            self.stop()
            raise AwsError(
                f"The simulated AWS does not start - see {self.home}/aws.log and moto.log - is moto installed?"
            )
        self.ready = json.loads(line)
        self.port = int(str(self.ready["url"]).rpartition(":")[2])
        return self

    def _first_line(self) -> str:
        assert self._process is not None
        assert self._process.stdout is not None
        lines: list[str] = []
        reader = threading.Thread(target=lambda: lines.append(self._process.stdout.readline()), daemon=True)  # type: ignore[union-attr]
        reader.start()
        reader.join(self._patience_s)
        return lines[0] if lines else ""

    def stop(self) -> None:
        """End it, and remove a temporary home."""
        process, self._process = self._process, None
        if process is not None:
            process.terminate()
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
            for stream in (process.stdin, process.stdout):
                if stream is not None:
                    stream.close()
        if self._temporary:
            shutil.rmtree(self._temporary, ignore_errors=True)

    def kill(self) -> None:
        """End it as a power failure would."""
        assert self._process is not None
        self._process.kill()
        self._process.wait()

    __enter__ = start

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    # What one needs to know

    @property
    def url(self) -> str:
        """Return the endpoint of all services."""
        return str(self.ready["url"])

    @property
    def region(self) -> str:
        """Return the region in which things stand."""
        return str(self.ready["region"])

    @property
    def thumbprint(self) -> str:
        """Return the certificate's SHA-256 fingerprint."""
        return str(self.ready["thumbprint_sha256"])

    @property
    def ca_pem(self) -> str:
        """Return the certificate of the authority."""
        return Path(self.ready["ca_file"]).read_text()

    @property
    def credentials(self) -> dict[str, Any]:
        """Return the access keys and the roles that exist."""
        loaded: dict[str, Any] = json.loads(Path(self.ready["credentials_file"]).read_text())
        return loaded

    # Orders

    def order(self, **order: Any) -> None:
        """Give an order: ``fault``, ``delays``, ``quotas``, ``denied``, ``buckets`` or ``silent`` (see README.md)."""
        self._control("POST", "/rules", order)

    def fault(self, action: str, kind: str, **more: Any) -> None:
        """Let something befall calls of an action."""
        self.order(fault={"action": action, "kind": kind, **more})

    def calm(self) -> None:
        """Take all orders back; things stay."""
        self._control("POST", "/calm", {})

    def expire(self) -> None:
        """End all sessions of assumed roles."""
        self._control("POST", "/expire", {})

    def reset(self) -> None:
        """Take all orders back and put things as they were at the start."""
        self._control("POST", "/reset", {})

    def calls(self) -> dict[str, int]:
        """Return how often each action was called since the last reset."""
        told: dict[str, int] = self._control("GET", "/calls", None)
        return told

    def _control(self, method: str, path: str, data: Any) -> Any:
        token = Path(self.ready["control_token_file"]).read_text()
        request = urllib.request.Request(  # noqa: S310 - our own address
            self.ready["control_url"] + path,
            method=method,
            data=None if data is None else json.dumps(data).encode(),
            headers={"Authorization": f"Bearer {token}"},
        )
        context = ssl.create_default_context(cafile=self.ready["ca_file"])
        try:
            with urllib.request.urlopen(request, timeout=60, context=context) as answer:  # noqa: S310
                return json.loads(answer.read())
        except urllib.error.HTTPError as error:
            raise AwsError(f"The simulated AWS refused {path} - {error.read().decode()} - correct the order") from None
