"""A proxy that stands before a vCenter and breaks chosen calls: before it saw them, or after it has done them.

What it can do to a call, by the word given to ``arm``:

==================  ==================================================================================================
``before``          the connection is cut, and the vCenter never saw the call
``after``           the vCenter has done it, and the connection is cut before the answer
``half``            as ``after``, with half of the answer
``fault:NAME``      a SOAP fault of this vSphere type is answered, and the vCenter never saw the call
``status:NUMBER``   so does an HTTP status with a page for people, as a gateway before a vCenter that is starting
``delay:SECONDS``   the call waits, then goes on
``logout``          the vCenter has done it and the answer comes, but the session is over
==================  ==================================================================================================

Instead of a word, a function without arguments may be given: it is run when the vCenter has done the call and before
the answer goes out, for example to kill the vCenter.
"""

from __future__ import annotations

import contextlib
import datetime
import hashlib
import http.client
import http.server
import ipaddress
import re
import socket
import ssl
import threading
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Self

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

Breakage = str | Callable[[], object]


def self_signed(folder: Path) -> tuple[Path, str]:
    """Write a certificate for 127.0.0.1 with its key; return the file and its SHA-256 fingerprint."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "breaker")])
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), False)
        .sign(key, hashes.SHA256())
    )
    file = folder / "breaker.pem"
    file.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        + certificate.public_bytes(serialization.Encoding.PEM)
    )
    return file, hashlib.sha256(certificate.public_bytes(serialization.Encoding.DER)).hexdigest()


class Breaker:
    """Forward HTTPS to ``127.0.0.1:port``, and break what it was told to break."""

    def __init__(self, port: int, folder: Path) -> None:
        self.upstream = port
        certificate, self.thumbprint = self_signed(folder)
        self._context = ssl._create_unverified_context()
        self._lock = threading.Lock()
        self._rules: dict[str, list[Breakage]] = {}
        self.seen: Counter[str] = Counter()
        self.forwarded: Counter[str] = Counter()
        breaker = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True  # headers and body go in two writes
            wbufsize = 1 << 20

            upstream: http.client.HTTPSConnection | None = None  # kept as long as the client's connection

            def do_POST(self) -> None:
                breaker.handle(self)

            def finish(self) -> None:
                super().finish()
                if self.upstream is not None:
                    self.upstream.close()

            do_GET = do_POST  # noqa: N815

            def log_message(self, format: str, *args: object) -> None:
                pass

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._server.handle_error = lambda *_: None  # type: ignore[method-assign,assignment]
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate)
        self._server.socket = context.wrap_socket(self._server.socket, server_side=True)
        self.port: int = self._server.server_address[1]
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()

    def arm(self, method: str, how: Breakage, times: int = 1) -> None:
        """Break the next calls of a method; ``how`` is a word of the table above, or a function.

        Calls that were armed one after the other are broken in this order.
        """
        with self._lock:
            self._rules.setdefault(method, []).extend([how] * times)

    def disarm(self) -> None:
        with self._lock:
            self._rules.clear()
            self.seen.clear()
            self.forwarded.clear()

    def handle(self, request: http.server.BaseHTTPRequestHandler) -> None:
        body = request.rfile.read(int(request.headers.get("Content-Length") or 0))
        found = re.search(rb"<soapenv:Body>\s*<(\w+)", body)
        method = found[1].decode() if found else request.path
        with self._lock:
            self.seen[method] += 1
            rules = self._rules.get(method, [])
            how: Breakage = rules.pop(0) if rules else ""
        word, _, detail = how.partition(":") if isinstance(how, str) else ("", "", "")
        if word == "before":
            return self._cut(request)
        if word == "fault":
            return self._answer(request, 500, "text/xml", _fault(detail))
        if word == "status":
            return self._answer(
                request, int(detail), "text/html", b"<html><body><h1>no healthy upstream</h1></body></html>"
            )
        if word == "delay":
            time.sleep(float(detail))
        upstream = getattr(request, "upstream", None)
        if upstream is None:
            upstream = http.client.HTTPSConnection("127.0.0.1", self.upstream, timeout=60, context=self._context)
            request.upstream = upstream  # type: ignore[attr-defined]
        headers = {name: value for name, value in request.headers.items() if name.lower() != "host"}
        try:
            upstream.request(request.command, request.path, body or None, headers)
            response = upstream.getresponse()
            content = response.read()
        except (OSError, http.client.HTTPException):  # the vCenter died
            return self._cut(request)
        with self._lock:
            self.forwarded[method] += 1
        if word == "after":
            return self._cut(request)
        if word == "logout":
            self._log_out(headers)
        if callable(how):
            how()
        request.send_response(response.status)
        for name, value in response.getheaders():
            if name.lower() not in ("transfer-encoding", "content-length", "connection", "date", "server"):
                request.send_header(name, value)
        request.send_header("Content-Length", str(len(content)))
        request.end_headers()
        if word == "half":
            request.wfile.write(content[: len(content) // 2])
            request.wfile.flush()
            return self._cut(request)
        request.wfile.write(content)
        request.wfile.flush()
        return None

    def _answer(self, request: http.server.BaseHTTPRequestHandler, status: int, kind: str, content: bytes) -> None:
        request.send_response(status)
        request.send_header("Content-Type", kind)
        request.send_header("Content-Length", str(len(content)))
        request.end_headers()
        request.wfile.write(content)
        request.wfile.flush()

    def _log_out(self, headers: dict[str, str]) -> None:
        """End the session of a call's cookie at the vCenter."""
        connection = http.client.HTTPSConnection("127.0.0.1", self.upstream, timeout=60, context=self._context)
        body = _envelope('<Logout xmlns="urn:vim25"><_this type="SessionManager">SessionManager</_this></Logout>')
        wanted = {name: value for name, value in headers.items() if name.lower() in ("cookie", "soapaction")}
        try:
            connection.request("POST", "/sdk", body, {"Content-Type": "text/xml", **wanted})
            connection.getresponse().read()
        finally:
            connection.close()

    def _cut(self, request: http.server.BaseHTTPRequestHandler) -> None:
        request.close_connection = True
        with contextlib.suppress(OSError):
            request.connection.shutdown(socket.SHUT_RDWR)


def _envelope(inside: str) -> bytes:
    return (
        '<?xml version="1.0" encoding="UTF-8"?><soapenv:Envelope '
        'xmlns:soapenv="http://schemas.xmlsoap.org/soap/envelope/" xmlns:xsd="http://www.w3.org/2001/XMLSchema" '
        'xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"><soapenv:Body>'
        f"{inside}</soapenv:Body></soapenv:Envelope>"
    ).encode()


def _fault(name: str) -> bytes:
    """Return the SOAP fault of a vSphere fault type without properties."""
    return _envelope(
        "<soapenv:Fault><faultcode>ServerFaultCode</faultcode><faultstring>injected by the test</faultstring>"
        f'<detail><{name}Fault xmlns="urn:vim25" xsi:type="{name}"></{name}Fault></detail></soapenv:Fault>'
    )
