"""The same on a vCenter's API: trust, refusal, rotation, breakdown and return."""

from __future__ import annotations

import time

import pytest

from apps.clouds import connections, services
from apps.clouds.models import Cloud
from sandbox.simulator import Simulator

pytestmark = [pytest.mark.slow, pytest.mark.django_db]


@pytest.fixture(scope="module")
def vcenter(tmp_path_factory):
    with Simulator("paris", home=tmp_path_factory.mktemp("paris"), guest_delay_ms=10) as simulator:
        yield simulator


@pytest.fixture
def facts(vcenter):
    return {
        "name": "paris",
        "kind": "vsphere",
        "address": vcenter.url,
        "username": vcenter.username,
        "password": vcenter.password,
        "thumbprint": vcenter.thumbprint_sha256,
    }


def test_it_is_registered_read_and_offered_as_a_target(alice, facts):
    cloud = services.register_cloud(alice.principal, **facts)
    health = services.refresh(cloud)
    assert health.ok, health.summary
    target = services.target(Cloud.objects.get(pk=cloud.pk))
    assert target.flavour == "private"
    assert target.inventory.clusters
    assert any(template.container_host for template in target.inventory.templates)
    shown = alice.api.get("/api/v1/clouds/paris/").json()
    assert shown["health"]["ok"] is True
    assert shown["capacity"]["memory_mib"] > 0
    assert shown["capabilities"]


def test_another_certificate_than_the_pinned_one_is_not_trusted(alice, facts):
    cloud = services.register_cloud(alice.principal, **{**facts, "thumbprint": "ab" * 32})
    health = services.test_connection(cloud)
    assert not health.ok
    assert cloud.health["code"] == "cloud.trust"
    services.update_cloud(alice.principal, cloud, thumbprint=facts["thumbprint"])
    assert services.test_connection(Cloud.objects.get(pk=cloud.pk)).ok


def test_a_wrong_password_is_refused_without_being_repeated(alice, facts):
    cloud = services.register_cloud(alice.principal, **{**facts, "password": "canary-wrong-password"})
    assert not services.test_connection(cloud).ok
    assert cloud.health["code"] == "cloud.not_authenticated"
    assert "canary" not in str(cloud.health)


def test_a_credential_that_is_refused_is_not_taken(alice, facts):
    services.register_cloud(alice.principal, **facts)
    address = "/api/v1/clouds/paris/credential/"
    wrong = alice.api.put(address, {"username": facts["username"], "password": "wrong"})
    assert (wrong.status_code, wrong.json()["code"]) == (422, "cloud.not_authenticated")
    right = alice.api.put(address, {"username": facts["username"], "password": facts["password"]})
    assert right.status_code == 204, right.content


def test_a_vcenter_that_is_gone_is_told_quickly_and_found_again_when_it_is_back(alice, facts, tmp_path, monkeypatch):
    monkeypatch.setattr(connections, "OPEN_FOR_S", 0.5)
    with Simulator("gone", home=tmp_path / "gone") as simulator:
        port, trust = simulator.port or int(simulator.url.split(":")[2].split("/")[0]), simulator.thumbprint_sha256
        own = {"address": simulator.url, "username": simulator.username, "password": simulator.password}
        cloud = services.register_cloud(alice.principal, **{**facts, **own, "name": "gone", "thumbprint": trust})
        assert services.refresh(cloud).ok
    started = time.monotonic()
    for _ in range(connections.FAILURES_TO_OPEN + 2):
        assert not services.refresh(cloud).ok
        assert cloud.health["code"] == "cloud.unreachable"
    assert time.monotonic() - started < 20
    assert cloud.inventory, "the last inventory stays"
    with Simulator("gone", home=tmp_path / "gone", port=port):
        time.sleep(0.6)
        assert services.refresh(cloud).ok, cloud.health
