"""A cloud's address leads to the cloud, whatever its name server says a moment later."""

from __future__ import annotations

import datetime
import ipaddress
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from connectors import addressing
from connectors.addressing import AddressPolicy, Refusal, open_socket, resolve
from connectors.base import Access, ConnectorError
from connectors.vsphere.transport import Transport

ANYWHERE = AddressPolicy()
SANDBOX = AddressPolicy(loopback=True)
NAME = "vc.rebound.example"


# What an address is


@pytest.mark.parametrize(
    "text",
    [
        "169.254.169.254",
        "169.254.0.1",
        "fe80::1",
        "fe80::a9fe:a9fe",
        "fe80::1%eth0",
        "2001:db8::1%1",
        "::ffff:169.254.169.254",
        "::ffff:a9fe:a9fe",
        "::169.254.169.254",
        "::ffff:0:169.254.169.254",
        "64:ff9b::169.254.169.254",
        "64:ff9b:1::169.254.169.254",
        "64:ff9b:1:a9fe:a9:fe00::",
        "2002:a9fe:a9fe::1",
        "2001:0:a9fe:a9fe::",  # Teredo, the server
        "2001:0:808:808:0:0:5601:5601",  # Teredo, the client's address is stored inverted
        "2001:db8::5efe:169.254.169.254",
        "2001:db8::200:5efe:169.254.169.254",
        "fd00:ec2::254",
        "fd00:ec2::23",
        "fd20:ce::254",
        "100.100.100.200",
        "168.63.129.16",
    ],
)
def test_where_clouds_tell_secrets_is_refused_in_every_form(text: str) -> None:
    for policy in (ANYWHERE, SANDBOX, AddressPolicy(("0.0.0.0/0", "::/0"), loopback=True)):
        assert policy.verdict(text) is Refusal.METADATA
        assert "link-local" in policy.why_not(text)


@pytest.mark.parametrize(
    "text",
    ["0.0.0.0", "0.1.2.3", "::", "224.0.0.1", "ff02::1", "255.255.255.255", "240.0.0.1", "::ffff:0.0.0.0",
     "::ffff:224.0.0.1", "64:ff9b::0.0.0.0", "2002:e000:1::"],
)  # fmt: skip
def test_what_is_no_hosts_address_is_refused(text: str) -> None:
    assert AddressPolicy(("0.0.0.0/0", "::/0"), loopback=True).verdict(text) is Refusal.NOWHERE


@pytest.mark.parametrize(
    "text",
    ["127.0.0.1", "127.9.9.9", "::1", "::ffff:127.0.0.1", "::127.0.0.1", "64:ff9b::127.0.0.1", "2002:7f00:1::",
     "64:ff9b:1:7f00:0:100::", "fd00::5efe:127.0.0.1"],
)  # fmt: skip
def test_loopback_is_for_sandboxes_even_when_it_is_listed(text: str) -> None:
    assert ANYWHERE.verdict(text) is Refusal.LOOPBACK
    assert AddressPolicy(("127.0.0.0/8", "::/0")).verdict(text) is Refusal.LOOPBACK
    assert SANDBOX.verdict(text) is None
    assert AddressPolicy(("10.0.0.0/8",), loopback=True).verdict(text) is None


@pytest.mark.parametrize("text", ["10.0.0.1", "192.168.1.1", "203.0.113.9", "2001:db8::1", "fd00::5", "::ffff:10.0.0.1",
                                  "64:ff9b:1::10.0.0.1", "100.64.0.1"])  # fmt: skip
def test_other_networks_are_allowed_until_a_list_says_otherwise(text: str) -> None:
    assert ANYWHERE.verdict(text) is None
    assert AddressPolicy(("172.16.0.0/12",)).verdict(text) is Refusal.NOT_ALLOWED


def test_only_listed_networks_are_let_in() -> None:
    policy = AddressPolicy(("10.20.0.0/16", "2001:db8:1::/48"))
    for good in ("10.20.0.1", "10.20.255.255", "2001:db8:1::5", "::ffff:10.20.0.1"):
        assert not policy.why_not(good)
    # A gateway's address is a road of its own: listing what lies behind it does not list the gateway.
    for bad in ("10.21.0.1", "2001:db8:2::5", "::ffff:10.21.0.1", "64:ff9b::10.20.0.1"):
        assert "ESCALE_CLOUD_NETWORKS" in policy.why_not(bad)
    assert not AddressPolicy(("64:ff9b::/96",)).why_not("64:ff9b::10.20.0.1")


