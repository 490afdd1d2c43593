"""Machines are chosen, drawn and adopted on pages, and drift is shown on the deployment's page with both ways out."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.apps.onboarding.conftest import adopt, control, drive, estate, make_machine, paris, state
from tests.people import Person

pytestmark = pytest.mark.django_db(transaction=True)
__all__ = ["adopt", "control", "drive", "estate", "paris", "state"]
HOSTILE = "&lt;script&gt;alert(1)&lt;/script&gt;"


@pytest.fixture
def listed(paris: Any, estate: list[str], drive: Callable[[Any], Any]) -> Any:
    """The inventory of paris, as a sync lists it."""
    from apps.inventory import services

    assert drive(services.sync(paris).id).state == "succeeded"
    return paris


def text(answer: Any) -> str:
    return str(answer.content.decode())


def test_machines_are_chosen_from_the_inventory_drawn_and_planned(
    bob: Person, listed: Any, estate: list[str], control: Any
) -> None:
    from apps.onboarding.models import Onboarding

    browser = bob.browser
    assert "Choose machines" in text(browser.get("/onboarding/"))
    shown = text(browser.get("/onboarding/new/"))
    assert "web 01" in shown
    assert HOSTILE in shown
    assert "<script>alert(1)" not in shown
    assert "Draw all 3 that match" in shown
    things = control.things()
    answer = browser.post(
        "/onboarding/new/", {"cloud": "paris", "name": "legacy", "machine": estate[1:], "which": "ticked"}
    )
    made = Onboarding.objects.get()
    assert (answer.status_code, answer["Location"]) == (302, f"/onboarding/{made.pk}/")
    review = text(browser.get(answer["Location"]))
    assert "Plan the adoption of 2 machines" in review
    assert HOSTILE in review
    assert "<script>alert(1)" not in review
    planned = browser.post(f"/onboarding/{made.pk}/plan/")
    assert planned.status_code == 302
    plan = text(browser.get(planned["Location"]))
    assert "nothing else of it is touched" in plan
    assert control.things() == things
    assert "Open its plan" in text(browser.get(f"/onboarding/{made.pk}/"))
    again = browser.post(f"/onboarding/{made.pk}/plan/", follow=True)
    assert "The design legacy was made of this choice" in text(again)


def test_all_that_match_are_drawn_at_once(bob: Person, listed: Any, estate: list[str]) -> None:
    from apps.onboarding.models import Onboarding

    bob.browser.post("/onboarding/new/", {"cloud": "paris", "name": "legacy", "q": "web", "which": "all"})
    assert [one["name"] for one in Onboarding.objects.get().machines] == ["web 01"]


def test_what_belongs_to_a_deployment_cannot_be_ticked(
    bob: Person, listed: Any, estate: list[str], adopt: Callable[..., Any], drive: Callable[[Any], Any]
) -> None:
    from apps.inventory import services

    adopt(estate[:1], "mine")
    assert drive(services.sync(listed).id).state == "succeeded"
    shown = text(bob.browser.get("/onboarding/new/"))
    assert "Belongs to a deployment already" in shown
    assert f'value="{estate[0]}"' not in shown
    assert f'value="{estate[1]}"' in shown


def test_a_choice_that_cannot_be_drawn_says_why_and_keeps_the_ticks(
    bob: Person, listed: Any, estate: list[str], control: Any
) -> None:
    control.delete(estate[0])
    answer = bob.browser.post(
        "/onboarding/new/", {"cloud": "paris", "name": "legacy", "machine": [estate[0]], "which": "ticked"}
    )
    assert answer.status_code == 422
    assert "it is not on this cloud any more" in text(answer)
    answer = bob.browser.post(
        "/onboarding/new/", {"cloud": "paris", "name": "bad name", "machine": [estate[1]], "which": "ticked"}
    )
    assert answer.status_code in (400, 422)
    assert f'value="{estate[1]}" checked' in text(answer)


def test_a_choice_is_forgotten(bob: Person, listed: Any, estate: list[str]) -> None:
    from apps.onboarding.models import Onboarding

    bob.browser.post("/onboarding/new/", {"cloud": "paris", "name": "legacy", "which": "all"})
    made = Onboarding.objects.get()
    assert bob.browser.post(f"/onboarding/{made.pk}/discard/")["Location"] == "/onboarding/"
    assert not Onboarding.objects.exists()


def test_who_may_not_adopt_is_told_and_shown_nothing_to_press(viewer: Person, listed: Any) -> None:
    assert viewer.browser.get("/onboarding/new/").status_code == 403
    shown = text(viewer.browser.get("/onboarding/"))
    assert "/onboarding/new/" not in shown


def test_drift_is_shown_side_by_side_with_both_ways_out(
    bob: Person, viewer: Person, listed: Any, estate: list[str], control: Any, adopt: Callable[..., Any]
) -> None:
    from apps.blueprints.models import BlueprintVersion

    deployment = adopt(estate)
    here = f"/deployments/{deployment['id']}/"
    assert "Not compared yet" in text(bob.browser.get(here))
    assert bob.browser.post(here + "drift/")["Location"] == here
    assert "What runs is as it is drawn" in text(bob.browser.get(here))
    control.change(estate[0], cpus=6, power="suspended")
    bob.browser.post(here + "drift/")
    shown = text(bob.browser.get(here))
    table = shown[shown.index('id="machines-title"') :].partition("</table>")[0]
    for found in ("Suspended", "Drifted", "6 CPUs"):
        assert found in table, "the table says what was found"
    assert "Destroy…" not in shown
    assert "Release…" in shown
    letting_go = text(bob.browser.get(bob.browser.post(here + "destroy/")["Location"]))
    assert "Release the machines of" in letting_go
    assert "stay as they are" in letting_go
    for word in ("Drifted", "6 CPUs", "Write back into the drawing…", "Restore what is drawn…"):
        assert word in shown
    assert "Drifted" in text(bob.browser.get("/deployments/"))
    seen = text(viewer.browser.get(here))
    assert "6 CPUs" in seen
    assert "Write back into the drawing…" not in seen
    preview = text(bob.browser.get(here + "drift/write-back/"))
    assert "Write 1 value" in preview
    assert "a drawing does not say whether a machine is on" in preview
    assert BlueprintVersion.objects.count() == 1
    assert bob.browser.post(here + "drift/write-back/", {"base_version": "1"})["Location"] == here
    assert BlueprintVersion.objects.count() == 2
    planned = bob.browser.post(here + "drift/restore/")
    assert planned["Location"].startswith("/plans/")
    assert "restored" in text(bob.browser.get(planned["Location"]))


def test_a_cloud_that_is_away_is_told_beside_what_was_known(
    bob: Person, listed: Any, estate: list[str], control: Any, adopt: Callable[..., Any]
) -> None:
    deployment = adopt(estate)
    here = f"/deployments/{deployment['id']}/"
    control.change(estate[0], cpus=6)
    bob.browser.post(here + "drift/")
    control.fault("describe", "refuse", code="cloud.unreachable", message="paris is away - it does not answer - wait")
    bob.browser.post(here + "drift/")
    shown = text(bob.browser.get(here))
    assert "Not known" in shown
    assert "paris is away" in shown
    assert "6 CPUs" in shown


def test_a_long_list_takes_the_same_number_of_queries(
    bob: Person, listed: Any, control: Any, drive: Callable[[Any], Any], django_assert_max_num_queries: Any
) -> None:
    from apps.inventory import services

    for number in range(40):
        make_machine(control, f"more-{number}", folder=f"F{number}")
    assert drive(services.sync(listed).id).state == "succeeded"
    browser = bob.browser
    browser.get("/onboarding/new/")
    with django_assert_max_num_queries(25):
        assert "more-39" in text(browser.get("/onboarding/new/"))
