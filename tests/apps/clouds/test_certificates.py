"""A certificate is looked at before it is trusted, under the rules for addresses, by administrators, now and then."""

from __future__ import annotations

import datetime
import hashlib
import socket
import ssl
import threading

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from django.core.cache import cache

from apps.clouds import certificates, reading
from apps.clouds.models import Cloud
from connectors.base import Health

LOOK = "/api/v1/clouds/certificate/"


class Shown:
    """A TLS server that greets and says nothing more; counts what it heard after the greeting."""

    def __init__(self, folder, days: int) -> None:
        key = ec.generate_private_key(ec.SECP256R1())
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "vc.<script>.example")])
        now = datetime.datetime.now(datetime.UTC)
        made = (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(name)
            .public_key(key.public_key())
            .serial_number(7)
            .not_valid_before(now - datetime.timedelta(days=30))
            .not_valid_after(now + datetime.timedelta(days=days, hours=1))
            .add_extension(x509.SubjectAlternativeName([x509.DNSName("vc.example")]), critical=False)
            .sign(key, hashes.SHA256())
        )
        pem = folder / "server.pem"
        pem.write_bytes(
            made.public_bytes(serialization.Encoding.PEM)
            + key.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            )
        )
        self.sha256 = hashlib.sha256(made.public_bytes(serialization.Encoding.DER)).hexdigest()
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._context.load_cert_chain(pem)
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.address = f"127.0.0.1:{self._socket.getsockname()[1]}"
        self.greetings, self.heard = 0, b""
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._socket.accept()
            except OSError:
                return
            self.greetings += 1
            try:
                with connection, self._context.wrap_socket(connection, server_side=True) as secured:
                    secured.settimeout(2)
                    self.heard += secured.recv(1024)
            except OSError:
                continue

    def close(self) -> None:
        self._socket.close()


@pytest.fixture
def server(tmp_path):
    shown = Shown(tmp_path, days=12)
    yield shown
    shown.close()


@pytest.fixture(autouse=True)
def _fresh_counts():
    cache.clear()


def test_what_a_server_shows_is_told_and_nothing_is_said_to_it(alice, server):
    answer = alice.api.post(LOOK, {"address": server.address})
    assert answer.status_code == 200, answer.content
    shown = answer.json()
    assert (shown["sha256"], shown["subject"]) == (server.sha256, "vc.<script>.example")
    assert (shown["self_signed"], shown["trusted"], shown["names"], shown["days_left"]) == (
        True,
        False,
        ["vc.example"],
        12,
    )
    assert shown["valid_from"] < shown["valid_until"]
    assert server.heard == b""


def test_the_page_asks_for_a_yes_and_pins_what_was_confirmed(alice, server):
    page = alice.browser.post("/clouds/certificate/", {"address": server.address}).content.decode()
    assert "vc.&lt;script&gt;.example" in page
    assert f'value="{server.sha256}"' in page
    assert "Expires soon" in page
    form = {"name": "paris", "address": server.address, "username": "u", "password": "canary-p-1", "pin": server.sha256}
    answer = alice.browser.post("/clouds/new/?kind=vsphere&flavour=ovh", form)
    assert answer.status_code == 302, answer.content.decode()
    assert (Cloud.objects.get().thumbprint, Cloud.objects.get().flavour) == (server.sha256, "ovh")


def test_without_a_script_the_form_comes_back_with_what_was_typed(alice, server):
    form = {"name": "paris", "address": server.address, "password": "canary-p-2", "look": "1"}
    page = alice.browser.post("/clouds/new/?kind=vsphere", form).content.decode()
    assert server.sha256 in page
    assert 'value="paris"' in page
    assert "canary-p-2" not in page
    assert not Cloud.objects.exists()


@pytest.mark.parametrize(
    "address", ["169.254.169.254", "[::ffff:169.254.169.254]", "metadata.google.internal", "0.0.0.0", "http://x", ""]
)
def test_it_is_no_way_into_what_only_the_portal_reaches(alice, address):
    assert alice.api.post(LOOK, {"address": address}).status_code in (400, 422)
    page = alice.browser.post("/clouds/certificate/", {"address": address}).content.decode()
    assert "cloud.address_refused" in page


def test_addresses_outside_of_the_operators_networks_are_refused(alice, server, settings):
    settings.CLOUD_NETWORKS = ("10.0.0.0/8",)
    settings.SANDBOX = False
    answer = alice.api.post(LOOK, {"address": server.address})
    assert (answer.status_code, answer.json()["code"]) == (422, "cloud.address_refused")
    answer = alice.api.post(LOOK, {"address": "192.0.2.1"})
    assert "outside of the networks" in answer.json()["detail"]
    assert server.greetings == 0


def test_nothing_there_and_no_tls_there_are_told_apart(alice):
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
    gone = alice.api.post(LOOK, {"address": f"127.0.0.1:{port}"})
    assert (gone.status_code, gone.json()["code"]) == (422, "cloud.no_certificate")
    assert "Nothing answers" in gone.json()["detail"]


def test_it_is_not_for_scanning(alice, server, monkeypatch):
    monkeypatch.setattr(certificates, "LOOKS", 3)
    codes = [alice.api.post(LOOK, {"address": server.address}).status_code for _ in range(5)]
    assert codes == [200, 200, 200, 429, 429]


@pytest.mark.parametrize("person", ["viewer", "bob"])
def test_only_administrators_look(request, person, server):
    someone = request.getfixturevalue(person)
    assert someone.api.post(LOOK, {"address": server.address}).status_code == 403
    assert someone.browser.post("/clouds/certificate/", {"address": server.address}).status_code == 403
    assert server.greetings == 0


def test_health_tells_when_the_certificate_ends_and_looks_only_now_and_then(alice, server):
    cloud = Cloud(organization=alice.organization, name="x", kind="vsphere", address=server.address)
    health = reading._with_certificate(cloud, Health(True, "well"), anew=True)
    assert health.facts["certificate"]["sha256"] == server.sha256
    assert [finding.code for finding in health.findings] == ["cloud.certificate_expiring"]
    assert health.ok, "it is a warning"
    cloud.health = {"facts": dict(health.facts)}
    again = reading._with_certificate(cloud, Health(True, "well"), anew=False)
    assert again.facts["certificate"]["days_left"] == 12
    assert server.greetings == 1
    reading._with_certificate(cloud, Health(True, "well"), anew=True)
    assert server.greetings == 2
