import socket
import ssl
import time

import pytest
from pyVmomi import vim, vmodl

from sandbox.simulator import SimulatorError
from tests.sandbox.vsphere import VSphere


@pytest.mark.parametrize(
    ("fault", "kind"),
    [
        ("InvalidState", vim.fault.InvalidState),
        ("ResourceInUse", vim.fault.ResourceInUse),
        ("Timedout", vim.fault.Timedout),
        ("HostConnectFault", vim.fault.HostConnectFault),
        ("NoPermission", vim.fault.NoPermission),
        ("TaskInProgress", vim.fault.TaskInProgress),
        ("InvalidArgument", vmodl.fault.InvalidArgument),
        ("SystemError", vmodl.fault.SystemError),
    ],
)
def test_a_call_fails_with_the_fault_that_was_asked_for(vc: VSphere, fault: str, kind: type) -> None:
    vc.simulator.fault("CreateFolder", fault, count=1)
    with pytest.raises(kind):
        vc.vm_folder.CreateFolder("refused")
    vc.vm_folder.CreateFolder(f"accepted after {fault}")


def test_a_rule_skips_and_counts(vc: VSphere) -> None:
    vc.simulator.fault("CreateFolder", "InvalidState", skip=1, count=2)
    vc.vm_folder.CreateFolder("skipped")
    for _ in range(2):
        with pytest.raises(vim.fault.InvalidState):
            vc.vm_folder.CreateFolder("hit")
    vc.vm_folder.CreateFolder("spent")
    assert [rule["hits"] for rule in vc.simulator.faults()] == [2]


def test_a_rule_strikes_with_its_probability(vc: VSphere) -> None:
    vc.simulator.fault("CurrentTime", "SystemError", probability=0.5)
    failures = 0
    for _ in range(60):
        try:
            vc.si.CurrentTime()
        except vmodl.fault.SystemError:
            failures += 1
    assert 10 < failures < 50


def test_a_rule_carries_its_message_and_properties(vc: VSphere) -> None:
    vc.simulator.fault("CreateFolder", "DuplicateName", message="it is taken", properties={"name": "shop"})
    with pytest.raises(vim.fault.DuplicateName) as refused:
        vc.vm_folder.CreateFolder("shop")
    assert (refused.value.name, refused.value.msg) == ("shop", "it is taken")


@pytest.mark.parametrize(
    ("rule", "says"),
    [
        ({"method": "CloneVM_Task", "fault": "NoSuchFault"}, "NoSuchFault"),
        ({"method": "CloneVM_Task", "fault": "VirtualMachineConfigSpec"}, "not a fault"),
        ({"method": "CreateFolder", "fault": "InvalidState", "in_task": True}, "does not start a task"),
        ({"method": "CreateFolder", "fault": "DuplicateName", "properties": {"colour": "red"}}, "colour"),
        ({"method": "CreateFolder", "fault": "InvalidState", "colour": "red"}, "colour"),
    ],
)
def test_a_rule_that_makes_no_sense_is_refused(vc: VSphere, rule: dict[str, object], says: str) -> None:
    with pytest.raises(SimulatorError, match=says):
        vc.simulator.fault(**rule)  # type: ignore[arg-type]


def test_it_counts_calls(vc: VSphere) -> None:
    vc.simulator.reset()
    vc.clone("counted")
    assert vc.simulator.calls()["CloneVM_Task"] == 1
    assert "CreateVM_Task" not in vc.simulator.calls(), "what the simulator does inside is not counted"
    vc.simulator.reset()
    assert "CloneVM_Task" not in vc.simulator.calls()


def test_a_call_without_task_answers_late(vc: VSphere) -> None:
    vc.simulator.delay("CurrentTime", 300)
    began = time.monotonic()
    vc.si.CurrentTime()
    assert time.monotonic() - began >= 0.3


def test_it_accepts_and_never_answers_while_it_hangs(vc: VSphere) -> None:
    address = ("127.0.0.1", vc.simulator.port)
    with (
        vc.simulator.hanging(),
        socket.create_connection(address, timeout=1) as plain,
        vc.tls.wrap_socket(plain, server_hostname="127.0.0.1") as secure,
    ):
        secure.sendall(b"GET /about HTTP/1.1\r\nHost: x\r\n\r\n")
        secure.settimeout(0.4)
        with pytest.raises((TimeoutError, ssl.SSLError)):
            secure.recv(1)
    assert vc.si.CurrentTime()


def test_the_control_port_needs_its_token(vc: VSphere) -> None:
    import urllib.error
    import urllib.request

    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with pytest.raises(urllib.error.HTTPError) as refused:
        opener.open(vc.simulator.ready["control_url"] + "/calls", timeout=5)
    assert refused.value.code == 403
