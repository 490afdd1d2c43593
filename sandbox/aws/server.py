"""The proxy: HTTPS in front of moto, with a control API beside it."""

from __future__ import annotations

import contextlib
import hmac
import http.server
import json
import secrets
import socket
import ssl
import threading
import time
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from sandbox.aws import certificates, quotas, seed, wire
from sandbox.aws.accounts import Accounts
from sandbox.aws.estate import Estate
from sandbox.aws.rules import Delays, Rules
from sandbox.aws.upstream import Upstream
from sandbox.aws.wire import Answer, Refused, Request

_MAX_BODY = 4 << 20


class Cut(Exception):  # noqa: N818 - an event
    """The connection is to break here."""


class Sandbox:
    """One simulated AWS: its keys, its rules, moto, and the server before it."""

    def __init__(self, home: Path, port: int, *, regions: tuple[str, ...], delays: Delays) -> None:
        home.mkdir(parents=True, exist_ok=True)
        self.home, self.regions, self._delays = home, regions, delays
        self.certificates = certificates.provide(home)
        self.accounts, self.rules, self.upstream = Accounts(home), Rules(), Upstream(home)
        self.rules.reset(_copy(delays))
        self.estate = Estate(self.upstream, self.rules)
        self.control_token = secrets.token_urlsafe(24)
        file = home / "control-token"
        file.touch(mode=0o600)
        file.write_text(self.control_token)
        self.server = _Server(("127.0.0.1", port), _handler(self))
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.certificates.chain)
        self.server.context = context
        self.port: int = self.server.server_address[1]
        self.upstream.wait()
        self.plant()

    def plant(self) -> None:
        """Put the account's own things there."""
        for region in self.regions:
            seed.plant(self.upstream, region, next(iter(self.accounts.keys)))

    def answer(self, request: Request) -> Answer:
        """Answer a request of AWS's API; Cut when the connection is to break."""
        action = request.action
        struck = self.rules.struck(action)
        if any(fault.kind == "cut_before" for fault in struck):
            raise Cut
        for fault in struck:
            if fault.kind == "delay":
                time.sleep(fault.ms / 1000)
        try:
            answer = self._answer(request, struck)
        except Refused as refused:
            answer = wire.error(request, refused)
        if any(fault.kind == "cut_after" for fault in struck):
            raise Cut
        return answer

    def _answer(self, request: Request, struck: list[Any]) -> Answer:
        key = self.accounts.authenticate(request)
        for fault in struck:
            if fault.kind == "refuse":
                raise Refused(fault.code, fault.message, fault.status)
        self.rules.spend(key.account, request.action)
        prefix = {"elasticloadbalancing": "elasticloadbalancing", "servicequotas": "servicequotas"}.get(
            request.service, request.service
        )
        if f"{prefix}:{request.action}" in self.rules.denied:
            if request.service == "ec2":
                raise Refused("UnauthorizedOperation", "You are not authorized to perform this operation.", 403)
            raise Refused("AccessDenied", f"not authorized to perform: {prefix}:{request.action}", 403)
        if request.service == "ec2":
            return self.estate.handle(request, key.account, doom=any(fault.kind == "doom" for fault in struck))
        if request.service == "servicequotas":
            return quotas.handle(request, self.rules)
        if request.action == "AssumeRole":
            self.accounts.assume(request)
            answer = self.upstream.forward(request)
            if answer.status == 200:
                self.accounts.learn(request, answer.body)
            return answer
        if request.action == "CreateLoadBalancer":
            self._balancers(request)
        if request.action == "CreateListener":
            self._listeners(request)
        return self.upstream.forward(request)

    def _balancers(self, request: Request) -> None:
        """Refuse a load balancer beyond the quota."""
        found = self._look(request, "DescribeLoadBalancers")
        known = [element.text for element in found.iter("LoadBalancerName")]
        if request.params.get("Name") not in known and len(known) + 1 > self.rules.quota("L-69A177A2"):
            raise Refused("TooManyLoadBalancers", "The maximum number of load balancers has been reached.")

    def _listeners(self, request: Request) -> None:
        """Refuse a second listener on a port, whatever it speaks."""
        found = self._look(request, "DescribeListeners", LoadBalancerArn=request.params.get("LoadBalancerArn", ""))
        if request.params.get("Port") in [element.text for element in found.iter("Port")]:
            raise Refused("DuplicateListener", "A listener with the specified port already exists.")

    def _look(self, request: Request, action: str, **params: str) -> wire.Element:
        body = urlencode({"Action": action, "Version": "2015-12-01", **params}).encode()
        return wire.parse(self.upstream.forward(Request("POST", "/", request.headers, body, {}, {})).body)

    def control(self, method: str, path: str, body: bytes) -> tuple[int, Any]:
        """Answer the control API: orders, counts, an end of sessions, a reset."""
        if (method, path) == ("GET", "/calls"):
            return 200, dict(self.rules.calls)
        if method != "POST":
            return 404, {"error": "no such order"}
        if path == "/rules":
            try:
                self.rules.order(json.loads(body))
            except (TypeError, ValueError, KeyError, AttributeError) as error:
                return 400, {"error": f"not understood: {error!r}"}
            return 200, {}
        if path == "/calm":
            self.rules.reset(_copy(self._delays))
            return 200, {}
        if path == "/expire":
            self.accounts.expire()
            return 200, {}
        if path == "/reset":
            self.rules.reset(_copy(self._delays))
            self.accounts.expire()  # moto forgets whose account a session's key is of
            self.upstream.reset()
            self.estate.reset()
            self.plant()
            return 200, {}
        return 404, {"error": "no such order"}

    def close(self) -> None:
        """End the server and moto."""
        self.server.shutdown()
        self.server.server_close()
        self.upstream.stop()


