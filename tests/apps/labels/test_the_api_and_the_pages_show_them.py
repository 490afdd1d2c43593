"""Labels over REST and in pages: who sees, runs, signs; what partners are not shown; text stays text."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from django.utils import timezone

from tests.apps.labels.conftest import STATEMENT, drive_to_the_end
from tests.people import Person

pytestmark = pytest.mark.django_db(transaction=True)

Probe = Callable[..., Any]
Signed = Callable[..., Any]


def lend(cloud: Any, to: Person) -> None:
    """Let another organization use a cloud."""
    from apps.clouds.models import CloudGrant

    CloudGrant.objects.create(
        cloud=cloud, organization=to.organization, organization_slug=to.organization.slug, accepted_at=timezone.now()
    )


def test_a_cloud_is_labelled_over_rest(olga: Person, alice: Person, paris: Any) -> None:
    from apps.operations.models import Operation

    started = olga.api.post("/api/v1/clouds/paris/conformance/")
    assert started.status_code == 202
    assert started["Location"] == f"/api/v1/conformance/{started.json()['id']}/"
    again = olga.api.post("/api/v1/clouds/paris/conformance/")
    assert (again.status_code, again.json()["code"]) == (409, "operation.conflict")
    early = olga.api.get(f"/api/v1/conformance/{started.json()['id']}/report.json")
    assert (early.status_code, early.json()["code"]) == (409, "label.not_finished")
    drive_to_the_end(Operation.objects.get(pk=started.json()["operation"]))
    run = olga.api.get(started["Location"]).json()
    assert (run["state"], run["level"], run["counts"]["passed"]) == ("passed", "mobility", len(run["probes"]))
    refused = olga.api.post(f"/api/v1/labels/{run['label']}/sign/", {"statement": STATEMENT}, format="json")
    assert (refused.status_code, refused.json()["code"]) == (403, "forbidden.token")
    signed = alice.api.post(f"/api/v1/labels/{run['label']}/sign/", {"statement": STATEMENT, "days": 30}, format="json")
    assert signed.status_code == 200
    assert (signed.json()["standing"], signed.json()["names"]) == ("valid", ["escale:deploy", "escale:mobility"])
    twice = alice.api.post(f"/api/v1/labels/{run['label']}/sign/", {"statement": STATEMENT}, format="json")
    assert (twice.status_code, twice.json()["code"]) == (409, "label.not_candidate")
    report = olga.api.get(f"/api/v1/conformance/{run['id']}/report.json?edition=full").json()
    checked = olga.api.post("/api/v1/labels/verify/", report, format="json").json()
    assert (checked["valid"], checked["standing"], checked["details"]) == (True, "valid", True)
    gone = alice.api.post(f"/api/v1/labels/{run['label']}/withdraw/", {"reason": "Over."}, format="json")
    assert (gone.json()["standing"], gone.json()["why"]) == ("withdrawn", "Over.")
    assert olga.api.post("/api/v1/labels/verify/", report, format="json").json()["valid"] is False


def test_who_may_use_a_shared_cloud_reads_its_label_and_no_more(
    alice: Person, charlie: Person, paris: Any, signed: Signed
) -> None:
    label = signed(alice, paris)
    run = f"/api/v1/conformance/{label.run_id}/"
    assert charlie.api.get(run).status_code == 404
    assert charlie.api.get(f"/api/v1/labels/{label.pk}/").status_code == 404
    lend(paris, charlie)
    shown = charlie.api.get(run)
    assert shown.status_code == 200
    assert shown.json()["operation"] is None
    assert shown.json()["actor"] == ""
    assert "alice, started by hand" in alice.browser.get("/clouds/paris/label/").content.decode()
    assert "alice, started by hand" not in charlie.browser.get("/clouds/paris/label/").content.decode()
    assert all("message" not in probe and "internals" not in probe for probe in shown.json()["probes"])
    report = charlie.api.get(run + "report.json?edition=full")
    assert report.json()["edition"] == "partner"
    for text in (shown.content.decode(), report.content.decode()):
        assert "fake.example" not in text
        assert label.run.evidence.get(probe="canary.clone").internals["moref"] not in text
    start = charlie.api.post(f"/api/v1/clouds/{paris.pk}/conformance/")
    assert (start.status_code, start.json()["code"]) == (403, "label.not_yours")
    gone = charlie.api.post(f"/api/v1/labels/{label.pk}/withdraw/", {"reason": "no"}, format="json")
    assert (gone.status_code, gone.json()["code"]) == (403, "label.not_yours")
    page = charlie.browser.get(f"/conformance/{label.run_id}/").content.decode()
    assert STATEMENT in page
    assert "fake.example" not in page
    assert "Internal" not in page


def test_the_pages_show_a_run_from_its_start_to_its_signature(alice: Person, paris: Any) -> None:
    from apps.labels.models import Label, Run

    browser = alice.browser
    assert "Nothing has been proved yet" in browser.get("/clouds/paris/label/").content.decode()
    started = browser.post("/clouds/paris/label/run/")
    run = Run.objects.get()
    assert started["Location"] == f"/conformance/{run.pk}/"
    live = browser.get(f"/conformance/{run.pk}/").content.decode()
    assert f"/api/v1/operations/{run.operation_id}/events/" in live
    assert browser.get(f"/conformance/{run.pk}/progress/").status_code == 204
    assert run.operation is not None
    drive_to_the_end(run.operation)
    told = browser.get(f"/conformance/{run.pk}/progress/", headers={"HX-Request": "true"})
    assert told["HX-Redirect"] == f"/conformance/{run.pk}/"
    assert "Sign the label" in browser.get(f"/conformance/{run.pk}/").content.decode()
    label = Label.objects.get()
    browser.post(f"/labels/{label.pk}/sign/", {"statement": "<script>alert(1)</script>", "days": "10"})
    for address in (f"/conformance/{run.pk}/", "/clouds/paris/label/", "/clouds/paris/", "/clouds/"):
        text = browser.get(address).content.decode()
        assert "<script>alert(1)" not in text
        assert "escale:mobility" in text
    file = browser.get(f"/conformance/{run.pk}/report.json?edition=full")
    assert 'filename="conformance-paris-' in file["Content-Disposition"]
    assert json.loads(file.content)["signature"]["algorithm"] == "Ed25519"


def test_a_lost_label_is_said_on_the_cloud_s_pages(
    alice: Person, paris: Any, signed: Signed, probe: Probe, control: Any
) -> None:
    signed(alice, paris)
    control.fault("examine:events", "refuse", times=-1, permanent=True, message="<b>No</b> events - off - switch on")
    run = probe(alice, paris)
    text = alice.browser.get("/clouds/paris/label/").content.decode()
    assert "The label was lost" in text
    assert "&lt;b&gt;No&lt;/b&gt; events" in text
    assert f"/conformance/{run.pk}/" in text
    assert "It was lost" in alice.browser.get("/clouds/paris/").content.decode()


def test_lists_ask_for_all_labels_at_once(alice: Person, make_cloud: Callable[..., Any], signed: Signed) -> None:
    asks = (lambda: alice.browser.get("/clouds/"), lambda: alice.api.get("/api/v1/labels/"))
    signed(alice, make_cloud(alice, "paris"))
    few = [queries(ask) for ask in (*asks, *asks)][2:]
    signed(alice, make_cloud(alice, "roubaix"))
    make_cloud(alice, "frankfurt")
    assert [queries(ask) for ask in asks] == few


def queries(ask: Callable[[], Any]) -> int:
    from django.db import connection
    from django.test.utils import CaptureQueriesContext

    with CaptureQueriesContext(connection) as seen:
        assert ask().status_code == 200
    return len(seen)


def test_a_kind_without_probes_is_offered_none(alice: Person, paris: Any) -> None:
    from apps.clouds.models import Cloud

    Cloud.objects.filter(pk=paris.pk).update(kind="aws", flavour="")
    refused = alice.api.post("/api/v1/clouds/paris/conformance/")
    assert (refused.status_code, refused.json()["code"]) == (409, "label.not_offered")
    assert "No label is offered" in alice.browser.get("/clouds/paris/label/").content.decode()


def test_a_plan_that_demands_a_label_is_refused_once_it_is_lost(
    alice: Person, bob: Person, paris: Any, shop: Any, signed: Signed
) -> None:
    from apps.clouds import services
    from apps.labels import issuing

    services.refresh(paris)
    shop.policy = {"require_label": "escale:mobility"}
    shop.save(update_fields=["policy"])
    body = {"project": str(shop.pk), "name": "web", "compose": "services:\n  web:\n    image: nginx:1.27\n"}
    blueprint = bob.api.post("/api/v1/blueprints/", body, format="json").json()["id"]

    def planned() -> Any:
        wanted = {"blueprint": blueprint, "cloud": "paris", "name": "web"}
        plan = bob.api.post("/api/v1/plans/", wanted, format="json")
        assert plan.status_code == 201, plan.content
        return plan.json()

    def codes(plan: Any) -> list[str]:
        return [found["code"] for found in plan["findings"] if found["severity"] == "error"]

    assert "placement.label_missing" in codes(planned())
    label = signed(alice, paris)
    plan = planned()
    assert codes(plan) == []
    issuing.withdraw(alice.principal, label, "Over.")
    assert "placement.label_missing" in codes(planned())
    # The one that was made while the label stood has nothing against it, and is refused when it is started.
    started = bob.api.post("/api/v1/deployments/", {"plan": plan["id"]}, format="json")
    assert (started.status_code, started.json()["code"]) == (409, "plan.stale")


def test_the_sandbox_s_command_labels_and_is_refused_elsewhere(
    alice: Person, paris: Any, settings: Any, capsys: Any, monkeypatch: Any
) -> None:
    from django.core.management import CommandError, call_command

    from apps.clouds import services
    from apps.labels import running
    from apps.labels.management.commands import label_sandbox
    from apps.labels.models import Label

    services.refresh(paris)
    begin = running.start

    def start_and_drive(*arguments: Any) -> Any:
        run = begin(*arguments)
        drive_to_the_end(run.operation)
        return run

    monkeypatch.setattr(label_sandbox.running, "start", start_and_drive)
    call_command("label_sandbox", organization="acme")
    label = Label.objects.get(state="valid")
    assert label.signer == "alice"
    assert "simulated" in label.statement
    call_command("label_sandbox", organization="acme")
    assert "as before" in capsys.readouterr().out
    settings.SANDBOX = False
    with pytest.raises(CommandError):
        call_command("label_sandbox", organization="acme")


def test_a_kind_without_probes_is_told_once_and_offers_no_run(alice: Person, paris: Any) -> None:
    from cli.labels import WITHOUT_PROBES
    from connectors.probing import of_kind

    assert not any(of_kind(kind, "") for kind in WITHOUT_PROBES)
    type(paris).objects.filter(pk=paris.pk).update(kind="aws", flavour="aws")
    page = alice.browser.get("/clouds/paris/label/").content.decode()
    assert page.count("No label is offered for this kind of cloud") == 1
    assert "Nothing has been proved yet" not in page
    assert 'href="/clouds/paris/label/"' not in alice.browser.get("/clouds/paris/").content.decode()
