"""A vCenter is listed whole once and then by its changes, by any process, whatever happens to it meanwhile."""

from __future__ import annotations

import base64
import contextlib
import json
import ssl
import urllib.request
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from pyVmomi import vim

from connectors.base import Access, Connector, ConnectorError
from connectors.listing import Item, ListingPage
from connectors.registry import connect
from connectors.vsphere import transport
from sandbox.simulator import Simulator
from tests.connectors.breaker import Breaker
from tests.sandbox.vsphere import VSphere, session

pytestmark = pytest.mark.slow

MACHINES = 40  # beside the flavour's own
PAGE = 50


@pytest.fixture(autouse=True)
def small_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    from connectors.vsphere import watching

    monkeypatch.setattr(watching, "PAGE", PAGE)


@pytest.fixture(scope="module")
def simulator() -> Iterator[Simulator]:
    with Simulator("paris", ephemeral=True, machines=MACHINES) as running:
        yield running


@pytest.fixture
def vc(simulator: Simulator) -> Iterator[VSphere]:
    with session(simulator) as client:
        yield client


def access(simulator: Simulator, **changes: Any) -> Access:
    usual = {
        "address": f"127.0.0.1:{simulator.port}",
        "username": simulator.username,
        "password": simulator.password,
        "thumbprint": simulator.thumbprint_sha256,
        "timeout_s": 10.0,
    }
    return Access("vsphere", **{**usual, **changes})  # type: ignore[arg-type]


@pytest.fixture
def connector(simulator: Simulator) -> Iterator[Connector]:
    made = connect(access(simulator))
    yield made
    made.close()


def pages(connector: Any, cursor: str = "") -> list[ListingPage]:
    return list(connector.listing(cursor))


def named(vc: VSphere, name: str) -> Any:
    return next(each for each, facts in vc.read(vim.VirtualMachine, "name").items() if facts["name"] == name)


class Mirror:
    """What a reader of the listing knows, as the portal's rows do."""

    def __init__(self, connector: Any) -> None:
        self.connector, self.cursor = connector, ""
        self.things: dict[tuple[str, str], Item] = {}
        self.fulls = 0

    def follow(self, connector: Any = None) -> list[ListingPage]:
        taken: list[ListingPage] = []
        seen: set[tuple[str, str]] = set()
        for page in (connector or self.connector).listing(self.cursor):
            taken.append(page)
            if page.start:
                seen = set()
                self.fulls += 1
            for kind, ref in page.gone:
                self.things.pop((kind, ref), None)
            for item in page.items:
                self.things[item.kind, item.ref] = item
                seen.add((item.kind, item.ref))
            if page.full and page.last:
                self.things = {key: item for key, item in self.things.items() if key in seen}
            self.cursor = page.cursor or self.cursor
        assert taken[-1].last
        return taken

    def machines(self) -> dict[str, Item]:
        return {item.name: item for (kind, _), item in self.things.items() if kind == "machine"}


def changed(taken: list[ListingPage]) -> list[tuple[str, str]]:
    return [(item.kind, item.name) for page in taken for item in page.items]


@pytest.fixture
def mirror(connector: Connector) -> Mirror:
    mirror = Mirror(connector)
    mirror.follow()
    return mirror


def test_everything_comes_once_in_pages(connector: Any, vc: VSphere) -> None:
    taken = pages(connector)
    items = [item for page in taken for item in page.items]
    keys = [(item.kind, item.ref) for item in items]
    assert len(keys) == len(set(keys))
    assert taken[0].start
    assert all(page.full for page in taken)
    assert [page.last for page in taken] == [False] * (len(taken) - 1) + [True]
    assert len(taken) >= 4
    assert max(len(page.items) for page in taken) <= PAGE
    assert taken[-1].total == len(items)
    machines = {each._moId: facts for each, facts in vc.read(vim.VirtualMachine, "config.template").items()}
    templates = {ref for ref, facts in machines.items() if facts["config.template"]}
    assert {ref for kind, ref in keys if kind == "machine"} == set(machines) - templates
    assert {ref for kind, ref in keys if kind == "template"} == templates
    assert {ref for kind, ref in keys if kind == "host"} == {each._moId for each in vc.all(vim.HostSystem)}
    assert {ref for kind, ref in keys if kind == "datastore"} == {each._moId for each in vc.all(vim.Datastore)}
    names = {item.name for item in items if item.kind == "network"}
    assert "VM Network" in names
    assert not [name for name in names if "Uplinks" in name]