def test_a_policy_of_no_networks_cannot_be_made() -> None:
    with pytest.raises(ValueError, match="10.0.0.0/99"):
        AddressPolicy(("10.0.0.0/99",))


# What a name leads to


def answers(*texts: str) -> addressing.Lookup:
    return lambda host, port: list(texts)


def refused(host: str, policy: AddressPolicy = ANYWHERE, lookup: addressing.Lookup | None = None) -> ConnectorError:
    with pytest.raises(ConnectorError) as caught:
        resolve(host, 443, policy, lookup=lookup)
    assert (caught.value.code, caught.value.permanent) == ("cloud.address_refused", True)
    return caught.value


@pytest.mark.parametrize(
    "host",
    ["2852039166", "0xa9fea9fe", "0xa9.0xfe.0xa9.0xfe", "169.254.43518", "0251.0376.0251.0376", "0251.254.169.254",
     "[fe80::1]", "fe80::1%25", "metadata.google.internal", "METADATA.Google.Internal.", "metadata", ""],
)  # fmt: skip
def test_spellings_are_judged_as_what_they_are(host: str) -> None:
    refused(host, SANDBOX, answers("10.0.0.1"))


@pytest.mark.parametrize("host", ["127.1", "2130706433", "0x7f.1", "017700000001"])
def test_loopback_is_found_in_short_decimal_and_octal_spellings(host: str) -> None:
    assert "own machine" in refused(host).message
    assert resolve(host, 443, SANDBOX) == (ipaddress.ip_address("127.0.0.1"),)


def test_one_bad_answer_refuses_the_name() -> None:
    assert "link-local" in refused("nice.example", lookup=answers("10.0.0.1", "169.254.169.254")).message
    assert "link-local" in refused("nice.example", lookup=answers("2001:db8::1", "fe80::1%2")).message
    refused("nice.example", AddressPolicy(("10.0.0.0/8",)), answers("10.0.0.1", "2001:db8::1"))


def test_answers_keep_their_order_and_are_each_told_once() -> None:
    found = resolve("nice.example", 443, ANYWHERE, lookup=answers("2001:db8::1", "10.0.0.1", "2001:db8::1"))
    assert [str(address) for address in found] == ["2001:db8::1", "10.0.0.1"]


def test_a_name_that_leads_nowhere_is_the_networks_trouble_and_not_a_refusal() -> None:
    with pytest.raises(OSError, match="no address"):
        resolve("nice.example", 443, ANYWHERE, lookup=answers())


def test_a_name_server_that_does_not_answer_is_given_up_in_time() -> None:
    stop = threading.Event()

    def lookup(host: str, port: int) -> list[str]:
        stop.wait(10)
        return ["10.0.0.1"]

    started = time.monotonic()
    with pytest.raises(TimeoutError):
        open_socket("slow.example", 443, 0.2, ANYWHERE, lookup=lookup)
    assert time.monotonic() - started < 5
    stop.set()


# What is connected to


class Listener:
    """Accept connections on a loopback address and count them; with a certificate, speak TLS and answer requests."""

    def __init__(self, address: str, port: int = 0, context: ssl.SSLContext | None = None, reply: bytes = b"") -> None:
        self._socket = socket.create_server((address, port))
        self.port: int = self._socket.getsockname()[1]
        self.connections = 0
        self.names: list[str | None] = []
        self._context, self._reply = context, reply
        if context is not None:
            context.sni_callback = lambda _socket, name, _context: self.names.append(name)
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._socket.accept()
            except OSError:
                return
            self.connections += 1
            try:
                with connection:
                    if self._context is not None:
                        with self._context.wrap_socket(connection, server_side=True) as secured:
                            secured.recv(65536)
                            secured.sendall(self._reply)
            except OSError:
                continue

    def close(self) -> None:
        self._socket.close()


