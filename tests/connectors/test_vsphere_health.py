"""What a probe finds on a vCenter that answers, and what it does when the answer is trouble."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from connectors.vsphere import survey
from connectors.vsphere.soap import Node
from tests.connectors.vsphere_bench import VsphereBench

pytestmark = pytest.mark.slow


def test_facts_are_the_vcenters_own(vcenter: VsphereBench) -> None:
    connector = vcenter.connect()
    facts = connector.probe().facts
    assert facts["instance_uuid"] == vcenter.simulator.instance_uuid
    assert facts["datacenter"] == "Paris"
    assert facts["version"].startswith("8.0")
    assert abs(facts["clock_skew_s"]) < 5
    assert 0 < facts["latency_ms"] < 5000
    connector.close()


def test_a_server_that_cannot_tell_privileges_is_not_suspected(vcenter: VsphereBench) -> None:
    vcenter.simulator.fault("HasPrivilegeOnEntity", "MethodNotFound", count=1)
    connector = vcenter.connect()
    health = connector.probe()
    assert health.ok
    assert not health.findings
    assert health.facts["privileges_missing"] is None
    assert vcenter.breaker.seen["HasPrivilegeOnEntity"] == 1
    connector.close()


def test_missing_privileges_are_named(vcenter: VsphereBench, monkeypatch: pytest.MonkeyPatch) -> None:
    connector = vcenter.connect()
    connector.probe()
    shared = connector._opened().session  # type: ignore[attr-defined]
    real = shared.read

    def read(this: object, method: str, **arguments: object) -> list[Node]:
        nodes: list[Node] = real(this, method, **arguments)
        if method == "HasPrivilegeOnEntity":
            wanted = arguments["privId"]
            assert isinstance(wanted, list)
            nodes[wanted.index("Folder.Delete")].text = "false"
        return nodes

    monkeypatch.setattr(shared, "read", read)
    health = connector.probe()
    assert health.ok  # it answers, and much may work
    assert [finding.code for finding in health.findings] == ["cloud.permission"]
    assert "(Folder.Delete)" in health.findings[0].message
    assert health.facts["privileges_missing"] == [{"name": "Folder.Delete", "for": "remove a deployment's folder"}]
    connector.close()


def test_a_clock_that_is_wrong_is_a_warning(vcenter: VsphereBench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(survey, "moment", lambda _: datetime.now(UTC) - timedelta(minutes=5))
    connector = vcenter.connect()
    health = connector.probe()
    assert [(finding.code, finding.severity) for finding in health.findings] == [("cloud.clock", "warning")]
    assert health.facts["clock_skew_s"] == pytest.approx(-300, abs=5)
    connector.close()


def test_hosts_in_maintenance_leave_nothing_to_run_on(vcenter: VsphereBench, monkeypatch: pytest.MonkeyPatch) -> None:
    from connectors.vsphere import estate

    real = estate._hosts
    monkeypatch.setattr(
        estate,
        "_hosts",
        lambda found: real({ref: {**facts, "runtime.inMaintenanceMode": True} for ref, facts in found.items()}),
    )
    connector = vcenter.connect()
    health = connector.probe()
    assert not health.ok
    assert "cloud.no_hosts" in [finding.code for finding in health.findings]
    connector.close()


def test_templates_count_as_container_hosts_by_their_name_or_their_own_word(vcenter: VsphereBench) -> None:
    plain = vcenter.connect()
    assert all(fact.container_host for fact in plain.inventory().templates)
    plain.close()
    named = vcenter.connect(options={"container_hosts": ["no-such-*"]})
    assert all(fact.container_host for fact in named.inventory().templates)  # guestinfo.escale.engine says so
    named.close()
