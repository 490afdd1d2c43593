"""Long answers are read without building them, and hostile ones are refused."""

from __future__ import annotations

import resource
from xml.parsers.expat import ExpatError

import pytest

from connectors.vsphere.streaming import Count, Reader, Record, Records

SHAPES = {
    "devices": Records({"key": "key", "backing": {"fileName": "file", "port": {"key": "port"}}}, frozenset({"Disk"})),
    "options": Records({"key": "key", "value": "value"}),
    "nets": Records({"mac": "mac", "ip": "ips[]"}),
    "hardware": Record({"model": "model", "cpu": {"mhz": "mhz"}}),
    "snapshot": Count(frozenset({"root", "child"})),
}
READER = Reader(SHAPES)


def answer(inside: str, method: str = "WaitForUpdatesEx") -> bytes:
    return (
        '<?xml version="1.0" encoding="UTF-8"?><soapenv:Envelope xmlns:soapenv="http://schemas.xmlsoap.org/soap/envelope/"'
        ' xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"><soapenv:Header><x>1</x></soapenv:Header><soapenv:Body>'
        f'<{method}Response xmlns="urn:vim25">{inside}</{method}Response></soapenv:Body></soapenv:Envelope>'
    ).encode()


def update(*changes: str, kind: str = "enter", rest: str = "") -> bytes:
    told = "".join(f"<changeSet>{change}</changeSet>" for change in changes)
    return answer(
        f'<returnval><version>7</version><filterSet><filter type="F">f</filter><objectSet><kind>{kind}</kind>'
        f'<obj type="VirtualMachine">vm-1</obj>{told}{rest}</objectSet></filterSet>'
        "<truncated>true</truncated></returnval>"
    )


def value(name: str, inside: str, kind: str = "xsd:string") -> str:
    return f'<name>{name}</name><op>assign</op><val xsi:type="{kind}">{inside}</val>'


def test_texts_numbers_references_and_lists_are_read() -> None:
    page = READER.read(
        update(
            value("name", "a &amp; b &lt;c&gt;"),
            value("vm", '<ManagedObjectReference type="X">x-1</ManagedObjectReference><ManagedObjectReference type="X">'
                  "x-2</ManagedObjectReference>", "ArrayOfManagedObjectReference"),
            value("empty", ""),
            "<name>gone</name><op>assign</op>",
        )
    )  # fmt: skip
    (found,) = page.found
    assert (found.type, found.ref, found.change) == ("VirtualMachine", "vm-1", "enter")
    assert found.values == {"name": "a & b <c>", "vm": ["x-1", "x-2"], "empty": "", "gone": None}
    assert (page.version, page.truncated) == ("7", True)


def test_of_lists_only_what_is_wanted_is_kept() -> None:
    devices = (
        '<Device xsi:type="ns:Disk"><key>1</key><junk><key>no</key></junk><backing><fileName>f</fileName><parent>'
        "<backing><fileName>no</fileName></backing></parent><port><key>p</key></port></backing></Device>"
        '<Device xsi:type="Mouse"><key>2</key><backing><fileName>no</fileName></backing></Device>'
        '<Device xsi:type="Disk"><key>3</key></Device>'
    )
    nets = "<Nic><mac>m</mac><ip>1</ip><ip>2</ip><config><ip><ip>no</ip></ip></config></Nic>"
    page = READER.read(update(value("devices", devices), value("nets", nets), value("name", "after")))
    assert page.found[0].values["devices"] == [
        {"kind": "Disk", "key": "1", "file": "f", "port": "p"},
        {"kind": "Disk", "key": "3"},
    ]
    assert page.found[0].values["nets"] == [{"kind": "", "mac": "m", "ips": ["1", "2"]}]
    assert page.found[0].values["name"] == "after"


def test_single_objects_are_read_and_trees_counted() -> None:
    tree = "<current>s</current><root><name>a</name><child><name>b</name><child/></child></root><root/>"
    page = READER.read(
        update(
            value("hardware", "<model>M</model><cpu><mhz>9</mhz></cpu><x/>"), value("snapshot", tree), value("n", "1")
        )
    )
    assert page.found[0].values == {"hardware": {"model": "M", "mhz": "9"}, "snapshot": 4, "n": "1"}


def test_retrievals_and_what_may_not_be_read_are_told() -> None:
    inside = (
        '<returnval><token>t-2</token><objects><obj type="HostSystem">host-1</obj><propSet><name>name</name>'
        '<val xsi:type="xsd:string">esx</val></propSet><missingSet><path>config</path>'
        "<fault><fault><x/></fault></fault></missingSet></objects></returnval>"
    )
    page = READER.read(answer(inside, "RetrievePropertiesEx"))
    assert page.token == "t-2"
    assert page.found[0].values == {"name": "esx"}
    assert page.found[0].missing == ["config"]


def test_an_answer_without_a_result_says_nothing() -> None:
    page = READER.read(answer(""))
    assert (page.found, page.version) == ([], "")


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html><body>proxy</body></html>",
        b"not xml",
        update(value("name", "x"))[:-40],
        b"<a><b></a></b>",
        answer("x", "Login"),
        b'<?xml version="1.0"?><!DOCTYPE x [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;">]><Envelope><Body/></Envelope>',
        b'<!DOCTYPE x SYSTEM "http://169.254.169.254/"><Envelope/>',
        update(value("name", "&bomb;")),
        update(value("name", "\x00")),
    ],
    ids=["empty", "html", "text", "cut", "crossed", "other", "entities", "external", "unknown entity", "nul"],
)
def test_what_is_no_answer_is_refused(body: bytes) -> None:
    with pytest.raises(ExpatError):
        READER.read(body)


def test_deep_nesting_neither_overflows_nor_is_kept() -> None:
    deep = "<a>" * 100_000 + "</a>" * 100_000
    page = READER.read(update(value("name", "x"), value("hardware", deep), value("snapshot", deep), value("n", "1")))
    assert page.found[0].values["n"] == "1"
    assert page.found[0].values["hardware"] == {}
    assert page.found[0].values["snapshot"] == 0


def test_memory_follows_what_is_kept_not_what_is_sent() -> None:
    mouse = '<Device xsi:type="Mouse"><key>2</key><text>' + "x" * 1_000 + "</text></Device>"
    body = update(value("devices", mouse * 40_000), value("n", "1"))  # made before: its making takes more than reading
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    assert READER.read(body).found[0].values == {"devices": [], "n": "1"}
    grown_kib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    assert grown_kib < len(body) // 1024