@pytest.fixture
def listen() -> Iterator[Callable[..., Listener]]:
    opened: list[Listener] = []

    def make(*arguments: object, **options: object) -> Listener:
        opened.append(Listener(*arguments, **options))  # type: ignore[arg-type]
        return opened[-1]

    yield make
    for listener in opened:
        listener.close()


class ChangingNames:
    """A name server that answers differently each time; the last answer stays."""

    def __init__(self, *rounds: tuple[str, ...]) -> None:
        self.rounds, self.asked = list(rounds), 0
        self._real = socket.getaddrinfo

    def __call__(self, host: str, port: int, *rest: object, **options: object) -> list[object]:
        if host != NAME:
            return self._real(host, port, *rest, **options)  # type: ignore[arg-type, return-value]
        answer = self.rounds[min(self.asked, len(self.rounds) - 1)]
        self.asked += 1
        return [
            (socket.AF_INET6 if ":" in text else socket.AF_INET, socket.SOCK_STREAM, 6, "", (text, port))
            for text in answer
        ]


@pytest.fixture
def names(monkeypatch: pytest.MonkeyPatch) -> Callable[..., ChangingNames]:
    def give(*rounds: tuple[str, ...]) -> ChangingNames:
        server = ChangingNames(*rounds)
        monkeypatch.setattr(socket, "getaddrinfo", server)
        return server

    return give


def test_the_answer_that_was_checked_is_the_one_that_is_connected_to(
    listen: Callable[..., Listener], names: Callable[..., ChangingNames]
) -> None:
    first = listen("127.0.0.1")
    second = listen("127.0.0.2", first.port)
    server = names(("127.0.0.1",), ("127.0.0.2",))
    with open_socket(NAME, first.port, 2, SANDBOX) as opened:
        assert opened.getpeername()[0] == "127.0.0.1"
    assert server.asked == 1
    assert second.connections == 0


def test_addresses_are_tried_in_order_and_nothing_else_is(
    listen: Callable[..., Listener], names: Callable[..., ChangingNames]
) -> None:
    third = listen("127.0.0.3")
    names(("127.0.0.2", "127.0.0.3"), ("127.0.0.9",))
    with open_socket(NAME, third.port, 2, SANDBOX) as opened:
        assert opened.getpeername()[0] == "127.0.0.3"


def test_a_refused_name_is_never_knocked_at(
    listen: Callable[..., Listener], names: Callable[..., ChangingNames]
) -> None:
    listener = listen("127.0.0.1")
    names(("127.0.0.1",))
    with pytest.raises(ConnectorError, match="own machine"):
        open_socket(NAME, listener.port, 2, ANYWHERE)
    names(("127.0.0.1", "169.254.169.254"))
    with pytest.raises(ConnectorError, match="link-local"):
        open_socket(NAME, listener.port, 2, SANDBOX)
    assert listener.connections == 0


# The same through the client that speaks to vCenters


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, Path]:
    """Return a CA in PEM form, and a file with a certificate of NAME that it signed and its key."""
    folder = tmp_path_factory.mktemp("authority")
    now = datetime.datetime.now(datetime.UTC)

    def certificate(name: str, key: ec.EllipticCurvePrivateKey, issuer: str, by: ec.EllipticCurvePrivateKey, ca: bool):  # type: ignore[no-untyped-def]
        return (
            x509.CertificateBuilder()
            .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)]))
            .issuer_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, issuer)]))
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - datetime.timedelta(minutes=5))
            .not_valid_after(now + datetime.timedelta(days=1))
            .add_extension(x509.BasicConstraints(ca, None), critical=True)
            .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
            .sign(by, hashes.SHA256())
            .public_bytes(serialization.Encoding.PEM)
        )

    root, leaf = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    file = folder / "server.pem"
    file.write_bytes(
        certificate(NAME, leaf, "Test CA", root, False)
        + leaf.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )
    return certificate("Test CA", root, "Test CA", root, True).decode(), file


def tls(file: Path) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(file)
    return context


OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok"


def transport(host: str, port: int, ca: str, **changes: object) -> Transport:
    facts = {"ca_pem": ca, "timeout_s": 3.0, "addresses": SANDBOX, **changes}
    return Transport(Access("vsphere", f"{host}:{port}", "user", "secret", **facts))  # type: ignore[arg-type]


