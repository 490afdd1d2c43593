"""From a run to a signed label, and all the ways in which it stops to count."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from tests.apps.labels.conftest import STATEMENT
from tests.people import Person

pytestmark = pytest.mark.django_db(transaction=True)

Probe = Callable[..., Any]
Signed = Callable[..., Any]


def names(cloud: Any, now: Any = None) -> list[str]:
    from apps.labels.reading import labels_of

    return labels_of([cloud], now)[cloud.name]


def state_of(label: Any, now: Any = None) -> str:
    from apps.labels.models import Label
    from apps.labels.standing import standing

    return standing(Label.objects.select_related("cloud__organization", "run").get(pk=label.pk), now).state


def test_a_run_alone_labels_nothing_and_a_signature_does(alice: Person, paris: Any, probe: Probe) -> None:
    from apps.audit.models import Entry
    from apps.labels import issuing
    from apps.labels.models import Label

    candidate = Label.objects.get(run=probe(alice, paris))
    assert (candidate.state, names(paris)) == ("candidate", [])
    label = issuing.sign(alice.principal, candidate, STATEMENT)
    assert names(paris) == ["escale:deploy", "escale:mobility"]
    assert label.signer == "alice"
    assert label.valid_until is not None
    assert timedelta(days=89) < label.valid_until - timezone.now() <= timedelta(days=90)
    assert Entry.objects.filter(action="label.sign", actor="alice").exists()


def test_only_an_administrator_signs_and_withdraws(
    alice: Person, bob: Person, olga: Person, paris: Any, probe: Probe, charlie: Person
) -> None:
    from apps.labels import issuing
    from apps.labels.models import Label
    from apps.tenancy.faults import Fault

    candidate = Label.objects.get(run=probe(olga, paris))
    for who, code in ((bob, "forbidden"), (olga, "forbidden"), (charlie, "label.not_yours")):
        with pytest.raises(Fault) as refused:
            issuing.sign(who.principal, candidate, STATEMENT)
        assert refused.value.code == code
        with pytest.raises(Fault) as kept:
            issuing.withdraw(who.principal, candidate, "because")
        assert kept.value.code == code
    assert names(paris) == []


@pytest.mark.parametrize("text", ["", "   ", "x" * 2001, "a\x00b"])
def test_a_signature_needs_a_statement(alice: Person, paris: Any, probe: Probe, text: str) -> None:
    from apps.labels import issuing
    from apps.labels.models import Label
    from apps.tenancy.faults import Fault

    with pytest.raises(Fault) as refused:
        issuing.sign(alice.principal, Label.objects.get(run=probe(alice, paris)), text)
    assert refused.value.code == "label.statement"


def test_a_failed_run_offers_nothing_to_sign(alice: Person, paris: Any, probe: Probe, control: Any) -> None:
    from apps.labels.models import Label

    control.fault("machine.create", "refuse", times=-1, permanent=True)
    probe(alice, paris)
    assert not Label.objects.exists()


def test_an_old_run_is_not_signed(alice: Person, paris: Any, probe: Probe) -> None:
    from apps.labels import issuing
    from apps.labels.models import Label
    from apps.tenancy.faults import Fault

    candidate = Label.objects.get(run=probe(alice, paris))
    with pytest.raises(Fault) as refused:
        issuing.sign(alice.principal, candidate, STATEMENT, now=timezone.now() + timedelta(days=8))
    assert refused.value.code == "label.run_too_old"


def test_evidence_that_was_edited_before_the_signature_is_not_signed(
    alice: Person, paris: Any, probe: Probe, control: Any
) -> None:
    from apps.labels import issuing
    from apps.labels.models import Label
    from apps.tenancy.faults import Fault

    run = probe(alice, paris)
    run.evidence.filter(probe="canary.boot").update(verdict="failed")
    with pytest.raises(Fault) as refused:
        issuing.sign(alice.principal, Label.objects.get(run=run), STATEMENT)
    assert refused.value.code == "label.not_passed"


def test_a_label_expires_by_the_clock(alice: Person, paris: Any, signed: Signed) -> None:
    label = signed(alice, paris)
    now = timezone.now()
    assert state_of(label, now) == "valid"
    assert state_of(label, now + timedelta(days=80)) == "expiring"
    assert names(paris, now + timedelta(days=80)) == ["escale:deploy", "escale:mobility"]
    assert state_of(label, now + timedelta(days=91)) == "expired"
    assert names(paris, now + timedelta(days=91)) == []


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("address", "elsewhere.example"),
        ("flavour", "ovh"),
        ("options", {"datacenter": "another"}),
        ("health", {"facts": {"instance_uuid": "x"}}),
    ],
)
def test_a_label_is_suspended_when_the_cloud_is_another_one(
    alice: Person, paris: Any, signed: Signed, field: str, value: Any
) -> None:
    from apps.clouds.models import Cloud
    from apps.labels.models import Run

    label = signed(alice, paris)
    if field == "health":
        Run.objects.update(basis={**label.run.basis, "instance_uuid": "before"})
        from apps.labels import signing
        from apps.labels.models import Label

        fresh = Label.objects.select_related("run").get(pk=label.pk)
        Label.objects.filter(pk=label.pk).update(signature=signing.sign(signing.document(fresh)))
    Cloud.objects.filter(pk=paris.pk).update(**{field: value})
    paris.refresh_from_db()
    assert state_of(label) == "suspended"
    assert names(paris) == []


def test_another_password_keeps_a_label_and_another_user_suspends_it(alice: Person, paris: Any, signed: Signed) -> None:
    from apps.clouds import services

    label = signed(alice, paris)
    services.rotate_credential(alice.principal, paris, "escale@vsphere.local", "another", try_first=False)
    assert state_of(label) == "valid"
    services.rotate_credential(alice.principal, paris, "root", "another", try_first=False)
    assert state_of(label) == "suspended"


def test_a_run_of_another_cloud_is_not_signed(alice: Person, paris: Any, probe: Probe) -> None:
    from apps.clouds.models import Cloud
    from apps.labels import issuing
    from apps.labels.models import Label
    from apps.tenancy.faults import Fault

    candidate = Label.objects.get(run=probe(alice, paris))
    Cloud.objects.filter(pk=paris.pk).update(address="elsewhere.example")
    with pytest.raises(Fault) as refused:
        issuing.sign(alice.principal, candidate, STATEMENT)
    assert refused.value.code == "label.cloud_changed"


def test_a_failed_probe_takes_the_label_away_at_once_and_says_which(
    alice: Person, paris: Any, signed: Signed, probe: Probe, control: Any
) -> None:
    from apps.audit.models import Entry
    from apps.labels import issuing
    from apps.tenancy.access import System

    label = signed(alice, paris)
    control.fault("machine.relocate", "refuse", times=-1, permanent=True, message="No - DRS is off - switch it on")
    run = probe(System(paris.organization), paris, "schedule")
    label.refresh_from_db()
    assert (label.state, names(paris)) == ("lost", [])
    assert label.ended_why["probe"] == "canary.relocate.host"
    assert label.ended_why["run"] == str(run.pk)
    assert "DRS is off" in issuing.lost_because(label)
    assert Entry.objects.filter(action="label.lost").exists()


def test_what_an_earlier_run_has_earned_is_not_signed_after_a_later_one_failed(
    alice: Person, paris: Any, probe: Probe, control: Any
) -> None:
    from apps.labels import issuing
    from apps.labels.models import Label
    from apps.tenancy.faults import Fault

    candidate = Label.objects.get(run=probe(alice, paris))
    control.fault("machine.create", "refuse", times=-1, permanent=True)
    later = probe(alice, paris)
    candidate.refresh_from_db()
    assert (candidate.state, candidate.ended_why["probe"]) == ("lost", "canary.clone")
    assert candidate.ended_why["run"] == str(later.pk)
    with pytest.raises(Fault) as refused:
        issuing.sign(alice.principal, candidate, STATEMENT)
    assert refused.value.code == "label.not_candidate"
    assert names(paris) == []


def test_a_cloud_that_does_not_answer_keeps_its_label_for_a_while(
    alice: Person, paris: Any, signed: Signed, probe: Probe, control: Any
) -> None:
    from apps.clouds import connections
    from apps.tenancy.access import System

    label = signed(alice, paris)
    control.fault("*", "refuse", times=-1, code="cloud.unreachable", message="Nobody answers - down - wait")
    probe(System(paris.organization), paris, "schedule")
    label.refresh_from_db()
    assert state_of(label) == "unconfirmed"
    assert names(paris) == ["escale:deploy", "escale:mobility"]
    from apps.labels.tasks import due

    assert due(label, timezone.now() + timedelta(minutes=30)) == ""
    assert due(label, timezone.now() + timedelta(minutes=90)) == "schedule"
    later = timezone.now() + timedelta(hours=73)
    assert (state_of(label, later), names(paris, later)) == ("lapsed", [])
    control.forgive()
    connections.close_all()
    probe(System(paris.organization), paris, "schedule")
    assert state_of(label) == "valid"


def test_withdrawing_ends_a_label_and_tells_why(alice: Person, paris: Any, signed: Signed) -> None:
    from apps.labels import issuing
    from apps.tenancy.faults import Fault

    label = signed(alice, paris)
    with pytest.raises(Fault) as silent:
        issuing.withdraw(alice.principal, label, "  ")
    assert silent.value.code == "label.reason"
    issuing.withdraw(alice.principal, label, "The contract ended.")
    label.refresh_from_db()
    assert (label.state, issuing.lost_because(label), names(paris)) == ("withdrawn", "The contract ended.", [])


@pytest.mark.parametrize("what", ["facts", "internals", "verdict", "statement", "valid_until", "product"])
def test_whatever_is_edited_in_the_database_breaks_the_label(
    alice: Person, paris: Any, signed: Signed, what: str
) -> None:
    from apps.labels.models import Evidence, Label, Run

    label = signed(alice, paris)
    row = Evidence.objects.get(run=label.run, probe="canary.clone")
    match what:
        case "facts":
            Evidence.objects.filter(pk=row.pk).update(facts={**row.facts, "seconds": 0.001})
        case "internals":
            Evidence.objects.filter(pk=row.pk).update(internals={**row.internals, "host": "faster"})
        case "verdict":
            Evidence.objects.filter(run=label.run, probe="latency").update(verdict="failed")
        case "statement":
            Label.objects.filter(pk=label.pk).update(statement="We vouch for more.")
        case "valid_until":
            Label.objects.filter(pk=label.pk).update(valid_until=timezone.now() + timedelta(days=9999))
        case "product":
            Run.objects.filter(pk=label.run_id).update(product={"product": "Something better"})
    assert state_of(label) == "broken"
    assert names(paris) == []


def test_a_signature_by_another_key_is_no_signature(alice: Person, paris: Any, signed: Signed, settings: Any) -> None:
    label = signed(alice, paris)
    settings.ESCALE_KEYS = "1:" + "b3RoZXIga2V5cywgYWxzbyBvZiB0aGlydHktdHdvIGI="
    assert state_of(label) == "broken"


def test_a_labelled_cloud_is_probed_again_on_schedule_and_before_its_end(
    alice: Person, paris: Any, signed: Signed
) -> None:
    from apps.labels.models import Label, Run
    from apps.labels.tasks import due

    label = Label.objects.select_related("cloud__organization", "run").get(pk=signed(alice, paris).pk)
    now = timezone.now()
    assert due(label, now) == ""
    assert due(label, now + timedelta(days=8)) == "schedule"
    Run.objects.update(started_at=now + timedelta(days=75))
    assert due(label, now + timedelta(days=75, hours=1)) == ""
    Run.objects.update(started_at=now + timedelta(days=74))
    assert due(label, now + timedelta(days=77)) == "renewal"
    assert due(label, now + timedelta(days=91)) == ""


def test_the_schedule_starts_a_run_that_confirms_the_label(alice: Person, paris: Any, signed: Signed) -> None:
    from apps.labels.models import Label, Run
    from apps.labels.tasks import probe_what_is_due
    from tests.apps.labels.conftest import end_of

    label = signed(alice, paris)
    assert probe_what_is_due() == []
    later = timezone.now() + timedelta(days=8)
    assert probe_what_is_due(later) == ["paris"]
    assert probe_what_is_due(later) == []  # one is under way
    end_of(Run.objects.get(state="running"))
    label.refresh_from_db()
    assert label.state == "valid"
    assert label.confirmed_at > label.signed_at
    assert not Label.objects.filter(state="candidate").exists()


def test_a_new_signature_replaces_the_old_one(alice: Person, paris: Any, signed: Signed) -> None:
    from apps.labels.models import Label

    first = signed(alice, paris)
    second = signed(alice, paris)
    first.refresh_from_db()
    assert (first.state, second.state) == ("replaced", "valid")
    assert Label.objects.filter(state="valid").count() == 1


def test_an_exported_report_is_checked_and_a_forged_one_is_found_out(alice: Person, paris: Any, signed: Signed) -> None:
    from apps.labels import reporting

    label = signed(alice, paris)
    full = json.loads(json.dumps(reporting.report(label.run, "full")))
    assert reporting.check(full) | {"valid_until": None} == {
        "authentic": True, "details": True, "valid": True, "label": "escale:mobility", "signer": "alice",
        "valid_until": None, "standing": "valid",
    }  # fmt: skip
    partner = json.loads(json.dumps(reporting.report(label.run, "partner")))
    checked = reporting.check(partner)
    assert (checked["authentic"], checked["details"], checked["valid"]) == (True, None, True)
    forged = json.loads(json.dumps(full))
    forged["signed"]["label"]["name"] = "escale:everything"
    assert reporting.check(forged)["authentic"] is False
    assert reporting.check(forged)["valid"] is False
    swapped = json.loads(json.dumps(full))
    swapped["probes"][0]["withheld"]["message"] = "all is well"
    assert reporting.check(swapped)["details"] is False
    assert reporting.check(swapped)["valid"] is False


def test_a_partner_s_edition_holds_nothing_internal(alice: Person, paris: Any, signed: Signed) -> None:
    from apps.labels import reporting

    label = signed(alice, paris)
    text = json.dumps(reporting.report(label.run, "partner"))
    assert "fake.example" not in text
    for row in label.run.evidence.all():
        for value in row.internals.values():
            if isinstance(value, str) and len(value) > 6:
                assert value not in text, (row.probe, value)


@pytest.mark.parametrize("file", [None, [], "x", {}, {"format": "other"}, {"format": "escale.conformance/1"}])
def test_what_is_no_report_is_refused(alice: Person, file: Any) -> None:
    from apps.labels import reporting
    from apps.tenancy.faults import Fault

    with pytest.raises(Fault) as refused:
        reporting.check(file)
    assert refused.value.code == "label.report_unreadable"
