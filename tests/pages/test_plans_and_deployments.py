from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.test import Client

from apps.clouds import services as clouds
from apps.clouds.models import Cloud
from apps.deployments.models import Deployment, Plan
from apps.operations.models import Operation
from apps.tenancy.access import System
from tests.e2e.scene import Scene

TWO = """\
services:
  web:
    image: nginx:1.29
  db:
    image: postgres:18
    volumes: [data:/var/lib]
volumes: {data: }
"""


@pytest.fixture
def berlin(acme: Any, tmp_path: Path) -> Cloud:
    """A fake cloud that answers."""
    cloud = clouds.register_cloud(
        System(acme), name="berlin", kind="fake", address="127.0.0.1:9443", username="escale", password="hush",
        options={"state": str(tmp_path / "berlin.sqlite")},
    )  # fmt: skip
    assert clouds.refresh(cloud).ok
    return cloud


def design(person: Any, text: str = TWO, name: str = "shop") -> str:
    return str(person.browser.post("/designs/new/", {"name": name, "compose": text}).headers["Location"])


def planned(person: Any, where: str, **data: str) -> Any:
    return person.browser.post(f"{where}deploy/", {"cloud": "berlin", "name": "shop", **data})


def test_a_plan_is_made_read_and_started(bob: Any, shop: Any, berlin: Cloud) -> None:
    answer = planned(bob, design(bob))
    plan = Plan.objects.get()
    assert answer.headers["Location"] == f"/plans/{plan.pk}/"
    html = bob.browser.get(f"/plans/{plan.pk}/").content.decode()
    machines = sum(change["kind"] == "machine" for change in plan.body["changes"])
    assert f"Deploy {machines} machine" in html
    assert plan.body["changes"][0]["cause"] in html.replace("&#x27;", "'").replace("&quot;", '"')
    started = bob.browser.post(f"/plans/{plan.pk}/start/")
    operation = Operation.objects.get()
    assert started.headers["Location"] == f"/operations/{operation.pk}/"
    page = bob.browser.get(f"/operations/{operation.pk}/").content.decode()
    assert page.count('class="node ') == operation.steps_total
    assert "See what it did" in bob.browser.get(f"/plans/{plan.pk}/").content.decode()


def test_a_plan_runs_once(bob: Any, shop: Any, berlin: Cloud) -> None:
    planned(bob, design(bob))
    plan = Plan.objects.get()
    bob.browser.post(f"/plans/{plan.pk}/start/")
    again = bob.browser.post(f"/plans/{plan.pk}/start/")
    assert again.status_code == 409
    assert b"plan.already_started" in again.content
    assert Operation.objects.count() == 1


def test_a_service_that_is_only_built_asks_for_an_image(bob: Any, shop: Any, berlin: Cloud) -> None:
    where = design(bob, "services:\n  api:\n    build: ./api\n")
    assert b"Image for api" in bob.browser.get(f"{where}deploy/").content
    planned(bob, where)
    blocked = Plan.objects.get()
    assert b"This plan cannot be started" in bob.browser.get(f"/plans/{blocked.pk}/").content
    assert bob.browser.post(f"/plans/{blocked.pk}/start/").status_code == 422
    planned(bob, where, **{"image:api": "registry.example/api:1"})
    plan = Plan.objects.exclude(pk=blocked.pk).get()
    assert plan.images == {"api": "registry.example/api:1"}
    assert bob.browser.post(f"/plans/{plan.pk}/start/").status_code == 302


def test_a_taken_name_and_an_unknown_cloud_are_told_on_the_form(bob: Any, shop: Any, berlin: Cloud) -> None:
    where = design(bob)
    planned(bob, where)
    bob.browser.post(f"/plans/{Plan.objects.get().pk}/start/")
    taken = planned(bob, where)
    assert taken.status_code == 409
    assert b"deployment.name_taken" in taken.content
    unknown = planned(bob, where, cloud="atlantis", name="other")
    assert unknown.status_code == 404
    assert b"cloud.unknown" in unknown.content