class _Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 64
    context: ssl.SSLContext

    def finish_request(self, request: Any, client_address: Any) -> None:
        """Do the handshake in the connection's own thread: a client that is silent holds up nobody."""
        request.settimeout(120)
        with contextlib.suppress(OSError):
            secured = self.context.wrap_socket(request, server_side=True)
            try:
                super().finish_request(secured, client_address)
            finally:
                with contextlib.suppress(OSError):
                    secured.shutdown(socket.SHUT_RDWR)
                secured.close()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing of clients that go away."""


def _handler(sandbox: Sandbox) -> type[http.server.BaseHTTPRequestHandler]:
    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True
        wbufsize = 1 << 16

        def do_POST(self) -> None:
            length = int(self.headers.get("Content-Length") or 0)
            if length > _MAX_BODY:
                self.close_connection = True
                return
            body = self.rfile.read(length)
            if self.path.startswith("/_sandbox/"):
                self._control(body)
                return
            try:
                answer = sandbox.answer(wire.read(self.command, self.path, self.headers.items(), body))
            except Cut:
                self.close_connection = True
                return
            except Exception as error:  # a bug here must not look like a lost connection
                text = f"{type(error).__name__}: {error}"
                answer = Answer(500, text.encode(), "text/plain")
            self._write(answer)

        do_GET = do_POST  # noqa: N815

        def _control(self, body: bytes) -> None:
            given = self.headers.get("Authorization", "").removeprefix("Bearer ")
            if not hmac.compare_digest(given.encode(), sandbox.control_token.encode()):
                status, told = 401, {"error": "the control token is missing or wrong"}
            else:
                status, told = sandbox.control(self.command, self.path.removeprefix("/_sandbox"), body)
            self._write(Answer(status, json.dumps(told).encode(), "application/json"))

        def _write(self, answer: Answer) -> None:
            self.send_response(answer.status)
            self.send_header("Content-Type", answer.kind)
            self.send_header("Content-Length", str(len(answer.body)))
            self.end_headers()
            self.wfile.write(answer.body)

        def log_message(self, format: str, *args: object) -> None:
            pass

    return Handler


def _copy(delays: Delays) -> Delays:
    return Delays(**{name: getattr(delays, name) for name in Delays.__slots__})


def serve(sandbox: Sandbox) -> None:
    """Serve until `close`."""
    sandbox.server.serve_forever(0.1)


def start_in_thread(sandbox: Sandbox) -> threading.Thread:
    """Serve in a thread of its own."""
    thread = threading.Thread(target=serve, args=(sandbox,), daemon=True)
    thread.start()
    return thread
