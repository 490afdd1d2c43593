import hashlib
import os
import signal
import socket
import ssl
import subprocess
from pathlib import Path

import pytest
from pyVim.connect import SmartConnect
from pyVmomi import vim

from sandbox.simulator import BINARY, Simulator
from tests.sandbox.vsphere import VSphere, session


def test_the_wrong_password_is_refused(vc: VSphere) -> None:
    for user, password in ((vc.simulator.username, "guess"), ("somebody", vc.simulator.password), ("a", "b")):
        with pytest.raises(vim.fault.InvalidLogin):
            SmartConnect(host="127.0.0.1", port=vc.simulator.port, user=user, pwd=password, sslContext=vc.tls)


def test_nothing_is_told_without_a_session(vc: VSphere) -> None:
    folder = vc.content.rootFolder
    vc.content.sessionManager.Logout()
    with pytest.raises(vim.fault.NotAuthenticated):
        _ = folder.childEntity
    assert vc.si.RetrieveContent().about.apiType == "VirtualCenter", "what it is, it tells everybody"


def test_expired_sessions_must_log_in_again(vc: VSphere) -> None:
    vm = vc.get(vim.VirtualMachine, "dc01")
    assert vc.simulator.session_count() == 1
    assert vc.simulator.expire_sessions() == 1
    with pytest.raises(vim.fault.NotAuthenticated):
        _ = vm.runtime
    with pytest.raises(vim.fault.NotAuthenticated):
        vm.PowerOffVM_Task()
    vc.content.sessionManager.Login(vc.simulator.username, vc.simulator.password)
    assert vm.runtime.powerState == "poweredOn"


def test_a_task_outlives_the_session_that_started_it(vc: VSphere) -> None:
    vc.simulator.delay("CloneVM_Task", 400)
    task = vc.clone_task("outlives")
    vc.simulator.expire_sessions()
    vc.content.sessionManager.Login(vc.simulator.username, vc.simulator.password)
    assert vc.wait(task).name == "outlives"


def test_the_certificate_is_good_for_a_ca_file_and_a_thumbprint(vc: VSphere) -> None:
    with socket.create_connection(("127.0.0.1", vc.simulator.port)) as plain:
        context = ssl.create_default_context(cafile=str(vc.simulator.ca_file))
        with context.wrap_socket(plain, server_hostname="localhost") as secure:
            der = secure.getpeercert(binary_form=True)
    assert der is not None
    digests = {"thumbprint_sha256": hashlib.sha256(der), "thumbprint_sha1": hashlib.sha1(der, usedforsecurity=False)}
    for name, digest in digests.items():
        assert vc.simulator.ready[name].replace(":", "").lower() == digest.hexdigest()


def test_identity_is_stable_over_restarts_and_differs_between_vcenters(tmp_path: Path) -> None:
    with Simulator("one", home=tmp_path / "one") as one:
        before = dict(one.ready)
        one.restart()
        after = dict(one.ready)
    for name in ("instance_uuid", "thumbprint_sha256", "url", "username"):
        assert before[name] == after[name]
    with Simulator("one", home=tmp_path / "two") as two:
        assert two.instance_uuid != before["instance_uuid"]
        assert two.thumbprint_sha256 != before["thumbprint_sha256"]


def test_secrets_are_private_files(paris: Simulator) -> None:
    for name in ("credentials", "tls.pem", "control-token"):
        assert (paris.home / name).stat().st_mode & 0o077 == 0


def test_given_credentials_are_used(tmp_path: Path) -> None:
    with (
        Simulator("given", home=tmp_path, username="alice@vsphere.local", password="s3cret") as given,
        session(given) as vc,
    ):
        assert vc.content.sessionManager.currentSession.userName == "alice@vsphere.local"


def test_it_listens_on_loopback_only(paris: Simulator) -> None:
    hex_port = f"{paris.port:04X}"
    listening = [
        line.split()[1]
        for table in ("/proc/net/tcp", "/proc/net/tcp6")
        for line in Path(table).read_text().splitlines()[1:]
        if line.split()[3] == "0A" and line.split()[1].endswith(f":{hex_port}")
    ]
    assert listening == [f"0100007F:{hex_port}"]


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT])
def test_it_exits_cleanly_when_told(tmp_path: Path, how: signal.Signals) -> None:
    with Simulator("leaving", home=tmp_path) as simulator:
        process = simulator._process
        assert process is not None
        process.send_signal(how)
        assert process.wait(timeout=10) == 0


def test_it_stops_when_its_parent_is_gone(tmp_path: Path) -> None:
    with Simulator("orphan", home=tmp_path) as simulator:
        process = simulator._process
        assert process is not None
        assert process.stdin is not None
        process.stdin.close()
        assert process.wait(timeout=10) == 0


@pytest.mark.parametrize(
    ("args", "says"),
    [
        (["--home", "H", "--flavour", "azure"], "choose one of private, ovh, ibm, vmc"),
        ([], "--home is missing"),
        (["--home", "H", "--method-delay", "CloneVM_Task"], "METHOD:MILLISECONDS"),
        (["--home", "H", "--listen", "9000"], "HOST:PORT"),
        (["--home", "H", "--credentials", "H/open"], "chmod 600"),
    ],
)
def test_a_wrong_flag_is_explained(paris: Simulator, tmp_path: Path, args: list[str], says: str) -> None:
    (tmp_path / "open").write_text("a\nb\n")
    os.chmod(tmp_path / "open", 0o644)
    command = [str(BINARY), *[a.replace("H", str(tmp_path), 1) if a.startswith("H") else a for a in args]]
    done = subprocess.run(command, capture_output=True, text=True, timeout=20)
    assert done.returncode == 2
    assert says in done.stderr


def test_a_taken_port_is_explained(paris: Simulator, tmp_path: Path) -> None:
    command = [str(BINARY), "--home", str(tmp_path), "--listen", f"127.0.0.1:{paris.port}"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=20)
    assert done.returncode == 1
    assert "cannot listen" in done.stderr
