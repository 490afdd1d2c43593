"""What stands beside machines: the clock, idle sessions, events, tags by both REST interfaces, storage policies."""

from __future__ import annotations

import base64
import json
import time
import urllib.error
import urllib.request
from datetime import UTC, datetime
from typing import Any

import pytest
from pyVmomi import SoapStubAdapter, VmomiSupport, pbm, vim

from sandbox.simulator import Simulator
from tests.sandbox.vsphere import VSphere, session


def test_the_clock_can_be_wrong(vc: VSphere) -> None:
    def skew() -> float:
        return float((vc.si.CurrentTime() - datetime.now(UTC)).total_seconds())

    assert abs(skew()) < 5
    vc.simulator.set_clock(120)
    assert 115 < skew() < 125
    vc.simulator.set_clock(-3600)
    assert -3605 < skew() < -3595
    vc.simulator.reset()
    assert abs(skew()) < 5


def test_idle_sessions_end(paris: Simulator) -> None:
    with session(paris) as idle:
        assert idle.vm_folder.name
        paris.set_idle_timeout(0.2)
        time.sleep(0.4)
        with pytest.raises(vim.fault.NotAuthenticated):
            idle.content.rootFolder.CreateFolder("never")
        paris.reset()


def kinds(events: Any) -> list[str]:
    return [type(e).__name__.rpartition(".")[2] for e in sorted(events, key=lambda e: e.key)]


def test_events_tell_a_life(vc: VSphere) -> None:
    vm = vc.clone("eventful", power_on=True)
    spec = vim.event.EventFilterSpec(entity=vim.event.EventFilterSpec.ByEntity(entity=vm, recursion="self"))
    told = kinds(vc.content.eventManager.QueryEvents(spec))
    for kind in ("VmCreatedEvent", "VmClonedEvent", "VmPoweredOnEvent"):
        assert kind in told
    cloned = next(e for e in vc.content.eventManager.QueryEvents(spec) if isinstance(e, vim.event.VmClonedEvent))
    assert cloned.sourceVm.name.startswith("escale-container-host")
    assert cloned.vm.vm == vm
    collector = vc.content.eventManager.CreateCollectorForEvents(spec)
    vc.wait(vm.PowerOffVM_Task())
    assert "VmPoweredOffEvent" in kinds(collector.ReadNextEvents(100)) + kinds(collector.latestPage)
    latest = vc.content.eventManager.latestEvent
    everything = vc.content.eventManager.QueryEvents(vim.event.EventFilterSpec())
    assert latest.key == max(e.key for e in everything)
    vc.remove(vm)


class Rest:
    def __init__(self, vc: VSphere) -> None:
        self.vc = vc
        self.header: dict[str, str] = {}

    def __call__(self, method: str, path: str, body: Any = None) -> tuple[int, Any]:
        request = urllib.request.Request(
            f"https://127.0.0.1:{self.vc.simulator.port}{path}",
            method=method,
            data=None if body is None else json.dumps(body).encode(),
            headers={"Content-Type": "application/json", **self.header},
        )
        handlers = [urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=self.vc.tls)]
        try:
            with urllib.request.build_opener(*handlers).open(request, timeout=30) as response:
                text = response.read()
                return response.status, json.loads(text) if text else None
        except urllib.error.HTTPError as error:
            return error.code, json.loads(error.read() or b"null")

    def login(self, path: str) -> Any:
        secret = f"{self.vc.simulator.username}:{self.vc.simulator.password}".encode()
        self.header = {"Authorization": "Basic " + base64.b64encode(secret).decode()}
        answer = self("POST", path)
        token = answer[1]["value"] if isinstance(answer[1], dict) else answer[1]
        self.header = {"vmware-api-session-id": token}
        return answer


