"""Administrators say what a cloud costs; everybody reads it, and nonsense is refused."""

from __future__ import annotations

import pytest

from apps.clouds.models import Cloud
from apps.tenancy.models import Role
from tests.people import make_person

CLOUD = "/api/v1/clouds/paris/"
PRICES = {"currency": "eur", "cpu_month": "9.50", "memory_gib_month": 4, "disk_gib_month": 0.08}
KEPT = {"currency": "EUR", "cpu_month": "9.5", "memory_gib_month": "4", "disk_gib_month": "0.08"}


def test_an_administrator_sets_prices_and_takes_them_away(alice, viewer, paris):
    assert viewer.api.get(CLOUD).json()["prices"] is None
    changed = alice.api.patch(CLOUD, {"prices": {**PRICES, "note": " list of May "}})
    assert changed.status_code == 200, changed.content
    assert viewer.api.get(CLOUD).json()["prices"] == {**KEPT, "note": "list of May"}
    assert alice.api.patch(CLOUD, {"title": "Paris 2"}).json()["prices"]["cpu_month"] == "9.5"
    assert alice.api.patch(CLOUD, {"prices": None}).json()["prices"] is None


def test_a_cloud_is_registered_with_its_prices(alice):
    body = {"name": "rome", "kind": "fake", "address": "fake.example", "username": "u", "password": "p"}
    made = alice.api.post("/api/v1/clouds/", {**body, "prices": PRICES})
    assert made.json()["prices"] == KEPT


@pytest.mark.parametrize("role", [Role.VIEWER, Role.ARCHITECT, Role.OPERATOR])
def test_nobody_else_sets_prices(role, alice, paris):
    person = make_person("eve", alice.organization, role)
    assert person.api.patch(CLOUD, {"prices": PRICES}).status_code == 403
    assert Cloud.objects.get().prices == {}


def test_somebody_elses_prices_do_not_exist(charlie, paris):
    assert charlie.api.patch(CLOUD, {"prices": PRICES}).status_code == 404


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"currency": "EURO"}, "prices.currency"),
        ({"currency": "<b>"}, "prices.currency"),
        ({"currency": None}, "prices.currency"),
        ({"cpu_month": "-1"}, "prices.cpu_month"),
        ({"cpu_month": -0.5}, "prices.cpu_month"),
        ({"cpu_month": "1e9"}, "prices.cpu_month"),
        ({"cpu_month": 1e300}, "prices.cpu_month"),
        ({"cpu_month": "NaN"}, "prices.cpu_month"),
        ({"cpu_month": True}, "prices.cpu_month"),
        ({"cpu_month": "٣"}, "prices.cpu_month"),
        ({"cpu_month": ["1"]}, "prices.cpu_month"),
        ({"disk_gib_month": "0.0000001"}, "prices.disk_gib_month"),
        ({"disk_gib_month": 1e-7}, "prices.disk_gib_month"),
        ({"memory_gib_month": ""}, "prices.memory_gib_month"),
        ({"gpu_month": "1"}, "prices.gpu_month"),
        ({"note": "x" * 201}, "prices.note"),
        ({"note": {"a": 1}}, "prices.note"),
    ],
)
def test_what_is_no_price_is_named_and_nothing_is_stored(change, named, alice, paris):
    answer = alice.api.patch(CLOUD, {"prices": {**PRICES, **change}})
    assert answer.status_code == 400, answer.content
    assert [param["name"] for param in answer.json()["params"]] == [named]
    assert Cloud.objects.get().prices == {}


@pytest.mark.parametrize("value", ["9.50", ["EUR"], 7, {"currency": "EUR"}, {"note": "x" * 20_000}])
def test_half_a_price_list_is_none(value, alice, paris):
    assert alice.api.patch(CLOUD, {"prices": value}).status_code == 400
    assert Cloud.objects.get().prices == {}


def test_the_sandbox_says_that_its_prices_are_examples(alice, paris):
    from apps.clouds import services
    from launcher.simulators import CLOUDS, example_prices

    for name, *_rest in CLOUDS:
        cloud = services.update_cloud(alice.principal, paris, prices=example_prices(name))
        assert "xample" in cloud.prices["note"]