def test_a_stale_plan_says_so_and_offers_another(bob: Any, shop: Any, berlin: Cloud) -> None:
    where = design(bob)
    planned(bob, where)
    bob.browser.post(f"/plans/{Plan.objects.get().pk}/start/")
    deployment = Deployment.objects.get()
    bob.browser.post(f"/deployments/{deployment.pk}/update/", {"version": "1", "plan": "1"})
    plan = Plan.objects.exclude(operation_id__isnull=False).get()
    deployment.resources.create(
        key="machine:other", kind="machine", name="other", spec={"kind": "machine", "key": "other"}
    )
    fresh = bob.browser.get(f"/plans/{plan.pk}/freshness/", headers={"HX-Request": "true"})
    assert b"The plan is out of date" in fresh.content
    refused = bob.browser.post(f"/plans/{plan.pk}/start/")
    assert refused.status_code == 409
    assert b"Plan again" in refused.content


@pytest.mark.parametrize("typed", ["", "Shop", "shop-staging"])
def test_what_destroys_is_typed_to_be_confirmed(typed: str, scene: Scene, as_: Callable[[str], Client]) -> None:
    plan = scene.plans["destroy"]
    answer = as_("bob").post(f"/plans/{plan.pk}/start/", {"confirm": typed}, follow=True)
    assert b"Type shop to confirm; nothing was changed." in answer.content
    plan.refresh_from_db()
    assert plan.operation_id is None


def test_a_deployment_of_which_nothing_exists_can_be_removed(bob: Any, shop: Any, berlin: Cloud) -> None:
    planned(bob, design(bob))
    bob.browser.post(f"/plans/{Plan.objects.get().pk}/start/")
    Operation.objects.get().claims.all().delete()
    deployment = Deployment.objects.get()
    answer = bob.browser.post(f"/deployments/{deployment.pk}/destroy/")
    plan = Plan.objects.get(purpose="destroy")
    assert answer.headers["Location"] == f"/plans/{plan.pk}/"
    html = bob.browser.get(f"/plans/{plan.pk}/").content.decode()
    assert "Nothing of it exists on the cloud" in html
    assert "Remove shop" in html
    bob.browser.post(f"/plans/{plan.pk}/start/")
    deployment.refresh_from_db()
    assert deployment.state == "destroyed"


def test_the_page_of_a_destroying_plan_names_what_goes(scene: Scene, as_: Callable[[str], Client]) -> None:
    html = as_("bob").get(f"/plans/{scene.plans['destroy'].pk}/").content.decode()
    danger = html[html.index('id="confirm-title"') :]
    assert "Its data is lost" in danger
    assert re.search(r"Destroy 2 machines and 1 data disk\s*</button>", danger)
    assert "Type shop to confirm" in danger
    mixed = as_("bob").get(f"/plans/{scene.plans['mixed'].pk}/").content.decode()
    harmless = mixed[mixed.index("</form>\n    </section>") :] if "</form>\n    </section>" in mixed else mixed
    assert "change-delete" not in harmless


def test_the_ledger_stands_beside_its_line(scene: Scene, as_: Callable[[str], Client]) -> None:
    html = as_("bob").get(f"/plans/{scene.plans['create'].pk}/").content.decode()
    line = re.search(r'<li id="L26" class="has-dropped">(.*?)</li>', html, re.DOTALL)
    assert line is not None
    assert "net.core.somaxconn" in line[1]
    assert "refuses kernel settings" in line[1]


def test_a_cloud_that_is_down_spoils_nothing_else(scene: Scene, as_: Callable[[str], Client]) -> None:
    alice = as_("alice")
    for path in ("/", "/clouds/"):
        html = alice.get(path).content.decode()
        assert "Frankfurt cannot be reached" in html
        assert "Paris" in html
    page = alice.get(f"/deployments/{scene.deployments['analytics'].pk}/").content.decode()
    assert "what the portal last recorded" in page


