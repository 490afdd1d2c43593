"""What a vCenter must prove before it hears a password."""

from __future__ import annotations

import pytest

from connectors.base import ConnectorError
from connectors.vsphere.transport import endpoint
from tests.connectors.vsphere_bench import VsphereBench

pytestmark = pytest.mark.slow


def refused(vcenter: VsphereBench, **changes: object) -> ConnectorError:
    connector = vcenter.connect(**changes)
    with pytest.raises(ConnectorError) as caught:
        connector.inventory()
    connector.close()
    return caught.value


def test_a_wrong_thumbprint_ends_the_conversation_before_the_login(vcenter: VsphereBench) -> None:
    error = refused(vcenter, thumbprint="12" * 32)
    assert (error.code, error.permanent, error.maybe_done) == ("cloud.trust", True, False)
    assert "12:12" in error.message
    assert not vcenter.breaker.seen  # not one request was sent


def test_a_certificate_that_nobody_vouches_for_is_refused_with_its_fingerprint(vcenter: VsphereBench) -> None:
    error = refused(vcenter, thumbprint="")
    assert error.code == "cloud.trust"
    assert vcenter.breaker.thumbprint.upper() in error.message.replace(":", "")
    assert not vcenter.breaker.seen


def test_a_ca_file_vouches_for_its_own_vcenter_only(vcenter: VsphereBench) -> None:
    simulator = vcenter.simulator
    ca = simulator.ca_file.read_text()
    connector = vcenter.connect(address=f"127.0.0.1:{simulator.port}", thumbprint="", ca_pem=ca)
    assert connector.probe().ok
    connector.close()
    assert refused(vcenter, thumbprint="", ca_pem=ca).code == "cloud.trust"


def test_the_environment_has_no_say(vcenter: VsphereBench, monkeypatch: pytest.MonkeyPatch) -> None:
    ca = str(vcenter.simulator.ca_file)
    for name in ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"):
        monkeypatch.setenv(name, ca)
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:1")
    monkeypatch.setenv("https_proxy", "http://127.0.0.1:1")
    address = f"127.0.0.1:{vcenter.simulator.port}"
    assert refused(vcenter, address=address, thumbprint="").code == "cloud.trust"
    connector = vcenter.connect()
    assert connector.probe().ok  # past the proxy
    connector.close()


@pytest.mark.parametrize("thumbprint", ["AB", "zz" * 32, "ab" * 20])
def test_what_is_no_sha256_fingerprint_is_refused(vcenter: VsphereBench, thumbprint: str) -> None:
    error = refused(vcenter, thumbprint=thumbprint)
    assert (error.code, error.permanent) == ("cloud.invalid", True)


def test_fingerprints_may_have_colons_and_capitals(vcenter: VsphereBench) -> None:
    digits = vcenter.breaker.thumbprint.upper()
    connector = vcenter.connect(thumbprint=":".join(digits[at : at + 2] for at in range(0, 64, 2)))
    assert connector.probe().ok
    connector.close()


def test_a_ca_that_is_no_pem_is_refused(vcenter: VsphereBench) -> None:
    assert refused(vcenter, thumbprint="", ca_pem="no certificate").code == "cloud.invalid"


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("vc.example", ("vc.example", 443)),
        ("vc.example:8443", ("vc.example", 8443)),
        ("https://vc.example/sdk", ("vc.example", 443)),
        ("https://[fd00::5]:444", ("fd00::5", 444)),
        ("10.0.0.5", ("10.0.0.5", 443)),
    ],
)
def test_addresses_are_understood(address: str, expected: tuple[str, int]) -> None:
    assert endpoint(address) == expected


@pytest.mark.parametrize("address", ["", "http://vc.example", "https://user:secret@vc.example", "ftp://x", "vc:port"])
def test_addresses_without_tls_or_with_credentials_are_refused(address: str) -> None:
    with pytest.raises(ConnectorError) as caught:
        endpoint(address)
    assert caught.value.code == "cloud.invalid"
