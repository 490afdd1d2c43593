"""Moto's server as a child, and calls to it."""

from __future__ import annotations

import http.client
import os
import socket
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import urlencode

from sandbox.aws import wire
from sandbox.aws.wire import Answer, Element, Request

_READY_S = 60.0
_PASSED = ("authorization", "content-type", "x-amz-target", "x-amz-date", "x-amz-security-token")


class Upstream:
    """One moto server on a loopback port of its own; it ends with this process."""

    def __init__(self, home: Path) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port: int = probe.getsockname()[1]
        self._log = (home / "moto.log").open("ab")
        self.process = subprocess.Popen(  # noqa: S603 - our own interpreter
            [sys.executable, "-m", "sandbox.aws.child", str(self.port), str(os.getpid())],
            stdout=self._log, stderr=self._log, stdin=subprocess.DEVNULL,
        )  # fmt: skip

        (home / "moto.pid").write_text(str(self.process.pid))

    def wait(self) -> None:
        """Wait until moto listens; RuntimeError when it does not."""
        deadline = time.monotonic() + _READY_S
        while time.monotonic() < deadline:
            if self.process.poll() is not None:
                break
            try:
                socket.create_connection(("127.0.0.1", self.port), 1).close()
                return
            except OSError:
                time.sleep(0.05)
        raise RuntimeError("moto's server does not start - see moto.log in the home folder")

    def forward(self, request: Request) -> Answer:
        """Pass a request on as it is."""
        headers = {name: request.headers[name] for name in _PASSED if name in request.headers}
        return self._send(request.method, request.path, request.body, headers)

    def ask(self, request: Request, action: str, params: Mapping[str, str]) -> Element:
        """Ask EC2 something else on behalf of whoever sent a request; an error is returned as its document."""
        body = urlencode({"Action": action, "Version": "2016-11-15", **params})
        headers = {
            "authorization": request.headers["authorization"],
            "content-type": "application/x-www-form-urlencoded; charset=utf-8",
        }
        return wire.parse(self._send("POST", "/", body.encode(), headers).body)

    def reset(self) -> None:
        """Empty moto."""
        self._send("POST", "/moto-api/reset", b"", {})

    def stop(self) -> None:
        """End the child."""
        self.process.terminate()
        try:
            self.process.wait(5)
        except subprocess.TimeoutExpired:
            self.process.kill()
        self._log.close()

    def _send(self, method: str, path: str, body: bytes, headers: Mapping[str, str]) -> Answer:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=120)
        try:
            connection.request(method, path, body, dict(headers))
            response = connection.getresponse()
            return Answer(response.status, response.read(), response.headers.get("Content-Type", "text/xml"))
        finally:
            connection.close()