REGIONS = """\
services:
  web: {image: "nginx:1.29", x-escale: {region: front}}
  db: {image: "postgres:18", x-escale: {region: back}}
x-escale: {regions: {front: {title: "<b>Up front</b>"}, back: {cloud: berlin}}}
"""


def test_the_form_offers_the_drawing_s_regions_and_plans_the_chosen_one(bob: Any, shop: Any, berlin: Cloud) -> None:
    where = design(bob, REGIONS)
    first = bob.browser.get(f"{where}deploy/").content.decode()
    assert '<option value="front" selected>' in first
    assert "<b>Up front</b>" not in first
    page = bob.browser.get(f"{where}deploy/?region=back").content.decode()
    assert 'value="shop-back"' in page
    assert re.search(r'name="cloud" value="berlin"\s+checked', page)
    planned(bob, where, region="back", name="shop-back")
    plan = Plan.objects.get()
    assert (plan.region, {m["region"] for m in plan.body["machines"]}) == ("back", {"back"})
    assert "region back" in bob.browser.get(f"/plans/{plan.pk}/").content.decode()
    bob.browser.post(f"/plans/{plan.pk}/again/")
    assert set(Plan.objects.values_list("region", flat=True)) == {"back"}
    bob.browser.post(f"/plans/{plan.pk}/start/")
    deployment = Deployment.objects.get()
    assert deployment.region == "back"
    assert "<dd>back</dd>" in bob.browser.get(f"/deployments/{deployment.pk}/").content.decode()
    assert ">back</span>" in bob.browser.get("/deployments/").content.decode()


def test_a_design_without_regions_is_asked_for_none(bob: Any, shop: Any, berlin: Cloud) -> None:
    assert "Region of the drawing" not in bob.browser.get(f"{design(bob)}deploy/").content.decode()


def test_prices_are_typed_by_an_administrator_and_shown_on_plans(
    alice: Any, bob: Any, shop: Any, berlin: Cloud
) -> None:
    page = alice.browser.get("/clouds/berlin/edit/").content.decode()
    form = {"flavour": "private", "address": berlin.address}
    assert 'name="cpu_month"' in page
    half = alice.browser.post("/clouds/berlin/edit/", {**form, "currency": "EUR", "cpu_month": "9.5"})
    assert half.status_code == 422
    assert "0 for what costs nothing" in half.content.decode()
    rates = {"currency": "eur", "cpu_month": "9.5", "memory_gib_month": "4", "disk_gib_month": "0.08"}
    done = alice.browser.post("/clouds/berlin/edit/", {**form, **rates, "note": "<i>May</i>"})
    assert done.status_code == 302, done.content
    berlin.refresh_from_db()
    assert berlin.prices["currency"] == "EUR"
    shown = bob.browser.get("/clouds/berlin/").content.decode()
    assert "9.50 EUR" in shown
    assert "&lt;i&gt;May&lt;/i&gt;" in shown
    planned(bob, design(bob))
    plan = Plan.objects.get()
    html = bob.browser.get(f"/plans/{plan.pk}/").content.decode()
    assert f"{plan.body['price']['monthly']} EUR" in html
    assert "<i>May</i>" not in html
    edited = alice.browser.get("/clouds/berlin/edit/").content.decode()
    assert re.search(r'name="disk_gib_month" value="0.08"', edited)
    assert bob.browser.post("/clouds/berlin/edit/", {**form, **rates}).status_code == 403


def test_a_french_administrator_types_prices_with_a_comma(alice: Any, shop: Any, berlin: Cloud) -> None:
    form = {"flavour": "private", "address": berlin.address, "currency": "EUR", "cpu_month": "9,5",
            "memory_gib_month": "4", "disk_gib_month": "0,08"}  # fmt: skip
    answer = alice.browser.post("/clouds/berlin/edit/", form, headers={"Accept-Language": "fr"})
    assert answer.status_code == 302, answer.content
    berlin.refresh_from_db()
    assert (berlin.prices["cpu_month"], berlin.prices["disk_gib_month"]) == ("9.5", "0.08")
