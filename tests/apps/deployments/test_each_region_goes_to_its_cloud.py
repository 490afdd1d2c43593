"""Each region of a drawing is a plan and a deployment of its own, on the cloud that it is drawn for or another."""

from __future__ import annotations

from typing import Any

import pytest

from tests.people import Person

pytestmark = pytest.mark.django_db(transaction=True)

TWO = """\
services:
  web:
    image: nginx:1.27
    depends_on: [db]
    x-escale: {region: front}
  db:
    image: postgres:17
    volumes: [data:/var/lib/postgresql/data]
    x-escale: {machine: store}
volumes:
  data:
x-escale:
  regions:
    front: {cloud: paris, title: Up front}
    back: {cloud: roubaix}
  machines:
    store: {region: back, cpus: 2, memory: 4GiB}
    bastion: {region: front, cpus: 1, memory: 1GiB}
"""


def plan(person: Person, **body: Any) -> Any:
    return person.api.post("/api/v1/plans/", body)


def test_a_region_is_planned_alone_for_the_cloud_it_is_drawn_for(
    bob: Person, paris: Any, roubaix: Any, blueprint: Any
) -> None:
    made = blueprint(TWO)
    body = plan(bob, blueprint=made["id"], region="back").json()
    assert (body["region"], body["cloud"]["name"], body["deployment_name"]) == ("back", "roubaix", "shop-back")
    placed = {w["service"] for machine in body["machines"] for w in machine["workloads"]}
    assert placed == {"db"}
    assert body["services"]["web"] == {"machines": [], "change": None, "restarted": False, "ports": []}
    assert {machine["region"] for machine in body["machines"]} == {"back"}
    other = plan(bob, blueprint=made["id"], region="back", cloud="paris", name="moved").json()
    assert (other["cloud"]["name"], other["deployment_name"]) == ("paris", "moved")


def test_a_plain_machine_is_told_from_a_host(bob: Person, paris: Any, roubaix: Any, blueprint: Any) -> None:
    body = plan(bob, blueprint=blueprint(TWO)["id"], region="front").json()
    plain = {machine["key"]: machine["plain"] for machine in body["machines"]}
    assert plain["machine:bastion"] is True
    assert sum(plain.values()) == 1
    started = bob.api.post("/api/v1/deployments/", {"plan": body["id"]}).json()
    painted = bob.api.get(f"/api/v1/deployments/{started['id']}/canvas/").json()
    assert {machine["key"]: machine["state"] for machine in painted["machines"]}["machine:bastion"] == "pending"


def test_two_regions_are_two_deployments_that_live_apart(
    bob: Person, paris: Any, roubaix: Any, blueprint: Any, drive: Any
) -> None:
    made = blueprint(TWO)
    ids = []
    for region in ("front", "back"):
        answer = bob.api.post("/api/v1/deployments/", {"blueprint": made["id"], "region": region})
        assert answer.status_code == 202, answer.content
        assert drive(answer.json()["operation"]).state == "succeeded"
        ids.append(answer.json()["id"])
    rows = bob.api.get(f"/api/v1/deployments/?blueprint={made['id']}").json()["results"]
    told = {(row["name"], row["region"], row["cloud"]["name"]) for row in rows}
    assert told == {("shop-front", "front", "paris"), ("shop-back", "back", "roubaix")}
    for deployment, service in zip(ids, ("web", "db"), strict=True):
        drift = bob.api.get(f"/api/v1/deployments/{deployment}/drift/").json()
        assert (drift["drifted"], set(drift["services"])) == (False, {service})
        assert plan(bob, deployment=deployment).json()["empty"] is True
    painted = bob.api.get(f"/api/v1/deployments/{ids[0]}/canvas/").json()
    assert set(painted["services"]) == {"web"}
    assert painted["deployment"]["region"] == "front"


def test_an_update_keeps_its_region(bob: Person, paris: Any, roubaix: Any, blueprint: Any, drive: Any) -> None:
    made = blueprint(TWO)
    started = bob.api.post("/api/v1/deployments/", {"blueprint": made["id"], "region": "front"}).json()
    drive(started["operation"])
    refused = plan(bob, deployment=started["id"], region="back")
    assert (refused.status_code, refused.json()["code"]) == (409, "plan.region_differs")
    assert plan(bob, deployment=started["id"], region="front").json()["region"] == "front"
    body = plan(bob, deployment=started["id"]).json()
    assert (body["region"], body["counts"]["delete"]) == ("front", 0)