def test_tags_by_the_newer_interface(vc: VSphere) -> None:
    rest = Rest(vc)
    assert rest("GET", "/api/cis/tagging/category")[0] == 401
    status, token = rest.login("/api/session")
    assert status == 201
    assert isinstance(token, str)
    spec = {"name": "tier", "description": "", "cardinality": "SINGLE", "associable_types": []}
    status, category = rest("POST", "/api/cis/tagging/category", spec)
    assert status == 201
    assert category in rest("GET", "/api/cis/tagging/category")[1]
    assert rest("GET", f"/api/cis/tagging/category/{category}")[1]["name"] == "tier"
    spec = {"name": "gold", "description": "the best", "category_id": category}
    status, tag = rest("POST", "/api/cis/tagging/tag", spec)
    assert status == 201
    assert rest("GET", f"/api/cis/tagging/tag/{tag}")[1]["category_id"] == category
    assert rest("GET", "/api/cis/tagging/tag")[1] == [tag]
    vm = vc.clone("tagged")
    thing = {"id": vm._moId, "type": "VirtualMachine"}
    assert rest("POST", f"/api/cis/tagging/tag-association/{tag}?action=attach", {"object_id": thing})[0] == 204
    path = "/api/cis/tagging/tag-association?action=list-attached-tags-on-objects"
    status, rows = rest("POST", path, {"object_ids": [thing]})
    assert status == 200
    assert rows == [{"object_id": thing, "tag_ids": [tag]}]
    assert rest("GET", "/api/cis/tagging/tag/urn:vmomi:no:such")[0] == 404
    assert rest("DELETE", f"/api/cis/tagging/tag/{tag}")[0] == 204
    assert rest("DELETE", "/api/session")[0] == 204
    assert rest("GET", "/api/cis/tagging/tag") == (401, {"error_type": "UNAUTHENTICATED", "messages": []})
    vc.remove(vm)


def test_tags_by_the_older_interface(vc: VSphere) -> None:
    rest = Rest(vc)
    rest.login("/rest/com/vmware/cis/session")
    base = "/rest/com/vmware/cis/tagging"
    spec = {"name": "owner", "description": "", "cardinality": "MULTIPLE", "associable_types": []}
    category = rest("POST", f"{base}/category", {"create_spec": spec})[1]["value"]
    spec = {"name": "finance", "description": "", "category_id": category}
    tag = rest("POST", f"{base}/tag", {"create_spec": spec})[1]["value"]
    thing = {"id": vc.vm_folder._moId, "type": "Folder"}
    rest("POST", f"{base}/tag-association/id:{tag}?~action=attach", {"object_id": thing})
    path = f"{base}/tag-association?~action=list-attached-tags-on-objects"
    assert rest("POST", path, {"object_ids": [thing]})[1]["value"] == [{"object_id": thing, "tag_ids": [tag]}]


def test_storage_policies_by_the_sessions_cookie(vc: VSphere) -> None:
    cookie = vc.si._stub.cookie.split('"')[1]
    VmomiSupport.GetRequestContext()["vcSessionCookie"] = cookie
    stub = SoapStubAdapter(
        host=vc.simulator.host, port=vc.simulator.port, path="/pbm/sdk", version="pbm.version.version2",
        sslContext=vc.tls,
    )  # fmt: skip
    try:
        content = pbm.ServiceInstance("ServiceInstance", stub).RetrieveContent()
        kind = pbm.profile.ResourceType(resourceType=pbm.profile.ResourceTypeEnum.STORAGE)
        ids = content.profileManager.PbmQueryProfile(resourceType=kind, profileCategory="REQUIREMENT")
        profiles = content.profileManager.PbmRetrieveContent(profileIds=ids)
        assert "aa6d5a82-1c88-45da-85d3-3d74b91a5bad" in {p.profileId.uniqueId for p in profiles}
        assert "vSAN Default Storage Policy" in {p.name for p in profiles}
    finally:
        VmomiSupport.GetRequestContext().pop("vcSessionCookie", None)
