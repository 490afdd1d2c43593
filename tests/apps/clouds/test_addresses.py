import ipaddress

import pytest

from apps.clouds import addresses
from apps.tenancy.faults import Fault


def refused(address, resolve=lambda host: []):
    with pytest.raises(Fault) as caught:
        addresses.check(address, resolve)
    assert caught.value.code == "cloud.address_refused"
    return caught.value.detail


@pytest.mark.parametrize(
    ("address", "host", "port"),
    [
        ("vc.example", "vc.example", 443),
        ("vc.example:8443", "vc.example", 8443),
        ("https://vc.example/sdk", "vc.example", 443),
        ("https://10.1.2.3:9443", "10.1.2.3", 9443),
        ("[fd00::5]:8443", "fd00::5", 8443),
        ("192.168.1.10", "192.168.1.10", 443),
    ],
)
def test_private_clouds_can_be_reached(address, host, port):
    assert addresses.check(address, lambda host: []) == addresses.Endpoint(host, port)


@pytest.mark.parametrize(
    "address",
    [
        "169.254.169.254",
        "https://169.254.169.254/latest/meta-data",
        "169.254.1.1:443",
        "[fe80::1]",
        "[::ffff:169.254.169.254]",
        "[::ffff:a9fe:a9fe]",
        "[::169.254.169.254]",
        "[64:ff9b::169.254.169.254]",
        "[2002:a9fe:a9fe::1]",
        "[fd00:ec2::254]",
        "100.100.100.200",
        "2852039166",
        "0xa9fea9fe",
        "0xa9.0xfe.0xa9.0xfe",
        "169.254.43518",
        "0251.0376.0251.0376",
        "metadata.google.internal",
        "METADATA.google.internal.",
        "0.0.0.0",
        "[::]",
        "224.0.0.1",
        "255.255.255.255",
        "[ff02::1]",
    ],
)
def test_metadata_and_unroutable_addresses_are_refused_in_every_spelling(address, settings):
    settings.SANDBOX = True
    refused(address)


@pytest.mark.parametrize("address", ["127.0.0.1", "[::1]", "[::ffff:127.0.0.1]", "2130706433", "127.1"])
def test_the_portals_own_machine_is_refused_outside_of_the_sandbox(address, settings):
    settings.SANDBOX = True
    addresses.check(address, lambda host: [])
    settings.SANDBOX = False
    refused(address)


def test_a_name_is_judged_by_what_it_resolves_to():
    assert "link-local" in refused("nice.example", lambda host: ["10.0.0.1", "169.254.169.254"])
    assert "link-local" in refused("nice.example", lambda host: ["fe80::1%eth0"])
    addresses.check("nice.example", lambda host: ["10.0.0.1", "2001:db8::1"])


@pytest.mark.parametrize(
    "address",
    [
        "",
        "http://vc.example",
        "ftp://vc.example",
        "file:///etc/passwd",
        "gopher://vc.example",
        "vc.example:22",
        "vc.example:6379",
        "vc.example:99999",
        "vc.example:0x50",
        "user:password@vc.example",
        "vc.example\\@169.254.169.254",
        "vc.example#@169.254.169.254",
        "vc example",
        "vc.example\r\nHost: other",
        "vc.exämple",
        "a" * 256,
        "https://",
        "-vc.example",
        "[::1",
        "vc..example",
    ],
)
def test_what_is_no_https_address_of_a_cloud_is_refused(address):
    refused(address)


def test_every_link_local_address_is_refused_however_it_is_embedded():
    for text in ("169.254.0.0", "169.254.255.255", "169.254.170.2"):
        four = ipaddress.IPv4Address(text)
        for form in (
            four,
            ipaddress.IPv6Address(f"::ffff:{text}"),
            ipaddress.IPv6Address(int(ipaddress.IPv6Address("64:ff9b::")) + int(four)),
            ipaddress.IPv6Address((0x2002 << 112) | (int(four) << 80)),
        ):
            assert addresses.why_not(form), form
