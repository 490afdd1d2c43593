"""What goes over the wire: requests that pyVmomi writes, answers that are read whatever they hold."""

from __future__ import annotations

import pickle
from xml.parsers.expat import ExpatError
from xml.sax.saxutils import escape

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.base import ConnectorError
from connectors.vsphere import faults, soap
from connectors.vsphere.soap import Node, Ref, VimFault

ENVELOPE = (
    '<?xml version="1.0"?><soapenv:Envelope xmlns:soapenv="http://schemas.xmlsoap.org/soap/envelope/" '
    'xmlns:xsd="http://www.w3.org/2001/XMLSchema" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance">'
    "<soapenv:Body>{}</soapenv:Body></soapenv:Envelope>"
)


def fault(detail: str, text: str = "It failed.") -> VimFault:
    body = ENVELOPE.format(
        f"<soapenv:Fault><faultcode>ServerFaultCode</faultcode><faultstring>{text}</faultstring>"
        f"<detail>{detail}</detail></soapenv:Fault>"
    )
    with pytest.raises(VimFault) as caught:
        soap.decode(body.encode())
    return caught.value


def test_a_fault_is_known_by_its_type_and_tells_its_particulars() -> None:
    met = fault(
        '<NoPermissionFault xsi:type="NoPermission"><privilegeId>Folder.Create</privilegeId></NoPermissionFault>'
    )
    error = faults.to_error(met, "The folder could not be made")
    assert (error.code, error.permanent) == ("cloud.permission", True)
    assert "Folder.Create" in error.message
    assert "The folder could not be made - " in error.message


def test_a_fault_without_a_type_is_known_by_its_element() -> None:
    assert fault("<InvalidLoginFault/>").type == "InvalidLogin"


def test_a_fault_that_nobody_has_heard_of_is_some_fault() -> None:
    error = faults.to_error(fault('<XFault xsi:type="QuantumDecoherence"/>'), "It could not be done")
    assert (error.code, error.permanent) == ("cloud.fault", False)
    assert "QuantumDecoherence" in error.detail


def test_a_fault_that_is_not_listed_has_the_meaning_of_its_parent() -> None:
    assert faults.meaning("VmSwapfileGen") is faults.MEANINGS["MethodFault"]
    assert faults.meaning("InsufficientMemoryResourcesFault").code == "cloud.no_space"
    assert faults.meaning("FileNotWritable").code == "cloud.fault"
    assert faults.meaning("VmMonitorIncompatibleForFaultTolerance").code == "cloud.fault"
    assert faults.is_a(VimFault("NoDiskSpace", ""), "FileFault")


def test_a_fault_in_a_task_is_read_from_its_localized_form() -> None:
    root = soap.parse(
        b'<v xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"><fault xsi:type="NoDiskSpace"><file>[a] b</file>'
        b"<datastore>a</datastore></fault><localizedMessage>No room</localizedMessage></v>"
    )
    met = faults.from_task(root)
    assert (met.type, met.message) == ("NoDiskSpace", "No room")
    assert faults.from_task(None).type == "MethodFault"


def test_every_listed_fault_says_what_why_and_what_now() -> None:
    for kind in faults.MEANINGS:
        error = faults.to_error(VimFault(kind, ""), "It could not be done")
        assert error.message.count(" - ") == 2, kind
        assert error.code.startswith("cloud."), kind
        copy = pickle.loads(pickle.dumps(error))
        assert (copy.code, copy.message) == (error.code, error.message)


def test_nothing_is_chained_into_an_explained_error() -> None:
    with pytest.raises(ConnectorError) as caught, faults.explained("It could not be done"):
        raise VimFault("NoDiskSpace", "full")
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__


@pytest.mark.parametrize(
    "text",
    [
        '<!DOCTYPE x [<!ENTITY a "b">]><x>&a;</x>',
        '<!DOCTYPE x SYSTEM "file:///etc/passwd"><x/>',
        "<html><body>502</body>",
        "not xml at all",
        "",
    ],
)
def test_what_is_no_soap_is_refused(text: str) -> None:
    with pytest.raises((ExpatError, IndexError)):
        soap.decode(text.encode())


@pytest.mark.parametrize(
    ("xml", "expected"),
    [
        ('<val xsi:type="xsd:string">x</val>', "x"),
        ('<val xsi:type="xsd:string"></val>', ""),
        ('<val xsi:type="xsd:int">-5</val>', -5),
        ('<val xsi:type="xsd:long">9999999999</val>', 9999999999),
        ('<val xsi:type="xsd:boolean">true</val>', True),
        ('<val xsi:type="xsd:boolean">0</val>', False),
        ('<val xsi:type="VirtualMachinePowerState">poweredOn</val>', "poweredOn"),
        ('<val type="Folder">group-v1</val>', Ref("Folder", "group-v1")),
        ('<val xsi:type="ManagedObjectReference" type="Task">task-1</val>', Ref("Task", "task-1")),
        ('<val xsi:type="ArrayOfString"><string>a</string><string>b</string></val>', ["a", "b"]),
        ('<val xsi:type="ArrayOfInt"><int>1</int></val>', [1]),
        (
            '<val xsi:type="ArrayOfManagedObjectReference"><ManagedObjectReference type="Task">t'
            "</ManagedObjectReference></val>",
            [Ref("Task", "t")],
        ),
        ('<val xsi:type="ArrayOfString"></val>', []),
    ],
)
def test_property_values_become_plain_values(xml: str, expected: object) -> None:
    wrapped = f'<x xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xmlns:xsd="x">{xml}</x>'
    assert soap.value(soap.parse(wrapped.encode()).children[0]) == expected


def test_an_empty_data_object_stays_a_node() -> None:
    wrapped = '<x xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"><val xsi:type="GuestInfo"/></x>'
    assert isinstance(soap.value(soap.parse(wrapped.encode()).children[0]), Node)


@given(st.text(alphabet=st.characters(codec="utf-8", exclude_categories=("Cs", "Cc"))))
def test_texts_come_through_unharmed(text: str) -> None:
    assert soap.parse(f"<a><b>{escape(text)}</b></a>".encode()).get("b") == text


def test_requests_name_their_operation_and_refuse_unknown_parameters() -> None:
    body = soap.encode(Ref("VirtualMachine", "vm-1"), "PowerOnVM_Task", {}, operation="operation/<1>").decode()
    assert "<operationID" in body
    assert "operation/&lt;1&gt;" in body
    assert 'type="VirtualMachine">vm-1<' in body
    with pytest.raises(TypeError):
        soap.encode(Ref("VirtualMachine", "vm-1"), "PowerOnVM_Task", {"hosts": None})


def test_times_without_a_zone_are_utc() -> None:
    assert soap.moment("2026-01-02T03:04:05.123456789Z").isoformat().startswith("2026-01-02T03:04:05.123456+00:00")
    assert soap.moment("2026-01-02T03:04:05").tzinfo is not None