def test_a_machine_is_what_the_vcenter_says(mirror: Mirror, vc: VSphere) -> None:
    machine = named(vc, "dc01")
    item = mirror.machines()["dc01"]
    facts = item.facts
    assert (item.id, item.ref) == (machine.config.instanceUuid, machine._moId)
    assert (facts["cpus"], facts["memory_mib"]) == (machine.config.hardware.numCPU, machine.config.hardware.memoryMB)
    assert facts["power"] == "on"
    assert facts["host"] == machine.runtime.host.name
    assert facts["cluster"] == machine.runtime.host.parent.name
    assert facts["folder"] == "Infrastructure"
    assert facts["networks"] == [machine.network[0].name]
    assert facts["datastores"] == [machine.datastore[0].name]
    assert facts["addresses"][0] == machine.guest.ipAddress
    disks = [each for each in machine.config.hardware.device if isinstance(each, vim.vm.device.VirtualDisk)]
    assert [(each["label"], each["path"]) for each in facts["disks"]] == [
        (each.deviceInfo.label, each.backing.fileName) for each in disks
    ]
    assert facts["disk_gib"] == sum(each.capacityInKB for each in disks) / 2**20
    assert facts["nics"][0]["mac"] == next(
        each.macAddress
        for each in machine.config.hardware.device
        if isinstance(each, vim.vm.device.VirtualEthernetCard)
    )
    assert facts["bios_uuid"] == machine.config.uuid
    assert "owner" not in facts


def test_clusters_hosts_and_pools_add_up(mirror: Mirror, vc: VSphere) -> None:
    hosts = [item for (kind, _), item in mirror.things.items() if kind == "host"]
    cluster = next(item for (kind, _), item in mirror.things.items() if item.name == "Compute-A" and kind == "cluster")
    inside = [host for host in hosts if host.facts["cluster"] == "Compute-A"]
    assert cluster.facts["hosts"] == len(inside) == 4
    assert cluster.facts["memory_mib"] == sum(host.facts["memory_mib"] for host in inside)
    pools = {item.name: item for (kind, _), item in mirror.things.items() if kind == "pool"}
    assert pools["Production"].facts["cluster"] == "Compute-A"
    assert "Resources" not in pools


def test_nothing_is_told_when_nothing_has_changed(mirror: Mirror, simulator: Simulator) -> None:
    simulator.reset()
    taken = mirror.follow()
    assert [(page.items, page.gone, page.full) for page in taken] == [((), (), False)]
    assert simulator.calls().get("WaitForUpdatesEx") == 1
    assert not {"RetrievePropertiesEx", "Login", "CreateContainerView"} & set(simulator.calls())


def test_only_what_changed_is_read_and_told(mirror: Mirror, simulator: Simulator, vc: VSphere) -> None:
    simulator.reset()
    refs = set(simulator.churn(5, seed=9))
    taken = mirror.follow()
    assert {item.ref for page in taken for item in page.items} == refs
    assert not any(page.full for page in taken)
    assert simulator.calls()["WaitForUpdatesEx"] <= 2


def test_a_machine_comes_moves_changes_and_goes(mirror: Mirror, vc: VSphere) -> None:
    machine = vc.clone("traveller")
    taken = mirror.follow()
    assert ("machine", "traveller") in changed(taken)
    before = mirror.machines()["traveller"]
    target = next(
        host
        for host in vc.all(vim.HostSystem)
        if host.parent == machine.runtime.host.parent and host != machine.runtime.host
    )
    vc.wait(machine.RelocateVM_Task(vim.vm.RelocateSpec(host=target)))
    mirror.follow()
    after = mirror.machines()["traveller"]
    assert (after.id, after.ref) == (before.id, before.ref)
    assert after.facts["host"] == target.name != before.facts["host"]
    vc.reconfigure(machine, numCPUs=7)
    vc.wait(machine.CreateSnapshot_Task("s", "", False, False))
    mirror.follow()
    assert mirror.machines()["traveller"].facts["cpus"] == 7
    assert mirror.machines()["traveller"].facts["snapshots"] == 1
    vc.remove(machine)
    taken = mirror.follow()
    assert ("machine", before.ref) in [pair for page in taken for pair in page.gone]
    assert "traveller" not in mirror.machines()


