"""One drawing over several clouds: one plan, one operation, one deployment that people see, and its parts within."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.apps.deployments.conftest import fake_cloud
from tests.people import Person

pytestmark = pytest.mark.django_db(transaction=True)

SHOP = """\
services:
  web:
    image: nginx:1.27
    ports: ["80:80"]
    environment: {DB: "postgres://db:5432/shop"}
    depends_on: [db]
    x-escale: {place: roubaix}
  db:
    image: postgres:17
    ports: ["5432:5432"]
    volumes: [data:/var/lib/postgresql/data]
volumes:
  data:
"""


@pytest.fixture
def far_control(tmp_path: Path) -> Any:
    from connectors.fake.control import Control

    control = Control(str(tmp_path / "roubaix.sqlite"))
    yield control
    control.close()


def plan(person: Person, **body: Any) -> Any:
    answer = person.api.post("/api/v1/plans/", body)
    assert answer.status_code == 201, answer.content
    return answer.json()


def start(person: Person, planned: Any, **extra: Any) -> Any:
    answer = person.api.post("/api/v1/deployments/", {"plan": planned["id"], **extra})
    assert answer.status_code == 202, answer.content
    return answer.json()


@pytest.fixture
def spread(bob: Person, paris: Any, roubaix: Any, blueprint: Any, drive: Any) -> Any:
    """The shop, with its web tier on roubaix and its database on paris, as it runs."""
    planned = plan(bob, blueprint=blueprint(SHOP)["id"], cloud="paris", name="shop")
    started = start(bob, planned)
    operation = drive(started["operation"])
    assert operation.state == "succeeded", operation.error
    return bob.api.get(f"/api/v1/deployments/{started['id']}/").json()


def version(person: Person, deployment: Any, text: str) -> str:
    answer = person.api.post(f"/api/v1/blueprints/{deployment['blueprint']['id']}/versions/", {"compose": text})
    assert answer.status_code == 201, answer.content
    return str(answer.json()["id"])


def test_the_plan_is_one_and_says_what_stands_where(bob: Person, paris: Any, roubaix: Any, blueprint: Any) -> None:
    body = plan(bob, blueprint=blueprint(SHOP)["id"], cloud="paris", name="shop")
    assert body["blocked"] is False, body["findings"]
    assert [cloud["name"] for cloud in body["clouds"]] == ["paris", "roubaix"]
    assert [(part["cloud"]["name"], part["services"]) for part in body["parts"]] == [
        ("paris", ["db"]),
        ("roubaix", ["web"]),
    ]
    assert {(machine["key"], machine["cloud"]) for machine in body["machines"]} == {
        ("machine:host-1", "paris"),
        ("roubaix/machine:host-1", "roubaix"),
    }
    assert body["services"]["web"]["machines"] == ["roubaix/machine:host-1"]
    (crossing,) = body["crossings"]
    assert (crossing["caller"], crossing["caller_cloud"], crossing["called"], crossing["called_cloud"]) == (
        "web",
        "roubaix",
        "db",
        "paris",
    )
    assert (crossing["port"], crossing["protocol"], crossing["waits"]) == (5432, "tcp", True)
    made = {action["key"]: action for action in body["actions"]}
    assert "machine:host-1/machine.ready" in made["roubaix/machine:host-1/machine.create"]["depends_on"]
    assert {action["cloud"] for action in body["actions"]} == {"paris", "roubaix"}
    assert body["requirements"]["machines"] == sum(part["requirements"]["machines"] for part in body["parts"]) == 2


def test_it_is_deployed_in_one_operation_and_names_lead_over_the_border(
    bob: Person, spread: Any, control: Any, far_control: Any
) -> None:
    assert (spread["state"], spread["cloud"]["name"]) == ("running", "paris")
    assert {(part["cloud"]["name"], part["state"]) for part in spread["parts"]} == {
        ("paris", "running"),
        ("roubaix", "running"),
    }
    assert {resource["cloud"] for resource in spread["resources"]} == {"paris", "roubaix"}
    database = next(one for one in spread["resources"] if one["key"] == "machine:host-1")
    (machine,) = far_control.things("machine")
    from engine.userdata import read_file

    text = read_file(machine["data"]["userdata"], "/opt/escale/compose.yaml")
    assert text is not None
    assert f"db:{database['addresses'][0]}" in text
    assert "@escale" not in text
    assert [thing["name"] for thing in control.things("volume")] == ["shop-data"]
    assert far_control.things("volume") == []


def test_a_list_shows_it_once_on_either_cloud(bob: Person, spread: Any) -> None:
    for query in ("", "?cloud=paris", "?cloud=roubaix"):
        rows = bob.api.get(f"/api/v1/deployments/{query}").json()["results"]
        assert [row["id"] for row in rows] == [spread["id"]], query
    assert bob.api.get("/api/v1/deployments/shop/").json()["id"] == spread["id"]


def test_the_same_again_is_an_empty_plan_without_drift(bob: Person, spread: Any) -> None:
    again = plan(bob, deployment=spread["id"])
    assert (again["empty"], again["blocked"]) == (True, False), again["changes"]
    assert again["crossings"][0]["addresses"]
    drift = bob.api.get(f"/api/v1/deployments/{spread['id']}/drift/").json()
    assert (drift["drifted"], set(drift["services"])) == (False, {"web", "db"})
    assert {machine["key"] for machine in drift["machines"]} == {"machine:host-1", "roubaix/machine:host-1"}


def test_a_part_is_not_planned_changed_or_destroyed_alone(bob: Person, spread: Any) -> None:
    from apps.deployments.models import Deployment

    part = Deployment.objects.get(parent=spread["id"])
    for answer in (
        bob.api.post("/api/v1/plans/", {"deployment": str(part.id)}),
        bob.api.delete(f"/api/v1/deployments/{part.id}/"),
        bob.api.get(f"/api/v1/deployments/{part.id}/drift/"),
    ):
        assert (answer.status_code, answer.json()["code"]) == (409, "deployment.is_part")


def test_a_new_machine_of_the_called_side_updates_its_callers_in_the_same_operation(
    bob: Person, spread: Any, control: Any, far_control: Any, drive: Any
) -> None:
    text = SHOP.replace("    volumes: [data:", "    x-escale: {machine: store}\n    volumes: [data:")
    text += "x-escale: {machines: {store: {cpus: 2}}}\n"
    planned = plan(bob, version=version(bob, spread, text), deployment=spread["id"])
    assert planned["blocked"] is False, planned["findings"]
    changes = {(change["resource"], change["change"]): change["cause"] for change in planned["changes"]}
    assert ("roubaix/machine:host-1", "update") in changes
    operation = drive(start(bob, planned)["operation"])
    assert operation.state == "succeeded", operation.error
    fresh = bob.api.get(f"/api/v1/deployments/{spread['id']}/").json()
    store = next(one for one in fresh["resources"] if one["key"] == "machine:store")
    (machine,) = far_control.things("machine")
    from engine.userdata import read_file

    assert f"db:{store['addresses'][0]}" in str(read_file(machine["data"]["userdata"], "/opt/escale/compose.yaml"))
    assert plan(bob, deployment=spread["id"])["empty"] is True


def test_an_address_that_changed_on_the_cloud_is_written_anew_by_the_next_plan(
    bob: Person, spread: Any, drive: Any
) -> None:
    from apps.deployments.models import Resource

    row = Resource.objects.get(deployment__parent=spread["id"], key="machine:host-1")
    assert list(row.facts["peers"]) == ["/host-1"]
    row.facts["peers"] = {"/host-1": "192.0.2.77"}
    row.save()
    planned = plan(bob, deployment=spread["id"])
    (change,) = [one for one in planned["changes"] if one["change"] != "keep"]
    assert (change["resource"], change["change"]) == ("roubaix/machine:host-1", "update")
    assert "the address of db on paris changes" in change["cause"]
    assert drive(start(bob, planned)["operation"]).state == "succeeded"
    assert plan(bob, deployment=spread["id"])["empty"] is True


def test_one_cloud_that_is_down_parks_its_part_while_the_other_goes_on(
    bob: Person, paris: Any, roubaix: Any, blueprint: Any, drive: Any, control: Any, far_control: Any
) -> None:
    text = SHOP.replace(
        "volumes:\n  data:",
        "  cache:\n    image: redis\n    x-escale: {place: roubaix, isolation: machine}\nvolumes:\n  data:",
    )
    far_control.fault("machine.start", "fail", code="cloud.fault", permanent=True)
    started = start(bob, plan(bob, blueprint=blueprint(text)["id"], cloud="paris", name="shop"))
    assert drive(started["operation"]).state == "failed"
    half = bob.api.get(f"/api/v1/deployments/{started['id']}/").json()
    assert {(part["cloud"]["name"], part["state"]) for part in half["parts"]} >= {("roubaix", "failed")}
    database = next(one for one in half["resources"] if one["key"] == "machine:host-1")
    assert database["state"] == "running"
    assert bob.api.post(f"/api/v1/operations/{started['operation']}/retry/").status_code == 202
    operation = drive(started["operation"])
    assert operation.state == "succeeded", operation.error
    whole = bob.api.get(f"/api/v1/deployments/{started['id']}/").json()
    assert {part["state"] for part in whole["parts"]} == {"running"}


def test_a_rollback_leaves_nothing_on_either_cloud(
    bob: Person, paris: Any, roubaix: Any, blueprint: Any, drive: Any, control: Any, far_control: Any
) -> None:
    before = [thing["name"] for thing in (*control.things(), *far_control.things())]
    far_control.fault("machine.ready", "refuse", code="cloud.fault", permanent=True)
    started = start(bob, plan(bob, blueprint=blueprint(SHOP)["id"], cloud="paris", name="shop"))
    assert drive(started["operation"]).state == "failed"
    assert bob.api.post(f"/api/v1/operations/{started['operation']}/rollback/").status_code == 202
    assert drive(started["operation"]).state == "reverted"
    assert [thing["name"] for thing in (*control.things(), *far_control.things())] == before
    gone = bob.api.get(f"/api/v1/deployments/{started['id']}/").json()
    assert (gone["state"], {part["state"] for part in gone["parts"]}) == ("destroyed", {"destroyed"})
    again = start(bob, plan(bob, blueprint=gone["blueprint"]["id"], cloud="paris", name="shop"))
    assert drive(again["operation"]).state == "succeeded"


def test_destroying_takes_all_of_it_down_callers_first(
    bob: Person, spread: Any, drive: Any, control: Any, far_control: Any
) -> None:
    from apps.operations.models import Step

    answer = bob.api.delete(f"/api/v1/deployments/{spread['id']}/")
    assert answer.status_code == 202, answer.content
    operation = drive(answer.json()["operation"])
    assert operation.state == "succeeded", operation.error
    assert control.things("machine") == far_control.things("machine") == []
    steps = Step.objects.filter(operation=operation)
    caller = steps.get(key="roubaix/machine:host-1/machine.delete")
    assert caller.key in steps.get(key="machine:host-1/machine.stop").depends_on
    gone = bob.api.get(f"/api/v1/deployments/{spread['id']}/").json()
    assert (gone["state"], {part["state"] for part in gone["parts"]}) == ("destroyed", {"destroyed"})


def test_a_service_that_comes_home_takes_its_part_with_it_and_one_with_data_may_not_leave(
    bob: Person, spread: Any, drive: Any, far_control: Any
) -> None:
    home = SHOP.replace("    x-escale: {place: roubaix}\n", "")
    planned = plan(bob, version=version(bob, spread, home), deployment=spread["id"])
    assert planned["blocked"] is False, planned["findings"]
    assert planned["services"]["web"]["change"] == "replace"
    assert drive(start(bob, planned)["operation"]).state == "succeeded"
    assert [thing["name"] for thing in far_control.things()] == []
    after = bob.api.get(f"/api/v1/deployments/{spread['id']}/").json()
    assert [part["cloud"]["name"] for part in after["parts"]] == ["paris"]
    moved = SHOP.replace("    volumes: [data:", "    x-escale: {place: roubaix}\n    volumes: [data:")
    refused = plan(bob, version=version(bob, spread, moved), deployment=spread["id"])
    assert refused["blocked"] is True
    assert "across.data_stays" in {finding["code"] for finding in refused["findings"]}


def test_a_plan_is_stale_when_either_cloud_has_changed(bob: Person, spread: Any, drive: Any, far_control: Any) -> None:
    planned = plan(bob, version=version(bob, spread, SHOP.replace("1.27", "1.28")), deployment=spread["id"])
    (machine,) = far_control.things("machine")
    far_control.delete(machine["id"])
    refused = bob.api.post("/api/v1/deployments/", {"plan": planned["id"]})
    assert (refused.status_code, refused.json()["code"]) == (409, "plan.stale")


def test_a_place_that_is_no_cloud_of_ours_is_refused(bob: Person, paris: Any, blueprint: Any) -> None:
    body = plan(bob, blueprint=blueprint(SHOP)["id"], cloud="paris", name="shop")  # nobody has registered roubaix
    assert body["blocked"] is True
    (finding,) = [one for one in body["findings"] if one["code"] == "across.cloud_unknown"]
    assert finding["line"] == 7
    assert bob.api.post("/api/v1/deployments/", {"plan": body["id"]}).status_code == 422


def test_a_preview_shows_the_clouds_and_what_crosses(bob: Person, paris: Any, roubaix: Any) -> None:
    shown = bob.api.post("/api/v1/plans/preview/", {"project": "shop", "compose": SHOP, "cloud": "paris"}).json()
    assert (shown["valid"], shown["blocked"]) == (True, False)
    assert [cloud["name"] for cloud in shown["clouds"]] == ["paris", "roubaix"]
    assert [bool(part["capacity"]) for part in shown["parts"]] == [True, True]
    assert shown["crossings"][0]["port"] == 5432
    drawn = SHOP + "x-escale: {place: paris}\n"
    assert bob.api.post("/api/v1/plans/preview/", {"project": "shop", "compose": drawn}).json()["cloud"]["name"] == (
        "paris"
    )


def test_the_canvas_paints_all_of_it(bob: Person, spread: Any) -> None:
    painted = bob.api.get(f"/api/v1/deployments/{spread['id']}/canvas/").json()
    assert {(machine["key"], machine["cloud"]) for machine in painted["machines"]} == {
        ("machine:host-1", "paris"),
        ("roubaix/machine:host-1", "roubaix"),
    }
    assert {service["state"] for service in painted["services"].values()} == {"running"}
    assert [part["cloud"]["name"] for part in painted["deployment"]["parts"]] == ["roubaix"]


def test_stopping_and_undoing_half_way_leaves_nothing_on_either_cloud(
    bob: Person, paris: Any, roubaix: Any, blueprint: Any, drive: Any, control: Any, far_control: Any
) -> None:
    import uuid

    from apps.operations.runner import drive as work

    before = [thing["name"] for thing in (*control.things(), *far_control.things())]
    far_control.fault("machine.create", "hang")
    started = start(bob, plan(bob, blueprint=blueprint(SHOP)["id"], cloud="paris", name="shop"))
    work(uuid.UUID(started["operation"]), "tests", budget_s=2)
    assert control.things("machine")
    cancelled = bob.api.post(f"/api/v1/operations/{started['operation']}/cancel/", {"mode": "revert"})
    assert cancelled.status_code == 202, cancelled.content
    assert drive(started["operation"]).state == "reverted"
    assert [thing["name"] for thing in (*control.things(), *far_control.things())] == before


def test_a_cloud_of_another_organization_is_as_unknown_as_none(
    bob: Person, charlie: Person, paris: Any, blueprint: Any, tmp_path: Path
) -> None:
    fake_cloud(charlie, "roubaix", str(tmp_path / "theirs.sqlite"), flavour="ovh", address="theirs.example")
    body = plan(bob, blueprint=blueprint(SHOP)["id"], cloud="paris", name="shop")
    assert "across.cloud_unknown" in {finding["code"] for finding in body["findings"]}
    assert [cloud["name"] for cloud in body["clouds"]] == ["paris"]


def test_a_label_that_no_cloud_carries_blocks_the_plan(bob: Person, paris: Any, roubaix: Any, blueprint: Any) -> None:
    text = SHOP.replace("{place: roubaix}", "{place: {cloud: roubaix, label: required}}")
    body = plan(bob, blueprint=blueprint(text)["id"], cloud="paris", name="shop")
    (finding,) = [one for one in body["findings"] if one["code"] == "placement.label_missing"]
    assert (finding["severity"], finding["line"]) == ("error", 7)
    assert bob.api.post("/api/v1/deployments/", {"plan": body["id"]}).status_code == 422


def test_a_project_s_policy_demands_a_label_of_every_cloud(
    bob: Person, paris: Any, roubaix: Any, blueprint: Any
) -> None:
    from apps.tenancy.models import Project

    Project.objects.filter(slug="shop", organization=bob.organization).update(policy={"require_label": True})
    regions = SHOP.replace("{place: roubaix}", "{region: far}") + "x-escale: {regions: {near: , far: }}\n"
    for text, region in ((SHOP, ""), (SHOP.replace("    x-escale: {place: roubaix}\n", ""), ""), (regions, "near")):
        made = blueprint(text, name=f"shop-{len(text)}")
        body = plan(bob, blueprint=made["id"], cloud="paris", name=made["name"], region=region)
        assert body["blocked"] is True
        assert "placement.label_missing" in {finding["code"] for finding in body["findings"]}


def test_the_pages_show_the_clouds_side_by_side(bob: Person, spread: Any) -> None:
    from apps.deployments.models import Deployment, Plan

    made = Plan.objects.get(operation_id=spread["operation"])
    page = bob.browser.get(f"/plans/{made.pk}/").content.decode()
    assert "What crosses a border" in page
    assert "One plan, and one operation for all of them" in page
    page = bob.browser.get(f"/deployments/{spread['id']}/").content.decode()
    assert "What crosses a border" in page
    database = next(one for one in spread["resources"] if one["key"] == "machine:host-1")
    assert database["addresses"][0] in page
    assert page.count("shop-host-1") >= 2
    rows = bob.browser.get("/deployments/").content.decode()
    assert rows.count(f"/deployments/{spread['id']}/") == 1
    part = Deployment.objects.get(parent=spread["id"])
    moved = bob.browser.get(f"/deployments/{part.pk}/")
    assert (moved.status_code, moved.headers["Location"]) == (302, f"/deployments/{spread['id']}/")
    assert bob.browser.get(f"/operations/{spread['operation']}/").status_code == 200
    again = bob.browser.get(f"/designs/{spread['blueprint']['id']}/deploy/").content.decode()
    assert "The drawing places these itself" in again


def test_a_list_of_spread_deployments_asks_no_more_of_the_database(
    bob: Person, spread: Any, django_assert_max_num_queries: Any
) -> None:
    with django_assert_max_num_queries(30):
        assert bob.browser.get("/deployments/").status_code == 200


def test_a_stranger_finds_neither_the_whole_nor_its_part(charlie: Person, bob: Person, spread: Any) -> None:
    from apps.deployments.models import Deployment

    part = Deployment.objects.get(parent=spread["id"])
    for key in (spread["id"], part.id):
        assert charlie.api.get(f"/api/v1/deployments/{key}/").status_code == 404
        assert charlie.browser.get(f"/deployments/{key}/").status_code == 404


def test_clouds_that_an_administrator_calls_connected_ask_for_no_route(
    bob: Person, paris: Any, roubaix: Any, blueprint: Any
) -> None:
    made = blueprint(SHOP)
    before = plan(bob, blueprint=made["id"], cloud="paris", name="shop")
    assert "across.route" in {finding["code"] for finding in before["findings"]}
    for reaches, asked in ((["paris"], False), (["oregon"], True), ("paris", True), ([{"a": 1}], True)):
        roubaix.options = {**roubaix.options, "reaches": reaches}
        roubaix.save(update_fields=["options"])
        after = plan(bob, blueprint=made["id"], cloud="paris", name="shop")
        assert ("across.route" in {finding["code"] for finding in after["findings"]}) is asked, reaches


def test_a_machine_that_runs_and_was_never_heard_of_is_asked_for(
    bob: Person, spread: Any, drive: Any, far_control: Any
) -> None:
    from apps.deployments.models import Resource

    known = Resource.objects.get(deployment=spread["id"], key="machine:host-1")
    address = known.facts.pop("addresses")[0]
    known.save()
    (machine,) = far_control.things("machine")
    far_control.delete(machine["id"])
    operation = drive(start(bob, plan(bob, deployment=spread["id"]))["operation"])
    assert operation.state == "succeeded", operation.error
    from engine.userdata import read_file

    (fresh,) = far_control.things("machine")
    assert f"db:{address}" in str(read_file(fresh["data"]["userdata"], "/opt/escale/compose.yaml"))
    assert plan(bob, deployment=spread["id"])["empty"] is True


def test_a_drawing_that_places_all_of_itself_asks_for_no_cloud(bob: Person, paris: Any, blueprint: Any) -> None:
    drawing = (
        "services:\n  {}:\n    image: nginx:1.27\n    x-escale: {{place: paris}}\n  other:\n    image: nginx:1.27\n{}"
    )
    for number, (rest, all_of_it) in enumerate((("    x-escale: {place: paris}\n", True), ("", False))):
        made = blueprint(drawing.format("web", rest), name=f"placed-{number}")
        page = bob.browser.get(f"/designs/{made['id']}/deploy/").content.decode()
        assert ("The drawing places all of it itself" in page) == all_of_it
        assert ('type="hidden" name="cloud" value="paris"' in page) == all_of_it
        assert ('type="radio" name="cloud"' in page) != all_of_it