def test_tls_proves_the_name_and_not_the_address(
    listen: Callable[..., Listener], names: Callable[..., ChangingNames], authority: tuple[str, Path]
) -> None:
    ca, file = authority
    listener = listen("127.0.0.1", context=tls(file), reply=OK)
    names(("127.0.0.1",))
    assert transport(NAME, listener.port, ca).request("GET", "/", repeatable=True).body == b"ok"
    assert listener.names == [NAME]
    with pytest.raises(ConnectorError) as caught:
        transport("127.0.0.1", listener.port, ca).request("GET", "/", repeatable=True)
    assert caught.value.code == "cloud.trust"


def test_a_name_that_changes_between_check_and_use_never_leads_to_the_second_answer(
    listen: Callable[..., Listener],
    names: Callable[..., ChangingNames],
    authority: tuple[str, Path],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    ca, file = authority
    first = listen("127.0.0.1", context=tls(file), reply=OK)
    second = listen("127.0.0.2", first.port)
    knocked: list[object] = []
    real = socket.socket.connect

    def connect(self: socket.socket, address: object) -> None:
        knocked.append(address)
        real(self, address)  # type: ignore[arg-type]

    monkeypatch.setattr(socket.socket, "connect", connect)
    server = names(("127.0.0.1",), ("169.254.169.254",), ("127.0.0.2", "169.254.169.254"))
    client = transport(NAME, first.port, ca)
    assert client.request("GET", "/", repeatable=True).body == b"ok"
    for _ in range(3):  # each new connection asks anew, and is judged anew
        with pytest.raises(ConnectorError) as caught:
            client.request("GET", "/", repeatable=True)
        assert caught.value.code == "cloud.address_refused"
    assert server.asked == 4
    assert knocked == [("127.0.0.1", first.port)]
    assert second.connections == 0


def test_a_certificate_is_looked_at_under_the_same_rules(
    listen: Callable[..., Listener], names: Callable[..., ChangingNames], authority: tuple[str, Path]
) -> None:
    _, file = authority
    listener = listen("127.0.0.1", context=tls(file), reply=OK)
    names(("127.0.0.1",), ("127.0.0.2",))
    shown = addressing.shown_certificate(NAME, listener.port, 2, SANDBOX)
    assert x509.load_der_x509_certificate(shown).subject.rfc4514_string() == f"CN={NAME}"
    with pytest.raises(ConnectorError, match="own machine"):
        addressing.shown_certificate(NAME, listener.port, 2, ANYWHERE)
    # The client's own look at an untrusted certificate, to name its fingerprint, asks the name server once more.
    names(("127.0.0.1",), ("169.254.169.254",))
    with pytest.raises(ConnectorError) as caught:
        transport(NAME, listener.port, "").request("GET", "/", repeatable=True)
    assert caught.value.code == "cloud.trust"
    assert "fingerprint is" not in caught.value.message  # refused, so there is none to tell


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_redirects_are_not_followed(
    listen: Callable[..., Listener], names: Callable[..., ChangingNames], authority: tuple[str, Path], status: int
) -> None:
    ca, file = authority
    elsewhere = listen("127.0.0.2")
    reply = (
        f"HTTP/1.1 {status} Elsewhere\r\nLocation: https://127.0.0.2:{elsewhere.port}/\r\n"
        "Content-Length: 0\r\nConnection: close\r\n\r\n"
    )
    listener = listen("127.0.0.1", context=tls(file), reply=reply.encode())
    names(("127.0.0.1",))
    assert transport(NAME, listener.port, ca).request("GET", "/", repeatable=True).status == status
    assert elsewhere.connections == 0


def test_proxies_of_the_environment_have_no_say(
    listen: Callable[..., Listener],
    names: Callable[..., ChangingNames],
    authority: tuple[str, Path],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    ca, file = authority
    proxy = listen("127.0.0.2")
    for name in ("HTTPS_PROXY", "https_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, f"http://127.0.0.2:{proxy.port}")
    listener = listen("127.0.0.1", context=tls(file), reply=OK)
    names(("127.0.0.1",))
    assert transport(NAME, listener.port, ca).request("GET", "/", repeatable=True).body == b"ok"
    assert proxy.connections == 0