def test_without_a_region_each_is_planned_on_its_cloud_in_one_plan(
    bob: Person, paris: Any, roubaix: Any, blueprint: Any
) -> None:
    body = plan(bob, blueprint=blueprint(TWO)["id"], cloud="paris").json()
    assert (body["region"], body["deployment_name"], body["blocked"]) == ("", "shop", False)
    assert {(part["cloud"]["name"], *part["services"]) for part in body["parts"]} == {
        ("paris", "web"),
        ("roubaix", "db"),
    }
    assert {machine["region"] for machine in body["machines"] if machine["cloud"] == "roubaix"} == {"back"}
    assert "realise.regions_joined" not in {finding["code"] for finding in body["findings"]}


def test_regions_that_name_no_other_cloud_are_planned_whole_with_a_warning(
    bob: Person, paris: Any, blueprint: Any
) -> None:
    text = TWO.replace("{cloud: paris, title: Up front}", "{title: Up front}").replace("{cloud: roubaix}", "{}")
    body = plan(bob, blueprint=blueprint(text)["id"], cloud="paris").json()
    assert (body["region"], body["deployment_name"], body["blocked"]) == ("", "shop", False)
    assert "realise.regions_joined" in {finding["code"] for finding in body["findings"]}
    assert {w["service"] for machine in body["machines"] for w in machine["workloads"]} == {"web", "db"}


@pytest.mark.parametrize("region", ["atlantis", "<script>", "../x", "Front"])
def test_a_region_that_is_not_drawn_blocks_the_plan(
    bob: Person, paris: Any, roubaix: Any, blueprint: Any, region: str
) -> None:
    answer = plan(bob, blueprint=blueprint(TWO)["id"], cloud="paris", region=region, name="shop")
    assert answer.status_code == 201, answer.content
    assert answer.json()["blocked"] is True
    assert answer.json()["price"] is None
    assert "realise.region_unknown" in {finding["code"] for finding in answer.json()["findings"]}
    refused = bob.api.post("/api/v1/deployments/", {"plan": answer.json()["id"]})
    assert refused.status_code == 422


def test_a_region_that_is_no_text_or_too_long_is_refused(bob: Person, paris: Any, blueprint: Any) -> None:
    made = blueprint(TWO)
    for region in ("x" * 201, {"a": 1}, "a\x00b"):
        assert plan(bob, blueprint=made["id"], cloud="paris", region=region).status_code == 400


def test_a_region_without_a_cloud_and_one_of_an_unknown_cloud_are_told(bob: Person, paris: Any, blueprint: Any) -> None:
    missing = plan(bob, blueprint=blueprint(TWO.replace("{cloud: paris, title: Up front}", "{}"))["id"], region="front")
    assert [param["name"] for param in missing.json()["params"]] == ["cloud"]
    unknown = plan(bob, blueprint=blueprint(TWO, name="two")["id"], region="back")  # nobody has registered roubaix
    assert (unknown.status_code, unknown.json()["code"]) == (404, "cloud.unknown")


def test_a_preview_is_for_one_region_too(bob: Person, paris: Any, roubaix: Any) -> None:
    body = {"project": "shop", "compose": TWO, "region": "back"}
    shown = bob.api.post("/api/v1/plans/preview/", body).json()
    assert (shown["valid"], shown["cloud"]["name"], shown["region"]) == (True, "roubaix", "back")
    assert shown["regions"] == [
        {"name": "front", "title": "Up front", "cloud": "paris"},
        {"name": "back", "title": "back", "cloud": "roubaix"},
    ]
    assert {entry["verdict"] for entry in shown["ledger"]} & {"dropped", "approximated"}
    odd = TWO.replace(
        "regions:\n    front: {cloud: paris, title: Up front}\n    back: {cloud: roubaix}", "regions: [1]"
    )
    answer = bob.api.post("/api/v1/plans/preview/", {**body, "compose": odd, "cloud": "paris"})
    assert (answer.status_code, answer.json()["blocked"], answer.json()["regions"]) == (200, True, [])


def test_a_long_name_leaves_room_for_the_region() -> None:
    from apps.deployments.planning import default_name

    assert default_name("shop", "") == "shop"
    name = default_name("x" * 63, "front")
    assert (len(name), name[-6:]) == (63, "-front")
