"""Machines that run already are drawn, adopted by markers alone, and let go again."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.apps.onboarding.conftest import make_machine
from tests.people import Person, make_person

pytestmark = pytest.mark.django_db(transaction=True)


def draw(person: Person, machines: list[str], **changes: Any) -> Any:
    body = {"project": "shop", "cloud": "paris", "name": "legacy", "machines": machines, **changes}
    return person.api.post("/api/v1/onboardings/", body, format="json")


def replan(person: Person, deployment: Any, **body: Any) -> Any:
    return person.api.post("/api/v1/plans/", {"deployment": deployment["id"], **body}, format="json").json()


def test_chosen_machines_are_drawn_and_nothing_is_touched(bob: Person, estate: list[str], control: Any) -> None:
    things = control.things()
    answer = draw(bob, estate)
    assert answer.status_code == 201, answer.content
    body = answer.json()
    assert body["count"] == 3
    assert {one["name"] for one in body["machines"]} == {"web 01", "db", "<script>alert(1)</script>"}
    assert {one["label"] for one in body["machines"]} == {"web-01", "db", "script-alert-1-script"}
    assert (body["refused"], body["warnings"], body["plan"]) == ([], [], None)
    assert 'uuid: "' + estate[0] in body["compose"]
    assert body["machines"][0]["disk_gib"] == 30
    assert control.things() == things
    assert bob.api.get(f"/api/v1/onboardings/{body['id']}/").json() == body
    assert [one["id"] for one in bob.api.get("/api/v1/onboardings/").json()["results"]] == [body["id"]]


def test_the_plan_says_that_only_markers_are_written(bob: Person, estate: list[str], control: Any) -> None:
    things = control.things()
    made = draw(bob, estate).json()
    plan = bob.api.post(f"/api/v1/onboardings/{made['id']}/plan/", format="json").json()
    assert [action["verb"] for action in plan["actions"]] == ["machine.adopt"] * 3
    assert all("nothing else of it is touched" in action["cause"] for action in plan["actions"])
    assert plan["findings"] == []
    assert control.things() == things
    again = bob.api.post(f"/api/v1/onboardings/{made['id']}/plan/", format="json")
    assert (again.status_code, again.json()["code"]) == (409, "onboarding.planned")


def test_adopted_machines_re_apply_to_an_empty_plan(
    bob: Person, estate: list[str], control: Any, adopt: Callable[..., Any]
) -> None:
    before = {thing["id"]: thing for thing in control.things("machine")}
    deployment = adopt(estate)
    assert deployment["state"] == "running"
    assert {one["external_id"] for one in deployment["resources"]} == set(estate)
    assert {one["state"] for one in deployment["resources"]} == {"running"}
    plan = replan(bob, deployment)
    assert plan["actions"] == []
    assert plan["counts"]["keep"] == 3
    for thing in control.things("machine"):
        was = before[thing["id"]]["data"]
        assert thing["deployment"] == deployment["id"]
        kept = {key: value for key, value in thing["data"].items() if key not in ("adopted", "organization", "hash")}
        assert kept == {key: value for key, value in was.items() if key != "hash"}


def test_fifty_machines_re_apply_to_an_empty_plan(
    bob: Person, paris: Any, control: Any, adopt: Callable[..., Any]
) -> None:
    many = [make_machine(control, f"vm-{number % 9}", folder=f"Legacy/{number % 4}") for number in range(50)]
    deployment = adopt(many, "fifty")
    assert len(deployment["resources"]) == 50
    assert replan(bob, deployment)["actions"] == []


def test_destroying_the_deployment_releases_its_machines_as_they_were(
    bob: Person, estate: list[str], control: Any, adopt: Callable[..., Any], drive: Callable[[Any], Any]
) -> None:
    before = control.things()
    deployment = adopt(estate)
    gone = bob.api.delete(f"/api/v1/deployments/{deployment['id']}/")
    assert gone.status_code == 202, gone.content
    assert drive(gone.json()["operation"]).state == "succeeded"
    assert control.things() == before
    body = bob.api.get(f"/api/v1/deployments/{deployment['id']}/").json()
    assert (body["state"], body["resources"]) == ("destroyed", [])


def test_a_machine_that_is_taken_out_of_the_drawing_is_released(
    bob: Person, estate: list[str], control: Any, adopt: Callable[..., Any], drive: Callable[[Any], Any]
) -> None:
    from apps.blueprints.models import BlueprintVersion

    deployment = adopt(estate)
    text = BlueprintVersion.objects.get().text
    lines = text.splitlines(keepends=True)
    start = next(number for number, line in enumerate(lines) if line == "    db:\n")
    end = next(n for n in range(start + 1, len(lines)) if lines[n].startswith("    ") and lines[n][4] != " ")
    saved = bob.api.post(
        f"/api/v1/blueprints/{deployment['blueprint']['id']}/versions/",
        {"compose": "".join(lines[:start] + lines[end:])},
        format="json",
    )
    assert saved.status_code == 201, saved.content
    plan = replan(bob, deployment, blueprint=deployment["blueprint"]["id"])
    assert [action["key"] for action in plan["actions"]] == ["machine:db/machine.release"]
    started = bob.api.post("/api/v1/deployments/", {"plan": plan["id"]}, format="json").json()
    assert drive(started["operation"]).state == "succeeded"
    db = next(thing for thing in control.things("machine") if thing["id"] == estate[1])
    assert (db["deployment"], db["data"]["power"]) == ("", "on")
    assert replan(bob, deployment)["actions"] == []


def test_templates_and_others_machines_are_refused_with_the_reason(
    bob: Person, estate: list[str], control: Any, adopt: Callable[..., Any]
) -> None:
    adopt(estate[:1], "mine")
    control.change(estate[1], is_template=True)
    body = draw(bob, [*estate, "no-such-machine"]).json()
    reasons = {one["name"]: one["reason"] for one in body["refused"]}
    assert set(reasons) == {"web 01", "db", "no-such-machine"}
    assert "another deployment" in reasons["web 01"]
    assert "template" in reasons["db"]
    assert body["count"] == 1
    answer = draw(bob, estate[:2], name="other")
    assert (answer.status_code, answer.json()["code"]) == (422, "onboarding.nothing")
    assert len(answer.json()["refused"]) == 2


def test_a_machine_that_vanishes_before_the_start_makes_the_plan_stale(
    bob: Person, estate: list[str], control: Any
) -> None:
    made = draw(bob, estate).json()
    plan = bob.api.post(f"/api/v1/onboardings/{made['id']}/plan/", format="json").json()
    control.delete(estate[0])
    answer = bob.api.post("/api/v1/deployments/", {"plan": plan["id"]}, format="json")
    assert (answer.status_code, answer.json()["code"]) == (409, "plan.stale")


@pytest.mark.parametrize(("meanwhile", "code"), [("delete", "cloud.not_found"), ("disown", "cloud.foreign")])
def test_what_happens_between_start_and_work_fails_that_machine_and_touches_nothing(
    bob: Person, estate: list[str], control: Any, drive: Callable[[Any], Any], meanwhile: str, code: str
) -> None:
    made = draw(bob, estate).json()
    plan = bob.api.post(f"/api/v1/onboardings/{made['id']}/plan/", format="json").json()
    started = bob.api.post("/api/v1/deployments/", {"plan": plan["id"]}, format="json").json()
    getattr(control, meanwhile)(estate[0])
    operation = drive(started["operation"])
    assert operation.state == "failed"
    steps = {step.group: step for step in operation.steps.all()}
    assert steps["machine:web-01"].error["code"] == code
    assert steps["machine:db"].state == "succeeded"
    others = [thing for thing in control.things("machine") if thing["id"] == estate[0]]
    assert all(thing["deployment"] != started["id"] for thing in others)


def test_an_adoption_that_was_undone_leaves_no_trace(
    bob: Person, estate: list[str], control: Any, drive: Callable[[Any], Any]
) -> None:
    made = draw(bob, estate).json()
    plan = bob.api.post(f"/api/v1/onboardings/{made['id']}/plan/", format="json").json()
    started = bob.api.post("/api/v1/deployments/", {"plan": plan["id"]}, format="json").json()
    control.delete(estate[0])
    before = control.things()
    assert drive(started["operation"]).state == "failed"
    answer = bob.api.post(f"/api/v1/operations/{started['operation']}/rollback/", format="json")
    assert answer.status_code in (200, 202), answer.content
    from apps.operations.models import Operation

    for _ in range(50):
        if drive(started["operation"]).state == "reverted":
            break
    assert Operation.objects.get(pk=started["operation"]).state == "reverted"
    assert control.things() == before
    assert bob.api.get(f"/api/v1/deployments/{started['id']}/").json()["state"] == "destroyed"


# Who may


def test_looking_is_for_all_members_and_adopting_for_architects_of_the_whole_organization(
    bob: Person, olga: Person, viewer: Person, charlie: Person, estate: list[str], shop: Any, acme: Any
) -> None:
    made = draw(bob, estate).json()
    painter = make_person("paula", acme, "architect", shop)
    assert draw(olga, estate, name="hers").status_code == 201
    for person in (viewer, painter):
        assert person.api.get(f"/api/v1/onboardings/{made['id']}/").status_code == 200
        assert draw(person, estate, name="other").status_code == 403
        assert person.api.post(f"/api/v1/onboardings/{made['id']}/plan/").status_code == 403
        assert person.api.delete(f"/api/v1/onboardings/{made['id']}/").status_code == 403
    assert charlie.api.get(f"/api/v1/onboardings/{made['id']}/").status_code == 404
    assert charlie.api.get("/api/v1/onboardings/").json()["results"] == []
    assert draw(charlie, estate).status_code in (400, 404, 422)
    assert bob.api.delete(f"/api/v1/onboardings/{made['id']}/").status_code == 204


def test_nobody_gets_round_that_by_drawing_it_by_hand(
    bob: Person, estate: list[str], shop: Any, acme: Any, paris: Any
) -> None:
    painter = make_person("paula", acme, "architect", shop)
    text = f"services: {{}}\nx-escale: {{machines: {{front: {{adopt: {{uuid: {estate[0]}}}}}}}}}\n"
    body = {"project": "shop", "name": "mine", "compose": text}
    made = painter.api.post("/api/v1/blueprints/", body, format="json")
    assert made.status_code == 201, made.content
    order = {"blueprint": made.json()["id"], "cloud": "paris"}
    answer = painter.api.post("/api/v1/plans/", order, format="json")
    assert (answer.status_code, answer.json()["code"]) == (403, "forbidden")
    sketch = {"project": "shop", "compose": text, "cloud": "paris"}
    assert painter.api.post("/api/v1/plans/preview/", sketch, format="json").json()["code"] == "forbidden"
    assert bob.api.post("/api/v1/plans/preview/", sketch, format="json").json()["valid"] is True
    plan = bob.api.post("/api/v1/plans/", order, format="json")
    assert plan.status_code == 201, plan.content
    assert painter.api.post("/api/v1/deployments/", {"plan": plan.json()["id"]}, format="json").status_code == 403


def test_whose_a_machine_is_that_cannot_be_adopted_is_not_told_to_those_who_may_not_adopt(
    bob: Person, estate: list[str], shop: Any, acme: Any, adopt: Callable[..., Any]
) -> None:
    painter = make_person("paula", acme, "architect", shop)
    adopt(estate[:1])
    text = f"services: {{}}\nx-escale: {{machines: {{front: {{adopt: {{uuid: {estate[0]}}}}}}}}}\n"
    sketch = {"project": "shop", "compose": text, "cloud": "paris", "name": "mine"}
    assert "web 01" in bob.api.post("/api/v1/plans/preview/", sketch, format="json").content.decode()
    refused = painter.api.post("/api/v1/plans/preview/", sketch, format="json")
    assert (refused.status_code, "web 01" in refused.content.decode()) == (403, False)
    made = painter.api.post("/api/v1/blueprints/", {"project": "shop", "name": "mine", "compose": text}, format="json")
    order = {"blueprint": made.json()["id"], "cloud": "paris"}
    assert painter.api.post("/api/v1/plans/", order, format="json").status_code == 403


def test_a_name_that_is_taken_is_told_before_anything_is_drawn(
    bob: Person, estate: list[str], adopt: Callable[..., Any]
) -> None:
    adopt(estate[:1])
    assert draw(bob, estate[1:]).json()["code"] == "deployment.name_taken"


def test_too_many_machines_are_refused_before_the_cloud_is_asked(bob: Person, paris: Any) -> None:
    answer = draw(bob, [f"id-{number}" for number in range(1001)])
    assert answer.json()["code"] == "onboarding.too_many"


def test_a_cloud_that_does_not_answer_is_told(bob: Person, estate: list[str], control: Any) -> None:
    control.fault("describe", "refuse", code="cloud.unreachable", message="gone - it is away - wait")
    answer = draw(bob, estate)
    assert (answer.status_code, answer.json()["code"]) == (503, "cloud.not_ready")
