"""A preview says what planning would give, at once, and keeps nothing."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from tests.apps.deployments.conftest import SHOP
from tests.people import Person

pytestmark = pytest.mark.django_db(transaction=True)

PRICES = {"currency": "EUR", "cpu_month": "10", "memory_gib_month": "1", "disk_gib_month": "0.1"}


def preview(person: Person, compose: str = SHOP, **body: Any) -> Any:
    return person.api.post("/api/v1/plans/preview/", {"project": "shop", "cloud": "paris", "compose": compose, **body})


def previewed(person: Person, compose: str = SHOP, **body: Any) -> dict[str, Any]:
    answer = preview(person, compose, **body)
    assert answer.status_code == 200, answer.content
    shown: dict[str, Any] = answer.json()
    return shown


def counts() -> dict[str, int]:
    from django.apps import apps

    # A preview in another process may have read the cloud or used the token; nothing else may differ.
    return {model._meta.label: model._default_manager.count() for model in apps.get_models() if model._meta.managed}


def test_it_says_what_a_plan_would_and_keeps_nothing(bob: Person, paris: Any, control: Any, blueprint: Any) -> None:
    made = blueprint()
    rows, things = counts(), control.things()
    shown = previewed(bob)
    assert (counts(), control.things()) == (rows, things)
    planned = bob.api.post("/api/v1/plans/", {"cloud": "paris", "blueprint": made["id"], "name": "design"}).json()
    assert shown["valid"] is True
    for part in ("counts", "requirements", "ledger", "services", "machines"):
        assert shown[part] == planned[part], part
    kept = lambda body: [(one["resource"], one["change"], one["services"]) for one in body["changes"]]  # noqa: E731
    assert kept(shown) == kept(planned)
    assert shown["capacity"]["clusters"] > 0


def test_it_tells_where_each_service_would_stand(bob: Person, paris: Any) -> None:
    shown = previewed(bob)
    machines = {machine["key"]: machine for machine in shown["machines"]}
    for name in ("web", "db"):
        told = shown["services"][name]
        assert told["change"] == "create"
        assert all(name in {w["service"] for w in machines[key]["workloads"]} for key in told["machines"])
    assert shown["services"]["web"]["ports"] == [{"published": "80", "target": 80, "protocol": "tcp"}]
    (volume,) = shown["volumes"]
    assert (volume["key"], volume["services"]) == ("volume:db-data", ["db"])
    assert shown["networks"]
    assert "userdata" not in str(shown["machines"])


def test_the_same_text_gives_the_same_answer(bob: Person, paris: Any) -> None:
    first, second = previewed(bob), previewed(bob)
    first["capacity"].pop("read_at")
    second["capacity"].pop("read_at")
    assert first == second


@pytest.mark.parametrize(
    "text",
    ["", "services: [", "services:\n\tweb: {}", "a: &a [*a]", "\x00", "services:\n  web:\n    imge: x\n", "- 1", "🦊"],
)
def test_a_text_with_mistakes_is_an_answer(bob: Person, paris: Any, text: str) -> None:
    answer = preview(bob, text)
    if "\x00" in text:
        assert answer.status_code == 400
        return
    assert answer.status_code == 200, answer.content
    body = answer.json()
    assert body["valid"] is False
    assert body["findings"]
    assert (body["changes"], body["price"]) == ([], None)


def test_a_text_that_is_too_large_is_refused_by_the_loader(bob: Person, paris: Any) -> None:
    body = previewed(bob, "#" + "x" * 1024 * 1024 + "\nservices: {web: {image: x}}\n")
    assert body["valid"] is False
    assert body["findings"][0]["code"] == "compose.limit.bytes"


def test_a_drawing_that_asks_for_too_much_is_told_so_quickly(bob: Person, paris: Any) -> None:
    body = previewed(bob, "services:\n  web:\n    image: x\n    deploy: {replicas: 1000000}\n")
    assert (body["valid"], body["blocked"], body["price"]) == (True, True, None)
    assert "realise.too_many_containers" in {finding["code"] for finding in body["findings"]}


def test_a_name_that_is_a_script_is_never_a_page(bob: Person, paris: Any) -> None:
    answer = preview(bob, 'services:\n  "<script>alert(1)</script>": {image: nginx}\n')
    assert (answer.status_code, answer.json()["valid"]) == (200, False)
    assert "<script>" in str(answer.json()["findings"])
    assert answer["Content-Type"].startswith("application/json")
    assert answer["X-Content-Type-Options"] == "nosniff"


def test_it_observes_what_a_deployment_has(bob: Person, running: Any) -> None:
    same = previewed(bob, deployment=running["id"])
    assert same["empty"] is True
    assert {told["change"] for told in same["services"].values()} == {"keep"}
    changed = previewed(bob, SHOP.replace("1.27", "1.28"), deployment=running["id"])
    assert changed["counts"]["update"] >= 1
    assert changed["services"]["web"]["change"] == "update"
    assert (changed["services"]["db"]["change"], changed["services"]["db"]["restarted"]) in (
        ("keep", True),
        ("keep", False),  # on a machine of its own
    )
    gone = previewed(bob, "services:\n  web:\n    image: nginx:1.27\n    ports: ['80:80']\n", deployment=running["id"])
    assert gone["services"]["db"]["change"] == "delete"
    assert gone["data_loss"]


def test_it_is_priced_beside_what_runs(alice: Person, bob: Person, running: Any) -> None:
    assert previewed(bob)["price"] is None
    assert alice.api.patch("/api/v1/clouds/paris/", {"prices": PRICES}).status_code == 200
    new, same = previewed(bob)["price"], previewed(bob, deployment=running["id"])["price"]
    assert (new["currency"], new["monthly_before"]) == ("EUR", None)
    assert same["monthly_before"] == same["monthly"] == new["monthly"]
    need = previewed(bob)["requirements"]
    expected = need["cpus"] * 10 + need["memory_mib"] / 1024 + need["disk_gib"] * 0.1
    assert float(new["monthly"]) == pytest.approx(expected, abs=0.02)
    larger = previewed(
        bob, SHOP.replace("db-data:\n", "db-data: {x-escale: {size: 100GiB}}\n"), deployment=running["id"]
    )
    assert float(larger["price"]["monthly"]) > float(larger["price"]["monthly_before"])
    assert bob.api.get(f"/api/v1/deployments/{running['id']}/").json()["price"]["monthly"] == same["monthly"]


def test_files_and_values_come_from_the_design_or_from_ones_own_draft(bob: Person, paris: Any, blueprint: Any) -> None:
    text = "services:\n  web:\n    image: nginx:${TAG:?needed}\n"
    made = blueprint(text, name="web", environment={"TAG": "1.27"})
    assert previewed(bob, text)["valid"] is False
    shown = previewed(bob, text, blueprint=made["id"])
    assert shown["machines"][0]["workloads"][0]["image"] == "nginx:1.27"
    given = previewed(bob, text, blueprint=made["id"], environment={"TAG": "2"})
    assert given["machines"][0]["workloads"][0]["image"] == "nginx:2"
    draft = {"project": "shop", "compose": "services: [", "environment": {"TAG": "3"}, "name": "A Web!"}
    draft_id = bob.api.post("/api/v1/drafts/", draft).json()["id"]
    drafted = previewed(bob, text, draft=draft_id)
    assert drafted["machines"][0]["workloads"][0]["image"] == "nginx:3"
    assert drafted["deployment_name"] == "a-web"


def test_nobody_previews_with_what_is_not_theirs(
    bob: Person, charlie: Person, viewer: Person, paris: Any, running: Any, blueprint: Any
) -> None:
    text = "services:\n  web:\n    image: nginx:${TAG}\n"
    made = blueprint(text, name="web", environment={"TAG": "canary"})
    draft = bob.api.post("/api/v1/drafts/", {"project": "shop", "compose": text}).json()["id"]
    assert preview(viewer).status_code == 403
    for body in ({"blueprint": made["id"]}, {"draft": draft}, {"deployment": running["id"]}, {}):
        answer = charlie.api.post(
            "/api/v1/plans/preview/", {"project": "attic", "cloud": "paris", "compose": text, **body}
        )
        assert answer.status_code == 404, body
        assert "canary" not in answer.content.decode()


def test_an_architect_of_one_project_does_not_read_the_values_of_another(
    alice: Person, bob: Person, paris: Any, blueprint: Any
) -> None:
    """Bob may look at the lab, but the values of its designs are for those who may write them."""
    from apps.tenancy import services
    from apps.tenancy.models import Membership, Role

    lab = services.create_project(alice.principal, "lab", "Lab")
    text = "services:\n  web:\n    image: nginx:${TAG}\n"
    body = {"project": "lab", "name": "web", "compose": text, "environment": {"TAG": "canary"}}
    secret = alice.api.post("/api/v1/blueprints/", body).json()
    Membership.objects.filter(user=bob.user).delete()
    shop = next(p for p in alice.api.get("/api/v1/projects/").json()["results"] if p["slug"] == "shop")
    from apps.tenancy.models import Project

    services.add_member(alice.principal, bob.user, Role.ARCHITECT, Project.objects.get(pk=shop["id"]))
    services.add_member(alice.principal, bob.user, Role.VIEWER, lab)
    assert bob.api.get(f"/api/v1/blueprints/{secret['id']}/").status_code == 200
    for project, status in (("shop", 404), ("lab", 403)):
        answer = bob.api.post(
            "/api/v1/plans/preview/",
            {"project": project, "cloud": "paris", "compose": text, "blueprint": secret["id"]},
        )
        assert answer.status_code == status, answer.content
        assert "canary" not in answer.content.decode()


def test_a_cloud_that_is_down_is_said_so(bob: Person, running: Any, control: Any) -> None:
    control.fault("observe", "refuse", code="cloud.unreachable", times=20)
    answer = preview(bob, deployment=running["id"])
    assert (answer.status_code, answer.json()["code"]) == (503, "cloud.not_ready")
    assert previewed(bob)["valid"] is True  # without a deployment nothing is asked


def test_what_is_missing_is_named(bob: Person, paris: Any) -> None:
    answer = bob.api.post("/api/v1/plans/preview/", {"project": "shop", "compose": SHOP})
    assert (answer.status_code, [param["name"] for param in answer.json()["params"]]) == (400, ["cloud"])
    assert {p["name"] for p in bob.api.post("/api/v1/plans/preview/", {}).json()["params"]} == {"project", "compose"}


def test_it_asks_the_database_no_more_for_a_large_drawing(bob: Person, paris: Any) -> None:
    """The designer asks after each edit."""
    seen = []
    for number in (2, 60):
        text = "services:\n" + "".join(f"  s{n}: {{image: nginx}}\n" for n in range(number))
        with CaptureQueriesContext(connection) as queries:
            previewed(bob, text)
        seen.append(len(queries))
    assert seen[1] <= seen[0] <= 15  # the first call notes that the token was used