def test_a_machine_that_becomes_a_template_is_no_machine_any_more(mirror: Mirror, vc: VSphere) -> None:
    machine = vc.clone("mould")
    mirror.follow()
    assert ("machine", machine._moId) in mirror.things
    machine.MarkAsTemplate()
    mirror.follow()
    assert ("machine", machine._moId) not in mirror.things
    assert mirror.things["template", machine._moId].name == "mould"
    vc.remove(machine)
    mirror.follow()
    assert ("template", machine._moId) not in mirror.things


def test_a_renamed_folder_shows_in_all_machines_in_it(mirror: Mirror, vc: VSphere) -> None:
    folder = vc.vm_folder.CreateFolder("old name")
    machine = vc.clone("inhabitant", folder=folder)
    mirror.follow()
    assert mirror.machines()["inhabitant"].facts["folder"] == "old name"
    vc.wait(folder.Rename_Task("new name"))
    mirror.follow()
    assert mirror.machines()["inhabitant"].facts["folder"] == "new name"
    assert mirror.fulls == 1
    vc.remove(machine)
    vc.wait(folder.Destroy_Task())


def test_another_process_goes_on_with_the_cursor(mirror: Mirror, simulator: Simulator) -> None:
    other = connect(access(simulator))
    mirror.connector.close()  # type: ignore[attr-defined]
    refs = set(simulator.churn(3, seed=3))
    taken = mirror.follow(other)
    assert {item.ref for page in taken for item in page.items} == refs
    assert mirror.fulls == 1
    other.close()


def test_a_load_that_is_left_in_the_middle_is_resumed_by_another_process(simulator: Simulator) -> None:
    first, second = connect(access(simulator)), connect(access(simulator))
    seen: list[tuple[str, str]] = []
    cursor = ""
    for page in first.listing(""):  # type: ignore[attr-defined]
        seen += [(item.kind, item.ref) for item in page.items]
        if page.cursor and ("machine", page.items[0].ref) in seen:
            cursor = page.cursor
            break
    first.close()
    rest = pages(second, cursor)
    assert not any(page.start for page in rest)
    assert all(page.full for page in rest)
    keys = seen + [(item.kind, item.ref) for page in rest for item in page.items]
    assert len(keys) == len(set(keys))
    assert set(keys) == {(item.kind, item.ref) for page in pages(second) for item in page.items}
    second.close()


def test_an_answer_that_is_not_stored_may_be_asked_for_again(mirror: Mirror, simulator: Simulator) -> None:
    refs = set(simulator.churn(4, seed=4))
    lost = pages(mirror.connector, mirror.cursor)  # a worker took it and died before it stored it
    assert {item.ref for page in lost for item in page.items} == refs
    taken = mirror.follow()
    assert {item.ref for page in taken for item in page.items} == refs


