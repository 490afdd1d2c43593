"""The whole way, from a simulated vCenter to rows, by operations that workers drive."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest

from sandbox.simulator import Simulator
from tests.people import Person

pytestmark = [pytest.mark.slow, pytest.mark.django_db(transaction=True)]


@pytest.fixture(scope="module")
def simulator() -> Iterator[Simulator]:
    with Simulator("paris", ephemeral=True, machines=40) as running:
        yield running


@pytest.fixture
def lyon(alice: Person, simulator: Simulator) -> Any:
    from apps.clouds import services

    return services.register_cloud(
        alice.principal,
        alice.organization,
        name="lyon",
        kind="vsphere",
        flavour="private",
        address=f"{simulator.host}:{simulator.port}",
        username=simulator.username,
        password=simulator.password,
        thumbprint=simulator.thumbprint_sha256,
    )


def rows(cloud: Any) -> dict[str, Any]:
    from apps.inventory.models import Machine

    return {row.ref: row for row in Machine.objects.filter(cloud=cloud)}


def test_everything_then_changes_then_everything_again_when_sessions_end(
    lyon: Any, simulator: Simulator, drive: Any, viewer: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    from apps.clouds import connections
    from apps.inventory import handler, services, syncing, writing
    from apps.inventory.models import Machine
    from connectors.vsphere import watching

    monkeypatch.setattr(watching, "PAGE", 50)
    monkeypatch.setattr(handler, "SLICE_S", 0.0)  # each page is a slice of its own, and resumed by the cursor
    operation = drive(services.check(lyon))
    assert operation.state == "succeeded", operation.error
    first = rows(lyon)
    counts = writing.counts(lyon.pk)
    assert counts["machine"] == len(first) > 100
    assert {"host", "cluster", "pool", "datastore", "network", "template"} <= set(counts)
    assert operation.steps.get().result["full"] is True
    listed = viewer.api.get("/api/v1/inventory/machines/?q=dc01").json()["results"]
    assert [row["folder"] for row in listed] == ["Infrastructure"]
    assert simulator.password.encode() not in bytes(syncing.state_of(lyon).sealed)

    assert services.check(lyon) is None
    changed = set(simulator.churn(5, seed=2))
    connections.close_all()  # another process
    operation = drive(services.check(lyon))
    assert operation.steps.get().result["full"] is False
    after = rows(lyon)
    assert {ref for ref, row in after.items() if row.changed_at != first[ref].changed_at} == changed
    assert services.check(lyon) is None

    simulator.expire_sessions()
    operation = drive(services.check(lyon))
    assert operation.steps.get().result["full"] is True
    again = rows(lyon)
    assert {ref: row.pk for ref, row in again.items()} == {ref: row.pk for ref, row in first.items()}
    assert {ref: row.changed_at for ref, row in again.items()} == {ref: row.changed_at for ref, row in after.items()}
    assert Machine.objects.filter(cloud=lyon, changed_at__gt=operation.started_at).count() == 0


def test_once_a_day_everything_is_loaded_whatever_the_cloud_says(
    lyon: Any, simulator: Simulator, drive: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from django.utils import timezone

    from apps.inventory import services
    from apps.inventory.models import Machine, SyncState

    drive(services.check(lyon))
    assert services.check(lyon) is None
    Machine.objects.filter(cloud=lyon, name="dc01").delete()  # as if a change had got lost
    assert services.check(lyon) is None
    SyncState.objects.filter(pk=lyon.pk).update(full_at=timezone.now() - timedelta(days=1, minutes=1))
    operation = drive(services.check(lyon))
    assert operation.steps.get().result["full"] is True
    assert Machine.objects.filter(cloud=lyon, name="dc01").exists()


def test_a_vcenter_that_stops_answering_keeps_its_rows_and_says_so(
    lyon: Any, simulator: Simulator, drive: Any, viewer: Person
) -> None:
    from apps.clouds import connections
    from apps.inventory import services

    drive(services.check(lyon))
    before = len(rows(lyon))
    simulator.kill()
    try:
        assert services.check(lyon) is None
        state = viewer.api.get("/api/v1/clouds/lyon/sync/").json()
        assert state["trouble"]["code"] == "cloud.unreachable"
        assert state["counts"]["machine"] == before == len(rows(lyon))
    finally:
        simulator.start()
    connections.close_all()
    operation = drive(services.check(lyon))
    assert operation.state == "succeeded", operation.error
    assert viewer.api.get("/api/v1/clouds/lyon/sync/").json()["trouble"] is None
