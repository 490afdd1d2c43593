"""A conformance run: what it asks, what it keeps, and that it leaves nothing behind."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from typing import Any

import pytest

from tests.apps.labels.conftest import drive_to_the_end, end_of, verdicts
from tests.people import Person

pytestmark = pytest.mark.django_db(transaction=True)

Probe = Callable[..., Any]


def things(state: str) -> list[str]:
    """List what is on the fake cloud, past all code under test."""
    with sqlite3.connect(state) as db:
        return [row[0] for row in db.execute("SELECT resource FROM thing ORDER BY resource")]


def test_a_sound_cloud_passes_every_probe_and_nothing_is_left_on_it(
    olga: Person, paris: Any, probe: Probe, state: str
) -> None:
    run = probe(olga, paris)
    assert run.operation.state == "succeeded"
    assert set(verdicts(run).values()) == {"passed"}, verdicts(run)
    assert (run.state, run.level) == ("passed", "mobility")
    assert run.cleaned_at is not None
    assert things(state) == []
    assert run.product["product"] == "Fake cloud"


def test_each_probe_keeps_when_it_ran_and_what_it_found(olga: Person, paris: Any, probe: Probe) -> None:
    run = probe(olga, paris)
    rows = {row.probe: row for row in run.evidence.all()}
    assert all(row.started_at <= row.finished_at for row in rows.values())
    assert rows["canary.clone"].facts["seconds"] >= 0
    assert rows["canary.address"].internals["addresses"]
    assert rows["privileges.deploy"].facts["privileges"][0].keys() == {"name", "held", "for"}
    assert [row.probe for row in run.evidence.all()][-1] == "canary.destroy"


def test_evidence_holds_no_secret(olga: Person, paris: Any, probe: Probe) -> None:
    from tests.apps.clouds.conftest import PASSWORD

    run = probe(olga, paris)
    text = repr([(row.message, row.facts, row.internals) for row in run.evidence.all()]) + repr(run.basis)
    assert PASSWORD not in text
    assert "escale@vsphere.local" not in text


@pytest.mark.parametrize(
    ("verb", "probe_key", "level"),
    [
        ("examine:privileges.deploy", "privileges.deploy", ""),
        ("machine.create", "canary.clone", ""),
        ("examine:events", "events", ""),
        ("machine.snapshot", "canary.snapshot", "deploy"),
        ("machine.relocate", "canary.relocate.host", "deploy"),
    ],
)
def test_a_probe_that_fails_is_told_and_costs_its_level(
    olga: Person, paris: Any, probe: Probe, control: Any, state: str, verb: str, probe_key: str, level: str
) -> None:
    control.fault(verb, "refuse", times=-1, code="cloud.permission", message="May not - no right - ask", permanent=True)
    run = probe(olga, paris)
    assert run.operation.state == "succeeded"
    row = run.evidence.get(probe=probe_key)
    assert (row.verdict, row.code, row.message) == ("failed", "cloud.permission", "May not - no right - ask")
    assert run.level == level
    assert verdicts(run)["canary.destroy"] == "passed"
    assert things(state) == []


def test_what_needs_a_probe_that_failed_is_skipped(olga: Person, paris: Any, probe: Probe, control: Any) -> None:
    control.fault("machine.create", "refuse", times=-1, permanent=True)
    run = probe(olga, paris)
    found = verdicts(run)
    for key in ("canary.placed", "canary.boot", "canary.address", "events", "canary.snapshot", "throughput"):
        assert found[key] == "skipped", key
    assert "canary.clone" in run.evidence.get(probe="canary.boot").message


def test_an_advisory_probe_costs_nothing(olga: Person, paris: Any, probe: Probe, control: Any) -> None:
    control.fault("examine:latency", "refuse", times=-1, permanent=True)
    run = probe(olga, paris)
    assert verdicts(run)["latency"] == "failed"
    assert run.level == "mobility"


def test_what_passes_by_itself_is_tried_again(olga: Person, paris: Any, probe: Probe, control: Any, state: str) -> None:
    control.fault("machine.create", "cut", times=1)
    control.fault("machine.snapshot", "fail", times=1)
    run = probe(olga, paris)
    assert run.level == "mobility"
    assert things(state) == []


def test_a_cloud_that_cannot_be_asked_makes_a_run_inconclusive(
    olga: Person, paris: Any, probe: Probe, control: Any
) -> None:
    control.fault("*", "refuse", times=-1, code="cloud.unreachable", message="Nobody answers - down - wait")
    run = probe(olga, paris)
    assert run.state == "inconclusive"
    assert verdicts(run)["api"] == "error"
    assert verdicts(run)["canary.clone"] == "skipped"


def test_two_runs_on_one_cloud_exclude_each_other(olga: Person, paris: Any, probe: Probe) -> None:
    from apps.labels import running
    from apps.tenancy.faults import Fault

    first = running.start(olga.principal, paris)
    with pytest.raises(Fault) as refused:
        running.start(olga.principal, paris)
    assert refused.value.code == "operation.conflict"
    end_of(first)
    assert probe(olga, paris).state == "passed"


def test_a_cancelled_run_is_cleaned_up_after(olga: Person, paris: Any, control: Any, state: str) -> None:
    from apps.labels import running, tasks
    from apps.operations.models import Operation, Step
    from apps.operations.runner import drive
    from apps.operations.services import cancel

    control.fault("machine.snapshot", "hang", times=-1)
    run = running.start(olga.principal, paris)
    assert run.operation is not None
    for _ in range(200):
        drive(run.operation.pk, "tester", budget_s=0.3)
        if Step.objects.get(operation=run.operation, key="canary.snapshot").state == "waiting":
            break
    assert "machine:canary" in things(state)
    cancel(run.operation, who=olga.principal)
    run = end_of(run)
    assert run.state == "cancelled"
    assert run.cleaned_at is None
    assert tasks.clean_what_is_left() == ["paris"]
    drive_to_the_end(Operation.objects.get(kind="conformance.clean"))
    run.refresh_from_db()
    assert run.cleaned_at is not None
    assert things(state) == []
    assert tasks.clean_what_is_left() == []


def test_a_canary_that_is_left_holds_a_cloud_that_answers_and_is_not_declared_gone_by_another_one(
    olga: Person, alice: Person, paris: Any, probe: Probe
) -> None:
    from apps.clouds import services
    from apps.labels.models import Run
    from apps.labels.tasks import clean_what_is_left
    from apps.tenancy.faults import Fault

    run = probe(olga, paris)
    Run.objects.filter(pk=run.pk).update(cleaned_at=None)
    services.refresh(paris)
    with pytest.raises(Fault) as refused:
        services.remove_cloud(alice.principal, paris)
    assert refused.value.code == "cloud.in_use"
    changed = {"address": "another.example", "username": "escale@vsphere.local", "password": "another"}
    services.update_cloud(alice.principal, paris, **changed)
    assert clean_what_is_left() == []
    run.refresh_from_db()
    assert run.cleaned_at is None
    services.remove_cloud(alice.principal, paris)


def test_a_run_removes_what_an_earlier_one_has_left_and_touches_nothing_else(
    olga: Person, paris: Any, probe: Probe, control: Any, state: str
) -> None:
    control.put_machine("somebody's")
    control.fault("machine.delete", "refuse", times=-1, permanent=True, message="May not - locked - unlock")
    first = probe(olga, paris)
    assert first.cleaned_at is None
    left = first.evidence.get(probe="canary.destroy")
    assert left.verdict == "failed"
    assert "machine:canary" in left.message
    assert "locked" in left.message
    assert first.level == ""
    control.forgive()
    second = probe(olga, paris)
    first.refresh_from_db()
    assert first.cleaned_at is not None
    assert second.level == "mobility"
    assert things(state) == [""]


def test_a_viewer_starts_no_run_and_a_stranger_finds_no_cloud(viewer: Person, charlie: Person, paris: Any) -> None:
    from apps.labels import running
    from apps.tenancy.faults import Fault

    with pytest.raises(Fault) as refused:
        running.start(viewer.principal, paris)
    assert refused.value.code == "forbidden"
    with pytest.raises(Fault) as unknown:
        running.start(charlie.principal, paris)
    assert unknown.value.code == "not_found"