def test_a_machine_that_is_deleted_before_its_change_is_read_is_gone_and_no_more(
    mirror: Mirror, simulator: Simulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A vCenter answers a question for several objects with a fault when one of them has been deleted meanwhile."""
    victim, *others = sorted(set(simulator.churn(4, seed=7)))
    request = transport.Transport.request

    def answered(self: Any, method: str, path: str, body: bytes = b"", *rest: Any, **options: Any) -> Any:
        reply = request(self, method, path, body, *rest, **options)
        if b"<RetrievePropertiesEx" not in body or f">{victim}<".encode() not in body:
            return reply
        fault = (
            '<Envelope xmlns="http://schemas.xmlsoap.org/soap/envelope/"><Body><Fault><faultcode>ServerFaultCode'
            f"</faultcode><faultstring>The object 'vim.VirtualMachine:{victim}' has already been deleted</faultstring>"
            '<detail><ManagedObjectNotFoundFault xmlns="urn:vim25"><obj type="VirtualMachine">'
            f"{victim}</obj></ManagedObjectNotFoundFault></detail></Fault></Body></Envelope>"
        )
        return transport.Reply(500, reply.headers, fault.encode())

    monkeypatch.setattr(transport.Transport, "request", answered)
    taken = mirror.follow()
    assert mirror.fulls == 1
    assert {item.ref for page in taken for item in page.items} == set(others)
    assert ("machine", victim) in {gone for page in taken for gone in page.gone}


@pytest.mark.parametrize("how", ["versions", "sessions"])
def test_what_the_server_forgot_is_loaded_anew(mirror: Mirror, simulator: Simulator, how: str) -> None:
    known = dict(mirror.things)
    if how == "versions":
        simulator.forget_versions()
    else:
        simulator.expire_sessions()
    taken = mirror.follow()
    assert taken[0].start
    assert mirror.fulls == 2
    assert set(mirror.things) == set(known)
    assert not pages(mirror.connector, mirror.cursor)[0].full


def test_looking_at_a_forgotten_cursor_costs_the_server_nothing(mirror: Mirror, simulator: Simulator) -> None:
    simulator.forget_versions()
    sessions = simulator.session_count()
    for _ in range(3):
        listing = mirror.connector.listing(mirror.cursor)
        assert next(listing).start
        listing.close()
    assert simulator.session_count() == sessions


def test_a_cursor_of_another_scope_or_release_is_not_gone_on_with(
    mirror: Mirror, simulator: Simulator, vc: VSphere
) -> None:
    name = vc.all(vim.Datacenter)[0].name
    narrow = connect(access(simulator, options={"datacenter": name}))
    assert pages(narrow, mirror.cursor)[0].start
    older = json.dumps({**json.loads(mirror.cursor), "form": 0})
    assert pages(narrow, older)[0].start
    for nonsense in ("x", "[]", "{}", '{"form": 1}'):
        assert pages(narrow, nonsense)[0].start
    narrow.close()
    wrong = connect(access(simulator, options={"datacenter": "nowhere"}))
    with pytest.raises(ConnectorError) as caught:
        pages(wrong)
    assert caught.value.code == "cloud.not_found"
    wrong.close()


@pytest.mark.parametrize("changes", [{"username": "somebody@else.local"}, {"address": "LOCALHOST:{port}"}])
def test_a_session_is_shown_to_no_other_address_and_used_for_no_other_user(
    mirror: Mirror, simulator: Simulator, monkeypatch: pytest.MonkeyPatch, changes: dict[str, str]
) -> None:
    """Whoever may send a cloud elsewhere may not read its password, and a cookie is as good."""
    cookie = json.loads(mirror.cursor)["cookie"]
    sent: list[str] = []
    request = transport.Transport.request

    def heard(self: Any, *arguments: Any, **options: Any) -> Any:
        sent.append(repr((arguments, options)))
        return request(self, *arguments, **options)

    monkeypatch.setattr(transport.Transport, "request", heard)
    other = connect(access(simulator, **{name: text.format(port=simulator.port) for name, text in changes.items()}))
    with contextlib.suppress(ConnectorError):
        assert pages(other, mirror.cursor)[0].start
    other.close()
    assert sent
    assert not [each for each in sent if cookie in each]


def test_a_session_that_ends_in_the_middle_of_a_load_is_said_and_the_next_try_works(simulator: Simulator) -> None:
    connector: Any = connect(access(simulator))
    listing = connector.listing("")
    while not next(listing).cursor:
        pass
    simulator.expire_sessions()
    with pytest.raises(ConnectorError) as caught:
        next(listing)
    assert (caught.value.code, caught.value.permanent) == ("cloud.busy", False)
    assert pages(connector)[-1].last
    connector.close()


def test_a_connection_that_breaks_in_the_middle_of_a_page_loses_nothing(simulator: Simulator, tmp_path: Path) -> None:
    with Breaker(simulator.port, tmp_path) as breaker:
        connector: Any = connect(access(simulator, address=f"127.0.0.1:{breaker.port}", thumbprint=breaker.thumbprint))
        mirror = Mirror(connector)
        mirror.follow()
        refs = set(simulator.churn(3, seed=11))
        for _ in range(2):  # one is repeated by itself
            breaker.arm("WaitForUpdatesEx", "after")
        with pytest.raises(ConnectorError) as caught:
            mirror.follow()
        assert caught.value.code == "cloud.unreachable"
        breaker.disarm()
        mirror.follow()
        taken = {item.ref for item in mirror.things.values()}
        assert refs <= taken
        assert mirror.fulls == 1
        connector.close()


def test_a_vcenter_that_was_killed_and_started_again_is_loaded_anew(tmp_path: Path) -> None:
    with Simulator("lyon", home=tmp_path) as simulator, session(simulator) as vc:
        machine = vc.clone("survivor")
        connector = connect(access(simulator))
        mirror = Mirror(connector)
        mirror.follow()
        uid = mirror.machines()["survivor"].id
        assert machine
        saved = tmp_path / "inventory.json"
        vc.eventually(lambda: saved.exists() and "survivor" in saved.read_text())
        simulator.kill()
        with pytest.raises(ConnectorError) as caught:
            pages(connector, mirror.cursor)
        assert caught.value.code == "cloud.unreachable"
        assert "survivor" in mirror.machines()
        simulator.start()
        mirror.follow()
        assert mirror.fulls == 2
        assert mirror.machines()["survivor"].id == uid
        connector.close()


def test_another_vcenter_at_the_address_is_loaded_anew(tmp_path: Path) -> None:
    with Simulator("lyon", home=tmp_path / "one", username="u@vsphere.local", password="p" * 12) as first:
        port = first.port
        connector = connect(access(first))
        mirror = Mirror(connector)
        mirror.follow()
        connector.close()
    with Simulator(
        "nice", "ovh", home=tmp_path / "two", port=port, username="u@vsphere.local", password="p" * 12
    ) as second:
        connector = connect(access(second))
        taken = mirror.follow(connector)
        assert taken[0].start
        assert {item.name for (kind, _), item in mirror.things.items() if kind == "cluster"} == {"Cluster1", "Cluster2"}
        connector.close()


def test_many_machines_that_vanish_at_once_are_told(simulator: Simulator, vc: VSphere) -> None:
    connector = connect(access(simulator))
    mirror = Mirror(connector)
    mirror.follow()
    before = len(mirror.machines())
    found = vc.read(vim.VirtualMachine, "runtime.powerState", "config.template")
    off = [each for each, facts in found.items() if facts["runtime.powerState"] == "poweredOff"]
    victims = [each for each in off if not found[each]["config.template"]][:100]
    refs = {each._moId for each in victims}
    assert len(refs) > 15
    for each in victims:
        each.Destroy_Task()
    vc.eventually(lambda: not refs & {each._moId for each in vc.all(vim.VirtualMachine)})
    mirror.follow()
    assert len(mirror.machines()) == before - len(refs)
    assert mirror.fulls == 1
    connector.close()


def test_what_is_managed_says_whose_it_is(mirror: Mirror, vc: VSphere) -> None:
    machine = vc.clone("ours")
    marks = {"escale.organization": "org", "escale.deployment": "dep", "escale.resource": "machine:web-1"}
    vc.reconfigure(machine, extraConfig=[vim.option.OptionValue(key=key, value=value) for key, value in marks.items()])
    mirror.follow()
    owner = mirror.machines()["ours"].facts["owner"]
    assert owner == {"organization_id": "org", "deployment_id": "dep", "key": "machine:web-1"}
    vc.remove(machine)


class Rest:
    """The tagging half of the simulator's REST API."""

    def __init__(self, simulator: Simulator) -> None:
        self._base = f"https://{simulator.host}:{simulator.port}/rest/com/vmware/cis"
        self._tls = ssl.create_default_context(cafile=str(simulator.ca_file))
        login = base64.b64encode(f"{simulator.username}:{simulator.password}".encode()).decode()
        self._session = self.call("POST", "/session", headers={"Authorization": f"Basic {login}"})

    def call(self, verb: str, path: str, body: Any = None, headers: Mapping[str, str] | None = None) -> Any:
        request = urllib.request.Request(self._base + path, method=verb, headers=dict(headers or {}))
        if hasattr(self, "_session"):
            request.add_header("vmware-api-session-id", self._session)
        if body is not None:
            request.data = json.dumps(body).encode()
            request.add_header("Content-Type", "application/json")
        with urllib.request.urlopen(request, context=self._tls) as answer:
            text = answer.read()
        return json.loads(text)["value"] if text else None

    def tag(self, category: str, name: str) -> str:
        key = self.call("POST", "/tagging/category", {"create_spec": {
            "name": category, "description": "", "cardinality": "MULTIPLE", "associable_types": []}})  # fmt: skip
        return str(self.call("POST", "/tagging/tag", {"create_spec": {
            "name": name, "description": "", "category_id": key}}))  # fmt: skip

    def attach(self, tag: str, ref: str, action: str = "attach") -> None:
        self.call(
            "POST", f"/tagging/tag-association/id:{tag}?~action={action}",
            {"object_id": {"id": ref, "type": "VirtualMachine"}},
        )  # fmt: skip


def test_tags_come_by_rest_and_follow(simulator: Simulator, vc: VSphere, monkeypatch: pytest.MonkeyPatch) -> None:
    from connectors.vsphere import listing

    rest = Rest(simulator)
    gold = rest.tag("Tier", "gold <b>")
    connector = connect(access(simulator))
    mirror = Mirror(connector)
    mirror.follow()
    item = mirror.machines()["dc01"]
    assert item.facts["tags"] == []
    assert mirror.things["tag", gold].facts == {"category": "Tier"}
    rest.attach(gold, item.ref)
    assert mirror.machines()["dc01"].facts["tags"] == []
    monkeypatch.setattr(listing, "TAGS_EVERY_S", 0.0)
    mirror.follow()
    assert mirror.machines()["dc01"].facts["tags"] == ["gold <b>"]
    vc.reconfigure(named(vc, "dc01"), annotation="new")
    monkeypatch.setattr(listing, "TAGS_EVERY_S", 300.0)
    mirror.follow()
    assert mirror.machines()["dc01"].facts["tags"] == ["gold <b>"]
    rest.attach(gold, item.ref, "detach")
    monkeypatch.setattr(listing, "TAGS_EVERY_S", 0.0)
    mirror.follow()
    assert mirror.machines()["dc01"].facts["tags"] == []
    assert mirror.fulls == 1
    connector.close()


def test_tags_that_nobody_tells_while_a_vcenter_starts_come_later(
    simulator: Simulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    from connectors.vsphere import listing, tagging

    rest = Rest(simulator)
    blue = rest.tag("Stage", "blue")
    call = tagging.Tags._call

    def starting(self: Any, *arguments: Any, **options: Any) -> Any:
        raise ConnectorError("cloud.busy", "HTTP status 503", retry_after=10.0)

    monkeypatch.setattr(tagging.Tags, "_call", starting)
    connector = connect(access(simulator))
    mirror = Mirror(connector)
    mirror.follow()
    rest.attach(blue, mirror.machines()["dc01"].ref)
    monkeypatch.setattr(listing, "TAGS_EVERY_S", 0.0)
    mirror.follow()
    assert "tags" not in mirror.machines()["dc01"].facts
    monkeypatch.setattr(tagging.Tags, "_call", call)
    mirror.follow()
    assert mirror.machines()["dc01"].facts["tags"] == ["blue"]
    assert mirror.fulls == 1
    rest.attach(blue, mirror.machines()["dc01"].ref, "detach")
    connector.close()


def test_a_vcenter_without_rest_has_no_tags_and_that_is_no_error(
    simulator: Simulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    from connectors.vsphere import tagging

    call = tagging.Tags._call

    def no_rest(self: Any, *arguments: Any, **options: Any) -> Any:
        raise tagging.Absent

    monkeypatch.setattr(tagging.Tags, "_call", no_rest)
    connector = connect(access(simulator))
    mirror = Mirror(connector)
    mirror.follow()
    assert "tags" not in mirror.machines()["dc01"].facts
    assert not [key for key in mirror.things if key[0] == "tag"]
    assert call is not no_rest
    connector.close()
