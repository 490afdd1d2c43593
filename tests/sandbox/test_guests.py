import base64
import gzip
import json
from typing import Any

import pytest
from pyVmomi import vim

from tests.sandbox.vsphere import VSphere

GUEST = ("guest.ipAddress", "guest.hostName", "guest.toolsRunningStatus", "guest.net", "summary.guest")


def guest(vc: VSphere, vm: Any) -> dict[str, Any]:
    return vc.read(vim.VirtualMachine, *GUEST)[vm]


def booted(vc: VSphere, vm: Any) -> dict[str, Any]:
    vc.eventually(lambda: guest(vc, vm).get("guest.toolsRunningStatus") == "guestToolsRunning")
    return guest(vc, vm)


def options(**values: str) -> list[vim.option.OptionValue]:
    return [vim.option.OptionValue(key=k.replace("__", "."), value=v) for k, v in values.items()]


def metadata(address: str, mac: str | None = None, **more: Any) -> bytes:
    ethernet: dict[str, Any] = {
        "addresses": [address],
        "nameservers": {"addresses": ["10.0.0.53"]},
        "routes": [{"to": "default", "via": "10.99.0.1"}],
    }
    if mac:
        ethernet["match"] = {"macaddress": mac}
    return json.dumps(
        {
            "instance-id": "i-1",
            "local-hostname": "web-7",
            "network": {"version": 2, "ethernets": {"nic0": ethernet}},
            **more,
        }
    ).encode()


def test_an_address_of_the_network_appears_after_power_on_and_goes_with_power_off(vc: VSphere) -> None:
    vm = vc.clone("dhcp")
    assert guest(vc, vm).get("guest.ipAddress") is None
    vc.wait(vm.PowerOnVM_Task())
    seen = booted(vc, vm)
    assert seen["guest.ipAddress"].startswith("10.11.")
    assert seen["guest.hostName"] == "dhcp"
    assert seen["summary.guest"].ipAddress == seen["guest.ipAddress"]
    assert seen["guest.net"][0].macAddress == vc.cards(vm)[0].macAddress
    assert seen["guest.net"][0].network == "frontend"
    vc.wait(vm.PowerOffVM_Task())
    seen = guest(vc, vm)
    assert not seen.get("guest.ipAddress")
    assert seen["guest.toolsRunningStatus"] == "guestToolsNotRunning"


def test_no_two_machines_have_one_address(vc: VSphere) -> None:
    machines = [vc.clone(f"many-{i}", power_on=True) for i in range(8)]
    assert len({booted(vc, vm)["guest.ipAddress"] for vm in machines}) == 8


@pytest.mark.parametrize(
    ("encoding", "pack"),
    [
        ("", lambda b: b.decode()),
        ("base64", lambda b: base64.b64encode(b).decode()),
        ("gzip+base64", lambda b: base64.b64encode(gzip.compress(b)).decode()),
    ],
)
def test_a_static_address_of_the_metadata_is_taken(vc: VSphere, encoding: str, pack: Any) -> None:
    values = {"guestinfo__metadata": pack(metadata("10.99.0.7/24"))}
    if encoding:
        values["guestinfo__metadata__encoding"] = encoding
    vm = vc.clone("static", power_on=True, extraConfig=options(**values))
    seen = booted(vc, vm)
    assert seen["guest.ipAddress"] == "10.99.0.7"
    assert seen["guest.hostName"] == "web-7"
    assert seen["guest.net"][0].ipConfig.ipAddress[0].prefixLength == 24
    assert list(seen["guest.net"][0].dnsConfig.ipAddress) == ["10.0.0.53"]
    route = vc.read(vim.VirtualMachine, "guest.ipStack")[vm]["guest.ipStack"][0].ipRouteConfig.ipRoute[0]
    assert (route.network, route.gateway.ipAddress) == ("0.0.0.0", "10.99.0.1")


def test_a_network_that_is_encoded_itself_is_taken(vc: VSphere) -> None:
    network = base64.b64encode(json.dumps({"version": 2, "ethernets": {"e": {"addresses": ["10.98.0.4/16"]}}}).encode())
    text = json.dumps({"local-hostname": "inner", "network": network.decode(), "network.encoding": "base64"})
    vm = vc.clone("encoded", power_on=True, extraConfig=options(guestinfo__metadata=text))
    assert booted(vc, vm)["guest.ipAddress"] == "10.98.0.4"


def test_cards_are_matched_by_their_mac_address(vc: VSphere) -> None:
    vm = vc.clone("matched")
    mac = vc.cards(vm)[0].macAddress
    vc.reconfigure(vm, extraConfig=options(guestinfo__metadata=metadata("10.97.0.5/24", mac=mac.upper()).decode()))
    vc.wait(vm.PowerOnVM_Task())
    assert booted(vc, vm)["guest.ipAddress"] == "10.97.0.5"


def test_a_card_that_is_not_matched_uses_dhcp(vc: VSphere) -> None:
    text = metadata("10.97.0.6/24", mac="00:50:56:00:00:01").decode()
    vm = vc.clone("unmatched", power_on=True, extraConfig=options(guestinfo__metadata=text))
    assert booted(vc, vm)["guest.ipAddress"].startswith("10.11.")


def test_metadata_that_is_nonsense_does_not_stop_the_guest(vc: VSphere) -> None:
    vm = vc.clone("nonsense", power_on=True, extraConfig=options(guestinfo__metadata="]: {"))
    assert booted(vc, vm)["guest.ipAddress"].startswith("10.11.")


def test_a_silent_guest_never_reports(vc: VSphere) -> None:
    import time

    vm = vc.clone("silent", power_on=True, extraConfig=options(escale__sandbox__guest="silent"))
    time.sleep(0.4)
    assert guest(vc, vm).get("guest.ipAddress") is None
    assert guest(vc, vm)["guest.toolsRunningStatus"] == "guestToolsNotRunning"


def test_a_guest_can_be_shut_down_and_rebooted(vc: VSphere) -> None:
    vm = vc.clone("polite", power_on=True)
    booted(vc, vm)
    vm.RebootGuest()
    vm.ShutdownGuest()
    vc.eventually(lambda: vm.runtime.powerState == "poweredOff")
    assert not guest(vc, vm).get("guest.ipAddress")


def test_an_address_is_free_again_when_its_machine_is_gone(vc: VSphere) -> None:
    vm = vc.clone("leaver", power_on=True)
    address = booted(vc, vm)["guest.ipAddress"]
    vc.remove(vm)
    machines = [vc.clone("comer", power_on=True)]
    assert address in {booted(vc, m)["guest.ipAddress"] for m in machines}
